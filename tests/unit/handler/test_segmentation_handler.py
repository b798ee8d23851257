"""An item gets its mask or an error, with its facts, through TorchServe's own context."""

import io
import json
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from ts.metrics.caching_metric import CachingMetric
from ts.metrics.metric_type_enum import MetricTypes

from deeplab.prediction import Prediction
from deeplab.render import RENDERS, FullSizeImage
from deeplab.render_options import RenderOptions
from deeplab.spec import Precision
from segmentation_handler import SegmentationHandler
from tests.unit.handler.files import EXAMPLES, encode, quarters
from tests.unit.handler.worker import handle, statuses, worker_context

PNG = encode(quarters(), "PNG")


@pytest.mark.slow
def test_an_image_is_answered_with_its_mask_and_the_facts(handler: SegmentationHandler) -> None:
    """The contract with the gateway, item by item."""
    (body,), context = handle(handler, [{"body": (EXAMPLES / "cat.jpg").read_bytes()}])
    headers = context.get_response_headers(0)
    mask = Image.open(io.BytesIO(body))
    assert statuses(context, 1) == [200]
    assert headers["content-type"] == "image/png"
    assert (headers["X-Model"], headers["X-Model-Version"]) == ("deeplabv3", "1.0")
    assert mask.mode == "L"
    assert mask.size == Image.open(EXAMPLES / "cat.jpg").size


def test_the_pixel_counts_are_written_as_the_gateway_reads_them(
    handler: SegmentationHandler,
) -> None:
    """id=count, ascending, separated by commas, the image's area in all."""
    _, context = handle(handler, [{"body": (EXAMPLES / "cat.jpg").read_bytes()}])
    pairs = context.get_response_headers(0)["X-Class-Pixels"].split(",")
    counts = {int(pair.split("=")[0]): int(pair.split("=")[1]) for pair in pairs}
    width, height = Image.open(EXAMPLES / "cat.jpg").size
    assert list(counts) == sorted(counts)
    assert sum(counts.values()) == width * height
    assert 8 in counts


def test_the_timings_follow_the_standard(handler: SegmentationHandler) -> None:
    """Server-Timing, as browsers display it."""
    _, context = handle(handler, [{"body": PNG}])
    entries = context.get_response_headers(0)["Server-Timing"].split(", ")
    stages = [entry.split(";dur=")[0] for entry in entries]
    assert stages == ["decode", "preprocess", "infer", "postprocess", "encode"]
    assert all(float(entry.split(";dur=")[1]) >= 0 for entry in entries)


@pytest.mark.usefixtures("handler")
def test_the_worker_writes_nothing_for_a_request(caplog: pytest.LogCaptureFixture) -> None:
    """TorchServe's own log lines would wake its server; warnings are still written."""
    logging.info("Backend received inference at: %d", 1)
    CachingMetric("PredictionTime", "ms", [], MetricTypes.GAUGE).add_or_update(1.0)
    logging.warning("something else")
    assert caplog.messages == ["something else"]


def test_an_error_is_json_with_a_code_and_a_sentence(handler: SegmentationHandler) -> None:
    """The gateway builds the problem document from these two; the model is named all the same."""
    (body,), context = handle(handler, [{"body": b"no picture"}])
    answer = json.loads(body)
    headers = context.get_response_headers(0)
    assert sorted(answer) == ["code", "detail"]
    assert answer["detail"].endswith(".")
    assert headers["content-type"] == "application/json"
    assert headers["X-Model-Version"] == "1.0"


def test_the_render_options_are_read_from_the_header(handler: SegmentationHandler) -> None:
    """With its name in any case, and for its own item only."""
    options = json.dumps({"render": "cutout", "confidence": True})
    bodies, context = handle(
        handler, [{"body": PNG}, {"body": PNG}], {"X-Segserve-Form": options}, {}
    )
    assert [Image.open(io.BytesIO(body)).mode for body in bodies] == ["RGBA", "L"]
    first, second = (context.get_response_headers(index) for index in (0, 1))
    assert re.fullmatch(r"\d+=[01]\.\d{4}(,\d+=[01]\.\d{4})*", first["X-Class-Confidence"])
    assert "X-Class-Confidence" not in second
    assert 0 < float(second["X-Confidence"]) <= 1


