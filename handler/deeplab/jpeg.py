"""How much work a JPEG asks for: each of its scans goes over every pixel once more.

A progressive photograph has about ten scans. A scan can be as short as a hundred bytes, so a
small file could keep a decoder busy for hours.
"""

import re

SCAN_START = b"\xff\xda"
SCAN, END = 0xDA, 0xD9
# Not a marker inside a scan: stuffed zeros, restarts. Without a length: the start, 01.
MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])")


def has_more_scans(data: bytes, limit: int) -> bool:
    """Whether a JPEG has more than ``limit`` scans before its end marker."""
    if data.count(SCAN_START) <= limit:  # much faster than the walk; what it counts may be chance
        return False
    scans, position = 0, 0
    while scans <= limit and (found := MARKER.search(data, position)):
        kind = found[1][0]
        if kind == END:
            break
        scans += kind == SCAN
        position = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
    return scans > limit
