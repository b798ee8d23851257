"""Augmented samples: the class ids stay aligned with their pixels."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from scripts.datasets.crops import FILL, Augmentation, Sample, cut, paste
from tests.unit.scripts.voc_folder import COLOURS, GREY, RED, draw

PLAIN = Augmentation(size=65, long_side=96, colour=0.0, grey=0.0)


def _red(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    clear: NDArray[np.bool_] = image[..., 0].astype(int) - image[..., 1] > 95
    return clear


def _samples(how: Augmentation, count: int = 40) -> list[Sample]:
    picture, ids = draw(0, RED)
    return [cut(picture, ids, RED, how, np.random.default_rng(seed)) for seed in range(count)]


def test_a_sample_has_the_wanted_size() -> None:
    """The sample has the size and types of the network's input."""
    for sample in _samples(PLAIN, 5):
        assert sample.image.shape == (65, 65, 3)
        assert sample.ids.shape == (65, 65)
        assert sample.image.dtype == sample.ids.dtype == np.uint8


def test_the_ids_lie_on_their_pixels() -> None:
    """After scaling, cropping and flipping, red pixels still have the red class."""
    samples = _samples(PLAIN)
    for sample in samples:
        known = (sample.ids != 255) & (sample.image != FILL).any(axis=2)
        agree = (_red(sample.image) == (sample.ids == RED))[known]
        assert agree.mean() > 0.95  # noise, and edges that were resized
    assert sum((sample.ids == RED).any() for sample in samples) > 20


def test_ids_are_never_mixed() -> None:
    """Ids are resized by NEAREST: no id appears that the mask does not have."""
    assert {int(index) for each in _samples(PLAIN) for index in np.unique(each.ids)} == {
        0,
        RED,
        255,
    }


def test_what_lies_outside_is_ignored() -> None:
    """An image smaller than the sample gets a border of 255."""
    small = Augmentation(size=129, long_side=96, scale=(0.5, 0.5), stretch=1.0, colour=0, grey=0)
    for sample in _samples(small, 5):
        outside = (sample.image == FILL).all(axis=2)
        assert outside.mean() > 0.5
        assert (sample.ids[outside] == 255).mean() > 0.99


def test_the_focus_brings_the_wanted_class_in() -> None:
    """Most samples contain the rare object that they were drawn for."""
    close = Augmentation(size=33, long_side=384, scale=(1, 1), focus=1.0)
    far = Augmentation(size=33, long_side=384, scale=(1, 1), focus=0.0)
    seen = [np.mean([(each.ids == RED).any() for each in _samples(how)]) for how in (close, far)]
    assert seen[0] > seen[1] + 0.2


def test_colours_change() -> None:
    """Brightness, contrast and saturation vary; some samples are grey."""
    colourful = Augmentation(size=65, long_side=96, colour=0.5, grey=0.5)
    samples = _samples(colourful, 12)
    assert any(np.ptp(each.image.astype(int), axis=2).max() == 0 for each in samples)
    assert np.std([each.image.mean() for each in samples]) > 5


def test_the_same_numbers_give_the_same_sample() -> None:
    """The seed determines the sample."""
    first, second = _samples(Augmentation(65, 96), 3), _samples(Augmentation(65, 96), 3)
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.ids, other.ids)


def test_a_class_that_the_picture_does_not_show_is_no_error() -> None:
    """If the image lacks the class, the crop is placed at random."""
    picture, ids = draw(0, GREY)
    sample = cut(picture, ids, RED, PLAIN, np.random.default_rng(0))
    assert RED not in sample.ids


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2)])
def test_extreme_pictures_give_samples(size: tuple[int, int]) -> None:
    """One pixel and a single line are large enough."""
    ids = np.full((size[1], size[0]), RED, dtype=np.uint8)
    picture = Image.new("RGB", size, COLOURS[RED])
    for seed in range(20):
        sample = cut(picture, ids, RED, Augmentation(65, 96), np.random.default_rng(seed))
        assert (sample.ids == RED).any()


def test_an_object_is_pasted_with_its_ids() -> None:
    """Only the object is pasted, without its surroundings."""
    under = Sample(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8))
    ids = np.zeros((4, 4), np.uint8)
    ids[1:3, 1:3] = RED
    ids[0] = 255
    over = Sample(np.full((4, 4, 3), 9, np.uint8), ids)
    result = paste(under, over, RED)
    assert np.array_equal(result.ids == RED, ids == RED)
    assert np.array_equal(result.image[..., 0] == 9, ids == RED)
    assert not under.image.any()
