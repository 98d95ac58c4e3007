"""Forward and backward passes, parameters as a vector, the limits at the door: T1, T3, T4, T5, T39.

Within one activation region a network is affine in its inputs and in any one layer's
parameters, so a difference quotient along a segment whose two ends have equal patterns
is exact: no step size to choose, and == on networks that round nothing.
"""

import numpy as np
import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from relu_dynamics import specification as spec
import relu_dynamics as rd
from relu_dynamics.checks import (
    LARGEST, MAX_ENTRIES, MAX_PARAMETERS, as_real, check_indices, check_size, check_widths,
    row_blocks,
)
from relu_dynamics.mlp import (
    MLP, Gradient, Trace, backward, flatten, forward, init, predict, restrict, some_rows, unflatten,
)
from relu_dynamics.testing import (
    exact_nets, gaussian_nets, halves, lattice_nets, rational, with_rows,
)
from tests.strategies import twins, with_layer


def step_inside_cell(pattern_at):
    """The largest signed power of two t with the same pattern at 0 and at t; tries -t too, which
    keeps ties usable."""
    here = pattern_at(0.0)
    for k in range(20):
        for t in (2.0**-k, -(2.0**-k)):
            if all(np.array_equal(p, q) for p, q in zip(here, pattern_at(t), strict=True)):
                return t
    assume(False)


# --------------------------------------------------------------------- forward


@given(with_rows(exact_nets()))
def test_forward_is_the_definition_in_rational_arithmetic(drawn):
    """Every pre-activation, layer by layer; ties are off."""
    net, x = drawn
    trace = forward(net, x)
    for i, point in enumerate(x):
        exact = [z.tolist() for z in spec.forward(rational(net), rational(point)).z]
        assert all(z[i].tolist() == layer for z, layer in zip(trace.preacts, exact, strict=True))
        assert all(q[i].tolist() == [v > 0 for v in layer]
                   for q, layer in zip(trace.pattern, exact, strict=False))
        for h, layer in zip(trace.inputs[1:], exact, strict=False):
            assert h[i].tolist() == [max(v, 0) for v in layer]
        event("a tie" if any(v == 0 for layer in exact[:-1] for v in layer) else "no tie")
    assert len(trace.pattern) == len(net.weights) - 1


@given(with_rows(st.one_of(exact_nets(), gaussian_nets())))
def test_predict_is_the_last_preactivation_of_forward(drawn):
    assert_array_equal(predict(*drawn), forward(*drawn).preacts[-1])


@given(with_rows(exact_nets()))
def test_output_is_the_rational_output(drawn):
    net, x = drawn
    assert predict(
        net, x).tolist() == [spec.forward(rational(net), rational(point)).z[-1].tolist()
                             for point in x]


@given(with_rows(exact_nets()), st.integers(-3, 3))
def test_scaling_by_a_power_of_two_changes_no_pattern_and_no_bit(drawn, power):
    """T5: W[l] -> a W[l], b[l] -> a^l b[l] gives f -> a^L f."""
    net, x = drawn
    a = 2.0**power
    scaled = MLP(tuple(a * W for W in net.weights),
                 tuple(a ** (k + 1) * b for k, b in enumerate(net.biases)))
    before, after = forward(net, x), forward(scaled, x)
    assert_array_equal(after.preacts[-1], a ** len(net.weights) * before.preacts[-1])
    assert all(np.array_equal(p, q) for p, q in zip(before.pattern, after.pattern, strict=True))


@given(with_rows(exact_nets(hidden=st.integers(1, 3))), st.data())
def test_rescaling_or_permuting_hidden_units_leaves_the_function_alone(drawn, data):
    """T39: w_in, b -> s w_in, s b and w_out -> w_out / s, with s a power of two; and any order of
    units."""
    net, x = drawn
    other, _ = data.draw(twins(net))
    assert_array_equal(predict(other, x), predict(net, x))


# -------------------------------------------------------------------- backward


