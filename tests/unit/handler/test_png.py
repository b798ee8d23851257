"""Any decoder reads what was encoded, for images of any size."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplab.png import BAND_BYTES, NO_FILTER, encode_png, encode_repeated

SIZES = [(1, 1), (1, 17), (17, 1), (31, 257), (640, 480), (4099, 3), (BAND_BYTES + 1, 2)]
MODES = {"L": (), "RGB": (3,), "RGBA": (4,)}


def _noise(size: tuple[int, int], mode: str, levels: int = 256) -> NDArray[np.uint8]:
    generator = np.random.default_rng(size[0] * 10_007 + size[1])
    shape = (size[1], size[0], *MODES[mode])
    return generator.integers(0, levels, shape).astype(np.uint8)


def _read(png: bytes) -> Image.Image:
    Image.open(io.BytesIO(png)).verify()
    return Image.open(io.BytesIO(png))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("levels", [1, 2, 256])
def test_every_pixel_survives(size: tuple[int, int], mode: str, levels: int) -> None:
    """Also at the end of a band of rows."""
    pixels = _noise(size, mode, levels)
    image = _read(encode_png(pixels))
    assert (image.mode, image.size) == (mode, size)
    assert np.array_equal(pixels, np.asarray(image))


def test_a_part_of_a_larger_image_is_encoded_too() -> None:
    """Its rows are not contiguous in memory."""
    pixels = _noise((64, 48), "RGB")[3:40, 5:60]
    assert np.array_equal(pixels, np.asarray(_read(encode_png(pixels))))


def test_more_than_a_band_of_rows_is_encoded() -> None:
    """The row above is subtracted from each row, also across two bands."""
    pixels = _noise((1000, 2500), "L", levels=3)
    assert pixels.nbytes > 2 * BAND_BYTES
    assert np.array_equal(pixels, np.asarray(_read(encode_png(pixels))))


def test_repeated_rows_are_expanded() -> None:
    """In the given order, over many bands."""
    pixels = _noise((1200, 7), "L", levels=21)
    repeats = np.arange(1, 8) * 400
    scanlines = np.insert(pixels, 0, NO_FILTER, axis=1)
    expected = pixels.repeat(repeats, axis=0)
    assert np.array_equal(expected, np.asarray(_read(encode_repeated(scanlines, repeats))))


def test_a_smooth_image_is_hardly_larger_than_pillows_fastest_png() -> None:
    """Its rows differ little from the row above."""
    down, right = np.mgrid[0:300, 0:400]
    smooth = np.stack([down + right, down * 2 + right, right], axis=2) // 3
    pixels = (smooth + _noise((400, 300), "RGB", levels=4)).astype(np.uint8)
    by_pillow = io.BytesIO()
    Image.fromarray(pixels).save(by_pillow, "PNG", compress_level=1)
    assert len(encode_png(pixels)) <= 1.1 * len(by_pillow.getvalue())


def test_the_png_is_8_bit_without_a_palette() -> None:
    """The gateway turns a grey PNG into an indexed one by its header: the layout is a contract."""
    png = encode_repeated(np.zeros((1, 61), dtype=np.uint8), np.array([40]))
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert png[24:29] == bytes([8, 0, 0, 0, 0])  # depth, grey, compression, filter, no interlace
    assert b"PLTE" not in png
