"""Sample masks: real ones, random ones, and edge cases of the formats."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GOLDEN = Path(__file__).parents[2] / "e2e" / "golden"


def golden(name: str) -> NDArray[np.uint8]:
    """The reference mask of a photograph."""
    return np.asarray(Image.open(GOLDEN / f"{name}.png"))


def drawn(*rows: str) -> NDArray[np.uint8]:
    """A mask from rows of digits, each a class id."""
    return np.array([[int(digit) for digit in row] for row in rows], np.uint8)


def _random(seed: int) -> NDArray[np.uint8]:
    """A random mask of a random size: scattered pixels, areas or rows."""
    random = np.random.default_rng(seed)
    height, width, classes = random.integers(1, (40, 40, 7))
    ids = random.integers(0, classes, (height, width)).astype(np.uint8)
    if seed % 3 == 1:
        return ids.repeat(5, axis=0).repeat(3, axis=1)
    return np.sort(ids, axis=seed % 2) if seed % 3 == 2 else ids


SAMPLES: dict[str, NDArray[np.uint8]] = {
    "astronaut": golden("astronaut"),
    "cat": golden("cat"),
    "one pixel": np.full((1, 1), 15, np.uint8),
    "one row": drawn("0110222"),
    "one column": drawn("0110222").T,
    "one class": np.full((30, 40), 7, np.uint8),
    "background only": np.zeros((20, 10), np.uint8),
    "every byte": np.arange(256, dtype=np.uint8).reshape(8, 32),
    "columns": np.tile(np.array([3, 3, 0], np.uint8), (9, 4)),
    "rows": np.tile(np.array([[2], [0], [0]], np.uint8), (5, 8)),
    "round the corner": drawn("001", "000", "100"),
    "corners that touch": drawn("1010", "0101", "1010"),
    "ring in a ring": drawn("1111111", "1000001", "1011101", "1010101", "1011101", "1000001")
    .repeat(3, axis=0)
    .repeat(3, axis=1),
    # Longer than 16 bits can express, and exactly as long.
    "long runs": np.repeat(np.array([0, 1, 0], np.uint8), [70_000, 16_384, 140_000]).reshape(8, -1),
    "a view": golden("cat")[::2, 10:200],
    **{f"random {seed}": _random(seed) for seed in range(24)},
}
