"""READ THIS FIRST: an image's way through the handler, stage by stage."""

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import cast

import numpy as np
from numpy.typing import NDArray

from deeplab import tiles
from deeplab.blend import Blend
from deeplab.confidence import mean_confidence
from deeplab.cpu_limit import cpu_limit
from deeplab.decode import Decoded, MinLongSide, decode
from deeplab.engines import Engine
from deeplab.errors import NotANumberError, TooSlowTilesError, UnreadableImageError
from deeplab.postprocess import count_classes
from deeplab.prediction import Prediction
from deeplab.preprocess import (
    decoded_long_side,
    min_long_side,
    preprocess,
    resize_upright,
    upright,
)
from deeplab.render import RENDERS
from deeplab.render_options import DEFAULT_OPTIONS, RenderOptions
from deeplab.spec import InputSize, Tile

# Pillow reads some files in quadratic time (a GIF's comment); the largest valid image takes 2 s.
MAX_DECODE_CPU_S = 3.0


@dataclass(frozen=True)
class Segmentation:
    """The result for one image.

    png: of the upright image's size; shows what the options' ``render`` says, by default class ids
        in 8-bit grey.
    class_pixels: class id -> number of pixels, ascending, only the classes present.
    timings: stage -> milliseconds.
    confidence: mean confidence over the image, 0..1.
    class_confidence: class id -> mean confidence over its pixels, 0..1; empty unless asked for.
    tiles: in how many tiles the network looked at the image; 0 for one look at the whole.
    """

    png: bytes
    class_pixels: dict[int, int]
    timings: dict[str, float]
    confidence: float
    class_confidence: dict[int, float]
    tiles: int = 0


def _unlimited() -> float:
    return math.inf


@dataclass(frozen=True)
class Tiling:
    """How the network looks at large images.

    default: where the options do not say. max_tiles: most of one image. seconds_left: how long the
    client still waits. has_background: whether class 0 is what is no object.
    """

    default: Tile = "off"
    max_tiles: int = tiles.MAX_TILES
    seconds_left: Callable[[], float] = _unlimited
    has_background: bool = True


ONE_LOOK = Tiling()


