"""The roofline of a network: the least time of its convolutions on a device."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

BF16_BYTES = 2
MATRIX, COPIED_FLOATS = 8192, 1 << 30


@dataclass(frozen=True)
class Ceilings:
    """The measured ceilings of a device: operations and bytes per second."""

    flops: float
    bytes: float


@dataclass(frozen=True)
class NetworkCost:
    """The cost of one image: operations, bytes, and the least time in seconds."""

    flops: float
    bytes: float
    seconds: float


def ceilings() -> Ceilings:
    """Measure the ceilings: a large bf16 matrix product, and a large copy, read plus write."""
    left, right = (
        torch.randn(MATRIX, MATRIX, device="cuda", dtype=torch.bfloat16) for _ in range(2)
    )
    product_s = seconds_of(lambda: left @ right)
    source = torch.randn(COPIED_FLOATS, device="cuda")
    target = torch.empty_like(source)
    copy_s = seconds_of(lambda: target.copy_(source))
    return Ceilings(2 * MATRIX**3 / product_s, 2 * source.nbytes / copy_s)


def seconds_of(work: Callable[[], Any], repeats: int = 20) -> float:
    """The median time by the device's clock, after three warm-up runs."""
    times: list[float] = []
    for _ in range(3 + repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]  # torch has no types here
        start.record()
        work()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1e3)
    return median(times[3:])


def network_cost(
    network: nn.Module, size: tuple[int, int], batch: int, limits: Ceilings
) -> NetworkCost:
    """The least cost of each of ``batch`` images of (height, width), in bf16.

    Each convolution reads its input and its weights once and writes its output once, and takes the
    longer of the times for its arithmetic and for its bytes. All between them is free.
    """
    layers: list[tuple[float, float]] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        weights = layer.get_parameter("weight")
        flops = 2.0 * output.numel() * weights[0].numel()
        moved = batch * (inputs[0].numel() + output.numel()) + weights.numel()
        layers.append((batch * flops, BF16_BYTES * moved))

    hooks = [
        module.register_forward_hook(note)
        for module in network.modules()
        if isinstance(module, nn.Conv2d)
    ]
    with torch.inference_mode():
        network(torch.zeros(1, 3, *size))
    for hook in hooks:
        hook.remove()
    seconds = sum(max(flops / limits.flops, moved / limits.bytes) for flops, moved in layers)
    return NetworkCost(
        sum(flops for flops, _ in layers) / batch,
        sum(moved for _, moved in layers) / batch,
        seconds / batch,
    )
