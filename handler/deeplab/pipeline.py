"""READ THIS FIRST: one picture's way through the handler, stage by stage."""

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast

import numpy as np
from numpy.typing import NDArray

from deeplab.confidence import class_confidences, confidence_map, grey_levels, mean_confidence
from deeplab.cpu_limit import cpu_limit
from deeplab.decode import Decoded, decode
from deeplab.engines import Engine
from deeplab.errors import UnreadableImageError
from deeplab.png import encode_png
from deeplab.postprocess import count_classes, encode_mask, full_size, keep_classes
from deeplab.preprocess import preprocess
from deeplab.render import compose
from deeplab.render_options import LABELS, Form
from deeplab.spec import InputSize
from deeplab.upsample import class_ids

# Pillow reads some files in quadratic time (a GIF's comment); the largest photograph takes 2 s.
MAX_DECODE_CPU_S = 3.0


@dataclass(frozen=True)
class Segmentation:
    """The answer for one picture.

    png: of the upright picture's size; what it shows is the form's ``render``, by default class ids
        in 8-bit grey.
    class_pixels: class id -> number of pixels, ascending, classes present only.
    timings: stage -> milliseconds.
    confidence: mean over the picture of the network's confidence in the classes it chose, 0..1.
    class_confidence: class id -> the same over the pixels of a class; empty unless asked for.
    """

    png: bytes
    class_pixels: dict[int, int]
    timings: dict[str, float]
    confidence: float
    class_confidence: dict[int, float]


@dataclass
class StageClock:
    """Remembers how many milliseconds each stage took."""

    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block under ``name``."""
        start = perf_counter()
        yield
        self.timings[name] = (perf_counter() - start) * 1e3


@dataclass(frozen=True)
class Prepared:
    """A picture that waits for the network.

    pixels: (1, h, w, 3) uint8 RGB, the network's input. held: how many pixels of the picture itself
    are in memory meanwhile.
    """

    pixels: NDArray[np.uint8]
    held: int


# Gives what waits for the network, is sent the (classes, h', w') logits, and returns the answer.
Steps = Generator[Prepared, NDArray[np.float32], Segmentation]


def segment(
    data: bytes, engine: Engine, wanted: InputSize, max_pixels: int, form: Form = LABELS
) -> Segmentation:
    """Image bytes to an answer. Raises a RejectedImageError for bytes that are no fit picture."""
    steps = segmenting(data, wanted, max_pixels, form)
    prepared = next(steps)
    try:
        steps.send(engine.logits(prepared.pixels))
    except StopIteration as end:
        return cast("Segmentation", end.value)
    raise AssertionError("a picture needs the network once")


def segmenting(data: bytes, wanted: InputSize, max_pixels: int, form: Form = LABELS) -> Steps:
    """`segment` without the network, which whoever has several pictures may run for all of them.

    The stage "infer" is from the picture's being ready to its logits' being there.
    """
    clock = StageClock()
    with clock.stage("decode"):
        decoded = _decode(data, wanted.long_side, max_pixels)
    with clock.stage("preprocess"):
        pixels = preprocess(decoded, wanted)
    with clock.stage("infer"):
        logits = yield Prepared(pixels, math.prod(decoded.decoded_size))
    with clock.stage("postprocess"):
        found = _Found(logits, pixels.shape[1:3], decoded.size, aligned=wanted.aligned)
        class_pixels = count_classes(found.mask)
        class_confidence = found.class_confidence() if form.confidence else {}
        confidence = mean_confidence(logits)
    with clock.stage("encode"):
        if form.render in ("overlay", "cutout"):
            png = compose(_at_full_scale(decoded, data, max_pixels), found.mask.ids, form)
        else:
            png = found.png(form)
    return Segmentation(png, class_pixels, clock.timings, confidence, class_confidence)


class _Found:
    """What the network found, at its own size and at the picture's.

    logits: (classes, h', w'). shape: (h, w) of the network's input. size: (width, height).
    """

    def __init__(
        self,
        logits: NDArray[np.float32],
        shape: tuple[int, ...],
        size: tuple[int, int],
        *,
        aligned: bool,
    ) -> None:
        self._logits, self._size, self._aligned = logits, size, aligned
        self._shape = (shape[0], shape[1])
        self._small = class_ids(logits, self._shape, aligned=aligned)
        self.mask = full_size(self._small, size)

    def class_confidence(self) -> dict[int, float]:
        return class_confidences(self._small, self._confidences())

    def png(self, form: Form) -> bytes:
        """Class ids in 8-bit grey, or confidences of 0..255."""
        if form.render == "confidence":
            levels = grey_levels(self._confidences(), self._size)
            if form.classes is not None:
                levels = levels * np.isin(self.mask.ids, [*form.classes])
            return encode_png(levels)
        if form.classes is not None:
            return encode_mask(full_size(keep_classes(self._small, form.classes), self._size))
        return encode_mask(self.mask)

    def _confidences(self) -> NDArray[np.float32]:
        return confidence_map(self._logits, self._shape, aligned=self._aligned)


def _decode(data: bytes, wanted_side: int, max_pixels: int) -> Decoded:
    with cpu_limit(MAX_DECODE_CPU_S, _too_costly):
        return decode(data, wanted_side, max_pixels)


def _at_full_scale(decoded: Decoded, data: bytes, max_pixels: int) -> Decoded:
    """Decoded anew only where the network was content with a smaller scale."""
    if sorted(decoded.decoded_size) == sorted(decoded.size):
        return decoded
    return _decode(data, max(decoded.size), max_pixels)


def _too_costly() -> Exception:
    return UnreadableImageError(
        f"The picture took more than {MAX_DECODE_CPU_S:.0f} s to decode. Save it again, plainly."
    )
