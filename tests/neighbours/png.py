"""PNG files of every colour type, depth and order of rows, with the chunks that may matter."""

import struct
import zlib
from collections.abc import Iterator
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.neighbours.neighbour import SIZE, Neighbour, as_rgb, noise, on_white, to_8_bit
from tests.unit.handler.files import chunk

GREY, RGB, INDEXED, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, INDEXED: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
DEPTHS = {
    GREY: (1, 2, 4, 8, 16),
    RGB: (8, 16),
    INDEXED: (1, 2, 4, 8),
    GREY_ALPHA: (8, 16),
    RGB_ALPHA: (8, 16),
}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
PASSES = (*ADAM7, (1, 0, 2, 1))  # first row, first column, step of rows, step of columns
PALETTE = np.random.default_rng(3).integers(0, 256, (256, 3)).astype(np.uint8)
ALPHAS = np.random.default_rng(4).integers(0, 256, 256).astype(np.uint8)
# Chunks that recolour, scale or annotate where they are heeded; the levels count as they are.
ANNOTATIONS = {
    "gAMA": struct.pack(">I", 100_000),
    "cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    "sRGB": b"\0",
    "cICP": b"\x09\x10\0\1",
    "mDCV": bytes(24),
    "cLLI": bytes(8),
    "pHYs": struct.pack(">IIB", 1000, 2000, 1),
    "sCAL": b"\x01" + b"1\0" + b"2",
    "oFFs": struct.pack(">iiB", 5, 7, 0),
    "tIME": struct.pack(">HBBBBB", 2026, 1, 1, 0, 0, 0),
    "tEXt": b"Title\0a",
    "iTXt": b"XML:com.adobe.xmp\0\0\0\0\0" + b'<x tiff:Orientation="6"/>',
    "zTXt": b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n 0\n"),
}
KEY = 5  # the pixel whose colour is made transparent


def png(
    colours: int, depth: int, levels: NDArray[np.uint16], *extra: bytes, lace: int = 0
) -> bytes:
    """A PNG of (h, w, channels) levels of this depth; extra: chunks before the pixels."""
    height, width, _ = levels.shape
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, lace))
    passes = PASSES if lace else ((0, 0, 1, 1),)
    rows = b"".join(
        _rows(levels[top::down, left::right], depth) for top, left, down, right in passes
    )
    body = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + body


def _rows(levels: NDArray[np.uint16], depth: int) -> bytes:
    if levels.size == 0:
        return b""
    flat = levels.reshape(len(levels), -1)
    if depth == 16:
        return b"".join(b"\0" + row.astype(">u2").tobytes() for row in flat)
    if depth == 8:
        return b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in flat)
    bits = (flat[..., np.newaxis] >> np.arange(depth - 1, -1, -1)) & 1
    packed = np.packbits(bits.reshape(len(flat), -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


def random_levels(colours: int, depth: int) -> NDArray[np.uint16]:
    """Levels over the depth's range; in 16 bits, one is beside the key and shares its high byte."""
    levels: NDArray[np.uint16] = np.rint(noise(CHANNELS[colours]) * (2**depth - 1)).astype("u2")
    levels[0, KEY] = (2**depth - 1) // 3
    if depth == 16:
        levels[0, KEY + 1] = levels[0, KEY] ^ 1
    return levels


def png_neighbours() -> Iterator[Neighbour]:
    """Every colour type and depth, interlaced or not, with and without transparency."""
    for colours, depths in DEPTHS.items():
        for depth, lace, clear in product(depths, (0, 1), (False, True)):
            if not clear or colours in (GREY, RGB, INDEXED):
                yield _plain(colours, depth, lace, clear=clear)


def _plain(colours: int, depth: int, lace: int, *, clear: bool) -> Neighbour:
    levels = random_levels(colours, depth)
    extra = [chunk(b"PLTE", PALETTE[: 2**depth].tobytes())] if colours == INDEXED else []
    if clear:
        indexed, key = ALPHAS[: 2**depth].tobytes(), levels[0, KEY].astype(">u2").tobytes()
        extra.append(chunk(b"tRNS", indexed if colours == INDEXED else key))
    data = png(colours, depth, levels, *extra, lace=lace)
    name = f"colours {colours}, {depth} bits{', interlaced' * lace}{', tRNS' * clear}"
    seen = seen_by_opencv(data)
    if clear and colours == GREY:  # OpenCV leaves it
        shown = levels >> 8 if depth == 16 else levels * (255 // (2**depth - 1))
        is_key = (levels == levels[0, KEY]).all(axis=2)
        seen = on_white(shown.astype(np.uint8), np.where(is_key, 0, 255).astype(np.uint8))
    return Neighbour(name, data, seen, tolerance=1)


def annotated_neighbours() -> Iterator[Neighbour]:
    """Chunks beside the pixels, in 8 and 16 bits."""
    for depth, (kind, content) in product((8, 16), ANNOTATIONS.items()):
        levels = random_levels(RGB, depth)
        data = png(RGB, depth, levels, chunk(kind.encode(), content))
        seen = seen_by_opencv(png(RGB, depth, levels))
        yield Neighbour(f"{kind}, {depth} bits", data, seen)
    levels = random_levels(RGB_ALPHA, 8)
    back = chunk(b"bKGD", b"\0\1\0\2\0\3")
    data = png(RGB_ALPHA, 8, levels, back)
    yield Neighbour("bKGD", data, seen_by_opencv(png(RGB_ALPHA, 8, levels)), tolerance=1)
    for depth in (8, 16):
        levels, bits = random_levels(GREY, depth), chunk(b"sBIT", b"\x05")
        seen = seen_by_opencv(png(GREY, depth, levels))
        yield Neighbour(f"sBIT, {depth} bits", png(GREY, depth, levels, bits), seen)


def seen_by_opencv(data: bytes) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB on white of the levels that OpenCV reads: 16 bits by their high byte."""
    levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert levels is not None
    assert levels.shape[:2] == SIZE[::-1]
    narrow = to_8_bit(levels)
    if narrow.ndim == 2:
        return as_rgb(narrow)
    colours = narrow[..., 2::-1]
    return colours if narrow.shape[2] == 3 else on_white(colours, narrow[..., 3])
