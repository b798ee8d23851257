"""The formulas of the palettes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.masks.palettes import (
    DROP_IN,
    PALETTES,
    Palette,
    safe_colour,
    seed_colour,
    voc_colour,
)

# Vision of dichromats, as matrices of linear red, green and blue (Machado, Oliveira and Fernandes,
# 2009).
VISION = {
    "full": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# CIE XYZ of linear sRGB, each row divided by its value for white.
XYZ = np.array(
    [[0.43395, 0.37622, 0.18984], [0.21267, 0.71516, 0.07217], [0.01775, 0.10944, 0.87262]]
)


def linear(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert (n, 3) sRGB values, 0..255, to linear light, 0..1."""
    shares = colours / 255
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def lab(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert (n, 3) linear sRGB, 0..1, to CIELAB."""
    shares = np.clip(light, 0, 1) @ XYZ.T
    x, y, z = np.where(shares > 0.008856, np.cbrt(shares), 7.787 * shares + 16 / 116).T
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=1)


@pytest.mark.parametrize(
    ("class_id", "colour"),
    [(0, (0, 0, 0)), (1, (1, 127, 31)), (2, (2, 254, 62)), (15, (15, 120, 210))],
)
def test_the_seed_palette_is_the_published_formula(
    class_id: int, colour: tuple[int, int, int]
) -> None:
    """The drop-in endpoint keeps its colours."""
    assert seed_colour(class_id) == colour


@pytest.mark.parametrize(
    ("class_id", "colour"),
    [
        (0, (0, 0, 0)),
        (1, (128, 0, 0)),
        (2, (0, 128, 0)),
        (8, (64, 0, 0)),
        (15, (192, 128, 128)),
        (20, (0, 64, 128)),
        (255, (224, 224, 192)),
    ],
)
def test_the_voc_palette_is_pascal_vocs(class_id: int, colour: tuple[int, int, int]) -> None:
    """The colours are those of the data set's annotations."""
    assert voc_colour(class_id) == colour


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_a_palette_has_a_colour_for_every_byte(palette: Palette) -> None:
    """No pixel of an indexed PNG lies beyond its palette."""
    assert len(palette.table) == 3 * 256


def test_the_seed_palette_distinguishes_all_voc_classes() -> None:
    """All 21 classes have different colours."""
    assert len({DROP_IN.table[3 * i : 3 * i + 3] for i in range(21)}) == 21


@pytest.mark.parametrize("matrix", VISION.values(), ids=VISION)
def test_dichromats_can_distinguish_the_safe_palettes_classes(matrix: list[list[float]]) -> None:
    """The nearest two of 22 colours differ by three times the just noticeable difference of 2.3."""
    colours = np.array([safe_colour(class_id) for class_id in range(22)], np.float64)
    seen = lab(linear(colours) @ np.array(matrix).T)
    distances = np.linalg.norm(seen[:, np.newaxis] - seen, axis=2)
    assert distances[~np.eye(22, dtype=bool)].min() > 3 * 2.3


def test_the_safe_palettes_first_colours_all_differ() -> None:
    """Background and 21 classes have different colours."""
    assert len({safe_colour(class_id) for class_id in range(22)}) == 22


@pytest.mark.parametrize(
    ("class_id", "colour"),
    [
        (0, (0, 0, 0)),
        (1, (230, 159, 0)),
        (7, (204, 121, 167)),
        (8, (104, 72, 0)),
        (15, (241, 202, 115)),
        (22, (230, 159, 0)),
        (255, (0, 158, 115)),
    ],
)
def test_the_safe_palette_is_okabe_and_itos_darker_and_lighter(
    class_id: int, colour: tuple[int, int, int]
) -> None:
    """Seven hues come as they are, then darker, then lighter, then again."""
    assert safe_colour(class_id) == colour


def test_a_colour_is_written_as_hex() -> None:
    """A colour is written as in HTML."""
    assert DROP_IN.hex_colour(15) == "#0f78d2"
