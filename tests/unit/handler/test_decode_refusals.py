"""Bytes that are no acceptable image are rejected with the right status and a helpful message."""

from contextlib import suppress

import pytest
from PIL import Image

from deeplab.decode import MAX_FULL_SCANS, MAX_PIXELS, decode
from deeplab.errors import (
    RejectedImageError,
    TooManyPixelsError,
    UnreadableImageError,
    UnsupportedFormatError,
)
from deeplab.formats import FORMATS
from tests.unit.handler.files import CLAIMS, encode, quarters

SIDE = 96
BOMB = (60_000, 60_000)
FITS_HEADER = {"WebP": (16_384, 16_384), "AVIF": (16_000, 16_000)}  # the most these can claim


def _rejection(data: bytes, max_pixels: int = MAX_PIXELS) -> RejectedImageError:
    with pytest.raises(RejectedImageError) as caught:
        decode(data, SIDE, max_pixels)
    return caught.value


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UnreadableImageError, 422, "unreadable_image"),
        (UnsupportedFormatError, 415, "unsupported_format"),
        (TooManyPixelsError, 413, "too_many_pixels"),
    ],
)
def test_every_error_has_the_contracts_status_and_code(
    error: type[RejectedImageError], status: int, code: str
) -> None:
    """Clients distinguish the cases by them."""
    assert (status, code) == (error.status, error.code)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"hello, this is no picture",
        b"<html><body>not found</body></html>",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"II*\0",
        b"BM",
        b"RIFF\x24\0\0\0WAVEfmt ",
        bytes(100_000),
        bytes(range(256)) * 100,
    ],
    ids=lambda data: repr(data[:12]),
)
def test_bytes_that_are_no_image_are_unreadable(data: bytes) -> None:
    """Empty, text, noise, or a signature with nothing behind it: 422."""
    rejection = _rejection(data)
    assert isinstance(rejection, UnreadableImageError)
    assert "Send" in str(rejection)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_truncated_image_is_unreadable(kind: str, tenths: int) -> None:
    """At every tenth of every format: never half an image, never another error."""
    data = encode(quarters().resize((200, 150)), kind)
    rejection = _rejection(data[: len(data) * tenths // 10])
    assert isinstance(rejection, UnreadableImageError)


@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_truncated_animated_avif_is_unreadable(tenths: int) -> None:
    """It begins like video or HEIC, but its format is accepted."""
    data = encode(quarters(), "AVIF", save_all=True, append_images=[quarters().rotate(90)])
    assert isinstance(_rejection(data[: len(data) * tenths // 10]), UnreadableImageError)


@pytest.mark.parametrize("kind", FORMATS)
def test_flipped_bytes_give_an_image_or_a_rejection(kind: str) -> None:
    """Damage anywhere raises no other exception."""
    data = encode(quarters(24, 16), kind)
    for position in range(0, len(data), max(1, len(data) // 150)):
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        with suppress(RejectedImageError):
            decode(bytes(damaged), SIDE)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_bomb_is_rejected_by_its_header(claim: str) -> None:
    """A small file that claims billions of pixels is not decoded."""
    rejection = _rejection(CLAIMS[claim](FITS_HEADER.get(claim, BOMB)))
    assert isinstance(rejection, TooManyPixelsError)
    assert "50,000,000" in str(rejection)


@pytest.mark.parametrize("claim", [name for name in CLAIMS if name != "GIF frame"])
def test_images_between_our_limit_and_pillows_are_rejected_too(claim: str) -> None:
    """Pillow warns from 89 megapixels and stops at 178; our limit is lower."""
    rejection = _rejection(CLAIMS[claim]((10_000, 8_000)))
    assert isinstance(rejection, TooManyPixelsError)
    assert "10000 x 8000" in str(rejection)


@pytest.mark.parametrize("kind", FORMATS)
def test_exactly_the_limit_is_taken_and_one_pixel_more_is_not(kind: str) -> None:
    """The limit itself is allowed."""
    data = encode(Image.new("RGB", (40, 25)), kind)
    assert decode(data, SIDE, max_pixels=1000).size == (40, 25)
    assert isinstance(_rejection(data, max_pixels=999), TooManyPixelsError)


def test_a_jpeg_of_very_many_scans_is_rejected() -> None:
    """Each scan costs a pass over all pixels: a hundred bytes would buy a tenth of a second."""
    data = encode(Image.new("L", (1000, 1000), 128), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    for scans, rejected in ((10, False), (MAX_FULL_SCANS + 1, True)):
        many = data[:-2] + data[last:-2] * scans + b"\xff\xd9"
        if rejected:
            assert "passes" in str(_rejection(many, max_pixels=1_000_000))
        else:
            assert decode(many, SIDE, max_pixels=1_000_000).size == (1000, 1000)
