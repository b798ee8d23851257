"""The canvas size of a WebP is read without its decoder."""

import pytest
from PIL import Image

from deeplab.webp import canvas_size
from tests.unit.handler.files import CLAIMS, encode

SIZE = (300, 200)
IMAGE = Image.new("RGB", SIZE, "orange")
FILES = {
    "lossy": encode(IMAGE, "WEBP", lossless=False),
    "lossless": encode(IMAGE, "WEBP"),
    "with alpha": encode(IMAGE.convert("RGBA"), "WEBP", lossless=False),
    "animated": encode(IMAGE, "WEBP", save_all=True, append_images=[IMAGE.rotate(180)]),
    "with EXIF": encode(IMAGE, "WEBP", exif=b"Exif\0\0"),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_the_size_of_every_kind_of_webp_is_read(data: bytes) -> None:
    """For the three kinds of first chunk."""
    assert canvas_size(data) == SIZE


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (16_383, 16_383)])
def test_the_smallest_and_the_largest(size: tuple[int, int]) -> None:
    """Some chunks store sides minus one."""
    assert canvas_size(encode(Image.new("L", size), "WEBP", method=0)) == size


def test_the_largest_canvas() -> None:
    """The most that a header of 30 bytes can claim."""
    assert canvas_size(CLAIMS["WebP"]((16_384, 16_384))) == (16_384, 16_384)


@pytest.mark.parametrize("data", [b"", b"RIFF", FILES["lossy"][:29], encode(IMAGE, "PNG")])
def test_other_bytes_have_none(data: bytes) -> None:
    """They are no WebP, or end within its header."""
    assert canvas_size(data) is None


def test_an_unknown_first_chunk_has_none() -> None:
    """Pillow decides what it is."""
    assert canvas_size(FILES["lossy"].replace(b"VP8 ", b"XXXX")) is None
