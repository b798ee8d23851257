"""Folders of transformers give the masks of the model behind its own image processor."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from torch import Tensor, nn

from scripts.networks.checkpoints import CheckpointError
from scripts.networks.facts import ReadOptions
from scripts.readers.libraries.hugging_face import read
from tests.formats.fitting import fit
from tests.formats.photographs import Pixels
from tests.formats.served import REQUIRED, agreement, mean

NAMES = {0: "wall", 1: "floor", 2: "plant", 3: "floor"}  # real folders name some twice
LABELS = ["wall", "floor", "plant", "floor (3)"]
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
        _Logits(made),
        last,
        lambda images: images.flip(1) if kind == "mobilevit" else images * 2 - 1,
    )
    made.save_pretrained(folder)
    processor.save_pretrained(folder)
    return made, processor


class _Logits(nn.Module):
    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.model(pixel_values=image).logits
        return logits


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_those_behind_the_processor(kind: str, tmp_path: Path) -> None:
    """Size, mean, deviation, order and names come from the folder; nothing is cropped."""
    model, processor = save(kind, tmp_path)
    checkpoint = read(tmp_path, ReadOptions())
    assert checkpoint is not None
    assert list(checkpoint.labels.values()) == LABELS
    facts = checkpoint.facts
    assert facts is not None

    def original(picture: Pixels) -> Pixels:
        size = {"height": facts.input.height, "width": facts.input.width}
        own = {"size": size} if facts.input.fit == "fixed" else {}
        inputs = processor(
            Image.fromarray(picture), return_tensors="pt", do_center_crop=False, **own
        )
        with torch.no_grad():
            outputs = model(**inputs)
        masks = processor.post_process_semantic_segmentation(outputs, [picture.shape[:2]])
        return np.asarray(masks[0], dtype=np.uint8)

    assert mean(agreement(checkpoint, original)) >= REQUIRED
    assert checkpoint.original is not None
    picture = np.full((40, 50, 3), 90, dtype=np.uint8)
    assert (checkpoint.original.logits(picture).argmax(axis=0) == original(picture)).all()


def test_weights_without_their_head_are_refused(tmp_path: Path) -> None:
    """A backbone alone would get a random head; the line names what is missing."""
    model, _ = save("segformer", tmp_path)
    model.segformer.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"the weights lack decode_head\."):
        read(tmp_path, ReadOptions())


@pytest.mark.parametrize("config", ["", "[]", "{}", "{", '{"encoder_name": "resnet18"}'])
def test_another_folder_is_left_to_others(config: str, tmp_path: Path) -> None:
    """A folder without the library's config.json is no kind of this reader."""
    (tmp_path / "config.json").write_text(config)
    assert read(tmp_path, ReadOptions()) is None


@pytest.mark.parametrize("kind", ["bert", "nothing"])
def test_what_segments_nothing_is_one_line(kind: str, tmp_path: Path) -> None:
    """Another kind of model is refused in one line."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(
        CheckpointError, match="no semantic segmentation that transformers"
    ) as caught:
        read(tmp_path, ReadOptions())
    assert "\n" not in str(caught.value)
