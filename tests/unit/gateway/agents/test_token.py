"""The agents' token: made once, and its user's alone."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.keys.token_file import read_or_make


def test_the_first_gateway_makes_it(tmp_path: Path) -> None:
    """Later ones read it."""
    path = tmp_path / "data" / "node-token"
    token = read_or_make(path)
    assert len(token) >= 40
    assert read_or_make(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_folder_has_another_one(tmp_path: Path) -> None:
    """It cannot be guessed."""
    assert len({read_or_make(tmp_path / f"{number}") for number in range(50)}) == 50


@pytest.mark.parametrize("content", ["", "\n"])
def test_a_file_that_a_crash_left_empty_gets_a_token(tmp_path: Path, content: str) -> None:
    """An empty token would let everyone in."""
    path = tmp_path / "node-token"
    path.write_text(content)
    token = read_or_make(path)
    assert len(token) >= 40
    assert read_or_make(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_gateways_that_start_at_once_have_one(tmp_path: Path) -> None:
    """Whichever was first; agents read the file."""
    for number in range(20):
        path = tmp_path / f"{number}"
        with ThreadPoolExecutor(8) as threads:
            tokens = set(threads.map(read_or_make, [path] * 8))
        assert tokens == {path.read_text()}


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """The start reports it."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        read_or_make(tmp_path / "file" / "node-token")
