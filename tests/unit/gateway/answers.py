"""A model's answer as the gateway finds it, without anybody who was asked."""

import numpy as np
from numpy.typing import NDArray

from gateway.masks.grey_png import encode_grey
from gateway.segmentation.prediction import Found
from gateway.torchserve.inference import Prediction, Target
from tests.unit.gateway.series import idle_clock

LABELS = {0: "background", 8: "cat", 15: "person"}
IDS = np.array([[15, 0, 0, 0], [15, 0, 0, 8], [15, 0, 8, 8]], np.uint8)


def found(ids: NDArray[np.uint8] = IDS, confidences: str = "0=0.9512,8=0.4,15=0.8712") -> Found:
    """Of a small image, by default with three classes."""
    prediction = Prediction(
        png=encode_grey(ids),
        class_pixels="",
        timings="infer;dur=17.0",
        confidence="0.9312",
        class_confidence=confidences,
    )
    return Found(Target("deeplabv3", "1.0"), prediction, LABELS, 0.025, idle_clock())
