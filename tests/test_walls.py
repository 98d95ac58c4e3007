"""Distances to walls, inscribed balls, angles, norms and count bounds: T34, T36-T39."""

from fractions import Fraction
from itertools import combinations, product
from math import comb, inf, prod

import numpy as np
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from relu_dynamics import walls
from relu_dynamics.mlp import MLP, predict
from relu_dynamics.patterns import affine_map, pattern, preactivation_maps
from relu_dynamics.testing import (
    exact_nets, gaussian_nets, lattice_nets, nets_with_walls_through, rational, with_rows,
)
from relu_dynamics.walls import (
    count_bound, distance_to_wall, hyperplane_cosines, inscribed_ball, lengths, lipschitz_bound,
    padded_cosines, spectral_norms, surrogate_distance, surrogate_distances, wall_distances,
)
from tests.oracles import exact_pattern, exact_walls
from tests.strategies import twins, with_traces

seeds = st.integers(0, 2**32 - 1)
EPS = np.finfo(float).eps
NO_WALL = MLP((np.zeros((3, 2)), np.ones((1, 3))), (np.array([0.0, 1, -1]), np.zeros(1)))


@st.composite
def nets_in_a_box(draw, nets, high=2):
    """(net, x): one point in the interior of the box from -high to high, in general position."""
    net = draw(nets)
    rng = np.random.default_rng(draw(seeds))
    return net, rng.uniform(-high, high, net.weights[0].shape[1])


# ------------------------------------------------------------------- distances


@given(with_rows(exact_nets()))
@example((NO_WALL, np.zeros((1, 2))))
def test_distances_are_the_rational_ones(drawn):
    """z and its gradient are exact on lattice nets, so only a root and a quotient round; 0 and inf
    are exact.
    """
    net, x = drawn
    distances = wall_distances(net, x)
    for row, point in zip(distances, x, strict=True):
        for distance, (z, gradient) in zip(row, exact_walls(net, point), strict=True):
            square = sum(g * g for g in gradient)
            if square == 0:
                assert distance == inf
            else:
                assert abs(Fraction(distance) ** 2 - z * z / square) <= 4 * EPS * z * z / square
    event(f"tie: {bool((distances == 0).any())}, no wall: {bool(np.isinf(distances).any())}")
    assert_array_equal(distance_to_wall(net, x), distances.min(axis=1, initial=inf))


@given(with_traces(exact_nets()))
def test_distances_of_a_trace_are_to_the_hyperplanes_its_pattern_selects(drawn):
    """T36 with the gates of the trace, imposed or not: G_u and g_u of preactivation_maps."""
    net, trace = drawn
    x, (G, g) = trace.inputs[0], preactivation_maps(net, pattern(net, trace))
    z, norm = np.einsum("nhd,nd->nh", G, x) + g, np.linalg.norm(G, axis=2)
    expected = np.divide(np.abs(z), norm, out=np.full(z.shape, inf), where=norm > 0)
    assert_allclose(wall_distances(net, trace), expected, rtol=1e-15)
    assert_allclose(distance_to_wall(net, trace), expected.min(axis=1, initial=inf), rtol=1e-15)


@given(nets_in_a_box(gaussian_nets()), seeds)
def test_ball_of_the_distance_is_the_largest_that_keeps_its_pattern(drawn, seed):
    """Ray casting: no direction changes the pattern just inside, and some unit's gradient does just
    outside (T36).
    """
    net, x = drawn
    distance = distance_to_wall(net, x[None])[0]
    here = exact_pattern(net, x)
    rays = np.random.default_rng(seed).normal(size=(256, len(x)))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    pairs = [(float(z), np.array(g, float)) for z, g in exact_walls(net, x) if any(g)]
    steepest = np.array([-np.sign(z) * g / np.linalg.norm(g) for z, g in pairs]).reshape(-1, len(x))
    rays = np.concatenate([rays, steepest])
    if distance == inf:
        assert len(steepest) == 0
        distance = 1e6
    else:
        beyond = pattern(net, x + 1.000001 * distance * steepest)
        assert (beyond != here).any()
    assert (pattern(net, x + 0.999999 * distance * rays) == here).all()


