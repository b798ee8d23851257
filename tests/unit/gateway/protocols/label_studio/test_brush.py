"""The brush encoding agrees with Label Studio's own package."""

import numpy as np
import pytest
from label_studio_sdk.converter.brush import decode_rle, mask2rle
from numpy.typing import NDArray

from gateway.protocols.label_studio.brush import brush_rle
from tests.unit.gateway.mask_samples import SAMPLES

every_mask = pytest.mark.parametrize("ids", SAMPLES.values(), ids=SAMPLES)


def highest(ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The mask of the highest class."""
    return np.asarray(ids == ids.max(), np.bool_)


def by_label_studio(mask: NDArray[np.bool_]) -> list[int]:
    """The brush that Label Studio's package writes."""
    packed: list[int] = mask2rle(mask * np.uint8(255))  # type: ignore[no-untyped-call]  # theirs
    return packed


@every_mask
def test_a_brush_is_read_back_as_the_mask(ids: NDArray[np.uint8]) -> None:
    """Label Studio's package decodes all four channels to 0 or 255."""
    mask = highest(ids)
    pixels = decode_rle(brush_rle(mask)).reshape(*mask.shape, 4)
    assert np.array_equal(pixels, np.repeat(mask[:, :, np.newaxis] * np.uint8(255), 4, axis=2))


@every_mask
def test_a_brush_is_byte_for_byte_label_studios(ids: NDArray[np.uint8]) -> None:
    """The bytes equal those of Label Studio's package."""
    mask = highest(ids)
    assert brush_rle(mask) == by_label_studio(mask)


@pytest.mark.parametrize("value", [False, True])
@pytest.mark.parametrize("pixels", [1, 2, 3, 4, 5, 64, 65, 16_384, 16_385, 32_768, 50_000])
def test_runs_of_every_size_are_label_studios(pixels: int, value: bool) -> None:
    """Run lengths are written in 3, 4, 8 or 16 bits, and longer ones as several runs."""
    mask = np.full((1, pixels), value)
    assert brush_rle(mask) == by_label_studio(mask)


def test_a_brush_can_be_written_as_json() -> None:
    """The result is a list of plain integers of one byte."""
    packed = brush_rle(highest(SAMPLES["cat"]))
    assert {type(byte) for byte in packed} == {int}
    assert set(packed) <= set(range(256))
