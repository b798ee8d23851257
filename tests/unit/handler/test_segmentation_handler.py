"""Each item of a batch gets its own response, through TorchServe's own context."""

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from ts.metrics.caching_metric import CachingMetric
from ts.metrics.metric_type_enum import MetricTypes

from deeplab.prediction import Prediction
from deeplab.render import RENDERS, FullSizeImage
from deeplab.render_options import RenderOptions
from deeplab.torch_engine import DeviceLostError
from segmentation_handler import SegmentationHandler
from tests.unit.handler.files import EXAMPLES, encode, quarters, turned
from tests.unit.handler.worker import FailsOnTallImages, handle, statuses, worker_context

PNG = encode(quarters(), "PNG")


@pytest.fixture(scope="module")
def handler(unpacked: Path) -> Iterator[SegmentationHandler]:
    """With the bundled network, initialised as in a worker, which logs at INFO."""
    root = logging.getLogger()
    level, threads = root.level, torch.get_num_threads()
    root.setLevel(logging.INFO)
    made = SegmentationHandler()
    made.initialize(worker_context(unpacked, {"handler": {"threads": 0, "maxPixels": 1_000_000}}))
    yield made
    root.setLevel(level)
    torch.set_num_threads(threads)


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


def test_a_batch_of_mixed_sizes_gets_masks_of_those_sizes(handler: SegmentationHandler) -> None:
    """Nothing is stacked: each image keeps its own size and orientation."""
    sizes = [(96, 64), (1, 1), (64, 96), (1000, 30)]
    batch = [{"body": encode(quarters().resize(size), "PNG")} for size in sizes]
    batch.append({"body": turned(quarters(), 6, "JPEG")})
    bodies, context = handle(handler, batch)
    assert statuses(context, 5) == [200] * 5
    assert [Image.open(io.BytesIO(body)).size for body in bodies] == [*sizes, (96, 64)]


def test_a_batch_gives_what_its_items_give_alone(handler: SegmentationHandler) -> None:
    """The items of a batch do not affect each other's masks."""
    batch = [{"body": (EXAMPLES / name).read_bytes()} for name in ("cat.jpg", "astronaut.jpg")]
    alone = [handle(handler, [item])[0][0] for item in batch]
    assert alone == handle(handler, batch)[0]


def test_a_bad_image_gets_its_own_status_and_the_others_masks(
    handler: SegmentationHandler,
) -> None:
    """413, 415 and 422 between images that get their masks."""
    bad = [encode(Image.new("L", (1001, 1000)), "PNG"), b"%PDF-1.7", PNG[:50], b""]
    batch = [{"body": data} for data in (PNG, *bad, PNG)]
    bodies, context = handle(handler, batch)
    assert statuses(context, 6) == [200, 413, 415, 422, 422, 200]
    codes = [json.loads(body)["code"] for body in bodies[1:5]]
    assert codes == [
        "too_many_pixels",
        "unsupported_format",
        "unreadable_image",
        "unreadable_image",
    ]
    assert bodies[0] == bodies[5]
    assert Image.open(io.BytesIO(bodies[0])).size == (96, 64)


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


def test_wrong_render_options_concern_one_item(handler: SegmentationHandler) -> None:
    """422, and the other item gets its mask."""
    bodies, context = handle(handler, [{"body": PNG}, {"body": PNG}], {"x-segserve-form": "{"})
    assert statuses(context, 2) == [422, 200]
    assert json.loads(bodies[0])["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("deadline", "status"), [("1.5", 504), ("99999999999", 200), ("soon", 200), ("nan", 200)]
)
def test_nothing_is_computed_after_the_deadline(
    handler: SegmentationHandler, deadline: str, status: int
) -> None:
    """The client has given up by then; a deadline that is not a number counts as none."""
    (body,), context = handle(handler, [{"body": PNG}], {"X-Segserve-Deadline": deadline})
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


def test_an_engine_that_fails_affects_only_the_item_it_failed_on(
    handler: SegmentationHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 for that one; an exception raised by handle would fail the whole batch."""
    monkeypatch.setattr(handler, "_engine", FailsOnTallImages())
    tall = encode(quarters(30, 80), "PNG")
    bodies, context = handle(handler, [{"body": PNG}, {"body": tall}, {"body": PNG}])
    assert statuses(context, 3) == [200, 503, 200]
    answer = json.loads(bodies[1])
    assert answer["code"] == "model_unavailable"
    assert "CUDA" not in answer["detail"]


class BatchesOfEight(FailsOnTallImages):
    """An engine for batches, as on a GPU."""

    largest_batch = 8

    def __init__(self) -> None:
        self.batch_lengths: list[int] = []

    def batch(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, h, w, 3) uint8 RGB -> (n, 21, h', w') float32 logits."""
        self.batch_lengths.append(len(pixels))
        return np.stack([self.logits(pixels[index : index + 1]) for index in range(len(pixels))])


def test_an_engine_for_batches_gets_them(
    handler: SegmentationHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the valid images: each gets its mask, its size and its timings."""
    engine = BatchesOfEight()
    monkeypatch.setattr(handler, "_engine", engine)
    wide = [encode(quarters().resize(size), "PNG") for size in ((96, 64), (192, 128))]
    data = [{"body": wide[0]}, {}, {"body": b"%PDF-1.7"}, {"body": wide[1]}, {"body": PNG}]
    bodies, context = handle(handler, data)
    assert statuses(context, 5) == [200, 422, 415, 200, 200]
    assert engine.batch_lengths == [2]
    assert [Image.open(io.BytesIO(bodies[index])).size for index in (0, 3)] == [
        (96, 64),
        (192, 128),
    ]
    for index in (0, 3, 4):
        assert "infer;dur=" in context.get_response_headers(index)["Server-Timing"]


def test_a_worker_whose_device_is_lost_ends(
    handler: SegmentationHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would answer 503 indefinitely; TorchServe starts another, with a device that works."""

    def lost(_pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        raise DeviceLostError("an illegal memory access was encountered")

    engine = BatchesOfEight()
    monkeypatch.setattr(engine, "logits", lost)
    monkeypatch.setattr(handler, "_engine", engine)
    with pytest.raises(SystemExit, match=r"device is lost .* illegal memory access"):
        handle(handler, [{"body": PNG}])


def test_the_description_lists_the_models_facts(handler: SegmentationHandler) -> None:
    """Labels and limits come from the archive; the gateway hardcodes no class."""
    (body,), _ = handle(handler, [{}], {"describe": "True"})
    facts = json.loads(body)
    assert sorted(facts) == [
        "architecture",
        "engine",
        "image_formats",
        "labels",
        "long_side",
        "max_pixels",
        "precision",
        "sha256",
    ]
    assert facts["labels"]["15"] == "person"
    assert facts["max_pixels"] == 1_000_000
    assert facts["image_formats"] == ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]
    assert len(facts["sha256"]) == 64


def test_a_description_leaves_the_others_their_masks(handler: SegmentationHandler) -> None:
    """One item asks for it, the others in the batch send images."""
    bodies, _ = handle(handler, [{}, {"body": PNG}], {"describe": "True"})
    assert "labels" in json.loads(bodies[0])
    assert Image.open(io.BytesIO(bodies[1])).size == (96, 64)


def test_the_pixel_limit_has_a_default(unpacked: Path) -> None:
    """An archive without operations serves all the same."""
    made = SegmentationHandler()
    made.initialize(worker_context(unpacked))
    (body,), _ = handle(made, [{}], {"describe": "True"})
    assert json.loads(body)["max_pixels"] == 50_000_000
