"""From the network's class ids to the answer: full size, PNG, and the facts about it."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
NO_FILTER = 0


def resize_class_ids(ids: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize (h, w) uint8 class ids to (width, height) by NEAREST.

    The only place where class ids are resized: any other filter would mix ids, and a mixture of
    two ids is a third class that the network never predicted.
    """
    return np.asarray(Image.fromarray(ids).resize(size, Image.Resampling.NEAREST))


def count_classes(ids: NDArray[np.uint8]) -> dict[int, int]:
    """Class id -> number of pixels, for the classes present, in ascending order of id."""
    # Not np.bincount: it makes 64-bit numbers of the ids first, 400 MB for 50 megapixels.
    counts = Image.fromarray(ids).histogram()
    return {index: pixels for index, pixels in enumerate(counts) if pixels}


def keep_classes(ids: NDArray[np.uint8], classes: frozenset[int]) -> NDArray[np.uint8]:
    """(h, w) uint8 class ids with those of all other classes turned into background (0)."""
    table = np.zeros(256, dtype=np.uint8)
    kept = list(classes)
    table[kept] = kept
    return table[ids]


def encode_png(ids: NDArray[np.uint8]) -> bytes:
    """(height, width) uint8 class ids (or levels) as an 8-bit grey PNG without filters."""
    height, width = ids.shape
    rows = np.empty((height, width + 1), dtype=np.uint8)
    rows[:, 0] = NO_FILTER
    rows[:, 1:] = ids
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"".join(
        (
            PNG_SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(rows.data, level=1)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
