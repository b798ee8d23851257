"""Images reach the network at its size, upright, in 8-bit RGB on white."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplab.decode import Decoded, decode
from deeplab.preprocess import MIN_SIDE, network_size, preprocess
from deeplab.spec import InputSize
from tests.unit.handler.files import encode

ANY_64 = InputSize(long_side=64, grid=1)


def _pixels(image: Image.Image, kind: str = "PNG") -> NDArray[np.uint8]:
    return preprocess(decode(encode(image, kind), 64), ANY_64)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((640, 480), (513, 385)),
        ((480, 640), (385, 513)),
        ((513, 513), (513, 513)),
        ((100, 100), (513, 513)),
        ((1, 1), (513, 513)),
        ((20_000, 100), (513, MIN_SIDE)),
        ((1, 20_000), (MIN_SIDE, 513)),
        ((8000, 6250), (513, 401)),
    ],
)
def test_the_long_side_is_the_networks_and_the_aspect_is_kept(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    """Only very long images are widened, to the least size that the network accepts."""
    assert expected == network_size(size, InputSize(long_side=513, grid=1))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((640, 480), (513, 385)),
        ((500, 334), (513, 337)),
        ((500, 341), (513, 353)),
        ((513, 513), (513, 513)),
        ((20_000, 100), (513, 33)),
        ((1, 20_000), (33, 513)),
        ((1, 1), (513, 513)),
    ],
)
def test_on_a_grid_the_nearest_size_is_taken(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    """Multiples of 16 plus one: the aspect changes by at most 8 pixels."""
    assert expected == network_size(size, InputSize(long_side=513, grid=16))


@pytest.mark.parametrize("size", [(200, 100), (100, 200), (7, 5), (1, 1), (500, 2)])
def test_the_network_gets_one_8_bit_image(size: tuple[int, int]) -> None:
    """(1, h, w, 3) uint8, contiguous, as the engines require."""
    pixels = _pixels(Image.new("RGB", size, (10, 20, 30)))
    width, height = network_size(size, ANY_64)
    assert pixels.shape == (1, height, width, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert np.unique(pixels.reshape(-1, 3), axis=0).tolist() == [[10, 20, 30]]


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_sideways_image_is_resized_before_it_is_turned(orientation: int) -> None:
    """Turning the small image is cheaper; the shape is that of the upright image."""
    decoded = Decoded(Image.new("RGB", (200, 100)), (100, 200), orientation, is_16_bit=False)
    assert preprocess(decoded, ANY_64).shape == (1, 64, 32, 3)


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((200, 100, 50, 255), [200, 100, 50]),
        ((200, 100, 50, 0), [255, 255, 255]),
        ((0, 0, 0, 0), [255, 255, 255]),
        ((0, 0, 0, 128), [127, 127, 127]),
        ((0, 0, 0, 51), [204, 204, 204]),
        ((255, 0, 0, 128), [255, 127, 127]),
    ],
)
def test_transparency_is_composited_on_white(
    colour: tuple[int, int, int, int], expected: list[int]
) -> None:
    """Opaque pixels keep their colour, transparent ones are white, whatever colour they hide."""
    assert _pixels(Image.new("RGBA", (64, 64), colour))[0, 32, 32].tolist() == expected


def test_a_grey_image_with_alpha_is_composited_too() -> None:
    """LA is handled like RGBA."""
    assert _pixels(Image.new("LA", (64, 64), (0, 51)))[0, 32, 32].tolist() == [204] * 3


def test_a_transparent_edge_does_not_darken_its_neighbours() -> None:
    """Hidden colours must not bleed into visible ones while resizing."""
    image = Image.new("RGBA", (640, 640), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (0, 0, 325, 640))
    assert _pixels(image).min() >= 254


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("level", [0x0000, 0x00FF, 0x1234, 0x7FFF, 0x8000, 0xFFFF])
def test_16_bit_levels_keep_their_high_byte(kind: str, level: int) -> None:
    """A constant scale: a dark image stays dark, unlike with stretching."""
    image = Image.fromarray(np.full((64, 64), level, dtype=np.uint16))
    assert np.unique(_pixels(image, kind)).tolist() == [level >> 8]


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_deeper_levels_are_stretched_from_darkest_to_brightest(dtype: type) -> None:
    """They have no scale of their own."""
    ramp: NDArray[Any] = np.tile(np.linspace(-5000, 70_000, 64), (64, 1)).astype(dtype)
    pixels = _pixels(Image.fromarray(ramp), "TIFF")
    assert (pixels.min(), pixels.max()) == (0, 255)


@pytest.mark.parametrize("level", [0.0, 1e30, -7.0, np.nan, np.inf])
def test_a_flat_float_image_is_black(level: float) -> None:
    """Nothing to stretch, and no division by zero."""
    image = Image.fromarray(np.full((64, 64), level, dtype=np.float32))
    assert np.unique(_pixels(image, "TIFF")).tolist() == [0]


@pytest.mark.parametrize("size", [(640, 480), (97, 61), (150, 30), (64, 64)])
def test_bytes_of_rgb_are_resized_as_pillow_does(size: tuple[int, int]) -> None:
    """By PyTorch, faster, and the same to one level of 255."""
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    smooth = Image.fromarray(noise).resize((size[0] // 4, size[1] // 4)).resize(size)
    expected = smooth.resize(network_size(size, ANY_64), Image.Resampling.BILINEAR, reducing_gap=3)
    difference = _pixels(smooth)[0].astype(int) - np.asarray(expected)
    largest = 1 if max(size) <= 3 * ANY_64.long_side else 0
    assert np.abs(difference).max() <= largest
