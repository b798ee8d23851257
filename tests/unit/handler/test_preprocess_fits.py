"""Every fit gives the size and the pixels that the libraries of training give."""

import io
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

from deeplab.decode import Decoded, decode
from deeplab.preprocess import min_long_side, network_size, preprocess
from deeplab.spec import Fit, InputSize, Interpolation
from tests.unit.handler.files import encode, turned

SHORT = InputSize(long_side=200, fit="short_side", short_side=64)
FIXED = InputSize(long_side=96, fit="fixed", width=96, height=64)
NATIVE = InputSize(long_side=300, fit="native")
OPENCV = {
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST,
}
PILLOW = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}


def photograph(width: int, height: int) -> Image.Image:
    """Smooth colours with some detail: neither flat nor noise."""
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    coarse = Image.fromarray(noise).resize((width // 5 + 2, height // 5 + 2))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def seen(image: Image.Image, input_size: InputSize, kind: str = "PNG") -> NDArray[np.int_]:
    """(h, w, 3) levels that the network gets of an encoded image."""
    data = encode(image, kind)
    pixels: NDArray[np.int_] = preprocess(decode(data, min_long_side(input_size)), input_size)[0]
    return pixels.astype(int)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((640, 480), (85, 64)), ((480, 640), (64, 85)), ((64, 64), (64, 64)), ((10, 8), (80, 64))],
)
def test_the_short_side_is_the_networks(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """The aspect is kept; torchvision cuts the fraction off."""
    assert network_size(size, SHORT) == expected


def test_the_long_side_bounds_the_short_side() -> None:
    """A panorama does not grow without end: torchvision's max_size."""
    assert network_size((4000, 1000), SHORT) == (200, 50)
    assert network_size((1000, 4000), SHORT) == (50, 200)
    assert network_size((20_000, 10), SHORT) == (200, 32)


@pytest.mark.parametrize("size", [(640, 480), (1, 1), (30, 4000)])
def test_a_fixed_size_is_stretched_to(size: tuple[int, int]) -> None:
    """Whatever the aspect: the network takes one size only."""
    assert network_size(size, FIXED) == (96, 64)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((200, 100), (200, 100)), ((33, 47), (33, 47)), ((600, 400), (300, 200)), ((9, 9), (32, 32))],
)
def test_native_keeps_the_images_size(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """Up to the long side, and not below what any network takes."""
    assert network_size(size, NATIVE) == expected


@pytest.mark.parametrize("fit", ["long_side", "short_side", "native"])
@pytest.mark.parametrize("size", [(640, 480), (333, 500), (2000, 40), (1, 1)])
def test_both_sides_are_multiples(fit: Fit, size: tuple[int, int]) -> None:
    """Rounded to the nearest, never to nothing."""
    wanted = InputSize(long_side=250, fit=fit, short_side=100, multiple=32)
    width, height = network_size(size, wanted)
    assert width % 32 == height % 32 == 0
    assert min(width, height) >= 32
    assert max(width, height) <= 256


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("wanted", [SHORT, FIXED, NATIVE], ids=["short", "fixed", "native"])
@pytest.mark.parametrize("size", [(640, 480), (97, 61), (1500, 900), (50, 40)])
def test_averaging_gives_pillows_pixels(
    interpolation: Interpolation, wanted: InputSize, size: tuple[int, int]
) -> None:
    """Within one level of 255, from all pixels, in every fit and for both filters."""
    image, how = photograph(*size), replace(wanted, interpolation=interpolation)
    expected = image.resize(network_size(size, how), PILLOW[interpolation])
    assert np.abs(seen(image, how) - np.asarray(expected).astype(int)).max() <= 1


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("size", [(640, 480), (97, 61), (1501, 902), (50, 40)])
def test_without_averaging_the_pixels_are_opencvs(
    interpolation: Interpolation, size: tuple[int, int]
) -> None:
    """What cv2.resize gives by default: shrinking leaves pixels out."""
    how = replace(FIXED, interpolation=interpolation, antialias=False)
    image = photograph(*size)
    expected = cv2.resize(np.asarray(image), (96, 64), interpolation=OPENCV[interpolation])
    assert np.abs(seen(image, how) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("size", [(640, 480), (97, 61), (50, 40)])
def test_nearest_takes_centres_as_pillow_does(size: tuple[int, int]) -> None:
    """OpenCV takes corners; which of the two it is, is a fact of the model."""
    image = photograph(*size)
    expected = np.asarray(image.resize((96, 64), Image.Resampling.NEAREST)).astype(int)
    assert np.array_equal(seen(image, replace(FIXED, interpolation="nearest")), expected)


@pytest.mark.parametrize("antialias", [True, False])
def test_torch_on_float_tensors_gives_the_same(antialias: bool) -> None:
    """As recipes resize that convert before they resize."""
    image = photograph(500, 333)
    planes = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
    expected = F.interpolate(planes[None], (64, 96), mode="bilinear", antialias=antialias)[0]
    how = replace(SHORT, antialias=antialias)
    difference = np.abs(seen(image, how) - expected.permute(1, 2, 0).numpy())
    assert difference.max() <= 1


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_turned_image_fills_a_fixed_size_upright(orientation: int) -> None:
    """Width and height are those of the image as it is displayed."""
    upright = photograph(300, 200)
    data = turned(upright, orientation, "PNG")
    pixels = preprocess(decode(data, min_long_side(FIXED)), FIXED)[0].astype(int)
    expected = np.asarray(upright.resize((96, 64), Image.Resampling.BILINEAR)).astype(int)
    assert pixels.shape == (64, 96, 3)
    assert np.abs(pixels - expected).max() <= 1


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(
    ("wanted", "least"),
    [
        (InputSize(long_side=100), 1),
        (SHORT, 2),
        (replace(SHORT, interpolation="bicubic"), 2),
        (FIXED, 2),
        (InputSize(64, fit="fixed", width=64, height=600), 1),
        (NATIVE, 2),
    ],
)
def test_a_jpeg_is_decoded_to_at_least_the_needed_size(
    wanted: InputSize, least: int, orientation: int
) -> None:
    """Reduced where that is fast, but never below the network's size."""
    upright = photograph(1600, 1200)
    decoded = decode(turned(upright, orientation, "JPEG"), min_long_side(wanted))
    target = network_size(decoded.size, wanted)
    width, height = decoded.decoded_size[:: -1 if orientation == 6 else 1]
    assert decoded.size == (1600, 1200)
    assert width >= min(1600, least * target[0])
    assert height >= min(1200, least * target[1])


def test_a_large_jpeg_is_still_decoded_at_a_fraction() -> None:
    """Decoding all pixels would take most of a worker's time."""
    data = encode(photograph(1600, 1200), "JPEG")
    sizes = [decode(data, min_long_side(each)).decoded_size for each in (SHORT, FIXED)]
    assert sizes == [(200, 150), (200, 150)]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("wanted", [InputSize(64), SHORT, FIXED], ids=["long", "short", "fixed"])
def test_where_all_pixels_count_a_jpeg_is_resized_from_all(
    wanted: InputSize, interpolation: Interpolation
) -> None:
    """What Pillow gives of the whole image; a decoding at a fraction is several levels off."""
    how = replace(wanted, interpolation=interpolation, exact=True)
    data = encode(photograph(1600, 1200), "JPEG")
    decoded = decode(data, min_long_side(how))
    assert decoded.decoded_size == (1600, 1200)
    with Image.open(io.BytesIO(data)) as image:
        expected = image.resize(network_size(image.size, how), PILLOW[interpolation])
    difference = np.abs(preprocess(decoded, how)[0] - np.asarray(expected).astype(int))
    assert difference.max() <= 1


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_where_pixels_are_left_out_a_jpeg_is_decoded_whole(interpolation: Interpolation) -> None:
    """A reduced decoding would average them."""
    how = replace(FIXED, interpolation=interpolation, antialias=False)
    image = photograph(1600, 1200)
    data = encode(image, "JPEG")
    decoded = decode(data, min_long_side(how))
    assert decoded.decoded_size == (1600, 1200)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert read is not None
    expected = cv2.resize(read, (96, 64), interpolation=OPENCV[interpolation]).astype(int)
    assert np.abs(preprocess(decoded, how)[0].astype(int) - expected).max() <= 2


@pytest.mark.parametrize("mode", ["RGBA", "LA", "L", "P", "I;16"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("antialias", [True, False])
def test_every_kind_of_pixels_is_resized_in_every_way(
    mode: str, interpolation: Interpolation, antialias: bool
) -> None:
    """A flat image keeps its colour, on white where it is transparent."""
    if mode == "I;16":
        image = Image.fromarray(np.full((64, 64), 0x80FF, dtype=np.uint16))
    else:
        image = Image.new("RGB", (64, 64), (128, 128, 128))
        image = image.quantize(2) if mode == "P" else image.convert(mode)
    how = replace(FIXED, interpolation=interpolation, antialias=antialias)
    assert np.unique(seen(image, how)).tolist() == [128]


def test_a_decoded_image_without_a_file_is_resized_too() -> None:
    """The export's calibration makes views of photographs."""
    image = photograph(300, 200)
    decoded = Decoded(image, image.size, 1, is_16_bit=False)
    assert np.array_equal(preprocess(decoded, SHORT)[0], seen(image, SHORT))


def test_a_size_survives_its_json(tmp_path: Path) -> None:
    """Every field is a number, a name or a truth value."""
    assert InputSize(**json.loads(json.dumps(SHORT.__dict__))) == SHORT
