"""The page's settings come from the environment and are checked before anything starts."""

import pytest
from pydantic import ValidationError

from ui.settings import Settings


def test_defaults_fit_a_gateway_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any setting the page finds the default gateway and listens on loopback only."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SEGSERVE_UI_{name.upper()}", raising=False)
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8501)
    assert (settings.gateway_url, settings.timeout_s) == ("http://127.0.0.1:8000", 60)


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting has a variable."""
    monkeypatch.setenv("SEGSERVE_UI_GATEWAY_URL", "https://gateway.example:9000")
    assert Settings().gateway_url == "https://gateway.example:9000"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_URL", "gateway:8000"),
        ("GATEWAY_URL", "http://gateway/path"),
        ("TIMEOUT_S", "0"),
        ("PORT", "70000"),
        ("MAX_IMAGE_MB", "lots"),
        ("HOSTS", "http://seg.example.org"),
        ("HOSTS", "seg.example.org:8501"),
        ("API_KEY", "a\nb"),
        ("API_KEY", "k\u00e4y"),
    ],
)
def test_senseless_settings_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A wrong value is found at the start, not at the first image."""
    monkeypatch.setenv(f"SEGSERVE_UI_{name}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_every_setting_is_explained() -> None:
    """A sentence per field."""
    assert all(field.description for field in Settings.model_fields.values())
