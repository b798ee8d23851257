"""Folders of transformers give the masks of the model behind its own image processor."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scripts.export.export_check import ids_at
from scripts.networks.checkpoints import CheckpointError
from scripts.networks.facts import ReadOptions
from scripts.readers.libraries.hugging_face import read
from tests.formats.hugging_face_files import KINDS, save
from tests.formats.photographs import Pixels
from tests.formats.served import REQUIRED, agreement, mean

LABELS = ["wall", "floor", "plant", "floor (3)"]


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
    assert (ids_at(checkpoint.original, picture, (40, 50)) == original(picture)).all()


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
