"""The two containers of torch.save, zip and stream, and plain pickles of tensors."""

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from scripts.readers.torch_files.inert import InertUnpickler
from scripts.readers.torch_files.tensors import (
    ForeignError,
    MalformedError,
    Storage,
    StorageType,
    empty,
    storage_of,
)

MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of torch's stream
PICKLE = "data.pkl"


def read_zip(path: Path, names: set[str]) -> object:
    """The object in a file that torch.save wrote since 1.6; see ``InertUnpickler``."""
    with zipfile.ZipFile(path) as archive:
        root = pickle_in(archive).removesuffix(PICKLE)
        order = f"{root}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise ForeignError(
                "it is of a big-endian machine: torch.load it here and torch.save it"
            )
        storages = _zipped_storages(archive, root)
        with archive.open(root + PICKLE) as file:
            return InertUnpickler(file, names, storages).load()


def pickle_in(archive: zipfile.ZipFile) -> str:
    """The pickle in torch's zip file; "" if it is another zip file."""
    found = [name for name in archive.namelist() if name.split("/")[-1] == PICKLE]
    return min(found, key=len, default="")


def _zipped_storages(archive: zipfile.ZipFile, root: str) -> Callable[[Any], object]:
    known: dict[str, Storage] = {}

    def storage(pid: Any) -> object:
        _, kind, key, *_ = _checked(pid)
        if key not in known:
            entry = archive.getinfo(f"{root}data/{key}")
            known[key] = storage_of(bytearray(archive.read(entry)), kind.dtype)
        return Storage(known[key].content, kind.dtype)

    return storage


def _checked(pid: Any) -> tuple[Any, ...]:
    if not isinstance(pid, tuple) or len(pid) < 5 or not isinstance(pid[1], StorageType):
        raise MalformedError("a storage of an unknown kind")
    return pid


def read_stream(file: IO[bytes], names: set[str]) -> object:
    """The object in a file that torch.save wrote before 1.6, or pickle.dump."""

    def nested(content: bytes) -> object:
        return read_stream(io.BytesIO(content), names)

    first = InertUnpickler(file, names, load_bytes=nested).load()
    if first != MAGIC:
        return first
    for _ in ("version of the format", "properties of the machine"):
        InertUnpickler(file, names).load()
    storages: dict[str, Storage] = {}
    size = _size(file)

    def storage(pid: Any) -> object:
        if isinstance(pid, tuple) and pid[:1] == ("module",):
            return pid[1]
        _, kind, key, _, count, *view = _checked(pid)
        if view not in ([], [None]) or count * kind.dtype.itemsize > size:
            raise MalformedError("a tensor that is larger than the file")
        if key not in storages:
            storages[key] = Storage(empty(count * kind.dtype.itemsize), kind.dtype)
        return storages[key]

    value = InertUnpickler(file, names, storage).load()
    for key in _keys(InertUnpickler(file, names).load()):
        _fill(storages[key], file)
    return value


def _keys(keys: object) -> list[Any]:
    if not isinstance(keys, list):
        raise MalformedError("a list of tensors is missing")
    return keys


def _fill(storage: Storage, file: IO[bytes]) -> None:
    """Read a storage's elements: their number, then their bytes."""
    (count,) = struct.unpack("<q", file.read(8))
    content = file.read(count * storage.dtype.itemsize)
    if len(content) != storage.content.nbytes():
        raise MalformedError("a tensor that is cut short")
    if content:
        storage.content.copy_(storage_of(bytearray(content), storage.dtype).content)


def _size(file: IO[bytes]) -> int:
    place = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(place)
    return size
