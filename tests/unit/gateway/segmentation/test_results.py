"""The JSON result of a mask."""

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


def _result(options: SegmentationOptions | None = None, **detail: Any) -> SegmentationResult:
    return to_json(
        _prediction(), options or SegmentationOptions(), ResultOptions(**detail), "an-id"
    )


def test_the_document_names_its_origin_and_its_size() -> None:
    """The result has the request id, model, version, size, confidence and timings."""
    result = _result()
    assert (result.request_id, result.model, result.version) == ("an-id", "deeplabv3", "1.0")
    assert (result.width, result.height, result.confidence) == (40, 30, 0.9312)
    assert result.timings_ms == {"decode": 3.1, "infer": 17.0, "total": 25.1}


def test_each_class_is_counted_named_and_coloured() -> None:
    """The classes are ascending by id, background included; their shares add up to one."""
    result = _result(SegmentationOptions(palette="voc"))
    assert [(each.id, each.name, each.colour) for each in result.classes] == [
        (0, "background", "#000000"),
        (8, "cat", "#400000"),
        (15, "person", "#c08080"),
    ]
    assert [each.pixels for each in result.classes] == [895, 25, 280]
    assert [each.bbox for each in result.classes] == [
        (0, 0, 40, 30),
        (35, 25, 5, 5),
        (10, 5, 20, 15),
    ]
    assert [each.mean_confidence for each in result.classes] == [0.9512, 0.5, 0.8712]
    assert sum(each.share for each in result.classes) == pytest.approx(1)


def test_the_run_lengths_are_cocos() -> None:
    """pycocotools decodes the run lengths to the class's pixels."""
    for each in _result().classes:
        decoded = coco.decode({"size": list(each.rle.size), "counts": each.rle.counts})
        assert np.array_equal(decoded, _ids() == each.id)


def test_only_chosen_classes_are_reported() -> None:
    """Classes are chosen by name or id; the others are background in the mask."""
    result = _result(SegmentationOptions(classes=("person", "8", "cat")), mask=True)
    assert [each.id for each in result.classes] == [8, 15]
    result = _result(SegmentationOptions(classes=("person",)), mask=True)
    mask = np.asarray(Image.open(io.BytesIO(base64.b64decode(result.mask or ""))))
    assert np.array_equal(mask, np.where(_ids() == 15, 15, 0))
    assert result.classes[0].pixels == 280


def test_background_may_be_chosen() -> None:
    """The facts of background do not include the classes that were not chosen."""
    assert _result(SegmentationOptions(classes=("background",))).classes[0].pixels == 895


def test_an_absent_class_is_not_reported() -> None:
    """The list is empty if no chosen class is present."""
    only_background = _prediction(encode_grey(np.zeros((2, 2), dtype=np.uint8)))
    assert (
        to_json(
            only_background, SegmentationOptions(classes=("cat",)), ResultOptions(), "an-id"
        ).classes
        == []
    )


def test_mask_and_outlines_come_on_request() -> None:
    """Without a request, mask and polygons are null, not omitted."""
    plain, full = _result(), _result(polygons=True, tolerance=0, mask=True)
    assert plain.mask is None
    assert [each.polygons for each in plain.classes] == [None] * 3
    assert base64.b64decode(full.mask or "") == encode_grey(_ids())
    person = full.classes[2].polygons or []
    assert [len(polygon) for polygon in person] == [2]  # a ring around, a ring for the hole
    assert all(ring[0] == ring[-1] for ring in person[0])


def test_a_malformed_mask_has_no_result() -> None:
    """A malformed mask is NotAMaskError."""
    with pytest.raises(NotAMaskError):
        to_json(
            _prediction(b"\x89PNG\r\n\x1a\nnonsense"),
            SegmentationOptions(),
            ResultOptions(),
            "an-id",
        )


def test_the_documented_example_is_true() -> None:
    """The example in the OpenAPI document has correct run lengths and polygons."""
    example = SegmentationResult.model_validate(openapi.SEGMENTATION)
    ids = np.zeros((3, 4), dtype=np.uint8)
    ids[:, 0] = 15
    for each in example.classes:
        decoded = coco.decode({"size": list(each.rle.size), "counts": each.rle.counts})
        assert np.array_equal(decoded, ids == each.id)
    mask = encode_grey(ids)
    result = to_json(
        _prediction(mask), SegmentationOptions(), ResultOptions(polygons=True, tolerance=0), "an-id"
    )
    assert [c.polygons for c in example.classes] == [c.polygons for c in result.classes]
