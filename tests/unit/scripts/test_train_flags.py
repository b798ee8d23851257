"""The flags of `segserve train` change the plan, and are validated first."""

import click
import pytest

from scripts.__main__ import program
from scripts.datasets.crops import Augmentation
from scripts.networks.architectures import ARCHITECTURES
from scripts.train import options_from, train
from scripts.training.options import SCALE, Plan, TrainingOptions
from tests.unit.scripts.commands import command

NEEDED = ["--data", "d", "--output", "o"]


def _options(*arguments: str) -> TrainingOptions:
    parent = click.Context(program, info_name="segserve")
    context = train.make_context("train", [*NEEDED, *arguments], parent)
    return options_from(dict(context.params))


def test_without_flags_the_plan_is_the_default() -> None:
    """The scale is the augmentation's default."""
    assert _options().plan == Plan()
    assert _options().scale == SCALE == Augmentation(33, 33).scale


def test_flags_change_the_plan() -> None:
    """Each flag changes its own field."""
    plan = _options("--epochs", "3", "--batch", "8", "--crop", "385", "--head-rate", "0.1",
                    "--backbone-rate", "0.01", "--patience", "4", "--seed", "5").plan  # fmt: skip
    assert (plan.epochs, plan.batch, plan.crop, plan.patience, plan.seed) == (3, 8, 385, 4, 5)
    assert (plan.head_rate, plan.backbone_rate) == (0.1, 0.01)


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--epochs", "0", "0 is not in the range x>=1"),
        ("--batch", "1", "1 is not in the range x>=2"),
        ("--crop", "32", "32 is not in the range x>=33"),
        ("--crop", "wide", "'wide' is not a valid integer"),
        ("--seed", "-1", "-1 is not in the range x>=0"),
        ("--head-rate", "0", "is not in the range 0<x<=1"),
        ("--head-rate", "nan", "nan is not in the range 0<x<=1"),
        ("--adjustment", "1.1", "1.1 is not in the range 0<=x<=1"),
        ("--adjustment", "nan", "nan is not in the range 0<=x<=1"),
        ("--scale", "2,1", "the smaller first"),
        ("--scale", "1", "invalid"),
        ("--scale", "0,1", "the smaller first"),
        ("--model", "deeplabv9", f"'deeplabv9' is not one of '{ARCHITECTURES[0]}'"),
    ],
)
def test_nonsense_is_refused(
    flag: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the flag; exit status 2."""
    assert command("train")([*NEEDED, flag, value]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"segserve: Invalid value for '{flag}': ")
    assert words in line
    assert line.count("\n") == 1


def test_the_scale_is_two_factors() -> None:
    """The smallest and the largest."""
    assert _options("--scale", "0.5,1.3").scale == (0.5, 1.3)


def test_every_figure_of_the_plan_that_people_change_has_a_flag() -> None:
    """The flag's default is the plan's."""
    options = {each.name: each for each in train.params if isinstance(each, click.Option)}
    shown = {name: options[name].default for name in options if hasattr(Plan(), str(name))}
    assert shown == {name: getattr(Plan(), str(name)) for name in shown}
    assert len(shown) == 8
