"""Fixtures shared by all tests: the archive of the bundled model, built once and kept."""

import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

from scripts.archives.archive import DEFAULT_VERSION, MODEL
from scripts.archives.paths import MODEL_STORE, ROOT


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the bundled archive as slow: the first of them exports the network."""
    for item in items:
        if "archive" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def archive() -> Path:
    """The bundled model's archive in the model store, built if an input changed."""
    # Here, because most tests need no torch and would wait for its import.
    from scripts.export.build_archive import build
    from scripts.export.fingerprint import Archive
    from scripts.export.model_options import ExportTarget
    from scripts.networks.architectures import ModelChoice

    wanted = Archive(
        ModelChoice(),
        ExportTarget("openvino"),
        MODEL,
        DEFAULT_VERSION,
        MODEL_STORE,
    )
    # Parallel processes of pytest share the archive.
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    with FileLock(cache / "tests-archive.lock"):
        build(wanted)
    return wanted.path


@pytest.fixture(scope="session")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which a worker gets the archive."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return folder
