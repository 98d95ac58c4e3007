"""The networks that the other tests draw are what their names promise."""

import numpy as np
from hypothesis import given

from relu_dynamics.mlp import forward
from tests.strategies import (
    degenerate_nets,
    gaussian_nets,
    lattice_nets,
    nets_with_a_dead_layer,
    nets_with_a_zero_unit,
    nets_with_duplicate_units,
    nets_with_opposite_units,
    nets_with_walls_through,
    problems_with_ties,
    with_rows,
)


def parts(net):
    return [part for parts in net for part in parts]


@given(lattice_nets())
def test_lattice_nets_have_half_integer_parameters_and_fit_together(net):
    assert all(np.array_equal(2 * part, np.rint(2 * part)) and np.abs(part).max() <= 3 for part in parts(net))
    assert [len(b) for b in net.biases] == [len(W) for W in net.weights]
    assert [len(b) for b in net.biases[:-1]] == [W.shape[1] for W in net.weights[1:]]


@given(with_rows(lattice_nets()))
def test_forward_passes_of_lattice_nets_are_dyadic_and_far_inside_53_bits(drawn):
    """Four affine layers of half-integers: multiples of 2^-5 for the output, below 2^20, so products still fit."""
    trace = forward(*drawn)
    for z in trace.preacts:
        assert np.array_equal(32 * z, np.rint(32 * z)) and np.abs(z).max(initial=0) < 2**20


@given(nets_with_a_zero_unit())
def test_a_zero_unit_has_no_weights_and_no_bias(net):
    assert any((~W.any(axis=1) & (b == 0)).any() for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True))


def proportional_pairs(net, sign):
    """Pairs of rows (W, b) of one hidden layer, u possibly v itself, with row v = s row u, sign(s) = sign."""
    for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        rows = np.column_stack([W, b])
        for u in range(len(rows)):
            for v in range(len(rows)):
                if any(np.array_equal(rows[v], sign * s * rows[u]) for s in (0.5, 1, 2)):
                    yield u, v


@given(nets_with_duplicate_units())
def test_duplicate_units_have_proportional_rows(net):
    assert any(proportional_pairs(net, 1))


@given(nets_with_opposite_units())
def test_opposite_units_have_negatively_proportional_rows_or_lie_alone(net):
    """When both draws hit the same unit it becomes its own opposite multiple: a lone changed unit."""
    assert any(proportional_pairs(net, -1)) or any(proportional_pairs(net, 1))


@given(with_rows(nets_with_a_dead_layer()))
def test_a_dead_layer_makes_the_network_constant(drawn):
    trace = forward(*drawn)
    assert any(not q.any() for q in trace.pattern)
    assert len(np.unique(trace.preacts[-1], axis=0)) <= 1


@given(nets_with_walls_through())
def test_every_wall_meets_the_point(drawn):
    net, p = drawn
    assert not forward(net, p[None]).preacts[0].any()


@given(degenerate_nets())
def test_degenerate_nets_have_hidden_layers(net):
    assert len(net.weights) >= 2


@given(gaussian_nets())
def test_gaussian_nets_have_no_two_equal_weights(net):
    assert all(len(np.unique(W)) == W.size for W in net.weights)


@given(problems_with_ties())
def test_problems_with_ties_have_an_exact_one_in_every_hidden_layer(drawn):
    """Multiples of 2^-6 far inside 53 bits: a 0 is one."""
    net, x, y = drawn
    trace = forward(net, x)
    assert len(x) == len(y) and all((z == 0).any() for z in trace.preacts[:-1])
    assert all(np.array_equal(64 * z, np.rint(64 * z)) and np.abs(z).max(initial=0) < 2**20 for z in trace.preacts)
