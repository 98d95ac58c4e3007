"""The specification: by hand on small networks, by its theorems, and against the fast modules.

Lattice networks are compared with == in Fractions, degenerate ones among them; networks in general
position up to rounding.  Forward passes, pieces, regions and distances to walls are compared with
the fast ones in test_mlp, test_regions1d, test_regions2d and test_walls too.
"""

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import relu_dynamics as rd
from relu_dynamics import MLP
from relu_dynamics import specification as spec
from relu_dynamics.testing import (
    exact_area, exact_nets, exact_regions, gaussian_nets, halves, rational, with_rows,
)
from tests.oracles import exact_pattern
from tests.strategies import A_THIRD

RNG = np.random.default_rng
seeds = st.integers(0, 2**32 - 1)
examples = with_rows(exact_nets(), rows=st.integers(1, 4), columns=1)
HAT = MLP((np.array([[1.0], [1.0]]), np.array([[1.0, -2.0]])), (np.array([0.0, -1.0]), np.zeros(1)))
# The quadrants of the plane, and x + y = 1 in the one where both units of the first layer are on.
CORNER = MLP((np.eye(2), np.ones((1, 2)), np.ones((1, 1))), (np.zeros(2), -np.ones(1), np.zeros(1)))
BOX = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])


@st.composite
def in_general_position(draw, rows=4, width=8, **kwargs):
    """(net, x, y): a network with Gaussian weights, inputs and targets."""
    net, rng = draw(gaussian_nets(width=width, **kwargs)), RNG(draw(seeds))
    x = rng.normal(size=(rows, net.weights[0].shape[1]))
    return net, x, rng.normal(size=(rows, len(net.biases[-1])))


@st.composite
def with_gates(draw, problems):
    """(net, x, y, pattern): gates of nobody's choice."""
    net, x, y = draw(problems)
    return net, x, y, RNG(draw(seeds)).random((len(x), rd.hidden_units(net))) < 0.5


@st.composite
def with_segment(draw, nets):
    """(net, a, b) in Fractions."""
    net = draw(nets)
    ends = halves((net.weights[0].shape[1],))
    return rational(net), rational(draw(ends)), rational(draw(ends))


def seen(net, x, y, Q=None):
    """J, r and Q of the specification."""
    gates = [None] * len(x) if Q is None else Q
    traces = [spec.forward(net, *pair) for pair in zip(x, gates, strict=True)]
    r = np.array([trace.z[-1] for trace in traces]) - y
    return spec.jacobian(net, traces), r, np.array([spec.pattern(trace) for trace in traces])


def seen_exactly(net, x, y, Q=None):
    return seen(rational(net), rational(x), rational(y), Q)


def equal(exact, values):
    """Fractions and floats, number by number."""
    return np.shape(exact) == np.shape(values) and bool(np.all(np.asarray(exact) == values))


def assert_near(values, truth, size, **kwargs):
    """Up to the rounding of sums of numbers whose sizes add up to size."""
    assert_allclose(values, truth, rtol=0, atol=1e-12 * size + 1e-300, **kwargs)


# ---------------------------------------------------------------------- by hand


def test_the_hat_has_the_pieces_that_one_sees():
    """max(x, 0) - 2 max(x - 1, 0) on [-1, 3]: 0, then x, then 2 - x, with x = 4 t - 1."""
    pieces = [(start, end, q.tolist(), slope.item(), offset.item()) for start, end, q, slope, offset
              in spec.pieces(rational(HAT), rational([-1]), rational([3]))]
    assert pieces == [(0, 0.25, [False, False], 0, 0), (0.25, 0.5, [True, False], 4, -1),
                      (0.5, 1, [True, True], -4, 3)]


def test_three_quadrants_and_two_parts_of_the_fourth():
    regions = {q: set(map(tuple, corners)) for q, corners in exact_regions(CORNER, BOX).items()}
    assert regions == {
        (False, False, False): {(-1, -1), (0, -1), (0, 0), (-1, 0)},
        (True, False, False): {(0, -1), (1, -1), (1, 0), (0, 0)},
        (False, True, False): {(-1, 0), (0, 0), (0, 1), (-1, 1)},
        (True, True, False): {(0, 0), (1, 0), (0, 1)},
        (True, True, True): {(1, 0), (1, 1), (0, 1)},
    }


