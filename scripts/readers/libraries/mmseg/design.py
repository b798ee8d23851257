"""The design of mmsegmentation's DeepLab, from its parameters' shapes and its configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

State = Mapping[str, Tensor]
# The published designs whose last features are an eighth of the image ("-D8").
RESNET_STRIDES, RESNET_DILATIONS = (1, 2, 1, 1), (1, 1, 2, 4)
MOBILE_STRIDES, MOBILE_DILATIONS = (1, 2, 2, 1, 1, 1, 1), (1, 1, 1, 2, 2, 4, 4)
RATES = (1, 12, 24, 36)
DEEP_STEM, PLAIN_STEM, MOBILE_STEM = (
    "backbone.stem.6.weight",
    "backbone.conv1.weight",
    "backbone.conv1.conv.weight",
)
HEAD = "decode_head."
CLASSIFIER = f"{HEAD}conv_seg.weight"
POOL = f"{HEAD}image_pool.1.conv.weight"
FINE = f"{HEAD}c1_bottleneck.conv.weight"
SEPARABLE = f"{HEAD}sep_bottleneck.0.pointwise_conv.conv.weight"


@dataclass(frozen=True)
class Design:
    """What a DeepLab of mmseg is made of.

    mobile: whether the backbone is MobileNetV2; a ResNet otherwise. blocks: of each layer of the
    ResNet. bottleneck: whether these have three convolutions. deep_stem: whether three small
    convolutions stand for the first. strides, dilations: of each layer. contract: whether a
    layer's first block has half of its dilation. rates: of the atrous pyramid.
    plus: whether it is DeepLabV3+, with the finer features of c1_inputs channels.
    """

    classes: int
    channels: int
    inputs: int
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    rates: tuple[int, ...]
    mobile: bool = False
    blocks: tuple[int, ...] = ()
    bottleneck: bool = True
    deep_stem: bool = True
    stem_width: int = 64
    contract: bool = True
    plus: bool = False
    c1_inputs: int = 0
    c1_channels: int = 0
    align_corners: bool = False


def is_deeplab(state: State) -> bool:
    """Whether the parameters are named as in mmseg's DeepLabV3 or V3+."""
    stems = (DEEP_STEM, PLAIN_STEM, MOBILE_STEM)
    return CLASSIFIER in state and POOL in state and any(stem in state for stem in stems)


def design_of(state: State, model: Mapping[str, Any]) -> Design:
    """The design: shapes tell the layers; strides and dilations are in no parameter.

    model: the configuration's "model", empty where there is none: then it is the published one.
    """
    backbone, head = _part(model, "backbone"), _part(model, "decode_head")
    mobile = MOBILE_STEM in state
    blocks = () if mobile else tuple(_blocks(state, number) for number in (1, 2, 3, 4))
    stem = MOBILE_STEM if mobile else DEEP_STEM if DEEP_STEM in state else PLAIN_STEM
    strides = MOBILE_STRIDES if mobile else RESNET_STRIDES
    dilations = MOBILE_DILATIONS if mobile else RESNET_DILATIONS
    channels, inputs = state[POOL].shape[:2]
    fine = state[FINE].shape if FINE in state else (0, 0)
    return Design(
        classes=state[CLASSIFIER].shape[0],
        channels=channels,
        inputs=inputs,
        strides=tuple(backbone.get("strides", strides)),
        dilations=tuple(backbone.get("dilations", dilations)),
        rates=tuple(head.get("dilations", RATES)),
        mobile=mobile,
        blocks=blocks,
        bottleneck="backbone.layer1.0.conv3.weight" in state,
        deep_stem=stem == DEEP_STEM,
        stem_width=state[stem].shape[0],
        contract=bool(backbone.get("contract_dilation", not backbone)),
        plus=SEPARABLE in state,
        c1_inputs=fine[1],
        c1_channels=fine[0],
        align_corners=bool(head.get("align_corners", False)),
    )


def _part(model: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = model.get(name)
    return part if isinstance(part, Mapping) else {}


def _blocks(state: State, layer: int) -> int:
    """The number of blocks of a layer of the ResNet."""
    prefix = f"backbone.layer{layer}."
    numbers = {name[len(prefix) :].split(".")[0] for name in state if name.startswith(prefix)}
    return len(numbers)