@given(nets_with_walls_through())
def test_distance_is_zero_on_a_wall(drawn):
    """Every wall passes through p, exactly; if no unit has a wall there is nothing to be near."""
    net, p = drawn
    assert distance_to_wall(net, p[None])[0] == (0 if net.weights[0].any() else inf)


def test_nothing_is_near_without_walls():
    """Zero rows and a network without hidden units have no walls: inf, for the surrogate too."""
    affine = MLP((np.ones((1, 2)),), (np.ones(1),))
    for net in (NO_WALL, affine):
        for distance in (distance_to_wall, surrogate_distance):
            assert_array_equal(distance(net, np.zeros((2, 2))), [inf, inf])
            assert distance(net, np.zeros((0, 2))).shape == (0,)


@given(with_rows(lattice_nets(hidden=st.integers(1, 3))), st.data())
def test_distances_do_not_see_scale_and_order_of_units(drawn, data):
    """T39, to the last bit: lattice sums are exact in any order and powers of two round nothing."""
    net, x = drawn
    same, order = data.draw(twins(net))
    assert_array_equal(distance_to_wall(same, x), distance_to_wall(net, x))
    assert_array_equal(wall_distances(same, x), wall_distances(net, x)[:, order])
    first = len(net.biases[0])
    assert_array_equal(
        surrogate_distances(same, x)[:, :first], surrogate_distances(net, x)[:, order[:first]]
    )


@given(with_rows(st.one_of(exact_nets(), gaussian_nets())))
def test_surrogate_is_exact_in_the_first_layer_and_bounded_by_norms_in_the_others(drawn):
    """There the layer's input is x; deeper |grad z_u| <= |w_u| prod_{j<l} |W[j]| (T36)."""
    net, x = drawn
    surrogate, true = surrogate_distances(net, x), wall_distances(net, x)
    assert_array_equal(surrogate_distance(net, x), surrogate.min(axis=1, initial=inf))
    stretch = [
        prod(np.linalg.svd(W, compute_uv=False)[0] for W in net.weights[:k])
        for k in range(len(net.weights) - 1)
    ]
    stretch = np.repeat(stretch, [len(b) for b in net.biases[:-1]])
    first = len(net.biases[0]) if len(net.weights) > 1 else 0
    assert_allclose(surrogate[:, :first], true[:, :first], rtol=8 * EPS)
    real = np.isfinite(true)
    limit = true * np.where(real, stretch, 1)
    assert (surrogate[real] <= limit[real] * (1 + 1e-12)).all()


@given(with_rows(exact_nets(hidden=st.integers(1, 3))))
def test_surrogate_is_preactivation_over_row_norm(drawn):
    """|z_u| / |w_u|, E12's definition, with z in Fractions; zero rows are left out."""
    net, x = drawn
    square = np.concatenate([(W**2).sum(axis=1) for W in net.weights[:-1]])
    for row, point in zip(surrogate_distances(net, x), x, strict=True):
        z = np.array([float(value) for value, _ in exact_walls(net, point)])
        with np.errstate(divide="ignore", invalid="ignore"):
            assert_allclose(row, np.where(square > 0, abs(z) / np.sqrt(square), inf), rtol=4 * EPS)


@pytest.mark.parametrize("entries", [1, 500, walls.BLOCK_ENTRIES])
def test_many_rows_are_computed_in_blocks_without_a_seam(entries, monkeypatch):
    """Lattice arithmetic is exact, so any cut of the batch gives the same bits, even if one row is
    more than a block.
    """
    rng = np.random.default_rng(0)
    net = MLP(tuple(rng.integers(-2, 3, s) / 2 for s in ((32, 2), (32, 32), (1, 32))),
              tuple(rng.integers(-2, 3, s) / 2 for s in (32, 32, 1)))
    x = rng.integers(-8, 9, (30, 2)) / 4
    for distance in (distance_to_wall, surrogate_distance, wall_distances, surrogate_distances):
        single = np.concatenate([distance(net, point[None]) for point in x])
        monkeypatch.setattr(walls, "BLOCK_ENTRIES", entries)
        assert_array_equal(distance(net, x), single)
        monkeypatch.undo()