@given(with_rows(exact_nets(), rows=st.integers(1, 3), columns=1), st.data())
def test_parameter_gradient_is_the_difference_quotient_exactly(drawn, data):
    """T3: f is affine in one layer's parameters while the pattern holds, so <df, rise> = t
    <gradient, direction>."""
    net, x, df = drawn
    k = data.draw(st.integers(0, len(net.weights) - 1))
    V, v = data.draw(halves(net.weights[k].shape)), data.draw(halves(net.biases[k].shape))

    def run(t):
        return forward(with_layer(net, k, net.weights[k] + t * V, net.biases[k] + t * v), x)

    t = step_inside_cell(lambda t: run(t).pattern)
    gradient = backward(net, run(0.0), df)
    rise = np.sum(df * (run(t).preacts[-1] - run(0.0).preacts[-1]))
    assert rise == t * (np.sum(gradient.weights[k] * V) + np.sum(gradient.biases[k] * v))


@given(with_rows(exact_nets(), rows=st.integers(1, 3), columns=1), st.data())
def test_input_gradient_is_the_difference_quotient_exactly(drawn, data):
    """f is affine in x inside a cell; one row of Gradient.x per sample."""
    net, x, df = drawn
    u = data.draw(halves(x.shape))
    i = data.draw(st.integers(0, len(x) - 1))
    t = step_inside_cell(lambda t: [q[i] for q in forward(net, x + t * u).pattern])
    rise = np.sum(df[i] * (predict(net, x + t * u) - predict(net, x))[i])
    assert rise == t * np.sum(backward(net, forward(net, x), df).x[i] * u[i])


@given(with_rows(gaussian_nets(), rows=st.integers(1, 4), columns=1), st.integers(0, 2**32 - 1))
def test_gradients_at_realistic_widths_are_difference_quotients(drawn, seed):
    """The same in general position; the quotient of a step of 2^-12 loses 2^12 of 2^53."""
    net, x, df = drawn
    rng = np.random.default_rng(seed)
    k = rng.integers(len(net.weights))
    V, v = rng.normal(size=net.weights[k].shape), rng.normal(size=net.biases[k].shape)
    moved = with_layer(net, k, net.weights[k] + 2.0**-12 * V, net.biases[k] + 2.0**-12 * v)
    before, after = forward(net, x), forward(moved, x)
    assume(all(np.array_equal(p, q) for p, q in zip(before.pattern, after.pattern, strict=True)))
    gradient = backward(net, before, df)
    rise = df * (after.preacts[-1] - before.preacts[-1]) * 2.0**12
    slope = np.sum(gradient.weights[k] * V) + np.sum(gradient.biases[k] * v)
    scale = np.abs(df * after.preacts[-1]).sum() + np.abs(gradient.weights[k] * V).sum()
    assert_allclose(rise.sum(), slope, rtol=0, atol=1e-10 * max(1, scale))


@given(with_rows(exact_nets(), rows=st.integers(0, 4), columns=1), st.data())
def test_backward_is_the_adjoint_of_a_forward_derivative(drawn, data):
    """T1: <df, (df/dparameters)[V] + (df/dx)[u]> = <backward(df), (V, u)>, the tangent pushed
    forward by hand."""
    net, x, df = drawn
    V = [data.draw(halves(W.shape)) for W in net.weights]
    v = [data.draw(halves(b.shape)) for b in net.biases]
    dh = u = data.draw(halves(x.shape))
    trace = forward(net, x)
    for k, W in enumerate(net.weights):
        dz = dh @ W.T + trace.inputs[k] @ V[k].T + v[k]
        dh = dz * (trace.preacts[k] > 0)
    gradient = backward(net, trace, df)
    pairing = sum(
        np.sum(a * b)
        for a, b in zip([*gradient.weights, *gradient.biases, gradient.x], [*V, *v, u],
                        strict=True))
    assert np.sum(df * dz) == pairing


@given(with_rows(exact_nets(outputs=st.just(1)), rows=st.integers(1, 1)))
def test_output_is_recovered_from_the_gradient_of_any_layer(drawn):
    """T4 (Euler): f = <W[l], df/dW[l]> + sum over k >= l of <b[k], df/db[k]>, for every l."""
    net, x = drawn
    gradient = backward(net, forward(net, x), [[1.0]])
    for k in range(len(net.weights)):
        rest = sum(np.sum(b * g) for b, g in zip(net.biases[k:], gradient.biases[k:], strict=True))
        assert np.sum(net.weights[k] * gradient.weights[k]) + rest == predict(net, x)[0, 0]


