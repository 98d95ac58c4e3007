"""Linear regions in a window of the plane: T2, T38, T39, and agreement with exact rational
arithmetic.

HYPOTHESIS_PROFILE=deep tries more networks; python -m tests.near_degenerate 2000 is the longest
run.
"""

import contextlib
import dataclasses
import io
import sys
from math import comb

import matplotlib
import numpy as np
import pytest
from hypothesis import event, example, given, note, settings
from hypothesis import strategies as st
from matplotlib.colors import rgb_to_hsv
from matplotlib.figure import Figure

from relu_dynamics.geometry import check_window, face_means, polygon_area
from relu_dynamics.mlp import MLP, forward, init, predict
from relu_dynamics.patterns import affine_map, pattern
from relu_dynamics.regions1d import regions_on_segment
from relu_dynamics.regions2d import (
    count_regions, draw, locate, neighbours, regions_in_window,
)
from relu_dynamics.testing import exact_area, exact_nets, exact_regions, gaussian_nets, halves
from tests.near_degenerate import FAMILIES, draw as draw_near_degenerate, judge

BOX = ((-1.0, 1.0), (-1.0, 1.0))
TRIANGLE = [(-1.0, -1.0), (1.5, -0.5), (0.0, 1.25)]
planar = {"inputs": st.just(2)}


def planar_nets(width=48):
    return gaussian_nets(width=width, **planar)


def corners_of(regions, f):
    return regions.vertices[regions.face_vertex[regions.face_start[f] : regions.face_start[f + 1]]]


def inside_of(regions):
    return face_means(regions.vertices, regions.face_start, regions.face_vertex)


def with_twins(net):
    """Every unit of the first layer twice, the second time read by none: walls that coincide, so
    that they are cut one unit at a time."""
    (W, V, *rest), (b, *biases) = net
    return MLP((np.vstack([W, W]), np.hstack([V, 0 * V]), *rest), (np.tile(b, 2), *biases))


@st.composite
def no_biases(draw):
    """All walls of the first layer meet in one point, where no pattern of a tie may be any
    region's."""
    net = draw(gaussian_nets(width=6, hidden=st.integers(1, 2), **planar))
    return MLP(net.weights, tuple(0 * b for b in net.biases))


def length_of_walls(regions):
    u, v = regions.vertices[regions.edges[regions.edge_owner >= 0]].swapaxes(0, 1)
    return np.hypot(*(v - u).T).sum()


def areas_by_pattern(regions):
    return {tuple(map(bool, q)): area
            for q, area in zip(regions.pattern, regions.area, strict=True)}


# ------------------------------------------------------- against exact arithmetic


@given(exact_nets(**planar), st.sampled_from([BOX, TRIANGLE, ((0.0, 3.0), (-2.0, 0.5))]))
def test_the_regions_of_a_lattice_net_are_those_of_rational_arithmetic(net, window):
    """Ties, equal walls, zero units and dead layers included: the same patterns with the same
    areas."""
    found = regions_in_window(net, window)
    note(f"level {found.level}")
    truth = {q: float(exact_area(polygon))
             for q, polygon in exact_regions(net, check_window(window)).items()}
    areas = areas_by_pattern(found)
    assert areas.keys() == truth.keys()
    # a wall is placed to within the tolerance, and no region has a perimeter over 12
    np.testing.assert_allclose([areas[q] for q in truth], list(truth.values()), rtol=0,
                               atol=12 * found.tolerance)


