"""Validation scores weights as the exported network would be scored."""

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scripts.datasets.voc import DataError, list_pairs
from scripts.evaluation.measure import evaluate
from scripts.evaluation.predictors import CheckpointPredictor
from scripts.networks.checkpoints import Checkpoint
from scripts.training.validation import Validation
from tests.unit.scripts.training.tiny_training import (
    CLASSES,
    WANTED,
    TinyNetwork,
    network,
    validation,
)
from tests.unit.scripts.voc_folder import RED, make, write


def test_the_scores_are_those_of_the_evaluation(tmp_path: Path) -> None:
    """The curve agrees with ``segserve evaluate`` for the same weights."""
    make(tmp_path, 4)
    weights = network().state_dict()
    checkpoint = Checkpoint(
        architecture="tiny",
        network=network().eval(),
        labels={index: str(index) for index in range(CLASSES)},
        input=WANTED,
        origin="made for a test",
        sha256="0" * 64,
    )
    expected = evaluate(CheckpointPredictor(checkpoint), list_pairs(tmp_path)).scores
    assert validation(tmp_path)(weights) == expected


def test_the_weights_given_are_the_ones_scored(tmp_path: Path) -> None:
    """The weights of an earlier call have no effect."""
    made = validation(make(tmp_path, 4))
    first = made(network().state_dict())
    other = {name: torch.zeros_like(value) for name, value in network().state_dict().items()}
    blank = made(other)
    assert blank.iou[1] == blank.iou[2] == pytest.approx(0)
    assert made(network().state_dict()) == first


@pytest.mark.slow
def test_the_masks_are_not_kept_in_memory(tmp_path: Path) -> None:
    """Five hundred camera images' masks at full size would take six gigabytes."""
    ids = np.full((2000, 3000), RED, dtype=np.uint8)
    write(tmp_path, "large", Image.new("RGB", (3000, 2000), "red"), ids)
    pairs = list_pairs(tmp_path)
    tracemalloc.start()
    try:
        made = Validation(TinyNetwork(), pairs, WANTED, CLASSES)
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < ids.size / 2
    assert made(network().state_dict()).iou[RED] >= 0


def test_a_mask_that_is_gone_is_named(tmp_path: Path) -> None:
    """A folder moved during an epoch gives one line, not a traceback."""
    made = validation(make(tmp_path, 2))
    path = tmp_path / "SegmentationClass" / "p01.png"
    path.unlink()
    with pytest.raises(DataError, match=r"p01\.png: not a readable mask"):
        made(network().state_dict())