@given(with_rows(exact_nets(), rows=st.integers(0, 5), columns=1))
def test_gradient_of_a_batch_is_the_sum_over_its_rows(drawn):
    net, x, df = drawn
    whole = backward(net, forward(net, x), df)
    rows = [backward(net, forward(net, x[[i]]), df[[i]]) for i in range(len(x))]
    assert_array_equal(
        flatten(whole), sum((flatten(row) for row in rows), np.zeros(flatten(whole).size)))
    assert_array_equal(whole.x, np.concatenate([row.x for row in rows] or [x]))


# ------------------------------------------------------- degenerate architectures


def test_a_tie_is_off_in_value_and_in_gradient():
    """One unit at z = 0 exactly: f = 0 there, and nothing flows back."""
    net = MLP((np.array([[1.0]]), np.array([[1.0]])), (np.array([-1.0]), np.zeros(1)))
    trace = forward(net, [[1.0]])
    assert trace.preacts[0].tolist() == [[0.0]] and trace.pattern[0].tolist() == [[False]]
    gradient = backward(net, trace, [[1.0]])
    assert [g.tolist() for g in gradient.weights] == [[[0.0]],
                                                      [[0.0]]] and gradient.x.tolist() == [[0.0]]


def test_no_hidden_layer_is_an_affine_map():
    net = init([3, 2], np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(5, 3))
    assert_allclose(predict(net, x), x @ net.weights[0].T + net.biases[0], rtol=1e-15)
    assert forward(net, x).pattern == []


@pytest.mark.parametrize("scheme", ["torch", "he"])
def test_a_hidden_layer_of_width_zero_makes_a_constant(scheme):
    net = init([2, 3, 0, 2], np.random.default_rng(0), scheme)
    x = np.random.default_rng(1).normal(size=(4, 2))
    trace = forward(net, x)
    assert_array_equal(trace.preacts[-1], np.tile(net.biases[-1], (4, 1)))
    gradient = backward(net, trace, np.ones((4, 2)))
    assert [g.shape for g in gradient.weights] == [(3, 2), (0, 3), (2, 0)]
    assert not gradient.x.any() and gradient.biases[-1].tolist() == [4, 4]


def test_a_batch_of_no_rows_is_a_batch():
    net = init([2, 3, 2], np.random.default_rng(0))
    x = np.zeros((0, 2))
    gradient = backward(net, forward(net, x), np.zeros((0, 2)))
    assert predict(net, x).shape == (0, 2) and gradient.x.shape == (0, 2) and not flatten(
        gradient).any()


# -------------------------------------------------------------- initialisation


def test_torch_scheme_is_uniform_within_one_over_root_fan_in():
    """Bounds respected and nearly reached, mean 0 and variance bound^2/3 within four standard
    errors, biases too."""
    net = init([50, 200, 1], np.random.default_rng(0))
    for sample, bound in ((net.weights[0], 50**-0.5), (net.biases[0], 50**-0.5),
                          (net.weights[1], 200**-0.5)):
        assert 0.97 * bound < np.abs(sample).max() <= bound
        assert abs(sample.mean()) < 4 * bound / np.sqrt(3 * sample.size)
        assert abs(np.mean(sample**2) * 3 / bound**2 - 1) < 4 * np.sqrt(0.8 / sample.size)
    assert 0.97 < np.abs(init([1, 400, 1], np.random.default_rng(0)).weights[0]).max() <= 1


def test_he_scheme_is_gaussian_with_variance_two_over_fan_in_and_zero_biases():
    net = init([50, 400, 1], np.random.default_rng(0), scheme="he")
    assert abs(net.weights[0].var() * 50 / 2 - 1) < 4 * np.sqrt(2 / net.weights[0].size)
    assert abs(net.weights[0].mean()) < 4 * np.sqrt(2 / 50 / net.weights[0].size)
    assert not any(b.any() for b in net.biases)


