"""Data folders of gateways, each with a migrated database, which is copied: that takes no time."""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from gateway.registry.database import Database

_NAME = "registry.sqlite3"


@cache
def _templates() -> tempfile.TemporaryDirectory[str]:
    """The folder of all data folders, which is removed at the end of the process."""
    folder = tempfile.TemporaryDirectory(prefix="segserve-test-")
    database = Database(f"sqlite:///{folder.name}/{_NAME}")
    database.migrate()
    database.close()
    return folder


def data_folder() -> Path:
    """A new data folder with an empty database."""
    root = Path(_templates().name)
    folder = Path(tempfile.mkdtemp(dir=root))
    shutil.copyfile(root / _NAME, folder / _NAME)
    return folder
