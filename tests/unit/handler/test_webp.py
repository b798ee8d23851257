"""The size that a WebP announces is read without its decoder."""

import pytest
from PIL import Image

from deeplab.webp import canvas_size
from tests.unit.handler.files import CLAIMS, encode

SIZE = (300, 200)
PICTURE = Image.new("RGB", SIZE, "orange")
FILES = {
    "lossy": encode(PICTURE, "WEBP", lossless=False),
    "lossless": encode(PICTURE, "WEBP"),
    "with alpha": encode(PICTURE.convert("RGBA"), "WEBP", lossless=False),
    "animated": encode(PICTURE, "WEBP", save_all=True, append_images=[PICTURE.rotate(180)]),
    "with EXIF": encode(PICTURE, "WEBP", exif=b"Exif\0\0"),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_every_kind_of_webp_tells_its_size(data: bytes) -> None:
    """The three kinds of first chunk."""
    assert canvas_size(data) == SIZE


@pytest.mark.parametrize("size", [(1, 1), (16_383, 16_383)])
def test_the_smallest_and_the_largest(size: tuple[int, int]) -> None:
    """Sides are stored less one in some chunks."""
    assert canvas_size(encode(Image.new("L", size), "WEBP", method=0)) == size


def test_the_largest_canvas() -> None:
    """What a header of 30 bytes can claim."""
    assert canvas_size(CLAIMS["WebP"]((16_384, 16_384))) == (16_384, 16_384)


@pytest.mark.parametrize("data", [b"", b"RIFF", FILES["lossy"][:29], encode(PICTURE, "PNG")])
def test_other_bytes_have_none(data: bytes) -> None:
    """Nobody relies on it for what is no WebP."""
    assert canvas_size(data) is None


def test_an_unknown_first_chunk_has_none() -> None:
    """Pillow decides then."""
    assert canvas_size(FILES["lossy"].replace(b"VP8 ", b"XXXX")) is None
