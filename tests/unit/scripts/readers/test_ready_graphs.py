"""Ready graphs are read, exported, and give the masks of the network that they were made from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deeplab.engines import load_engine, predict
from deeplab.spec import InputSize
from scripts.archives.digests import file_sha256
from scripts.export.eager import eager
from scripts.export.export_check import network_input, photographs
from scripts.export.export_model import ExportError, export
from scripts.export.graphs import graph_of
from scripts.export.model_options import ExportTarget
from scripts.networks.checkpoints import Checkpoint, CheckpointError
from scripts.networks.facts import MEAN, STD, ReadOptions
from scripts.readers.ready_graphs import read
from tests.unit.scripts.readers.graph_files import (
    FIXED,
    FORMS,
    Main,
    TinyGraph,
    eager_ids,
    labels_file,
    write_ir,
    write_script,
    write_trace,
)
from tests.unit.tiny import LABELS

pytestmark = pytest.mark.slow

SMALL = InputSize(long_side=161, exact=True)
SINGLE = ("sigmoid", "one logit")
IN_F32 = ExportTarget("openvino", "f32")


def options_for(kind: str, folder: Path, size: tuple[int, int] | None) -> ReadOptions:
    """Flags for a tiny graph: labels where there are four, a size where any will do."""
    labels = None if kind in SINGLE else labels_file(folder)
    return ReadOptions(labels=labels, overrides={} if size else {"input": SMALL})


def loaded(path: Path, options: ReadOptions) -> Checkpoint:
    """The checkpoint of a file that is a ready graph."""
    checkpoint = read(path, options)
    assert checkpoint is not None
    return checkpoint


CASES = [
    ("ir", "logits", None),
    ("ir", "probabilities", None),
    ("ir", "ids", None),
    ("ir", "sigmoid", None),
    ("ir", "one logit", None),
    ("ir", "probabilities", FIXED),
    ("program", "logits", None),
    ("program", "ids", FIXED),
    ("script", "logits", None),
    ("script", "sigmoid", FIXED),
    ("trace", "ids", None),
    ("trace", "logits", FIXED),
]


@pytest.mark.parametrize(("form", "kind", "size"), CASES)
def test_a_ready_graph_gives_its_networks_masks(
    tmp_path: Path, form: str, kind: str, size: tuple[int, int] | None
) -> None:
    """Served by the handler's engine in f32: at least 99.9 % of the pixels of each photograph."""
    network = TinyGraph(kind, size if form in ("script", "trace") else None)
    write, name = FORMS[form]
    write(network, tmp_path / name, size)
    checkpoint = loaded(tmp_path / name, options_for(kind, tmp_path, size))
    expected_kind = {"one logit": "logits"}.get(kind, kind)
    assert (checkpoint.output, checkpoint.input.fit) == (
        expected_kind,
        "fixed" if size else "long_side",
    )
    result = export(checkpoint, IN_F32, tmp_path / "network")
    assert result.proof.mean_agreement >= 0.999
    assert len(result.proof.agreement) == 12
    engine = load_engine(tmp_path / "network", result.spec, threads=1)
    for photograph in photographs():
        pixels = network_input(photograph, checkpoint.input)
        agreement = float(np.mean(predict(engine, pixels) == eager_ids(network, pixels)))
        assert agreement >= 0.999, photograph.name


def test_the_main_output_of_several_is_served(tmp_path: Path) -> None:
    """The one called "out", or the first with height and width."""
    expected = eager_ids(TinyGraph("logits"), network_input(photographs()[0], SMALL))
    for form, network in (("trace", Main(is_tuple=False)), ("ir", Main(is_tuple=True))):
        write, name = FORMS[form]
        write(network, tmp_path / name, None)
        checkpoint = loaded(tmp_path / name, options_for("logits", tmp_path, None))
        spec = export(checkpoint, IN_F32, tmp_path / form).spec
        engine = load_engine(tmp_path / form, spec, threads=1)
        found = predict(engine, network_input(photographs()[0], checkpoint.input))
        assert float(np.mean(found == expected)) >= 0.999, form


