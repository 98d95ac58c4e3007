"""Gradient flow taken apart: T14-T17 and T19, against explicit Jacobians or difference quotients.

The examples are rows, or seen through an imposed pattern (T40); the loss is the mean or weighted.
"""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from relu_dynamics.flow.decompose import change_split, decompose, step_split
from relu_dynamics.mlp import (
    MLP, backward, flatten, forward, hidden_units, init, predict, some_rows, unflatten,
)
from relu_dynamics.patterns import pattern
from relu_dynamics.testing import (
    degenerate_nets, exact_nets, gaussian_nets, lattice_nets, with_rows,
)
from tests.strategies import A_THIRD, gates, with_traces

RNG = np.random.default_rng
GRIDS = [((6,), 3), ((8,), 2), ((4, 6), 2), ((3, 3), 3), ((5,), None), ((5, 1), 1), ((2, 2), 1)]


def jacobian(net, trace):
    """(n, m, p), one backward pass per example and output."""
    outputs = np.eye(len(net.biases[-1]))
    ones = [some_rows(trace, slice(i, i + 1)) for i in range(len(trace.preacts[-1]))]
    return np.array([[flatten(backward(net, one, e[None])) for e in outputs] for one in ones])


def influences(net, trace, y, weights=None):
    """C_ij, (n, n, m), and its share of d loss/dt, (n, n), from explicit gradients."""
    w = np.full(len(y), 1 / y.size) if weights is None else weights
    J, r = jacobian(net, trace), w[:, None] * (trace.preacts[-1] - y)
    pulled = np.einsum("jap,ja->jp", J, r)
    C = -2 * np.einsum("iap,jp->ija", J, pulled)
    return C, 2 * np.einsum("ia,ija->ij", r, C)


def problem(shape, seed, widths=(2, 9, 7, 2)):
    """A network, n examples that have nothing special to them, and targets."""
    rng, n = RNG(seed), int(np.prod(shape))
    return init(widths, rng), rng.uniform(-1, 1, (n, widths[0])), rng.normal(size=(n, widths[-1]))


def gated_problem(shape, seed, widths=(2, 9, 7, 2)):
    """The same seen through gates that have nothing to do with the network."""
    net, x, y = problem(shape, seed, widths)
    return net, forward(net, x, RNG(seed).random((len(x), hidden_units(net))) < 0.5), y


PROBLEMS = [problem, gated_problem]


def seen(net, x):
    """x, rows or a trace, as a trace."""
    return forward(net, x) if isinstance(x, np.ndarray) else x


def assert_sums(split, total, leading, pairs):
    """Up to the rounding of a sum over all pairs whose sizes add up to pairs."""
    parts = split.values.sum(axis=tuple(range(leading)))
    assert abs(parts - total).max(initial=0) <= 1e-12 * pairs


def stepped(net, motion, t):
    return MLP(
        *(
            tuple(p + t * v for p, v in zip(parts, by, strict=True))
            for parts, by in zip(net, motion, strict=True)
        )
    )


def descent(net, x, y):
    trace = forward(net, x)
    g = backward(net, trace, -2 / y.size * (trace.preacts[-1] - y))
    return MLP(g.weights, g.biases)


# ---------------------------------------------------------------- T14: the rates


def derivative(values, h):
    """At 0, of the polynomial of degree 2k through values at -k h, ..., k h."""
    k = len(values) // 2
    nodes = np.arange(-k, k + 1)
    weights = np.linalg.solve(np.vander(nodes, increasing=True).T, np.eye(len(nodes))[1])
    return np.tensordot(weights, values, axes=1) / h


