"""A running gateway for the tests of the administration."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.scripts.administration.product import Product, running


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    """A gateway and a node; the command finds them."""
    with running(tmp_path) as found:
        for name, value in found.variables().items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("SEGSERVE_KEY", raising=False)
        monkeypatch.setattr("scripts.administration.waiting.POLL_S", 0.05)
        monkeypatch.setattr("scripts.administration.waiting.BEAT_S", 0.05)
        yield found
