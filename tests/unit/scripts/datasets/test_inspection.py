"""Validation before a training: classes without pixels are named, empty masks refused."""

from pathlib import Path

import pytest

from scripts.datasets.inspection import check_objects, inspect
from scripts.datasets.voc import DataError, list_pairs
from tests.unit.scripts.voc_folder import GREY, draw, make, write

LABELS = {0: "ground", 1: "red", 2: "green", 3: "blue", 4: "pink"}


def test_classes_without_a_pixel_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong id in the labels is reported at once, not after hours of training."""
    inspected = inspect(list_pairs(make(tmp_path, 2)), LABELS, "train on")
    assert [each.pair.name for each in inspected] == ["p00", "p01"]
    assert capsys.readouterr().out == "no picture to train on shows blue, pink\n"


def test_nothing_is_said_where_all_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no output if every class has pixels."""
    labels = {index: LABELS[index] for index in range(3)}
    check_objects(inspect(list_pairs(make(tmp_path, 2)), labels, "train on"))
    assert capsys.readouterr().out == ""


def test_pictures_without_any_object_are_nothing_to_learn(tmp_path: Path) -> None:
    """Masks of background only are refused, with or without pixels of 255."""
    picture, ids = draw(0, GREY)
    write(tmp_path, "p00", picture, ids * 0)
    inspected = inspect(list_pairs(tmp_path), LABELS, "train on")
    with pytest.raises(DataError) as refusal:
        check_objects(inspected)
    assert str(refusal.value) == (
        f"{tmp_path / 'SegmentationClass'}: no class but 0 is shown in any of 1 masks; "
        "there is nothing to learn"
    )
