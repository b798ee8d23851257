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

# Beginnings of images and documents that people send, that are not accepted and that Pillow does
# not recognise, with their names; and beginnings of what follows a few bytes.
CAMERA_RAW = "A camera's raw photograph"
OTHER_SIGNATURES = {
    **dict.fromkeys((b"FUJIFILMCCD-RAW", b"II\x1a\0\0\0HEAPCCDR", b"FOVb", b"\0MRM"), CAMERA_RAW),
    **dict.fromkeys((b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"ARRI"), CAMERA_RAW),
    b"%PDF": "PDF",
    **dict.fromkeys((b"\xff\x0a", b"\x00\x00\x00\x0cJXL "), "JPEG XL"),
    **dict.fromkeys((b"II\xbc\x01", b"WMPHOTO"), "JPEG XR"),
    b"\x97JB2\r\n\x1a\n": "JBIG2",
    **dict.fromkeys((b"\x8bJNG\r\n", b"\x8aMNG\r\n"), "MNG"),
    b"P7": "PAM",  # a portable map that Pillow does not read
    b"v/1\x01": "OpenEXR",
    **dict.fromkeys((b"#?RADIANCE", b"#?RGBE"), "Radiance HDR"),
    **dict.fromkeys((b"SDPX", b"XPDS", b"\x80\x2a\x5f\xd7", b"\xd7\x5f\x2a\x80"), "DPX or Cineon"),
    b"gimp xcf": "GIMP's XCF",
    b"FLIF": "FLIF",
    b"BPG\xfb": "BPG",
    b"AT&TFORM": "DjVu",
    **dict.fromkeys((b"NRRD000", b"\x93NUMPY", b"CDF\x01", b"CDF\x02"), "Scientific data"),
    **dict.fromkeys((b"\x1a\x45\xdf\xa3", b"OggS", b"FLV\x01", b"\x30\x26\xb2\x75"), "Video"),
    b"PK\x03\x04": "A ZIP archive or a document in one",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "An Office document",
    **dict.fromkeys(
        (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd"),
        "A compressed file",
    ),
}
INNER_SIGNATURES = {(128, b"DICM"): "DICOM", (8, b"AVI "): "Video", (344, b"n+1\0"): "NIfTI"}
SHARED_SIGNATURES = {"CUR": "CUR or TGA"}  # Pillow's name -> those of all that begin so
HEIC_BRANDS = (b"mif1", b"msf1", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
MARKUP = (b"<svg", b"<?xml")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
PREFIX = 16  # bytes that Pillow's plugins inspect


def other_format(data: bytes) -> str | None:
    """The format that the bytes begin like, if it is not accepted; None for all other bytes.

    May raise what Pillow's plugins raise on damaged data.
    """
    if data[4:8] == b"ftyp":  # but not a damaged AVIF
        return None if len(data) < 12 or data[8:12] in BRANDS else _media(data[8:12])
    if data[:64].removeprefix(BYTE_ORDER_MARK).lstrip().startswith(MARKUP):
        return "SVG or XML"
    for signature, name in OTHER_SIGNATURES.items():
        if data.startswith(signature):
            return name
    for (place, signature), name in INNER_SIGNATURES.items():
        if data.startswith(signature, place):
            return name
    return _known_to_pillow(data)


def _media(brand: bytes) -> str:
    if brand == b"crx ":
        return CAMERA_RAW
    return "HEIC" if brand in HEIC_BRANDS else "Video"


def _known_to_pillow(data: bytes) -> str | None:
    """By the signature if a format has one, otherwise by the whole header."""
    Image.init()
    others = {name: Image.OPEN[name][1] for name in Image.OPEN if name not in FORMATS}
    for name, accepts in others.items():
        if accepts and accepts(data[:PREFIX]):
            return SHARED_SIGNATURES.get(name, name)
    unsigned = (name for name, accepts in others.items() if accepts is None)
    return next((name for name in unsigned if _opens(data, [name])), None)


def _opens(data: bytes, formats: list[str]) -> bool:
    try:
        Image.open(BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        return False
    except Image.DecompressionBombError:
        pass
    return True