def test_he_scheme_with_one_input_has_variance_two():
    W = init([1, 20_000, 1], np.random.default_rng(0), scheme="he").weights[0]
    assert abs(W.var() / 2 - 1) < 4 * np.sqrt(2 / W.size)


def test_equal_generators_make_equal_networks():
    a, b, c = (flatten(init([2, 5, 1], np.random.default_rng(seed))) for seed in (3, 3, 4))
    assert_array_equal(a, b)
    assert not np.array_equal(a, c)


# ----------------------------------------------------------- vectors, subspaces


@given(lattice_nets())
def test_flatten_lists_weights_then_biases_layer_by_layer_row_by_row(net):
    expected = []
    for W, b in zip(net.weights, net.biases, strict=True):
        expected += [value for row in W.tolist() for value in row] + b.tolist()
    assert flatten(net).tolist() == expected
    assert flatten(Gradient(net.weights, net.biases, np.zeros((1, 1)))).tolist() == expected


@given(gaussian_nets())
def test_unflatten_undoes_flatten_and_shares_no_memory(net):
    vector = flatten(net)
    back = unflatten(vector, net)
    vector[:] = 0
    for ours, theirs in zip([*back.weights, *back.biases], [*net.weights, *net.biases],
                            strict=True):
        assert_array_equal(ours, theirs)


@given(with_rows(exact_nets(inputs=st.integers(1, 3))), st.data())
def test_restriction_is_composition_with_the_affine_map(drawn, data):
    """f(origin + s @ axes), exactly; the patterns are those of the points themselves."""
    net, x = drawn
    k = data.draw(st.integers(1, 3))
    axes, origin = data.draw(halves((k, x.shape[1]), 2)), data.draw(halves((x.shape[1],)))
    s = data.draw(halves((3, k)))
    here, there = forward(restrict(net, origin, axes), s), forward(net, origin + s @ axes)
    for a, b in zip(here.preacts, there.preacts, strict=True):
        assert_array_equal(a, b)


# ------------------------------------------------------------ as Python values


@given(exact_nets(), exact_nets())
def test_networks_are_equal_if_and_only_if_all_their_parameters_are(net, other):
    """Whatever holds the numbers; equal networks have equal hashes."""
    twin = MLP(*(tuple(part.astype(np.float32).tolist() for part in parts) for parts in net))
    assert net == twin and not net != twin and hash(net) == hash(
        MLP(*(tuple(map(np.array, parts)) for parts in twin)))
    shapes, others = ([W.shape for W in one.weights] for one in (net, other))
    same = shapes == others and flatten(net).tolist() == flatten(other).tolist()
    assert (net == other) is same and (net != other) is not same
    assert net != tuple(net) and net != MLP(net.weights, net.biases[:-1])


def test_what_is_computed_prints_in_one_line():
    net = init([2, 64, 64, 1], np.random.default_rng(0))
    trace = forward(net, np.ones((3, 2)))
    assert repr(net) == "MLP(2-64-64-1)" and repr(MLP((), ())) == "MLP(weights [], biases [])"
    small = MLP((np.array([[1.0], [-0.5]]), np.ones((1, 2))), (np.zeros(2), np.array([3.0])))
    assert repr(small) == "MLP(([[1.0], [-0.5]], [[1.0, 1.0]]), ([0.0, 0.0], [3.0]))" and eval(
        repr(small)) == small
    assert repr(
        trace) == "Trace(inputs [3x2, 3x64, 3x64], preacts [3x64, 3x64, 3x1], pattern [3x64, 3x64])"
    deep = init([2, *[4] * 99, 1], np.random.default_rng(0))
    flow = rd.decompose(net, np.ones((3, 2)), np.ones((3, 1)))
    for result in (deep, forward(deep, np.ones((3, 2))), backward(net, trace, np.ones((3, 1))),
                   flow, *flow.splits.values(),
                   rd.integrate(rd.init([2, 3, 1], np.random.default_rng(0)), [[1.0, 2.0]], [[1.0]],
                                [0.0, 1.0]),
                   rd.infinite_kernels(np.ones((5, 2)), hidden_layers=1),
                   rd.global_pairs(40, np.random.default_rng(0), pairs=9, gap=2)):
        assert len(repr(result)) < 300 and "\n" not in repr(result)
    assert repr(flow).startswith(
        "Flow(output_rate 3x1, loss_rate -") and "splits {layer, unit" in repr(flow)


