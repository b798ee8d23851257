"""The installed packages against those that are pinned."""

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from scripts.archives.paths import ROOT
from scripts.diagnostics.finding import Finding, note, ok, wrong

REQUIREMENTS = ROOT / "deploy" / "requirements"
NEEDED = ("export", "serving", "gateway", "ui", "client")
OPTIONAL = {"train": "train, evaluate and prepare", "bench": "bench", "test": "the tests"}
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)")
SHOWN = 4


def check_packages(folder: Path = REQUIREMENTS) -> Iterator[Finding]:
    """Yield a finding for each part; for an optional one at most a note."""
    if not folder.is_dir():
        yield note("packages", f"{folder} is not here, so this cannot be checked")
        return
    for part in NEEDED:
        yield check_part(folder / f"{part}.txt", wrong)
    for part, purpose in OPTIONAL.items():
        yield check_part(folder / f"{part}.txt", note, f", for {purpose}")
    yield _check_constraints(folder / "constraints.txt")


def check_part(file: Path, complain: Callable[[str, str], Finding], purpose: str = "") -> Finding:
    """Check that everything in a requirements file is installed in its pinned version."""
    pins = read_pins(file)
    problems = [problem for name, wanted in pins if (problem := _problem(name, wanted))]
    if not problems:
        return ok("packages", f"{file.stem}: {len(pins)} as pinned")
    command = f"{sys.executable} -m pip install -r {file.relative_to(file.parents[2])}"
    return complain("packages", f"{file.stem}: {_shown(problems)}; {command}{purpose}")


def read_pins(file: Path) -> list[tuple[str, str]]:
    """(name, version) of each line that pins a package."""
    found = (PIN.match(line) for line in file.read_text().splitlines())
    return [(match[1], match[2]) for match in found if match]


def _check_constraints(file: Path) -> Finding:
    """Compare indirect dependencies with their pins; another version may work as well."""
    pins = read_pins(file)
    others = [
        f"{name} is {installed}, not {wanted}"
        for name, wanted in pins
        if (installed := _installed(name)) not in (None, wanted)
    ]
    if others:
        return note(
            "packages", f"constraints: {_shown(others)}; they are tested in the pinned versions"
        )
    return ok("packages", f"constraints: what is installed of {len(pins)} packages is as pinned")


def _problem(name: str, wanted: str) -> str | None:
    installed = _installed(name)
    if installed is None:
        return f"{name} is missing"
    return None if installed == wanted else f"{name} is {installed}, not {wanted}"


def _installed(name: str) -> str | None:
    """The version without its local part: torch's CPU build is called 2.13.0+cpu."""
    try:
        return version(name).split("+")[0]
    except PackageNotFoundError:
        return None


def _shown(problems: Sequence[str]) -> str:
    more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return ", ".join(problems[:SHOWN]) + more
