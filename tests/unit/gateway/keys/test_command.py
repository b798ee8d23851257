"""The command `python -m gateway.keys`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.keys.command import main
from gateway.keys.store import KeyStore
from tests.key_store import key_store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyStore:
    """The store that the command changes."""
    monkeypatch.setenv("SEGSERVE_GATEWAY_DATA_DIR", str(tmp_path))
    return key_store(tmp_path)


def test_add_prints_the_key_and_nothing_else(store: KeyStore) -> None:
    """A script can capture the key: KEY=$(python -m gateway.keys add ...)."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.keys", "add", "--name", "app", "--rate", "600/minute"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    (key,) = store.read()
    assert done.stdout.startswith(f"sgs_{key.id}_")
    assert len(done.stdout.splitlines()) == 1
    assert (key.name, key.role, key.rate, key.concurrency) == ("app", "user", "600/minute", None)


def test_list_shows_all_but_the_digests(
    store: KeyStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list has one line for each key, without its digest."""
    key, _ = store.add("app", "admin", None, 4)
    main(["list"])
    _, line = capsys.readouterr().out.splitlines()
    assert line.split() == [
        key.id,
        "admin",
        *f"{key.created_at:%Y-%m-%d %H:%M:%SZ}".split(),
        "-",
        "4",
        "app",
    ]


def test_revoke_takes_a_key_back(store: KeyStore) -> None:
    """The command may revoke the last key with the role admin."""
    key, _ = store.add("app", "admin")
    main(["revoke", key.id])
    assert store.read() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["revoke", "nope"], "no key with this id"),
        (["add", "--name", "a\nb"], "name"),
        (["add", "--name", "app", "--rate", "often"], "rate"),
        (["add", "--name", "app", "--concurrency", "0"], "concurrency"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    store: KeyStore, arguments: list[str], message: str
) -> None:
    """An invalid argument is one line without a traceback, and changes nothing."""
    with pytest.raises(SystemExit, match=message) as exit_:
        main(arguments)
    assert "\n" not in str(exit_.value)
    assert store.read() == []


@pytest.mark.parametrize(
    "arguments", [[], ["add"], ["revoke"], ["add", "--name", "a", "--role", "x"]]
)
def test_a_wrong_command_says_how(
    store: KeyStore, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong command line prints the usage and exits with status 2."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert ("See `" if arguments else "Usage: ") + "python -m gateway.keys" in error
    assert arguments == [] or error.count("\n") == 1
