"""Fixtures shared by all tests: the archive of the bundled model, built once and kept."""

import zipfile
from pathlib import Path

import pytest
from hypothesis import settings

from tests.stack import bundled_archive

# Two tests share two cores: the time of an example says nothing.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the bundled archive as slow: the first of them exports the network."""
    for item in items:
        if "archive" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def archive() -> Path:
    """The bundled model's archive in the model store, built if an input changed."""
    return bundled_archive()


@pytest.fixture(scope="session")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which a worker gets the archive."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return folder
