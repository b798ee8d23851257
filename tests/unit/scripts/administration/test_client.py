"""The client of the administration: keys, etags, repetition, and errors in one line."""

import hashlib
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from scripts.administration.adding import add
from scripts.administration.client import (
    ADMIN_TOKEN,
    Address,
    AdministrationError,
    ChangedMeanwhileError,
    Gateway,
    LostAnswerError,
    NotNowError,
    address_of,
)
from scripts.administration.operations import set_alias
from tests.unit.gateway.admin.conftest import archive

Handler = Callable[[httpx.Request], httpx.Response]
VERSION = {"version": "2.0", "state": "available", "nodes": []}


def gateway(handler: Handler, etag: str | None = None, key: str | None = "key") -> Gateway:
    """A client of a gateway that answers by ``handler``."""
    address = Address("http://gateway.test", key, Path("data") / ADMIN_TOKEN)
    return Gateway(address, etag, _Answering(handler))


class _Answering(httpx.BaseTransport):
    """A transport that leaves it to the handler to read a request's body."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Let the handler answer."""
        return self._handler(request)


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://localhost:8000", True),
        ("http://[::1]:8000", True),
        ("http://127.8.8.8", True),
        ("http://192.0.2.7:8000", False),
        ("https://segserve.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://127.0.0.1@example.com", False),
    ],
)
def test_the_token_goes_to_this_machine_only(tmp_path: Path, url: str, is_local: bool) -> None:
    """A key that was given comes first."""
    (tmp_path / ADMIN_TOKEN).write_text("token\n")
    assert address_of(url, None, tmp_path).key == ("token" if is_local else None)
    assert address_of(url, "given", tmp_path).key == "given"
    assert address_of(url, None, tmp_path / "nowhere").key is None


def test_a_post_without_an_answer_is_sent_again_as_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With its Idempotency-Key, so that nothing is done twice; other methods are not."""
    monkeypatch.setattr("scripts.administration.client.time.sleep", lambda _: None)
    keys: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers.get("Idempotency-Key", ""))
        if len(keys) == 1:
            raise httpx.ReadError("connection reset")
        return httpx.Response(200, json={})

    gateway(handle).change("POST", "/x", {})
    assert keys[0] == keys[1] != ""
    keys.clear()
    with pytest.raises(NotNowError, match="connection reset"):
        gateway(handle).change("PUT", "/x", {})
    assert keys == [""]


def test_a_change_is_tried_again_on_a_newer_state_unless_its_state_was_named() -> None:
    """412 says that another change came first."""
    sent: list[str] = []
    state = iter((7, 8, 8))

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and "versions" in request.url.path:
            return httpx.Response(200, json=VERSION)
        if request.method == "GET":
            return httpx.Response(200, json={}, headers={"ETag": f'"{next(state)}"'})
        sent.append(request.headers["If-Match"])
        if sent[-1] != '"8"':
            return httpx.Response(412, json={"detail": "The state has changed meanwhile."})
        return httpx.Response(200, json={"aliases": {}})

    set_alias(gateway(handle), "next", "2.0", "")
    assert sent == ['"7"', '"8"']
    with pytest.raises(ChangedMeanwhileError, match="meanwhile"):
        set_alias(gateway(handle, etag="5"), "next", "2.0", "")
    assert sent[2:] == ['"5"']


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(409, json={"detail": "Two\nlines."}), "^Two lines.$"),
        (httpx.Response(502, text="<html>bad</html>"), "^the gateway answered 502: '<html>bad"),
        (httpx.Response(200, text="<html>"), "is no gateway: it answers no JSON"),
        (httpx.Response(200, json=[1]), "is no gateway: it answers no JSON object"),
        (httpx.Response(403, json={"detail": "Not you."}), "refuses the key: Not you."),
    ],
)
def test_an_error_is_one_line(answer: httpx.Response, words: str) -> None:
    """From the problem document, if there is one."""
    with pytest.raises(AdministrationError, match=words) as caught:
        gateway(lambda _: answer).read("/x")
    assert "\n" not in str(caught.value)


def test_without_a_key_the_line_says_where_one_is() -> None:
    """And that the gateway's user needs none."""
    with pytest.raises(AdministrationError, match=r"set SEGSERVE_KEY, or .*data/admin-token"):
        gateway(lambda _: httpx.Response(403, json={"detail": "no"}), key=None).read("/x")


@pytest.mark.parametrize("is_all_sent", [False, True])
def test_a_signal_while_the_archive_is_sent_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_all_sent: bool
) -> None:
    """It ends the sending; when all was sent, the answer says if there is something to undo."""
    path = tmp_path / "deeplabv3-2.0.mar"
    path.write_bytes(archive("2.0"))
    monkeypatch.setattr("scripts.administration.adding.CHUNK", 100)
    path_size, sent, deleted = path.stat().st_size, [0], []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(404, json={"detail": "There is no such version."})
        if request.method == "DELETE":
            deleted.append(request.url.path)
            return httpx.Response(204)
        for chunk in request.stream:  # type: ignore[union-attr]  # of a synchronous request
            sent[0] += len(chunk)
            if not is_all_sent and sent[0] == len(chunk):
                signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        return httpx.Response(201, json=VERSION)

    with pytest.raises(KeyboardInterrupt):
        add(gateway(handle), path, None, 5.0)
    if is_all_sent:
        assert sent == [path_size]
        assert deleted == ["/v1/admin/models/deeplabv3/versions/2.0"]
    else:
        assert sent == [100]
        assert deleted == []


@pytest.mark.parametrize("arrived", ["whole", "late", "other", "never"])
def test_an_archive_whose_answer_is_lost_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arrived: str
) -> None:
    """The gateway may have it all the same; other bytes under the name are not this archive."""
    path = tmp_path / "deeplabv3-2.0.mar"
    path.write_bytes(archive("2.0"))
    monkeypatch.setattr("scripts.administration.adding.AGAIN_S", 0)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    found = VERSION | {"sha256": "0" * 64 if arrived == "other" else sha256}
    asked = 0

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        if request.method == "POST":
            for _ in request.stream:  # type: ignore[union-attr]  # of a synchronous request
                pass
            raise httpx.RemoteProtocolError("cut off")
        asked += 1
        if asked == 2 and arrived == "late":
            raise httpx.ConnectError("it is starting again")
        if asked == 1 or arrived == "never":
            return httpx.Response(404, json={"detail": "There is no such version."})
        return httpx.Response(200, json=found)

    if arrived in ("whole", "late"):
        assert add(gateway(handle), path, None, None) == (found, True)
    else:
        with pytest.raises(LostAnswerError, match="cut off"):
            add(gateway(handle), path, None, None)
