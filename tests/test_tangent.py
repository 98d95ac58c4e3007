"""The tangent kernel, the Gram matrix of loss gradients, gradient confusion: T6-T13 and T39-T41.

A trace is one of the network's own pattern or of an imposed one: what holds for the one holds
for the other (T40).
"""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from relu_dynamics.mlp import (
    MLP, backward, flatten, forward, init, predict, row_count, some_rows, split_layers, unflatten,
)
from relu_dynamics.patterns import hamming, pattern
from relu_dynamics.tangent import (
    confusion_of_pairs,
    descent_direction,
    example_gradients,
    gradient_confusion,
    layer_kernels,
    loss_gradient_gram,
    output_sensitivities,
    path_kernel,
    preactivation_rates,
    tangent_kernel,
    unit_kernels,
)
from relu_dynamics.testing import exact_nets, gaussian_nets, halves, lattice_nets, with_rows
from tests.strategies import gates, twins, with_layer, with_traces


def close(actual, expected):
    """Two exact formulas in float64: 1e-12 of the largest term."""
    assert_allclose(
        actual, expected, rtol=0, atol=1e-12 * max(1.0, np.abs(expected).max(initial=0))
    )


def single_output_nets(**kwargs):
    return exact_nets(outputs=st.just(1), **kwargs)


def single_rows(trace):
    return [some_rows(trace, slice(i, i + 1)) for i in range(row_count(trace))]


def loss_gradients(net, trace, y):
    """One backward pass per example, the paper's way: (n, p) gradients of |r|^2 / m."""
    rows = [flatten(backward(net, one, 2 / len(yi) * (one.preacts[-1] - yi[None])))
            for one, yi in zip(single_rows(trace), y, strict=True)]
    return np.array(rows).reshape(len(y), flatten(net).size)


# ------------------------------------------------------------------ the Jacobian


@given(with_traces(exact_nets()))
def test_jacobian_rows_are_backward_passes_exactly(drawn):
    """J's row for output a is the pull-back of the a-th unit vector; backward is proved in
    test_mlp.
    """
    net, trace = drawn
    J = example_gradients(net, trace)
    for row, one in zip(J, single_rows(trace), strict=True):
        for a, direction in enumerate(np.eye(len(net.biases[-1]))):
            assert_array_equal(row[a], flatten(backward(net, one, direction[None])))


@given(with_rows(gaussian_nets(), rows=st.integers(1, 4)), st.integers(0, 2**32 - 1))
def test_jacobian_predicts_the_outputs_of_a_small_step_in_one_layer(drawn, seed):
    """With the pattern fixed f is affine in one layer's parameters (T3), so the quotient has no
    truncation error.
    """
    net, x = drawn
    rng = np.random.default_rng(seed)
    k = rng.integers(len(net.weights))
    direction = unflatten(np.zeros(flatten(net).size), net)
    direction = with_layer(
        direction, k, rng.normal(size=net.weights[k].shape), rng.normal(size=net.biases[k].shape)
    )
    step = 2.0**-12
    moved = unflatten(flatten(net) + step * flatten(direction), net)
    assume(np.array_equal(pattern(net, x), pattern(moved, x)))
    rise = example_gradients(net, x) @ flatten(direction)
    # the difference of two outputs loses 2^12 of 2^53
    assert_allclose(
        (predict(moved, x) - predict(net, x)) / step,
        rise,
        rtol=0,
        atol=1e-10 * max(1, np.abs(rise).max()),
    )


# -------------------------------------------------------------------- the kernel


