"""The key store: private, atomic, with one writer at a time."""

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
    """The path of a key file in a folder that does not exist yet."""
    return tmp_path / "run" / "keys.json"


def test_without_a_file_there_are_no_keys(path: Path) -> None:
    """A missing file means that there are no keys."""
    assert KeyStore(path).read() == []
    assert KeyStore(path).stamp() is None


def test_what_was_added_is_read_again(path: Path) -> None:
    """Keys are read with all their fields, in the order of creation."""
    store = KeyStore(path)
    first, _ = store.add("app", "user", "600/minute", 4)
    second, _ = store.add("boss", "admin")
    assert KeyStore(path).read() == [first, second]


def test_the_file_is_private_and_holds_no_secret(path: Path) -> None:
    """The file has mode 0600, and digests instead of secrets."""
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
    """Revoking removes one key; an unknown id is NotFoundError."""
    store = KeyStore(path)
    first, _ = store.add("one", "user")
    second, _ = store.add("two", "user")
    store.revoke(first.id)
    assert store.read() == [second]
    with pytest.raises(NotFoundError):
        store.revoke(first.id)


def test_the_last_admin_may_be_kept(path: Path) -> None:
    """With keep_an_admin the last admin key cannot be revoked."""
    store = KeyStore(path)
    admin, _ = store.add("boss", "admin")
    store.add("app", "user")
    with pytest.raises(ConflictError):
        store.revoke(admin.id, keep_an_admin=True)
    store.add("deputy", "admin")
    store.revoke(admin.id, keep_an_admin=True)
    assert [key.name for key in store.read()] == ["app", "deputy"]


def test_every_change_has_another_stamp(path: Path) -> None:
    """The stamp differs after changes in quick succession, and after a change of permissions."""
    store = KeyStore(path)
    stamps = [store.stamp()]
    for name in "abc":
        store.add(name, "user")
        stamps.append(store.stamp())
    path.chmod(0o400)
    stamps.append(store.stamp())
    assert len(set(stamps)) == 5


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"keys": [{"id": "x"}]}', '{"keys": null}', "\x00"]
)
def test_a_damaged_file_is_reported_without_its_content(path: Path, content: str) -> None:
    """The error names a damaged file but does not quote it; the file is left unchanged."""
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(InternalError, match=r"keys\.json, cannot be read"):
        KeyStore(path).read()
    with pytest.raises(InternalError):
        KeyStore(path).add("app", "user")
    assert path.read_text() == content


def test_a_place_that_cannot_be_written_is_a_conflict(tmp_path: Path) -> None:
    """A path that cannot be written, such as a mounted secret, is ConflictError."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConflictError):
        KeyStore(tmp_path / "file" / "keys.json").add("app", "user")


def test_writers_at_once_lose_nothing(path: Path) -> None:
    """Concurrent threads lose no key and leave no temporary file."""
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda number: KeyStore(path).add(f"n{number}", "user"), range(40)))
    assert {key.id for key in KeyStore(path).read()} == {key.id for key, _ in created}
    assert [entry.name for entry in path.parent.iterdir() if "lock" not in entry.name] == [
        "keys.json"
    ]


@pytest.mark.slow
def test_processes_at_once_lose_nothing(path: Path) -> None:
    """Concurrent processes, such as the command and gateways, lose no key."""
    code = (
        "import sys, pathlib; from gateway.keys.store import KeyStore\n"
        "for _ in range(5): KeyStore(pathlib.Path(sys.argv[1])).add('n', 'user')"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(KeyStore(path).read()) == 15
