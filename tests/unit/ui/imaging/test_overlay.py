"""The page's pixel code keeps class ids as they are and lays their colours where they belong."""

import io

import pytest
from PIL import Image

from tests.unit.ui.conftest import Encode
from tests.unit.ui.gateway_double import mask_png, seed_colour
from ui.imaging import overlay

PERSON_BOX = {15: (10, 0, 20, 20)}


def ids(mask: Image.Image) -> set[int]:
    """List the class ids in a mask."""
    return {class_id for class_id, count in enumerate(mask.histogram()) if count}


def test_a_mask_is_read_with_its_class_ids_and_colours() -> None:
    """read_mask keeps the indices, palette_colours says what each looks like."""
    mask = overlay.read_mask(mask_png((20, 20), PERSON_BOX))
    assert ids(mask) == {0, 15}
    assert overlay.palette_colours(mask)[15] == "#{:02x}{:02x}{:02x}".format(*seed_colour(15))


@pytest.mark.parametrize(
    "body", [b"", b"hello", mask_png((20, 20), {})[:40]], ids=["empty", "text", "truncated"]
)
def test_what_is_no_png_is_no_mask(body: bytes) -> None:
    """An unreadable answer becomes BadMaskError, never a picture."""
    with pytest.raises(overlay.BadMaskError, match="cannot be read"):
        overlay.read_mask(body)


def test_a_picture_that_is_not_indexed_is_no_mask(encode: Encode) -> None:
    """An RGB PNG is refused."""
    with pytest.raises(overlay.BadMaskError, match="not an indexed mask"):
        overlay.read_mask(encode(Image.new("RGB", (4, 4))))


@pytest.mark.parametrize("size", [(7, 7), (13, 5), (40, 40)])
def test_resizing_class_ids_invents_no_class(size: tuple[int, int]) -> None:
    """A smoothing filter between 0 and 15 would give ids in between; NEAREST gives none."""
    mask = overlay.read_mask(mask_png((20, 20), PERSON_BOX))
    assert ids(overlay.resize_class_ids(mask, size)) <= {0, 15}


@pytest.mark.parametrize(
    ("size", "long_side", "expected"),
    [
        ((4000, 3000), 1280, (1280, 960)),
        ((300, 200), 1280, (300, 200)),
        ((20000, 3), 1280, (1280, 1)),
    ],
    ids=["large", "small", "very wide"],
)
def test_bounded_limits_the_long_side(
    size: tuple[int, int], long_side: int, expected: tuple[int, int]
) -> None:
    """Large masks shrink with their aspect kept, small ones stay, no side becomes nothing."""
    assert expected == overlay.bounded(Image.new("P", size), long_side).size


def test_a_mask_is_matched_to_the_preview_of_its_picture() -> None:
    """A mask of the full size takes the exact size of the scaled-down picture."""
    mask, preview = Image.new("P", (4000, 2999)), Image.new("RGB", (1280, 961))
    assert preview.size == overlay.matched(mask, preview).size


def test_a_mask_of_another_shape_is_refused() -> None:
    """An upright mask is not stretched over a picture that lies on its side."""
    with pytest.raises(overlay.BadMaskError, match="40 x 20 pixels"):
        overlay.matched(Image.new("P", (40, 20)), Image.new("RGB", (20, 40)))


@pytest.mark.parametrize(
    ("opacity", "expected"),
    [(0.0, (200, 100, 0)), (1.0, seed_colour(15)), (0.5, (108, 110, 105))],
)
def test_blend_mixes_by_opacity_and_leaves_clear_classes_alone(
    opacity: float, expected: tuple[int, int, int]
) -> None:
    """0 shows the picture, 1 the class's colour; the background always shows the picture."""
    picture = Image.new("RGB", (20, 20), (200, 100, 0))
    mask = overlay.read_mask(mask_png((20, 20), PERSON_BOX))
    mixed = overlay.blend(picture, mask, opacity, {0})
    assert mixed.getpixel((0, 0)) == (200, 100, 0)
    pixel = mixed.getpixel((15, 10))
    assert isinstance(pixel, tuple)
    assert max(abs(a - b) for a, b in zip(expected, pixel, strict=True)) <= 1


def test_blend_colours_the_background_when_it_is_not_clear() -> None:
    """A model without a background class gets all its classes coloured."""
    picture = Image.new("RGB", (20, 20), (200, 100, 0))
    mask = overlay.read_mask(mask_png((20, 20), PERSON_BOX))
    assert overlay.blend(picture, mask, 1.0, ()).getpixel((0, 0)) == seed_colour(0)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_encode_gives_a_file_of_the_format(image_format: str) -> None:
    """What encode gives opens as what was asked for."""
    encoded = overlay.encode(Image.new("RGB", (4, 4), "red"), image_format)
    assert image_format == Image.open(io.BytesIO(encoded)).format
