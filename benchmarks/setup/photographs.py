"""The photographs of the loads: JPEG of quality 90, as from cameras and phones."""

import io
from dataclasses import dataclass

from PIL import Image, ImageOps

from benchmarks.setup.settings import ROOT

# A person, cut to 4:3 and enlarged: decoding, resizing and encoding cost by pixel.
SOURCE = ROOT / "ui" / "examples" / "astronaut.jpg"
SIZES = {"0.3 MP": (640, 480), "1 MP": (1152, 864), "12 MP": (4000, 3000)}
USUAL = "0.3 MP"


@dataclass(frozen=True)
class Photograph:
    """A JPEG and its (width, height)."""

    name: str
    jpeg: bytes
    size: tuple[int, int]


def photographs() -> tuple[Photograph, ...]:
    """A photograph of each size."""
    return tuple(_photograph(name, size) for name, size in SIZES.items())


def usual() -> Photograph:
    """The photograph of most figures."""
    return _photograph(USUAL, SIZES[USUAL])


def of_megapixels(megapixels: float) -> Photograph:
    """A 4:3 photograph of about that many megapixels."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    return _photograph(f"{megapixels:g} MP", (round(height * 4 / 3), height))


def _photograph(name: str, size: tuple[int, int]) -> Photograph:
    buffer = io.BytesIO()
    with Image.open(SOURCE) as source:
        picture = ImageOps.fit(source.convert("RGB"), size, Image.Resampling.BICUBIC)
    picture.save(buffer, "JPEG", quality=90)
    return Photograph(name, buffer.getvalue(), size)
