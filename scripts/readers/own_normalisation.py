"""The range of values that a graph expects, where it normalises by itself."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

UNCHANGED = ("Convert", "ConvertLike", "Transpose")
RANGES = (255.0, 1.0)
# What data sets' means and deviations are, for values in 0..1.
MEAN_FROM, MEAN_TO = 0.05, 0.95
STD_FROM, STD_TO = 0.03, 0.7

Vector = NDArray[np.float64]


def own_range(model: Any) -> float | None:
    """255 or 1: the largest value of a picture that the graph then normalises by itself.

    None where its first operations are no normalisation, as of a network behind one.
    """
    scale, offset = _first_operations(model)
    return next((top for top in RANGES if _is_normalisation(scale * top, offset, top)), None)


def _is_normalisation(scale: Vector, offset: Vector, top: float) -> bool:
    """Whether 0..1, times scale and plus offset, is less a mean by a deviation."""
    if (scale <= 0).any():
        return False
    if np.allclose(scale, 1, rtol=0.01) and not offset.any():
        return top > 1  # a division by 255
    mean, std = -offset / scale, 1 / scale
    are_means = (mean > MEAN_FROM).all() and (mean < MEAN_TO).all()
    return bool(are_means and (std > STD_FROM).all() and (std < STD_TO).all())


def _first_operations(model: Any) -> tuple[Vector, Vector]:
    """(scale, offset) of each channel, 3 values: what becomes of the input before any filter."""
    scale, offset = np.ones(3), np.zeros(3)
    target = _only_target(model.inputs[0].get_node().output(0))
    while target is not None:
        node = target.get_node()
        kind = node.get_type_name()
        if kind not in UNCHANGED:
            value = _operand(node, 1 - target.get_index())
            is_reversed = target.get_index() == 1 and kind in ("Divide", "Subtract")
            if value is None or is_reversed or (kind == "Divide" and not value.all()):
                break
            if kind in ("Multiply", "Divide"):
                factor = value if kind == "Multiply" else 1 / value
                scale, offset = scale * factor, offset * factor
            elif kind in ("Add", "Subtract"):
                offset = offset + (value if kind == "Add" else -value)
            else:
                break
        target = _only_target(node.output(0))
    return scale, offset


def _only_target(output: Any) -> Any | None:
    """The only operation that takes an output for its values; None if there are several."""
    targets = [each for each in output.get_target_inputs() if not _looks_at_form(each)]
    return targets[0] if len(targets) == 1 else None


def _looks_at_form(target: Any) -> bool:
    kind = str(target.get_node().get_type_name())
    is_type = kind == "ConvertLike" and target.get_index() == 1
    return kind in ("ConvertPromoteTypes", "ShapeOf") or bool(is_type)


def _operand(node: Any, index: int) -> Vector | None:
    """The other operand, one value for each channel; None if it is computed, or of another size."""
    values = _constant(node.input_value(index).get_node()) if node.get_input_size() == 2 else None
    return np.broadcast_to(values, 3) if values is not None and values.size in (1, 3) else None


def _constant(node: Any) -> Vector | None:
    """A constant's values, also behind a change of type or a factor, as PyTorch's x - alpha * y."""
    kind = node.get_type_name()
    if kind == "Constant":
        return np.asarray(node.get_data(), dtype=np.float64).ravel()
    if kind in UNCHANGED:
        return _constant(node.input_value(0).get_node())
    if kind != "Multiply":
        return None
    factors = [_constant(node.input_value(index).get_node()) for index in (0, 1)]
    if factors[0] is None or factors[1] is None or 1 not in (factors[0].size, factors[1].size):
        return None
    return factors[0] * factors[1]
