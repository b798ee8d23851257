"""Labels as people write them: JSON in any encoding and form, or one name a line."""

import codecs
import json
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deeplab.spec import MAX_CLASSES, InvalidSpecError, check_names

FORM = '{"0": "background", "1": "..."}'
LONGEST = 200  # characters of a name
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_label_file(path: Path) -> dict[int, str]:
    """Read class id -> name, ids 0..n-1. Raises InvalidSpecError, in one line.

    The file is a JSON object of id to name (or of name to id), a JSON list of names, or a .txt
    file with a name on each line; in UTF-8, or another encoding that its byte order mark tells.
    """
    text = _text(path)
    if path.suffix.lower() == ".txt":
        return _checked(path, dict(enumerate(line.strip() for line in text.strip().splitlines())))
    try:
        raw = json.loads(text, object_pairs_hook=lambda pairs: _object(path, pairs))
    except (ValueError, RecursionError) as exc:
        if isinstance(exc, InvalidSpecError):
            raise
        raise InvalidSpecError(f"{path} is not JSON such as {FORM}: {exc}") from exc
    return _checked(path, _by_id(path, raw))


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise InvalidSpecError(f"{path} cannot be read: {exc.strerror}") from exc
    marks = (name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark))
    encoding = next(marks, "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as exc:
        raise InvalidSpecError(f"{path} is not text in {encoding}: save it as UTF-8") from exc


def _object(path: Path, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key.strip() for key, _ in pairs]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise InvalidSpecError(f"{path} has the key {twice!r} twice")
    return dict(pairs)


def _by_id(path: Path, raw: object) -> dict[int, object]:
    if isinstance(raw, list):
        return dict(enumerate(raw))
    if not isinstance(raw, Mapping):
        raise InvalidSpecError(f"{path} is not JSON such as {FORM}")
    if raw and all(type(value) is int for value in raw.values()):
        pairs = [(value, name) for name, value in raw.items()]
    else:
        pairs = list(raw.items())
    try:
        ids = [int(key) for key, _ in pairs]
    except ValueError as exc:
        raise InvalidSpecError(f"{path} is not JSON such as {FORM}: {exc}") from exc
    twice = next((index for index in ids if ids.count(index) > 1), None)
    if twice is not None:
        raise InvalidSpecError(f"{path}: two entries are class {twice}")
    return dict(zip(ids, (value for _, value in pairs), strict=True))


def _checked(path: Path, labels: Mapping[int, object]) -> dict[int, str]:
    if not labels:
        raise InvalidSpecError(f"{path} names no class: write {FORM}")
    if len(labels) > MAX_CLASSES:
        raise InvalidSpecError(f"{path} names {len(labels)} classes; at most {MAX_CLASSES} work")
    absent = sorted(set(range(len(labels))) - set(labels))
    if absent:
        raise InvalidSpecError(
            f"{path}: the class ids must be 0, 1, 2, ... without gaps; {absent[0]} is missing"
        )
    names = {index: labels[index] for index in range(len(labels))}
    nameless = [index for index, name in names.items() if not _is_name(name)]
    if nameless:
        raise InvalidSpecError(f"{path}: class {nameless[0]} has no name")
    unfit = next((index for index, name in names.items() if not _is_shown(str(name))), None)
    if unfit is not None:
        raise InvalidSpecError(
            f"{path}: the name of class {unfit} is not one line of at most {LONGEST} characters"
        )
    # One form of each letter: names of different code points may look alike.
    alike = {index: unicodedata.normalize("NFC", str(name)) for index, name in names.items()}
    check_names(path, list(alike.values()))
    return alike


def _is_name(name: object) -> bool:
    return isinstance(name, str) and bool(name.strip())


def _is_shown(name: str) -> bool:
    """Whether a page and JSON can show it: no line breaks, control characters or half letters."""
    kinds = {unicodedata.category(letter) for letter in name}
    return len(name) <= LONGEST and not kinds & {"Cc", "Cs", "Zl", "Zp"} and kinds != {"Cf"}
