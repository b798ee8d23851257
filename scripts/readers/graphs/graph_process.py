"""A process that loads, converts and runs one ready graph: its main function and its messages.

A file may hang, use all memory or crash its loader; then this process ends, and the command goes on
with one line. Requests on standard input: one byte, "o" for the original or "c" for the converted
graph, and an array in NumPy's format. Replies: one byte, "+" or "-", and either JSON (the first
reply), arrays, or a line of text.
"""

import contextlib
import io
import json
import os
import re
import resource
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from deeplab.engines import import_openvino
from scripts.readers.graphs.formats import Format, GraphError
from scripts.readers.graphs.runtimes import Loaded, compiled, load

LEAST_ADDRESS_SPACE = 32 << 30  # bytes, most of which no library that reserves them ever uses
CONVERTED = "graph.xml"
# What OpenVINO says of weights in a file beside an ONNX file, and of a file that is no model.
EXTERNAL = re.compile(r"externally stored data in file \(([^,)]+)")
UNREADABLE = ("Unable to read the model", "Model can't be parsed")


class FailedError(RuntimeError):
    """The graph cannot be loaded or run; one line of text."""


def write_message(stream: BinaryIO, mark: bytes, content: bytes) -> None:
    """Send a byte that says what follows, and the content with its length."""
    stream.write(mark + struct.pack("<Q", len(content)) + content)
    stream.flush()


def read_message(stream: BinaryIO) -> tuple[bytes, bytes]:
    """Receive what ``write_message`` sent; (b"", b"") at the end of the stream."""
    head = stream.read(9)
    if len(head) < 9:
        return b"", b""
    content = stream.read(struct.unpack("<Q", head[1:])[0])
    return head[:1], content


def pack(arrays: list[NDArray[Any]]) -> bytes:
    """Arrays of numbers in NumPy's format, one after the other."""
    stream = io.BytesIO()
    for array in arrays:
        np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def unpack(content: bytes) -> list[NDArray[Any]]:
    """The arrays that ``pack`` wrote."""
    stream, arrays = io.BytesIO(content), []
    while stream.tell() < len(content):
        arrays.append(np.lib.format.read_array(stream, allow_pickle=False))
    return arrays


def main() -> None:
    """Load the file, save it as OpenVINO IR, and run it until standard input ends."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the graph or a library prints must not look like a reply
    kind, path, folder, sides = sys.argv[1:]
    _limit_memory()
    try:
        loaded, facts = _loaded(kind, Path(path), Path(folder), json.loads(sides))  # type: ignore[arg-type]  # ours
        write_message(replies, b"+", json.dumps(facts).encode())
        runners = {b"o": loaded.run, b"c": compiled(loaded.model)}
    except FailedError as exc:
        write_message(replies, b"-", str(exc).encode())
        return
    while True:
        mark, content = read_message(sys.stdin.buffer)
        if not mark:
            return
        try:
            with _one_line():
                found = runners[mark](unpack(content)[0])
            write_message(replies, b"+", pack(found))
        except FailedError as exc:
            write_message(replies, b"-", str(exc).encode())


def _loaded(
    kind: Format, path: Path, folder: Path, sides: list[tuple[int, int]]
) -> tuple[Loaded, dict[str, object]]:
    with _one_line():
        loaded = load(kind, path, sides)
        ov = import_openvino()
        ov.save_model(loaded.model, folder / CONVERTED, compress_to_fp16=False)
        facts: dict[str, object] = {
            "runtime": loaded.runtime,
            "names": loaded.names,
            "metadata": loaded.metadata,
        }
    return loaded, facts


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    """Turn what loaders raise into the line of theirs that says most."""
    try:
        yield
    except GraphError as exc:
        raise FailedError(str(exc)) from exc
    except Exception as exc:  # loaders raise what they like
        raise FailedError(_reason(exc)) from exc


def _reason(exc: Exception) -> str:
    if (external := EXTERNAL.search(str(exc))) is not None:
        return f"its weights in {external[1]} are missing or cut short: put the file beside it"
    if any(words in str(exc) for words in UNREADABLE):
        return "it is cut short or damaged: export or download it again"
    noise = ("Exception from ", "Check '", "FrontEnd API", "Traceback", "Model wasn't", "Summary")
    lines = [line.strip(" -\t") for line in str(exc).splitlines() if line.strip()]
    telling = [line for line in lines if line and not line.startswith(noise)]
    return (telling or lines or [type(exc).__name__])[0][:300]


def _limit_memory() -> None:
    """Bound the address space by the machine's memory, and be the first that the kernel ends."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = max(memory, LEAST_ADDRESS_SPACE)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main()
