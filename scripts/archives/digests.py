"""SHA-256 digests of files."""

import hashlib
from collections.abc import Sequence
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_sha256(files: Sequence[Path]) -> str:
    """Hexadecimal SHA-256 of one file's content, or of the names and contents of several."""
    if len(files) == 1:
        return file_sha256(files[0])
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name} {file_sha256(path)}\n".encode())
    return digest.hexdigest()


def weights_files(path: Path) -> tuple[Path, ...]:
    """The files of a model: all in a folder, or a file and those beside it that belong to it."""
    if path.is_dir():
        return tuple(sorted(each for each in path.rglob("*") if each.is_file()))
    beside = {".xml": (path.with_suffix(".bin"),)}.get(
        path.suffix, (path.with_name(f"{path.name}.data"), path.with_name(f"{path.name}_data"))
    )
    return (path, *(each for each in beside if each.is_file()))
