"""Folders of labelled images in Pascal VOC's layout: listing, reading, validation."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from deeplab.decode import decode
from deeplab.errors import RejectedImageError
from deeplab.preprocess import upright

IMAGES, MASKS = "JPEGImages", "SegmentationClass"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
IGNORE = 255
MASK_MODES = ("L", "P")
FULL_SCALE = 1 << 16  # pixels, above any JPEG's side: none is decoded at a reduced scale
# What Pillow raises on damaged files.
IMAGE_ERRORS = (
    OSError,
    UnidentifiedImageError,
    SyntaxError,
    ValueError,
    Image.DecompressionBombError,
)


class DataError(ValueError):
    """The folder cannot be used; the text is one line that names the file."""


@dataclass(frozen=True)
class LabelledImage:
    """The files of an image and its mask.

    The mask is an 8-bit PNG of the picture's size: class ids, 255 where nothing is known.
    """

    name: str
    image: Path
    mask: Path

    def read_image(self) -> Image.Image:
        """The picture as upright RGB, as the handler sees it. DataError if that refuses it."""
        try:
            return Image.fromarray(upright(decode(self.image.read_bytes(), FULL_SCALE)))
        except (RejectedImageError, OSError) as exc:
            raise DataError(f"{self.image}: not a readable picture ({_first_line(exc)})") from exc

    def read_mask(self) -> NDArray[np.uint8]:
        """(height, width) uint8 class ids, 255 = ignore. DataError if it cannot be read."""
        try:
            with Image.open(self.mask) as file:
                scaled = file.mode == "L" and _is_scaled(file)
                mode, ids = file.mode, np.asarray(file)
        except IMAGE_ERRORS as exc:
            raise DataError(f"{self.mask}: not a readable mask ({_first_line(exc)})") from exc
        if mode not in MASK_MODES:
            raise DataError(
                f"{self.mask}: mode {mode}; a mask is an 8-bit grey or indexed PNG of class ids"
            )
        if scaled:
            raise DataError(
                f"{self.mask}: grey of less than 8 bits, in which 1 means a level, not a class; "
                "save it as an 8-bit grey or indexed PNG of class ids"
            )
        return ids


@dataclass(frozen=True)
class InspectedImage:
    """A validated pair.

    pixels: (256,) int64, how many pixels of the mask have each id.
    """

    pair: LabelledImage
    pixels: NDArray[np.int64]


def list_pairs(folder: Path) -> list[LabelledImage]:
    """The pairs in ``folder``/JPEGImages and /SegmentationClass, by name.

    Raises DataError if a folder misses or is empty, or a picture has no mask or a mask no picture.
    """
    pictures = _files(folder / IMAGES, IMAGE_SUFFIXES)
    masks = _files(folder / MASKS, (".png",))
    for name, path in pictures.items():
        if name not in masks:
            raise DataError(f"{path}: it has no mask {folder / MASKS / name}.png")
    for name, path in masks.items():
        if name not in pictures:
            raise DataError(f"{path}: it has no picture {folder / IMAGES / name}.jpg")
    return [LabelledImage(name, pictures[name], masks[name]) for name in sorted(pictures)]


def inspect_pairs(
    pairs: Sequence[LabelledImage],
    classes: int,
    progress: Callable[[Iterable[InspectedImage]], Iterable[InspectedImage]] = iter,
) -> list[InspectedImage]:
    """Read every image and mask once; DataError for the first (by name) that cannot be used.

    Masks that are 255 wherever they are not 0 are refused too: any prediction would match them.
    """

    def read(pair: LabelledImage) -> InspectedImage:
        return _inspect(pair, classes)

    with ThreadPoolExecutor() as pool:  # Pillow decodes without holding the interpreter's lock
        try:
            inspected = list(progress(pool.map(read, pairs)))
        except DataError:
            pool.shutdown(cancel_futures=True)
            raise
    _refuse_black_and_white(inspected)
    return inspected


def class_pixels(inspected: Sequence[InspectedImage]) -> NDArray[np.int64]:
    """(256,) int64, how many pixels of all masks together have each id."""
    return sum((each.pixels for each in inspected), np.zeros(256, dtype=np.int64))


def _refuse_black_and_white(inspected: Sequence[InspectedImage]) -> None:
    """Raise DataError for masks of 0 and 255 only: many programs write an object as 255."""
    shown = class_pixels(inspected)
    if shown[IGNORE] and not shown[1:IGNORE].any():
        folder = inspected[0].pair.mask.parent
        raise DataError(
            f"{folder}: no class but 0 is shown in any of {len(inspected)} masks; "
            "255 means ignore, not object"
        )


def _inspect(pair: LabelledImage, classes: int) -> InspectedImage:
    size, ids = pair.read_image().size, pair.read_mask()
    if ids.shape != (size[1], size[0]):
        raise DataError(
            f"{pair.mask}: {ids.shape[1]} x {ids.shape[0]} pixels, "
            f"but its picture has {size[0]} x {size[1]}"
        )
    pixels = np.bincount(ids.ravel(), minlength=256)
    unknown = [int(index) for index in np.flatnonzero(pixels) if classes <= index < IGNORE]
    if unknown:
        raise DataError(
            f"{pair.mask}: class id {unknown[0]} is unknown; "
            f"the labels have 0 to {classes - 1}, and 255 means ignore"
        )
    return InspectedImage(pair, pixels)


def read_names(path: Path, pairs: Sequence[LabelledImage]) -> frozenset[str]:
    """The names of pictures in a text file, one a line. DataError if one is not among ``pairs``."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as exc:
        raise DataError(f"{path}: not a readable list of names ({_first_line(exc)})") from exc
    names = frozenset(line for line in lines if line)
    unknown = sorted(names - {pair.name for pair in pairs})
    if unknown:
        raise DataError(f"{path}: there is no picture named {unknown[0]}")
    return names


def _files(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(
            f"{folder}: there is no such folder; pictures belong in {IMAGES}/, masks in {MASKS}/"
        )
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in suffixes:
            continue
        if path.stem in found:
            raise DataError(f"{path}: {found[path.stem].name} has the same name")
        found[path.stem] = path
    if not found:
        raise DataError(f"{folder}: holds no {', '.join(suffixes)} files")
    return found


def _is_scaled(mask: Image.Image) -> bool:
    """Whether Pillow spreads the file's few grey levels over 0 to 255; before it is loaded."""
    return any(str(tile.args).startswith("L;") for tile in getattr(mask, "tile", ()))


def _first_line(exc: BaseException) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0][:200]
