"""Masks keep their class ids, whatever size they are shown at."""

import pytest
from PIL import Image

from tests.unit.ui.conftest import Encode
from tests.unit.ui.gateway_double import mask_png, seed_colour
from ui.imaging import mask as masks

PERSON_BOX = {15: (10, 0, 20, 20)}


def ids(mask: Image.Image) -> set[int]:
    """List the class ids in a mask."""
    return {class_id for class_id, count in enumerate(mask.histogram()) if count}


def test_a_mask_is_read_with_its_class_ids_and_colours() -> None:
    """read_mask keeps the indices, palette_colours their colours."""
    mask = masks.read_mask(mask_png((20, 20), PERSON_BOX))
    assert ids(mask) == {0, 15}
    assert masks.palette_colours(mask)[15] == "#{:02x}{:02x}{:02x}".format(*seed_colour(15))


@pytest.mark.parametrize(
    "body", [b"", b"hello", mask_png((20, 20), {})[:40]], ids=["empty", "text", "truncated"]
)
def test_bytes_that_are_no_png_are_no_mask(body: bytes) -> None:
    """They raise BadMaskError."""
    with pytest.raises(masks.BadMaskError, match="cannot be read"):
        masks.read_mask(body)


def test_an_image_that_is_not_indexed_is_no_mask(encode: Encode) -> None:
    """An RGB PNG is refused."""
    with pytest.raises(masks.BadMaskError, match="not an indexed mask"):
        masks.read_mask(encode(Image.new("RGB", (4, 4))))


@pytest.mark.parametrize("size", [(7, 7), (13, 5), (40, 40)])
def test_resizing_class_ids_invents_no_class(size: tuple[int, int]) -> None:
    """A smoothing filter between 0 and 15 would give ids in between; NEAREST gives none."""
    mask = masks.read_mask(mask_png((20, 20), PERSON_BOX))
    assert ids(masks.resize_class_ids(mask, size)) <= {0, 15}


@pytest.mark.parametrize(
    ("size", "long_side", "expected"),
    [
        ((4000, 3000), 1280, (1280, 960)),
        ((300, 200), 1280, (300, 200)),
        ((20000, 3), 1280, (1280, 1)),
    ],
    ids=["large", "small", "very wide"],
)
def test_shrink_limits_the_long_side(
    size: tuple[int, int], long_side: int, expected: tuple[int, int]
) -> None:
    """Large masks shrink with their aspect kept, small ones stay, no side becomes nothing."""
    assert expected == masks.shrink(Image.new("P", size), long_side).size


def test_a_mask_is_matched_to_the_preview_of_its_image() -> None:
    """A mask of the full size takes the exact size of the scaled-down image."""
    mask, preview = Image.new("P", (4000, 2999)), Image.new("RGB", (1280, 961))
    assert preview.size == masks.match_size(mask, preview).size


def test_a_mask_of_another_shape_is_refused() -> None:
    """An upright mask is not stretched over an image that lies on its side."""
    with pytest.raises(masks.BadMaskError, match="40 x 20 pixels"):
        masks.match_size(Image.new("P", (40, 20)), Image.new("RGB", (20, 40)))
