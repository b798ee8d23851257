"""The options that the sub-commands of ``segserve versions`` share, and how one is carried out."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from scripts.archives.signals import ending_cleanly
from scripts.cli.errors import reporting
from scripts.cli.options import PREFIX, Function, gateway_options, option
from scripts.cli.settings_options import serve_settings
from scripts.launch.settings import SettingError, Settings

if TYPE_CHECKING:
    from scripts.administration.client import Gateway
    from scripts.administration.operations import Answer

WAIT_S = 180.0  # of workers on a slow machine
Operation = Callable[["Gateway", Settings], "Answer"]


def common(flag: str, *names: str, **attributes: Any) -> Callable[[Function], Function]:
    """An option of these sub-commands, with one variable for them all."""
    name = flag.partition("/")[0].removeprefix("--").replace("-", "_").upper()
    return option(flag, *names, envvar=f"{PREFIX}_VERSIONS_{name}", **attributes)


def reading(function: Function) -> Function:
    """Add the options of every sub-command."""
    as_json = common("--json", is_flag=True, help="Print the API's answer instead of a table.")
    return gateway_options(as_json(function))


def explained(function: Function) -> Function:
    """Add the options of a change that concerns no model."""
    why = common("--why", callback=_text, help="The reason, for the history.")
    return reading(why(function))


def changing(function: Function) -> Function:
    """Add the options of every change of a model."""
    etag = common(
        "--etag",
        metavar="ETAG",
        help="State that the change is based on; refused if there is a newer one. [default: the "
        "newest]",
    )
    return explained(etag(function))


def _text(_ctx: click.Context, _option: click.Parameter, value: str | None) -> str:
    return value or ""


def waiting(function: Function) -> Function:
    """Add --wait and --no-wait, for what becomes true on the nodes later."""
    wait = common(
        "--wait",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        default=WAIT_S,
        help="How long to wait for the nodes.",
    )
    no_wait = common("--no-wait", is_flag=True, help="Do not wait for the nodes.")
    return wait(no_wait(function))


def seconds(wait: float, no_wait: bool) -> float | None:
    """How long to wait; None for not at all."""
    return None if no_wait else wait


def carry_out(
    operation: Operation,
    gateway: str | None,
    key: str | None,
    *,
    json: bool,
    etag: str | None = None,
) -> None:
    """Run an operation against the gateway and print its answer."""
    from scripts.administration.adding import FAILURES
    from scripts.administration.client import Gateway, address_of
    from scripts.administration.operations import Answer

    with reporting(*FAILURES, SettingError), ending_cleanly():
        settings = serve_settings(click.get_current_context())
        address = address_of(gateway or _own(settings), key, settings.data_dir)
        answer: Answer = operation(Gateway(address, etag), settings)
        click.echo(_as_json(answer.document) if json else answer.text)


def _own(settings: Settings) -> str:
    """The address of the gateway that `segserve serve` starts with these settings."""
    any_address = ("0.0.0.0", "::")  # noqa: S104 - compared only
    host = "127.0.0.1" if settings.host in any_address else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.gateway_port}"


def _as_json(document: object) -> str:
    import json

    return json.dumps(document, indent=2, ensure_ascii=False)
