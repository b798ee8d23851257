"""A side is rounded as the library of training rounds it."""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from deeplab.preprocess import network_size
from deeplab.spec import InputSize, Rounding, read_spec
from tests.unit.handler.test_spec import SPEC

SIZES = [(640, 480), (451, 300), (300, 451), (333, 500), (1023, 767), (97, 61), (600, 400)]
SIZES += [(width, 480) for width in range(481, 700, 7)]
SHORT = InputSize(long_side=2048, fit="short_side", short_side=512)


def torchvision_size(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """(width, height) by the formula of ``torchvision.transforms.functional.resize``."""
    short, long = sorted(size)
    wanted = {short: short_side, long: int(short_side * long / short)}
    return wanted[size[0]], wanted[size[1]]


def mmcv_size(size: tuple[int, int], scale: tuple[int, int]) -> tuple[int, int]:
    """(width, height) by the formula of ``mmcv.rescale_size``."""
    factor = min(max(scale) / max(size), min(scale) / min(size))
    return int(size[0] * factor + 0.5), int(size[1] * factor + 0.5)


@pytest.mark.parametrize("size", SIZES)
def test_down_is_as_torchvision_and_transformers(size: tuple[int, int]) -> None:
    """The long side's fraction is cut off."""
    down = replace(SHORT, rounding="down")
    assert network_size(size, down) == torchvision_size(size, 512)


@pytest.mark.parametrize("size", [*SIZES, (4000, 800), (800, 4000)])
def test_nearest_is_as_mmcv(size: tuple[int, int]) -> None:
    """Halves up; the long side bounds the short one."""
    nearest = replace(SHORT, rounding="nearest")
    assert network_size(size, nearest) == mmcv_size(size, (2048, 512))


def test_the_two_differ_by_a_pixel() -> None:
    """Which of them it is, is a fact of the model."""
    sizes = [
        network_size((451, 300), replace(SHORT, rounding=each)) for each in ("down", "nearest")
    ]
    assert sizes == [(769, 512), (770, 512)]


@pytest.mark.parametrize(
    ("size", "expected"),
    [((4000, 801), (1333, 267)), ((801, 4000), (267, 1333)), ((3000, 1001), (1333, 445))],
)
def test_a_bounded_long_side_leaves_the_short_one_rounded(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    """As transformers' get_size_with_aspect_ratio."""
    bounded = InputSize(1333, fit="short_side", short_side=800, rounding="down")
    assert network_size(size, bounded) == expected


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("down", (640, 416)), ("nearest", (640, 416)), ("up", (640, 448)), ("auto", (640, 416))],
)
def test_multiples_are_rounded_in_the_direction_that_is_said(
    rounding: Rounding, expected: tuple[int, int]
) -> None:
    """Of 640 x 427."""
    wanted = InputSize(640, multiple=32, rounding=rounding)
    assert network_size((1500, 1000), wanted) == expected


@pytest.mark.parametrize("side", [70, 80, 90, 96, 111])
def test_every_direction_of_native_multiples(side: int) -> None:
    """Down, up, and halves up."""
    found = {
        way: network_size((side, 64), InputSize(2048, fit="native", multiple=32, rounding=way))[0]
        for way in ("down", "nearest", "up")
    }
    assert found["down"] == side // 32 * 32
    assert found["up"] == math.ceil(side / 32) * 32
    assert found["nearest"] == (side + 16) // 32 * 32


def test_a_grid_has_its_own_rounding() -> None:
    """Whatever is said of others."""
    grid = InputSize(481, grid=16)
    assert network_size((600, 400), grid) == network_size((600, 400), replace(grid, rounding="up"))


@pytest.mark.parametrize(
    ("size", "wanted", "expected"),
    [
        ((600, 400), InputSize(481), (481, 321)),
        ((962, 801), InputSize(481), (481, 401)),  # from 400.5
        ((600, 400), InputSize(480, multiple=32), (480, 320)),
        ((480, 400), InputSize(480, multiple=32), (480, 384)),  # from 12.5 times 32
        ((451, 300), SHORT, (769, 512)),  # from 769.7
        ((451, 300), InputSize(300, fit="native"), (300, 199)),  # from 199.6
    ],
)
def test_an_archive_without_the_fact_is_served_as_before(
    size: tuple[int, int], wanted: InputSize, expected: tuple[int, int], tmp_path: Path
) -> None:
    """Their model.json says nothing about rounding."""
    facts = json.loads(replace(SPEC, input=wanted).to_json())
    del facts["input"]["rounding"]
    (tmp_path / "model.json").write_text(json.dumps(facts))
    read = read_spec(tmp_path / "model.json").input
    assert asdict(read) == asdict(wanted)
    assert network_size(size, read) == expected
