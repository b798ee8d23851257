"""Scans are counted as a decoder meets them."""

import pytest
from PIL import Image

from deeplab.jpeg import has_more_scans
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
    """Neither a thumbnail's scans nor what follows the picture count."""
    assert has_more_scans(data, scans - 1)
    assert not has_more_scans(data, scans)


@pytest.mark.parametrize("progressive", [False, True])
def test_photographs_have_few_scans(progressive: bool) -> None:
    """What cameras and editors write stays far below the limit."""
    photograph = Image.open(EXAMPLES / "cat.jpg")
    assert not has_more_scans(encode(photograph, "JPEG", progressive=progressive), 10)
