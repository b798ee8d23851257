"""Scans are counted as a decoder finds them; baseline JPEGs are decoded without Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

from deeplab.jpeg import MAX_BASELINE_SCANS, SCAN_START, decode_baseline, has_more_scans
from tests.unit.handler.files import EXAMPLES, encode

SCAN = b"\xff\xda\0\x08\x01\x01\x00\x00\x3f\x00" + b"data\xff\x00\xff\xd0data"


def _segment(content: bytes) -> bytes:
    return b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content


@pytest.mark.parametrize(
    ("data", "scans"),
    [
        (b"\xff\xd8" + SCAN + b"\xff\xd9", 1),
        (b"\xff\xd8" + SCAN * 3 + b"\xff\xd9", 3),
        (b"\xff\xd8" + SCAN + b"\xff\xff\xff" + SCAN[1:] + b"\xff\xd9", 2),
        (b"\xff\xd8" + _segment(SCAN * 5) + SCAN + b"\xff\xd9", 1),
        (b"\xff\xd8" + SCAN + b"\xff\xd9" + SCAN * 5, 1),
        (b"\xff\xd8" + SCAN * 2, 2),
        (b"", 0),
    ],
    ids=["one", "three", "fill bytes", "a thumbnail", "after the end", "no end", "nothing"],
)
def test_scans_are_counted_up_to_the_end_marker(data: bytes, scans: int) -> None:
    """Neither a thumbnail's scans nor what follows the image count."""
    assert has_more_scans(data, scans - 1)
    assert not has_more_scans(data, scans)


@pytest.mark.parametrize("progressive", [False, True])
def test_ordinary_jpegs_have_few_scans(progressive: bool) -> None:
    """Cameras and editors write far fewer than the limit."""
    image = Image.open(EXAMPLES / "cat.jpg")
    assert not has_more_scans(encode(image, "JPEG", progressive=progressive), 10)


def _opened(data: bytes, reduction: int = 1) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.draft(None, (image.width // reduction, image.height // reduction))
    return image


def _cat(kind: str = "JPEG", **options: object) -> bytes:
    with Image.open(EXAMPLES / "cat.jpg") as image:
        return encode(image.convert("RGB"), kind, **{"quality": 90, **options})


@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_a_baseline_jpeg_is_decoded_as_by_pillow(reduction: int, subsampling: str) -> None:
    """To identical pixels, at each scale at which a JPEG can be decoded."""
    data = _cat(subsampling=subsampling)
    pixels = decode_baseline(_opened(data, reduction), data)
    assert pixels is not None
    expected = np.asarray(_opened(data, reduction))
    assert expected.shape[1] == pytest.approx(Image.open(io.BytesIO(data)).width / reduction, abs=1)
    np.testing.assert_array_equal(pixels, expected)


def test_a_jpeg_that_holds_rgb_keeps_its_colours() -> None:
    """Adobe's marker says that nothing is to be converted."""
    data = _cat(keep_rgb=True, subsampling="4:4:4")
    pixels = decode_baseline(_opened(data), data)
    assert pixels is not None
    np.testing.assert_array_equal(pixels, np.asarray(_opened(data)))


def test_of_several_images_in_a_file_the_first_is_decoded() -> None:
    """Phones write a second one behind the first."""
    first, second = Image.new("RGB", (64, 48), "red"), Image.new("RGB", (64, 48), "blue")
    data = encode(first, "MPO", save_all=True, append_images=[second])
    pixels = decode_baseline(_opened(data), data)
    assert pixels is not None
    assert pixels[0, 0, 0] > 250


def _damaged() -> bytes:
    data = bytearray(_cat())
    data[len(data) // 2 : len(data) // 2 + 8] = b"\xff\xd9\xff\xd9\xff\xd9\xff\xd9"
    return bytes(data)


def _of_two_sizes() -> bytes:
    """A second frame header with another size, which Pillow uses."""
    data = encode(Image.new("RGB", (64, 48), "red"), "JPEG")
    start = data.index(b"\xff\xc0")
    header = bytearray(data[start : start + 2 + int.from_bytes(data[start + 2 : start + 4])])
    header[5:9] = (4096).to_bytes(2) * 2
    return data[:start] + bytes(header) + data[start:]


def _many_scans() -> bytes:
    """More than a baseline JPEG has components."""
    data = _cat()
    return data[:-2] + data[data.index(SCAN_START) : -2] * MAX_BASELINE_SCANS + data[-2:]


def test_bytes_that_only_resemble_scans_do_not_matter() -> None:
    """Thumbnails before the image, and the video that a phone appends to it."""
    data = _cat(comment=SCAN * MAX_BASELINE_SCANS) + SCAN * 50
    assert decode_baseline(_opened(data), data) is not None


@pytest.mark.parametrize(
    "data",
    [
        _cat()[:-2000],
        _damaged(),
        _of_two_sizes(),
        encode(Image.new("L", (64, 48)), "JPEG"),
        encode(Image.new("CMYK", (64, 48)), "JPEG"),
        _cat("PNG"),
        _cat("WEBP"),
    ],
    ids=["cut", "damaged", "two sizes", "grey", "CMYK", "PNG", "WebP"],
)
def test_everything_else_is_left_to_pillow(data: bytes) -> None:
    """Also damaged files: Pillow decides whether they still are images."""
    assert decode_baseline(Image.open(io.BytesIO(data)), data) is None


@pytest.mark.parametrize(
    "data",
    [
        _cat(progressive=True),
        _many_scans(),
        _cat().replace(b"\xff\xc0", b"\xff\xc9"),
    ],
    ids=["progressive", "many scans", "arithmetic coding"],
)
def test_files_that_may_take_long_are_not_tried(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow can be interrupted, this decoder cannot."""
    tried: list[bytes] = []

    def remember(tried_data: bytes, *_: object, **__: object) -> None:
        tried.append(tried_data)
        raise ValueError

    monkeypatch.setattr("simplejpeg.decode_jpeg", remember)
    for each in (data, _cat()):
        assert decode_baseline(Image.open(io.BytesIO(each)), each) is None
    assert tried == [_cat()]
