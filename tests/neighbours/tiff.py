"""TIFF files of every depth, sign, byte order, layout, packing and colour, read by tifffile."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from tests.neighbours.neighbour import Levels, Neighbour, as_rgb, noise, on_white, to_8_bit

DEPTHS = ("bool", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8")
ORDERS = ("<", ">")
PACKINGS = (None, "zlib", "lzma")
LAYOUTS: dict[str, dict[str, Any]] = {
    "one strip": {"rowsperstrip": 32},
    "strips": {"rowsperstrip": 5},
    "tiles": {"tile": (16, 32)},
}


@dataclass(frozen=True)
class Colours:
    """What the samples of a pixel mean, and the depths in which that is taken.

    chunky_only: not in separate planes.
    extra: tifffile's names of the samples after the colours.
    """

    photometric: str
    samples: int
    extra: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    chunky_only: bool = False


COLOURS = {
    "grey": Colours("minisblack", 1, (), ("bool", "u1", "u2", "u4", "i1", "i2", "i4", "f4")),
    "grey, white is zero": Colours("miniswhite", 1, (), ("bool", "u1", "u2")),
    "grey and alpha": Colours("minisblack", 1, ("unassalpha",), ("u1",), chunky_only=True),
    "grey and more": Colours("minisblack", 1, ("unspecified",)),
    "palette": Colours("palette", 1, (), ("u1",)),
    "RGB": Colours("rgb", 3, (), ("u1", "u2")),
    "RGB and alpha": Colours("rgb", 3, ("unassalpha",), ("u1", "u2")),
    "RGB times alpha": Colours("rgb", 3, ("assocalpha",), ("u1", "u2")),
    "RGB and more": Colours("rgb", 3, ("unspecified",), ("u1", "u2")),
    "CMYK": Colours("separated", 4, (), ("u1", "u2")),
}
COLOUR_MAP = np.random.default_rng(7).integers(0, 2**16, (3, 256)).astype(np.uint16)


def tiff_neighbours(colours: str, depth: str) -> Iterator[Neighbour]:
    """Every byte order, packing, layout and order of planes of a colour and a depth."""
    kind = COLOURS[colours]
    planes = ("contig", "separate") if kind.samples + len(kind.extra) > 1 else ("contig",)
    if colours == "palette" and depth != "u1":  # tifffile writes no other
        return
    for order, packing, layout, plane in product(ORDERS, PACKINGS, LAYOUTS, planes):
        data = _encode(kind, depth, order, packing, layout, plane)
        is_taken = depth in kind.taken and (not kind.chunky_only or plane == "contig")
        seen = seen_by_tifffile(data) if is_taken else None
        name = f"{colours}, {depth}, {order}, {packing}, {layout}, {plane}"
        yield Neighbour(name, data, seen, tolerance=_tolerance(colours))


def _tolerance(colours: str) -> int:
    """Pillow divides colours by alpha before they are put on white, and rounds twice."""
    return {"RGB times alpha": 2, "RGB and alpha": 1, "grey and alpha": 1, "CMYK": 1}.get(
        colours, 0
    )


def _encode(
    kind: Colours, depth: str, order: str, packing: str | None, layout: str, plane: str
) -> bytes:
    levels = _levels(kind, depth)
    if plane == "separate":
        levels = np.moveaxis(levels, -1, 0)
    elif levels.shape[-1] == 1:
        levels = levels[..., 0]
    more: dict[str, Any] = {"colormap": COLOUR_MAP} if kind.photometric == "palette" else {}
    return encode(
        levels if depth == "bool" else levels.astype(np.dtype(depth).newbyteorder(order)),  # type: ignore[arg-type]
        byteorder=order,
        photometric=kind.photometric,
        planarconfig=plane if levels.ndim == 3 else None,
        extrasamples=kind.extra,
        compression=packing,
        **LAYOUTS[layout],
        **more,
    )


def _levels(kind: Colours, depth: str) -> Levels:
    """Random levels over all of the depth's range; colours times alpha are not above alpha."""
    shares = noise(kind.samples + len(kind.extra))
    if kind.extra == ("assocalpha",):
        shares[..., :3] *= shares[..., 3:]
    if depth == "bool":
        return shares > 0.5
    scale = np.dtype(depth)
    if scale.kind == "f":
        return (shares * 5 - 2).astype(scale)
    limits = np.iinfo(scale)
    wide = np.rint(shares * (int(limits.max) - int(limits.min)) + int(limits.min))
    return np.clip(wide, float(limits.min), float(limits.max) * (1 - 2**-52)).astype(scale)


def encode(levels: Levels, *, byteorder: Any = "<", bigtiff: bool = False, **options: Any) -> bytes:
    """A TIFF of one page; options are those of tifffile."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, byteorder=byteorder, bigtiff=bigtiff) as writer:
        writer.write(levels, metadata=None, **options)
    return file.getvalue()


def seen_by_tifffile(data: bytes) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB on white of the first page, from the samples that tifffile reads."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        levels = page.asarray()
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
            levels = np.moveaxis(levels, 0, -1)
        return _seen(
            levels, tifffile.PHOTOMETRIC(page.photometric), page.extrasamples, page.colormap
        )


def _seen(
    levels: Levels,
    photometric: tifffile.PHOTOMETRIC,
    extra: tuple[int, ...],
    colour_map: NDArray[np.uint16] | None,
) -> NDArray[np.uint8]:
    if photometric == tifffile.PHOTOMETRIC.PALETTE and colour_map is not None:
        return np.moveaxis(colour_map[:, levels.astype(np.uint8)] >> 8, 0, -1).astype(np.uint8)
    samples = to_8_bit(levels if levels.ndim == 3 else levels[..., np.newaxis])
    colours = samples[..., : samples.shape[2] - len(extra)]
    if photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        colours = 255 - colours
    if photometric == tifffile.PHOTOMETRIC.SEPARATED:
        light = 255.0 - colours
        colours = np.rint(light[..., :3] * light[..., 3:] / 255).astype(np.uint8)
    if extra in ((1,), (2,)):
        return on_white(colours, samples[..., -1], premultiplied=extra == (1,))
    return as_rgb(colours)
