"""Flags derived from the settings: name, default and description."""

import click
import pytest

from scripts.launch.settings import Settings
from scripts.serve import serve

OPTIONS = {each.name: each for each in serve.params if isinstance(each, click.Option)}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_is_a_flag(name: str) -> None:
    """The flag has the field's default and description."""
    option, field = OPTIONS[name], Settings.model_fields[name]
    assert option.opts[0] == f"--{name.replace('_', '-')}"
    assert option.default == field.get_default(call_default_factory=True)
    assert option.help == field.description


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--workers", "0", "greater than or equal to 1"),
        ("--workers", "many", "valid integer"),
        ("--gateway-port", "http", "valid integer"),
        ("--startup-s", "soon", "valid number"),
    ],
)
def test_a_value_is_checked_as_the_setting_is(flag: str, value: str, words: str) -> None:
    """An invalid value gives pydantic's message."""
    with pytest.raises(click.BadParameter, match=words):
        serve.make_context("serve", [flag, value], click.Context(click.Group("segserve")))
