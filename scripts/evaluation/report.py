"""Reports of an evaluation: a table, JSON, and an HTML page."""

import base64
import colorsys
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplab.postprocess import resize_class_ids
from scripts.datasets.voc import IGNORE
from scripts.evaluation.measure import Evaluation, ImageResult
from scripts.evaluation.predictors import read_mask

THUMBNAIL = 320  # pixels, the long side of a picture in the page
TEMPLATE = Path(__file__).with_name("report.html")
GOLDEN_ANGLE = 0.618034  # of the colour circle: neighbouring ids get far colours
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def table(evaluation: Evaluation) -> str:
    """IoU of each class and the totals, for the terminal."""
    truth = evaluation.confusion.sum(axis=1)
    width = max(len(name) for name in evaluation.labels.values())
    rows = [f"{'class':<{width}}  {'IoU':>6}  {'pixels':>11}"]
    for index, name in evaluation.labels.items():
        iou = evaluation.scores.iou.get(index)
        shown = "-" if iou is None else f"{iou:.3f}"
        rows.append(f"{name:<{width}}  {shown:>6}  {int(truth[index]):>11,}")
    found = evaluation.scores
    rows.append(
        f"{len(evaluation.pictures)} pictures, {evaluation.source}: "
        f"mIoU {found.miou:.4f}, pixel accuracy {found.pixel_accuracy:.4f}"
    )
    return "\n".join(rows)


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation without its masks. Shares are 0..1; a class that never occurs has null."""
    found = evaluation.scores
    return {
        "source": evaluation.source,
        "images": len(evaluation.pictures),
        "miou": found.miou,
        "pixel_accuracy": found.pixel_accuracy,
        "per_class": {name: found.iou.get(index) for index, name in evaluation.labels.items()},
        "labels": {str(index): name for index, name in evaluation.labels.items()},
        "confusion": evaluation.confusion.tolist(),
        "pictures": [
            {
                "name": each.pair.name,
                "miou": each.scores.miou,
                "pixel_accuracy": each.scores.pixel_accuracy,
            }
            for each in evaluation.pictures
        ],
    }


def write_json(path: Path, evaluation: Evaluation) -> None:
    """Write ``as_json`` to a file."""
    path.write_text(json.dumps(as_json(evaluation), indent=2) + "\n")


def write_page(path: Path, evaluation: Evaluation, most: int) -> None:
    """Write a self-contained HTML file with the ``most`` worst images, worst first."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(TEMPLATE.read_text()).render(
        evaluation=evaluation,
        colours={index: f"rgb{colour_of(index)}" for index in evaluation.labels},
        shares=_shares(evaluation.confusion),
        pictures=[_row(each, evaluation.labels) for each in evaluation.pictures[:most]],
    )
    path.write_text(page)


def colour_of(class_id: int) -> tuple[int, int, int]:
    """The RGB colour of a class, 0..255: black for background, white for ignored pixels."""
    if class_id in (0, IGNORE):
        return WHITE if class_id else BLACK
    hue = class_id * GOLDEN_ANGLE % 1
    rgb = colorsys.hsv_to_rgb(hue, 0.85, 0.95 if class_id % 2 else 0.7)
    return round(rgb[0] * 255), round(rgb[1] * 255), round(rgb[2] * 255)


def _shares(confusion: NDArray[np.int64]) -> list[list[float]]:
    """Each true class's pixels by predicted class, 0..1."""
    total = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    shares: list[list[float]] = (confusion / total).tolist()
    return shares


def _row(measured: ImageResult, labels: dict[int, str]) -> dict[str, Any]:
    photograph = measured.pair.read_image()
    photograph.thumbnail((THUMBNAIL, THUMBNAIL))
    truth, predicted = measured.pair.read_mask(), read_mask(measured.predicted_png)
    return {
        "name": measured.pair.name,
        "scores": measured.scores,
        "photograph": _data_url(photograph, "JPEG"),
        "truth": _data_url(_coloured(truth, photograph.size), "PNG"),
        "predicted": _data_url(_coloured(predicted, photograph.size), "PNG"),
        "true_classes": _names(truth, labels),
        "predicted_classes": _names(predicted, labels),
    }


def _names(ids: NDArray[np.uint8], labels: dict[int, str]) -> str:
    present: Sequence[int] = [int(index) for index in np.unique(ids) if index in labels]
    return ", ".join(labels[index] for index in present if index) or labels[0]


def _coloured(ids: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    picture = Image.fromarray(resize_class_ids(ids, size))
    picture.putpalette([channel for index in range(256) for channel in colour_of(index)])
    return picture


def _data_url(picture: Image.Image, kind: str) -> str:
    stream = io.BytesIO()
    picture.save(stream, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"
