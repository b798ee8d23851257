"""``segserve doctor``: checks of this machine."""

from collections.abc import Iterator

import click

from scripts.cli.command import Command
from scripts.cli.errors import CommandError
from scripts.cli.settings_options import serve_settings
from scripts.diagnostics.configuration import check_configuration
from scripts.diagnostics.finding import Finding, Level, wrong
from scripts.launch.settings import SettingError, Settings

EPILOG = """\b
Example:
  segserve doctor
"""


@click.command(cls=Command, epilog=EPILOG)
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Tell what is missing or wrong on this machine.

    Checks Python, packages, Java, memory, disk, CUDA and Docker, the configuration, the ports,
    the archives, and the product if it runs. A line that begins with WRONG says what to do, and
    makes the exit status 1.
    """
    levels = set()
    for finding in _findings(ctx):
        click.echo(str(finding))
        levels.add(finding.level)
    if Level.WRONG in levels:
        ctx.exit(1)


def _findings(ctx: click.Context) -> Iterator[Finding]:
    """Yield each finding as soon as it is known; checks with slow imports come last."""
    from scripts.diagnostics.machine import check_machine
    from scripts.diagnostics.packages import check_packages
    from scripts.diagnostics.services import check_services
    from scripts.diagnostics.store import check_store

    yield from check_configuration(ctx)
    try:
        settings = serve_settings(ctx)
    except SettingError as exc:
        yield wrong("settings", f"{exc}: the defaults are checked below")
        settings = Settings.model_construct()
    except CommandError:  # of the file, which has had its line
        settings = Settings.model_construct()
    yield from check_packages()
    yield from check_machine(settings)
    yield from check_store(settings.model_store)
    yield from check_services(settings)
