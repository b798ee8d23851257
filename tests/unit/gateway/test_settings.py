"""Settings come from the environment and are validated at the start."""

import pytest
from pydantic import ValidationError

from gateway.settings import Settings


def test_every_setting_is_explained() -> None:
    """Every setting has a description."""
    assert [n for n, field in Settings.model_fields.items() if not field.description] == []


def test_the_default_is_loopback() -> None:
    """By default the gateway is not reachable from other machines."""
    assert Settings.model_construct().host == "127.0.0.1"


def test_the_environment_sets_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting is read from SEGSERVE_GATEWAY_<NAME>."""
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
def test_an_invalid_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """An invalid value prevents the start, instead of failing the first request."""
    monkeypatch.setenv(f"SEGSERVE_GATEWAY_{name}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_a_value_that_is_refused_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error message, which goes to a log, does not reveal a password."""
    monkeypatch.setenv("SEGSERVE_GATEWAY_LIMITS_URL", "http://:secret@127.0.0.1")
    with pytest.raises(ValidationError) as error:
        Settings()
    assert "secret" not in str(error.value)


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
    """A list of origins is written with commas, as is usual in environment files."""
    monkeypatch.setenv("SEGSERVE_GATEWAY_CORS_ORIGINS", value)
    assert Settings().cors_origins == expected


@pytest.mark.parametrize("name", ["RATE_LIMIT", "LIMITS_URL"])
def test_an_empty_limit_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """An empty variable, as in an environment file, means that there is no limit."""
    monkeypatch.setenv(f"SEGSERVE_GATEWAY_{name}", "")
    assert getattr(Settings(), name.lower()) is None
