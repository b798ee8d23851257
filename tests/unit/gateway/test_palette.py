"""Palettes are computed by formula; their known points hold."""

import pytest

from gateway.palette import PALETTES, SEED, hex_colour, seed_colour, voc_colour


@pytest.mark.parametrize(
    ("class_id", "colour"),
    [(0, (0, 0, 0)), (1, (1, 127, 31)), (2, (2, 254, 62)), (15, (15, 120, 210))],
)
def test_the_seed_palette_is_the_published_formula(
    class_id: int, colour: tuple[int, int, int]
) -> None:
    """Clients of the drop-in endpoint know these colours."""
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
    """These are the colours of the data set's own annotations."""
    assert voc_colour(class_id) == colour


@pytest.mark.parametrize("palette", PALETTES.values(), ids=PALETTES)
def test_a_palette_has_a_colour_for_every_byte(palette: bytes) -> None:
    """No pixel of an indexed PNG may lie beyond its palette."""
    assert len(palette) == 3 * 256


def test_the_seed_palette_tells_all_voc_classes_apart() -> None:
    """Two classes of one colour could not be told apart."""
    assert len({SEED[3 * i : 3 * i + 3] for i in range(21)}) == 21


def test_a_colour_is_written_as_hex() -> None:
    """The legend writes colours as web pages do."""
    assert hex_colour("seed", 15) == "#0f78d2"
