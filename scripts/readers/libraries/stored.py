"""A saved checkpoint as data: tensors and plain values; of everything else an empty stand-in."""

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from scripts.networks.checkpoints import CheckpointError

# What a file may name besides torch's storages and types; none of them has a side effect.
REBUILD = {"_rebuild_tensor_v2", "_rebuild_parameter"}
PLAIN: dict[tuple[str, str], Any] = {("collections", "OrderedDict"): OrderedDict}


class Inert:
    """Stands for an object of a class that is not loaded: takes everything, does nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, *_: object, **__: object) -> "Inert":
        return self

    def __setstate__(self, _: object) -> None:
        pass

    def __setitem__(self, _: object, __: object) -> None:
        pass

    def append(self, _: object) -> None:
        pass

    def extend(self, _: object) -> None:
        pass


class _DataUnpickler(pickle._Unpickler):  # the one in C cannot be told what is callable
    """Finds only what rebuilds tensors, so that loading runs no code of the file."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch._utils" and name in REBUILD:
            return getattr(torch._utils, name)
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype | type):
            found = getattr(torch, name)
            known = isinstance(found, torch.dtype) or found is torch.Size
            return found if known or name.endswith("Storage") else Inert
        return PLAIN.get((module, name), Inert)


_DATA = SimpleNamespace(
    Unpickler=_DataUnpickler, load=lambda file, **_: _DataUnpickler(file).load(), __name__="data"
)


def read_stored(path: Path) -> object:
    """The content of a .safetensors or .pth file. Raises CheckpointError."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=False, pickle_module=_DATA)
    except FileNotFoundError as exc:
        raise CheckpointError(f"--weights {path}: there is no such file") from exc
    except Exception as exc:  # pickle, zip and safetensors raise what they like
        reason = str(exc).splitlines()[0][:200] if str(exc) else type(exc).__name__
        raise CheckpointError(f"--weights {path}: not a readable checkpoint ({reason})") from exc


def state_of(stored: object) -> dict[str, Tensor]:
    """The tensors as float32, from the wrapping that holds most of them; {} if there are none."""
    found = _tensors(stored)
    inner = stored.values() if isinstance(stored, Mapping) else ()
    for each in inner:
        below = _tensors(each)
        found = below if len(below) > len(found) else found
    return {
        name: value.detach().float() if value.is_floating_point() else value
        for name, value in found.items()
    }


def _tensors(value: object) -> dict[str, Tensor]:
    if not isinstance(value, Mapping):
        return {}
    return {str(name): each for name, each in value.items() if isinstance(each, Tensor)}
