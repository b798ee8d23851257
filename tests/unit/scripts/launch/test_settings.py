"""The settings of the product: from the environment, validated, documented."""

import pytest
from pydantic import ValidationError

from scripts.launch.settings import Settings, default_workers


def test_by_default_nothing_listens_beyond_this_machine() -> None:
    """Neither the public nor the private addresses."""
    settings = Settings()
    assert (settings.host, settings.torchserve_host) == ("127.0.0.1", "127.0.0.1")


def test_the_ports_are_the_documented_ones() -> None:
    """All different."""
    settings = Settings()
    ports = (settings.gateway_port, settings.ui_port, settings.inference_port)
    assert ports == (8000, 8501, 8080)
    assert (settings.management_port, settings.metrics_port) == (8081, 8082)


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """All variables have one prefix."""
    monkeypatch.setenv("SEGSERVE_SERVE_GATEWAY_PORT", "9000")
    monkeypatch.setenv("SEGSERVE_SERVE_UI", "false")
    settings = Settings()
    assert (settings.gateway_port, settings.ui) == (9000, False)


@pytest.mark.parametrize(
    ("name", "value"), [("WORKERS", "0"), ("WORKERS", "many"), ("GATEWAY_PORT", "http")]
)
def test_what_makes_no_sense_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """An invalid value fails at the start, not at the first request."""
    monkeypatch.setenv(f"SEGSERVE_SERVE_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_there_are_always_workers() -> None:
    """On any machine."""
    assert default_workers() >= 1


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_its_sentence(name: str) -> None:
    """The descriptions are the documentation."""
    assert str(Settings.model_fields[name].description).endswith(".")
