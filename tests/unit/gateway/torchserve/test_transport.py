"""Connections to TorchServe on real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from yarl import URL

from gateway.torchserve.transport import AiohttpTransport, Response, Timeouts

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Responder = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """A server that counts its connections, in total and open."""

    def __init__(self, respond: Responder) -> None:
        self.opened = 0
        self.open = 0
        self.head = b""
        self._respond = respond

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.head = head
                await self._respond(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # the client is gone, or its body was not read
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def serving(respond: Responder) -> AsyncIterator[tuple[Server, "Client"]]:
    """A server with this responder, and a client of it."""
    server = Server(respond)
    listener = await asyncio.start_server(server, "127.0.0.1")
    port = listener.sockets[0].getsockname()[1]
    async with connected(f"http://127.0.0.1:{port}/") as client:
        yield server, client
    listener.close()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["Client"]:
    """A client of a URL."""
    transport = AiohttpTransport(30)
    yield Client(transport, url)
    await transport.close()


class Client:
    """A client that posts to one URL."""

    def __init__(self, transport: AiohttpTransport, url: str) -> None:
        self._transport = transport
        self._url = url

    async def post(
        self, *blocks: bytes, url: str | None = None, connect_s: float = 0.2, read_s: float = 5
    ) -> Response:
        """Send a body of these blocks."""

        async def body() -> AsyncIterator[bytes | bytearray]:
            for block in blocks:
                yield block

        length = {"Content-Length": str(sum(map(len, blocks)))}
        timeouts = Timeouts(connect_s=connect_s, read_s=read_s)
        return await self._transport.post(URL(url or self._url), length, body(), timeouts)


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


async def with_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")


async def with_what_it_got(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = await reader.readexactly(600_000)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n" + body)


async def with_a_redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")


async def test_one_connection_serves_request_after_request() -> None:
    """A connection is reused."""
    async with serving(at_once) as (server, client):
        assert [(await client.post()).content for _ in range(5)] == [b"ok"] * 5
        assert server.opened == 1


async def test_requests_at_once_have_a_connection_each_and_keep_it() -> None:
    """Concurrent requests do not wait for each other, and their connections are reused."""
    async with serving(after_a_moment) as (server, client):
        for _ in range(2):
            await asyncio.gather(*[client.post() for _ in range(5)])
        assert server.opened == 5


async def test_a_cancelled_request_drops_its_connection() -> None:
    """A late response can never be read by another request."""
    async with serving(never) as (server, client):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.post()
        await asyncio.sleep(0.05)
        assert (server.opened, server.open) == (1, 0)


async def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    """An idle connection is checked before it is reused."""
    async with serving(and_hangs_up) as (server, client):
        for _ in range(3):
            assert (await client.post()).content == b"ok"
            await asyncio.sleep(0.01)
        assert server.opened == 3


async def test_a_refused_connection_is_a_failure_and_the_next_is_tried() -> None:
    """A request after a refused connection connects again."""
    async with serving(at_once) as (_, client):
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.post(url="http://127.0.0.1:1/")
        assert (await client.post()).content == b"ok"


BLOCKS = (b"a" * 300_000, b"b" * 300_000)


async def test_a_body_is_sent_whole_and_as_it_comes() -> None:
    """The body is sent with its length, not chunked, and without headers of the library."""
    async with serving(with_what_it_got) as (server, client):
        for _ in range(2):
            response = await client.post(*BLOCKS)
            assert (response.status_code, response.headers["content-length"]) == (200, "600000")
            assert response.content == b"".join(BLOCKS)
        assert server.opened == 1
        sent = {line.partition(b":")[0].lower() for line in server.head.splitlines()[1:-1]}
        assert sent == {b"content-length", b"host"}


@pytest.mark.parametrize("blocks", [(), BLOCKS], ids=["empty", "large"])
@pytest.mark.parametrize(
    ("responder", "kind"),
    [
        (with_half_an_answer, aiohttp.ClientError),
        (with_nonsense, aiohttp.ClientError),
        (never, TimeoutError),
    ],
)
async def test_a_request_without_a_complete_response_is_a_failure(
    responder: Responder, kind: type[Exception], blocks: tuple[bytes, ...]
) -> None:
    """A truncated response is an error, and silence is a timeout."""
    async with serving(responder) as (_, client):
        with pytest.raises(kind) as failure:
            await client.post(*blocks, read_s=0.1)
    assert isinstance(failure.value, TimeoutError) == (kind is TimeoutError)
    assert not isinstance(failure.value, aiohttp.ConnectionTimeoutError)


async def test_a_full_backlog_is_a_connection_timeout() -> None:
    """A full backlog is a connection timeout, long before the response would be late."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        host, port = full.getsockname()
        with socket.create_connection((host, port)):
            async with connected(f"http://{host}:{port}/") as client:
                with pytest.raises(aiohttp.ConnectionTimeoutError):
                    await client.post(read_s=60)


async def test_a_redirect_is_not_followed() -> None:
    """A redirect is not followed, so the image is sent to no other URL."""
    async with serving(with_a_redirect) as (server, client):
        assert (await client.post(*BLOCKS)).status_code == 302
        assert server.opened == 1
