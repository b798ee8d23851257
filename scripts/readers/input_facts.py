"""The facts that count: from flags, else a file beside the weights, else the checkpoint."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from deeplab.spec import InputSize
from scripts.networks.facts import InputFacts
from scripts.networks.given_facts import (
    BOUND,
    NAMES,
    NOTHING_GIVEN,
    FactError,
    GivenFacts,
    from_mapping,
    interpolation_of,
    normalisation,
    parse_size,
)

BESIDE: Final = "segserve.toml"
TABLE: Final = "build"  # so that the file also works as a configuration of the command
ASSUMED: Final = "assumed"
FACTS: Final = ("size", "mean", "std", "channels", "interpolation")


def file_beside(weights: Path) -> Path:
    """The place of the file with the facts."""
    return (weights if weights.is_dir() else weights.parent) / BESIDE


def beside(weights: Path) -> GivenFacts:
    """The facts in segserve.toml beside the weights, or in their folder; none without the file.

    Raises FactError.
    """
    path = file_beside(weights)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):  # the weights' own reader says the latter
        return GivenFacts()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise FactError(f"{path}: not a configuration ({exc})") from exc
    table: Mapping[str, Any] = data.get(TABLE) or {}
    if not isinstance(table, dict):
        raise FactError(f"{path}: {TABLE} is a command: write a table [{TABLE}]")
    wrong = next((name for name in NAMES for each in (data, table) if _is_table(each, name)), None)
    if wrong is not None:
        raise FactError(f"{path}: {wrong} is one value, not a table")
    return from_mapping({**_scalars(data), **_scalars(table)}, str(path))


def _is_table(table: Mapping[str, Any], name: str) -> bool:
    return isinstance(table.get(name), dict)


def _scalars(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if not isinstance(value, dict)}


def resolve(found: InputFacts, flags: GivenFacts, file: GivenFacts = NOTHING_GIVEN) -> InputFacts:
    """The reader's facts with those of a file and then of flags put over them.

    Raises FactError.
    """
    facts = replace(found, sources=dict.fromkeys(FACTS, ASSUMED) | found.sources)
    facts = _over(facts, file, f"{BESIDE} beside the weights")
    return _over(facts, flags, "")


def overrides(flags: GivenFacts, file: GivenFacts = NOTHING_GIVEN) -> dict[str, object]:
    """The facts that were given, as ``ReadOptions.overrides``. Raises FactError."""
    nothing = InputFacts(InputSize(BOUND))
    found = resolve(nothing, flags, file)
    given = {name for name, source in found.sources.items() if source != ASSUMED}
    facts: dict[str, object] = {"mean": found.mean, "std": found.std, "channels": found.channels}
    chosen = {name: value for name, value in facts.items() if name in given}
    return chosen | ({"input": found.input} if "size" in given else {})


def _over(facts: InputFacts, given: GivenFacts, place: str) -> InputFacts:
    """The facts with those that were given; ``place`` is their source, empty for flags."""
    sources = dict(facts.sources)

    def note(fact: str, flag: str) -> None:
        sources[fact] = place or f"--{flag}"

    size = facts.input
    if given.size is not None:
        kept = size
        size = parse_size(given.size)
        size = replace(
            size,
            interpolation=kept.interpolation,
            antialias=kept.antialias,
            rounding=kept.rounding if size.rounding == "auto" else size.rounding,
        )
        if "/" not in given.size and size.fit != "fixed":
            # What the network needs, whatever the size.
            size = replace(size, grid=kept.grid, multiple=kept.multiple)
        note("size", "size")
    if given.interpolation is not None:
        size = replace(size, interpolation=interpolation_of(given.interpolation))
        note("interpolation", "interpolation")
    if given.antialias is not None:
        size = replace(size, antialias=given.antialias)
        note("interpolation", "antialias" if given.antialias else "no-antialias")
    channels = facts.channels
    if given.bgr is not None:
        channels = "bgr" if given.bgr else "rgb"
        note("channels", "bgr" if given.bgr else "no-bgr")
    in_order = given if given.bgr is not None else replace(given, bgr=channels == "bgr")
    mean, std = normalisation(in_order, facts.mean, facts.std)
    for fact in ("mean", "std"):
        if getattr(given, fact) is not None:
            note(fact, fact)
        elif given.range is not None and given.mean is None and given.std is None:
            note(fact, "range")
    return replace(facts, input=size, mean=mean, std=std, channels=channels, sources=sources)


def as_given(facts: InputFacts) -> GivenFacts:
    """The flags that say the same as these facts."""
    is_bgr = facts.channels == "bgr"
    size = facts.input
    text = {
        "long_side": f"{size.long_side}",
        "short_side": f"short={size.short_side}",
        "fixed": f"{size.width}x{size.height}",
        "native": "native",
    }[size.fit]
    rounding = "" if size.rounding == "auto" else size.rounding
    steps = f"/{size.multiple}{rounding}" if size.multiple > 1 or rounding else ""
    return GivenFacts(
        size=text + steps,
        mean=_exact(facts.mean, is_bgr=is_bgr),
        std=_exact(facts.std, is_bgr=is_bgr),
        bgr=is_bgr,
        interpolation=size.interpolation,
        antialias=size.antialias,
    )


def _exact(values: tuple[float, ...], *, is_bgr: bool) -> str:
    return ",".join(map(repr, values[::-1] if is_bgr else values))


def table(facts: InputFacts) -> str:
    """The facts as a table, each with its source."""
    size = facts.input
    rows = (
        ("size", describe_size(facts), facts.sources.get("size", ASSUMED)),
        ("mean", _numbers(facts.mean), facts.sources.get("mean", ASSUMED)),
        ("std", _numbers(facts.std), facts.sources.get("std", ASSUMED)),
        ("channels", facts.channels.upper(), facts.sources.get("channels", ASSUMED)),
        (
            "interpolation",
            size.interpolation + ("" if size.antialias else ", no antialiasing"),
            facts.sources.get("interpolation", ASSUMED),
        ),
    )
    lines = [f"  {name:<14} {value:<28} {source}" for name, value, source in rows]
    return "\n".join(["the network's input (RGB values in 0..1, less mean, by std):", *lines])


def describe_size(facts: InputFacts) -> str:
    """The size in words."""
    size = facts.input
    words = {
        "long_side": f"long side {size.long_side}",
        "short_side": f"short side {size.short_side}",
        "fixed": f"{size.width} x {size.height}",
        "native": f"as it is, at most {size.long_side}",
    }[size.fit]
    if size.multiple > 1:
        words += f", multiples of {size.multiple}"
        words += f" ({size.rounding})" if size.rounding != "auto" else ""
    return words + (f", grid of {size.grid}" if size.grid > 1 else "")


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
