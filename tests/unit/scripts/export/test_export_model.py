"""The export: an artefact that disagrees with the eager model is refused."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deeplab.engines import import_openvino
from deeplab.spec import EngineName, ModelSpec
from scripts.archives.digests import file_sha256
from scripts.export import candidates, export_check
from scripts.export.candidates import PRECISIONS, weights_of
from scripts.export.eager import eager
from scripts.export.export_check import (
    EXACT_AGREEMENT,
    ExportCheck,
    ExportCheckError,
    compare,
    eager_references,
    photographs,
)
from scripts.export.export_model import (
    ExportError,
    describe,
    export,
)
from scripts.export.graphs import SegmentationGraph, graph_of
from scripts.export.model_options import ExportTarget
from scripts.networks.checkpoints import Checkpoint
from tests.unit.tiny import tiny_checkpoint, tiny_network

pytestmark = pytest.mark.slow


class SwapsClassesWhenTraced(nn.Module):
    """A network whose traced graph swaps classes, a fault that the check must find."""

    def __init__(self) -> None:
        super().__init__()
        self.network = tiny_network()

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image)
        return logits.flip(1) if torch.compiler.is_exporting() else logits


class Overflows(nn.Module):
    """A network whose logits are no numbers on bright pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.network, self.log = tiny_network(), nn.Threshold(-1e9, math.nan)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image)
        return self.log(logits * 1e30 * 1e30)  # type: ignore[no-any-return]  # nn.Module's call


