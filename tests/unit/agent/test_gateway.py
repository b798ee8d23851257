"""The client of the gateways: the last one that answered is asked, another one if it fails."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from agent import gateway as gateway_module
from agent.gateway import GatewayError, Gateways, RefusalError
from agent.http_json import CallError
from agent.messages import Desired, Report
from tests.unit.agent.http_double import Answer, answering, closed_url, in_json

REPORT = Report("a", "http://a:8080", "t", 3, 100, None, {})
STATE = {"generation": 4, "models": {}}


def _gateways(*urls: str) -> Gateways:
    return Gateways(urls, Path("none"), "a-token")


def test_a_report_is_answered_with_what_should_be() -> None:
    """With the token, as JSON."""
    with answering(lambda _: in_json(STATE)) as served:
        assert _gateways(served.url).beat(REPORT) == Desired(4)
    (asked,) = served.asked
    assert (asked.method, asked.path) == ("POST", "/v1/agent/heartbeat")
    assert asked.headers["Authorization"] == "Bearer a-token"
    assert json.loads(asked.body) == REPORT.to_json()


def test_a_gateway_below_a_path_is_asked_there() -> None:
    """A proxy may publish it so."""
    with answering(lambda _: in_json(STATE)) as served:
        gateways = _gateways(f"{served.url}/seg")
        gateways.beat(REPORT)
    assert served.asked[0].path == "/seg/v1/agent/heartbeat"
    assert gateways.archive_url("ab") == f"{served.url}/seg/v1/agent/archives/ab"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(503, b""),
        Answer(401, b'{"detail": "No."}'),
        Answer(200, b"<html>"),
        Answer(200, b"[]"),
        Answer(200, b'{"generation": "x"}'),
        Answer(200, b'{"gener', 100),
    ],
    ids=["503", "401", "html", "list", "no state", "cut off"],
)
def test_one_that_fails_is_left_for_the_next(answer: Answer) -> None:
    """Which is then asked first."""
    with answering(lambda _: answer) as bad, answering(lambda _: in_json(STATE)) as good:
        gateways = _gateways(bad.url, closed_url(), good.url)
        for _ in range(3):
            assert gateways.beat(REPORT) == Desired(4)
    assert (len(bad.asked), len(good.asked)) == (1, 3)
    assert gateways.archive_url("ab").startswith(good.url)


def test_another_thread_keeps_the_list_that_it_reads() -> None:
    """As one that fetches an archive while a heartbeat turns to the next gateway."""
    with answering(lambda _: in_json(STATE)) as good:
        bad = closed_url()
        gateways = _gateways(bad, good.url)
        read = gateways._urls
        gateways.beat(REPORT)
    assert read == [bad, good.url]
    assert gateways._urls == [good.url, bad]


def test_if_none_answers_the_reason_of_the_last_is_told() -> None:
    """In one line, with its address."""
    with (
        answering(lambda _: in_json({"detail": "The node's token is wrong."}, 401)) as served,
        pytest.raises(GatewayError) as caught,
    ):
        _gateways(closed_url(), served.url).beat(REPORT)
    assert str(caught.value) == f"{served.url} answered 401: The node's token is wrong."


def test_a_silent_gateway_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next heartbeat must not be late."""
    monkeypatch.setattr(gateway_module, "BEAT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(GatewayError, match=r"did not answer within 0\.2 s"):
            _gateways(url).beat(REPORT)


def test_the_token_is_read_anew_each_time(tmp_path: Path) -> None:
    """The gateway makes it at its first start, which may be later."""
    gateways = Gateways(["http://a"], tmp_path / "node-token", "")
    assert gateways.headers == {}
    (tmp_path / "node-token").write_text("first\n")
    assert gateways.headers == {"Authorization": "Bearer first"}
    (tmp_path / "node-token").write_text("second")
    assert gateways.headers == {"Authorization": "Bearer second"}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a\nb", b"a\r\nX: y", "ü".encode()])
def test_a_file_that_holds_no_token_has_none(tmp_path: Path, content: bytes) -> None:
    """Half written, or another file: it becomes no header."""
    (tmp_path / "node-token").write_bytes(content)
    assert Gateways(["http://a"], tmp_path / "node-token", "").headers == {}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(422, RefusalError), (409, RefusalError), (401, CallError), (500, CallError)],
)
def test_a_refusal_is_told_from_a_failure(status: int, kind: type[CallError]) -> None:
    """What is refused for good need not be sent again."""
    with (
        answering(lambda _: in_json({"detail": "No."}, status)) as served,
        pytest.raises(CallError, match=rf"answered {status}: No\.") as caught,
    ):
        _gateways(served.url).post("/v1/agent/seeds", {})
    assert type(caught.value) is kind


@pytest.mark.parametrize("detail", [3, None, ["a"], {"a": "b"}])
def test_a_detail_of_any_kind_is_shown(detail: Any) -> None:
    """Whatever answers there."""
    with (
        answering(lambda _: in_json({"detail": detail}, 500)) as served,
        pytest.raises(CallError, match="answered 500: "),
    ):
        _gateways(served.url).post("/x", {})
