"""Checks of the configuration: unknown names in the environment and in the file."""

from pathlib import Path

import pytest

from scripts.diagnostics.configuration import check_variables, documented
from scripts.diagnostics.finding import Level

KNOWN = {"SEGSERVE_MODEL", "SEGSERVE_SERVE_WORKERS"}


def test_a_misspelt_variable_is_reported_with_the_right_name() -> None:
    """A misspelt variable would silently have no effect."""
    (finding,) = check_variables({"SEGSERVE_SERVE_WORKER": "4", "PATH": "/bin"}, KNOWN)
    assert finding.level is Level.WRONG
    assert finding.text == (
        "nothing reads SEGSERVE_SERVE_WORKER (is SEGSERVE_SERVE_WORKERS meant?): unset it"
    )


def test_known_variables_are_well() -> None:
    """Known variables, including those between the processes of a benchmark, are not reported."""
    environment = {"SEGSERVE_MODEL": "x", "SEGSERVE_BENCHMARK_PORT": "1"}
    (finding,) = check_variables(environment, KNOWN)
    assert finding.level is Level.OK


def test_a_former_name_is_a_note() -> None:
    """A former name still works."""
    first, last = check_variables({"MODEL": "x", "DEVICE": ""}, KNOWN)
    assert (first.level, last.level) == (Level.NOTE, Level.OK)
    assert "MODEL is now called SEGSERVE_MODEL" in first.text


def test_the_documentation_names_every_variable() -> None:
    """The documentation lists the variables of all parts, so that none is reported."""
    names = documented()
    assert {"SEGSERVE_GATEWAY_AUTH", "SEGSERVE_UI_TIMEOUT_S", "SEGSERVE_BIND"} <= names
    assert {"SEGSERVE_HANDLER_THREADS", "SEGSERVE_EXPORT_CACHE", "SEGSERVE_TRAIN_EPOCHS"} <= names


def test_without_the_documentation_nothing_is_called_wrong(tmp_path: Path) -> None:
    """A container has no documentation."""
    assert documented([tmp_path / "none.md"]) == set()
    (finding,) = check_variables({"SEGSERVE_X": "1"}, set())
    assert finding.level is Level.NOTE


@pytest.mark.parametrize("name", ["SEGSERVE_SERVE_WORKERS", "SEGSERVE_CONFIG"])
def test_a_variable_stands_between_backquotes(tmp_path: Path, name: str) -> None:
    """The documentation's tables put variables between backquotes."""
    page = tmp_path / "page.md"
    page.write_text(f"| `{name}` | x |\nSEGSERVE_NOT_THIS\n")
    assert documented([page]) == {name}
