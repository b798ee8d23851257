"""Archives that must not become versions, made of a good one."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.rollouts.colours import changed, manifest

_MANIFEST: Final = "MAR-INF/MANIFEST.json"
_HANDLER: Final = "segmentation_handler.py"
_MEGABYTE: Final = bytes(2**20)
_BOMB: Final = 3072  # megabytes
Maker = Callable[[Path, Path], Path]


def _noise(_good: Path, target: Path) -> Path:
    target.write_bytes(b"no archive at all" * 1000)
    return target


def _cut_short(good: Path, target: Path) -> Path:
    content = good.read_bytes()
    target.write_bytes(content[: len(content) // 2])
    return target


def _flipped(good: Path, target: Path) -> Path:
    """One bit of the network is another."""
    content = bytearray(good.read_bytes())
    with zipfile.ZipFile(good) as file:
        network = file.getinfo("network/network.bin")
    content[network.header_offset + 30 + len(network.filename) + network.file_size // 2] ^= 1
    target.write_bytes(content)
    return target


def _renamed(**facts: str) -> Maker:
    return lambda good, target: changed(good, target, _MANIFEST, manifest(good, **facts))


def _escaping(name: str) -> Maker:
    def made(good: Path, target: Path) -> Path:
        target.write_bytes(good.read_bytes())
        with zipfile.ZipFile(target, "a") as file:
            file.writestr(zipfile.ZipInfo(name), b"outside")
        return target

    return made


def _bomb(_good: Path, target: Path) -> Path:
    """3 GB of zeros, in an archive of 3 MB."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(_MEGABYTE) + deflate.flush(zlib.Z_FULL_FLUSH)
    packed = block * _BOMB + deflate.flush()
    checksum = 0
    for _ in range(_BOMB):
        checksum = zlib.crc32(_MEGABYTE, checksum)
    name, sizes = b"network/network.bin", (checksum, len(packed), _BOMB * 2**20)
    head = (20, 0, zipfile.ZIP_DEFLATED, 0, 0x21, *sizes, len(name), 0)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", *head) + name
    listed = struct.pack("<4sH5H3L5H2L", b"PK\x01\x02", 20, *head, 0, 0, 0, 0, 0) + name
    start = len(local) + len(packed)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(listed), start, 0)
    target.write_bytes(local + packed + listed + end)
    return target


# What is wrong -> (how it is made of a good one, words of the answer).
REFUSED: Final[dict[str, tuple[Maker, str]]] = {
    "no zip": (_noise, "not a zip archive"),
    "cut short": (_cut_short, "cut short"),
    "a wrong checksum": (_flipped, "damaged at 'network/network.bin'"),
    "another model": (_renamed(modelName="other"), "not a version of deeplabv3"),
    "a name with a slash": (_renamed(modelVersion="4/0"), "modelVersion is '4/0'"),
    "a name with dots": (_renamed(modelVersion="../4"), "modelVersion is '../4'"),
    "a reserved name": (_renamed(modelVersion="stable"), "modelVersion is 'stable'"),
    "a file outside": (_escaping("../outside"), "not the name of a file in"),
    "a file at the root": (_escaping("/etc/outside"), "not the name of a file in"),
    "3 GB of zeros": (_bomb, "unpacks to 3221225472"),
    "no handler": (
        lambda good, target: changed(good, target, _HANDLER, None),
        "has no handler",
    ),
}


def raising(good: Path, target: Path) -> Path:
    """An archive whose handler raises when a worker loads it."""
    return changed(good, target, _HANDLER, b"raise RuntimeError('it cannot be loaded')\n")
