"""Archives that have served on this node."""

import json
from contextlib import suppress
from pathlib import Path


class Proven:
    """The archives that have served on this node once: TorchServe may load them at its start.

    Another is loaded step by step, where it cannot keep the rest from starting.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._digests = set(map(str, json.loads(path.read_text())))
        except (OSError, ValueError, TypeError):
            self._digests = set()

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._digests

    def add(self, sha256: str) -> None:
        """Note an archive that serves."""
        if sha256 and sha256 not in self._digests:
            self._digests.add(sha256)
            self._keep()

    def remove(self, sha256: str) -> None:
        """Note that an archive does not serve any more."""
        if sha256 in self._digests:
            self._digests.remove(sha256)
            self._keep()

    def _keep(self) -> None:
        with suppress(OSError):  # then it is loaded step by step again
            self._path.write_text(json.dumps(sorted(self._digests)))
