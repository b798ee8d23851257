"""AdamW's parameter groups, the learning-rate schedule, and the decay of the average."""

from typing import Any

import torch
from torch import nn

from scripts.training.options import Plan

POWER = 0.9  # the "poly" schedule of DeepLab
WARM_UP_SHARE = 10  # at most one step in so many: a small folder has few


def optimiser_for(network: nn.Module, plan: Plan) -> torch.optim.AdamW:
    """AdamW with a lower rate for the backbone and no decay of biases and scales."""
    groups = [
        _group(network, plan, is_backbone=is_backbone, decays=decays)
        for is_backbone in (True, False)
        for decays in (True, False)
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]])


def _group(network: nn.Module, plan: Plan, *, is_backbone: bool, decays: bool) -> dict[str, Any]:
    """A parameter group; ``full_rate`` is the learning rate that the schedule scales."""
    rate = plan.backbone_rate if is_backbone else plan.head_rate
    return {
        "params": [
            parameter
            for name, parameter in network.named_parameters()
            if parameter.requires_grad
            and name.startswith("backbone.") == is_backbone
            and (parameter.ndim > 1) == decays
        ],
        "lr": rate,
        "full_rate": rate,
        "weight_decay": plan.weight_decay if decays else 0.0,
    }


def warm_up_steps(steps: int, most: int) -> int:
    """The number of warm-up steps."""
    return min(most, steps // WARM_UP_SHARE)


def factor(step: int, steps: int, warm_up: int) -> float:
    """The factor of the learning rate at ``step`` of ``steps``, 0..1."""
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    left = 1 - (step - warm_up) / max(steps - warm_up, 1)
    return float(max(left, 0.0) ** POWER)


def average_decay(step: int, most: float) -> float:
    """Share of the old value in the weights' average; small at first, to forget the start."""
    return min(most, (1 + step) / (10 + step))
