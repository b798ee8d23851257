"""What is no fit picture is refused with the right status, quickly, and in words that help."""

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


def _refusal(data: bytes, max_pixels: int = MAX_PIXELS) -> RejectedImageError:
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
def test_every_refusal_has_the_contracts_status_and_code(
    error: type[RejectedImageError], status: int, code: str
) -> None:
    """Clients tell the cases apart by them."""
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
def test_what_is_no_picture_is_unreadable(data: bytes) -> None:
    """Empty, text, noise, or a signature with nothing behind it: 422."""
    refusal = _refusal(data)
    assert isinstance(refusal, UnreadableImageError)
    assert "Send" in str(refusal)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("tenths", range(1, 10))
def test_a_picture_cut_short_is_unreadable(kind: str, tenths: int) -> None:
    """At every tenth of every format: never a half picture, never another error."""
    data = encode(quarters().resize((200, 150)), kind)
    refusal = _refusal(data[: len(data) * tenths // 10])
    assert isinstance(refusal, UnreadableImageError)


@pytest.mark.parametrize("tenths", range(1, 10))
def test_an_animated_avif_cut_short_is_unreadable(tenths: int) -> None:
    """It begins like a film or HEIC, but it is a format that we take."""
    data = encode(quarters(), "AVIF", save_all=True, append_images=[quarters().rotate(90)])
    assert isinstance(_refusal(data[: len(data) * tenths // 10]), UnreadableImageError)


@pytest.mark.parametrize("kind", FORMATS)
def test_flipped_bytes_give_a_picture_or_a_refusal(kind: str) -> None:
    """Damage anywhere leads to no other exception."""
    data = encode(quarters(24, 16), kind)
    for position in range(0, len(data), max(1, len(data) // 150)):
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        with suppress(RejectedImageError):
            decode(bytes(damaged), SIDE)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_bomb_is_refused_by_its_header(claim: str) -> None:
    """Nothing is decoded of a small file that claims billions of pixels."""
    refusal = _refusal(CLAIMS[claim](FITS_HEADER.get(claim, BOMB)))
    assert isinstance(refusal, TooManyPixelsError)
    assert "50,000,000" in str(refusal)


@pytest.mark.parametrize("claim", [name for name in CLAIMS if name != "GIF frame"])
def test_between_the_limit_and_pillows_own_we_refuse_too(claim: str) -> None:
    """Pillow warns from 89 megapixels and stops at 178; our limit is lower."""
    refusal = _refusal(CLAIMS[claim]((10_000, 8_000)))
    assert isinstance(refusal, TooManyPixelsError)
    assert "10000 x 8000" in str(refusal)


@pytest.mark.parametrize("kind", FORMATS)
def test_exactly_the_limit_is_taken_and_one_pixel_more_is_not(kind: str) -> None:
    """The limit belongs to what is allowed."""
    data = encode(Image.new("RGB", (40, 25)), kind)
    assert decode(data, SIDE, max_pixels=1000).size == (40, 25)
    assert isinstance(_refusal(data, max_pixels=999), TooManyPixelsError)


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    """Each scan costs a pass over all pixels: a hundred bytes would buy a tenth of a second."""
    data = encode(Image.new("L", (1000, 1000), 128), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    for scans, refused in ((10, False), (MAX_FULL_SCANS + 1, True)):
        many = data[:-2] + data[last:-2] * scans + b"\xff\xd9"
        if refused:
            assert "passes" in str(_refusal(many, max_pixels=1_000_000))
        else:
            assert decode(many, SIDE, max_pixels=1_000_000).size == (1000, 1000)
