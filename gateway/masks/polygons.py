"""Polygons of a class: its outline along the edges of pixels, with holes, simplified on request."""

from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

Ring = list[list[int]]
Polygon = list[Ring]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Pixels; no corner on the pixels' grid lies nearer to the line between its neighbours.
_FINEST: Final = 0.1


def polygons(ids: NDArray[np.uint8], class_id: int, tolerance: float) -> list[Polygon]:
    """The polygons of a class in (height, width) uint8 class ids; none if the class is absent.

    A polygon is a list of closed rings, the exterior first, then its holes; a ring is a list of
    [x, y] in pixels, corners of pixels, the mask's own corner being [0, 0]. Exteriors run
    counter-clockwise and holes clockwise as RFC 7946 has it, where y points up. Pixels that meet
    at a corner only are not connected. Together the polygons are a valid multipolygon always.

    With a tolerance of 0 they cover exactly the class's pixels; else corners are left out that lie
    about so many pixels from the line that takes their place, and at most twice as many. No polygon
    and no hole is lost.
    """
    mask, corner = _cropped(ids == class_id)
    if not mask.size:
        return []
    found = shapely.orient_polygons(shapely.get_parts(_simplified(_outline(mask), tolerance)))
    return [[_ring(ring, corner) for ring in shapely.get_rings(polygon)] for polygon in found]


def _cropped(mask: Bools) -> tuple[Bools, Integers]:
    """What is inside the bounding box, and its corner (x, y); an empty array if nothing is."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return mask[:0, :0], np.zeros(2, np.int64)
    inside = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return inside, np.array([columns[0], rows[0]])


def _outline(mask: Bools) -> shapely.MultiPolygon:
    """The exact polygons: of the faces between the edges of the mask, those of the class."""
    lines = np.asarray(shapely.linestrings(_edges(mask)))
    faces = shapely.get_parts(shapely.polygonize(lines))
    # A point within a face lies in one of its pixels, or between some that are all its own.
    columns, rows = shapely.get_coordinates(shapely.point_on_surface(faces)).astype(np.int64).T
    return shapely.MultiPolygon(list(faces[mask[rows, columns]]))


def _edges(mask: Bools) -> NDArray[np.float64]:
    """(n, 2, 2) lines from (x, y) to (x, y) that part the class from the rest, corner to corner."""
    padded = np.pad(mask, 1)
    horizontal = padded[1:, 1:-1] != padded[:-1, 1:-1]
    vertical = padded[1:-1, 1:] != padded[1:-1, :-1]
    across, down = _lines(horizontal, vertical.T), _lines(vertical.T, horizontal)
    return np.concatenate((across, down[:, :, ::-1])).astype(np.float64)


def _lines(along: Bools, across: Bools) -> Integers:
    """(n, 2, 2) lines (x, y) to (x, y) of neighbouring edges of one direction.

    along: (height + 1, width), the edges of that direction; across: (width + 1, height), those of
    the other one. A line ends where it meets one of the other direction.
    """
    reached = np.pad(across.T, ((1, 1), (0, 0)))
    met = reached[1:] | reached[:-1]
    sides = np.pad(along, ((0, 0), (1, 1)))
    begins = along & (met[:, :-1] | ~sides[:, :-2])
    finishes = along & (met[:, 1:] | ~sides[:, 2:])
    y, x = np.nonzero(begins)
    return np.stack((x, y, np.nonzero(finishes)[1] + 1, y), axis=1).reshape(-1, 2, 2)


def _simplified(exact: shapely.MultiPolygon, tolerance: float) -> shapely.Geometry:
    """With fewer corners, by the tolerance or the largest half, quarter... of it that is valid."""
    while tolerance > _FINEST:
        simpler = shapely.simplify(exact, tolerance, preserve_topology=True)
        # Seldom, but an island can come to lie outside its hole.
        if simpler.is_valid:
            return simpler
        tolerance /= 2
    return exact


def _ring(ring: shapely.LinearRing, corner: Integers) -> Ring:
    return [[int(x), int(y)] for x, y in shapely.get_coordinates(ring).astype(np.int64) + corner]
