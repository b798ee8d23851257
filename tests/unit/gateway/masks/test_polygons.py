"""Polygons are valid, and exact without a tolerance."""

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray

from gateway.masks.polygons import Polygon, polygons
from tests.unit.gateway.mask_samples import SAMPLES, drawn

TOLERANCES = (0.0, 0.3, 1.0, 2.5, 7.0, 100.0)

every_mask = pytest.mark.parametrize("ids", SAMPLES.values(), ids=SAMPLES)
any_tolerance = pytest.mark.parametrize("tolerance", TOLERANCES)


def joined(outlines: list[Polygon]) -> shapely.MultiPolygon:
    """The polygons as a client would load them from GeoJSON's MultiPolygon."""
    return shapely.MultiPolygon([(rings[0], rings[1:]) for rings in outlines])


def rasterised(outlines: list[Polygon], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask of pixels whose centre is inside."""
    rows, columns = np.indices(shape)
    return np.asarray(shapely.contains_xy(joined(outlines), columns + 0.5, rows + 0.5))


def corners(outlines: list[Polygon]) -> int:
    return sum(len(ring) for polygon in outlines for ring in polygon)


@every_mask
def test_without_a_tolerance_they_cover_the_class_exactly(ids: NDArray[np.uint8]) -> None:
    """The polygons cover every pixel of the class, and no part of another."""
    class_id = int(ids.max())
    outlines = polygons(ids, class_id, 0)
    assert np.array_equal(rasterised(outlines, ids.shape), ids == class_id)
    assert joined(outlines).area == np.count_nonzero(ids == class_id)


@every_mask
@any_tolerance
def test_they_are_valid(ids: NDArray[np.uint8], tolerance: float) -> None:
    """The polygons form a valid multipolygon with every tolerance."""
    assert joined(polygons(ids, int(ids.max()), tolerance)).is_valid


@every_mask
@any_tolerance
def test_rings_are_closed_and_run_as_geojson_has_them(
    ids: NDArray[np.uint8], tolerance: float
) -> None:
    """Exteriors run counter-clockwise and holes clockwise, with at least three corners."""
    for polygon in polygons(ids, int(ids.max()), tolerance):
        assert all(ring[0] == ring[-1] and len(ring) >= 4 for ring in polygon)
        directions = [shapely.LinearRing(ring).is_ccw for ring in polygon]
        assert directions == [True] + [False] * (len(polygon) - 1)


def test_a_small_mask_by_hand() -> None:
    """A ring of pixels has an exterior and a hole with the expected corners."""
    ids = drawn("00000", "03330", "03030", "03330")
    [[exterior, hole]] = polygons(ids, 3, 0)
    assert sorted(map(tuple, exterior[1:])) == [(1, 1), (1, 4), (4, 1), (4, 4)]
    assert sorted(map(tuple, hole[1:])) == [(2, 2), (2, 3), (3, 2), (3, 3)]


def test_pixels_that_touch_at_a_corner_are_two_polygons() -> None:
    """Pixels that share only a corner are separate, because a ring must not touch itself."""
    assert len(polygons(drawn("10", "01"), 1, 0)) == 2


def test_background_that_touches_at_a_corner_is_two_holes() -> None:
    """Holes that share only a corner are separate."""
    [polygon] = polygons(drawn("1111", "1011", "1101", "1111"), 1, 0)
    assert len(polygon) == 3


def test_no_corner_lies_on_a_straight_line() -> None:
    """A rectangle has four corners, whatever its size."""
    assert corners(polygons(np.ones((300, 200), np.uint8), 1, 0)) == 5


def test_a_class_that_is_absent_has_none() -> None:
    """The list is empty with every tolerance."""
    assert [polygons(SAMPLES["cat"], 20, tolerance) for tolerance in TOLERANCES] == [[]] * 6


def test_a_tolerance_saves_corners() -> None:
    """A larger tolerance leaves fewer corners."""
    counts = [corners(polygons(SAMPLES["cat"], 8, tolerance)) for tolerance in (0, 1, 2.5, 7)]
    assert counts == sorted(set(counts), reverse=True)


def test_a_polygon_of_one_part_is_simplified_too() -> None:
    """A single polygon, the usual case, is simplified."""
    ids = np.tri(40, dtype=np.uint8)
    assert (corners(polygons(ids, 1, 0)), corners(polygons(ids, 1, 1))) == (83, 5)


@pytest.mark.parametrize("tolerance", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("name", ["cat", "astronaut", "random 1", "random 4"])
def test_no_corner_that_is_left_out_lies_far_away(name: str, tolerance: float) -> None:
    """A removed corner is at most twice the tolerance away from the simplified line."""
    ids = SAMPLES[name]
    exact, simple = (joined(polygons(ids, int(ids.max()), each)) for each in (0.0, tolerance))
    left_out = shapely.points(shapely.get_coordinates(exact))
    assert np.max(shapely.distance(left_out, simple.boundary)) <= 2 * tolerance


@pytest.mark.parametrize("name", ["ring in a ring", "corners that touch", "cat", "random 6"])
def test_neither_polygons_nor_holes_are_lost(name: str) -> None:
    """Simplification keeps the number of polygons and holes."""
    ids = SAMPLES[name]
    exact, simple = (polygons(ids, int(ids.max()), tolerance) for tolerance in (0, 50))
    assert [len(polygon) for polygon in simple] == [len(polygon) for polygon in exact]


@pytest.mark.parametrize("tolerance", [3.5, 7.0, 100.0])
def test_an_island_stays_in_its_hole(tolerance: float) -> None:
    """The tolerance is reduced where the hole would no longer contain its island."""
    ids = drawn("0000100", "0000101", "0111101", "1001011", "1000110", "1011100", "1110000")
    exact, simple = (polygons(ids, 1, each) for each in (0, tolerance))
    assert joined(simple).is_valid
    assert corners(simple) < corners(exact)
