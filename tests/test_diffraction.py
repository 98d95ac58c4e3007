"""How the gradient jumps at walls, and the rates those jumps give (T54 to T56), against explicit
Jacobians.
"""

import numpy as np
import pytest
import scipy.fft
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from relu_dynamics import (
    MLP, Coordinates, PositionalEncoding, Walls, adam, by_unit, decompose, diffraction, forward,
    grid, init, intrinsic_rates, plane_wall_spectrum, rates, regions_on_encoded_segment,
    regions_on_segment, restrict, split_layers, train, wall_jumps, wall_spectrum,
)
from relu_dynamics.testing import exact_nets, gaussian_nets, halves
from tests.test_rates import close, jacobian, power

RNG = np.random.default_rng


class Curve:
    """A network along a segment, with all that a test can find out about it slowly: gates as
    imposed, gradients as backward passes.
    """

    def __init__(self, net, a, b, encoding=None):
        self.net = MLP((*net.weights[:-1], net.weights[-1][:1]),
                       (*net.biases[:-1], net.biases[-1][:1]))
        self.a, self.b, self.encoding = a, b, encoding
        self.pieces = (regions_on_segment(self.net, a, b) if encoding is None
                       else regions_on_encoded_segment(self.net, encoding, a, b))

    def inputs(self, t):
        points = self.a + np.atleast_1d(t)[:, None] * (self.b - self.a)
        return points if self.encoding is None else self.encoding(points)

    def gradient(self, t, piece=None):
        """J(t), (p,), of the first output, with the gates of a piece, or with those found there."""
        gates = None if piece is None else self.pieces.pattern[[piece]]
        return jacobian(self.net, forward(self.net, self.inputs(t), gates))[0, 0]

    def jumps(self):
        """(breakpoints, p): J just after minus J just before every breakpoint."""
        p = sum(part.size for parts in self.net for part in parts)
        rows = [self.gradient(t, j + 1) - self.gradient(t, j)
                for j, t in enumerate(self.pieces.t[1:-1])]
        return np.reshape(rows, (-1, p))


@st.composite
def curves(draw, general_position=False):
    """Networks on segments, lattice ones with walls at breakpoints of others, or behind an
    encoding; some trained a little.
    """
    encoding = draw(st.sampled_from([None, None, Coordinates(-1, 1), PositionalEncoding(2)]))
    d = draw(st.integers(1, 2))
    inputs = st.just(d if encoding is None else encoding.columns(d))
    kinds = [gaussian_nets(inputs=inputs, width=6)]
    if encoding is None and not general_position:
        kinds.append(exact_nets(inputs=inputs))
    net = draw(st.one_of(kinds))
    a = draw(halves((d,), largest=2))
    b = a + draw(st.sampled_from([0.5, 1.0, 2.0])) * np.eye(d)[0]
    if draw(st.booleans()):
        rng = RNG(draw(st.integers(0, 99)))
        x = rng.normal(size=(8, net.weights[0].shape[1]))
        net, _ = train(net, x, rng.normal(size=(8, len(net.biases[-1]))), optimiser=adam(0.05),
                       epochs=5, rng=rng)
    return Curve(net, a, b, encoding)


def interval_sums(curve, n):
    """(n, p) jumps of the gradient between samples i and i + 1, of which the last also goes from
    the end to the start.
    """
    total = np.zeros((n, sum(part.size for parts in curve.net for part in parts)))
    for t, jump in zip(curve.pieces.t[1:-1], curve.jumps(), strict=True):
        total[int(np.floor(t * n))] += jump
    total[-1] += curve.gradient(0.0, 0) - curve.gradient(1.0, -1)
    return total


def samples_are_apart_from_walls(curve, n):
    t = curve.pieces.t[1:-1] * n
    return (np.abs(t - np.rint(t)) > 1e-6).all()


# ------------------------------------------------------------------------- jumps


@given(curves())
def test_T54_the_gradient_jumps_at_every_breakpoint_by_the_sum_of_its_walls(curve):
    """J is e_w higher just after a wall than just before; several units may switch at one
    breakpoint.
    """
    jumps = curve.jumps()
    spectrum = wall_spectrum(curve.net, curve.a, curve.b, 5, [1], curve.encoding)
    which = np.searchsorted(curve.pieces.t[1:-1], spectrum.t)
    assert_array_equal(np.unique(which), np.arange(len(jumps)))  # every breakpoint has a wall
    alone = np.bincount(which, minlength=len(jumps))[which] == 1
    close(spectrum.energy[alone], (jumps[which] ** 2).sum(axis=1)[alone])


