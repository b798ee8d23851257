"""Flags derived from a settings class, the only place of their names, defaults and descriptions."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import click
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from scripts.cli.config import current
from scripts.cli.options import FILE, option
from scripts.launch.settings import Settings, read_settings


class FieldType(click.ParamType[Any]):
    """The type of a field: pydantic checks the value as it will in the settings."""

    def __init__(self, field: FieldInfo):
        annotated: Any = Annotated
        self._adapter: TypeAdapter[Any] = TypeAdapter(annotated[field.annotation, field])
        self.name = getattr(field.annotation, "__name__", "value")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The checked value. Raises BadParameter with pydantic's sentence."""
        try:
            return self._adapter.validate_python(value)
        except ValidationError as exc:
            self.fail(exc.errors()[0]["msg"], param, ctx)


def settings_options(settings: type[BaseSettings]) -> Callable[[Any], Any]:
    """Add a flag for each field of ``settings``; by Click's rule its variable is the field's."""

    def decorated(function: Any) -> Any:
        for name, field in reversed(settings.model_fields.items()):
            function = _flag(name, field)(function)
        return function

    return decorated


def _flag(name: str, field: FieldInfo) -> Callable[[Any], Any]:
    dashed = name.replace("_", "-")
    kwargs: dict[str, Any] = {
        "default": field.get_default(call_default_factory=True),
        "help": field.description,
    }
    if field.annotation is bool:
        return option(f"--{dashed}/--no-{dashed}", **kwargs)
    kind = FILE if field.annotation is Path else FieldType(field)
    return option(f"--{dashed}", type=kind, **kwargs)


def serve_settings(ctx: click.Context) -> Settings:
    """The settings of the running product, for commands that have no flags for them.

    Variables come before the configuration's table [serve]. Raises SettingError.
    """
    config = current(ctx)
    given = {name.replace("-", "_"): value for name, value in config.table(["serve"]).items()}
    for name, field in Settings.model_fields.items():
        if name in given and field.annotation is Path and config.path:
            given[name] = config.path.parent / str(given[name])
    return read_settings(given)
