"""The command line changes the plan, and nonsense is refused before anything is read."""

import pytest

from scripts.datasets.voc import DataError
from scripts.training.options import Plan, parser, plan_from

NEEDED = ["--data", "d", "--output", "o"]


def _plan(*arguments: str, pictures: int = 100) -> Plan:
    return plan_from(parser(None).parse_args([*NEEDED, *arguments]), pictures)


def test_without_options_the_plan_is_the_default() -> None:
    """All of it."""
    assert _plan() == Plan()


def test_options_change_the_plan() -> None:
    """Each its own field."""
    plan = _plan("--epochs", "3", "--batch", "8", "--crop", "385", "--head-rate", "0.1",
                 "--backbone-rate", "0.01", "--patience", "4", "--seed", "5")  # fmt: skip
    assert (plan.epochs, plan.batch, plan.crop, plan.patience, plan.seed) == (3, 8, 385, 4, 5)
    assert (plan.head_rate, plan.backbone_rate) == (0.1, 0.01)


def test_a_batch_is_not_larger_than_the_folder() -> None:
    """Five pictures train in batches of five."""
    assert _plan(pictures=5).batch == 5


@pytest.mark.parametrize("pictures", [0, 1])
def test_one_picture_is_no_batch(pictures: int) -> None:
    """Batch normalisation needs two."""
    with pytest.raises(DataError, match="at least two pictures"):
        _plan(pictures=pictures)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--epochs", "0", "at least 1"),
        ("--batch", "1", "at least 2"),
        ("--crop", "32", "at least 33"),
        ("--crop", "wide", "invalid"),
        ("--seed", "-1", "at least 0"),
        ("--head-rate", "0", "above 0"),
        ("--head-rate", "nan", "above 0"),
        ("--adjustment", "1.1", "from 0 to 1"),
        ("--scale", "2,1", "the smaller first"),
        ("--scale", "1", "invalid"),
        ("--scale", "0,1", "the smaller first"),
        ("--model", "deeplabv9", "invalid choice"),
    ],
)
def test_nonsense_is_refused(
    option: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option is named."""
    with pytest.raises(SystemExit):
        parser(None).parse_args([*NEEDED, option, value])
    errors = capsys.readouterr().err
    assert option in errors
    assert words in errors


def test_the_scale_is_two_factors() -> None:
    """Least and most."""
    assert parser(None).parse_args([*NEEDED, "--scale", "0.5,1.3"]).scale == (0.5, 1.3)
