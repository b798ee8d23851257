"""The program ``segserve``; from a checkout that is not installed, ``python -m scripts``."""

from importlib.metadata import PackageNotFoundError, version

import click

from scripts.cli.errors import PROGRAM
from scripts.cli.options import PREFIX, config_option
from scripts.cli.program import Entry, Program

ENTRIES = {
    "serve": Entry(
        "scripts.serve", "Run the model, the API and the page on this machine.", "gateway"
    ),
    "build": Entry("scripts.build", "Build the archive of a model, if an input changed.", "export"),
    "versions": Entry(
        "scripts.versions", "Manage the versions that are served, and who gets which.", "gateway"
    ),
    "keys": Entry("scripts.state", "Make, list and revoke API keys.", "gateway"),
    "db": Entry(
        "scripts.state",
        "Back up and restore the database: versions, traffic, keys, evaluations and the audit log.",
        "gateway",
    ),
    "train": Entry("scripts.train", "Train a network on labelled pictures.", "train"),
    "evaluate": Entry("scripts.evaluate", "Measure a model on labelled pictures.", "train"),
    "predict": Entry("scripts.predict", "Segment files through the running gateway.", "gateway"),
    "prepare": Entry("scripts.prepare", "Prepare labelled pictures for a training.", "train"),
    "bench": Entry("scripts.bench", "Measure the speed of the product and of others.", "bench"),
    "doctor": Entry("scripts.doctor", "Tell what is missing or wrong on this machine.", "gateway"),
}
HELP = """Serve DeepLabV3: a photograph goes in, a class for every pixel comes out.

Every flag of a command is also a variable and a key of segserve.toml; a flag comes before the
variable, the variable before the file. `segserve COMMAND --help` shows their names.
"""
EPILOG = """\b
Examples:
  segserve serve
  segserve predict "photos/*.jpg" --out masks
  segserve serve --weights my.pth --labels labels.json --version 2.0

\b
Completion, for this shell or in its start-up file:
  bash  eval "$(_SEGSERVE_COMPLETE=bash_source segserve)"
  zsh   eval "$(_SEGSERVE_COMPLETE=zsh_source segserve)"
"""


def _version() -> str:
    """The version of the installed package."""
    try:
        return version(PROGRAM)
    except PackageNotFoundError:
        return "not installed"


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"{PROGRAM} {_version()}")
        ctx.exit()


program = Program(
    name=PROGRAM,
    entries=ENTRIES,
    help=HELP,
    epilog=EPILOG,
    context_settings={"auto_envvar_prefix": PREFIX, "show_default": True},
    params=[
        config_option(),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            # SEGSERVE_VERSION is the version of a model.
            allow_from_autoenv=False,
            callback=_print_version,
            help="Show the version and exit.",
        ),
    ],
)


def main() -> None:
    """Run the command line; ends with its exit status."""
    program()


if __name__ == "__main__":
    main()
