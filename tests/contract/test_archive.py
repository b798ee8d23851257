"""The archive is all that a worker needs: nothing else of ours is in reach of it."""

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

ROOT = Path(__file__).parents[2]
LOADER = Path(__file__).with_name("loads_like_torchserve.py")
PHOTOGRAPH = ROOT / "ui" / "examples" / "astronaut.jpg"
# TorchServe's own folder comes first on a worker's path: these would be found there.
TAKEN = ("handler", "utils", "context", "service", "metrics", "protocol", "version", "arg_parser")
PERSON = 15


@pytest.fixture(scope="module")
def loaded(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a clean process found: no environment, no site of the user, another folder."""
    done = subprocess.run(
        [sys.executable, "-I", str(LOADER), str(unpacked), str(PHOTOGRAPH)],
        cwd=tmp_path_factory.mktemp("elsewhere"),
        stdout=subprocess.PIPE,
        check=True,
        timeout=120,
    )
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


def _facts(unpacked: Path, name: str) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((unpacked / name).read_text())
    return facts


def test_the_process_was_clean(loaded: dict[str, Any]) -> None:
    """Otherwise the tests below would prove nothing."""
    inside = [path for path in loaded["path"] if Path(path).is_relative_to(ROOT)]
    assert all("site-packages" in path for path in inside)


def test_the_handler_module_has_exactly_one_class(loaded: dict[str, Any]) -> None:
    """TorchServe refuses two, and would take a function named handle instead."""
    assert loaded["classes"] == ["SegmentationHandler"]
    assert loaded["functions"] == []


def test_the_archive_alone_segments_a_photograph(loaded: dict[str, Any]) -> None:
    """200, a mask of the photograph's size, the person largest after background."""
    assert loaded["status"] == 200
    assert loaded["headers"]["content-type"] == "image/png"
    mask = Image.open(io.BytesIO(base64.b64decode(loaded["mask"])))
    assert (mask.mode, mask.size) == ("L", Image.open(PHOTOGRAPH).size)
    counts = np.bincount(np.asarray(mask).ravel(), minlength=21)
    assert int(counts[1:].argmax()) + 1 == PERSON


def test_the_answer_is_marked_with_model_and_version(loaded: dict[str, Any]) -> None:
    """As the manifest has them."""
    headers = loaded["headers"]
    assert (headers["X-Model"], headers["X-Model-Version"]) == ("deeplabv3", "1.0")


@pytest.mark.parametrize("package", ["gateway", "ui", "scripts", "httpx", "fastapi", "streamlit"])
def test_a_worker_loads_nothing_of_the_other_parts(loaded: dict[str, Any], package: str) -> None:
    """They share data with the handler, not code."""
    assert package not in {name.split(".")[0] for name in loaded["modules"]}


def test_a_worker_loads_nothing_for_traces_that_nobody_wants(loaded: dict[str, Any]) -> None:
    """It would cost memory in every worker."""
    assert "opentelemetry" not in {name.split(".")[0] for name in loaded["modules"]}


def test_torchserve_imports_pytorch_into_every_worker() -> None:
    """Else the handler's own import would cost 200 MB and seconds, and it only resizes with it."""
    code = "import sys, ts.protocol.otf_message_handler; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_no_module_has_a_name_that_torchserve_takes(unpacked: Path) -> None:
    """It would be TorchServe's that is imported."""
    names = {path.name.removesuffix(".py") for path in unpacked.iterdir()}
    assert names.isdisjoint(TAKEN)


def test_the_labels_are_the_committed_ones(unpacked: Path) -> None:
    """The only label set."""
    committed = json.loads((ROOT / "handler" / "deeplab" / "labels.json").read_text())
    assert _facts(unpacked, "deeplab/labels.json") == committed


def test_the_code_is_the_committed_one(unpacked: Path) -> None:
    """No file more, none less, none different."""
    ours = {
        path.relative_to(ROOT / "handler"): path.read_bytes()
        for path in (ROOT / "handler").rglob("*.py")
    }
    theirs = {path.relative_to(unpacked): path.read_bytes() for path in unpacked.rglob("*.py")}
    assert ours == theirs


def test_the_specification_fits_the_network(unpacked: Path) -> None:
    """The sum is the weights file's, the classes are the labels'."""
    spec = _facts(unpacked, "model.json")
    weights = unpacked / "network" / spec["artefact"].replace(".xml", ".bin")
    assert spec["sha256"] == file_sha256(weights)
    assert spec["classes"] == len(_facts(unpacked, "deeplab/labels.json"))
    assert spec["architecture"] == "deeplabv3_efficientnet_lite0"


def test_the_provenance_says_where_everything_is_from(unpacked: Path) -> None:
    """Weights, libraries, time, and the proof of the export."""
    provenance = _facts(unpacked, "provenance.json")
    assert sorted(provenance) == [
        "agreement_with_eager",
        "architecture",
        "built",
        "fingerprint",
        "libraries",
        "weights",
    ]
    shares = list(provenance["agreement_with_eager"].values())
    assert sum(shares) / len(shares) >= 0.99
    assert set(provenance["libraries"]) >= {"torch", "openvino"}


def test_operations_and_model_do_not_overlap(unpacked: Path) -> None:
    """What the model is, and how it is run, are two files."""
    operations = yaml.safe_load((unpacked / "model-config.yaml").read_text())
    names = {*operations, *operations["handler"]}
    assert names.isdisjoint(_facts(unpacked, "model.json"))
    assert "minWorkers" not in operations


def test_the_largest_mask_fits_into_an_answer(unpacked: Path) -> None:
    """TorchServe closes the worker's channel over a larger one."""
    operations = yaml.safe_load((unpacked / "model-config.yaml").read_text())
    handler = operations["handler"]
    assert handler["maxPixels"] * 1.01 < handler["maxAnswerBytes"]
    assert handler["maxAnswerBytes"] + 65_536 < Settings().max_response_bytes


def test_the_archive_is_small(archive: Path) -> None:
    """It is copied to every machine that serves."""
    with zipfile.ZipFile(archive) as file:
        assert not [name for name in file.namelist() if "__pycache__" in name]
    assert archive.stat().st_size < 10_000_000
