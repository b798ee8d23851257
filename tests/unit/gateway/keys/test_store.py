"""The key store: in the database, with one writer at a time, and the keys of former versions."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.errors import ConflictError, InternalError, NotFoundError, RegistryUnavailableError
from gateway.keys.api_key import Key, issue
from gateway.keys.store import KeyStore
from gateway.registry import audit
from gateway.registry.storage import tables
from tests.key_store import folder_of, key_store


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    """A store without keys."""
    return key_store(tmp_path / "data")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The place of a former version's file."""
    return tmp_path / "keys.json"


def test_without_a_key_there_are_none(store: KeyStore) -> None:
    """A new database has no keys."""
    assert store.read() == []


def test_what_was_added_is_read_again(store: KeyStore) -> None:
    """Keys are read with all their fields, in the order of creation."""
    first, _ = store.add("app", "user", "600/minute", 4)
    second, _ = store.add("böss", "admin")
    assert key_store(folder_of(store)).read() == [first, second]


def test_the_database_holds_no_secret(store: KeyStore) -> None:
    """It has digests instead of secrets, also in its log."""
    _, presented = store.add("app", "user")
    content = b"".join(path.read_bytes() for path in folder_of(store).iterdir())
    assert b"app" in content
    assert presented.rpartition("_")[2].encode() not in content


def test_a_revoked_key_is_gone(store: KeyStore) -> None:
    """Revoking removes one key; an unknown id, and the same again, are NotFoundError."""
    first, _ = store.add("one", "user")
    second, _ = store.add("two", "user")
    store.revoke(first.id)
    assert store.read() == [second]
    with pytest.raises(NotFoundError):
        store.revoke(first.id)


def test_the_last_admin_may_be_kept(store: KeyStore) -> None:
    """With keep_an_admin the last admin key cannot be revoked."""
    admin, _ = store.add("boss", "admin")
    store.add("app", "user")
    with pytest.raises(ConflictError):
        store.revoke(admin.id, keep_an_admin=True)
    store.add("deputy", "admin")
    store.revoke(admin.id, keep_an_admin=True)
    assert [key.name for key in store.read()] == ["app", "deputy"]


def test_every_change_has_another_stamp(store: KeyStore) -> None:
    """The stamp differs after changes in quick succession."""
    stamps = [store.stamp()]
    keys = []
    for name in "abc":
        keys.append(store.add(name, "user")[0])
        stamps.append(store.stamp())
    store.revoke(keys[0].id)
    stamps.append(store.stamp())
    assert len(set(stamps)) == 5


def test_changes_are_in_the_audit_log_without_digests(store: KeyStore) -> None:
    """Who added and who revoked a key, with its name and role."""
    key, _ = store.add("app", "user", actor="boss")
    store.revoke(key.id)
    with store.database.reading() as connection:
        revoked, added = audit.entries(connection)
    assert (added.actor, added.action, added.subject) == ("boss", "key.add", key.id)
    assert added.after == revoked.before == {"name": "app", "role": "user"}
    assert (revoked.actor, revoked.action) == ("command", "key.revoke")


def test_a_database_without_tables_is_one_line(store: KeyStore) -> None:
    """Every method says so."""
    store.database.downgrade("base")
    for call in (
        store.read,
        store.stamp,
        lambda: store.add("a", "user"),
        lambda: store.revoke("a"),
    ):
        with pytest.raises(RegistryUnavailableError) as error:
            call()
        assert "\n" not in error.value.detail


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    """Concurrent threads, each with a store of its own, lose no key."""
    with ThreadPoolExecutor(8) as pool:
        created = list(
            pool.map(lambda number: key_store(tmp_path).add(f"n{number}", "user"), range(40))
        )
    assert {key.id for key in key_store(tmp_path).read()} == {key.id for key, _ in created}


@pytest.mark.slow
def test_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    """Concurrent processes, such as the command and gateways, lose no key."""
    code = (
        "import sys, pathlib; from tests.key_store import key_store\n"
        "for _ in range(5): key_store(pathlib.Path(sys.argv[1])).add('n', 'user')"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(key_store(tmp_path).read()) == 15


def written(file: Path, *names: str) -> list[Key]:
    """The keys of a file as former versions wrote it."""
    keys = [issue(name, "user", "600/minute", None)[0] for name in names]
    file.write_text(json.dumps({"keys": [key.model_dump(mode="json") for key in keys]}))
    return keys


def test_the_keys_of_a_former_version_are_taken_over_once(store: KeyStore, file: Path) -> None:
    """All fields, in their order; the file is kept under another name."""
    keys = written(file, "one", "two")
    content = file.read_bytes()
    assert store.take_over(file) == 2
    assert store.read() == keys
    assert not file.exists()
    assert file.with_name("keys.json.migrated").read_bytes() == content
    assert store.take_over(file) == 0
    assert store.read() == keys


def test_a_key_that_was_revoked_does_not_come_back(store: KeyStore, file: Path) -> None:
    """A start that was killed before the file got its other name finds it again."""
    first, second = written(file, "one", "two")
    content = file.read_bytes()
    store.take_over(file)
    store.revoke(first.id)
    file.write_bytes(content)
    assert store.take_over(file) == 0
    assert store.read() == [second]


def test_gateways_that_take_over_at_once_do_it_once(tmp_path: Path, file: Path) -> None:
    """No key is there twice, and none is lost."""
    keys = written(file, *"abcdefgh")
    key_store(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: key_store(tmp_path).take_over(file), range(4)))
    assert sorted(key_store(tmp_path).read(), key=lambda key: key.name) == keys


@pytest.mark.slow
def test_a_take_over_killed_in_the_middle_is_done_by_the_next_start(
    store: KeyStore, file: Path
) -> None:
    """SIGKILL before the commit leaves the file, and no key."""
    keys = written(file, "one", "two")
    code = (
        "import os, pathlib, sys\n"
        "from sqlalchemy import event; from tests.key_store import key_store\n"
        "store = key_store(pathlib.Path(sys.argv[1]))\n"
        "event.listen(store.database.engine, 'commit', lambda _: os.kill(os.getpid(), 9))\n"
        "store.take_over(pathlib.Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(folder_of(store)), str(file)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert store.read() == []
    assert store.take_over(file) == 2
    assert store.read() == keys


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"keys": [{"id": "x"}]}', '{"keys": null}', "\x00"]
)
def test_a_damaged_file_is_reported_without_its_content(
    store: KeyStore, file: Path, content: str
) -> None:
    """The error names a damaged file but does not quote it; the file is left unchanged."""
    file.write_text(content)
    with pytest.raises(InternalError, match=r"keys\.json, cannot be read"):
        store.take_over(file)
    assert file.read_text() == content
    assert store.read() == []


def test_a_folder_in_which_nothing_can_be_renamed_is_no_failure(
    store: KeyStore, file: Path
) -> None:
    """A mounted secret stays; its keys are taken over all the same."""
    keys = written(file, "one")
    os.mkdir(file.with_name("keys.json.migrated"))  # noqa: PTH102  # in the way of the new name
    assert store.take_over(file) == 1
    assert store.take_over(file) == 0
    assert store.read() == keys


def test_rows_are_checked(store: KeyStore) -> None:
    """A row that was changed by hand is an error, not an open gateway."""
    store.add("app", "user")
    changes: dict[str, Any] = {"role": "root"}
    with store.database.writing() as connection:
        connection.execute(sa.update(tables.key).values(**changes))
    with pytest.raises(InternalError, match="key"):
        store.read()