def test_a_network_without_numbers_is_refused(tmp_path: Path) -> None:
    """Any export of it would agree; the message names the layer, and nothing is written."""
    checkpoint = replace(tiny_checkpoint(), network=Overflows().eval())
    with pytest.raises(ExportError, match=r"NaN or infinity .* is network\.log \(Threshold\)"):
        export(checkpoint, ExportTarget("openvino"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_the_artefact_is_written_and_proved(tmp_path: Path, engine: EngineName) -> None:
    """In every precision the specification names it, and all photographs are compared."""
    for precision in PRECISIONS[engine]:
        folder = tmp_path / precision
        # Nothing in so small a network makes up for the rounding of int8.
        target = ExportTarget(engine, precision, is_checked=precision != "int8")
        result = export(tiny_checkpoint(), target, folder)
        artefact = folder / result.spec.artefact
        assert {artefact, weights_of(artefact)} == set(folder.iterdir())
        assert result.spec.sha256 == file_sha256(weights_of(artefact))
        assert (result.spec.classes, result.spec.input.long_side) == (4, 96)
        assert set(result.proof.agreement) == {path.name for path in photographs()}
        least = {"int8": 0.95, "bf16": 0.995, "f32": EXACT_AGREEMENT}
        assert result.proof.mean_agreement >= least[precision]
        assert result.proof.is_exact == (precision == "f32")
        assert result.spec.precision in (precision, "f32")  # where the hardware lacks bf16


def test_left_open_the_fastest_that_passes_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the first candidate, nor a faster one that fails."""
    ms = {"int8": 3.0, "bf16": 2.0, "f32": 1.0}
    agreement = {"int8": 1.0, "bf16": 1.0, "f32": 0.9}

    def measured(_references: object, spec: ModelSpec, _folder: Path) -> ExportCheck:
        precision = spec.precision
        return ExportCheck(precision, {"cat.jpg": agreement[precision]}, ms[precision])

    monkeypatch.setattr(candidates, "compare", measured)
    assert export(tiny_checkpoint(), ExportTarget("openvino"), tmp_path).spec.precision == "bf16"


class Agrees:
    """Replaces the comparison: every candidate agrees, and int8 is the fastest."""

    def __init__(self) -> None:
        self.precisions: list[str] = []

    def __call__(self, _references: object, spec: ModelSpec, _folder: Path) -> ExportCheck:
        self.precisions.append(spec.precision)
        return ExportCheck(
            spec.precision, {"cat.jpg": 1.0}, 1.0 if spec.precision == "int8" else 2.0
        )


@pytest.fixture
def agrees(monkeypatch: pytest.MonkeyPatch) -> Agrees:
    """The artefacts that were compared."""
    comparison = Agrees()
    monkeypatch.setattr(candidates, "compare", comparison)
    return comparison


def _sees_nothing() -> Checkpoint:
    """A network that predicts background only."""
    network = tiny_network()
    network.state_dict()["1.bias"][0] = 99.0
    return replace(tiny_checkpoint(), network=network)


def test_int8_is_no_candidate_where_photographs_show_nothing(
    tmp_path: Path, agrees: Agrees
) -> None:
    """Background agrees with background; the report gives the reason and the remedy."""
    checkpoint = _sees_nothing()
    result = export(checkpoint, ExportTarget("openvino"), tmp_path)
    assert agrees.precisions == ["bf16", "f32"]
    assert result.spec.precision == "bf16"
    last = describe(checkpoint, result).splitlines()[-1]
    assert last.startswith("int8 was not tried, for the model finds something on 0 of the 12")
    assert "`segserve evaluate`" in last
    assert "`--precision int8`" in last


@pytest.mark.parametrize(
    "target",
    [ExportTarget("openvino", "int8"), ExportTarget("openvino", is_checked=False)],
    ids=["asked for", "unproved"],
)
def test_int8_needs_no_evidence_if_requested_or_unchecked(
    tmp_path: Path, agrees: Agrees, target: ExportTarget
) -> None:
    """The user has measured it, or the weights are random."""
    checkpoint = _sees_nothing()
    result = export(checkpoint, target, tmp_path)
    assert "int8" in agrees.precisions
    assert result.spec.precision == "int8"
    assert "not tried" not in describe(checkpoint, result)


def test_int8_is_a_candidate_where_photographs_show_the_classes(
    tmp_path: Path, agrees: Agrees
) -> None:
    """The bundled model's photographs, and the tiny network's, show enough classes."""
    result = export(tiny_checkpoint(), ExportTarget("openvino"), tmp_path)
    assert agrees.precisions == ["int8", "bf16", "f32"]
    assert result.spec.precision == "int8"
    assert result.no_int8 is None


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_no_word_of_int8_where_it_could_not_be_meant(
    tmp_path: Path, agrees: Agrees, engine: EngineName
) -> None:
    """The report omits int8 if another precision was requested."""
    checkpoint = _sees_nothing()
    result = export(checkpoint, ExportTarget(engine, "f32"), tmp_path)
    assert agrees.precisions == ["f32"]
    assert result.no_int8 is None


@pytest.mark.parametrize(("agreement", "channels"), [(0.995, 1), (0.985, 8)])
def test_int8_has_a_range_for_each_channel_only_where_it_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agreement: float, channels: int
) -> None:
    """One range per tensor is faster; ranges per channel are tried only if that fails."""

    def measured(_references: object, _spec: ModelSpec, folder: Path) -> ExportCheck:
        return ExportCheck("int8", {"cat.jpg": agreement if folder.name == "int8" else 1.0}, 1.0)

    monkeypatch.setattr(candidates, "compare", measured)
    checkpoint = replace(tiny_checkpoint(), network=_depthwise())
    export(checkpoint, ExportTarget("openvino", "int8"), tmp_path)
    model = import_openvino().Core().read_model(tmp_path / "network.xml")
    (depthwise,) = (
        operation
        for operation in model.get_ordered_ops()
        if operation.get_type_name() == "GroupConvolution"
    )
    limits = depthwise.input_value(0).get_node().input_value(1)  # of the values that go in
    assert math.prod(limits.get_shape()) == channels


def _depthwise() -> nn.Module:
    """A network whose third convolution is depthwise, with channels that differ."""
    torch.manual_seed(7)
    before = (nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.ReLU())
    return nn.Sequential(*before, nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 4, 1)).eval()


def test_a_precision_that_the_engine_lacks_is_an_error(tmp_path: Path) -> None:
    """int8 is for OpenVINO only."""
    with pytest.raises(ExportError, match="int8 is not for torch"):
        export(tiny_checkpoint(), ExportTarget("torch", "int8"), tmp_path)


def test_a_program_for_pytorch_has_no_batch_normalisation(tmp_path: Path) -> None:
    """It is folded into the convolutions, and the logits are unchanged."""
    torch.manual_seed(7)
    layers = (nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    network = nn.Sequential(*layers, nn.Conv2d(8, 4, 1)).train()
    with torch.no_grad():
        network(torch.randn(8, 3, 32, 32) * 3 + 1)  # gives it means and variances
    checkpoint = replace(tiny_checkpoint(), network=network.eval())
    spec = export(checkpoint, ExportTarget("torch", "f32"), tmp_path).spec
    program = torch.export.load(tmp_path / spec.artefact)
    called = {str(node.target) for node in program.graph.nodes}
    assert any("conv2d" in name for name in called)
    assert not any("batch_norm" in name for name in called)
    pixels = torch.randint(0, 256, (3, 48, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        expected = graph_of(checkpoint).logits(pixels)
        torch.testing.assert_close(program.module()(pixels), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_an_artefact_that_differs_is_an_error(tmp_path: Path, engine: EngineName) -> None:
    """In every precision: the message has the agreement, and nothing is written."""
    checkpoint = replace(tiny_checkpoint(), network=SwapsClassesWhenTraced().eval())
    with pytest.raises(ExportError, match=r"agrees .* on .*% of the pixels, 9\d\.\d% are required"):
        export(checkpoint, ExportTarget(engine), tmp_path / "network")
    assert not (tmp_path / "network").exists()


def test_without_a_proof_anything_is_written(tmp_path: Path) -> None:
    """Random weights can be measured; the figures still report the agreement."""
    checkpoint = replace(tiny_checkpoint(), network=SwapsClassesWhenTraced().eval())
    result = export(checkpoint, ExportTarget("openvino", "f32", is_checked=False), tmp_path)
    assert result.proof.mean_agreement < 0.5
    assert (tmp_path / "network.xml").exists()


def test_the_agreement_is_of_this_artefact_with_this_model(tmp_path: Path) -> None:
    """Another model's artefact does not agree."""
    spec = export(tiny_checkpoint(), ExportTarget("openvino"), tmp_path).spec
    other = SegmentationGraph(SwapsClassesWhenTraced().network, aligned=False).eval()
    with torch.no_grad():
        other.logits.scale.neg_()
    references = eager_references(other, spec.input)
    assert compare(references, spec, tmp_path).mean_agreement < 0.9


def test_without_photographs_nothing_is_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty comparison is an error."""
    monkeypatch.setattr(export_check, "FOLDERS", (tmp_path,))
    with pytest.raises(ExportCheckError, match="no photographs"):
        export(tiny_checkpoint(), ExportTarget("openvino"), tmp_path / "network")


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (96, 64)])
def test_the_graph_takes_bytes_and_gives_bytes(size: tuple[int, int]) -> None:
    """(1, h, w, 3) uint8 in, class ids of the same size out."""
    pixels = np.zeros((1, *size, 3), dtype=np.uint8)
    ids = eager(graph_of(tiny_checkpoint()), pixels)
    assert ids.shape == size
    assert ids.dtype == np.uint8


@pytest.mark.parametrize(("aligned", "border"), [(True, 8), (False, 10)])
def test_the_coarse_output_is_upsampled_from_where_it_was_computed(
    aligned: bool, border: int
) -> None:
    """With aligned corners three logits lie on the columns 0, 16 and 32 of 33."""

    class LeftIsZero(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            left = torch.tensor([1.0, 0.0, 0.0]).expand(1, 1, 3, 3)
            return torch.cat([left, 1 - left], dim=1)

    graph = SegmentationGraph(LeftIsZero(), aligned=aligned)
    ids = eager(graph, np.zeros((1, 33, 33, 3), dtype=np.uint8))
    assert ids[0].tolist() == [0] * (border + 1) + [1] * (32 - border)


def test_the_graph_normalises_as_the_network_was_trained() -> None:
    """ImageNet's mean and deviation, inside the graph."""
    seen: list[Tensor] = []

    class Remembers(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            seen.append(image)
            return image

    pixels = np.full((1, 32, 32, 3), (255, 0, 128), dtype=np.uint8)
    eager(SegmentationGraph(Remembers(), aligned=False), pixels)
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, (128 / 255 - 0.406) / 0.225]
    assert seen[0][0, :, 0, 0].tolist() == pytest.approx(expected, abs=1e-5)


def test_weights_that_bear_no_rounding_stay_as_they_are(tmp_path: Path) -> None:
    """In fp16 both classes would have the same logits; left open, the precision is f32's own."""
    network = nn.Conv2d(3, 2, kernel_size=1, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([1.0, 1.0002]).view(2, 1, 1, 1).expand(2, 3, 1, 1))
    two = {0: "dark", 1: "bright"}
    checkpoint = replace(tiny_checkpoint(), network=network.eval(), labels=two)
    result = export(checkpoint, ExportTarget("openvino"), tmp_path)
    assert (result.spec.precision, result.proof.mean_agreement > 0.999) == ("f32", True)
    with pytest.raises(ExportError, match="are required"):
        export(checkpoint, ExportTarget("openvino", "bf16"), tmp_path / "rounded")