@given(curves(general_position=True))
def test_T54_inner_products_of_jumps_need_no_gradient(curve):
    """In general position wall_jumps finds energies, signs and Gram matrix from points and units
    alone.
    """
    walls = Walls(curve.a + curve.pieces.t[1:-1, None] * (curve.b - curve.a), curve.pieces.owner)
    energy, sign, gram = wall_jumps(curve.net, walls, curve.encoding, along=curve.b - curve.a)
    jumps = curve.jumps()
    close(gram, jumps @ jumps.T)
    assert_array_equal(energy, np.diagonal(gram))
    assert_array_equal(sign,
                       np.where(curve.pieces.pattern[1:][np.arange(len(sign)), walls.units], 1, -1))


@pytest.mark.parametrize("outputs", [1, 3])
def test_T54_behind_an_encoding_and_for_several_outputs(outputs):
    """Points are unit coordinates and the direction the curve's tangent; the outputs' inner
    products add up.
    """
    encoding = PositionalEncoding(3)
    net = init([6, 8, 8, outputs], RNG(3))
    pieces = regions_on_encoded_segment(net, encoding, [0.0], [1.0])
    t = pieces.t[1:-1, None]
    energy, sign, gram = wall_jumps(net, Walls(t, pieces.owner), encoding, along=[1.0])
    x = encoding(t)
    before, after = (jacobian(net, forward(net, x, q))
                     for q in (pieces.pattern[:-1], pieces.pattern[1:]))
    flat = (after - before).reshape(len(t), -1)
    close(gram, flat @ flat.T)
    assert_array_equal(sign, np.where(pieces.pattern[1:][np.arange(len(t)), pieces.owner], 1, -1))


# ----------------------------------------------------------------------- a line


@given(curves(), st.integers(2, 12))
def test_T55_rates_are_of_differences_and_the_walls_part_of_jumps(curve, n):
    """K_kk = |F (J_(i+1) - J_i)|^2 / (4 sin^2(pi k/n)), exactly; with the jumps in each interval,
    and from the end to the start, in place of the differences, the walls' part.  That is a sum over
    walls, hence over units and layers, and the ends; interior is the rest.
    """
    J = jacobian(curve.net, forward(curve.net, curve.inputs(np.arange(n) / n)))[:, 0]
    k = np.arange(1, n)
    sines = 4 * np.sin(np.pi * k / n) ** 2
    spectrum = wall_spectrum(curve.net, curve.a, curve.b, n, k, curve.encoding)
    assert_allclose(spectrum.rates, power(np.roll(J, -1, axis=0) - J, (n,))[1:] / sines, rtol=0,
                    atol=1e-12 * max(1, (J**2).sum()))
    assert_array_equal(spectrum.interior, spectrum.rates - spectrum.walls)
    if samples_are_apart_from_walls(curve, n):
        e = interval_sums(curve, n)
        scale = max(1, *(n * (row**2).sum() for row in e))
        assert_allclose(spectrum.walls, power(e, (n,))[1:] / sines, rtol=0, atol=1e-12 * scale)
        assert (spectrum.walls >= -1e-12 * scale).all()  # a structure factor is a square
    units = by_unit(spectrum, sum(len(b) for b in curve.net.biases[:-1]))
    layers = [part.sum(axis=1) for part in split_layers(curve.net, units.T)]
    scale = max(1.0, np.abs(spectrum.parts).sum())
    for total in (spectrum.parts.sum(axis=0), units.sum(axis=0), sum(layers, np.zeros(n - 1))):
        assert_allclose(total + spectrum.ends, spectrum.walls, rtol=0, atol=1e-12 * scale)


@given(curves(), st.integers(1, 8))
def test_T55_jumps_and_what_moves_inside_pieces_are_all_there_is(curve, n):
    """Between two samples J changes by the jumps there and by its motion inside every part of a
    piece there.
    """
    assume(samples_are_apart_from_walls(curve, n))
    t, jumps = curve.pieces.t, curve.jumps()
    cuts = np.unique(np.concatenate([t, np.arange(n + 1) / n]))
    pieces = np.searchsorted(t, (cuts[1:] + cuts[:-1]) / 2) - 1
    moved = np.zeros((n, jumps.shape[1]))
    for low, high, piece in zip(cuts[:-1], cuts[1:], pieces, strict=True):
        moved[int((low + high) / 2 * n)] += curve.gradient(high, piece) - curve.gradient(low, piece)
    for place, jump in zip(t[1:-1], jumps, strict=True):
        moved[int(np.floor(place * n))] += jump
    J = np.array([curve.gradient(i / n, int(np.searchsorted(t, i / n + 1e-9)) - 1)
                  for i in range(n)] + [curve.gradient(1.0, -1)])
    close(moved, np.diff(J, axis=0))


