"""Images that no client waits for: a thread of the lowest priority computes them, on one core.

A process can lower its priority but not raise it again without a privilege; on Linux a thread has
a priority of its own. So a worker that computes copies of images for a comparison takes only the
time that the workers of users' images leave, and is as fast as they are when users need it.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import torch

HEADER: Final = "x-segserve-background"

T = TypeVar("T")


def is_background(headers: Iterable[dict[str, str]]) -> bool:
    """Whether no client waits for any of the images of a batch."""
    return all(each.get(HEADER) == "1" for each in headers)


class BackgroundThread:
    """The thread; it is started for the first image. begin: called in it, once."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin
        self._pool = ThreadPoolExecutor(1, "background", initializer=self._prepare)

    def run(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, or raise what it raises; the caller waits."""
        return self._pool.submit(work).result()

    def _prepare(self) -> None:
        torch.set_num_threads(1)  # which each thread has to set for itself
        self._begin()
