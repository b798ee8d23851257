"""The changes of versions and their traffic; each answers what to print and the API's document."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from scripts.administration import tables
from scripts.administration.client import (
    NODES,
    TRIES,
    AdministrationError,
    ChangedMeanwhileError,
    Gateway,
    Json,
)
from scripts.administration.tables import count
from scripts.administration.waiting import EVERY_NODE, FailedError, wait_until_gone
from scripts.administration.waiting import wait_until_ready as _ready

DEFAULT_WHY: Final = "segserve versions default"


@dataclass(frozen=True)
class Answer:
    """What a command prints: a text, or the document behind it."""

    text: str
    document: object


def added(record: Json, *, is_new: bool) -> Answer:
    """What was added, and where it is."""
    how = "is added" if is_new else "was there already"
    places = [f"{each['node']} has {count(each['ready'])}" for each in record["nodes"]]
    return Answer(
        f"version {record['version']} {how}: {', '.join(places) or 'no node yet'}", record
    )


def share(gateway: Gateway, alias: str, version: str, percent: int, why: str) -> Answer:
    """Let canary or shadow name a version, and give it a share of the traffic."""
    gateway.version(version)
    body = {alias: {"version": version, "percent": percent}, "why": why}
    model = _based(
        gateway, lambda etag: gateway.change("PATCH", _traffic(gateway), body, etag=etag)
    )
    return Answer(tables.traffic(model), model)


def promote(
    gateway: Gateway, version: str, wait_s: float | None, *, force: bool, why: str
) -> Answer:
    """Make a version, or what an alias names, stable. Raises AdministrationError: the gate."""
    body = {"version": version, "force": force, "why": why}
    done = _based(
        gateway,
        lambda etag: gateway.change("POST", f"{gateway.of_model}/promote", body, etag=etag),
    )
    if wait_s is not None:
        _ready(gateway, done["version"], wait_s)
    return Answer(tables.promotion(done), done)


def make_default(gateway: Gateway, version: str, why: str) -> Answer:
    """Make a version stable at once; refused without ready workers: requests would fail."""

    def done(etag: str) -> Json:
        if not any(each["ready"] for each in gateway.version(version)["nodes"]):
            raise AdministrationError(
                f"version {version} has no worker that is ready: "
                f"`segserve versions scale {version} 2` first"
            )
        body = {"version": version, "force": True, "why": why or DEFAULT_WHY}
        return gateway.change("POST", f"{gateway.of_model}/promote", body, etag=etag)

    found = _based(gateway, done)
    return Answer(f"version {version} is the default", found)


def roll_back(gateway: Gateway, wait_s: float | None, why: str) -> Answer:
    """Make the version stable that was so before."""
    body = {"why": why}
    model = _based(
        gateway,
        lambda etag: gateway.change("POST", f"{gateway.of_model}/rollback", body, etag=etag),
    )
    stable = model["aliases"]["stable"]
    if wait_s is not None:
        _ready(gateway, stable, wait_s)
    return Answer(f"version {stable} is stable again", model)


def set_alias(gateway: Gateway, alias: str, version: str, why: str) -> Answer:
    """Let an alias name a version."""
    gateway.version(version)
    body = {"version": version, "why": why}
    path = f"{gateway.of_model}/aliases/{alias}"
    model = _based(gateway, lambda etag: gateway.change("PUT", path, body, etag=etag))
    return Answer(f"{alias} is version {version}", model)


def remove_alias(gateway: Gateway, alias: str, why: str) -> Answer:
    """Remove an alias, with its share of the traffic."""
    path = f"{gateway.of_model}/aliases/{alias}"
    model = _based(gateway, lambda etag: gateway.change("DELETE", path, etag=etag, why=why or None))
    return Answer(f"{alias} is no alias any more", model)


def scale(
    gateway: Gateway, version: str, workers: int, wait_s: float | None, *, node: str, why: str
) -> Answer:
    """Set the workers of a version; what a node says it cannot do is undone, if nothing came after.

    Refused for a node that is not known.
    """
    path = f"{gateway.version_path(version)}/placement"
    former: int | None = None

    def done(etag: str) -> Json:
        nonlocal former
        gateway.version(version)
        _check_node(gateway, node)
        model = gateway.read(gateway.of_model)
        placed = {each["node"]: each for each in model["placements"] if each["version"] == version}
        former = placed[node]["workers"] if node in placed else None
        body = {"workers": workers, "node": node, "why": why}
        return gateway.change("PUT", path, body, etag=etag)

    model = _based(gateway, done)
    if wait_s is not None:
        try:
            if workers:
                _ready(gateway, version, wait_s, node)
            else:
                wait_until_gone(gateway, version, node, wait_s)
        except FailedError:
            undo = {"workers": former, "node": node, "why": "undone"}
            with suppress(AdministrationError):
                gateway.change("PUT", path, undo, etag=f'"{model["etag"]}"')
            raise
    where = "" if node == EVERY_NODE else f" on {node}"
    return Answer(f"version {version} has {count(workers)}{where}", model)


def _check_node(gateway: Gateway, node: str) -> None:
    names = [each["name"] for each in gateway.items(NODES)]
    if node not in (EVERY_NODE, *names):
        raise AdministrationError(
            f"there is no node {node}; there are: {', '.join(names) or 'none'}"
        )


def remove(gateway: Gateway, version: str, wait_s: float | None, why: str) -> Answer:
    """Retire a version: every node unloads it, its record stays. Refused while it has an alias."""

    def done(etag: str) -> Json:
        gateway.version(version)
        path = gateway.version_path(version)
        return gateway.change("DELETE", path, etag=etag, why=why or None)

    _based(gateway, done)
    record = gateway.version(version)
    if wait_s is not None:
        record = wait_until_gone(gateway, version, EVERY_NODE, wait_s)
    return Answer(f"version {version} is removed; its archive can be added again", record)


def forget(gateway: Gateway, node: str, why: str) -> Answer:
    """Forget a node that will not come back."""
    gateway.change("DELETE", f"{NODES}/{node}", why=why or None)
    return Answer(f"{node} is forgotten", {"name": node})


def _traffic(gateway: Gateway) -> str:
    return f"{gateway.of_model}/traffic"


def _based(gateway: Gateway, work: Callable[[str], Json]) -> Json:
    """Do a change that is based on the etag which it is given; again if another one came first."""
    for _ in range(TRIES - 1):
        try:
            return work(gateway.etag())
        except ChangedMeanwhileError:
            if not gateway.may_repeat:
                raise
    return work(gateway.etag())
