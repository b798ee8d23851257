"""Pictures of one size go through the network together, and each gets its own answer."""

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
    """An engine whose logits are the sum of a picture; it fails on the pictures of one size."""

    name = "sums"
    precision: Precision = "f32"
    aligned = True

    def __init__(self, largest: int = 8, fails_on: tuple[int, ...] = ()) -> None:
        self.largest_batch = largest
        self.taken: list[int] = []
        self._fails_on = fails_on
        self.error: Exception = RuntimeError("CUDA out of memory")

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (1, 1, 1)."""
        logits: NDArray[np.float32] = self.batch(pixels)[0]
        return logits

    def batch(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, h, w, 3) uint8 RGB -> (n, 1, 1, 1)."""
        self.taken.append(len(pixels))
        if pixels.shape[1:] == self._fails_on[1:]:
            raise self.error
        sums: NDArray[np.float32] = pixels.sum(axis=(1, 2, 3), dtype=np.float32)
        return sums.reshape(-1, 1, 1, 1)


def picture(size: tuple[int, ...], value: int, held: int = 1) -> ItemSteps:
    """A picture of one value, whose answer is its sum or what went wrong with it."""
    pixels = np.zeros(size, dtype=np.uint8)
    pixels[0, 0, 0, 0] = value
    try:
        logits = yield NetworkInput(pixels, held)
    except RuntimeError as exc:
        return f"no logits: {exc}".encode()
    return str(int(logits.item())).encode()


def refused() -> ItemSteps:
    """An item that never comes to the network."""
    return b"refused"
    yield


def pictures(*sizes: tuple[int, ...]) -> list[ItemSteps]:
    """One of each size, of the values 1, 2, 3 and so on."""
    return [picture(size, place + 1) for place, size in enumerate(sizes)]


@given(
    st.lists(st.sampled_from([SIZE, OTHER, (1, 33, 33, 3)]), max_size=30),
    st.sampled_from([1, 2, 4, 8]),
)
def test_every_picture_is_in_one_batch_of_its_size(
    sizes: list[tuple[int, ...]], largest: int
) -> None:
    """And batches are of few lengths, as something is prepared for each."""
    found = list(batches(sizes, largest))
    assert Counter(place for places in found for place in places) == Counter(range(len(sizes)))
    for places in found:
        assert len({sizes[place] for place in places}) == 1
        assert len(places) in (1, 2, 4, 8)
        assert len(places) <= largest


@pytest.mark.parametrize(
    ("largest", "taken"),
    [(8, [4, 1, 2]), (4, [2, 1, 1, 1, 2]), (2, [1, 1, 2, 1, 1, 1]), (1, [1] * 7)],
)
def test_the_answers_keep_their_order(largest: int, taken: Sequence[int]) -> None:
    """Whatever order the sizes went through the network in."""
    engine = Sums(largest)
    items = pictures(SIZE, OTHER, SIZE, SIZE, OTHER, SIZE, SIZE)
    found = run_batch(items, engine, 100)
    assert found == [b"1", b"2", b"3", b"4", b"5", b"6", b"7"]
    assert engine.taken == list(taken)


def test_what_is_refused_leaves_its_neighbours_their_answers() -> None:
    """It takes no place in a batch."""
    engine = Sums()
    items = [refused(), picture(SIZE, 2), refused(), picture(SIZE, 4)]
    assert run_batch(items, engine, 100) == [b"refused", b"2", b"refused", b"4"]
    assert engine.taken == [2]


def test_a_failure_is_told_to_those_it_happened_to() -> None:
    """The pictures of the other size have their masks."""
    engine = Sums(fails_on=OTHER)
    found = run_batch(pictures(SIZE, OTHER, OTHER, SIZE), engine, 100)
    assert found == [b"1", *[b"no logits: CUDA out of memory"] * 2, b"4"]


def test_a_lost_device_is_nobodys_answer() -> None:
    """Whoever runs the engine must end: nothing will work any more."""
    engine = Sums(fails_on=OTHER)
    engine.error = DeviceLostError("an illegal memory access was encountered")
    with pytest.raises(DeviceLostError, match="illegal memory access"):
        run_batch(pictures(OTHER), engine, 100)


def test_no_more_is_held_than_one_picture_beyond_the_limit() -> None:
    """Eight of the largest pictures at once would take eight times the memory."""
    engine = Sums()
    items = [picture(SIZE, place + 1, held=40) for place in range(5)]
    assert run_batch(items, engine, 50) == [b"1", b"2", b"3", b"4", b"5"]
    assert engine.taken == [2, 2, 1]


def test_no_items_are_no_answers() -> None:
    """TorchServe never sends such a batch; nothing happens."""
    engine = Sums()
    assert run_batch([], engine, 100) == []
    assert engine.taken == []


@pytest.mark.parametrize(("largest", "taken"), [(1, [1]), (8, [1, 2, 4, 8])])
def test_no_length_of_batch_is_new_to_a_worker_that_is_ready(
    largest: int, taken: Sequence[int]
) -> None:
    """The first of each is slow."""
    engine = Sums(largest)
    warm_up(engine, (64, 48))
    assert engine.taken == taken