# -------------------------------------------------------------- inscribed balls


def constraints(net, x, low, high, layers):
    """(normal, slack) with |normal| = 1: what a ball in x's cell and the box must respect, from
    Fractions.
    """
    units = sum(len(b) for b in net.biases[:-1][:layers])
    rows = []
    for z, gradient in exact_walls(net, x)[:units]:
        if any(gradient):
            normal = np.array(gradient, float)
            side = 1 if z > 0 else -1
            rows.append(
                (-side * normal / np.linalg.norm(normal), abs(float(z)) / np.linalg.norm(normal))
            )
    for axis in np.eye(len(x)):
        rows += [(axis, high - axis @ x), (-axis, axis @ x - low)]
    return np.array([r[0] for r in rows]), np.array([r[1] for r in rows])


def best_vertex(A, slack):
    """The largest rho with A y + rho <= slack: it is attained where d + 1 constraints are tight;
    try them all.
    """
    M, best = np.column_stack([A, np.ones(len(A))]), 0.0
    for rows in combinations(range(len(A)), A.shape[1] + 1):
        system = M[list(rows)]
        if abs(np.linalg.det(system)) > 1e-9:
            y = np.linalg.solve(system, slack[list(rows)])
            if (M @ y <= slack + 1e-9).all():
                best = max(best, y[-1])
    return best


def layer_counts(net):
    return st.sampled_from([*range(1, len(net.weights)), None])


@given(
    nets_in_a_box(gaussian_nets(inputs=st.integers(1, 2), hidden=st.integers(1, 2), width=5)),
    st.data(),
)
def test_inscribed_ball_is_the_best_of_all_vertices(drawn, data):
    """A linear programme is solved at a vertex, and small ones can be searched (T37)."""
    net, x = drawn
    layers = data.draw(layer_counts(net))
    ball = inscribed_ball(net, x, -2, 2, layers)
    # well-conditioned vertices only: one left out could make the search fall short, never exceed
    assert_allclose(
        ball.radius, best_vertex(*constraints(net, x, -2, 2, layers)), rtol=1e-6, atol=1e-8
    )


@given(nets_in_a_box(st.one_of(exact_nets(), gaussian_nets())), seeds, st.data())
def test_no_pattern_changes_inside_the_ball(drawn, seed, data):
    """The ball lies in x's cell of the layers asked for, and in the box."""
    net, x = drawn
    layers = data.draw(st.sampled_from([1, None]))
    units = sum(len(b) for b in net.biases[:-1][:layers])
    radius, centre = inscribed_ball(net, x, -2, 2, layers)
    steps = np.random.default_rng(seed).normal(size=(256, len(x)))
    steps *= (1 - 1e-9) * radius / np.linalg.norm(steps, axis=1, keepdims=True)
    inside = np.concatenate([centre[None], centre + steps])
    assert (np.abs(inside) <= 2).all()
    assert (pattern(net, inside)[:, :units] == exact_pattern(net, x)[:units]).all()


@given(nets_in_a_box(st.one_of(exact_nets(), gaussian_nets())))
def test_ball_is_at_least_the_one_around_x_and_at_most_the_box(drawn):
    """c = x is feasible, so rho >= T36's distance; the box alone allows half its side; and T36 at c
    allows rho.
    """
    net, x = drawn
    ball = inscribed_ball(net, x, -2, 2, None)
    to_box = (2 - np.abs(x)).min()
    assert ball.radius >= min(distance_to_wall(net, x[None])[0], to_box) * (1 - 8 * EPS)
    assert ball.radius <= 2
    assert distance_to_wall(net, ball.centre[None])[0] >= ball.radius * (1 - 1e-12)
    assert (2 - np.abs(ball.centre)).min() >= ball.radius * (1 - 1e-12)


