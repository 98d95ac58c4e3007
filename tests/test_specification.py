"""The specification: by hand on small networks, by its theorems, and against everything that computes it fast.

Lattice networks are compared with == in Fractions, degenerate ones among them; networks in general
position up to rounding.  Forward passes, pieces, regions and distances to walls are compared with
the fast ones in test_mlp, test_regions1d, test_regions2d and test_walls.
"""

from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import relu_dynamics as rd
from relu_dynamics import MLP
from relu_dynamics import specification as spec
from relu_dynamics.testing import exact_area, exact_nets, gaussian_nets, halves, rational, with_rows
from tests.oracles import exact_pattern

RNG = np.random.default_rng
seeds = st.integers(0, 2**32 - 1)
examples = with_rows(exact_nets(), rows=st.integers(1, 4), columns=1)
HAT = MLP((np.array([[1.0], [1.0]]), np.array([[1.0, -2.0]])), (np.array([0.0, -1.0]), np.zeros(1)))
# The quadrants of the plane, and x + y = 1 in the one where both units of the first layer are on.
CORNER = MLP((np.eye(2), np.ones((1, 2)), np.ones((1, 1))), (np.zeros(2), -np.ones(1), np.zeros(1)))
BOX = rational([[-1, -1], [1, -1], [1, 1], [-1, 1]])


@st.composite
def in_general_position(draw, rows=4, width=8, **kwargs):
    """(net, x, y): a network with Gaussian weights, inputs and targets."""
    net, rng = draw(gaussian_nets(width=width, **kwargs)), RNG(draw(seeds))
    return net, rng.normal(size=(rows, net.weights[0].shape[1])), rng.normal(size=(rows, len(net.biases[-1])))


@st.composite
def with_gates(draw, problems):
    """(net, x, y, pattern): gates of nobody's choice."""
    net, x, y = draw(problems)
    return net, x, y, RNG(draw(seeds)).random((len(x), rd.hidden_units(net))) < 0.5


def equal(exact, values):
    """Fractions and floats, number by number."""
    return np.shape(exact) == np.shape(values) and bool(np.all(np.asarray(exact) == values))


def seen(net, x, y, Q=None):
    """J, r and Q of the specification."""
    traces = [spec.forward(net, row, None if Q is None else Q[i]) for i, row in enumerate(x)]
    f = np.array([trace.z[-1] for trace in traces])
    return spec.jacobian(net, traces), f - y, np.array([spec.pattern(trace) for trace in traces])


# ---------------------------------------------------------------------- by hand


def test_the_hat_has_the_pieces_that_one_sees():
    """max(x, 0) - 2 max(x - 1, 0) on [-1, 3]: 0, then x, then 2 - x, with x = 4 t - 1."""
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    pieces = spec.pieces(rational(HAT), rational([-1]), rational([3]))
    assert [(start, end, q.tolist(), slope.item(), offset.item()) for start, end, q, slope, offset in pieces] == [
        (0, quarter, [False, False], 0, 0), (quarter, half, [True, False], 4, -1), (half, 1, [True, True], -4, 3)]


def test_three_quadrants_and_two_parts_of_the_fourth():
    regions = {tuple(q.tolist()): {tuple(corner) for corner in corners} for q, corners in spec.regions(rational(CORNER), BOX)}
    assert regions == {
        (False, False, False): {(-1, -1), (0, -1), (0, 0), (-1, 0)},
        (True, False, False): {(0, -1), (1, -1), (1, 0), (0, 0)},
        (False, True, False): {(-1, 0), (0, 0), (0, 1), (-1, 1)},
        (True, True, False): {(0, 0), (1, 0), (0, 1)},
        (True, True, True): {(1, 0), (1, 1), (0, 1)},
    }


def test_gradients_rates_and_splits_of_the_hat():
    """At 1/2 only the first unit is on, at 3/2 both; f = 1/2 twice, and the targets are 1 and 0."""
    x, y = rational([[0.5], [1.5]]), rational([[1], [0]])
    J, r, Q = seen(rational(HAT), x, y)
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
    """The peak at 1 is the second unit's wall: it moves at -z' = -(b' + w'), and J jumps by -2 dz."""
    net, one = rational(HAT), rational([1])
    z, d_theta, d_x = spec.wall(net, one, 1)
    assert (z, d_theta.tolist(), d_x.tolist()) == (0, [1, 1], [1])
    assert spec.squared_distance_to_wall(net, rational([0.25])) == Fraction(1, 16)
    motion = rational([0, 1.5, 0, 1, 0, 0, 0])
    assert spec.wall_velocity(net, one, 1, motion, one) == Fraction(-5, 2)
    assert equal(spec.jump(net, one, 1), [[0, -2, 0, -2, 0, 0, 0]])


