"""The image formats that are accepted, from image_formats.json, and the recognition of others.

To accept another format that Pillow reads, add it to that file: the page's uploader and preview
and the API's documentation read it too. For each format it holds the name as messages spell it, the
name as Pillow spells it, the file extensions, and the major brands of ISO base media files.
"""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

IMAGE_FORMATS: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("image_formats.json").read_text()
)
FORMATS = tuple(str(each["pillow_name"]) for each in IMAGE_FORMATS)  # Pillow's names
FORMAT_NAMES = tuple(str(each["name"]) for each in IMAGE_FORMATS)
FORMAT_LIST = f"{', '.join(FORMAT_NAMES[:-1])} or {FORMAT_NAMES[-1]}"
BRANDS = tuple(brand.encode() for each in IMAGE_FORMATS for brand in each.get("brands", ()))

# Signatures of images and documents that people send, that are not accepted and that Pillow does
# not recognise.
OTHER_SIGNATURES = (
    b"%PDF",
    b"\xff\x0a",  # JPEG XL
    b"\x00\x00\x00\x0cJXL ",
    b"P7",  # a portable map that Pillow does not read
    b"\x1a\x45\xdf\xa3",  # Matroska
    b"PK\x03\x04",
    b"\x1f\x8b",  # gzip
)
MARKUP = (b"<svg", b"<?xml")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
PREFIX = 16  # bytes that Pillow's plugins inspect


def is_other_format(data: bytes) -> bool:
    """Whether the bytes begin like an image or document of a format that is not accepted.

    May raise what Pillow's plugins raise on damaged data.
    """
    if data[4:8] == b"ftyp":  # HEIC and video; but not a damaged AVIF
        return len(data) >= 12 and data[8:12] not in BRANDS
    if data[:64].removeprefix(BYTE_ORDER_MARK).lstrip().startswith(MARKUP):
        return True
    return data.startswith(OTHER_SIGNATURES) or _pillow_recognises(data)


def _pillow_recognises(data: bytes) -> bool:
    """By the signature if a format has one, otherwise by the whole header."""
    Image.init()
    others = {name: Image.OPEN[name][1] for name in Image.OPEN if name not in FORMATS}
    if any(accepts and accepts(data[:PREFIX]) for accepts in others.values()):
        return True
    return _opens(data, [name for name, accepts in others.items() if accepts is None])


def _opens(data: bytes, formats: list[str]) -> bool:
    try:
        Image.open(BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        return False
    except Image.DecompressionBombError:
        pass
    return True
