"""A model's face in its archive: model.toml, and what the export found out.

model.toml is optional and lies beside the weights, or where --card says:

    name = "Cracks"
    purpose = "Finds cracks in photographs of concrete."
    limits = "Dry surfaces by day; nothing else was tried."
    author = "..."
    licence = "CC-BY-4.0"
    changes = "Twice the pictures of wet concrete."
    examples = ["https://example.org/a.jpg"]

    [classes.crack]
    name = "Crack"
    colour = "#d55e00"
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

CARD: Final = "card.json"  # in the archive
FILE: Final = "model.toml"
TEXTS: Final = ("name", "purpose", "limits", "author", "licence", "changes")
LONGEST: Final = 4000  # characters of a text
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")


class CardError(ValueError):
    """model.toml cannot be used; the text is one line that names the key."""


def card_of(named: Path | None, weights: Path | None) -> Path | None:
    """The model.toml that was named, or the one beside the weights; None without either."""
    if named is not None:
        return named
    if weights is None:
        return None
    folder = weights if weights.is_dir() else weights.parent
    return folder / FILE if (folder / FILE).is_file() else None


def read_card(path: Path, labels: Mapping[int, str]) -> dict[str, Any]:
    """Read and check a model.toml. Raises CardError."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as exc:
        raise CardError(f"--card {path}: there is no such file") from exc
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise CardError(f"{path}: not TOML ({exc})") from exc
    unknown = sorted(data.keys() - {*TEXTS, "examples", "classes"})
    if unknown:
        known = ", ".join((*TEXTS, "examples", "classes"))
        raise CardError(f"{path}: {', '.join(unknown)} is unknown; known are {known}")
    card: dict[str, Any] = {name: _text(path, name, data[name]) for name in TEXTS if name in data}
    card["examples"] = _examples(path, data.get("examples", []))
    card["classes"] = _classes(path, data.get("classes", {}), labels)
    return card


def _text(path: Path, key: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST:
        raise CardError(f"{path}: {key} is a text of 1 to {LONGEST} characters")
    return value.strip()


def _examples(path: Path, value: object) -> list[str]:
    if not isinstance(value, list) or len(value) > 20:
        raise CardError(f"{path}: examples is a list of at most 20 texts")
    return [_text(path, "examples", each) for each in value]


def _classes(path: Path, value: object, labels: Mapping[int, str]) -> dict[str, dict[str, str]]:
    """Label -> {"name": ..., "colour": "#rrggbb"}, either may be missing."""
    if not isinstance(value, dict):
        raise CardError(f"{path}: classes is a table of tables, such as [classes.person]")
    known, classes = set(labels.values()), dict[str, dict[str, str]]()
    for label, facts in value.items():
        key = f"classes.{label}"
        if label not in known:
            raise CardError(f"{path}: {key}: the model has no such class")
        if not isinstance(facts, dict) or facts.keys() - {"name", "colour"}:
            raise CardError(f"{path}: {key} has the keys name and colour")
        colour = facts.get("colour")
        if colour is not None and not (isinstance(colour, str) and _COLOUR.fullmatch(colour)):
            raise CardError(f"{path}: {key}.colour is of the form #rrggbb")
        classes[label] = {name: _text(path, f"{key}.{name}", text) for name, text in facts.items()}
    return classes
