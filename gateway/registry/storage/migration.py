"""Migrations: bring the tables to a revision of the schema, in one transaction."""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.errors import RegistryUnavailableError
from gateway.registry.storage import tables, watchdog
from gateway.registry.storage.tables import METADATA

# From the first to the one that this code works with.
REVISIONS: Final = ("0001",)
HEAD: Final = REVISIONS[-1]
# Alembic's own table, as Alembic creates it.
_ALEMBIC: Final = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
_FOLDER: Final = Path(__file__).parent / "migrations"
# A number of our own, for PostgreSQL's advisory lock.
_LOCK: Final = 5_360_120
_LOCK_S: Final = 60


def revision(connection: Connection) -> str | None:
    """Return the revision of the tables; None if there are none yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def is_current(connection: Connection, name: str) -> bool:
    """Whether the tables are those of this code; raises RegistryUnavailableError if newer."""
    current = revision(connection)
    if current is not None and current not in REVISIONS:
        raise RegistryUnavailableError(
            f"{name} is of a newer version of Segserve: it has the schema {current}, "
            f"and this version knows those up to {HEAD}. Start that version, or restore a backup."
        )
    return current == HEAD


def lock(connection: Connection) -> None:
    """Let one transaction migrate at a time; SQLite has a lock on a file for it."""
    if connection.dialect.name == "postgresql":
        watchdog.leave_alone(connection)
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_LOCK_S}s'"))
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


def upgrade(connection: Connection) -> None:
    """Bring the tables to HEAD, within the connection's transaction."""
    if revision(connection) is None:
        create(connection)
    else:
        run(connection, "upgrade", HEAD)


def create(connection: Connection) -> None:
    """Create the tables where there are none, as all migrations together do, without Alembic."""
    METADATA.create_all(connection)
    connection.execute(tables.state.insert().values(id=1, generation=0))
    _ALEMBIC.create(connection, checkfirst=True)
    connection.execute(_ALEMBIC.insert().values(version_num=HEAD))


def downgrade(connection: Connection, target: str) -> None:
    """Bring the tables back to a former revision, or to none: "base"."""
    run(connection, "downgrade", target)


def run(connection: Connection, direction: str, target: str) -> None:
    """Run Alembic's command of that name."""
    # Imported only where tables change: it costs 12 MB and a third of a second.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    getattr(command, direction)(config, target)
