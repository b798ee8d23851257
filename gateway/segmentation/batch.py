"""Many images in one request: each is computed as soon as it has arrived, and fails for itself."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any, Final

from starlette.requests import Request

from gateway.admission.upload_budget import Buffer, Memory
from gateway.errors import (
    GatewayError,
    ImageTooLargeError,
    InvalidRequestError,
    UnreadableImageError,
)
from gateway.http.multipart import FIELD, HINT, Form, boundary_of
from gateway.http.uploads import FORM_ALLOWANCE, limited, too_large

MAX_FILES: Final = 100
# Images of one request that are computed or wait for it at once: enough to keep the workers busy,
# and few enough that others get their turn between them.
AT_ONCE: Final = 8


class Item:
    """One file: its bytes, or why they were not kept."""

    def __init__(self, index: int, name: str, memory: Memory, max_bytes: int) -> None:
        self.index = index
        self.name = name
        self.error: GatewayError | None = None
        self._max_bytes = max_bytes
        self._stack = ExitStack()
        self.image: Buffer = self._stack.enter_context(memory.buffer())
        self.image.begin()

    def append(self, data: memoryview) -> None:
        """Keeps the next bytes, or drops them all when they are too many."""
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
        """All bytes have arrived."""
        try:
            self.image.end()
        except GatewayError as exc:
            self.error = self.error or exc
        if self.error is None and self.image.size == 0:
            self.error = UnreadableImageError("The file is empty. Send an image.")

    def close(self) -> None:
        """Lets go of the bytes."""
        self._stack.close()


class _Files:
    """Receives the files of a form."""

    def __init__(self, memory: Memory, max_bytes: int) -> None:
        self._memory = memory
        self._max_bytes = max_bytes
        self._last: Item | None = None
        self.complete: deque[Item] = deque()
        self.count = 0

    def begin(self, name: str) -> None:
        self._last = Item(self.count, name, self._memory, self._max_bytes)
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
        """While nothing is read: a file of which a part has arrived is no slow upload then."""
        return nullcontext() if self._last is None else self._last.image.paused()

    def close(self) -> None:
        """Lets go of files that nobody took."""
        left = [*self.complete, *([self._last] if self._last is not None else [])]
        for item in left:
            item.close()


Work = Callable[[Item], Coroutine[Any, Any, bytes]]


class Batch:
    """The files of one request on their way: read, computed, answered."""

    def __init__(self, memory: Memory, max_bytes: int, work: Work) -> None:
        """work: what becomes of an item, which it may not fail; gives a line of the answer."""
        self._memory = memory
        self._files = _Files(memory, max_bytes)
        self._work = work
        self._running: set[asyncio.Task[bytes]] = set()
        self._tasks: list[asyncio.Task[bytes]] = []

    async def read(self, request: Request, max_bytes: int) -> None:
        """Reads the whole form while its first images are computed already.

        Raises InvalidRequestError for what is no such form, ImageTooLargeError for more than
        max_bytes in all, and ClientDisconnect; call `close` in any case.
        """
        form = Form(boundary_of(request), self._files, MAX_FILES)
        error = ImageTooLargeError(
            f"The request has more than {max_bytes} bytes. Send fewer files."
        )
        async for chunk in limited(request, max_bytes + FORM_ALLOWANCE, error):
            await self._until_there_is_room(len(chunk))
            form.feed(chunk)
            await self._start()
        form.finish()
        if not self._files.count:
            raise InvalidRequestError(f"The form has no field '{FIELD}'. {HINT}")

    async def answers(self) -> AsyncIterator[bytes]:
        """The lines of the answer, in the order in which they are ready."""
        for ready in asyncio.as_completed(self._tasks):
            yield await ready

    async def close(self) -> None:
        """Ends what is still computed, and lets go of every byte."""
        self._files.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _start(self) -> None:
        while self._files.complete:
            while len(self._running) >= AT_ONCE:
                await self._until_one_is_ready()
            self._begin(self._files.complete.popleft())

    def _begin(self, item: Item) -> None:
        task = asyncio.create_task(self._work(item))
        self._tasks.append(task)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # Not in the task itself: one that is cancelled before it began comes to no `finally`.
        task.add_done_callback(lambda _: item.close())

    async def _until_there_is_room(self, size: int) -> None:
        """While images of our own hold what the next bytes need: one of them is waited for."""
        while self._running and not self._memory.has_room(size):
            await self._until_one_is_ready()

    async def _until_one_is_ready(self) -> None:
        with self._files.paused():
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
