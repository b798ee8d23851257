"""JPEG, the format of nearly all photographs: how much work one asks for, and a fast way for most.

Each scan goes over every pixel once more. A progressive photograph has about ten of them. A scan
can be as short as a hundred bytes, so a small file could keep a decoder busy for hours.
"""

import re

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

JPEG_FORMATS = ("JPEG", "MPO")  # Pillow's names; the second is of files with several pictures
SCAN_START = b"\xff\xda"
SCAN, END = 0xDA, 0xD9
PLAIN_SCANS = 4  # one for each component, and one to spare
ARITHMETIC = b"\xff\xc9"  # the frame of a rare coding, which takes ten times as long to decode
# Not a marker inside a scan: stuffed zeros, restarts. Without a length: the start, 01.
MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])")


def has_more_scans(data: bytes, limit: int) -> bool:
    """Whether a JPEG has more than ``limit`` scans before its end marker."""
    if data.count(SCAN_START) <= limit:  # much faster than the walk; what it counts may be chance
        return False
    scans, position = 0, 0
    while scans <= limit and (found := MARKER.search(data, position)):
        kind = found[1][0]
        if kind == END:
            break
        scans += kind == SCAN
        position = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
    return scans > limit


def decode_plain(picture: Image.Image, data: bytes) -> NDArray[np.uint8] | None:
    """(h, w, 3) uint8 RGB of an ordinary JPEG at the size of ``picture``, or None.

    picture: what Pillow opened ``data`` as, and perhaps reduced by ``draft``; not loaded.

    Another build of the library that Pillow has, to the same pixels, and half a millisecond less
    for 640 x 480: Pillow keeps four bytes for a pixel, and copies them twice. None is for all that
    may be odd about a file, damage above all: what is still a picture is for Pillow to say.
    """
    if picture.format not in JPEG_FORMATS or picture.mode != "RGB":
        return None
    # Decoded in one go, which no limit of time could stop: nothing that may take long.
    if "progressive" in picture.info or ARITHMETIC in data or has_more_scans(data, PLAIN_SCANS):
        return None
    width, height = picture.size
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    try:
        found: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data, "RGB", min_height=height, min_width=width, buffer=pixels
        )
    except ValueError:
        return None
    return found if found.shape == pixels.shape else None
