"""The sizes of pictures that a graph is traced for."""

from typing import Any

from torch.export import Dim

from deeplab.spec import InputSize

SMALLEST_SIDE, LARGEST_SIDE = 32, 8192  # pixels
# Where the short side has a length, only panoramas have less; some networks need that much.
SMALLEST_SHORT_SIDE = 64
EXAMPLE_SIZE = (385, 513)  # (height, width)


def example_size(size: InputSize) -> tuple[int, int]:
    """(height, width) of the example that a graph is traced with."""
    if size.fit == "fixed":
        return size.height, size.width
    height, width = (round(side / size.multiple) * size.multiple for side in EXAMPLE_SIZE)
    return height, width


def free_axes(size: InputSize) -> dict[int, Any]:
    """Axes 1 and 2 of (n, H, W, 3) and what they may be; none are free for a fixed size."""
    if size.fit == "fixed":
        return {}
    step = size.multiple
    smallest = SMALLEST_SHORT_SIDE if size.fit == "short_side" else SMALLEST_SIDE
    first, last = -(-smallest // step), LARGEST_SIDE // step
    names = {1: "height", 2: "width"}
    if step == 1:
        return {axis: Dim(name, min=first, max=last) for axis, name in names.items()}
    return {axis: step * Dim(f"{name}_steps", min=first, max=last) for axis, name in names.items()}
