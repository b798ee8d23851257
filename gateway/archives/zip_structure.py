"""Structure of a zip file: read strictly, so that every unpacker sees what is checked here.

TorchServe unpacks an archive by the headers in front of its files, Python by the list at its end.
Where the two may differ, the archive is refused.
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from stat import S_IFMT, S_ISDIR, S_ISREG
from typing import BinaryIO, Final

from gateway.errors import InvalidArchiveError

_END: Final = struct.Struct("<4s4H2LH")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_LONGEST_COMMENT: Final = 65_535
_LOCATOR_SIZE: Final = 20
_ENCRYPTED: Final = 0x1 | 0x40
_SIZES_FOLLOW: Final = 0x8
_DESCRIPTOR_SIZES: Final = (12, 16)
_BLOCK: Final = 256 * 1024
# Of a header in the list, with a long name.
_LONGEST_HEADER: Final = 1024
_LONGEST_NAME: Final = 512
_READ_ERRORS: Final = (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, struct.error)


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to.

    files: their number. bytes: of all together. base, ratio: more than ``base`` bytes only up to
    ``ratio`` times the archive's size: networks hardly shrink, what shrinks more is a zip bomb.
    """

    files: int = 2000
    bytes: int = 8 * 1024**3
    base: int = 64 * 1024**2
    ratio: int = 20

    def most(self, archive_size: int) -> int:
        """Return the most bytes that an archive of this size may unpack to."""
        return min(self.bytes, self.base + self.ratio * archive_size)


def read_entries(file: BinaryIO, limits: Limits) -> Mapping[str, zipfile.ZipInfo]:
    """Return the files of an archive by name, after checks of its structure.

    Raises InvalidArchiveError. The contents are read by `contents` only.
    """
    size = file.seek(0, 2)
    start = _check_end(file, size, limits)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except _READ_ERRORS as exc:
        raise InvalidArchiveError(f"The file is not a zip archive, or is damaged: {exc}.") from exc
    for entry in entries:
        _check_entry(entry)
    _check_names([entry.filename for entry in entries])
    _check_layout(file, entries, start)
    _check_sizes(entries, size, limits)
    return {entry.filename: entry for entry in entries if not entry.is_dir()}


