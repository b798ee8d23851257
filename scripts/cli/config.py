"""segserve.toml: values for flags that would otherwise be typed each time.

Top-level keys are for every command that shares the flag, a table is for one command:

    weights = "trained/model.safetensors"

    [serve]
    gateway-port = 9000
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import click

from scripts.archives.paths import ROOT
from scripts.cli.errors import CommandError

FILE_NAME = "segserve.toml"
META = "segserve.config"  # where the context keeps the file that counts
# The flags that mean the same in every command.
SHARED = (
    "model",
    "weights",
    "labels",
    "version",
    "device",
    "precision",
    "unproved",
    "like",
    "card",
    "size",
    "mean",
    "std",
    "range",
    "bgr",
    "interpolation",
    "antialias",
    "threshold",
    "gateway",
    "key",
)
Table = Mapping[str, Any]


@dataclass(frozen=True)
class Config:
    """The content of a configuration file. path: None where there is none."""

    path: Path | None = None
    data: Table = field(default_factory=dict)

    def table(self, keys: Sequence[str]) -> Table:
        """The table of a command, such as ("versions", "add"); empty if it has none."""
        found: Any = self.data
        for key in keys:
            found = found.get(key, {})
            if not isinstance(found, dict):
                raise CommandError(f"{self.path}: {key} is a command: write a table [{key}]")
        return dict(found)

    def defaults(self, command: click.Command, keys: Sequence[str]) -> dict[str, Any]:
        """Click's default map for a command. Raises CommandError for a key that it has not."""
        table = self.table(keys)
        if isinstance(command, click.Group):
            self._check(table, command.commands, keys)
            return {
                name: self.defaults(each, (*keys, name)) for name, each in command.commands.items()
            }
        options = flags_of(command)
        self._check(table, options, keys)
        common = {
            name: value
            for name, value in self.data.items()
            if name in options and is_shared(options[name])
        }
        return {
            str(options[name].name): self._value(options[name], value)
            for name, value in {**common, **table}.items()
        }

    def check_top_level(self, commands: Sequence[str]) -> None:
        """Refuse what is neither a shared flag nor a command's table."""
        scalars = {name: each for name, each in self.data.items() if not isinstance(each, dict)}
        self._check(scalars, SHARED, ())
        for name in self.data.keys() - scalars.keys() - set(commands):
            raise CommandError(
                f"{self.path}: there is no command {name}; known are {', '.join(commands)}"
            )

    def _check(self, table: Table, known: Mapping[str, Any] | Sequence[str], keys: Any) -> None:
        unknown = sorted(set(table) - set(known))
        if unknown:
            place = f" in [{'.'.join(keys)}]" if keys else ""
            raise CommandError(
                f"{self.path}: {', '.join(unknown)} is unknown{place}; "
                f"known are {', '.join(known) or 'none'}"
            )

    def _value(self, option: click.Option, value: Any) -> Any:
        """The value; a path is relative to the file's folder, not to the current one."""
        if isinstance(option.type, click.Path) and isinstance(value, str) and self.path:
            return str(self.path.parent / Path(value).expanduser())
        return value


def read(path: Path) -> Config:
    """Read a configuration file. Raises CommandError, naming the line."""
    try:
        return Config(path.absolute(), tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8"
        raise CommandError(f"{path}: the configuration cannot be read ({reason})") from exc
    except tomllib.TOMLDecodeError as exc:
        raise CommandError(f"{path}: not TOML ({exc})") from exc


def find() -> Config:
    """Read the file in the current folder or else in the checkout; empty if there is neither."""
    for folder in (Path.cwd(), ROOT):
        if (folder / FILE_NAME).is_file():
            return read(folder / FILE_NAME)
    return Config()


def current(ctx: click.Context) -> Config:
    """The configuration in effect. Raises CommandError if it cannot be read."""
    config: Config | CommandError = ctx.meta.get(META) or Config()
    if isinstance(config, CommandError):
        raise config
    return config


def configure(ctx: click.Context, _option: click.Parameter, path: Path | None) -> None:
    """The callback of --config: put the file's values behind flags and variables.

    Of the program itself it only keeps what it found, or what is wrong with it.
    """
    if ctx.resilient_parsing:
        return
    if ctx.parent is None:
        ctx.meta[META] = _found(ctx, path)
    elif path is not None:
        ctx.meta[META] = _found(ctx.find_root(), path)
        ctx.default_map = current(ctx).defaults(ctx.command, _keys(ctx))


def _found(root: click.Context, path: Path | None) -> Config | CommandError:
    try:
        config = read(path) if path else find()
        config.check_top_level(cast(click.Group, root.command).list_commands(root))
    except CommandError as exc:
        return exc
    return config


def is_shared(option: click.Option) -> bool:
    """Whether the option's variable, and so its key, belongs to no command."""
    name = option.opts[0].removeprefix("--")
    variables = [option.envvar] if isinstance(option.envvar, str) else option.envvar or []
    return name in SHARED and f"SEGSERVE_{name.upper()}" in variables


def flags_of(command: click.Command) -> dict[str, click.Option]:
    """Name of each flag without its dashes -> the option; --help and --config are no keys."""
    return {
        each.opts[0].removeprefix("--"): each
        for each in command.params
        if isinstance(each, click.Option) and each.name not in ("help", "config")
    }


def _keys(ctx: click.Context) -> tuple[str, ...]:
    """The words of the command line that led to this command, the program's name left out."""
    if ctx.parent is None:
        return ()
    return (*_keys(ctx.parent), str(ctx.info_name))
