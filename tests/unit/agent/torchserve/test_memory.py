"""Memory that is free, and what workers take."""

import os
from pathlib import Path

import pytest

from agent.torchserve import memory
from agent.torchserve.memory import WORKER_MB, free_mb, memory_of_mb, shortage


@pytest.mark.parametrize(
    ("free", "count", "is_short"),
    [(None, 100, False), (WORKER_MB, 1, False), (WORKER_MB - 1, 1, True), (2 * WORKER_MB, 3, True)],
)
def test_workers_need_room(free: int | None, count: int, is_short: bool) -> None:
    """Where nothing is known of the memory, nothing is short."""
    why = shortage(free, count, [])
    assert (why is not None) == is_short
    assert why is None or ("SEGSERVE_AGENT_CHECK_MEMORY=false" in why and "\n" not in why)


def test_a_running_worker_says_what_the_next_takes() -> None:
    """The largest of them; processes that are gone say nothing."""
    ours = memory_of_mb(os.getpid())
    assert ours is not None
    assert ours > 1
    why = shortage(1, 2, [os.getpid(), 2**22 + 1])
    assert why is not None
    assert int(why.split("about ")[1].split()[0]) == pytest.approx(2 * ours, rel=0.3)
    assert memory_of_mb(2**22 + 1) is None


def test_free_memory_is_that_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or what a container's limit leaves, file caches counted as free."""
    monkeypatch.setattr(memory, "CGROUP", tmp_path / "none")
    machine = free_mb()
    assert machine is not None
    assert machine > 10
    for name, text in (
        ("max", f"{100 * 2**20}"),
        ("current", f"{99 * 2**20}"),
        ("stat", f"anon 1\ninactive_file {4 * 2**20}\n"),
    ):
        (tmp_path / f"memory.{name}").write_text(text)
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert free_mb() == 5
    (tmp_path / "memory.current").write_text(f"{200 * 2**20}")
    assert free_mb() == 0
    (tmp_path / "memory.max").write_text("max\n")
    unlimited = free_mb()
    assert unlimited is not None
    assert unlimited > 10
