"""`segserve keys`: the gateway's own command, as part of the program."""

from pathlib import Path

import pytest

from gateway.keys.store import KeyStore
from tests.key_store import key_store
from tests.unit.scripts.commands import command

main = command("keys")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyStore:
    """The store that the command changes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGSERVE_GATEWAY_DATA_DIR", str(tmp_path))
    return key_store(tmp_path)


def test_a_key_is_made_listed_and_revoked(
    store: KeyStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """add prints only the key to standard output."""
    assert main(["add", "--name", "app"]) == 0
    (key,) = store.read()
    assert capsys.readouterr().out.startswith(f"sgs_{key.id}_")
    assert main(["list"]) == 0
    assert key.id in capsys.readouterr().out
    assert main(["revoke", key.id]) == 0
    assert store.read() == []


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["revoke", "nope"], 1, "segserve: There is no key with this id."),
        (["add", "--name", "a", "--rate", "often"], 1, "segserve: rate: "),
        (["add"], 2, "segserve: Missing option '--name'"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors are reported as by every other command."""
    assert main(arguments) == status
    line = capsys.readouterr().err
    assert line.startswith(words)
    assert line.count("\n") == 1


def test_flags_may_stand_in_the_file(store: KeyStore) -> None:
    """The configuration file applies, although the command belongs to the gateway."""
    Path("segserve.toml").write_text("[keys.add]\nrate = '9/minute'\n")
    assert main(["add", "--name", "app"]) == 0
    assert store.read()[0].rate == "9/minute"
