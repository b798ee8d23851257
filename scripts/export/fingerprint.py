"""The fingerprint of an archive: a digest of every input that decides its content."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from deeplab.spec import InvalidSpecError
from scripts.archives.archive import (
    LABELS,
    MANIFEST,
    PROVENANCE,
    DamagedArchiveError,
    file_name,
    read_facts,
)
from scripts.archives.digests import file_sha256, files_sha256, weights_files
from scripts.archives.model_card import card_of
from scripts.archives.paths import ROOT
from scripts.export.export_check import photographs
from scripts.export.model_options import ExportTarget
from scripts.networks.architectures import BUNDLED, BUNDLED_WEIGHTS, VOC_LABELS, ModelChoice
from scripts.networks.labels import read_label_file
from scripts.readers.input_facts import file_beside

HANDLER = ROOT / "handler"
# The folders of scripts/ with the code that decides an archive's content.
BUILD_CODE = ("archives", "networks", "readers", "export")
LIBRARIES = ("torch", "torchvision", "openvino", "nncf", "torch-model-archiver")


@dataclass(frozen=True)
class Archive:
    """What to build: name and version as TorchServe will know them, and where."""

    choice: ModelChoice
    target: ExportTarget
    name: str
    version: str
    store: Path

    @property
    def path(self) -> Path:
        """The archive's place in the model store."""
        return self.store / file_name(self.name, self.version)


class OtherOriginError(ValueError):
    """There is an archive of the same name that was made of something else.

    difference: what differs, in words.
    """

    def __init__(self, path: Path, difference: str) -> None:
        super().__init__(
            f"{path} {difference} and is not overwritten: take another --version, or --force"
        )
        self.difference = difference


def origin_of(archive: Archive) -> dict[str, object]:
    """The inputs that the caller chose; code and libraries are left out.

    An archive of the same origin may be built again at any time, others may exist only once.
    """
    choice = archive.choice
    weights = _weights(choice)
    digest = files_sha256(weights_files(weights)) if weights else None
    return {
        "weights": digest or f"published for {choice.architecture}",
        "labels": _plain_labels(choice.labels or VOC_LABELS),
        "target": asdict(archive.target),
        **({"input": _input(choice)} if _input(choice) else {}),
        "threshold": choice.threshold,
    }


def _input(choice: ModelChoice) -> dict[str, object]:
    """What was said about the model's input; empty if nothing was."""
    facts = {**asdict(choice.given), "like": choice.like, "output_kind": choice.output_kind}
    return {name: value for name, value in facts.items() if value is not None}


def check_origin(archive: Archive) -> None:
    """Raise OtherOriginError if a sound archive of another origin has this archive's place."""
    try:
        provenance = read_facts(archive.path, PROVENANCE)
    except (FileNotFoundError, DamagedArchiveError):
        if is_sound(archive.path):
            raise OtherOriginError(archive.path, "was not built by Segserve") from None
        return
    wanted, recorded = origin_of(archive), _recorded_origin(archive.path, provenance)
    differing = [name for name, value in recorded.items() if value != wanted.get(name)]
    if differing:
        words = [_WORDS[name] for name in differing]
        raise OtherOriginError(archive.path, f"was built with other {' and '.join(words)}")


def is_sound(path: Path) -> bool:
    """Whether there is an undamaged model archive, by Segserve or not."""
    try:
        read_facts(path, MANIFEST)
    except (FileNotFoundError, DamagedArchiveError):
        return False
    return True


_WORDS = {
    "weights": "weights",
    "labels": "labels",
    "target": "options of the export",
    "input": "facts about its input",
    "threshold": "threshold",
}


def _recorded_origin(path: Path, provenance: dict[str, object]) -> dict[str, object]:
    """The origin in an archive; of one by a former version, the part that it recorded."""
    recorded = provenance.get("origin")
    if isinstance(recorded, dict):
        return {name: recorded.get(name) for name in _WORDS}
    weights = provenance.get("weights")
    facts = weights if isinstance(weights, dict) else {}
    published = str(facts.get("origin", "")).startswith("published by")
    digest = f"published for {provenance.get('architecture')}" if published else facts.get("sha256")
    return {"weights": digest, "labels": read_facts(path, LABELS)}


def _plain_labels(path: Path) -> object:
    try:
        return {str(index): name for index, name in read_label_file(path).items()}
    except InvalidSpecError:  # the checkpoint's reader says what is wrong
        return None


def _weights(choice: ModelChoice) -> Path | None:
    """The file of the weights; None for those that are fetched."""
    if choice.weights is not None:
        return choice.weights
    return BUNDLED_WEIGHTS if choice.architecture in (None, BUNDLED) else None


def fingerprint_of(archive: Archive) -> str:
    """Hexadecimal SHA-256 over everything that decides the archive's content."""
    digest = hashlib.sha256()
    for path in _input_files(archive.choice):
        digest.update(f"{path.name} {file_sha256(path)}\n".encode())
    facts: list[object] = [
        archive.choice.architecture,
        _input(archive.choice),
        archive.choice.threshold,
        asdict(archive.target),
        archive.name,
        archive.version,
    ]
    facts += [f"{library} {version(library)}" for library in LIBRARIES]
    digest.update(json.dumps(facts).encode())
    return digest.hexdigest()


def recorded_fingerprint(path: Path) -> str | None:
    """The fingerprint in an archive's provenance; None if there is no sound archive."""
    try:
        recorded = read_facts(path, PROVENANCE).get("fingerprint")
    except (FileNotFoundError, DamagedArchiveError):
        return None
    return recorded if isinstance(recorded, str) else None


def build_code() -> list[Path]:
    """The source files of ``scripts`` that decide an archive's content."""
    return [path for name in BUILD_CODE for path in sorted((ROOT / "scripts" / name).rglob("*.py"))]


def _input_files(choice: ModelChoice) -> Iterator[Path]:
    yield from sorted(
        path for path in HANDLER.rglob("*") if path.suffix in (".py", ".json", ".yaml")
    )
    yield from build_code()
    yield from photographs()
    yield choice.labels or VOC_LABELS
    if choice.weights is not None and (file := file_beside(choice.weights)).is_file():
        yield file
    if (card := card_of(choice.card, choice.weights)) is not None:
        yield card
    weights = _weights(choice)
    if weights is not None:
        yield from weights_files(weights)