# ------------------------------------------------------------------- odd inputs


@given(with_rows(exact_nets(), rows=st.integers(1, 4), columns=1))
def test_any_real_dtype_and_any_memory_order_gives_the_float64_result(drawn):
    """float32, integer, Fortran-ordered, strided, read-only: what counts is the values, and nothing
    is modified."""
    net, x, df = drawn
    reference = flatten(backward(net, forward(net, x), df))
    strided = np.repeat(x, 2, axis=0)[::2]
    frozen = np.asfortranarray(x)
    frozen.setflags(write=False)
    for same in (x.astype(np.float32), strided, frozen, x.tolist()):
        assert_array_equal(flatten(backward(net, forward(net, same), df.astype(np.float32))),
                           reference)
    assert_array_equal(predict(net, np.rint(x).astype(np.int8)), predict(net, np.rint(x)))
    assert_array_equal(predict(net, x > 0), predict(net, (x > 0).astype(float)))
    frozen_net = MLP(*(tuple(np.asfortranarray(part) for part in parts) for parts in net))
    assert_array_equal(predict(frozen_net, x), predict(net, x))


def test_float32_stays_float32_only_if_everything_is():
    net = init([2, 3, 1], np.random.default_rng(0))
    single = MLP(*(tuple(part.astype(np.float32) for part in parts) for parts in net))
    x, x32 = np.ones((2, 2)), np.ones((2, 2), np.float32)
    trace = forward(single, x32)
    gradient = backward(single, trace, np.ones((2, 1)))
    assert {a.dtype
            for a in [predict(single, x32), *trace.inputs,
                      *trace.preacts]} == {np.dtype(np.float32)}
    assert {a.dtype
            for a in [*gradient.weights, *gradient.biases, gradient.x]} == {np.dtype(np.float32)}
    assert predict(single, x).dtype == predict(net, x32).dtype == np.float64
    assert_array_equal(
        predict(single, x), predict(unflatten(flatten(single).astype(float), net), x))