class Features(nn.Module):
    """A network as torchvision builds them: features by name, lists, a dictionary as the result."""

    def __init__(self) -> None:
        super().__init__()
        self.network = TinyGraph("logits")

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        features: dict[str, Tensor] = {}
        features["all"] = self.network(image)
        branches: list[Tensor] = []
        for _ in range(2):
            branches.append(features["all"] / 2)
        logits = torch.stack(branches).sum(0)
        result: dict[str, Tensor] = {}
        result["aux"] = -logits
        result["out"] = F.interpolate(logits, size=image.shape[-2:], mode="bilinear")
        return result


def test_scripted_code_with_dictionaries_is_converted(tmp_path: Path) -> None:
    """What was put into them is what is read from them."""
    write_script(Features(), tmp_path / "net.pt")
    checkpoint = loaded(tmp_path / "net.pt", options_for("logits", tmp_path, None))
    result = export(checkpoint, IN_F32, tmp_path / "network")
    engine = load_engine(tmp_path / "network", result.spec, threads=1)
    pixels = network_input(photographs()[0], SMALL)
    expected = eager_ids(TinyGraph("logits"), pixels)
    assert float(np.mean(predict(engine, pixels) == expected)) >= 0.999


class Halved(nn.Module):
    """A network of half precision that casts by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.network = TinyGraph("logits").half()

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image.half()).float()
        return logits


def test_a_network_of_half_precision_is_read(tmp_path: Path) -> None:
    """As it is where it casts, in f32 where it does not."""
    write_script(Halved(), tmp_path / "casts.pt")
    write_trace(TinyGraph("logits"), tmp_path / "plain.pt")
    half: Any = torch.jit.load(str(tmp_path / "plain.pt")).half()  # type: ignore[no-untyped-call]  # torch has no types here
    half.save(str(tmp_path / "half.pt"))
    for name in ("casts.pt", "half.pt"):
        checkpoint = loaded(tmp_path / name, options_for("logits", tmp_path, None))
        assert checkpoint.labels == LABELS


class Bytes(nn.Module):
    """A graph that takes bytes, channels last and in BGR, and gives channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.network = TinyGraph("logits")

    def forward(self, image: Tensor) -> Tensor:
        mean, std = torch.tensor([0.406, 0.456, 0.485]), torch.tensor([0.225, 0.224, 0.229])
        values = ((image.float() / 255 - mean) / std).flip(3).permute(0, 3, 1, 2)
        logits: Tensor = self.network(values)
        return logits.permute(0, 2, 3, 1)


def test_a_graph_of_bytes_normalises_by_itself(tmp_path: Path) -> None:
    """(1, H, W, 3) uint8 is seen as such; --bgr turns the channels."""
    path = tmp_path / "bytes.xml"
    example = torch.zeros(1, *FIXED, 3, dtype=torch.uint8)
    ov = __import__("deeplab.engines", fromlist=["import_openvino"]).import_openvino()
    model = ov.convert_model(Bytes().eval(), example_input=example)
    model.reshape([1, -1, -1, 3])
    ov.save_model(model, path)
    overrides: dict[str, object] = {"input": SMALL, "channels": "bgr"}
    checkpoint = loaded(path, ReadOptions(labels=labels_file(tmp_path), overrides=overrides))
    assert checkpoint.facts is not None
    assert checkpoint.facts.sources["mean"] == "the graph's input, uint8"
    assert checkpoint.facts.std == (1 / 255, 1 / 255, 1 / 255)
    result = export(checkpoint, IN_F32, tmp_path / "network")
    engine = load_engine(tmp_path / "network", result.spec, threads=1)
    pixels = network_input(photographs()[0], SMALL)
    expected = eager_ids(TinyGraph("logits"), pixels)
    assert float(np.mean(predict(engine, pixels) == expected)) >= 0.999
    assert (result.spec.channels, result.spec.mean) == ("bgr", (0.0, 0.0, 0.0))


def test_the_original_is_run_behind_its_own_preprocessing(tmp_path: Path) -> None:
    """Logits of a whole photograph, at the network's size."""
    write_script(TinyGraph("logits"), tmp_path / "net.pt")
    checkpoint = loaded(tmp_path / "net.pt", options_for("logits", tmp_path, None))
    assert checkpoint.original is not None
    image = np.zeros((80, 120, 3), dtype=np.uint8)
    image[:, 60:] = (255, 0, 0)
    logits = checkpoint.original.logits(image)
    assert logits.shape == (4, 107, 161)
    assert set(logits.argmax(axis=0)[:, 94:].ravel()) == {1}
    assert checkpoint.sha256 == file_sha256(tmp_path / "net.pt")


