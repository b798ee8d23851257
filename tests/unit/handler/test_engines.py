"""Both engines agree with the eager model, for images of any size."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deeplab.busy_workers import BusyWorkers
from deeplab.engines import (
    OpenVINOEngine,
    SharedCoresEngine,
    load_engine,
    load_shared_engine,
    predict,
)
from deeplab.spec import EngineName, ModelSpec, Precision
from deeplab.torch_engine import TorchEngine
from scripts.export.eager import eager
from scripts.export.export_model import export
from scripts.export.graphs import graph_of
from scripts.export.model_options import ExportTarget
from tests.unit.tiny import tiny_checkpoint

pytestmark = pytest.mark.slow

SIZES = [(32, 32), (72, 96), (96, 72), (33, 97), (32, 513)]
ENGINES: tuple[EngineName, ...] = ("openvino", "torch")
PRECISIONS: tuple[Precision, ...] = ("f32", "bf16")


Exported = dict[Precision, tuple[Path, ModelSpec]]


@pytest.fixture(scope="module", params=ENGINES)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A tiny network, exported for each engine: precision -> (folder, specification).

    OpenVINO computes one artefact in both precisions.
    """
    found: Exported = {}
    for precision in PRECISIONS:
        folder = tmp_path_factory.mktemp("network")
        result = export(tiny_checkpoint(), ExportTarget(request.param, precision), folder)
        found[precision] = folder, result.spec
    if request.param == "openvino":
        found["f32"] = found["bf16"]
    return found


def _image(height: int, width: int) -> NDArray[np.uint8]:
    """(1, height, width, 3) uint8 coloured patches: every class occurs, most pixels are clear."""
    generator = np.random.default_rng(height * 1000 + width)
    colours = generator.choice([0, 120, 255], (height // 16 + 1, width // 16 + 1, 3))
    pixels = colours.repeat(16, axis=0).repeat(16, axis=1)[:height, :width]
    return pixels[np.newaxis].astype(np.uint8)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_engine_agrees_with_the_eager_model(
    exported: Exported, precision: Precision, size: tuple[int, int]
) -> None:
    """One artefact serves every size."""
    engine = _engine(exported, precision)
    pixels = _image(*size)
    expected = eager(graph_of(tiny_checkpoint()), pixels)
    ids = predict(engine, pixels)
    assert ids.shape == size
    assert ids.dtype == np.uint8
    assert np.mean(ids == expected) >= (0.995 if precision == "f32" else 0.98)
    assert len(np.unique(expected)) > 1


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_first_image_is_not_remembered(exported: Exported, precision: Precision) -> None:
    """An image gets the same prediction before and after one of another size."""
    engine = _engine(exported, precision)
    first = predict(engine, _image(64, 96)).copy()
    predict(engine, _image(96, 64))
    assert np.array_equal(first, predict(engine, _image(64, 96)))


def test_f32_stays_f32(exported: Exported) -> None:
    """If the export found bf16 too coarse, no engine chooses it by itself."""
    assert _engine(exported, "f32").precision == "f32"


def test_the_archive_decides_which_engine_runs(exported: Exported) -> None:
    """The artefact is for only one of them."""
    folder, spec = exported["bf16"]
    engine = load_engine(folder, spec, threads=1, device="cpu")
    kinds = {"openvino": OpenVINOEngine, "torch": TorchEngine}
    assert isinstance(engine, kinds[spec.engine])
    assert engine.name == spec.engine


@pytest.mark.parametrize("exported", ["openvino"], indirect=True)  # PyTorch's has one device
@pytest.mark.parametrize(
    ("threads", "cores", "is_shared"), [(2, 2, True), (2, 4, False), (1, 2, False), (0, 2, True)]
)
def test_a_second_engine_is_loaded_only_if_two_workers_would_not_fit(
    exported: Exported, tmp_path: Path, threads: int, cores: int, is_shared: bool
) -> None:
    """It takes memory; both give the same classes."""
    folder, spec = exported["bf16"]
    workers = BusyWorkers(tmp_path / "working", "ours")
    engine = load_shared_engine(folder, spec, threads, workers, cores)
    assert isinstance(engine, SharedCoresEngine) == is_shared
    image = _image(64, 96)
    expected = eager(graph_of(tiny_checkpoint()), image)
    assert np.mean(predict(engine, image) == expected) >= 0.98


def _engine(exported: Exported, precision: Precision) -> OpenVINOEngine | TorchEngine:
    folder, spec = exported[precision]
    artefact, aligned = folder / spec.artefact, spec.input.aligned
    if spec.engine == "openvino":
        return OpenVINOEngine(artefact, precision, threads=1, aligned=aligned)
    return TorchEngine(artefact, "cpu", precision, aligned=aligned)
