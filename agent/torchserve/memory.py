"""The memory that is free on this node, and what a worker takes."""

from collections.abc import Iterable
from pathlib import Path

WORKER_MB = 300  # of a worker that is not running yet, where there is none to compare with
CGROUP = Path("/sys/fs/cgroup")


def shortage(free_mb: int | None, count: int, like: Iterable[int]) -> str | None:
    """Why there is no memory for so many more workers; None if there is.

    like: process ids of workers that run.
    """
    each = max((memory_of_mb(pid) or 0 for pid in like), default=0) or WORKER_MB
    if free_mb is None or count * each <= free_mb:
        return None
    return (
        f"{count} more workers need about {count * each} MB of memory, {free_mb} MB are free: "
        "take fewer, remove a version, or set SEGSERVE_AGENT_CHECK_MEMORY=false"
    )


def memory_of_mb(pid: int) -> int | None:
    """Memory of a process, its share of what it shares included, in MB; None if unknown."""
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(row.split()[1]) // 1024 for row in rows if row.startswith("Pss:")), None)


def free_mb() -> int | None:
    """Memory available without swapping, in MB; None where the system does not report it.

    In a container with a limit, what is left of the limit, if that is less.
    """
    try:
        rows = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    kilobytes = next((row.split()[1] for row in rows if row.startswith("MemAvailable:")), None)
    if kilobytes is None:
        return None
    left = _left_of_the_limit_mb(CGROUP)
    return int(kilobytes) // 1024 if left is None else min(int(kilobytes) // 1024, left)


def _left_of_the_limit_mb(group: Path) -> int | None:
    """What the container's limit leaves, in MB; file caches count as free. None without one."""
    try:
        limit, used = ((group / f"memory.{name}").read_text() for name in ("max", "current"))
        rows = dict(row.split() for row in (group / "memory.stat").read_text().splitlines())
        # Above the limit for a moment, or after it was lowered, there is none.
        return max(0, int(limit) - int(used) + int(rows["inactive_file"])) // 2**20
    except (OSError, ValueError, KeyError):  # "max" is not a number: no limit
        return None
