"""Kernels beyond memory: T46-T48, each against the explicit Jacobian, a dense matrix or second
differences.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from relu_dynamics import products
from relu_dynamics.mlp import (
    MLP, flatten, forward, hidden_units, init, predict, pull_back, row_count, run, unflatten,
)
from relu_dynamics.patterns import pattern
from relu_dynamics.products import kernel_moments, kernel_product, kernel_spectrum, layer_curvature
from relu_dynamics.tangent import example_gradients
from relu_dynamics.testing import exact_nets, gaussian_nets, halves, lattice_nets, with_rows
from tests.strategies import gates, with_traces

# As it comes, by Lanczos' method on what is kept, and by Lanczos' method on passes.
WAYS = {
    "as it comes": {},
    "kept": {"DENSE": 0},
    "by passes": {"DENSE": 0, "KEPT_ENTRIES": 0, "ROWS": 3},
}


def explicit(net, trace):
    """J as (n m[L], p)."""
    return example_gradients(net, trace).reshape(
        row_count(trace) * len(net.biases[-1]), flatten(net).size
    )


def problem(seed, widths=(2, 9, 7, 2), n=12, imposed=False):
    rng = np.random.default_rng(seed)
    net, x = init(widths, rng), rng.uniform(-1, 1, (n, widths[0]))
    q = rng.random((n, hidden_units(net))) < 0.5 if imposed else None
    return net, forward(net, x, q), rng.normal(size=(n, widths[-1]))


# ------------------------------------------------------------------------ products


@given(with_traces(exact_nets()), st.data())
def test_T48_products_are_those_of_the_kernel_exactly(drawn, data):
    """T48: K v = J (J^T v), on networks that round nothing."""
    net, trace = drawn
    v = data.draw(halves((row_count(trace), len(net.biases[-1]))))
    J = explicit(net, trace)
    assert_array_equal(kernel_product(net, trace, v).ravel(), J @ (J.T @ v.ravel()))


@given(with_rows(lattice_nets(), rows=st.integers(0, 9)), st.data())
def test_T48_products_do_not_depend_on_blocks_of_rows(drawn, data):
    """T48 with two rows at a time, of rows or of a Trace."""
    net, x = drawn
    v = data.draw(halves((len(x), len(net.biases[-1]))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "ROWS", 2)
        by_rows = kernel_product(net, x, v)
    assert_array_equal(by_rows, kernel_product(net, x, v))
    assert_array_equal(by_rows, kernel_product(net, forward(net, x), v))


# ------------------------------------------------------------- spectra and moments


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("imposed", [False, True])
@pytest.mark.parametrize("k", [1, 4, 24])
def test_the_spectrum_is_that_of_the_explicit_kernel(way, imposed, k, monkeypatch):
    """To 1e-10 of the largest, with orthonormal vectors, however the products are made."""
    for name, value in WAYS[way].items():
        monkeypatch.setattr(products, name, value)
    net, trace, _ = problem(0, imposed=imposed)
    K = (J := explicit(net, trace)) @ J.T
    values, vectors = kernel_spectrum(net, trace, k)
    assert_allclose(values, np.linalg.eigvalsh(K)[::-1][:k], rtol=0, atol=1e-10 * values[0])
    flat = vectors.reshape(k, -1)
    assert_allclose(flat @ flat.T, np.eye(k), rtol=0, atol=1e-10)
    assert_allclose(flat @ K, values[:, None] * flat, rtol=0, atol=1e-7 * values[0])


@pytest.mark.parametrize("imposed", [False, True])
@pytest.mark.parametrize(("n", "k", "dense"), [(60, 9, 128), (60, 120, 128), (300, 5, 0)])
def test_samples_that_share_a_cell_share_the_rows_of_a_jacobian(n, k, dense, imposed, monkeypatch):
    """More than m[0] + 1 samples a cell: their span is kept, so every eigenvalue and vector is that
    of K itself.
    """
    monkeypatch.setattr(products, "DENSE", dense)
    net, trace, _ = problem(3, (2, 4, 3, 2), n)
    if imposed:
        trace = forward(
            net,
            trace.inputs[0],
            np.random.default_rng(0).integers(0, 2, (4, 7)).astype(bool)[np.arange(n) % 4],
        )
    cells = len(np.unique(pattern(net, trace), axis=0))
    assert (2 + 1) * cells < n / 2
    K = (J := explicit(net, trace)) @ J.T
    values, vectors = kernel_spectrum(net, trace, k)
    eigenvalues = np.linalg.eigvalsh(K)[::-1]
    assert_allclose(values, eigenvalues[:k], rtol=0, atol=1e-12 * values[0])
    flat = vectors.reshape(k, -1)
    assert_allclose(flat @ flat.T, np.eye(k), rtol=0, atol=1e-10)
    assert_allclose(flat @ K, values[:, None] * flat, rtol=0, atol=1e-7 * values[0])
    assert_allclose(kernel_moments(net, trace), (eigenvalues.mean(), eigenvalues.var()), rtol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_the_spectrum_of_a_constant_network_is_one_eigenvalue(way, monkeypatch):
    """With every unit off K is 1 for every pair: n, and zeros, which no iteration may turn into
    anything else.
    """
    for name, value in WAYS[way].items():
        monkeypatch.setattr(products, name, value)
    net = MLP((np.ones((3, 1)), np.ones((1, 3))), (-9 * np.ones(3), np.zeros(1)))
    values, _ = kernel_spectrum(net, np.linspace(-1, 1, 20)[:, None], 3)
    assert_allclose(values, [20, 0, 0], rtol=0, atol=1e-9)


@given(
    with_traces(st.one_of(exact_nets(), gaussian_nets()), rows=st.integers(1, 9)),
    st.sampled_from([1, 2**22]),
)
def test_T47_moments_are_those_of_all_eigenvalues(drawn, entries):
    """T47: tr K / (n m) and |K|_F^2 / (n m) - mean^2, by blocks of rows."""
    net, trace = drawn
    eigenvalues = np.linalg.eigvalsh((J := explicit(net, trace)) @ J.T)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "BLOCK_ENTRIES", entries)
        mean, variance = kernel_moments(net, trace)
    scale = np.abs(eigenvalues).max()
    assert abs(mean - eigenvalues.mean()) <= 1e-12 * scale
    assert abs(variance - eigenvalues.var()) <= 1e-12 * scale**2


# ------------------------------------------------------------------------ curvature


def hessian_of_layer(loss, net, l, t):
    """Second differences with step t of a quadratic, exact where nothing rounds."""
    first = sum(W.size + b.size for W, b in zip(net.weights[:l], net.biases[:l], strict=True))
    theta, p = flatten(net), net.weights[l].size + net.biases[l].size
    e = t * np.eye(len(theta))[first : first + p]
    here, one = loss(theta), [loss(theta + d) for d in e]
    H = np.zeros((p, p))
    for i in range(p):
        for j in range(i + 1):
            H[i, j] = H[j, i] = (loss(theta + e[i] + e[j]) - one[i] - one[j] + here) / t**2
    return H


@settings(max_examples=15)  # each is up to thirty losses
@given(
    with_rows(
        lattice_nets(width=2, inputs=st.integers(1, 2), outputs=st.just(1)),
        rows=st.sampled_from([1, 2]),
        columns=1,
    ),
    st.sampled_from([2.0**-6, 1.0]),
    st.data(),
)
def test_T46_curvature_of_a_layer_is_its_second_differences(drawn, t, data):
    """T46: inside the cell (small steps) and, under an imposed pattern, anywhere: the loss along
    one layer is one quadratic.
    """
    net, x, y = drawn
    q = data.draw(gates(net, len(x))) if t == 1 else None
    l = data.draw(st.integers(0, len(net.weights) - 1))
    seen = set()

    def loss(theta):
        moved = unflatten(theta, net)
        seen.add(pattern(moved, x).tobytes() if q is None else b"")
        return float(np.sum((predict(moved, x, q) - y) ** 2))

    H = hessian_of_layer(loss, net, l, t) / y.size
    assume(len(seen) == 1)
    k = min(W.size + b.size for W, b in zip(*net, strict=True))
    found = layer_curvature(net, forward(net, x, q), k)[l]
    assert_allclose(
        found, np.linalg.eigvalsh(H)[::-1][:k], rtol=0, atol=1e-12 * max(1, np.abs(H).max())
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("n", "outputs"), [(2, 1), (12, 2), (60, 1), (60, 4)])
def test_T46_curvature_is_the_spectrum_of_the_layers_kernel(way, n, outputs, monkeypatch):
    """T46: (2/nm) J J^T and (2/nm) J^T J have the same nonzero eigenvalues; the smaller one may be
    either.
    """
    for name, value in WAYS[way].items():
        monkeypatch.setattr(products, name, value)
    net, trace, _ = problem(1, (2, 4, 5, outputs), n)
    J, at = explicit(net, trace), 0
    found = layer_curvature(net, trace, 3)
    for row, W, b in zip(found, *net, strict=True):
        part = J[:, at : at + W.size + b.size]
        at += W.size + b.size
        expected = np.sort(np.linalg.svd(part, compute_uv=False) ** 2)[::-1][:3]
        expected = np.pad(expected, (0, 3 - len(expected)))
        assert_allclose(row, 2 / len(J) * expected, rtol=0, atol=1e-10 * row[0])


@pytest.mark.parametrize("way", WAYS)
def test_T46_a_layer_that_no_output_sees_has_no_curvature(way, monkeypatch):
    """With the second hidden layer off, only the output biases move f, each its own."""
    for name, value in WAYS[way].items():
        monkeypatch.setattr(products, name, value)
    net, trace, _ = problem(2, (2, 20, 20, 3), 50)
    net.biases[1][:] = -9
    assert_allclose(layer_curvature(net, trace.inputs[0], 4),
                    [[0] * 4, [0] * 4, [2 / 3, 2 / 3, 2 / 3, 0]], rtol=0, atol=1e-14)


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("seed", range(2))
def test_T46_descent_on_one_layer_is_stable_below_two_over_the_curvature_and_not_above(layer, seed):
    """T46: under an imposed pattern (T40): just below every step lowers the loss, just above it
    grows without end.
    """
    net, trace, y = problem(seed, n=8, imposed=True)
    q = np.concatenate(trace.pattern, axis=1)
    bound = 2 / layer_curvature(net, trace)[layer, 0]

    def losses(step):
        moved, found = net, []
        for _ in range(200):
            now = run(moved, trace.inputs[0], q)
            r = now.preacts[-1] - y
            found.append(np.mean(r**2))
            g = pull_back(moved, now, 2 / y.size * r)
            weights, biases = list(moved.weights), list(moved.biases)
            weights[layer], biases[layer] = (
                weights[layer] - step * g.weights[layer],
                biases[layer] - step * g.biases[layer],
            )
            moved = MLP(tuple(weights), tuple(biases))
        return np.array(found)

    below, above = losses(0.98 * bound), losses(1.02 * bound)
    assert (np.diff(below) <= 1e-15).all() and below[-1] < below[0]
    assert above[-1] > 1000 * above[0]


# ------------------------------------------------------------------------ odd inputs


@pytest.mark.parametrize(("call", "message"), [
    (lambda net, x: kernel_product(net, x, np.ones((3, 2))), r"v must be .* \(3, 1\)"),
    (lambda net, x: kernel_spectrum(net, x, 4), "k must be at most 3"),
    (lambda net, x: kernel_spectrum(net, x, 0), "k must be a whole number"),
    (lambda net, x: kernel_spectrum(net, x[:0], 1), "k must be"),
    (lambda net, x: kernel_moments(net, x[:0]), "at least one row"),
    (lambda net, x: layer_curvature(net, x[:0]), "at least one row"),
    (lambda net, x: layer_curvature(net, x, 4), "k must be at most 3"),
])
def test_bad_input_gives_one_clear_error(call, message):
    net = MLP((np.eye(2), np.ones((1, 2))), (np.zeros(2), np.zeros(1)))
    with pytest.raises(ValueError, match=message):
        call(net, np.ones((3, 2)))


@pytest.mark.parametrize("widths", [(1, 0, 1), (2, 3, 0, 2)])
def test_layers_of_no_units_leave_the_output_biases(widths):
    """f is constant: every eigenvalue comes from the biases of the outputs, one each."""
    net, x = init(widths, np.random.default_rng(0)), np.zeros((3, widths[0]))
    assert_allclose(kernel_spectrum(net, x, widths[-1]).values, 3)
    assert_allclose(kernel_moments(net, x).mean, 1)