@dataclass
class StageClock:
    """Records how many milliseconds each stage takes."""

    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block under ``name``."""
        start = perf_counter()
        yield
        self.timings[name] = (perf_counter() - start) * 1e3


@dataclass(frozen=True)
class NetworkInput:
    """An image that waits for the network.

    pixels: (1, h, w, 3) uint8 RGB, 0..255.
    held_pixels: number of pixels of the decoded image that stay in memory meanwhile.
    """

    pixels: NDArray[np.uint8]
    held_pixels: int


# Yields the network's input, is sent the (classes, h', w') logits, once or for each tile, and
# returns the result.
Steps = Generator[NetworkInput, NDArray[np.float32], Segmentation]


def segment(
    data: bytes,
    engine: Engine,
    input_size: InputSize,
    max_pixels: int,
    options: RenderOptions = DEFAULT_OPTIONS,
    tiling: Tiling = ONE_LOOK,
) -> Segmentation:
    """Segment an encoded image. Raises RejectedImageError for bytes that the policy rejects."""
    steps = segmentation_steps(data, input_size, max_pixels, options, tiling)
    network_input = next(steps)
    while True:
        try:
            network_input = steps.send(engine.logits(network_input.pixels))
        except StopIteration as end:
            return cast("Segmentation", end.value)


def segmentation_steps(
    data: bytes,
    input_size: InputSize,
    max_pixels: int,
    options: RenderOptions = DEFAULT_OPTIONS,
    tiling: Tiling = ONE_LOOK,
) -> Steps:
    """`segment` without the network, so that a caller can run it for several images at once.

    The stage "infer" lasts from the input's being ready to the arrival of its logits, of all
    tiles' if there are any.
    Raises NotANumberError for NaN or infinity among them.
    """
    clock = StageClock()
    tile = tiling.default if options.tile is None else options.tile
    plan_for = partial(
        tiles.plan_tiles, input_size=input_size, tile=tile, max_tiles=tiling.max_tiles
    )
    with clock.stage("decode"):
        long_side = _long_side(input_size, None if tile == "off" else plan_for)
        decoded = _decode(data, long_side, max_pixels)
    plan = plan_for(decoded.size)
    with clock.stage("preprocess"):
        pixels = preprocess(decoded, input_size)
        canvas = None if plan is None else resize_upright(decoded, plan.size, input_size)
    shape = pixels.shape[1:3] if canvas is None else canvas.shape[:2]
    with clock.stage("infer"):
        held = math.prod(decoded.decoded_size) + (0 if canvas is None else math.prod(shape))
        logits = yield NetworkInput(pixels, held)
        if plan is not None and canvas is not None:
            whole = logits.copy() if tiling.has_background else None
            blend = yield from _look_at_tiles(canvas, plan, held, tiling.seconds_left)
            logits = blend.logits(whole)
    with clock.stage("postprocess"):
        if not np.isfinite(logits).all():
            raise NotANumberError("the network's logits are no numbers")
        prediction = Prediction(logits, shape, decoded.size, aligned=input_size.aligned)
        class_pixels = count_classes(prediction.mask)
        class_confidence = prediction.class_confidence() if options.confidence else {}
        confidence = mean_confidence(logits)
    with clock.stage("encode"):
        image = partial(_full_size_image, decoded, data, max_pixels)
        png = RENDERS[options.render](prediction, options, image)
    count = 0 if plan is None else plan.count
    return Segmentation(png, class_pixels, clock.timings, confidence, class_confidence, count)


def _look_at_tiles(
    canvas: NDArray[np.uint8], plan: tiles.Plan, held: int, seconds_left: Callable[[], float]
) -> Generator[NetworkInput, NDArray[np.float32], Blend]:
    """Look at each tile of the (h, w, 3) uint8 canvas, and blend them.

    Raises TooSlowTilesError as soon as it is clear that the client will not wait for the last one.
    """
    blend = Blend(plan)
    started = 0.0
    for done, window in enumerate(plan.windows()):
        blend.add(window, (yield NetworkInput(plan.crop(canvas, window), held)))
        if not done:  # the first one may have to load kernels
            started = perf_counter()
            continue
        needed = (perf_counter() - started) / done * (plan.count - 1 - done)
        if needed > seconds_left():
            raise TooSlowTilesError(
                f"The {plan.count} tiles of this picture would take {needed:.0f} s more than there "
                "is time. Ask for larger tiles, or for tile=off."
            )
    return blend


def _long_side(
    input_size: InputSize, plan_for: Callable[[tuple[int, int]], tiles.Plan | None] | None
) -> MinLongSide:
    """The least long side for the decoder: that of the canvas where there are tiles."""
    one_look = min_long_side(input_size)
    if plan_for is None:
        return one_look

    def long_side(size: tuple[int, int]) -> int:
        plan = plan_for(size)
        if plan is not None:
            return decoded_long_side(size, plan.size, input_size)
        return one_look if isinstance(one_look, int) else one_look(size)

    return long_side


def _decode(data: bytes, long_side: MinLongSide, max_pixels: int) -> Decoded:
    with cpu_limit(MAX_DECODE_CPU_S, _too_costly):
        return decode(data, long_side, max_pixels)


def _full_size_image(decoded: Decoded, data: bytes, max_pixels: int) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB, upright: decoded again if it was decoded at a reduced scale."""
    if sorted(decoded.decoded_size) != sorted(decoded.size):
        decoded = _decode(data, max(decoded.size), max_pixels)
    return upright(decoded)


def _too_costly() -> Exception:
    return UnreadableImageError(
        f"The picture took more than {MAX_DECODE_CPU_S:.0f} s to decode. Save it again, plainly."
    )
