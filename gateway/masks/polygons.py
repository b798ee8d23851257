"""Polygons of a class: outlines along the pixel edges, with holes, optionally simplified."""

from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

Ring = list[list[int]]
Polygon = list[Ring]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Pixels; no corner on the pixel grid lies nearer to the line between its neighbours.
_FINEST: Final = 0.1


def polygons(ids: NDArray[np.uint8], class_id: int, tolerance: float) -> list[Polygon]:
    """Return the polygons of a class in (height, width) uint8 class ids; [] if it is absent.

    A polygon is a list of closed rings, the exterior first, then its holes; a ring is a list of
    pixel corners [x, y], with [0, 0] at the top left corner of the mask. Exteriors run
    counter-clockwise and holes clockwise as in RFC 7946, where y points up. Pixels that only share
    a corner are not connected. The polygons always form a valid multipolygon.

    tolerance: pixels; 0 covers exactly the class's pixels. Otherwise corners are removed that lie
    within about the tolerance of the simplified line, and within twice the tolerance at most. No
    polygon and no hole is lost.
    """
    mask, corner = _cropped(ids == class_id)
    if not mask.size:
        return []
    parts = shapely.orient_polygons(shapely.get_parts(_simplified(_outline(mask), tolerance)))
    return [[_ring(ring, corner) for ring in shapely.get_rings(polygon)] for polygon in parts]


def _cropped(mask: Bools) -> tuple[Bools, Integers]:
    """Return the mask within its bounding box, which may be empty, and the box's corner (x, y)."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return mask[:0, :0], np.zeros(2, np.int64)
    inside = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return inside, np.array([columns[0], rows[0]])


def _outline(mask: Bools) -> shapely.MultiPolygon:
    """Return the exact polygons: the faces between the mask's edges that belong to the class."""
    lines = np.asarray(shapely.linestrings(_edges(mask)))
    faces = shapely.get_parts(shapely.polygonize(lines))
    # A point within a face lies in a pixel of the face, or on an edge between two of its pixels.
    columns, rows = shapely.get_coordinates(shapely.point_on_surface(faces)).astype(np.int64).T
    return shapely.MultiPolygon(list(faces[mask[rows, columns]]))


def _edges(mask: Bools) -> NDArray[np.float64]:
    """Return (n, 2, 2) lines, (x, y) to (x, y), along the outlines of the class."""
    padded = np.pad(mask, 1)
    horizontal = padded[1:, 1:-1] != padded[:-1, 1:-1]
    vertical = padded[1:-1, 1:] != padded[1:-1, :-1]
    across, down = _lines(horizontal, vertical.T), _lines(vertical.T, horizontal)
    return np.concatenate((across, down[:, :, ::-1])).astype(np.float64)


def _lines(along: Bools, across: Bools) -> Integers:
    """Join neighbouring edges of one direction to (n, 2, 2) lines, (x, y) to (x, y).

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
    """Simplify by the tolerance, or by the largest half, quarter... of it that stays valid."""
    while tolerance > _FINEST:
        simpler = shapely.simplify(exact, tolerance, preserve_topology=True)
        # Rarely, an island ends up outside its hole.
        if simpler.is_valid:
            return simpler
        tolerance /= 2
    return exact


def _ring(ring: shapely.LinearRing, corner: Integers) -> Ring:
    return [[int(x), int(y)] for x, y in shapely.get_coordinates(ring).astype(np.int64) + corner]
