"""Our contract around a graph, in OpenVINO's operations: normalised pictures in, logits out."""

import importlib
from typing import Any

import numpy as np

from deeplab.engines import import_openvino
from scripts.readers.graphs.outputs import (
    ID_LOGIT,
    SMALLEST_PROBABILITY,
    SMALLEST_SIGMOID,
    Meaning,
)
from scripts.readers.graphs.signature import ImageInput

# Operations between argmax and an output of class ids that change none of them.
NEUTRAL = ("Convert", "Squeeze", "Unsqueeze", "Reshape")


def _operations() -> Any:
    import_openvino()
    return importlib.import_module("openvino.opset13")


def with_contract(model: Any, picture: ImageInput, meaning: Meaning) -> Any:
    """The model as (1, 3, H, W) float32, normalised -> (1, classes, h, w) float32 logits.

    The model itself is used up.
    """
    ov, ops = import_openvino(), _operations()
    (old,) = model.get_parameters()
    sides = [picture.height or -1, picture.width or -1]
    new = ops.parameter(ov.PartialShape([1, 3, *sides]), np.float32, name="normalised")
    arranged = new
    if picture.takes_bytes:
        arranged = ops.clamp(ops.round(arranged, "half_to_even"), 0.0, 255.0)
    if picture.layout == "NHWC":
        arranged = ops.transpose(arranged, np.array([0, 2, 3, 1], dtype=np.int64))
    wanted = old.get_element_type().to_dtype()
    if wanted != np.float32:
        arranged = ops.convert(arranged, old.get_element_type().get_type_name())
    output = model.outputs[meaning.output.index].get_node().input_value(0)
    if output.get_node() == old:
        output = arranged.output(0)
    old.output(0).replace(arranged.output(0))
    logits = _logits(output, meaning)
    result = ov.Model([logits.output(0)], [new], "network")
    result.validate_nodes_and_infer_types()
    return result


def _logits(output: Any, meaning: Meaning) -> Any:
    """(1, classes, h, w) float32 logits of the original's output."""
    if meaning.kind == "ids":
        before = _before_argmax(output, meaning.classes)
        return _one_hot(output, meaning) if before is None else _scores(before, meaning)
    return _scores(output, meaning)


def _scores(output: Any, meaning: Meaning) -> Any:
    """Logits of a channel for each class, or of one channel."""
    ops = _operations()
    values = _ordered(output, meaning)
    if meaning.kind == "probabilities":
        inner = _input_of(output, "Softmax")
        if inner is not None:  # what softmax took gives the same classes, without its rounding
            return _ordered(inner, meaning)
        return ops.log(ops.clamp(values, SMALLEST_PROBABILITY, 1.0))
    if meaning.kind == "sigmoid":
        inner = _input_of(output, "Sigmoid")
        values = _inverse_sigmoid(values) if inner is None else _ordered(inner, meaning)
    if not meaning.is_single:
        return values
    present = ops.subtract(values, np.float32(meaning.offset))
    absent = ops.multiply(values, np.float32(0))
    return ops.concat([absent, present], 1)


def _inverse_sigmoid(values: Any) -> Any:
    ops = _operations()
    inside = ops.clamp(values, SMALLEST_SIGMOID, 1 - SMALLEST_SIGMOID)
    return ops.subtract(ops.log(inside), ops.log(ops.subtract(np.float32(1), inside)))


def _ordered(output: Any, meaning: Meaning) -> Any:
    """(1, C, h, w) float32 of an output in the original's layout."""
    ops = _operations()
    values = ops.convert(output, "f32")
    if len(output.get_partial_shape()) == 3:
        values = ops.unsqueeze(values, np.array([1], dtype=np.int64))
    elif meaning.output.channels_last:
        values = ops.transpose(values, np.array([0, 3, 1, 2], dtype=np.int64))
    return values


def _one_hot(output: Any, meaning: Meaning) -> Any:
    """Class ids as logits: (1, 1, h, w) or (1, h, w) -> (1, classes, h, w)."""
    ops = _operations()
    ids = _ordered(output, meaning)
    classes = np.arange(meaning.classes, dtype=np.float32).reshape(1, -1, 1, 1)
    return ops.multiply(ops.convert(ops.equal(ids, classes), "f32"), np.float32(ID_LOGIT))


def _input_of(output: Any, kind: str) -> Any | None:
    """What goes into the operation that gives ``output``, if it is of ``kind`` over all classes."""
    node = output.get_node()
    return node.input_value(0) if node.get_type_name() == kind else None


def _before_argmax(output: Any, classes: int) -> Any | None:
    """What the graph takes the largest of, (1, classes, h, w), where argmax is its last step."""
    node = output.get_node()
    while node.get_type_name() in NEUTRAL:
        output = node.input_value(0)
        node = output.get_node()
    if node.get_type_name() != "TopK" or output.get_index() != 1:
        return None
    scores = node.input_value(0)
    shape = scores.get_partial_shape()
    is_over_classes = len(shape) == 4 and shape[1].is_static and shape[1].get_length() == classes
    takes_largest = node.get_attributes().get("mode") == "max" and node.get_axis() == 1
    return scores if is_over_classes and takes_largest else None


def classes_of_argmax(model: Any, index: int) -> int | None:
    """The number of classes that a graph with class ids as its output chooses from."""
    node = model.outputs[index].get_node().input_value(0).get_node()
    while node.get_type_name() in NEUTRAL:
        node = node.input_value(0).get_node()
    if node.get_type_name() != "TopK":
        return None
    axis = node.input_value(0).get_partial_shape()[node.get_axis()]
    return int(axis.get_length()) if axis.is_static else None
