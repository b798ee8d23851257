"""The commands for the database: `segserve db`, `python -m gateway.registry.backup`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from pydantic import ValidationError

from gateway.errors import GatewayError
from gateway.registry.backup.backup import Counts, backup, restore
from gateway.registry.database import Database
from gateway.state_settings import StateSettings

_EXAMPLES: Final = """\b
Examples:
  segserve db backup registry-monday.backup
  segserve db restore registry-monday.backup --force
"""
_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_FORCE: Final = click.option(
    "--force", is_flag=True, show_envvar=True, help="Replace what is there."
)


@click.group(epilog=_EXAMPLES)
def db() -> None:
    """Back up and restore the database: versions, traffic, keys, evaluations and the audit log.

    It is the one that SEGSERVE_GATEWAY_DATABASE_URL names, else the file in
    SEGSERVE_GATEWAY_DATA_DIR. Backups fit both databases. Archives are not in them.
    """


@db.command("backup", epilog="\b\nExample:\n  segserve db backup registry-monday.backup")
@click.argument("file", type=_FILE, help="The file of the backup.")
@_FORCE
def backup_command(file: Path, force: bool) -> None:
    """Write everything to FILE, while the gateway runs."""
    with _database() as database:
        rows = backup(database, file, force=force)
    click.echo(f"db: backed up {database.name} to {file}: {_listed(rows)}", err=True)


@db.command("restore", epilog="\b\nExample:\n  segserve db restore registry-monday.backup --force")
@click.argument("file", type=_FILE, help="The file of the backup.")
@_FORCE
def restore_command(file: Path, force: bool) -> None:
    """Replace everything by what FILE has; running gateways follow within a second."""
    with _database() as database:
        done = restore(database, file, force=force)
    click.echo(f"db: restored {file} of {done.made_at}: {_listed(done.rows)}", err=True)
    click.echo(f"db: it replaced in {database.name}: {_listed(done.replaced)}", err=True)
    if done.valid_again:
        names = ", ".join(done.valid_again)
        click.echo(f"db: keys that were revoked and are valid again: {names}", err=True)


def _listed(counts: Counts) -> str:
    """The tables with rows, for a line."""
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "nothing"


@contextmanager
def _database() -> Iterator[Database]:
    """Yield the database; its errors become one line each."""
    try:
        database = Database(StateSettings().database_address)
        try:
            yield database
        finally:
            database.close()
    except ValidationError as exc:
        fault = exc.errors(include_input=False)[0]
        raise click.ClickException(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from exc
    except GatewayError as exc:
        raise click.ClickException(exc.detail) from exc