@given(with_traces(exact_nets()), st.data())
def test_kernel_is_the_product_of_jacobians_exactly(drawn, data):
    """K = J J' (T6), for any two batches, by rows or at once."""
    net, x = drawn
    x2 = data.draw(halves((data.draw(st.integers(0, 3)), net.weights[0].shape[1])))
    K = np.einsum("iap,jbp->ijab", example_gradients(net, x), example_gradients(net, x2))
    assert_array_equal(tangent_kernel(net, x, x2), K)
    assert_array_equal(tangent_kernel(net, x, x2, rows=1), K)
    assert_array_equal(layer_kernels(net, x, x2).sum(axis=(0, 1)), K)
    assert_array_equal(unit_kernels(net, x, x2).sum(axis=0), K)
    assert_array_equal(tangent_kernel(net, x2), tangent_kernel(net, x2, x2))


@given(with_traces(gaussian_nets(), rows=st.integers(0, 20)))
def test_kernel_is_positive_semidefinite(drawn):
    """K = J J^T: no eigenvalue below rounding."""
    net, trace = drawn
    K = (
        tangent_kernel(net, trace)
        .swapaxes(1, 2)
        .reshape(2 * [row_count(trace) * len(net.biases[-1])])
    )
    eigenvalues = np.linalg.eigvalsh(K)
    assert eigenvalues.min(initial=0) >= -1e-13 * len(K) * eigenvalues.max(initial=0)


