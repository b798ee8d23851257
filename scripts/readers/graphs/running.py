"""A ready graph that runs in a process of its own, with limits on its time."""

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from scripts.archives.paths import ROOT
from scripts.readers.graphs.formats import TITLES, GraphError, Source
from scripts.readers.graphs.graph_process import (
    CONVERTED,
    pack,
    read_message,
    unpack,
    write_message,
)

LOAD_S = 600.0  # a large network takes a minute to be converted
RUN_S = 120.0  # for one picture
LOADED_FILES_ARE_TENSORS = {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}


class RunningGraph:
    """The original and the converted graph of one file.

    runtime: name of what runs the original. names: of the outputs. metadata: what the file says
    about itself. converted: the OpenVINO IR. Close it, or let it be collected.
    """

    def __init__(
        self,
        source: Source,
        sides: Sequence[tuple[int, int]] = (),
        *,
        load_s: float = LOAD_S,
        run_s: float = RUN_S,
    ) -> None:
        self._folder, self._run_s = TemporaryDirectory(prefix="segserve-graph-"), run_s
        self._process = _start(source, self._folder.name, sides)
        self._end = weakref.finalize(self, _stop, self._process)
        title = TITLES[source.format]
        mark, content = self._reply(load_s, f"the {title} file was not loaded")
        if mark != b"+":
            self.close()
            raise GraphError(f"not a usable {title} file: {content.decode()}")
        facts = json.loads(content)
        self.runtime: str = facts["runtime"]
        self.names: tuple[str, ...] = tuple(facts["names"])
        self.metadata: dict[str, str] = facts["metadata"]
        self.converted = Path(self._folder.name) / CONVERTED

    def run(self, picture: NDArray[Any], *, converted: bool = False) -> list[NDArray[Any]]:
        """The outputs for one picture, in the layout and type that the graph takes.

        Raises GraphError if the graph fails, or takes too long.
        """
        content = pack([picture])
        try:
            which = b"c" if converted else b"o"
            write_message(cast(BinaryIO, self._process.stdin), which, content)
        except BrokenPipeError as exc:
            raise GraphError("the process that runs it has ended") from exc
        mark, reply = self._reply(self._run_s, "it gave nothing for one picture")
        if mark != b"+":
            height, width = _sides(picture)
            raise GraphError(f"it fails on a picture of {width} x {height}: {reply.decode()}")
        return unpack(reply)

    def close(self) -> None:
        """End the process."""
        self._end()

    def _reply(self, seconds: float, what: str) -> tuple[bytes, bytes]:
        """The next reply. Raises GraphError where the process dies or takes too long."""
        timer = threading.Timer(seconds, self._process.kill)
        timer.start()
        try:
            mark, content = read_message(cast(BinaryIO, self._process.stdout))
        finally:
            was_in_time = timer.is_alive()
            timer.cancel()
        if mark:
            return mark, content
        self.close()
        if not was_in_time:
            raise GraphError(f"{what} within {seconds:.0f} seconds")
        raise GraphError(f"{what}: its process died of {_death(self._process)}")


def _sides(picture: NDArray[Any]) -> tuple[int, int]:
    first = 1 if picture.shape[-1] == 3 else 2
    return picture.shape[first], picture.shape[first + 1]


def _start(
    source: Source, folder: str, sides: Sequence[tuple[int, int]]
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "scripts.readers.graphs.graph_process"]
    command += [source.format, str(source.path.absolute()), folder, json.dumps(list(sides))]
    search = [str(ROOT), str(ROOT / "handler"), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        **LOADED_FILES_ARE_TENSORS,
        "PYTHONPATH": os.pathsep.join(part for part in search if part),
    }
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def _death(process: "subprocess.Popen[bytes]") -> str:
    code = process.returncode
    return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"


def random_picture(shape: Sequence[int], dtype: Any) -> NDArray[Any]:
    """A picture of noise for a trial; 0..255 for whole numbers, otherwise 0..1."""
    levels = np.random.default_rng(7).integers(0, 256, tuple(shape))
    whole = np.issubdtype(dtype, np.integer)
    return levels.astype(dtype) if whole else (levels / 255).astype(dtype)
