"""Waiting until the nodes have what they should, with a line that says what each is doing."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from scripts.administration.client import (
    NODES,
    AdministrationError,
    Gateway,
    Json,
    NotNowError,
)

POLL_S: Final = 0.3
WAIT_S: Final = 180.0  # of workers on a slow machine
EVERY_NODE: Final = "*"
BEAT_S: Final = 0.5  # reports are a second apart at least; what is less is the network's doing
BEATS: Final = 3


class NotReadyError(AdministrationError):
    """A node cannot have what it should, or does not in time; the text has its reason."""


class FailedError(NotReadyError):
    """A node says that it cannot have what it should."""


class _Beats:
    """Counts the reports of nodes, to know which were made after a change.

    A reason in one of before is that of an older failure. The first report after the change brings
    it to the node, or the second where another gateway takes it; the third one follows it.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, int]] = {}

    def is_up_to_date(self, node: Json) -> bool:
        """Whether what a node says is of after the change."""
        heard = time.monotonic() - float(node["age_s"])
        last, count = self._last.get(node["name"], (heard, 0))
        if heard >= last + BEAT_S:
            last, count = heard, count + 1
        self._last[node["name"]] = last, count
        return count >= BEATS


class Progress:
    """One line on a terminal, written again when what it says changes; nothing elsewhere."""

    def __init__(self) -> None:
        self._shown = ""

    def say(self, text: str) -> None:
        """Show this instead."""
        if text != self._shown and sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        self._shown = text

    def close(self) -> None:
        """Clear the line."""
        if self._shown and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@dataclass(frozen=True)
class OnNode:
    """A version on a node. workers: those that it should have; None: as many as it was given.

    is_up_to_date: whether what the node says is of after the change.
    """

    node: str
    workers: int | None
    is_up_to_date: bool
    state: str = "waiting"
    ready: int = 0
    wanted: int = 0
    reason: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether it serves as it should."""
        if self.workers is None:
            return self.state == "ready" and self.ready >= max(1, self.wanted)
        return self.state == "ready" and self.ready == self.wanted == self.workers

    @property
    def text(self) -> str:
        """What is happening."""
        workers = self.wanted if self.workers is None else self.workers
        count = f", {self.ready} of {workers} workers" if workers else ""
        return f"{self.node}: {self.state}{count}{f': {self.reason}' if self.reason else ''}"


def wait_until_ready(
    gateway: Gateway, version: str, seconds: float, node: str = EVERY_NODE
) -> Json:
    """Wait until a node, or every one, has a version's workers; the version then.

    Raises NotReadyError; FailedError as soon as a node says that it cannot.
    """
    seen: list[OnNode] = []
    beats = _Beats()

    def look() -> Json | None:
        nonlocal seen
        record = gateway.version(version)
        if record["state"] != "available":
            raise NotReadyError(f"version {version} was removed meanwhile")
        seen = _on_nodes(gateway, record, node, beats)
        for each in seen:
            if each.reason and each.is_up_to_date and not each.is_ready:
                raise FailedError(
                    f"version {version} cannot be served on {each.node}: {each.reason}"
                )
        return record if seen and all(each.is_ready for each in seen) else None

    def state() -> str:
        unheard = "no node is heard" if node == EVERY_NODE else f"{node} is not heard"
        return "; ".join(each.text for each in seen) or unheard

    return _until(look, state, seconds, f"version {version} is not ready")


def wait_until_gone(gateway: Gateway, version: str, node: str, seconds: float) -> Json:
    """Wait until a node, or every one, has unloaded a version."""
    seen: list[Json] = []

    def look() -> Json | None:
        nonlocal seen
        record = gateway.version(version)
        seen = [each for each in record["nodes"] if node in (EVERY_NODE, each["node"])]
        return None if seen else record

    def state() -> str:
        return "; ".join(f"{each['node']}: {each['state']}" for each in seen)

    return _until(look, state, seconds, f"version {version} is not unloaded")


def _until(
    look: Callable[[], Json | None], state: Callable[[], str], seconds: float, what: str
) -> Json:
    end, progress = time.monotonic() + seconds, Progress()
    try:
        while True:
            try:
                found, now = look(), ""
            except NotNowError as exc:
                found, now = None, str(exc)
            if found is not None:
                return found
            now = now or state()
            if time.monotonic() >= end:
                raise NotReadyError(f"{what} after {seconds:g} s; {now}")
            progress.say(now)
            time.sleep(POLL_S)  # polling another process
    finally:
        progress.close()


def _on_nodes(
    gateway: Gateway, record: Mapping[str, Any], wanted: str, beats: _Beats
) -> list[OnNode]:
    """The nodes that should have a version, and what they say of it.

    Raises NotReadyError if none of those that are heard should have it.
    """
    version = record["version"]
    placed = {
        each["node"]: each["workers"]
        for each in gateway.read(gateway.of_model)["placements"]
        if each["version"] == version
    }
    said = {each["node"]: each for each in record["nodes"]}
    found, without = [], []
    for node in gateway.items(NODES):
        name = node["name"]
        workers = placed.get(name, placed.get(EVERY_NODE))
        if not node["fresh"] or wanted not in (EVERY_NODE, name):
            continue
        if workers == 0:
            without.append(name)
            continue
        facts = {
            key: said[name][key] for key in ("state", "ready", "wanted", "reason") if name in said
        }
        found.append(OnNode(name, workers, beats.is_up_to_date(node), **facts))
    if without and not found:
        raise NotReadyError(
            f"version {version} should have 0 workers on {', '.join(without)}: "
            f"`segserve versions scale {version} 2` first"
        )
    return found