@given(nets_in_a_box(gaussian_nets(hidden=st.integers(2, 3))))
def test_more_layers_leave_less_room(drawn):
    """Each layer only adds walls."""
    net, x = drawn
    radii = [
        inscribed_ball(net, x, -2, 2, layers).radius
        for layers in (*range(1, len(net.weights)), None)
    ]
    assert (np.diff(radii) <= 1e-9).all()
    assert radii[-1] == radii[-2]


@given(nets_in_a_box(gaussian_nets(inputs=st.just(1), hidden=st.just(1))))
def test_in_one_dimension_the_ball_is_the_interval(drawn):
    """Breakpoints -b/w of the first layer and the ends of the box are all there is."""
    net, x = drawn
    breakpoints = np.concatenate([-net.biases[0] / net.weights[0][:, 0], [-2, 2]])
    left, right = breakpoints[breakpoints <= x].max(), breakpoints[breakpoints >= x].min()
    ball = inscribed_ball(net, x, -2, 2)
    assert_allclose(
        [ball.radius, ball.centre[0]], [(right - left) / 2, (right + left) / 2], atol=1e-12
    )


@given(nets_in_a_box(gaussian_nets()), st.integers(-30, 30), seeds)
def test_ball_scales_and_moves_with_space(drawn, power, seed):
    """f(x) = g(s (x - p)): every length is divided by s, and a solver's absolute tolerance must not
    show.
    """
    net, x = drawn
    s = 2.0**power
    p = np.random.default_rng(seed).integers(-3, 4, len(x)) / s
    moved = MLP(
        (s * net.weights[0], *net.weights[1:]),
        (net.biases[0] - s * (net.weights[0] @ p), *net.biases[1:]),
    )
    ball, image = (
        inscribed_ball(net, x, -2, 2, None),
        inscribed_ball(moved, x / s + p, p - 2 / s, p + 2 / s, None),
    )
    assert_allclose(image.radius * s, ball.radius, rtol=1e-6, atol=1e-10)


def test_ball_has_radius_zero_where_the_cell_has_no_interior():
    """relu(x) and relu(-x) are both off only at 0."""
    net = MLP((np.array([[1.0], [-1.0]]), np.ones((1, 2))), (np.zeros(2), np.zeros(1)))
    assert inscribed_ball(net, [0.0], -1, 1).radius == 0
    assert_allclose(inscribed_ball(net, [0.25], -1, 1).radius, 0.5, rtol=1e-12)


@given(st.integers(1, 60), st.integers(-7, 7), seeds)
def test_ball_in_a_sliver_is_no_wider_than_it_and_no_worse_than_around_x(k, eighths, seed):
    """|w.x| < 2^-k between two opposite units: below the solver's tolerance the answer must still
    be a true ball.
    """
    w = np.random.default_rng(seed).normal(size=2)
    width, w = 2.0**-k, w / np.linalg.norm(w)
    net = MLP((np.array([w, -w]), np.ones((1, 2))), (np.array([-width, -width]), np.zeros(1)))
    x = eighths / 8 * width * w
    radius = inscribed_ball(net, x, -1, 1).radius
    assert (1 - abs(eighths) / 8) * width * (1 - 1e-12) <= radius <= width * (1 + 1e-12)


@pytest.mark.parametrize(
    "net", [NO_WALL, MLP((np.ones((1, 2)),), (np.ones(1),))], ids=["zero rows", "affine"]
)
@pytest.mark.parametrize("layers", [1, None])
def test_without_walls_the_ball_fills_the_box(net, layers):
    """Half the shortest side."""
    ball = inscribed_ball(net, [0.5, 0], [0, -4], [1, 4], layers)
    assert_allclose([ball.radius, ball.centre[0]], 0.5, rtol=1e-12)


# --------------------------------------------------------------- how walls lie


