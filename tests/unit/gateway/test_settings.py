"""Settings come from the environment and are checked before anything starts."""

import pytest
from pydantic import ValidationError

from gateway.settings import Settings


def test_every_setting_is_explained() -> None:
    """An operator reads one sentence per setting."""
    assert [n for n, field in Settings.model_fields.items() if not field.description] == []


def test_the_default_is_loopback() -> None:
    """Nothing listens beyond this machine unless asked."""
    assert Settings.model_construct().host == "127.0.0.1"


def test_the_environment_sets_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """SEGSERVE_GATEWAY_<NAME> is the one way to configure."""
    monkeypatch.setenv("SEGSERVE_GATEWAY_DEADLINE_S", "2.5")
    assert Settings().deadline_s == 2.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("DEADLINE_S", "0"),
        ("MAX_CONCURRENCY", "0"),
        ("MAX_QUEUE", "-1"),
        ("LOG_LEVEL", "loud"),
        ("MAX_BUFFERED_BYTES", "1000"),
    ],
)
def test_a_senseless_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A wrong value stops the start, not the first request."""
    monkeypatch.setenv(f"SEGSERVE_GATEWAY_{name}", value)
    with pytest.raises(ValidationError):
        Settings()
