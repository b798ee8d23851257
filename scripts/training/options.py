"""The command line of a training."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from scripts.datasets.crops import Augmentation
from scripts.datasets.voc import DataError
from scripts.networks.checkpoints import ARCHITECTURES, VOC_LABELS
from scripts.training.initial_weights import DEFAULT

MOST_SCALE = 8.0
BEST, LAST = "best", "last"


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    epochs: passes over as many samples as there are pictures.
    batch: samples a step. crop: side of a sample, pixels; 16 k + 1 for the bundled network.
    head_rate, backbone_rate: AdamW's learning rates after the warm-up.
    warm_up: steps at most; a short training has fewer (see optimiser.warm_up_steps).
    frozen_stride: layers above this resolution keep their weights.
    adjustment: how strongly rare classes are preferred, 0 to 1 (see losses.logit_adjustment).
    average: decay of the weights' moving average, which is what is validated and kept.
    patience: epochs without a better mean IoU after which the training stops.
    save_every: steps after which the state is written.
    """

    epochs: int = 12
    batch: int = 16
    crop: int = 321
    head_rate: float = 1e-3
    backbone_rate: float = 2e-4
    weight_decay: float = 0.02
    warm_up: int = 100
    clip: float = 5.0
    frozen_stride: int = 4
    adjustment: float = 0.5
    average: float = 0.998
    patience: int = 10
    save_every: int = 100
    seed: int = 0


def plan_from(options: argparse.Namespace, pictures: int) -> Plan:
    """The defaults, changed by what was given; no batch is larger than the folder.

    Raises DataError for a folder of one picture.
    """
    if pictures < 2:
        raise DataError("there must be at least two pictures to train on")
    given = {field.name: getattr(options, field.name, None) for field in fields(Plan)}
    plan = replace(Plan(), **{name: value for name, value in given.items() if value is not None})
    return replace(plan, batch=min(plan.batch, pictures))


def parser(description: str | None) -> argparse.ArgumentParser:
    """Every option, with its default in the help."""
    plan, scale = Plan(), Augmentation(33, 33).scale
    made = argparse.ArgumentParser(description=description)
    add = made.add_argument
    add("--data", type=Path, required=True, help="VOC folder, or a folder with train/ and val/")
    add("--val", type=Path, help="VOC folder to validate with")
    add("--output", type=Path, required=True, help="folder for the results")
    add("--labels", type=Path, default=VOC_LABELS, help="class id to name, JSON (Pascal VOC's)")
    add("--model", choices=ARCHITECTURES, help="architecture (that of --init)")
    add("--init", default=DEFAULT, help="default, imagenet, random, or a checkpoint's path")
    add("--epochs", type=_whole(1), help=f"passes over the folder ({plan.epochs})")
    add("--batch", type=_whole(2), help=f"samples a step ({plan.batch})")
    add("--crop", type=_whole(33), help=f"side of a sample, pixels ({plan.crop})")
    add("--scale", type=_scale, default=scale, help=f"of a sample ({scale[0]:g},{scale[1]:g})")
    add("--head-rate", type=_rate, help=f"learning rate ({plan.head_rate:g})")
    add("--backbone-rate", type=_rate, help=f"learning rate ({plan.backbone_rate:g})")
    add("--adjustment", type=_share, help=f"preference of rare classes ({plan.adjustment:g})")
    add("--patience", type=_whole(1), help=f"epochs without a better mIoU ({plan.patience})")
    add("--keep", choices=(BEST, LAST), default=BEST, help="which epoch's weights (best)")
    add("--seed", type=_whole(0), help=f"of samples and dropout ({plan.seed})")
    return made


def _whole(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}")
        return value

    return number


def _rate(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError("must be above 0 and at most 1")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be from 0 to 1")
    return value


def _scale(text: str) -> tuple[float, float]:
    least, most = (float(part) for part in text.split(","))
    if not 0 < least <= most <= MOST_SCALE:
        raise argparse.ArgumentTypeError(f"two factors up to {MOST_SCALE:g}, the smaller first")
    return least, most
