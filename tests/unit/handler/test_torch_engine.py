"""PyTorch's engine gives the same logits for images one by one and in a batch."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from deeplab import torch_engine
from deeplab.spec import ModelSpec, Precision
from deeplab.torch_engine import LARGEST_BATCH, TorchEngine
from scripts.export.export_model import export
from scripts.export.graphs import graph_of
from scripts.export.model_options import ExportTarget
from tests.unit.tiny import tiny_checkpoint

pytestmark = pytest.mark.slow

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "handler")}
SIZES = [(64, 96), (96, 64), (33, 97)]
LOSES_ITS_DEVICE = """
import sys
import numpy as np
import torch
from pathlib import Path
from deeplab.torch_engine import DeviceLostError, TorchEngine

engine = TorchEngine(Path(sys.argv[1]), "cuda", "f32", aligned=False)
pixels = np.zeros((1, 64, 96, 3), dtype=np.uint8)
engine.logits(pixels)

def fails(_image):
    raise torch.cuda.OutOfMemoryError("CUDA out of memory")

works, engine._network = engine._network, fails
try:
    engine.logits(np.zeros((1, 96, 64, 3), dtype=np.uint8))
except DeviceLostError:
    sys.exit("running out of memory does not lose the device")
except RuntimeError:
    engine._network = works
    engine.logits(pixels)

torch.zeros(3, device="cuda")[torch.tensor([7], device="cuda")]  # fails on the device
try:
    engine.logits(pixels)
except DeviceLostError as exc:
    print(f"lost: {exc}", flush=True)
"""


@pytest.fixture(scope="module", params=["f32", "bf16"])
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ModelSpec]:
    """A tiny network, exported in each precision: (artefact, specification)."""
    folder = tmp_path_factory.mktemp("network")
    precision: Precision = request.param
    spec = export(tiny_checkpoint(), ExportTarget("torch", precision), folder).spec
    return folder / spec.artefact, spec


def engine_on(device: str, exported: tuple[Path, ModelSpec]) -> TorchEngine:
    """The engine for the tiny network."""
    artefact, spec = exported
    return TorchEngine(artefact, device, spec.precision, aligned=spec.input.aligned)


def images(count: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(count, *size, 3) uint8 RGB noise; no two images are alike."""
    generator = np.random.default_rng(count)
    return generator.integers(0, 256, (count, *size, 3), dtype=np.uint8)


def expected(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, classes, h', w') float32 logits of the eager model."""
    with torch.inference_mode():
        logits: NDArray[np.float32] = graph_of(tiny_checkpoint()).logits(torch.from_numpy(pixels))
        return np.asarray(logits)


def test_a_batch_gives_what_its_images_give_alone(
    exported: tuple[Path, ModelSpec],
) -> None:
    """The artefact accepts batches also on a CPU, where they gain nothing."""
    engine = engine_on("cpu", exported)
    assert engine.largest_batch == 1
    pixels = images(3, (64, 96))
    together = engine.batch(pixels).copy()
    alone = np.stack([engine.logits(pixels[index : index + 1]).copy() for index in range(3)])
    np.testing.assert_allclose(together, alone, atol=0.05)
    np.testing.assert_allclose(together, expected(pixels), atol=0.1)


def test_the_weights_are_in_the_artefacts_precision(exported: tuple[Path, ModelSpec]) -> None:
    """Casting them for each image would take longer than the network."""
    artefact, spec = exported
    weights = torch.export.load(artefact).state_dict.values()
    wanted = {"f32": torch.float32, "bf16": torch.bfloat16}[spec.precision]
    assert {each.dtype for each in weights if each.dim() == 4 and each.shape[0] > 1} == {wanted}


@needs_cuda
@pytest.mark.parametrize("count", [1, 2, LARGEST_BATCH])
def test_graphs_give_what_the_network_gives(exported: tuple[Path, ModelSpec], count: int) -> None:
    """The first batch of a shape runs eagerly, the second captures a graph, others replay it."""
    engine = engine_on("cuda", exported)
    assert engine.largest_batch == LARGEST_BATCH
    for repetition in range(4):
        for size in SIZES:
            pixels = images(count, size) // (repetition + 1)
            found = engine.batch(pixels)
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, expected(pixels), atol=0.1)


@needs_cuda
def test_graphs_of_sizes_that_do_not_come_back_are_freed(
    exported: tuple[Path, ModelSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each graph holds memory of the device and of the host."""
    monkeypatch.setattr(torch_engine, "MAX_GRAPHS", 2)
    engine = engine_on("cuda", exported)
    for _ in range(3):
        for size in SIZES:
            pixels = images(1, size)
            np.testing.assert_allclose(engine.batch(pixels), expected(pixels), atol=0.1)
    assert len(engine._graphs) == 2


@needs_cuda
def test_only_a_permanent_error_is_a_lost_device(exported: tuple[Path, ModelSpec]) -> None:
    """Memory that lacks for one image may be free for the next."""
    program = [sys.executable, "-c", LOSES_ITS_DEVICE, str(exported[0])]
    done = subprocess.run(program, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    # Its exit status is not checked: with a lost device CUDA may abort.
    assert done.stdout.startswith("lost: "), done.stderr
    assert "assert" in done.stdout
