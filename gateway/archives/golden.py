"""Golden masks in an archive: photographs, and the masks of its network when it was built."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final
from zipfile import ZipInfo

from gateway.archives.zip_structure import Limits, contents, read_entries
from gateway.errors import InvalidArchiveError

FOLDER: Final = "golden/"
# Of `segserve build` three photographs, 170 KB together: there is room for those of others.
MOST_PICTURES: Final = 8
MOST_BYTES: Final = 4 * 1024 * 1024
_PHOTOGRAPH: Final = ".jpg"
_MASK: Final = ".png"
_LIMITS: Final = Limits()


@dataclass(frozen=True)
class GoldenPicture:
    """A photograph as it is sent, and the PNG of its mask. name: such as moose.jpg."""

    name: str
    image: bytes
    mask: bytes


def read_golden(file: BinaryIO) -> tuple[GoldenPicture, ...]:
    """Return the golden masks of an archive, by name; none if it has none.

    Raises InvalidArchiveError.
    """
    entries = read_entries(file, _LIMITS)

    def read(name: str) -> bytes:
        return b"".join(contents(file, entries[name]))

    return tuple(
        GoldenPicture(name.removeprefix(FOLDER), read(name), read(mask))
        for name, mask in golden_pairs(entries).items()
    )


def golden_pairs(entries: Mapping[str, ZipInfo]) -> Mapping[str, str]:
    """Return photograph -> mask of the same name, of the files of an archive.

    Raises InvalidArchiveError for more than `MOST_PICTURES`, or more bytes than `MOST_BYTES`.
    """
    named = {
        name: name.removesuffix(_PHOTOGRAPH) + _MASK
        for name in sorted(entries)
        if name.startswith(FOLDER) and name.endswith(_PHOTOGRAPH)
    }
    pairs = {name: mask for name, mask in named.items() if mask in entries}
    size = sum(entries[each].file_size for pair in pairs.items() for each in pair)
    if len(pairs) > MOST_PICTURES or size > MOST_BYTES:
        raise InvalidArchiveError(
            f"{FOLDER} has {len(pairs)} photographs, {size} bytes with their masks: at most "
            f"{MOST_PICTURES} and {MOST_BYTES} bytes are taken."
        )
    return pairs
