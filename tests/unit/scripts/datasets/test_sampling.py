"""Class-balanced sampling: rare classes and trusted masks are drawn more often, reproducibly."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from scripts.datasets.crops import Augmentation
from scripts.datasets.sampling import Balance, Samples, class_frequencies, picture_weights
from scripts.datasets.voc import InspectedImage, inspect_pairs, list_pairs
from tests.unit.scripts.voc_folder import GREEN, GREY, RED, draw, write

AUGMENTATION = Augmentation(size=65, long_side=96)


@pytest.fixture
def pictures(tmp_path: Path) -> list[InspectedImage]:
    """Eight red squares, one green square, one empty image."""
    for index, class_id in enumerate([RED] * 8 + [GREEN, GREY]):
        write(tmp_path, f"p{index}", *draw(index, class_id))
    return inspect_pairs(list_pairs(tmp_path), classes=3)


def _samples(pictures: list[InspectedImage], balance: Balance, seed: int = 0) -> Samples:
    return Samples(pictures, 3, balance, AUGMENTATION, seed, length=200)


def test_the_frequencies_are_counted(pictures: list[InspectedImage]) -> None:
    """Background is in all ten images, red in eight, green in one."""
    assert class_frequencies(pictures, 3).tolist() == pytest.approx([1.0, 0.8, 0.1])


def test_a_class_without_pictures_divides_by_nothing(pictures: list[InspectedImage]) -> None:
    """Classes without images cause no division by zero."""
    assert class_frequencies(pictures, 21).min() == pytest.approx(0.1)
    assert np.isfinite(picture_weights(pictures, 21, Balance())).all()


def test_rare_classes_are_drawn_more_often(pictures: list[InspectedImage]) -> None:
    """The weight is the square root of a class's rarity."""
    weights = picture_weights(pictures, 3, Balance(power=0.5))
    assert weights.sum() == pytest.approx(1)
    assert weights[8] / weights[0] == pytest.approx((0.8 / 0.1) ** 0.5)
    assert weights[9] / weights[0] == pytest.approx(0.8**0.5)


def test_without_balance_all_are_equal(pictures: list[InspectedImage]) -> None:
    """Power 0 gives all images the same weight."""
    assert picture_weights(pictures, 3, Balance(power=0)).tolist() == pytest.approx([0.1] * 10)


def test_trusted_masks_are_drawn_more_often(pictures: list[InspectedImage]) -> None:
    """Masks drawn by people have a higher weight."""
    weights = picture_weights(pictures, 3, Balance(trusted=frozenset({"p3"}), trust=2.0))
    assert weights[3] / weights[0] == pytest.approx(2)


def test_the_shares_of_the_classes_are_those_of_what_is_drawn(
    pictures: list[InspectedImage],
) -> None:
    """Shares count known pixels, weighted by the images' probabilities."""
    green = pictures[8].pixels[GREEN] / pictures[8].pixels[:3].sum()
    weights = picture_weights(pictures, 3, Balance())
    shares = _samples(pictures, Balance()).class_shares
    assert sum(shares) == pytest.approx(1)
    assert shares[GREEN] == pytest.approx(weights[8] * green)
    assert shares[GREY] > shares[RED] > shares[GREEN]


def test_a_sample_depends_on_seed_and_number_only(pictures: list[InspectedImage]) -> None:
    """A sample does not depend on earlier ones, so that a training can be resumed."""
    one, other = _samples(pictures, Balance()), _samples(pictures, Balance())
    image, ids = one[17]
    assert torch.equal(image, other[17][0])
    assert torch.equal(ids, other[17][1])
    assert not torch.equal(image, one[18][0])
    assert not torch.equal(image, _samples(pictures, Balance(), seed=1)[17][0])


def test_a_sample_is_what_the_network_takes(pictures: list[InspectedImage]) -> None:
    """The sample has the shapes (3, size, size) and (size, size), both uint8."""
    image, ids = _samples(pictures, Balance())[0]
    assert (image.shape, ids.shape) == ((3, 65, 65), (65, 65))
    assert image.dtype == ids.dtype == torch.uint8


def test_objects_of_other_pictures_are_pasted(pictures: list[InspectedImage]) -> None:
    """Red and green share no image, but some samples show both."""
    pasted, plain = (_samples(pictures, Balance(pasted=share)) for share in (1.0, 0.0))
    both = [
        sum({RED, GREEN} <= set(each[n][1].flatten().tolist()) for n in range(60))
        for each in (pasted, plain)
    ]
    assert both[0] > 5
    assert both[1] == 0


@pytest.mark.slow
def test_worker_processes_give_the_same_samples(pictures: list[InspectedImage]) -> None:
    """Workers decode in their own main thread, where the decoder's memory limit works."""
    samples = _samples(pictures, Balance())
    loaded = DataLoader(samples, 1, sampler=range(6), num_workers=2)
    for index, (image, ids) in enumerate(loaded):
        assert torch.equal(image[0], samples[index][0])
        assert torch.equal(ids[0], samples[index][1])
