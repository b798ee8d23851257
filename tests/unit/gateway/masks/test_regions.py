"""Regions agree with COCO's own tools."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco

from gateway.masks.regions import Region, regions
from tests.unit.gateway.mask_samples import SAMPLES, drawn

# pycocotools reads its own arrays in a way that numpy deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

every_mask = pytest.mark.parametrize("ids", SAMPLES.values(), ids=SAMPLES)


def by_coco(ids: NDArray[np.uint8], class_id: int) -> Region:
    """The region that pycocotools computes."""
    rle = coco.encode(np.asfortranarray(ids == class_id, np.uint8))
    x, y, width, height = coco.toBbox(rle).astype(int).tolist()
    counts = rle["counts"]
    assert isinstance(counts, bytes)
    return Region(class_id, int(coco.area(rle)), (x, y, width, height), counts.decode())


@every_mask
def test_a_region_is_cocos(ids: NDArray[np.uint8]) -> None:
    """Pixels, bounding box and counts of every class equal those of pycocotools."""
    assert regions(ids) == tuple(by_coco(ids, int(class_id)) for class_id in np.unique(ids))


@every_mask
def test_run_lengths_are_read_back_as_the_mask(ids: NDArray[np.uint8]) -> None:
    """pycocotools decodes the run lengths to the mask."""
    height, width = ids.shape
    for region in regions(ids):
        decoded = coco.decode({"size": [height, width], "counts": region.rle.encode()})
        assert np.array_equal(decoded, ids == region.class_id)


def test_a_small_mask_by_hand() -> None:
    """The regions of a small mask with two classes."""
    ids = drawn("0009", "0099", "0000")
    assert [(each.class_id, each.pixels, each.bbox) for each in regions(ids)] == [
        (0, 9, (0, 0, 4, 3)),
        (9, 3, (2, 0, 2, 2)),
    ]


def test_a_box_reaches_top_and_bottom_where_a_run_turns_the_corner() -> None:
    """A run that continues in the next column touches both the bottom and the top."""
    assert regions(drawn("001", "010"))[1].bbox == (1, 0, 2, 2)


@pytest.mark.parametrize("size", [15, 16, 511, 512, 16_383, 16_384, 524_288, 600_000])
def test_counts_of_any_length_are_written(size: int) -> None:
    """Counts around each power of 32, where another character is needed."""
    ids = np.repeat(np.array([0, 1, 0, 1], np.uint8), [size, 1, 3, size + 1])[np.newaxis]
    assert regions(ids) == (by_coco(ids, 0), by_coco(ids, 1))


def test_more_runs_than_are_written_at_once() -> None:
    """A large mask of noise is encoded in several slabs without an error between them."""
    ids = np.random.default_rng(0).integers(0, 2, (900, 1000)).astype(np.uint8)
    assert regions(ids) == (by_coco(ids, 0), by_coco(ids, 1))
