"""Each item of a batch gets its own response, whatever happens to the others."""

import io
import json

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplab.torch_engine import DeviceLostError
from segmentation_handler import SegmentationHandler
from tests.unit.handler.files import EXAMPLES, encode, quarters, turned
from tests.unit.handler.worker import FailsOnTallImages, handle, statuses

PNG = encode(quarters(), "PNG")


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


def test_wrong_render_options_concern_one_item(handler: SegmentationHandler) -> None:
    """422, and the other item gets its mask."""
    bodies, context = handle(handler, [{"body": PNG}, {"body": PNG}], {"x-segserve-form": "{"})
    assert statuses(context, 2) == [422, 200]
    assert json.loads(bodies[0])["code"] == "invalid_request"


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


def test_a_description_leaves_the_others_their_masks(handler: SegmentationHandler) -> None:
    """One item asks for it, the others in the batch send images."""
    bodies, _ = handle(handler, [{}, {"body": PNG}], {"describe": "True"})
    assert "labels" in json.loads(bodies[0])
    assert Image.open(io.BytesIO(bodies[1])).size == (96, 64)
