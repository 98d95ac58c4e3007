"""Rates of learning as spectra: of the tangent kernel, and of the activation pattern (T49 to T51,
T53).
"""

import numpy as np
import pytest
import scipy.fft
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from relu_dynamics import (
    MLP, forward, hamming, init, intrinsic_rates, mean_by_displacement, pack, pattern,
    pattern_spectrum, tangent_kernel,
)
from relu_dynamics.mlp import pull_back, some_rows
from relu_dynamics.testing import exact_nets, gaussian_nets, halves

RNG = np.random.default_rng
GRIDS = st.one_of(st.tuples(st.integers(1, 9)), st.tuples(st.integers(1, 4), st.integers(1, 4)))


def close(actual, expected):
    """Two exact formulas in float64: 1e-12 of the largest term."""
    assert_allclose(actual, expected, rtol=0,
                    atol=1e-12 * max(1.0, np.abs(expected).max(initial=0)))


def jacobian(net, trace):
    """(n, m, p): one backward pass per row and output, with whatever gates the trace has."""
    def gradient(row, df):
        weights, biases, _ = pull_back(net, row, df)
        return np.concatenate([part.ravel() for layer in zip(weights, biases, strict=True)
                               for part in layer])

    rows = [some_rows(trace, slice(i, i + 1)) for i in range(len(trace.inputs[0]))]
    return np.array([[gradient(row, e[None]) for e in np.eye(len(net.biases[-1]))]
                     for row in rows])


@st.composite
def traces_on_grids(draw, nets=None):
    """(net, trace, grid): rows on a grid, through the gates of the net or through imposed ones."""
    net = draw(exact_nets() if nets is None else nets)
    grid = draw(GRIDS)
    n = int(np.prod(grid))
    x = draw(halves((n, net.weights[0].shape[1])))
    H = sum(len(b) for b in net.biases[:-1])
    gates = RNG(draw(st.integers(0, 2**32 - 1))).random((n, H)) < 0.5
    imposed = gates if draw(st.booleans()) else None
    return net, forward(net, x, imposed), grid


def patterns_on_grids(units=st.integers(0, 70)):
    """(q, grid): random bits, more than one word of them."""
    return st.builds(lambda grid, H, seed: (RNG(seed).random((int(np.prod(grid)), H)) < 0.4, grid),
                     GRIDS, units, st.integers(0, 2**32 - 1))


def power(v, grid):
    """sum_c |(F v_c)_k|^2 by the definition of the unitary transform."""
    axes = tuple(range(len(grid)))
    F = np.fft.fftn(np.reshape(v, (*grid, -1)), axes=axes, norm="ortho")
    return (np.abs(F) ** 2).sum(axis=-1)


def rolled(v, d, grid):
    """v_(i + d), where i + d wraps around."""
    return np.roll(np.reshape(v, (*grid, -1)), [-step for step in d], axis=tuple(range(len(grid))))


# ------------------------------------------------------------------------ rates


@given(traces_on_grids())
def test_T49_rates_are_the_power_spectrum_of_the_tangent_features(drawn):
    """K_ij = <v_i, v_j>, so (F K F*)_kk = sum_c |(F v_c)_k|^2, whatever the gates."""
    net, trace, grid = drawn
    v = jacobian(net, trace)
    close(intrinsic_rates(net, trace, grid, bands=False), power(v, grid))


@given(traces_on_grids(gaussian_nets(width=6)))
def test_T49_rates_are_the_variogram_transformed(drawn):
    """For k != 0, -1/2 of the transform over d of mean_i |v_i - v_(i+d)|^2: far pairs speak of low
    frequencies, near ones of high.
    """
    net, trace, grid = drawn
    v = jacobian(net, trace).reshape(len(trace.inputs[0]), -1)
    variogram = np.array([np.sum((rolled(v, d, grid) - v.reshape(*grid, -1)) ** 2) / len(v)
                          for d in np.ndindex(grid)]).reshape(grid)
    rates = intrinsic_rates(net, trace, grid, bands=False)
    transformed = -np.fft.fftn(variogram).real / 2
    rates.flat[0] = transformed.flat[0] = 0
    assert_allclose(rates, transformed, rtol=0, atol=1e-12 * max(1, np.abs(v).max() ** 2 * v.size))


@given(traces_on_grids(), st.data())
def test_T50_what_neighbours_do_is_the_weighted_sum_of_the_rates(drawn, data):
    """sum_k 4 sin^2(pi k/n) K_kk = sum_i |v_i - v_(i+1)|^2 along every axis."""
    net, trace, grid = drawn
    v = jacobian(net, trace).reshape(len(trace.inputs[0]), -1)
    rates = intrinsic_rates(net, trace, grid, bands=False)
    for axis, n in enumerate(grid):
        step = [int(other == axis) for other in range(len(grid))]
        along = [n if other == axis else 1 for other in range(len(grid))]
        weight = (4 * np.sin(np.pi * np.arange(n) / n) ** 2).reshape(along)
        apart = np.sum((rolled(v, step, grid) - v.reshape(*grid, -1)) ** 2)
        assert_allclose(np.sum(weight * rates), apart, rtol=0, atol=1e-12 * max(1, 4 * rates.sum()))


