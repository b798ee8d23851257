"""Options with one name in three places: flag, variable and configuration file."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from scripts.archives.names import InvalidNameError, check_name, check_own_name
from scripts.archives.paths import ROOT
from scripts.cli.config import FILE_NAME, configure
from scripts.cli.errors import say

PREFIX = "SEGSERVE"
GATEWAY = "http://127.0.0.1:8000"
FILE = click.Path(path_type=Path)
FORMER_NAMES = "segserve.former_names"  # in the context's meta: variables that were used
Function = TypeVar("Function", bound=Callable[..., Any])


class Option(click.Option):
    """An option that shows its variable, and says in errors where a value came from.

    former: the name that the variable had before; it still works, with a warning.
    """

    def __init__(self, *args: Any, former: str | None = None, **kwargs: Any):
        kwargs.setdefault("show_envvar", True)
        super().__init__(*args, **kwargs)
        self.former = former

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """The variable's value, or that of its former name."""
        value = super().resolve_envvar_value(ctx)
        if value is None and self.former and (value := os.environ.get(self.former) or None):
            used: list[tuple[str, str]] = ctx.meta.setdefault(FORMER_NAMES, [])
            used.append((self.former, variable_of(self, ctx)))
        return value

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """The flag; for a value from elsewhere, the variable or the file beside it."""
        hint = super().get_error_hint(ctx)
        source = ctx.get_parameter_source(self.name) if ctx and self.name else None
        if ctx is None or source is None:
            return hint
        places = {
            ParameterSource.COMMANDLINE: "",
            ParameterSource.ENVIRONMENT: f" (variable {variable_of(self, ctx)})",
            ParameterSource.DEFAULT_MAP: f" (in {FILE_NAME})",
        }
        return f"'{self.opts[0]}'{places[source]}" if source in places else hint

    def get_help_extra(self, ctx: click.Context) -> Any:
        """The default as shown in the help; paths in the checkout are relative to it."""
        extra = super().get_help_extra(ctx)
        if "default" in extra:
            extra["default"] = extra["default"].removeprefix(f"{ROOT}{os.sep}")
        return extra


def variable_of(option: click.Option, ctx: click.Context) -> str:
    """The name of an option's variable in this command."""
    if option.envvar:
        return option.envvar if isinstance(option.envvar, str) else option.envvar[0]
    return f"{ctx.auto_envvar_prefix}_{str(option.name).upper()}"


def warn_of_former_names(ctx: click.Context) -> None:
    """Print one line that names the renamed variables in use, if there are any."""
    used: Sequence[tuple[str, str]] = ctx.meta.pop(FORMER_NAMES, ())
    if used and not ctx.resilient_parsing:
        renamed = ", ".join(f"{former} is now {variable}" for former, variable in used)
        say(f"{renamed}; the old name still works")


class Name(click.ParamType[str]):
    """A name that the gateway's API takes: a version, or an alias of one.

    is_own: the name of an archive's model or version, which no alias with a meaning can be.
    """

    def __init__(self, what: str = "version", *, is_own: bool = False):
        self.name = what
        self._check = check_own_name if is_own else check_name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name. Raises BadParameter for one that no client could ask for."""
        try:
            return self._check(str(value), self.name)
        except InvalidNameError as exc:
            self.fail(str(exc), param, ctx)


VERSION = Name()
OWN_VERSION = Name(is_own=True)
option = partial(click.option, cls=Option)


def shared(flag: str, **attributes: Any) -> Callable[[Function], Function]:
    """An option that means the same in every command; its variable is SEGSERVE_<FLAG>."""
    name = flag.partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return option(flag, envvar=f"{PREFIX}_{name}", **attributes)


def config_option() -> Option:
    """--config, which is read before all others."""
    return Option(
        ["--config"],
        type=FILE,
        envvar=f"{PREFIX}_CONFIG",
        is_eager=True,
        expose_value=False,
        callback=configure,
        help=f"Configuration file; without it {FILE_NAME} in this folder or in the checkout.",
    )


def gateway_options(function: Function) -> Function:
    """Add --gateway and --key."""
    address = shared(
        "--gateway", metavar="URL", help=f"Address of the gateway. [default: {GATEWAY}]"
    )
    key = option(
        "--key",
        metavar="KEY",
        envvar=["SEGSERVE_KEY", "SEGSERVE_API_KEY"],
        help="API key, where the gateway asks for one; safer in the variable.",
    )
    return address(key(function))