def test_one_step_of_each_optimiser():
    """Adam's first step has the size of the rate, whatever the gradient."""
    theta, g = np.array([1.0, 2.0]), np.array([4.0, -0.25])
    assert spec.sgd_step(theta, g, 0.5).tolist() == [-1, 2.125]
    moved, first, second = spec.adam_step(theta, g, 0, 0, 1, 0.125)
    assert_allclose(moved, [0.875, 2.125], rtol=1e-7)  # epsilon moves it by 1e-8 / |g|
    assert_allclose([first, second], [[0.4, -0.025], [0.016, 0.0000625]], rtol=1e-13)


# ------------------------------------------------------------------ by theorems


@given(examples, st.integers(-3, 3), seeds)
def test_fractions_stay_fractions_and_floats_give_the_same_numbers(problem, power, seed):
    """Where nothing is rounded both are the same; whole numbers are the only others among Fractions."""
    net, x, y = problem
    exact, numbers = rational(net), (rational(x), rational(y))
    J, r, Q = seen(exact, *numbers)
    K, G, g, f_rate = spec.tangent_kernel(J, J), spec.gram(J, r), spec.gradient(J, r), spec.output_rate(J, r)
    B = np.eye(len(x), dtype=int)[RNG(seed).permutation(len(x))]
    T = spec.pair_table(J, r, B)
    results = [J, r, K, G, g, f_rate, T, spec.layer_split(net, g), spec.unit_split(net, g), spec.pair_split(T, Q),
               spec.hamming_split(T, Q), spec.frequency_split(T), spec.sgd_step(spec.flatten(exact), g, Fraction(1, 3)),
               spec.intrinsic_rates(J, B), *spec.affine_map(exact, Q[0]), *spec.step_split(exact, exact, numbers[0])]
    assert all(isinstance(number, (int, Fraction)) for result in results for number in np.ravel(result).tolist())
    J_float, r_float, Q_float = seen(net, x, y)
    assert equal(J, J_float) and equal(r, r_float) and equal(Q, Q_float)
    assert equal(K, spec.tangent_kernel(J_float, J_float))


@given(exact_nets(), st.data())
def test_pieces_cover_the_segment_and_f_is_what_they_say(net, data):
    """T2: at both ends and inside, so that neighbours meet; each has the pattern of its inside, and neighbours differ."""
    d = net.weights[0].shape[1]
    a, b = rational(data.draw(halves((d,)))), rational(data.draw(halves((d,))))
    net = rational(net)
    pieces = spec.pieces(net, a, b)
    assert pieces[0][0] == 0 and pieces[-1][1] == 1
    assert all(left[1] == right[0] and (left[2] != right[2]).any() for left, right in pairwise(pieces))
    for start, end, q, slope, offset in pieces:
        for t in (start, end, (start + end) / Fraction(2), (start + 2 * end) / Fraction(3)):
            trace = spec.forward(net, a + t * (b - a))
            assert equal(slope[:, 0] * t + offset, trace.z[-1])
            assert t in (start, end) or equal(q, spec.pattern(trace))


@given(exact_nets(inputs=st.just(2)))
def test_regions_fill_the_window_and_have_the_pattern_of_their_inside(net):
    """T38: areas sum to the window's, patterns are distinct, corners are anticlockwise."""
    net = rational(net)
    regions = spec.regions(net, BOX)
    areas = [exact_area(corners) for _, corners in regions]
    assert sum(areas) == 4 and min(areas) > 0
    assert len({tuple(q) for q, _ in regions}) == len(regions)
    for q, corners in regions:
        assert equal(spec.pattern(spec.forward(net, sum(corners) / len(corners))), q)


@given(examples)
def test_all_splits_sum_to_the_rate_of_the_loss(problem):
    """T14, T15, exactly: -|g|^2, which is also the residual times the rate of f."""
    net, x, y = problem
    J, r, Q = seen(rational(net), rational(x), rational(y))
    g, T = spec.gradient(J, r), spec.pair_table(J, r, np.eye(len(x), dtype=int))
    splits = [spec.layer_split(net, g), spec.unit_split(net, g), T, spec.pair_split(T, Q), spec.hamming_split(T, Q),
              spec.frequency_split(T), spec.patch_split(T, (len(x),), 1), spec.patch_split(T, (1, len(x)), 1)]
    assert all(np.sum(split) == -g @ g for split in splits)
    assert np.sum(2 * r * spec.output_rate(J, r)) / r.size == -g @ g


