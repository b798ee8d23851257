"""Every kind of image in the policy is decoded to the same upright RGB."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from deeplab.decode import decode
from deeplab.formats import FORMATS
from deeplab.preprocess import preprocess, upright
from deeplab.spec import InputSize
from tests.unit.handler.files import EXAMPLES, encode, quarters, turned

SIDE = 96
INPUT = InputSize(long_side=SIDE, grid=1)
CARRY_EXIF = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")


def _pixels(data: bytes) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB, the network's input."""
    pixels: NDArray[np.uint8] = preprocess(decode(data, SIDE), INPUT)[0]
    return pixels


def _difference(data: bytes, expected: Image.Image) -> float:
    """The largest mean difference in the middle of a quarter, in levels of 255."""
    seen, wanted = _pixels(data).astype(int), np.asarray(expected.convert("RGB")).astype(int)
    assert seen.shape == wanted.shape
    height, width, _ = wanted.shape
    rows = (slice(height // 8, 3 * height // 8), slice(5 * height // 8, 7 * height // 8))
    columns = (slice(width // 8, 3 * width // 8), slice(5 * width // 8, 7 * width // 8))
    return max(
        float(abs(seen[row, column] - wanted[row, column]).mean())
        for row in rows
        for column in columns
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_of_the_policy_is_decoded(kind: str) -> None:
    """The colours are kept; only lossy formats may differ by a few levels."""
    assert _difference(encode(quarters(), kind), quarters()) <= 4


@pytest.mark.parametrize("kind", CARRY_EXIF)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_image_is_set_upright(kind: str, orientation: int) -> None:
    """All eight EXIF orientations give the upright size and the upright pixels."""
    data = turned(quarters(), orientation, kind)
    assert decode(data, SIDE).size == (96, 64)
    assert _difference(data, quarters()) <= 4


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_does_not_exist_counts_as_upright(orientation: int) -> None:
    """Cameras write such values; the image is taken as stored."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert _difference(encode(quarters(), "JPEG", exif=exif), quarters()) <= 4


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04abc\0\0\0\0\0",
        b"Exif\0\0" + b"\xff" * 40,
    ],
    ids=["empty", "points outside", "text for a number", "noise"],
)
def test_a_damaged_exif_block_counts_as_upright(exif: bytes) -> None:
    """The image is valid even if its metadata is not."""
    assert _difference(encode(quarters(), "JPEG", exif=exif), quarters()) <= 4


GREY = quarters().convert("L")
LEVELS = np.asarray(GREY)


@pytest.mark.parametrize(
    ("kind", "image", "expected"),
    [
        ("JPEG", GREY, GREY),
        ("JPEG", quarters().convert("CMYK"), quarters()),
        ("TIFF", quarters().convert("CMYK"), quarters()),
        ("PNG", quarters().quantize(4), quarters()),
        ("GIF", quarters().quantize(4), quarters()),
        (
            "PNG",
            quarters().convert("1", dither=Image.Dither.NONE),
            quarters().convert("1", dither=Image.Dither.NONE),
        ),
        (
            "TIFF",
            quarters().convert("1", dither=Image.Dither.NONE),
            quarters().convert("1", dither=Image.Dither.NONE),
        ),
        ("PNG", quarters().convert("LA"), GREY),
        ("PNG", quarters().convert("RGBA"), quarters()),
        ("WEBP", quarters().convert("RGBA"), quarters()),
        ("AVIF", quarters().convert("RGBA"), quarters()),
        ("BMP", quarters().convert("RGBA"), quarters()),
        ("PNG", Image.fromarray(LEVELS.astype(np.uint16) * 256), GREY),
        ("TIFF", Image.fromarray(LEVELS.astype(np.uint16) * 256), GREY),
        ("TIFF", Image.fromarray((LEVELS.astype(">u2") * 256).astype(">u2")), GREY),
        ("TIFF", Image.fromarray(LEVELS.astype(np.int32)), Image.fromarray(LEVELS)),
        ("TIFF", Image.fromarray(LEVELS.astype(np.float32)), Image.fromarray(LEVELS)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else value,
)
def test_every_mode_becomes_rgb(kind: str, image: Image.Image, expected: Image.Image) -> None:
    """CMYK, palette, 1-bit, grey, 16-bit and deeper ones keep what they show."""
    if image.mode in ("I", "F"):  # no scale of their own: darkest to brightest
        expected = expected.point(lambda level: (level - 28) * 255 / (255 - 28))
    assert _difference(encode(image, kind), expected) <= 4


def test_a_tiff_in_lab_becomes_rgb() -> None:
    """Printers' colours are converted, not taken for red, green and blue."""
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(quarters(), srgb, lab, outputMode="LAB")
    assert image is not None
    assert _difference(encode(image, "TIFF"), quarters()) <= 12  # 8-bit LAB is coarse


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_palettes_transparent_colour_becomes_white(kind: str) -> None:
    """Alpha is composited on white, in palettes too."""
    image = quarters().quantize(4)
    blue = image.getpixel((10, 60))
    expected = quarters()
    expected.paste((255, 255, 255), (0, 32, 48, 64))
    assert _difference(encode(image, kind, transparency=blue), expected) <= 4


@pytest.mark.parametrize(
    ("image", "transparency"),
    [(quarters(), (0, 0, 255)), (GREY, 29)],
    ids=["RGB", "L"],
)
def test_a_png_with_a_transparent_colour_shows_white_there(
    image: Image.Image, transparency: object
) -> None:
    """tRNS without a palette counts as well."""
    seen = _pixels(encode(image, "PNG", transparency=transparency))
    assert seen[60, 10].tolist() == [255, 255, 255]


def test_not_a_number_in_a_float_image_harms_nothing_else() -> None:
    """It marks missing values in scientific images; the others are scaled as if it were zero."""
    levels = LEVELS.astype(np.float32)
    levels[0, 0], levels[0, 1], levels[0, 2] = np.nan, np.inf, -np.inf
    seen = _pixels(encode(Image.fromarray(levels), "TIFF"))
    assert seen[48, 72].tolist() == [255, 255, 255]
    assert abs(int(seen[48, 24, 0]) - 29) <= 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG", "AVIF"])
def test_of_several_frames_the_first_is_taken(kind: str) -> None:
    """Animations and multi-page files are images as well."""
    other = Image.new("RGB", (96, 64), "black")
    data = encode(quarters(), kind, save_all=True, append_images=[other, other])
    assert _difference(data, quarters()) <= 4


@pytest.mark.parametrize(("width", "height"), [(3000, 2000), (2999, 2001), (1027, 770)])
def test_a_jpeg_decoded_at_reduced_scale_keeps_its_full_size(width: int, height: int) -> None:
    """The mask has the size of the image, whatever the scale of decoding."""
    decoded = decode(encode(Image.new("RGB", (width, height)), "JPEG"), 513)
    assert decoded.size == (width, height)
    assert 513 <= max(decoded.decoded_size) < width


def test_an_image_is_nearly_the_same_at_reduced_scale() -> None:
    """Decoding at a reduced scale differs from full decoding by an invisible amount."""
    image = Image.open(EXAMPLES / "astronaut.jpg").convert("RGB").resize((1024, 1024))
    drafted = _pixels(encode(image, "JPEG", quality=95)).astype(int)
    full = _pixels(encode(image, "PNG")).astype(int)
    assert abs(drafted - full).mean() < 2


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 100), (2, 3)])
def test_extreme_shapes_are_taken(size: tuple[int, int]) -> None:
    """One pixel, or 20,000 in a row, make an image."""
    decoded = decode(encode(Image.new("RGB", size, "red"), "PNG"), SIDE)
    assert decoded.size == size
    assert preprocess(decoded, INPUT)[0, 0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (3, 10_000)])
def test_a_jpeg_thinner_than_its_reduced_scale_is_taken(size: tuple[int, int]) -> None:
    """Its short side would be less than a pixel long."""
    assert decode(encode(Image.new("RGB", size, "red"), "JPEG"), SIDE).size == size


@pytest.mark.parametrize("size", [(1, 300), (300, 1), (1, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", [0, 2, 6, 9])
def test_thin_images_are_turned_too(size: tuple[int, int], kind: str, orientation: int) -> None:
    """One pixel wide, with an orientation that exists or one that does not."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    decoded = decode(encode(Image.new("RGB", size, "red"), kind, exif=exif), SIDE)
    assert decoded.size == (size[::-1] if orientation == 6 else size)
    height, width, _ = upright(decoded).shape
    assert (width, height) == (decoded.decoded_size[::-1] if orientation == 6 else size)
    assert preprocess(decoded, INPUT)[0, 0, 0, 0] >= 250
