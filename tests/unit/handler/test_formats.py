"""Formats that we do not take are told from bytes that are no picture."""

import pytest
from PIL import Image

from deeplab.decode import UnsupportedFormatError, decode
from deeplab.formats import FORMAT_NAMES, FORMATS, is_other_format
from tests.unit.handler.files import encode, quarters

BEGINNINGS = {
    "PDF": b"%PDF-1.7\n",
    "PostScript": b"%!PS-Adobe-3.0\n",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "SVG after a declaration": b"  \n<?xml version='1.0'?><svg/>",
    "SVG after a byte order mark": b"\xef\xbb\xbf<?xml version='1.0'?><svg/>",
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "HEIF": b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic",
    "MP4": b"\0\0\0\x18ftypisom\0\0\x02\0isom",
    "PSD": b"8BPS\0\x01" + bytes(20),
    "JPEG XL": b"\xff\x0a" + bytes(20),
    "JPEG XL in a container": b"\0\0\0\x0cJXL \r\n\x87\n",
    "Matroska": b"\x1a\x45\xdf\xa3" + bytes(20),
    "ZIP": b"PK\x03\x04" + bytes(20),
    "gzip": b"\x1f\x8b\x08" + bytes(20),
    "QOI": b"qoif" + bytes(20),
}
WRITTEN_BY_PILLOW = ("ICO", "JPEG2000", "PCX", "PPM", "SGI", "ICNS", "DDS")


@pytest.mark.parametrize("data", BEGINNINGS.values(), ids=BEGINNINGS)
def test_known_formats_are_unsupported(data: bytes) -> None:
    """415, and the formats that we take are listed."""
    with pytest.raises(UnsupportedFormatError, match=FORMAT_NAMES):
        decode(data, 96)


@pytest.mark.parametrize("kind", WRITTEN_BY_PILLOW)
def test_formats_that_pillow_could_read_are_unsupported_too(kind: str) -> None:
    """The policy decides, not what the library happens to know."""
    Image.init()
    with pytest.raises(UnsupportedFormatError):
        decode(encode(quarters(64, 64), kind), 96)


@pytest.mark.parametrize("kind", FORMATS)
def test_no_format_of_ours_is_taken_for_another(kind: str) -> None:
    """A damaged picture of ours is unreadable, which is another status."""
    assert not is_other_format(encode(quarters(), kind))


@pytest.mark.parametrize("brand", [b"avif", b"avis"])
def test_a_damaged_avif_is_not_taken_for_heic(brand: bytes) -> None:
    """Both begin with the same kind of box."""
    assert not is_other_format(b"\0\0\0\x18ftyp" + brand)
