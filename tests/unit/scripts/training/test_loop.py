"""The training loop: it learns, keeps its best weights, and resumes exactly."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scripts.evaluation.scores import Scores
from scripts.training.interrupt import Interrupted
from scripts.training.loop import Report, Training, Weights
from scripts.training.options import Plan
from scripts.training.state import load, save
from tests.child_process import run_in_child
from tests.unit.scripts.training.tiny_training import training, validation

pytestmark = pytest.mark.slow

PLAN = Plan(epochs=3, batch=4, crop=65, head_rate=0.02, backbone_rate=0.02, warm_up=2)


def _folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def _score(_: Weights) -> Scores:
    return Scores(miou=0.5, pixel_accuracy=0.5, iou={})


def _run(made: Training) -> list[Report]:
    """The reports of all steps."""
    reports: list[Report] = []
    made.run(_score, reports.append, lambda _: None)
    return reports


def _same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_it_learns_to_tell_the_colours(tmp_path: Path) -> None:
    """The mean IoU rises above what guessing gives."""
    made = training(_folder(tmp_path), replace(PLAN, epochs=40))
    made.run(validation(_folder(tmp_path)), lambda _: None, lambda _: None)
    assert made.progress.best_miou > 0.75
    assert made.progress.curve[-1]["loss"] < 0.8 * made.progress.curve[0]["loss"]


def test_every_step_is_reported_and_every_epoch_validated(tmp_path: Path) -> None:
    """Two steps per epoch, scores after the second."""
    reports = _run(training(_folder(tmp_path), PLAN))
    assert [(each.step, each.epoch) for each in reports] == [
        (1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3)
    ]  # fmt: skip
    assert [each.scores is not None for each in reports] == [False, True] * 3


def test_the_curve_has_a_row_for_each_epoch(tmp_path: Path) -> None:
    """With the mean loss of its steps."""
    made = training(_folder(tmp_path), PLAN)
    reports = _run(made)
    rows = made.progress.curve
    assert [(row["epoch"], row["step"]) for row in rows] == [(1, 2), (2, 4), (3, 6)]
    assert rows[0]["loss"] == pytest.approx((reports[0].loss + reports[1].loss) / 2)


def test_the_best_average_is_kept(tmp_path: Path) -> None:
    """A worse epoch later does not replace it."""
    made = training(_folder(tmp_path), PLAN)
    found = iter([0.2, 0.6, 0.4])
    seen: list[Weights] = []

    def validate(weights: Weights) -> Scores:
        seen.append({name: value.clone() for name, value in weights.items()})
        return Scores(next(found), 0.0, {})

    made.run(validate, lambda _: None, lambda _: None)
    assert (made.progress.best_epoch, made.progress.best_miou) == (2, 0.6)
    assert _same(made.progress.best, seen[1])
    assert not _same(made.progress.best, seen[2])


def test_it_stops_early(tmp_path: Path) -> None:
    """After ``patience`` epochs without a better one."""
    made = training(_folder(tmp_path), replace(PLAN, epochs=9, patience=2))
    found = iter([0.5, 0.6, 0.6, 0.5])
    made.run(lambda _: Scores(next(found), 0.0, {}), lambda _: None, lambda _: None)
    assert made.progress.step == 8  # two steps an epoch: the second was the best
    assert made.progress.best_epoch == 2


def _interrupt_and_go_on(tmp_path: Path, stop_after: int) -> None:
    whole = training(_folder(tmp_path), PLAN)
    _run(whole)
    first, path = training(_folder(tmp_path), PLAN), tmp_path / "state.pt"

    def stop(report: Report) -> None:
        if report.step == stop_after:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match=rf"stopped after step {stop_after} of 6"):
        first.run(_score, stop, lambda state: save(path, state, {}))
    second = training(_folder(tmp_path), PLAN)
    state = load(path, {})
    assert state is not None
    second.restore(state)
    reports = _run(second)
    assert reports[0].step == stop_after + 1
    assert _same(whole.state().weights, second.state().weights)
    assert _same(whole.progress.average, second.progress.average)
    assert whole.progress.curve == second.progress.curve


@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_an_interruption_loses_nothing(tmp_path: Path, stop_after: int) -> None:
    """The weights equal an uninterrupted training's bit for bit, through a file."""
    run_in_child(_interrupt_and_go_on, tmp_path, stop_after)  # it sends itself a signal


def test_the_state_is_kept_at_epochs_and_in_between(tmp_path: Path) -> None:
    """A power failure costs no more than the steps since the last save."""
    made = training(_folder(tmp_path), replace(PLAN, save_every=3))
    steps: list[int] = []
    made.run(_score, lambda _: None, lambda state: steps.append(state.progress.step))
    assert steps == [2, 3, 4, 6]


def test_a_small_folder_leaves_the_warm_up(tmp_path: Path) -> None:
    """With six steps, the default of a hundred would never end."""
    made = training(_folder(tmp_path), replace(PLAN, warm_up=Plan().warm_up))
    rates: list[float] = []
    made.run(
        _score,
        lambda _: rates.append(made.state().optimiser["param_groups"][0]["lr"]),
        lambda _: None,
    )
    full = made.state().optimiser["param_groups"][0]["full_rate"]
    assert [rate / full for rate in rates] == pytest.approx(
        [(left / 6) ** 0.9 for left in (6, 5, 4, 3, 2, 1)]
    )


def test_the_handlers_of_signals_are_given_back(tmp_path: Path) -> None:
    """The previous signal handlers are restored."""
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    _run(training(_folder(tmp_path), PLAN))
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
