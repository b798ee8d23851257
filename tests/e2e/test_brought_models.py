"""Models that people bring, built by the command and served beside the bundled one."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from scripts.evaluation.predictors import CheckpointPredictor
from scripts.networks.architectures import BUNDLED_WEIGHTS, ModelChoice
from scripts.networks.facts import MEAN, STD
from scripts.readers.chain import load_checkpoint
from tests.stack import ROOT, Stack, segserve
from tests.unit.scripts.readers.graph_files import FIXED, TinyGraph, labels_file, write_trace

ASTRONAUT = (ROOT / "ui" / "examples" / "astronaut.jpg").read_bytes()
PERSON = 15
GRAPH, BINARY = "8.0", "8.1"


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TorchScript of one size, which gives class ids; labels.json lies beside it."""
    folder = tmp_path_factory.mktemp("graph")
    labels_file(folder)
    write_trace(TinyGraph("ids", FIXED), folder / "colours.torchscript", FIXED)
    return folder / "colours.torchscript"


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled network with one output: how much more a person than background."""
    folder = tmp_path_factory.mktemp("binary")
    (folder / "labels.json").write_text('["person"]')
    state = load_file(BUNDLED_WEIGHTS)
    for name in ("head.classifier.weight", "head.classifier.bias"):
        state[name] = (state[name][PERSON] - state[name][0]).unsqueeze(0)
    save_file(state, folder / "people.safetensors")
    return folder / "people.safetensors"


@pytest.fixture(scope="module")
def served(stack: Stack, graph: Path, binary: Path) -> Iterator[Stack]:
    """Both beside version 1.0."""
    _serve(stack, graph, GRAPH)
    _serve(stack, binary, BINARY, "--threshold", "0.9")
    yield stack
    for version in (GRAPH, BINARY):
        stack.versions("remove", version)
        (stack.model_store / f"deeplabv3-{version}.mar").unlink()


def _serve(stack: Stack, weights: Path, version: str, *flags: str) -> None:
    """Build and add a version, as a person does."""
    labels = weights.with_name("labels.json")
    target = ("--version", version, "--store", str(stack.model_store))
    built = segserve("build", str(weights), "--labels", str(labels), *target, *flags, timeout=300)
    assert built.returncode == 0, built.stderr
    added = stack.versions("add", f"deeplabv3-{version}.mar", "--workers", "1")
    assert (added.returncode, added.stderr) == (0, "")


def _mask(gateway: httpx.Client, version: str) -> NDArray[np.uint8]:
    answer = gateway.post(
        "/segmentation", params={"version": version}, files={"file": ("a.jpg", ASTRONAUT)}
    )
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


@pytest.mark.usefixtures("served")
def test_a_ready_graph_gives_the_masks_of_its_file(gateway: httpx.Client, graph: Path) -> None:
    """Of one size, with its own preprocessing: the picture is stretched, and the mask back."""
    image = Image.open(io.BytesIO(ASTRONAUT)).convert("RGB")
    small = image.resize(FIXED[::-1], Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 255
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
    load: Any = torch.jit.load
    with torch.inference_mode():
        own = load(str(graph))((pixels - mean) / std)[0].numpy()
    found = Image.fromarray(_mask(gateway, GRAPH)).resize(FIXED[::-1], Image.Resampling.NEAREST)
    assert len(np.unique(own)) >= 3
    assert np.mean(np.asarray(found) == own) >= 0.98  # the mask was scaled up and down again


@pytest.mark.usefixtures("served")
def test_a_network_of_one_output_has_two_classes(gateway: httpx.Client, binary: Path) -> None:
    """The mask is where the sigmoid is above the threshold, and the API names the class."""
    choice = ModelChoice(weights=binary, labels=binary.with_name("labels.json"), threshold=0.9)
    own = CheckpointPredictor(load_checkpoint(choice)).predict(ASTRONAUT)
    mask = _mask(gateway, BINARY)
    assert np.mean(mask == own) >= 0.99
    surer, all_people = np.count_nonzero(mask), np.count_nonzero(_mask(gateway, "1.0") == PERSON)
    assert 0.5 * all_people < surer < all_people
    answer = gateway.post(
        "/v1/segment",
        params={"version": BINARY},
        headers={"accept": "application/json"},
        files={"file": ("a.jpg", ASTRONAUT)},
    )
    assert [each["name"] for each in answer.json()["classes"]] == ["background", "person"]


@pytest.mark.usefixtures("served")
def test_the_api_says_what_is_known_of_a_version(gateway: httpx.Client) -> None:
    """Where its input's facts come from, and how well it agrees with the original."""
    facts = gateway.get(f"/v1/models/deeplabv3/versions/{GRAPH}").json()
    assert facts["proof"]["agreement"] >= 0.995
    assert facts["input"]["sources"]["size"] == "the graph's input"
    assert (facts["input"]["width"], facts["input"]["height"]) == FIXED[::-1]
    binary = gateway.get(f"/v1/models/deeplabv3/versions/{BINARY}").json()
    assert binary["threshold"] == 0.9
    assert [each["name"] for each in binary["card"]["classes"]] == ["background", "person"]
