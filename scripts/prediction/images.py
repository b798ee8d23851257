"""The image files that arguments name, and the place of each result."""

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Of files in a folder or behind a pattern; a file that is named itself is sent whatever it is.
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif"})


@dataclass(frozen=True)
class ImageFile:
    """An image and its place below the output folder, still without the result's suffix."""

    path: Path
    place: Path


@dataclass
class Found:
    """The images that the arguments name, and what else they name.

    problems: a sentence for each argument that names nothing. left_out: files in folders and
    behind patterns whose suffix is not an image's.
    """

    images: list[ImageFile] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left_out: set[Path] = field(default_factory=set)


def find_images(arguments: Sequence[str], output: Path) -> Found:
    """Expand files, folders and glob patterns; what lies in ``output`` already is no input.

    The tree below the folder that all arguments share is kept, so that images of one name in
    two folders have two places.
    """
    found = Found()
    paths: dict[Path, Path] = {}  # resolved -> as named: nothing is sent twice
    roots: list[str] = []
    for argument in arguments:
        root, files = _expand(argument, output, found)
        roots += [os.path.abspath(root)] if files else []  # noqa: PTH100 - links stay as named
        for path in files:
            paths.setdefault(path.resolve(), path)
    if paths:
        found.images = list(_placed(list(paths.values()), os.path.commonpath(roots)))
    return found


def _expand(argument: str, output: Path, found: Found) -> tuple[Path, list[Path]]:
    """(the argument's base folder, its files)."""
    path = Path(argument).expanduser()
    if path.is_dir():
        root, files, problem = path, list(path.rglob("*")), "there is no image in this folder"
    elif os.path.lexists(path) or not glob.has_magic(argument):
        if not path.is_file():
            found.problems.append(f"{argument}: there is no such file")
            return path.parent, []
        return path.parent, [path]
    else:
        matches = glob.iglob(str(path), recursive=True)  # noqa: PTH207 - an absolute pattern too
        root, files, problem = _fixed_part(path), list(map(Path, matches)), "no image matches"
    images = _images_among(files, output, found)
    if not images:
        found.problems.append(f"{argument}: {problem}")
    return root, images


def _images_among(paths: Sequence[Path], output: Path, found: Found) -> list[Path]:
    """The images by suffix, including broken links: reading one reports the error."""
    own = output.resolve()
    files = [path for path in paths if not path.is_dir() and not path.resolve().is_relative_to(own)]
    found.left_out.update(path.resolve() for path in files if not _is_image(path))
    return sorted(path for path in files if _is_image(path))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _fixed_part(pattern: Path) -> Path:
    """The folder before the first part of a pattern that is not literal."""
    literal = Path(pattern.anchor)
    for part in pattern.parent.parts[bool(pattern.anchor) :]:
        if glob.has_magic(part):
            break
        literal /= part
    return literal


def _placed(paths: Sequence[Path], root: str) -> Iterator[ImageFile]:
    """Drop the suffixes, except of images whose paths differ in nothing else."""
    below = [Path(os.path.relpath(path, root)) for path in paths]
    stems = Counter(place.with_suffix("") for place in below)
    for path, place in zip(paths, below, strict=True):
        stem = place.with_suffix("")
        yield ImageFile(path, stem if stems[stem] == 1 else place)
