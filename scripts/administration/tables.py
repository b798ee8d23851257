"""What the administration answers, as text for a terminal."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from scripts.administration.client import Json

_NONE: Final = "-"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows under a head, in columns as wide as their widest cell."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = (
        " ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)


def versions(found: Iterable[Json]) -> str:
    """A line for each version and node."""
    head = ("VERSION", "ALIAS", "NODE", "WORKERS", "STATE", "MIOU", "ADDED", "BY")
    return table(head, (row for each in found for row in _version_rows(each)))


def _version_rows(record: Json) -> Iterable[Sequence[str]]:
    measured = [each["miou"] for each in record["evaluations"] if each["miou"] is not None]
    own = (record["version"], ", ".join(record["aliases"]) or _NONE)
    rest = (f"{measured[0]:.4f}" if measured else _NONE, moment(record["created_at"]))
    by = record["created_by"].partition(" (")[0]
    for each in record["nodes"] or [None]:
        state = (_NONE, _NONE, record["state"] if record["state"] == "retired" else "not loaded")
        if each is not None:
            workers = f"{each['ready']}/{each['wanted']}"
            reason = f": {each['reason']}" if each["reason"] else ""
            state = (each["node"], workers, f"{each['state']}{reason}")
        yield (*own, *state, *rest, by)


def traffic(model: Json) -> str:
    """Which version gets what."""
    aliases = model["aliases"]
    rows = [
        ("stable", aliases.get("stable", _NONE), f"{100 - model['canary_percent']} % of clients")
    ]
    for alias, what in (("canary", "of clients"), ("shadow", "of images, as copies")):
        if alias in aliases:
            rows.append((alias, aliases[alias], f"{model[f'{alias}_percent']} % {what}"))
    known = {row[0] for row in rows}
    rows += [(name, each, "by name only") for name, each in aliases.items() if name not in known]
    return table(("ALIAS", "VERSION", "GETS"), rows)


def promotion(done: Json) -> str:
    """The version that is stable now, and what the gate said."""
    verdict = done["verdict"]
    lines = [f"version {done['version']} is stable"]
    if done["former"] not in (None, done["version"]):
        lines[0] += f"; before it was {done['former']}"
    lines += [f"  against it: {each}" for each in verdict["reasons"]]
    lines += [f"  for it: {each}" for each in verdict["findings"]]
    lines += [f"  not known: {each}" for each in verdict["unknown"]]
    return "\n".join(lines)


def history(entries: Iterable[Json]) -> str:
    """A line for each change, the newest first."""
    head = ("WHEN", "BY", "CHANGE", "OF", "FROM", "TO", "WHY")
    rows = (
        (
            moment(each["at"]),
            each["actor"].partition(" (")[0],
            each["action"],
            each["subject"],
            _value(each["before"]),
            _value(each["after"]),
            each["why"] or _NONE,
        )
        for each in entries
    )
    return table(head, rows)


def nodes(found: Iterable[Json]) -> str:
    """A line for each node."""
    head = ("NODE", "HEARD", "FREE MB", "VERSIONS", "DOING")
    rows = (
        (
            each["name"],
            f"{each['age_s']:.0f} s ago" if each["fresh"] else f"gone for {each['age_s']:.0f} s",
            str(each["free_memory_mb"]),
            ", ".join(map(_on_node, each["versions"])) or _NONE,
            each["doing"] or _NONE,
        )
        for each in found
    )
    return table(head, rows)


def count(workers: int) -> str:
    """A number of workers."""
    return "1 worker" if workers == 1 else f"{workers} workers"


def moment(text: str) -> str:
    """A moment, in UTC to the second."""
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S")


def _on_node(each: Json) -> str:
    return f"{each['version']} {each['state']} {each['ready']}/{each['wanted']}"


def _value(value: Any) -> str:
    """A value of the audit log, short."""
    if value is None:
        return _NONE
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(each)}" for key, each in value.items()) or _NONE
    return _short(value)


def _short(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}..." if len(text) == 64 else text
