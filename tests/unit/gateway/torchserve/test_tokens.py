"""Tests of TorchServe's tokens: read from its file, and read again after its restart."""

import json
import os
import time
from pathlib import Path

import pytest

from gateway.torchserve.transport import Tokens


def write(path: Path, inference: str, management: str) -> None:
    """Write the file as TorchServe does."""
    content = {"inference": {"key": inference}, "management": {"key": management}}
    path.write_text(json.dumps(content | {"API": {"key": "unused"}}))


def test_each_api_has_a_token_of_its_own(tmp_path: Path) -> None:
    """The token is sent as a bearer token."""
    path = tmp_path / "key_file.json"
    write(path, "one", "two")
    tokens = Tokens(path)
    assert tokens.headers("inference") == {"Authorization": "Bearer one"}
    assert tokens.headers("management") == {"Authorization": "Bearer two"}


def test_a_restart_of_torchserve_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New tokens in the file apply half a second later."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    path = tmp_path / "key_file.json"
    write(path, "one", "two")
    tokens = Tokens(path)
    tokens.headers("inference")
    write(path, "three", "four")
    os.utime(path, ns=(1, 1))
    assert tokens.headers("inference") == {"Authorization": "Bearer one"}
    now[0] += 0.6
    assert tokens.headers("inference") == {"Authorization": "Bearer three"}


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"inference": 1}', "\xff"])
def test_a_file_that_is_not_there_yet_gives_no_header(tmp_path: Path, content: str | None) -> None:
    """TorchServe refuses the request, and the gateway reports that; the next try may succeed."""
    path = tmp_path / "key_file.json"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    tokens = Tokens(path)
    assert tokens.headers("inference") == {}
    write(path, "one", "two")
    assert tokens.headers("inference") == {"Authorization": "Bearer one"}


def test_without_a_file_no_token_is_sent() -> None:
    """A TorchServe without tokens needs none."""
    assert Tokens(None).headers("management") == {}