def contents(file: BinaryIO, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the blocks of a file of the archive; never more than its size says.

    Raises InvalidArchiveError unless size and checksum are as stated.
    """
    checksum = size = 0
    for block in _inflated(file, entry):
        checksum, size = zlib.crc32(block, checksum), size + len(block)
        if size > entry.file_size:
            break
        yield block
    if (size, checksum) != (entry.file_size, entry.CRC):
        raise _damaged(entry)


def _damaged(entry: zipfile.ZipInfo) -> InvalidArchiveError:
    return InvalidArchiveError(
        f"The archive is damaged at {entry.filename!r}. Build it again, or copy it again."
    )


def _inflated(file: BinaryIO, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    file.seek(entry.header_offset + _head_size(file, entry))
    left = entry.compress_size
    inflater = None if entry.compress_type == zipfile.ZIP_STORED else zlib.decompressobj(-15)
    try:
        while left and (data := file.read(min(_BLOCK, left))):
            left -= len(data)
            if inflater is None:
                yield data
                continue
            # It may have taken all bytes, and still hold back what is more than a block.
            while not inflater.eof and ((block := inflater.decompress(data, _BLOCK)) or data):
                yield block
                data = inflater.unconsumed_tail
            if inflater.unused_data or (inflater.eof and left):
                raise _damaged(entry)
    except zlib.error as exc:
        raise _damaged(entry) from exc
    if left or (inflater and not inflater.eof):
        raise _damaged(entry)


def _check_end(file: BinaryIO, size: int, limits: Limits) -> int:
    """Return where the list of files starts; refuse one that is too long to be read."""
    file.seek(max(0, size - _END.size - _LONGEST_COMMENT))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise InvalidArchiveError("The file is not a zip archive, or is cut short.")
    _, disk, first, here, files, listed, start, comment = _END.unpack_from(tail, at)
    if len(tail) - at - _END.size != comment or (disk, first) != (0, 0) or here != files:
        raise InvalidArchiveError("The file is not a zip archive, or is damaged at its end.")
    if tail[max(0, at - _LOCATOR_SIZE) : at].startswith(b"PK\x06\x07") or start == 0xFFFFFFFF:
        raise InvalidArchiveError("The archive is of the kind zip64; at most 4 GiB can be taken.")
    if files > limits.files or listed > limits.files * _LONGEST_HEADER:
        raise InvalidArchiveError(f"The archive has more than {limits.files} files.")
    if start + listed != size - len(tail) + at:
        raise InvalidArchiveError("The archive has bytes that belong to no file.")
    return int(start)


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.filename
    if entry.flag_bits & _ENCRYPTED:
        raise InvalidArchiveError(f"The archive is encrypted at {name!r}. Build it without.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InvalidArchiveError(f"{name!r} is compressed in a way that TorchServe cannot read.")
    mode = entry.external_attr >> 16
    if S_IFMT(mode) and not (S_ISREG(mode) or S_ISDIR(mode)):
        raise InvalidArchiveError(f"{name!r} is a link or a device. Only files can be taken.")
    path = entry.orig_filename
    parts = path.removesuffix("/").split("/")
    if (
        {"", ".", ".."} & set(parts)
        or any(each in path for each in "\\:")
        or not path.isprintable()
        or len(path) > _LONGEST_NAME
        or path != name
    ):
        raise InvalidArchiveError(f"{path[:80]!r} is not the name of a file in the archive.")


def _check_names(names: Sequence[str]) -> None:
    """Refuse names that would overwrite each other, also where a name's case does not count."""
    seen = set[str]()
    for name in names:
        plain = name.removesuffix("/").casefold()
        if plain in seen:
            raise InvalidArchiveError(f"The archive has {name!r} twice.")
        seen.add(plain)
    files = {name.casefold() for name in names if not name.endswith("/")}
    for name in names:
        parts = name.casefold().split("/")
        if any("/".join(parts[:end]) in files for end in range(1, len(parts))):
            raise InvalidArchiveError(f"{name!r} is below a file of the archive.")


def _check_layout(file: BinaryIO, entries: Sequence[zipfile.ZipInfo], start: int) -> None:
    """Refuse an archive whose files do not follow each other, from its first byte to its list."""
    at = 0
    for entry in sorted(entries, key=lambda each: each.header_offset):
        gap = entry.header_offset - at
        if gap:
            raise InvalidArchiveError("The archive has bytes that belong to no file.")
        at += _head_size(file, entry) + entry.compress_size
        if entry.flag_bits & _SIZES_FOLLOW:
            at += _descriptor_size(file, at)
    if at != start:
        raise InvalidArchiveError("The archive has bytes that belong to no file.")


def _head_size(file: BinaryIO, entry: zipfile.ZipInfo) -> int:
    """Return the length of the header in front of a file, which must say what the list says."""
    file.seek(entry.header_offset)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size:
        raise _damaged(entry)
    mark, _, flags, method, _, _, checksum, packed, size, name_size, extra = _LOCAL.unpack(head)
    name = file.read(name_size)
    coding = "utf-8" if flags & 0x800 else "cp437"
    stated = (entry.CRC, entry.compress_size, entry.file_size)
    is_same = (
        mark == b"PK\x03\x04"
        and (flags, method) == (entry.flag_bits, entry.compress_type)
        and name.decode(coding, "replace") == entry.orig_filename
        and (flags & _SIZES_FOLLOW or (checksum, packed, size) == stated)
    )
    if not is_same:
        raise _damaged(entry)
    return _LOCAL.size + int(name_size) + int(extra)


def _descriptor_size(file: BinaryIO, at: int) -> int:
    file.seek(at)
    return _DESCRIPTOR_SIZES[file.read(4) == b"PK\x07\x08"]


def _check_sizes(entries: Sequence[zipfile.ZipInfo], archive_size: int, limits: Limits) -> None:
    most = limits.most(archive_size)
    total = sum(entry.file_size for entry in entries)
    if total > most:
        raise InvalidArchiveError(
            f"The archive has {archive_size} bytes and unpacks to {total}; {most} are the limit."
        )
