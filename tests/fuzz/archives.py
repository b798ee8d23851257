"""Target: archives of versions, which TorchServe unpacks by their headers from front to back."""

import io
import os
import struct
import tempfile
from pathlib import Path, PurePosixPath

from gateway.archives.inspection import inspect
from gateway.errors import InvalidArchiveError
from tests.fuzz.target import Target, replay
from tests.unit.gateway.archives.zip_files import sound_archive, sound_files, with_entry, zipped

_FILE = Path(tempfile.gettempdir()) / f"segserve-fuzz-{os.getpid()}.mar"


def check(data: bytes) -> None:
    """Only our error is raised; else the files are those that a reader from the front finds."""
    _FILE.write_bytes(data)
    try:
        facts = inspect(_FILE)
    except InvalidArchiveError:
        return
    finally:
        _FILE.unlink()
    names = _names_from_the_front(data)
    if names is None:
        return
    assert {name for name in names if not name.endswith("/")} == facts.files.keys()
    for name in names:
        path = PurePosixPath(name)
        assert not path.is_absolute()
        assert ".." not in path.parts


def _names_from_the_front(data: bytes) -> list[str] | None:
    """The names as a reader sees them that knows nothing of the list at the end."""
    names, file = [], io.BytesIO(data)
    while (head := file.read(30))[:4] == b"PK\3\4":
        flags, packed = struct.unpack_from("<H", head, 6)[0], struct.unpack_from("<L", head, 18)[0]
        name_size, extra = struct.unpack_from("<2H", head, 26)
        names.append(file.read(name_size).decode("utf-8" if flags & 0x800 else "cp437"))
        if flags & 8:  # the sizes follow the file: a reader from the front has to unpack it
            return None
        file.seek(extra + packed, io.SEEK_CUR)
    return names


def seeds() -> list[bytes]:
    """Sound archives and some that are refused."""
    return [
        sound_archive(),
        sound_archive(**{"card.json": "{}"}),
        with_entry("folder/", b"", mode=0o40755),
        with_entry("../escaped"),
        zipped({name: each for name, each in sound_files().items() if "network" not in name}, 0),
    ]


TARGET = Target(check, seeds, (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\7\b", b"../", b"\\"))

if __name__ == "__main__":
    replay(TARGET)