@given(gaussian_nets(width=8), st.integers(0, 99))
def test_rates_are_derivatives_along_descent(net, seed):
    """T14.  While no unit switches, f is a polynomial of degree L in the step and the loss one of
    degree 2 L.
    """
    rng, L = RNG(seed), len(net.weights)
    x = rng.normal(size=(3, net.weights[0].shape[1]))
    y = rng.normal(size=(3, len(net.biases[-1])))
    flow, motion, h = decompose(net, x, y), descent(net, x, y), 2.0**-6
    steps = [stepped(net, motion, k * h) for k in range(-L, L + 1)]
    while any(
        (a != b).any()
        for step in steps
        for a, b in zip(forward(step, x).pattern, forward(net, x).pattern, strict=True)
    ):
        h /= 2
        assume(h > 2.0**-14)
        steps = [stepped(net, motion, k * h) for k in range(-L, L + 1)]
    outputs = np.array([predict(step, x) for step in steps])
    losses = np.mean((outputs - y) ** 2, axis=(1, 2))
    scale = np.abs(outputs).max() + np.abs(y).max()
    assert np.allclose(derivative(outputs, h), flow.output_rate, rtol=1e-9, atol=1e-12 * scale / h)
    assert np.isclose(derivative(losses, h), flow.loss_rate, rtol=1e-9, atol=1e-12 * scale**2 / h)


@given(with_traces(exact_nets(), rows=st.integers(1, 4), columns=1), st.data())
def test_rates_are_the_kernel_times_the_residual(drawn, data):
    """T14: r' = -2 K w r and d loss/dt = -|grad loss|^2, ties, dead layers and examples of no
    weight included.
    """
    net, x, y = drawn
    weights = data.draw(
        st.one_of(
            st.none(),
            st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=len(y), max_size=len(y)),
        )
    )
    flow = decompose(net, x, y, weights=weights)
    C, value = influences(net, x, y, None if weights is None else np.array(weights))
    assert np.allclose(
        flow.output_rate, C.sum(axis=1), rtol=1e-12, atol=1e-12 * abs(C).sum(axis=1).max()
    )
    assert np.isclose(flow.loss_rate, value.sum(), rtol=0, atol=1e-12 * abs(value).sum())
    assert flow.loss_rate <= 0


# ------------------------------------------------- T15-T17: every split sums to its total


@pytest.mark.parametrize(("shape", "patch"), GRIDS)
@A_THIRD
@example(
    MLP((np.zeros((3, 2)), np.zeros((1, 3))), (np.zeros(3), np.zeros(1))), 3
)  # the targets nearly sum to 0, and only their sum drives it
@given(st.one_of(gaussian_nets(width=6), degenerate_nets()), st.integers(0, 99))
def test_every_split_sums_to_its_total(shape, patch, net, seed):
    """T15-T17, for degenerate networks, imposed patterns (every other seed) and weights (every
    third) too.
    """
    rng, n = RNG(seed), int(np.prod(shape))
    x = rng.integers(-4, 5, (n, net.weights[0].shape[1])) / 2
    y = rng.normal(size=(n, len(net.biases[-1])))
    trace = forward(net, x, rng.random((n, hidden_units(net))) < 0.5 if seed % 2 == 0 else None)
    weights = rng.uniform(0, 2, n) if seed % 3 == 0 else None
    flow = decompose(net, trace, y, weights=weights, grid=shape, patch=patch, outputs=True)
    C, value = (abs(of_pairs).sum() for of_pairs in influences(net, trace, y, weights))
    assert set(flow.splits) == {
        "layer",
        "unit",
        "pair",
        "hamming",
        "place",
        "distance",
        "frequency",
    } | ({"patch_frequency"} if patch else set()) | (
        {"wall_frequency"} if len(shape) == 1 else set()
    )
    for split in flow.splits.values():
        assert split.values.ndim == len(split.axes) and split.values.shape == tuple(
            map(len, split.labels)
        )
        assert_sums(split, flow.loss_rate, split.values.ndim, value)
    assert set(flow.output_splits) == {"layer", "unit", "pair", "hamming"}
    for split in flow.output_splits.values():
        assert split.axes[-2:] == ("example", "output") and split.values.shape == tuple(
            map(len, split.labels)
        )
        assert_sums(split, flow.output_rate, split.values.ndim - 2, C)


def test_blocks_of_rows_and_outputs_leave_every_split_as_it_is(monkeypatch):
    """How the kernel is cut into blocks, and which part of it is formed, is nobody's business."""
    net, x, y = problem((4, 6), 0)
    whole = decompose(net, x, y, grid=(4, 6), patch=2, outputs=True)
    monkeypatch.setattr("relu_dynamics.flow.decompose.BLOCK_ENTRIES", 500)
    for other in (
        decompose(net, x, y, grid=(4, 6), patch=2),
        decompose(net, x, y, grid=(4, 6), outputs=True),
        decompose(net, x, y),
    ):
        for name, split in other.splits.items():
            assert np.allclose(split.values, whole.splits[name].values, rtol=1e-12, atol=1e-15)
        for name, split in other.output_splits.items():
            assert np.allclose(
                split.values, whole.output_splits[name].values, rtol=1e-12, atol=1e-15
            )


