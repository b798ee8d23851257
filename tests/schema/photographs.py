"""Small images of every supported format."""

import io
from typing import Final

from PIL import Image, ImageDraw

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")


def _encoded(kind: str, size: tuple[int, int]) -> bytes:
    image = Image.new("RGB", size, (60, 120, 40))
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 2, size[1] // 2), fill=(200, 150, 120))
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def images() -> list[bytes]:
    """One image of each format, all of different sizes; the smallest has one pixel."""
    sizes = [(24 + 5 * number, 16 + 3 * number) for number in range(len(FORMATS))]
    one_of_each = [_encoded(kind, size) for kind, size in zip(FORMATS, sizes, strict=True)]
    return [*one_of_each, _encoded("PNG", (1, 1))]