@given(traces_on_grids())
def test_bands_are_means_over_equal_radii_and_lose_nothing_on_a_line(drawn):
    """On a line k and -k have one rate, so bands hold all of them; in the plane every frequency is
    in one band.
    """
    net, trace, grid = drawn
    every, bands = intrinsic_rates(net, trace, grid, bands=False), intrinsic_rates(net, trace, grid)
    cycles = np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in grid), indexing="ij")
    radius = np.rint(np.sqrt(sum(k**2 for k in cycles)))
    close(bands, [every[radius == r].mean() for r in range(len(bands))])
    close(bands[radius.astype(int)].sum(), every.sum())
    if len(grid) == 1:
        close(bands, every[: len(bands)])


@given(GRIDS, st.integers(0, 2**32 - 1), st.sampled_from([(), (2, 3)]))
def test_mean_by_displacement_is_the_mean_over_all_pairs_at_it(grid, seed, more):
    """By looping over all pairs."""
    n = int(np.prod(grid))
    pairs = RNG(seed).integers(-9, 9, (n, n, *more))
    total = np.zeros((*grid, *more))
    for i, here in enumerate(np.ndindex(grid)):
        for j, there in enumerate(np.ndindex(grid)):
            total[tuple((b - a) % size
                        for a, b, size in zip(here, there, grid, strict=True))] += pairs[i, j]
    close(mean_by_displacement(pairs, grid), total / n)


# ---------------------------------------------------------- the pattern's spectrum


@given(patterns_on_grids())
def test_T49_pattern_spectrum_is_the_hamming_distance_transformed(drawn):
    """For k != 0, P_k = -1/2 of the transform of the mean Hamming distance at displacement d; P_0
    is n sum_u mean(q_u)^2.
    """
    q, grid = drawn
    expected = -np.fft.fftn(mean_by_displacement(hamming(q, q), grid)).real / 2
    expected.flat[0] = len(q) * np.sum(q.mean(axis=0) ** 2)
    close(pattern_spectrum(q, grid, bands=False), expected)


@given(patterns_on_grids(), st.integers(0, 2**32 - 1))
def test_packed_patterns_have_the_same_spectrum(drawn, seed):
    """A word's padding is off everywhere, and adds nothing; weights count units."""
    q, grid = drawn
    weights = RNG(seed).random(q.shape[1])
    assert_allclose(pattern_spectrum(pack(q), grid), pattern_spectrum(q, grid), atol=1e-12 * q.size)
    close(pattern_spectrum(pack(q), grid, weights=weights, bands=False),
          power(q * np.sqrt(weights), grid))


@given(patterns_on_grids())
def test_T50_neighbours_hamming_distances_are_the_weighted_sum_of_the_spectrum(drawn):
    """sum_k 4 sin^2(pi k/n) P_k = sum_i H(q_i, q_(i+1)) along every axis: near pairs are the high
    frequencies.
    """
    q, grid = drawn
    P = pattern_spectrum(q, grid, bands=False)
    for axis, n in enumerate(grid):
        step = [int(other == axis) for other in range(len(grid))]
        along = [n if other == axis else 1 for other in range(len(grid))]
        weight = (4 * np.sin(np.pi * np.arange(n) / n) ** 2).reshape(along)
        switches = np.count_nonzero(rolled(q, step, grid) != q.reshape(*grid, -1))
        assert_allclose(np.sum(weight * P), switches, rtol=0, atol=1e-12 * max(1, 4 * P.sum()))


@given(exact_nets(hidden=st.just(1), outputs=st.just(1)), GRIDS, st.data())
def test_T49_rates_of_trained_biases_are_the_weighted_spectrum_of_the_pattern(net, grid, data):
    """One hidden layer of which the biases train: v_iu = a_u q_iu, so K_kk = sum_u a_u^2 |(F
    q_u)_k|^2.
    """
    x = data.draw(halves((int(np.prod(grid)), net.weights[0].shape[1])))
    q, a = pattern(net, x), net.weights[1][0]
    first = slice(net.weights[0].size, net.weights[0].size + len(a))
    first_biases = jacobian(net, forward(net, x))[:, 0, first]
    close(pattern_spectrum(q, grid, weights=a**2, bands=False), power(first_biases, grid))


@given(traces_on_grids())
def test_T49_the_gradient_of_every_bias_is_constant_on_cells(drawn):
    """D_l depends on the gates alone: two samples with one pattern have the same derivatives in all
    biases, whatever their inputs.
    """
    net, trace, _ = drawn
    _, cell = np.unique(np.concatenate([np.zeros((len(trace.inputs[0]), 1), bool), *trace.pattern],
                                       axis=1), axis=0, return_inverse=True)
    cell = cell.ravel()  # NumPy 2.0 keeps an axis
    at, J = 0, jacobian(net, trace)
    for W, b in zip(*net, strict=True):
        biases = J[..., at + W.size : at + W.size + b.size]
        for c in range(cell.max() + 1):
            assert_array_equal(biases[cell == c],
                               np.broadcast_to(biases[cell == c][0], biases[cell == c].shape))
        at += W.size + b.size


