"""Batching: images of one size go through the network together, if the engine takes batches.

The work before and after the network is written for a single item: a generator that yields the
network's input when it is ready, is sent the logits, perhaps again for further tiles, and returns
the response.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from deeplab.engines import BatchEngine, Engine
from deeplab.pipeline import NetworkInput
from deeplab.torch_engine import DeviceLostError

# Yields the network's input unless the item is rejected, is sent the (classes, h', w') logits, and
# returns the response's body.
ItemSteps = Generator[NetworkInput, NDArray[np.float32], bytes]


@dataclass(frozen=True)
class _PendingItem:
    index: int
    steps: ItemSteps
    network_input: NetworkInput


def run_batch(items: Sequence[ItemSteps], engine: Engine, max_held_pixels: int) -> list[bytes]:
    """Run the items to their end: the response of each, in their order.

    max_held_pixels: total pixels of decoded images above which no more images are decoded before
        the pending ones have been through the network.

    An error of the engine is raised inside the items that it concerns. Only a DeviceLostError is
    raised from here.
    """
    responses = [b""] * len(items)
    pending: list[_PendingItem] = []
    for index, steps in enumerate(items):
        try:
            pending.append(_PendingItem(index, steps, next(steps)))
        except StopIteration as end:
            responses[index] = end.value
        held = sum(each.network_input.held_pixels for each in pending)
        if len(pending) == engine.largest_batch or held > max_held_pixels:
            _finish(pending, engine, responses)
            pending = []
    _finish(pending, engine, responses)
    return responses


def warm_up(engine: Engine, size: tuple[int, int]) -> None:
    """Run the engine once for each batch length, on images of (width, height).

    The first batch of each length takes up to two seconds on a GPU, which chooses and loads its
    kernels then. Raises what the engine raises.
    """
    width, height = size
    pixels = np.zeros((engine.largest_batch, height, width, 3), dtype=np.uint8)
    engine.logits(pixels[:1])
    count = 2
    while count <= engine.largest_batch:
        cast("BatchEngine", engine).batch(pixels[:count])
        count *= 2


def _finish(pending: list[_PendingItem], engine: Engine, responses: list[bytes]) -> None:
    """Run the network until no item needs it any more: an image of many tiles needs it often."""
    while pending:
        pending = list(_run_once(pending, engine, responses))


def _run_once(
    pending: Sequence[_PendingItem], engine: Engine, responses: list[bytes]
) -> Iterator[_PendingItem]:
    """Yields the items that need the network once more."""
    shapes = [each.network_input.pixels.shape for each in pending]
    for indices in batches(shapes, engine.largest_batch):
        batch = [pending[index] for index in indices]
        logits = _infer([each.network_input.pixels for each in batch], engine)
        for number, each in enumerate(batch):
            try:
                if isinstance(logits, Exception):
                    further = each.steps.throw(logits)
                else:
                    further = each.steps.send(logits[number])
                yield _PendingItem(each.index, each.steps, further)
            except StopIteration as end:
                responses[each.index] = end.value


def _infer(
    images: Sequence[NDArray[np.uint8]], engine: Engine
) -> Sequence[NDArray[np.float32]] | NDArray[np.float32] | Exception:
    """(classes, h', w') logits of each image, or the engine's error.

    images: (1, h, w, 3) uint8 RGB, all of one size.
    """
    try:
        if len(images) == 1:
            return [engine.logits(images[0])]
        return cast("BatchEngine", engine).batch(np.concatenate(images))
    except DeviceLostError:
        raise
    except Exception as exc:  # noqa: BLE001 - every item reports it in its own response
        return exc


def batches(shapes: Sequence[tuple[int, ...]], largest: int) -> Iterator[list[int]]:
    """Split the indices of ``shapes`` into batches of one shape, at most ``largest`` long.

    The lengths are powers of two, as is ``largest``: the engine prepares something for each length,
    so there must be few of them, and padding a batch would compute for nothing.
    """
    indices: dict[tuple[int, ...], list[int]] = {}
    for index, shape in enumerate(shapes):
        indices.setdefault(shape, []).append(index)
    for rest in indices.values():
        while rest:
            count = min(largest, 1 << (len(rest).bit_length() - 1))
            yield rest[:count]
            del rest[:count]
