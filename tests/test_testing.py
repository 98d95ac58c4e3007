"""What conjectures are tried with: the networks are what their names promise, the checks see what
they say they see."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import relu_dynamics as rd
from relu_dynamics.mlp import MLP, backward, forward
from relu_dynamics.testing import (
    check_flow, check_gradient, check_kernel, check_pieces, check_regions, degenerate_nets,
    exact_area, exact_nets, exact_pieces, exact_regions, gaussian_nets, lattice_nets,
    nets_with_a_dead_layer, nets_with_a_zero_unit, nets_with_duplicate_units,
    nets_with_opposite_units, nets_with_walls_through, trained_nets, with_rows,
)
from tests.strategies import problems_with_ties


def parts(net):
    return [part for parts in net for part in parts]


@given(lattice_nets())
def test_lattice_nets_have_half_integer_parameters_and_fit_together(net):
    assert all(np.array_equal(2 * part, np.rint(2 * part)) and np.abs(part).max() <= 3
               for part in parts(net))
    assert [len(b) for b in net.biases] == [len(W) for W in net.weights]
    assert [len(b) for b in net.biases[:-1]] == [W.shape[1] for W in net.weights[1:]]


@given(with_rows(lattice_nets()))
def test_forward_passes_of_lattice_nets_are_dyadic_and_far_inside_53_bits(drawn):
    """Four affine layers of half-integers: multiples of 2^-5 for the output, below 2^20, so
    products still fit."""
    trace = forward(*drawn)
    for z in trace.preacts:
        assert np.array_equal(32 * z, np.rint(32 * z)) and np.abs(z).max(initial=0) < 2**20


@given(nets_with_a_zero_unit())
def test_a_zero_unit_has_no_weights_and_no_bias(net):
    assert any(
        (~W.any(axis=1) & (b == 0)).any()
        for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True))


def proportional_pairs(net, sign):
    """Pairs of rows (W, b) of one hidden layer, u possibly v itself, with row v = s row u, sign(s)
    = sign."""
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
    """When both draws hit the same unit it becomes its own opposite multiple: a lone changed
    unit."""
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
    assert all(np.array_equal(64 * z, np.rint(64 * z)) and np.abs(z).max(initial=0) < 2**20
               for z in trace.preacts)


@given(trained_nets(inputs=2, hidden=(2, 3), width=8, epochs=5))
def test_trained_nets_differ_from_their_start_and_have_the_requested_sizes(net):
    assert net.weights[0].shape[1] == 2 and 3 <= len(net.weights) <= 4
    assert max(len(b) for b in net.biases) <= 8
    assert all(np.isfinite(part).all() for part in parts(net))


@given(lattice_nets(inputs=3, outputs=(2, 4), hidden=st.sampled_from([1, 3]), width=2))
def test_sizes_are_numbers_ranges_or_strategies(net):
    assert net.weights[0].shape[1] == 3 and 2 <= len(net.biases[-1]) <= 4 and len(net.weights) in (
        2, 4)
    assert all(1 <= len(b) <= 2 for b in net.biases[:-1])


# --------------------------------------------------------------- exact answers


@given(lattice_nets(inputs=2, hidden=(1, 2), width=3))
def test_exact_regions_fill_the_window_and_exact_pieces_the_segment(net):
    """Without a gap, in rational arithmetic; on every piece the affine map gives the output."""
    window = ((-1, 2), (-0.5, 0.75))
    assert sum(map(exact_area, exact_regions(net, window).values())) == 3 * 1.25
    pieces = exact_pieces(net, [-1.0, 0.5], [2.0, 1.0])
    assert pieces[0].start == 0 and pieces[-1].end == 1
    for piece, after in zip(pieces, [*pieces[1:], pieces[0]], strict=True):
        assert piece.start < piece.end == (after.start or 1)
        t = float(piece.start)
        if t == piece.start and t * 3 - 1 == float(piece.start * 3 - 1):
            f = rd.predict(net, [[-1 + 3 * t, 0.5 + t / 2]])[0]
            np.testing.assert_allclose((piece.offset + piece.slope * piece.start).astype(float), f,
                                       atol=1e-12 * (1 + np.abs(f).max()))


# --------------------------------------------------------------------- checks


@given(with_rows(st.one_of(exact_nets(), gaussian_nets(width=4)), rows=(1, 3), columns=1))
def test_gradients_kernels_and_flows_of_the_package_pass(drawn):
    net, x, y = drawn
    check_gradient(net, x)
    check_gradient(net, x, y)
    check_kernel(net, x)
    check_flow(net, x, y)


@given(st.one_of(exact_nets(inputs=2, hidden=(1, 2), width=3),
                 gaussian_nets(inputs=2, hidden=(1, 2), width=4)))
def test_regions_and_pieces_of_the_package_pass(net):
    check_regions(net, ((-1, 2), (-0.5, 0.75)))
    check_pieces(net, [-1.0, 0.5], [2.0, 1.0])


NET = rd.init([2, 5, 4, 2], np.random.default_rng(0))
X, Y = np.random.default_rng(1).uniform(-1, 1, (2, 3, 2))
SQUARE = ((-1, 1), (-1, 1))


def test_a_fault_anywhere_in_a_gradient_is_seen_with_its_numbers():
    right = backward(NET, forward(NET, X), np.ones((3, 2)))
    for k in range(3):
        for what in ("weights", "biases"):
            wrong = [part.copy() for part in getattr(right, what)]
            wrong[k] *= 1 + 1e-6
            with pytest.raises(AssertionError,
                               match=rf"layer {k}: found .*, exactly .*, off by .* tolerance"):
                check_gradient(NET, X, gradient=right._replace(**{what: tuple(wrong)}))
    with pytest.raises(AssertionError, match="direction of the inputs: found"):
        check_gradient(NET, X, gradient=right._replace(x=right.x + 1e-6))


def test_a_fault_in_a_kernel_a_flow_or_regions_is_seen_with_its_numbers():
    kernel = rd.tangent_kernel(NET, X)
    kernel[1, 2, 0, 1] += 1e-6
    with pytest.raises(AssertionError, match=r"the tangent kernel at \(1, 2, 0, 1\): found"):
        check_kernel(NET, X, kernel)
    with pytest.raises(AssertionError, match="has shape"):
        check_kernel(NET, X, kernel[:2])
    flow = rd.decompose(NET, X, Y)
    half = flow._replace(
        splits={"layer": flow.splits["layer"]._replace(values=flow.splits["layer"].values / 2)})
    with pytest.raises(AssertionError, match="the rate of the loss, layer: found"):
        check_flow(NET, X, Y, half)
    with pytest.raises(AssertionError, match="the rate of the outputs at .*: found"):
        check_flow(NET, X, Y, flow._replace(output_rate=1.001 * flow.output_rate))
    moved = MLP(NET.weights, (NET.biases[0] + 1e-3, *NET.biases[1:]))
    with pytest.raises(AssertionError, match="the area of the region with pattern [01]{9}: found"):
        check_regions(NET, SQUARE, rd.regions_in_window(moved, SQUARE))
    with pytest.raises(AssertionError, match="piece with pattern [01]{9}"):
        check_pieces(NET, [-1, -1], [1, 1], rd.regions_on_segment(moved, [-1, -1], [1, 1]))


def test_a_false_conjecture_has_a_counterexample():
    """With one hidden layer a segment has at most one piece more than units; with two it may have
    more."""
    def beyond(net):
        return len(rd.regions_on_segment(net, [-4], [4])) > rd.hidden_units(net) + 1

    with pytest.raises(Exception, match="No.*(such|found)|Could not find"):
        find(lattice_nets(inputs=1, outputs=1, hidden=1), beyond,
             settings=settings(max_examples=20, database=None))
    net = find(lattice_nets(inputs=1, outputs=1, hidden=2), beyond,
               settings=settings(max_examples=2000, database=None, derandomize=True,
                                 phases=[Phase.generate]))
    assert len(exact_pieces(net, [-4], [4])) > rd.hidden_units(net) + 1


def test_importing_the_package_imports_neither_matplotlib_nor_hypothesis():
    code = ("import sys, relu_dynamics.testing\n"
            "sys.exit(len({'matplotlib', 'hypothesis'} & sys.modules.keys()))")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
