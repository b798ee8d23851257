"""A registry with something to be found, changed and removed by every route, and an archive.

Removed things do not come back, so there are many of them, each with a number.
"""

import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.registry import nodes, policies, versions
from gateway.registry.database import Connection, Database
from gateway.registry.records import Change, NodeRecord, Placement, VersionRecord

# Not the model that is served: other routes get no changed traffic.
MODEL: Final = "contract"
# A version that stays, and how many there are of each kind of thing that goes.
VERSION: Final = "2.0"
# The canary and the shadow, as stable itself can be neither.
TRIED: Final = "3.0"
MANY: Final = 400
_SEED: Final = Change("seed", "for the tests")


def old_version(number: int) -> str:
    """A version that no alias names."""
    return f"old-{number % MANY}"


def former_stable(number: int) -> str:
    """A version that was stable once."""
    return f"was-{number % MANY}"


def alias(number: int) -> str:
    """A free alias."""
    return f"alias-{number % MANY}"


def node(number: int) -> str:
    """A node, which is also one of the placements of VERSION."""
    return f"node-{number % MANY}"


def seed(folder: Path) -> None:
    """Fill the database of a gateway with this data folder."""
    database = Database(f"sqlite:///{folder / 'registry.sqlite3'}")
    database.migrate()
    with database.writing() as connection:
        for version in (VERSION, TRIED):
            _add(connection, version)
        for number in range(MANY):
            _add(connection, former_stable(number))
            _add(connection, old_version(number))
            policies.set_alias(connection, MODEL, alias(number), VERSION, _SEED)
            placement = Placement(MODEL, VERSION, node(number), 1)
            policies.place(connection, placement, _SEED)
            record = NodeRecord(node(number), "http://127.0.0.1:8080", datetime.now(UTC), {})
            nodes.heard(connection, record)
            policies.promote(connection, MODEL, former_stable(number), _SEED)
        for name, version in (("canary", TRIED), ("shadow", TRIED), ("stable", VERSION)):
            policies.set_alias(connection, MODEL, name, version, _SEED)
    database.close()


def _add(connection: Connection, version: str) -> None:
    labels = {0: "background", 15: "person"}
    facts = {"spec": {"version": 2}, "provenance": None, "card": None}
    digest = version.encode().hex().ljust(64, "0")[:64]
    now = datetime.now(UTC)
    record = VersionRecord(MODEL, version, digest, 1000, labels, facts, now, "seed")
    versions.add(connection, record, "seed")


def _archive() -> bytes:
    """A small archive of another version, with the files that an inspection asks for."""
    manifest = {"modelName": MODEL, "modelVersion": "9.0", "handler": "handler.py"}
    files = {
        "model.json": json.dumps({"version": 2, "classes": 1}),
        "handler.py": "",
        "deeplab/labels.json": json.dumps({"0": "background"}),
        "MAR-INF/MANIFEST.json": json.dumps({"model": manifest}),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


ARCHIVE: Final = _archive()
