"""Interpolating only at class boundaries gives the same classes as interpolating everywhere."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from deeplab.upsample import class_ids

SIZES = [
    ((25, 33), (385, 513)),
    ((65, 87), (520, 693)),
    ((7, 5), (50, 33)),
    ((3, 3), (33, 33)),
    ((2, 2), (2, 2)),
    ((4, 9), (4, 9)),
    ((2, 33), (32, 513)),
]


def _logits(size: tuple[int, int], *, smooth: bool) -> NDArray[np.float32]:
    """(21, h, w) float32 logits: smooth, with large regions of one class, or noise."""
    random = torch.randn(1, 21, *size, generator=torch.Generator().manual_seed(3))
    if smooth:
        random = F.avg_pool2d(F.pad(random, (2, 2, 2, 2), mode="constant"), 5, stride=1)
    values: NDArray[np.float32] = random[0].numpy()
    return values


def _plain(logits: NDArray[np.float32], size: tuple[int, int], *, aligned: bool) -> torch.Tensor:
    """PyTorch's upsampled logits: (classes, height, width) float32."""
    coarse = torch.from_numpy(logits.copy()).unsqueeze(0)
    return F.interpolate(coarse, size=size, mode="bilinear", align_corners=aligned)[0]


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize(("coarse", "size"), SIZES)
def test_every_pixel_has_the_class_of_the_largest_upsampled_logit(
    coarse: tuple[int, int], size: tuple[int, int], aligned: bool, smooth: bool
) -> None:
    """If it differs from PyTorch's argmax, two logits are equal within rounding."""
    logits = _logits(coarse, smooth=smooth)
    ids = class_ids(logits, size, aligned=aligned)
    assert ids.shape == size
    assert ids.dtype == np.uint8
    upsampled = _plain(logits, size, aligned=aligned)
    chosen = upsampled.gather(0, torch.from_numpy(ids.astype(np.int64)).unsqueeze(0))[0]
    assert float((upsampled.amax(dim=0) - chosen).max()) < 1e-5
    assert float((upsampled.argmax(dim=0).numpy() == ids).mean()) > 0.999


@pytest.mark.parametrize("coarse", [(1, 1), (1, 5), (5, 1)])
@pytest.mark.parametrize("aligned", [True, False])
def test_a_single_row_or_column_is_stretched(coarse: tuple[int, int], aligned: bool) -> None:
    """As by PyTorch."""
    logits = _logits(coarse, smooth=False)
    size = (coarse[0] * 16, coarse[1] * 16)
    expected = _plain(logits, size, aligned=aligned).argmax(dim=0).numpy()
    assert np.array_equal(class_ids(logits, size, aligned=aligned), expected)


def test_one_class_everywhere_needs_no_interpolation() -> None:
    """The speed comes from not interpolating between logits that agree.

    Between two infinite logits interpolation would give NaN, and so another class.
    """
    logits = np.zeros((21, 5, 5), dtype=np.float32)
    logits[15] = np.inf
    assert _plain(logits, (65, 65), aligned=True)[15].isnan().any()
    assert np.unique(class_ids(logits, (65, 65), aligned=True)).tolist() == [15]


def test_a_class_that_is_largest_only_between_four_others_is_found() -> None:
    """Second at every corner, first in the middle."""
    logits = np.zeros((5, 2, 2), dtype=np.float32)
    for index, corner in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        logits[index, corner[0], corner[1]] = 1
    logits[4] = 0.9
    ids = class_ids(logits, (17, 17), aligned=True)
    assert ids[8, 8] == 4
    assert (ids[0, 0], ids[0, 16], ids[16, 0], ids[16, 16]) == (0, 1, 2, 3)
