"""Tiny networks as ready graphs: every kind of output, written in every form."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional as F

from deeplab.engines import import_openvino
from scripts.archives.paths import ROOT
from scripts.networks.facts import MEAN, STD
from tests.unit.tiny import LABELS, tiny_network

FIXED = (96, 128)  # height and width of graphs of one size


class TinyGraph(nn.Module):
    """A network that upsamples by itself. kind: what it gives. size: (height, width) if fixed."""

    def __init__(self, kind: str, size: tuple[int, int] | None = None):
        super().__init__()
        self.network, self.kind, self.size = tiny_network(), kind, size

    def forward(self, image: Tensor) -> Tensor:
        """Normalised (N, 3, H, W) float32 -> the kind of output at the picture's size."""
        size = self.size if self.size is not None else (image.shape[2], image.shape[3])
        full = F.interpolate(self.network(image), size=size, mode="bilinear", align_corners=False)
        if self.kind == "probabilities":
            return full.softmax(dim=1)
        if self.kind == "ids":
            return full.argmax(dim=1)
        if self.kind == "sigmoid":
            return torch.sigmoid(full[:, 1:2] - full[:, :1])
        if self.kind == "one logit":
            return full[:, 1:2] - full[:, :1]
        return full


class Main(nn.Module):
    """A network of which the output "out" comes second."""

    def __init__(self, *, is_tuple: bool) -> None:
        super().__init__()
        self.network, self.is_tuple = TinyGraph("logits"), is_tuple

    def forward(self, image: Tensor) -> Any:
        logits = self.network(image)
        if self.is_tuple:
            return logits.mean((2, 3)), logits
        return {"aux": -logits, "out": logits}


def write_script(network: nn.Module, path: Path, size: tuple[int, int] | None = None) -> None:
    """TorchScript of a network's code."""
    torch.jit.script(network.eval()).save(str(path))  # type: ignore[no-untyped-call]  # torch has no types here


def write_trace(network: nn.Module, path: Path, size: tuple[int, int] | None = None) -> None:
    """TorchScript of what one picture ran."""
    example = torch.rand(1, 3, *(size or FIXED))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network.eval(), example, strict=False).save(str(path))  # type: ignore[no-untyped-call]  # as above


def write_program(network: nn.Module, path: Path, size: tuple[int, int] | None = None) -> None:
    """A program of torch.export; dynamic unless there is a size."""
    free = {2: Dim("height", min=32, max=4096), 3: Dim("width", min=32, max=4096)}
    shapes = None if size else (free,)
    example = torch.rand(1, 3, *(size or FIXED))
    program = torch.export.export(network.eval(), (example,), dynamic_shapes=shapes)
    torch.export.save(program, path)


def write_ir(network: nn.Module, path: Path, size: tuple[int, int] | None = None) -> None:
    """OpenVINO IR, in f32."""
    ov = import_openvino()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ov.convert_model(network.eval(), example_input=torch.rand(1, 3, *(size or FIXED)))
    height, width = size or (-1, -1)
    model.reshape([1, 3, height, width])
    ov.save_model(model, path, compress_to_fp16=False)


Write = Callable[[nn.Module, Path, tuple[int, int] | None], None]
FORMS: dict[str, tuple[Write, str]] = {
    "script": (write_script, "net.pt"),
    "trace": (write_trace, "net.torchscript"),
    "program": (write_program, "net.pt2"),
    "ir": (write_ir, "net.xml"),
}


def labels_file(folder: Path) -> Path:
    """The tiny network's labels."""
    path = folder / "labels.json"
    path.write_text(json.dumps({str(index): name for index, name in LABELS.items()}))
    return path


def photographs() -> list[NDArray[np.uint8]]:
    """All twelve photographs, (height, width, 3) uint8 RGB."""
    folders = (ROOT / "ui" / "examples", ROOT / "model_store" / "photographs")
    paths = sorted(path for folder in folders for path in folder.glob("*.jpg"))
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


def eager_ids(
    network: nn.Module, pixels: NDArray[np.uint8], threshold: float = 0.5
) -> NDArray[np.uint8]:
    """(1, h, w, 3) uint8 RGB -> (h, w) uint8, by the network as its author would run it."""
    values = torch.from_numpy(pixels.copy()).float() / 255
    values = (values - torch.tensor(MEAN)) / torch.tensor(STD)
    with torch.inference_mode():
        found = network(values.permute(0, 3, 1, 2))
    if found.ndim == 3:
        ids = found[0]
    elif found.shape[1] == 1:
        share = found if network.kind == "sigmoid" else torch.sigmoid(found)
        ids = (share > threshold)[0, 0]
    else:
        ids = found.argmax(dim=1)[0]
    expected: NDArray[np.uint8] = ids.to(torch.uint8).numpy()
    return expected
