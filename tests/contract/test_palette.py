"""The colours that clients of the drop-in endpoint rely on."""

import pytest

from gateway.masks.palettes import PALETTES

VOC_CLASSES = range(21)


def _colours(palette: str) -> list[tuple[int, ...]]:
    table = PALETTES[palette].table
    return [tuple(table[3 * i : 3 * i + 3]) for i in VOC_CLASSES]


def test_the_seed_palette_follows_the_contracts_formula() -> None:
    """Class i has the colour i * (2^25-1, 2^15-1, 2^21-1) % 255."""
    factors = (33_554_431, 32_767, 2_097_151)
    assert _colours("seed") == [tuple(i * f % 255 for f in factors) for i in VOC_CLASSES]


@pytest.mark.parametrize(
    ("class_id", "colour"), [(0, (0, 0, 0)), (1, (1, 127, 31)), (15, (15, 120, 210))]
)
def test_the_seed_palette_has_the_contracts_colours(
    class_id: int, colour: tuple[int, int, int]
) -> None:
    """The colours that the contract lists."""
    assert _colours("seed")[class_id] == colour


def test_the_voc_palette_is_the_data_sets() -> None:
    """The 21 colours of Pascal VOC's annotations, in the order of the classes."""
    red, green, olive, navy = (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)
    purple, teal, grey = (128, 0, 128), (0, 128, 128), (128, 128, 128)
    assert _colours("voc")[:8] == [(0, 0, 0), red, green, olive, navy, purple, teal, grey]
    assert _colours("voc")[8:16] == [
        (64, 0, 0),
        (192, 0, 0),
        (64, 128, 0),
        (192, 128, 0),
        (64, 0, 128),
        (192, 0, 128),
        (64, 128, 128),
        (192, 128, 128),
    ]
    assert _colours("voc")[16:] == [
        (0, 64, 0),
        (128, 64, 0),
        (0, 192, 0),
        (128, 192, 0),
        (0, 64, 128),
    ]
