"""Images of one size go through the network together, and each gets its own response."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from deeplab.batches import ItemSteps, batches, run_batch, warm_up
from deeplab.pipeline import NetworkInput
from deeplab.spec import Precision
from deeplab.torch_engine import DeviceLostError

SIZE, OTHER = (1, 48, 64, 3), (1, 64, 48, 3)


class Sums:
    """An engine whose logits are the sum of an image; it fails on images of one size."""

    name = "sums"
    precision: Precision = "f32"
    aligned = True

    def __init__(self, largest: int = 8, fails_on: tuple[int, ...] = ()) -> None:
        self.largest_batch = largest
        self.batch_lengths: list[int] = []
        self._fails_on = fails_on
        self.error: Exception = RuntimeError("CUDA out of memory")

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (1, 1, 1) float32."""
        logits: NDArray[np.float32] = self.batch(pixels)[0]
        return logits

    def batch(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, h, w, 3) uint8 RGB -> (n, 1, 1, 1) float32."""
        self.batch_lengths.append(len(pixels))
        if pixels.shape[1:] == self._fails_on[1:]:
            raise self.error
        sums: NDArray[np.float32] = pixels.sum(axis=(1, 2, 3), dtype=np.float32)
        return sums.reshape(-1, 1, 1, 1)


def item(size: tuple[int, ...], value: int, held: int = 1) -> ItemSteps:
    """An image with one value, whose response is its sum or the error that it met."""
    pixels = np.zeros(size, dtype=np.uint8)
    pixels[0, 0, 0, 0] = value
    try:
        logits = yield NetworkInput(pixels, held)
    except RuntimeError as exc:
        return f"no logits: {exc}".encode()
    return str(int(logits.item())).encode()


def rejected_item() -> ItemSteps:
    """An item that never reaches the network."""
    return b"rejected"
    yield


def items_of(*sizes: tuple[int, ...]) -> list[ItemSteps]:
    """One item of each size, with the values 1, 2, 3 and so on."""
    return [item(size, index + 1) for index, size in enumerate(sizes)]


@given(
    st.lists(st.sampled_from([SIZE, OTHER, (1, 33, 33, 3)]), max_size=30),
    st.sampled_from([1, 2, 4, 8]),
)
def test_every_image_is_in_one_batch_of_its_size(
    sizes: list[tuple[int, ...]], largest: int
) -> None:
    """Batches have few lengths, because the engine prepares something for each."""
    found = list(batches(sizes, largest))
    assert Counter(index for indices in found for index in indices) == Counter(range(len(sizes)))
    for indices in found:
        assert len({sizes[index] for index in indices}) == 1
        assert len(indices) in (1, 2, 4, 8)
        assert len(indices) <= largest


@pytest.mark.parametrize(
    ("largest", "batch_lengths"),
    [(8, [4, 1, 2]), (4, [2, 1, 1, 1, 2]), (2, [1, 1, 2, 1, 1, 1]), (1, [1] * 7)],
)
def test_the_responses_keep_the_order_of_their_items(
    largest: int, batch_lengths: Sequence[int]
) -> None:
    """In whatever order the sizes went through the network."""
    engine = Sums(largest)
    items = items_of(SIZE, OTHER, SIZE, SIZE, OTHER, SIZE, SIZE)
    found = run_batch(items, engine, 100)
    assert found == [b"1", b"2", b"3", b"4", b"5", b"6", b"7"]
    assert engine.batch_lengths == list(batch_lengths)


def test_a_rejected_item_does_not_affect_the_others() -> None:
    """It takes no place in a batch."""
    engine = Sums()
    items = [rejected_item(), item(SIZE, 2), rejected_item(), item(SIZE, 4)]
    assert run_batch(items, engine, 100) == [b"rejected", b"2", b"rejected", b"4"]
    assert engine.batch_lengths == [2]


def test_an_engines_error_is_raised_in_the_items_that_it_concerns() -> None:
    """The images of the other size get their masks."""
    engine = Sums(fails_on=OTHER)
    found = run_batch(items_of(SIZE, OTHER, OTHER, SIZE), engine, 100)
    assert found == [b"1", *[b"no logits: CUDA out of memory"] * 2, b"4"]


def test_a_lost_device_is_no_items_error() -> None:
    """The process must end: nothing will work any more."""
    engine = Sums(fails_on=OTHER)
    engine.error = DeviceLostError("an illegal memory access was encountered")
    with pytest.raises(DeviceLostError, match="illegal memory access"):
        run_batch(items_of(OTHER), engine, 100)


def test_no_more_than_one_image_beyond_the_limit_is_held() -> None:
    """Eight of the largest images at once would take eight times the memory."""
    engine = Sums()
    items = [item(SIZE, index + 1, held=40) for index in range(5)]
    assert run_batch(items, engine, 50) == [b"1", b"2", b"3", b"4", b"5"]
    assert engine.batch_lengths == [2, 2, 1]


def test_no_items_give_no_responses() -> None:
    """The engine is not called. TorchServe never sends such a batch."""
    engine = Sums()
    assert run_batch([], engine, 100) == []
    assert engine.batch_lengths == []


@pytest.mark.parametrize(("largest", "batch_lengths"), [(1, [1]), (8, [1, 2, 4, 8])])
def test_a_ready_worker_has_run_every_length_of_batch(
    largest: int, batch_lengths: Sequence[int]
) -> None:
    """The first batch of each length is slow."""
    engine = Sums(largest)
    warm_up(engine, (64, 48))
    assert engine.batch_lengths == batch_lengths
