"""Watchdog of PostgreSQL's connections: cut one whose server does not answer for long.

The server's own limits do not help where it is frozen or the network is dead: a thread would wait
indefinitely, and the gateway could not stop.
"""

import os
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, event, exc

if TYPE_CHECKING:
    import psycopg

_TIMER: Final = "segserve_timer"


def watch(engine: Engine, limit_s: float) -> None:
    """Cut connections that are in use for longer; test each before it is used."""
    import psycopg  # 9 MB, which a gateway with SQLite does not need

    def check_out(connection: "psycopg.Connection[Any]", record: Any, _proxy: object) -> None:
        timer = threading.Timer(limit_s, _cut, (connection,))
        timer.daemon = True
        timer.start()
        record.info[_TIMER] = timer
        try:
            # The server may have restarted since: then the pool connects again.
            connection.execute("SELECT 1")
            connection.rollback()
        except psycopg.Error as failure:
            timer.cancel()
            raise exc.DisconnectionError(str(failure)) from failure

    def check_in(_connection: object, record: Any) -> None:
        if timer := record.info.pop(_TIMER, None):
            timer.cancel()

    event.listen(engine, "checkout", check_out)
    event.listen(engine, "checkin", check_in)  # codespell:ignore checkin


def leave_alone(connection: Connection) -> None:
    """Let a connection be used for as long as it takes: for a migration, a backup, a restore."""
    if timer := connection.info.get(_TIMER):
        timer.cancel()


def _cut(connection: "psycopg.Connection[Any]") -> None:
    """End the connection below the thread that waits for it: its call then fails."""
    import psycopg

    with (
        suppress(OSError, psycopg.Error),  # closed meanwhile
        # A copy of the descriptor: the connection closes its own.
        socket.socket(fileno=os.dup(connection.fileno())) as end,
    ):
        end.shutdown(socket.SHUT_RDWR)
