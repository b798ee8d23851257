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
        ("AUTH", "maybe"),
        ("RATE_LIMIT", "often"),
        ("KEY_CONCURRENCY", "-1"),
        ("LIMITS_URL", "memcached://127.0.0.1"),
        ("CORS_ORIGINS", "app.test"),
        ("CORS_ORIGINS", "https://app.test/page"),
    ],
)
def test_a_senseless_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A wrong value stops the start, not the first request."""
    monkeypatch.setenv(f"SEGSERVE_GATEWAY_{name}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_a_value_that_is_refused_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """It could hold a password, and the message goes to a log."""
    monkeypatch.setenv("SEGSERVE_GATEWAY_LIMITS_URL", "http://:secret@127.0.0.1")
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ()),
        ("*", ("*",)),
        ("https://a.test, http://b.test:81", ("https://a.test", "http://b.test:81")),
    ],
)
def test_origins_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: tuple[str, ...]
) -> None:
    """As a person writes them into an environment file."""
    monkeypatch.setenv("SEGSERVE_GATEWAY_CORS_ORIGINS", value)
    assert Settings().cors_origins == expected


@pytest.mark.parametrize("name", ["RATE_LIMIT", "LIMITS_URL"])
def test_an_empty_limit_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A line of an environment file that was left open."""
    monkeypatch.setenv(f"SEGSERVE_GATEWAY_{name}", "")
    assert getattr(Settings(), name.lower()) is None
