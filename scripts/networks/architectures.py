"""The names of the architectures, the stages of the backbones, and the choice of a model.

Imports no torch, so that a command can show its help without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from deeplab.spec import Output
from scripts.archives.paths import ROOT
from scripts.networks.given_facts import NOTHING_GIVEN, GivenFacts


class Stage(NamedTuple):
    """A run of inverted-residual blocks with the same width (EfficientNet-Lite0's table)."""

    blocks: int
    width: int
    kernel: int
    stride: int
    dilation: int
    expansion: int


def _stages(blocks: Sequence[int], widths: Sequence[int]) -> tuple[Stage, ...]:
    """The seven stages; the last two are dilated where the classifier had stride 2.

    So the output stride is 16. As in torchvision, the first block of a stage still has the
    dilation of the stage before.
    """
    kernels, strides = (3, 3, 5, 3, 5, 5, 3), (1, 2, 2, 2, 1, 1, 1)
    dilations, expansions = (1, 1, 1, 1, 1, 2, 2), (1, 6, 6, 6, 6, 6, 6)
    columns = zip(blocks, widths, kernels, strides, dilations, expansions, strict=True)
    return tuple(Stage(*column) for column in columns)


STAGES = {
    "efficientnet_lite0": _stages((1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320)),
    "efficientnet_lite1": _stages((1, 3, 3, 4, 4, 5, 1), (16, 24, 40, 80, 112, 192, 320)),
    "efficientnet_lite2": _stages((1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352)),
}
LITE_ARCHITECTURES = tuple(f"deeplabv3_{backbone}" for backbone in STAGES)
DEEPLAB_ARCHITECTURES = (
    "deeplabv3_resnet101",
    "deeplabv3_resnet50",
    "deeplabv3_mobilenet_v3_large",
)
FCN_ARCHITECTURES = ("fcn_resnet101", "fcn_resnet50")
LRASPP_ARCHITECTURES = ("lraspp_mobilenet_v3_large",)
TORCHVISION_ARCHITECTURES = (*DEEPLAB_ARCHITECTURES, *FCN_ARCHITECTURES, *LRASPP_ARCHITECTURES)
ARCHITECTURES = (*LITE_ARCHITECTURES, *TORCHVISION_ARCHITECTURES)
BUNDLED = "deeplabv3_efficientnet_lite0"
BUNDLED_WEIGHTS = ROOT / "model_store" / "weights" / f"{BUNDLED}.safetensors"
VOC_LABELS = ROOT / "handler" / "deeplab" / "labels.json"


@dataclass(frozen=True)
class ModelChoice:
    """The model that was asked for; all None means the bundled one.

    threshold: of a network with one output, 0..1. trust_pickle: whether a pickled module may run
    its code, in a child process.
    given: facts about its input that were typed. like: as in ``ReadOptions``.
    card: a model.toml; None for the one beside the weights, if there is one.
    output_kind: what a ready graph gives; None to look at its values.
    """

    architecture: str | None = None
    weights: Path | None = None
    labels: Path | None = None
    threshold: float | None = None
    trust_pickle: bool = False
    given: GivenFacts = NOTHING_GIVEN
    like: str | None = None
    card: Path | None = None
    output_kind: Output | None = None