NET = MLP((np.eye(2), np.ones((1, 2))), (np.zeros(2), np.zeros(1)))
X = np.ones((3, 2))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: predict(NET, X[0]),
         r"x must be .* shape \(n, 2\).*Got shape \(2,\). .*x\[None, :\]"),
        (lambda: predict(NET, np.ones((2, 3))), r"Got shape \(2, 3\)"),
        (lambda: predict(NET, 1.0), r"Got shape \(\)"),
        (lambda: predict(NET, [[1, np.nan]]), r"Got nan at index \(0, 1\)"),
        (lambda: forward(NET, [[np.inf, 1]]), r"Got inf at index \(0, 0\)"),
        (lambda: predict(NET, [[1, 2], [3]]), "could not be read as an array"),
        (lambda: predict(NET, X.astype(complex)), "Got dtype complex128"),
        (lambda: predict(NET, X.astype(object)), "Got dtype object"),
        (lambda: predict(NET, [["a", "b"]]), "Got dtype <U1"),
        (lambda: predict(None, X), "net must be an MLP"),
        (lambda: predict(MLP((), ()), X), "at least one"),
        (lambda: predict(MLP((np.eye(2),), ()), X), "as many biases as weights"),
        (lambda: predict(MLP((np.eye(2), np.ones((1, 3))), NET.biases), X),
         r"net.weights\[1\] must be .* \(n, 2\)"),
        (lambda: predict(MLP(NET.weights, (np.zeros(3), np.zeros(1))), X), r"net.biases\[0\]"),
        (lambda: predict(MLP((np.ones((1, 0)),), (np.zeros(1),)), np.ones((1, 0))),
         "at least one input"),
        (lambda: predict(MLP((np.ones((0, 2)),), (np.zeros(0),)), X),
         "at least one input and one output"),
        (lambda: predict(MLP((np.full((1, 2), np.inf),), (np.zeros(1),)), X), r"net.weights\[0\]"),
        (lambda: backward(NET, forward(NET, X), np.ones((2, 1))), "df must be"),
        (lambda: backward(NET, forward(NET, X), np.ones(3)), r"df\[:, None\]"),
        (lambda: backward(NET, forward(MLP(NET.weights[1:], NET.biases[1:]), X), np.ones((3, 1))),
         "trace must come from"),
        (lambda: init([2], np.random.default_rng(0)), "widths must list"),
        (lambda: init("23", np.random.default_rng(0)), "widths must list"),
        (lambda: init([2, -3, 1], np.random.default_rng(0)),
         r"widths\[1\] must be a whole number, at least 0. Got -3"),
        (lambda: init([0, 3, 1], np.random.default_rng(0)), r"widths\[0\]"),
        (lambda: init([2, 3, 0], np.random.default_rng(0)), r"widths\[2\]"),
        (lambda: init([2, 2.5, 1], np.random.default_rng(0)), r"widths\[1\]"),
        (lambda: init([2, True, 1], np.random.default_rng(0)), r"widths\[1\]"),
        (lambda: init([10**6, 10**6, 1], np.random.default_rng(0)), "parameters, more than"),
        (lambda: init([2, 3, 1], 0), "numpy.random.Generator"),
        (lambda: init([2, 3, 1], np.random.default_rng(0), "xavier"), "'torch' or 'he'"),
        (lambda: unflatten(np.ones(3), NET), "one number per parameter"),
        (lambda: restrict(NET, [0, 0, 0], [[1, 0]]), "origin must be"),
        (lambda: restrict(NET, [0, 0], [1, 0]), r"axes\[None, :\]"),
        (lambda: restrict(NET, [0, 0], np.zeros((0, 2))), "at least one row"),
    ],
)
def test_bad_input_gives_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ------------------------------------------------- the door itself, at its thresholds


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_up_to_the_largest_come_in_and_none_beyond(dtype, sign):
    largest = sign * dtype(LARGEST[np.dtype(dtype)])
    beyond = np.nextafter(largest, sign * dtype(np.inf))
    assert as_real("a", np.array([0, largest], dtype))[1] == largest
    with pytest.raises(ValueError, match=r"a must be .* at index \(1,\)\. float.* is safe up to"):
        as_real("a", np.array([largest, beyond], dtype))


AT_THE_LIMIT = MLP(
    (np.array([[3.0]]), np.array([[2.0]]), np.array([[2.5], [0.0]]), np.zeros((2, 2))),
                   # let in for x = 0, though not for any x of length 1
                   (np.zeros(1), np.zeros(1), np.ones(2), np.full(2, 3.0)))


@example((AT_THE_LIMIT, np.zeros((1, 1)), np.zeros((1, 2))), 4, np.float32)
@given(with_rows(exact_nets(), rows=st.integers(1, 3), columns=1), st.integers(0, 30),
       st.sampled_from([np.float32, np.float64]))
def test_a_network_that_is_let_in_never_overflows(drawn, power, dtype):
    """All layers scaled up by 10^power: values, gradients and their squares are finite, without a
    warning, or it is refused."""
    net, x, df = drawn
    net = MLP(*(tuple((part * 10.0**power).astype(dtype) for part in parts) for parts in net))
    try:
        trace = forward(net, x.astype(dtype))
    except ValueError as error:
        assert "might grow" in str(error) or "safe up to" in str(error)
        event("refused")
        return
    gradient = flatten(backward(net, trace, df.astype(dtype)))
    assert all(np.isfinite(part).all() for part in (*trace.preacts, gradient))
    if dtype is np.float64:
        assert np.isfinite((np.abs(gradient) * np.abs(trace.preacts[-1]).max()) ** 2).all()


@pytest.mark.parametrize(
    "x", [[[1.0, 1.0]], [[-1.0, -1.0]], [[-1.0, 0.5], [0.5, 0.5]], [[0.5, 0.5], [1.0, -0.5]]])