@given(with_traces(exact_nets()))
def test_layer_kernels_split_the_jacobian_by_layer_and_kind(drawn):
    """Columns of J belong to W1, b1, W2, b2, ...: each block's product is one part, and the parts
    sum to K.
    """
    net, x = drawn
    parts, J = layer_kernels(net, x), example_gradients(net, x)
    sizes = [part.size for layer in zip(*net, strict=True) for part in layer]
    blocks = np.split(J, np.cumsum(sizes)[:-1], axis=2)
    for index, block in enumerate(blocks):
        assert_array_equal(parts[index // 2, index % 2], np.einsum("iap,jbp->ijab", block, block))
    assert_array_equal(parts.sum(axis=(0, 1)), tangent_kernel(net, x))


@given(with_traces(exact_nets()))
def test_units_that_are_off_at_either_input_couple_nothing(drawn):
    """T11: a hidden unit's part of K vanishes unless both inputs activate it; units sum to their
    layer.
    """
    net, x = drawn
    parts, q = unit_kernels(net, x), pattern(net, x)
    both = q[:, None, :] & q[None, :, :]
    assert not parts[: q.shape[1]][~both.transpose(2, 0, 1)].any()
    ends = np.cumsum([len(b) for b in net.biases])
    for layer, units in zip(layer_kernels(net, x), np.split(parts, ends[:-1]), strict=True):
        assert_array_equal(units.sum(axis=0), layer.sum(axis=0))


@given(with_rows(single_output_nets(hidden=st.just(1)), rows=st.integers(2, 2)))
def test_one_hidden_layer_kernel_in_closed_form(drawn):
    """T9: K = 1 + sum over units on at both of z z' + a^2 (x.x' + 1), in rational arithmetic."""
    net, x = drawn
    (W, a), (b, _) = net
    exact = np.vectorize(Fraction, otypes=[object])
    z = exact(x) @ exact(W.T) + exact(b)
    shared = [k for k in range(len(b)) if z[0, k] > 0 and z[1, k] > 0]
    expected = 1 + sum(
        z[0, k] * z[1, k] + exact(a)[0, k] ** 2 * (exact(x)[0] @ exact(x)[1] + 1) for k in shared
    )
    assert tangent_kernel(net, x)[0, 1, 0, 0] == expected


@given(
    with_rows(lattice_nets(outputs=st.just(1), hidden=st.just(1)), rows=st.integers(0, 6)),
    st.integers(-2, 2),
    st.data(),
)
def test_first_layer_kernel_is_affine_in_the_hamming_distance(drawn, power, data):
    """T10: with all |a_k| = a the first layer's kernel is a^2 (x.x' + 1) (|S| + |S'| - Hamming) /
    2.
    """
    net, x = drawn
    signs = data.draw(
        st.lists(st.sampled_from([-1, 1]), min_size=len(net.biases[0]), max_size=len(net.biases[0]))
    )
    net = with_layer(net, 1, 2.0**power * np.array([signs], float), net.biases[1])
    q = pattern(net, x)
    on = q.sum(axis=1)
    expected = 4.0**power * (x @ x.T + 1) * (on[:, None] + on[None, :] - hamming(q, q)) / 2
    assert_array_equal(layer_kernels(net, x)[0].sum(axis=0)[..., 0, 0], expected)


@given(
    with_rows(
        lattice_nets(outputs=st.just(1), hidden=st.integers(1, 2), width=3), rows=st.integers(2, 2)
    )
)
def test_path_kernel_counts_the_paths_that_are_active_at_both_inputs(drawn):
    """T12, by enumerating the paths: f = sum of activity x value, and activities' inner product is
    the kernel.
    """
    net, x = drawn
    net = MLP(net.weights, tuple(np.zeros_like(b) for b in net.biases))
    active = [[q[i] for q in forward(net, x).pattern] for i in range(2)]
    activity = {0: [], 1: []}
    outputs = [0.0, 0.0]
    for path in product(*(range(W.shape[1]) for W in net.weights)):
        value = np.prod(
            [W[k2, k1] for W, k1, k2 in zip(net.weights, path, [*path[1:], 0], strict=True)]
        )
        for i in range(2):
            gates = all(q[k] for q, k in zip(active[i], path[1:], strict=True))
            activity[i].append(x[i, path[0]] * gates)
            outputs[i] += x[i, path[0]] * gates * value
    assert_array_equal(outputs, predict(net, x)[:, 0])
    assert (
        path_kernel(net, x)[0, 1]
        == path_kernel(net, x[:1], x[1:])
        == np.dot(activity[0], activity[1])
    )


def test_path_kernel_refuses_networks_with_biases():
    with pytest.raises(ValueError, match="without biases"):
        path_kernel(MLP((np.ones((1, 2)),), (np.ones(1),)), np.ones((3, 2)))


# ------------------------------------------------------- Gram matrix and confusion


@given(with_traces(exact_nets(outputs=st.sampled_from([1, 2])), columns=1))
def test_gram_is_the_product_of_per_example_loss_gradients_exactly(drawn):
    """T7, against one backward pass per example; 2/m is a power of two for m = 1, 2, so nothing
    rounds.
    """
    net, x, y = drawn
    gradients = loss_gradients(net, x, y)
    assert_array_equal(loss_gradient_gram(net, x, y), gradients @ gradients.T)
    assert_array_equal(loss_gradient_gram(net, x, y, rows=2), gradients @ gradients.T)


@given(with_traces(gaussian_nets(width=64), rows=st.integers(0, 40), columns=1), st.integers(1, 50))
def test_gram_and_confusion_are_symmetric_to_the_last_bit(drawn, rows):
    """Entry (i, j) and entry (j, i) are one computation, whatever the blocks."""
    net, x, y = drawn
    for matrix in (
        loss_gradient_gram(net, x, y, rows=rows),
        gradient_confusion(net, x, y, rows=rows),
    ):
        assert_array_equal(matrix, matrix.T)


@given(with_traces(st.one_of(exact_nets(), gaussian_nets()), rows=st.integers(0, 8), columns=1))
def test_confusion_is_the_cosine_of_loss_gradients(drawn):
    """Diagonal 1; NaN exactly where a gradient is zero; otherwise the cosine of two backward
    passes.
    """
    net, x, y = drawn
    cosines, gradients = gradient_confusion(net, x, y), loss_gradients(net, x, y)
    zero = ~gradients.any(axis=1)
    event(f"{zero.sum()} zero gradients")
    assert_array_equal(np.isnan(cosines), zero[:, None] | zero[None, :])
    assert_array_equal(np.diagonal(cosines)[~zero], 1)
    unit = gradients[~zero] / np.linalg.norm(gradients[~zero], axis=1, keepdims=True)
    assert_allclose(cosines[~zero][:, ~zero], unit @ unit.T, rtol=0, atol=1e-12)


@given(with_traces(exact_nets(), rows=st.integers(1, 6), columns=1), st.data())
def test_confusion_of_pairs_picks_entries_of_the_matrix(drawn, data):
    net, x, y = drawn
    i, j = (
        data.draw(st.lists(st.integers(0, len(y) - 1), min_size=5, max_size=5)) for _ in range(2)
    )
    expected = gradient_confusion(net, x, y)[i, j]
    assert_allclose(confusion_of_pairs(net, x, y, i, j), expected, rtol=0, atol=1e-14)


@given(
    with_traces(
        st.one_of(single_output_nets(), gaussian_nets(outputs=st.just(1))),
        rows=st.integers(1, 8),
        columns=1,
    )
)
def test_residuals_give_only_the_sign_and_the_kernel_all_the_size(drawn):
    """T8, one output: cos = sign(r r') K / sqrt(K K'); the sign is exact."""
    net, x, y = drawn
    r = (x.preacts[-1] - y)[:, 0]
    K = tangent_kernel(net, x)[..., 0, 0]
    cosines = gradient_confusion(net, x, y)
    kernel_cosine = K / np.sqrt(np.diagonal(K)[:, None] * np.diagonal(K)[None, :])
    fitted = r == 0
    expected = np.where(
        fitted[:, None] | fitted[None, :], np.nan, np.sign(r[:, None] * r[None, :]) * kernel_cosine
    )
    assert_allclose(cosines, expected, rtol=0, atol=1e-12)
    both = ~np.isnan(cosines) & (np.abs(kernel_cosine) > 1e-12)
    assert_array_equal(np.sign(cosines[both]), np.sign(expected[both]))


@given(exact_nets(outputs=st.just(1), hidden=st.just(1)), st.data())
def test_one_hidden_layer_kernel_exceeds_one_on_the_unit_square(net, data):
    """T8: with x.x' >= -1, K >= 1 + h.h' >= 1, so every conflict there comes from residual signs.
    """
    n, d = data.draw(st.integers(1, 6)), net.weights[0].shape[1]
    x = np.abs(data.draw(halves((n, d)))) / 3
    h = forward(net, x).inputs[1]
    assert (tangent_kernel(net, x)[..., 0, 0] >= 1 + h @ h.T - 1e-12 * (1 + h @ h.T)).all()


@given(gaussian_nets(outputs=st.just(1)), st.integers(0, 2**32 - 1))
def test_cosine_of_two_inputs_of_one_cell_tends_to_one_in_size(net, seed):
    """T8: as x' -> x inside a cell the gradients become parallel, |cos| -> 1 quadratically in |x -
    x'|.
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1, net.weights[0].shape[1]))
    x = np.concatenate([x, x + 2.0**-30 * rng.normal(size=x.shape)])
    q = pattern(net, x)
    assume(np.array_equal(q[0], q[1]))
    y = rng.normal(size=(2, 1))
    assert abs(gradient_confusion(net, x, y)[0, 1]) > 1 - 1e-12


@given(st.floats(-300, 50), st.floats(-300, 50))
def test_confusion_survives_residuals_of_any_size(first, second):
    """A cosine does not depend on the residuals' sizes, so neither 1e-300 nor 1e50 may under- or
    overflow.
    """
    net = MLP((np.eye(2), np.zeros((2, 2))), (np.zeros(2), np.zeros(2)))
    x, y = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([[10.0**first, 0], [10.0**second, 0]])
    assert_allclose(
        gradient_confusion(net, x, y)[0, 1],
        gradient_confusion(net, x, np.sign(y))[0, 1],
        rtol=1e-14,
    )


@pytest.mark.parametrize("seed", range(3))
def test_cosines_of_parallel_gradients_are_one_and_never_more(seed):
    """Copies of an example, with residuals of either sign: what rounding adds beyond 1 is taken
    off, the sign is kept.
    """
    rng = np.random.default_rng(seed)
    net, x = init((2, 16, 16, 1), rng), np.repeat(rng.random((40, 2)), 3, axis=0)
    y = predict(net, x) + np.tile([[1.0], [3.0], [-0.7]], (40, 1))
    cosines, expected = (
        gradient_confusion(net, x, y),
        np.outer(*[np.tile([1.0, 1.0, -1.0], 40)] * 2),
    )
    copies = np.kron(np.eye(40), np.ones((3, 3))) > 0
    i, j = np.nonzero(copies)
    assert np.abs(cosines).max() == 1 and np.allclose(
        cosines[copies], expected[copies], rtol=0, atol=1e-14
    )
    some = confusion_of_pairs(net, x, y, i, j)
    assert np.abs(some).max() <= 1 and np.allclose(some, expected[copies], rtol=0, atol=1e-14)


# ------------------------------------------------------- imposed patterns (T40, T41)


def gated(net, x, q):
    """f(x) of the gated linear network, from its definition."""
    h, masks = x, [*split_layers(net, q), 1]
    for W, b, mask in zip(*net, masks, strict=True):
        h = mask * (h @ W.T + b)
    return h


@given(
    with_rows(exact_nets(), rows=st.integers(1, 3)), st.sampled_from([0.25, -1.0, 64.0]), st.data()
)
def test_T40_jacobian_under_an_imposed_pattern_is_a_difference_quotient_of_any_step(
    drawn, step, data
):
    """T40: f is affine in every parameter over all of parameter space: no kinks, so the step may be
    large.
    """
    net, x = drawn
    q = data.draw(gates(net, len(x)))
    theta = flatten(net)
    quotients = [
        (gated(unflatten(theta + step * e, net), x, q) - gated(net, x, q)) / step
        for e in np.eye(len(theta))
    ]
    assert_array_equal(example_gradients(net, forward(net, x, q)), np.stack(quotients, axis=2))


@given(with_rows(exact_nets(outputs=st.sampled_from([1, 2])), columns=1), st.data())
def test_T40_everything_said_of_rows_is_said_of_their_trace(drawn, data):
    """T40: rows, their Trace, and the Trace of their own pattern imposed are one to every function.
    """
    net, x, y = drawn
    biasless = MLP(net.weights, tuple(np.zeros_like(b) for b in net.biases))
    some = np.arange(len(x))
    for call in (
        lambda seen: tangent_kernel(net, seen),
        lambda seen: tangent_kernel(net, seen, x),
        lambda seen: tangent_kernel(net, x, seen),
        lambda seen: layer_kernels(net, seen),
        lambda seen: unit_kernels(net, seen, x),
        lambda seen: example_gradients(net, seen),
        lambda seen: loss_gradient_gram(net, seen, y),
        lambda seen: gradient_confusion(net, seen, y),
        lambda seen: confusion_of_pairs(net, seen, y, some, some[::-1]),
        lambda seen: preactivation_rates(net, seen, net)[-1],
        lambda seen: pattern(net, seen),
    ):
        rows = call(x)
        assert_array_equal(call(forward(net, x)), rows)
        assert_array_equal(call(forward(net, x, pattern(net, x))), rows)
    assert_array_equal(path_kernel(biasless, forward(biasless, x)), path_kernel(biasless, x))


@given(with_rows(exact_nets(), rows=st.integers(1, 4)), st.data())
def test_T41_gates_decide_the_sensitivities_and_features_only_the_layers_inputs(drawn, data):
    """T41: K^{F,G}: with the gates of another network D does not depend on the features, and
    K^{F,F} is the tangent kernel.
    """
    net, x = drawn
    donor = MLP(*(tuple(data.draw(halves(part.shape)) for part in parts) for parts in net))
    q, other = pattern(donor, data.draw(halves(x.shape))), data.draw(halves(x.shape))
    D, h = output_sensitivities(net, forward(net, x, q))
    for part, same in zip(D, output_sensitivities(net, forward(net, other, q))[0], strict=True):
        assert_array_equal(part, same)
    K = sum(
        np.einsum("iau,jbu,iv,jv->ijab", d, d, f, f) + np.einsum("iau,jbu->ijab", d, d)
        for d, f in zip(D, h, strict=True)
    )
    assert_array_equal(tangent_kernel(net, forward(net, x, q)), K)
    assert_array_equal(
        tangent_kernel(net, forward(net, x, pattern(net, x))), tangent_kernel(net, x)
    )


# --------------------------------------------------------------- what is not true


def test_hamming_distance_alone_does_not_bound_the_cosine():
    """T13, both ways: units of no weight add Hamming distance and no kernel; one cell holds
    different cosines.
    """
    ghosts = 50
    W = np.vstack([[1.0, 0.0], np.tile([0.0, 2.0**-40], (ghosts, 1))])
    net = MLP((W, np.hstack([[[1.0]], np.zeros((1, ghosts))])), (np.zeros(1 + ghosts), np.zeros(1)))
    x, y = np.array([[1.0, -1.0], [1.0, 1.0]]), np.full((2, 1), 5.0)
    q = pattern(net, x)
    # x.x' + 1 = 1 against 3 on the diagonal: K = 1 + 1 + 1 and 1 + 1 + 3, whatever the ghosts do
    assert hamming(q, q)[0, 1] == ghosts
    assert abs(gradient_confusion(net, x, y)[0, 1] - 3 / 5) < 1e-9

    one_unit = MLP((np.array([[1.0, 0.0]]), np.array([[1.0]])), (np.zeros(1), np.zeros(1)))
    x = np.array([[1.0, 0.0], [1.0, 10.0], [10.0, 0.0]])
    cosines = gradient_confusion(one_unit, x, np.full((3, 1), 50.0))
    assert not hamming(pattern(one_unit, x), pattern(one_unit, x)).any()
    # K = 1 + z z' + x.x' + 1 is 4, 4, 22 against the first input, and 4, 104, 202 on the diagonal
    assert_allclose(cosines[0, 1:], [4 / np.sqrt(4 * 104), 22 / np.sqrt(4 * 202)], rtol=1e-15)


# -------------------------------------------------------------------- invariance


@given(
    with_rows(exact_nets(hidden=st.integers(1, 3)), rows=st.integers(1, 4), columns=1), st.data()
)
def test_kernel_and_confusion_do_not_see_the_order_of_units(drawn, data):
    """T39: permuting a hidden layer permutes terms of sums."""
    net, x, y = drawn
    permuted, _ = data.draw(twins(net, largest_power=0))
    assert_array_equal(tangent_kernel(permuted, x), tangent_kernel(net, x))
    assert_allclose(
        gradient_confusion(permuted, x, y), gradient_confusion(net, x, y), rtol=0, atol=1e-13
    )


def test_kernel_and_confusion_do_see_the_scale_of_a_unit():
    """T39's other half: w_in -> 2 w_in, w_out -> w_out / 2 leaves f alone and moves the kernel."""
    x, y = np.array([[1.0], [2.0]]), np.zeros((2, 1))
    net = MLP((np.array([[1.0]]), np.array([[1.0]])), (np.zeros(1), np.zeros(1)))
    scaled = MLP((np.array([[2.0]]), np.array([[0.5]])), net.biases)
    assert_array_equal(predict(scaled, x), predict(net, x))
    assert tangent_kernel(net, x)[0, 1, 0, 0] == 1 + 2 + 3
    assert tangent_kernel(scaled, x)[0, 1, 0, 0] == 1 + 8 + 3 / 4
    assert gradient_confusion(scaled, x, y)[0, 1] != gradient_confusion(net, x, y)[0, 1]


# -------------------------------------------------------------------- odd inputs


def test_float32_networks_are_analysed_in_float64():
    net = MLP(
        (np.ones((3, 2), np.float32), np.ones((1, 3), np.float32)),
        (np.ones(3, np.float32), np.ones(1, np.float32)),
    )
    x, y = np.full((2, 2), 0.1, np.float32), np.zeros((2, 1), np.float32)
    for result in (
        tangent_kernel(net, x),
        loss_gradient_gram(net, x, y),
        gradient_confusion(net, x, y),
    ):
        assert result.dtype == np.float64
    assert_array_equal(tangent_kernel(net, x), tangent_kernel(net, x.astype(float)))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda net, x, y: tangent_kernel(net, x[0]), r"x must be.*x\[None, :\]"),
        (lambda net, x, y: tangent_kernel(net, x, x[:, :1]), "x2 must be"),
        (
            lambda net, x, y: tangent_kernel(net, x, rows=0),
            "rows must be a whole number, at least 1",
        ),
        (lambda net, x, y: tangent_kernel(net, np.zeros((2**16, 2))), "Pass fewer rows"),
        (lambda net, x, y: loss_gradient_gram(net, x, y[:1]), "y must be"),
        (lambda net, x, y: gradient_confusion(net, x, y[:, 0]), r"y\[:, None\]"),
        (lambda net, x, y: gradient_confusion(net, x, y * np.nan), "Got nan at index"),
        (lambda net, x, y: confusion_of_pairs(net, x, y, [0], [3]), "j must be .* from 0 to 2"),
        (lambda net, x, y: confusion_of_pairs(net, x, y, [0, 1], [2]), "one entry per pair"),
        (lambda net, x, y: confusion_of_pairs(net, x, y, [0.5], [2]), "row indices"),
    ],
)
def test_bad_input_gives_one_clear_error(call, message):
    net = MLP((np.eye(2), np.ones((1, 2))), (np.zeros(2), np.zeros(1)))
    with pytest.raises(ValueError, match=message):
        call(net, np.ones((3, 2)), np.ones((3, 1)))