@given(exact_nets(), st.data())
def test_cosines_are_those_of_the_rows_and_know_no_scale(net, data):
    """w.w' / |w||w'| in Fractions; NaN exactly for zero rows; unchanged when rows are scaled by
    powers of two.
    """
    matrices = hyperplane_cosines(net)
    assert [c.shape for c in matrices] == [(len(b),) * 2 for b in net.biases[:-1]]
    for W, cosines in zip(net.weights, matrices, strict=False):
        assert_array_equal(cosines, cosines.T)
        rows = rational(W)
        for i, j in product(range(len(W)), repeat=2):
            squares = sum(w * w for w in rows[i]) * sum(w * w for w in rows[j])
            dot = sum(v * w for v, w in zip(rows[i], rows[j], strict=True))
            assert (
                np.isnan(cosines[i, j])
                if squares == 0
                else abs(cosines[i, j] - dot / float(squares) ** 0.5) <= 8 * EPS
            )
            assert squares == 0 or i != j or cosines[i, i] == 1
    scales = [
        2.0
        ** np.array(data.draw(st.lists(st.integers(-900, 30), min_size=len(b), max_size=len(b))))
        for b in net.biases
    ]
    scaled = MLP(
        tuple(s[:, None] * W for s, W in zip(scales, net.weights, strict=True)), net.biases
    )
    for cosines, same in zip(matrices, hyperplane_cosines(scaled), strict=True):
        assert_array_equal(same, cosines)


@given(exact_nets())
def test_padded_cosines_hold_each_layer_and_pad_across(net):
    """Diagonal blocks are the layers'; a cross block is the cosine of rows cut to their common
    length, over full norms.
    """
    padded, at = padded_cosines(net), 0
    assert_array_equal(padded, padded.T)
    for cosines in hyperplane_cosines(net):
        assert_allclose(
            padded[at : at + len(cosines), at : at + len(cosines)], cosines, rtol=0, atol=8 * EPS
        )
        at += len(cosines)
    assert padded.shape == (at, at)
    rows = [w for W in net.weights[:-1] for w in W]
    for i, j in combinations(range(at), 2):
        size = np.linalg.norm(rows[i]) * np.linalg.norm(rows[j])
        dot = sum(v * w for v, w in zip(rows[i], rows[j], strict=False))
        assert np.isnan(padded[i, j]) if size == 0 else abs(padded[i, j] - dot / size) <= 8 * EPS


@given(
    st.lists(st.integers(-6, 6), min_size=1, max_size=5),
    st.integers(0, 3),
    st.permutations(range(8)),
)
def test_spectral_norm_of_a_scattered_diagonal_is_its_largest_entry(diagonal, extra, order):
    """One entry per row and column at most: those entries are the singular values."""
    W = np.zeros((len(diagonal), len(diagonal) + extra))
    np.fill_diagonal(W, diagonal)
    W = W[:, [i for i in order if i < W.shape[1]]]
    norms = spectral_norms(MLP((W, W.T), (np.zeros(W.shape[0]), np.zeros(W.shape[1]))))
    assert_allclose(norms, [max(map(abs, diagonal))] * 2, rtol=8 * EPS)


@given(gaussian_nets(), seeds)
def test_product_of_the_norms_bounds_every_slope(net, seed):
    """T34: |f(x) - f(x')| <= prod |W[l]|_2 |x - x'|, |A_q|_2 <= the same, with equality for an
    affine network.
    """
    x, x2 = np.random.default_rng(seed).normal(size=(2, 50, net.weights[0].shape[1]))
    bound = lipschitz_bound(net)
    assert_allclose(bound, prod(np.linalg.svd(W)[1].max() for W in net.weights), rtol=1e-12)
    rise = np.linalg.norm(predict(net, x) - predict(net, x2), axis=1)
    assert (rise <= bound * np.linalg.norm(x - x2, axis=1) * (1 + 1e-9)).all()
    assert (
        np.linalg.norm(affine_map(net, pattern(net, x))[0], 2, axis=(1, 2)) <= bound * (1 + 1e-12)
    ).all()


