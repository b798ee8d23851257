"""Several pictures at once, where the engine takes them: those of one size go through it together.

What is done for a picture before and after the network is written as if it were alone: a generator
that gives a picture when it is ready, is sent its logits, and returns the answer.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from deeplab.engines import BatchEngine, Engine
from deeplab.pipeline import Prepared
from deeplab.torch_engine import DeviceLostError

Answer = Generator[Prepared, NDArray[np.float32], bytes]


@dataclass(frozen=True)
class _Waiting:
    index: int
    answer: Answer
    prepared: Prepared


def answered(answers: Sequence[Answer], engine: Engine, most_held: int) -> list[bytes]:
    """What each of ``answers`` returns, in their order.

    most_held: pixels of decoded pictures, above which no more are decoded before those that wait
        have been through the network.

    If the engine fails, its error is raised inside the answers that it failed on. Only a
    DeviceLostError comes out of here.
    """
    found = [b""] * len(answers)
    waiting: list[_Waiting] = []
    for index, answer in enumerate(answers):
        try:
            waiting.append(_Waiting(index, answer, next(answer)))
        except StopIteration as end:
            found[index] = end.value
        held = sum(each.prepared.held for each in waiting)
        if len(waiting) == engine.largest_batch or held > most_held:
            _finish(waiting, engine, found)
            waiting = []
    _finish(waiting, engine, found)
    return found


def warm_up(engine: Engine, size: tuple[int, int]) -> None:
    """Let the engine see a batch of each length, of pictures of (width, height).

    The first of each takes up to two seconds on a GPU, which chooses and loads its kernels then.
    Raises what the engine raises.
    """
    width, height = size
    pixels = np.zeros((engine.largest_batch, height, width, 3), dtype=np.uint8)
    engine.logits(pixels[:1])
    count = 2
    while count <= engine.largest_batch:
        cast("BatchEngine", engine).batch(pixels[:count])
        count *= 2


def _finish(waiting: Sequence[_Waiting], engine: Engine, found: list[bytes]) -> None:
    sizes = [each.prepared.pixels.shape for each in waiting]
    for places in batches(sizes, engine.largest_batch):
        together = [waiting[place] for place in places]
        logits = _infer([each.prepared.pixels for each in together], engine)
        for number, each in enumerate(together):
            try:
                if isinstance(logits, Exception):
                    each.answer.throw(logits)
                else:
                    each.answer.send(logits[number])
            except StopIteration as end:
                found[each.index] = end.value


def _infer(
    pictures: Sequence[NDArray[np.uint8]], engine: Engine
) -> Sequence[NDArray[np.float32]] | NDArray[np.float32] | Exception:
    """The logits of each, or why there are none. pictures: (1, h, w, 3) uint8 RGB, of one size."""
    try:
        if len(pictures) == 1:
            return [engine.logits(pictures[0])]
        return cast("BatchEngine", engine).batch(np.concatenate(pictures))
    except DeviceLostError:
        raise
    except Exception as exc:  # noqa: BLE001 - each answer has its own way to say it
        return exc


def batches(sizes: Sequence[tuple[int, ...]], largest: int) -> Iterator[list[int]]:
    """Every place among ``sizes`` once: lists of places with one size, at most ``largest`` long.

    In powers of two, as is ``largest``. What the engine prepares is for one number of pictures:
    there are few of these numbers, and nothing is computed to fill a batch up.
    """
    places: dict[tuple[int, ...], list[int]] = {}
    for place, size in enumerate(sizes):
        places.setdefault(size, []).append(place)
    for rest in places.values():
        while rest:
            count = min(largest, 1 << (len(rest).bit_length() - 1))
            yield rest[:count]
            del rest[:count]
