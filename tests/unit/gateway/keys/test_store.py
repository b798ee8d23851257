"""The file of the keys: private, whole at every moment, and changed by one writer at a time."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.errors import ConflictError, InternalError, NotFoundError
from gateway.keys.store import KeyStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file of keys may be made, in a folder that is not there yet."""
    return tmp_path / "run" / "keys.json"


def test_without_a_file_there_are_no_keys(path: Path) -> None:
    """A gateway that never had a key is not broken."""
    assert KeyStore(path).read() == []
    assert KeyStore(path).stamp() is None


def test_what_was_added_is_read_again(path: Path) -> None:
    """All that was said of it, in the order of making."""
    file = KeyStore(path)
    first, _ = file.add("app", "user", "600/minute", 4)
    second, _ = file.add("boss", "admin")
    assert KeyStore(path).read() == [first, second]


def test_the_file_is_private_and_holds_no_secret(path: Path) -> None:
    """Mode 0600, digests only."""
    _, presented = KeyStore(path).add("app", "user")
    assert path.stat().st_mode & 0o777 == 0o600
    assert presented.rpartition("_")[2] not in path.read_text()
    assert sorted(json.loads(path.read_text())["keys"][0]) == [
        "concurrency",
        "created_at",
        "digest",
        "id",
        "name",
        "rate",
        "role",
    ]


def test_a_revoked_key_is_gone(path: Path) -> None:
    """The others stay."""
    file = KeyStore(path)
    first, _ = file.add("one", "user")
    second, _ = file.add("two", "user")
    file.revoke(first.id)
    assert file.read() == [second]
    with pytest.raises(NotFoundError):
        file.revoke(first.id)


def test_the_last_admin_may_be_kept(path: Path) -> None:
    """Whoever runs the gateway does not lock the door from outside."""
    file = KeyStore(path)
    admin, _ = file.add("boss", "admin")
    file.add("app", "user")
    with pytest.raises(ConflictError):
        file.revoke(admin.id, keep_an_admin=True)
    file.add("deputy", "admin")
    file.revoke(admin.id, keep_an_admin=True)
    assert [key.name for key in file.read()] == ["app", "deputy"]


def test_every_change_has_another_stamp(path: Path) -> None:
    """Also one that follows at once, and one of permissions alone."""
    file = KeyStore(path)
    stamps = [file.stamp()]
    for name in "abc":
        file.add(name, "user")
        stamps.append(file.stamp())
    path.chmod(0o400)
    stamps.append(file.stamp())
    assert len(set(stamps)) == 5


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"keys": [{"id": "x"}]}', '{"keys": null}', "\x00"]
)
def test_a_damaged_file_is_told_without_its_content(path: Path, content: str) -> None:
    """The name of the file, not what it holds."""
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(InternalError, match=r"keys\.json, cannot be read"):
        KeyStore(path).read()
    with pytest.raises(InternalError):
        KeyStore(path).add("app", "user")
    assert path.read_text() == content


def test_a_place_that_cannot_be_written_is_a_conflict(tmp_path: Path) -> None:
    """Of a mounted secret, for instance: nobody's fault, and nothing breaks."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConflictError):
        KeyStore(tmp_path / "file" / "keys.json").add("app", "user")


def test_writers_at_once_lose_nothing(path: Path) -> None:
    """Threads of one process, as the admin's routes have them."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: KeyStore(path).add(f"n{number}", "user"), range(40)))
    assert {key.id for key in KeyStore(path).read()} == {key.id for key, _ in made}
    assert [found.name for found in path.parent.iterdir() if "lock" not in found.name] == [
        "keys.json"
    ]


def test_processes_at_once_lose_nothing(path: Path) -> None:
    """The command, and gateways beside each other."""
    code = (
        "import sys, pathlib; from gateway.keys.store import KeyStore\n"
        "for _ in range(5): KeyStore(pathlib.Path(sys.argv[1])).add('n', 'user')"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(KeyStore(path).read()) == 15