def test_gradients_rates_and_splits_of_the_hat():
    """At 1/2 only the first unit is on, at 3/2 both; f = 1/2 twice, and the targets are 1 and 0."""
    J, r, Q = seen_exactly(HAT, np.array([[0.5], [1.5]]), np.array([[1], [0]]))
    assert equal(J[:, 0], [[0.5, 0, 1, 0, 0.5, 0, 1], [1.5, -3, 1, -2, 1.5, 0.5, 1]])
    assert equal(spec.tangent_kernel(J, J)[:, :, 0, 0], [[2.5, 3.5], [3.5, 19.75]])
    assert equal(spec.gram(J, r), [[2.5, -3.5], [-3.5, 19.75]])  # 2 r is -1 and 1
    T = spec.pair_table(J, r, np.eye(2, dtype=int))
    assert equal(spec.pair_split(T, Q), [[-5.5625, 0], [0, 0], [0, 1.75]])
    assert equal(spec.hamming_split(T, Q), [-5.5625, 1.75, 0])
    g = spec.gradient(J, r)
    assert equal(g, [0.5, -1.5, 0, -1, 0.5, 0.25, 0])
    assert equal(spec.layer_split(HAT, g), [[-2.5, -1], [-0.3125, 0]])
    assert equal(spec.unit_split(HAT, g), [-0.25, -3.25, -0.3125])
    assert equal(spec.output_rate(J, r), [[-0.25 - 0.25], [-0.75 - 4.5 - 2 - 0.75 - 0.125]])


def test_walls_of_the_hat():
    """The peak at 1 is the second unit's wall: it moves at -z' = -(b' + w'), and J jumps there."""
    net, one = rational(HAT), rational([1])
    z, d_theta, d_x = spec.wall(net, one, 1)
    assert (z, d_theta.tolist(), d_x.tolist()) == (0, [1, 1], [1])
    assert spec.squared_distance_to_wall(net, rational([0.25])) == Fraction(1, 16)
    motion = rational([0, 1.5, 0, 1, 0, 0, 0])
    assert spec.wall_velocity(net, one, 1, motion, one) == Fraction(-5, 2)
    assert spec.wall_velocity(net, one, 1, motion, 2 * one) == Fraction(-5, 4)
    assert equal(spec.jump(net, one, 1), [[0, -2, 0, -2, 0, 0, 0]])


def test_one_step_of_each_optimiser():
    """Adam's first step has the size of the rate, whatever the gradient."""
    theta, g = np.array([1.0, 2.0]), np.array([4.0, -0.25])
    assert spec.sgd_step(theta, g, 0.5).tolist() == [-1, 2.125]
    moved, first, second = spec.adam_step(theta, g, 0, 0, 1, 0.125)
    assert_allclose(moved, [0.875, 2.125], rtol=1e-7)  # epsilon moves it by 1e-8 / |g|
    assert_allclose([first, second], [[0.4, -0.025], [0.016, 0.0000625]], rtol=1e-13)


# ------------------------------------------------------------------ by theorems


@given(examples, seeds)
def test_fractions_stay_fractions_and_floats_give_the_same_numbers(problem, seed):
    """No float creeps in, and where nothing is rounded there is no difference."""
    net, x, y = problem
    exact = rational(net)
    J, r, Q = seen_exactly(net, x, y)
    B = np.eye(len(x), dtype=int)[RNG(seed).permutation(len(x))]
    K, g, T = spec.tangent_kernel(J, J), spec.gradient(J, r), spec.pair_table(J, r, B)
    theta = spec.sgd_step(spec.flatten(exact), g, Fraction(1, 3))
    results = [J, r, K, g, T, theta, spec.gram(J, r), spec.output_rate(J, r),
               spec.layer_split(net, g), spec.unit_split(net, g), spec.pair_split(T, Q),
               spec.hamming_split(T, Q), spec.frequency_split(T), spec.intrinsic_rates(J, B),
               *spec.affine_map(exact, Q[0]),
               *spec.step_split(exact, spec.unflatten(theta, net), rational(x))]
    for result in results:
        assert all(isinstance(number, (int, Fraction)) for number in np.ravel(result).tolist())
    J_float, r_float, Q_float = seen(net, x, y)
    assert equal(J, J_float) and equal(r, r_float) and equal(Q, Q_float)
    assert equal(K, spec.tangent_kernel(J_float, J_float))