@pytest.mark.parametrize("threshold", [0.2, 0.8])
def test_one_channel_is_two_classes_with_a_threshold(tmp_path: Path, threshold: float) -> None:
    """Above the threshold a pixel is foreground; the specification says which."""
    network = TinyGraph("sigmoid")
    write_ir(network, tmp_path / "net.xml")
    options = ReadOptions(threshold=threshold, overrides={"input": SMALL})
    checkpoint = loaded(tmp_path / "net.xml", options)
    assert checkpoint.labels == {0: "background", 1: "foreground"}
    result = export(checkpoint, IN_F32, tmp_path / "network")
    assert (result.spec.output, result.spec.threshold) == ("sigmoid", threshold)
    engine = load_engine(tmp_path / "network", result.spec, threads=1)
    pixels = network_input(photographs()[0], SMALL)
    expected = eager_ids(network, pixels, threshold)
    assert float(np.mean(predict(engine, pixels) == expected)) >= 0.999


class Halves(nn.Module):
    """A graph that takes sides only that are multiples of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.network = tiny = TinyGraph("logits")
        self.down, self.up = nn.AvgPool2d(32, 32), nn.Upsample(scale_factor=32.0)
        assert tiny.kind == "logits"

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image)
        same: Tensor = logits + 0.0 * self.up(self.down(logits))
        return same


def test_a_graph_that_takes_multiples_only_gets_them(tmp_path: Path) -> None:
    """The size that works is found by trying, and a wanted one is rounded to it."""
    write_ir(Halves(), tmp_path / "net.xml")
    checkpoint = loaded(tmp_path / "net.xml", options_for("logits", tmp_path, None))
    assert checkpoint.input == replace(SMALL, multiple=32)


def test_cuda_is_refused(tmp_path: Path) -> None:
    """OpenVINO computes ready graphs on a CPU only."""
    write_ir(TinyGraph("logits"), tmp_path / "net.xml")
    checkpoint = loaded(tmp_path / "net.xml", options_for("logits", tmp_path, None))
    with pytest.raises(ExportError, match="pass --device cpu"):
        export(checkpoint, ExportTarget("torch"), tmp_path / "network")


def test_int8_takes_the_same_path(tmp_path: Path) -> None:
    """Quantised with the photographs, as a network of ours is."""
    write_ir(TinyGraph("logits"), tmp_path / "net.xml")
    checkpoint = loaded(tmp_path / "net.xml", options_for("logits", tmp_path, None))
    target = ExportTarget("openvino", "int8", is_checked=False)
    result = export(checkpoint, target, tmp_path / "network")
    assert result.spec.precision == "int8"
    assert result.proof.mean_agreement >= 0.9


class Broken(nn.Module):
    """A network in one of the ways that cannot be served."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault, self.network = fault, TinyGraph("logits")

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image)
        if self.fault == "nan":
            return logits / (logits - logits)
        if self.fault == "hangs":
            while bool(logits.isfinite().all()):
                logits = logits * 1.0
        if self.fault == "classifier":
            return logits.mean((2, 3))
        return logits


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("nan", r"its output is NaN or infinite in 100% of the values for flower\.jpg"),
        ("classifier", r"its output \(1, 4\) is a classifier's"),
    ],
)
def test_a_graph_that_is_no_segmentation_is_refused(tmp_path: Path, fault: str, words: str) -> None:
    """One line says what it gives."""
    write_ir(Broken(fault), tmp_path / "net.xml")
    with pytest.raises(CheckpointError, match=words):
        read(tmp_path / "net.xml", options_for("logits", tmp_path, None))


class Named(nn.Module):
    """A network whose outputs are called as its author likes; the first is no mask."""

    def __init__(self, name: str, *, is_wider: bool) -> None:
        super().__init__()
        self.network, self.name, self.is_wider = TinyGraph("logits"), name, is_wider

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        logits = self.network(image)
        first = torch.cat([logits, logits], dim=1) if self.is_wider else -logits
        return {"x" if self.is_wider else "aux_head": first, self.name: logits}


