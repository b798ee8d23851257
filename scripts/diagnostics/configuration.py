"""Checks of the environment variables and segserve.toml: unknown names and invalid values."""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import click

from scripts.archives.paths import ROOT
from scripts.cli.config import current
from scripts.cli.errors import CommandError
from scripts.diagnostics.finding import Finding, note, ok, wrong

# Every variable has a row there; a test compares them with the code.
PAGES = (ROOT / "docs" / "settings.md", ROOT / "deploy" / "README.md")
VARIABLE = re.compile(r"`(SEGSERVE_[A-Z0-9_]+)`")
INTERNAL = "SEGSERVE_BENCHMARK_"  # between the processes of a benchmark
FORMER = ("MODEL", "WEIGHTS", "LABELS", "VERSION", "DEVICE", "PRECISION")


def check_configuration(ctx: click.Context) -> Iterator[Finding]:
    """Check the configuration file in effect, and the environment."""
    yield check_file(ctx)
    yield from check_variables(os.environ, documented())


def check_file(ctx: click.Context) -> Finding:
    """Check that every key of the configuration file is a flag of its command."""
    root = ctx.find_root()
    program = root.command
    try:
        config = current(ctx)
        if isinstance(program, click.Group) and config.path:
            for name in config.data.keys() & set(program.list_commands(root)):
                command = program.get_command(root, name)
                if command is not None:
                    config.defaults(command, [name])
    except CommandError as exc:
        return wrong("configuration", f"{exc.format_message()}: mend the file")
    return ok("configuration", str(config.path or "no file segserve.toml, which is optional"))


def check_variables(environment: Mapping[str, str], known: set[str]) -> Iterator[Finding]:
    """Find variables with misspelt or former names."""
    ours = {name for name in environment if name.startswith("SEGSERVE_")}
    unknown = sorted(name for name in ours - known if not name.startswith(INTERNAL))
    if not known:
        yield note("variables", "docs/settings.md is not here, so names cannot be checked")
        return
    for name in unknown:
        yield wrong("variables", f"nothing reads {name}{_meant(name, known)}: unset it")
    for name in (each for each in FORMER if environment.get(each)):
        yield note("variables", f"{name} is now called SEGSERVE_{name}; the old name still works")
    if not unknown:
        yield ok("variables", f"{len(ours)} are set, and all are known")


def documented(pages: Iterable[Path] = PAGES) -> set[str]:
    """Every variable that the documentation names; empty where there is none."""
    texts = (page.read_text() for page in pages if page.is_file())
    return {name for text in texts for name in VARIABLE.findall(text)}


def _meant(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (is {close[0]} meant?)" if close else ""
