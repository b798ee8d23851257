"""The difference of two versions: classes, input, provenance, evaluations, shadow comparison."""

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.administration.client import Gateway, Json, UnknownError
from scripts.administration.operations import Answer

_HOURS = 720
_SAME = "(the same)"


def difference(gateway: Gateway, first: str, second: str) -> Answer:
    """Compare two versions, also retired ones."""
    a, b = gateway.version(first), gateway.version(second)
    found: Json = {
        "versions": [first, second],
        "labels": _changed(a["labels"], b["labels"]),
        "input": _changed(a["spec"], b["spec"]),
        "provenance": _changed(a["provenance"] or {}, b["provenance"] or {}),
        "evaluations": _evaluations(a, b),
        "shadow": _shadow(gateway, first, second),
    }
    return Answer(_text(found), found)


def _changed(first: Mapping[str, Any], second: Mapping[str, Any]) -> Json:
    """Dotted name -> both values, of what differs."""
    a, b = dict(_flat("", first)), dict(_flat("", second))
    return {
        name: [a.get(name), b.get(name)]
        for name in sorted({*a, *b}, key=_by_number)
        if a.get(name) != b.get(name)
    }


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping) or not value:
        yield prefix, value
        return
    for name, each in value.items():
        yield from _flat(f"{prefix}.{name}" if prefix else str(name), each)


def _by_number(name: str) -> tuple[bool, int, str]:
    return (not name.isdigit(), int(name) if name.isdigit() else 0, name)


def _evaluations(first: Json, second: Json) -> list[Json]:
    """Mean IoU of both on the data sets that both were measured on."""
    other = {each["data_digest"]: each["miou"] for each in second["evaluations"]}
    return [
        {
            "data_name": each["data_name"],
            "data_digest": each["data_digest"],
            "miou": [each["miou"], other[each["data_digest"]]],
        }
        for each in first["evaluations"]
        if each["data_digest"] in other
    ]


def _shadow(gateway: Gateway, first: str, second: str) -> Json | None:
    """The comparison of one as shadow of the other, in the last thirty days; None if there is none.

    The pair's sums, without its hours.
    """
    try:
        pairs = gateway.read(f"{gateway.of_model}/shadow", hours=_HOURS)["pairs"]
    except UnknownError:
        return None
    for each in pairs:
        if {each["stable"], each["shadow"]} == {first, second}:
            return {name: value for name, value in each.items() if name != "hours"}
    return None


def _text(found: Json) -> str:
    first, second = found["versions"]
    lines = [f"{first} -> {second}"]
    for name in ("labels", "input", "provenance"):
        lines += _section(name, found[name])
    lines.append("evaluations:")
    for each in found["evaluations"]:
        lines.append(f"  mean IoU on {each['data_name']}: {_pair(each['miou'], '.4f')}")
    if not found["evaluations"]:
        lines[-1] += " none of both on the same data: `segserve evaluate --record`"
    return "\n".join([*lines, *_shadow_lines(found["shadow"])])


def _section(name: str, changes: Mapping[str, Any]) -> list[str]:
    if not changes:
        return [f"{name}: {_SAME}"]
    lines = [f"  {key}: {_shown(old)} -> {_shown(new)}" for key, (old, new) in changes.items()]
    return [f"{name}:", *lines]


def _shadow_lines(pair: Json | None) -> list[str]:
    if pair is None or not pair["images"]:
        return ["shadow: not compared: `segserve versions shadow VERSION PERCENT`"]
    latency = _pair([pair["stable_ms"], pair["shadow_ms"]], ".0f")
    lines = [
        f"shadow: {pair['shadow']} behind {pair['stable']}, {pair['images']} images, "
        f"{pair['failed']} failed",
        f"  pixels of the same class: {_number(pair['agreement'], '.4f')}",
        f"  milliseconds of {pair['stable']}, and of {pair['shadow']} on one core in spare time: "
        f"{latency}",
    ]
    for each in pair["classes"]:
        name = each["name"] or f"class {each['id']}"
        lines.append(f"  IoU of {name}: {_number(each['iou'], '.4f')}")
    return lines


def _pair(values: list[Any], form: str) -> str:
    return " -> ".join(_number(each, form) for each in values)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)
