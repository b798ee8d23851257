"""Without antialiasing an image has OpenCV's own pixels."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from deeplab.decode import decode
from deeplab.opencv_resize import resize_as_opencv
from deeplab.preprocess import min_long_side, preprocess
from deeplab.spec import InputSize, Interpolation
from tests.unit.handler.files import EXAMPLES, turned
from tests.unit.handler.test_preprocess_fits import FIXED, OPENCV, photograph

NOISE = np.random.default_rng(5)
EXACT: tuple[Interpolation, ...] = ("bilinear", "nearest")
# (width, height) -> (width, height): shrunk, enlarged, both, halved, thinned, and as they are.
SIZES = (
    ((640, 480), (171, 96)),
    ((97, 61), (512, 333)),
    ((300, 41), (96, 200)),
    ((192, 128), (96, 64)),
    ((192, 129), (96, 64)),
    ((193, 128), (96, 64)),
    ((384, 256), (96, 64)),
    ((96, 128), (96, 64)),
    ((192, 64), (96, 64)),
    ((96, 64), (96, 64)),
    ((1, 1), (96, 64)),
    ((1, 300), (96, 64)),
    ((96, 64), (1, 1)),
    ((1023, 767), (683, 512)),
)


def image_of(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Noise with many pixels at both ends of the range, where roundings meet the bounds."""
    levels = NOISE.integers(-100, 356, (size[1], size[0], 3))
    return levels.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("interpolation", EXACT)
@pytest.mark.parametrize(("size", "wanted"), SIZES)
def test_every_pixel_is_opencvs(
    size: tuple[int, int], wanted: tuple[int, int], interpolation: Interpolation
) -> None:
    """Of 256 levels not one is off."""
    image = image_of(size)
    expected = cv2.resize(image, wanted, interpolation=OPENCV[interpolation])
    assert np.array_equal(resize_as_opencv(image, wanted, interpolation), expected)


@pytest.mark.parametrize("seed", range(20))
def test_any_size_to_any_other_is_exact(seed: int) -> None:
    """Sizes that a table would not think of."""
    rng = np.random.default_rng(seed)
    width, height, wide, high = (int(each) for each in rng.integers(1, 400, 4))
    image = image_of((width, height))
    for interpolation in EXACT:
        expected = cv2.resize(image, (wide, high), interpolation=OPENCV[interpolation])
        assert np.array_equal(resize_as_opencv(image, (wide, high), interpolation), expected)


@pytest.mark.parametrize(("size", "wanted"), SIZES)
def test_bicubic_is_within_one_level(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    """OpenCV's vector instructions round differently on different processors, for few pixels."""
    image = image_of(size)
    expected = cv2.resize(image, wanted, interpolation=cv2.INTER_CUBIC).astype(int)
    difference = np.abs(resize_as_opencv(image, wanted, "bicubic") - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.06


@pytest.mark.parametrize("name", ["cat.jpg", "coffee.jpg"])
@pytest.mark.parametrize("interpolation", EXACT)
def test_a_photograph_is_what_opencv_reads_and_resizes(
    name: str, interpolation: Interpolation
) -> None:
    """From the file to the network: as mmsegmentation's test pipeline."""
    data = (EXAMPLES / name).read_bytes()
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert read is not None
    how = replace(FIXED, interpolation=interpolation, antialias=False)
    expected = cv2.resize(read, (how.width, how.height), interpolation=OPENCV[interpolation])
    assert np.array_equal(preprocess(decode(data, min_long_side(how)), how)[0], expected)


@pytest.mark.parametrize("interpolation", EXACT)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_image_is_resized_as_it_is_displayed(
    orientation: int, interpolation: Interpolation
) -> None:
    """OpenCV turns first: from another corner other pixels would be left out."""
    upright = photograph(203, 151)
    how = InputSize(96, fit="fixed", width=96, height=64)
    how = replace(how, interpolation=interpolation, antialias=False)
    data = turned(upright, orientation, "PNG")
    expected = cv2.resize(np.asarray(upright), (96, 64), interpolation=OPENCV[interpolation])
    assert np.array_equal(preprocess(decode(data, min_long_side(how)), how)[0], expected)
