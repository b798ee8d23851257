"""Weights are scored as the exported network would be."""

from pathlib import Path

import pytest
import torch

from scripts.checkpoints import Checkpoint
from scripts.evaluation.measure import evaluate
from scripts.evaluation.predictors import CheckpointPredictor
from scripts.voc import list_pairs
from tests.unit.scripts.training.tiny_training import CLASSES, WANTED, network, validation
from tests.unit.scripts.voc_folder import make


def test_the_scores_are_those_of_the_evaluation(tmp_path: Path) -> None:
    """What the curve says is what ``make evaluate`` says of the same weights."""
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
    """Not those of the call before."""
    made = validation(make(tmp_path, 4))
    first = made(network().state_dict())
    other = {name: torch.zeros_like(value) for name, value in network().state_dict().items()}
    blank = made(other)
    assert blank.iou[1] == blank.iou[2] == pytest.approx(0)
    assert made(network().state_dict()) == first
