"""What the management API says, in our words."""

from datetime import UTC, datetime

import httpx
import pytest

from gateway.errors import ModelUnavailableError, NotFoundError
from gateway.torchserve.management import ManagementClient, ModelStatus, VersionStatus
from tests.unit.gateway.doubles import STARTED, TorchServeDouble, describe, json_answer

pytestmark = pytest.mark.anyio


def management(transport: httpx.AsyncBaseTransport) -> ManagementClient:
    """The module under test on a transport."""
    client = httpx.AsyncClient(transport=transport)
    return ManagementClient(client, "http://127.0.0.1:8081", timeout_s=5)


def answering(answer: httpx.Response) -> ManagementClient:
    """A management API that says one thing to every question."""
    return management(httpx.MockTransport(lambda _: answer))


async def test_versions_default_and_ready_workers_are_read(torchserve: TorchServeDouble) -> None:
    """A worker that loads does not count."""
    torchserve.versions, torchserve.default = {"2.0": 0, "1.0": 2}, "2.0"
    started = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    assert await management(torchserve).status("deeplabv3") == ModelStatus(
        "2.0", (VersionStatus("1.0", 2, started), VersionStatus("2.0", 0, None))
    )


@pytest.mark.parametrize("as_text", [True, False], ids=["as text", "as an object"])
async def test_labels_are_read_from_the_archives_metadata(as_text: bool) -> None:
    """TorchServe embeds the handler's description as a string or as an object."""
    metadata = '{"labels": {"15": "person"}}' if as_text else {"labels": {"15": "person"}}
    found = await answering(json_answer(200, [describe("1.0", 1, metadata)])).labels(
        "deeplabv3", "1.0"
    )
    assert found == {15: "person"}


async def test_an_unregistered_model_is_not_found(torchserve: TorchServeDouble) -> None:
    """The cause stays visible."""
    with pytest.raises(NotFoundError):
        await management(torchserve).status("other")


@pytest.mark.parametrize(
    "answer",
    [
        json_answer(200, []),
        json_answer(200, {}),
        json_answer(200, [{"workers": []}]),
        json_answer(200, [{"modelVersion": "1.0", "workers": [{"status": "READY"}]}]),
        json_answer(200, [describe("1.0", 1, "not json")]),
        json_answer(200, [describe("1.0", 1, '{"labels": {"x": "person"}}')]),
        httpx.Response(200, content=b"<html>"),
        json_answer(500, {"code": 500, "type": "InternalServerException", "message": ""}),
    ],
)
async def test_an_answer_of_another_shape_is_no_crash(answer: httpx.Response) -> None:
    """What cannot be understood is 503, never 500."""
    with pytest.raises(ModelUnavailableError):
        await answering(answer).status("deeplabv3")


async def test_a_version_without_a_description_has_no_labels() -> None:
    """Labels are never guessed."""
    with pytest.raises(ModelUnavailableError, match="classes"):
        await answering(json_answer(200, [describe("1.0", 1)])).labels("deeplabv3", "1.0")


def test_the_doubles_clock_is_torchserves_format() -> None:
    """Milliseconds and a Z, as TorchServe writes them."""
    assert datetime.fromisoformat(STARTED).tzinfo is UTC


@pytest.mark.parametrize("kind", [httpx.RemoteProtocolError, httpx.ReadError])
async def test_a_connection_that_broke_is_made_anew(kind: type[httpx.RequestError]) -> None:
    """TorchServe may close a kept-alive connection just as it is used; a second failure counts."""
    asked = 0

    def broken(times: int) -> httpx.MockTransport:
        def answer(_: httpx.Request) -> httpx.Response:
            nonlocal asked
            asked += 1
            if asked <= times:
                raise kind("closed")
            return json_answer(200, [describe("1.0", 1, {"labels": {"0": "cat"}})])

        return httpx.MockTransport(answer)

    assert await management(broken(1)).labels("deeplabv3", "1.0") == {0: "cat"}
    asked = 0
    with pytest.raises(ModelUnavailableError):
        await management(broken(2)).labels("deeplabv3", "1.0")
    assert asked == 2
