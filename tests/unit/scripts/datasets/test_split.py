"""The split into training and validation images, which never overlap."""

from pathlib import Path

import pytest

from scripts.datasets.split import VALIDATION, digest, split, write_names
from scripts.datasets.voc import DataError, list_pairs, read_names
from tests.unit.scripts.voc_folder import RED, draw, make, write


def test_two_folders_are_found_below_one(tmp_path: Path) -> None:
    """train/ and val/ are found below the folder."""
    make(tmp_path / "train", 4)
    make(tmp_path / "val", 2)
    chosen = split(tmp_path, None)
    assert [pair.image.parts[-3] for pair in chosen.train] == ["train"] * 4
    assert [pair.image.parts[-3] for pair in chosen.validation] == ["val"] * 2


def test_the_second_folder_can_be_anywhere(tmp_path: Path) -> None:
    """--val may name any folder."""
    chosen = split(make(tmp_path / "mine", 4), make(tmp_path / "theirs", 3))
    assert (len(chosen.train), len(chosen.validation)) == (4, 3)


def test_another_validation_leaves_the_folder_to_train_on(tmp_path: Path) -> None:
    """Training uses train/, whether it is validated on val/ or on another folder."""
    for name, pictures in (("train", 4), ("val", 2), ("test", 3)):
        make(tmp_path / name, pictures)
    chosen = split(tmp_path, tmp_path / "test")
    assert {pair.image.parts[-3] for pair in chosen.train} == {"train"}
    assert [pair.image.parts[-3] for pair in chosen.validation] == ["test"] * 3


@pytest.mark.parametrize(("pictures", "held_out"), [(2, 1), (12, 1), (30, 3)])
def test_one_folder_is_split(tmp_path: Path, pictures: int, held_out: int) -> None:
    """A tenth is held out, the same images every time."""
    make(tmp_path, pictures)
    chosen, again = split(tmp_path, None), split(tmp_path, None)
    assert len(chosen.validation) == held_out
    assert {p.name for p in chosen.train} & {p.name for p in chosen.validation} == set()
    assert len(chosen.train) + held_out == pictures
    assert chosen == again


def test_the_held_out_names_can_be_written_and_read_again(tmp_path: Path) -> None:
    """An evaluation can be limited to the images that were held out."""
    data = make(tmp_path / "data", 12)
    chosen = split(data, None)
    write_names(tmp_path / VALIDATION, chosen.validation)
    held_out = read_names(tmp_path / VALIDATION, list_pairs(data))
    assert held_out == {pair.name for pair in chosen.validation}
    assert not held_out & {pair.name for pair in chosen.train}


def test_one_picture_is_not_enough(tmp_path: Path) -> None:
    """One image leaves none for validation."""
    with pytest.raises(DataError, match="one picture cannot be trained on and validated with"):
        split(make(tmp_path, 1), None)


def test_the_list_of_trusted_masks_is_read(tmp_path: Path) -> None:
    """real.txt lies beside the two folders of a VOC folder."""
    make(tmp_path, 3)
    (tmp_path / "real.txt").write_text("p01\n")
    assert split(tmp_path, None).trusted == {"p01"}


def test_a_missing_validation_is_named(tmp_path: Path) -> None:
    """The error for train/ without val/ names val/."""
    make(tmp_path / "train", 3)
    with pytest.raises(DataError, match=r"val.JPEGImages: there is no such folder"):
        split(tmp_path, None)


def test_the_digest_changes_with_the_folder(tmp_path: Path) -> None:
    """An interrupted training is not resumed with other images."""
    before = digest(split(make(tmp_path, 4), None))
    assert digest(split(tmp_path, None)) == before
    write(tmp_path, "p01", *draw(99, RED))
    assert digest(split(tmp_path, None)) != before
