"""ONNX files, written by torch's own exporter."""

import importlib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tests.unit.scripts.readers.graph_files import FIXED


def write_onnx(
    network: nn.Module,
    path: Path,
    size: tuple[int, int] | None = None,
    outputs: tuple[str, ...] = ("out",),
    **metadata: str,
) -> None:
    """ONNX by torch's own exporter, with metadata_props."""
    free = {} if size else {"image": {2: "height", 3: "width"}}
    example = torch.rand(1, 3, *(size or FIXED))
    torch.onnx.export(
        network.eval(),
        (example,),
        str(path),
        input_names=["image"],
        output_names=list(outputs),
        dynamic_axes=free,
        dynamo=False,
    )
    onnx: Any = importlib.import_module("onnx")
    model = onnx.load(path)
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)
