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
        ("LABEL_STUDIO_URL", "http://studio.test"),  # without a key
        ("LABEL_STUDIO_API_KEY", "a key"),
        ("LABEL_STUDIO_API_KEY", "a\r\nkey"),
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


@pytest.mark.parametrize(
    "name", ["RATE_LIMIT", "LIMITS_URL", "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"]
)
def test_an_empty_limit_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """An empty variable, as in an environment file, means that there is no limit."""
    monkeypatch.setenv(f"SEGSERVE_GATEWAY_{name}", "")
    assert getattr(Settings(), name.lower()) is None


@pytest.mark.parametrize("prefix", ["SEGSERVE_GATEWAY_", ""])
def test_label_studio_has_its_usual_names_too(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, as its own programs read them."""
    monkeypatch.setenv(f"{prefix}LABEL_STUDIO_URL", "http://127.0.0.1:8080")
    monkeypatch.setenv(f"{prefix}LABEL_STUDIO_API_KEY", "a-key")
    settings = Settings()
    assert settings.label_studio_url == "http://127.0.0.1:8080"
    assert settings.label_studio_api_key is not None
    assert settings.label_studio_api_key.get_secret_value() == "a-key"
    assert "a-key" not in repr(settings)


def test_our_own_name_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that is meant for the gateway is the one that it uses."""
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://one.test")
    monkeypatch.setenv("SEGSERVE_GATEWAY_LABEL_STUDIO_URL", "http://two.test")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "a-key")
    assert Settings().label_studio_url == "http://two.test"


@pytest.mark.parametrize(
    "url",
    ["http://studio.test", "https://[::1]:8080", "http://label_studio:8080/", "https://a.test/b/c"],
)
def test_an_address_of_label_studio_is_an_origin_or_a_folder(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """With or without a port, and below a path."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "a-key")
    monkeypatch.setenv("LABEL_STUDIO_URL", url)
    assert Settings().label_studio_url == url


@pytest.mark.parametrize(
    "url",
    [
        "studio.test",
        "ftp://studio.test",
        "http://",
        "http://user:secret@studio.test",
        "http://studio.test?a=b",
        "http://studio.test#a",
        "http://studio.test/../a",
        "http://studio.test//a",
        "http://studio.test:port",
        "http://studio.test\\@evil.test",
        " http://studio.test",
        "http://studio.test\n",
        "file:///etc",
    ],
)
def test_any_other_address_of_label_studio_is_refused(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Before the start, with the variable's name."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "a-key")
    monkeypatch.setenv("LABEL_STUDIO_URL", url)
    with pytest.raises(ValidationError, match="LABEL_STUDIO_URL"):
        Settings()
