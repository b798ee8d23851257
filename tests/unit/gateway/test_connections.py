"""Real sockets: connections are kept, shared by none, and dropped when they break."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from gateway.connections import Connections

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Counts the connections it was given and those that are open."""

    def __init__(self, answer: Answer) -> None:
        self.opened = 0
        self.open = 0
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    """A server that answers so, and a client of it."""
    server = Server(answer)
    listener = await asyncio.start_server(server, "127.0.0.1")
    port = listener.sockets[0].getsockname()[1]
    async with httpx.AsyncClient(
        transport=Connections(30), base_url=f"http://127.0.0.1:{port}", trust_env=False
    ) as client:
        yield server, client
    listener.close()


async def at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


async def after_a_moment(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.05)
    writer.write(OK)


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def and_hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)
    writer.close()


async def with_half_an_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK[:-1])
    writer.close()


async def test_one_connection_serves_request_after_request() -> None:
    """No handshake per request."""
    async with serving(at_once) as (server, client):
        assert [(await client.get("/")).text for _ in range(5)] == ["ok"] * 5
        assert server.opened == 1


async def test_requests_at_once_have_a_connection_each_and_keep_it() -> None:
    """None waits for another; the next round needs no new ones."""
    async with serving(after_a_moment) as (server, client):
        for _ in range(2):
            await asyncio.gather(*[client.get("/") for _ in range(5)])
        assert server.opened == 5


async def test_a_cancelled_request_drops_its_connection() -> None:
    """The answer that comes too late can never be taken for another request's."""
    async with serving(never) as (server, client):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.get("/")
        await asyncio.sleep(0.05)
        assert (server.opened, server.open) == (1, 0)


async def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    """An idle connection is looked at before it is used."""
    async with serving(and_hangs_up) as (server, client):
        for _ in range(3):
            assert (await client.get("/")).text == "ok"
            await asyncio.sleep(0.01)
        assert server.opened == 3


async def test_half_an_answer_is_a_failure() -> None:
    """A cut answer is never passed on."""
    async with serving(with_half_an_answer) as (_, client):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/")


async def test_a_refused_connection_is_a_failure_and_the_next_is_tried() -> None:
    """A server that comes back is found again."""
    async with serving(at_once) as (_, client):
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:1/")
        assert (await client.get("/")).text == "ok"
