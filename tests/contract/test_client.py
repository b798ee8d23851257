"""The client that is generated from the OpenAPI document: what is installed, and its wheel."""

import email
import subprocess
import zipfile
from email.message import Message
from pathlib import Path

import pytest
import segserve_client

from gateway.openapi.version import VERSION

ROOT = Path(__file__).parents[2]
INSTALLED = Path(segserve_client.__file__).parent


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make client` writes."""
    folder = tmp_path_factory.mktemp("generated") / "client"
    # --assume-old: do not update the environment in which this test runs.
    command = ["make", "--assume-old=.venv/packages.stamp", "client", f"OUT={folder}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def wheel(generated: Path) -> Path:
    """The one wheel in it."""
    (path,) = (generated / "dist").iterdir()
    return path


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """The core metadata of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return email.message_from_bytes(
            archive.read(f"segserve_client-{VERSION}.dist-info/METADATA")
        )


def _files(package: Path) -> dict[str, str]:
    """Path below the package -> text of the file, without compiled Python."""
    return {
        str(path.relative_to(package)): path.read_text(encoding="utf-8")
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_the_installed_client_is_what_make_client_writes(generated: Path) -> None:
    """The installed client is up to date with the OpenAPI document."""
    written = _files(generated / "segserve_client")
    installed = _files(INSTALLED)
    assert {name for name, _ in written.items() ^ installed.items()} == set()


def test_the_installed_client_has_its_types() -> None:
    """The package is typed, so that mypy checks the page's requests."""
    assert (INSTALLED / "py.typed").exists()


def test_the_wheel_has_the_version_of_the_product(wheel: Path, metadata: Message) -> None:
    """The client's version says which API it was generated from."""
    assert wheel.name == f"segserve_client-{VERSION}-py3-none-any.whl"
    assert (metadata["Name"], metadata["Version"]) == ("segserve-client", VERSION)


def test_the_wheel_is_for_the_tested_versions_of_python(metadata: Message) -> None:
    """pip refuses it on others."""
    assert metadata["Requires-Python"] == ">=3.11,<3.14"


def test_the_wheel_brings_what_it_imports(metadata: Message) -> None:
    """Nothing has to be installed beside it."""
    needed = metadata.get_all("Requires-Dist", [])
    assert {requirement.split(" ")[0] for requirement in needed} == {"attrs", "httpx"}


def test_the_wheel_has_the_whole_package(generated: Path, wheel: Path) -> None:
    """Every generated module and the marker of types are in it."""
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == {f"segserve_client/{name}" for name in _files(generated / "segserve_client")}