@pytest.mark.parametrize(("name", "is_wider"), [("segmentation", False), ("y", True)])
def test_the_output_with_the_classes_is_found(name: str, is_wider: bool, tmp_path: Path) -> None:
    """By its name, or by the number of labels."""
    write_trace(Named(name, is_wider=is_wider), tmp_path / "net.pt")
    checkpoint = loaded(tmp_path / "net.pt", options_for("logits", tmp_path, None))
    _gives_the_tiny_networks_masks(checkpoint)


def _gives_the_tiny_networks_masks(checkpoint: Checkpoint) -> None:
    pixels = network_input(photographs()[0], checkpoint.input)
    found = eager(graph_of(checkpoint), pixels)
    assert float(np.mean(found == eager_ids(TinyGraph("logits"), pixels))) >= 0.999


class Normalising(nn.Module):
    """A network with its normalisation, for values in 0..top."""

    def __init__(self, top: float) -> None:
        super().__init__()
        self.network, self.top = TinyGraph("logits"), top

    def forward(self, image: Tensor) -> Tensor:
        mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
        logits: Tensor = self.network((image / self.top - mean) / std)
        return logits


@pytest.mark.parametrize("form", ["trace", "program"])
@pytest.mark.parametrize("top", [1.0, 255.0])
def test_a_graph_that_normalises_is_given_plain_values(
    form: str, top: float, tmp_path: Path
) -> None:
    """Not normalised twice."""
    write, name = FORMS[form]
    write(Normalising(top), tmp_path / name, None)
    checkpoint = loaded(tmp_path / name, options_for("logits", tmp_path, None))
    assert checkpoint.facts is not None
    assert checkpoint.facts.sources["mean"] == "the graph, which normalises"
    assert (checkpoint.facts.mean, checkpoint.facts.std[0]) == ((0.0, 0.0, 0.0), 1 / top)
    _gives_the_tiny_networks_masks(checkpoint)


class Affine(nn.Module):
    """A network that begins with a factor and an offset, and has three classes."""

    def __init__(self, factor: float, offset: float) -> None:
        super().__init__()
        self.factor, self.offset = factor, offset

    def forward(self, image: Tensor) -> Tensor:
        return F.avg_pool2d(image * self.factor + self.offset, 4)


@pytest.mark.parametrize(("factor", "offset"), [(-2.0, 1.0), (1.02, 0.01), (3.0, 5.0)])
def test_other_first_operations_are_no_normalisation(
    factor: float, offset: float, tmp_path: Path
) -> None:
    """What is usual is assumed, and called so: the first layer may be batch normalisation."""
    write_trace(Affine(factor, offset), tmp_path / "net.pt")
    (tmp_path / "labels.json").write_text('["a", "b", "c"]')
    options = ReadOptions(labels=tmp_path / "labels.json", output="logits")
    facts = loaded(tmp_path / "net.pt", options).facts
    assert facts is not None
    assert facts.sources["mean"] == "assumed"


class FromOne(nn.Module):
    """Class ids that begin with 1."""

    def __init__(self) -> None:
        super().__init__()
        self.network = TinyGraph("ids")

    def forward(self, image: Tensor) -> Tensor:
        ids: Tensor = self.network(image)
        return ids + 1


def test_class_ids_without_a_name_are_refused(tmp_path: Path) -> None:
    """Before anything is exported."""
    write_trace(FromOne(), tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match="class id 4, but has 4 classes: pass --labels"):
        read(tmp_path / "net.pt", options_for("ids", tmp_path, None))


def test_a_pointer_named_onnx_is_told(tmp_path: Path) -> None:
    """Exporting it again would not help."""
    (tmp_path / "net.onnx").write_text("version https://git-lfs.github.com/spec/v1\noid x\n")
    with pytest.raises(CheckpointError, match="a pointer of Git LFS: `git lfs pull` fetches"):
        read(tmp_path / "net.onnx", ReadOptions())


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ([1, 4, 96, 128], "no axis of 3 channels: it must be RGB"),
        ([8, 3, 96, 128], "it takes 8 images at once: export it for one"),
        ([1, 3, 96, -1], "fixes one side only"),
        ([1, 12], r"is no image \(1, 3, height, width\)"),
    ],
)
def test_an_input_that_is_no_image_is_refused(tmp_path: Path, shape: list[int], words: str) -> None:
    """One line says what the graph takes."""
    ov = __import__("deeplab.engines", fromlist=["import_openvino"]).import_openvino()
    ops = __import__("openvino.opset13", fromlist=["parameter"])
    picture = ops.parameter(ov.PartialShape(shape), np.float32)
    ov.save_model(ov.Model([ops.relu(picture)], [picture]), tmp_path / "net.xml")
    with pytest.raises(CheckpointError, match=words):
        read(tmp_path / "net.xml", ReadOptions())


