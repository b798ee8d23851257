"""Small images of every kind that is taken, for requests that the OpenAPI document calls binary."""

import io
from typing import Final

from PIL import Image, ImageDraw

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")


def _encoded(kind: str, size: tuple[int, int]) -> bytes:
    picture = Image.new("RGB", size, (60, 120, 40))
    ImageDraw.Draw(picture).rectangle((0, 0, size[0] // 2, size[1] // 2), fill=(200, 150, 120))
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


def photographs() -> list[bytes]:
    """One of each format, no two of one size; the smallest has one pixel."""
    sizes = [(24 + 5 * number, 16 + 3 * number) for number in range(len(FORMATS))]
    found = [_encoded(kind, size) for kind, size in zip(FORMATS, sizes, strict=True)]
    return [*found, _encoded("PNG", (1, 1))]
