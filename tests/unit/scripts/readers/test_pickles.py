"""Whole pickled networks, run in a child process where they are trusted."""

import importlib
import json
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from scripts.networks.architectures import ModelChoice
from scripts.networks.checkpoints import Checkpoint, CheckpointError
from scripts.readers.chain import load_checkpoint
from tests.child_process import run_in_child

pytestmark = pytest.mark.slow
# The user's module, which only the child may import.
SOURCE = """
    import os, socket
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self, outputs, last=None, fault=None):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
            self.head = nn.Conv2d(8, outputs, 1)
            self.last, self.fault = last, fault

        def forward(self, image):
            size = image.shape[-2:]
            out = self.head(self.body(image))
            out = nn.functional.interpolate(out, size=size, mode="bilinear")
            if self.last == "sigmoid":
                return torch.sigmoid(out)
            if self.last == "vector":
                return out.mean((2, 3))
            return {"features": image.mean(), "out": out}

        def __setstate__(self, state):
            self.__dict__.update(state)
            if self.fault == "raise":
                raise RuntimeError("no licence\\nfor this machine")
            if self.fault == "die":
                os._exit(7)
            if self.fault == "connect":
                socket.create_connection(("127.0.0.1", 9), timeout=1)
            if self.fault == "vector":
                self.last = "vector"
"""


def _save(folder: str, outputs: int, last: str | None, fault: str | None) -> list[list[list[int]]]:
    """Write network.pth in a process that knows the module; returns a mask."""
    sys.path.insert(0, folder)
    my_network = importlib.import_module("my_network")
    torch.manual_seed(0)
    network = my_network.Net(outputs, last).eval()
    out = network(_image())
    out = out["out"] if isinstance(out, dict) else out.logit()
    network.fault = fault
    torch.save({"epoch": 3, "net": network}, Path(folder) / "network.pth")
    mask: list[list[list[int]]] = (out[:, 0] > 0 if outputs == 1 else out.argmax(1)).int().tolist()
    return mask


def _image() -> torch.Tensor:
    return torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(1)) * 4 - 2


def _saved(
    folder: Path, outputs: int, last: str | None = None, fault: str | None = None
) -> list[list[list[int]]]:
    (folder / "my_network.py").write_text(textwrap.dedent(SOURCE))
    names = ["background", "crack", "water"][:outputs] if outputs > 1 else ["crack"]
    (folder / "labels.json").write_text(json.dumps(names))
    return run_in_child(_save, str(folder), outputs, last, fault)


def _load(folder: Path, *, trust: bool = True, threshold: float | None = None) -> Checkpoint:
    path, labels = folder / "network.pth", folder / "labels.json"
    choice = ModelChoice(weights=path, labels=labels, trust_pickle=trust, threshold=threshold)
    return load_checkpoint(choice)


@pytest.mark.parametrize(("outputs", "last"), [(3, None), (1, None), (1, "sigmoid")])
def test_a_trusted_network_gives_its_own_masks(
    tmp_path: Path, outputs: int, last: str | None
) -> None:
    """Its module is found beside the file, and is not imported into this process."""
    mask = _saved(tmp_path, outputs, last)
    checkpoint = _load(tmp_path)
    assert "my_network" not in sys.modules
    assert checkpoint.architecture == "Net"
    assert checkpoint.output == ("sigmoid" if outputs == 1 else "logits")
    assert checkpoint.facts is not None
    assert set(checkpoint.facts.sources.values()) == {"assumed"}
    with torch.inference_mode():
        given = checkpoint.network(_image()).argmax(dim=1).numpy()
    assert len(np.unique(given)) > 1
    assert np.array_equal(given, np.array(mask))


def test_untrusted_it_is_refused(tmp_path: Path) -> None:
    """The line names its class and both ways out."""
    _saved(tmp_path, 3)
    words = r"pickled network \(my_network\.Net\).*model\.state_dict\(\).*--trust-pickle"
    with pytest.raises(CheckpointError, match=words):
        _load(tmp_path, trust=False)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise", r"RuntimeError: no licence for this machine"),
        ("die", "its process died"),
        ("connect", r"PermissionError: a pickled network gets no connection"),
        ("vector", "its output is no"),
    ],
)
def test_a_network_that_fails_gets_one_line(tmp_path: Path, fault: str, words: str) -> None:
    """Its exceptions, its death, its connections, and an output that is no map."""
    _saved(tmp_path, 3, fault=fault)
    with pytest.raises(CheckpointError, match=words) as caught:
        _load(tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_module_that_is_not_there_gets_one_line(tmp_path: Path) -> None:
    """As after a move of the file."""
    _saved(tmp_path, 3)
    (tmp_path / "my_network.py").unlink()
    with pytest.raises(CheckpointError, match="No module named 'my_network'"):
        _load(tmp_path)


def test_a_threshold_is_for_one_output(tmp_path: Path) -> None:
    """With several the flag is refused."""
    _saved(tmp_path, 3)
    with pytest.raises(CheckpointError, match="--threshold is for networks with one output"):
        _load(tmp_path, threshold=0.7)
