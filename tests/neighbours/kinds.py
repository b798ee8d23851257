"""Whole files of kinds that are not decoded, with the word by which the refusal names each."""

import struct
import zlib

import numpy as np
from PIL import Image

from tests.neighbours.neighbour import SIZE
from tests.neighbours.tiff_rare import levels, small_tiff
from tests.odd_files.containers import bmp
from tests.unit.handler.files import chunk, encode

RAW = "raw photograph"


def jpeg_frame(marker: int, precision: int = 8, components: int = 3) -> bytes:
    """A JPEG whose start of frame says this; its scan is not decoded."""
    plain = encode(Image.fromarray(levels()), "JPEG")
    frame = plain.index(b"\xff\xc0")
    rest = plain[frame + 2 + int.from_bytes(plain[frame + 2 : frame + 4]) :]
    said = b"".join(bytes([number + 1, 0x11, 0]) for number in range(components))
    head = struct.pack(">BHHB", precision, *SIZE[::-1], components) + said
    return plain[:frame] + bytes([0xFF, marker]) + struct.pack(">H", len(head) + 2) + head + rest


def masked_bmp(*masks: int) -> bytes:
    """A BMP of 32 bits, whose bit masks for red, green and blue are these."""
    head = struct.pack("<IiiHHIIiiII", 40, *SIZE, 1, 32, 3, 0, 0, 0, 0, 0)
    body = struct.pack("<3I", *masks) + bytes(4 * SIZE[0] * SIZE[1])
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(body), 0, 0, 66) + head + body


def apple_png() -> bytes:
    """As Xcode packs it: a chunk before the header, and pixels without zlib's frame."""
    rows = b"".join(b"\0" + row.tobytes() for row in levels(4))
    pixels = zlib.compress(rows)[2:-4]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *SIZE, 8, 6, 0, 0, 0))
    first = chunk(b"CgBI", b"\x50\0\x20\6")
    return b"\x89PNG\r\n\x1a\n" + first + head + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def media(brand: bytes) -> bytes:
    """The beginning of an ISO base media file."""
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1" + brand + bytes(500)


def canon_raw() -> bytes:
    """A CR2: a TIFF, sixteen bytes in, behind a signature of its own."""
    tiff = small_tiff("<", bytes(8) + levels().tobytes(), {258: (8, 8, 8), 262: 2, 277: 3})
    start = struct.unpack_from("<I", tiff, 4)[0]
    directory = tiff[start : start + 2 + 12 * 11 + 4]
    return b"II*\0\x10\0\0\0CR\2\0\0\0\0\0" + directory + bytes(40_000)


MOSAIC = np.zeros(SIZE[::-1], np.uint16).tobytes()
KINDS = {
    "12-bit JPEG": (jpeg_frame(0xC1, precision=12), "12 bits"),
    "12-bit progressive JPEG": (jpeg_frame(0xC2, precision=12), "12 bits"),
    "JPEG of 2 components": (jpeg_frame(0xC0, components=2), "2 components"),
    "JPEG of 5 components": (jpeg_frame(0xC0, components=5), "5 components"),
    "lossless JPEG of 16 bits": (jpeg_frame(0xC3, precision=16), "lossless"),
    "arithmetic lossless JPEG": (jpeg_frame(0xCB), "lossless"),
    "hierarchical JPEG": (jpeg_frame(0xC5), "hierarchical"),
    "JPEG-LS": (jpeg_frame(0xF7), "JPEG-LS"),
    "PNG of an iPhone app": (apple_png(), "Apple"),
    "BMP with a JPEG in it": (bmp(16, 16, bytes(1024), bits=0, packing=4), "compression 4"),
    "BMP of OS/2's 24-bit runs": (bmp(16, 16, bytes(1024), bits=24, packing=4), "compression 4"),
    "BMP of 64 bits": (bmp(16, 16, bytes(4096), bits=64, packing=0), "64 bits"),
    "BMP of 2 bits": (bmp(16, 16, bytes(1024), bits=2, packing=0), "2 bits"),
    "BMP of 10-bit colours": (masked_bmp(0x3FF00000, 0xFFC00, 0x3FF), "bit masks"),
    "CR2": (canon_raw(), RAW),
    "PEF": (small_tiff(">", MOSAIC, {258: 12, 259: 65_535, 262: 32_803}), "65535"),
    "mosaic": (small_tiff("<", MOSAIC, {258: 16, 262: 32_803}), "mosaic"),
    "CR3": (media(b"crx "), RAW),
    "RAF": (b"FUJIFILMCCD-RAW 0201FF" + bytes(200), RAW),
    "ORF": (b"IIRO\x08\0\0\0" + bytes(200), RAW),
    "ORF of other cameras": (b"IIRS\x08\0\0\0" + bytes(200), RAW),
    "RW2": (b"IIU\0\x18\0\0\0" + bytes(200), RAW),
    "CRW": (b"II\x1a\0\0\0HEAPCCDR" + bytes(200), RAW),
    "X3F": (b"FOVb\0\0\2\0" + bytes(200), RAW),
    "MRW": (b"\0MRM\0\0\1\0" + bytes(200), RAW),
    "HEIC": (media(b"heic"), "HEIC"),
    "MP4": (media(b"isom"), "Video"),
    "AVI": (b"RIFF\x24\0\0\0AVI LIST" + bytes(200), "Video"),
    "Matroska": (b"\x1a\x45\xdf\xa3" + bytes(200), "Video"),
    "DICOM": (bytes(128) + b"DICM\2\0\0\0UL\4\0" + bytes(200), "DICOM"),
    "NIfTI": (struct.pack("<I", 348) + bytes(340) + b"n+1\0" + bytes(200), "NIfTI"),
    "XCF": (b"gimp xcf v011\0" + bytes(200), "XCF"),
    "OpenEXR": (b"v/1\x01\2\0\0\0channels\0" + bytes(200), "OpenEXR"),
    "Radiance": (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 1 +X 1\n" + bytes(20), "HDR"),
    "JPEG XR": (b"II\xbc\x01\x20\0\0\0" + bytes(200), "JPEG XR"),
    "JPEG XL": (b"\xff\x0a" + bytes(200), "JPEG XL"),
    "JPEG 2000": (encode(Image.fromarray(levels()), "JPEG2000"), "JPEG2000"),
    "JBIG2": (b"\x97JB2\r\n\x1a\n\1" + bytes(200), "JBIG2"),
    "JNG": (b"\x8bJNG\r\n\x1a\n" + bytes(200), "MNG"),
    "DPX": (b"SDPX\0\0\x20\0V1.0" + bytes(200), "DPX"),
    "FLIF": (b"FLIF31" + bytes(200), "FLIF"),
    "BPG": (b"BPG\xfb\x20\0" + bytes(200), "BPG"),
    "DjVu": (b"AT&TFORM\0\0\0\xffDJVU" + bytes(200), "DjVu"),
    "NumPy": (b"\x93NUMPY\1\0" + bytes(200), "Scientific"),
    "NRRD": (b"NRRD0004\ntype: float\n" + bytes(200), "Scientific"),
    "PSD": (b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(300), "PSD"),
    "PCX": (encode(Image.fromarray(levels()), "PCX"), "PCX"),
    "TGA": (encode(Image.fromarray(levels()), "TGA"), "TGA"),
    "PDF": (b"%PDF-1.7\n" + bytes(200), "PDF"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "ZIP": (b"PK\3\4" + bytes(200), "ZIP"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(200), "compressed"),
    "old Word": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "Office"),
}
