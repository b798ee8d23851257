"""The saved state of a training, to resume it exactly."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scripts.archives.atomic_write import atomic_write


class StateError(ValueError):
    """A saved state cannot be resumed; the text says why and what to do."""


@dataclass
class Progress:
    """The progress of a training.

    step: steps done. average: state dict of the weights' moving average. best: the average with
    the best mean IoU so far. losses: of the steps since the last epoch. curve: a row per epoch.
    """

    average: dict[str, Tensor]
    step: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    best_miou: float = -1.0
    best_epoch: int = 0
    losses: list[float] = field(default_factory=list)
    curve: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class State:
    """State dicts of network and optimiser, and the progress."""

    weights: dict[str, Tensor]
    optimiser: dict[str, Any]
    progress: Progress


def save(path: Path, state: State, made_with: dict[str, Any]) -> None:
    """Write the state atomically. ``made_with``: the inputs that ``load`` compares.

    OSError, naming the file, if it cannot be written; the one before stays then.
    """
    content = {**vars(state), "progress": vars(state.progress), "made_with": made_with}
    with atomic_write(path) as file:
        torch.save(content, file)


def load(path: Path, made_with: dict[str, Any]) -> State | None:
    """Read the state; None if there is none. StateError if it is another training's."""
    if not path.exists():
        return None
    way_out = "choose another --output, or delete it to start anew"
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        before = saved.pop("made_with")
        state = State(**{**saved, "progress": Progress(**saved["progress"])})
    except Exception as exc:  # pickle and zip raise what they like
        kind = type(exc).__name__
        raise StateError(f"{path}: not a training's state ({kind}); {way_out}") from exc
    changed = [name for name, value in made_with.items() if before.get(name) != value]
    if changed:
        raise StateError(f"{path}: was made with another {', '.join(changed)}; {way_out}")
    return state