# --------------------------------------------------------------- how many cells


def net_of_widths(widths):
    return MLP(tuple(np.zeros((b, a)) for a, b in zip(widths[:-1], widths[1:], strict=True)),
               tuple(np.zeros(b) for b in widths[1:]))


@given(st.integers(1, 4), st.lists(st.integers(0, 5), max_size=3), st.data())
def test_count_bound_is_the_sum_over_admissible_indices(inputs, hidden, data):
    """The sum of Serra et al. written out, and two looser bounds: all patterns, and Montufar's
    product of layers.
    """
    dimension = data.draw(st.integers(0, inputs))
    bound = count_bound(net_of_widths([inputs, *hidden, 1]), dimension)
    total = 0
    for j in product(*(range(m + 1) for m in hidden)):
        room = [
            min([dimension, *(m - i for m, i in zip(hidden[:k], j[:k], strict=True))])
            for k in range(len(hidden))
        ]
        if all(i <= r for i, r in zip(j, room, strict=True)):
            total += prod(comb(m, i) for m, i in zip(hidden, j, strict=True))
    assert bound == total
    thinnest = [min([dimension, *hidden[:k]]) for k in range(len(hidden))]
    assert bound <= prod(
        sum(comb(m, i) for i in range(d + 1)) for m, d in zip(hidden, thinnest, strict=True)
    )
    assert bound <= 2 ** sum(hidden)


@given(st.integers(1, 4), st.integers(0, 6))
def test_count_bound_of_one_layer_and_of_segments(inputs, n):
    """1 + n + C(n, 2) in the plane, n + 1 on a segment, prod (m[l] + 1) deeper, 1 without hidden
    units.
    """
    net = net_of_widths([inputs, n, 1])
    assert count_bound(net, 1) == n + 1
    assert inputs < 2 or count_bound(net, 2) == 1 + n + comb(n, 2)
    assert count_bound(net_of_widths([inputs, n + 2, 3, 2, 1]), 1) == (n + 3) * 4 * 3
    assert count_bound(net_of_widths([inputs, 1])) == count_bound(net, 0) == 1
    assert count_bound(net) == count_bound(net, inputs)


@given(lattice_nets(width=3, hidden=st.integers(1, 3)), seeds)
def test_no_more_patterns_are_seen_than_the_bound(net, seed):
    """Points drawn at random lie in the interior of their cells, in every input dimension and on
    every segment.
    """
    rng = np.random.default_rng(seed)
    d = net.weights[0].shape[1]
    everywhere = rng.normal(scale=3, size=(4000, d))
    a, b = rng.normal(scale=3, size=(2, d))
    segment = a + rng.uniform(size=(4000, 1)) * (b - a)
    for points, dimension in ((everywhere, d), (segment, 1)):
        assert len(np.unique(pattern(net, points), axis=0)) <= count_bound(net, dimension)


def test_count_bound_of_very_deep_networks():
    """T38: of five hundred layers of one unit each cuts the one piece on which all before it are
    on.
    """
    assert count_bound(net_of_widths([1, *[1] * 500, 1])) == 501


def test_bounds_are_attained():
    """By lines in general position, and by a zigzag whose every piece the next layer bends at every
    unit.
    """
    rng = np.random.default_rng(1)
    angles = np.pi * (np.arange(5) + rng.uniform(0.2, 0.8, 5)) / 5
    lines = MLP(
        (np.column_stack([np.cos(angles), np.sin(angles)]), np.ones((1, 5))),
        (rng.normal(size=5), np.zeros(1)),
    )
    seen = np.concatenate([rng.normal(scale=s, size=(100_000, 2)) for s in (1, 10)])
    assert len(np.unique(pattern(lines, seen), axis=0)) == count_bound(lines) == 16
    # -2 relu(t) + 1.5 relu(t - 1) - relu(3 - t) has slopes 1, -1, 1/2, -1/2 and turns at -3, -4,
    # -3: every piece crosses -3.25, -3.5 and -3.75, where the second layer bends it
    zigzag = MLP(
        (np.array([[1.0], [1.0], [-1.0]]), np.tile([-2.0, 1.5, -1.0], (3, 1)), np.ones((1, 3))),
        (np.array([0.0, -1.0, 3.0]), np.array([3.25, 3.5, 3.75]), np.zeros(1)),
    )
    t = (np.arange(-128, 320)[:, None] + 0.5) / 64  # between the breakpoints, multiples of 1/4
    pieces = 1 + int(np.diff(pattern(zigzag, t), axis=0).any(axis=1).sum())
    assert pieces == count_bound(zigzag, 1) == 16


