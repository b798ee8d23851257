"""``segserve build``: the archive of a model."""

from dataclasses import replace
from pathlib import Path

import click

from scripts.archives.archive import MODEL, DamagedArchiveError, check_identity
from scripts.archives.paths import MODEL_STORE
from scripts.archives.signals import ending_cleanly
from scripts.cli.command import Command
from scripts.cli.errors import reporting
from scripts.cli.model_options import model_options, version_option
from scripts.cli.options import FILE, Name, option
from scripts.export.model_options import ModelFlags

EPILOG = """\b
Examples:
  segserve build
  segserve build --version 1.1
  segserve build my.pth --labels labels.json --version 2.0
  segserve build my.onnx --size 512x512 --mean 0.5 --std 0.5 --version 2.1
  segserve build best.ckpt --like smp:DeepLabV3Plus:resnet34 --calibrate pictures/val
  segserve build --model deeplabv3_resnet50 --device cpu --precision fp32
  segserve build my.pth --export-only exported
"""


@click.command(cls=Command, epilog=EPILOG)
@model_options
@version_option()
@option(
    "--name",
    type=Name("model", is_own=True),
    default=MODEL,
    help="Name of the model, as TorchServe will know it.",
)
@option("--store", type=FILE, default=MODEL_STORE, help="Folder of the archives.")
@option(
    "--calibrate",
    type=FILE,
    metavar="DATA",
    help="Folder of labelled pictures: try plausible inputs on ten of them, and take the best.",
)
@option(
    "--data",
    type=FILE,
    help="Folder of labelled pictures: print the IoU of the original and of the archive.",
)
@option("--force", is_flag=True, help="Build even if nothing changed, and overwrite any archive.")
@option("--keep", is_flag=True, help="Leave an archive of another origin as it is, without error.")
@option(
    "--export-only",
    type=FILE,
    metavar="FOLDER",
    help="Write the exported network into this folder, and no archive.",
)
def build(
    model_flags: ModelFlags,
    version: str,
    name: str,
    store: Path,
    force: bool,
    keep: bool,
    calibrate: Path | None,
    data: Path | None,
    export_only: Path | None,
) -> None:
    """Build the archive of a model, if an input changed.

    Exports the network, compares it with the original on twelve photographs, and packs it with
    all that a worker needs into one file. Where the masks differ on too many pixels, nothing is
    written. An archive of other weights, labels or export options is never overwritten unasked.
    """
    from scripts.archives.model_card import CardError
    from scripts.datasets.voc import DataError
    from scripts.evaluation.calibrate import CalibrationError
    from scripts.evaluation.predictors import EvaluationError
    from scripts.export.build_archive import ArchiveError
    from scripts.export.export_check import ExportCheckError
    from scripts.export.export_model import ExportError
    from scripts.export.fingerprint import OtherOriginError
    from scripts.networks.checkpoints import CheckpointError
    from scripts.networks.torchvision_weights import DownloadError

    failures = (
        ArchiveError,
        CalibrationError,
        CardError,
        DataError,
        EvaluationError,
        CheckpointError,
        DamagedArchiveError,
        DownloadError,
        ExportCheckError,
        ExportError,
        OtherOriginError,
    )
    with reporting(*failures, OSError), ending_cleanly():
        if calibrate is not None:
            model_flags = _calibrated(model_flags, calibrate)
        if export_only is None:
            path = _build(model_flags, name, version, store, force=force, keep=keep)
            if data is not None:
                _compare(model_flags, path, data)
        else:
            _export(model_flags, export_only)


def _build(
    flags: ModelFlags, name: str, version: str, store: Path, *, force: bool, keep: bool
) -> Path:
    """Build the archive; returns its place."""
    from scripts.export import build_archive
    from scripts.export.fingerprint import Archive, OtherOriginError

    archive = Archive(flags.choice, flags.target, name, version, store)
    try:
        done = "built" if build_archive.build(archive, force=force) else "is up to date"
    except OtherOriginError as exc:
        if not keep:
            raise
        check_identity(archive.path, name, version)
        done = f"{exc.difference} and is kept as it is"
    size = archive.path.stat().st_size / 1e6
    click.echo(f"{archive.path} {done} ({size:.1f} MB)")
    return archive.path


def _compare(flags: ModelFlags, archive: Path, data: Path) -> None:
    from scripts.evaluation.compare import compare
    from scripts.readers.chain import load_checkpoint

    click.echo(compare(load_checkpoint(flags.choice), archive, data))


def _calibrated(flags: ModelFlags, data: Path) -> ModelFlags:
    """The flags with the input that does best on labelled pictures; prints the trials."""
    from scripts.datasets.voc import inspect_pairs, list_pairs
    from scripts.evaluation import calibrate
    from scripts.readers.chain import load_checkpoint
    from scripts.readers.input_facts import as_given

    checkpoint = load_checkpoint(flags.choice)
    pairs = calibrate.choose(list_pairs(data))
    inspect_pairs(pairs, len(checkpoint.labels))
    found = calibrate.calibrate(checkpoint, pairs)
    given = as_given(found.best.facts)
    click.echo(calibrate.describe(found))
    if found.best is found.before:
        return flags
    values, switches = given.flags
    words = [f"{flag}={value}" for flag, value in values.items()]
    click.echo(f"the same without --calibrate: {' '.join([*words, *switches])}")
    return replace(flags, given=given)


def _export(flags: ModelFlags, folder: Path) -> None:
    from scripts.export import export_model
    from scripts.readers import chain

    checkpoint = chain.load_checkpoint(flags.choice)
    result = export_model.export(checkpoint, flags.target, folder)
    click.echo(export_model.describe(checkpoint, result))
