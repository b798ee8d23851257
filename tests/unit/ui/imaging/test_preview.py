"""The preview is upright, RGB and limited in size; other files raise a PreviewError."""

import pytest
from PIL import Image

from tests.unit.ui.conftest import Encode
from ui.imaging.preview import PreviewError, decode_upright

ORIENTATION = 0x0112


def halves(mode: str = "RGB", size: tuple[int, int] = (40, 20)) -> Image.Image:
    """Make an image whose left half is white and whose right half is black."""
    image = Image.new("L", size, 0)
    image.paste(255, (0, 0, size[0] // 2, size[1]))
    return image.convert(mode)


def brightness(image: Image.Image, where: tuple[int, int]) -> int:
    """Read the brightness of a pixel, 0 to 255."""
    level = image.convert("L").getpixel(where)
    assert isinstance(level, int)
    return level


@pytest.mark.parametrize(
    ("mode", "image_format"),
    [
        ("RGB", "JPEG"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("RGB", "PNG"),
        ("1", "PNG"),
        ("P", "PNG"),
        ("LA", "PNG"),
        ("RGB", "WEBP"),
        ("P", "GIF"),
        ("RGB", "TIFF"),
        ("CMYK", "TIFF"),
        ("RGB", "BMP"),
        ("RGB", "AVIF"),
    ],
)
def test_every_format_and_mode_is_shown_as_rgb(
    encode: Encode, mode: str, image_format: str
) -> None:
    """Each keeps its brightness."""
    shown = decode_upright(encode(halves(mode), image_format), 100, 10_000)
    assert (shown.mode, shown.size) == ("RGB", (40, 20))
    assert brightness(shown, (5, 10)) > 230
    assert brightness(shown, (35, 10)) < 25


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_tones(encode: Encode, image_format: str) -> None:
    """Half of 65535 is a middle grey, not white."""
    image = Image.new("I;16", (8, 8), 32896)
    shown = decode_upright(encode(image, image_format), 100, 10_000)
    assert brightness(shown, (4, 4)) == 128


@pytest.mark.parametrize(
    ("level", "shown"), [(0, 0), (255, 0), (256, 1), (0x7FFF, 127), (0xFF00, 255), (0xFFFF, 255)]
)
def test_sixteen_bit_grey_is_shown_by_its_high_byte(encode: Encode, level: int, shown: int) -> None:
    """As the model gets it."""
    data = encode(Image.new("I;16", (8, 8), level))
    assert brightness(decode_upright(data, 100, 10_000), (4, 4)) == shown


@pytest.mark.parametrize(
    "block", [b"\xff" * 40, b"XX*\0\x08\0\0\0"], ids=["noise", "no byte order"]
)
def test_a_damaged_exif_block_counts_as_upright(encode: Encode, block: bytes) -> None:
    """The model segments such an image; so it has a preview."""
    shown = decode_upright(encode(halves(), exif=b"Exif\0\0" + block), 100, 10_000)
    assert (shown.size, brightness(shown, (5, 10))) == ((40, 20), 255)


@pytest.mark.parametrize(
    ("mode", "dark", "bright"),
    [("F", 0.0, 1.0), ("F", -50.5, 4000.25), ("I", 0, 65535), ("I", -(2**31), 2**31 - 1)],
)
@pytest.mark.parametrize("long_side", [40, 10])
def test_deeper_levels_are_stretched_from_darkest_to_brightest(
    encode: Encode, mode: str, dark: float, bright: float, long_side: int
) -> None:
    """As the model sees them, whether scaled down or not."""
    image = Image.new(mode, (40, 20), dark)
    image.paste(bright, (0, 0, 20, 20))
    middle = (dark + bright) / 2
    image.paste(int(middle) if mode == "I" else middle, (0, 0, 20, 10))
    shown = decode_upright(encode(image, "TIFF"), long_side, 10_000)
    edge = long_side - 1
    assert brightness(shown, (0, 0)) == pytest.approx(127, abs=1)
    assert brightness(shown, (0, long_side // 2 - 1)) == 255
    assert brightness(shown, (edge, 0)) == 0


def test_values_that_are_not_finite_are_shown_as_zero(encode: Encode) -> None:
    """Maps mark unmeasured points with NaN."""
    image = Image.new("F", (8, 8), 1.0)
    for x, level in enumerate([float("nan"), float("inf"), float("-inf")]):
        image.putpixel((x, 0), level)
    shown = decode_upright(encode(image, "TIFF"), 100, 10_000)
    assert [brightness(shown, (x, 0)) for x in range(4)] == [0, 0, 0, 255]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_deeper_levels_that_are_all_the_same_are_shown(encode: Encode, mode: str) -> None:
    """Nothing to stretch, and no division by zero."""
    shown = decode_upright(encode(Image.new(mode, (8, 8), 7), "TIFF"), 100, 10_000)
    assert brightness(shown, (4, 4)) == 0


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF"])
def test_exif_orientation_is_applied(encode: Encode, orientation: int, image_format: str) -> None:
    """Sideways images are turned, and the turned image has the turned size."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    shown = decode_upright(encode(halves(), image_format, exif=exif), 100, 10_000)
    assert shown.size == ((40, 20) if orientation < 5 else (20, 40))


def test_transparency_is_laid_on_white(encode: Encode) -> None:
    """A see-through pixel shows white paper, not black."""
    shown = decode_upright(encode(Image.new("RGBA", (4, 4), (0, 0, 0, 0))), 100, 10_000)
    assert shown.getpixel((0, 0)) == (255, 255, 255)


def test_the_first_frame_of_an_animation_is_shown(encode: Encode) -> None:
    """An animated GIF stands still at its first frame."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_upright(data, 100, 10_000).getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_large_images_are_scaled_down(encode: Encode, image_format: str) -> None:
    """Memory and traffic are limited; the aspect ratio is kept."""
    data = encode(halves(size=(3000, 2000)), image_format)
    assert decode_upright(data, 1280, 50_000_000).size == (1280, 853)


def test_too_many_pixels_are_refused_by_the_header(encode: Encode) -> None:
    """The image is not decoded; the message has both numbers."""
    data = encode(Image.new("1", (20_000, 3_000)))
    with pytest.raises(PreviewError, match=r"20000 x 3000 pixels.* 50 megapixels"):
        decode_upright(data, 1280, 50_000_000)


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size(encode: Encode) -> None:
    """A photo of 12 megapixels fits where only 2 may be decoded."""
    data = encode(halves(size=(4000, 3000)), "JPEG")
    assert decode_upright(data, 640, 2_000_000).size == (640, 480)


def test_a_decompression_bomb_is_refused_with_a_message(encode: Encode) -> None:
    """Pillow's own limit is translated too."""
    with pytest.raises(PreviewError, match="cannot read"):
        decode_upright(encode(Image.new("1", (20_000, 20_000))), 1280, 50_000_000)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("tenth", range(10))
def test_truncated_files_are_shown_or_refused_with_a_message(
    encode: Encode, image_format: str, tenth: int
) -> None:
    """A truncated file raises PreviewError, unless the decoder tolerates it."""
    whole = encode(Image.effect_noise((64, 48), 60).convert("RGB"), image_format)
    try:
        shown = decode_upright(whole[: len(whole) * tenth // 10], 100, 10_000)
    except PreviewError as error:
        assert "cannot read" in str(error)  # noqa: PT017  # some decoders forgive a lost tail
    else:
        assert shown.size == (64, 48)


def test_a_damaged_avif_is_refused_with_a_message(encode: Encode) -> None:
    """Its decoder raises a RuntimeError."""
    data = bytearray(encode(Image.effect_noise((64, 48), 60).convert("RGB"), "AVIF"))
    pixels = data.index(b"mdat") + 4
    data[pixels : pixels + 40] = bytes(40)
    with pytest.raises(PreviewError, match="cannot read"):
        decode_upright(bytes(data), 100, 10_000)


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a" + bytes(20), b"%PDF-1.7"],
)
def test_other_files_are_refused_with_a_message(data: bytes) -> None:
    """Text, a PDF, and the first bytes of an image."""
    with pytest.raises(PreviewError, match="cannot read"):
        decode_upright(data, 100, 10_000)
