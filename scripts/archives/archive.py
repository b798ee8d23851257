"""Model archives: their file names, and reading their JSON members after a check for damage."""

import json
import zipfile
import zlib
from pathlib import Path

MODEL, DEFAULT_VERSION = "deeplabv3", "1.0"
MANIFEST = "MAR-INF/MANIFEST.json"
PROVENANCE = "provenance.json"

# What zipfile raises on damaged archives, found by flipping every byte of one.
ZIP_ERRORS = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class DamagedArchiveError(ValueError):
    """The file is not a sound archive; the text says where it is damaged."""


def file_name(model: str, version: str) -> str:
    """The archive's file name.

    One file for each version: to unregister one must not touch another.
    """
    return f"{model}-{version}.mar"


def read_facts(path: Path, member: str) -> dict[str, object]:
    """The JSON object in ``member``, after checking the whole archive. FileNotFoundError if none.

    Raises DamagedArchiveError for anything that is not a sound archive with such an object.
    """
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
            facts = None if damaged else json.loads(file.read(member))
    except FileNotFoundError:
        raise
    except (*ZIP_ERRORS, KeyError, ValueError) as exc:
        raise DamagedArchiveError(f"{path} is not a model archive ({exc})") from exc
    if damaged is not None:
        raise DamagedArchiveError(f"{path} is damaged at {damaged}; build it again")
    if not isinstance(facts, dict):
        raise DamagedArchiveError(f"{path} is not a model archive ({member} is no JSON object)")
    return facts
