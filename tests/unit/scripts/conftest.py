"""Fixtures of the commands' tests."""

import pytest

from benchmarks.setup.ports import free_ports


@pytest.fixture
def absent_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a proxy for every address in the environment, where nothing listens."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_ports(1)[0]}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
