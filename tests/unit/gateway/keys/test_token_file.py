"""Tokens of this machine: made once, for their user alone."""

from pathlib import Path

import pytest

from gateway.errors import RegistryUnavailableError
from gateway.keys.token_file import ADMIN, TokenFile


def test_it_is_made_once_for_its_user_alone(tmp_path: Path) -> None:
    """A second gateway reads the first one's; other users cannot read it, and nothing is left."""
    path = tmp_path / "data" / ADMIN
    first, second = TokenFile(path), TokenFile(path)
    first.make()
    token = path.read_text()
    second.make()
    assert path.read_text() == token
    assert len(token) >= 40
    assert path.stat().st_mode & 0o777 == 0o600
    assert first.is_shown(token)
    assert second.is_shown(token)
    assert [each.name for each in path.parent.iterdir()] == [ADMIN]


@pytest.mark.parametrize("shown", ["", "x", "ä", "\u4e2d", "x" * 10_000])
def test_nothing_else_is_it(tmp_path: Path, shown: str) -> None:
    """Also before it is made."""
    token = TokenFile(tmp_path / ADMIN)
    assert not token.is_shown(shown)
    token.make()
    assert not token.is_shown(shown)
    assert not token.is_shown((tmp_path / ADMIN).read_text()[:-1])


def test_a_given_one_writes_no_file(tmp_path: Path) -> None:
    """As the nodes' token of the settings."""
    token = TokenFile(tmp_path / ADMIN, "given")
    token.make()
    assert token.is_shown("given")
    assert not (tmp_path / ADMIN).exists()


def test_an_empty_file_is_no_token(tmp_path: Path) -> None:
    """It would be shown by every request without one; what a crash has left gets a new token."""
    (tmp_path / ADMIN).touch()
    token = TokenFile(tmp_path / ADMIN)
    token.make()
    assert not token.is_shown("")
    assert token.is_shown((tmp_path / ADMIN).read_text())
    assert len((tmp_path / ADMIN).read_text()) > 30


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / "file").touch()
    with pytest.raises(RegistryUnavailableError, match="cannot be kept in"):
        TokenFile(tmp_path / "file" / ADMIN).make()