def test_an_entry_in_the_table_is_all_that_a_form_needs(
    handler: SegmentationHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The header may name it, and its function draws the response."""

    def red(prediction: Prediction, _options: RenderOptions, _image: FullSizeImage) -> bytes:
        return encode(Image.new("RGB", prediction.size, "red"), "PNG")

    monkeypatch.setitem(RENDERS, "red", red)
    (body,), context = handle(handler, [{"body": PNG}], {"X-Segserve-Form": '{"render": "red"}'})
    assert statuses(context, 1) == [200]
    assert Image.open(io.BytesIO(body)).getcolors() == [(96 * 64, (255, 0, 0))]


def test_a_response_that_is_too_large_for_torchserve_is_rejected(unpacked: Path) -> None:
    """It would kill the worker, again for each repetition. Smaller responses are sent."""
    made = SegmentationHandler()
    made.initialize(worker_context(unpacked, {"handler": {"maxAnswerBytes": 1000}}))
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    item = {"body": encode(Image.fromarray(noise), "PNG")}
    overlay = {"X-Segserve-Form": json.dumps({"render": "overlay"})}
    bodies, context = handle(made, [item, item], overlay, {})
    assert statuses(context, 2) == [413, 200]
    assert "This overlay" in json.loads(bodies[0])["detail"]


@pytest.mark.parametrize(
    ("timeout", "status"),
    [
        ("-0.5", 504),
        ("30", 200),
        ("30; sender=a; sent=12.5", 200),
        ("soon", 200),
        ("nan", 200),
        ("30; sender=a; sent=-1", 200),
    ],
)
def test_nothing_is_computed_after_the_deadline(
    handler: SegmentationHandler, timeout: str, status: int
) -> None:
    """The client has given up by then; a timeout in another format counts as none."""
    (body,), context = handle(handler, [{"body": PNG}], {"X-Segserve-Timeout": timeout})
    assert statuses(context, 1) == [status]
    assert (status == 200) == (not body.startswith(b"{"))


@pytest.mark.parametrize("field", ["body", "data", "file"])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_the_image_is_found_under_torchserves_names(
    handler: SegmentationHandler, field: str, kind: type
) -> None:
    """As a raw body, or as the part of a form."""
    _, context = handle(handler, [{field: kind(PNG)}])
    assert statuses(context, 1) == [200]


@pytest.mark.parametrize(
    "item",
    [{}, {"image": PNG}, *({"body": body} for body in (None, {"a": 1}, "text", 10**12, [1]))],
    ids=lambda item: repr(item)[:20],
)
def test_an_item_without_an_image_is_an_invalid_request(
    handler: SegmentationHandler, item: dict[str, Any]
) -> None:
    """TorchServe parses JSON and text bodies before the handler sees them."""
    (body,), context = handle(handler, [item])
    assert statuses(context, 1) == [422]
    assert json.loads(body)["code"] == "invalid_request"


def test_the_description_lists_the_models_facts(handler: SegmentationHandler) -> None:
    """Labels and limits come from the archive; the gateway hardcodes no class."""
    (body,), _ = handle(handler, [{}], {"describe": "True"})
    facts = json.loads(body)
    assert sorted(facts) == [
        "architecture",
        "busy_workers",
        "card",
        "channels",
        "engine",
        "image_formats",
        "input",
        "labels",
        "long_side",
        "max_pixels",
        "max_tiles",
        "mean",
        "output",
        "precision",
        "provenance",
        "sha256",
        "spec",
        "std",
        "threshold",
        "tile",
    ]
    assert facts["input"]["fit"] == "long_side"
    assert facts["mean"] == [0.485, 0.456, 0.406]
    assert (facts["tile"], facts["max_tiles"]) == ("off", 64)
    assert facts["labels"]["15"] == "person"
    assert facts["max_pixels"] == 1_000_000
    assert facts["busy_workers"] == []
    assert facts["image_formats"] == ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]
    assert len(facts["sha256"]) == 64


def test_the_pixel_limit_has_a_default(unpacked: Path) -> None:
    """An archive without operations serves all the same."""
    made = SegmentationHandler()
    made.initialize(worker_context(unpacked))
    (body,), _ = handle(made, [{}], {"describe": "True"})
    assert json.loads(body)["max_pixels"] == 50_000_000


class Computes:
    """An engine whose logits have one odd value."""

    name = "computes"
    precision: Precision = "f32"
    largest_batch = 1
    aligned = True

    def __init__(self, value: float) -> None:
        self._value = value

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (21, 5, 5) float32 logits."""
        logits = np.zeros((21, 5, 5), dtype=np.float32)
        logits[3, 2, 1] = self._value
        return logits


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("render", RENDERS)
def test_a_network_that_computes_no_numbers_is_unavailable(
    unpacked: Path, monkeypatch: pytest.MonkeyPatch, value: float, render: str
) -> None:
    """No form of the result is made of NaN or infinity; the error names the version."""
    made = SegmentationHandler()
    monkeypatch.setattr(made, "_load_engine", lambda *_: Computes(value))
    made.initialize(worker_context(unpacked))
    options = {"X-Segserve-Form": json.dumps({"render": render, "confidence": True})}
    (body,), context = handle(made, [{"body": PNG}], options)
    assert statuses(context, 1) == [503]
    assert json.loads(body) == {
        "code": "model_unavailable",
        "detail": "Version 1.0 answered with values that are no numbers. Choose another version.",
    }


def test_a_version_with_control_characters_is_still_one_header(unpacked: Path) -> None:
    """They would end the connection, so that no image of that version got an answer."""
    context = worker_context(unpacked)
    context.manifest = {"model": {"modelName": "deeplabv3", "modelVersion": "5.0\r\nX: ü"}}
    made = SegmentationHandler()
    made.initialize(context)
    _, answered = handle(made, [{"body": PNG}])
    assert statuses(answered, 1) == [200]
    assert answered.get_response_headers(0)["X-Model-Version"] == "5.0??X: ?"
