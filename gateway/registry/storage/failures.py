"""Translation of the database's failures into the gateway's errors."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from gateway.errors import InternalError, InvalidRequestError, RegistryUnavailableError


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Raise the database's failures as our errors of one line. name: what they call it."""
    try:
        yield
    except exc.DataError as failure:
        raise InvalidRequestError(
            f"The database cannot keep this: {_line(failure.orig)}."
        ) from failure
    except exc.IntegrityError as failure:
        raise InternalError(
            f"The change breaks a rule of the database: {_line(failure.orig)}."
        ) from failure
    except exc.DBAPIError as failure:
        raise _unavailable(name, failure.orig) from failure
    except (exc.TimeoutError, sqlite3.Error) as failure:
        raise _unavailable(name, failure) from failure
    except exc.InvalidRequestError as failure:
        # What the pool says if new connections break too, as soon as they are made.
        if "connection is closed" not in str(failure):
            raise
        raise _unavailable(name, failure) from failure


@contextmanager
def translated_file(name: str) -> Iterator[None]:
    """Do the same for the file of a database, which is created or locked."""
    try:
        yield
    except OSError as failure:
        raise _unavailable(name, failure) from failure


def _unavailable(name: str, failure: BaseException | None) -> RegistryUnavailableError:
    return RegistryUnavailableError(f"The database {name} cannot be used: {_line(failure)}.")


def _line(failure: BaseException | None) -> str:
    """The first line of a driver's message; the others quote the statement."""
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    lines = str(failure).strip().splitlines()
    return lines[0].rstrip(".:") if lines else type(failure).__name__
