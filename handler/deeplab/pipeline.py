"""READ THIS FIRST: an image's way through the handler, stage by stage."""

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import cast

import numpy as np
from numpy.typing import NDArray

from deeplab.confidence import mean_confidence
from deeplab.cpu_limit import cpu_limit
from deeplab.decode import Decoded, decode
from deeplab.engines import Engine
from deeplab.errors import NotANumberError, UnreadableImageError
from deeplab.postprocess import count_classes
from deeplab.prediction import Prediction
from deeplab.preprocess import preprocess, upright
from deeplab.render import RENDERS
from deeplab.render_options import DEFAULT_OPTIONS, RenderOptions
from deeplab.spec import InputSize

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
    """

    png: bytes
    class_pixels: dict[int, int]
    timings: dict[str, float]
    confidence: float
    class_confidence: dict[int, float]


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


# Yields the network's input, is sent the (classes, h', w') logits, and returns the result.
Steps = Generator[NetworkInput, NDArray[np.float32], Segmentation]


def segment(
    data: bytes,
    engine: Engine,
    input_size: InputSize,
    max_pixels: int,
    options: RenderOptions = DEFAULT_OPTIONS,
) -> Segmentation:
    """Segment an encoded image. Raises RejectedImageError for bytes that the policy rejects."""
    steps = segmentation_steps(data, input_size, max_pixels, options)
    network_input = next(steps)
    try:
        steps.send(engine.logits(network_input.pixels))
    except StopIteration as end:
        return cast("Segmentation", end.value)
    raise AssertionError("an image needs the network once")


def segmentation_steps(
    data: bytes,
    input_size: InputSize,
    max_pixels: int,
    options: RenderOptions = DEFAULT_OPTIONS,
) -> Steps:
    """`segment` without the network, so that a caller can run it for several images at once.

    The stage "infer" lasts from the input's being ready to the arrival of its logits.
    Raises NotANumberError for NaN or infinity among them.
    """
    clock = StageClock()
    with clock.stage("decode"):
        decoded = _decode(data, input_size.long_side, max_pixels)
    with clock.stage("preprocess"):
        pixels = preprocess(decoded, input_size)
    with clock.stage("infer"):
        logits = yield NetworkInput(pixels, math.prod(decoded.decoded_size))
    with clock.stage("postprocess"):
        if not np.isfinite(logits).all():
            raise NotANumberError("the network's logits are no numbers")
        prediction = Prediction(logits, pixels.shape[1:3], decoded.size, aligned=input_size.aligned)
        class_pixels = count_classes(prediction.mask)
        class_confidence = prediction.class_confidence() if options.confidence else {}
        confidence = mean_confidence(logits)
    with clock.stage("encode"):
        image = partial(_full_size_image, decoded, data, max_pixels)
        png = RENDERS[options.render](prediction, options, image)
    return Segmentation(png, class_pixels, clock.timings, confidence, class_confidence)


def _decode(data: bytes, min_long_side: int, max_pixels: int) -> Decoded:
    with cpu_limit(MAX_DECODE_CPU_S, _too_costly):
        return decode(data, min_long_side, max_pixels)


def _full_size_image(decoded: Decoded, data: bytes, max_pixels: int) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB, upright: decoded again if it was decoded at a reduced scale."""
    if sorted(decoded.decoded_size) != sorted(decoded.size):
        decoded = _decode(data, max(decoded.size), max_pixels)
    return upright(decoded)


def _too_costly() -> Exception:
    return UnreadableImageError(
        f"The picture took more than {MAX_DECODE_CPU_S:.0f} s to decode. Save it again, plainly."
    )
