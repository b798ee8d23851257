"""The kinds of files that are taken for weights and are none, each with what to do."""

import codecs
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

from scripts.readers.torch_files.archives import pickle_in

HEAD = 1024
WRITERS = "pass the file that torch.save or save_file wrote"
SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
STATES = ("optimizer", "scheduler", "scaler", "random_states", "training_args")  # of a trainer
DISTRIBUTED = (
    "it is a distributed checkpoint: `python -m torch.distributed.checkpoint.format_utils "
    "dcp_to_torch FOLDER mine.pth` writes one file, pass that"
)
IN_PARTS = (
    "its weights are in parts: load them into the network, and torch.save(model.state_dict())"
)
# A dictionary or a list, or a class from a module, such as collections.OrderedDict.
OLD_PICKLE = re.compile(rb"\(dp0\n|\(lp0\n|[}\]]q\x00|c[A-Za-z_][\w.]*\n[A-Za-z_]\w*\n")


class _Kind(NamedTuple):
    begins: bytes
    reason: str


_PACKED = "it is packed ({}): unpack it and pass the file of weights in it"
_KINDS = (
    _Kind(
        b"version https://git-lfs", "it is a pointer of Git LFS: `git lfs pull` fetches the file"
    ),
    _Kind(b"\x1f\x8b", _PACKED.format("gzip")),
    _Kind(b"BZh", _PACKED.format("bzip2")),
    _Kind(b"\xfd7zXZ", _PACKED.format("xz")),
    _Kind(b"\x28\xb5\x2f\xfd", _PACKED.format("zstd")),
    _Kind(b"7z\xbc\xaf", _PACKED.format("7z")),
    _Kind(b"Rar!", _PACKED.format("rar")),
    _Kind(b"\x89HDF", "it is an HDF5 file, as Keras writes: save the network with PyTorch"),
    _Kind(b"\x93NUMPY", "it is a NumPy array: save model.state_dict()"),
    _Kind(b"GGUF", "it is a GGUF file, which holds no segmentation network"),
    _Kind(b"\x89PNG", "it is a picture"),
    _Kind(b"\xff\xd8\xff", "it is a picture"),
    _Kind(b"%PDF", "it is a PDF"),
)
_WEB_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml")


def is_zip(head: bytes) -> bool:
    """Whether a file begins as a zip file does."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def is_pickle(head: bytes) -> bool:
    """Whether a file begins as a pickle of protocol 2 or later does."""
    return head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


def is_safetensors(head: bytes, size: int) -> bool:
    """Whether a file begins with the length of a JSON head, and the head."""
    return head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8


def folder_refusal(folder: Path) -> str:
    """The reason why a folder holds no weights that are read."""
    names = sorted(each.name for each in folder.iterdir())
    if ".metadata" in names and any(name.endswith(".distcp") for name in names):
        return DISTRIBUTED
    if "zero_to_fp32.py" in names or "latest" in names:
        return "it is DeepSpeed's checkpoint: its zero_to_fp32.py writes one file, pass that"
    if any(name.endswith(".index.json") for name in names):
        return IN_PARTS
    found = [name for name in names if name.endswith(SUFFIXES) and not name.startswith(STATES)]
    inside = f" ({', '.join(found[:3])})" if found else ""
    return f"it is a folder: pass the file of weights in it{inside}"


def refusal(head: bytes, name: str = "") -> str | None:
    """The reason why a file of this beginning holds no weights; None if it may."""
    if not head:
        return "it is empty (0 bytes): save or download it again"
    for kind in _KINDS:
        if head.startswith(kind.begins):
            return kind.reason
    if name.endswith(".distcp"):
        return DISTRIBUTED
    if name.endswith(".index.json"):
        return IN_PARTS
    if head[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        return "it is packed (zlib, as joblib does): load it in Python, and torch.save it"
    if OLD_PICKLE.match(head):
        return "it is a pickle of protocol 0 or 1: torch.save it, or pickle it with protocol 2"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_WEB_PAGES):
        return "it is a web page: download the file itself, not the page about it"
    if head[257:262] == b"ustar":
        return _PACKED.format("tar")
    if not head.strip(b"\0"):
        return "it begins with zeros: the copy or the download did not finish"
    if _is_text(head):
        return f"it is text: {WRITERS}"
    return None


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if any(byte < 32 and byte not in b"\t\r\n\f" for byte in head):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last letter may be cut
    except UnicodeDecodeError:
        return False
    return True


def zip_refusal(path: Path) -> str | None:
    """The reason why a zip file is not torch.save's; None if it is."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if any(entry.flag_bits & 1 for entry in entries):
                return "it is encrypted: unpack it with its password and pass the file in it"
            if any(name.endswith("/constants.pkl") for name in names):
                return "it is a TorchScript program, not a state dict"
            if any(name.split("/")[-1].startswith("archive_format") for name in names):
                return "it is a torch.export program, not a state dict"
            if pickle_in(archive):
                return None
            if names and all(name.endswith(".npy") for name in names):
                return "it is NumPy's .npz: load it into the network, and save model.state_dict()"
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "it is cut short or damaged: copy or download it again"
    inside = ", ".join(names[:3]) or "nothing"
    return f"it is a zip file with {inside}: unpack it and pass the file of weights in it"
