"""Model archives: their file names, and reading their JSON members after a check for damage."""

import json
import zipfile
import zlib
from pathlib import Path

MODEL, DEFAULT_VERSION = "deeplabv3", "1.0"
MANIFEST = "MAR-INF/MANIFEST.json"
PROVENANCE = "provenance.json"
LABELS = "deeplab/labels.json"

# What zipfile raises on damaged archives, found by flipping every byte of one.
ZIP_ERRORS = (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class DamagedArchiveError(ValueError):
    """The file is not a sound archive; the text says where it is damaged."""


def file_name(model: str, version: str) -> str:
    """The archive's file name.

    One file for each version: to unregister one must not touch another.
    """
    return f"{model}-{version}.mar"


def split_name(archive: str) -> tuple[str, str]:
    """(model, version) of an archive's file name; versions may hold hyphens. Empty for others."""
    stem = archive.removesuffix(".mar")
    if stem == archive:
        return "", ""
    if stem.startswith(f"{MODEL}-"):
        return MODEL, stem.removeprefix(f"{MODEL}-")
    name, _, version = stem.rpartition("-")
    return name, version


def read_identity(path: Path) -> tuple[str, str]:
    """(model name, version) from an archive's manifest. FileNotFoundError if there is no file.

    Raises DamagedArchiveError for anything else.
    """
    model = read_facts(path, MANIFEST).get("model")
    if not isinstance(model, dict) or not {"modelName", "modelVersion"} <= model.keys():
        raise DamagedArchiveError(f"{path} is not a model archive (its manifest names no version)")
    return str(model["modelName"]), str(model["modelVersion"])


def check_identity(path: Path, model: str, version: str) -> None:
    """Raise DamagedArchiveError for an archive that holds another model or version than named."""
    found = read_identity(path)
    if found != (model, version):
        raise DamagedArchiveError(
            f"{path} holds {' '.join(found)}: name it {file_name(*found)}, or take it away"
        )


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
