"""The last known desired state on disk: with it a node serves while every gateway is down."""

import json
import os
from contextlib import suppress
from pathlib import Path

from agent.messages import Desired, MessageError, parse_desired

NAME = "desired.json"


def load(folder: Path) -> Desired | None:
    """The last known desired state; None at the first start, or if the file is damaged."""
    try:
        return parse_desired(json.loads((folder / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError, MessageError):
        return None


def save(folder: Path, desired: Desired) -> None:
    """Keep a desired state: whole, or the one before. Raises OSError."""
    partial = folder / f"{NAME}.partial"
    try:
        with partial.open("w", encoding="utf-8") as file:
            json.dump(desired.to_json(), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / NAME)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


class Kept:
    """The last state that was heard, in memory and on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._on_disk = self.state = load(folder)

    def keep(self, heard: Desired) -> None:
        """Keep what was heard. Raises OSError, also at the next call, while it cannot be saved."""
        self.state = heard
        if heard != self._on_disk:
            save(self._folder, heard)
            self._on_disk = heard
