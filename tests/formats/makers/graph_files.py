"""Ready graphs in every format, and the networks that they were made from."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from tests.formats.makers.answers import Author, Network, by_pillow, long_side, normal
from tests.formats.onnx_files import write_onnx
from tests.formats.photographs import Pixels
from tests.unit.scripts.readers.graph_files import (
    TinyGraph,
    write_ir,
    write_program,
    write_trace,
)
from tests.unit.tiny import LABELS

Size = tuple[int, int]
HALF = (0.5, 0.5, 0.5)
LONG_SIDE = 512
SQUARE = (384, 512)  # height and width of the graphs with one size
Write = Callable[[nn.Module, Path, Size | None], None]


def _logits(network: TinyGraph) -> Callable[[Tensor], Tensor]:
    """The network's logits; those of probabilities are their logarithms."""
    if network.kind == "probabilities":
        return lambda image: network(image).log()
    if network.kind == "sigmoid":
        return lambda image: torch.logit(network(image))
    if network.kind == "ids":
        return lambda image: nn.functional.one_hot(network(image), len(LABELS)).movedim(3, 1) * 1.0
    return network


def _maker(
    write: Write, kind: str, size: Size | None, threshold: float = 0.5
) -> Callable[[Path], Author]:
    def make(path: Path) -> Author:
        network = TinyGraph(kind, size).eval()
        write(network, path, size)

        def prepare(picture: Pixels) -> Tensor:
            wanted = size[::-1] if size else long_side(picture, LONG_SIDE)
            return normal(by_pillow(picture, wanted), HALF, HALF)

        return Network(prepare, _logits(network), threshold)

    return make


def onnx(kind: str, threshold: float = 0.5) -> Callable[[Path], Author]:
    """A maker of an ONNX file for any size."""
    return _maker(write_onnx, kind, None, threshold)


def torchscript(path: Path) -> Author:
    """A trace of one size, which gives probabilities."""
    return _maker(write_trace, "probabilities", SQUARE)(path)


def program(path: Path) -> Author:
    """A program of torch.export for any size."""
    return _maker(write_program, "logits", None)(path)


def openvino(path: Path) -> Author:
    """OpenVINO IR of one size, which gives class ids."""
    return _maker(write_ir, "ids", SQUARE)(path)
