"""The salt of a canary, which is drawn for the clients of now."""

import itertools
from pathlib import Path

import pytest

from gateway.admin.service import Administration
from gateway.archives.store import ArchiveStore
from gateway.registry import policies
from gateway.registry.database import Database
from gateway.registry.follower import Follower
from gateway.registry.records import CANARY, Change
from tests.unit.gateway.registry.conftest import MODEL, add

pytestmark = pytest.mark.anyio

CHANGE = Change("a test")


async def test_a_salt_is_drawn_only_for_a_canary_that_begins(tmp_path: Path) -> None:
    """It takes a third of a second, and would not be used for a share that grows."""
    database = Database(f"sqlite:///{tmp_path / 'registry.sqlite3'}")
    database.migrate()
    follower, numbers = Follower(database), itertools.count()
    administration = Administration(
        database,
        follower,
        ArchiveStore(str(tmp_path / "archives")),
        draw_salt=lambda: f"salt {next(numbers)}",
    )
    with database.writing() as connection:
        add(connection, "1.0", "2.0", "3.0")
        policies.set_alias(connection, MODEL, CANARY, "2.0", CHANGE)
    for version, percent, salt in (
        ("2.0", 10, "salt 0"),
        ("2.0", 25, None),
        (None, 50, None),
        (None, 0, None),
        (None, 10, "salt 1"),
        ("3.0", 10, "salt 2"),
    ):
        assert (await administration.salted(CHANGE, MODEL, version)).salt == salt
        with database.writing() as connection:
            policies.set_traffic(connection, MODEL, CHANGE, canary_percent=percent)
        await follower.refresh()
    administration.close()
    database.close()
