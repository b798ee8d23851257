"""TIFF files with what tifffile does not vary: packings, orders of bits, marks of pages, turns."""

import io
import struct
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.neighbours.neighbour import SIZE, Neighbour, as_rgb, noise, to_8_bit
from tests.neighbours.png import seen_by_opencv
from tests.neighbours.tiff import encode, seen_by_tifffile

WIDTH, HEIGHT = SIZE
RED = np.full((HEIGHT, WIDTH, 3), (200, 30, 30), np.uint8)
SMALL = RED[:8, :12]
REDUCED = 1
DNG = 50_706
Tags = Mapping[int, int | tuple[int, ...]]


def rare_tiffs() -> Iterator[Neighbour]:
    """All of them."""
    yield from _packed()
    yield from _bits()
    yield from _ycbcr()
    yield from _turned()
    yield from _pages()
    yield from _unread_packings()
    yield from _photometric()


def levels(channels: int = 3, depth: type = np.uint8) -> NDArray[Any]:
    """(h, w, channels) or (h, w) random levels of an unsigned depth."""
    found: NDArray[Any] = np.rint(noise(channels) * np.iinfo(depth).max).astype(depth)
    return found[..., 0] if channels == 1 else found


def _packed() -> Iterator[Neighbour]:
    """libtiff packs, and the libtiff of OpenCV unpacks."""
    modes = {"RGB": levels(), "L": levels(1), "I;16": levels(1, np.uint16)}
    for (mode, pixels), packing in product(
        modes.items(), ("tiff_lzw", "packbits", "tiff_adobe_deflate", "tiff_deflate")
    ):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "TIFF", compression=packing)
        yield Neighbour(f"{packing} of {mode}", file.getvalue(), seen_by_opencv(file.getvalue()))
    smooth = Image.linear_gradient("L").resize(SIZE).convert("RGB")
    file = io.BytesIO()
    smooth.save(file, "TIFF", compression="jpeg", quality=95)
    yield Neighbour("jpeg", file.getvalue(), np.asarray(smooth), tolerance=6)
    black_and_white = Image.fromarray(levels(1) > 128)
    for packing in ("group3", "group4", "tiff_ccitt"):
        file = io.BytesIO()
        black_and_white.save(file, "TIFF", compression=packing)
        seen = as_rgb(to_8_bit(np.asarray(black_and_white)))
        yield Neighbour(packing, file.getvalue(), seen)
    for order, big in product("<>", (False, True)):
        data = encode(levels(3, np.uint16), byteorder=order, bigtiff=big, photometric="rgb")
        right = None if big and order == ">" else seen_by_tifffile(data)
        yield Neighbour(f"big {big}, {order}", data, right)


