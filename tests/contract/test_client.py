"""The installed client is generated from the OpenAPI document."""

import subprocess
from pathlib import Path

import segserve_client

ROOT = Path(__file__).parents[2]
INSTALLED = Path(segserve_client.__file__).parent


def _files(package: Path) -> dict[str, str]:
    """Path below the package -> text of the file, without compiled Python."""
    return {
        str(path.relative_to(package)): path.read_text(encoding="utf-8")
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_the_installed_client_is_what_make_client_writes(tmp_path: Path) -> None:
    """The installed client is up to date with the OpenAPI document."""
    # --assume-old: do not update the environment in which this test runs.
    command = ["make", "--assume-old=.venv/packages.stamp", "client", f"OUT={tmp_path / 'client'}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    written = _files(tmp_path / "client" / "segserve_client")
    installed = _files(INSTALLED)
    assert {name for name, _ in written.items() ^ installed.items()} == set()


def test_the_installed_client_has_its_types() -> None:
    """The package is typed, so that mypy checks the page's requests."""
    assert (INSTALLED / "py.typed").exists()