# ----------------------------------------------------------- T15: what the parts are


@given(gaussian_nets(width=6), st.integers(0, 99))
def test_a_layers_part_is_the_rate_when_it_alone_is_trained(net, seed):
    """T15 i.  f is affine in one layer's weights or biases: a difference quotient inside the cell
    is exact.
    """
    rng = RNG(seed)
    x = rng.normal(size=(3, net.weights[0].shape[1]))
    y = rng.normal(size=(3, len(net.biases[-1])))
    flow, motion, still = (
        decompose(net, x, y, outputs=True),
        descent(net, x, y),
        stepped(net, net, -1.0),
    )
    for l in range(len(net.weights)):
        for kind in (0, 1):
            alone = [list(parts) for parts in still]
            alone[kind][l] = motion[kind][l]
            t = 2.0**-12
            ends = [stepped(net, MLP(*map(tuple, alone)), s) for s in (-t, t)]
            assume(
                all(
                    (a == b).all()
                    for end in ends
                    for a, b in zip(forward(end, x).pattern, forward(net, x).pattern, strict=True)
                )
            )
            below, above = (predict(end, x) for end in ends)
            part = flow.output_splits["layer"].values[l, kind]
            assert np.allclose((above - below) / (2 * t), part, rtol=1e-9, atol=1e-9)
            loss = (np.mean((above - y) ** 2) - np.mean((below - y) ** 2)) / (2 * t)
            assert np.isclose(loss, flow.splits["layer"].values[l, kind], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_units_part_is_the_rate_when_it_alone_is_trained(problem):
    """T15 ii: the rates of one unit's incoming weights and bias, by masking every other parameter's
    gradient.
    """
    net, x, y = problem((6,), 3)
    flow, trace = decompose(net, x, y, outputs=True), seen(net, x)
    J, r = jacobian(net, trace), trace.preacts[-1] - y
    numbered, unit = [], 0  # which unit each parameter belongs to, in the order of flatten
    for W, b in zip(*net, strict=True):
        numbered += [
            np.repeat(np.arange(unit, unit + len(b)), W.shape[1]),
            np.arange(unit, unit + len(b)),
        ]
        unit += len(b)
    numbered = np.concatenate(numbered)
    for u in range(unit):
        mine = J[..., numbered == u]
        C = -2 / y.size * np.einsum("iap,jbp,jb->ia", mine, mine, r)
        assert np.allclose(flow.output_splits["unit"].values[u], C, rtol=1e-12, atol=1e-14)
        assert np.isclose(
            flow.splits["unit"].values[u], 2 / y.size * np.sum(r * C), rtol=1e-12, atol=1e-15
        )


@pytest.mark.parametrize("shape", [(5,), (3, 5)])
@A_THIRD
@given(
    st.one_of(gaussian_nets(inputs=st.just(2), width=6), lattice_nets(inputs=st.just(2))),
    st.integers(0, 99),
)
def test_pairs_are_classed_by_cell_sign_distance_and_place(shape, net, seed):
    """T15 iii, iv, pair by pair.  Half-integer inputs repeat, so two different examples often share
    a cell.
    """
    rng, n = RNG(seed), int(np.prod(shape))
    x = rng.integers(-3, 4, (n, 2)) / 2
    y = rng.integers(-3, 4, (n, len(net.biases[-1]))) / 2
    trace = forward(net, x, rng.random((n, hidden_units(net))) < 0.8 if seed % 2 == 0 else None)
    flow = decompose(net, trace, y, grid=shape, outputs=True)
    C, value = influences(net, trace, y)
    size = 2 / y.size * np.einsum("ia,ija->ij", abs(trace.preacts[-1] - y), abs(C))
    assume(
        not ((size > 1e-12 * size.max()) & (abs(value) < 1e-9 * size)).any()
    )  # signs below rounding have no class
    q = np.concatenate([*trace.pattern, np.zeros((n, 0), bool)], axis=1)
    spots = [np.array(spot) for spot in np.ndindex(shape)]
    limits = flow.splits["distance"].labels[0]
    furthest = np.linalg.norm(np.array(shape) - 1)
    assert limits == tuple(
        limit for limit in (0, 1, 2, 4, 8, 16) if limit == 0 or limit < 2 * furthest
    )
    expected = {
        name: np.zeros(flow.splits[name].values.shape)
        for name in ("pair", "hamming", "place", "distance")
    }
    outputs = {
        name: np.zeros(flow.output_splits[name].values.shape) for name in ("pair", "hamming")
    }
    for i in range(n):
        for j in range(n):
            h = int((q[i] != q[j]).sum())
            cell = 0 if i == j else 1 if h == 0 else 2
            sign = int(value[i, j] > 0)
            away = np.linalg.norm(spots[i] - spots[j])
            octave = next(k for k, limit in enumerate(limits) if away <= limit)
            for name, index in (
                ("pair", (cell, sign)),
                ("hamming", h),
                ("distance", (octave, cell, sign)),
                ("place", (i, 0 if i == j else 1 + sign)),
            ):
                expected[name][index] += value[i, j]
            outputs["pair"][cell, sign, i] += C[i, j]
            outputs["hamming"][h, i] += C[i, j]
    scale = abs(value).max(initial=0)
    for name, values in expected.items():
        assert np.allclose(flow.splits[name].values, values, rtol=1e-11, atol=1e-12 * scale)
    for name, values in outputs.items():
        assert np.allclose(
            flow.output_splits[name].values, values, rtol=1e-11, atol=1e-12 * abs(C).max(initial=0)
        )


# ------------------------------------------------- T16, T17: frequencies and patches


def unitary_dft(n):
    return np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n) / np.sqrt(n)


