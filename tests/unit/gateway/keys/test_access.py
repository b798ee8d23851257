"""Access control on every route."""

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

from gateway.keys.access import Access, requires_keys, startup_refusal
from gateway.keys.cache import KeyCache
from gateway.keys.principal import ANONYMOUS, ANONYMOUS_ADMIN, Principal
from gateway.keys.store import KeyStore
from tests.key_store import folder_of, key_store
from tests.unit.gateway.doubles import TorchServeDouble, application, serving, settings

pytestmark = pytest.mark.anyio

# The routes that are public, and no others.
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
# What the routes themselves respond to requests without a body, and with x for each parameter.
REACHED = {200, 404, 422}
ADMIN = re.compile(r"/metrics|/v1/admin(/.*)?")
# Agents have a token of their own, which no key replaces.
AGENT = "/v1/agent/"


def reached(path: str) -> set[int]:
    """The statuses of a route that a client reaches; without the token, 401 of an agent's."""
    return {401} if path.startswith(AGENT) else REACHED


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    """(method, path) of every route, with a value for each parameter."""
    routes = []
    for route in iter_route_contexts(app.routes):
        if route.methods is None:  # the files of the documentation
            routes.append(("GET", f"{route.path}/swagger-ui.css"))
            continue
        path = re.sub(r"\{[^}]+\}", "x", str(route.path))
        routes += [(method, path) for method in route.methods]
    return sorted(routes)


