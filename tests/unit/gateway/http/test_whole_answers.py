"""What is written at once is sent at once, and nothing stays behind."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from gateway.http.whole_answers import WholeAnswers
from tests.unit.gateway.doubles import serving


class Recorder(asyncio.Transport):
    """Notes what is sent together."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.is_open = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """One piece."""
        if self.is_open:
            self.sent.append(bytes(data))

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Several pieces, which a socket gets with one call."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Nothing may follow."""
        self.is_open = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Something that only this transport knows."""
        return f"{name} of the recorder"


def after(*steps: bytes | None, closing: bool = False) -> Recorder:
    """What was sent, where None is another round of the loop."""

    async def run() -> Recorder:
        recorder = Recorder()
        transport = WholeAnswers(recorder, asyncio.get_running_loop())
        for step in steps:
            if step is None:
                await asyncio.sleep(0)
            else:
                transport.write(step)
        if closing:
            transport.close()
        recorder.is_open = False  # what the end of the loop would still send does not count
        return recorder

    return asyncio.run(run())


def test_head_and_body_are_sent_together() -> None:
    assert after(b"head", b"body").sent == [b"headbody"]


def test_a_head_alone_is_sent_in_the_next_round() -> None:
    assert after(b"head").sent == []
    assert after(b"head", None).sent == [b"head"]
    assert after(b"head", None, b"body", None).sent == [b"head", b"body"]


def test_pieces_keep_their_order_and_none_is_sent_twice() -> None:
    sent = after(b"a", b"b", b"c", None, b"d", b"", b"e", None, None).sent
    assert sent == [b"ab", b"c", b"d", b"e"]


def test_what_is_kept_is_sent_before_the_end() -> None:
    assert after(b"head", closing=True).sent == [b"head"]


def test_everything_else_is_the_transports_own() -> None:
    async def run() -> Any:
        transport = WholeAnswers(Recorder(), asyncio.get_running_loop())
        return transport.get_extra_info("peername")

    assert asyncio.run(run()) == "peername of the recorder"


def test_a_stream_arrives_piece_by_piece() -> None:
    arrived = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.wait_for(arrived.wait(), 5)  # never, if the first piece is kept
        yield b"second"

    async def stream(_: Request) -> StreamingResponse:
        return StreamingResponse(pieces())

    async def release(_: Request) -> StreamingResponse:
        arrived.set()
        return StreamingResponse(iter(()))

    app = Starlette(routes=[Route("/stream", stream), Route("/release", release)])
    with (
        serving(app) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
        client.stream("GET", "/stream") as answer,
    ):
        found = answer.iter_raw()
        assert next(found) == b"first"
        client.get("/release")
        assert b"".join(found) == b"second"