@pytest.mark.parametrize("shape", [(1,), (6,), (7,), (4, 6), (3, 5)])
@pytest.mark.parametrize(("outputs", "problem"), [(1, problem), (2, problem), (2, gated_problem)])
def test_frequencies_decay_by_themselves_and_by_coupling(shape, outputs, problem):
    """T16 with F and K as explicit matrices: d|r_hat_k|^2/dt = -(4/nm) Re(r_hat_k* sum_k' K_hat_kk'
    r_hat_k').
    """
    net, x, y = problem(shape, 1, (2, 9, 7, outputs))
    trace = seen(net, x)
    J, r = jacobian(net, trace), trace.preacts[-1] - y
    F = (
        unitary_dft(shape[0])
        if len(shape) == 1
        else np.kron(unitary_dft(shape[0]), unitary_dft(shape[1]))
    )
    K_hat = np.einsum("ki,iap,jbp,lj->kalb", F, J, J, F.conj(), optimize=True)
    r_hat = F @ r
    terms = -4 / y.size * np.einsum("ka,kalb,lb->kl", r_hat.conj(), K_hat, r_hat).real / y.size
    cycles = [
        [min(k, n - k) for k, n in zip(index, shape, strict=True)] for index in np.ndindex(shape)
    ]
    values = np.zeros_like(decompose(net, x, y, grid=shape).splits["frequency"].values)
    for k, cycle in enumerate(cycles):
        band = round(np.hypot(*cycle)) if len(cycle) == 2 else cycle[0]
        values[band] += terms[k, k], terms[k].sum() - terms[k, k]
    assert np.allclose(
        decompose(net, x, y, grid=shape).splits["frequency"].values,
        values,
        rtol=1e-10,
        atol=1e-13 * abs(terms).sum(),
    )


def test_a_translation_invariant_kernel_couples_no_frequencies():
    """T16.  With its hidden layer dead the network is a bias: K = 1 for every pair, and only the
    mean is learned.
    """
    net = MLP((np.zeros((3, 1)), np.ones((1, 3))), (-np.ones(3), np.zeros(1)))
    y = RNG(0).normal(size=(8, 1))
    flow = decompose(net, np.arange(8.0)[:, None], y, grid=(8,))
    values = flow.splits["frequency"].values
    assert (
        np.isclose(values[0, 0], flow.loss_rate)
        and abs(values[1:]).max() < 1e-14
        and abs(values[:, 1]).max() < 1e-14
    )


