"""The version of a release: one literal, with which everything that names a version agrees."""

import json
import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from gateway.openapi.version import VERSION

ROOT = Path(__file__).parents[2]
SOURCE = "gateway/openapi/version.py"
CODE = ("benchmarks", "deploy", "gateway", "handler", "scripts", "ui")
RELEASE = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", re.MULTILINE)
GROUPS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def _citation() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return parsed


def test_the_version_is_written_once() -> None:
    """No file of the product but its source has the version as a literal."""
    files = [path for path in ROOT.iterdir() if path.name in {"Makefile", "pyproject.toml"}]
    files += list(ROOT.glob("docker-compose*.yml"))
    files += [
        path
        for folder in CODE
        for path in (ROOT / folder).rglob("*")
        # No .txt: pinned packages have versions of their own.
        if path.is_file() and path.suffix in {".py", ".yaml", ".toml", ""}
    ]
    literal = re.compile(rf"(?<![\d.]){re.escape(VERSION)}(?![\d.])")
    with_it = {str(path.relative_to(ROOT)) for path in files if literal.search(path.read_text())}
    assert with_it == {SOURCE}


def test_the_package_takes_the_version_from_its_source() -> None:
    """pyproject.toml refers to the gateway's constant."""
    project = _project()
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "gateway.openapi.version.VERSION"
    }


def test_the_program_shows_the_version() -> None:
    """`segserve --version` is that of the installed package."""
    program = Path(sys.executable).with_name("segserve")
    done = subprocess.run(
        [program, "--version"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == f"segserve {VERSION}\n"


def test_the_api_document_has_the_version() -> None:
    """info.version is the product's; the generated client takes it from there."""
    document = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    assert document["info"]["version"] == VERSION


def test_the_newest_release_in_the_changelog_is_this_version() -> None:
    """CHANGELOG.md has the releases, newest first, below what is not released."""
    headings = re.findall(r"^## (.+)$", _changelog(), re.MULTILINE)
    releases = RELEASE.findall(_changelog())
    assert headings[0] == "[Unreleased]"
    assert [f"[{version}] - {day}" for version, day in releases] == headings[1:]
    assert releases[0][0] == VERSION
    days = [date.fromisoformat(day) for _, day in releases]
    assert days == sorted(days, reverse=True)


def test_the_changelog_has_the_formats_groups() -> None:
    """A release names each group of Keep a Changelog once at most."""
    for release in re.split(r"^## ", _changelog(), flags=re.MULTILINE)[1:]:
        groups = re.findall(r"^### (.+)$", release, re.MULTILINE)
        assert set(groups) <= GROUPS
        assert len(groups) == len(set(groups))


def test_the_citation_is_complete() -> None:
    """CITATION.cff has what the format 1.2.0 requires, and this release."""
    citation = _citation()
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "type", "license", "references"} <= set(citation)
    assert citation["version"] == VERSION
    # YAML reads it as a date.
    assert (VERSION, str(citation["date-released"])) == RELEASE.findall(_changelog())[0]
    assert citation["license"] == _project()["project"]["license"]
    assert all({"name"} <= set(author) for author in citation["authors"])


def test_the_citation_refers_to_the_papers_of_the_model() -> None:
    """Each reference has the keys that the format requires; one is DeepLabV3's paper."""
    references = _citation()["references"]
    for reference in references:
        assert {"type", "title", "authors", "year"} <= set(reference)
        assert all({"family-names", "given-names"} <= set(each) for each in reference["authors"])
    assert "arXiv:1706.05587" in {
        identifier["value"] for each in references for identifier in each["identifiers"]
    }
