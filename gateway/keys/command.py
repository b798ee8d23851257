"""The commands that add, list and revoke API keys: `segserve keys`, `python -m gateway.keys`."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, get_args

import click
from pydantic import ValidationError

from gateway.errors import GatewayError
from gateway.keys.principal import Role
from gateway.keys.store import KeyStore, open_store
from gateway.state_settings import StateSettings

_COLUMNS: Final = "{:<12}  {:<5}  {:<20}  {:<16}  {:<11}  {}"
# In the gateway's container, which has nothing but the gateway.
_MODULE: Final = "python -m gateway.keys"
_INTERRUPTED: Final = 130
_EXAMPLES: Final = """\b
Examples:
  segserve keys add --name field-app --rate 600/minute --concurrency 4
  segserve keys add --name operator --role admin
  segserve keys list
  segserve keys revoke 0f3a2b1c4d5e
"""


@click.group(epilog=_EXAMPLES)
def keys() -> None:
    """Make, list and revoke API keys.

    Keys are kept as digests in the database that SEGSERVE_GATEWAY_DATABASE_URL names, else in
    SEGSERVE_GATEWAY_DATA_DIR. A running gateway takes a change up within seconds.
    """


@keys.command(epilog="\b\nExample:\n  segserve keys add --name operator --role admin")
@click.option("--name", required=True, show_envvar=True, help="Its owner, for lists and logs.")
@click.option(
    "--role",
    type=click.Choice(get_args(Role)),
    default="user",
    show_default=True,
    show_envvar=True,
    help="An admin may manage keys.",
)
@click.option("--rate", show_envvar=True, help="A limit of its own, such as 600/minute.")
@click.option(
    "--concurrency", type=int, show_envvar=True, help="Its own number of requests at once."
)
def add(name: str, role: Role, rate: str | None, concurrency: int | None) -> None:
    """Make a key and print it, once."""
    with _store() as store:
        key, presented = store.add(name, role, rate, concurrency)
    click.echo(f"keys: added {key.id}; this is shown once:", err=True)
    click.echo(presented)


@keys.command("list", epilog="\b\nExample:\n  segserve keys list")
def list_command() -> None:
    """Show all keys, without their secrets."""
    with _store() as store:
        listed = store.read()
    click.echo(_COLUMNS.format("id", "role", "created", "rate", "concurrency", "name"))
    for key in listed:
        created = f"{key.created_at:%Y-%m-%d %H:%M:%SZ}"
        row = (key.id, key.role, created, key.rate or "-", key.concurrency or "-", key.name)
        click.echo(_COLUMNS.format(*row))


@keys.command(epilog="\b\nExample:\n  segserve keys revoke 0f3a2b1c4d5e")
@click.argument("id", help="The key's id, as the list shows it.")
def revoke(id: str) -> None:  # noqa: A002 - Click names it as the user sees it
    """Take a key back; gateways refuse it within seconds."""
    with _store() as store:
        store.revoke(id)
    click.echo(f"keys: revoked {id}; gateways refuse it within seconds", err=True)


@contextmanager
def _store() -> Iterator[KeyStore]:
    """Yield the key store; its errors become one line each."""
    try:
        yield open_store(StateSettings())
    except ValidationError as exc:
        fault = exc.errors(include_input=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise click.ClickException(f"{place}: {fault['msg']}") from exc
    except GatewayError as exc:
        raise click.ClickException(exc.detail) from exc


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command by itself; a failure is one line on standard error and an exit status."""
    try:
        status = keys.main(arguments, prog_name=_MODULE, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except click.UsageError as exc:
        click.echo(f"keys: {exc.format_message()} See `{_MODULE} --help`.", err=True)
        sys.exit(exc.exit_code)
    except click.ClickException as exc:
        sys.exit(f"keys: {exc.format_message()}")
    except click.Abort:
        click.echo("keys: stopped", err=True)
        sys.exit(_INTERRUPTED)
    if status:
        sys.exit(status)
