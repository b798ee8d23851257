"""`segserve db` and `python -m gateway.registry.backup`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.keys.store import KeyStore
from gateway.registry.database import Database
from tests.unit.gateway.registry.conftest import add
from tests.unit.scripts.commands import command

main = command("db")


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The database that the command backs up."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGSERVE_GATEWAY_DATA_DIR", str(tmp_path / "data"))
    opened = Database(f"sqlite:///{tmp_path / 'data' / 'registry.sqlite3'}")
    opened.migrate()
    with opened.writing() as connection:
        add(connection, "1.0")
    return opened


def test_a_backup_comes_back(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    """Both say what they wrote; a restore says what it replaced."""
    assert main(["backup", "monday.backup"]) == 0
    assert "model 1, version 1" in capsys.readouterr().err
    with database.writing() as connection:
        add(connection, "2.0")
    assert main(["restore", "monday.backup"]) == 1
    line = capsys.readouterr().err
    assert "has data already, in rows: version 2" in line
    assert line.count("\n") == 1
    assert main(["restore", "monday.backup", "--force"]) == 0
    restored, replaced = capsys.readouterr().err.splitlines()
    assert "version 1" in restored
    assert "replaced" in replaced
    assert "version 2" in replaced


def test_keys_that_are_valid_again_are_named(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who revoked them since the backup must do so again; others are not named."""
    keys = KeyStore(database)
    revoked = [keys.add(name, "user")[0].id for name in ("leaked", "before")]
    keys.add("valid", "user")
    keys.revoke(revoked.pop())
    assert main(["backup", "monday.backup"]) == 0
    keys.revoke(revoked.pop())
    capsys.readouterr()
    assert main(["restore", "monday.backup", "--force"]) == 0
    *_, last = capsys.readouterr().err.splitlines()
    assert last == "db: keys that were revoked and are valid again: leaked"
    assert main(["restore", "monday.backup", "--force"]) == 0
    assert "valid again" not in capsys.readouterr().err


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["restore", "nowhere"], 1, "nowhere cannot be read: No such file"),
        (["backup", "nowhere/file"], 1, "cannot be written"),
        (["backup"], 2, "Missing argument 'FILE'"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors are reported as by every other command."""
    assert main(arguments) == status
    line = capsys.readouterr().err
    assert words in line
    assert line.count("\n") == 1


def test_a_wrong_address_is_one_line_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line says which addresses there are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGSERVE_GATEWAY_DATABASE_URL", "mysql://me:secret@host/db")
    assert main(["backup", "monday.backup"]) == 1
    line = capsys.readouterr().err
    assert "database_url begins with" in line
    assert "secret" not in line
    assert line.count("\n") == 1


@pytest.mark.slow
@pytest.mark.usefixtures("database")
def test_the_gateway_has_the_command_of_its_own() -> None:
    """A container has the gateway, but no `segserve`; a failure is one line there too."""
    root = Path(__file__).parents[5]
    env = os.environ | {"PYTHONPATH": str(root)}
    base = [sys.executable, "-m", "gateway.registry.backup"]
    done = subprocess.run(
        [*base, "backup", "monday.backup"], env=env, capture_output=True, text=True, check=True
    )
    assert "backed up" in done.stderr
    failed = subprocess.run(
        [*base, "restore", "nowhere"], env=env, capture_output=True, text=True, check=False
    )
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
