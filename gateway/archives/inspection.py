"""Inspection of an archive before it becomes a version: whole, safe to unpack, and one of ours."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from zipfile import ZipInfo

from gateway.archives.golden import golden_pairs
from gateway.archives.zip_structure import Limits, contents, read_entries
from gateway.errors import ConflictError, InvalidArchiveError
from gateway.models.parameters import RESERVED, VERSION_PATTERN

# The newest that our handler knows, deeplab.spec.SPEC_VERSION; a contract test compares the two.
SPEC_VERSION: Final = 2
MANIFEST: Final = "MAR-INF/MANIFEST.json"
SPEC: Final = "model.json"
LABELS: Final = "deeplab/labels.json"
PROVENANCE: Final = "provenance.json"
CARD: Final = "card.json"
_MAX_CLASSES: Final = 255
_MAX_JSON: Final = 4 * 1024 * 1024
_NAME: Final = re.compile(VERSION_PATTERN.removeprefix("^").removesuffix("$"))
_LIMITS: Final = Limits()

Json = dict[str, Any]


@dataclass(frozen=True)
class ArchiveFacts:
    """What an archive says about itself.

    labels: class id -> name. spec, provenance, card: the objects of these files; None without the
    file. files: name -> bytes unpacked.
    """

    model: str
    version: str
    labels: Mapping[int, str]
    spec: Json
    provenance: Json | None
    card: Json | None
    files: Mapping[str, int]


def inspect(
    path: Path,
    *,
    file_name: str | None = None,
    model: str | None = None,
    limits: Limits = _LIMITS,
) -> ArchiveFacts:
    """Read an archive from its first to its last byte; raises InvalidArchiveError in one line.

    Blocks, and writes nothing. file_name: as its sender calls it, such as deeplabv3-1.0.mar.
    model: the one that it is meant for.
    """
    with path.open("rb") as file:
        entries = read_entries(file, limits)
        golden_pairs(entries)  # refuses those that no gate would take
        documents = _read(file, entries)
    manifest = _required(documents, MANIFEST).get("model")
    if not isinstance(manifest, dict):
        raise InvalidArchiveError(f"{MANIFEST} names no model.")
    name, version = (_name(manifest, key) for key in ("modelName", "modelVersion"))
    _check_addressed(name, version, file_name, model)
    _check_handler(manifest, entries)
    spec = _checked_spec(_required(documents, SPEC))
    return ArchiveFacts(
        model=name,
        version=version,
        labels=_checked_labels(_required(documents, LABELS), spec),
        spec=spec,
        provenance=documents.get(PROVENANCE),
        card=documents.get(CARD),
        files={each: entry.file_size for each, entry in entries.items()},
    )


def refuse_other_bytes(facts: ArchiveFacts, sha256: str, known: str | None) -> None:
    """Raise ConflictError if a version is known with other bytes. known: their digest, or None."""
    if known not in (None, sha256):
        raise ConflictError(
            f"{facts.model} has a version {facts.version} with other bytes. "
            "Build this archive with another --version."
        )


def _read(file: BinaryIO, entries: Mapping[str, ZipInfo]) -> dict[str, Json]:
    """Read every file, which shows damage, and return the JSON objects among them."""
    documents = {}
    for name, entry in entries.items():
        is_document = name in (MANIFEST, SPEC, LABELS, PROVENANCE, CARD)
        if is_document and entry.file_size > _MAX_JSON:
            raise InvalidArchiveError(f"{name} has {entry.file_size} bytes, which are too many.")
        blocks = [block for block in contents(file, entry) if is_document]
        if is_document:
            documents[name] = _parse(name, b"".join(blocks))
    return documents


def _parse(name: str, data: bytes) -> Json:
    try:
        parsed = json.loads(data.decode("utf-8"), parse_constant=_no_number)
        # Databases take neither.
        is_text = "\0" not in (text := json.dumps(parsed, ensure_ascii=False, allow_nan=False))
        text.encode("utf-8")
        is_text = is_text and "\\u0000" not in text
    except (ValueError, RecursionError) as exc:
        raise InvalidArchiveError(f"{name} is not JSON: {str(exc)[:100]}.") from exc
    if not isinstance(parsed, dict) or not is_text:
        raise InvalidArchiveError(f"{name} is not a JSON object of ordinary text.")
    return parsed


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


def _required(documents: Mapping[str, Json], name: str) -> Json:
    if name not in documents:
        raise InvalidArchiveError(
            f"The archive has no {name}: it was not built by `segserve build`."
        )
    return documents[name]


def _name(manifest: Mapping[str, Any], key: str) -> str:
    name = manifest.get(key)
    if isinstance(name, str) and _NAME.fullmatch(name) and name not in RESERVED:
        return name
    raise InvalidArchiveError(
        f"{key} is {str(name)[:64]!r} in {MANIFEST}: it must be 1 to 32 letters, digits, dots, "
        "hyphens and underscores, with a letter or digit first, and none of "
        f"{', '.join(sorted(RESERVED))}."
    )


def _check_addressed(name: str, version: str, file_name: str | None, model: str | None) -> None:
    if model not in (None, name):
        raise InvalidArchiveError(f"The archive holds {name} {version}, not a version of {model}.")
    right, given = f"{name}-{version}.mar", file_name or ""
    if given.endswith(".mar") and "-" in given and given != right:
        raise InvalidArchiveError(
            f"{given[:80]} holds {name} {version}: name it {right}, or build it again."
        )


def _check_handler(manifest: Mapping[str, Any], entries: Mapping[str, ZipInfo]) -> None:
    handler = manifest.get("handler")
    if not isinstance(handler, str) or handler.partition(":")[0] not in entries:
        raise InvalidArchiveError(f"The archive has no handler: {str(handler)[:64]!r} is missing.")


def _checked_spec(spec: Json) -> Json:
    version = spec.get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InvalidArchiveError(
            f"The version {str(version)[:20]!r} of {SPEC} is not a whole number from 1."
        )
    if version > SPEC_VERSION:
        raise InvalidArchiveError(
            f"{SPEC} has version {version}, {SPEC_VERSION} is the newest that is known here: "
            "use a newer Segserve, or build the archive again."
        )
    return spec


def _checked_labels(raw: Json, spec: Json) -> Mapping[int, str]:
    known = {str(class_id) for class_id in range(len(raw))}
    if not raw or raw.keys() != known or len(raw) > _MAX_CLASSES:
        raise InvalidArchiveError(f"The class ids of {LABELS} must be 0, 1, 2, ..., at most 255.")
    labels = {int(class_id): name for class_id, name in raw.items()}
    for name in labels.values():
        if not isinstance(name, str) or not name or name != name.strip():
            raise InvalidArchiveError(
                f"{LABELS}: {str(name)[:40]!r} is not a class name without blanks around it."
            )
    if len({name.casefold() for name in labels.values()}) != len(labels):
        raise InvalidArchiveError(f"{LABELS}: two classes have the same name, whatever its case.")
    classes = spec.get("classes")
    if isinstance(classes, int) and classes != len(labels):
        raise InvalidArchiveError(
            f"{LABELS} names {len(labels)} classes, but the network has {classes}."
        )
    return dict(sorted(labels.items()))
