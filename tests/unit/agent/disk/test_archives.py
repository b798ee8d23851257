"""Archives on a node: whole and the right ones, or not at all."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from agent.disk.archives import KEPT, PARTIAL, Archives, FetchError, digest_of, file_name
from tests.child_process import run_with_file_size_limit
from tests.unit.agent.http_double import Answer, Asked, answering, closed_url

CONTENT = bytes(range(256)) * 5000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = file_name("deeplabv3", "1.0", DIGEST)
TOKEN = {"Authorization": "Bearer a-token"}


def _fetch(folder: Path, url: str, size: int = len(CONTENT)) -> Archives:
    archives = Archives(folder)
    archives.fetch(f"{url}/v1/agent/archives/{DIGEST}", TOKEN, NAME, DIGEST, size)
    return archives


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_an_archive_is_fetched_under_a_name_that_says_what_it_is(tmp_path: Path) -> None:
    """With the node's token; the file is its own model store's."""
    with answering(lambda _: Answer(200, CONTENT)) as served:
        archives = _fetch(tmp_path, served.url)
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert archives.digests == {DIGEST}
    assert archives.name(DIGEST) == NAME
    (asked,) = served.asked
    assert (asked.path, asked.headers["Authorization"]) == (
        f"/v1/agent/archives/{DIGEST}",
        "Bearer a-token",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(200, CONTENT[:-1], len(CONTENT)), f"{len(CONTENT) - 1} of {len(CONTENT)} bytes"),
        (Answer(200, CONTENT[:-1]), f"{len(CONTENT) - 1} of {len(CONTENT)} bytes"),
        (Answer(200, b""), f"0 of {len(CONTENT)} bytes"),
        (Answer(200, CONTENT[:-1] + b"x"), f"other bytes: SHA-256 {_sha(CONTENT[:-1] + b'x')}"),
        (Answer(200, CONTENT + b"x"), f"more than the {len(CONTENT)} bytes"),
        (Answer(401, b'{"detail": "No\\nkey."}'), "answered 401: .*No"),
        (Answer(404, b""), "answered 404: "),
        (Answer(503, b"\xff\n<html>"), "answered 503: .*<html>"),
    ],
    ids=["cut off", "short", "empty", "other bytes", "too large", "401", "404", "503"],
)
def test_what_is_not_the_archive_is_not_kept(tmp_path: Path, answer: Answer, words: str) -> None:
    """The reason is one line."""
    with answering(lambda _: answer) as served, pytest.raises(FetchError, match=words) as caught:
        _fetch(tmp_path, served.url)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert Archives(tmp_path).digests == frozenset()


def test_a_gateway_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    """The system's."""
    with pytest.raises(FetchError, match=r"broke: .*refused"):
        _fetch(tmp_path, closed_url())
    assert list(tmp_path.iterdir()) == []


def test_the_next_try_gets_what_the_first_did_not(tmp_path: Path) -> None:
    """A failure leaves nothing that stands in the way."""
    answers = [Answer(200, CONTENT[:9000], len(CONTENT)), Answer(200, CONTENT)]

    def once_cut(_: Asked) -> Answer:
        return answers.pop(0)

    with answering(once_cut) as served:
        with pytest.raises(FetchError):
            _fetch(tmp_path, served.url)
        assert _fetch(tmp_path, served.url).digests == {DIGEST}


def _reason_of_failure(folder: str, url: str) -> tuple[str, list[str]]:
    try:
        _fetch(Path(folder), url)
    except FetchError as exc:
        return str(exc), os.listdir(folder)  # noqa: PTH208 - names only
    return "", []


@pytest.mark.slow
@pytest.mark.parametrize("most", [0, 1000, len(CONTENT) - 1])
def test_a_full_disk_is_a_reason(tmp_path: Path, most: int) -> None:
    """It names the file, and leaves no part of it."""
    with answering(lambda _: Answer(200, CONTENT)) as served:
        reason, left = run_with_file_size_limit(most, _reason_of_failure, str(tmp_path), served.url)
    assert reason.startswith(f"{NAME} cannot be written: ")
    assert left == []


def test_a_folder_that_cannot_be_written_is_a_reason(tmp_path: Path) -> None:
    """As one that was deleted under a running agent."""
    archives = Archives(tmp_path / "archives")
    (tmp_path / "archives").rmdir()
    with (
        answering(lambda _: Answer(200, CONTENT)) as served,
        pytest.raises(FetchError, match="cannot be written: No such file"),
    ):
        archives.fetch(served.url, TOKEN, NAME, DIGEST, len(CONTENT))


