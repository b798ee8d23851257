"""Faults of a trained network that no comparison with itself can show."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def weight_fault(state: Mapping[str, Tensor]) -> str | None:
    """The first tensor with values that are not numbers; None if all are finite."""
    for name, tensor in state.items():
        if tensor.is_floating_point() and not (finite := torch.isfinite(tensor)).all():
            count = int((~finite).sum())
            kind = "NaN" if torch.isnan(tensor).any() else "infinity"
            return f"{name} has {kind} in {count} of {tensor.numel()} values"
    return None


@contextmanager
def noting_faults(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collect, during the block, the inputs for which the network's output is not finite."""
    inputs: list[Tensor] = []

    def look(_module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        if not inputs and not torch.isfinite(output).all():
            inputs.append(arguments[0].clone())

    hook = network.register_forward_hook(look)
    try:
        yield inputs
    finally:
        hook.remove()


def output_fault(network: nn.Module, image: Tensor) -> str | None:
    """The first layer whose output is not finite; None if the network's output is.

    image: the input that ``network`` takes, such as (1, H, W, 3) uint8 for a graph.
    """
    faults: list[str] = []

    def look(name: str, module: nn.Module, output: object) -> None:
        if not faults and isinstance(output, Tensor) and not torch.isfinite(output).all():
            faults.append(f"{name or 'the network'} ({type(module).__name__})")

    hooks = [
        module.register_forward_hook(
            lambda module, _arguments, output, name=name: look(name, module, output)
        )
        for name, module in network.named_modules()
        if not list(module.children())
    ]
    try:
        with torch.inference_mode():
            look("", network, network(image))
    finally:
        for hook in hooks:
            hook.remove()
    return faults[0] if faults else None


def degeneracy(masks: Sequence[NDArray[np.uint8]], labels: Mapping[int, str]) -> str | None:
    """The warning for a network that gives one class everywhere; None if it gives several.

    masks: (h, w) uint8 class ids, one for each photograph.
    """
    seen = sorted({int(index) for mask in masks for index in np.unique(mask)})
    if len(seen) != 1:
        return None
    name = labels.get(seen[0], "?")
    return (
        f"the network gives one class, {seen[0]} ({name}), to every pixel of all {len(masks)} "
        "photographs: any export of it agrees; measure it with `segserve evaluate` on your data"
    )
