"""Run a training from its options: validate the data, train, write the results."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from deeplab.spec import InvalidSpecError
from scripts.datasets.crops import Augmentation
from scripts.datasets.inspection import check_objects, inspect
from scripts.datasets.sampling import Balance, Samples
from scripts.datasets.split import VALIDATION, Split, digest, split, write_names
from scripts.datasets.voc import DataError, InspectedImage
from scripts.networks.checkpoints import (
    INPUTS,
    CheckpointError,
    build_network,
    usual_long_side,
)
from scripts.networks.imagenet_backbones import BackboneError
from scripts.networks.labels import read_label_file
from scripts.networks.torchvision_weights import DownloadError
from scripts.training import results
from scripts.training.initial_weights import InitialNetwork, initial_network
from scripts.training.loop import Report, Training
from scripts.training.options import LAST, Plan, TrainingOptions, plan_for
from scripts.training.state import State, StateError, load, save
from scripts.training.validation import Validation

STATE = "state.pt"
FAILURES = (
    BackboneError,
    CheckpointError,
    DataError,
    DownloadError,
    InvalidSpecError,
    StateError,
    OSError,
)


def train(options: TrainingOptions) -> None:
    """Check everything, train, write the results. Raises one of FAILURES or Interrupted.

    Started again with the same options, an interrupted training goes on where it was.
    """
    labels = read_label_file(options.labels)
    chosen = split(options.data, options.val)
    pictures = inspect(chosen.train, labels, "train on")
    check_objects(pictures)
    inspect(chosen.validation, labels, "validate with")
    plan = plan_for(options.plan, len(pictures))
    torch.manual_seed(plan.seed)  # a new layer's first weights
    start = initial_network(options.init, options.model, labels)
    made_with = _made_with(plan, start, chosen, labels, options)
    saved = load(options.output / STATE, made_with)
    options.output.mkdir(parents=True, exist_ok=True)
    write_names(options.output / VALIDATION, chosen.validation)
    training = _training(start, pictures, len(labels), plan, chosen.trusted, options.scale)
    if saved is not None:
        training.restore(saved)
    _say(start, chosen, plan, training)
    if not training.is_finished():
        network = build_network(start.architecture, len(labels))
        wanted = INPUTS[start.architecture]
        validation = Validation(network, chosen.validation, wanted, len(labels))
        _run(training, validation, options, made_with)
    _finish(training, options, {**made_with, "origin": start.origin})


def _training(
    start: InitialNetwork,
    pictures: Sequence[InspectedImage],
    classes: int,
    plan: Plan,
    trusted: frozenset[str],
    scale: tuple[float, float],
) -> Training:
    wanted, steps = INPUTS[start.architecture], len(pictures) // plan.batch
    samples = Samples(
        pictures,
        classes,
        Balance(trusted=trusted),
        Augmentation(plan.crop, usual_long_side(wanted), scale),
        plan.seed,
        length=plan.epochs * steps * plan.batch,
    )
    return Training(start.network, samples, steps, plan, wanted)


def _run(
    training: Training,
    validation: Validation,
    options: TrainingOptions,
    made_with: dict[str, Any],
) -> None:
    """Run the loop with a progress bar and a line for each epoch."""
    done = training.progress.step
    with tqdm(total=training.steps, initial=done, unit="step", disable=None) as bar:

        def tell(report: Report) -> None:
            bar.update()
            bar.set_postfix(loss=f"{report.loss:.3f}")
            if report.scores is not None:
                bar.write(
                    f"epoch {report.epoch}: mIoU {report.scores.miou:.3f}, "
                    f"pixel accuracy {report.scores.pixel_accuracy:.3f}"
                )
                sys.stdout.flush()

        def keep(state: State) -> None:
            save(options.output / STATE, state, made_with)

        training.run(validation, tell, keep)


def _finish(training: Training, options: TrainingOptions, facts: dict[str, Any]) -> None:
    folder: Path = options.output
    progress = training.progress
    kept = progress.average if options.keep == LAST else progress.best
    results.write_weights(folder / results.WEIGHTS, kept)
    results.write_curve(folder, progress.curve)
    row = progress.curve[-1 if options.keep == LAST else progress.best_epoch - 1]
    results.write_facts(folder, dict(enumerate(facts["labels"])), {**facts, "kept": row})
    print(
        f"{options.keep} epoch {row['epoch']}: mIoU {row['miou']:.3f}\n"
        f"weights and labels are in {folder}; build an archive of them with\n"
        f"  segserve build {folder / results.WEIGHTS} --labels {folder / results.LABELS} "
        "--version 2.0"
    )


def _made_with(
    plan: Plan,
    start: InitialNetwork,
    chosen: Split,
    labels: Mapping[int, str],
    options: TrainingOptions,
) -> dict[str, Any]:
    """The inputs that the steps depend on; a state made with others is not resumed."""
    return {
        "plan": asdict(plan),
        "scale": list(options.scale),
        "architecture": start.architecture,
        "init": str(options.init),
        "labels": list(labels.values()),
        "pictures": len(chosen.train),
        "trusted": len(chosen.trusted),
        "validation": len(chosen.validation),
        "data": digest(chosen),
    }


def _say(start: InitialNetwork, chosen: Split, plan: Plan, training: Training) -> None:
    device = "one GPU" if torch.cuda.is_available() else f"{torch.get_num_threads()} CPU cores"
    step = training.progress.step
    done = f", going on after step {step}" if step else ""
    print(
        f"{start.architecture} from {start.origin}; {len(chosen.train)} pictures "
        f"({len(chosen.trusted)} trusted masks), {len(chosen.validation)} to validate; "
        f"{plan.epochs} epochs of {training.steps_per_epoch} steps on {device}{done}",
        flush=True,
    )
