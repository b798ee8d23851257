"""The reader and writer of masks as grey PNGs."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gateway.masks.grey_png import (
    SIGNATURE,
    NotAMaskError,
    chunk,
    decode_mask,
    encode_binary,
    encode_grey,
)
from tests.unit.gateway.doubles import mask_png
from tests.unit.gateway.mask_samples import SAMPLES

IDS = np.array([[1, 2, 3], [4, 5, 255]], np.uint8)
ROWS = b"\x00\x01\x02\x03" + b"\x00\x04\x05\xff"


def grey_png(
    pixels: bytes = ROWS,
    header: tuple[int, ...] = (3, 2, 8, 0, 0, 0, 0),
    pieces: int = 1,
    extra: bytes = b"",
    missing: int = 0,
) -> bytes:
    """A PNG of these rows in so many IDAT chunks, without the last ``missing`` bytes of data.

    extra: a chunk after the pixel data.
    """
    data = zlib.compress(pixels)
    data = data[: len(data) - missing]
    size = -(-len(data) // pieces)
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    head = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
    return head + b"".join(chunk(b"IDAT", each) for each in cut) + extra + chunk(b"IEND", b"")


def damaged(png: bytes) -> bytes:
    """The PNG with one wrong bit in its compressed data."""
    at = png.index(b"IDAT") + 12
    return png[:at] + bytes([png[at] ^ 4]) + png[at + 1 :]


def by_pillow(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize("ids", SAMPLES.values(), ids=SAMPLES)
def test_a_mask_is_read_as_it_was_written(ids: NDArray[np.uint8]) -> None:
    """Writing and reading a mask keeps its size and every class id."""
    assert np.array_equal(decode_mask(encode_grey(ids)), ids)


@pytest.mark.parametrize("ids", SAMPLES.values(), ids=SAMPLES)
def test_any_viewer_reads_a_mask_that_is_written(ids: NDArray[np.uint8]) -> None:
    """Pillow reads a written mask as mode L with the same ids."""
    png = encode_grey(ids)
    assert Image.open(io.BytesIO(png)).mode == "L"
    assert np.array_equal(by_pillow(png), ids)


@pytest.mark.parametrize("pieces", [1, 2, 5, 16])
def test_the_pixel_data_may_come_in_pieces(pieces: int) -> None:
    """PNG allows any number of IDAT chunks."""
    assert np.array_equal(decode_mask(grey_png(pieces=pieces)), IDS)


def test_the_ids_cannot_be_changed() -> None:
    """The array is a read-only view of the decoded bytes, not a copy."""
    ids = decode_mask(grey_png())
    with pytest.raises(ValueError, match="read-only"):
        ids[0, 0] = 9


@pytest.mark.parametrize(
    "png",
    [
        b"",
        b"no png",
        mask_png(mode="P"),
        mask_png(mode="RGB"),
        grey_png()[:-1],
        grey_png()[:-16] + grey_png()[-12:],
        grey_png(missing=1),
        grey_png(ROWS[:-1]),
        grey_png(ROWS + b"\x00"),
        grey_png(ROWS * 2),
        grey_png(b"\x00\x01\x02\x03\x02\x04\x05\xff"),
        grey_png(header=(3, 2, 8, 0, 0, 0, 1)),
        grey_png(header=(0, 2, 8, 0, 0, 0, 0)),
        grey_png(header=(2**32 - 1, 2**32 - 1, 8, 0, 0, 0, 0)),
        grey_png(header=(2**31 - 1, 2**31 - 1, 8, 0, 0, 0, 0)),
        grey_png(extra=chunk(b"tEXt", b"a\x00b")),
        grey_png(extra=chunk(b"IDAT", b"more")),
        grey_png(extra=b"\xff\xff\xff\xffIDAT"),
        damaged(grey_png()),
    ],
    ids=[
        "empty",
        "text",
        "indexed",
        "rgb",
        "cut",
        "checksum of the chunk cut",
        "checksum of the pixels cut",
        "a byte too few",
        "a byte too many",
        "twice the rows",
        "filtered",
        "interlaced",
        "no width",
        "wider than PNG allows",
        "as wide as PNG allows",
        "text at the end",
        "data after the data",
        "a chunk longer than the file",
        "damaged",
    ],
)
def test_anything_else_is_refused(png: bytes) -> None:
    """Bytes that are not such a PNG raise NotAMaskError and nothing else."""
    with pytest.raises(NotAMaskError):
        decode_mask(png)


def test_no_more_is_inflated_than_the_size_promises() -> None:
    """A hundred megabytes in a PNG of six pixels are not inflated."""
    bomb = grey_png(bytes(100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(NotAMaskError):
            decode_mask(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_a_binary_mask_is_black_and_white() -> None:
    """A binary mask has 8 bits, with 255 inside and 0 outside."""
    image = Image.open(io.BytesIO(encode_binary(IDS > 3)))
    assert (image.mode, image.size) == ("L", (3, 2))
    assert np.asarray(image).tolist() == [[0, 0, 0], [255, 255, 255]]
