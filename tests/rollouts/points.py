"""The moments of a roll-out at which parts are killed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.archives.archive import MODEL
from tests.rollouts import torchserve
from tests.rollouts.product import AGENT, EVERYTHING, GATEWAY, JAVA, WORKERS, Product

ADD, PROMOTE, RETIRE, SCALE, CANARY = "add", "promote", "retire", "scale", "canary"


@dataclass(frozen=True)
class Change:
    """A change that was acknowledged just now.

    version: that it concerns. sha256: of its archive. begins: length of the agent's log before.
    workers: it should have.
    """

    version: str
    sha256: str
    begins: int
    workers: int

    @property
    def archive(self) -> str:
        """The name of the archive's file on the node."""
        return f"{MODEL}-{self.version}-{self.sha256}.mar"


Moment = Callable[[Product, Change], bool]


def says(words: str) -> Moment:
    """The agent has begun a step."""

    def said(product: Product, change: Change) -> bool:
        with product.log(AGENT).open("rb") as log:
            log.seek(change.begins)
            text = log.read().decode()
        return f"agent: {words} {MODEL} {change.version}" in text

    return said


def _acknowledged(_product: Product, _change: Change) -> bool:
    return True


def _arriving(product: Product, change: Change) -> bool:
    """A part of the archive is on the node."""
    partial = product.agent_dir / "archives" / f"{change.archive}.partial"
    return _size(partial) > 0


def _fetched(product: Product, change: Change) -> bool:
    return (product.agent_dir / "archives" / change.archive).exists()


def _registered(product: Product, change: Change) -> bool:
    return change.version in torchserve.held(product)


def _forked(product: Product, _change: Change) -> bool:
    """A worker is there that is not ready yet."""
    ready = sum(each.ready for each in torchserve.held(product).values())
    return len(product.running(WORKERS)) > ready


def _ready(product: Product, change: Change) -> bool:
    held = torchserve.held(product).get(change.version)
    return held is not None and held.ready == change.workers


def _default(product: Product, change: Change) -> bool:
    return torchserve.default_version(product) == change.version


def _idle(product: Product, change: Change) -> bool:
    """It has no workers any more, and is gone at once."""
    held = torchserve.held(product)
    return bool(held) and (change.version not in held or not held[change.version].ready)


def _unloaded(product: Product, change: Change) -> bool:
    held = torchserve.held(product)
    return bool(held) and change.version not in held


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


MOMENTS: Final[dict[str, Moment]] = {
    "acknowledged": _acknowledged,
    "fetching": says("fetching"),
    "arriving": _arriving,
    "fetched": _fetched,
    "loading": says("loading"),
    "registered": _registered,
    "scaling": says("scaling"),
    "forked": _forked,
    "ready": _ready,
    "defaulting": says("making"),
    "default": _default,
    "unloading": says("unloading"),
    "idle": _idle,
    "unloaded": _unloaded,
}


# With an archive that takes a while to send.
SLOW: Final = ("fetching", "arriving")


@dataclass(frozen=True)
class Point:
    """Parts that are killed at a moment after a change."""

    change: str
    moment: str
    victims: tuple[str, ...]

    @property
    def name(self) -> str:
        """Words for it."""
        victims = "everything" if self.victims == EVERYTHING else "+".join(self.victims)
        return f"{self.change}, {self.moment}: {victims}"


_ALL, _NODE = EVERYTHING, (AGENT, JAVA, WORKERS)
# One roll-out after the other, of one product: what a point leaves is where the next one begins.
POINTS: Final = tuple(
    Point(*each)
    for each in (
        (ADD, "acknowledged", _ALL),
        (PROMOTE, "acknowledged", _ALL),
        (RETIRE, "acknowledged", _ALL),
        (ADD, "acknowledged", (GATEWAY,)),
        (PROMOTE, "defaulting", (AGENT,)),
        (RETIRE, "unloading", (AGENT,)),
        (ADD, "fetching", (AGENT,)),
        (PROMOTE, "default", _ALL),
        (RETIRE, "unloading", _ALL),
        (ADD, "arriving", _ALL),
        (CANARY, "acknowledged", (GATEWAY,)),
        (PROMOTE, "defaulting", _ALL),
        (RETIRE, "idle", (AGENT,)),
        (ADD, "arriving", (GATEWAY,)),
        (PROMOTE, "acknowledged", (GATEWAY,)),
        (RETIRE, "idle", _ALL),
        (ADD, "arriving", (AGENT,)),
        (SCALE, "forked", (AGENT,)),
        (SCALE, "ready", _ALL),
        (PROMOTE, "defaulting", (JAVA,)),
        (RETIRE, "unloading", (JAVA,)),
        (ADD, "fetched", _ALL),
        (PROMOTE, "default", (AGENT,)),
        (RETIRE, "unloaded", _ALL),
        (ADD, "fetched", (AGENT,)),
        (CANARY, "acknowledged", _ALL),
        (PROMOTE, "defaulting", (GATEWAY,)),
        (RETIRE, "unloaded", (AGENT,)),
        (ADD, "loading", _ALL),
        (ADD, "loading", (AGENT,)),
        (ADD, "loading", (JAVA,)),
        (ADD, "registered", _ALL),
        (ADD, "registered", (AGENT,)),
        (ADD, "registered", (JAVA,)),
        (ADD, "scaling", _ALL),
        (ADD, "scaling", (AGENT,)),
        (ADD, "forked", _ALL),
        (ADD, "forked", (JAVA,)),
        (ADD, "forked", (WORKERS,)),
        (ADD, "ready", _ALL),
        (ADD, "ready", _NODE),
        (SCALE, "scaling", _ALL),
        (SCALE, "scaling", (WORKERS,)),
        (RETIRE, "unloading", (GATEWAY, AGENT)),
    )
)
# The database notices only what becomes of the gateway.
POINTS_OF_GATEWAYS: Final = tuple(point for point in POINTS if GATEWAY in point.victims)
