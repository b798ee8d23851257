"""The choices of one training, all of them numbers that a person may want to change."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    epochs: passes over as many samples as there are pictures.
    batch: samples a step. crop: side of a sample, pixels; 16 k + 1 for the bundled network.
    head_rate, backbone_rate: AdamW's learning rates after the warm-up.
    warm_up: steps at most; a short training has fewer (see schedule.warm_up_steps).
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
