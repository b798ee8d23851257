"""Steps that failed: when they are tried again, and how long they are told."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from agent.messages import Desired, WantedVersion

# Most are over at once, such as a worker that was killed while it loaded; those of a bad archive
# are not, and cost less and less.
RETRY_S, LONGEST_RETRY_S = 1.0, 60.0

Key = tuple[str, str]  # model, version


@dataclass(frozen=True)
class Failure:
    """A step that failed. at: on the monotonic clock. count: of failures in a row."""

    sha256: str
    reason: str
    at: float
    count: int = 1

    def is_due(self, now: float) -> bool:
        """Whether it is time to try again."""
        pause = RETRY_S * 2.0 ** min(self.count - 1, 10)
        return now - self.at >= min(pause, LONGEST_RETRY_S)


def still_told(
    failures: Mapping[Key, Failure], desired: Desired, surplus: Collection[Key]
) -> dict[Key, Failure]:
    """Leave out the failures of what was given up, so that it begins anew where it comes again.

    Those without a digest are of versions that were to go: they end when these are gone.
    """
    wanted = {(name, each) for name, model in desired.models.items() for each in model.versions}
    return {
        key: each for key, each in failures.items() if key in (wanted if each.sha256 else surplus)
    }


def outdated(failures: Collection[Key], before: Desired, now: Desired) -> list[Key]:
    """Return those of a version of which something else is wanted now, such as fewer workers.

    It is tried at once, and people who asked for the change are not told why that before failed.
    """
    return [key for key in failures if wanted_of(before, key) != wanted_of(now, key)]


def wanted_of(desired: Desired, key: Key) -> WantedVersion | None:
    """Return what is wanted of a version."""
    model = desired.models.get(key[0])
    return model.versions.get(key[1]) if model else None
