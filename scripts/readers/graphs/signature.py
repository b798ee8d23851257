"""The input and the outputs of a ready graph: which axis is which."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scripts.readers.graphs.formats import GraphError

TYPES = {"f32": np.float32, "f16": np.float16, "f64": np.float64, "u8": np.uint8}
TYPES |= {"float32": np.float32, "float16": np.float16, "float64": np.float64, "uint8": np.uint8}
# As torchvision and others call the logits among several outputs, and what is none of them.
MAIN_OUTPUT = "out"
MAIN_OUTPUTS = ("logits", "segmentation", "seg", "masks", "mask", "pred", "prediction", "output")
OTHER_OUTPUTS = ("aux", "feature", "feat", "edge", "boundary", "hidden", "embed")


@dataclass(frozen=True)
class ImageInput:
    """The input of a graph. height, width: in pixels, None where any will do."""

    layout: Literal["NCHW", "NHWC"]
    height: int | None
    width: int | None
    dtype: Any

    @property
    def is_fixed(self) -> bool:
        """Whether the graph takes pictures of one size only."""
        return self.height is not None and self.width is not None

    @property
    def takes_bytes(self) -> bool:
        """Whether the graph takes levels 0..255 as they are, and normalises by itself."""
        return bool(np.issubdtype(self.dtype, np.integer))

    def arranged(self, picture: NDArray[np.float32]) -> NDArray[Any]:
        """(1, 3, H, W) float32, normalised -> the same as the graph takes it."""
        levels = np.rint(picture).clip(0, 255) if self.takes_bytes else picture
        ordered = levels.transpose(0, 2, 3, 1) if self.layout == "NHWC" else levels
        return np.ascontiguousarray(ordered.astype(self.dtype))


def image_input(model: Any) -> ImageInput:
    """The only input of an OpenVINO model. Raises GraphError unless it is one RGB image."""
    if len(model.inputs) != 1:
        names = ", ".join(sorted(min(each.get_names(), default="?") for each in model.inputs))
        raise GraphError(f"it has {len(model.inputs)} inputs ({names}): export it with the image")
    port = model.inputs[0]
    shape = [_side(axis) for axis in port.partial_shape] if _has_rank(port) else []
    if len(shape) != 4:
        raise GraphError(f"its input {_shown(port)} is no image (1, 3, height, width)")
    name = port.element_type.get_type_name()
    if name not in TYPES:
        raise GraphError(f"its input is of type {name}: export it for float32 or uint8 images")
    if shape[0] not in (None, 1):
        raise GraphError(f"it takes {shape[0]} images at once: export it for one")
    layout: Literal["NCHW", "NHWC"]
    if shape[1] == 3 or (shape[1] is None and shape[3] != 3):
        layout, (height, width) = "NCHW", shape[2:]
    elif shape[3] == 3:
        layout, (height, width) = "NHWC", shape[1:3]
    else:
        raise GraphError(f"its input {_shown(port)} has no axis of 3 channels: it must be RGB")
    if (height is None) != (width is None):
        raise GraphError(f"its input {_shown(port)} fixes one side only: export both or none")
    return ImageInput(layout, height, width, TYPES[name])


def _has_rank(port: Any) -> bool:
    return bool(port.partial_shape.rank.is_static)


def _side(axis: Any) -> int | None:
    return int(axis.get_length()) if axis.is_static else None


def _shown(port: Any) -> str:
    return str(port.partial_shape).replace(",", ", ")


@dataclass(frozen=True)
class MaskOutput:
    """The output with the classes. channels_last: (1, h, w, C), otherwise (1, C, h, w)."""

    index: int
    name: str
    channels_last: bool

    def planes(self, outputs: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """All outputs -> (C, h, w) of this one; C is 1 where it has no such axis."""
        found = outputs[self.index]
        if found.ndim == 4:
            found = found[0].transpose(2, 0, 1) if self.channels_last else found[0]
        return found


def mask_output(
    outputs: Sequence[NDArray[Any]],
    names: Sequence[str],
    picture: ImageInput,
    size: tuple[int, int],
    classes: int | None = None,
) -> MaskOutput:
    """The output with the classes: the one called "out", else the first image that is like one.

    outputs: for a picture of ``size`` (height, width). classes: the number of labels, if known.
    Raises GraphError if there is no such output.
    """
    labelled = [names[i] if i < len(names) else "" for i in range(len(outputs))]
    images = [i for i, each in enumerate(outputs) if _is_image(each)]
    if not images:
        shapes = ", ".join(str(tuple(each.shape)) for each in outputs)
        kind = "a classifier's" if all(each.ndim == 2 for each in outputs) else "no masks"
        raise GraphError(f"its output {shapes} is {kind}: a segmentation network has height, width")
    found = [_as_output(i, labelled[i], outputs[i].shape, picture, size) for i in images]
    return min(found, key=lambda each: _rank(each, outputs[each.index].shape, classes))


def _as_output(
    index: int, name: str, shape: Sequence[int], picture: ImageInput, size: tuple[int, int]
) -> MaskOutput:
    return MaskOutput(index, name, len(shape) == 4 and _is_last(shape, picture, size))


def _rank(output: MaskOutput, shape: Sequence[int], classes: int | None) -> tuple[bool, ...]:
    """By name "out", then the labels' number, then other names; min takes the first of equals."""
    name = output.name.casefold()
    channels = 1 if len(shape) == 3 else shape[3 if output.channels_last else 1]
    return (
        name != MAIN_OUTPUT,
        classes is not None and channels not in (1, classes),
        name not in MAIN_OUTPUTS,
        any(word in name for word in OTHER_OUTPUTS),
    )


def _is_image(array: NDArray[Any]) -> bool:
    return array.ndim in (3, 4) and array.shape[0] == 1 and min(array.shape[-2:]) >= 1


def _is_last(shape: Sequence[int], picture: ImageInput, size: tuple[int, int]) -> bool:
    """Whether the classes are the last axis: where the other two have the picture's proportions."""
    _, first, second, third = shape
    as_last, as_first = _distance((first, second), size), _distance((second, third), size)
    if math.isclose(as_last, as_first, abs_tol=0.02):
        return picture.layout == "NHWC"
    return as_last < as_first


def _distance(shape: tuple[int, int], size: tuple[int, int]) -> float:
    return abs(math.log(shape[0] / size[0]) - math.log(shape[1] / size[1]))