@pytest.mark.parametrize("transform", [
    spec.fourier((5,)), spec.fourier((3, 4)), spec.patch_cosines((6,), 3), spec.patch_cosines((4, 6), 2)])
def test_transforms_are_unitary(transform):
    assert_allclose(transform @ transform.conj().T, np.eye(len(transform)), atol=1e-14)


@given(in_general_position(rows=8), st.sampled_from([(8,), (2, 4)]))
def test_a_rate_spectrum_is_a_distance_transformed(problem, grid):
    """T49 (iv): P_k = -(1/2) DFT over displacements of the mean Hamming distance, up to its constant at k = 0."""
    Q = seen(*problem)[2]
    P, H = spec.pattern_spectrum(Q, spec.fourier(grid)), spec.hamming(Q, Q)
    places = list(np.ndindex(*grid))
    at = {place: i for i, place in enumerate(places)}
    moved = [[at[tuple((i + e) % n for i, e, n in zip(place, d, grid, strict=True))] for place in places] for d in places]
    mean = np.array([np.mean([H[i, j] for i, j in enumerate(to)]) for to in moved])
    assert_allclose(P[1:], -0.5 * np.fft.fftn(mean.reshape(grid)).ravel()[1:], atol=1e-12 * (1 + H.max()))


@given(in_general_position(rows=6))
def test_neighbours_decide_the_high_frequencies(problem):
    """T50: sum_k 4 sin^2(pi k/n) of P_k is the number of switches between neighbours, of K_kk what their gradients differ by."""
    J, _, Q = seen(*problem)
    F, weight = spec.fourier((6,)), 4 * np.sin(np.pi * np.arange(6) / 6) ** 2
    assert_allclose(weight @ spec.pattern_spectrum(Q, F), np.sum(Q != np.roll(Q, 1, axis=0)), atol=1e-12 * Q.size)
    assert_allclose(weight @ spec.intrinsic_rates(J, F), np.sum((J - np.roll(J, 1, axis=0)) ** 2), atol=1e-12 * np.sum(J**2))


@given(in_general_position(rows=6, outputs=st.just(1)), st.sampled_from([spec.fourier((6,)), spec.patch_cosines((2, 3), 1)]))
def test_a_mode_by_itself_falls_at_its_intrinsic_rate(problem, B):
    """T16: d|c_k|^2/dt = -(4/nm) K_kk |c_k|^2, and their sum over n m is the rate of the loss."""
    J, r, _ = seen(*problem)
    own = spec.frequency_split(spec.pair_table(J, r, B))[:, 0]
    assert_allclose(own, -4 / 36 * spec.intrinsic_rates(J, B) * abs(B @ r)[:, 0] ** 2, rtol=1e-12, atol=1e-14 * np.sum(J**2) * np.sum(r**2))


@given(exact_nets(hidden=st.integers(1, 3)), st.data())
def test_gradients_jump_at_a_wall_by_what_is_said(net, data):
    """T54, exactly: J is affine on both sides of a breakpoint, so its two limits there follow from two points each."""
    d = net.weights[0].shape[1]
    a, b = rational(data.draw(halves((d,)))), rational(data.draw(halves((d,))))
    net = rational(net)
    for (start, t, q, *_), (_, end, q2, *_) in pairwise(spec.pieces(net, a, b)):
        units = np.flatnonzero(q != q2)
        if len(units) == 1:
            def limit(step):
                J = spec.jacobian(net, [spec.forward(net, a + (t + k * step) * (b - a)) for k in (1, 2)])
                return 2 * J[0] - J[1]
            gain = limit((end - t) / 3) - limit((start - t) / 3)
            assert equal(spec.jump(net, a + t * (b - a), units[0]), gain if q2[units[0]] else -gain)


# ------------------------------------------------------------- against the fast


