"""Convex windows, areas, and subdivisions cut by signs (Euler's formula V - E + F = 1 for the part
inside)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relu_dynamics.geometry import (
    check_window, cut_by_signs, face_areas, face_means, polygon_area, walk, window_subdivision,
)
from relu_dynamics.testing import halves

SQUARE = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)]
PENTAGRAM = [(np.cos(a), np.sin(a)) for a in 4 * np.pi / 5 * np.arange(5)]


def test_a_box_is_the_polygon_of_its_corners():
    """Two rows are the two intervals; four are the corners."""
    assert check_window(((0, 2), (0, 2))).tolist() == check_window(
        SQUARE).tolist() == [list(corner) for corner in SQUARE]


def test_a_clockwise_polygon_is_turned_round_and_left_as_it_was_given():
    """The corners are the same, the area positive."""
    given_corners = np.array(SQUARE[::-1])
    corners = check_window(given_corners)
    assert sorted(map(tuple, corners)) == sorted(SQUARE) and polygon_area(corners) == 4
    assert given_corners.tolist() == [list(corner) for corner in SQUARE[::-1]]


def test_a_corner_in_the_middle_of_a_side_is_left_out():
    """The polygon is the same set of points without it."""
    assert check_window([*SQUARE, (0, 1)]).tolist() == check_window(SQUARE).tolist()


@pytest.mark.parametrize("window", [
    ((1, 0), (0, 1)), ((0, 1), (2, 2)),                       # sides that do not increase
    [(0, 0)], np.zeros((0, 2)),                               # too few corners
    [(0, 0), (1, 1), (2, 2)], [(0, 0), (1, 0), (2, 0), (3, 0)],  # one line
    [(0, 0), (2, 0), (0.5, 0.5), (0, 2)],                     # a dent
    [(0, 0), (1, 1), (1, 0), (0, 1)],                         # a bow tie
    # turns left at every corner, twice round
    PENTAGRAM,
    [*SQUARE, SQUARE[0]], [SQUARE[0], *SQUARE],               # a corner twice
    [(0, 0), (2, 0), (1, 0), (1, 1)],                         # a side run over twice
    [(0, 0, 0), (1, 0, 0), (0, 1, 0)], 3.0, [(0, np.nan), (1, 0), (0, 1)], ((0, np.inf), (0, 1)),
    "box", None,
    ((0, 1e-320), (0, 1)), ((-1e300, 1e300), (-1e300, 1e300)),  # area 0 or infinite
])
def test_what_is_not_a_convex_window_is_refused(window):
    """Every line must cross the window in one piece, and the window must have an area."""
    with pytest.raises(ValueError, match="window must"):
        check_window(window)


@pytest.mark.parametrize("window", [((1, 0), (0, 1)), ((0, 1), (2, 2)), ((3, 3), (0, 1))])
def test_a_box_whose_sides_do_not_increase_is_told_so(window):
    with pytest.raises(ValueError, match="with x0 < x1 and y0 < y1"):
        check_window(window)


@pytest.mark.parametrize("size", [2.0**-100, 2.0**-17, 1.0, 2.0**100])
@pytest.mark.parametrize("away", [(0, 0), (100, 0), (0, -100)])
def test_a_window_may_have_any_size_and_place(size, away):
    """Hundred times its size away, too: an area is compared with the square of the extent, not of
    the distance."""
    corners = size * (np.array(away) + SQUARE)
    assert check_window(corners).tolist() == corners.tolist()
    assert check_window(
        [[corners[0, 0], corners[1, 0]],
         [corners[0, 1], corners[2, 1]]]).tolist() == corners.tolist()


def test_a_flat_window_has_an_area_wherever_it_lies():
    """A box of 1 by 1e-9, a million away."""
    assert len(check_window(((0, 1), (1e6, 1e6 + 1e-9)))) == 4 and len(
        check_window(((1e6, 1e6 + 1e-9), (0, 1)))) == 4


@given(st.integers(3, 12), st.integers(0, 2**32 - 1))
def test_any_order_preserving_start_and_direction_of_a_convex_polygon_is_the_same_window(k, seed):
    """Corners on an ellipse, in increasing angle, are convex; rotating or reversing the list
    changes no side."""
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * (np.arange(k) + rng.uniform(0, 0.5, k)) / k
    corners = np.stack([3 * np.cos(angle), np.sin(angle)], axis=1)
    turned = np.roll(corners, rng.integers(k), axis=0)[:: rng.choice([-1, 1])]
    window = check_window(turned)
    assert polygon_area(window) > 0
    start = int(np.flatnonzero((window == corners[0]).all(axis=1))[0])
    assert np.array_equal(np.roll(window, -start, axis=0), corners)


@pytest.mark.parametrize("window", [SQUARE, SQUARE[:3]])
def test_each_half_edge_begins_where_the_one_before_it_ends_inside_and_outside(window):
    """Half-edges 2 e and 2 e + 1 run along edge e and back."""
    sub, _ = window_subdivision(check_window(window))
    origin = sub.edges.ravel()
    end = sub.edges[:, ::-1].ravel()
    assert np.array_equal(origin[sub.next], end) and np.array_equal(sub.face[sub.next], sub.face)
    assert sorted(sub.next) == list(range(2 * len(window)))


def _cut(lines):
    """The box [-3, 3]^2 cut by half-integer lines, as (subdivision, areas, means)."""
    sub, faces = window_subdivision(check_window(((-3, 3), (-3, 3))))[0], 1
    for i, (a, b, c) in enumerate(lines):
        z = sub.points @ np.array([a, b]) + c
        z[np.abs(z) < 1e-12] = 0
        sub, _, parent, positive = cut_by_signs(sub, faces, z, i)
        faces = len(parent)
        assert len(positive) == faces
    first = np.empty(faces, np.intp)
    first[sub.face[sub.face >= 0]] = np.flatnonzero(sub.face >= 0)
    cycles = walk(sub.next, first)
    corner = sub.edges.ravel()[cycles.half_edge]
    assert len(corner) == (sub.face >= 0).sum()
    return sub, face_areas(sub.points, cycles.start, corner), face_means(sub.points, cycles.start,
                                                                         corner)


@given(halves((5, 3)))
def test_lines_cut_a_box_into_faces_whose_areas_sum_to_it(lines):
    """Cutting neither loses nor covers anything twice, also where lines coincide, meet in one point
    or touch a corner."""
    sub, areas, means = _cut(lines)
    assert len(sub.points) - len(sub.edges) + len(areas) == 1
    assert (areas > 0).all()
    np.testing.assert_allclose(areas.sum(), 36, rtol=1e-14)
    assert (np.abs(means) < 3).all()


@given(halves((5, 3)))
def test_there_is_one_face_per_sign_pattern(lines):
    """Half-planes are convex, so the points with given signs form one convex face; sampled centres
    are in distinct ones."""
    _, areas, means = _cut(lines)
    signs = means @ lines[:, :2].T + lines[:, 2] > 0
    assert len(np.unique(signs, axis=0)) == len(areas)


def test_signs_that_no_line_has_are_refused():
    """On a convex face the positive corners of a line form one run."""
    sub, _ = window_subdivision(check_window(SQUARE))
    assert cut_by_signs(sub, 1, np.array([1.0, -1.0, 1.0, -1.0]), 0) is None


def test_a_walk_that_does_not_come_back_is_given_up():
    """A successor map that never returns to its start takes more steps than it has elements."""
    assert walk(np.array([1, 2, 1]), np.array([0])) is None
    assert walk(np.array([1, 2, 0]), np.array([0])).half_edge.tolist() == [0, 1, 2]
