"""A PostgreSQL of the tests' own: in a temporary folder, reached by a socket in it."""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

MISSING = (
    "PostgreSQL is not installed: these tests start one of their own. "
    "On Debian: apt-get install postgresql"
)
# It refuses to run as root.
_USER = "postgres"
_OPTIONS = ("-c", "fsync=off", "-c", "listen_addresses=")


class Postgres:
    """A server; it can be stopped and started, and frozen."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._numbers = itertools.count()
        self._process: subprocess.Popen[str] | None = None
        self._run("initdb", "--auth=trust", "--username=segserve", "--no-sync", "--no-instructions")

    def start(self) -> None:
        """Start it; return when it accepts connections."""
        command = [str(self._programs / "postgres"), "-D", str(self._data)]
        command += ["-k", str(self._folder), *_OPTIONS]
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, text=True, **_as_user())
        self._process = process
        end = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < end:
            with suppress(psycopg.OperationalError), self._connection():
                return
            time.sleep(0.02)
        raise AssertionError((self._folder / "log").read_text())

    def stop(self) -> None:
        """Stop it at once; clients lose their connections."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # "fast shutdown"
            self._process.wait(60)

    def create_database(self, options: str = "") -> str:
        """Create an empty database with these options, in SQL; return its URL."""
        name = f"test_{next(self._numbers)}"
        with self._connection() as connection:
            connection.execute(f"CREATE DATABASE {name} {options}".encode())
        return f"postgresql://segserve@/{name}?host={self._folder}"

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let no process of it answer while the block runs, as behind a dead network."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        processes = [self._process.pid, *map(int, children.read_text().split())]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def _connection(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self._folder), user="segserve", dbname="postgres", autocommit=True
        )

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self._data), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **_as_user())


@contextmanager
def running() -> Iterator[Postgres]:
    """A server that runs as long as the block."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if os.getuid() == 0:
            shutil.chown(folder, _USER, _USER)
        server = Postgres(programs, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _programs() -> Path:
    """The folder of the server's programs; Debian has them outside the path."""
    places = [Path(path) for path in os.environ["PATH"].split(os.pathsep)]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = next(
        (
            place
            for place in places
            if all((place / each).exists() for each in ("initdb", "postgres"))
        ),
        None,
    )
    if found is None:
        pytest.fail(MISSING)
    return found


def _as_user() -> dict[str, Any]:
    """Arguments for a child process that must not run as root."""
    if os.getuid() != 0:
        return {}
    try:
        pwd.getpwnam(_USER)
    except KeyError:
        pytest.fail(MISSING)
    return {"user": _USER, "group": _USER, "cwd": "/"}
