"""AdamW with the rates of a plan, and which layers it leaves alone."""

from typing import Any

import torch
from torch import nn

from scripts.training.plan import Plan


def optimiser_for(network: nn.Module, plan: Plan) -> torch.optim.AdamW:
    """The backbone learns more slowly than the head; biases and scales do not decay."""
    groups = [
        _group(network, plan, is_backbone=is_backbone, decays=decays)
        for is_backbone in (True, False)
        for decays in (True, False)
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]])


def _group(network: nn.Module, plan: Plan, *, is_backbone: bool, decays: bool) -> dict[str, Any]:
    """``full_rate`` is the learning rate that the schedule scales."""
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
