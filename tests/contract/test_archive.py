"""The archive contains everything that a worker needs."""

import base64
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from scripts.archives.digests import file_sha256
from scripts.launch.settings import Settings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LOADER = Path(__file__).with_name("loads_like_torchserve.py")
IMAGE = ROOT / "ui" / "examples" / "astronaut.jpg"
# Names of TorchServe's modules, which come first on a worker's path.
RESERVED = (
    "handler",
    "utils",
    "context",
    "service",
    "metrics",
    "protocol",
    "version",
    "arg_parser",
)
PERSON = 15


@pytest.fixture(scope="module")
def loaded(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The observations of a clean process: isolated, in another folder."""
    process = subprocess.run(
        [sys.executable, "-I", str(LOADER), str(unpacked), str(IMAGE)],
        cwd=tmp_path_factory.mktemp("elsewhere"),
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    parsed: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return parsed


def _json(unpacked: Path, name: str) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((unpacked / name).read_text())
    return parsed


def test_the_process_was_clean(loaded: dict[str, Any]) -> None:
    """The process had nothing of this repository on its path but the installed packages."""
    inside = [path for path in loaded["path"] if Path(path).is_relative_to(ROOT)]
    assert all("site-packages" in path for path in inside)


def test_the_handler_module_has_exactly_one_class(loaded: dict[str, Any]) -> None:
    """TorchServe refuses a second class, and prefers a function named `handle`."""
    assert loaded["classes"] == ["SegmentationHandler"]
    assert loaded["functions"] == []


def test_the_archive_alone_segments_an_image(loaded: dict[str, Any]) -> None:
    """The response is a mask of the image's size, with the person as the largest object."""
    assert loaded["status"] == 200
    assert loaded["headers"]["content-type"] == "image/png"
    mask = Image.open(io.BytesIO(base64.b64decode(loaded["mask"])))
    assert (mask.mode, mask.size) == ("L", Image.open(IMAGE).size)
    counts = np.bincount(np.asarray(mask).ravel(), minlength=21)
    assert int(counts[1:].argmax()) + 1 == PERSON


def test_the_response_is_marked_with_model_and_version(loaded: dict[str, Any]) -> None:
    """The headers have the manifest's model and version."""
    headers = loaded["headers"]
    assert (headers["X-Model"], headers["X-Model-Version"]) == ("deeplabv3", "1.0")


@pytest.mark.parametrize("package", ["gateway", "ui", "scripts", "httpx", "fastapi", "streamlit"])
def test_a_worker_loads_nothing_of_the_other_parts(loaded: dict[str, Any], package: str) -> None:
    """The handler shares no code with the other parts."""
    assert package not in {name.split(".")[0] for name in loaded["modules"]}


def test_a_worker_loads_nothing_for_disabled_traces(loaded: dict[str, Any]) -> None:
    """Without traces a worker does not spend memory on OpenTelemetry."""
    assert "opentelemetry" not in {name.split(".")[0] for name in loaded["modules"]}


def test_torchserve_imports_pytorch_into_every_worker() -> None:
    """The handler's import of PyTorch costs nothing: TorchServe has imported it already."""
    code = "import sys, ts.protocol.otf_message_handler; print('torch' in sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "True"


def test_no_module_has_a_name_that_torchserve_takes(unpacked: Path) -> None:
    """No module of the archive is shadowed by one of TorchServe's."""
    names = {path.name.removesuffix(".py") for path in unpacked.iterdir()}
    assert names.isdisjoint(RESERVED)


def test_the_labels_are_the_committed_ones(unpacked: Path) -> None:
    """The archive has the committed labels."""
    committed = json.loads((ROOT / "handler" / "deeplab" / "labels.json").read_text())
    assert _json(unpacked, "deeplab/labels.json") == committed


def test_the_code_is_the_committed_one(unpacked: Path) -> None:
    """The archive has exactly the handler's modules."""
    ours = {
        path.relative_to(ROOT / "handler"): path.read_bytes()
        for path in (ROOT / "handler").rglob("*.py")
    }
    theirs = {path.relative_to(unpacked): path.read_bytes() for path in unpacked.rglob("*.py")}
    assert ours == theirs


def test_the_specification_fits_the_network(unpacked: Path) -> None:
    """The checksum is that of the weights, and the number of classes that of the labels."""
    spec = _json(unpacked, "model.json")
    weights = unpacked / "network" / spec["artefact"].replace(".xml", ".bin")
    assert spec["sha256"] == file_sha256(weights)
    assert spec["classes"] == len(_json(unpacked, "deeplab/labels.json"))
    assert spec["architecture"] == "deeplabv3_efficientnet_lite0"


def test_the_provenance_says_where_everything_is_from(unpacked: Path) -> None:
    """The provenance has weights, libraries, time and the agreement with the original network."""
    provenance = _json(unpacked, "provenance.json")
    assert sorted(provenance) == [
        "agreement_with_eager",
        "architecture",
        "built",
        "fingerprint",
        "input",
        "libraries",
        "origin",
        "warning",
        "weights",
    ]
    shares = list(provenance["agreement_with_eager"].values())
    assert sum(shares) / len(shares) >= 0.99
    assert set(provenance["libraries"]) >= {"torch", "openvino"}


def test_operations_and_model_do_not_overlap(unpacked: Path) -> None:
    """model-config.yaml and model.json have no key in common."""
    operations = yaml.safe_load((unpacked / "model-config.yaml").read_text())
    names = {*operations, *operations["handler"]}
    assert names.isdisjoint(_json(unpacked, "model.json"))
    assert "minWorkers" not in operations


def test_the_largest_mask_fits_into_a_response(unpacked: Path) -> None:
    """TorchServe's limit is above the largest response, because a larger one ends the worker."""
    operations = yaml.safe_load((unpacked / "model-config.yaml").read_text())
    handler = operations["handler"]
    assert handler["maxPixels"] * 1.01 < handler["maxAnswerBytes"]
    assert handler["maxAnswerBytes"] + 65_536 < Settings().max_response_bytes


def test_the_archive_is_small(archive: Path) -> None:
    """The archive has less than 10 MB and no compiled Python."""
    with zipfile.ZipFile(archive) as file:
        assert not [name for name in file.namelist() if "__pycache__" in name]
    assert archive.stat().st_size < 10_000_000
