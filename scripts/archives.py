"""Reading archives that are already built; damaged ones are told from sound ones here."""

import json
import zipfile
import zlib
from pathlib import Path

MANIFEST = "MAR-INF/MANIFEST.json"
PROVENANCE = "provenance.json"

# What zipfile raises on damaged archives, found by flipping every byte of one.
ZIP_ERRORS = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class DamagedArchiveError(ValueError):
    """The file is no archive, or a damaged one; the text says where."""


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
