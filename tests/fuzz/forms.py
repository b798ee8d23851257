"""Target: uploads with any content type, length and body, in any pieces.

An input is two bytes (flags, and the length of the pieces), a line each with Content-Type and
Content-Length, and the body.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from gateway.admission.upload_budget import UploadBudget
from gateway.errors import GatewayError
from gateway.http.uploads import read_image
from gateway.segmentation.batch import Batch, Item
from tests.fuzz.target import Target, replay

RAW, BATCH, CUT = 1, 2, 4
MAX_IMAGE_BYTES = 100
# More pieces would make long bodies slow.
MAX_PIECES = 64
BOUNDARY = b"x-1"
FORM = b"multipart/form-data; boundary=" + BOUNDARY
FILE = b'form-data; name="file"; filename="a.jpg"'
RUNNER = asyncio.Runner()

Files = list[bytes]


@dataclass(frozen=True)
class Upload:
    """A request, as parsed from an input."""

    flags: int
    piece: int
    content_type: bytes
    length: bytes
    body: bytes

    def request(self, piece: int) -> Request:
        """Make a request that arrives in pieces of so many bytes, and may end too early."""
        headers = [(b"content-type", self.content_type)]
        if self.length:
            headers.append((b"content-length", self.length))
        messages = self._messages(max(1, piece, len(self.body) // MAX_PIECES))

        async def receive() -> Message:
            return next(messages)

        return Request({"type": "http", "headers": headers}, receive)

    def _messages(self, piece: int) -> Iterator[Message]:
        for start in range(0, len(self.body), piece):
            part = self.body[start : start + piece]
            yield {"type": "http.request", "body": part, "more_body": True}
        if not self.flags & CUT:
            yield {"type": "http.request", "body": b"", "more_body": False}
        while True:
            yield {"type": "http.disconnect"}


def upload_of(data: bytes) -> Upload:
    """Parse an input; missing parts are empty."""
    head, rest = data[:2].ljust(2, b"\0"), data[2:]
    content_type, _, rest = rest.partition(b"\n")
    length, _, body = rest.partition(b"\n")
    return Upload(head[0], head[1], content_type, length, body)


def check(data: bytes) -> None:
    """Only our errors are raised, no memory is leaked, and pieces do not change the result."""
    upload = upload_of(data)
    read = _batch if upload.flags & BATCH else _image
    in_pieces = RUNNER.run(_accepted(read, upload, upload.piece))
    whole = RUNNER.run(_accepted(read, upload, len(upload.body)))
    assert in_pieces == whole


async def _accepted(
    read: Callable[[Upload, int, UploadBudget], Awaitable[Files]], upload: Upload, piece: int
) -> Files | None:
    """The files of a request, or None if it was refused."""
    budget = UploadBudget(2**20)
    try:
        files = await read(upload, piece, budget)
    except (GatewayError, ClientDisconnect):
        files = None
    assert budget.held == 0
    return files


async def _image(upload: Upload, piece: int, budget: UploadBudget) -> Files:
    raw = bool(upload.flags & RAW)
    with budget.upload() as image:
        await read_image(upload.request(piece), MAX_IMAGE_BYTES, image, raw=raw)
        assert 0 < image.size <= MAX_IMAGE_BYTES
        return [b"".join(image.blocks)]


async def _batch(upload: Upload, piece: int, budget: UploadBudget) -> Files:
    batch = Batch(budget, MAX_IMAGE_BYTES)
    try:
        async for item in batch.read(upload.request(piece), 10 * MAX_IMAGE_BYTES):
            batch.start(item, _line(item))
        return sorted([line async for line in batch.lines()])
    finally:
        await batch.close()


async def _line(item: Item) -> bytes:
    content = b"".join(item.image.blocks) if item.error is None else item.error.code.encode()
    return b"%d %s %s" % (item.index, item.name.encode(), content)


def _form(dispositions: Iterable[bytes], content: bytes = b"a photo\r\n--x-") -> bytes:
    parts = (
        b"--%s\r\nContent-Disposition: %s\r\nContent-Type: image/jpeg\r\n\r\n%s\r\n"
        % (BOUNDARY, disposition, content)
        for disposition in dispositions
    )
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def seeds() -> list[bytes]:
    """Forms with one file, several files, text and unusual names; a body that is the image."""
    named = b"form-data; name=file; filename*=utf-8''%e2%82%ac.jpg"
    split = b'form-data; name="file"; filename*0="a"; filename*1*=%20b'
    text = b'form-data; name="note"'
    one, two = _form([text, FILE]), _form([FILE, text, named, split])
    return [
        b"\0\0" + FORM + b"\n\n" + one,
        b"\0\1" + FORM + b"\n%d\n" % len(one) + one,
        b"\0\7" + FORM + b"\n\n" + _form([named]),
        b"\0\7" + FORM + b"\n\n" + _form([split]),
        b"\2\5" + FORM + b"\n\n" + two,
        b"\2\0" + FORM + b"\n\n" + _form([FILE, FILE], bytes(MAX_IMAGE_BYTES + 1)),
        b"\2\0" + FORM + b"\n\n" + _form([FILE] * 10, b"x"),
        b"\4\5" + FORM + b"\n\n" + one[:-9],
        b"\1\5image/jpeg\n\na photo",
    ]


WORDS = (
    *(b"\r\n", b"--x-1", b"--x-1--", b'name="file"', b'filename="', b"filename*=", b"filename*0*="),
    *(
        b"Content-Disposition:",
        b"multipart/form-data",
        b"boundary=",
        b"utf-8''",
        b"%ff",
        b"\\",
        b";",
    ),
)
TARGET = Target(check, seeds, WORDS)

if __name__ == "__main__":
    replay(TARGET)
