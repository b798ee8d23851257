"""The forms for issues are valid, as the repository's host rejects a broken one in silence."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "ISSUE_TEMPLATE"
FORMS = sorted(path for path in FOLDER.glob("*.yml") if path.name != "config.yml")
TYPES = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def _form(path: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return parsed


def _fields(path: Path) -> list[dict[str, Any]]:
    """The elements that ask for something."""
    return [element for element in _form(path)["body"] if element["type"] != "markdown"]


def test_there_is_a_form_for_each_kind_of_issue() -> None:
    """A bug, a wrong mask, a wish for a feature; no issue without a form."""
    assert [path.stem for path in FORMS] == ["bug_report", "feature_request", "wrong_mask"]
    assert _form(FOLDER / "config.yml") == {"blank_issues_enabled": False}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_has_what_its_format_requires(path: Path) -> None:
    """A name, a description, and elements of known types with what each type needs."""
    form = _form(path)
    assert set(form) == {"name", "description", "labels", "body"}
    for element in form["body"]:
        assert set(element) <= {"type", "id", "attributes", "validations"}
        assert element["type"] in TYPES
        wanted = {"markdown": "value", "dropdown": "options"}.get(element["type"], "label")
        assert element["attributes"][wanted]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_fields_are_told_apart(path: Path) -> None:
    """Ids and labels are unique, and something is required."""
    fields = _fields(path)
    ids = [field["id"] for field in fields]
    labels = [field["attributes"]["label"] for field in fields]
    assert len(set(ids)) == len(ids) == len(set(labels))
    assert all(re.fullmatch(r"[a-z_-]+", each) for each in ids)
    assert any(field.get("validations", {}).get("required") for field in fields)
