"""Small folders of labelled images in Pascal VOC's layout, drawn for the tests."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GREY, RED, GREEN = 0, 1, 2
COLOURS = {GREY: (120, 120, 120), RED: (220, 30, 30), GREEN: (30, 200, 60)}
SIZE = (96, 80)  # width, height


def draw(seed: int, class_id: int) -> tuple[Image.Image, NDArray[np.uint8]]:
    """A square of the class's colour on noisy grey, and its ids with a border to ignore."""
    rng = np.random.default_rng(seed)
    ids = np.zeros((SIZE[1], SIZE[0]), dtype=np.uint8)
    side = int(rng.integers(24, 44))
    top, left = (int(rng.integers(2, length - side - 2)) for length in (SIZE[1], SIZE[0]))
    ids[top - 1 : top + side + 1, left - 1 : left + side + 1] = 255
    ids[top : top + side, left : left + side] = class_id
    colours = np.array([COLOURS.get(index, COLOURS[GREY]) for index in range(256)])
    pixels = colours[np.where(ids == 255, 0, ids)] + rng.normal(0, 12, (*ids.shape, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), ids


def write(folder: Path, name: str, picture: Image.Image, ids: NDArray[np.uint8]) -> None:
    """Save one pair, the image as JPEG."""
    for part in ("JPEGImages", "SegmentationClass"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    picture.save(folder / "JPEGImages" / f"{name}.jpg", quality=92)
    Image.fromarray(ids).save(folder / "SegmentationClass" / f"{name}.png")


def make(folder: Path, pictures: int) -> Path:
    """``pictures`` pairs p00, p01, ..., red and green squares in turn."""
    for index in range(pictures):
        write(folder, f"p{index:02d}", *draw(index, (RED, GREEN)[index % 2]))
    return folder
