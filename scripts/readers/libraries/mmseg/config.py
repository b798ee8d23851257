"""mmsegmentation's configuration as text in a checkpoint: read as data, never run."""

import ast
from collections.abc import Mapping
from typing import Any


def read_config(text: object) -> dict[str, Any]:
    """The values assigned in the text; what is no plain value is left out.

    Both generations of the library write dicts, lists, tuples and constants.
    """
    if not isinstance(text, str):
        return {}
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return {}
    values: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values[node.targets[0].id] = _value(node.value, values)
    return {name: value for name, value in values.items() if value is not None}


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value of a literal, of dict(...) with literals, or of a name from above; else None."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item, names) for item in items]
        case ast.Dict(keys=keys, values=items):
            return {
                key.value: _value(item, names)
                for key, item in zip(keys, items, strict=True)
                if isinstance(key, ast.Constant)
            }
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=keywords):
            return {each.arg: _value(each.value, names) for each in keywords if each.arg}
        case ast.Name(id=name):
            return names.get(name)
        case _:
            return None


def mapping(value: object) -> dict[str, Any]:
    """The value if it is a dict, else an empty one."""
    return value if isinstance(value, dict) else {}


def resize_of_test(config: Mapping[str, Any]) -> tuple[tuple[int, int], bool] | None:
    """((long side or width, short side or height), keep_ratio) of the test's resizing; or None."""
    pipeline = config.get("test_pipeline")
    for step in pipeline if isinstance(pipeline, list) else []:
        found = _scale(mapping(step), None)
        if found is not None:
            return found
    return None


def _scale(step: Mapping[str, Any], above: object) -> tuple[tuple[int, int], bool] | None:
    """Of a step, or of one inside it: the older generation nests Resize, and scales above it."""
    scale = step.get("scale", step.get("img_scale", above))
    if step.get("type") == "Resize" and _is_pair(scale):
        return (int(scale[0]), int(scale[1])), bool(step.get("keep_ratio", above is not None))
    inner = step.get("transforms")
    for each in inner if isinstance(inner, list) else []:
        found = _scale(mapping(each), scale)
        if found is not None:
            return found
    return None


def _is_pair(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(each, int) and each > 0 for each in value)
    )
