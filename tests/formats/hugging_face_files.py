"""Folders of tiny transformers, saved as their authors do."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from scripts.readers.libraries.hugging_face import LogitsOnly
from tests.formats.fitting import fit

NAMES = {0: "wall", 1: "floor", 2: "plant", 3: "floor"}  # real folders name some twice
SIDE = 128
SQUARE = {"height": SIDE, "width": SIDE}


@dataclass(frozen=True)
class Kind:
    """A tiny model, its processor, and where its last layer is."""

    model: Callable[[], Any]
    processor: Callable[[], Any]
    last: str


def _config(name: str, **settings: Any) -> Any:
    return getattr(transformers, name)(id2label=NAMES, **settings)


def _upernet() -> Any:
    backbone = transformers.ConvNextConfig(
        hidden_sizes=[16, 24, 32, 48],
        depths=[1, 1, 1, 1],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = _config(
        "UperNetConfig",
        backbone_config=backbone,
        hidden_size=32,
        auxiliary_in_channels=32,
        auxiliary_channels=16,
    )
    return transformers.UperNetForSemanticSegmentation(config)


KINDS = {
    "mobilenet_v2": Kind(
        lambda: transformers.MobileNetV2ForSemanticSegmentation(
            _config("MobileNetV2Config", depth_multiplier=0.35, finegrained_output=True)
        ),
        lambda: transformers.MobileNetV2ImageProcessor(
            size={"shortest_edge": SIDE}, crop_size=SQUARE
        ),
        "segmentation_head.classifier.convolution",
    ),
    "mobilevit": Kind(
        lambda: transformers.MobileViTForSemanticSegmentation(
            _config(
                "MobileViTConfig",
                hidden_sizes=[32, 40, 48],
                neck_hidden_sizes=[16, 24, 32, 32, 40, 48, 96],
                aspp_out_channels=64,
                num_attention_heads=4,
            )
        ),
        lambda: transformers.MobileViTImageProcessor(
            size={"shortest_edge": SIDE + 16}, crop_size=SQUARE
        ),
        "segmentation_head.classifier.convolution",
    ),
    "segformer": Kind(
        lambda: transformers.SegformerForSemanticSegmentation(
            _config(
                "SegformerConfig",
                hidden_sizes=[16, 32, 48, 64],
                depths=[1, 1, 1, 1],
                num_attention_heads=[1, 2, 3, 4],
                decoder_hidden_size=64,
            )
        ),
        lambda: transformers.SegformerImageProcessor(size={"shortest_edge": SIDE}),
        "decode_head.classifier",
    ),
    "upernet": Kind(
        _upernet,
        lambda: transformers.SegformerImageProcessor(size=SQUARE),
        "decode_head.classifier",
    ),
}


def save(kind: str, folder: Path) -> Any:
    """Fit the model of a kind, and save it with its processor as its author does."""
    torch.manual_seed(0)
    made, processor = KINDS[kind].model(), KINDS[kind].processor()
    last = made.get_submodule(KINDS[kind].last)
    fit(
        LogitsOnly(made),
        last,
        lambda images: images.flip(1) if kind == "mobilevit" else images * 2 - 1,
    )
    made.save_pretrained(folder)
    processor.save_pretrained(folder)
    return made, processor