def test_two_inputs_are_refused(tmp_path: Path) -> None:
    """Both are named."""
    ov = __import__("deeplab.engines", fromlist=["import_openvino"]).import_openvino()
    ops = __import__("openvino.opset13", fromlist=["parameter"])
    both = [ops.parameter([1, 3, 96, 96], np.float32) for _ in range(2)]
    for parameter, name in zip(both, ("image", "depth"), strict=True):
        parameter.output(0).set_names({name})
    ov.save_model(ov.Model([ops.add(*both)], both), tmp_path / "net.xml")
    with pytest.raises(CheckpointError, match=r"it has 2 inputs \(depth, image\)"):
        read(tmp_path / "net.xml", ReadOptions())


@pytest.mark.parametrize("name", ["net.pt2", "net.torchscript", "net.xml", "net.onnx"])
@pytest.mark.parametrize("content", [b"", b"no graph at all", b"PK\x03\x04 cut off"])
def test_a_file_that_is_not_what_it_is_named_is_refused(
    tmp_path: Path, name: str, content: bytes
) -> None:
    """One line, without a traceback."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"not a readable .* export it again"):
        read(tmp_path / name, ReadOptions())


@pytest.mark.parametrize("form", ["script", "program", "ir"])
def test_a_truncated_file_is_refused(tmp_path: Path, form: str) -> None:
    """The words are a line, whatever the loader raises."""
    write, name = FORMS[form]
    write(TinyGraph("logits"), tmp_path / name, None)
    path = tmp_path / ("net.bin" if form == "ir" else name)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    if form == "script":  # without its directory a .pt is no zip file: another reader's
        assert read(tmp_path / name, ReadOptions()) is None
        return
    with pytest.raises(CheckpointError, match=r"^[^\n]*net\.[^\n]+$"):
        read(tmp_path / name, ReadOptions())


def test_a_state_dict_is_another_readers(tmp_path: Path) -> None:
    """So are folders without a graph, and files that do not exist."""
    torch.save(TinyGraph("logits").state_dict(), tmp_path / "net.pt")
    (tmp_path / "folder").mkdir()
    for name in ("net.pt", "folder", "missing.onnx"):
        assert read(tmp_path / name, ReadOptions()) is None


def test_classes_without_labels_are_refused(tmp_path: Path) -> None:
    """The line says how many names are needed."""
    write_ir(TinyGraph("logits"), tmp_path / "net.xml")
    with pytest.raises(CheckpointError, match=r"it has 4 classes, but no --labels are given"):
        read(tmp_path / "net.xml", ReadOptions())


def test_model_info_of_an_ir_is_read(tmp_path: Path) -> None:
    """Labels, mean, deviation and channel order, each with its source."""
    path = tmp_path / "net.xml"
    write_ir(TinyGraph("logits"), path)
    ov = __import__("deeplab.engines", fromlist=["import_openvino"]).import_openvino()
    model = ov.Core().read_model(path)
    facts = {"labels": " ".join(LABELS.values()), "reverse_input_channels": "YES"}
    facts |= {"mean_values": "123.675 116.28 103.53", "scale_values": "58.395 57.12 57.375"}
    for name, value in facts.items():
        model.set_rt_info(value, ["model_info", name])
    (tmp_path / "again").mkdir()
    ov.save_model(model, tmp_path / "again" / "net.xml")
    checkpoint = loaded(tmp_path / "again", ReadOptions(overrides={"input": SMALL}))
    assert checkpoint.labels == LABELS
    assert checkpoint.facts is not None
    assert checkpoint.facts.mean == pytest.approx((0.485, 0.456, 0.406))
    assert checkpoint.facts.std == pytest.approx((0.229, 0.224, 0.225))
    assert checkpoint.facts.sources == {
        "size": "--size",
        "mean": "OpenVINO IR metadata",
        "std": "OpenVINO IR metadata",
        "channels": "OpenVINO IR metadata",
    }
