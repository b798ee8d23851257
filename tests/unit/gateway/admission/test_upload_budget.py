"""The upload budget bounds all uploads together."""

import pytest

from gateway.admission.upload_budget import Upload, UploadBudget
from gateway.errors import OverloadedError, UnreadableImageError
from tests.unit.gateway.doubles import Clock


def test_the_budget_is_shared_and_returned() -> None:
    """Uploads share the budget, and return their shares in the end."""
    budget = UploadBudget(100)
    with budget.upload() as first, budget.upload() as second:
        first.append(memoryview(bytes(60)))
        with pytest.raises(OverloadedError):
            second.append(memoryview(bytes(41)))
        second.append(memoryview(bytes(40)))
    with budget.upload() as third:
        third.append(memoryview(bytes(100)))
    assert budget.held == 0


def test_a_failure_returns_its_share() -> None:
    """An exception does not leak a share of the budget."""
    budget = UploadBudget(100)

    def fail() -> None:
        with budget.upload() as upload:
            upload.append(memoryview(bytes(100)))
            raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            fail()
        assert budget.held == 0


def test_bytes_are_kept_in_order_in_blocks_that_do_not_grow_far() -> None:
    """The size of a block is bounded, because moving growing buffers fragments the heap."""
    data = bytes(range(250)) * 10_000
    with UploadBudget(len(data)).upload() as upload:
        for start in range(0, len(data), 65_536):
            upload.append(memoryview(data)[start : start + 65_536])
        assert b"".join(upload.blocks) == data
        assert upload.size == len(data)
        assert max(len(block) for block in upload.blocks) < 2 * 256 * 1024


def test_the_bytes_are_dropped_at_the_end_of_the_block() -> None:
    """The image is dropped even if a traceback or a cycle keeps the upload alive."""
    with UploadBudget(100).upload() as upload:
        upload.append(memoryview(b"photo"))
    assert upload.blocks == []


def test_what_is_taken_out_is_no_part_of_the_budget() -> None:
    """Taking the bytes out makes room for the image that was in a body."""
    budget = UploadBudget(600_000)
    data = bytes(range(250)) * 2000
    with budget.upload() as upload:
        upload.fill(data)
        assert (budget.held, max(len(block) for block in upload.blocks)) == (500_000, 256 * 1024)
        assert upload.take_out() == data
        assert (budget.held, upload.size, upload.blocks) == (0, 0, [])
        upload.fill(data)
        assert b"".join(upload.blocks) == data
    assert budget.held == 0


def _append(upload: Upload, size: int) -> None:
    upload.append(memoryview(bytes(size)))


@pytest.mark.parametrize("trickle", [0, 1])
def test_a_client_that_stops_in_the_middle_makes_room_for_others(trickle: int) -> None:
    """A stalled upload is evicted, also if it trickles; its client learns the reason."""
    clock = Clock()
    budget = UploadBudget(10_000_000, clock)
    with budget.upload() as stopped, budget.upload() as other:
        stopped.begin()
        _append(stopped, 9_000_000)
        for _ in range(6):
            clock.now += 1
            if trickle:
                _append(stopped, trickle)
        other.begin()
        _append(other, 5_000_000)
        assert (stopped.size, stopped.blocks) == (0, [])
        with pytest.raises(OverloadedError, match="slow"):
            _append(stopped, 1)
        with pytest.raises(OverloadedError, match="slow"):
            stopped.end()
        other.end()
        assert budget.held == 5_000_000


def test_a_steady_client_keeps_what_it_has() -> None:
    """A phone's 100 KB per second are fast enough."""
    clock = Clock()
    budget = UploadBudget(2_000_000, clock)
    with budget.upload() as steady, budget.upload() as other:
        steady.begin()
        for _ in range(15):
            clock.now += 1
            _append(steady, 100_000)
        with pytest.raises(OverloadedError, match="arrive at once"):
            _append(other, 1_000_000)
        steady.end()
        assert steady.size == 1_500_000


def test_a_complete_image_is_never_evicted() -> None:
    """A complete image that waits for its slot is never evicted."""
    clock = Clock()
    budget = UploadBudget(2_000_000, clock)
    with budget.upload() as waiting, budget.upload() as other:
        with waiting.receiving():
            _append(waiting, 1_500_000)
        clock.now += 60
        with pytest.raises(OverloadedError):
            _append(other, 1_000_000)
        assert waiting.size == 1_500_000


def test_a_pause_of_the_gateway_does_not_make_a_client_slow() -> None:
    """A pause of the gateway does not count, but the time after it does."""
    clock = Clock()
    budget = UploadBudget(1_000_000, clock)
    with budget.upload() as paused, budget.upload() as other:
        paused.begin()
        _append(paused, 600_000)
        with paused.paused():
            clock.now += 60
            with pytest.raises(OverloadedError):
                _append(other, 500_000)
        clock.now += 1
        with pytest.raises(OverloadedError):
            _append(other, 500_000)
        assert paused.size == 600_000
        clock.now += 5
        _append(other, 500_000)
        assert paused.size == 0


def test_a_complete_upload_is_not_measured_after_a_pause() -> None:
    """A pause does not restart the measurement of an upload that is not receiving."""
    budget = UploadBudget(1000)
    with budget.upload() as upload:
        with upload.paused():
            assert budget.receiving == set()
        assert budget.receiving == set()


def test_no_more_is_evicted_than_is_needed() -> None:
    """The largest slow uploads are evicted first, and no more than necessary."""
    clock = Clock()
    budget = UploadBudget(1_000_000, clock)
    with budget.upload() as small, budget.upload() as large, budget.upload() as other:
        for upload, size in ((small, 300_000), (large, 600_000)):
            upload.begin()
            _append(upload, size)
        clock.now += 10
        _append(other, 500_000)
        assert (small.size, large.size) == (300_000, 0)


def test_an_eviction_is_not_reported_as_a_broken_image() -> None:
    """The eviction is reported instead of the error of the reader that found no bytes."""
    clock = Clock()
    budget = UploadBudget(1_000, clock)

    def read(slow: Upload, other: Upload) -> None:
        with slow.receiving():
            _append(slow, 900)
            clock.now += 10
            _append(other, 500)
            raise UnreadableImageError("The file is empty.")

    slow, other = Upload(budget), Upload(budget)
    with pytest.raises(OverloadedError, match="slow"):
        read(slow, other)


def test_moved_bytes_keep_their_share() -> None:
    """They outlive the block of the upload that they came with."""
    budget = UploadBudget(100)
    with budget.upload() as upload:
        upload.append(memoryview(b"a photo"))
        moved = upload.move()
        assert (upload.size, upload.blocks) == (0, [])
    assert (budget.held, moved.size, b"".join(moved.blocks)) == (7, 7, b"a photo")
    moved.clear()
    assert budget.held == 0
