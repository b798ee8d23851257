"""Export of the network as a PyTorch program for a GPU.

Batch normalisation is folded into the convolutions, the weights lie channels-last, and in bf16
they are bf16 in the file already: to cast them for each picture would take half of its time.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.fx.experimental.optimization import fuse

from deeplab.spec import Precision
from deeplab.torch_engine import LARGEST_BATCH
from scripts.archives.atomic_write import reporting_failed_writes
from scripts.export.graphs import LogitsGraph

DTYPES: dict[Precision, torch.dtype] = {"f32": torch.float32, "bf16": torch.bfloat16}
EXAMPLE_BATCH = 2  # an example of one picture would fix the batch at one


class ProgramGraph(nn.Module):
    """(n, H, W, 3) uint8 RGB -> (n, classes, h, w) float32 logits, computed in ``dtype``."""

    def __init__(self, graph: LogitsGraph, dtype: torch.dtype):
        super().__init__()
        self.whole = LogitsGraph(_prepared(graph.network, dtype), graph.facts)
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.whole.network(self.whole.normalised(image).to(self.dtype))
        return logits.float().contiguous()  # class by class, as the handler goes over them


def write_program(
    graph: LogitsGraph,
    precision: Precision,
    path: Path,
    size: tuple[int, int],
    axes: Mapping[int, Any],
) -> None:
    """Write ``path`` (.pt2).

    size: (height, width) of the example that the program is traced with. axes: what these two,
    axes 1 and 2 of a batch, may be.
    """
    example = torch.zeros(EXAMPLE_BATCH, *size, 3, dtype=torch.uint8)
    free = {0: Dim("batch", min=1, max=LARGEST_BATCH), **axes}
    whole = ProgramGraph(graph, DTYPES[precision]).eval()
    program = torch.export.export(whole, (example,), dynamic_shapes=(free,))
    with reporting_failed_writes(path):
        torch.export.save(program, path)


def _prepared(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    folded: Any = _folded(copy.deepcopy(network).eval())
    prepared: nn.Module = folded.to(dtype=dtype, memory_format=torch.channels_last)
    return prepared


def _folded(network: nn.Module) -> nn.Module:
    """The network with batch normalisation folded into its convolutions, if it has any."""
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network
    folded: nn.Module = fuse(network)
    return folded
