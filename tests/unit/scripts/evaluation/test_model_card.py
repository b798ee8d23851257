"""The model card of an evaluation, read by the hub's own library."""

from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard

from scripts.evaluation.measure import Evaluation
from scripts.evaluation.model_card import card
from scripts.evaluation.scores import scores

CONFUSION = np.array([[90, 10], [20, 80]])
EVALUATION = Evaluation(
    "archive cracks-2.0.mar",
    {0: "background", 1: "crack | fissure"},
    CONFUSION,
    scores(CONFUSION),
    [],
)
ABOUT = {
    "name": "Cracks: a model",
    "purpose": "Finds cracks.",
    "licence": "CC-BY-4.0",
    "author": "A. N. Author",
}


@pytest.mark.parametrize("about", [ABOUT, {}], ids=["with model.toml", "without"])
def test_the_head_is_what_the_hub_reads(about: dict[str, str]) -> None:
    """Task, metrics and results; a licence is named in the author's words."""
    data: Any = ModelCard(card(EVALUATION, "pictures/val", about)).data
    assert data.pipeline_tag == "image-segmentation"
    assert data.license == "other"
    (miou, accuracy) = data.eval_results
    assert (miou.metric_type, miou.metric_value) == ("mean_iou", round(EVALUATION.scores.miou, 4))
    assert (accuracy.metric_type, accuracy.metric_value) == ("accuracy", 0.85)
    assert miou.dataset_name == "pictures/val"
    assert data.model_name == (about.get("name") or EVALUATION.source)
    assert (data.to_dict().get("license_name")) == about.get("licence")


def test_the_text_says_what_the_author_and_the_measurement_say() -> None:
    """A class's name breaks no table."""
    text = ModelCard(card(EVALUATION, "pictures/val", ABOUT)).text
    assert "# Cracks: a model" in text
    assert "Finds cracks." in text
    assert "- Author: A. N. Author" in text
    assert "| crack \\| fissure | 0.727 | 100 |" in text
    assert "## Limits" not in text