@given(with_segment(exact_nets()))
def test_pieces_cover_the_segment_and_f_is_what_they_say(drawn):
    """T2: at the ends and inside, so that neighbours meet; each has the pattern of its inside."""
    net, a, b = drawn
    pieces = spec.pieces(net, a, b)
    assert pieces[0][0] == 0 and pieces[-1][1] == 1
    for left, right in pairwise(pieces):
        assert left[1] == right[0] and not equal(left[2], right[2])
    for start, end, q, slope, offset in pieces:
        for t in (start, end, (start + end) / Fraction(2), (start + 2 * end) / Fraction(3)):
            trace = spec.forward(net, a + t * (b - a))
            assert equal(slope[:, 0] * t + offset, trace.z[-1])
            assert t in (start, end) or equal(q, spec.pattern(trace))


@given(exact_nets(inputs=st.just(2)))
def test_regions_fill_the_window_and_have_the_pattern_of_their_inside(net):
    """T38: areas sum to the window's, patterns are distinct, corners are anticlockwise."""
    net = rational(net)
    regions = spec.regions(net, rational(BOX))
    areas = [exact_area(corners) for _, corners in regions]
    assert sum(areas) == 4 and min(areas) > 0
    assert len({tuple(q) for q, _ in regions}) == len(regions)
    for q, corners in regions:
        assert equal(spec.pattern(spec.forward(net, sum(corners) / len(corners))), q)


@given(examples)
def test_all_splits_sum_to_the_rate_of_the_loss(problem):
    """T14, T15, exactly: -|g|^2, which is also the residual times the rate of f."""
    net, x, y = problem
    J, r, Q = seen_exactly(net, x, y)
    n, g, T = len(x), spec.gradient(J, r), spec.pair_table(J, r, np.eye(len(x), dtype=int))
    splits = [spec.layer_split(net, g), spec.unit_split(net, g), T, spec.pair_split(T, Q),
              spec.hamming_split(T, Q), spec.frequency_split(T), spec.patch_split(T, (n,), 1),
              spec.patch_split(T, (1, n), 1)]
    assert all(np.sum(split) == -g @ g for split in splits)
    assert np.sum(2 * r * spec.output_rate(J, r)) / r.size == -g @ g


@pytest.mark.parametrize("B", [spec.fourier((5,)), spec.fourier((3, 4)),
                               spec.patch_cosines((6,), 3), spec.patch_cosines((4, 6), 2)])
def test_transforms_are_unitary(B):
    assert_allclose(B @ B.conj().T, np.eye(len(B)), atol=1e-14)


@given(in_general_position(rows=8), st.sampled_from([(8,), (2, 4)]))
def test_the_spectrum_of_the_pattern_is_a_distance_transformed(problem, grid):
    """T49 (iv): for k != 0, P_k = -(1/2) DFT over displacements of the mean Hamming distance."""
    Q = seen(*problem)[2]
    H, at = spec.hamming(Q, Q), np.arange(8).reshape(grid)
    back = [[-step for step in displacement] for displacement in np.ndindex(*grid)]
    mean = [np.mean(H[at, np.roll(at, step, axis=range(len(grid)))]) for step in back]
    transformed = -0.5 * np.fft.fftn(np.reshape(mean, grid)).ravel()
    assert_near(spec.pattern_spectrum(Q, spec.fourier(grid))[1:], transformed[1:], 1 + H.max())


@given(in_general_position(rows=6))
def test_neighbours_decide_the_high_frequencies(problem):
    """T50: with weights 4 sin^2(pi k/n), P_k sum to what neighbours switch, K_kk to their steps."""
    J, _, Q = seen(*problem)
    F, weight = spec.fourier((6,)), 4 * np.sin(np.pi * np.arange(6) / 6) ** 2
    switches, steps = Q != np.roll(Q, 1, axis=0), J - np.roll(J, 1, axis=0)
    assert_near(weight @ spec.pattern_spectrum(Q, F), np.sum(switches), Q.size)
    assert_near(weight @ spec.intrinsic_rates(J, F), np.sum(steps**2), np.sum(J**2))


