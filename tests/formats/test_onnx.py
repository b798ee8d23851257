"""ONNX files, run by ONNX Runtime as the reference."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deeplab.engines import load_engine, predict
from scripts.export.export_check import network_input, photographs
from scripts.export.export_model import export
from scripts.export.model_options import ExportTarget
from scripts.networks.checkpoints import CheckpointError
from scripts.networks.facts import ReadOptions
from scripts.readers.ready_graphs import read
from tests.formats.onnx_files import write_onnx
from tests.unit.scripts.readers.graph_files import (
    FIXED,
    Main,
    TinyGraph,
    eager_ids,
    labels_file,
)
from tests.unit.scripts.readers.test_ready_graphs import SINGLE, SMALL, loaded, options_for
from tests.unit.tiny import LABELS


@pytest.mark.parametrize("size", [None, FIXED], ids=["dynamic", "fixed"])
@pytest.mark.parametrize("kind", ["logits", "probabilities", "ids", "sigmoid", "one logit"])
def test_an_onnx_graph_gives_its_networks_masks(
    tmp_path: Path, kind: str, size: tuple[int, int] | None
) -> None:
    """Served by the handler's engine in f32: at least 99.9 % of the pixels of each photograph."""
    network = TinyGraph(kind)
    write_onnx(network, tmp_path / "net.onnx", size)
    checkpoint = loaded(tmp_path / "net.onnx", options_for(kind, tmp_path, size))
    assert checkpoint.output == {"one logit": "logits"}.get(kind, kind)
    assert (len(checkpoint.labels) == 2) == (kind in SINGLE)
    result = export(checkpoint, ExportTarget("openvino", "f32"), tmp_path / "network")
    assert result.proof.mean_agreement >= 0.999
    engine = load_engine(tmp_path / "network", result.spec, threads=1)
    for photograph in photographs():
        pixels = network_input(photograph, checkpoint.input)
        agreement = float(np.mean(predict(engine, pixels) == eager_ids(network, pixels)))
        assert agreement >= 0.999, photograph.name


def test_the_reference_is_onnx_runtime(tmp_path: Path) -> None:
    """The original is not computed by the engine that serves it."""
    write_onnx(TinyGraph("logits"), tmp_path / "net.onnx")
    checkpoint = loaded(tmp_path / "net.onnx", options_for("logits", tmp_path, None))
    original: Any = checkpoint.original
    assert original.graph.runtime == "onnxruntime"


def test_metadata_of_an_exporter_is_read(tmp_path: Path) -> None:
    """Names, size, mean and deviation, each with its source."""
    metadata = {"names": str(LABELS), "imgsz": "[128, 160]", "mean": "0.5", "std": "0.25"}
    write_onnx(TinyGraph("logits"), tmp_path / "net.onnx", None, ("out",), **metadata)
    checkpoint = loaded(tmp_path / "net.onnx", ReadOptions())
    assert checkpoint.facts is not None
    assert checkpoint.labels == LABELS
    assert checkpoint.input.long_side == 160
    assert (checkpoint.facts.mean, checkpoint.facts.std) == ((0.5,) * 3, (0.25,) * 3)
    assert checkpoint.facts.sources["mean"] == "ONNX metadata"


def test_the_output_called_out_is_served(tmp_path: Path) -> None:
    """Also where it comes second."""
    names = ("aux", "out")
    write_onnx(Main(is_tuple=False), tmp_path / "net.onnx", None, names)
    options = ReadOptions(labels=labels_file(tmp_path), overrides={"input": SMALL})
    checkpoint = loaded(tmp_path / "net.onnx", options)
    spec = export(checkpoint, ExportTarget("openvino", "f32"), tmp_path / "network").spec
    engine = load_engine(tmp_path / "network", spec, threads=1)
    pixels = network_input(photographs()[0], SMALL)
    expected = eager_ids(TinyGraph("logits"), pixels)
    assert float(np.mean(predict(engine, pixels) == expected)) >= 0.999


def test_an_unknown_operation_is_named(tmp_path: Path) -> None:
    """OpenVINO cannot convert what another library defines."""
    onnx: Any = importlib.import_module("onnx")
    helper, shape = onnx.helper, [1, 3, 96, 96]
    node = helper.make_node("Dream", ["image"], ["out"], domain="of.mine")
    ports = [helper.make_tensor_value_info(name, 1, shape) for name in ("image", "out")]
    graph = helper.make_graph([node], "net", ports[:1], ports[1:])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("of.mine", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), tmp_path / "net.onnx")
    with pytest.raises(CheckpointError, match=r"No conversion rule .* of\.mine\.Dream"):
        read(tmp_path / "net.onnx", ReadOptions())


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    """In one line."""
    write_onnx(TinyGraph("logits"), tmp_path / "net.onnx")
    whole = (tmp_path / "net.onnx").read_bytes()
    (tmp_path / "net.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"^[^\n]*not a usable ONNX file: [^\n]+$"):
        read(tmp_path / "net.onnx", ReadOptions())
