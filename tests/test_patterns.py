"""Activation patterns and the affine maps they select: T2, T11's combinatorics, T26, T39."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from relu_dynamics.mlp import MLP, backward, forward, hidden_units, init, predict, split_layers
from relu_dynamics.patterns import (
    affine_map, dead_units, hamming, pack, pattern, preactivation_maps, unique_patterns, unpack,
)
from relu_dynamics.testing import exact_nets, gaussian_nets, with_rows
from tests.oracles import exact_pattern
from tests.strategies import twins


@st.composite
def bits(draw, rows=st.integers(0, 12), columns=st.sampled_from([0, 1, 3, 63, 64, 65, 130])):
    """(n, H) with many repeated rows, and rows that differ in one late bit only."""
    n, H = draw(rows), draw(columns)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    few = rng.integers(0, 2, (3, H)).astype(bool)
    few[1] = few[0]
    few[1, -1:] ^= True
    return few[rng.integers(0, 3, n)]


@given(with_rows(exact_nets()))
def test_pattern_says_which_rational_preactivations_are_positive(drawn):
    net, x = drawn
    q = pattern(net, x)
    assert q.dtype == bool and q.shape == (len(x), hidden_units(net))
    assert q.tolist() == [exact_pattern(net, point) for point in x]


def test_pattern_does_not_depend_on_row_blocks():
    """Many more rows than a block of 4096."""
    net = init([1, 5, 4, 1], np.random.default_rng(0))
    x = np.linspace(-3, 3, 9001)[:, None]
    assert_array_equal(pattern(net, x), np.concatenate(forward(net, x).pattern, axis=1))


@given(with_rows(exact_nets()))
def test_split_layers_undoes_concatenation(drawn):
    net, x = drawn
    for ours, theirs in zip(
        split_layers(net, pattern(net, x)), forward(net, x).pattern, strict=True
    ):
        assert_array_equal(ours, theirs)


# -------------------------------------------------------------------- affine maps


@given(with_rows(exact_nets()))
def test_network_is_the_affine_map_of_its_pattern_exactly(drawn):
    """T2: f(x) = A x + c with the pattern's own A and c, ties and dead layers included."""
    net, x = drawn
    A, c = affine_map(net, pattern(net, x))
    assert_array_equal(np.einsum("nmd,nd->nm", A, x) + c, predict(net, x))


@given(with_rows(exact_nets(), rows=st.integers(1, 4)))
def test_slope_of_the_affine_map_is_the_input_gradient(drawn):
    """T2: A = grad f, one backward pass per output."""
    net, x = drawn
    A, _ = affine_map(net, pattern(net, x))
    trace = forward(net, x)
    for a in range(A.shape[1]):
        df = np.zeros((len(x), A.shape[1]))
        df[:, a] = 1
        assert_array_equal(backward(net, trace, df).x, A[:, a])


@given(exact_nets(), st.data())
def test_affine_map_of_any_pattern_is_the_product_of_masked_layers(net, data):
    """Also for patterns no input has: c and A by pushing 0 and the unit vectors through the masked
    layers.
    """
    q = np.array(
        data.draw(st.lists(st.booleans(), min_size=hidden_units(net), max_size=hidden_units(net))),
        bool,
    )[None]
    points = np.vstack([np.zeros(net.weights[0].shape[1]), np.eye(net.weights[0].shape[1])])
    h = points
    for W, b, mask in zip(
        net.weights,
        net.biases,
        [*split_layers(net, q), np.ones((1, len(net.biases[-1])), bool)],
        strict=True,
    ):
        h = (h @ W.T + b) * mask
    A, c = affine_map(net, q)
    assert_array_equal(c[0], h[0])
    assert_array_equal(A[0], (h[1:] - h[0]).T)


@given(with_rows(exact_nets()))
def test_preactivations_are_the_affine_maps_of_the_pattern_upstream(drawn):
    """z_u(x) = G_u x + g_u on x's own cell, for every hidden unit."""
    net, x = drawn
    G, g = preactivation_maps(net, pattern(net, x))
    z = np.concatenate([np.zeros((len(x), 0)), *forward(net, x).preacts[:-1]], axis=1)
    assert G.shape == (len(x), hidden_units(net), x.shape[1]) and g.shape == (
        len(x),
        hidden_units(net),
    )
    assert_array_equal(np.einsum("nhd,nd->nh", G, x) + g, z)


@given(with_rows(gaussian_nets()))
def test_affine_maps_hold_at_realistic_widths(drawn):
    """To rounding: 1e-12 of the largest term."""
    net, x = drawn
    A, c = affine_map(net, pattern(net, x))
    assert_allclose(
        np.einsum("nmd,nd->nm", A, x) + c,
        predict(net, x),
        rtol=0,
        atol=1e-12 * (1 + np.abs(c).max(initial=0) + np.abs(A).max(initial=0)),
    )


