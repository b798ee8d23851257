"""Idempotency keys: a creating request that is repeated gets its first answer."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection

from gateway.errors import InvalidRequestError
from gateway.registry.storage.tables import idempotency

KEPT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Request:
    """A creating request: its key, the id of its sender, its route, and a digest of its body."""

    key: str
    principal: str
    route: str
    digest: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a creating request. body: as it was sent."""

    status: int
    body: str


def answer_to(connection: Connection, request: Request) -> Answer | None:
    """Return the first answer to the request; None if there is none of the last day.

    Raises InvalidRequestError if the key was used for another request.
    """
    columns = idempotency.c
    query = sa.select(idempotency).where(
        columns.key == request.key,
        columns.principal == request.principal,
        columns.at > datetime.now(UTC) - KEPT,
    )
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    if (row["route"], row["request_digest"]) != (request.route, request.digest):
        raise InvalidRequestError(
            "The Idempotency-Key was used for another request. Send a new one."
        )
    return Answer(row["status"], row["body"])


def keep(connection: Connection, request: Request, answer: Answer) -> None:
    """Keep an answer, in the transaction of the change itself; forget those of former days."""
    now = datetime.now(UTC)
    connection.execute(idempotency.delete().where(idempotency.c.at <= now - KEPT))
    connection.execute(
        idempotency.insert().values(
            key=request.key,
            principal=request.principal,
            route=request.route,
            request_digest=request.digest,
            status=answer.status,
            body=answer.body,
            at=now,
        )
    )