# ------------------------------------------------------------- motion (T1, T14)


@given(with_traces(exact_nets(), rows=st.integers(1, 4)), st.data())
def test_outputs_move_by_the_jacobian_times_the_motion_and_units_by_their_own(drawn, data):
    """T1: df/dt = J theta', for any motion; and the same holds for every hidden unit made an
    output, its layer the last.
    """
    net, x = drawn
    motion = MLP(*(tuple(data.draw(halves(part.shape)) for part in parts) for parts in net))
    rates = preactivation_rates(net, x, motion)
    assert_array_equal(rates[-1], example_gradients(net, x) @ flatten(motion))
    for l in range(1, len(net.weights)):
        head, by = (MLP(each.weights[:l], each.biases[:l]) for each in (net, motion))
        if len(head.biases[-1]):
            below = forward(
                head,
                x.inputs[0],
                np.concatenate([np.zeros((row_count(x), 0), bool), *x.pattern[: l - 1]], axis=1),
            )
            assert_array_equal(rates[l - 1], example_gradients(head, below) @ flatten(by))


@given(with_traces(exact_nets(), rows=st.integers(1, 4), columns=1))
def test_descent_direction_is_minus_the_mean_of_the_examples_gradients(drawn):
    """T14: the loss is the mean over examples of |r_i|^2 / m."""
    net, x, y = drawn
    close(flatten(descent_direction(net, x, y)), -loss_gradients(net, x, y).mean(axis=0))


def test_descent_on_no_examples_is_refused():
    net = MLP((np.ones((1, 2)),), (np.zeros(1),))
    with pytest.raises(ValueError, match="at least one row"):
        descent_direction(net, np.zeros((0, 2)), np.zeros((0, 1)))
