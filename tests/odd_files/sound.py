"""Odd but valid images: every mode, extreme shapes, all orientations, animations."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from deeplab.formats import FORMATS
from tests.odd_files.odd_file import (
    OK,
    SIZE,
    UNREADABLE,
    OddFile,
    accepted,
    animated,
    sample,
)
from tests.unit.handler.files import encode, turned

# All modes of Pillow; no format can hold all of them.
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
    """Each of them gets a mask."""
    return [*_modes(), *_kinds(), *_shapes(), *_turned(), *_animated()]


def _in_mode(mode: str) -> Image.Image:
    cat = sample()
    if mode.startswith("I;16"):
        return Image.fromarray(np.asarray(cat.convert("L")).astype(np.uint16) * 257).convert(mode)
    if mode in ("PA", "La", "RGBa"):
        return cat.convert({"PA": "P", "La": "LA", "RGBa": "RGBA"}[mode]).convert(mode)
    return cat.convert(mode)


def _modes() -> Iterator[OddFile]:
    """Every mode in every format that can hold it."""
    for mode in MODES:
        try:
            image = _in_mode(mode)
        except ValueError:  # Pillow cannot convert to it
            continue
        for kind in FORMATS:
            try:
                data = encode(image, kind)
            except (OSError, ValueError, KeyError):  # the format has no such mode
                continue
            yield OddFile(f"{kind.lower()}/mode-{mode}", data, _statuses(kind, mode), SIZE)


def _statuses(kind: str, mode: str) -> tuple[int, ...]:
    """Pillow cannot read its own YCbCr in TIFF."""
    return (OK, UNREADABLE) if (kind, mode) == ("TIFF", "YCbCr") else (OK,)


def _kinds() -> Iterator[OddFile]:
    cat = sample()
    keyed = cat.convert("P")
    yield accepted("png/palette-with-transparency", encode(keyed, "PNG", transparency=0))
    yield accepted("png/transparent-colour", encode(cat, "PNG", transparency=(0, 0, 0)))
    yield accepted("png/grey-transparent-level", encode(cat.convert("L"), "PNG", transparency=0))
    yield accepted("png/two-levels", encode(cat.convert("1"), "PNG", bits=1))
    yield accepted("gif/interlaced", encode(keyed, "GIF", interlace=1))
    yield accepted("webp/lossless", encode(cat, "WEBP", lossless=True))
    yield accepted("jpeg/quality-1", encode(cat, "JPEG", quality=1))
    yield accepted("jpeg/restarts", encode(cat, "JPEG", restart_marker_blocks=1))
    yield accepted(
        "jpeg/several-images", encode(cat, "MPO", save_all=True, append_images=[cat] * 20)
    )
    for sampling in ("4:0:0", "4:2:0", "4:2:2", "4:4:4"):
        yield accepted(f"avif/{sampling}", encode(cat, "AVIF", subsampling=sampling))
    for packing in ("packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "zstd", "lzma"):
        yield accepted(f"tiff/{packing}", encode(cat, "TIFF", compression=packing))
    for packing in ("group3", "group4", "tiff_ccitt"):
        yield accepted(f"tiff/{packing}", encode(cat.convert("1"), "TIFF", compression=packing))
    yield accepted("tiff/big", encode(cat, "TIFF", big_tiff=True))


def _shapes() -> Iterator[OddFile]:
    for size in SHAPES:
        data = encode(Image.new("RGB", size, "orange"), "PNG")
        yield accepted(f"png/{size[0]}x{size[1]}", data, size)
    for kind, size in (("GIF", (1, 65_535)), ("TIFF", (65_535, 1)), ("JPEG", (1, 65_500))):
        yield accepted(
            f"{kind.lower()}/{size[0]}x{size[1]}", encode(Image.new("L", size), kind), size
        )
    for kind, size in (("WEBP", (16_383, 1)), ("AVIF", (1, 16_384)), ("BMP", (1, 65_535))):
        yield accepted(
            f"{kind.lower()}/{size[0]}x{size[1]}", encode(Image.new("L", size), kind), size
        )


def _turned() -> Iterator[OddFile]:
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        for orientation in (3, 6):
            data = turned(sample(), orientation, kind)
            yield accepted(f"{kind.lower()}/orientation-{orientation}", data)


def _animated() -> Iterator[OddFile]:
    for kind in ("GIF", "PNG"):
        yield accepted(f"{kind.lower()}/animated", animated(kind))
    for kind in ("GIF", "WEBP", "TIFF", "PNG", "AVIF"):
        name, size = f"{kind.lower()}/50-frames", (16, 16)
        yield accepted(name, animated(kind, size, frames=50), size)
