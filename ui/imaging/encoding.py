"""Encoding of images for the browser."""

import io

from PIL import Image


def encode(image: Image.Image, image_format: str) -> bytes:
    """Encode as PNG, or as JPEG without colour subsampling, which would smear the edges."""
    buffer = io.BytesIO()
    options = {"quality": 90, "subsampling": 0} if image_format == "JPEG" else {}
    image.save(buffer, image_format, **options)
    return buffer.getvalue()
