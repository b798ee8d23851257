"""Precedence of values: flag, variable, file, default."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.cli.config import SHARED
from tests.unit.scripts.commands import command, contexts, options_of

FORMER = ("MODEL", "WEIGHTS", "LABELS", "VERSION", "DEVICE", "PRECISION")
Served = Callable[[list[str]], dict[str, object]]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Served:
    """What `segserve serve` would run: its settings, the version, and the flags of the build."""
    monkeypatch.chdir(tmp_path)
    for name in FORMER:
        monkeypatch.delenv(name, raising=False)
    received: dict[str, object] = {}

    def serve(settings: object, version: str, build: list[str], *, is_chosen: bool) -> None:
        chosen = {"version": version, "build": build, "is_chosen": is_chosen}
        received.update({**dict(settings), **chosen})  # type: ignore[call-overload]  # pydantic's are pairs

    monkeypatch.setattr("scripts.launch.supervisor.serve", serve)

    def run(arguments: list[str]) -> dict[str, object]:
        assert command("serve")(arguments) == 0
        return received

    return run


@pytest.mark.parametrize(
    ("places", "port"),
    [
        ((), 8000),
        (("file",), 9001),
        (("file", "variable"), 9002),
        (("file", "variable", "flag"), 9003),
        (("file", "flag"), 9003),
    ],
)
def test_the_flag_comes_first_then_the_variable_then_the_file(
    served: Served, monkeypatch: pytest.MonkeyPatch, places: tuple[str, ...], port: int
) -> None:
    """The default comes last."""
    if "file" in places:
        Path("segserve.toml").write_text("[serve]\ngateway-port = 9001\n")
    if "variable" in places:
        monkeypatch.setenv("SEGSERVE_SERVE_GATEWAY_PORT", "9002")
    flags = ["--gateway-port", "9003"] if "flag" in places else []
    assert served(flags)["gateway_port"] == port


@pytest.mark.parametrize(
    ("flags", "is_chosen"),
    [([], False), (["--no-ui"], False), (["--version", "1.0"], True), (["--device", "cpu"], True)],
)
def test_a_start_that_chooses_a_model_or_a_version_says_so(
    served: Served, flags: list[str], is_chosen: bool
) -> None:
    """Only then it becomes stable, whatever was promoted before."""
    assert served(flags)["is_chosen"] is is_chosen


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (["VERSION"], "VERSION is now SEGSERVE_VERSION"),
        (
            ["DEVICE", "VERSION"],
            "DEVICE is now SEGSERVE_DEVICE, VERSION is now SEGSERVE_VERSION",
        ),
    ],
)
def test_a_former_name_works_with_one_line_of_warning(
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    names: list[str],
    line: str,
) -> None:
    """There is one line for any number of former names."""
    for name in names:
        monkeypatch.setenv(name, {"VERSION": "2.0", "DEVICE": "cpu"}[name])
    assert served([])["version"] == "2.0"
    assert capsys.readouterr().err == f"segserve: {line}; the old name still works\n"


def test_every_former_name_is_accepted(
    served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All former variables of `make run` still work."""
    values = ("deeplabv3_resnet50", "/w.pth", "/l.json", "3.0", "cpu", "fp32")
    for name, value in zip(FORMER, values, strict=True):
        monkeypatch.setenv(name, value)
    received = served([])
    given = [str(each) for each in (*received["build"], received["version"])]  # type: ignore[misc]  # a list
    assert set(values) <= set(given)
    warning = capsys.readouterr().err
    assert [name for name in FORMER if f"{name} is now SEGSERVE_{name}" not in warning] == []
    assert warning.count("\n") == 1


@pytest.mark.parametrize("how", ["variable", "flag", "empty"])
def test_a_former_name_that_has_no_say_is_not_mentioned(
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: str,
) -> None:
    """No warning if the new name or the flag is set; many machines have a variable VERSION."""
    monkeypatch.setenv("VERSION", "" if how == "empty" else "7.0")
    if how == "variable":
        monkeypatch.setenv("SEGSERVE_VERSION", "2.0")
    flags = ["--version", "3.0"] if how == "flag" else []
    assert served(flags)["version"] == {"variable": "2.0", "flag": "3.0", "empty": "1.0"}[how]
    assert capsys.readouterr().err == ""


def test_a_command_that_has_not_the_flag_is_silent_about_a_former_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`segserve prepare` has no version."""
    monkeypatch.setenv("VERSION", "7.0")
    flags = ["--data", str(tmp_path), "--output", str(tmp_path / "out")]
    assert command("prepare", "filter-pseudo-labels")(flags) == 1
    assert "VERSION" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("flag", "segserve: Invalid value for '--device': 'gpu' is not one of"),
        ("variable", "Invalid value for '--device' (variable SEGSERVE_DEVICE): 'gpu' is not"),
        ("file", "Invalid value for '--device' (in segserve.toml): 'gpu' is not one of"),
    ],
)
def test_an_error_says_where_the_value_came_from(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    place: str,
    words: str,
) -> None:
    """An error names the variable or the file that the value came from."""
    monkeypatch.chdir(tmp_path)
    if place == "variable":
        monkeypatch.setenv("SEGSERVE_DEVICE", "gpu")
    if place == "file":
        Path("segserve.toml").write_text('device = "gpu"\n')
    assert command("build")(["--device", "gpu"] if place == "flag" else []) == 2
    assert words in capsys.readouterr().err


def test_what_serve_cannot_run_with_is_no_slip_of_the_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1, as for a port in use: a service manager distinguishes it from usage errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGSERVE_SERVE_WORKERS", "many")
    assert command("serve")([]) == 1
    line = capsys.readouterr().err
    assert line.startswith("segserve: cannot run: Invalid value for '--workers' (variable SEG")
    assert command("serve")(["--workers", "many"]) == 2


def test_what_is_shared_has_a_variable_without_a_command() -> None:
    """The list of keys for the top level of the file is complete."""
    found = set()
    for ctx in contexts():
        for each in options_of(ctx):
            flag = each.opts[0].removeprefix("--")
            names = [each.envvar] if isinstance(each.envvar, str) else each.envvar or []
            if f"SEGSERVE_{flag.upper()}" in names and flag != "config":
                found.add(flag)
    assert found == set(SHARED)
