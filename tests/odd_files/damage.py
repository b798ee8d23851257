"""Images of the accepted formats, truncated or changed at many places."""

from collections.abc import Iterator

from deeplab.formats import FORMATS
from tests.odd_files.odd_file import (
    ANY_CLEAR,
    OK,
    UNREADABLE,
    OddFile,
    accepted,
    animated,
    sample,
    unreadable,
)
from tests.unit.handler.files import encode

# From a signature alone to a header alone.
FIRST_BYTES = (3, 9, 17, 40)
FLIPS = 12


def damaged_files() -> list[OddFile]:
    """Every kind of damage to every format."""
    whole = {kind.lower(): encode(sample(), kind) for kind in FORMATS}
    whole["progressive-jpeg"] = encode(sample(), "JPEG", progressive=True)
    whole |= {f"animated-{kind.lower()}": animated(kind) for kind in ("WEBP", "TIFF", "AVIF")}
    files = [*_whole(whole)]
    for kind, data in whole.items():
        files += [*_cut(kind, data), *_flipped(kind, data), *_moved(kind, data)]
    return files


def _whole(images: dict[str, bytes]) -> Iterator[OddFile]:
    yield from (accepted(f"{kind}/whole", data) for kind, data in images.items())
    yield from (accepted(f"{kind}/twice", data * 2) for kind, data in images.items())


def _cut(kind: str, data: bytes) -> Iterator[OddFile]:
    """Truncated at every tenth; a decoder may have all it needs before the end."""
    for count in FIRST_BYTES:
        yield unreadable(f"{kind}/first-{count}-bytes", data[:count])
    for tenth in range(1, 10):
        early = tenth <= 5 and not kind.startswith("animated")
        statuses = (UNREADABLE,) if early else (UNREADABLE, OK)
        yield OddFile(f"{kind}/cut-at-{tenth}0-percent", data[: len(data) * tenth // 10], statuses)
    yield OddFile(f"{kind}/without-its-last-byte", data[:-1], (UNREADABLE, OK))


def _flipped(kind: str, data: bytes) -> Iterator[OddFile]:
    """One changed byte each: half of them in the header, half anywhere."""
    places = [index * 7 + 1 for index in range(FLIPS // 2)]
    places += [len(data) * index // FLIPS for index in range(1, FLIPS // 2 + 1)]
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 0xFF
        yield OddFile(f"{kind}/flipped-at-{place}", bytes(changed), ANY_CLEAR)


def _moved(kind: str, data: bytes) -> Iterator[OddFile]:
    """Whole ranges lost, doubled, or in the wrong order."""
    third, half = len(data) // 3, len(data) // 2
    changes = {
        "middle-zeroed": data[:third] + bytes(third) + data[2 * third :],
        "middle-lost": data[:third] + data[2 * third :],
        "middle-doubled": data[: 2 * third] + data[third:],
        "header-of-ones": b"\xff" * 64 + data[64:],
    }
    for name, changed in changes.items():
        yield OddFile(f"{kind}/{name}", changed, ANY_CLEAR)
    yield unreadable(f"{kind}/halves-swapped", data[half:] + data[:half])
