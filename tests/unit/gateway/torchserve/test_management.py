"""The client of the management API."""

from datetime import UTC, datetime

import httpx
import pytest

from gateway.errors import ModelUnavailableError, NotFoundError
from gateway.torchserve.management import ManagementClient, ModelFacts, ModelStatus, VersionStatus
from tests.unit.gateway.doubles import TorchServeDouble, describe, json_response

pytestmark = pytest.mark.anyio


def management(transport: httpx.AsyncBaseTransport) -> ManagementClient:
    """A client on a transport."""
    client = httpx.AsyncClient(transport=transport)
    return ManagementClient(client, "http://127.0.0.1:8081", timeout_s=5)


def responding_with(response: httpx.Response) -> ManagementClient:
    """A client of a management API with one response to every request."""
    return management(httpx.MockTransport(lambda _: response))


async def test_versions_default_and_ready_workers_are_read(torchserve: TorchServeDouble) -> None:
    """Workers that are loading do not count; times are read in TorchServe's format."""
    torchserve.versions, torchserve.default = {"2.0": 0, "1.0": 2}, "2.0"
    started = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    assert await management(torchserve).status("deeplabv3") == ModelStatus(
        "2.0", (VersionStatus("1.0", 2, started, 3), VersionStatus("2.0", 0, None, 1))
    )


@pytest.mark.parametrize("as_text", [True, False], ids=["as text", "as an object"])
async def test_labels_are_read_from_the_archives_metadata(as_text: bool) -> None:
    """TorchServe embeds the handler's description as a string or as an object."""
    metadata = '{"labels": {"15": "person"}}' if as_text else {"labels": {"15": "person"}}
    facts = await responding_with(json_response(200, [describe("1.0", 1, metadata)])).facts(
        "deeplabv3", "1.0"
    )
    assert facts.labels == {15: "person"}
    assert (facts.spec, facts.provenance, facts.card) == ({}, {}, {})


async def test_an_unregistered_model_is_not_found(torchserve: TorchServeDouble) -> None:
    """TorchServe's 404 is NotFoundError."""
    with pytest.raises(NotFoundError):
        await management(torchserve).status("other")


@pytest.mark.parametrize(
    "response",
    [
        json_response(200, []),
        json_response(200, {}),
        json_response(200, [{"workers": []}]),
        json_response(200, [{"modelVersion": "1.0", "workers": [{"status": "READY"}]}]),
        json_response(200, [describe("1.0", 1, "not json")]),
        json_response(200, [describe("1.0", 1, '{"labels": {"x": "person"}}')]),
        httpx.Response(200, content=b"<html>"),
        json_response(500, {"code": 500, "type": "InternalServerException", "message": ""}),
    ],
)
async def test_a_response_of_another_shape_is_unavailable(response: httpx.Response) -> None:
    """A response that cannot be parsed is a 503, never a 500."""
    with pytest.raises(ModelUnavailableError):
        await responding_with(response).status("deeplabv3")


async def test_a_version_without_a_description_has_no_labels() -> None:
    """Labels are never guessed."""
    with pytest.raises(ModelUnavailableError, match="classes"):
        await responding_with(json_response(200, [describe("1.0", 1)])).facts("deeplabv3", "1.0")


@pytest.mark.parametrize("kind", [httpx.RemoteProtocolError, httpx.ReadError])
async def test_a_connection_that_broke_is_made_anew(kind: type[httpx.RequestError]) -> None:
    """A kept-alive connection that TorchServe closed is retried once."""
    requests = 0

    def broken(times: int) -> httpx.MockTransport:
        def respond(_: httpx.Request) -> httpx.Response:
            nonlocal requests
            requests += 1
            if requests <= times:
                raise kind("closed")
            return json_response(200, [describe("1.0", 1, {"labels": {"0": "cat"}})])

        return httpx.MockTransport(respond)

    assert await management(broken(1)).facts("deeplabv3", "1.0") == ModelFacts({0: "cat"})
    requests = 0
    with pytest.raises(ModelUnavailableError):
        await management(broken(2)).facts("deeplabv3", "1.0")
    assert requests == 2