def _bits() -> Iterator[Neighbour]:
    """Few bits, 10 to 14 bits, and the lowest bit first."""
    for bits, white_is_zero, order in product((1, 2, 4), (True, False), "<>"):
        found = levels(1) >> (8 - bits)
        shown = (found * (255 // (2**bits - 1))).astype(np.uint8)
        data = small_tiff(order, packed(found, bits), {258: bits, 262: 0 if white_is_zero else 1})
        seen = as_rgb(255 - shown if white_is_zero else shown)
        yield Neighbour(f"{bits} bits, white is zero: {white_is_zero}, {order}", data, seen)
        turned = bytes(int(f"{byte:08b}"[::-1], 2) for byte in packed(found, bits))
        tags = {258: bits, 262: 0 if white_is_zero else 1, 266: 2}
        yield Neighbour(
            f"{bits} bits, lowest first, white is zero: {white_is_zero}, {order}",
            small_tiff(order, turned, tags),
            seen,
        )
    for bits, order in product((6, 10, 12, 14, 24), "<>"):
        found = levels(1, np.uint16) >> max(0, 16 - bits)
        data = small_tiff(order, packed(found, bits), {258: bits, 262: 1})
        yield Neighbour(f"{bits} bits, {order}", data, None)


def packed(found: NDArray[Any], bits: int) -> bytes:
    """Rows of (h, w) levels of this many bits, each filled up to whole bytes."""
    split = (found[..., np.newaxis].astype(np.uint32) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(split.reshape(len(found), -1).astype(np.uint8), axis=1).tobytes()


def small_tiff(order: str, pixels: bytes, tags: Tags) -> bytes:
    """A TIFF of one strip. tags: more entries, or other values of the usual ones."""
    usual: Tags = {256: WIDTH, 257: HEIGHT, 259: 1, 273: 8, 277: 1}
    entries = {**usual, 278: HEIGHT, 279: len(pixels), **tags}
    start = 8 + len(pixels) + len(pixels) % 2
    blob, blob_at = b"", start + 2 + 12 * len(entries) + 4
    directory = struct.pack(order + "H", len(entries))
    for tag, value in sorted(entries.items()):
        values = value if isinstance(value, tuple) else (value,)
        kind = "I" if tag in (256, 257, 273, 278, 279) else "H"
        raw = struct.pack(f"{order}{len(values)}{kind}", *values)
        if len(raw) > 4:
            blob, raw = blob + raw, struct.pack(order + "I", blob_at + len(blob))
        number = 4 if kind == "I" else 3
        directory += struct.pack(order + "HHI", tag, number, len(values)) + raw.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    return head + pixels.ljust(start - 8, b"\0") + directory + bytes(4) + blob


def _ycbcr() -> Iterator[Neighbour]:
    """Not packed: the samples are luminance and colour differences."""
    rgb = np.asarray(Image.fromarray(levels()).resize((6, 4)).resize(SIZE))
    samples = np.asarray(Image.fromarray(rgb).convert("YCbCr"))
    for order, plane in product("<>", ("contig", "separate")):
        stored = np.moveaxis(samples, -1, 0) if plane == "separate" else samples
        tags: Tags = {258: (8, 8, 8), 262: 6, 277: 3, 530: (1, 1)}
        if plane == "separate":
            tags = {**tags, 284: 2, 273: _planes(), 279: (WIDTH * HEIGHT,) * 3}
        data = small_tiff(order, stored.tobytes(), tags)
        yield Neighbour(f"YCbCr, {order}, {plane}", data, rgb, tolerance=4)


def _planes() -> tuple[int, ...]:
    return tuple(8 + plane * WIDTH * HEIGHT for plane in range(3))


def _turned() -> Iterator[Neighbour]:
    """The tag of orientation, which is that of EXIF, in every depth and order of planes."""
    for depth, plane, turn in product((np.uint8, np.uint16), ("contig", "separate"), range(1, 9)):
        pixels = levels(3, depth)
        stored = np.moveaxis(pixels, -1, 0) if plane == "separate" else pixels
        data = encode(
            stored, photometric="rgb", planarconfig=plane, extratags=[(274, 3, 1, turn, True)]
        )
        seen = upright(to_8_bit(pixels), turn)
        yield Neighbour(f"orientation {turn}, {np.dtype(depth)}, {plane}", data, seen)
    for dtype, turn in product((np.int8, np.uint32, np.float32), (3, 6)):
        found = (noise(1)[..., 0] * 100).astype(dtype)
        data = encode(found, photometric="minisblack", extratags=[(274, 3, 1, turn, True)])
        seen = upright(seen_by_tifffile(data), turn)
        yield Neighbour(f"orientation {turn}, {np.dtype(dtype)}", data, seen)


def upright(stored: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """(h, w, 3) as displayed: the 0th row and column are where EXIF's orientation says."""
    pixels = stored.swapaxes(0, 1) if orientation >= 5 else stored
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _pages() -> Iterator[Neighbour]:
    """Thumbnails before the picture, in every way in which cameras and programs mark them."""
    picture = levels()
    shown = seen_by_tifffile(encode(picture, photometric="rgb"))
    small: dict[str, Any] = {"photometric": "rgb", "subfiletype": REDUCED}
    for order, big in product("<>", (False, True)):
        where = f"{order}, big {big}"
        right = None if big and order == ">" else shown
        written = partial(_written, order=order, big=big)
        yield Neighbour(f"thumbnail first, {where}", written([(SMALL, small), (picture, {})]), None)
        below = written([(SMALL, {**small, "subifds": 1}), (picture, {})])
        yield Neighbour(f"picture below a thumbnail, {where}", below, None)
        unmarked = written([(SMALL, {"subifds": 1}), (picture, {})])
        yield Neighbour(f"picture below an unmarked thumbnail, {where}", unmarked, None)
        reduced = written([(picture, {"subifds": 1}), (SMALL, small)])
        yield Neighbour(f"thumbnail below the picture, {where}", reduced, right)
        last = written([(picture, {}), (SMALL, small)])
        yield Neighbour(f"thumbnail last, {where}", last, right)
    alone = _written([(picture, {"subfiletype": REDUCED})])
    yield Neighbour("one page, marked as reduced", alone, shown)
    pages = _written([(picture, {"subfiletype": 2}), (RED, {"subfiletype": 2})])
    yield Neighbour("pages of a document", pages, shown)
    raw = _written([(picture, {"extratags": [(DNG, 1, 4, (1, 4, 0, 0), True)]})])
    yield Neighbour("DNG whose first page is large", raw, None)


def _written(
    pages: list[tuple[NDArray[Any], dict[str, Any]]], *, order: Any = "<", big: bool = False
) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file, byteorder=order, bigtiff=big) as writer:
        for pixels, options in pages:
            writer.write(pixels, metadata=None, **{"photometric": "rgb", **options})
    return file.getvalue()


def _unread_packings() -> Iterator[Neighbour]:
    """Other programs pack by them; the bytes behind the tags are never looked at."""
    for packing in (22_610, 33_003, 33_005, 34_661, 34_712, 34_887, 34_892, 34_933, 34_934, 50_001):
        tags: Tags = {258: (8, 8, 8), 259: packing, 262: 2, 277: 3}
        yield Neighbour(f"packing {packing}", small_tiff("<", bytes(100), tags), None)


def _photometric() -> Iterator[Neighbour]:
    """Sensors' mosaics, logarithmic colours, masks, and what does not exist."""
    for photometric in (4, 9, 10, 32_803, 32_844, 32_845, 34_892, 51_177, 9_999):
        tags: Tags = {258: 16, 262: photometric}
        yield Neighbour(f"colours {photometric}", small_tiff("<", bytes(3072), tags), None)
    for form, order in product((2, 3, 4, 5, 6), "<>"):
        tags = {258: (8, 8, 8), 262: 2, 277: 3, 339: (form,) * 3}
        data = small_tiff(order, bytes(3 * WIDTH * HEIGHT), tags)
        yield Neighbour(f"RGB, sample format {form}, {order}", data, None)
