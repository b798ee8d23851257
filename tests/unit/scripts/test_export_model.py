"""An artefact that does not do what the eager model does is never called exported."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from deeplab.spec import EngineName
from scripts import export_model
from scripts.digests import file_sha256
from scripts.export_model import (
    ExportError,
    SegmentationGraph,
    compare,
    eager,
    eager_references,
    export,
    graph_of,
    main,
)
from tests.unit.tiny import tiny_checkpoint, tiny_network


class SwapsClassesWhenTraced(nn.Module):
    """Gives the artefact other classes than the eager model: what the proof is there to find."""

    def __init__(self) -> None:
        super().__init__()
        self.network = tiny_network()

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image)
        return logits.flip(1) if torch.compiler.is_exporting() else logits


def _artefact(engine: EngineName) -> list[str]:
    return {"openvino": ["network.bin", "network.xml"], "torch": ["network.pt2"]}[engine]


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_the_artefact_is_written_and_proved(tmp_path: Path, engine: EngineName) -> None:
    """The specification says what was made, the proof covers every example photograph."""
    result = export(tiny_checkpoint(), engine, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == _artefact(engine)
    assert result.spec.sha256 == file_sha256(tmp_path / names[0])
    assert (result.spec.classes, result.spec.input.long_side) == (4, 96)
    photographs = sorted(path.name for path in export_model.PHOTOGRAPHS.glob("*.jpg"))
    assert sorted(result.agreement) == photographs
    assert result.mean_agreement >= 0.995


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_an_artefact_that_differs_is_an_error(tmp_path: Path, engine: EngineName) -> None:
    """In every precision: the message says by how much."""
    checkpoint = replace(tiny_checkpoint(), network=SwapsClassesWhenTraced().eval())
    with pytest.raises(ExportError, match=r"agrees .* on .*% of the pixels, 99\.5% are required"):
        export(checkpoint, engine, tmp_path)


def test_the_agreement_is_of_this_artefact_with_this_model(tmp_path: Path) -> None:
    """Another model's artefact is found out."""
    spec = export(tiny_checkpoint(), "openvino", tmp_path).spec
    other = SegmentationGraph(SwapsClassesWhenTraced().network, aligned=False).eval()
    with torch.no_grad():
        other.scale.neg_()
    references = eager_references(other, spec.input)
    assert compare(references, spec, tmp_path).mean_agreement < 0.9


def test_without_photographs_nothing_is_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty comparison is no agreement."""
    monkeypatch.setattr(export_model, "PHOTOGRAPHS", tmp_path)
    with pytest.raises(ExportError, match="no photographs"):
        export(tiny_checkpoint(), "openvino", tmp_path / "network")


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


def test_the_command_reports_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0, and the agreement on each photograph."""
    monkeypatch.setattr(export_model, "load_checkpoint", lambda _choice: tiny_checkpoint())
    assert main(["--device", "cpu", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "exported tiny (made for a test) for openvino" in printed
    assert "cat.jpg" in printed


def test_the_command_fails_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1, for people and for make."""
    missing = str(tmp_path / "none.pth")
    assert main(["--weights", missing, "--output", str(tmp_path)]) == 1
    errors = capsys.readouterr().err
    assert errors == f"export: WEIGHTS={missing}: there is no such file\n"


def test_the_command_fails_when_the_proof_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The artefact lies there, but nobody may take it for good."""
    checkpoint = replace(tiny_checkpoint(), network=SwapsClassesWhenTraced().eval())
    monkeypatch.setattr(export_model, "load_checkpoint", lambda _choice: checkpoint)
    assert main(["--device", "cpu", "--output", str(tmp_path)]) == 1
    assert "99.5% are required" in capsys.readouterr().err
