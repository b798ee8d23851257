"""A prediction without TorchServe."""

import numpy as np
from numpy.typing import NDArray

from gateway.masks.grey_png import encode_grey
from gateway.segmentation.prediction import Prediction
from gateway.torchserve.inference import PredictResponse, Target

LABELS = {0: "background", 8: "cat", 15: "person"}
IDS = np.array([[15, 0, 0, 0], [15, 0, 0, 8], [15, 0, 8, 8]], np.uint8)


def prediction(
    ids: NDArray[np.uint8] = IDS, confidences: str = "0=0.9512,8=0.4,15=0.8712"
) -> Prediction:
    """The prediction for a small image, by default with three classes."""
    response = PredictResponse(
        png=encode_grey(ids),
        class_pixels="",
        timings="infer;dur=17.0",
        confidence="0.9312",
        class_confidence=confidences,
    )
    return Prediction(Target("deeplabv3", "1.0"), response, LABELS, 0.025)
