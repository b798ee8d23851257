"""Target: masks of the handler are read exactly, and any other bytes are refused.

An input is a byte, the width of a mask, and its class ids; or a zero and the bytes to read.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplab.postprocess import Mask, count_classes, encode_mask, full_size
from gateway.masks.colour_map import colour_map
from gateway.masks.grey_png import NotAMaskError, decode_mask, encode_grey, size_of
from gateway.masks.palettes import PALETTES
from gateway.masks.polygons import Ring, polygons
from gateway.masks.regions import regions
from gateway.protocols.label_studio.brush import brush_rle
from tests.fuzz.target import Target, replay

SEED = PALETTES["seed"].table
# Outlines are slow: check at most so many classes.
OUTLINED = 3


def check(data: bytes) -> None:
    """Check the round trip of a mask, or the reading of any bytes."""
    width = data[0] if data else 0
    height = (len(data) - 1) // width if width else 0
    if height:
        ids = np.frombuffer(data, np.uint8, width * height, offset=1).reshape(height, width)
        _round_trip(ids)
    else:
        _read(data[1:])


def _read(data: bytes) -> None:
    try:
        ids = decode_mask(data)
    except NotAMaskError:
        return
    height, width = ids.shape
    assert (width, height) == size_of(data)
    _round_trip(ids)


def _round_trip(ids: NDArray[np.uint8]) -> None:
    sent = _mask(ids)
    png = encode_mask(sent)
    assert np.array_equal(decode_mask(png), ids)
    assert np.array_equal(decode_mask(encode_grey(ids)), ids)
    coloured = Image.open(io.BytesIO(colour_map(png, SEED)))
    assert coloured.mode == "P"
    assert np.array_equal(np.asarray(coloured), ids)
    assert {each.class_id: each.pixels for each in regions(ids)} == count_classes(sent)
    for region in regions(ids)[:OUTLINED]:
        mask = ids == region.class_id
        brush_rle(mask)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        assert region.bbox == (left, top, right - left, bottom - top)
        outlines = polygons(ids, region.class_id, 0)
        assert sum(_area(ring) for polygon in outlines for ring in polygon) == region.pixels


def _mask(ids: NDArray[np.uint8]) -> Mask:
    height, width = ids.shape
    return full_size(ids, (width, height))


def _area(ring: Ring) -> float:
    """The area of a ring: positive for exteriors, negative for holes, which run clockwise."""
    x, y = np.array(ring, np.int64).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2


def seeds() -> list[bytes]:
    """Masks of some sizes, and PNGs of which some are masks."""
    patches = np.random.default_rng(7).integers(0, 4, (6, 8)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(patches).save(buffer, "PNG")
    return [
        *(bytes([width]) + patches.tobytes() for width in (1, 8, 48)),
        b"\4" + patches.repeat(5).tobytes(),
        b"\0" + encode_mask(_mask(patches)),
        b"\0" + encode_mask(_mask(patches.repeat(200, axis=0))),
        b"\0" + colour_map(encode_mask(_mask(patches)), SEED),
        b"\0" + buffer.getvalue(),
    ]


WORDS = (b"IHDR", b"IDAT", b"IEND", b"PLTE", b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82")
TARGET = Target(check, seeds, WORDS)

if __name__ == "__main__":
    replay(TARGET)
