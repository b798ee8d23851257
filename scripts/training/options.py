"""The options of a training: data, initial weights, and the plan with its hyperparameters."""

from dataclasses import dataclass, replace
from pathlib import Path

from scripts.datasets.voc import DataError
from scripts.networks.architectures import VOC_LABELS

IMAGENET, RANDOM, DEFAULT = "imagenet", "random", "default"
BEST, LAST = "best", "last"
SCALE = (0.6, 1.6)


@dataclass(frozen=True)
class Plan:
    """The hyperparameters of a training.

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


@dataclass(frozen=True)
class TrainingOptions:
    """The flags of a training.

    init: first weights, see ``initial_weights.initial_network``. model: None for the architecture
    of these. scale: least and greatest scale of a sample. keep: the epoch of the written
    weights, BEST or LAST.
    """

    data: Path
    output: Path
    val: Path | None = None
    labels: Path = VOC_LABELS
    model: str | None = None
    init: str = DEFAULT
    scale: tuple[float, float] = SCALE
    keep: str = BEST
    plan: Plan = Plan()


def plan_for(plan: Plan, pictures: int) -> Plan:
    """The plan with its batch limited to the number of images.

    Raises DataError for a folder of one picture.
    """
    if pictures < 2:
        raise DataError("there must be at least two pictures to train on")
    return replace(plan, batch=min(plan.batch, pictures))