@pytest.mark.parametrize("part", ["weights", "biases", "gradient"])
def test_where_bounds_fail_the_values_at_the_rows_decide(x, part):
    """s W x, the bias or the gradient in x may reach 1e50; a dead unit's large weights count for
    nothing."""
    x, W = 1e20 * np.array(x), np.array([[3.0, 4.0], [0.0, 0.0]])
    if part == "weights":
        net = lambda s: MLP((s * W, 1e49 * np.eye(2)[1:]), (np.array([0.0, -1.0]), np.zeros(1)))
        limit = 1e50 / np.abs(x @ W[0]).max()
    elif part == "biases":
        net = lambda s: MLP((W, s * np.eye(2)), (np.array([0.0, 1e20]), np.zeros(2)))
        limit = 1e50 / max(1e20, (x @ W[0]).max())
    else:
        net = lambda s: MLP((1e20 * W, s * np.eye(2)[:1]), (np.array([1e45, 0.0]), np.zeros(1)))
        limit = 1e50 / (x @ (1e20 * W[0]) + 1e45).max()
    df = np.ones((len(x), len(net(1).biases[-1])))
    for call in (lambda s: predict(net(s), x),
                 lambda s: backward(net(s), forward(net(0.5 * limit), x), df)):
        call(0.999 * limit)
        with pytest.raises(ValueError, match="might grow"):
            call(1.001 * limit)
    predict(net(1.001 * limit), x[:0])  # no rows have no values


@given(with_rows(exact_nets(hidden=st.integers(1, 3)), rows=st.integers(1, 3)), st.integers(0, 30),
       st.booleans())
def test_accepted_networks_have_small_values_and_rejected_ones_large_values_or_bounds(
        drawn, power, imposed):
    """Values in rational arithmetic, gradients as difference quotients in it: at most 1e50, or the
    product of all |W| and |b| is beyond it."""
    net, x = drawn
    net = MLP(*(tuple(part * 2.0 ** (3 * power) for part in parts) for parts in net))
    pattern = np.ones((len(x), sum(len(b) for b in net.biases[:-1])), bool) if imposed else None
    bound = np.prod(
        [np.hypot(1, np.hypot(np.linalg.norm(W), np.linalg.norm(b)))
         for W, b in zip(*net, strict=True)]) * np.hypot(1, np.abs(x).sum())
    try:
        trace = forward(net, x, pattern)
    except ValueError as error:
        assert "might grow" in str(error) and bound > 1e50
        event("refused")
        return
    for j in range(len(net.biases[-1])):
        gradients = [backward(net, some_rows(trace, np.array([i])),
                              np.eye(len(net.biases[-1]))[[j]]) for i in range(len(x))]
        assert max(np.abs(flatten(g)).max() for g in gradients) <= 1.001e50
    assert max(np.abs(z).max(initial=0) for z in trace.preacts) <= 1e50 and bound < 1e200
    event("let in though the bound is large" if bound > 1e50 else "let in")


def test_a_network_alone_may_grow_to_the_square_of_the_largest_number_on_inputs_of_length_one():
    """There products of two values do not overflow; (1e50 + 1e50) 5e49 s here."""
    net = lambda s: MLP((np.array([[1e50]]), np.array([[5e49 * s]])),
                        (np.array([1e50]), np.zeros(1)))
    restrict(net(0.999), [0.0], [[1.0]])
    with pytest.raises(ValueError, match="might grow to 1e[+]100"):
        restrict(net(1.001), [0.0], [[1.0]])


def test_depth_alone_is_no_growth():
    zeros = MLP((np.zeros((1, 1)),) * 2000, (np.zeros(1),) * 2000)
    assert predict(zeros, [[1e49]]) == 0


def test_parameters_that_are_only_stored_may_be_as_large_as_numbers_may():
    huge = MLP((np.full((1, 1), 1e50),) * 3, (np.zeros(1),) * 3)
    assert_array_equal(flatten(unflatten(flatten(huge), huge)), [1e50, 0] * 3)


@pytest.mark.parametrize("rows", [[0, 4], [], np.zeros(0), np.array([2], np.uint8), range(5)])
def test_row_indices_come_in(rows):
    indices = check_indices("rows", rows, 5)
    assert indices.dtype == np.intp and indices.tolist() == list(rows)


