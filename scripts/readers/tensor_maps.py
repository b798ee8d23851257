"""State dicts in what a file holds, found by looking for tensors."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from scripts.readers.torch_files.inert import Inert
from scripts.readers.torch_files.tensors import NumpyArray, Unusable

DEEPEST = 12
OTHER_TENSORS = ("optim", "grad", "momentum")  # named like the parameters, but not their values


@dataclass(frozen=True)
class TensorMap:
    """Tensors by name. place: the keys on the way, joined by dots; "" at the top.

    The values are tensors, or ``Unusable`` ones.
    """

    place: str
    tensors: dict[str, object]


def tensor_maps(value: object) -> list[TensorMap]:
    """The dictionaries with tensors, outer ones first."""
    return list(_direct(value, (), set()))


def whole_branches(value: object) -> list[TensorMap]:
    """All tensors below a key as one: for networks that were saved part by part."""
    branches = [("", value), *_children(value)]
    maps = [TensorMap(key, dict(_flat(branch, (), set()))) for key, branch in branches]
    return [each for each in maps if each.tensors]


def _direct(value: object, place: tuple[str, ...], seen: set[int]) -> Iterator[TensorMap]:
    if id(value) in seen or len(place) > DEEPEST or _is_other(place):
        return
    seen.add(id(value))
    children = list(_children(value))
    tensors = {key: tensor for key, each in children if (tensor := _tensor(each)) is not None}
    if tensors:
        yield TensorMap(".".join(place), tensors)
    for key, each in children:
        yield from _direct(each, (*place, key), seen)


def _flat(value: object, place: tuple[str, ...], seen: set[int]) -> Iterator[tuple[str, object]]:
    """Every tensor below, by the keys on the first way to it."""
    if id(value) in seen or len(place) > DEEPEST or _is_other(place):
        return
    seen.add(id(value))
    for key, each in _children(value):
        tensor = _tensor(each)
        if tensor is not None:
            yield ".".join((*place, key)), tensor
        else:
            yield from _flat(each, (*place, key), seen)


def _is_other(place: tuple[str, ...]) -> bool:
    return bool(place) and any(word in place[-1].casefold() for word in OTHER_TENSORS)


def _tensor(value: object) -> object | None:
    if isinstance(value, NumpyArray):
        return value.tensor
    return value if isinstance(value, (Tensor, Unusable)) else None


def _children(value: object) -> list[tuple[str, object]]:
    """(key, value) of a dictionary, of a list of such pairs, or of an object's attributes."""
    children: list[tuple[str, object]] = []
    if isinstance(value, Inert) and isinstance(value.state, dict) and "_modules" not in value.state:
        children += _children(value.state)
    if isinstance(value, dict):  # dict's own method: a file may give an instance others
        children += [(str(key), each) for key, each in dict.items(value)]
    if isinstance(value, (list, tuple)):
        children += _pairs(value)
    return children


def _pairs(value: list[object] | tuple[object, ...]) -> list[tuple[str, object]]:
    pairs = [each for each in value if isinstance(each, tuple) and len(each) == 2]
    if pairs and len(pairs) == len(value) and all(isinstance(key, str) for key, _ in pairs):
        return [(str(key), each) for key, each in pairs]
    # Bare tensors in a list have no names; dictionaries in it may have.
    return [
        (str(index), each) for index, each in enumerate(value) if isinstance(each, (dict, list))
    ]