@given(in_general_position(rows=6))
def test_rates_are_the_structure_factor_of_all_that_changes(problem):
    """T55 in its exact form: J jumps from sample to sample, at walls and inside pieces."""
    J, k = seen(*problem)[0], np.arange(1, 6)
    S = spec.structure_factor(J - np.roll(J, 1, axis=0), np.arange(6) / 6, k)
    rates = spec.intrinsic_rates(J, spec.fourier((6,)))[1:]
    assert_near(S / (4 * 6 * np.sin(np.pi * k / 6) ** 2), rates, np.sum(J**2))


@pytest.mark.parametrize("B", [spec.fourier((6,)), spec.patch_cosines((2, 3), 1)])
@A_THIRD
@given(in_general_position(rows=6, outputs=st.just(1)))
def test_a_mode_by_itself_falls_at_its_intrinsic_rate(B, problem):
    """T16: d|c_k|^2/dt = -(4/nm) K_kk |c_k|^2, and their sum over n m is the rate of the loss."""
    J, r, _ = seen(*problem)
    own = spec.frequency_split(spec.pair_table(J, r, B))[:, 0]
    falls = -4 / 36 * spec.intrinsic_rates(J, B) * abs(B @ r)[:, 0] ** 2
    assert_near(own, falls, np.sum(J**2) * np.sum(r**2))


def limit(net, x, step):
    """J at x, coming from x + step, if it is affine between x and x + 2 step."""
    J = spec.jacobian(net, [spec.forward(net, x + step), spec.forward(net, x + 2 * step)])
    return 2 * J[0] - J[1]


@given(with_segment(exact_nets(hidden=st.integers(1, 3))))
def test_gradients_jump_at_a_wall_by_what_is_said(drawn):
    """T54, exactly: J is affine on both sides of a breakpoint where one unit switches."""
    net, a, b = drawn
    for (start, t, q, *_), (_, end, q2, *_) in pairwise(spec.pieces(net, a, b)):
        units, x = np.flatnonzero(q != q2), a + t * (b - a)
        if len(units) == 1:
            before, after = (limit(net, x, (to - t) / 3 * (b - a)) for to in (start, end))
            sign = 1 if q2[units[0]] else -1
            assert equal(spec.jump(net, x, units[0]), sign * (after - before))


# ------------------------------------------------------------- against the fast


@given(with_gates(examples))
def test_passes_are_those_of_the_package(drawn):
    """T1, T40: forward, backward and outputs, exactly; with own and with imposed patterns."""
    net, x, y, Q = drawn
    exact = rational(net)
    for gates in (None, Q):
        fast = rd.forward(net, x, gates)
        slow = [spec.forward(exact, row, gates if gates is None else gates[i])
                for i, row in enumerate(rational(x))]
        for kind in range(3):  # h, z and q
            for l, layer in enumerate(fast[kind]):
                assert equal(np.array([trace[kind][l] for trace in slow]), layer)
        assert equal(np.array([trace.z[-1] for trace in slow]), rd.predict(net, x, gates))
        pulled = [spec.backward(exact, *pair) for pair in zip(slow, rational(y), strict=True)]
        assert equal(sum(theta for theta, _ in pulled), rd.flatten(rd.backward(net, fast, y)))
        assert equal(np.array([d_x for _, d_x in pulled]), rd.backward(net, fast, y).x)


@given(exact_nets())
def test_parameters_are_in_the_order_of_the_package(net):
    theta = spec.flatten(net)
    assert equal(theta, rd.flatten(net))
    again, fast = spec.unflatten(theta, net), rd.unflatten(theta, net)
    assert len(again.weights) == len(again.biases) == len(net.weights)
    assert all(map(equal, again.weights + again.biases, fast.weights + fast.biases))


