"""The formats that we take, and how others are told from bytes that are no picture."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")  # Pillow's names
FORMAT_NAMES = "JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF"

# Beginnings of pictures and documents that people send and we do not take.
OTHER_SIGNATURES = (
    b"%PDF",
    b"8BPS",
    b"%!PS",
    b"\x00\x00\x01\x00",  # ICO
    b"\x00\x00\x00\x0cjP  ",  # JPEG 2000
    b"\xff\x4f\xff\x51",  # JPEG 2000 without a container
    b"\xff\x0a",  # JPEG XL
    b"\x00\x00\x00\x0cJXL ",
    b"icns",
    b"DDS ",
    b"qoif",
    b"\x0a\x05\x01",  # PCX
    b"\x01\xda",  # SGI
    b"\x1a\x45\xdf\xa3",  # Matroska
    b"PK\x03\x04",
    b"\x1f\x8b",  # gzip
)
PORTABLE_MAPS = (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7", b"PF", b"Pf")
MARKUP = (b"<svg", b"<?xml")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
AVIF_BRANDS = (b"avif", b"avis")


def is_other_format(data: bytes) -> bool:
    """Whether the bytes begin like a picture or document that we do not take."""
    if data[4:8] == b"ftyp":  # HEIC and films; a damaged AVIF is none of them
        return data[8:12] not in AVIF_BRANDS
    text = data[:64].removeprefix(BYTE_ORDER_MARK).lstrip()
    if text.startswith(MARKUP):
        return True
    return data.startswith(OTHER_SIGNATURES) or (
        data.startswith(PORTABLE_MAPS) and data[2:3].isspace()
    )