def cosines(k):
    """The orthonormal DCT-II, from its definition."""
    B = np.cos(np.pi * np.outer(np.arange(k), np.arange(k) + 0.5) / k) * np.sqrt(2 / k)
    B[0] /= np.sqrt(2)
    return B


@pytest.mark.parametrize(
    ("shape", "patch"), [((6,), 3), ((8,), 2), ((4, 6), 2), ((3, 3), 3), ((5,), 1)]
)
@pytest.mark.parametrize(("outputs", "problem"), [(1, problem), (2, problem), (2, gated_problem)])
def test_patches_and_frequencies_couple_as_the_local_transform_says(shape, patch, outputs, problem):
    """T17 with B as one explicit matrix over the whole grid: d c^2/dt = -(4/nm) c (B K B^T c), in
    four kinds of pairs.
    """
    net, x, y = problem(shape, 2, (2, 9, 7, outputs))
    trace = seen(net, x)
    J, r = jacobian(net, trace), trace.preacts[-1] - y
    one = cosines(patch)
    modes = list(np.ndindex(*(patch,) * len(shape)))
    corners = list(np.ndindex(*(n // patch for n in shape)))
    B = np.zeros((len(corners), len(modes), len(y)))
    for i, spot in enumerate(np.ndindex(shape)):
        p = corners.index(tuple(s // patch for s in spot))
        for k, mode in enumerate(modes):
            B[p, k, i] = np.prod([one[f, s % patch] for f, s in zip(mode, spot, strict=True)])
    B = B.reshape(len(y), len(y))
    assert np.allclose(B @ B.T, np.eye(len(y)))
    M, c = np.einsum("ki,iap,jbp,lj->kalb", B, J, J, B, optimize=True), B @ r
    terms = (
        -4
        / y.size**2
        * np.einsum("ka,kalb,lb->kl", c, M, c).reshape(2 * (len(corners), len(modes)))
    )
    P, k = (
        np.eye(len(corners), dtype=bool)[:, None, :, None],
        np.eye(len(modes), dtype=bool)[None, :, None, :],
    )
    values = np.stack(
        [np.where(kind, terms, 0).sum(axis=(2, 3)) for kind in (P & k, P & ~k, ~P & k, ~P & ~k)],
        axis=2,
    )
    split = decompose(net, x, y, grid=shape, patch=patch).splits["patch_frequency"]
    assert split.labels[1] == tuple(modes)
    assert np.allclose(split.values, values, rtol=1e-10, atol=1e-13 * abs(terms).sum())


def test_patches_of_one_sample_are_the_examples_themselves():
    """T17 meets T15: one sample has one mode, which acts on itself, and on others of the same
    frequency.
    """
    net, x, y = problem((6,), 5)
    flow = decompose(net, x, y, grid=(6,), patch=1)
    values, place = flow.splits["patch_frequency"].values[:, 0], flow.splits["place"].values
    assert np.allclose(values[:, 0], place[:, 0], rtol=1e-12)
    assert np.allclose(values[:, 2], place[:, 1] + place[:, 2], rtol=1e-11, atol=1e-15)
    assert abs(values[:, [1, 3]]).max() < 1e-15 * 100


# ------------------------------------------------- imposed patterns and weights


@given(
    with_rows(exact_nets(), rows=st.integers(1, 3), columns=1),
    st.sampled_from([0.5, -2.0, 16.0]),
    st.data(),
)
def test_T40_every_layers_rate_is_a_difference_quotient_of_any_step_under_an_imposed_pattern(
    drawn, step, data
):
    """T40: along one layer the loss is one quadratic, over all of parameter space: a central
    quotient is its derivative.
    """
    net, x, y = drawn
    q = data.draw(gates(net, len(x)))
    flow = decompose(net, forward(net, x, q), y)
    theta, motion, at = (
        flatten(net),
        flatten(
            MLP(*backward(net, forward(net, x, q), -2 / y.size * (predict(net, x, q) - y))[:2])
        ),
        0,
    )
    for index, part in enumerate(part for layer in zip(*net, strict=True) for part in layer):
        alone = np.zeros_like(theta)
        alone[at : at + part.size] = motion[at : at + part.size]
        at += part.size
        losses = [
            np.mean((predict(unflatten(theta + t * alone, net), x, q) - y) ** 2)
            for t in (step, -step)
        ]
        scale = max(1.0, *losses, abs(flow.loss_rate))
        assert abs(
            (losses[0] - losses[1]) / (2 * step)
            - flow.splits["layer"].values[index // 2, index % 2]
        ) <= 1e-12 * scale * max(1, 1 / abs(step))


@given(with_rows(exact_nets(outputs=st.just(1)), rows=st.sampled_from([1, 2, 4]), columns=1))
def test_T40_the_own_pattern_imposed_and_equal_weights_are_the_flow_itself(drawn):
    """T40: with n m a power of two nothing rounds: rows, their trace, their own pattern imposed,
    and weights 1/(n m), to the bit.
    """
    net, x, y = drawn
    flow = decompose(net, x, y, outputs=True)
    for seen, weights in (
        (forward(net, x), None),
        (forward(net, x, pattern(net, x)), None),
        (x, np.full(len(x), 1 / y.size)),
    ):
        other = decompose(net, seen, y, outputs=True, weights=weights)
        np.testing.assert_array_equal(other.output_rate, flow.output_rate)
        for one, two in ((flow.splits, other.splits), (flow.output_splits, other.output_splits)):
            for name, split in one.items():
                np.testing.assert_array_equal(two[name].values, split.values)


@pytest.mark.parametrize("shape", [(6,), (4, 6)])
def test_a_weight_is_how_often_an_example_counts(shape):
    """Whole weights are copies of an example: the rates and every split by parameters are those of
    the longer list.
    """
    net, x, y = problem(shape, 7)
    times = RNG(0).integers(0, 4, len(x))
    flow = decompose(net, x, y, weights=times / (times.sum() * y.shape[1]))
    longer = decompose(net, np.repeat(x, times, axis=0), np.repeat(y, times, axis=0))
    assert np.isclose(flow.loss_rate, longer.loss_rate, rtol=1e-12)
    assert np.allclose(
        np.repeat(flow.output_rate, times, axis=0), longer.output_rate, rtol=0, atol=1e-13
    )
    for name in ("layer", "unit", "hamming"):
        assert np.allclose(flow.splits[name].values, longer.splits[name].values, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("shape", "patch"), [((6,), 3), ((4, 6), 2)])
def test_weighted_frequencies_are_those_of_the_weighted_residual(shape, patch):
    """s = sqrt(w) r has s' = sqrt(w) r', and T16 and T17 are about s: totals per mode from the
    rates alone.
    """
    net, x, y = problem(shape, 8)
    w = RNG(1).uniform(0, 1, len(x))
    w[::3] = 0
    flow = decompose(net, x, y, weights=w, grid=shape, patch=patch)
    s, rate = (np.sqrt(w)[:, None] * part for part in (predict(net, x) - y, flow.output_rate))
    s_hat, rate_hat = (
        np.fft.fftn(part.reshape(*shape, -1), axes=range(len(shape)), norm="ortho")
        for part in (s, rate)
    )
    total = 2 * (s_hat.conj() * rate_hat).real.sum(axis=-1)
    cycles = np.array(
        [[min(k, n - k) for k, n in zip(index, shape, strict=True)] for index in np.ndindex(shape)]
    )
    band = np.round(np.linalg.norm(cycles, axis=1)).astype(int)
    assert np.allclose(
        flow.splits["frequency"].values.sum(axis=1),
        np.bincount(band, total.ravel()),
        rtol=0,
        atol=1e-13,
    )
    assert (
        flow.splits["frequency"].values[:, 0] <= 1e-15
    ).all()  # a kernel's diagonal is not negative in any basis


# ------------------------------------------------------------------ T19: a finite step


@given(
    with_rows(exact_nets(), rows=st.integers(1, 4), columns=1), st.sampled_from([0.25, 1.0, 4.0])
)
def test_a_step_is_its_frozen_part_and_its_flips(drawn, rate):
    """T19: they add up to what the step does to f, and an example that keeps its pattern has no
    flips.
    """
    net, x, y = drawn
    split, moved = step_split(net, x, y, rate), stepped(net, descent(net, x, y), rate)
    change = predict(moved, x) - predict(net, x)
    scale = max(
        abs(part).max(initial=0)
        for part in (split.frozen, split.flips, predict(net, x), predict(moved, x))
    )
    assert np.allclose(split.frozen + split.flips, change, rtol=0, atol=1e-12 * scale)
    kept = np.all([np.ones(len(x), bool), *((a == b).all(axis=1) for a, b in zip(
        forward(net, x).pattern, forward(moved, x).pattern, strict=True))], axis=0)
    assert not split.flips[kept].any()


@given(gaussian_nets(hidden=st.just(1), width=16), st.integers(0, 99))
def test_flips_of_one_hidden_layer_are_the_new_values_of_the_switched_units(net, seed):
    """T19: sum over switched units of a_k |z_k| after the step."""
    rng = RNG(seed)
    x = rng.normal(size=(5, net.weights[0].shape[1]))
    y = 10 * rng.normal(size=(5, len(net.biases[-1])))
    moved = stepped(net, descent(net, x, y), 0.5)
    switched = forward(net, x).pattern[0] != forward(moved, x).pattern[0]
    expected = (switched * abs(forward(moved, x).preacts[0])) @ moved.weights[1].T
    assert np.allclose(
        step_split(net, x, y, 0.5).flips,
        expected,
        rtol=1e-11,
        atol=1e-11 * abs(expected).max(initial=1),
    )


@given(gaussian_nets(width=8), st.integers(0, 99))
def test_the_frozen_part_is_a_polynomial_that_starts_with_the_flow(net, seed):
    """T19: of degree L in the step, with no constant and with df/dt as linear coefficient."""
    rng, L = RNG(seed), len(net.weights)
    x = rng.normal(size=(3, net.weights[0].shape[1]))
    y = rng.normal(size=(3, len(net.biases[-1])))
    rates = np.arange(1, L + 2) / 4
    frozen = np.array([step_split(net, x, y, rate).frozen for rate in rates])
    powers = rates[:L, None] ** np.arange(1, L + 1)
    coefficients = np.linalg.solve(powers, frozen[:L].reshape(L, -1)).reshape(frozen[:L].shape)
    predicted = np.tensordot(rates[L] ** np.arange(1, L + 1), coefficients, axes=1)
    scale = abs(coefficients).max() + abs(frozen).max() + 1e-300
    assert np.allclose(predicted, frozen[L], rtol=0, atol=1e-10 * scale)
    assert np.allclose(
        coefficients[0], decompose(net, x, y).output_rate, rtol=0, atol=1e-10 * scale
    )
    assert np.allclose(
        step_split(net, x, y, 0.25).linear, coefficients[0] / 4, rtol=0, atol=1e-10 * scale
    )


# ----------------------------------------------------------------- the public door


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(grid=(5,)), "as many samples"),
        (dict(grid="6"), "grid must be"),
        (dict(grid=(2, 3, 1)), "grid must be"),
        (dict(outputs="yes"), "outputs must be True or False"),
        (dict(patch=2), "divide every axis of the grid"),
        (dict(grid=(6,), patch=4), "must divide"),
        (dict(grid=(6,), patch=0), "patch"),
        (dict(x=np.zeros((0, 2)), y=np.zeros((0, 2))), "at least one row"),
        (dict(y=np.zeros((6, 1))), "y must be"),
        (dict(x=np.full((6, 2), np.nan)), "x must be"),
        (dict(grid=(-6,)), "grid"),
        (dict(weights=np.ones(5)), "one per example"),
        (dict(weights=[1, 1, 1, 1, 1, -1]), "none negative"),
        (dict(x=np.zeros((40_000, 2)), y=np.zeros((40_000, 2))), "every k-th sample"),
    ],
)
def test_bad_input_to_decompose_is_refused(change, words):
    net, x, y = problem((6,), 0)
    with pytest.raises(ValueError, match=words):
        decompose(net, **{"x": x, "y": y, **change})


def test_bad_steps_are_refused():
    net, x, y = problem((6,), 0)
    for rate in (np.nan, np.inf, [1.0]):
        with pytest.raises(ValueError, match="rate"):
            step_split(net, x, y, rate)
    with pytest.raises(ValueError, match="moved must have the shapes"):
        change_split(net, init([2, 9, 8, 2], RNG(0)), x)