FETCHING = """
import sys
from pathlib import Path
from tests.unit.agent.disk.test_archives import _fetch
_fetch(Path(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.slow
def test_what_a_kill_leaves_is_removed_at_the_next_start(tmp_path: Path) -> None:
    """A sound archive beside it stays."""
    sound = file_name("deeplabv3", "0.9", _sha(b"sound"))
    (tmp_path / sound).write_bytes(b"sound")
    held, partial = threading.Event(), tmp_path / f"{NAME}{PARTIAL}"
    stopping = Answer(200, CONTENT[:-1], len(CONTENT), held)
    with answering(lambda _: stopping) as served:
        child = subprocess.Popen([sys.executable, "-c", FETCHING, str(tmp_path), served.url])
        end = time.monotonic() + 60
        while not (partial.exists() and partial.stat().st_size) and time.monotonic() < end:
            time.sleep(0.01)  # polling another process
        child.kill()
        child.wait(60)
        held.set()
    assert partial.exists()
    assert Archives(tmp_path).digests == {_sha(b"sound")}
    assert [path.name for path in tmp_path.iterdir()] == [sound]


@pytest.mark.parametrize("damage", [CONTENT[:-1], b"", CONTENT[:-1] + b"x"])
def test_an_archive_that_a_bad_disk_changed_is_removed(tmp_path: Path, damage: bytes) -> None:
    """It is fetched again; files of other kinds are left alone."""
    (tmp_path / NAME).write_bytes(damage)
    (tmp_path / "notes.txt").touch()
    assert Archives(tmp_path).digests == frozenset()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_oldest_archives_that_nothing_wants_are_forgotten(tmp_path: Path) -> None:
    """A few are kept, so that a roll-back need not fetch; wanted ones always."""
    contents = [bytes([number]) * 10 for number in range(KEPT + 3)]
    for age, content in enumerate(contents):
        path = tmp_path / file_name("m", f"{age}", _sha(content))
        path.write_bytes(content)
        moment = time.time() - 100 * age
        os.utime(path, (moment, moment))
    archives = Archives(tmp_path)
    oldest = _sha(contents[-1])
    archives.want([oldest])
    archives.forget()
    kept = {oldest, *(_sha(content) for content in contents[:KEPT])}
    assert archives.digests == kept
    assert {digest_of(path.name) for path in tmp_path.iterdir()} == kept


@pytest.mark.parametrize("damage", [None, b"", CONTENT[:-1] + b"x"])
def test_an_archive_that_vanished_or_rotted_is_dropped(
    tmp_path: Path, damage: bytes | None
) -> None:
    """By a look at it, so that it is fetched again; a sound one stays."""
    with answering(lambda _: Answer(200, CONTENT)) as served:
        archives = _fetch(tmp_path, served.url)
        archives.check(DIGEST)
        archives.check(_sha(b"of no archive here"))
        assert archives.digests == {DIGEST}
        (tmp_path / NAME).unlink()
        if damage is not None:
            (tmp_path / NAME).write_bytes(damage)
        archives.check(DIGEST)
        assert archives.digests == frozenset()
        assert list(tmp_path.iterdir()) == []
        archives.fetch(served.url, TOKEN, NAME, DIGEST, len(CONTENT))
    assert archives.digests == {DIGEST}


def test_on_a_full_disk_what_nothing_wants_makes_room(tmp_path: Path) -> None:
    """Also the few that are kept otherwise; where there are none it is a reason."""
    names = {each: file_name("m", each, _sha(each.encode())) for each in ("wanted", "other")}
    for version, name in names.items():
        (tmp_path / name).write_bytes(version.encode())
    archives, partial = Archives(tmp_path), tmp_path / f"{NAME}{PARTIAL}"
    archives.want([_sha(b"wanted"), DIGEST])
    with answering(lambda _: Answer(200, CONTENT)) as served:
        partial.symlink_to("/dev/full")
        archives.fetch(served.url, TOKEN, NAME, DIGEST, len(CONTENT))
        assert archives.digests == {_sha(b"wanted"), DIGEST}
        assert not (tmp_path / names["other"]).exists()
        partial.symlink_to("/dev/full")
        with pytest.raises(FetchError, match="cannot be written: No space left"):
            archives.fetch(served.url, TOKEN, NAME, DIGEST, len(CONTENT))
    assert archives.digests == {_sha(b"wanted"), DIGEST}


@pytest.mark.parametrize(
    "name", ["deeplabv3-1.0.mar", f"{'a' * 64}.mar", f"m-1-{'a' * 63}.mar", ""]
)
def test_a_name_without_a_digest_has_none(name: str) -> None:
    """Nor has one of another length."""
    assert digest_of(name) is None
    assert digest_of(NAME) == DIGEST