# ------------------------------------------------------------- the public door


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda net: distance_to_wall(net, [0.0, 0]), "A single row needs an axis"),
        (lambda net: surrogate_distance(net, [[0.0, np.nan]]), "Got nan"),
        (lambda net: wall_distances("net", [[0.0, 0]]), "net must be an MLP"),
        (lambda net: surrogate_distances(net, [[0.0]]), "x must be"),
        (lambda net: inscribed_ball(net, [[0.0, 0]], -1, 1), "x must be .* one point"),
        (lambda net: inscribed_ball(net, [0.0, 0], 1, -1), "low must be below high"),
        (lambda net: inscribed_ball(net, [0.0, 0], [-1, 0], [1, 0]), "low must be below high"),
        (lambda net: inscribed_ball(net, [0.0, 0], [0, 0, 0], 1), "low must be a number or"),
        (lambda net: inscribed_ball(net, [0.0, 0], -1, np.inf), "high must be"),
        (lambda net: inscribed_ball(net, [0.0, 3], -1, 1), "x between them"),
        (lambda net: inscribed_ball(net, [0.0, 0], -1, 1, layers=0), "layers must be"),
        (lambda net: inscribed_ball(net, [0.0, 0], -1, 1, layers=2), "layers must be at most 1"),
        (lambda net: count_bound(net, 3), "dimension must be at most 2"),
        (lambda net: count_bound(net, -1), "dimension must be"),
        (lambda net: hyperplane_cosines([1, 2, 3]), "net must be an MLP"),
        (lambda net: spectral_norms(MLP((), ())), "at least one"),
    ],
)
def test_bad_input_gives_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(NO_WALL)


@pytest.mark.parametrize("x", [[-1.0, -1.0], [1.0, 1.0], [0.3, 1.0]])
def test_a_point_on_the_side_of_the_box_lies_in_it(x):
    always_on = MLP((np.ones((1, 2)), np.ones((1, 1))), (np.full(1, 9.0), np.zeros(1)))
    assert_allclose(inscribed_ball(always_on, x, -1, 1).radius, 1, rtol=1e-9)


def test_a_layer_without_rows_or_columns_has_norm_zero():
    assert spectral_norms(
        MLP((np.zeros((0, 2)), np.zeros((1, 0))), (np.zeros(0), np.zeros(1)))
    ).tolist() == [0, 0]


def test_no_cosine_is_above_one_by_rounding():
    """Of rows that are multiples of one another; unclipped, some are 1 + 2e-16, of which there is
    no angle.
    """
    rows = np.random.default_rng(0).normal(size=(200, 5))
    cosines = hyperplane_cosines(
        MLP(
            (np.concatenate([rows, 3 * rows, -rows / 7]), np.ones((1, 600))),
            (np.zeros(600), np.zeros(1)),
        )
    )[0]
    assert cosines.max() == 1 and cosines.min() == -1


@pytest.mark.parametrize("power", [0, 300, 480, 560, 1000])
def test_lengths_scale_with_the_vectors_however_short(power):
    """Squares underflow from 2^-537 on, and lose digits before; lengths do neither."""
    v = np.array([[[3.0, -4.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, -2.0]]])
    assert_allclose(lengths(v * 2.0**-power) * 2.0**power, [[5, 0], [np.sqrt(2), 2]], rtol=1e-15)