@given(with_gates(examples))
def test_passes_are_those_of_the_package(drawn):
    """Forward, backward and outputs, exactly; with the network's own pattern and with an imposed one (T1, T40)."""
    net, x, y, Q = drawn
    exact, rows = rational(net), rational(x)
    for gates in (None, Q):
        fast = rd.forward(net, x, gates)
        slow = [spec.forward(exact, row, None if gates is None else gates[i]) for i, row in enumerate(rows)]
        for ours, theirs in zip(fast, zip(*slow, strict=True), strict=True):  # h, z and q
            assert all(equal(np.array(part), layer) for layer, part in zip(ours, zip(*theirs, strict=True), strict=True))
        assert equal(np.array([trace.z[-1] for trace in slow]), rd.predict(net, x, gates))
        back, pulled = rd.backward(net, fast, y), [spec.backward(exact, *pair) for pair in zip(slow, rational(y), strict=True)]
        assert equal(sum(theta for theta, _ in pulled), rd.flatten(back))
        assert equal(np.array([d_x for _, d_x in pulled]), back.x)


@given(exact_nets())
def test_parameters_are_in_the_order_of_the_package(net):
    assert equal(spec.flatten(net), rd.flatten(net))
    again = spec.unflatten(spec.flatten(net), net)
    assert all(equal(mine, part) for ours, parts in zip(again, net, strict=True) for mine, part in zip(ours, parts, strict=True))


@given(examples)
def test_patterns_and_maps_are_those_of_the_package(problem):
    net, x, y = problem
    Q = seen(net, x, y)[2]
    assert Q.dtype == bool and equal(Q, rd.pattern(net, x)) and Q.tolist() == [exact_pattern(net, row) for row in x]
    assert equal(spec.hamming(Q, Q[:2]), rd.hamming(Q, Q[:2]))
    exact = rational(net)
    for q, A, c in zip(Q, *rd.affine_map(net, Q), strict=True):
        assert equal(spec.affine_map(exact, q)[0], A) and equal(spec.affine_map(exact, q)[1], c)
    for row, q, G, g in zip(rational(x), Q, *rd.preactivation_maps(net, Q), strict=True):
        for u in range(len(q)):
            A, c = spec.affine_map(spec.unit(exact, u), q)
            z, _, d_x = spec.wall(exact, row, u)
            assert equal(A[0], G[u]) and c[0] == g[u] and z == G[u] @ row + g[u] and equal(d_x, G[u])


@given(with_gates(examples))
def test_kernels_are_those_of_the_package(drawn):
    """T6, T11: all of it, by layer, and by unit; between own and imposed patterns (T40)."""
    net, x, y, Q = drawn
    J, J2 = seen(rational(net), rational(x), rational(y))[0], seen(rational(net), rational(x), rational(y), Q)[0][-2:]
    gated = rd.forward(net, x[-2:], Q[-2:])
    assert equal(J, rd.example_gradients(net, x)) and equal(J2, rd.example_gradients(net, gated))
    assert equal(spec.tangent_kernel(J, J2), rd.tangent_kernel(net, x, gated))
    numbers = spec.unflatten(np.arange(J.shape[2]), net)  # every parameter is its place in theta
    by_layer = [[spec.tangent_kernel(J[..., part.ravel()], J2[..., part.ravel()]) for part in layer] for layer in zip(*numbers, strict=True)]
    assert equal(np.array(by_layer), rd.layer_kernels(net, x, gated))
    units = [np.append(w, c) for W, b in zip(*numbers, strict=True) for w, c in zip(W, b, strict=True)]
    by_unit = [spec.tangent_kernel(J[..., unit], J2[..., unit]) for unit in units]
    assert equal(np.array(by_unit), rd.unit_kernels(net, x, gated))


@given(in_general_position(hidden=st.just(2), outputs=st.just(2)))
def test_kernels_in_general_position_are_those_of_the_package(problem):
    """With two hidden layers K(x, x') is no symmetric matrix of the outputs: the first output belongs to x."""
    net, x, y = problem
    J = seen(net, x, y)[0]
    assert_allclose(rd.tangent_kernel(net, x, x[:2]), spec.tangent_kernel(J, J[:2]), rtol=0, atol=1e-13 * np.sum(J**2))


@given(with_gates(st.one_of(examples, in_general_position())))
def test_confusion_is_that_of_the_package(drawn):
    """T7, T8; sums of squares of gradients may take more than 53 bits."""
    net, x, y, Q = drawn
    for gates in (None, Q):
        trace, (J, r, _) = rd.forward(net, x, gates), seen(net, x, y, gates)
        G = spec.gram(J, r)
        assert_allclose(rd.loss_gradient_gram(net, trace, y), G, rtol=0, atol=1e-12 * np.abs(G).max())
        assert_allclose(rd.gradient_confusion(net, trace, y), spec.gradient_confusion(J, r), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("grid", "patch"), [((4,), 2), ((4,), 1), ((2, 2), 2), ((2, 4), 2), ((1, 3), 1), ((6,), 3)])
