"""The translation of the database's failures."""

import sqlite3

import psycopg
import pytest
from sqlalchemy import exc

from gateway.errors import (
    GatewayError,
    InternalError,
    InvalidRequestError,
    NotFoundError,
    RegistryUnavailableError,
)
from gateway.registry.storage.failures import translated, translated_file

STATEMENT = "INSERT INTO key VALUES ('secret')"


def wrapped(kind: type[exc.DBAPIError], driver: Exception) -> exc.DBAPIError:
    """A driver's error as SQLAlchemy raises it."""
    return kind(STATEMENT, {"digest": "secret"}, driver)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (wrapped(exc.OperationalError, sqlite3.OperationalError("disk I/O error")), 503),
        (wrapped(exc.DatabaseError, sqlite3.DatabaseError("malformed")), 503),
        (wrapped(exc.InternalError, psycopg.InternalError("read-only")), 503),
        (wrapped(exc.InterfaceError, psycopg.InterfaceError("")), 503),
        (wrapped(exc.ProgrammingError, psycopg.ProgrammingError("no table\nLINE 1: ...")), 503),
        (wrapped(exc.IntegrityError, sqlite3.IntegrityError("FOREIGN KEY")), 500),
        (wrapped(exc.DataError, psycopg.DataError("value too long\nsecret")), 422),
        (exc.TimeoutError("QueuePool limit reached"), 503),
        (exc.InvalidRequestError("This connection is closed"), 503),
        (sqlite3.DatabaseError("file is not a database"), 503),
        (wrapped(exc.OperationalError, psycopg.OperationalError("refused\nIs it running?")), 503),
    ],
)
def test_each_failure_is_one_line_of_ours(failure: Exception, expected: int) -> None:
    """With the driver's reason, but neither the statement nor its values."""
    with pytest.raises(GatewayError) as error, translated("the database"):
        raise failure
    kinds = {503: RegistryUnavailableError, 500: InternalError, 422: InvalidRequestError}
    assert type(error.value) is kinds[expected]
    assert "\n" not in error.value.detail
    assert "secret" not in error.value.detail
    assert error.value.__cause__ is failure


@pytest.mark.parametrize("failure", [NotFoundError("no"), ValueError("no"), OSError(5, "no")])
def test_other_failures_pass(failure: Exception) -> None:
    """What is not the database's is not blamed on it."""
    with pytest.raises(type(failure)) as error, translated("the database"):
        raise failure
    assert error.value is failure


def test_a_wrong_use_of_the_library_is_a_bug() -> None:
    """It is no failure of the database."""
    with pytest.raises(exc.InvalidRequestError), translated("the database"):
        raise exc.InvalidRequestError("a transaction is already begun")


def test_a_file_that_cannot_be_made_is_one_line() -> None:
    """The system's reason, without the error's number."""
    with (
        pytest.raises(RegistryUnavailableError, match=r"used: Read-only file system\.$"),
        translated_file("registry.sqlite3"),
    ):
        raise OSError(30, "Read-only file system")