def test_affine_maps_do_not_depend_on_row_blocks():
    """More rows than a block of 1024; every row's map is that row's."""
    net = init([2, 8, 8, 2], np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(2500, 2)) * 3
    A, c = affine_map(net, pattern(net, x))
    assert_allclose(np.einsum("nmd,nd->nm", A, x) + c, predict(net, x), rtol=0, atol=1e-13)


def test_a_layer_of_width_zero_is_a_constant_map():
    net = init([2, 3, 0, 2], np.random.default_rng(0))
    A, c = affine_map(net, pattern(net, np.ones((4, 2))))
    assert not A.any()
    assert_array_equal(c, np.tile(net.biases[-1], (4, 1)))
    assert preactivation_maps(net, pattern(net, np.ones((4, 2))))[0].shape == (4, 3, 2)


# -------------------------------------------------------------- comparing patterns


@given(bits(), st.data())
def test_hamming_counts_differing_bits(q, data):
    q2 = data.draw(bits(columns=st.just(q.shape[1])))
    expected = [
        [sum(a != b for a, b in zip(row, row2, strict=True)) for row2 in q2.tolist()]
        for row in q.tolist()
    ]
    assert (
        hamming(q, q2).tolist() == expected
        or (len(q) == 0 or len(q2) == 0)
        and hamming(q, q2).shape == (len(q), len(q2))
    )


@given(with_rows(exact_nets(hidden=st.integers(1, 3)), rows=st.integers(1, 5)), st.data())
def test_hamming_does_not_see_the_order_or_scale_of_units(drawn, data):
    """T39: permuting units, and w_in, b -> s w_in, s b with w_out -> w_out / s, s > 0, move no bit
    between rows.
    """
    net, x = drawn
    other, _ = data.draw(twins(net))
    q, q2 = pattern(net, x), pattern(other, x)
    assert_array_equal(hamming(q, q), hamming(q2, q2))


@given(bits())
def test_packing_keeps_every_bit(q):
    """Unit u is bit u mod 64 of word u div 64."""
    words = pack(q)
    assert words.dtype == np.uint64 and words.shape == (len(q), -(-q.shape[1] // 64))
    for u in range(q.shape[1]):
        assert_array_equal((words[:, u // 64] >> np.uint64(u % 64)) & np.uint64(1), q[:, u])
    assert_array_equal(unpack(words, q.shape[1]), q, strict=True)


def test_patterns_without_units_have_no_words():
    none = np.zeros((3, 0), bool)
    assert pack(none).shape == (3, 0)
    assert_array_equal(unpack(pack(none), 0), none, strict=True)


@given(bits())
def test_unique_patterns_are_first_occurrences_that_rebuild_every_row(q):
    """q[rows][inverse] == q; rows increase, are each the first of their kind, and no two are equal.
    """
    rows, inverse = unique_patterns(q)
    assert_array_equal(q[rows][inverse], q)
    first = [i for i, row in enumerate(q.tolist()) if row not in q[:i].tolist()]
    assert rows.tolist() == first


@given(bits(rows=st.integers(1, 12)))
def test_dead_units_are_on_nowhere(q):
    assert dead_units(q).tolist() == [not any(column) for column in q.T.tolist()]


# ------------------------------------------------------------------- odd inputs


NET = MLP((np.eye(2), np.ones((1, 2))), (np.zeros(2), np.zeros(1)))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: pattern(NET, np.ones(2)), r"x\[None, :\]"),
        (lambda: affine_map(NET, np.ones((1, 3), bool)), r"q must be \(n, 2\)"),
        (lambda: affine_map(NET, np.ones((1, 2))), "astype"),
        (lambda: preactivation_maps(NET, np.ones(2, bool)), r"q must be \(n, H\) bool"),
        (lambda: hamming(np.ones((1, 2), bool), np.ones((1, 3), bool)), "as many units"),
        (lambda: hamming(np.ones((1, 2), bool), np.ones((1, 2), int)), "q2 must be"),
        (
            lambda: hamming(np.zeros((2**17, 0), bool), np.zeros((2**17, 0), bool)),
            "hamming would have shape",
        ),
        (
            lambda: preactivation_maps(
                init([2**10, 2**10, 1], np.random.default_rng(0)), np.zeros((2**11, 2**10), bool)
            ),
            "G would have shape",
        ),
        (lambda: dead_units(np.ones((0, 2), bool)), "without inputs no unit is dead"),
        (lambda: unique_patterns(np.ones(3, bool)), "q must be"),
        (lambda: pack(np.ones((2, 2))), "q must be"),
    ],
)
def test_bad_input_gives_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@given(with_rows(exact_nets()))
def test_patterns_of_float32_networks_are_those_of_their_float32_forward_pass(drawn):
    """A float32 network on float32 inputs stays float32; lattice values are exact in both."""
    net, x = drawn
    single = MLP(*(tuple(part.astype(np.float32) for part in parts) for parts in net))
    assert_array_equal(pattern(single, x.astype(np.float32)), pattern(net, x))
