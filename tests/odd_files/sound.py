"""Odd pictures that are sound: every mode, extreme shapes, turned ones, animations."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from deeplab.formats import FORMATS
from tests.odd_files.odd_file import (
    OK,
    SIZE,
    UNREADABLE,
    OddFile,
    animated,
    photograph,
    taken,
)
from tests.unit.handler.files import encode, turned

# All that Pillow has; a format cannot hold all of them.
MODES = (
    *(
        "1",
        "L",
        "LA",
        "La",
        "P",
        "PA",
        "RGB",
        "RGBA",
        "RGBX",
        "RGBa",
        "CMYK",
        "YCbCr",
        "LAB",
        "HSV",
    ),
    *("I", "F", "I;16", "I;16L", "I;16B", "I;16N"),
)
SHAPES = ((1, 1), (1, 500), (500, 1), (20_000, 8), (8, 20_000), (20_000, 2_000), (65_535, 1))


def sound_files() -> list[OddFile]:
    """Each is answered with a mask."""
    return [*_modes(), *_kinds(), *_shapes(), *_turned(), *_animated()]


def _in_mode(mode: str) -> Image.Image:
    cat = photograph()
    if mode.startswith("I;16"):
        return Image.fromarray(np.asarray(cat.convert("L")).astype(np.uint16) * 257).convert(mode)
    if mode in ("PA", "La", "RGBa"):
        return cat.convert({"PA": "P", "La": "LA", "RGBa": "RGBA"}[mode]).convert(mode)
    return cat.convert(mode)


def _modes() -> Iterator[OddFile]:
    """Every mode in every format that can hold it."""
    for mode in MODES:
        try:
            picture = _in_mode(mode)
        except ValueError:  # Pillow has no way to make it
            continue
        for kind in FORMATS:
            try:
                data = encode(picture, kind)
            except (OSError, ValueError, KeyError):  # the format has no such mode
                continue
            yield OddFile(f"{kind.lower()}/mode-{mode}", data, _statuses(kind, mode), SIZE)


def _statuses(kind: str, mode: str) -> tuple[int, ...]:
    """Pillow cannot read its own YCbCr in TIFF."""
    return (OK, UNREADABLE) if (kind, mode) == ("TIFF", "YCbCr") else (OK,)


def _kinds() -> Iterator[OddFile]:
    cat = photograph()
    keyed = cat.convert("P")
    yield taken("png/palette-with-transparency", encode(keyed, "PNG", transparency=0))
    yield taken("png/transparent-colour", encode(cat, "PNG", transparency=(0, 0, 0)))
    yield taken("png/grey-transparent-level", encode(cat.convert("L"), "PNG", transparency=0))
    yield taken("png/two-levels", encode(cat.convert("1"), "PNG", bits=1))
    yield taken("gif/interlaced", encode(keyed, "GIF", interlace=1))
    yield taken("webp/lossless", encode(cat, "WEBP", lossless=True))
    yield taken("jpeg/quality-1", encode(cat, "JPEG", quality=1))
    yield taken("jpeg/restarts", encode(cat, "JPEG", restart_marker_blocks=1))
    yield taken(
        "jpeg/several-pictures", encode(cat, "MPO", save_all=True, append_images=[cat] * 20)
    )
    for sampling in ("4:0:0", "4:2:0", "4:2:2", "4:4:4"):
        yield taken(f"avif/{sampling}", encode(cat, "AVIF", subsampling=sampling))
    for packing in ("packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "zstd", "lzma"):
        yield taken(f"tiff/{packing}", encode(cat, "TIFF", compression=packing))
    for packing in ("group3", "group4", "tiff_ccitt"):
        yield taken(f"tiff/{packing}", encode(cat.convert("1"), "TIFF", compression=packing))
    yield taken("tiff/big", encode(cat, "TIFF", big_tiff=True))


def _shapes() -> Iterator[OddFile]:
    for size in SHAPES:
        data = encode(Image.new("RGB", size, "orange"), "PNG")
        yield taken(f"png/{size[0]}x{size[1]}", data, size)
    for kind, size in (("GIF", (1, 65_535)), ("TIFF", (65_535, 1)), ("JPEG", (1, 65_500))):
        yield taken(f"{kind.lower()}/{size[0]}x{size[1]}", encode(Image.new("L", size), kind), size)
    for kind, size in (("WEBP", (16_383, 1)), ("AVIF", (1, 16_384)), ("BMP", (1, 65_535))):
        yield taken(f"{kind.lower()}/{size[0]}x{size[1]}", encode(Image.new("L", size), kind), size)


def _turned() -> Iterator[OddFile]:
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        for orientation in (3, 6):
            data = turned(photograph(), orientation, kind)
            yield taken(f"{kind.lower()}/orientation-{orientation}", data)


def _animated() -> Iterator[OddFile]:
    for kind in ("GIF", "PNG"):
        yield taken(f"{kind.lower()}/animated", animated(kind))
    for kind in ("GIF", "WEBP", "TIFF", "PNG", "AVIF"):
        name, size = f"{kind.lower()}/50-frames", (16, 16)
        yield taken(name, animated(kind, size, frames=50), size)
