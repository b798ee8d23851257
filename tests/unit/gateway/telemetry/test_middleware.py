"""Request ids and access log lines."""

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
    """A client's own request id is kept."""
    response = await gateway.get("/healthz", headers={"X-Request-ID": sent})
    assert response.headers["X-Request-ID"] == sent


@pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "a\tb", "\u00e4", "a;b", "<script>", "a,b"])
async def test_any_other_id_is_replaced(gateway: httpx.AsyncClient, sent: str) -> None:
    """An id that could forge a log line or a header is replaced."""
    headers = [(b"X-Request-ID", sent.encode("latin-1"))]
    response = await gateway.get("/healthz", headers=headers)
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])


async def test_ids_differ(gateway: httpx.AsyncClient) -> None:
    """Every request gets another id."""
    responses = [await gateway.get("/healthz") for _ in range(20)]
    assert len({response.headers["X-Request-ID"] for response in responses}) == 20


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/models", "/docs", "/nope"])
async def test_every_response_is_marked(gateway: httpx.AsyncClient, path: str) -> None:
    """Every response has one request id and one nosniff header."""
    headers = (await gateway.get(path)).headers
    assert len(headers.get_list("X-Request-ID")) == 1
    assert headers.get_list("X-Content-Type-Options") == ["nosniff"]


async def test_a_request_leaves_one_line_without_content(
    gateway: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A line has method, path, status, time and id, but neither query nor image."""
    with caplog.at_level(logging.INFO, "gateway.access"):
        await send(gateway, headers={"X-Request-ID": "mine"}, params={"version": "1.0"})
    (line,) = [r.getMessage() for r in caplog.records if r.name == "gateway.access"]
    assert re.fullmatch(r"POST /segmentation 200 \d+\.\d ms id=mine", line)


async def test_probes_are_not_logged(
    gateway: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Probes are not logged at level info."""
    with caplog.at_level(logging.INFO, "gateway.access"):
        await gateway.get("/healthz")
        await gateway.get("/readyz")
        await gateway.get("/metrics")
    assert [r for r in caplog.records if r.name == "gateway.access"] == []


async def test_a_path_cannot_forge_a_line(
    torchserve: TorchServeDouble, caplog: pytest.LogCaptureFixture
) -> None:
    """Paths are logged percent-encoded and truncated."""
    async with client(torchserve) as gateway:
        with caplog.at_level(logging.INFO, "gateway.access"):
            await gateway.get("/x%0AGET%20/admin%20200" + "y" * 1000)
    (line,) = [r.getMessage() for r in caplog.records if r.name == "gateway.access"]
    assert "\n" not in line
    assert len(line) < 300


def _fields(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = [r for r in caplog.records if r.name == "gateway.access"]
    fields: dict[str, Any] = json.loads(formatter("json").format(record))
    return fields


async def test_a_line_has_its_facts_as_fields(
    gateway: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The facts of a request are fields in JSON."""
    with caplog.at_level(logging.INFO, "gateway.access"):
        response = await send(gateway, headers={"X-Request-ID": "mine"}, params={"version": "1.0"})
    fields = _fields(caplog)
    assert fields.pop("duration_ms") > 0
    assert fields.pop("timestamp")
    assert fields.pop("message").startswith("POST /segmentation 200 ")
    assert fields == {
        "level": "INFO",
        "logger": "gateway.access",
        "method": "POST",
        "path": "/segmentation",
        "route": "/segmentation",
        "status": 200,
        "request_id": "mine",
        "bytes_in": len(form(part(b"a photo"))),
        "bytes_out": len(response.content),
        "model": "deeplabv3",
        "version": "1.0",
        "key_id": "anonymous",
    }


async def test_the_line_of_an_error_has_its_code(
    gateway: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The line of an error has the stable code."""
    with caplog.at_level(logging.INFO, "gateway.access"):
        await gateway.get("/nope")
    fields = _fields(caplog)
    assert (fields["code"], fields["route"], fields["status"]) == ("not_found", "unmatched", 404)


async def test_no_secret_is_in_a_line(
    gateway: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Keys, query parameters and images are never logged."""
    with caplog.at_level(logging.DEBUG):
        headers = {"Authorization": "Bearer secret", "X-API-Key": "secret"}
        await send(gateway, headers=headers, params={"q": "secret"})
    text = " ".join(formatter("json").format(r) for r in caplog.records if r.name != "httpx")
    assert "secret" not in text
    assert "a photo" not in text
