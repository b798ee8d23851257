"""The saved state: exact, atomic, and refused by any other training."""

from pathlib import Path

import pytest
import torch

from scripts.training.state import Progress, State, StateError, load, save
from tests.child_process import run_with_file_size_limit

MADE_WITH = {"plan": {"epochs": 3}, "architecture": "tiny"}


def _state() -> State:
    weights = {"layer.weight": torch.arange(6).float().view(2, 3)}
    progress = Progress(weights, step=7, best_miou=0.5, losses=[1.0], curve=[{"epoch": 1.0}])
    return State(weights, {"state": {0: {"step": torch.tensor(7.0)}}, "param_groups": []}, progress)


def test_a_state_survives_its_file(tmp_path: Path) -> None:
    """Weights, optimiser and counters."""
    save(tmp_path / "state.pt", _state(), MADE_WITH)
    found = load(tmp_path / "state.pt", MADE_WITH)
    assert found is not None
    assert torch.equal(found.weights["layer.weight"], _state().weights["layer.weight"])
    assert found.optimiser["state"][0]["step"] == 7
    assert (found.progress.step, found.progress.losses) == (7, [1.0])
    assert found.progress.curve == [{"epoch": 1.0}]


def test_no_file_is_no_state(tmp_path: Path) -> None:
    """The training starts from the beginning."""
    assert load(tmp_path / "state.pt", MADE_WITH) is None


def test_a_state_of_another_training_is_refused(tmp_path: Path) -> None:
    """The error names the difference and the remedies."""
    save(tmp_path / "state.pt", _state(), MADE_WITH)
    with pytest.raises(StateError, match="made with another plan; choose another --output, or del"):
        load(tmp_path / "state.pt", {**MADE_WITH, "plan": {"epochs": 4}})


@pytest.mark.parametrize("content", [b"", b"no state", b"PK\x03\x04 cut"])
def test_a_damaged_state_is_refused(tmp_path: Path, content: bytes) -> None:
    """One line instead of pickle's message."""
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(StateError, match="not a training's state"):
        load(tmp_path / "state.pt", MADE_WITH)


def test_foreign_content_is_refused(tmp_path: Path) -> None:
    """Another program's file under the same name."""
    torch.save({"weights": {}}, tmp_path / "state.pt")
    with pytest.raises(StateError, match="not a training's state"):
        load(tmp_path / "state.pt", MADE_WITH)


def _save_state(path: Path) -> None:
    save(path, _state(), MADE_WITH)


@pytest.mark.slow
def test_a_state_that_cannot_be_written_names_the_file(tmp_path: Path) -> None:
    """OSError with the name; the previous state can still be resumed."""
    path = tmp_path / "state.pt"
    save(path, _state(), MADE_WITH)
    with pytest.raises(OSError, match=r"File too large: .*state\.pt'$"):
        run_with_file_size_limit(1000, _save_state, path)
    assert load(path, MADE_WITH) is not None
    assert list(tmp_path.iterdir()) == [path]


def test_a_state_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """No partial file is left beside it."""
    for _ in range(2):
        save(tmp_path / "state.pt", _state(), MADE_WITH)
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]
