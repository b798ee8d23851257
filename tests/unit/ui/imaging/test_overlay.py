"""The overlay has the classes' colours where the classes are."""

import pytest
from PIL import Image

from tests.unit.ui.gateway_double import mask_png, seed_colour
from ui.imaging.mask import read_mask
from ui.imaging.overlay import blend

PERSON_BOX = {15: (10, 0, 20, 20)}


@pytest.mark.parametrize(
    ("opacity", "expected"),
    [(0.0, (200, 100, 0)), (1.0, seed_colour(15)), (0.5, (108, 110, 105))],
)
def test_blend_mixes_by_opacity_and_leaves_clear_classes_alone(
    opacity: float, expected: tuple[int, int, int]
) -> None:
    """0 shows the image, 1 the class's colour; the background always shows the image."""
    image = Image.new("RGB", (20, 20), (200, 100, 0))
    mask = read_mask(mask_png((20, 20), PERSON_BOX))
    mixed = blend(image, mask, opacity, {0})
    assert mixed.getpixel((0, 0)) == (200, 100, 0)
    pixel = mixed.getpixel((15, 10))
    assert isinstance(pixel, tuple)
    assert max(abs(a - b) for a, b in zip(expected, pixel, strict=True)) <= 1


def test_blend_colours_the_background_when_it_is_not_clear() -> None:
    """A model without a background class gets all its classes coloured."""
    image = Image.new("RGB", (20, 20), (200, 100, 0))
    mask = read_mask(mask_png((20, 20), PERSON_BOX))
    assert blend(image, mask, 1.0, ()).getpixel((0, 0)) == seed_colour(0)