@given(st.integers(2, 64), st.integers(0, 2**32 - 1))
def test_T51_a_units_spectrum_is_that_of_its_switches(n, seed):
    """|(F q_u)_k|^2 = |sum of its switches' phases, + on and - off|^2 / (4 n sin^2(pi k/n))."""
    q = RNG(seed).random(n) < 0.5
    switches = np.diff(q.astype(float), prepend=float(q[-1]))  # at sample i: from i - 1 to i
    k = np.arange(1, n // 2 + 1)
    phases = np.exp(-2j * np.pi * np.outer(k, np.arange(n)) / n)
    expected = np.abs(phases @ switches) ** 2 / (4 * n * np.sin(np.pi * k / n) ** 2)
    close(pattern_spectrum(q[:, None], (n,))[1:], expected)


def test_T51_walls_at_random_places_have_the_spectrum_of_their_number():
    """Units that are on between two uniformly random places: the mean of |e^ia - e^ib|^2 is 2, its
    variance 2, at every k != 0.
    """
    n, units = 64, 4000
    ends = np.sort(RNG(0).integers(0, n, (units, 2)), axis=1)
    q = (np.arange(n)[:, None] >= ends[:, 0]) & (np.arange(n)[:, None] < ends[:, 1])
    k = np.arange(1, n // 2)  # at n/2 phases are +-1 and the variance is another
    structure = pattern_spectrum(q, (n,))[k] * 4 * n * np.sin(np.pi * k / n) ** 2
    assert (np.abs(structure - 2 * units) < 4 * np.sqrt(2 * units)).all()


@given(exact_nets(hidden=st.just(1), outputs=st.just(1), inputs=st.just(2)), st.data())
def test_T53_self_rates_of_patches_are_the_local_spectrum_of_the_pattern(net, data):
    """diag(B K B') = sum_u a_u^2 (B q_u)^2 for the cosine transform of a 3 x 3 patch; nothing but
    the mean inside one region.
    """
    x = data.draw(halves((9, 2)))
    one = scipy.fft.dct(np.eye(3), axis=0, norm="ortho")
    B, a, q = np.kron(one, one), net.weights[1][0], pattern(net, x)
    first = slice(net.weights[0].size, net.weights[0].size + len(a))
    biases = jacobian(net, forward(net, x))[:, 0, first]
    rates = np.diagonal(B @ (biases @ biases.T) @ B.T)
    close(rates, (a**2 * (B @ q) ** 2).sum(axis=1))
    still = np.repeat(biases[:1], 9, axis=0)
    close(np.diagonal(B @ (still @ still.T) @ B.T)[1:], np.zeros(8))


# ------------------------------------------------------------- the public door


def test_intrinsic_rates_at_realistic_size_agree_with_the_kernel():
    """Blocks of rows: the diagonal of F K F* is the transform of the mean of K over displacements.
    """
    net, x = init([2, 16, 16, 1], RNG(1)), RNG(2).random((40 * 40, 2))
    K = tangent_kernel(net, x)[:, :, 0, 0]
    mean = mean_by_displacement(K, (40, 40))
    close(intrinsic_rates(net, x, (40, 40), bands=False), np.fft.fftn(mean).real)


NET = MLP((np.ones((2, 1)), np.ones((1, 2))), (np.zeros(2), np.zeros(1)))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: intrinsic_rates(NET, [[0.0], [1.0]], (3,)), "as many samples"),
    (lambda: intrinsic_rates(NET, [[0.0], [1.0]], "2"), "grid must be"),
    (lambda: pattern_spectrum([[1], [0]], (2,)), "astype.bool"),
    (lambda: pattern_spectrum([[True], [False]], (2,), weights=[1.0, 2.0]), "one per unit"),
    (lambda: mean_by_displacement([[0.0, 1.0]], (2,)), "one row and one column"),
])
def test_invalid_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("grid", [(8,), (16, 4), (512,)])
def test_a_kernel_that_is_the_same_everywhere_moves_the_mean_alone_to_the_bit(grid):
    """A network without units that are on learns nothing but the mean; the transform of a constant
    has no rounding at powers of two."""
    dead = MLP((np.ones((3, len(grid))), np.ones((1, 3))), (np.full(3, -9.0), np.zeros(1)))
    n = int(np.prod(grid))
    x = RNG(0).uniform(size=(n, len(grid)))
    rates = intrinsic_rates(dead, x, grid, bands=False).ravel()
    assert rates[0] == n and not rates[1:].any()


@pytest.mark.parametrize("count", [0, 3, 64, 129, 500])
def test_packed_patterns_have_one_weight_per_unit(count):
    """Of 70 units: the two words say that there are from 65 to 128."""
    q = np.random.default_rng(0).random((8, 70)) < 0.5
    with pytest.raises(ValueError, match="number of weights"):
        pattern_spectrum(pack(q), (8,), weights=np.ones(count))
    with pytest.raises(ValueError, match="bands must be"):
        pattern_spectrum(q, (8,), bands="x")
