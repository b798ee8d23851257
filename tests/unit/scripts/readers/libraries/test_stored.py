"""A checkpoint is read as data, whatever it names."""

import pickle
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scripts.networks.checkpoints import CheckpointError
from scripts.readers.libraries.stored import read_stored, state_of


class Command:
    """Runs a command when it is unpickled by a trusting reader."""

    def __init__(self, proof: Path):
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.proof,))


@pytest.mark.parametrize("legacy", [False, True])
def test_tensors_are_read_and_nothing_is_run(tmp_path: Path, *, legacy: bool) -> None:
    """Beside tensors there may be anything, of which an empty stand-in is left."""
    weights = {"a.weight": torch.arange(3.0), "b": torch.ones(2, dtype=torch.float16)}
    content = {
        "state_dict": weights,
        "args": Namespace(lr=0.1),
        "best": np.float64(0.5),
        "history": np.arange(4),
        "evil": Command(tmp_path / "proof"),
    }
    path = tmp_path / "last.pth"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    state = state_of(read_stored(path))
    assert not (tmp_path / "proof").exists()
    assert state["a.weight"].tolist() == [0, 1, 2]
    assert state["b"].dtype == torch.float32


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps(3)[:-1], b"PK\x03\x04" + bytes(60)])
def test_no_checkpoint_is_one_line(content: bytes, tmp_path: Path) -> None:
    """The line names the file."""
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"x\.pth: not a readable checkpoint") as caught:
        read_stored(tmp_path / "x.pth")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """There is no such file."""
    with pytest.raises(CheckpointError, match="no such file"):
        read_stored(tmp_path / "x.pth")


def test_what_holds_no_tensors_has_no_state() -> None:
    """No state instead of an error: it may be another reader's."""
    assert state_of(3) == {}
    assert state_of({"a": {"b": 1}}) == {}
