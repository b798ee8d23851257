"""Write an exported program as OpenVINO IR that keeps its accuracy in bf16."""

import warnings
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from torch.export import ExportedProgram

from deeplab.engines import import_openvino
from scripts.archives.atomic_write import reporting_failed_writes
from scripts.export.graphs import LogitsGraph
from scripts.networks.ready_graph import ReadyGraph

PRECISE_CONVOLUTIONS = 2
CONVOLUTIONS = ("Convolution", "GroupConvolution")


def write_ir(program: ExportedProgram, path: Path, *, exact: bool = False) -> None:
    """Write ``path`` (.xml) and its weights (.bin), computed in the engine's precision.

    exact: whether the weights stay in f32; otherwise they are fp16, in half the space.
    """
    ov = import_openvino()
    with warnings.catch_warnings():
        # torch warns about its own code when OpenVINO copies the program.
        warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
        model = ov.convert_model(program)
    write_model(model, path, exact=exact)


def write_model(model: Any, path: Path, *, exact: bool) -> None:
    """Write an OpenVINO model as ``write_ir`` does."""
    ov = import_openvino()
    with reporting_failed_writes(path):
        ov.save_model(model, path, compress_to_fp16=not exact)
    keep_first_convolutions_precise(path)


def with_normalisation(graph: LogitsGraph, ready: ReadyGraph) -> Any:
    """An OpenVINO model of a ready graph: (1, H, W, 3) uint8 RGB -> (1, classes, h, w) logits."""
    ov = import_openvino()
    processor = ov.preprocess.PrePostProcessor(ready.model.clone())
    picture = processor.input()
    picture.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    picture.model().set_layout(ov.Layout("NCHW"))
    steps = picture.preprocess().convert_element_type(ov.Type.f32)
    # PrePostProcessor's own steps subtract before they divide, and so round otherwise than torch.
    std, mean = 1 / graph.scale.flatten(), graph.shift.flatten() / graph.scale.flatten()
    steps.mean(mean.tolist()).scale(std.tolist())
    if graph.is_bgr:
        steps.reverse_channels()
    return processor.build()


def keep_first_convolutions_precise(path: Path) -> None:
    """Mark everything up to the second convolution to run in f32 even where the rest is bf16.

    The rounding of the first layers reaches every later one: with these two in f32, bf16 changes
    a third of the pixels that it changes otherwise, at about 4 % more time.
    """
    tree = ET.parse(path)  # noqa: S314 - our own file
    seen = 0
    for layer in tree.iterfind("layers/layer"):
        _mark_precise(layer)
        seen += layer.get("type") in CONVOLUTIONS
        if seen == PRECISE_CONVOLUTIONS:
            break
    tree.write(path)


def _mark_precise(layer: ET.Element) -> None:
    info = layer.find("rt_info")
    if info is None:
        info = ET.Element("rt_info")
        layer.insert(1 if layer.find("data") is not None else 0, info)
    ET.SubElement(info, "attribute", name="precise", version="0")
