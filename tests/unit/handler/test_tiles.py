"""Tiles cover a large image, overlap, and are blended on one raster."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeplab.blend import MAX_VALUES, Blend
from deeplab.errors import TooManyTilesError
from deeplab.spec import InputSize, Tile
from deeplab.tiles import MAX_TILES, Plan, plan_tiles

GRID = InputSize(long_side=481, grid=16)
ANY = InputSize(long_side=693)
INPUTS = {
    "grid": GRID,
    "any": ANY,
    "short side": InputSize(long_side=1333, fit="short_side", short_side=520, multiple=32),
    "fixed": InputSize(long_side=512, fit="fixed", width=512, height=384),
    "odd": InputSize(long_side=513, fit="fixed", width=513, height=301),
    "native": InputSize(long_side=1024, fit="native", multiple=32),
}
PHOTOGRAPH = (4000, 3000)


def plan_of(size: tuple[int, int], input_size: InputSize, tile: Tile, most: int = 1000) -> Plan:
    """The plan of an image that is tiled."""
    plan = plan_tiles(size, input_size, tile, most)
    assert plan is not None
    return plan


def blended(plan: Plan, canvas: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    """The blend of tiles whose logits are the means of blocks of a (h, w) canvas."""
    blend = Blend(plan)
    for window in plan.windows():
        pixels = np.repeat(canvas[:, :, np.newaxis], 3, axis=2)
        tile = plan.crop(pixels.astype(np.uint8), window)[0, :, :, 0].astype(np.float32)
        if plan.rows.edge:
            logits = tile[::stride, ::stride]
        else:
            h, w = tile.shape[0] // stride, tile.shape[1] // stride
            cut = tile[: h * stride, : w * stride]
            logits = cut.reshape(h, stride, w, stride).mean(axis=(1, 3))
        blend.add(window, logits[np.newaxis].astype(np.float32))
    return blend.logits()


@pytest.mark.parametrize("name", INPUTS)
@given(size=st.tuples(st.integers(1, 9000), st.integers(1, 9000)), tile=st.integers(300, 3000))
def test_tiles_cover_the_canvas_and_overlap(name: str, size: tuple[int, int], tile: int) -> None:
    """Every pixel is seen, and neighbours share at least a sixth of a tile."""
    plan = plan_tiles(size, INPUTS[name], tile, 10_000)
    if plan is None:
        assert max(size) <= tile
        return
    for axis in (plan.rows, plan.columns):
        ends = [start + axis.tile for start in axis.starts]
        assert axis.starts[0] == 0
        assert ends[-1] == axis.length
        for end, start in zip(ends, axis.starts[1:], strict=False):
            assert end - start >= axis.tile / 6
        assert axis.offset(axis.starts[-1]) + axis.pixels in range(axis.canvas - 1, axis.canvas + 2)


@pytest.mark.parametrize("name", INPUTS)
def test_every_tile_has_the_networks_own_size(name: str) -> None:
    """All of one size, which a network of a fixed size takes too."""
    plan = plan_of(PHOTOGRAPH, INPUTS[name], 1200)
    width, height = plan.size
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    shapes = {plan.crop(canvas, window).shape for window in plan.windows()}
    assert shapes == {(1, plan.rows.pixels, plan.columns.pixels, 3)}
    if INPUTS[name].fit == "fixed":
        assert shapes == {(1, INPUTS[name].height, INPUTS[name].width, 3)}
    assert len(list(plan.windows())) == plan.count


@pytest.mark.parametrize("name", INPUTS)
def test_the_canvas_keeps_the_aspect(name: str) -> None:
    """To less than a step of the coarse output on each side."""
    width, height = plan_of(PHOTOGRAPH, INPUTS[name], 1000).size
    assert width / height == pytest.approx(4 / 3, rel=0.03)


@pytest.mark.parametrize("size", [(500, 400), (900, 700), (1, 1), (640, 480)])
@pytest.mark.parametrize("tile", ["auto", "off", 900, 9999])
def test_a_small_image_is_looked_at_once(size: tuple[int, int], tile: Tile) -> None:
    """Tiles would cost time and show no more."""
    assert plan_tiles(size, GRID, tile) is None


def test_automatic_tiles_suit_a_photograph_of_12_megapixels() -> None:
    """Large enough to show what is around an object, small enough to show small ones."""
    plan = plan_of(PHOTOGRAPH, GRID, "auto", MAX_TILES)
    scale = plan.size[0] / PHOTOGRAPH[0]
    assert plan.rows.pixels == plan.columns.pixels == 481
    assert 1 / 3 <= scale <= 1
    assert 12 <= plan.count <= MAX_TILES


@given(st.tuples(st.integers(1, 50_000), st.integers(1, 50_000)), st.integers(1, 64))
def test_automatic_tiles_are_never_too_many(size: tuple[int, int], most: int) -> None:
    """They grow with the image instead."""
    for input_size in INPUTS.values():
        plan = plan_tiles(size, input_size, "auto", most)
        assert plan is None or 1 < plan.count <= most


def test_too_many_tiles_are_refused_with_their_number() -> None:
    """The message says what to do."""
    with pytest.raises(TooManyTilesError, match=r"would be 99 .* limit is 64.*tile=auto"):
        plan_tiles(PHOTOGRAPH, GRID, 481)


@pytest.mark.parametrize(
    ("name", "stride"),
    [("grid", 16), ("any", 8), ("any", 32), ("fixed", 4), ("fixed", 1), ("native", 16)],
)
def test_blending_agrees_with_one_look_at_the_canvas(name: str, stride: int) -> None:
    """Where the network sees only what is under a pixel, tiles change nothing."""
    plan = plan_of((2600, 2200), INPUTS[name], 1100)
    width, height = plan.size
    canvas = np.tile(np.linspace(0, 255, width, dtype=np.float32), (height, 1))
    logits = blended(plan, canvas, stride)[0]
    h, w = logits.shape
    if plan.rows.edge:
        expected = canvas[::stride, ::stride]
    else:
        at = (np.arange(w) + 0.5) / w * (width - 1)
        expected = np.tile(np.interp(at, np.arange(width), canvas[0]), (h, 1))
    assert expected.shape == (h, w)
    assert np.abs(logits - expected).max() < 3


def test_the_middle_of_a_tile_counts_more_than_its_edge() -> None:
    """At its edge the network sees half of what is around a pixel."""
    plan = plan_of((1500, 600), GRID, 800)
    blend = Blend(plan)
    windows = list(plan.windows())
    assert len(windows) == 3
    for number, window in enumerate(windows):
        blend.add(window, np.full((1, 31, 31), number, dtype=np.float32))
    row = blend.logits()[0, 15]
    assert (row[0], row[-1]) == (0, 2)
    assert np.all(np.diff(row) >= -1e-6)
    steps = np.diff(row)
    assert steps.max() < 0.35


def test_fine_logits_are_blended_within_bounds() -> None:
    """A network that gives every pixel 255 classes must not take gigabytes."""
    plan = plan_of(PHOTOGRAPH, INPUTS["fixed"], 900)
    blend = Blend(plan)
    one = np.zeros((255, plan.rows.pixels, plan.columns.pixels), dtype=np.float32)
    blend.add((0, 0), one)
    assert blend._sum.size <= MAX_VALUES


def test_logits_that_the_engine_overwrites_are_copied() -> None:
    """They are valid until the next call only."""
    plan = plan_of((1500, 600), GRID, 800)
    blend, reused = Blend(plan), np.zeros((2, 31, 31), dtype=np.float32)
    for number, window in enumerate(plan.windows()):
        reused[...] = number
        blend.add(window, reused)
    reused[...] = 99
    assert blend.logits().max() <= 2


def test_offsets_are_whole_steps_of_a_grid() -> None:
    """Otherwise the logits of two tiles would not meet."""
    plan = plan_of(PHOTOGRAPH, GRID, 962)
    for axis, start in itertools.product((plan.rows, plan.columns), range(5)):
        assert axis.offset(start) == 16 * start
