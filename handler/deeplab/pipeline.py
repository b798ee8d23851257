"""READ THIS FIRST: one picture's way through the handler, stage by stage."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from deeplab.cpu_limit import cpu_limit
from deeplab.decode import UnreadableImageError, decode
from deeplab.engines import Engine
from deeplab.postprocess import count_classes, encode_png, resize_class_ids
from deeplab.preprocess import preprocess
from deeplab.spec import InputSize

# Pillow reads some files in quadratic time (a GIF's comment); the largest photograph takes 2 s.
MAX_DECODE_CPU_S = 4.0


@dataclass(frozen=True)
class Segmentation:
    """The answer for one picture.

    png: 8-bit grey PNG of class ids at the upright picture's size.
    class_pixels: class id -> number of pixels, ascending, classes present only.
    timings: stage -> milliseconds.
    """

    png: bytes
    class_pixels: dict[int, int]
    timings: dict[str, float]


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


def segment(data: bytes, engine: Engine, wanted: InputSize, max_pixels: int) -> Segmentation:
    """Image bytes to mask. Raises a RejectedImageError for bytes that are no fit picture."""
    clock = StageClock()
    with clock.stage("decode"), cpu_limit(MAX_DECODE_CPU_S, _too_costly):
        decoded = decode(data, wanted.long_side, max_pixels)
    with clock.stage("preprocess"):
        pixels = preprocess(decoded, wanted)
    with clock.stage("infer"):
        small = engine.predict(pixels)
    with clock.stage("postprocess"):
        ids = resize_class_ids(small, decoded.size)
        class_pixels = count_classes(ids)
    with clock.stage("encode"):
        png = encode_png(ids)
    return Segmentation(png, class_pixels, clock.timings)


def _too_costly() -> Exception:
    return UnreadableImageError(
        f"The picture took more than {MAX_DECODE_CPU_S:.0f} s to decode. Save it again, plainly."
    )
