"""Batches: many images in one request, each predicted as soon as it has arrived."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from typing import Any, Final

from starlette.requests import Request

from gateway.admission.upload_budget import Upload, UploadBudget
from gateway.errors import (
    GatewayError,
    ImageTooLargeError,
    InvalidRequestError,
    UnreadableImageError,
)
from gateway.http.multipart import FIELD, HINT, Form, boundary_of
from gateway.http.uploads import FORM_ALLOWANCE, limited, too_large

MAX_FILES: Final = 100
# Images of one request in the queue or at TorchServe at once: enough to keep the workers busy, and
# few enough to leave slots to other clients.
AT_ONCE: Final = 8


def _batch_too_large(max_bytes: int) -> GatewayError:
    return ImageTooLargeError(f"The request has more than {max_bytes} bytes. Send fewer files.")


class Item:
    """One file of a batch: its bytes, or the error that replaced them."""

    def __init__(self, index: int, name: str, budget: UploadBudget, max_bytes: int) -> None:
        self.index = index
        self.name = name
        self.error: GatewayError | None = None
        self._max_bytes = max_bytes
        self._stack = ExitStack()
        self.image: Upload = self._stack.enter_context(budget.upload())
        self.image.begin()

    def append(self, data: memoryview) -> None:
        """Append bytes; after an error, such as too many bytes, drop all of them."""
        if self.error is not None:
            return
        try:
            if self.image.size + len(data) > self._max_bytes:
                raise too_large(self._max_bytes)
            self.image.append(data)
        except GatewayError as exc:
            self.error = exc
            self.close()

    def complete(self) -> None:
        """Note that all bytes have arrived."""
        try:
            self.image.end()
        except GatewayError as exc:
            self.error = self.error or exc
        if self.error is None and self.image.size == 0:
            self.error = UnreadableImageError("The file is empty. Send an image.")

    def close(self) -> None:
        """Drop the bytes."""
        self._stack.close()


class _Files:
    """A receiver of all files of a form."""

    def __init__(self, budget: UploadBudget, max_bytes: int) -> None:
        self._budget = budget
        self._max_bytes = max_bytes
        self._last: Item | None = None
        self.complete: deque[Item] = deque()
        self.count = 0

    def begin(self, name: str) -> None:
        self._last = Item(self.count, name, self._budget, self._max_bytes)
        self.count += 1

    def write(self, data: memoryview) -> None:
        if self._last is not None:
            self._last.append(data)

    def end(self) -> None:
        if self._last is not None:
            self._last.complete()
            self.complete.append(self._last)
        self._last = None

    def paused(self) -> AbstractContextManager[None]:
        """The block in which nothing is read; a partly received file does not count as slow."""
        return nullcontext() if self._last is None else self._last.image.paused()

    def close(self) -> None:
        """Drop the files that were not started."""
        unstarted = [*self.complete, *([self._last] if self._last is not None else [])]
        for item in unstarted:
            item.close()


class Batch:
    """The files of one request, and the tasks that make their lines."""

    def __init__(self, budget: UploadBudget, max_bytes: int) -> None:
        """Create an empty batch. max_bytes: limit of one file."""
        self._budget = budget
        self._files = _Files(budget, max_bytes)
        self._running: set[asyncio.Task[bytes]] = set()
        self._tasks: list[asyncio.Task[bytes]] = []

    async def read(self, request: Request, max_bytes: int) -> AsyncIterator[Item]:
        """Yield the files of the request's form, each once it is complete and may be started.

        max_bytes: limit of all files together. Raises InvalidRequestError for anything but such a
        form, ImageTooLargeError and ClientDisconnect; call `close` in any case.
        """
        form = Form(boundary_of(request), self._files, MAX_FILES)
        error = partial(_batch_too_large, max_bytes)
        async for chunk in limited(request, max_bytes + FORM_ALLOWANCE, error):
            await self._wait_for_room(len(chunk))
            form.feed(chunk)
            while self._files.complete:
                await self._wait_to_start()
                yield self._files.complete.popleft()
        form.finish()
        if not self._files.count:
            raise InvalidRequestError(f"The form has no field '{FIELD}'. {HINT}")

    def start(self, item: Item, line: Coroutine[Any, Any, bytes]) -> None:
        """Start the coroutine that makes the line of an item; it must not raise."""
        task = asyncio.create_task(line)
        self._tasks.append(task)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # Not in the task itself: a task cancelled before it started never reaches its `finally`.
        task.add_done_callback(lambda _: item.close())

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield the lines in the order of completion."""
        for ready in asyncio.as_completed(self._tasks):
            yield await ready

    async def close(self) -> None:
        """Cancel the running tasks and drop all bytes."""
        self._files.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _wait_for_room(self, size: int) -> None:
        """Wait while images of this batch hold the memory that the next bytes need."""
        while self._running and not self._budget.has_room(size):
            await self._wait_for_one()

    async def _wait_to_start(self) -> None:
        while len(self._running) >= AT_ONCE:
            await self._wait_for_one()

    async def _wait_for_one(self) -> None:
        with self._files.paused():
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
