"""`python -m gateway.keys` for whoever runs the gateway."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.keys.command import main
from gateway.keys.store import KeyStore


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyStore:
    """The file that the command changes."""
    path = tmp_path / "keys.json"
    monkeypatch.setenv("SEGSERVE_GATEWAY_KEYS_FILE", str(path))
    return KeyStore(path)


def test_add_prints_the_key_and_nothing_else(file: KeyStore) -> None:
    """So that a script can keep it: KEY=$(python -m gateway.keys add ...)."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.keys", "add", "--name", "app", "--rate", "600/minute"],
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    (key,) = file.read()
    assert done.stdout.startswith(f"sgs_{key.id}_")
    assert len(done.stdout.splitlines()) == 1
    assert (key.name, key.role, key.rate, key.concurrency) == ("app", "user", "600/minute", None)


def test_list_shows_all_but_the_digests(file: KeyStore, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each."""
    key, _ = file.add("app", "admin", None, 4)
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


def test_revoke_takes_a_key_back(file: KeyStore) -> None:
    """Also the last one: who sits at the machine decides."""
    key, _ = file.add("app", "admin")
    main(["revoke", key.id])
    assert file.read() == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["revoke", "nope"], "no key with this id"),
        (["add", "--name", "a\nb"], "name"),
        (["add", "--name", "app", "--rate", "often"], "rate"),
        (["add", "--name", "app", "--concurrency", "0"], "concurrency"),
    ],
)
def test_what_cannot_be_done_is_one_line(file: KeyStore, arguments: list[str], told: str) -> None:
    """No traceback for a slip, and no key."""
    with pytest.raises(SystemExit, match=told) as ended:
        main(arguments)
    assert "\n" not in str(ended.value)
    assert file.read() == []


@pytest.mark.parametrize(
    "arguments", [[], ["add"], ["revoke"], ["add", "--name", "a", "--role", "x"]]
)
def test_a_wrong_command_says_how(
    file: KeyStore, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage and an exit status."""
    with pytest.raises(SystemExit):
        main(arguments)
    assert "usage: python -m gateway.keys" in capsys.readouterr().err
