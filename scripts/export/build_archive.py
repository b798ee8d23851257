"""Package a model as a self-contained, versioned archive for TorchServe.

It writes ``model_store/deeplabv3-1.0.mar``: handler, network, labels, ModelSpec and provenance. It
does nothing when no input changed since the last time.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import yaml

from deeplab.torch_engine import LARGEST_BATCH
from scripts.archives.archive import PROVENANCE
from scripts.archives.golden_masks import write_golden_masks
from scripts.archives.model_card import CARD, card_of, read_card
from scripts.export.candidates import Export
from scripts.export.export_model import describe, export
from scripts.export.fingerprint import (
    HANDLER,
    LIBRARIES,
    Archive,
    check_origin,
    fingerprint_of,
    is_sound,
    origin_of,
    recorded_fingerprint,
)
from scripts.export.model_options import ExportTarget
from scripts.networks.architectures import ModelChoice
from scripts.networks.checkpoints import Checkpoint
from scripts.networks.facts import facts_of
from scripts.readers.chain import load_checkpoint

OPERATIONS = "model-config.yaml"
# A batch is what waits when a worker is free; with a delay of 0 TorchServe takes two at most.
GPU_OPERATIONS = {"batchSize": LARGEST_BATCH, "maxBatchDelay": 1}


class ArchiveError(RuntimeError):
    """The archive could not be built; the text says why."""


def build(archive: Archive, *, force: bool = False) -> bool:
    """Build the archive unless it is up to date; True if it was built. Writes atomically.

    Raises OtherOriginError rather than overwrite an archive of another origin, unless forced. A
    damaged one is set aside.
    """
    _check_files(archive.choice)
    fingerprint = fingerprint_of(archive)
    if not force:
        if recorded_fingerprint(archive.path) == fingerprint:
            return False
        check_origin(archive)
    checkpoint = load_checkpoint(archive.choice)
    if (card := card_of(archive.choice.card, archive.choice.weights)) is not None:
        read_card(card, checkpoint.labels)  # what is wrong is said before the export
    try:
        _build(archive, checkpoint, fingerprint, force=force)
    except OSError as exc:
        raise ArchiveError(f"{archive.path} cannot be written: {_reason(exc)}") from exc
    return True


def _reason(exc: OSError) -> str:
    """The system's words, of the first file where a folder was copied."""
    if isinstance(exc, shutil.Error):
        return str(exc.args[0][0][2])
    return f"{exc.strerror} ({exc.filename})" if exc.strerror else str(exc)


def _check_files(choice: ModelChoice) -> None:
    """Raise ArchiveError if a file that was named is not there."""
    named = {"--weights": choice.weights, "--labels": choice.labels, "--card": choice.card}
    for flag, path in named.items():
        if path is not None and not path.exists():
            raise ArchiveError(f"{flag} {path}: there is no such file")


def _build(archive: Archive, checkpoint: Checkpoint, fingerprint: str, *, force: bool) -> None:
    archive.store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.store, suffix=".building") as folder:
        root = Path(folder) / "root"
        result = export(checkpoint, archive.target, root / "network")
        print(describe(checkpoint, result))
        _stage(root, checkpoint, result, archive, fingerprint)
        write_golden_masks(root)
        operations = _write_operations(archive.target, Path(folder))
        packed = _pack(archive, root, operations, Path(folder))
        if not force and archive.path.exists() and not is_sound(archive.path):
            archive.path.replace(archive.path.with_name(f"{archive.path.name}.damaged"))
        packed.replace(archive.path)


def _stage(
    root: Path, checkpoint: Checkpoint, result: Export, archive: Archive, fingerprint: str
) -> None:
    """Lay out the archive's content below ``root``."""
    shutil.copytree(
        HANDLER / "deeplab", root / "deeplab", ignore=shutil.ignore_patterns("__pycache__")
    )
    labels = {str(index): name for index, name in checkpoint.labels.items()}
    (root / "deeplab" / "labels.json").write_text(json.dumps(labels, indent=2) + "\n")
    (root / "model.json").write_text(result.spec.to_json())
    provenance = {
        "fingerprint": fingerprint,
        "origin": origin_of(archive),
        "built": datetime.now(UTC).isoformat(timespec="seconds"),
        "architecture": checkpoint.architecture,
        "weights": {"origin": checkpoint.origin, "sha256": checkpoint.sha256},
        "agreement_with_eager": result.proof.agreement,
        "warning": result.warning,
        "input": facts_of(checkpoint).sources,
        "libraries": {library: version(library) for library in LIBRARIES},
    }
    (root / PROVENANCE).write_text(json.dumps(provenance, indent=2) + "\n")
    if (path := card_of(archive.choice.card, archive.choice.weights)) is not None:
        card = read_card(path, checkpoint.labels)
        (root / CARD).write_text(json.dumps(card, indent=2) + "\n")


def _write_operations(target: ExportTarget, folder: Path) -> Path:
    """Write the operations, handler/model-config.yaml; for a GPU with batches."""
    text = (HANDLER / OPERATIONS).read_text()
    if target.engine == "torch":
        text = yaml.safe_dump({**yaml.safe_load(text), **GPU_OPERATIONS})
    path = folder / OPERATIONS
    path.write_text(text)
    return path


def _pack(archive: Archive, root: Path, operations: Path, folder: Path) -> Path:
    """Run torch-model-archiver; returns the path of the packed file."""
    command = [sys.executable, "-m", "model_archiver.model_packaging"]
    command += ["--model-name", archive.name, "--version", archive.version]
    command += ["--handler", str(HANDLER / "segmentation_handler.py")]
    command += ["--extra-files", str(root), "--export-path", str(folder)]
    # The runtime "python" means the interpreter that started TorchServe; "python3" means PATH's.
    command += ["--config-file", str(operations), "--runtime", "python"]
    # It empties <tmp>/<name> first: two builds of one name must not share a tmp.
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    packed = folder / f"{archive.name}.mar"
    if done.returncode != 0 or not packed.is_file():
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise ArchiveError(f"torch-model-archiver failed: {' '.join(last) or 'no message'}")
    return packed
