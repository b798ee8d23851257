"""The mask holds only predicted classes, at the image's size, in a valid PNG."""

import io
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplab.postprocess import (
    count_classes,
    encode_mask,
    full_size,
    resize_class_ids,
)

SIZES = [(1, 1), (1, 17), (17, 1), (2, 3), (31, 257), (640, 480), (4099, 3)]


def _random_ids(width: int, height: int, classes: int = 21) -> NDArray[np.uint8]:
    generator = np.random.default_rng(width * 10_007 + height)
    return generator.integers(0, classes, (height, width)).astype(np.uint8)


def _background_and_person() -> NDArray[np.uint8]:
    ids = np.zeros((40, 60), dtype=np.uint8)
    ids[10:30, 15:45] = 15
    return ids


@pytest.mark.parametrize("size", [(61, 41), (640, 480), (7, 5), (60, 40), (1, 1)])
def test_resizing_makes_no_class_that_was_not_predicted(size: tuple[int, int]) -> None:
    """The prototype made {0, 1, 5, 10, 14, 15, 16} of {0, 15}."""
    resized = resize_class_ids(_background_and_person(), size)
    assert set(np.unique(resized)) <= {0, 15}
    assert resized.shape == (size[1], size[0])


def test_smoothing_would_make_such_classes() -> None:
    """Shows that the ids above would reveal any other filter."""
    smooth = Image.fromarray(_background_and_person()).resize((640, 480), Image.Resampling.BICUBIC)
    assert not set(np.unique(np.asarray(smooth))) <= {0, 15}


@pytest.mark.parametrize("size", SIZES)
def test_any_map_keeps_to_its_classes(size: tuple[int, int]) -> None:
    """For many shapes of input and output."""
    ids = _random_ids(33, 21)
    assert set(np.unique(resize_class_ids(ids, size))) <= set(np.unique(ids))


def test_doubling_repeats_each_pixel() -> None:
    """No shift by half a pixel."""
    ids = _random_ids(5, 4)
    expected = ids.repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(expected, resize_class_ids(ids, (10, 8)))


def test_a_map_of_the_right_size_is_a_copy() -> None:
    """The engine reuses its output for the next image."""
    ids = _random_ids(5, 4)
    same = resize_class_ids(ids, (5, 4))
    assert np.array_equal(ids, same)
    assert not np.shares_memory(ids, same)


@pytest.mark.parametrize("size", SIZES)
def test_each_pixel_shows_the_class_at_its_centre(size: tuple[int, int]) -> None:
    """In exact arithmetic, also if a centre lies just beside a border."""
    ids = _random_ids(33, 21)
    resized = resize_class_ids(ids, size)
    for y in {0, size[1] // 2, size[1] - 1}:
        for x in {0, size[0] // 3, size[0] - 1}:
            there = Fraction(2 * y + 1, 2 * size[1]) * 21, Fraction(2 * x + 1, 2 * size[0]) * 33
            assert resized[y, x] == ids[int(there[0]), int(there[1])]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("small", [(33, 21), (1, 1), (500, 400)])
def test_the_counts_cover_every_pixel_once(size: tuple[int, int], small: tuple[int, int]) -> None:
    """Ascending ids, no class without pixels, and the image's area in all; enlarged or reduced."""
    mask = full_size(_random_ids(*small), size)
    counts = count_classes(mask)
    assert sum(counts.values()) == size[0] * size[1]
    assert list(counts) == sorted(np.unique(mask.ids).tolist())
    assert all(np.count_nonzero(mask.ids == index) == pixels for index, pixels in counts.items())


@pytest.mark.parametrize("size", SIZES)
def test_a_mask_is_encoded_as_its_class_ids(size: tuple[int, int]) -> None:
    """Repeated rows are expanded; any decoder gets the predicted ids."""
    mask = full_size(_random_ids(33, 21), size)
    image = Image.open(io.BytesIO(encode_mask(mask)))
    assert (image.mode, image.size) == ("L", size)
    assert np.array_equal(mask.ids, np.asarray(image))
