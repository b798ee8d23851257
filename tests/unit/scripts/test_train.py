"""`segserve train`: results, resumption after any interruption, one-line errors for bad folders."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from scripts.archives.paths import ROOT
from scripts.datasets.split import VALIDATION
from scripts.datasets.voc import MASKS
from scripts.networks.architectures import ModelChoice
from scripts.readers.chain import load_checkpoint
from scripts.training.run import STATE
from tests.child_process import limit_file_size
from tests.unit.scripts.commands import command
from tests.unit.scripts.voc_folder import make

pytestmark = pytest.mark.slow

main = command("train")

QUICK = [
    *("--model", "deeplabv3_efficientnet_lite0", "--init", "imagenet"),
    *("--crop", "65", "--batch", "2", "--epochs", "4", "--scale", "0.3,0.5"),
]
LABELS = '{"0": "ground", "1": "red", "2": "green"}'
WAIT_S = 120.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight squares for training, two for validation, and the labels."""
    root = tmp_path_factory.mktemp("squares")
    make(root / "train", 8)
    make(root / "val", 2)
    (root / "labels.json").write_text(LABELS)
    return root


def _arguments(folder: Path, output: Path, *more: str) -> list[str]:
    labels = str(folder / "labels.json")
    return ["--data", str(folder), "--output", str(output), "--labels", labels, *QUICK, *more]


