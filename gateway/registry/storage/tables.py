"""The tables of the registry; storage/migrations/ creates them."""

from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, Integer, String, Table


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A moment in UTC, timezone aware; SQLite itself keeps no timezone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Convert to UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Set or convert to UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


METADATA: Final = sa.MetaData()

state = Table(
    "state",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", sa.BigInteger, nullable=False),
)

model = Table(
    "model",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("etag", Integer, nullable=False),
    Column("salt", String(32), nullable=False),
    Column("canary_percent", Integer, nullable=False),
    Column("shadow_percent", Integer, nullable=False),
    Column("limits", sa.JSON, nullable=False),
)

version = Table(
    "version",
    METADATA,
    Column("model", ForeignKey("model.name"), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("size", sa.BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("labels", sa.JSON, nullable=False),
    Column("facts", sa.JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(64), nullable=False),
)

alias = Table(
    "alias",
    METADATA,
    Column("model", String(64), primary_key=True),
    Column("alias", String(64), primary_key=True),
    Column("version", String(64), nullable=False),
    ForeignKeyConstraint(["model", "version"], ["version.model", "version.version"]),
)

placement = Table(
    "placement",
    METADATA,
    Column("model", String(64), primary_key=True),
    Column("version", String(64), primary_key=True),
    Column("node", String(64), primary_key=True),
    Column("workers", Integer, nullable=False),
    ForeignKeyConstraint(["model", "version"], ["version.model", "version.version"]),
)

node = Table(
    "node",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("url", sa.Text, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Column("report", sa.JSON, nullable=False),
)

evaluation = Table(
    "evaluation",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("model", String(64), nullable=False),
    Column("version", String(64), nullable=False),
    Column("data_digest", String(64), nullable=False),
    Column("data_name", sa.Text, nullable=False),
    Column("figures", sa.JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(64), nullable=False),
    ForeignKeyConstraint(["model", "version"], ["version.model", "version.version"]),
    Index("evaluation_of_version", "model", "version", "data_digest"),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("model", String(64)),
    Column("subject", sa.Text, nullable=False),
    Column("before", sa.JSON(none_as_null=True)),
    Column("after", sa.JSON(none_as_null=True)),
    Column("why", sa.Text, nullable=False),
    Index("audit_of_model", "model", "id"),
    sqlite_autoincrement=True,
)

key = Table(
    "key",
    METADATA,
    Column("id", String(12), primary_key=True),
    # Writers take turns, so the next number is free; a moment would not order keys of one second.
    Column("sequence", Integer, nullable=False, unique=True),
    Column("name", String(64), nullable=False),
    Column("role", String(16), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("rate", String(16)),
    Column("concurrency", Integer),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)

idempotency = Table(
    "idempotency",
    METADATA,
    Column("key", String(255), primary_key=True),
    Column("principal", String(64), primary_key=True),
    Column("route", sa.Text, nullable=False),
    Column("request_digest", String(64), nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", sa.Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("idempotency_by_age", "at"),
)

shadow_hour = Table(
    "shadow_hour",
    METADATA,
    Column("model", String(64), primary_key=True),
    Column("stable", String(64), primary_key=True),
    Column("shadow", String(64), primary_key=True),
    Column("hour", UtcDateTime, primary_key=True),
    Column("images", sa.BigInteger, nullable=False),
    Column("failed", sa.BigInteger, nullable=False),
    Column("pixels", sa.BigInteger, nullable=False),
    Column("agreeing", sa.BigInteger, nullable=False),
    Column("classes", sa.JSON, nullable=False),
    Column("stable_ms", sa.Float, nullable=False),
    Column("shadow_ms", sa.Float, nullable=False),
)
