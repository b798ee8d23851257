"""Arguments are expanded to images, each with its own result file."""

from pathlib import Path

import pytest

from scripts.prediction.images import find_images


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with images in two folders."""
    monkeypatch.chdir(tmp_path)
    for name in ("one/x.jpg", "two/x.jpg", "two/deep/y.png", "two/notes.txt"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    return tmp_path


def _places(*arguments: str) -> list[str]:
    return sorted(str(each.place) for each in find_images(arguments, Path("out")).images)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "places"),
    [
        (["one"], ["x"]),
        (["one", "two"], ["one/x", "two/deep/y", "two/x"]),
        (["two/deep/y.png"], ["y"]),
        (["two/deep", "two/x.jpg"], ["deep/y", "x"]),
        (["*/x.jpg"], ["one/x", "two/x"]),
        (["two/*/*.png"], ["deep/y"]),
        (["two/../one"], ["x"]),
    ],
)
def test_the_tree_below_the_common_folder_is_kept(arguments: list[str], places: list[str]) -> None:
    """A pattern's folder is what precedes its first wildcard."""
    assert _places(*arguments) == places


def test_absolute_and_relative_arguments_mean_the_same(folder: Path) -> None:
    """No image is sent twice."""
    assert _places("two", str(folder / "two" / "x.jpg"), str(folder / "*" / "x.jpg")) == [
        "one/x",
        "two/deep/y",
        "two/x",
    ]


@pytest.mark.usefixtures("folder")
def test_other_files_are_counted_once() -> None:
    """However many arguments match them."""
    assert len(find_images(["two", "two/*", "."], Path("out")).left_out) == 1


@pytest.mark.usefixtures("folder")
def test_a_file_whose_name_looks_like_a_pattern_is_a_file() -> None:
    """An existing file takes precedence over a pattern."""
    Path("one/[1].jpg").touch()
    assert _places("one/[1].jpg") == ["[1]"]
