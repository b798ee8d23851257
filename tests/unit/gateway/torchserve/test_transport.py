"""Real sockets: connections are kept, shared by none, and dropped when they break."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from yarl import URL

from gateway.torchserve.transport import Answer, Connections, Patience

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Answers = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Counts the connections it was given and those that are open."""

    def __init__(self, answer: Answers) -> None:
        self.opened = 0
        self.open = 0
        self.head = b""
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.head = head
                await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # the client is gone, or sent a body that nobody read
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def serving(answer: Answers) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
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


async def with_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")


async def with_what_it_got(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = await reader.readexactly(600_000)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n" + body)


async def with_a_redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")


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


async def test_silence_is_a_time_out() -> None:
    """Of the kind that is told apart from a server which takes no connections."""
    async with serving(never) as (_, client):
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/", timeout=0.05)


async def test_a_server_that_takes_no_connection_is_a_time_out_of_its_own() -> None:
    """Its queue of connections is full, and nobody accepts any."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        async with httpx.AsyncClient(transport=Connections(30)) as client:
            with socket.create_connection(address), pytest.raises(httpx.ConnectTimeout):
                await client.get(f"http://{address[0]}:{address[1]}/", timeout=0.1)


async def test_nonsense_is_a_failure() -> None:
    """What answers there is no web server."""
    async with serving(with_nonsense) as (_, client):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/")


BLOCKS = (b"a" * 300_000, b"b" * 300_000)


async def _post(connections: Connections, address: object, read_s: float = 5) -> Answer:
    async def body() -> AsyncIterator[bytes]:
        for block in BLOCKS:
            yield block

    length = {"Content-Length": str(sum(map(len, BLOCKS)))}
    patience = Patience(connect_s=0.2, read_s=read_s)
    return await connections.post(URL(str(address)), length, body(), patience)


async def test_a_body_is_sent_whole_and_as_it_comes() -> None:
    """With the length that was announced, without chunks of the protocol's own."""
    connections = Connections(30)
    async with serving(with_what_it_got) as (server, client):
        for _ in range(2):
            answer = await _post(connections, client.base_url)
            assert (answer.status_code, answer.headers["content-length"]) == (200, "600000")
            assert answer.content == b"".join(BLOCKS)
        assert server.opened == 1
        said = {line.partition(b":")[0].lower() for line in server.head.splitlines()[1:-1]}
        assert said == {b"content-length", b"host"}
    await connections.aclose()


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (with_half_an_answer, httpx.RemoteProtocolError),
        (with_nonsense, httpx.RemoteProtocolError),
        (never, httpx.ReadTimeout),
    ],
)
async def test_a_body_without_an_answer_is_the_same_failure_as_a_question(
    answers: Answers, kind: type[httpx.HTTPError]
) -> None:
    """In httpx's names, which the rest of the gateway knows."""
    connections = Connections(30)
    async with serving(answers) as (_, client):
        with pytest.raises(kind):
            await _post(connections, client.base_url, read_s=0.1)
    with pytest.raises(httpx.ConnectError):
        await _post(connections, "http://127.0.0.1:1/")
    await connections.aclose()


async def test_a_body_for_whom_nobody_takes_a_connection_has_a_time_out_of_its_own() -> None:
    """Long before the answer's."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        host, port = full.getsockname()
        connections = Connections(30)
        with socket.create_connection((host, port)), pytest.raises(httpx.ConnectTimeout):
            await _post(connections, f"http://{host}:{port}/", read_s=60)
        await connections.aclose()


async def test_a_redirect_of_a_body_is_an_answer() -> None:
    """The photograph goes nowhere else."""
    connections = Connections(30)
    async with serving(with_a_redirect) as (server, client):
        assert (await _post(connections, client.base_url)).status_code == 302
        assert server.opened == 1
    await connections.aclose()


async def test_only_questions_go_by_httpx() -> None:
    """A body would be left out without a word."""
    async with serving(at_once) as (server, client):
        with pytest.raises(httpx.UnsupportedProtocol):
            await client.post("/", content=b"image")
        assert server.opened == 0


async def test_nothing_is_said_that_was_not_asked_for() -> None:
    """No header of the library's own, and a redirect is an answer like any other."""
    async with serving(with_a_redirect) as (server, client):
        request = httpx.Request("GET", f"{client.base_url}", headers={"Host": "here"})
        connections = Connections(30)
        answer = await connections.handle_async_request(request)
        await connections.aclose()
        assert (answer.status_code, server.opened) == (302, 1)
        assert server.head.lower().splitlines()[1:] == [b"host: here", b""]
