"""Fixtures for every test: the archive of the bundled model, built once and kept."""

import zipfile
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def archive() -> Path:
    """The bundled model's archive in the model store, built if an input changed."""
    # Here, because most tests need no torch and would wait for its import.
    from scripts import build_archive as builder
    from scripts.checkpoints import Choice

    wanted = builder.Archive(
        Choice(),
        "openvino",
        builder.DEFAULT_NAME,
        builder.DEFAULT_VERSION,
        builder.MODEL_STORE,
    )
    builder.build(wanted)
    return wanted.path


@pytest.fixture(scope="session")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which a worker gets the archive."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return folder
