"""The state dict in what a file of weights holds."""

from collections.abc import Mapping

from torch import Tensor


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
