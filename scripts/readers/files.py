"""Files of weights, whatever their suffix: read as data, and refused with one line."""

import functools
import os
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file

from scripts.networks.checkpoints import CheckpointError
from scripts.readers.torch_files.archives import read_stream, read_zip
from scripts.readers.torch_files.kinds import (
    HEAD,
    WRITERS,
    folder_refusal,
    is_pickle,
    is_safetensors,
    is_zip,
    refusal,
    zip_refusal,
)
from scripts.readers.torch_files.tensors import ForeignError

DAMAGED = "it is cut short or damaged: copy or download it again"


@dataclass(frozen=True)
class Content:
    """What a file of weights holds.

    value: tensors in dictionaries, lists and ``Inert`` objects. names: the full names of all
    classes and functions that the file refers to; none of them was imported.
    """

    value: object
    names: frozenset[str] = frozenset()


def unreadable(path: Path, reason: str) -> CheckpointError:
    """The error for a file that holds no weights."""
    return CheckpointError(f"--weights {path}: not a readable checkpoint: {reason}")


def read_content(path: Path) -> Content:
    """Read .safetensors, or what torch.save or pickle.dump wrote, by content and not by suffix.

    Tensors are on the CPU, in the file's own types. Nothing in the file is executed. Raises
    CheckpointError. The last file is remembered: several readers look into it.
    """
    facts = _facts(path)
    return _read(path, facts.st_size, facts.st_mtime_ns)


def forget() -> None:
    """Free the memory of the last file."""
    _read.cache_clear()


def _facts(path: Path) -> os.stat_result:
    try:
        facts = path.stat()
    except FileNotFoundError as exc:
        raise CheckpointError(f"--weights {path}: there is no such file") from exc
    except OSError as exc:
        raise CheckpointError(f"--weights {path}: {exc.strerror}") from exc
    if stat.S_ISDIR(facts.st_mode):
        raise unreadable(path, folder_refusal(path))
    if not stat.S_ISREG(facts.st_mode):
        raise unreadable(path, "it is not a regular file")
    return facts


@functools.lru_cache(maxsize=1)
def _read(path: Path, size: int, _changed: int) -> Content:
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as exc:
        raise CheckpointError(f"--weights {path}: {exc.strerror}") from exc
    reason = None if is_safetensors(head, size) else refusal(head, path.name)
    if reason is None and is_zip(head):
        reason = zip_refusal(path)
    if reason is not None:
        raise unreadable(path, reason)
    try:
        return _content(path, head, size)
    except CheckpointError:
        raise
    except ForeignError as exc:
        raise unreadable(path, str(exc)) from exc
    except Exception as exc:  # what damaged pickles raise is not limited
        raise unreadable(path, f"{DAMAGED} ({_words(exc)})") from exc


def _content(path: Path, head: bytes, size: int) -> Content:
    if is_safetensors(head, size):
        return Content(load_file(path))
    names: set[str] = set()
    if is_zip(head):
        value = read_zip(path, names)
    elif is_pickle(head):
        with path.open("rb") as file:
            value = read_stream(file, names)
    else:
        raise unreadable(path, f"it is of no known kind: {WRITERS}")
    return Content(value, frozenset(names))


def _words(exc: BaseException) -> str:
    if isinstance(exc, zipfile.BadZipFile):
        return "its checksum differs"
    return " ".join(str(exc).split())[:120] or type(exc).__name__
