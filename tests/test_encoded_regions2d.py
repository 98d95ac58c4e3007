"""Regions of the plane under an encoding (T43), walls along random lines (T44), and neighbours
(T45)."""

import dataclasses
import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy.ndimage import label

from relu_dynamics import (
    MLP, Coordinates, FourierFeatures, PositionalEncoding, crossed_walls, draw, init, locate,
    neighbours, pattern, predict, regions_in_encoded_window, regions_in_window,
    regions_on_encoded_segment, regions_on_triangles, wall_length,
)
from relu_dynamics.geometry import check_window, polygon_area
from relu_dynamics.testing import exact_nets, gaussian_nets
from tests.halving import changed, lie_of_halved, touched

BOX = ((-1.0, 1.0), (-1.0, 1.0))
UNIT = ((0.0, 1.0), (0.0, 1.0))
KITE = [(0.0, -0.5), (1.25, 0.25), (0.5, 1.5), (-0.25, 0.5)]
FAMILIES = [(1, 1.0, [24, 24]), (2, 0.5, [24]), (4, 1 / 16, [24, 24, 24]), (6, 1 / 64, [40, 40]),
            (8, 1 / 256, [32, 32, 32])]
SLOW = settings(max_examples=max(5, settings.default.max_examples // 5))


def encoded_net(L, widths, seed):
    return init([4 * L, *widths, 1], np.random.default_rng(seed))


def one_unit(row, bias):
    """max(row . x + bias, 0): one wall."""
    return MLP((np.array([row], float), np.ones((1, 1))), (np.array([bias], float), np.zeros(1)))


# with PositionalEncoding(1): cos(pi x) + cos(pi y) = 1, an oval around 0
RING = one_unit([0, 1, 0, 1], -1)


def areas_by_pattern(regions):
    areas = {}
    for q, area in zip(regions.pattern, regions.area, strict=True):
        areas[q.tobytes()] = areas.get(q.tobytes(), 0.0) + area
    return areas


def grid_triangles(window, leg):
    """Points and triangles of a window; the shortest wave of this encoding is 2."""
    mesh = regions_in_encoded_window(RING, PositionalEncoding(1), window,
                                     resolution=2 / leg).triangulation
    return mesh.points, mesh.triangles


# ----------------------------------------------------------------- triangulations


@pytest.mark.parametrize(("L", "size", "widths"), FAMILIES[::2])
def test_halved_triangles_meet_in_whole_sides_and_fill_the_window(L, size, widths):
    """Euler's formula; areas sum to the window's; no angle is less than half the smallest one that
    triangles without halving have, however often they are halved."""
    halved = 0
    for seed, window in enumerate((UNIT, KITE, UNIT)):
        window = 0.3 + size * check_window(window)
        arguments = encoded_net(L, widths, seed), PositionalEncoding(L), window
        plain, mesh = (regions_in_encoded_window(*arguments, resolution=r).triangulation
                       for r in (64, None))
        halved += len(mesh.triangles) - len(plain.triangles)
        assert len(mesh.points) - len(mesh.edges) + len(mesh.triangles) == 1
        np.testing.assert_allclose(areas(mesh).sum(), polygon_area(window), rtol=1e-12)
        assert (lengths(mesh) <= np.sqrt(2) * 2.0 ** (2 - L) / 64 * (1 + 1e-9)).all()
        assert smallest_angle(mesh) > 0.49 * smallest_angle(plain)
    assert halved > 0


def lengths(mesh):
    return np.hypot(*np.diff(mesh.points[mesh.edges], axis=1)[:, 0].T)


def areas(mesh):
    return np.array([polygon_area(mesh.points[triangle]) for triangle in mesh.triangles])


def smallest_angle(mesh):
    side = lengths(mesh)[mesh.sides]
    return (2 * areas(mesh) / np.sort(side, axis=1)[:, 1:].prod(axis=1)).min()


# ------------------------------------------------------------------------ T43


@SLOW
@given(st.integers(1, 4), st.sampled_from([8, 16, 64]), st.integers(0, 2**32 - 1))
def test_t43_a_wall_is_where_its_unit_is_within_the_square_of_pi_b_h_of_zero(k, resolution, seed):
    """An interpolated wave with second derivatives up to M is off by M / 2 times the square of the
    radius of a triangle, leg / sqrt(2), and exact at its corners."""
    rng = np.random.default_rng(seed)
    encoding, row = FourierFeatures(rng.normal(size=(k, 2))), rng.normal(size=2 * k)
    net = one_unit(row, -row @ encoding(rng.random((1, 2)))[0])
    found = regions_in_encoded_window(net, encoding, UNIT, resolution=resolution)
    wall = found.vertices[found.edges[found.edge_owner == 0]].reshape(-1, 2)
    leg = 1 / resolution / np.hypot(*encoding.frequencies.T).max()
    bound = np.repeat((np.pi * np.hypot(*encoding.frequencies.T) * leg) ** 2, 2) @ np.abs(row)
    assert len(wall) and (np.abs(encoding(wall) @ row + net.biases[0]) <= bound + 1e-12).all()
    corners = found.triangulation.points
    on = found.pattern[locate(found, corners), 0] == (encoding(corners) @ row + net.biases[0] > 0)
    assert on[np.abs(encoding(corners) @ row + net.biases[0]) > 1e-12].all()


@given(st.one_of(exact_nets(inputs=st.just(2)), gaussian_nets(inputs=st.just(2), width=10)),
       st.sampled_from([BOX, KITE]))
@example(MLP((np.array([[1.0, 0], [0, 1], [1, -1], [2, 0]]), np.ones((1, 4))),
             (np.zeros(4), np.zeros(1))), BOX)
def test_t43_triangles_with_affine_inputs_change_no_region(net, window):
    """Also where walls pass corners of triangles or run along their sides: regions of the plain
    window, put together again."""
    plain = regions_in_window(net, window)
    points, triangles = grid_triangles(window, 0.5)
    found = regions_on_triangles(net, points, triangles, points)
    assert len(found) == len(plain)
    expected, got = areas_by_pattern(plain), areas_by_pattern(found)
    assert got.keys() == expected.keys()
    slack = 12 * (plain.tolerance + found.tolerance)  # no region has a perimeter over 12
    np.testing.assert_allclose([got[q] for q in expected], list(expected.values()), rtol=0,
                               atol=slack)


@SLOW
@given(gaussian_nets(inputs=st.just(2), width=8), st.integers(0, 2**32 - 1))
def test_t43_regions_on_triangles_are_those_of_each_triangle_joined_across_sides(net, seed):
    """Inputs of a random piecewise-affine encoding: triangle by triangle, by the plain enumeration,
    the same patterns and areas."""
    rng = np.random.default_rng(seed)
    points, triangles = grid_triangles(UNIT, 0.5)
    values = rng.normal(size=(len(points), 2))
    found, expected = regions_on_triangles(net, points, triangles, values), {}
    for triangle in triangles:
        image = values[triangle]  # the triangle's points are an affine image of these inputs
        scale = polygon_area(points[triangle]) / abs(polygon_area(image))
        for q, area in areas_by_pattern(regions_in_window(net, image)).items():
            expected[q] = expected.get(q, 0.0) + scale * area
    got = areas_by_pattern(found)
    assert got.keys() == expected.keys()
    np.testing.assert_allclose([got[q] for q in expected], list(expected.values()), rtol=1e-6,
                               atol=1e-9)
    left, right = found.edge_regions[(found.edge_regions >= 0).all(axis=1)].T
    assert (found.pattern[left] != found.pattern[right]).any(axis=1).all()


@pytest.mark.parametrize("encoding", [Coordinates(-1.0, 1.0), Coordinates(0.0, 1.0)])
def test_an_affine_encoding_is_exact(encoding):
    """The regions of the window that the coordinates fill."""
    net = init([2, 12, 12, 1], np.random.default_rng(0))
    found, low = regions_in_encoded_window(net, encoding, UNIT), encoding.low
    plain = regions_in_window(net, ((low, 1.0), (low, 1.0)))
    assert len(found) == len(plain) and found.resolution == np.inf and len(found.unsettled) == 0
    np.testing.assert_allclose(np.sort(found.area) * (1 - low) ** 2, np.sort(plain.area),
                               atol=1e-13)


@SLOW
@given(st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_t43_walls_along_a_line_of_the_triangulation_are_those_of_the_certified_enumeration(
        L, seed):
    """The same units in the same order, each within the square of the triangles' legs of its
    place."""
    net, encoding, size = encoded_net(L, [10, 8], seed), PositionalEncoding(L), 0.5**L
    window = ((0.3, 0.3 + size), (0.6, 0.6 + size))
    found = regions_in_encoded_window(net, encoding, window, resolution=256)
    y = np.unique(found.triangulation.points[:, 1])[37]
    a, b = np.array([0.3, y]), np.array([0.3 + size, y])
    t, unit = crossed_walls(found, a + [0, 1e-9 * size], b + [0, 1e-9 * size])
    pieces = regions_on_encoded_segment(net, encoding, a, b)
    gap = np.diff(pieces.t).min()
    if gap > 1e-3:  # closer crossings may change their order
        assert np.array_equal(unit, pieces.owner)
        np.testing.assert_allclose(t, pieces.t[1:-1], atol=0.5 * gap)


@pytest.mark.parametrize("seed", range(4))
def test_random_lines_cross_as_many_walls_as_the_certified_enumeration_says(seed):
    """From the left side of the window to the right one."""
    net, encoding, rng = (encoded_net(2, [16, 16], seed), PositionalEncoding(2),
                          np.random.default_rng(seed))
    found = regions_in_encoded_window(net, encoding, ((0.1, 0.6), (0.2, 0.7)), resolution=192)
    number, order = [], []
    for y in rng.uniform(0.2, 0.7, (12, 2)):
        a, b = np.column_stack([[0.1, 0.6], y])
        t, unit = crossed_walls(found, a, b)
        pieces = regions_on_encoded_segment(net, encoding, a, b)
        number.append(len(unit) == len(pieces.owner))
        order.append(np.array_equal(unit, pieces.owner))
        assert not order[-1] or np.abs(t - pieces.t[1:-1]).max(initial=0) < 2e-3
    assert np.mean(number) > 0.9 and np.mean(order) > 0.7


# -------------------------------------------------------------- what is known to be right


@pytest.mark.parametrize(("L", "size", "widths"),
                         [(1, 1.0, [24, 24]), (4, 1 / 16, [32, 32, 32]), (6, 1 / 64, [40, 40])])
def test_walls_on_lines_of_the_triangulation_are_checked_by_the_certified_enumeration(
        L, size, widths):
    """Those of the same units on all lines, mostly in the same order; not so with another
    network."""
    net, encoding = encoded_net(L, widths, 0), PositionalEncoding(L)
    found = regions_in_encoded_window(net, encoding, ((0.4, 0.4 + size), (0.3, 0.3 + size)))
    check = found.check
    assert len(check.walls) == 16 and check.units.mean() > 0.9 and check.order.mean() > 0.6
    assert (50 < check.exact.sum() and np.abs(check.walls - check.exact).sum() <= 2
            and check.distance < 2e-3 * size * 2**L)
    assert (np.hypot(*np.diff(check.ends, axis=1)[:, 0].T) > 0.7 * size).all()  # half a diagonal
    other = MLP((net.weights[0] * 1.2, *net.weights[1:]), net.biases)
    assert dataclasses.replace(found, net=other).check.order.mean() < 0.2


def test_certified_triangles_are_not_changed_by_halving():
    """Not one of them, but of the others many: narrow networks on coarse triangles, and wide ones
    on finer ones."""
    changes = certified = triangles = 0
    cases = [(1 + k % 2, 2.0, [[1], [2], [4], [2, 2], [3, 3]][k % 5], (3, 8)[k // 10])
             for k in range(20)]
    for k, (L, size, widths, resolution) in enumerate([*cases,
                                                       *((*family, 24) for family in FAMILIES)]):
        net, encoding = encoded_net(L, widths, k), PositionalEncoding(L)
        found = regions_in_encoded_window(net, encoding, ((0.1, 0.1 + size), (0.2, 0.2 + size)),
                                          resolution=resolution)
        moved = touched(found.triangulation, *lie_of_halved(net, encoding, found.triangulation))
        assert not (moved & found.certified).any(), (k, moved.sum())
        changes, certified = changes + moved.sum(), certified + found.certified.sum()
        triangles += len(moved)
    assert changes > 200 and 0.3 * triangles < certified < triangles - changes


def test_on_the_sides_of_certified_triangles_the_encoding_has_the_same_walls_in_the_same_order():
    """Side by side, by the enumeration along it, which shares no code with the certificate."""
    wrong = crossed = 0
    for k, (L, size, widths) in enumerate(FAMILIES):
        net, encoding = encoded_net(L, widths, k), PositionalEncoding(L)
        found = regions_in_encoded_window(net, encoding, ((0.1, 0.1 + size), (0.2, 0.2 + size)),
                                          resolution=32)
        places, rng = (found.triangulation.points[found.triangulation.triangles],
                       np.random.default_rng(k))
        for certain, which in ((True, found.certified), (False, ~found.certified)):
            for place in rng.permutation(places[which])[:8]:
                for a, b in zip(place, np.roll(place, -1, axis=0), strict=True):
                    # or other triangles' walls would count
                    inwards = 1e-9 * (place.mean(axis=0) - (a + b) / 2)
                    units = regions_on_encoded_segment(net, encoding, a, b).owner
                    same = np.array_equal(crossed_walls(found, a + inwards, b + inwards)[1], units)
                    assert same or not certain
                    wrong, crossed = wrong + (not same), crossed + len(units)
    assert wrong > 3 and crossed > 100


def test_a_triangle_in_which_a_wall_is_born_is_not_certified():
    """A small oval around 0, which eight legs to the wave do not show."""
    found = regions_in_encoded_window(one_unit([0, 1, 0, 1], -1.95), PositionalEncoding(1),
                                      ((-0.56, 0.56), (-0.56, 0.56)), resolution=8)
    place = found.triangulation.points[found.triangulation.triangles]
    around = np.argsort(np.hypot(*place.mean(axis=1).T))[:2]  # the two with 0 on their common side
    assert len(found) == 1 and found.certified.any() and not found.certified[around].any()


def test_a_triangle_where_a_wall_crosses_a_side_three_times_instead_of_once_is_not_certified():
    """sin(2 pi x) + x - 1/2 + 20 y: no other wall comes near, and at the side's ends, where a whole
    wave fits in, it is what it seems; but the wall touches the side before it crosses it anew."""
    slow = 1e-3  # waves so long that they are straight
    encoding = FourierFeatures([[1, 0], [slow, 0], [0, slow]])
    net = one_unit([1, 0, 1 / (2 * np.pi * slow), 0, 20 / (2 * np.pi * slow), 0], -0.5)
    found, ends = (regions_in_encoded_window(net, encoding, UNIT, resolution=1), [(0, 0), (1, 0)])
    place = found.triangulation.points[found.triangulation.triangles]
    lower = place.mean(axis=1)[:, 1].argmin()
    assert len(regions_on_encoded_segment(net, encoding, *ends)) == 4 and len(found) == 2
    assert len(found.certified) == 2 and not found.certified[lower]


@pytest.mark.parametrize(("L", "size", "widths"),
                         [(1, 1.0, [24, 24]), (4, 1 / 16, [24, 24, 24]), (6, 1 / 64, [40, 40])])
def test_finer_triangles_certify_more_of_the_window(L, size, widths):
    """The bounds fall with the square of a triangle's size, and everything is certified at last,
    but for crossings near sides."""
    net, encoding, window = (encoded_net(L, widths, 1), PositionalEncoding(L),
                             ((0.4, 0.4 + size), (0.3, 0.3 + size)))
    share = [regions_in_encoded_window(net, encoding, window, resolution=r).certified_share
             for r in (32, 64, 128)]
    assert share[0] < share[1] < share[2] > 0.9


@pytest.mark.parametrize("window", [UNIT, KITE])
def test_an_affine_encoding_is_certified_and_checked_everywhere(window):
    net = init([2, 12, 12, 1], np.random.default_rng(0))
    found = regions_in_encoded_window(net, Coordinates(-1.0, 1.0), window)
    assert (found.certified.all() and found.certified_share == 1 and found.check.order.all()
            and found.check.walls.sum() > 10)
    points, triangles = grid_triangles(UNIT, 0.5)
    given_inputs = regions_on_triangles(net, points, triangles, points)
    assert given_inputs.certified.all() and given_inputs.check is None


# ------------------------------------------------------------- against sampling


@pytest.mark.parametrize("seed", range(6))
def test_sampled_patterns_fill_the_areas_of_their_regions(seed):
    """Points of a fine grid, each with the pattern that the network has there; areas agree up to
    cells that walls pass."""
    L, n = 1 + seed % 2, 200
    net, encoding = encoded_net(L, [5, 4], seed), PositionalEncoding(L)
    found = regions_in_encoded_window(net, encoding, UNIT, resolution=64)
    x = (np.stack(np.meshgrid(np.arange(n), np.arange(n)), axis=2).reshape(-1, 2) + 0.5) / n
    q = pattern(net, encoding(x))
    sampled = {}
    for row in q:
        sampled[row.tobytes()] = sampled.get(row.tobytes(), 0) + 1 / n**2
    expected = areas_by_pattern(found)
    slack = (found.wall_lengths.sum() + 4) / n
    assert sum(abs(expected.get(p, 0.0) - sampled.get(p, 0.0))
               for p in {*sampled, *expected}) < slack
    here = locate(found, x)
    assert (found.pattern[here] == q).all(axis=1).mean() > 1 - slack / 4


@pytest.mark.parametrize(("row", "bias", "parts"),
                         [([0, 0, 0, 0, 0, 1, 0, 1], -0.5, 5), ([0, 0, 0, 0, 1, 0, 1, 0], -1, 3),
                                                    ([0, 0, 0, 0, 0, 1, 0, -1], 0.125, 4)])
def test_islands_are_regions_of_their_own(row, bias, parts):
    """cos + cos > 1/2 and the like in [0, 2]^2: connected components of a dense sample, of which
    several have one pattern."""
    net, encoding, n = one_unit(row, bias), PositionalEncoding(2), 300
    window = ((0.2, 1.2), (0.3, 1.3))
    found = regions_in_encoded_window(net, encoding, window)
    axis = (np.arange(n) + 0.5) / n
    x = np.stack(np.meshgrid(0.2 + axis, 0.3 + axis, indexing="ij"), axis=2).reshape(-1, 2)
    on = (predict(net, encoding(x)) > 0).reshape(n, n)
    islands = label(on)[1] + label(~on)[1]
    assert len(found) == islands and len(np.unique(found.pattern, axis=0)) == 2
    assert len(found.loops[0]) >= len(found)


# ------------------------------------------------------------------ a known curve


def oval(n=20001):
    """The wall of RING, cos(pi x) + cos(pi y) = 1, as a fine polygon: a quarter and its mirror
    images."""
    x = 0.5 * np.sin(np.pi / 2 * np.linspace(0, 1, n))
    return np.stack([x, np.arccos(1 - np.cos(np.pi * x)) / np.pi], axis=1)


def test_the_area_and_the_length_of_a_known_oval():
    """Chords of a curve: an error of the square of the triangles' size, and so by a fourth with
    half of it."""
    quarter = oval()
    length = 4 * np.hypot(*np.diff(quarter, axis=0).T).sum()
    area = 4 * np.trapezoid(quarter[:, 1], quarter[:, 0])
    errors = []
    for resolution in (64, 128):
        found = regions_in_encoded_window(RING, PositionalEncoding(1), BOX, resolution=resolution)
        assert len(found) == 2
        inner = int(found.pattern[:, 0].argmax())
        errors.append([abs(found.area[inner] - area), abs(found.wall_lengths[0] - length)])
        assert (sorted(np.round([polygon_area(loop) for loop in found.loops[0]], 2))
                == [-1.25, 1.25, 4.0] or len(found.loops[0]) == 3)
    assert np.max(errors) < 2e-3
    np.testing.assert_allclose(np.divide(*errors), 4, rtol=0.1)


# -------------------------------------------------------------------- T44 and T45


@pytest.mark.parametrize("seed", range(3))
def test_t44_walls_are_as_long_as_random_lines_say(seed):
    """P / 2 times the mean number of walls that a line crosses, within four standard errors."""
    net = init([2, 8, 8, 1], np.random.default_rng(seed))
    exact = wall_length(net, KITE)
    lines = wall_length(net, KITE, np.random.default_rng(seed), lines=250)
    assert (exact.error == 0 and abs(lines.length - exact.length) < 4 * lines.error
            < 0.5 * exact.length)


def test_t44_a_known_curve_is_as_long_as_random_lines_say():
    """Under an encoding lines are exact too."""
    length = 4 * np.hypot(*np.diff(oval(), axis=0).T).sum()
    lines = wall_length(RING, BOX, np.random.default_rng(0), lines=150,
                        encoding=PositionalEncoding(1))
    assert abs(lines.length - length) < 4 * lines.error < length
    np.testing.assert_allclose(wall_length(RING, BOX, encoding=PositionalEncoding(1)).length,
                               length, rtol=1e-3)


@given(gaussian_nets(inputs=st.just(2), width=24))
def test_t45_a_region_has_at_most_four_neighbours_on_average(net):
    """In general position vertices inside have four edges, so there are at most two edges for each
    region."""
    found = regions_in_window(net, BOX)
    assert 2 * len(neighbours(found).edge) <= 4 * len(found)


@pytest.mark.parametrize("seed", range(3))
def test_t45_a_region_under_an_encoding_has_at_most_four_neighbours_on_average(seed):
    net = encoded_net(3, [16, 16], seed)
    found = regions_in_encoded_window(net, PositionalEncoding(3), ((0.1, 0.3), (0.2, 0.4)))
    pairs, edge = neighbours(found)
    assert (2 * len(pairs) <= 4 * len(found) and len(np.unique(np.sort(pairs, axis=1), axis=0))
            == len(pairs))
    differ = found.pattern[pairs[:, 0]] != found.pattern[pairs[:, 1]]
    assert (differ.sum(axis=1) == 1).all() and np.array_equal(differ.argmax(axis=1),
                                                              found.edge_owner[edge])


# ----------------------------------------------------------------------- settled


@pytest.mark.parametrize(("L", "size", "widths"), FAMILIES)
@pytest.mark.parametrize("seed", range(2))
def test_what_is_settled_has_as_many_regions_at_three_times_the_resolution(L, size, widths, seed):
    """To one in 1000, or one."""
    net, encoding = encoded_net(L, widths, seed), PositionalEncoding(L)
    window = ((0.4, 0.4 + size), (0.3, 0.3 + size))
    found, finer = (regions_in_encoded_window(net, encoding, window, resolution=r)
                    for r in (None, 192))
    assert (abs(len(found) - len(finer)) <= max(1, len(finer) / 1000) and len(found.unsettled)
            <= max(0, len(found) / 1000))


def test_halving_changes_how_walls_lie_only_in_and_beside_close_calls():
    """The same walls in the same order, the same crossings and patterns elsewhere, for nearly all
    that change."""
    changes = missed = calls = triangles = 0
    for k, (L, size, widths) in enumerate(FAMILIES * 2):
        net, encoding = encoded_net(L, widths, 3 + k), PositionalEncoding(L)
        found = regions_in_encoded_window(net, encoding, ((0.4, 0.4 + size), (0.3, 0.3 + size)),
                                          resolution=24)
        mesh, number = (found.triangulation,
                        {tuple(point): v for v, point in enumerate(found.triangulation.points)})
        corners = [number[tuple(point)] for point in found.unsettled.reshape(-1, 2)]
        close = np.isin(mesh.triangles, corners).any(axis=1)  # a close call, or beside one
        moved = changed(mesh, *lie_of_halved(net, encoding, mesh))
        changes, missed = changes + moved.sum(), missed + (moved & ~close).sum()
        calls, triangles = calls + len(found.unsettled), triangles + len(close)
    assert calls < 0.2 * triangles
    assert changes > 30 and missed <= 0.1 * changes


def test_triangles_that_are_too_large_are_unsettled():
    """A small oval around 0 holds no corner of triangles with eight legs to a wave, but that is a
    close call."""
    small, window = one_unit([0, 1, 0, 1], -1.95), ((-0.56, 0.56), (-0.56, 0.56))
    coarse, fine = (regions_in_encoded_window(small, PositionalEncoding(1), window, resolution=r)
                    for r in (8, None))
    assert len(coarse) == 1 and len(fine) == 2 and len(fine.unsettled) == 0
    assert (0 < len(coarse.unsettled) < len(coarse.triangulation.triangles)
            and (np.abs(coarse.unsettled) < 0.4).all())
    state = f"{len(coarse.unsettled)} of 50 triangles unsettled"
    assert repr(coarse) == f"EncodedRegions(1 regions, 1 units, {state})"


# ------------------------------------------------------------------ what one can ask


def test_regions_tile_the_window_and_are_found_where_they_are():
    """Areas sum to the window's, loops bound them, and the middle of every convex piece lies in its
    region."""
    found = regions_in_encoded_window(encoded_net(2, [12, 12], 0), PositionalEncoding(2), KITE,
                                      resolution=16)
    np.testing.assert_allclose(found.area.sum(), polygon_area(check_window(KITE)), rtol=1e-12)
    loops, owner = found.loops
    np.testing.assert_allclose(np.bincount(owner, [polygon_area(loop) for loop in loops]),
                               found.area, atol=1e-13)
    corner = found.pieces.points[found.pieces.edges.ravel()[found.cycles.half_edge]]
    middle = np.add.reduceat(corner, found.cycles.start[:-1]) / np.diff(found.cycles.start)[:, None]
    assert np.array_equal(locate(found, middle), found.region)
    assert (locate(found, [(2.0, 0.0), (-0.2, -0.4), (0.0, -0.6), (1.2, 1.3)]) == -1).all()
    assert (locate(found, KITE) >= 0).all() and locate(found, np.zeros((0, 2))).shape == (0,)


@pytest.mark.parametrize("resolution", [64, None])
def test_several_windows_have_the_regions_that_they_have_one_by_one(resolution):
    """Two of them side by side: a wall through both is not followed from one to the other."""
    net, encoding = encoded_net(3, [16, 16], 0), PositionalEncoding(3)
    windows = np.array([[[x, x + 0.125], [y, y + 0.125]]
                        for x, y in ((0.25, 0.5), (0.375, 0.5), (0.75, 0.0))])
    together = regions_in_encoded_window(net, encoding, windows, resolution=resolution)
    alone = [regions_in_encoded_window(net, encoding, window, resolution=resolution)
             for window in windows]
    assert len(together) == sum(map(len, alone)) and len(alone[0]) != len(alone[2])
    area = np.concatenate([found.area for found in alone])
    np.testing.assert_allclose(np.sort(together.area), np.sort(area),
                               atol=1e-12 if resolution else 1e-4)
    with pytest.raises(ValueError, match="window must"):
        regions_in_encoded_window(net, encoding, np.array(windows)[None])


@pytest.mark.parametrize("windows", [
    [[(0, 1), (0, 1)], [(0.5, 1.5), (0, 1)]], [[(0, 1), (0, 1)]] * 2, np.zeros((0, 2, 2)),
    [[(0, 3), (0, 1)], [(4, 5), (0, 1)], [(1, 2), (0.25, 0.5)]],
    [[(0, 0), (1, 0), (0, 1)], [(2, 0), (3, 0), (2, 1)]]])
def test_several_windows_are_boxes_that_do_not_overlap(windows):
    """Or regions would count twice."""
    with pytest.raises(ValueError, match="window must be .* that do not overlap"):
        regions_in_encoded_window(RING, PositionalEncoding(1), windows)


def test_walls_are_crossed_where_they_are_whatever_the_precision_of_the_ends():
    """float32 values are float64 values, and what is computed from them is in float64."""
    found = regions_in_encoded_window(RING, PositionalEncoding(1), BOX, resolution=16)
    ends = np.array([(-0.9, 0.1), (0.8, 0.3)], np.float32)
    t, unit = crossed_walls(found, *ends)
    assert len(t) == len(unit) == 2 and t.dtype == np.float64
    np.testing.assert_array_equal(t, crossed_walls(found, *ends.astype(np.float64))[0])
    with pytest.raises(ValueError, match="must differ"):
        crossed_walls(found, ends[0], ends[0])


def test_points_on_walls_go_to_a_region_beside_them():
    found = regions_in_encoded_window(encoded_net(2, [8, 8], 1), PositionalEncoding(2), UNIT,
                                      resolution=16)
    beside = {v: set() for v in range(len(found.vertices))}
    for (u, v), pair in zip(found.edges, found.edge_regions, strict=True):
        beside[u] |= set(pair)
        beside[v] |= set(pair)
    vertices = np.unique(found.edges)
    assert all(r in beside[v]
               for v, r in zip(vertices, locate(found, found.vertices[vertices]), strict=True))


def test_pictures_show_regions_and_walls_but_no_triangles():
    found = regions_in_encoded_window(encoded_net(1, [6, 6], 0), PositionalEncoding(1), UNIT,
                                      resolution=64)
    ax = Figure().subplots()
    faces = draw(ax, found)
    assert len(faces.get_paths()) == len(found.region)
    assert sum(len(lines.get_paths())
               for lines in ax.collections[1:]) == (found.edge_owner >= 0).sum()
    colours = faces.get_facecolor()
    for r in range(len(found)):
        assert len(np.unique(colours[found.region == r], axis=0)) == 1
    ax.figure.savefig(io.BytesIO())
    with pytest.raises(ValueError, match="colour must"):
        draw(ax, found, "slope")


# --------------------------------------------------- special networks and encodings


@pytest.mark.parametrize(("row", "bias", "regions"), [
    ([1, 0, 0, 0], 0.0, 1),    # sin(pi x) = 0 along two sides of the window
    ([1, 0, -1, 0], 0.0, 4),   # sin(pi x) = sin(pi y) along both diagonals
    ([0, 1, 0, 0], 0.0, 2),    # cos(pi x) = 0 along a line of the triangulation
    ([0, 0, 0, 0], 0.0, 1), ([0, 0, 0, 0], 1.0, 1),
])
def test_walls_along_sides_and_lines_of_the_triangulation(row, bias, regions):
    """Twice over, and with a unit that is 0 everywhere."""
    net = MLP((np.array([row, 2 * np.array(row), [0] * 4], float), np.ones((1, 3))),
              (np.array([bias, 2 * bias, 0]), np.zeros(1)))
    found = regions_in_encoded_window(net, PositionalEncoding(1), UNIT, resolution=16)
    assert len(found) == regions and (found.pattern[:, 0] == found.pattern[:, 1]).all()
    np.testing.assert_allclose(found.area.sum(), 1, rtol=1e-12)
    expected = {1: 0, 2: 1, 4: 2 * np.sqrt(2)}[regions]
    np.testing.assert_allclose(found.wall_lengths.sum(), expected, atol=1e-9)


@pytest.mark.parametrize(("waves", "regions"),
                         [([[0.5, 0.0]], 2), ([[0.0, 0.0]], 1), ([[0.0, 0.0], [0.0, 2.0]], 1)])
def test_an_encoding_need_not_have_waves_along_both_axes(waves, regions):
    net = one_unit([0, 1] + [0] * (2 * len(waves) - 2), -0.3)
    assert len(regions_in_encoded_window(net, FourierFeatures(waves), UNIT,
                                         resolution=32)) == regions


def test_a_network_without_hidden_units_has_one_region_under_an_encoding():
    found = regions_in_encoded_window(init([4, 2], np.random.default_rng(0)), PositionalEncoding(1),
                                      UNIT, resolution=8)
    assert len(found) == 1 and found.pattern.shape == (1, 0) and len(neighbours(found).edge) == 0
    assert len(regions_in_encoded_window(init([4, 0, 2], np.random.default_rng(0)),
                                         PositionalEncoding(1), UNIT, resolution=8)) == 1


@pytest.mark.parametrize(("change", "words"), [
    (dict(encoding=PositionalEncoding(2)), "encoding makes 8 columns"), (dict(encoding="L = 2"),
                                                                         "encoding must"),
    (dict(encoding=FourierFeatures([[1.0, 2.0, 3.0]])), "2"), (dict(resolution=0.5),
                                                               "resolution must"),
    (dict(resolution=np.nan), "resolution must"), (dict(max_regions=0), "max_regions must"),
    (dict(window=((0, 1e5), (0, 1e5))),
     "triangles with .* must be at most"), (dict(window=((0, 0), (0, 1))), "window must"),
    (dict(max_regions=3), "must be at most 3"),
])
def test_what_does_not_fit_is_refused_with_words(change, words):
    arguments = {"net": encoded_net(1, [6], 0), "encoding": PositionalEncoding(1), "window": UNIT,
                 **change}
    with pytest.raises(ValueError, match=words):
        regions_in_encoded_window(**arguments)


def test_too_many_regions_are_refused_before_they_are_found():
    """By the crossings of walls in some triangles, or by the number of convex pieces while they are
    counted."""
    arguments = encoded_net(2, [24, 24], 0), PositionalEncoding(2), UNIT
    found = len(regions_in_encoded_window(*arguments, resolution=8))
    with pytest.raises(ValueError, match="as judged from a part"):
        regions_in_encoded_window(*arguments, resolution=48, max_regions=found // 3)
    with pytest.raises(ValueError, match="max_regions = 20 allows"):
        regions_in_encoded_window(*arguments, resolution=8, max_regions=20)


def test_a_whole_image_is_refused_at_once():
    """Millions of regions, after half a second."""
    with pytest.raises(ValueError, match="regions, as judged from a part"):
        regions_in_encoded_window(encoded_net(6, [64, 64, 64], 0), PositionalEncoding(6), UNIT,
                                  resolution=24)


@pytest.mark.parametrize(("change", "words"), [
    (dict(triangles=[(0, 1, 1)]), "areas"), (dict(triangles=[(0, 1, 2), (0, 1, 3)]),
                                             "same side"), (dict(triangles=[(0, 1, 4)]),
                                                            "triangles"),
    (dict(triangles=np.zeros((0, 3), int)), "at least"), (dict(triangles=[(0, 1)]),
                                                          "three indices"),
    (dict(inputs=np.zeros((4, 3))), "inputs"), (dict(points=np.zeros((4, 3))), "points"),
])
def test_what_is_no_triangulation_is_refused(change, words):
    square = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    arguments = {"points": square, "triangles": [(0, 1, 2), (0, 2, 3)], "inputs": square, **change}
    net = init([2, 4, 1], np.random.default_rng(0))
    assert len(regions_on_triangles(net, square, [(2, 1, 0), (0, 3, 2)],
                                    square)) == len(regions_in_window(net, UNIT))
    with pytest.raises(ValueError, match=words):
        regions_on_triangles(net, **arguments)


@pytest.mark.parametrize("size", [2.0**-40, 2.0**40])
def test_triangles_may_have_any_size(size):
    """An area is compared with the square of a triangle's extent, and a sliver is refused at any
    size."""
    square = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    net = init([2, 4, 1], np.random.default_rng(0))
    found = regions_on_triangles(net, size * square, [(0, 1, 2), (0, 2, 3)], square)
    np.testing.assert_allclose(np.sort(found.area),
                               size**2 * np.sort(regions_in_window(net, UNIT).area), rtol=1e-9)
    with pytest.raises(ValueError, match="areas"):
        regions_on_triangles(net, size * np.array([(0, 0), (1, 0), (0.5, 1e-13)]), [(0, 1, 2)],
                             square[:3])
