"""Ending workers without losing the images that they compute.

TorchServe ends workers at once, and its count of pending requests leaves out those that a worker
computes. Our handler describes which workers are busy.
"""

import time
from collections.abc import Collection

from scripts.launch.management import ManagementClient, ManagementError, SilentError

DRAIN_S = 30.0  # the gateway's deadline: whatever takes longer has no client any more
# The way of a job from the queue to the handler, and of its response back, counts as idle.
QUIET_S = 0.5
# For archives of former versions, whose handler does not describe busy workers.
QUIET_UNSEEN_S = 5.0
POLL_S = 0.05
# A gateway asks once a second for the default version, and a request waits half a second for it.
GATEWAYS_S = 1.5
TRIES = 3


def wait_for_gateways() -> None:
    """Wait until every gateway knows of a change of the default version."""
    time.sleep(GATEWAYS_S)  # of other processes, which do not report it


def wait_until_idle(
    management: ManagementClient,
    version: str,
    workers: Collection[int] | None = None,
    quiet_s: float = QUIET_S,
) -> None:
    """Wait until the version has computed nothing for ``quiet_s``; for 30 s at most.

    workers: process ids of those that matter, whatever waits in the queue for the others.
    """
    end = time.monotonic() + DRAIN_S
    quiet_since = None
    while (now := time.monotonic()) < end:
        is_quiet, needed_s = True, quiet_s
        known = management.version(version)
        if workers is None and known.pending:
            is_quiet = False
        elif known.ready:
            try:
                busy = management.busy_workers(version, timeout_s=end - now)
            except SilentError:
                return
            is_quiet = not (busy if workers is None or not busy else busy & set(workers))
            needed_s = QUIET_UNSEEN_S if busy is None else quiet_s
        quiet_since = (quiet_since or now) if is_quiet else None
        if quiet_since is not None and now - quiet_since >= needed_s:
            return
        time.sleep(POLL_S)  # polling another process


def end_workers(management: ManagementClient, version: str) -> None:
    """Leave the version without workers. Raises ManagementError where it became the default."""
    for _ in range(TRIES):
        wait_until_idle(management, version)
        if management.version(version).default:
            raise ManagementError(f"version {version} has become the default meanwhile")
        management.scale(version, 0)
        # TorchServe puts an image of a worker that it ends back into the queue.
        if not management.version(version).pending:
            return
        try:
            management.scale(version, 1)
        except ManagementError:
            return
    management.scale(version, 0)
