"""Who may ask for what, on every route that there is."""

import logging
import re
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.types import Receive, Scope, Send

from gateway.app import create_app
from gateway.keys.access import Access, requires_keys, startup_refusal
from gateway.keys.cache import KeyCache
from gateway.keys.principal import ANONYMOUS, ANONYMOUS_ADMIN, Principal
from gateway.keys.store import KeyStore
from tests.unit.gateway.doubles import TorchServeDouble, application, serving, settings

pytestmark = pytest.mark.anyio

# All that is answered without a key, and nothing else.
PUBLIC = {
    "/healthz",
    "/readyz",
    "/docs",
    "/openapi.json",
    "/v2/health/live",
    "/v2/health/ready",
    "/v1/label-studio/health",
    "/docs/assets/swagger-ui.css",
}
ADMIN = re.compile(r"/metrics|/v1/admin(/.*)?")


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    """(method, path) of every route, with something in place of each parameter."""
    found = []
    for route in iter_route_contexts(app.routes):
        if route.methods is None:  # the files of the documentation
            found.append(("GET", f"{route.path}/swagger-ui.css"))
            continue
        path = re.sub(r"\{[^}]+\}", "x", str(route.path))
        found += [(method, path) for method in route.methods]
    return sorted(found)


ROUTES = routes_of(application(TorchServeDouble()))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> KeyStore:
    """A file of keys."""
    return KeyStore(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def user(file: KeyStore) -> str:
    """A key with the role user."""
    return file.add("app", "user")[1]


@pytest.fixture(scope="module")
def admin(file: KeyStore) -> str:
    """A key with the role admin."""
    return file.add("boss", "admin")[1]


@pytest.fixture(scope="module")
def protected(file: KeyStore, user: str, admin: str) -> FastAPI:
    """A gateway that asks for these keys; pages of one origin may ask it."""
    return _asking(file)


def _asking(file: KeyStore) -> FastAPI:
    wanted = settings(auth="on", keys_file=file.path, cors_origins="https://app.test")
    torchserve = TorchServeDouble()
    return create_app(wanted, torchserve, torchserve)


@pytest.fixture
async def gateway(protected: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it, without a key."""
    transport = httpx.ASGITransport(protected, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as found:
        yield found


def bearer(key: str) -> dict[str, str]:
    """The header of a client that has a key."""
    return {"Authorization": f"Bearer {key}"}


def test_the_walk_meets_the_routes() -> None:
    """An empty list would pass every test below."""
    assert {("POST", "/segmentation"), ("DELETE", "/v1/admin/keys/x")} <= set(ROUTES)
    assert ("GET", "/docs/assets/swagger-ui.css") in ROUTES


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_a_key_only_the_public_routes_answer(
    gateway: httpx.AsyncClient, method: str, path: str
) -> None:
    """Every other one is a 401 that says how to send a key."""
    answer = await gateway.request(method, path)
    if path in PUBLIC:
        assert answer.status_code not in {401, 403, 500}
        return
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    if method != "HEAD":
        assert answer.json()["code"] == "unauthorized"


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_user_is_no_admin(
    gateway: httpx.AsyncClient, user: str, method: str, path: str
) -> None:
    """403 on every route of the admins, and only there."""
    answer = await gateway.request(method, path, headers=bearer(user))
    assert (answer.status_code == 403) == bool(ADMIN.fullmatch(path))
    assert answer.status_code not in {401, 500}


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_an_admin_passes_everywhere(
    gateway: httpx.AsyncClient, admin: str, method: str, path: str
) -> None:
    """What the route then says is its own business, but never a 500."""
    answer = await gateway.request(method, path, headers=bearer(admin))
    assert answer.status_code not in {401, 403, 500}


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_where_no_keys_are_asked_for_this_machine_is_an_admin(
    tmp_path: Path, method: str, path: str
) -> None:
    """By whatever name of it."""
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000"):
        answer = await _open_to(tmp_path, "127.0.0.1", host, method, path)
        assert answer.status_code not in {401, 403, 500}


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    ("client", "host"),
    [
        ("192.0.2.7", "127.0.0.1"),  # a network
        ("127.0.0.1", "gateway.example"),  # a page whose name leads to this machine
        ("127.0.0.1", "127.0.0.1.example:8000"),
        ("192.0.2.7", "[broken"),
    ],
)
async def test_where_no_keys_are_asked_for_others_are_no_admins(
    tmp_path: Path, client: str, host: str, method: str, path: str
) -> None:
    """They use the model; the keys are none of their business."""
    answer = await _open_to(tmp_path, client, host, method, path)
    assert (answer.status_code == 403) == path.startswith("/v1/admin")
    assert answer.status_code not in {401, 500}


async def _open_to(folder: Path, client: str, host: str, method: str, path: str) -> httpx.Response:
    """What a gateway without keys answers to a client."""
    app = application(TorchServeDouble(), keys_file=folder / "keys.json")
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(client, 1234))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as gateway:
        return await gateway.request(method, path, headers={"Host": host})


@pytest.mark.parametrize(
    "path",
    [
        "/nope",
        "/healthz/",
        "/Healthz",
        "//healthz",
        "/healthz/../v1/models",
        "/docs/assetsx",
        "/docs/x",
        "/v1/admin",
        "/v1/admin/",
        "/v1/admin/keys/",
        "/v1/adminx",
        "/metrics/",
        "/v2/health/live/x",
        "/%68ealthz%00",
    ],
)
async def test_what_is_not_listed_needs_a_key(gateway: httpx.AsyncClient, path: str) -> None:
    """Also what is not there: nobody learns which routes there are."""
    assert (await gateway.get(path)).status_code == 401


@pytest.mark.parametrize("path", ["/docs/assets/../../v1/models", "/docs/assets/%2e%2e/x"])
async def test_the_public_folder_leads_nowhere_else(protected: FastAPI, path: str) -> None:
    """The path is matched as it is checked, and never tidied up in between."""
    sent: list[int] = []

    async def send(message: Any) -> None:
        sent.append(message.get("status", 0))

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode()}
    scope |= {"headers": [], "query_string": b"", "root_path": "", "http_version": "1.1"}
    await protected(scope, receive, send)
    assert sent[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        lambda key: {"Authorization": f"Bearer {key}"},
        lambda key: {"authorization": f"bearer  {key} "},
        lambda key: {"X-API-Key": key},
        lambda key: {"X-API-Key": key, "Authorization": "Digest dTpw"},
        lambda key: {"Authorization": f"Basic {b64encode(f'any:{key}'.encode()).decode()}"},
    ],
)
async def test_a_key_comes_in_either_header(
    gateway: httpx.AsyncClient, user: str, headers: Any
) -> None:
    """Beside what a proxy in front may ask for itself."""
    assert (await gateway.get("/v1/models", headers=headers(user))).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer sgs_x_y"},
        {"Authorization": "Bearer " + "x" * 50_000},
        {"Authorization": "Basic dTpw"},
        {"X-API-Key": ""},
        {"X-API-Key": "\u00fc\u00ff".encode("latin-1")},
        {"X-API-Key": "a\tb"},
    ],
)
async def test_a_wrong_key_is_a_401(gateway: httpx.AsyncClient, headers: Any) -> None:
    """Whatever it is made of."""
    answer = await gateway.get("/v1/models", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_a_key_is_in_no_log_line_and_no_error(
    gateway: httpx.AsyncClient, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A right one, a wrong one, and one without the role."""
    wrong = user[:-4] + "zzzz"
    with caplog.at_level(logging.DEBUG):
        answers = [
            await gateway.get(path, headers={"X-API-Key": key, **bearer(key)})
            for path in ("/v1/models", "/v1/admin/keys", "/nope")
            for key in (user, wrong)
        ]
    seen = caplog.text + "".join(f"{answer.headers}{answer.text}" for answer in answers)
    assert "/v1/models" in seen
    assert user[-32:-4] not in seen


async def test_a_preflight_needs_no_key(gateway: httpx.AsyncClient) -> None:
    """A browser sends none with it; the answer to the request itself can be read, also a 401."""
    asked = {"Origin": "https://app.test", "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "authorization"
    answer = await gateway.options("/segmentation", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.test"
    refused = await gateway.post("/segmentation", headers={"Origin": "https://app.test"})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "https://app.test"


async def _principal(access_of: KeyCache | None, path: str, key: str) -> Principal:
    """Whom the application behind the middleware sees."""
    found: list[Principal] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        found.append(scope["state"]["principal"])

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    headers = [(b"x-api-key", key.encode())]
    scope: Scope = {"type": "http", "path": path, "headers": headers, "state": {}}
    await Access(app, access_of)(scope, nothing, nothing)
    return found[0]


async def test_the_application_learns_who_asks(tmp_path: Path) -> None:
    """Id, name, role and limits, never the key."""
    file = KeyStore(tmp_path / "keys.json")
    key, presented = file.add("app", "user", "5/second", 2)
    register = KeyCache(file)
    expected = Principal(key.id, "app", "user", "5/second", 2)
    assert await _principal(register, "/v1/models", presented) == expected
    assert await _principal(register, "/healthz", presented) == ANONYMOUS
    assert await _principal(None, "/v1/models", presented) == ANONYMOUS_ADMIN


@pytest.mark.parametrize(
    ("auth", "host", "expected"),
    [
        ("auto", "127.0.0.1", False),
        ("auto", "127.8.8.8", False),
        ("auto", "::1", False),
        ("auto", "localhost", False),
        ("auto", "0.0.0.0", True),  # noqa: S104
        ("auto", "::", True),
        ("auto", "10.0.0.5", True),
        ("auto", "gateway.test", True),
        ("auto", "", True),
        ("on", "127.0.0.1", True),
        ("off", "0.0.0.0", False),  # noqa: S104
    ],
)
def test_keys_are_asked_for_where_others_could_come(
    tmp_path: Path, auth: str, host: str, expected: bool
) -> None:
    """And then there must be one."""
    wanted = settings(auth=auth, host=host, keys_file=tmp_path / "keys.json")
    assert requires_keys(wanted) == expected
    assert (startup_refusal(wanted) is not None) == expected
    KeyStore(wanted.keys_file).add("boss", "admin")
    assert startup_refusal(wanted) is None


def test_a_damaged_file_is_a_reason_not_to_start(tmp_path: Path) -> None:
    """With keys that nobody can read, nobody could come in."""
    (tmp_path / "keys.json").write_text("{")
    reason = startup_refusal(settings(auth="on", keys_file=tmp_path / "keys.json"))
    assert reason is not None
    assert "cannot be read" in reason


@pytest.fixture(scope="module")
def port(file: KeyStore) -> Iterator[int]:
    """Such a gateway on a real socket."""
    with serving(_asking(file)) as found:
        yield found


def test_a_refused_upload_still_gets_its_answer(port: int) -> None:
    """A client that sends everything before it looks sees the 401, not a broken pipe."""
    url = f"http://127.0.0.1:{port}/segmentation"
    files = {"file": ("a.jpg", bytes(8 * 2**20))}
    assert httpx.post(url, files=files, trust_env=False).status_code == 401


def test_a_key_that_was_added_or_revoked_counts_within_seconds(port: int, file: KeyStore) -> None:
    """Without a restart, on a gateway that is running."""
    key, presented = file.add("late", "user")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:

        def status() -> int:
            return client.get("/v1/models", headers=bearer(presented)).status_code

        def within_seconds(expected: int) -> bool:
            end = time.monotonic() + 3
            while status() != expected and time.monotonic() < end:
                time.sleep(0.05)  # the file is looked at every second
            return status() == expected

        assert within_seconds(200)
        file.revoke(key.id)
        assert within_seconds(401)