@settings(max_examples=20)
@given(st.one_of(exact_nets(), gaussian_nets(width=6)), seeds)
def test_rates_and_splits_are_those_of_the_package(grid, patch, net, seed):
    """T14 to T17, up to the rounding of the largest sum; half-integer inputs, ties, equal and imposed patterns included."""
    rng, n = RNG(seed), int(np.prod(grid))
    x, y = rng.integers(-3, 4, (n, net.weights[0].shape[1])) / 2, rng.normal(size=(n, len(net.biases[-1])))
    gates = rng.random((n, rd.hidden_units(net))) < 0.5 if seed % 2 else None
    J, r, Q = seen(net, x, y, gates)
    g, T = spec.gradient(J, r), spec.pair_table(J, r, np.eye(n))
    flow = rd.decompose(net, rd.forward(net, x, gates), y, grid=grid, patch=patch)
    near = {"rtol": 0, "atol": 1e-12 * np.abs(T).sum() + 1e-300}
    cycles = np.stack(np.meshgrid(*(np.fft.fftfreq(size, 1 / size) for size in grid), indexing="ij"), axis=-1)
    band = np.rint(np.linalg.norm(cycles, axis=-1)).astype(int).ravel()
    frequency = spec.frequency_split(spec.pair_table(J, r, spec.fourier(grid)))
    local = spec.patch_split(spec.pair_table(J, r, spec.patch_cosines(grid, patch)), grid, patch)
    local = local.reshape([part for size in grid for part in (size // patch, patch)] + [4])
    local = local.transpose((0, 1, 2) if len(grid) == 1 else (0, 2, 1, 3, 4)).reshape(-1, patch ** len(grid), 4)
    truth = {
        "layer": spec.layer_split(net, g), "unit": spec.unit_split(net, g), "hamming": spec.hamming_split(T, Q),
        "pair": spec.pair_split(T, Q), "frequency": [frequency[band == k].sum(axis=0) for k in range(max(band) + 1)],
        "patch_frequency": local,
    }
    for name, values in truth.items():
        assert_allclose(flow.splits[name].values, values, err_msg=name, **near)
    assert_allclose(flow.loss_rate, -g @ g, **near)
    assert_allclose(flow.output_rate, spec.output_rate(J, r), rtol=0, atol=1e-12 * np.abs(g).max() * np.abs(J).sum(axis=2).max() + 1e-300)


@pytest.mark.parametrize("grid", [(6,), (1, 3), (2, 4)])
@settings(max_examples=20)
@given(st.one_of(exact_nets(), gaussian_nets(width=6)), seeds)
def test_spectra_of_kernel_and_pattern_are_those_of_the_package(grid, net, seed):
    """T16, T49: every frequency; imposed patterns of nobody's choice."""
    rng, n = RNG(seed), int(np.prod(grid))
    x, Q = rng.normal(size=(n, net.weights[0].shape[1])), rng.random((n, rd.hidden_units(net))) < 0.5
    J, F = seen(net, x, np.zeros((n, len(net.biases[-1]))), Q)[0], spec.fourier(grid)
    rates = rd.intrinsic_rates(net, rd.forward(net, x, Q), grid, bands=False)
    assert_allclose(rates.ravel(), spec.intrinsic_rates(J, F), rtol=0, atol=1e-12 * np.sum(J**2))
    P = rd.pattern_spectrum(Q, grid, bands=False)
    assert_allclose(P.ravel(), spec.pattern_spectrum(Q, F), rtol=0, atol=1e-12 * (1 + np.sum(Q)))


@given(gaussian_nets(width=6), seeds)
def test_jumps_at_walls_are_those_of_the_package(net, seed):
    """T54: their inner products, at the breakpoints of a segment, where z_u is 0 up to rounding."""
    a, b = RNG(seed).normal(size=(2, net.weights[0].shape[1]))
    walls = rd.breakpoints(rd.regions_on_segment(net, a, b), a, b)
    e = [spec.jump(net, point, u).ravel() for point, u in zip(walls.points, walls.units, strict=True)]
    gram = np.array([[v @ w for w in e] for v in e]).reshape(len(e), len(e))
    assert_allclose(rd.wall_jumps(net, walls).gram, gram, rtol=0, atol=1e-12 * np.abs(gram).max(initial=0))


@given(with_rows(exact_nets(outputs=st.sampled_from([1, 2])), rows=st.sampled_from([1, 2, 4]), columns=1))
def test_a_step_of_descent_is_that_of_the_package(problem):
    """Means over powers of two round nothing; what the step does to f is split where units switch (T19)."""
    net, x, y = problem
    J, r, _ = seen(rational(net), rational(x), rational(y))
    moved = spec.sgd_step(spec.flatten(rational(net)), spec.gradient(J, r), Fraction(1, 4))
    trained, _ = rd.train(net, x, y, optimiser=rd.sgd(0.25), epochs=1, rng=None)
    assert equal(moved, rd.flatten(trained))
    frozen, flips = (np.array(part, float) for part in spec.step_split(rational(net), rational(trained), rational(x)))
    fast = rd.step_split(net, x, y, 0.25)
    size = 1e-12 * (np.abs(frozen).max() + np.abs(flips).max())
    assert_allclose(fast.linear, np.array(spec.output_rate(J, r), float) / 4, rtol=1e-12)
    assert_allclose(fast.frozen, frozen, rtol=0, atol=size)
    assert_allclose(fast.flips, flips, rtol=0, atol=size)


@given(in_general_position(), st.sampled_from([(0.9, 0.999, 1e-8), (0.5, 0.9, 1e-3), (0.0, 0.0, 1e-1)]))
def test_steps_of_adam_are_those_of_the_package(problem, constants):
    """Three steps, the gradient by its definition; an error d in g moves a parameter by at most rate d / epsilon."""
    net, x, y = problem
    theta, first, second, largest = spec.flatten(net), 0, 0, 0
    for t in (1, 2, 3):
        g = spec.gradient(*seen(spec.unflatten(theta, net), x, y)[:2])
        largest = max(largest, np.abs(g).max())
        theta, first, second = spec.adam_step(theta, g, first, second, t, 0.01, *constants)
    trained, _ = rd.train(net, x, y, optimiser=rd.adam(0.01, *constants), epochs=3, rng=None)
    assert_allclose(rd.flatten(trained), theta, rtol=0, atol=1e-12 + 1e-13 * largest / constants[2])


@given(examples, st.data())
def test_walls_move_as_the_package_says(problem, data):
    """T18: at breakpoints on a line, along it; the normal velocity is the one along the unit normal."""
    net, x, y = problem
    d = net.weights[0].shape[1]
    a, b = data.draw(halves((d,))), data.draw(halves((d,)))
    exact, motion = rational(net), -spec.gradient(*seen(rational(net), rational(x), rational(y))[:2])
    for (_, t, q, *_), (_, _, q2, *_) in pairwise(spec.pieces(exact, rational(a), rational(b))):
        place = rational(a) + t * (rational(b) - rational(a))
        for u in np.flatnonzero(q != q2):
            z, _, normal = spec.wall(exact, place, u)
            if z == 0 and any(normal) and normal @ rational(b - a) and equal(place, place.astype(float)):
                walls = rd.Walls(place.astype(float)[None], np.array([u]))
                along = spec.wall_velocity(exact, place, u, motion, rational(b - a))
                assert_allclose(rd.wall_velocity(net, x, y, walls, along=b - a), float(along), rtol=1e-12)
                unit_normal = normal.astype(float) / np.linalg.norm(normal.astype(float))
                expected = spec.wall_velocity(net, place.astype(float), u, motion.astype(float), unit_normal)
                assert_allclose(rd.wall_velocity(net, x, y, walls), expected, rtol=1e-12)


@given(examples)
def test_distances_to_walls_are_those_of_the_package(problem):
    """T36: the root of the exact square, 0 on a wall, inf without one."""
    net, x, _ = problem
    squares = [spec.squared_distance_to_wall(rational(net), row) for row in rational(x)]
    assert_allclose(rd.distance_to_wall(net, x), [float(square) ** 0.5 for square in squares], rtol=1e-14)


@given(halves((3, 2)), st.integers(0, 3), st.sampled_from([(2.0, 0.0), (1.5, 0.25), (2.0, 1.0)]))
def test_infinite_width_kernels_are_those_of_the_package(x, layers, variances):
    """T31; arccos loses half of its digits between parallel inputs, which are left out."""
    fast = rd.infinite_kernels(x, hidden_layers=layers, weight_variance=variances[0], bias_variance=variances[1])
    for i, j in product(range(3), repeat=2):
        if abs(np.linalg.det(x[[i, j]])) > 0:
            slow = spec.infinite_width_kernels(x[i], x[j], layers, *variances)
            assert_allclose([fast.nngp[i, j], fast.ntk[i, j]], slow, rtol=1e-12, atol=1e-12)
