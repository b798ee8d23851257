"""Each neighbour of an ordinary image is seen right, or refused as a kind that is not taken."""

from collections.abc import Iterable
from itertools import product

import numpy as np
import pytest

from deeplab.decode import decode
from deeplab.errors import RejectedImageError
from deeplab.preprocess import preprocess, upright
from deeplab.spec import InputSize
from tests.neighbours.groups import GROUPS
from tests.neighbours.neighbour import SIZE, UNSUPPORTED, Neighbour
from tests.neighbours.tiff import COLOURS, DEPTHS, encode, tiff_neighbours


def wrong(neighbours: Iterable[Neighbour]) -> list[str]:
    """What is wrong, neighbour by neighbour."""
    found = ((each.name, _fault(each)) for each in neighbours)
    return [f"{name}: {fault}" for name, fault in found if fault]


def _fault(neighbour: Neighbour) -> str:
    try:
        seen = upright(decode(neighbour.data, max(SIZE)))
    except RejectedImageError as exc:
        right = neighbour.seen is None and exc.status == UNSUPPORTED
        return "" if right else f"{exc.status} {exc}"
    if neighbour.seen is None:
        return "taken"
    if seen.shape != neighbour.seen.shape:
        return f"{seen.shape}, not {neighbour.seen.shape}"
    step = int(abs(seen.astype(int) - neighbour.seen).max())
    return "" if step <= neighbour.tolerance else f"{step} levels off"


@pytest.mark.slow
@pytest.mark.parametrize(("colours", "depth"), [*product(COLOURS, DEPTHS)])
def test_tiff(colours: str, depth: str) -> None:
    """Every byte order, packing, layout and order of planes of each depth: right or 415."""
    assert wrong(tiff_neighbours(colours, depth)) == []


@pytest.mark.parametrize("group", GROUPS)
def test_each_group(group: str) -> None:
    """Rare TIFF files, PNG's chunks and depths, and metadata of all formats: right or 415."""
    assert wrong(GROUPS[group]()) == []


def test_the_corpus_is_large() -> None:
    """Each group has neighbours that are taken; TIFF also has some that are refused."""
    groups = {name: list(make()) for name, make in GROUPS.items()}
    assert sum(map(len, groups.values())) >= 300
    assert all(any(each.seen is not None for each in group) for group in groups.values())
    assert any(each.seen is None for each in groups["rare TIFF"])


@pytest.mark.parametrize("depth", ["u1", "u2", "u4", "i1", "i2", "i4", "f4"])
def test_deep_levels_stay_in_order_when_a_large_image_is_reduced(depth: str) -> None:
    """A ramp over the whole range gets brighter from left to right in the network's input too."""
    shares = np.tile(np.linspace(0, 1, 8000), (40, 1))
    if depth == "f4":
        levels = (shares * 3e38).astype(depth)
    else:
        limits = np.iinfo(depth)
        span = shares * (int(limits.max) - int(limits.min)) + int(limits.min)
        levels = np.clip(span, limits.min, int(limits.max) - 256 * (depth[1] == "4")).astype(depth)
    data = encode(levels, photometric="minisblack")
    seen = preprocess(decode(data, 481), InputSize(481, 1))[0, 0, :, 0].astype(int)
    assert (np.diff(seen) >= 0).all()
    assert seen[0] == 0
    assert seen[-1] >= 254
