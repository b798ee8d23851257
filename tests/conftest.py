"""Fixtures for every test: the archive of the bundled model, built once and kept."""

import zipfile
from pathlib import Path

import pytest

from scripts.archives import DEFAULT_VERSION, MODEL
from scripts.places import MODEL_STORE


@pytest.fixture(scope="session")
def archive() -> Path:
    """The bundled model's archive in the model store, built if an input changed."""
    # Here, because most tests need no torch and would wait for its import.
    from scripts import build_archive as builder
    from scripts.checkpoints import Choice
    from scripts.choices import Target

    wanted = builder.Archive(
        Choice(),
        Target("openvino"),
        MODEL,
        DEFAULT_VERSION,
        MODEL_STORE,
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