@given(curves(), st.integers(2, 12))
def test_T55_the_cosine_transform_has_no_jump_at_the_ends(curve, n):
    """sum_i J_i cos(pi k (i + 1/2)/n) is the sum of jumps times sin(pi k i/n) / (2 sin(pi k/2n)),
    up to the interior.
    """
    assume(samples_are_apart_from_walls(curve, n))
    e = interval_sums(curve, n)[:-1]
    J = jacobian(curve.net, forward(curve.net, curve.inputs(np.arange(n) / n)))[:, 0]
    steps = np.cumsum(np.concatenate([np.zeros((1, e.shape[1])), e]), axis=0)  # a staircase
    k = np.arange(1, n)
    actual = wall_spectrum(curve.net, curve.a, curve.b, n, k, curve.encoding).cosine
    expected = [(scipy.fft.dct(v, axis=0, norm="ortho") ** 2).sum(axis=1)[1:] for v in (J, steps)]
    scale = max(1, (J**2).sum(), (steps**2).sum(), *(n * (row**2).sum() for row in e))
    assert_allclose(actual, expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize(("direction", "first"), [(1.0, 3), (-1.0, 2)])
def test_a_wall_at_a_sample_is_before_the_sample_that_has_switched(direction, first):
    """relu(+-(x - 1/2)) on 0, 1/4, 1/2, 3/4: a tie is off, so switching on is seen at 3/4,
    switching off already at 1/2.
    """
    net = MLP((np.array([[direction]]), np.array([[1.0]])),
              (np.array([-0.5 * direction]), np.zeros(1)))
    spectrum = wall_spectrum(net, [0.0], [1.0], 4, [1, 2])
    e = np.array([direction * 0.5, direction])  # of weight and bias: the unit's gate times x and 1
    ends = {1.0: [-1.0, -1.0, -0.5],
            -1.0: [0.0, 1.0, 0.5]}[direction]  # J(0) - J(1), and of the outgoing weight
    k = np.array([1, 2])
    jumps = np.outer(np.exp(-2j * np.pi * first * k / 4), [*e, 0.0]) + ends
    expected = (np.abs(jumps) ** 2).sum(axis=1) / (16 * np.sin(np.pi * k / 4) ** 2)
    assert_allclose(spectrum.walls, expected, rtol=1e-14)


def test_units_that_switch_at_one_place_share_its_jump():
    """Two equal units and one that reads them switch together: one after the other, lower layers
    first, they jump by all of it.
    """
    net = MLP((np.ones((2, 1)), np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([[1.0, 2.0]])),
              (np.full(2, -0.3), np.zeros(2), np.zeros(1)))
    curve, k = Curve(net, np.array([0.0]), np.array([1.0])), np.arange(1, 5)
    spectrum = wall_spectrum(net, [0.0], [1.0], 5, k)
    assert spectrum.unit.tolist() == [0, 1, 2] and not spectrum.energy[:2].any()
    close(spectrum.energy[2], (curve.jumps()[0] ** 2).sum())
    close(spectrum.walls,
          power(interval_sums(curve, 5), (5,))[1:] / (4 * np.sin(np.pi * k / 5) ** 2))


def test_T54_T55_many_walls_and_samples_in_blocks_are_as_few(monkeypatch):
    """More than one block holds: explicit jumps and gradients, multiplied and transformed."""
    for module in (rates, diffraction):
        monkeypatch.setattr(module, "BLOCK_ROWS", 16)
    encoding, n = PositionalEncoding(4), 44
    curve = Curve(init([8, 12, 12, 1], RNG(11)), np.array([0.0]), np.array([1.0]), encoding)
    k, jumps = np.arange(1, n), curve.jumps()
    J = jacobian(curve.net, forward(curve.net, curve.inputs(np.arange(n) / n)))[:, 0]
    walls = Walls(curve.pieces.t[1:-1, None], curve.pieces.owner)
    assert len(jumps) > 32
    close(wall_jumps(curve.net, walls, encoding, along=[1.0]).gram, jumps @ jumps.T)

    spectrum = wall_spectrum(curve.net, curve.a, curve.b, n, k, encoding)
    expected = power(interval_sums(curve, n), (n,))[1:] / (4 * np.sin(np.pi * k / n) ** 2)
    scale = n * spectrum.energy.sum() + np.sum(J**2)
    for actual, wanted in ((spectrum.walls, expected), (spectrum.rates, power(J, (n,))[1:]),
                           (spectrum.cosine[0], (scipy.fft.dct(J, axis=0, norm="ortho")[1:] ** 2)
                            .sum(axis=1))):
        assert_allclose(actual, wanted, rtol=0, atol=1e-12 * scale)


def test_T55_where_nothing_moves_inside_pieces_walls_are_everything():
    """So near to 0 that inputs and activations are tiny, only biases have gradients, and those are
    constant in pieces.
    """
    rng, tiny = RNG(5), 2.0**-30
    net = MLP((rng.normal(size=(40, 1)), np.ones((1, 40))),
              (rng.normal(size=40) * tiny / 3, np.zeros(1)))
    spectrum = wall_spectrum(net, [-tiny], [tiny], 64, np.arange(1, 64))
    assert len(spectrum.t) > 10
    assert_allclose(spectrum.walls / spectrum.rates, 1, atol=1e-6)


# -------------------------------------------------------------------- the plane


@pytest.mark.parametrize("n", [5, 6])
@pytest.mark.parametrize("encoding", [None, Coordinates(-1, 1), PositionalEncoding(1)])
def test_T56_walls_part_in_the_plane_is_the_structure_factor_of_the_rows(encoding, n):
    """The transform of all the jumps on the rows, over 4 sin^2 along them; columns where |k_y| >
    |k_x|.
    """
    net = init([4 if isinstance(encoding, PositionalEncoding) else 2, 8, 8, 1], RNG(8))
    spectrum = plane_wall_spectrum(net, n, encoding, bands=False)
    points = grid((n, n), "half-open")
    x = points if encoding is None else encoding(points)
    J = jacobian(net, forward(net, x)).reshape(n, n, -1)
    rows, columns = np.zeros((2, *J.shape))
    for r in range(n):
        rows[r] = interval_sums(Curve(net, np.array([0.0, r / n]), np.array([1.0, r / n]),
                                      encoding), n)
        columns[:, r] = interval_sums(Curve(net, np.array([r / n, 0.0]), np.array([r / n, 1.0]),
                                            encoding), n)
    k = np.abs(np.fft.fftfreq(n, 1 / n))
    across, along = np.meshgrid(k, k)
    with np.errstate(divide="ignore", invalid="ignore"):
        by_rows, by_columns = (power(e, (n, n)) / (4 * np.sin(np.pi * k_of / n) ** 2)
                               for e, k_of in ((rows, across), (columns, along)))
    expected = np.where(along > across, by_columns, by_rows)
    close(spectrum.rates.ravel()[1:], power(J, (n, n)).ravel()[1:])
    close(spectrum.walls.ravel()[1:], expected.ravel()[1:])
    bands = plane_wall_spectrum(net, n, encoding)
    close(bands.rates[1:], intrinsic_rates(net, x, (n, n))[1:])
    radius = np.rint(np.hypot(across, along))
    close(bands.walls[1:], [expected[radius == r].mean() for r in range(1, len(bands.walls))])
    for found in (spectrum, bands):
        assert np.isnan(found.walls.flat[0]) and np.isnan(found.rates.flat[0])
        assert_array_equal(found.interior, found.rates - found.walls)


# ------------------------------------------------------------- the public door

NET = init([1, 4, 1], RNG(0))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: wall_spectrum(NET, [0.0], [1.0], 8, [0]), "none of them a multiple of n"),
    (lambda: wall_spectrum(NET, [0.0], [1.0], 8, [1.5]), "whole numbers"),
    (lambda: wall_spectrum(NET, [0.0], [0.0], 8, [1]), "must differ"),
    (lambda: plane_wall_spectrum(NET, 1), "at least 2"),
    (lambda: wall_jumps(NET, Walls(np.zeros((2, 1)), np.array([0]))), "one entry per point"),
    (lambda: wall_jumps(NET, Walls(np.zeros((1, 1)), np.array([4]))), "units"),
    (lambda: wall_jumps(NET, Walls(np.zeros((1, 1)), np.array([0])), along=[1.0, 2.0]), "along"),
    (lambda: by_unit(NET, 4), "WallSpectrum"),
])
def test_invalid_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_results_print_in_one_line():
    spectrum = wall_spectrum(NET, [0.0], [1.0], 8, [1, 2])
    for value in (spectrum, wall_jumps(NET, Walls(np.zeros((1, 1)), np.array([0]))),
                  plane_wall_spectrum(init([2, 3, 1], RNG(1)), 4)):
        assert repr(value).startswith(type(value).__name__ + "(") and "\n" not in repr(value)


