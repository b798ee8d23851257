"""How good a model is on a folder of labelled pictures.

It asks the running gateway for every picture in DIR/JPEGImages and compares with
DIR/SegmentationClass (PNG of class ids, 255 is ignored). ``--archive`` and ``--weights`` evaluate
an archive or a checkpoint without a server. ``--names`` measures only the pictures that a file
names, such as a training's validation.txt. A gateway that asks for a key is sent that of the
variable SEGSERVE_API_KEY.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from scripts.datasets.voc import DataError, LabelledImage, inspect_pairs, list_pairs, read_names
from scripts.evaluation.gateway import GatewayPredictor
from scripts.evaluation.measure import IncompleteError, evaluate
from scripts.evaluation.predictors import (
    ArchivePredictor,
    CheckpointPredictor,
    EvaluationError,
    Predictor,
    check_labels,
)
from scripts.evaluation.report import table, write_json, write_page
from scripts.networks.checkpoints import (
    ARCHITECTURES,
    CheckpointError,
    ModelChoice,
    load_checkpoint,
)
from scripts.networks.torchvision_weights import DownloadError

GATEWAY = "http://127.0.0.1:8000"
FAILURES = (CheckpointError, DataError, DownloadError, EvaluationError, OSError)
Item = TypeVar("Item")


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 0 when every picture was evaluated and everything is written."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.version or options.gateway) and _is_without_gateway(options):
        parser.error(
            "--version and --gateway are of a gateway: leave out --archive, --weights and --model "
            "(make: VERSION, GATEWAY, ARCHIVE, WEIGHTS, MODEL, exported ones too), or them"
        )
    try:
        _check_folders(options)
        pairs = _pairs(options.data, options.names)
        predictor = _predictor(options)
        if options.labels:
            check_labels(options.labels, predictor)
        inspect_pairs(pairs, len(predictor.labels), _Bar("checking", len(pairs)))
        found = evaluate(predictor, pairs, _Bar("predicting", len(pairs)))
        print(table(found))  # before anything is written: a full disk must not cost the measurement
        if options.json:
            write_json(options.json, found)
        if options.report:
            write_page(options.report, found, options.worst)
    except IncompleteError as exc:
        print(table(exc.before))
        print(f"evaluate: {exc}; the table is of the pictures before it", file=sys.stderr)
        return 1
    except FAILURES as exc:
        print(f"evaluate: {exc}", file=sys.stderr)
        return 1
    return 0


def _is_without_gateway(options: argparse.Namespace) -> bool:
    return bool(options.archive or options.weights or options.model)


def _check_folders(options: argparse.Namespace) -> None:
    for path in (options.json, options.report):
        if path and not path.parent.is_dir():
            raise EvaluationError(f"{path}: there is no folder {path.parent}")


def _pairs(data: Path, names: Path | None) -> list[LabelledImage]:
    """The folder's pictures, or those whose names stand in a file."""
    pairs = list_pairs(data)
    if names is None:
        return pairs
    wanted = read_names(names, pairs)
    if not wanted:
        raise DataError(f"{names}: holds no names")
    return [pair for pair in pairs if pair.name in wanted]


def _predictor(options: argparse.Namespace) -> Predictor:
    if options.archive:
        return ArchivePredictor(options.archive)
    if options.weights or options.model:
        choice = ModelChoice(options.model, options.weights, options.labels)
        return CheckpointPredictor(load_checkpoint(choice))
    key = os.environ.get("SEGSERVE_API_KEY")
    return GatewayPredictor(options.gateway or GATEWAY, options.version, api_key=key)


class _Bar:
    """A progress bar that goes away when it is full."""

    def __init__(self, what: str, total: int):
        self._what, self._total = what, total

    def __call__(self, items: Iterable[Item]) -> Iterable[Item]:
        bar: Iterable[Item] = tqdm(
            items, self._what, self._total, leave=False, unit="picture", disable=None
        )
        return bar


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="VOC folder")
    parser.add_argument("--names", type=Path, help="file of names: measure these pictures only")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--gateway", help=f"its address ({GATEWAY})")
    what.add_argument("--archive", type=Path, help="a .mar file")
    what.add_argument("--weights", type=Path, help="a checkpoint")
    parser.add_argument("--version", help="version behind the gateway; without it, the default")
    parser.add_argument("--model", choices=ARCHITECTURES, help="architecture of a checkpoint")
    parser.add_argument("--labels", type=Path, help="class id to name, JSON; must be the model's")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--report", type=Path, help="HTML file with the worst pictures first")
    parser.add_argument("--worst", type=int, default=50, help="pictures in the report")
    return parser


if __name__ == "__main__":
    sys.exit(main())