@given(planar_nets(width=6))
def test_the_regions_in_general_position_are_those_of_rational_arithmetic(net):
    """The weights of a float network are rational, so the truth is computable."""
    found = regions_in_window(net, BOX)
    truth = {q: float(exact_area(polygon))
             for q, polygon in exact_regions(net, check_window(BOX)).items()}
    areas = areas_by_pattern(found)
    assert areas.keys() == truth.keys()
    np.testing.assert_allclose([areas[q] for q in truth], list(truth.values()), rtol=0,
                               atol=8 * found.tolerance)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_an_answer_about_nearly_coincident_walls_is_right_or_refused(family):
    """Wherever the answer claims a region wider than its tolerance, rational arithmetic has it too,
    and conversely."""
    for k in range(max(10, settings.default.max_examples // 5)):
        name, net = draw_near_degenerate(np.random.default_rng([k, FAMILIES.index(family)]), family)
        problem, _, _ = judge(net, BOX)
        assert problem is None, (k, name, problem)


def test_most_degenerate_networks_are_answered():
    """Refusing everything would pass the test above."""
    levels = []
    for k in range(60):
        with contextlib.suppress(ValueError):
            net = draw_near_degenerate(np.random.default_rng([7, k]))[1]
            levels.append(regions_in_window(net, BOX).level)
    assert len(levels) > 40 and levels.count(0) > 20 and np.count_nonzero(levels) > 5


# ---------------------------------------------------------------- the complex


@given(planar_nets(), st.sampled_from([BOX, TRIANGLE]))
def test_the_regions_tile_the_window(net, window):
    """Areas are positive and sum to the window's, and V - E + F = 1."""
    found = regions_in_window(net, window)
    assert (found.area > 0).all()
    np.testing.assert_allclose(found.area.sum(), polygon_area(check_window(window)), rtol=1e-13)
    assert len(found.vertices) - len(found.edges) + len(found) == 1


@given(planar_nets())
def test_patterns_are_distinct_and_are_the_networks_inside_each_region(net):
    """The mean of a convex polygon's corners lies inside it (T2)."""
    found = regions_in_window(net, BOX)
    assert len(np.unique(found.pattern, axis=0)) == len(found)
    assert np.array_equal(found.pattern, pattern(net, inside_of(found)))


@given(planar_nets())
def test_neighbours_differ_exactly_in_the_unit_that_owns_their_edge(net):
    """In general position one unit changes sign across a wall, and no deeper unit with it (T38)."""
    found = regions_in_window(net, BOX)
    pairs, edge = neighbours(found)
    differ = found.pattern[pairs[:, 0]] != found.pattern[pairs[:, 1]]
    assert (differ.sum(axis=1) == 1).all()
    assert np.array_equal(differ.argmax(axis=1), found.edge_owner[edge])
    assert np.array_equal(edge, np.flatnonzero(found.edge_owner >= 0))
    assert (found.edge_owner == -1).sum() == (found.edge_faces == -1).sum()
    starts = np.cumsum([0, *(len(b) for b in net.biases[:-1])])
    for owner, layer in zip(found.edge_owner, found.edge_layer, strict=True):
        assert layer == -1 if owner < 0 else starts[layer] <= owner < starts[layer + 1]


@given(st.one_of(planar_nets(width=16), exact_nets(**planar)))
def test_faces_are_convex_and_bounded_by_the_edges_that_name_them(net):
    """Around each face, counter-clockwise, consecutive corners are an edge with that face to its
    left."""
    found = regions_in_window(net, BOX)
    left = {(int(u), int(v)): int(f)
            for (u, v), (f, _) in zip(found.edges, found.edge_faces, strict=True)}
    left |= {(int(v), int(u)): int(f)
             for (u, v), (_, f) in zip(found.edges, found.edge_faces, strict=True)}
    sides = 0
    for f in range(len(found)):
        loop = found.face_vertex[found.face_start[f] : found.face_start[f + 1]].tolist()
        assert all(left[u, v] == f for u, v in zip(loop, loop[1:] + loop[:1], strict=True))
        sides += len(loop)
        side = np.roll(corners_of(found, f), -1, axis=0) - corners_of(found, f)
        after = np.roll(side, -1, axis=0)
        turn = side[:, 0] * after[:, 1] - side[:, 1] * after[:, 0]
        assert (turn > -1e-13).all()
    assert sides == (found.edge_faces >= 0).sum()


@given(st.one_of(planar_nets(), exact_nets(**planar)))
def test_the_affine_map_of_a_region_is_the_network_on_it(net):
    """f(x) = slope x + offset on the whole region, and at its corners by continuity (T2)."""
    found = regions_in_window(net, BOX)
    face = np.repeat(np.arange(len(found)), np.diff(found.face_start))
    x = found.vertices[found.face_vertex]
    f = np.einsum("nij,nj->ni", found.slope[face], x) + found.offset[face]
    size = np.prod([np.abs(W).sum(axis=1).max() + np.abs(b).max() + 1
                    for W, b in zip(*net, strict=True)])
    np.testing.assert_allclose(f, predict(net, x), rtol=0,
                               atol=64 * np.finfo(float).eps * size + 8 * found.tolerance * size)


# ------------------------------------------------------------------- counting


@given(gaussian_nets(hidden=st.just(1), **planar))
def test_one_layer_makes_one_region_more_than_walls_and_crossings_in_the_window(net):
    """T38, with walls and crossings counted line by line."""
    W, b = net.weights[0], net.biases[0]
    ends = np.array([(x, y) for x in (-1, 1) for y in (-1, 1)])
    z = W @ ends.T + b[:, None]
    walls = int(((z.max(axis=1) > 0) & (z.min(axis=1) < 0)).sum())
    i, j = np.triu_indices(len(W), 1)
    meet = np.linalg.solve(np.stack([W[i], W[j]], axis=1),
                           -np.stack([b[i], b[j]], axis=1)[..., None])[..., 0]
    crossings = int((np.abs(meet) < 1).all(axis=1).sum())
    assert count_regions(net, BOX) == 1 + walls + crossings <= 1 + len(W) + comb(len(W), 2)


@given(gaussian_nets(width=6, **planar))
def test_every_layer_multiplies_the_count_by_at_most_the_lines_bound(net):
    """In each region of the layers before, n units make at most 1 + n + C(n, 2) regions (T38)."""
    bound = 1
    for b in net.biases[:-1]:
        bound *= 1 + len(b) + comb(len(b), 2)
    assert count_regions(net, BOX) <= bound


@pytest.mark.parametrize("widths, regions",
                         [([64] * 3, 5058), ([128] * 2, 9976), ([256] * 3, 90756)])
def test_counts_that_float32_gets_wrong_are_certified(widths, regions):
    """For the last one float32 finds 90757; every vertex is clearer by far of other walls than of
    its own."""
    found = regions_in_window(init([2, *widths, 1], np.random.default_rng(0)), BOX)
    assert len(found) == regions and found.level == 0  # a layer at a time, not unit by unit
    if max(widths) < 256:  # else a second of its own
        assert found.certificate.ok and found.certificate.warning == ""
        assert found.certificate.on < 1e-15 and found.certificate.off > 1e5 * found.certificate.on


def test_affine_maps_of_wide_layers_are_those_of_the_patterns():
    """More units than fit into a word, and more regions than fit into a block (T2)."""
    found = regions_in_window(init([2, 70, 130, 2], np.random.default_rng(1)), BOX)
    slope, offset = affine_map(found.net, found.pattern)
    assert len(found) > 4096
    np.testing.assert_allclose(found.slope, slope, atol=1e-13)
    np.testing.assert_allclose(found.offset, offset, atol=1e-13)


# ----------------------------------------------------------------- invariance


@given(planar_nets(), st.integers(0, 2**32 - 1))
def test_scaling_units_by_powers_of_two_changes_no_bit(net, seed):
    """In by s, out by 1/s leaves every wall where it is (T39); a power of two rounds nothing."""
    rng = np.random.default_rng(seed)
    weights, biases = [np.array(W) for W in net.weights], [np.array(b) for b in net.biases]
    for k in range(len(weights) - 1):
        s = 2.0 ** rng.integers(-2, 3, len(biases[k]))
        weights[k] *= s[:, None]
        biases[k] *= s
        weights[k + 1] /= s
    found, scaled = (regions_in_window(net, BOX),
                     regions_in_window(MLP(tuple(weights), tuple(biases)), BOX))
    assert (np.array_equal(found.pattern, scaled.pattern)
            and np.array_equal(found.edges, scaled.edges))
    np.testing.assert_allclose(found.area, scaled.area, rtol=0, atol=8 * found.tolerance)
    np.testing.assert_allclose(found.slope, scaled.slope, rtol=1e-9, atol=1e-12)


@given(planar_nets(width=24), st.integers(0, 2**32 - 1))
def test_permuting_units_permutes_patterns(net, seed):
    """The same regions with the same areas, their bits in the new order (T39)."""
    rng = np.random.default_rng(seed)
    weights, biases, order, at = list(net.weights), list(net.biases), [], 0
    for k in range(len(weights) - 1):
        p = rng.permutation(len(biases[k]))
        weights[k], biases[k], weights[k + 1] = weights[k][p], biases[k][p], weights[k + 1][:, p]
        order.append(at + p)
        at += len(p)
    found, permuted = (regions_in_window(net, BOX),
                       regions_in_window(MLP(tuple(weights), tuple(biases)), BOX))
    expected = {tuple(map(bool, q[np.concatenate(order)])): area
                for q, area in zip(found.pattern, found.area, strict=True)}
    areas = areas_by_pattern(permuted)
    assert areas.keys() == expected.keys()
    np.testing.assert_allclose([areas[q] for q in expected], list(expected.values()), rtol=0,
                               atol=16 * found.tolerance)


@given(planar_nets(width=24))
def test_the_regions_of_a_window_are_those_of_its_halves_put_together(net):
    """A pattern's area in the box is the sum of its areas left and right of a cut."""
    whole = areas_by_pattern(regions_in_window(net, BOX))
    halves_ = [areas_by_pattern(regions_in_window(net, half))
               for half in (((-1, 0.1), (-1, 1)), ((0.1, 1), (-1, 1)))]
    assert whole.keys() == halves_[0].keys() | halves_[1].keys()
    for q, area in whole.items():
        np.testing.assert_allclose(sum(half.get(q, 0.0) for half in halves_), area, rtol=0,
                                   atol=1e-10)


@given(gaussian_nets(width=20, hidden=st.integers(1, 3), **planar))
def test_cutting_unit_by_unit_finds_the_same_regions(net):
    """The path for walls not in general position shares no step with the other."""
    found, slow = regions_in_window(net, BOX), regions_in_window(with_twins(net), BOX)
    n = len(net.biases[0])
    assert np.array_equal(slow.pattern[:, :n], slow.pattern[:, n : 2 * n])
    assert (slow.level > 0) == (0 <= found.edge_owner[found.edge_owner >= 0].min(initial=n) < n)
    expected = areas_by_pattern(found)
    areas = {q[n:]: area for q, area in areas_by_pattern(slow).items()}
    assert areas.keys() == expected.keys()
    np.testing.assert_allclose([areas[q] for q in expected], list(expected.values()), rtol=0,
                               atol=16 * slow.tolerance)
    np.testing.assert_allclose(length_of_walls(slow), length_of_walls(found), rtol=1e-9)


# ------------------------------------------------------------------- location


@given(planar_nets(), st.sampled_from([BOX, TRIANGLE]), st.integers(0, 2**32 - 1))
def test_a_sampled_point_lies_in_the_region_that_has_its_pattern(net, window, seed):
    """Sampling never finds a pattern that enumeration has missed, and the polygon located contains
    the point."""
    found = regions_in_window(net, window)
    x = np.random.default_rng(seed).uniform(-1.2, 1.6, (300, 2))
    face = locate(found, x)
    side = np.roll(found.window, -1, axis=0) - found.window
    arm = x[:, None] - found.window
    assert np.array_equal(face >= 0,
                          (side[:, 0] * arm[..., 1] - side[:, 1] * arm[..., 0] > 0).all(axis=1))
    inside = face >= 0
    assert np.array_equal(found.pattern[face[inside]], pattern(net, x[inside]))
    for point, f in zip(x[inside][:40], face[inside][:40], strict=True):
        corners = corners_of(found, f)
        side = np.roll(corners, -1, axis=0) - corners
        assert (side[:, 0] * (point - corners)[:, 1] - side[:, 1] * (point - corners)[:, 0] >
                -1e-12).all()


@given(planar_nets(width=16), st.sampled_from([BOX, TRIANGLE]), st.integers(0, 2**32 - 1))
def test_few_points_are_located_as_among_many(net, window, seed):
    found = regions_in_window(net, window)
    x = np.random.default_rng(seed).uniform(-1.2, 1.2, (100, 2))
    assert np.array_equal(np.concatenate([locate(found, some) for some in np.split(x, 20)]),
                          locate(found, x))


def test_a_point_whose_pattern_comes_after_all_others_goes_to_a_region_beside_it():
    """max(x + d, 0) and max(d - x, 0), d below rounding: both are on at x = 0 only, one or the
    other beside it."""
    net = MLP((np.array([[1.0, 0.0], [-1.0, 0.0]]), np.ones((1, 2))),
              (np.full(2, 1e-17), np.zeros(1)))
    found, x = regions_in_window(net, BOX), np.array([[0.0, 0.25]])
    assert (len(found) == 2 and forward(net, x).pattern[0].all()
            and not found.pattern.all(axis=1).any())
    assert_touches(found, x, locate(found, x))


@given(exact_nets(**planar), halves((6, 2), largest=1))
def test_a_point_on_walls_belongs_to_a_region_that_touches_it(net, x):
    """Also a point on the window's side, and one whose pattern, all ties off, no region has."""
    found = regions_in_window(net, BOX)
    assert_touches(found, x, locate(found, x))


def assert_touches(found, x, faces):
    for point, f in zip(x, faces, strict=True):
        corners = corners_of(found, f)
        side = np.roll(corners, -1, axis=0) - corners
        distance = (side[:, 0] * (point - corners)[:, 1]
                    - side[:, 1] * (point - corners)[:, 0]) / np.hypot(*side.T)
        assert f >= 0 and distance.min() > -1e-11


@given(st.one_of(exact_nets(**planar), no_biases()), st.sampled_from([BOX, TRIANGLE]),
       st.sampled_from([(0, 0, 0), (10, -6, 0), (2**14, 2**13 - 1, 0), (2**20, -(2**20), 0),
                        (-3, 2**20, 10), (5, 3, -20), (0, 0, 20)]))
@example(MLP((np.array([[1.0, 0], [-1, 0], [1, -1], [1, 1]]), np.ones((1, 4))),
             (np.zeros(4), np.zeros(1))), BOX, (0, 0, 0))
@example(init([2, 5, 1], np.random.default_rng(0), scheme="he"), BOX, (0, 0, 0))
def test_every_point_of_a_closed_window_lies_in_the_closed_region_it_is_located_in(
        net, window, place):
    """Vertices, middles of edges and points of the window's sides, where patterns tie, of the
    complex moved and scaled."""
    x, y, power = place
    scale, offset = 2.0**power, np.array([x, y], float)
    moved = MLP((net.weights[0] / scale, *net.weights[1:]),
                (net.biases[0] - net.weights[0] @ offset / scale, *net.biases[1:]))
    corners = scale * check_window(window) + offset
    try:
        found = regions_in_window(moved, corners)
    except ValueError as refusal:  # a region may be narrower than the rounding of its coordinates
        assert "float64" in str(refusal) and np.abs(offset).max() > 1e4 * scale
        event("refused")
        return
    share = np.random.default_rng(0).uniform(0, 1, (6, 1, 1))
    sides = ((1 - share) * corners + share * np.roll(corners, -1, axis=0)).reshape(-1, 2)
    points = np.concatenate([found.vertices, found.vertices[found.edges].mean(axis=1), sides])
    faces = locate(found, points)
    assert (faces >= 0).all()
    # in a position, of a vertex or of a point
    slack = found.tolerance + 64 * np.finfo(float).eps * np.abs(corners).max()
    assert max(distance_outside(corners_of(found, f), point)
               for point, f in zip(points, faces, strict=True)) <= slack


def distance_outside(corners, point):
    """How far a point lies outside a convex polygon; 0 inside."""
    along, arm = np.roll(corners, -1, axis=0) - corners, point - corners
    if (along[:, 0] * arm[:, 1] - along[:, 1] * arm[:, 0] >= 0).all():
        return 0.0
    share = np.clip((arm * along).sum(axis=1) / (along**2).sum(axis=1), 0, 1)
    return np.hypot(*(arm - share[:, None] * along).T).min()


@pytest.mark.parametrize("window", [BOX, TRIANGLE])
def test_corners_and_sides_of_the_window_lie_in_the_regions_beside_them(window):
    found = regions_in_window(init([2, 16, 16, 1], np.random.default_rng(0)), window)
    corners = check_window(window)
    share = np.linspace(0, 1, 9)[:, None, None]
    x = ((1 - share) * corners + share * np.roll(corners, -1, axis=0)).reshape(-1, 2)
    assert_touches(found, x, locate(found, x))


def test_a_point_whose_pattern_no_region_has_belongs_to_one_that_touches_it():
    """On the common wall x_1 = 0 of two opposite units both are off, and beside it one of them is
    on."""
    net = MLP((np.array([[0.5, 1.0], [-1.0, 1.0], [1.0, 0.0], [-1.0, 0.0]]), np.ones((1, 4))),
              (np.array([-0.25, 0.5, 0.0, 0.0]), np.zeros(1)))
    found = regions_in_window(net, BOX)
    wall = np.column_stack([np.zeros(9), np.linspace(-0.9, 0.9, 9)])
    assert not (found.pattern[:, 2:].sum(axis=1) != 1).any() and not pattern(net, wall)[:, 2:].any()
    assert np.array_equal(found.pattern[locate(found, wall)][:, :2], pattern(net, wall)[:, :2])


# -------------------------------------------------------------- special networks


def test_a_network_without_hidden_units_has_one_region():
    """An affine function; also when a hidden layer is empty, and then the function is constant."""
    affine = init([2, 3], np.random.default_rng(0))
    empty = init([2, 5, 0, 2], np.random.default_rng(0))
    assert regions_in_window(init([2, 0, 1], np.random.default_rng(0)), BOX).certificate.ok
    found = regions_in_window(affine, TRIANGLE)
    assert len(found) == count_regions(affine, TRIANGLE) == 1
    assert (np.array_equal(found.slope[0], affine.weights[0])
            and np.array_equal(found.offset[0], affine.biases[0]))
    assert (found.pattern.shape == (1, 0) and locate(found, [(0.0, 0.0), (5.0, 5.0)]).tolist()
            == [0, -1])
    assert (found.certificate.ok and len(regions_in_window(affine, BOX, max_regions=1))
            == count_regions(affine, BOX, max_regions=1) == 1)
    found = regions_in_window(empty, BOX)
    first = MLP(empty.weights[:1] + (np.ones((1, 5)),), empty.biases[:1] + (np.ones(1),))
    assert len(found) == count_regions(empty, BOX) == count_regions(first, BOX)
    assert not found.slope.any() and (found.offset == empty.biases[-1]).all()


def test_without_biases_all_first_walls_meet_at_the_origin():
    """n lines through the centre make 2n regions, and n wedges between them at a corner."""
    net = init([2, 7, 1], np.random.default_rng(3), scheme="he")
    found = regions_in_window(net, BOX)
    assert len(found) == 14 and found.level > 0 and found.certificate.ok
    origin = np.flatnonzero((np.abs(found.vertices) < 1e-12).all(axis=1))
    assert len(origin) == 1 and (found.edges == origin[0]).any(axis=1).sum() == 14


def test_equal_walls_are_cut_once():
    """A scaled copy and a mirror image switch at the same wall: two regions, which differ in all
    three units."""
    w = np.array([0.3, -0.7])
    net = MLP((np.array([w, 2 * w, -3 * w]), np.ones((1, 3))),
              (np.array([0.1, 0.2, -0.3]), np.zeros(1)))
    found = regions_in_window(net, BOX)
    assert len(found) == count_regions(net, BOX) == 2
    assert (found.pattern[0] != found.pattern[1]).all()
    # two of the walls own no edge, but vertices lie on them
    assert found.certificate.ok and found.certificate.off > 0.1


def test_float32_networks_are_enumerated_in_float64_and_left_alone():
    """float32 values are float64 values."""
    net = init([2, 8, 8, 1], np.random.default_rng(0))
    single = MLP(*(tuple(part.astype(np.float32) for part in parts) for parts in net))
    double = MLP(*(tuple(part.astype(np.float64) for part in parts) for parts in single))
    before = [part.copy() for parts in single for part in parts]
    areas = [areas_by_pattern(regions_in_window(each, BOX)) for each in (single, double)]
    assert areas[0] == areas[1]
    assert all(np.array_equal(a, b)
               for a, b in zip(before, [part for parts in single for part in parts], strict=True))


def test_regions_print_in_one_line_that_says_whether_they_are_certified():
    """Large certificates are not computed to print."""
    found = regions_in_window(init([2, 32, 32, 32, 1], np.random.default_rng(0)), BOX)
    assert repr(found) == "Regions(1036 regions, 96 units, certificate ok)"
    large = regions_in_window(init([2, 128, 128, 1], np.random.default_rng(0)), BOX)
    assert repr(large) == "Regions(9976 regions, 256 units, certificate not computed)"
    assert (large.certificate.ok and repr(large)
            == "Regions(9976 regions, 256 units, certificate ok)")


def test_regions_stay_what_they_were_when_the_network_trains_on():
    """Maps and certificate are computed when asked for, of the network that was given."""
    net = init([2, 16, 16, 1], np.random.default_rng(0))
    found, expected = regions_in_window(net, BOX), regions_in_window(net, BOX)
    slope = expected.slope
    for part in (*net.weights, *net.biases):
        part += 1
    np.testing.assert_array_equal(found.slope, slope)
    assert found.certificate.ok


# ------------------------------------------------------- refusals and warnings


def test_more_regions_than_allowed_are_refused():
    """The guard counts before it builds."""
    net = init([2, 16, 16, 1], np.random.default_rng(0))
    regions = count_regions(net, BOX)
    assert len(regions_in_window(net, BOX, max_regions=regions)) == regions
    for function in (count_regions, regions_in_window):
        with pytest.raises(ValueError, match="max_regions = "):
            function(net, BOX, max_regions=regions - 1)
    with pytest.raises(ValueError, match="max_regions = 10"):
        regions_in_window(init([2, 4, 4, 1], np.random.default_rng(0), scheme="he"), BOX,
                          max_regions=10)


@pytest.mark.parametrize("arguments, problem", [
    ((init([3, 4, 1], np.random.default_rng(0)), BOX), "two inputs"),
    ((init([1, 4, 1], np.random.default_rng(0)), BOX), "two inputs.*regions_on_segment"),
    ((init([2, 4, 1], np.random.default_rng(0)), ((0, 0), (1, 2))), "window must"),
    (((np.zeros((1, 2)),), BOX), "net must"),
])
def test_what_cannot_be_meant_is_refused(arguments, problem):
    """At the door, by name."""
    for function in (count_regions, regions_in_window):
        with pytest.raises(ValueError, match=problem):
            function(*arguments)
    with pytest.raises(ValueError, match="max_regions must"):
        count_regions(init([2, 4, 1], np.random.default_rng(0)), BOX, max_regions=0)


def test_a_difference_below_rounding_is_refused():
    """Where a unit is the difference of two that agree to 1e-15, no float64 computation knows its
    sign."""
    W = np.array([[0.3, 0.7], [0.3, 0.7 + 1e-15], [0.5, -0.2]])
    b = np.array([1.5, 1.5 + 4e-16, 0.1])
    net = MLP((W, np.array([[1.0, -1.0, 0.0]]), np.ones((1, 1))), (b, np.zeros(1), np.zeros(1)))
    with pytest.raises(ValueError, match="float64"):
        regions_in_window(net, BOX)


def test_what_a_layer_loses_by_cancellation_counts_in_the_tolerance_of_the_next():
    """x + 2 as 10^9 times the difference of two units that agree to 10^-9, then the wall x = 0.3:
    misplaced by 10^-8 or so, which the wall's own sums, of size 2, do not show."""
    net = MLP((np.array([[0.1, 0.3], [0.1 + 1e-9, 0.3]]), np.array([[-1e9, 1e9]]), np.ones((1, 1)),
               np.ones((1, 1))), (np.full(2, 2.0), np.full(1, 2.0), np.full(1, -2.3), np.zeros(1)))
    found = regions_in_window(net, BOX)
    truth = sorted(float(exact_area(p)) for p in exact_regions(net, check_window(BOX)).values())
    error = np.abs(np.sort(found.area) - truth).max()
    assert len(found) == 2 and found.level == 0 and 1e-11 < error < 2 * found.tolerance < 1e-3


def test_a_wall_that_float64_rounds_away_is_not_overlooked():
    """Two units differ by one bit of one weight.  Their difference, 1e-16 y, rounds to 0 at every
    corner, but its wall is y = 0."""
    W = np.array([[0.25, 0.75], [0.25, np.nextafter(0.75, 1)]])
    net = MLP((W, np.array([[1.0, -1.0]]), np.ones((1, 1))),
              (np.full(2, 1.5), np.zeros(1), np.zeros(1)))
    assert not (predict(MLP(net.weights[:2], net.biases[:2]),
                        [(x, y) for x in (-1, 1) for y in (-1, 1)]) > 1e-15).any()
    with pytest.raises(ValueError, match="float64"):
        regions_in_window(net, BOX)


def test_a_difference_that_is_exactly_nothing_has_no_wall():
    """The same with equal weights: 0 everywhere, whatever the size of the units that cancel."""
    W = np.array([[0.3, 0.7], [0.1, -0.9], [0.3, 0.7]])
    net = MLP((W, np.array([[1.0, 0.0, -1.0]]), np.ones((1, 1))),
              (np.array([0.5, 0.2, 0.5]), np.zeros(1), np.zeros(1)))
    found = regions_in_window(net, BOX)
    assert (len(found) == len(exact_regions(net, check_window(BOX)))
            and not found.pattern[:, 3].any())
    assert found.tolerance < 1e-12


def test_the_certificate_of_another_network_does_not_hold():
    """Moving the weights by 1e-9 moves pre-activations on the walls off 0 by as much."""
    net = init([2, 16, 16, 1], np.random.default_rng(0))
    found = regions_in_window(net, BOX)
    moved = MLP((net.weights[0] + 1e-9, *net.weights[1:]), net.biases)
    other = dataclasses.replace(found, net=moved)
    assert found.certificate.ok and not other.certificate.ok
    assert "scaled pre-activations" in other.certificate.warning


@pytest.mark.parametrize("zero_unit", [False, True])
def test_the_certificate_is_the_clearance_at_every_vertex(zero_unit):
    """on over the walls that a vertex lies on, off over all others; a unit that is zero everywhere
    has no wall and no clearance."""
    net = init([2, 16, 12, 1], np.random.default_rng(0))
    if zero_unit:
        net.weights[0][5], net.biases[0][5] = 0, 0
    found = regions_in_window(net, BOX)
    size = np.abs(np.concatenate(forward(net, found.vertices).preacts[:-1],
                                 axis=1)) / np.maximum(found.scale, 1e-300)
    own = np.zeros(size.shape, bool)
    for (u, v), owner in zip(found.edges, found.edge_owner, strict=True):
        if owner >= 0:
            own[[u, v], owner] = True
    np.testing.assert_allclose(found.certificate.on, size[own].max(), rtol=0, atol=2e-16)
    np.testing.assert_allclose(found.certificate.off, size[~own & (size > 0)].min(), rtol=1e-6)
    assert found.certificate.ok


@pytest.mark.parametrize("seed", range(10))
def test_walls_in_general_position_take_the_fast_path(seed):
    """A layer at a time: cutting unit by unit would hide that this refuses too much."""
    net = init([2, 24, 40, 24, 1], np.random.default_rng(seed))
    assert regions_in_window(net, BOX).level == 0


def test_a_wall_through_a_corner_of_the_window_is_cut_unit_by_unit():
    """A layer at a time would have to guess on which side of it the corner lies."""
    net = MLP((np.array([[1.0, 1.0]]), np.ones((1, 1))), (np.zeros(1), np.zeros(1)))
    found = regions_in_window(net, BOX)
    assert found.level > 0 and found.area.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("widths", [[], [63], [64], [65], [65, 3], [3, 129, 64]])
def test_patterns_take_one_word_for_64_units_and_come_out_of_them_as_they_are(widths):
    net = init([2, *widths, 1], np.random.default_rng(0))
    found = regions_in_window(net, ((-0.1, 0.1), (-0.1, 0.1)))
    assert found.packed.shape == (len(found), sum((width + 63) // 64 for width in widths))
    q = [*forward(net, inside_of(found)).pattern, np.zeros((len(found), 0), bool)]
    np.testing.assert_array_equal(found.pattern, np.concatenate(q, axis=1))


def test_a_unit_without_weights_is_no_reason_to_go_unit_by_unit():
    """z = 0 everywhere is off without a doubt, and so is z = b; neither has a wall."""
    net = init([2, 8, 8, 1], np.random.default_rng(0))
    for W, b, value in ((net.weights[0], net.biases[0], 0.0), (net.weights[1], net.biases[1], 0.5)):
        W[3], b[3] = 0, value
    found = regions_in_window(net, BOX)
    assert found.level == 0 and not found.pattern[:, 3].any() and found.pattern[:, 11].all()


# one wall, x = 0, twice
COINCIDENT = MLP((np.array([[1.0, 0.0]] * 2), np.ones((1, 2))), (np.zeros(2), np.zeros(1)))


@pytest.mark.parametrize("window", [BOX, TRIANGLE])
def test_too_many_regions_are_refused_unit_by_unit_too(window):
    assert len(regions_in_window(COINCIDENT, window, max_regions=2)) == 2
    with pytest.raises(ValueError, match="more than max_regions = 1 "):
        regions_in_window(COINCIDENT, window, max_regions=1)


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (10.0, 0.0), (0.0, -7.0)])
def test_a_wall_is_placed_as_well_as_rounding_and_the_slope_of_its_unit_allow(x, y):
    """z = 4 (x - x0 - 1/2): its sums are up to 4 |x|, |y| at most and the bias, its slope 4, and a
    region has a wall on either side."""
    net = MLP((np.array([[4.0, 0.0]]), np.ones((1, 1))), (np.array([-4 * (x + 0.5)]), np.zeros(1)))
    found = regions_in_window(net, ((x, x + 1), (y, y + 1)))
    size = 4 * max(abs(x), x + 1, abs(y), y + 1) + 4 * (x + 0.5)
    assert len(found) == 2 and found.level == 0
    np.testing.assert_allclose(found.tolerance, max(1e-14, 2 * 1e-14 * size / 4), rtol=1e-9)


@pytest.mark.parametrize("window",
                         [((3, 7), (-5, -4)), ((-5, -4), (3, 7)), [(3, 0), (7, 0), (6, 2)]])
def test_where_no_wall_comes_the_tolerance_is_one_part_in_1e14_of_the_windows_longer_side(window):
    always_on = MLP((np.array([[1.0, 1.0]]), np.ones((1, 1))), (np.array([100.0]), np.zeros(1)))
    assert regions_in_window(always_on, window).tolerance == 4e-14


def test_a_unit_that_is_nowhere_near_zero_hides_no_wall_however_flat_it_is():
    """1 + max(x, 0) / 10^6: rounding would move a wall of that slope by 10^-8, but it has none."""
    net = MLP((np.array([[1.0, 0.0]]), np.array([[1e-6]]), np.ones((1, 1))),
              (np.zeros(1), np.ones(1), np.zeros(1)))
    found = regions_in_window(with_twins(net), BOX)
    assert found.level > 0 and found.tolerance < 1e-13


def test_a_unit_that_cancels_to_zero_on_a_face_hides_no_wall_there():
    """max(x + 1/2, 0) - max(x, 0) - 1/2 is 0 for x > 0, by biases that cancel, and negative
    elsewhere."""
    net = MLP((np.array([[1.0, 0.0]] * 2), np.array([[1.0, -1.0]]), np.ones((1, 1))),
              (np.array([0.5, 0.0]), np.array([-0.5]), np.zeros(1)))
    found = regions_in_window(with_twins(net), BOX)
    assert sorted(found.area.tolist()) == [1.0, 1.0, 2.0] and not found.pattern[:, 4].any()
    assert found.level > 0 and found.tolerance < 1e-12


def test_a_wall_that_may_or_may_not_cut_off_a_corner_counts_in_the_tolerance():
    """x + y = 2 touches the unit square in one corner; rounding of z, up to 4e-14, moves it by
    4e-14 / sqrt(2)."""
    touching = MLP((np.array([[1.0, 1.0]]), np.ones((1, 1))), (np.array([-2.0]), np.zeros(1)))
    found = regions_in_window(touching, ((0, 1), (0, 1)))
    assert (len(found) == 1 and found.level == 1e-14 and found.tolerance > 2 * 4e-14 / np.sqrt(2)
            - 1e-16)


@pytest.mark.parametrize(("x", "y", "size", "twins"), [(0, 0, 1, 1e11), (0, 100, 1, 1e9),
                                                       (100, 0, 1, 1e9), (0, 0, 1 / 64, 1e12)])
def test_what_hides_a_hundredth_of_the_window_is_refused_wherever_the_window_lies(
        x, y, size, twins):
    """Twins that cancel leave rounding of 3e-3 size in a unit of slope 1: sums of 3 times 1e11, of
    150 times 1e9, or of 3 / 64 times 1e12."""
    net = MLP((np.array([[1.0, 0.0]] * 3), np.array([[twins, -twins, 1.0]]), np.ones((1, 1))),
              (np.full(3, -size / 4 - x), np.array([-size / 2]), np.zeros(1)))
    with pytest.raises(ValueError, match="rounding hides walls of regions as wide as"):
        regions_in_window(net, ((x, x + size), (y, y + size)))


@given(st.one_of(exact_nets(**planar), planar_nets(width=12)), st.sampled_from([-20, 20]))
def test_a_window_a_million_times_smaller_has_the_same_regions_a_million_times_smaller(net, power):
    """Window and biases times 2^k: nothing changes but the scale, to the bit, and that goes for the
    tolerance."""
    factor = 2.0**power
    scaled = MLP(net.weights, tuple(b * factor for b in net.biases))
    try:
        found = regions_in_window(net, BOX)
    except ValueError:
        with pytest.raises(ValueError):
            regions_in_window(scaled, np.array(BOX) * factor)
        return
    other = regions_in_window(scaled, np.array(BOX) * factor)
    assert other.level == found.level and other.tolerance == factor * found.tolerance
    assert other.certificate == found.certificate
    np.testing.assert_array_equal(other.vertices, factor * found.vertices)
    np.testing.assert_array_equal(other.packed, found.packed)


def test_walls_1e_13_apart_are_told_apart():
    """Never is the farther one on without the nearer one."""
    net = MLP((np.array([[1.0, 0.0], [1.0, 0.0], [0.2, 1.0]]), np.ones((1, 3))),
              (np.array([-1e-13, 0.0, 0.3]), np.zeros(1)))
    found = regions_in_window(net, BOX)
    assert (len(found) == 6 and found.level == 0
            and not (found.pattern[:, 0] & ~found.pattern[:, 1]).any())


# -------------------------------------------------------------------- pictures


@pytest.mark.parametrize("colour", ["pattern", "slope", "values", "colours"])
def test_pictures_fill_every_region(colour):
    """One polygon per region, lines for the walls, and the axes fitted to the window."""
    found = regions_in_window(init([2, 12, 12, 2], np.random.default_rng(0)), TRIANGLE)
    arrays = {"values": found.area, "colours": np.full((len(found), 3), 0.5)}
    given_colour = arrays.get(colour, colour)
    ax = Figure().subplots()
    faces = draw(ax, found, given_colour, cmap="magma")
    assert len(faces.get_paths()) == len(found)
    assert len(ax.collections) == 3 and ax.get_xlim() == (-1.0, 1.5)
    assert sum(len(lines.get_paths())
               for lines in ax.collections[1:]) == (found.edge_owner >= 0).sum()
    second, first = ax.collections[1:]
    assert (0 < second.get_linewidth()[0] < first.get_linewidth()[0] and 0
            < second.get_color()[0, 3] < first.get_color()[0, 3] < 1)
    ax.figure.savefig(io.BytesIO())
    shade = matplotlib.colormaps["magma"]((found.area - found.area.min()) / np.ptp(found.area))
    if colour == "values":
        np.testing.assert_allclose(faces.get_facecolor(), shade, atol=1e-12)
    elif colour == "colours":
        assert (faces.get_facecolor() == [0.5, 0.5, 0.5, 1.0]).all()
    else:
        assert len(np.unique(faces.get_facecolor(), axis=0)) > 0.8 * len(found)
    # no gaps between regions
    np.testing.assert_array_equal(faces.get_edgecolor(), faces.get_facecolor())


def test_pictures_lie_over_an_image():
    """Downwards, the corner (0, 0) of the unit square is where imshow has the first pixel: left and
    up."""
    found, (ax, plain) = regions_in_window(init([2, 4, 1], np.random.default_rng(0)),
                                           ((0, 1), (0, 1))), Figure().subplots(1, 2)
    draw(ax, found, downwards=True)
    draw(plain, found)
    assert ax.get_ylim() == (1.0, 0.0) and plain.get_ylim() == (0.0, 1.0)
    with pytest.raises(ValueError, match="downwards must be True or False"):
        draw(ax, found, downwards="image")


def test_the_hue_of_a_slope_is_its_direction_and_its_value_its_size():
    """Four wedges with slopes of four lengths, a quarter of a turn of the colour wheel apart;
    steeper is brighter."""
    # |x + y|, |x - y| and their halves
    across = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    net = MLP((across, np.array([[1.0, 2.0, -3.0, 0.5]])), (np.zeros(4), np.zeros(1)))
    found, ax = regions_in_window(net, BOX), Figure().subplots()
    hue, saturation, value = rgb_to_hsv(draw(ax, found, "slope").get_facecolor()[:, :3]).T
    x, y = found.slope[:, 0].T
    assert len(found) == 4 and len(np.unique(np.hypot(x, y))) == 4
    np.testing.assert_allclose(np.exp(2j * np.pi * hue), (x + 1j * y) / np.hypot(x, y), atol=1e-12)
    assert (np.diff(value[np.argsort(np.hypot(x, y))])
            > 0).all() and value.max() == 1 and (saturation > 0.5).all()


@pytest.mark.parametrize("colour", ["patterns", np.zeros(3), np.zeros((2, 2, 2))])
def test_colours_that_do_not_fit_are_refused(colour):
    """One per region, or a name."""
    found = regions_in_window(init([2, 4, 1], np.random.default_rng(0)), BOX)
    with pytest.raises(ValueError, match="colour must"):
        draw(Figure().subplots(), found, colour)


def test_matplotlib_is_imported_only_to_draw():
    """Importing the package must not wait for it, let alone choose a display."""
    import subprocess

    code = "import sys, relu_dynamics.regions2d; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ------------------------------------------------------------ on lines through it


@given(planar_nets(), st.integers(0, 2**32 - 1))
def test_a_chord_passes_through_the_regions_that_it_has_as_pieces(net, seed):
    """The enumeration along a segment and the one in the window share no code and give the same
    patterns, slopes and cuts."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1, 1, (2, 2))
    regions, pieces = regions_in_window(net, BOX), regions_on_segment(net, a, b)
    wide = np.diff(pieces.t) > 1e3 * (pieces.tolerance + regions.tolerance)
    face = locate(regions, a + ((pieces.t[:-1] + pieces.t[1:]) / 2)[wide, None] * (b - a))
    np.testing.assert_array_equal(regions.pattern[face], pieces.pattern[wide])
    slope = regions.slope[face] @ (b - a)
    np.testing.assert_allclose(slope, pieces.slope[wide], rtol=0,
                               atol=1e-11 * (1 + np.abs(slope).max(initial=0)))