@given(examples)
def test_patterns_and_maps_are_those_of_the_package(problem):
    """T2, for the outputs and for every hidden unit."""
    net, x, y = problem
    exact, Q = rational(net), seen(net, x, y)[2]
    assert Q.dtype == bool and equal(Q, rd.pattern(net, x))
    assert Q.tolist() == [exact_pattern(net, row) for row in x]
    assert equal(spec.hamming(Q, Q[:2]), rd.hamming(Q, Q[:2]))
    for q, A, c in zip(Q, *rd.affine_map(net, Q), strict=True):
        assert equal(spec.affine_map(exact, q)[0], A) and equal(spec.affine_map(exact, q)[1], c)
    for row, q, G, g in zip(rational(x), Q, *rd.preactivation_maps(net, Q), strict=True):
        for u in range(len(q)):
            A, c = spec.affine_map(spec.unit(exact, u), q)
            z, _, d_x = spec.wall(exact, row, u)
            assert equal(A[0], G[u]) and equal(d_x, G[u])
            assert c[0] == g[u] and z == G[u] @ row + g[u]


@given(with_gates(examples))
def test_kernels_are_those_of_the_package(drawn):
    """T6, T11: all of it, by layer, and by unit; between own and imposed patterns (T40)."""
    net, x, y, Q = drawn
    J, J2 = seen_exactly(net, x, y)[0], seen_exactly(net, x[-2:], y[-2:], Q[-2:])[0]
    gated = rd.forward(net, x[-2:], Q[-2:])
    assert equal(J, rd.example_gradients(net, x)) and equal(J2, rd.example_gradients(net, gated))
    assert equal(spec.tangent_kernel(J, J2), rd.tangent_kernel(net, x, gated))
    where = list(zip(*spec.unflatten(np.arange(J.shape[2]), net), strict=True))
    by_layer = [[spec.tangent_kernel(J[..., part.ravel()], J2[..., part.ravel()]) for part in layer]
                for layer in where]
    assert equal(np.array(by_layer), rd.layer_kernels(net, x, gated))
    units = [np.append(*unit) for W, b in where for unit in zip(W, b, strict=True)]
    by_unit = [spec.tangent_kernel(J[..., unit], J2[..., unit]) for unit in units]
    assert equal(np.array(by_unit), rd.unit_kernels(net, x, gated))


@given(in_general_position(hidden=st.just(2), outputs=st.just(2)))
def test_kernels_in_general_position_are_those_of_the_package(problem):
    """With two hidden layers K(x, x') is no symmetric matrix: the first output belongs to x."""
    net, x, _ = problem
    J = seen(*problem)[0]
    assert_near(rd.tangent_kernel(net, x, x[:2]), spec.tangent_kernel(J, J[:2]), np.sum(J**2))


@given(with_gates(st.one_of(examples, in_general_position())))
def test_confusion_is_that_of_the_package(drawn):
    """T7, T8; sums of squares of gradients may take more than 53 bits."""
    net, x, y, Q = drawn
    for gates in (None, Q):
        trace, (J, r, _) = rd.forward(net, x, gates), seen(net, x, y, gates)
        G = spec.gram(J, r)
        assert_near(rd.loss_gradient_gram(net, trace, y), G, np.abs(G).max())
        assert_near(rd.gradient_confusion(net, trace, y), spec.gradient_confusion(J, r), 1)


@pytest.mark.parametrize(("grid", "patch"), [
    ((4,), 2), ((4,), 1), ((2, 2), 2), ((2, 4), 2), ((1, 3), 1), ((6,), 3)])
