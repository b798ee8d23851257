"""The look at TorchServe's log during a start: whether the version that clients get can load."""

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from scripts.archives.archive import MODEL
from scripts.launch.log_files import NewLines
from scripts.launch.supervision import ServeError

BROKEN_AFTER_DEATHS = 3  # of workers during start-up: the archive cannot be served
# TorchServe names a worker's threads after its version; see deploy/torchserve/log4j2.xml.
_WORKER = re.compile(rf" W-\d+-{re.escape(MODEL)}_(\S+?)(?:-stdout|-stderr)? - (.*)")


@dataclass
class _Workers:
    """What the workers of a version wrote. reason: the last error."""

    deaths: int = 0
    has_failed: bool = False
    reason: str = ""

    def heard(self, text: str) -> None:
        """Note what a line says of their start."""
        self.deaths += "Backend worker error" in text
        self.has_failed = self.has_failed or "Failed to load model" in text
        if "Error: " in text:
            self.reason = text.strip()

    @property
    def are_broken(self) -> bool:
        """Whether they cannot load their archive: TorchServe restarts them forever."""
        return self.has_failed or self.deaths >= BROKEN_AFTER_DEATHS


class Loading:
    """Reads the log as it grows.

    desired: the agent's file of what should be served. built: the version of this start's archive.
    """

    def __init__(self, log: Path, desired: Path, built: str) -> None:
        self._log, self._desired, self._built = log, desired, built
        self._lines = NewLines()
        self._workers: dict[str, _Workers] = defaultdict(_Workers)

    def check(self) -> None:
        """Raise ServeError if the version that clients get cannot be loaded.

        Another version that cannot be loaded ends no start: its agent gives it up, and says why.
        """
        for match in filter(None, map(_WORKER.search, self._lines.read(self._log))):
            self._workers[match[1]].heard(match[2])
        version = stable_of(self._desired)
        if version is None or not (workers := self._workers[version]).are_broken:
            return
        is_built = version == self._built
        what = "delete it to have it built again" if is_built else "start another --version"
        raise ServeError(
            f"TorchServe cannot serve the archive of version {version} ({workers.reason}); {what}; "
            f"see {self._log}"
        )


def stable_of(desired: Path) -> str | None:
    """The version that clients get, as the agent heard last; None if it has heard of none."""
    try:
        version = json.loads(desired.read_bytes())["models"][MODEL]["default"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return None if version is None else str(version)
