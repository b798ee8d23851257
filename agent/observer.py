"""What TorchServe holds now, and for how long versions have been without a ready worker."""

import time
from collections.abc import Callable, Mapping
from typing import Final

from agent.disk.archives import Archives, digest_of
from agent.disk.proven import Proven
from agent.failures import Failure, Key
from agent.reconcile import Actual, Loaded
from agent.torchserve.management import TorchServe
from agent.torchserve.server import STARTUP_S

# Seconds after which workers that do not come up are a failure: they may load for as long as
# TorchServe lets them.
UNREADY_S: Final = STARTUP_S + 30.0
WHY: Final = "none of its workers comes up; see torchserve.log"


class Observer:
    """Looks at one TorchServe. proven: archives that have had a ready worker here."""

    def __init__(
        self,
        torchserve: TorchServe,
        archives: Archives,
        proven: Proven,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._torchserve = torchserve
        self._archives = archives
        self._proven = proven
        self._clock = clock
        self._unready: dict[Key, Failure] = {}

    def look(self, changing: Key | None = None) -> Actual:
        """Return what TorchServe holds; raises TorchServeError while it does not answer.

        changing: the version of the step that is being taken, whose workers may be loading.
        """
        models = self._torchserve.models()
        loaded = {
            name: {
                each.version: Loaded(
                    digest_of(each.archive) or "", each.wanted, each.ready, each.loaded_at
                )
                for each in model.versions
            }
            for name, model in models.items()
        }
        self._note(loaded, changing)
        defaults = {name: model.default for name, model in models.items()}
        return Actual(loaded, defaults, self._archives.digests)

    def unready(self) -> dict[Key, Failure]:
        """Return the versions whose workers do not come up, such as after TorchServe's start."""
        now = self._clock()
        return {key: each for key, each in self._unready.items() if now - each.at > UNREADY_S}

    def _note(self, loaded: Mapping[str, Mapping[str, Loaded]], changing: Key | None) -> None:
        now, unready = self._clock(), dict[Key, Failure]()
        for model, versions in loaded.items():
            for version, each in versions.items():
                key = model, version
                if each.ready:
                    self._proven.add(each.sha256)
                elif each.wanted and key != changing:
                    before = self._unready.get(key)
                    if before is None or before.sha256 != each.sha256:
                        before = Failure(each.sha256, WHY, now)
                    unready[key] = before
        self._unready = unready
