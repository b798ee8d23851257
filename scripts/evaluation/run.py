"""Run an evaluation from its options: choose images and predictor, measure, report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from scripts.archives.model_card import CardError, read_card
from scripts.datasets.voc import DataError, LabelledImage, inspect_pairs, list_pairs, read_names
from scripts.evaluation.gateway import GatewayPredictor
from scripts.evaluation.measure import IncompleteError, evaluate
from scripts.evaluation.model_card import write_card
from scripts.evaluation.predictors import (
    ArchivePredictor,
    CheckpointPredictor,
    EvaluationError,
    Predictor,
    check_labels,
)
from scripts.evaluation.recording import Record, Recorder
from scripts.evaluation.report import table, write_json, write_page
from scripts.networks.architectures import ModelChoice
from scripts.networks.checkpoints import CheckpointError
from scripts.networks.torchvision_weights import DownloadError
from scripts.readers.chain import load_checkpoint

FAILURES = (CardError, CheckpointError, DataError, DownloadError, EvaluationError, OSError)
Item = TypeVar("Item")


@dataclass(frozen=True)
class EvaluationOptions:
    """The flags of an evaluation.

    The gateway is asked, unless an archive, a checkpoint or an architecture is given.
    reading: how the checkpoint is read, as fields of ``ModelChoice``. record: where the figures
    are kept; None for nowhere.
    """

    data: Path
    gateway: str
    names: Path | None = None
    archive: Path | None = None
    weights: Path | None = None
    model: str | None = None
    version: str | None = None
    labels: Path | None = None
    key: str | None = None
    json: Path | None = None
    report: Path | None = None
    model_card: Path | None = None
    about: Path | None = None
    worst: int = 50
    record: Record | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)


def run(options: EvaluationOptions) -> None:
    """Measure all images, print the table, write the reports. Raises one of FAILURES.

    After a failure on the way the table of the images before it has been printed.
    """
    _check_folders(options)
    pairs = _pairs(options.data, options.names)
    predictor = _predictor(options)
    recorder = _recorder(options, predictor)
    if options.labels:
        check_labels(options.labels, predictor)
    about = read_card(options.about, predictor.labels) if options.about else {}
    inspect_pairs(pairs, len(predictor.labels), _Bar("checking", len(pairs)))
    try:
        found = evaluate(predictor, pairs, _Bar("predicting", len(pairs)))
    except IncompleteError as exc:
        print(table(exc.before), flush=True)
        raise EvaluationError(f"{exc}; the table is of the pictures before it") from exc
    # Before anything is written: a full disk must not cost the measurement.
    print(table(found), flush=True)
    if recorder:
        print(recorder.keep(found, options.data, pairs), flush=True)
    if options.json:
        write_json(options.json, found)
    if options.model_card:
        write_card(options.model_card, found, options.data.name, about)
    if options.report:
        write_page(options.report, found, options.worst)


def _check_folders(options: EvaluationOptions) -> None:
    for path in (options.json, options.report, options.model_card):
        if path and not path.parent.is_dir():
            raise EvaluationError(f"{path}: there is no folder {path.parent}")


def _pairs(data: Path, names: Path | None) -> list[LabelledImage]:
    """The folder's images, or those that a file of names lists."""
    pairs = list_pairs(data)
    if names is None:
        return pairs
    wanted = read_names(names, pairs)
    if not wanted:
        raise DataError(f"{names}: holds no names")
    return [pair for pair in pairs if pair.name in wanted]


def _predictor(options: EvaluationOptions) -> Predictor:
    if options.archive:
        return ArchivePredictor(options.archive)
    if options.weights or options.model:
        choice = ModelChoice(options.model, options.weights, options.labels, **options.reading)
        return CheckpointPredictor(load_checkpoint(choice))
    return GatewayPredictor(options.gateway, options.version, api_key=options.key)


def _recorder(options: EvaluationOptions, predictor: Predictor) -> Recorder | None:
    if options.record is None:
        return None
    if options.archive:
        return options.record.of_archive(options.archive)
    if isinstance(predictor, GatewayPredictor):
        return options.record.of_version(predictor.version)
    raise EvaluationError("a checkpoint is no version: build its archive and record that")


class _Bar:
    """A progress bar that disappears when it is full."""

    def __init__(self, what: str, total: int):
        self._what, self._total = what, total

    def __call__(self, items: Iterable[Item]) -> Iterable[Item]:
        bar: Iterable[Item] = tqdm(
            items, self._what, self._total, leave=False, unit="picture", disable=None
        )
        return bar
