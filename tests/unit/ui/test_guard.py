"""The page answers to its own names and its own pages only, and cannot be framed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from ui.guard import Guard, is_own

OWN = [
    "127.0.0.1",
    "127.0.0.1:8501",
    "192.168.1.5:8501",
    "[::1]:8501",
    "[::1]",
    "localhost:8501",
    "LOCALHOST",
    "my-machine:8501",
    "segserve.localhost:8501",
    "seg.example.org",
    "SEG.example.org:8443",
]
FOREIGN = [
    "evil.test",
    "evil.test:8501",
    "127.0.0.1.evil.test",
    "localhost.evil.test:8501",
    "evil.test:127.0.0.1",
    "seg.example.org.evil.test",
    "xseg.example.org",
    "localhost.",
    "evil.testlocalhost",
    "127.1",
    "::1",
    "evil@127.0.0.1",
    "",
    "*",
]


@contextmanager
def page(host: str = "127.0.0.1:8501") -> Iterator[TestClient]:
    """A client of a guarded application that answers everything."""

    async def answer(_: object) -> PlainTextResponse:
        return PlainTextResponse("the page")

    async def accept(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("the page")

    app = Starlette(
        routes=[
            WebSocketRoute("/{path:path}", accept),
            Route("/{path:path}", answer, methods=["GET", "PUT"]),
        ],
        middleware=[Middleware(Guard, hosts=("127.0.0.1", "seg.example.org"))],
    )
    with TestClient(app, headers={"Host": host}) as client:
        yield client


@pytest.mark.parametrize("host", OWN)
def test_its_own_names_are_answered(host: str) -> None:
    """Addresses, local names and the names of the settings, on any port."""
    with page(host) as client:
        assert client.get("/").text == "the page"
        with client.websocket_connect("/_stcore/stream", headers={"Host": host}) as socket:
            assert socket.receive_text() == "the page"


@pytest.mark.parametrize("host", FOREIGN)
def test_another_name_is_refused(host: str) -> None:
    """DNS rebinding: the name of another site that points at this machine."""
    with page(host) as client:
        response = client.get("/")
        assert response.status_code == 421
        assert "SEGSERVE_UI_HOSTS" in response.text
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            client.websocket_connect("/_stcore/stream", headers={"Host": host}),
        ):
            pass
        assert refused.value.status_code == 421


def test_two_names_are_refused() -> None:
    """A proxy might have checked the other one."""
    with page() as client:
        hosts = [("Host", "127.0.0.1"), ("Host", "evil.test")]
        assert client.get("/", headers=hosts).status_code == 421


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.test",
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1:3000",
        "http://localhost:8501",
        "http://127.0.0.1:8501.evil.test",
        "http://[",
        "127.0.0.1:8501",
        "",
    ],
)
def test_pages_of_other_origins_are_refused(origin: str) -> None:
    """Requests of scripts, and WebSockets, which browsers open to any site."""
    with page() as client:
        assert client.put("/_stcore/upload_file/a/b", headers={"Origin": origin}).status_code == 403
        headers = {"Host": "127.0.0.1:8501", "Origin": origin}
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            client.websocket_connect("/_stcore/stream", headers=headers),
        ):
            pass
        assert refused.value.status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost:8501", "seg.example.org"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_page_itself_is_served(scheme: str, host: str) -> None:
    """Its own WebSocket and uploads name its own origin; a proxy may end TLS."""
    headers = {"Host": host, "Origin": f"{scheme}://{host}"}
    with page(host) as client:
        assert client.put("/_stcore/upload_file/a/b", headers=headers).status_code == 200
        with client.websocket_connect("/_stcore/stream", headers=headers) as socket:
            assert socket.receive_text() == "the page"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/static/js/index.js", 200),
        ("/media/0a.png", 200),
        ("/_stcore/health", 200),
        ("/_stcore/host-config", 200),
        ("/_stcore/metrics", 404),
        ("/_stcore/metrics/", 404),
        ("http://page//_stcore/metrics", 404),
        ("/%5Fstcore/metrics", 404),
        ("/_stcore/metrics?families=x", 404),
        ("/_stcore/agent/mcp", 404),
        ("/_stcore/script-health-check", 404),
        ("/_stcore", 404),
        ("/_stcore/healthy", 404),
    ],
)
def test_of_streamlits_own_routes_only_what_the_page_needs_is_open(path: str, status: int) -> None:
    """Its metrics tell strangers about visitors."""
    with page() as client:
        assert client.get(path).status_code == status


@pytest.mark.parametrize(("host", "path"), [("127.0.0.1", "/"), ("evil.test", "/"), ("::1", "/x")])
def test_no_response_can_be_framed(host: str, path: str) -> None:
    """Nor taken for another type, nor embedded; addresses of the page stay with it."""
    with page(host) as client:
        headers = client.get(path).headers
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_any_name_can_be_allowed() -> None:
    """The settings' * is for networks whose names are not known beforehand."""
    assert is_own("evil.test", frozenset("*"))
