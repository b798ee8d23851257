"""Formats that are not accepted: all others that Pillow reads, and some that people send."""

import struct
from collections.abc import Iterator

from PIL import Image

from tests.odd_files.odd_file import (
    UNREADABLE,
    UNSUPPORTED,
    OddFile,
    sample,
)
from tests.unit.handler.files import encode

# Format that Pillow writes -> a mode that the format can hold.
WRITTEN = {
    "BLP": "P",
    "DDS": "RGB",
    "DIB": "RGB",
    "EPS": "RGB",
    "ICNS": "RGBA",
    "ICO": "RGBA",
    "IM": "RGB",
    "JPEG2000": "RGB",
    "MSP": "1",
    "PCX": "RGB",
    "QOI": "RGB",
    "SGI": "RGB",
    "SPIDER": "F",
    "TGA": "RGB",
    "XBM": "1",
}
MAPS = {"1": "1", "L": "L", "RGB": "RGB", "I": "I", "F": "F", "RGBA": "RGBA"}
# Formats without a signature are recognised by their whole header, or not at all.
UNSIGNED = ("IM", "SPIDER", "TGA")
# Beginnings of files of the formats that Pillow reads and does not write.
BEGINNINGS = {
    "BUFR": b"BUFR" + bytes(30),
    "CUR": b"\0\0\2\0\1\0" + struct.pack("<BBBBHHII", 16, 16, 0, 0, 0, 0, 40, 22) + bytes(40),
    "DCX": struct.pack("<III", 0x3ADE68B1, 12, 0) + b"\x0a\x05\x01\x08" + bytes(124),
    "FITS": b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800),
    "FLI": struct.pack("<IHHHHHHI", 200, 0xAF11, 1, 64, 64, 8, 0, 70) + bytes(180),
    "FTEX": b"FTEX" + struct.pack("<IIIII", 65536, 16, 16, 1, 1) + bytes(40),
    "GBR": struct.pack(">IIIII", 28, 2, 8, 8, 1) + b"GIMP" + struct.pack(">I", 10) + bytes(64),
    "GRIB": b"GRIB\0\0\0\1" + bytes(30),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(30),
    "IMT": b"width 8\nheight 8\npixel n8\n\x0c" + bytes(64),
    "IPTC": b"\x1c\3\x3c\0\2\1\0\x1c\3\x14\0\1\x08\x1c\3\x1e\0\1\x08"
    b"\x1c\3\x78\0\1\1\x1c\x08\x0a\0\1\0",
    "MCIDAS": b"\0\0\0\0\0\0\0\4" + bytes(300),
    "MPEG": b"\0\0\1\xb3\x10\0\x10\x14" + bytes(30),
    "PCD": bytes(2048) + b"PCD_" + bytes(5000),
    "PIXAR": b"\x80\xe8\0\0" + bytes(1100),
    "PSD": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(300),
    "SUN": struct.pack(">8I", 0x59A66A95, 8, 8, 24, 192, 1, 0, 0) + bytes(192),
    "WMF": b"\xd7\xcd\xc6\x9a\0\0" + bytes(60),
    "XPM": b'/* XPM */\nstatic char *a[] = {\n"1 1 1 1",\n"a c #ff0000",\n"a"};\n',
    "XVTHUMB": b"P7 332\n#END_OF_COMMENTS\n8 8 255\n" + bytes(64),
}
OTHERS = {
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "XML": b"\xef\xbb\xbf<?xml version='1.0'?><svg/>",
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500),
    "HEIF": b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(500),
    "MP4": b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2" + bytes(500),
    "JXL": b"\xff\x0a" + bytes(50),
    "JXL-container": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50),
    "JPEG-2000-stream": b"\xff\x4f\xff\x51" + bytes(50),
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(50),
    "EPS-binary": b"\xc5\xd0\xd3\xc6" + bytes(50),
    "ZIP": b"PK\3\4" + bytes(50),
    "gzip": b"\x1f\x8b\x08" + bytes(50),
    "Matroska": b"\x1a\x45\xdf\xa3" + bytes(50),
    "PAM": b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\n\0",
}


def foreign_files() -> list[OddFile]:
    """415 for each, also if truncated, provided that the format has a signature."""
    return [*_written(), *_maps(), *_beginnings()]


def _unsupported(name: str, data: bytes) -> OddFile:
    return OddFile(name, data, (UNSUPPORTED,))


def _written() -> Iterator[OddFile]:
    Image.init()
    for kind, mode in WRITTEN.items():
        data = encode(sample((64, 64)).convert(mode), kind)
        yield _unsupported(f"{kind.lower()}/whole", data)
        cut = (UNSUPPORTED, UNREADABLE) if kind in UNSIGNED else (UNSUPPORTED,)
        yield OddFile(f"{kind.lower()}/half", data[: len(data) // 2], cut)
        yield OddFile(f"{kind.lower()}/header", data[:20], cut)


def _maps() -> Iterator[OddFile]:
    for name, mode in MAPS.items():
        data = encode(sample((64, 64)).convert(mode), "PPM")
        yield _unsupported(f"ppm/{name}", data)
    yield _unsupported("ppm/text", b"P3 # a comment\n1 1 255\n255 0 0\n")
    yield _unsupported("ppm/claims-a-lot", b"P6\n999999 999999\n255\n")


def _beginnings() -> Iterator[OddFile]:
    for kind, data in {**BEGINNINGS, **OTHERS}.items():
        yield _unsupported(f"{kind.lower()}/beginning", data)
