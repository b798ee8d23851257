"""``segserve versions``: the versions that are served."""

from collections.abc import Callable

import click

from scripts.archives.signals import ending_cleanly
from scripts.cli.command import Group
from scripts.cli.errors import reporting
from scripts.cli.options import VERSION, option
from scripts.cli.settings_options import serve_settings
from scripts.launch.management import ManagementClient
from scripts.launch.settings import MOST_WORKERS, SettingError, Settings

EPILOG = """\b
Examples:
  segserve build --version 1.1
  segserve versions add deeplabv3-1.1.mar
  segserve versions default 1.1
  segserve versions scale 1.0 0
  segserve versions remove 1.0
"""
Operation = Callable[[ManagementClient, Settings], str]


@click.group(cls=Group, epilog=EPILOG)
def versions() -> None:
    """Manage the versions that are served.

    Asks the running TorchServe, whose address SEGSERVE_SERVE_TORCHSERVE_HOST and
    SEGSERVE_SERVE_MANAGEMENT_PORT name. Versions are not remembered: after a restart the one
    that `segserve serve` builds is served again.
    """


@versions.command("list", epilog="\b\nExample:\n  segserve versions list")
def list_command() -> None:
    """List the versions, their workers and archives; the default is marked."""
    from scripts.launch.versions import list_versions

    _carry_out(lambda management, _: list_versions(management))


@versions.command("add", epilog="\b\nExample:\n  segserve versions add deeplabv3-1.1.mar")
@click.argument("archive", help="A .mar file: a path, or a name in the model store.")
@option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    help="Worker processes of the version. [default: as many as SEGSERVE_SERVE_WORKERS]",
)
def add_command(archive: str, workers: int | None) -> None:
    """Load an archive and wait for its workers; it does not become the default."""
    from scripts.launch.versions import add

    _carry_out(
        lambda management, settings: add(management, archive, workers or settings.workers, settings)
    )


@versions.command("default", epilog="\b\nExample:\n  segserve versions default 1.1")
@click.argument(
    "version", type=VERSION, help="The version that answers requests without a version."
)
def default_command(version: str) -> None:
    """Make a version the default; refused where it has no worker that is ready."""
    from scripts.launch.versions import make_default

    _carry_out(lambda management, _: make_default(management, version))


@versions.command("scale", epilog="\b\nExample:\n  segserve versions scale 1.1 4")
@click.argument("version", type=VERSION, help="A version that is loaded.")
@click.argument(
    "workers", type=click.IntRange(0, MOST_WORKERS), help="Its number of worker processes."
)
def scale_command(version: str, workers: int) -> None:
    """Set a version's number of workers; the default version keeps one at least."""
    from scripts.launch.versions import scale

    _carry_out(lambda management, settings: scale(management, version, workers, settings))


@versions.command("remove", epilog="\b\nExample:\n  segserve versions remove 1.0")
@click.argument("version", type=VERSION, help="A version that is loaded and is not the default.")
def remove_command(version: str) -> None:
    """Unload a version; its archive stays in the model store."""
    from scripts.launch.versions import remove

    _carry_out(lambda management, _: remove(management, version))


def _carry_out(operation: Operation) -> None:
    """Run one operation against the running TorchServe and print its result."""
    from scripts.archives.archive import MODEL
    from scripts.launch.versions import FAILURES

    with reporting(*FAILURES, SettingError), ending_cleanly():
        settings = serve_settings(click.get_current_context())
        url = f"http://{settings.torchserve_host}:{settings.management_port}"
        management = ManagementClient(url, MODEL, tokens=settings.tokens_file)
        click.echo(operation(management, settings))
