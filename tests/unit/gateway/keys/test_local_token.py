"""The token of the gateway's own user: an admin, whether keys are required or not."""

from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from gateway.keys.token_file import ADMIN
from tests.unit.gateway.doubles import TorchServeDouble, application

pytestmark = pytest.mark.anyio

Client = Callable[..., httpx.AsyncClient]
PATHS = ("/v1/admin/models", "/v1/admin/keys", "/v1/admin/audit")


@pytest.fixture(params=["off", "on"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    """Clients of a gateway that runs, without and with required keys."""
    app = application(TorchServeDouble(), data_dir=tmp_path, auth=request.param)

    def of(host: str = "127.0.0.1", sender: str = "127.0.0.1") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, client=(sender, 1234))
        return httpx.AsyncClient(transport=transport, base_url=f"http://{host}:8000")

    async with app.router.lifespan_context(app):
        yield of


def token_of(folder: Path) -> str:
    """The token that the gateway made."""
    return (folder / ADMIN).read_text()


@pytest.mark.parametrize("path", PATHS)
async def test_it_is_an_admin(client: Client, tmp_path: Path, path: str) -> None:
    """As a bearer token, and in X-API-Key, as keys are."""
    token = token_of(tmp_path)
    async with client() as gateway:
        for headers in ({"Authorization": f"Bearer {token}"}, {"X-API-Key": token}):
            assert (await gateway.get(path, headers=headers)).status_code == 200


async def test_what_it_changes_is_in_the_audit_log_under_its_name(
    client: Client, tmp_path: Path
) -> None:
    """The actor has the name and the id of the principal."""
    headers = {"Authorization": f"Bearer {token_of(tmp_path)}"}
    async with client() as gateway:
        made = await gateway.post("/v1/admin/keys", json={"name": "app"}, headers=headers)
        log = (await gateway.get("/v1/admin/audit", headers=headers)).json()["items"]
    assert made.status_code == 201
    assert log[0]["action"].startswith("key")


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_else_is(client: Client, tmp_path: Path, path: str) -> None:
    """Neither a part of it, nor more, nor the agents' token."""
    token = token_of(tmp_path)
    wrong = (token[:-1], f"{token}x", token.swapcase(), (tmp_path / "node-token").read_text(), "")
    async with client() as gateway:
        for each in wrong:
            answer = await gateway.get(path, headers={"Authorization": f"Bearer {each}"})
            assert answer.status_code in (401, 403), each
        basic = b64encode(f"{token}:".encode()).decode()
        answer = await gateway.get(path, headers={"Authorization": f"Basic {basic}"})
        assert answer.status_code in (401, 403)
        assert (await gateway.get(path, params={"key": token})).status_code in (401, 403)


@pytest.mark.parametrize("client", ["off"], indirect=True)
async def test_without_keys_a_name_of_others_is_refused_with_it_too(
    client: Client, tmp_path: Path
) -> None:
    """DNS rebinding: the host name is checked first."""
    headers = {"Authorization": f"Bearer {token_of(tmp_path)}"}
    async with client("evil.test") as gateway:
        answer = await gateway.get("/v1/admin/models", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (421, "unknown_host")


async def test_agents_are_not_asked_for_by_it(client: Client, tmp_path: Path) -> None:
    """The agents' routes have a token of their own."""
    headers = {"Authorization": f"Bearer {token_of(tmp_path)}"}
    async with client() as gateway:
        answer = await gateway.get(f"/v1/agent/archives/{'0' * 64}", headers=headers)
    assert answer.status_code == 401
