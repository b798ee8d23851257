"""`./segserve` runs its checkout's program from any folder, and installs it if need be."""

import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from scripts.__main__ import main
from scripts.archives.paths import ROOT

pytestmark = pytest.mark.slow

PROGRAM = '#!/bin/sh\necho "program: $*"\n'
# The target of the real one takes minutes; what it makes is put there by this one.
MAKEFILE = """setup:
	@echo setting up
	@mkdir -p .venv/bin
	@printf '%s\\n' '#!/bin/sh' 'echo "program: $$*"' > .venv/bin/segserve
	@chmod +x .venv/bin/segserve
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a space in its name, with the launcher and an environment."""
    folder = tmp_path / "my checkout"
    (folder / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "segserve", folder)
    program = folder / ".venv" / "bin" / "segserve"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return folder


def _run(command: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(command), *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


def test_it_runs_the_program_of_its_checkout(checkout: Path, tmp_path: Path) -> None:
    """From another folder, with its arguments unchanged."""
    done = _run(checkout / "segserve", "build", "--name", "a  b*", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "program: build --name a  b*\n")


@pytest.mark.parametrize("is_relative", [True, False])
def test_it_is_found_through_links(checkout: Path, tmp_path: Path, is_relative: bool) -> None:
    """Two symbolic links, as a folder on PATH may have."""
    links = tmp_path / "bin"
    links.mkdir()
    target = Path("..") / checkout.name / "segserve" if is_relative else checkout / "segserve"
    (links / "first").symlink_to(target)
    (links / "segserve").symlink_to("first")
    assert _run(links / "segserve", "serve", cwd=Path("/")).stdout == "program: serve\n"


def test_it_sets_up_what_is_not_there(checkout: Path, tmp_path: Path) -> None:
    """Once, by make, whose output does not mix with the program's."""
    shutil.rmtree(checkout / ".venv")
    (checkout / "Makefile").write_text(MAKEFILE)
    first = _run(checkout / "segserve", "versions", "list", cwd=tmp_path)
    assert (first.stdout, first.stderr) == ("program: versions list\n", "setting up\n")
    second = _run(checkout / "segserve", "versions", "list", cwd=tmp_path)
    assert (second.stdout, second.stderr) == ("program: versions list\n", "")


def test_a_set_up_that_fails_ends_it(checkout: Path, tmp_path: Path) -> None:
    """Its exit status is passed on, and nothing else is tried."""
    shutil.rmtree(checkout / ".venv")
    (checkout / "Makefile").write_text("setup:\n\t@echo no network; exit 3\n")
    done = _run(checkout / "segserve", "serve", cwd=tmp_path)
    assert done.returncode != 0
    assert "no network" in done.stderr
    assert done.stdout == ""


def test_the_makefile_has_what_it_asks_for() -> None:
    """The target installs the program."""
    text = (ROOT / "Makefile").read_text()
    assert "\nsetup: $(VENV)/run.stamp\n" in text
    assert "@$(PIP) --no-deps --no-build-isolation --editable .\n" in text


def test_the_installed_program_is_this_one(tmp_path: Path) -> None:
    """In any folder: `make` installs it from pyproject.toml, with all that it imports."""
    (entry,) = entry_points(group="console_scripts", name="segserve")
    assert entry.load() is main
    program = Path(sys.executable).with_name("segserve")
    done = _run(program, "--help", cwd=tmp_path)
    assert done.stdout.startswith("Usage: segserve [OPTIONS] COMMAND"), done.stderr
    code = "import scripts, gateway, ui, benchmarks, deeplab, segmentation_handler"
    done = _run(Path(sys.executable), "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
