"""The formats of ready graphs, told apart by content."""

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scripts.archives.digests import weights_files
from scripts.networks.checkpoints import CheckpointError
from scripts.readers.torch_files.kinds import WRITERS, refusal

Format = Literal["onnx", "torchscript", "program", "ir"]
TITLES: dict[Format, str] = {
    "onnx": "ONNX",
    "torchscript": "TorchScript",
    "program": "torch.export",
    "ir": "OpenVINO IR",
}
# The suffixes that say what a file should be, also where its content does not.
SUFFIXES: dict[str, Format] = {".onnx": "onnx", ".torchscript": "torchscript", ".pt2": "program"}
# An ONNX file begins with its field ir_version, a small number, and another field of the model.
ONNX_HEAD = re.compile(rb"\x08[\x01-\x20](?:[\x12\x1a\x22\x28\x32\x3a\x42\x72\xa2])")
LARGEST_HEAD = 4096  # bytes in which an IR's root element begins


class GraphError(CheckpointError):
    """A ready graph cannot be used; the text says why and what to do, without the file's name."""


@dataclass(frozen=True)
class Source:
    """A file with a ready graph. files: it and those that lie beside it and belong to it."""

    format: Format
    path: Path
    files: tuple[Path, ...]


def recognise(path: Path) -> Source | None:
    """The ready graph at ``path``, a file or a folder with one; None if it is something else.

    Raises GraphError for a file that is named as a ready graph and is none.
    """
    if path.is_dir():
        return _in_folder(path)
    if not path.is_file():
        return None
    found = _format_of(path)
    if found is None:
        return None
    if found == "ir" and not path.with_suffix(".bin").is_file():
        weights = path.with_suffix(".bin").name
        raise GraphError(f"the weights of the IR are missing: put {weights} beside it")
    return Source(found, path, weights_files(path))


def _in_folder(folder: Path) -> Source | None:
    """The only graph in a folder, as exporters of OpenVINO IR and ONNX write them."""
    if any(folder.glob("*.safetensors")) or any(folder.glob("pytorch_model*.bin")):
        return None
    graphs = [path for path in sorted(folder.iterdir()) if path.suffix in (".xml", ".onnx")]
    if len(graphs) > 1:
        names = ", ".join(path.name for path in graphs)
        raise GraphError(f"the folder has {len(graphs)} graphs ({names}): pass one of the files")
    return recognise(graphs[0]) if graphs else None


def _format_of(path: Path) -> Format | None:
    with path.open("rb") as file:
        head = file.read(LARGEST_HEAD)
    if zipfile.is_zipfile(path):
        return _format_of_zip(path)
    if path.suffix == ".bin" and path.with_suffix(".xml").is_file():
        raise GraphError(f"the weights of an OpenVINO IR: pass {path.with_suffix('.xml').name}")
    if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<") and b"<net" in head:
        return "ir"
    if ONNX_HEAD.match(head) and path.suffix not in (".pth", ".pt", ".safetensors"):
        return "onnx"
    named = "ir" if path.suffix == ".xml" else SUFFIXES.get(path.suffix)
    if named is not None:
        raise GraphError(
            f"not a readable {TITLES[named]} file: {_known_fault(head)}, or export it again"
        )
    return None


def _known_fault(head: bytes) -> str:
    found = refusal(head)
    if found is None or WRITERS in found:
        return "it is damaged, cut off or of another kind: download it once more"
    return found


def _format_of_zip(path: Path) -> Format | None:
    """TorchScript has code, an exported program a graph in JSON, a state dict neither."""
    try:
        with zipfile.ZipFile(path) as file:
            names = {name.partition("/")[2] or name for name in file.namelist()}
            whole = set(file.namelist())
    except zipfile.BadZipFile as exc:
        if path.suffix in SUFFIXES:
            raise GraphError("not a readable file: its zip directory is damaged") from exc
        return None
    if any(name.startswith("models/") and name.endswith(".json") for name in names):
        return "program"
    if "serialized_exported_program.json" in whole:
        return "program"
    if any(name.startswith("data/aotinductor/") for name in names):
        raise GraphError(
            "compiled code by AOTInductor, which runs on one kind of machine only: "
            "pass what torch.export.save writes"
        )
    if "constants.pkl" in names and any(name.startswith("code/") for name in names):
        return "torchscript"
    if path.suffix in (".torchscript", ".pt2"):
        title = TITLES[SUFFIXES[path.suffix]]
        raise GraphError(f"no {title} file, although it is named {path.suffix}; export it again")
    return None