@pytest.mark.parametrize(
    "rows", [[5], [0, 5], [-1], [-1, 2], [[0, 1]], [[]], 3, [1.0], [True], ["a"]])
def test_what_is_no_row_index_is_refused(rows):
    with pytest.raises(ValueError,
                       match="rows must be a 1-D array of row indices, whole numbers from 0 to 4"):
        check_indices("rows", rows, 5)


def test_sizes_up_to_the_limits_are_allowed():
    check_size("a", (MAX_ENTRIES, 1), "")
    check_size("a", (MAX_ENTRIES + 1, 0), "")
    with pytest.raises(ValueError, match="more than the .* allowed. Think again."):
        check_size("a", (MAX_ENTRIES + 1,), "Think again.")
    side = 2**14
    # (side - 1 + 1) side parameters
    assert MAX_PARAMETERS == side**2 and check_widths([side - 1, side]) == [side - 1, side]
    with pytest.raises(ValueError, match=f"make {side * (side + 1)} parameters"):
        check_widths([side - 1, side + 1])


def test_blocks_cover_every_row_once_in_order():
    for n, size in ((0, 3), (1, 3), (3, 3), (4, 3), (9000, 4096)):
        blocks = [list(range(n))[block] for block in row_blocks(n, size)]
        assert sum(blocks, []) == list(range(n)) and all(0 < len(block) <= size for block in blocks)
    assert len(list(row_blocks(4096))) == 1 and len(list(row_blocks(4097))) == 2


@pytest.mark.parametrize(("width", "depth", "scheme", "dtype"),
                         [(256, 12, "he", np.float32), (64, 70, "he", np.float32),
                          (64, 200, "he", np.float64),
                          (4, 1000, "torch", np.float64)])
def test_deep_networks_of_ordinary_weights_are_let_in(width, depth, scheme, dtype):
    """Norms overstate their growth; also with no inputs in sight, and imposed patterns."""
    net = init([2, *[width] * depth, 1], np.random.default_rng(0), scheme)
    net = MLP(*(tuple(part.astype(dtype) for part in parts) for parts in net))
    x = np.ones((1, 2), dtype)
    assert predict(net, x).dtype == dtype
    trace = forward(net, x, np.arange(width * depth)[None] % 2 == 0)
    assert np.isfinite(flatten(backward(net, trace, np.ones((1, 1))))).all()
    restrict(net, [0.0, 0.0], [[1.0, 1.0]])


def test_the_deepest_networks_are_refused_before_they_overflow():
    """With every gate open, He's initialisation of 1000 layers multiplies by about 1 a layer, of
    weights 4 times as large by 4: 1e600."""
    net = init([2, *[16] * 1000, 1], np.random.default_rng(0), "he")
    with pytest.raises(ValueError, match="might grow"):
        predict(MLP(tuple(4 * W for W in net.weights), net.biases), np.ones((1, 2)))


@pytest.mark.parametrize("parts", [(None, None), (3.0, 4.0), ({0: 1}, {0: 1}), ("W", "b")])
def test_networks_are_two_tuples_of_arrays(parts):
    with pytest.raises(ValueError, match="two tuples"):
        predict(MLP(*parts), [[1.0]])


def test_a_trace_that_forward_did_not_return_is_refused():
    net = init([2, 3, 1], np.random.default_rng(0))
    trace = forward(net, np.ones((4, 2)))
    for other in (None, tuple(trace), Trace(None, None, None),
                  trace._replace(inputs=[trace.inputs[0], trace.inputs[1][:2]]),
                  trace._replace(pattern=[q * 0.5 for q in trace.pattern])):
        with pytest.raises(ValueError, match="trace must"):
            backward(net, other, np.ones((4, 1)))


def test_the_trace_of_a_network_does_not_let_in_another_that_overflows():
    net = init([2, 3, 1], np.random.default_rng(0))
    trace = forward(net, np.ones((4, 2)))
    with pytest.raises(ValueError, match="might grow"):
        backward(MLP(tuple(1e40 * W for W in net.weights), net.biases), trace, np.ones((4, 1)))
