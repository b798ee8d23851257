"""Encoded images are files of the requested format."""

import io

import pytest
from PIL import Image

from ui.imaging.encoding import encode


@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_encode_gives_a_file_of_the_format(image_format: str) -> None:
    """Pillow recognises the bytes as that format."""
    encoded = encode(Image.new("RGB", (4, 4), "red"), image_format)
    assert image_format == Image.open(io.BytesIO(encoded)).format
