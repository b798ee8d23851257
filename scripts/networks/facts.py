"""Facts about a model's input: values, and where each comes from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from deeplab.spec import InputSize, Output

# ImageNet's, per RGB channel, for values in 0..1.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
Channels = Literal["rgb", "bgr"]


@dataclass(frozen=True)
class InputFacts:
    """What a network expects of its input.

    input: the size. mean, std: per RGB channel, for values in 0..1, whatever range and order the
    original takes. channels: the order in which the network wants them.
    sources: name of a fact ("size", "mean", "std", "channels", "interpolation") -> where it stands,
    such as "config.json", "--mean", "torchvision's published recipe" or "assumed".
    """

    input: InputSize
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    channels: Channels = "rgb"
    sources: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadOptions:
    """What the flags say about a model that is read.

    architecture: a name of ``ARCHITECTURES``. labels: JSON of class id -> name.
    threshold: for a network with one output, 0..1.
    like: the network of a library to build around bare weights, such as
        "smp:DeepLabV3Plus:resnet34".
    trust_pickle: whether a pickled module may run its code, in a child process.
    output: what a ready graph gives, where its values on photographs mislead; None to look.
    overrides: facts from flags, which win over what the file says: "input" (an InputSize),
        "mean", "std", "channels".
    """

    architecture: str | None = None
    labels: Path | None = None
    threshold: float = 0.5
    like: str | None = None
    trust_pickle: bool = False
    output: Output | None = None
    overrides: dict[str, object] = field(default_factory=dict)


class _HasFacts(Protocol):
    @property
    def input(self) -> InputSize: ...

    @property
    def facts(self) -> InputFacts | None: ...


def facts_of(checkpoint: _HasFacts) -> InputFacts:
    """A checkpoint's facts; ImageNet's normalisation where its reader gives none."""
    return checkpoint.facts or InputFacts(checkpoint.input)
