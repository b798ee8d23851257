"""The client of the management API: typed versions, and errors with TorchServe's message."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from scripts.launch.management import ManagementClient, ManagementError, Version
from tests.unit.scripts.folder_server import serving
from tests.unit.scripts.launch.torchserve_double import MODEL, TorchServeDouble


def _management(handler: Callable[[httpx.Request], httpx.Response]) -> ManagementClient:
    return ManagementClient("http://torchserve:8081", MODEL, httpx.MockTransport(handler))


def test_versions_have_what_the_commands_show() -> None:
    """The default, the number of workers, and the archive."""
    assert TorchServeDouble(pending=[3]).management().versions() == [
        Version(
            "1.0", "deeplabv3-1.0.mar", default=True, workers=2, ready=2, pending=3, pids=(100, 101)
        ),
        Version(
            "1.1", "deeplabv3-1.1.mar", default=False, workers=1, ready=1, pending=3, pids=(100,)
        ),
    ]


def test_versions_are_ordered_by_their_numbers() -> None:
    """1.10 comes after 1.9; names without numbers may be anywhere."""
    server = TorchServeDouble(versions={"1.10": 1, "1.9": 1, "2.0": 1, "1.0": 1, "beta": 1})
    names = [each.version for each in server.management().versions()]
    assert names == ["beta", "1.0", "1.9", "1.10", "2.0"]


def test_an_unknown_model_has_no_versions() -> None:
    """TorchServe's 404 is an empty list, not a failure."""
    assert TorchServeDouble(versions={}).management().versions() == []


def test_workers_that_are_loading_are_not_ready() -> None:
    """A version is ready when its workers are."""
    assert TorchServeDouble(ready=False).management().version("1.0").ready == 0


def test_a_version_that_is_not_there_is_refused_with_those_that_are() -> None:
    """The error lists the versions that exist."""
    with pytest.raises(ManagementError, match=r"no version 9\.9; there are: 1\.0, 1\.1"):
        TorchServeDouble().management().version("9.9")


@pytest.mark.parametrize(
    ("call", "sent"),
    [
        (
            lambda server: server.register("deeplabv3-1.2.mar"),
            "POST /models?url=deeplabv3-1.2.mar&initial_workers=0",
        ),
        (lambda server: server.unregister("1.1"), "DELETE /models/deeplabv3/1.1"),
        (lambda server: server.set_default("1.1"), "PUT /models/deeplabv3/1.1/set-default"),
        (
            lambda server: server.scale("1.1", 4),
            "PUT /models/deeplabv3/1.1?min_worker=4&max_worker=4&synchronous=true",
        ),
    ],
    ids=["register", "unregister", "default", "scale"],
)
def test_changes_are_asked_for_and_waited_for(
    call: Callable[[ManagementClient], None], sent: str
) -> None:
    """Requests use the bare file name and an explicit version, and are synchronous."""
    server = TorchServeDouble()
    call(server.management())
    assert server.changes() == [sent]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            httpx.Response(409, json={"code": 409, "message": "is already registered"}),
            "409: is already",
        ),
        (httpx.Response(500, text="<html>oops</html>"), "500: <html>oops"),
        (httpx.Response(400, json=["odd"]), "400: "),
        (httpx.Response(503, json={"code": 503}), "503: "),
    ],
)
def test_a_refusal_is_an_error_with_torchserves_message(answer: httpx.Response, words: str) -> None:
    """Or with the body, if it has another form."""
    with pytest.raises(ManagementError, match=words):
        _management(lambda _request: answer).unregister("1.0")


def test_a_server_that_cannot_be_reached_is_an_error() -> None:
    """With its address and both remedies."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused", request=request)

    with pytest.raises(ManagementError) as caught:
        _management(refuse).versions()
    for words in ("http://torchserve:8081", "segserve serve", "SEGSERVE_SERVE_MANAGEMENT_PORT"):
        assert words in str(caught.value)


def test_a_silent_server_is_not_waited_for_forever() -> None:
    """The timeout is three minutes, enough to load a model."""

    def silent(request: httpx.Request) -> httpx.Response:
        assert request.extensions["timeout"]["read"] == 180
        raise httpx.ReadTimeout("timed out", request=request)

    with pytest.raises(ManagementError, match="did not answer within 180 s"):
        _management(silent).versions()


@pytest.mark.usefixtures("absent_proxy")
def test_torchserve_is_asked_directly_behind_a_proxy(tmp_path: Path) -> None:
    """Proxy variables do not apply to this machine's own ports; a 404 is the server's answer."""
    with serving(tmp_path) as url:
        assert ManagementClient(url, MODEL).versions() == []
