"""``segserve serve``: everything on one machine."""

from typing import Any

import click
from click.core import ParameterSource

from scripts.cli.command import Command
from scripts.cli.errors import CommandError, reporting
from scripts.cli.model_options import model_options, version_option
from scripts.cli.settings_options import settings_options
from scripts.export.model_options import ModelFlags
from scripts.launch.settings import Settings

EPILOG = """\b
Examples:
  segserve serve
  segserve serve --gateway-port 9000 --workers 4
  segserve serve --model deeplabv3_resnet101
  segserve serve my.pth --labels labels.json --version 2.0
  segserve serve --no-ui
"""


class _Serve(Command):
    """A command that exits with 1, not 2, for a wrong value in the environment or the file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as exc:
            source = ctx.get_parameter_source(str(exc.param.name)) if exc.param else None
            if source in (ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP):
                raise CommandError(f"cannot run: {exc.format_message()}") from exc
            raise


@click.command(cls=_Serve, epilog=EPILOG)
@model_options
@version_option(former="VERSION")
@settings_options(Settings)
def serve(model_flags: ModelFlags, version: str, **settings: Any) -> None:
    """Run the model, the API and the page on this machine.

    Builds the model's archive if an input changed, starts TorchServe, gateway and page, and
    watches them. Ctrl-C stops everything. If a service cannot start, one line says so and nothing
    is left running. One that ends is started again, TorchServe with the versions that it had; after
    five restarts without a sound minute the page is given up, and without any other everything
    ends.
    """
    from scripts.launch.preflight import PreflightError
    from scripts.launch.run_folder import RunFolderError
    from scripts.launch.supervision import ServeError
    from scripts.launch.supervisor import serve

    with reporting(ServeError, PreflightError, RunFolderError, prefix="cannot run: "):
        # An archive that is there is served as it is, unless the model was chosen for this start.
        kept = ["--keep"] if model_flags == ModelFlags() else []
        context = click.get_current_context()
        is_typed = context.get_parameter_source("version") is not ParameterSource.DEFAULT
        is_chosen = is_typed or model_flags != ModelFlags()
        build = [*model_flags.arguments, *kept]
        serve(Settings(**settings), version, build, is_chosen=is_chosen)
