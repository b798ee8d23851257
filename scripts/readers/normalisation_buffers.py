"""Mean and deviation that a network keeps beside its parameters, and applies by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from scripts.networks.facts import InputFacts
from scripts.networks.given_facts import LARGEST_UNIT, Vector

MEANS = ("mean", "pixel_mean", "image_mean", "img_mean", "norm_mean", "input_mean")


@dataclass(frozen=True)
class Buffers:
    """Per RGB channel, for values in 0..1. source: the buffers' names, for the table of facts."""

    mean: Vector
    std: Vector
    source: str

    def over(self, facts: InputFacts) -> InputFacts:
        """The facts with this normalisation."""
        sources = {**facts.sources, "mean": self.source, "std": self.source}
        return replace(facts, mean=self.mean, std=self.std, sources=sources)


def normalisation_in(tensors: Mapping[str, object]) -> Buffers | None:
    """The first pair of buffers such as ``pixel_mean`` and ``pixel_std``; None without one."""
    for name in tensors:
        path, dot, last = name.rpartition(".")
        if last.lstrip("_") not in MEANS:
            continue
        partner = f"{path}{dot}{last.replace('mean', 'std')}"
        mean, std = _vector(tensors[name]), _vector(tensors.get(partner))
        if mean is None or std is None or min(std) <= 0:
            continue
        unit = 255.0 if max(*mean, *std) > LARGEST_UNIT else 1.0
        source = f"the buffers {name} and {partner} in the checkpoint"
        return Buffers(_divided(mean, unit), _divided(std, unit), source)
    return None


def _vector(value: object) -> Vector | None:
    if not isinstance(value, Tensor) or value.numel() != 3 or not value.is_floating_point():
        return None
    if not value.isfinite().all():
        return None
    red, green, blue = value.flatten().tolist()
    return red, green, blue


def _divided(values: Vector, unit: float) -> Vector:
    return values[0] / unit, values[1] / unit, values[2] / unit
