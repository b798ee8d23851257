"""From a folder of labelled images to version 2.0, served beside 1.0 and evaluated."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.e2e.pages import blocks, run_block
from tests.stack import ROOT, Stack, segserve
from tests.unit.scripts.voc_folder import write

PAGE = ROOT / "docs" / "training.md"
GOLDEN = ROOT / "tests" / "e2e" / "golden"
BUNDLED = next((ROOT / "model_store" / "weights").glob("*.safetensors"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images for training and two for the evaluation; the golden masks are the truth."""
    folder = tmp_path_factory.mktemp("labelled") / "pictures"
    for name in ("astronaut", "cat"):
        photograph = Image.open(ROOT / "ui" / "examples" / f"{name}.jpg").convert("RGB")
        ids = np.asarray(Image.open(GOLDEN / f"{name}.png"))
        for part in ("train", "val"):
            write(folder / part, name, photograph, ids)
    return folder


@pytest.fixture
def version_removed(stack: Stack) -> Iterator[None]:
    """Leave version 1.0 serving alone, whatever happened."""
    yield
    stack.versions("default", "1.0")
    stack.versions("remove", "2.0")
    (stack.model_store / "deeplabv3-2.0.mar").unlink(missing_ok=True)


@pytest.mark.usefixtures("version_removed")
def test_the_page_on_training_works_command_by_command(
    stack: Stack, pictures: Path, tmp_path: Path
) -> None:
    """Train, build, add, evaluate, promote, roll back and remove, as documented."""
    trained = tmp_path / "trained"
    instead = {
        "DATA=pictures": f"GATEWAY={stack.gateway_url} DATA={pictures}",
        "trained/": f"{trained}/",
        "OUT=trained": f"OUT={trained}",
    }
    printed = []
    for block in blocks(PAGE):
        done = run_block(stack, block, instead)
        assert done.returncode == 0, (block, done.stdout, done.stderr)
        printed.append(done.stdout)
    assert len(printed) == 3
    assert "epoch 10: mIoU" in printed[0]
    assert sorted(path.name for path in trained.iterdir()) == [
        "2.0.html",
        "2.0.json",
        "curve.csv",
        "curve.png",
        "labels.json",
        "model.safetensors",
        "state.pt",
        "training.json",
        "validation.txt",
    ]
    measured = json.loads((trained / "2.0.json").read_text())
    assert measured["source"] == f"deeplabv3 2.0 at {stack.gateway_url}"
    assert measured["per_class"]["cat"] > 0.8  # ten steps on two photographs change much


def _evaluate(output: Path, data: Path, *source: str) -> dict[str, Any]:
    """The command's metrics; fails unless it succeeds."""
    done = segserve("evaluate", "--data", str(data), *source, "--json", str(output))
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(output.read_text())
    return facts


def test_gateway_archive_and_checkpoint_give_the_same_figures(
    stack: Stack, pictures: Path, tmp_path: Path
) -> None:
    """Gateway and archive to 0.1 points; the checkpoint, computed in f32, to half a point."""
    output, data = tmp_path / "out.json", pictures / "val"
    gateway = _evaluate(output, data, "--gateway", stack.gateway_url)
    archive = _evaluate(output, data, "--archive", str(stack.model_store / "deeplabv3-1.0.mar"))
    checkpoint = _evaluate(output, data, "--weights", str(BUNDLED))
    assert gateway["images"] == archive["images"] == checkpoint["images"] == 2
    assert gateway["miou"] == pytest.approx(archive["miou"], abs=0.001)
    assert gateway["per_class"] == pytest.approx(archive["per_class"], abs=0.001)
    assert gateway["pixel_accuracy"] == pytest.approx(checkpoint["pixel_accuracy"], abs=0.005)
    for name in ("background", "cat", "person"):  # a sliver of a class would be noise
        assert gateway["per_class"][name] == pytest.approx(checkpoint["per_class"][name], abs=0.01)


def test_an_unknown_version_is_one_line(stack: Stack, pictures: Path) -> None:
    """The line has the gateway's message."""
    source = ("--gateway", stack.gateway_url, "--version", "9.9")
    done = segserve("evaluate", "--data", str(pictures / "val"), *source, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("segserve: the gateway answered 404: ")
    assert done.stderr.count("\n") == 1
