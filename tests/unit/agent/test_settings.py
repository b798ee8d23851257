"""The agent's settings: from the environment, validated, each error names its variable."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from agent.settings import PREFIX, SettingError, Settings, default_workers, read_settings

FIELDS = {each.name: each for each in dataclasses.fields(Settings)}
# A value other than the default for each field, as text and as the setting.
VALUES: dict[str, tuple[str, object]] = {
    "gateway_urls": ("http://a:8000, https://b/seg/", ("http://a:8000", "https://b/seg")),
    "node": ("node-1.example", "node-1.example"),
    "node_token_file": ("/run/token", Path("/run/token")),
    "node_token": ("s3cret", "s3cret"),
    "advertise_url": ("http://node-1:8080/", "http://node-1:8080"),
    "folder": ("/var/agent", Path("/var/agent")),
    "torchserve_host": ("192.0.2.7", "192.0.2.7"),
    "inference_port": ("9080", 9080),
    "management_port": ("9081", 9081),
    "metrics": ("TRUE", True),
    "metrics_port": ("9082", 9082),
    "grpc_inference_port": ("9070", 9070),
    "grpc_management_port": ("9071", 9071),
    "workers": ("5", 5),
    "max_request_bytes": ("1", 1),
    "max_response_bytes": ("2", 2),
    "heap": ("1g", "1g"),
    "check_memory": ("false", False),
    "seeds": ("/a.mar:/b.mar", (Path("/a.mar"), Path("/b.mar"))),
    "seed_is_stable": ("again", "again"),
}
WRONG = {
    "gateway_urls": [
        ",",
        "gateway:8000",
        "ftp://a",
        "http://",
        "http://a b",
        "http://a:99999",
        "http://[::1",
    ],
    "node": ["a b", "-a", "a/b", "x" * 64, "ü"],
    "node_token": ["a b", "a\tb", "ü"],
    "advertise_url": ["node:8080", "http://a/path", "http://a,http://b", "http://a:0"],
    "inference_port": ["0", "65536", "-1", "http", "80.5"],
    "management_port": ["0", "x"],
    "metrics": ["yes", "2"],
    "metrics_port": ["65536"],
    "grpc_inference_port": ["0"],
    "grpc_management_port": ["0"],
    "workers": ["0", "257", "-1", "many"],
    "max_request_bytes": ["-1", "1e9"],
    "max_response_bytes": ["all"],
    "heap": ["384 MB", "m", "0", "-1g", "1g -Dx=y"],
    "check_memory": ["-1", "some"],
}
# Any text is a path, a host or a label.
FREE = {"node_token_file", "folder", "torchserve_host", "seeds", "seed_is_stable"}


def test_every_field_is_tried_below() -> None:
    """A new one would go untested."""
    assert FIELDS.keys() == VALUES.keys() == WRONG.keys() | FREE


def test_by_default_nothing_listens_beyond_this_machine() -> None:
    """And nothing is required."""
    settings = read_settings({})
    assert settings.torchserve_host == "127.0.0.1"
    assert settings.management_url == "http://127.0.0.1:8081"
    assert settings.inference_url == "http://127.0.0.1:8080"
    assert settings.gateway_urls == ("http://127.0.0.1:8000",)
    assert settings.workers == default_workers() >= 2


@pytest.mark.parametrize("name", VALUES)
def test_the_environment_sets_a_field_and_no_other(name: str) -> None:
    """An empty variable is none."""
    text, value = VALUES[name]
    change: dict[str, Any] = {name: value}
    settings = read_settings({f"{PREFIX}{name.upper()}": text})
    assert settings == dataclasses.replace(Settings(), **change)
    assert read_settings({f"{PREFIX}{name.upper()}": " "}) == Settings()


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, texts in WRONG.items() for text in texts]
)
def test_a_wrong_value_names_its_variable(name: str, text: str) -> None:
    """In one line, which says what is right."""
    variable = f"{PREFIX}{name.upper()}"
    with pytest.raises(SettingError, match=rf"^{variable}: .+ is not .+$") as caught:
        read_settings({variable: text})
    assert "\n" not in str(caught.value)


def test_a_token_is_in_no_message() -> None:
    """A mistyped secret is one too."""
    with pytest.raises(SettingError) as caught:
        read_settings({f"{PREFIX}NODE_TOKEN": "my secret"})
    assert "secret" not in str(caught.value)


def test_the_advertised_address_is_what_gateways_get() -> None:
    """Management stays on loopback, whatever the other APIs do."""
    settings = read_settings(
        {f"{PREFIX}ADVERTISE_URL": "http://a:1", f"{PREFIX}TORCHSERVE_HOST": "0.0.0.0"}  # noqa: S104
    )
    assert settings.inference_url == "http://a:1"
    assert settings.management_url == "http://127.0.0.1:8081"


def test_the_folder_has_places_of_its_own() -> None:
    """Absolute ones, as TorchServe has another current folder."""
    settings = Settings(folder=Path("here"))
    assert settings.archives_dir == Path("here").absolute() / "archives"
    assert settings.tokens_file == Path("here").absolute() / "torchserve" / "key_file.json"


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_has_its_sentence(name: str) -> None:
    """The descriptions are the documentation."""
    assert str(FIELDS[name].metadata["about"]).endswith(".")
