"""Every request has an id and a line in the log."""

import json
import logging
import re
from typing import Any

import httpx
import pytest

from gateway.telemetry.logs import formatter
from tests.unit.gateway.doubles import TorchServeDouble, client, form, part, send

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
        await gateway.get("/metrics")
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


def _fields(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = [r for r in caplog.records if r.name == "gateway.access"]
    found: dict[str, Any] = json.loads(formatter("json").format(record))
    return found


async def test_a_line_has_its_facts_as_fields(
    gateway: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """For whoever searches logs by route, version or key."""
    with caplog.at_level(logging.INFO, "gateway.access"):
        answer = await send(gateway, headers={"X-Request-ID": "mine"}, params={"version": "1.0"})
    found = _fields(caplog)
    assert 0 < found.pop("duration_ms") < 5000
    assert found.pop("timestamp")
    assert found.pop("message").startswith("POST /segmentation 200 ")
    assert found == {
        "level": "INFO",
        "logger": "gateway.access",
        "method": "POST",
        "path": "/segmentation",
        "route": "/segmentation",
        "status": 200,
        "request_id": "mine",
        "bytes_in": len(form(part(b"a photo"))),
        "bytes_out": len(answer.content),
        "model": "deeplabv3",
        "version": "1.0",
        "key_id": "anonymous",
    }


async def test_the_line_of_an_error_has_its_code(
    gateway: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The stable name, not the sentence."""
    with caplog.at_level(logging.INFO, "gateway.access"):
        await gateway.get("/nope")
    found = _fields(caplog)
    assert (found["code"], found["route"], found["status"]) == ("not_found", "unmatched", 404)


async def test_no_secret_is_in_a_line(
    gateway: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a key nor a parameter nor the image."""
    with caplog.at_level(logging.DEBUG):
        headers = {"Authorization": "Bearer secret", "X-API-Key": "secret"}
        await send(gateway, headers=headers, params={"q": "secret"})
    text = " ".join(formatter("json").format(r) for r in caplog.records if r.name != "httpx")
    assert "secret" not in text
    assert "a photo" not in text