ROUTES = routes_of(application(TorchServeDouble()))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> KeyStore:
    """A store with the keys of these tests."""
    return key_store(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def user(store: KeyStore) -> str:
    """A key with the role user."""
    return store.add("app", "user")[1]


@pytest.fixture(scope="module")
def admin(store: KeyStore) -> str:
    """A key with the role admin."""
    return store.add("boss", "admin")[1]


@pytest.fixture(scope="module")
def protected(store: KeyStore, user: str, admin: str) -> FastAPI:
    """A gateway that requires these keys, with CORS for one origin."""
    return _requiring_keys(store)


def _requiring_keys(store: KeyStore) -> FastAPI:
    (folder_of(store) / "archives").mkdir(exist_ok=True)  # as its start does
    changes: dict[str, Any] = {
        "auth": "on",
        "data_dir": folder_of(store),
        "cors_origins": "https://app.test",
    }
    return application(TorchServeDouble(), **changes)


@pytest.fixture
async def gateway(protected: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of it, without a key."""
    transport = httpx.ASGITransport(protected, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


def bearer(key: str) -> dict[str, str]:
    """The header of a client with a key."""
    return {"Authorization": f"Bearer {key}"}


def test_the_routes_are_listed() -> None:
    """The list has the routes; an empty list would pass every test below."""
    assert {("POST", "/segmentation"), ("DELETE", "/v1/admin/keys/x")} <= set(ROUTES)
    assert ("GET", "/docs/assets/swagger-ui.css") in ROUTES


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_a_key_only_the_public_routes_are_open(
    gateway: httpx.AsyncClient, method: str, path: str
) -> None:
    """Every other route is a 401 that explains how to send a key."""
    response = await gateway.request(method, path)
    if path in PUBLIC:
        assert response.status_code == 200
        return
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    if method != "HEAD":
        assert response.json()["code"] == "unauthorized"


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_user_is_no_admin(
    gateway: httpx.AsyncClient, user: str, method: str, path: str
) -> None:
    """The role user gets 403 on the admin routes, and only there."""
    response = await gateway.request(method, path, headers=bearer(user))
    assert response.status_code in ({403} if ADMIN.fullmatch(path) else reached(path))


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_an_admin_passes_everywhere(
    gateway: httpx.AsyncClient, admin: str, method: str, path: str
) -> None:
    """The role admin passes the access control of every route."""
    response = await gateway.request(method, path, headers=bearer(admin))
    assert response.status_code in reached(path)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_required_keys_administration_is_for_the_command(
    unprotected: FastAPI, method: str, path: str
) -> None:
    """Without keys, no request manages keys: a proxy and a page come over loopback too."""
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000"):
        response = await _sent_from(unprotected, "127.0.0.1", host, method, path)
        if path.startswith("/v1/admin"):
            assert response.status_code == 403
            assert method == "HEAD" or "segserve keys" in response.json()["detail"]
        else:
            assert response.status_code in reached(path)


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_required_keys_other_machines_are_no_admins(
    unprotected: FastAPI, method: str, path: str
) -> None:
    """Without keys, requests of other machines may use the model, but not manage keys."""
    response = await _sent_from(unprotected, "192.0.2.7", "127.0.0.1", method, path)
    assert response.status_code in ({403} if path.startswith("/v1/admin") else reached(path))


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_without_required_keys_a_name_of_others_reaches_nothing(
    unprotected: FastAPI, method: str, path: str
) -> None:
    """DNS rebinding: a page of a site whose name points at this machine reads no answer."""
    response = await _sent_from(unprotected, "127.0.0.1", "evil.test:8000", method, path)
    assert response.status_code == 421
    assert method == "HEAD" or response.json()["code"] == "unknown_host"


@pytest.fixture(scope="module")
def unprotected(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """A gateway that does not require keys."""
    return application(TorchServeDouble(), data_dir=tmp_path_factory.mktemp("none"))


async def _sent_from(
    app: FastAPI, client: str, host: str, method: str, path: str
) -> httpx.Response:
    """The response to a request from this address with this Host."""
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
    """Paths that do not exist need a key too, so that they do not reveal the routes."""
    assert (await gateway.get(path)).status_code == 401


@pytest.mark.parametrize("path", ["/docs/assets/../../v1/models", "/docs/assets/%2e%2e/x"])
async def test_the_public_folder_leads_nowhere_else(protected: FastAPI, path: str) -> None:
    """The path is matched exactly as it was checked, without normalisation in between."""
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
    """A key is accepted as a bearer token, in X-API-Key or as a Basic password."""
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
    """An invalid key of any form is a 401."""
    response = await gateway.get("/v1/models", headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")


async def test_a_key_is_in_no_log_line_and_no_error(
    gateway: httpx.AsyncClient, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither valid nor invalid keys appear in logs and responses."""
    wrong = user[:-4] + "zzzz"
    with caplog.at_level(logging.DEBUG):
        answers = [
            await gateway.get(path, headers={"X-API-Key": key, **bearer(key)})
            for path in ("/v1/models", "/v1/admin/keys", "/nope")
            for key in (user, wrong)
        ]
    seen = caplog.text + "".join(f"{response.headers}{response.text}" for response in answers)
    assert "/v1/models" in seen
    assert user[-32:-4] not in seen


async def test_a_preflight_needs_no_key(gateway: httpx.AsyncClient) -> None:
    """Browsers send no key with a preflight; scripts may read the response, even a 401."""
    preflight = {"Origin": "https://app.test", "Access-Control-Request-Method": "POST"}
    preflight["Access-Control-Request-Headers"] = "authorization"
    response = await gateway.options("/segmentation", headers=preflight)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.test"
    refused = await gateway.post("/segmentation", headers={"Origin": "https://app.test"})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "https://app.test"


async def _principal(cache: KeyCache | None, path: str, key: str) -> Principal:
    """The principal that the application behind the middleware receives."""
    principals: list[Principal] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        principals.append(scope["state"]["principal"])

    async def nothing(*_: Any) -> Any:
        raise AssertionError

    headers = [(b"x-api-key", key.encode())]
    scope: Scope = {"type": "http", "path": path, "headers": headers, "state": {}}
    await Access(app, cache, frozenset())(scope, nothing, nothing)
    return principals[0]


async def test_the_application_receives_the_principal(tmp_path: Path) -> None:
    """The principal has the key's id, name, role and limits, but not the secret."""
    store = key_store(tmp_path)
    key, presented = store.add("app", "user", "5/second", 2)
    cache = KeyCache(store)
    expected = Principal(key.id, "app", "user", "5/second", 2)
    assert await _principal(cache, "/v1/models", presented) == expected
    assert await _principal(cache, "/healthz", presented) == ANONYMOUS
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
def test_keys_are_required_unless_the_host_is_loopback(
    tmp_path: Path, auth: str, host: str, expected: bool
) -> None:
    """With `auto`, keys are required unless the host is loopback; then there must be one."""
    changed = settings(auth=auth, host=host, data_dir=tmp_path)
    assert requires_keys(changed) == expected
    assert (startup_refusal(changed) is not None) == expected
    key_store(tmp_path).add("boss", "admin")
    assert startup_refusal(changed) is None


def test_a_damaged_file_is_a_reason_not_to_start(tmp_path: Path) -> None:
    """The gateway does not start if its keys, or those of a former version, cannot be read."""
    file = tmp_path / "keys.json"
    file.write_text("{")
    reason = startup_refusal(settings(auth="on", data_dir=tmp_path, keys_file=file))
    assert reason is not None
    assert "cannot be read" in reason
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "registry.sqlite3").write_bytes(b"no database" * 100)
    reason = startup_refusal(settings(auth="on", data_dir=damaged))
    assert reason is not None
    assert "file is not a database" in reason


@pytest.fixture(scope="module")
def port(store: KeyStore) -> Iterator[int]:
    """The port of such a gateway on a real socket."""
    with serving(_requiring_keys(store)) as bound_port:
        yield bound_port


def test_a_refused_upload_still_gets_its_response(port: int) -> None:
    """A client that sends its whole body before it reads gets the 401, not a broken pipe."""
    url = f"http://127.0.0.1:{port}/segmentation"
    files = {"file": ("a.jpg", bytes(8 * 2**20))}
    assert httpx.post(url, files=files, trust_env=False).status_code == 401


def test_a_key_that_was_added_or_revoked_counts_within_seconds(port: int, store: KeyStore) -> None:
    """A running gateway notices new and revoked keys without a restart."""
    key, presented = store.add("late", "user")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:

        def status() -> int:
            return client.get("/v1/models", headers=bearer(presented)).status_code

        def within_seconds(expected: int) -> bool:
            end = time.monotonic() + 3
            while status() != expected and time.monotonic() < end:
                time.sleep(0.05)  # the database is asked every second
            return status() == expected

        assert within_seconds(200)
        store.revoke(key.id)
        assert within_seconds(401)
