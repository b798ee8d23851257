"""Small objects of a large image are found in tiles, within the limits of every request."""

import io
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplab.batches import run_batch
from deeplab.decode import MAX_PIXELS
from deeplab.errors import NotANumberError, TooManyTilesError, TooSlowTilesError
from deeplab.pipeline import NetworkInput, Segmentation, Tiling, segment, segmentation_steps
from deeplab.render import RENDERS
from deeplab.render_options import RenderOptions
from deeplab.spec import InputSize, Precision
from segmentation_handler import SegmentationHandler
from tests.unit.handler.files import encode, turned
from tests.unit.handler.worker import handle, statuses, worker_context

INPUT = InputSize(long_side=193, grid=16)
DOT, LARGE = 1, 2
AUTO = RenderOptions(tile="auto")


class Sees:
    """An engine that sees only what is large enough in its input.

    A block of 16 x 16 pixels that is almost all red is a dot, one that is all blue a large object.
    """

    name = "sees"
    precision: Precision = "f32"
    aligned = True

    def __init__(self, largest_batch: int = 1) -> None:
        self.largest_batch = largest_batch
        self.shapes: list[tuple[int, ...]] = []
        self._buffer = np.zeros((0,), dtype=np.float32)

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (3, h', w') float32 logits."""
        logits: NDArray[np.float32] = self.batch(pixels)[0]
        return logits

    def batch(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, h, w, 3) uint8 RGB -> (n, 3, h', w') float32 logits, in the same memory each time."""
        self.shapes.append(pixels.shape)
        padded = np.pad(pixels, ((0, 0), (8, 8), (8, 8), (0, 0)), mode="edge").astype(np.float32)
        rows, columns = ((side - 1) // 16 + 1 for side in pixels.shape[1:3])
        logits = np.zeros((len(pixels), 3, rows, columns), dtype=np.float32)
        for row in range(rows):
            for column in range(columns):
                block = padded[:, row * 16 : row * 16 + 16, column * 16 : column * 16 + 16]
                red, _, blue = np.moveaxis(block.mean(axis=(1, 2)), 1, 0)
                logits[:, 0, row, column] = 4
                logits[:, DOT, row, column] = 8 * (red > 128) * (blue < 128)
                logits[:, LARGE, row, column] = 8 * (blue > 128) * (red < 128)
        self._buffer = logits
        return logits


def picture(width: int = 1600, height: int = 1200) -> Image.Image:
    """A dot of 40 pixels on black, which is not five at one look."""
    image = Image.new("RGB", (width, height))
    image.paste((255, 0, 0), (1000, 300, 1040, 340))
    return image


def mask(result: Segmentation) -> NDArray[np.uint8]:
    """(height, width) uint8 class ids."""
    return np.asarray(Image.open(io.BytesIO(result.png)))


def look(image: Image.Image, options: RenderOptions = AUTO, **tiling: Any) -> Segmentation:
    """The result for an image."""
    return segment(encode(image, "PNG"), Sees(), INPUT, MAX_PIXELS, options, Tiling(**tiling))


def test_tiles_find_what_one_look_loses() -> None:
    """In its place, and nothing else."""
    assert look(picture(), RenderOptions(tile="off")).class_pixels == {0: 1600 * 1200}
    result = look(picture())
    rows, columns = np.nonzero(mask(result))
    assert set(result.class_pixels) == {0, DOT}
    assert (rows.mean(), columns.mean()) == (pytest.approx(320, abs=8), pytest.approx(1020, abs=8))
    assert result.class_pixels[DOT] == pytest.approx(1600, rel=0.8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_image_is_tiled_upright(orientation: int) -> None:
    """For every EXIF orientation, from a JPEG that is decoded at a fraction."""
    data = turned(picture(), orientation, "JPEG")
    result = segment(data, Sees(), INPUT, MAX_PIXELS, AUTO)
    rows, columns = np.nonzero(mask(result) == DOT)
    assert mask(result).shape == (1200, 1600)
    assert (rows.mean(), columns.mean()) == (pytest.approx(320, abs=8), pytest.approx(1020, abs=8))


def test_what_the_whole_shows_stays() -> None:
    """Where one look finds an object, tiles that see only a part of it do not decide."""

    class Parts(Sees):
        """An engine that does not know a large object by its inside."""

        def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            """(1, h, w, 3) uint8 RGB -> (3, h', w') float32 logits."""
            logits = super().logits(pixels)
            if pixels[..., 2].min() > 128:
                logits[LARGE] = 0
            return logits

    image = picture()
    image.paste((0, 0, 255), (0, 400, 1600, 1200))
    data = encode(image, "PNG")
    result = segment(data, Parts(), INPUT, MAX_PIXELS, AUTO)
    assert result.class_pixels[DOT] > 0
    assert result.class_pixels[LARGE] == pytest.approx(1600 * 800, rel=0.05)
    alone = segment(
        data, Parts(), INPUT, MAX_PIXELS, AUTO, Tiling(has_background=False)
    ).class_pixels
    assert alone[LARGE] < 0.8 * result.class_pixels[LARGE]


@pytest.mark.parametrize("tile", [None, "auto", "off", 300, 400, 5000])
@pytest.mark.parametrize("default", ["off", "auto", 300])
def test_the_request_wins_over_the_model(tile: Any, default: Any) -> None:
    """And the model's default counts where the request says nothing."""
    result = look(picture(), RenderOptions(tile=tile), default=default)
    asked = default if tile is None else tile
    assert (result.tiles > 0) == (asked not in ("off", 5000))
    assert (DOT in result.class_pixels) == (result.tiles > 0)


def test_a_small_image_costs_nothing_more() -> None:
    """The same single look, and the same mask."""
    image = picture().resize((240, 180))
    engine = Sees()
    result = segment(encode(image, "PNG"), engine, INPUT, MAX_PIXELS, AUTO)
    assert result.tiles == 0
    assert len(engine.shapes) == 1


def test_one_look_and_each_tile_cost_one_run_of_the_network() -> None:
    """All tiles have one size, so that the engine prepares for no other."""
    engine = Sees()
    result = segment(encode(picture(), "PNG"), engine, INPUT, MAX_PIXELS, AUTO)
    assert len(engine.shapes) == result.tiles + 1
    assert set(engine.shapes[1:]) == {(1, 193, 193, 3)}


def test_more_tiles_than_the_limit_are_refused() -> None:
    """Before the network is asked at all."""
    with pytest.raises(TooManyTilesError, match="the limit is 7"):
        look(picture(), RenderOptions(tile=200), max_tiles=7)
    assert 0 < look(picture(), AUTO, max_tiles=7).tiles <= 7


def _countdown(seconds: float, step: float) -> Iterator[float]:
    while True:
        yield seconds
        seconds -= step


def test_tiles_that_cannot_be_done_in_time_are_given_up_early() -> None:
    """A worker does not compute for a client who has left."""
    engine = Sees()
    left = _countdown(1.0, 0.9)
    tiling = Tiling(seconds_left=partial(next, left))
    with pytest.raises(TooSlowTilesError, match="tile=off"):
        segment(encode(picture(), "PNG"), engine, INPUT, MAX_PIXELS, AUTO, tiling)
    assert len(engine.shapes) <= 6


def test_a_tile_without_numbers_is_an_error() -> None:
    """Blending must not hide it."""

    class Broken(Sees):
        """An engine whose fifth answer is NaN."""

        def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            """(1, h, w, 3) uint8 RGB -> (3, h', w') float32 logits."""
            logits = super().logits(pixels)
            if len(self.shapes) == 5:
                logits[0, 0, 0] = np.nan
            return logits

    with pytest.raises(NotANumberError):
        segment(encode(picture(), "PNG"), Broken(), INPUT, MAX_PIXELS, AUTO)


@pytest.mark.parametrize("render", RENDERS)
def test_every_form_is_drawn_from_tiles(render: str) -> None:
    """At the image's size."""
    options = RenderOptions(render, confidence=True, tile="auto", colours=((DOT, (9, 9, 9)),))
    result = look(picture(), options)
    assert Image.open(io.BytesIO(result.png)).size == (1600, 1200)
    assert set(result.class_confidence) == {0, DOT}


INPUTS = [
    InputSize(long_side=200),
    InputSize(long_side=400, fit="short_side", short_side=160, multiple=32),
    InputSize(long_side=256, fit="fixed", width=256, height=160),
    InputSize(long_side=320, fit="native", antialias=False),
]


class Strides:
    """An engine without aligned corners: the mean red of each block, at some stride."""

    name = "strides"
    precision: Precision = "f32"
    largest_batch = 1
    aligned = False

    def __init__(self, stride: int) -> None:
        self._stride = stride

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (2, h', w') float32 logits."""
        stride = self._stride
        height, width = (side // stride for side in pixels.shape[1:3])
        red = pixels[0, : height * stride, : width * stride, 0].astype(np.float32)
        means = red.reshape(height, stride, width, stride).mean(axis=(1, 3))
        return np.stack([np.full_like(means, 128), means])


@pytest.mark.parametrize("input_size", INPUTS, ids=[each.fit for each in INPUTS])
@pytest.mark.parametrize("stride", [1, 4, 8, 16])
def test_every_fit_and_stride_puts_objects_in_their_place(
    input_size: InputSize, stride: int
) -> None:
    """Also a network that gives a class for each of its pixels."""
    image = Image.new("RGB", (1600, 1200))
    image.paste((255, 0, 0), (1000, 300, 1200, 500))
    result = segment(encode(image, "PNG"), Strides(stride), input_size, MAX_PIXELS, AUTO)
    expected = np.zeros((1200, 1600), dtype=np.uint8)
    expected[300:500, 1000:1200] = 1
    assert result.tiles > 1
    both = np.count_nonzero((mask(result) == 1) & (expected == 1))
    either = np.count_nonzero((mask(result) == 1) | (expected == 1))
    assert both / either > 0.9


def test_tiles_of_several_images_go_through_the_network_together() -> None:
    """On a GPU: batches of tiles of different images, and the same masks."""
    images = [picture(), picture(1500, 1200), picture().transpose(Image.Transpose.ROTATE_180)]
    alone = [look(image) for image in images]

    def item(image: Image.Image) -> Any:
        steps = segmentation_steps(encode(image, "PNG"), INPUT, MAX_PIXELS, AUTO)
        try:
            network_input: NetworkInput = next(steps)
            while True:
                network_input = steps.send((yield network_input))
        except StopIteration as end:
            return end.value.png

    engine = Sees(largest_batch=4)
    together = run_batch([item(image) for image in images], engine, MAX_PIXELS)
    assert together == [each.png for each in alone]
    assert max(shape[0] for shape in engine.shapes) > 1


def _fields(tile: object) -> dict[str, str]:
    return {"X-Segserve-Form": json.dumps({"tile": tile})}


@pytest.mark.slow
def test_the_worker_reports_the_number_of_tiles(unpacked: Path) -> None:
    """The bundled network on a photograph of 12 megapixels: its number, and its limits."""
    made = SegmentationHandler()
    made.initialize(worker_context(unpacked, {"handler": {"maxTiles": 50}}))
    body = {"body": encode(Image.new("RGB", (4000, 3000), "green"), "JPEG")}
    late = {**_fields("auto"), "X-Segserve-Timeout": "0.050"}
    headers = [_fields("auto"), {}, _fields(300), _fields("sideways"), _fields(7), late]
    bodies, context = handle(made, [body] * len(headers), *headers)
    assert statuses(context, 6) == [200, 200, 422, 422, 422, 504]
    assert context.get_response_headers(0)["Server-Timing"].endswith(", tiles;desc=48")
    assert "tiles" not in context.get_response_headers(1)["Server-Timing"]
    assert [json.loads(each)["code"] for each in bodies[2:]] == [
        *["invalid_request"] * 3,
        "deadline_exceeded",
    ]
    assert "the limit is 50" in json.loads(bodies[2])["detail"]
