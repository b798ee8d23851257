"""Augmentation: random scale, crop, flip and colour of labelled images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from scripts.datasets.voc import IGNORE

FILL = (124, 116, 104)  # ImageNet's mean colour: what lies outside the picture


@dataclass(frozen=True)
class Augmentation:
    """Limits of the augmentation.

    size: side of the square sample, pixels.
    long_side: what a picture's long side is resized to when the network is used, pixels.
    scale: least and greatest factor on top of that.
    stretch: greatest change of the aspect, as a factor.
    colour: greatest relative change of brightness, contrast and saturation.
    focus: share of the samples that are cut around a pixel of the wanted class.
    """

    size: int
    long_side: int
    scale: tuple[float, float] = (0.6, 1.6)
    stretch: float = 1.2
    colour: float = 0.4
    grey: float = 0.05
    focus: float = 0.6


@dataclass(frozen=True)
class Sample:
    """A training sample.

    image: (size, size, 3) uint8 RGB. ids: (size, size) uint8 class ids, 255 = ignore.
    """

    image: NDArray[np.uint8]
    ids: NDArray[np.uint8]


def cut(
    picture: Image.Image,
    ids: NDArray[np.uint8],
    wanted: int,
    how: Augmentation,
    rng: np.random.Generator,
) -> Sample:
    """A random sample of ``picture`` with its ``ids`` (height, width), often around ``wanted``."""
    box = _window(picture.size, ids, wanted, how, rng)
    image, mask = _resize_window(picture, ids, box, how.size)
    if rng.random() < 0.5:
        image, mask = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), mask[:, ::-1]
    return Sample(np.asarray(_recolour(image, how, rng)), np.ascontiguousarray(mask))


def paste(under: Sample, over: Sample, class_id: int) -> Sample:
    """Paste the pixels of ``class_id`` from ``over`` onto ``under``.

    Simple copy-paste (Ghiasi et al. 2021, arXiv:2012.07177): rare classes are seen in many places.
    """
    chosen = over.ids == class_id
    image = np.where(chosen[..., np.newaxis], over.image, under.image)
    return Sample(image, np.where(chosen, over.ids, under.ids))


def _window(
    size: tuple[int, int],
    ids: NDArray[np.uint8],
    wanted: int,
    how: Augmentation,
    rng: np.random.Generator,
) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) in the picture's pixels; may reach outside of it."""
    least, most = np.log(how.scale)
    long_side = how.long_side * np.exp(rng.uniform(least, most))
    stretch = np.exp(rng.uniform(-0.5, 0.5) * np.log(how.stretch))
    unit = max(size) / long_side  # the picture's pixels for one of the sample's
    width, height = how.size * unit * stretch, how.size * unit / stretch
    centre = _centre(ids, wanted, rng) if rng.random() < how.focus else None
    left = _offset(size[0], width, None if centre is None else centre[1], rng)
    top = _offset(size[1], height, None if centre is None else centre[0], rng)
    return left, top, left + width, top + height


def _centre(
    ids: NDArray[np.uint8], wanted: int, rng: np.random.Generator
) -> tuple[float, float] | None:
    """(y, x) of a random pixel of the wanted class."""
    places = np.flatnonzero(ids == wanted)
    if not places.size:
        return None
    y, x = divmod(int(rng.choice(places)), ids.shape[1])
    return float(y), float(x)


def _offset(length: int, window: float, centre: float | None, rng: np.random.Generator) -> float:
    """The window's offset: inside the image, or anywhere around it if the window is larger."""
    low, high = sorted((0.0, length - window))
    start = rng.uniform(low, high)
    if centre is None or window > length:
        return float(start)
    near = centre - window * rng.uniform(0.2, 0.8)
    return float(np.clip(near, low, high))


def _resize_window(
    picture: Image.Image,
    ids: NDArray[np.uint8],
    box: tuple[float, float, float, float],
    size: int,
) -> tuple[Image.Image, NDArray[np.uint8]]:
    """The window at ``size`` x ``size``: bilinear for the picture, nearest for the ids."""
    left, top, right, bottom = box
    inner = (max(left, 0), max(top, 0), min(right, picture.width), min(bottom, picture.height))
    x0, x1 = (round((x - left) / (right - left) * size) for x in (inner[0], inner[2]))
    y0, y1 = (round((y - top) / (bottom - top) * size) for y in (inner[1], inner[3]))
    target = (max(x1 - x0, 1), max(y1 - y0, 1))
    image = Image.new("RGB", (size, size), FILL)
    image.paste(picture.resize(target, Image.Resampling.BILINEAR, box=inner), (x0, y0))
    mask = Image.new("L", (size, size), IGNORE)
    small = Image.fromarray(ids).resize(target, Image.Resampling.NEAREST, box=inner)
    mask.paste(small, (x0, y0))
    return image, np.asarray(mask)


def _recolour(image: Image.Image, how: Augmentation, rng: np.random.Generator) -> Image.Image:
    if rng.random() < how.grey:
        return image.convert("L").convert("RGB")
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = enhance(image).enhance(float(rng.uniform(1 - how.colour, 1 + how.colour)))
    return image