def _start(
    arguments: Sequence[str], before: Callable[[], None] | None = None, **env: str
) -> subprocess.Popen[str]:
    """The command. before: called in its process."""
    return subprocess.Popen(
        [sys.executable, "-m", "scripts", "train", *arguments],
        cwd=ROOT,
        # One thread: two wait for each other wherever something else runs.
        env={**os.environ, "OMP_NUM_THREADS": "1", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
    )


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of an uninterrupted training."""
    output = tmp_path_factory.mktemp("whole")
    done = _start(_arguments(folder, output))
    printed, errors = done.communicate(timeout=WAIT_S)
    assert done.returncode == 0, errors
    assert "epoch 4: mIoU" in printed
    assert f"segserve build {output / 'model.safetensors'} --labels" in printed
    return output


def _weights(output: Path) -> dict[str, Tensor]:
    return load_file(output / "model.safetensors")


def _same(one: Path, other: Path) -> bool:
    first, second = _weights(one), _weights(other)
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


def test_the_results_can_be_loaded_and_served(whole: Path) -> None:
    """Weights and labels are valid for --weights and --labels."""
    choice = ModelChoice(weights=whole / "model.safetensors", labels=whole / "labels.json")
    checkpoint = load_checkpoint(choice)
    assert checkpoint.architecture == "deeplabv3_efficientnet_lite0"
    assert checkpoint.labels == {0: "ground", 1: "red", 2: "green"}
    facts = json.loads((whole / "training.json").read_text())
    assert (facts["plan"]["epochs"], facts["init"], facts["pictures"]) == (4, "imagenet", 8)
    assert len((whole / "curve.csv").read_text().splitlines()) == 5
    assert (whole / VALIDATION).read_text() == "p00\np01\n"


def test_the_last_epochs_weights_can_be_kept(whole: Path, folder: Path) -> None:
    """The finished training writes either kind; the record says which."""
    best = _weights(whole)
    assert main(_arguments(folder, whole, "--keep", "last")) == 0
    facts = json.loads((whole / "training.json").read_text())
    assert facts["kept"]["epoch"] == 4
    last = _weights(whole)
    state = torch.load(whole / STATE, weights_only=True)["progress"]
    for name, value in last.items():
        assert torch.equal(value, state["average"][name].half())
        assert torch.equal(best[name], state["best"][name].half())
    assert main(_arguments(folder, whole)) == 0


def test_what_is_finished_is_not_done_again(whole: Path, folder: Path) -> None:
    """The same command writes the same results again at once."""
    before = _weights(whole)
    assert main(_arguments(folder, whole)) == 0
    after = _weights(whole)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_training_goes_on(
    whole: Path, folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """After SIGINT, SIGTERM or SIGKILL the result equals an uninterrupted training's."""
    first = _start(_arguments(folder, tmp_path))
    end = time.monotonic() + WAIT_S
    while not (tmp_path / STATE).exists() and time.monotonic() < end:
        time.sleep(0.05)  # until the first epoch's state is written
    first.send_signal(number)
    _, errors = first.communicate(timeout=WAIT_S)
    if number is not signal.SIGKILL:
        assert first.returncode == 130, errors
        assert errors.startswith("segserve: stopped after step ")
        assert errors.endswith("of 16; the same command goes on from there\n")
    assert not (tmp_path / "model.safetensors").exists()
    second = _start(_arguments(folder, tmp_path))
    printed, errors = second.communicate(timeout=WAIT_S)
    assert second.returncode == 0, errors
    assert "going on after step" in printed
    assert _same(whole, tmp_path)


def test_another_plan_does_not_go_on(
    whole: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its steps would differ."""
    assert main(_arguments(folder, whole, "--epochs", "9")) == 1
    expected = f"segserve: {whole / STATE}: was made with another plan; choose another --output"
    assert capsys.readouterr().err.startswith(expected)


@pytest.mark.parametrize(
    "names",
    [["ground", "red", "green", "blue", "pink"], ["ground", "green", "red"]],
    ids=["more", "others"],
)
def test_other_labels_do_not_go_on(
    whole: Path,
    folder: Path,
    tmp_path: Path,
    names: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With labels given only at the second start, the saved last layer does not fit."""
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(dict(enumerate(names))))
    assert main(_arguments(folder, whole, "--labels", str(labels))) == 1
    errors = capsys.readouterr().err
    assert errors.startswith(f"segserve: {whole / STATE}: was made with another labels; choose")
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("instead", "words"), [(255, "255 means ignore, not object"), (0, "there is nothing to learn")]
)
def test_masks_without_an_object_are_one_line(
    folder: Path, tmp_path: Path, instead: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Masks of 0 and 255 would give a mean IoU of 1 and teach nothing."""
    data = make(tmp_path / "data", 4)
    for path in (data / MASKS).iterdir():
        Image.open(path).point(lambda index: instead * (index > 0)).save(path)
    assert main(_arguments(folder, tmp_path / "out", "--data", str(data))) == 1
    expected = f"segserve: {data / MASKS}: no class but 0 is shown in any of 3 masks; {words}\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("bytes_left", [200, 20_000_000])
def test_a_full_disk_is_one_line(folder: Path, tmp_path: Path, bytes_left: int) -> None:
    """The line names the file: the state, which is the largest."""
    arguments, before = _arguments(folder, tmp_path / "out"), partial(limit_file_size, bytes_left)
    # A module imported under the limit would be cached cut short.
    with _start(arguments, before, PYTHONDONTWRITEBYTECODE="1") as process:
        _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    state = tmp_path / "out" / STATE
    assert errors.endswith(f"segserve: [Errno 27] File too large: '{state}'\n")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [VALIDATION]


def test_a_bad_folder_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the file, before the network is built."""
    bad = make(tmp_path / "bad", 3)
    mask = bad / MASKS / "p01.png"
    mask.write_bytes(mask.read_bytes()[:50])
    assert main(_arguments(folder, tmp_path / "out", "--data", str(bad))) == 1
    errors = capsys.readouterr().err
    assert errors.startswith(f"segserve: {mask}: not a readable mask")
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--labels", "none.json"), "none.json"),
        (("--init", "none.pth"), "none.pth: there is no such file"),
        (("--data", "nowhere"), "nowhere/JPEGImages: there is no such folder"),
    ],
)
def test_a_missing_file_is_one_line(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: tuple[str, str],
    words: str,
) -> None:
    """Exit status 1 and one line on standard error."""
    assert main(_arguments(folder, tmp_path, *option)) == 1
    errors = capsys.readouterr().err
    assert errors.startswith("segserve: ")
    assert words in errors
    assert errors.count("\n") == 1


def test_a_network_of_torchvisions_trains(folder: Path, tmp_path: Path) -> None:
    """From random weights, because its published ones would be downloaded."""
    arguments = _arguments(folder, tmp_path, "--model", "deeplabv3_mobilenet_v3_large")
    assert main([*arguments, "--init", "random", "--epochs", "1"]) == 0
    choice = ModelChoice(weights=tmp_path / "model.safetensors", labels=folder / "labels.json")
    assert load_checkpoint(choice).architecture == "deeplabv3_mobilenet_v3_large"
