"""The client of the management API: typed versions, and errors with TorchServe's message."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.torchserve import management
from agent.torchserve.management import (
    ConflictError,
    ServedVersion,
    SilentTorchServeError,
    TorchServe,
    TorchServeError,
)
from tests.unit.agent.http_double import Answer, Asked, Served, answering, closed_url, in_json
from tests.unit.agent.torchserve_double import MODEL, STARTED, TorchServeDouble, archive


@pytest.fixture
def double() -> TorchServeDouble:
    """Two versions, of which 1.0 is the default."""
    return TorchServeDouble()


@pytest.fixture
def served(double: TorchServeDouble) -> Iterator[Served]:
    """Its server."""
    with answering(double.answer) as running:
        yield running


@pytest.fixture
def torchserve(served: Served, tmp_path: Path) -> TorchServe:
    """The client, with a token."""
    tokens = tmp_path / "key_file.json"
    tokens.write_text(json.dumps({"management": {"key": "m"}, "inference": {"key": "i"}}))
    return TorchServe(served.url, tokens)


def test_versions_have_what_a_plan_needs(torchserve: TorchServe) -> None:
    """The default, workers, their processes, and the archive."""
    found = torchserve.models()[MODEL]
    assert found.default == "1.0"
    assert found.versions == (
        ServedVersion("1.0", archive("1.0"), 2, 2, 0, (100, 101), STARTED),
        ServedVersion("1.1", archive("1.1"), 1, 1, 0, (100,), STARTED),
    )


def test_workers_that_are_loading_are_not_ready(
    torchserve: TorchServe, double: TorchServeDouble
) -> None:
    """A version is ready when its workers are."""
    double.status = "LOADING"
    found = torchserve.version(MODEL, "1.0")
    assert (found.wanted, found.ready, found.loaded_at) == (2, 0, None)


def test_an_empty_server_has_no_models(torchserve: TorchServe, double: TorchServeDouble) -> None:
    """As at its first start."""
    double.versions = {}
    assert torchserve.models() == {}


def test_a_list_of_many_pages_is_read_whole(tmp_path: Path) -> None:
    """TorchServe lists a hundred models at a time."""
    double = TorchServeDouble()
    names = [f"m{number}" for number in range(5)]

    def paged(asked: Asked) -> Answer:
        if asked.path != "/models":
            return double.answer(asked)
        start = int(asked.query.get("next_page_token", 0))
        page = {"models": [{"modelName": name} for name in names[start : start + 2]]}
        more = {"nextPageToken": str(start + 2)} if start + 2 < len(names) else {}
        return in_json({**page, **more})

    with answering(paged) as served:
        assert list(TorchServe(served.url, tmp_path / "none").models()) == names


@pytest.mark.parametrize(
    ("call", "sent"),
    [
        (
            lambda server: server.register(archive("1.2")),
            f"POST /models initial_workers=0&url={archive('1.2')}",
        ),
        (lambda server: server.unregister(MODEL, "1.1"), "DELETE /models/deeplabv3/1.1"),
        (
            lambda server: server.set_default(MODEL, "1.1"),
            "PUT /models/deeplabv3/1.1/set-default",
        ),
        (
            lambda server: server.scale(MODEL, "1.1", 4),
            "PUT /models/deeplabv3/1.1 max_worker=4&min_worker=4&synchronous=true",
        ),
    ],
    ids=["register", "unregister", "default", "scale"],
)
def test_changes_are_asked_for_and_waited_for(
    torchserve: TorchServe,
    double: TorchServeDouble,
    call: Callable[[TorchServe], None],
    sent: str,
) -> None:
    """Requests use the bare file name and an explicit version, and are synchronous."""
    call(torchserve)
    assert double.changes == [sent]


def test_the_token_of_the_api_is_shown(
    torchserve: TorchServe, double: TorchServeDouble, tmp_path: Path
) -> None:
    """It is read each time: TorchServe makes another one at its next start."""
    double.token = "m"
    assert torchserve.models()
    assert torchserve.token("inference") == "i"
    (tmp_path / "key_file.json").write_text(json.dumps({"management": {"key": "wrong"}}))
    with pytest.raises(TorchServeError, match="Token Authorization failed"):
        torchserve.models()
    assert torchserve.token("inference") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"management": 3}'])
def test_a_file_of_tokens_that_is_none_has_no_token(
    torchserve: TorchServe, tmp_path: Path, text: str
) -> None:
    """As while TorchServe writes it."""
    (tmp_path / "key_file.json").write_text(text)
    assert torchserve.token("management") is None


def test_a_version_that_is_registered_already_is_a_conflict(torchserve: TorchServe) -> None:
    """The caller may take it as done."""
    with pytest.raises(ConflictError, match=r"409: 1\.0 is already registered"):
        torchserve.register(archive("1.0"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(500, b"<html>oops</html>"), "500: <html>oops"),
        (in_json(["odd"], 400), "400: "),
        (in_json({"code": 503}, 503), "503: "),
        (in_json({"message": "a\nb"}, 507), "507: a b$"),
    ],
)
def test_a_refusal_is_an_error_with_torchserves_message(
    torchserve: TorchServe, double: TorchServeDouble, answer: Answer, words: str
) -> None:
    """Or with the body, if it has another form; in one line."""
    double.other["/models/deeplabv3/1.1"] = answer
    with pytest.raises(TorchServeError, match=words):
        torchserve.unregister(MODEL, "1.1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"3",
        b"null",
        b'{"models": 3}',
        b'{"models": [{}]}',
        b"\xff",
        b"[" * 9999,
    ],
)
def test_an_answer_that_is_none_is_an_error(
    torchserve: TorchServe, double: TorchServeDouble, body: bytes
) -> None:
    """Whatever it is, the agent goes on."""
    double.other["/models"] = double.other["/models/deeplabv3/1.0"] = Answer(200, body)
    with pytest.raises(TorchServeError):
        torchserve.models()
    with pytest.raises(TorchServeError):
        torchserve.version(MODEL, "1.0")


def test_a_server_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(TorchServeError, match=r"management API.*refused"):
        TorchServe(closed_url(), tmp_path / "none").models()


def test_a_silent_server_is_told_from_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts the connection, and says nothing."""
    monkeypatch.setattr(management, "LOOK_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SilentTorchServeError, match="did not answer"):
            TorchServe(url, tmp_path / "none")._send("GET", "/models", None, 0.2)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the usual times."""
    for name in ("QUIET_S", "QUIET_UNSEEN_S", "POLL_S", "DRAIN_S"):
        monkeypatch.setattr(management, name, getattr(management, name) / 10)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("pending", "busy"),
    [([0, 0, 2, 1, 0], [[]]), ([0], [[100], [100, 101], [101], []])],
    ids=["in the queue", "in the workers"],
)
def test_a_version_is_idle_when_nothing_waits_and_nothing_is_computed(
    torchserve: TorchServe, double: TorchServeDouble, pending: list[int], busy: list[list[int]]
) -> None:
    """TorchServe ends workers at once, so queue and workers are waited for."""
    double.pending, double.busy = pending, [*busy]
    torchserve.wait_until_idle(MODEL, "1.0")
    assert (double.pending, double.busy) == ([0], [[]])


@pytest.mark.usefixtures("at_once")
def test_workers_that_stay_may_compute_all_the_time(
    torchserve: TorchServe, double: TorchServeDouble
) -> None:
    """Only those that end matter."""
    double.pending, double.busy = [5], [[100, 102], [101], [100]]
    torchserve.wait_until_idle(MODEL, "1.0", (101, 102))
    assert double.busy == [[100]]


@pytest.mark.usefixtures("at_once")
def test_a_version_that_never_rests_is_given_up(
    torchserve: TorchServe, double: TorchServeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the deadline of its clients."""
    monkeypatch.setattr(management, "DRAIN_S", 0.5)
    double.busy = [[100]]
    torchserve.wait_until_idle(MODEL, "1.0")
    assert double.busy == [[100]]


@pytest.mark.usefixtures("at_once")
def test_archives_that_do_not_say_who_is_busy_are_waited_for_longer(
    torchserve: TorchServe, served: Served, double: TorchServeDouble
) -> None:
    """Their handler is of a former version."""
    double.busy = [None]
    torchserve.wait_until_idle(MODEL, "1.0")
    looks = [each for each in served.asked if "customized" in each.query]
    assert len(looks) > management.QUIET_S / management.POLL_S
