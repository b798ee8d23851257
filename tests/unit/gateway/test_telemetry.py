"""Every request has an id and a line in the log."""

import logging
import re

import httpx
import pytest

from tests.unit.gateway.doubles import TorchServeDouble, client, send

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("sent", ["a", "A-1_b.c", "x" * 64])
async def test_a_sane_id_is_kept(gateway: httpx.AsyncClient, sent: str) -> None:
    """Clients find their requests by their own ids."""
    answer = await gateway.get("/healthz", headers={"X-Request-ID": sent})
    assert answer.headers["X-Request-ID"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "a\tb", "\u00e4", "a;b", "<script>", "a,b"])
async def test_any_other_id_is_replaced(gateway: httpx.AsyncClient, sent: str) -> None:
    """What could forge a log line or a header goes no further."""
    headers = [(b"X-Request-ID", sent.encode("latin-1"))]
    answer = await gateway.get("/healthz", headers=headers)
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])


async def test_ids_differ(gateway: httpx.AsyncClient) -> None:
    """No two requests share one."""
    answers = [await gateway.get("/healthz") for _ in range(20)]
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == 20


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/models", "/docs", "/nope"])
async def test_every_answer_is_marked(gateway: httpx.AsyncClient, path: str) -> None:
    """Once each, whatever the route."""
    headers = (await gateway.get(path)).headers
    assert len(headers.get_list("X-Request-ID")) == 1
    assert headers.get_list("X-Content-Type-Options") == ["nosniff"]


async def test_a_request_leaves_one_line_without_content(
    gateway: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Method, path, status, time and id; no query, no bytes of the image."""
    with caplog.at_level(logging.INFO, "gateway.access"):
        await send(gateway, headers={"X-Request-ID": "mine"}, params={"version": "1.0"})
    (line,) = [r.getMessage() for r in caplog.records if r.name == "gateway.access"]
    assert re.fullmatch(r"POST /segmentation 200 \d+\.\d ms id=mine", line)


async def test_probes_are_not_logged(
    gateway: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A probe every second would bury what happens."""
    with caplog.at_level(logging.INFO, "gateway.access"):
        await gateway.get("/healthz")
        await gateway.get("/readyz")
    assert [r for r in caplog.records if r.name == "gateway.access"] == []


async def test_a_path_cannot_forge_a_line(
    torchserve: TorchServeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    """Paths are logged as they were sent, and not without end."""
    async with client(torchserve) as gateway:
        with caplog.at_level(logging.INFO, "gateway.access"):
            await gateway.get("/x%0AGET%20/admin%20200" + "y" * 1000)
    (line,) = [r.getMessage() for r in caplog.records if r.name == "gateway.access"]
    assert "\n" not in line
    assert len(line) < 300