# -------------------------------------------------------------- the flow, on a line


@given(gaussian_nets(width=6, hidden=st.integers(0, 3)), st.integers(1, 9), st.booleans(),
       st.integers(0, 2**32 - 1))
def test_T55_the_flow_of_every_frequency_splits_into_walls_interior_and_coupling(
    net, n, imposed, seed
):
    """The self part of T16, with only the change of df/dz between neighbours: (D_(i+1) - D_i) (x)
    the mean of their inputs.
    """
    rng = RNG(seed)
    x, y = (rng.normal(size=(n, size)) for size in (net.weights[0].shape[1], len(net.biases[-1])))
    w = rng.random(n)
    H = sum(len(b) for b in net.biases[:-1])
    trace = forward(net, x, rng.random((n, H)) < 0.5 if imposed else None)
    flow = decompose(net, trace, y, weights=w, grid=(n,))
    walls, interior, coupling = flow.splits["wall_frequency"].values.T
    scale = max(1.0, np.abs(flow.splits["frequency"].values).sum())
    assert_allclose([walls.sum() + interior.sum() + coupling.sum()], flow.loss_rate, rtol=0,
                    atol=1e-12 * scale)
    assert_allclose(np.stack([walls + interior, coupling], axis=1), flow.splits["frequency"].values,
                    rtol=0, atol=1e-12 * scale)

    J, root, at, e = jacobian(net, trace), np.sqrt(w)[:, None, None], 0, []
    after = lambda v: np.roll(v, -1, axis=0)
    for W, b, h in zip(*net, trace.inputs, strict=True):
        D = J[:, :, at + W.size : at + W.size + b.size]  # of the biases
        change = (after(D) - D) * (after(root) + root) / 2
        both = change[..., None] * (after(h) + h)[:, None, None, :] / 2
        e += [both.reshape(*change.shape[:2], -1), change]
        at += W.size + b.size
    k = np.arange(1, n)
    e_hat = np.fft.fft(np.concatenate(e, axis=2), axis=0, norm="ortho")[1:]
    s_hat = np.fft.fft(root[:, 0] * (trace.preacts[-1] - y), axis=0, norm="ortho")[1:]
    met = (np.abs(np.einsum("ka,kap->kp", s_hat.conj(), e_hat)) ** 2).sum(axis=1)
    each = -4 * met / (4 * np.sin(np.pi * k / n) ** 2)
    expected = np.bincount(np.minimum(k, n - k), each, n // 2 + 1)
    assert_allclose(walls, expected, rtol=0, atol=1e-12 * max(scale, np.abs(expected).max()))


@pytest.mark.parametrize("net, silent", [
    (MLP(([[1.0, 0.0]], [[1.0]]), ([-5.0], [0.0])), True),                    # a layer that is off
    (MLP((np.zeros((0, 2)), np.zeros((1, 0))), (np.zeros(0), [1.0])), True),  # of no units
    (MLP(([[1.0, 1.0]], [[0.0]]), ([-0.5], [0.0])), False)])                  # that none sees
def test_layers_without_jumps_add_nothing_to_the_plane(net, silent):
    """In the last, h of the output layer still jumps from the end of a row to its start."""
    walls = plane_wall_spectrum(net, 4, bands=False).walls[1:, 1:]
    assert np.isfinite(walls).all() and (walls == 0).all() == silent


@given(st.lists(st.integers(1, 63), min_size=1, max_size=4), st.integers(0, 2**52))
def test_T55_cycles_are_those_of_the_samples_however_many(k, turns):
    """k and k + 4 n turns are one wave on n samples, and half waves too."""
    net = MLP(([[1.0], [1.0]], [[1.0, -2.0]]), ([0.0, -1.0], [0.0]))
    few, many = (wall_spectrum(net, [-1.0], [3.0], 64, cycles)
                 for cycles in (np.array(k), np.array(k) + 256 * turns))
    assert_array_equal(few.cosine, many.cosine)
    assert_array_equal(few.walls, many.walls)


@pytest.mark.parametrize("call, words", [
    (lambda net: wall_jumps(net, Walls([[0.0, 0.0]], [0]), "x"), "encoding must be"),
    (lambda net: plane_wall_spectrum(net, 4, "x"), "encoding must be"),
    (lambda net: plane_wall_spectrum(restrict(net, [0, 0], [[1, 0]]), 4), "columns"),
    (lambda net: plane_wall_spectrum(net, 4, bands="x"), "bands must be")])
def test_what_is_no_encoding_of_the_plane_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(MLP(([[1.0, 0.0]], [[1.0]]), ([-5.0], [0.0])))
