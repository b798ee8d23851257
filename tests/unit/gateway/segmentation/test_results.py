"""The document says of each class what the mask holds."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco

from gateway.masks.grey_png import NotAMaskError, encode_grey
from gateway.segmentation import openapi
from gateway.segmentation.options import SegmentationOptions
from gateway.segmentation.prediction import Prediction
from gateway.segmentation.results import ResultOptions, to_json
from gateway.segmentation.schemas import SegmentationResult
from gateway.torchserve.inference import PredictResponse, Target

LABELS = {0: "background", 8: "cat", 15: "person"}


def _ids() -> NDArray[np.uint8]:
    ids = np.zeros((30, 40), dtype=np.uint8)
    ids[5:20, 10:30], ids[8:12, 15:20] = 15, 0
    ids[25:, 35:] = 8
    return ids


def _prediction(png: bytes | None = None) -> Prediction:
    response = PredictResponse(
        png=encode_grey(_ids()) if png is None else png,
        class_pixels="",
        timings="decode;dur=3.10, infer;dur=17.00",
        confidence="0.9312",
        class_confidence="0=0.9512,8=0.5000,15=0.8712",
    )
    return Prediction(Target("deeplabv3", "1.0"), response, LABELS, 0.0251)


def _describe(options: SegmentationOptions | None = None, **detail: Any) -> SegmentationResult:
    return to_json(
        _prediction(), options or SegmentationOptions(), ResultOptions(**detail), "an-id"
    )


def test_the_document_names_its_origin_and_its_size() -> None:
    """Who answered whom, how large, how sure, how fast."""
    told = _describe()
    assert (told.request_id, told.model, told.version) == ("an-id", "deeplabv3", "1.0")
    assert (told.width, told.height, told.confidence) == (40, 30, 0.9312)
    assert told.timings_ms == {"decode": 3.1, "infer": 17.0, "total": 25.1}


def test_each_class_is_counted_named_and_coloured() -> None:
    """Ascending by id, background included; shares add up to one."""
    told = _describe(SegmentationOptions(palette="voc"))
    assert [(found.id, found.name, found.colour) for found in told.classes] == [
        (0, "background", "#000000"),
        (8, "cat", "#400000"),
        (15, "person", "#c08080"),
    ]
    assert [found.pixels for found in told.classes] == [895, 25, 280]
    assert [found.bbox for found in told.classes] == [
        (0, 0, 40, 30),
        (35, 25, 5, 5),
        (10, 5, 20, 15),
    ]
    assert [found.mean_confidence for found in told.classes] == [0.9512, 0.5, 0.8712]
    assert sum(found.share for found in told.classes) == pytest.approx(1)


def test_the_run_lengths_are_cocos() -> None:
    """pycocotools decodes them to the class's pixels."""
    for found in _describe().classes:
        decoded = coco.decode({"size": list(found.rle.size), "counts": found.rle.counts})
        assert np.array_equal(decoded, _ids() == found.id)


def test_chosen_classes_alone_are_told() -> None:
    """By name or id; the others are background in the mask."""
    told = _describe(SegmentationOptions(classes=("person", "8", "cat")), mask=True)
    assert [found.id for found in told.classes] == [8, 15]
    told = _describe(SegmentationOptions(classes=("person",)), mask=True)
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(told.mask or ""))))
    assert np.array_equal(mask, np.where(_ids() == 15, 15, 0))
    assert told.classes[0].pixels == 280


def test_background_may_be_chosen() -> None:
    """Its facts are its own, not those of all that was not chosen."""
    assert _describe(SegmentationOptions(classes=("background",))).classes[0].pixels == 895


def test_a_class_that_is_not_there_is_not_told() -> None:
    """An empty list is an answer."""
    only_background = _prediction(encode_grey(np.zeros((2, 2), dtype=np.uint8)))
    assert (
        to_json(
            only_background, SegmentationOptions(classes=("cat",)), ResultOptions(), "an-id"
        ).classes
        == []
    )


def test_mask_and_outlines_come_on_request() -> None:
    """Null otherwise, never left out."""
    plain, full = _describe(), _describe(polygons=True, tolerance=0, mask=True)
    assert plain.mask is None
    assert [found.polygons for found in plain.classes] == [None] * 3
    assert base64.b64decode(full.mask or "") == encode_grey(_ids())
    person = full.classes[2].polygons or []
    assert [len(polygon) for polygon in person] == [2]  # a ring around, a ring for the hole
    assert all(ring[0] == ring[-1] for ring in person[0])


def test_what_is_no_mask_is_not_described() -> None:
    """A model that answers with something else is told apart by the caller."""
    with pytest.raises(NotAMaskError):
        to_json(
            _prediction(b"\x89PNG\r\n\x1a\nnonsense"),
            SegmentationOptions(),
            ResultOptions(),
            "an-id",
        )


def test_the_documented_example_is_true() -> None:
    """Its run lengths and outlines are those of its three pixels of a person."""
    shown = SegmentationResult.model_validate(openapi.SEGMENTATION)
    ids = np.zeros((3, 4), dtype=np.uint8)
    ids[:, 0] = 15
    for found in shown.classes:
        decoded = coco.decode({"size": list(found.rle.size), "counts": found.rle.counts})
        assert np.array_equal(decoded, ids == found.id)
    mask = encode_grey(ids)
    told = to_json(
        _prediction(mask), SegmentationOptions(), ResultOptions(polygons=True, tolerance=0), "an-id"
    )
    assert [c.polygons for c in shown.classes] == [c.polygons for c in told.classes]
