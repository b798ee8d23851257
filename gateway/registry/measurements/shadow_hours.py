"""Sums of the comparisons between a shadow and stable, hour by hour."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from gateway.registry.records import SHADOW_SUMS, ShadowHour
from gateway.registry.storage.tables import shadow_hour
from gateway.registry.storage.upsert import insert_if_missing


def add(connection: Connection, sums: ShadowHour) -> None:
    """Add sums to those of the hour; within `Database.writing(announced=False)`."""
    hour = sums.hour.replace(minute=0, second=0, microsecond=0)
    key = {"model": sums.model, "stable": sums.stable, "shadow": sums.shadow, "hour": hour}
    insert_if_missing(
        connection, shadow_hour, key | dict.fromkeys(SHADOW_SUMS, 0) | {"classes": {}}
    )
    row = sa.and_(*(shadow_hour.c[name] == value for name, value in key.items()))
    # Locked until the commit: another gateway may be adding its own.
    query = sa.select(shadow_hour).where(row).with_for_update()
    total = _record(connection.execute(query).mappings().one()) + sums
    values: dict[str, Any] = {name: getattr(total, name) for name in SHADOW_SUMS}
    values["classes"] = {str(index): total.classes[index] for index in sorted(total.classes)}
    connection.execute(shadow_hour.update().where(row).values(**values))


def listed(
    connection: Connection, model: str, *, since: datetime, limit: int = 1000
) -> list[ShadowHour]:
    """Return the sums of a model's hours since a moment, the newest first."""
    query = sa.select(shadow_hour).where(shadow_hour.c.model == model, shadow_hour.c.hour >= since)
    query = query.order_by(shadow_hour.c.hour.desc(), shadow_hour.c.stable, shadow_hour.c.shadow)
    return [_record(row) for row in connection.execute(query.limit(limit)).mappings()]


def _record(row: RowMapping) -> ShadowHour:
    classes = {int(index): (pair[0], pair[1]) for index, pair in row["classes"].items()}
    return ShadowHour(**{**row, "classes": classes})
