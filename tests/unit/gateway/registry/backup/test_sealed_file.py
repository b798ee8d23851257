"""The portable file of a backup: whole, or refused."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import ConflictError
from gateway.registry.backup import sealed_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sealed file with two tables."""
    path = tmp_path / "backup"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
        connection.execute("CREATE TABLE audit (id INTEGER PRIMARY KEY, why TEXT, ms REAL)")
        rows = [(f"reason {number} ä", number / 7) for number in range(200)]
        connection.executemany("INSERT INTO audit (why, ms) VALUES (?, ?)", rows)
        connection.commit()
    sealed_file.seal(path)
    return path


def rows(path: Path) -> list[object]:
    """What is in the file."""
    with closing(sqlite3.connect(path)) as connection:
        queries = ("SELECT * FROM alembic_version", "SELECT * FROM audit ORDER BY id")
        return [connection.execute(query).fetchall() for query in queries]


def test_a_sealed_file_is_whole(file: Path) -> None:
    """It has its revision and the moment of its making; a check leaves no file beside it."""
    assert sealed_file.check(file)[4] == "-"
    assert sealed_file.revision(file) == "0001"
    assert list(file.parent.iterdir()) == [file]


def test_any_bytes_are_refused_or_have_the_same_rows(file: Path) -> None:
    """Bytes that were changed, lost or added anywhere: one line, or a place without a meaning."""
    chance = random.Random(20)  # noqa: S311  # no secret
    whole, expected = file.read_bytes(), rows(file)
    refused: list[str] = []
    for _ in range(500):
        content = bytearray(whole)
        for _ in range(chance.choice([1, 3, 50])):
            content[chance.randrange(len(content))] = chance.randrange(256)
        if chance.random() < 0.1:
            del content[chance.randrange(len(content)) :]
        file.write_bytes(content)
        try:
            sealed_file.check(file)
        except ConflictError as exc:
            refused.append(exc.detail)
        else:
            assert rows(file) == expected
    assert 0 < len(refused) < 500
    assert [line for line in refused if "\n" in line] == []


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM audit WHERE id = 7",
        "INSERT INTO audit (why) VALUES ('more')",
        "UPDATE audit SET ms = 0 WHERE id = 7",
        "CREATE TABLE more (id)",
        "ALTER TABLE audit RENAME COLUMN why TO reason",
        "UPDATE alembic_version SET version_num = '0002'",
        "DROP TABLE seal",
        "DELETE FROM seal",
    ],
)
def test_a_file_that_was_changed_by_hand_is_refused(file: Path, change: str) -> None:
    """The seal is of all tables, columns and rows."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(change)
        connection.commit()
    with pytest.raises(ConflictError, match="damaged"):
        sealed_file.check(file)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(ConflictError, match=r"cannot be read: No such file or directory\.$"):
        sealed_file.check(tmp_path / "nowhere")
    with pytest.raises(ConflictError, match=r"cannot be read: Is a directory\.$"):
        sealed_file.check(tmp_path)
