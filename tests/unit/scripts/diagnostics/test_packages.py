"""Checks of the installed packages against the pinned versions."""

from importlib.metadata import version
from pathlib import Path

from scripts.diagnostics.finding import Level, note, wrong
from scripts.diagnostics.packages import NEEDED, OPTIONAL, check_packages, check_part, read_pins


def _file(folder: Path, *lines: str) -> Path:
    path = folder / "deploy" / "requirements" / "part.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("# A comment.", "-c constraints.txt", *lines)) + "\n")
    return path


def test_every_pin_is_read(tmp_path: Path) -> None:
    """Pins are read with and without extras."""
    file = _file(tmp_path, "click==8.5.1", "tritonclient[http]==2.67.0")
    assert read_pins(file) == [("click", "8.5.1"), ("tritonclient", "2.67.0")]


def test_what_is_as_pinned_is_well(tmp_path: Path) -> None:
    """The local part of a version is ignored: 2.13.0+cpu is 2.13.0."""
    torch = version("torch").split("+")[0]
    file = _file(tmp_path, f"click=={version('click')}", f"torch=={torch}")
    assert check_part(file, wrong).level is Level.OK


def test_what_is_missing_or_another_version_is_reported(tmp_path: Path) -> None:
    """The finding has the command that installs it."""
    finding = check_part(_file(tmp_path, "click==0.1", "no-such-package==1.0"), wrong)
    assert finding.level is Level.WRONG
    assert f"click is {version('click')}, not 0.1, no-such-package is missing; " in finding.text
    assert "-m pip install -r deploy/requirements/part.txt" in finding.text


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    """The finding stays one line."""
    finding = check_part(_file(tmp_path, *(f"none-{index}==1" for index in range(30))), note)
    assert "none-3 is missing and 26 more" in finding.text


def test_optional_parts_are_notes_only(tmp_path: Path) -> None:
    """The product runs without the packages for training."""
    for part in (*NEEDED, *OPTIONAL, "constraints"):
        _file(tmp_path, "no-such-package==1.0").rename(
            tmp_path / "deploy" / "requirements" / f"{part}.txt"
        )
    found = {each.text.split(":")[0]: each.level for each in check_packages(
        tmp_path / "deploy" / "requirements"
    )}  # fmt: skip
    assert {found[part] for part in NEEDED} == {Level.WRONG}
    assert {found[part] for part in OPTIONAL} == {Level.NOTE}


def test_without_the_files_nothing_is_said_to_be_wrong(tmp_path: Path) -> None:
    """A container has no requirements files."""
    (finding,) = check_packages(tmp_path / "none")
    assert finding.level is Level.NOTE


def test_this_environment_is_sound() -> None:
    """The tests run with the pinned versions."""
    assert [each.text for each in check_packages() if each.level is Level.WRONG] == []
