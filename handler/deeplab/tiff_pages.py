"""The few tags of a TIFF's pages that say of which kind its picture is; pixels are not read."""

import struct
from dataclasses import dataclass

SUBFILE, OLD_SUBFILE = 254, 255
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
SAMPLES, PLANAR, SUB_PAGES, EXTRA, SAMPLE_FORMAT, DNG_VERSION = 277, 284, 330, 338, 339, 50_706
TAGS = {
    *(SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER),
    *(SAMPLES, PLANAR, SUB_PAGES, EXTRA, SAMPLE_FORMAT, DNG_VERSION),
}
TYPES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # BYTE, SHORT, LONG, IFD, and 64 bits
MOST_TAGS, MOST_VALUES = 1000, 16
BYTE_ORDERS = {b"II": "<", b"MM": ">"}


@dataclass(frozen=True)
class Page:
    """A page's tags, each with its first values, and whether another page follows."""

    tags: dict[int, tuple[int, ...]]
    is_followed: bool

    def first(self, tag: int, default: int) -> int:
        """The tag's first value."""
        return self.tags.get(tag, (default,))[0]

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.first(WIDTH, 0) * self.first(HEIGHT, 0)

    @property
    def is_reduced(self) -> bool:
        """Whether it is marked as a smaller version of another page."""
        return bool(self.first(SUBFILE, 0) & 1) or self.first(OLD_SUBFILE, 1) == 2


def read_first_page(data: bytes) -> tuple[Page, list[Page]] | None:
    """The first page and the pages below it; None if the bytes are no TIFF, or a damaged one."""
    order = BYTE_ORDERS.get(data[:2])
    try:
        if order is None or struct.unpack_from(order + "H", data, 2)[0] not in (42, 43):
            return None
        is_big = struct.unpack_from(order + "H", data, 2)[0] == 43
        start = struct.unpack_from(order + ("Q" if is_big else "I"), data, 8 if is_big else 4)[0]
        page = _page(data, order, start, is_big=is_big)
        below = page.tags.get(SUB_PAGES, ())
        return page, [_page(data, order, each, is_big=is_big) for each in below]
    except struct.error:
        return None


def _page(data: bytes, order: str, start: int, *, is_big: bool) -> Page:
    """Raises struct.error where the directory leaves the file."""
    word, entry, head = ("Q", 20, 8) if is_big else ("I", 12, 2)
    count = min(_number(data, order + ("Q" if is_big else "H"), start), MOST_TAGS)
    tags: dict[int, tuple[int, ...]] = {}
    for place in range(start + head, start + head + count * entry, entry):
        tag, kind, size = struct.unpack_from(order + "HH" + word, data, place)
        if tag in TAGS and kind in TYPES and size:
            layout = f"{order}{min(size, MOST_VALUES)}{TYPES[kind]}"
            room = struct.calcsize(word)
            values = place + entry - room
            if size * struct.calcsize("=" + TYPES[kind]) > room:
                values = _number(data, order + word, values)
            tags[tag] = struct.unpack_from(layout, data, values)
    following = start + head + count * entry
    return Page(tags, _number(data, order + word, following) != 0)


def _number(data: bytes, layout: str, place: int) -> int:
    if place > len(data):  # beyond what struct takes as an offset
        raise struct.error("outside the file")
    number: int = struct.unpack_from(layout, data, place)[0]
    return number