@A_THIRD
@given(st.one_of(exact_nets(), gaussian_nets(width=6)), seeds)
def test_rates_and_splits_are_those_of_the_package(grid, patch, net, seed):
    """T14 to T17, at half-integer inputs: ties, equal and imposed patterns included."""
    rng, n = RNG(seed), int(np.prod(grid))
    x = rng.integers(-3, 4, (n, net.weights[0].shape[1])) / 2
    y = rng.normal(size=(n, len(net.biases[-1])))
    gates = rng.random((n, rd.hidden_units(net))) < 0.5 if seed % 2 else None
    J, r, Q = seen(net, x, y, gates)
    g, T = spec.gradient(J, r), spec.pair_table(J, r, np.eye(n))
    flow = rd.decompose(net, rd.forward(net, x, gates), y, grid=grid, patch=patch)

    frequency = spec.frequency_split(spec.pair_table(J, r, spec.fourier(grid)))
    cycles = [[min(k, m - k) for k, m in zip(at, grid, strict=True)] for at in np.ndindex(*grid)]
    band = np.rint(np.linalg.norm(cycles, axis=1))
    local = spec.patch_split(spec.pair_table(J, r, spec.patch_cosines(grid, patch)), grid, patch)
    at = np.array(list(np.ndindex(*grid)))  # the package lists patch after patch
    order = np.lexsort([*(at % patch).T[::-1], *(at // patch).T[::-1]])
    splits = {
        "layer": spec.layer_split(net, g),
        "unit": spec.unit_split(net, g),
        "pair": spec.pair_split(T, Q),
        "hamming": spec.hamming_split(T, Q),
        "frequency": [frequency[band == k].sum(axis=0) for k in range(int(max(band)) + 1)],
        "patch_frequency": local[order].reshape(-1, patch ** len(grid), 4),
    }
    for name, values in splits.items():
        assert_near(flow.splits[name].values, values, np.abs(T).sum(), err_msg=name)
    assert_near(flow.loss_rate, -g @ g, np.abs(T).sum())
    assert_near(flow.output_rate, spec.output_rate(J, r), np.abs(g).max() * np.abs(J).sum())


@pytest.mark.parametrize("grid", [(6,), (1, 3), (2, 4)])
@A_THIRD
@given(st.one_of(exact_nets(), gaussian_nets(width=6)), seeds)
def test_spectra_of_kernel_and_pattern_are_those_of_the_package(grid, net, seed):
    """T16, T49: every frequency; imposed patterns of nobody's choice."""
    rng, n = RNG(seed), int(np.prod(grid))
    x = rng.normal(size=(n, net.weights[0].shape[1]))
    Q = rng.random((n, rd.hidden_units(net))) < 0.5
    J, F = seen(net, x, np.zeros((n, len(net.biases[-1]))), Q)[0], spec.fourier(grid)
    rates = rd.intrinsic_rates(net, rd.forward(net, x, Q), grid, bands=False)
    assert_near(rates.ravel(), spec.intrinsic_rates(J, F), np.sum(J**2))
    P = rd.pattern_spectrum(Q, grid, bands=False)
    assert_near(P.ravel(), spec.pattern_spectrum(Q, F), 1 + np.sum(Q))


@given(gaussian_nets(width=6, outputs=st.just(1)), seeds)
def test_walls_diffract_as_in_the_package(net, seed):
    """T54, T55: jumps at the breakpoints of a segment, where z_u is 0 up to rounding."""
    a, b = RNG(seed).normal(size=(2, net.weights[0].shape[1]))
    pieces = rd.regions_on_segment(net, a, b)
    walls, w = rd.breakpoints(pieces, a, b), len(pieces.owner)
    e = [spec.jump(net, x, u) for x, u in zip(walls.points, walls.units, strict=True)]
    gram = np.array([[np.sum(one * other) for other in e] for one in e]).reshape(w, w)
    assert_near(rd.wall_jumps(net, walls).gram, gram, np.abs(gram).max(initial=0))

    switched_on = pieces.pattern[np.arange(w) + 1, walls.units]
    start, end = spec.jacobian(net, [spec.forward(net, a), spec.forward(net, b)])
    jumps = [jump if on else -jump for jump, on in zip(e, switched_on, strict=True)]
    jumps = np.array([*jumps, start - end])  # samples wrap around: from the end to the start
    t, k = np.append(np.ceil(16 * pieces.t[1:-1]), 0) / 16, np.arange(1, 16)
    expected = spec.structure_factor(jumps, t, k) / (4 * 16 * np.sin(np.pi * k / 16) ** 2)
    size = len(jumps) * np.sum(jumps**2)
    assert_near(rd.wall_spectrum(net, a, b, 16, k).walls, expected, size)


@given(with_rows(exact_nets(outputs=st.sampled_from([1, 2])), rows=st.sampled_from([1, 2, 4]),
                 columns=1))
def test_a_step_of_descent_is_that_of_the_package(problem):
    """Means over powers of two round nothing; T19 splits what the step does to f."""
    net, x, y = problem
    J, r, _ = seen_exactly(net, x, y)
    moved = spec.sgd_step(spec.flatten(rational(net)), spec.gradient(J, r), Fraction(1, 4))
    trained, _ = rd.train(net, x, y, optimiser=rd.sgd(0.25), epochs=1, rng=None)
    assert equal(moved, rd.flatten(trained))
    split = spec.step_split(rational(net), rational(trained), rational(x))
    frozen, flips = (part.astype(float) for part in split)
    size, fast = np.abs(frozen).max() + np.abs(flips).max(), rd.step_split(net, x, y, 0.25)
    assert_near(fast.frozen, frozen, size)
    assert_near(fast.flips, flips, size)
    assert_allclose(fast.linear, spec.output_rate(J, r).astype(float) / 4, rtol=1e-12)


@given(in_general_position(), st.sampled_from([(0.9, 0.999, 1e-8), (0.5, 0.9, 1e-3), (0, 0, 0.1)]))
def test_steps_of_adam_are_those_of_the_package(problem, constants):
    """Three of them; an error d in g moves a parameter by at most rate d / epsilon."""
    net, x, y = problem
    theta, first, second, largest = spec.flatten(net), 0, 0, 0
    for t in (1, 2, 3):
        g = spec.gradient(*seen(spec.unflatten(theta, net), x, y)[:2])
        largest = max(largest, np.abs(g).max())
        theta, first, second = spec.adam_step(theta, g, first, second, t, 0.01, *constants)
    trained, _ = rd.train(net, x, y, optimiser=rd.adam(0.01, *constants), epochs=3, rng=None)
    assert_near(rd.flatten(trained), theta, 1 + 0.1 * largest / constants[2])


@given(examples, st.data())
def test_walls_move_as_the_package_says(problem, data):
    """T18: along a line, at breakpoints that floats can hold, and along the unit normal."""
    net, x, y = problem
    exact, a, b = data.draw(with_segment(st.just(net)))
    motion = -spec.gradient(*seen_exactly(net, x, y)[:2])
    for (_, t, q, *_), (_, _, q2, *_) in pairwise(spec.pieces(exact, a, b)):
        place, point = a + t * (b - a), (a + t * (b - a)).astype(float)
        for u in np.flatnonzero(q != q2):
            z, _, normal = spec.wall(exact, place, u)
            if z == 0 and normal @ (b - a) and equal(place, point):
                walls, direction = rd.Walls(point[None], np.array([u])), (b - a).astype(float)
                along = spec.wall_velocity(exact, place, u, motion, b - a)
                fast = rd.wall_velocity(net, x, y, walls, along=direction)
                assert_allclose(fast, float(along), rtol=1e-12)
                ahead = normal.astype(float) / np.linalg.norm(normal.astype(float))
                truth = spec.wall_velocity(net, point, u, motion.astype(float), ahead)
                assert_allclose(rd.wall_velocity(net, x, y, walls), truth, rtol=1e-12)


@given(examples)
def test_distances_to_walls_are_those_of_the_package(problem):
    """T36: the root of the exact square, 0 on a wall, inf without one."""
    net, x, _ = problem
    squares = [spec.squared_distance_to_wall(rational(net), row) for row in rational(x)]
    assert_allclose(rd.distance_to_wall(net, x), np.sqrt(np.array(squares, float)), rtol=1e-14)


@given(halves((3, 2)), st.integers(0, 3), st.sampled_from([(2.0, 0.0), (1.5, 0.25), (2.0, 1.0)]))
def test_infinite_width_kernels_are_those_of_the_package(x, layers, variances):
    """T31; arccos loses half of its digits between parallel inputs, which are left out."""
    weight, bias = variances
    fast = rd.infinite_kernels(
        x, hidden_layers=layers, weight_variance=weight, bias_variance=bias)
    for i, j in product(range(3), repeat=2):
        if np.linalg.det(x[[i, j]]) != 0:
            S, K = spec.infinite_width_kernels(x[i], x[j], layers, weight, bias)
            assert_allclose([fast.nngp[i, j], fast.ntk[i, j]], [S, K], rtol=1e-12, atol=1e-12)
