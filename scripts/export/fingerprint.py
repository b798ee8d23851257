"""The fingerprint of an archive: a digest of every input that decides its content."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from scripts.archives.archive import PROVENANCE, DamagedArchiveError, file_name, read_facts
from scripts.archives.digests import file_sha256
from scripts.archives.paths import ROOT
from scripts.export.export_check import photographs
from scripts.export.model_options import ExportTarget
from scripts.networks.architectures import BUNDLED, BUNDLED_WEIGHTS, VOC_LABELS, ModelChoice

HANDLER = ROOT / "handler"
# The folders of scripts/ with the code that decides an archive's content.
BUILD_CODE = ("archives", "networks", "export")
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


def fingerprint_of(archive: Archive) -> str:
    """Hexadecimal SHA-256 over everything that decides the archive's content."""
    digest = hashlib.sha256()
    for path in _input_files(archive.choice):
        digest.update(f"{path.name} {file_sha256(path)}\n".encode())
    facts: list[object] = [
        archive.choice.architecture,
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
    return [path for name in BUILD_CODE for path in sorted((ROOT / "scripts" / name).glob("*.py"))]


def _input_files(choice: ModelChoice) -> Iterator[Path]:
    yield from sorted(
        path for path in HANDLER.rglob("*") if path.suffix in (".py", ".json", ".yaml")
    )
    yield from build_code()
    yield from photographs()
    yield choice.labels or VOC_LABELS
    if choice.weights is not None:
        yield choice.weights
    elif choice.architecture is None or choice.architecture == BUNDLED:
        yield BUNDLED_WEIGHTS
