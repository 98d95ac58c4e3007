"""Pieces of a network along a segment and along a segment of encoded inputs: T2, T38, T39."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from relu_dynamics import specification as spec
from relu_dynamics.encoding import (
    Coordinates, FourierFeatures, PositionalEncoding, SharedFrequencies,
)
from relu_dynamics.mlp import MLP, flatten, forward, hidden_units, init, predict, unflatten
from relu_dynamics.patterns import pattern
from relu_dynamics.regions1d import evaluate, regions_on_encoded_segment, regions_on_segment
from relu_dynamics.testing import (
    exact_nets, exact_pieces, gaussian_nets, halves, lattice_nets, nets_with_walls_through,
    rational,
)
from tests.near_degenerate import FAMILIES
from tests.near_degenerate import draw as draw_near_degenerate
from tests.oracles import exact_encoded_preactivations
from tests.strategies import twins

seeds = st.integers(0, 2**32 - 1)


@st.composite
def with_segment(draw, nets):
    """(net, a, b): two different half-integer points of the input space."""
    net = draw(nets)
    d = net.weights[0].shape[1]
    a, b = draw(halves((d,))), draw(halves((d,)))
    if np.array_equal(a, b):
        b = a + 1
    return net, a, b


def fields(pieces):
    return vars(pieces).values()


def hidden(*layers):
    """The network with hidden layers (W, b), ..., whose output is the sum of the last one's units.
    """
    weights, biases = zip(
        *[(np.array(W, float), np.array(b, float)) for W, b in layers], strict=True
    )
    return MLP((*weights, np.ones((1, len(biases[-1])))), (*biases, np.zeros(1)))


def middles(pieces):
    return (pieces.t[:-1] + pieces.t[1:]) / 2


def assert_wider_than_the_tolerance_is_exact(pieces, net, a, b):
    """Its breakpoints are off by less than half of the tolerance each, so its middle has its
    pattern.
    """
    for low, high, exact, *_ in exact_pieces(net, a, b):
        if high - low > pieces.tolerance:
            assert (
                tuple(
                    pieces.pattern[np.searchsorted(pieces.t, float((low + high) / 2)) - 1].tolist()
                )
                == exact
            )


# ------------------------------------------------------------- along a segment


@given(with_segment(exact_nets()))
def test_pieces_are_the_rational_pieces(drawn):
    """Number, order and patterns exactly; breakpoints to rounding: ties, walls through the ends,
    dead layers included.
    """
    net, a, b = drawn
    pieces, exact = regions_on_segment(net, a, b), exact_pieces(net, a, b)
    event(f"{min(len(exact), 5)} pieces")
    assert [tuple(q) for q in pieces.pattern.tolist()] == [pattern for _, _, pattern, *_ in exact]
    assert_allclose(pieces.t, [0.0, *(float(end) for _, end, *_ in exact)], rtol=0, atol=1e-12)
    assert pieces.t[0] == 0 and pieces.t[-1] == 1


@given(nets_with_walls_through(units=4), st.data())
def test_walls_through_one_point_make_one_breakpoint(drawn, data):
    """However many units switch there, the segment through the point has one breakpoint at it."""
    net, p = drawn
    direction = data.draw(halves((2,)))
    assume(direction.any())
    pieces = regions_on_segment(net, p - direction, p + direction)
    switching = (net.weights[0] @ direction != 0).any()
    assert pieces.t.tolist() == ([0, 0.5, 1] if switching else [0, 1])


@given(with_segment(exact_nets(hidden=st.integers(1, 3))), st.integers(7, 16), seeds)
def test_near_degenerate_networks_are_right_on_pieces_wider_than_the_tolerance(drawn, digits, seed):
    """Perturbed by 10^-digits, walls nearly coincide; what is wider than the reported tolerance has
    its rational pattern.
    """
    net, a, b = drawn
    noise = np.random.default_rng(seed).normal(size=flatten(net).size) * 10.0**-digits
    net = unflatten(flatten(net) + noise, net)
    pieces = regions_on_segment(net, a, b)
    assert_wider_than_the_tolerance_is_exact(pieces, net, a, b)


@given(
    st.integers(1, 3), st.integers(1, 3), st.floats(-2, 8), st.floats(0, 10), st.booleans(), seeds
)
def test_patterns_are_exact_wherever_the_segment_lies_and_however_short_it_is(
    d, depth, size, digits, dyadic, seed
):
    """Offsets to 1e8, lengths to 1e-10, walls of every layer through the segment, half of them
    through its middle: what is wider than the tolerance has its rational pattern.
    """
    rng = np.random.default_rng(seed)
    widths = [d, *rng.integers(1, 6, depth), 1]
    draw = (
        (lambda shape: np.round(2 * rng.normal(size=shape)) / 2)
        if dyadic
        else (lambda shape: rng.normal(size=shape))
    )
    net = MLP(
        tuple(draw(shape) for shape in zip(widths[1:], widths, strict=False)),
        tuple(np.zeros(m) for m in widths[1:]),
    )
    a = draw(d) * 10.0**size
    step = draw(d)
    b = a + 10.0**-digits * np.where(step.any(), step, 1)
    b = np.where((a == b).all(), np.nextafter(a, np.inf), b)
    for l in range(depth):  # each layer's walls through places on the segment
        for u, t in enumerate(
            np.where(rng.integers(2, size=widths[l + 1]), 0.5, rng.uniform(size=widths[l + 1]))
        ):
            point = rational(a) + Fraction(t) * (rational(b) - rational(a))
            net.biases[l][u] = -float(spec.forward(rational(net), point).z[l][u])
    pieces = regions_on_segment(net, a, b)
    assert_wider_than_the_tolerance_is_exact(pieces, net, a, b)


def test_a_level_unit_within_rounding_of_zero_leaves_nothing_certain():
    """z = 0.1 (x - y) - 2e7 is 1e-9 along x = y + 2e8, for 0.1 is rounded up; computed it is 0."""
    net = hidden(([[0.1, -0.1]], [-2e7]))
    assert exact_pieces(net, np.array([3e8, 1e8]), np.array([3e8 + 1, 1e8 + 1]))[0][2] == (True,)
    assert regions_on_segment(net, [3e8, 1e8], [3e8 + 1, 1e8 + 1]).tolerance >= 1
    assert regions_on_segment(net, [1.0, 1.0], [2.0, 2.0]).tolerance < 1e-13


def test_two_walls_far_from_the_origin_are_not_told_apart():
    """Their exact order is the other one; they are 4e-11 apart, and the sums that place them are of
    size 1e6.
    """
    net = hidden(
        ([[0.13944365053584212], [0.5831987298227447]], [-139443.7019210085, -583198.9447322343])
    )
    first, second, _ = (piece.end for piece in exact_pieces(net, [1e6], [1e6 + 1]))
    assert regions_on_segment(net, [1e6], [1e6 + 1]).tolerance > second - first > 0


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_nearly_coincident_walls_hide_no_piece_wider_than_the_tolerance(family):
    """Every degenerate family, perturbed by 1e-16 to 1e-7, along segments through lattice points
    and in general position.
    """
    for k in range(6):
        rng = np.random.default_rng([k, FAMILIES.index(family)])
        _, net = draw_near_degenerate(rng, family)
        a, b = (
            (np.array([-1.0, rng.integers(-4, 5) / 4]), np.array([1.0, rng.integers(-4, 5) / 4]))
            if k % 2
            else rng.uniform(-1, 1, (2, 2))
        )
        pieces = regions_on_segment(net, a, b)
        assert_wider_than_the_tolerance_is_exact(pieces, net, a, b)


@given(with_segment(st.one_of(exact_nets(), gaussian_nets())))
def test_network_is_affine_on_every_piece_with_that_slope_and_offset(drawn):
    """At the ends of every piece, so that neighbouring pieces also meet: f is continuous."""
    net, a, b = drawn
    pieces = regions_on_segment(net, a, b)
    f = predict(net, a + pieces.t[:, None] * (b - a))
    left = pieces.offset + pieces.slope * pieces.t[:-1, None]
    right = pieces.offset + pieces.slope * pieces.t[1:, None]
    size = 1e-12 * (1 + np.abs(f).max() + np.abs(pieces.slope).max())
    assert_allclose(left, f[:-1], rtol=0, atol=size)
    assert_allclose(right, f[1:], rtol=0, atol=size)
    assert_allclose(evaluate(pieces, pieces.t), f, rtol=0, atol=size)


@given(with_segment(gaussian_nets()))
def test_patterns_are_those_of_the_midpoints_and_neighbours_differ_in_their_wall(drawn):
    """In general position exactly one unit of the first differing layer switches at a breakpoint:
    its owner.
    """
    net, a, b = drawn
    pieces = regions_on_segment(net, a, b)
    assert_array_equal(pieces.pattern, pattern(net, a + middles(pieces)[:, None] * (b - a)))
    differ = pieces.pattern[1:] ^ pieces.pattern[:-1]
    assert (np.diff(pieces.t) > 0).all() and (differ.sum(axis=1) == 1).all()
    assert_array_equal(np.flatnonzero(differ.any(axis=1)), np.arange(len(pieces.owner)))
    assert_array_equal(differ.argmax(axis=1), pieces.owner) if len(differ) else None


def test_a_wall_left_to_a_breakpoint_beside_it_counts_in_the_tolerance():
    """1.4e-14 apart: one breakpoint is listed, and a piece that narrow may be missing."""
    net = hidden(([[1], [1]], [0, -0.5]), ([[1, 0]], [-0.5 - 1.4e-14]))
    pieces = regions_on_segment(net, [0.0], [1.0])
    assert len(pieces.t) == 3 and pieces.tolerance >= 1.4e-14


def test_a_unit_whose_inputs_are_all_off_is_off_for_certain():
    """max(t - 5, 0) is 0 on the segment, and without a bias so is what it feeds."""
    net = hidden(([[1], [1]], [-5, 1]), ([[1, 0]], [0]))
    assert regions_on_segment(net, [0.0], [1.0]).tolerance < 1e-12


def test_a_unit_fed_by_one_other_is_off_where_that_is_off():
    """Wherever the other's wall is, and however that rounds: exactly 0, so nothing is uncertain."""
    for wall, slope in np.random.default_rng(0).uniform(size=(60, 2)):
        net = hidden(([[1], [slope]], [-0.5, -wall * slope]), ([[0, 1]], [-0.3 * wall * slope]),
                     ([[1]], [0]))
        pieces = regions_on_segment(net, [0.0], [1.5])
        assert_array_equal(pieces.pattern[:, 2], pieces.pattern[:, 3])
        assert pieces.tolerance < 1e-11 / slope


def test_walls_of_one_layer_that_nearly_coincide_make_one_breakpoint():
    """4e-15 apart, in a plain segment and in one of encoded inputs: all three switch there."""
    net = hidden(([[1], [1], [-1]], [-0.5, -0.5 - 4e-15, 0.5]))
    pieces = regions_on_segment(net, [0.0], [1.0])
    assert pieces.t.tolist() == [0, 0.5, 1] and pieces.owner.tolist() == [0]
    assert pieces.pattern.tolist() == [[False, False, True], [True, True, False]]
    net = hidden(([[1, 0], [1, 0], [-1, 0]], [0, 2e-14, 0]))  # sin 2 pi t, and 3e-15 after
    pieces = regions_on_encoded_segment(net, FourierFeatures([[1.0]]), [0.25], [0.75])
    assert len(pieces) == 2 and pieces.pattern[0].tolist() == [True, True, False]


@pytest.mark.parametrize("x", [0.0, 10.0, -7.0])
def test_a_wall_is_placed_as_well_as_rounding_and_the_slope_of_its_unit_allow(x):
    """z = 4 (x - x0 - 1/2) = 4 t - 2, x0 <= x <= x0 + 1: its terms are up to 4 |x| and 4 (x0 +
    1/2), its slope 4, the place itself is rounded, and a piece has a wall on either side; a unit
    that is nowhere near 0 hides nothing, however flat.
    """
    net = hidden(([[4], [1e-6]], [-4 * (x + 0.5), 1 - 1e-6 * x]))
    terms = 4 * max(abs(x), abs(x + 1)) + 4 * abs(x + 0.5)
    assert_allclose(
        regions_on_segment(net, [x], [x + 1]).tolerance, 2e-14 * (terms / 4 + 1), rtol=1e-9
    )


@pytest.mark.parametrize(
    ("W", "b", "on"),
    [([1.0, 0.0], 2.0**-20 - 2.0**-51, [0, 0, 1]), ([0.0, -1.0], -(2.0**-51), [1, 1, 0])],
)
def test_a_zero_next_to_a_breakpoint_makes_no_piece_of_its_own(W, b, on):
    """Units with kinks at 1 - 2^-19 and 1 - 2^-20, and a third that switches 4e-16 before the
    second of these, or after.
    """
    net = hidden(([[1], [1]], [2.0**-19 - 1, 2.0**-20 - 1]), ([W], [-b]))
    pieces = regions_on_segment(net, [0.0], [1.0])
    assert pieces.t.tolist() == [0, 1 - 2.0**-19, 1 - 2.0**-20, 1] and pieces.pattern[
        :, 2
    ].tolist() == [bool(q) for q in on]


def test_max_regions_pieces_are_listed_and_one_more_raises():
    for listed in (
        lambda limit: regions_on_segment(NET, [-1, -1], [1, 2], max_regions=limit),
        lambda limit: regions_on_encoded_segment(
            NET, PositionalEncoding(1), [0.1], [1.1], max_regions=limit
        ),
    ):
        assert len(listed(3).t) == 4
        with pytest.raises(
            ValueError, match="there are at least 3 pieces, more than max_regions = 2"
        ):
            listed(2)


@pytest.mark.parametrize(
    ("slopes", "kinks"), [([-1.0, 1e-6, 1.0], [0.0, 0.25, 0.5]), ([1.0, 1e-6], [0.0, 0.5])]
)
def test_a_wall_at_a_breakpoint_is_as_uncertain_as_the_flatter_side_says(slopes, kinks):
    """z of the second layer is 0 at 1/2, give or take 1e-15, and has slope 1e-6 on one side of it:
    within rounding of 1e-14 and more its zero may lie anywhere in 1e-8.
    """
    W, kinks = np.diff(slopes, prepend=0), np.array(kinks)
    net = hidden((np.ones((len(W), 1)), -kinks), ([W], [1e-15 - W @ np.maximum(0.5 - kinks, 0)]))
    assert regions_on_segment(net, [0.0], [1.0]).tolerance > 1e-8


@example(
    (
        MLP((np.array([[-2.5, 2.5]]), np.zeros((1, 1))), (np.zeros(1), np.zeros(1))),
        np.zeros(2),
        np.ones(2),
    ),
    0,
)
@example(
    (
        MLP(
            (np.array([[2.5, -2.5]]), np.array([[0.5]]), np.zeros((1, 1))),
            (np.zeros(1), np.zeros(1), np.zeros(1)),
        ),
        np.zeros(2),
        np.ones(2),
    ),
    0,
)
@given(with_segment(st.one_of(exact_nets(), gaussian_nets())), seeds)
def test_no_sample_finds_a_piece_that_is_not_listed(drawn, seed):
    net, a, b = drawn
    pieces = regions_on_segment(net, a, b)
    t = np.random.default_rng(seed).uniform(size=500)
    t = t[np.abs(t[:, None] - pieces.t).min(axis=1) > 4 * pieces.tolerance + 1e-12]
    listed = pieces.pattern[np.searchsorted(pieces.t, t) - 1]
    x = a + t[:, None] * (b - a)
    sizes = [
        np.abs(x)
    ]  # of the sums that each z comes from, layer after layer, and so of its rounding
    for W, c in zip(net.weights[:-1], net.biases[:-1], strict=True):
        sizes.append(sizes[-1] @ np.abs(W).T + np.abs(c))
    z, size = (
        np.hstack([np.zeros((len(t), 0)), *parts])
        for parts in (forward(net, x).preacts[:-1], sizes[1:])
    )
    clear = (
        np.abs(z) > 1e-14 * size
    )  # a unit that is 0 along the whole segment has a sign by rounding
    assert_array_equal(listed[clear], z[clear] > 0)


@given(with_segment(gaussian_nets()))
def test_there_are_at_most_product_of_widths_plus_one_pieces(drawn):
    """T38: each unit bends each piece at most once."""
    net, a, b = drawn
    assert len(regions_on_segment(net, a, b).pattern) <= np.prod(
        [len(b) + 1 for b in net.biases[:-1]]
    )


@given(with_segment(exact_nets(hidden=st.integers(1, 3))), st.data())
def test_pieces_do_not_see_the_order_or_the_scale_of_units(drawn, data):
    """T39."""
    net, a, b = drawn
    other, _ = data.draw(twins(net))
    ours, theirs = regions_on_segment(net, a, b), regions_on_segment(other, a, b)
    assert_allclose(ours.t, theirs.t, rtol=0, atol=1e-12)
    assert_allclose(ours.slope, theirs.slope, rtol=0, atol=1e-11)


@given(with_segment(st.one_of(exact_nets(), gaussian_nets())))
def test_the_segment_reversed_has_the_pieces_reversed(drawn):
    net, a, b = drawn
    there, back = regions_on_segment(net, a, b), regions_on_segment(net, b, a)
    assert_allclose(back.t, 1 - there.t[::-1], rtol=0, atol=1e-11)
    assert_array_equal(back.pattern, there.pattern[::-1])
    assert_allclose(
        back.slope, -there.slope[::-1], rtol=0, atol=1e-10 * (1 + np.abs(there.slope).max())
    )


@given(with_segment(exact_nets()), st.integers(1, 7))
def test_the_two_parts_of_a_segment_have_its_pieces(drawn, eighths):
    """Cut anywhere, also at a breakpoint: the patterns follow one another, the cut one twice."""
    net, a, b = drawn
    middle = a + eighths / 8 * (b - a)
    first, second = regions_on_segment(net, a, middle), regions_on_segment(net, middle, b)
    joined = [*first.pattern.tolist(), *second.pattern.tolist()]
    if first.pattern[-1].tolist() == second.pattern[0].tolist():
        del joined[len(first.pattern)]
    assert joined == regions_on_segment(net, a, b).pattern.tolist()


@pytest.mark.parametrize("widths", [[2, 3, 0, 2], [1, 2]])
def test_no_hidden_units_left_is_one_piece(widths):
    """A layer of width zero makes f constant, however many walls lie before it."""
    net = init(widths, np.random.default_rng(0))
    pieces = regions_on_segment(net, np.zeros(widths[0]), np.full(widths[0], 9.0))
    if 0 in widths:
        assert not pieces.slope.any()
    else:
        assert len(pieces.pattern) == 1 and pieces.pattern.shape == (1, 0)
        assert_allclose(pieces.slope[0], net.weights[0] @ [9.0], rtol=1e-15)
        assert (
            pieces.owner.shape == (0,)
            and len(regions_on_segment(net, [0.0], [9.0], max_regions=1).t) == 2
        )


def test_no_hidden_units_are_one_piece_of_encoded_inputs_too():
    pieces = regions_on_encoded_segment(
        init([4, 2], np.random.default_rng(0)), PositionalEncoding(2), [0.0], [1.0], max_regions=1
    )
    assert pieces.t.tolist() == [0, 1] and pieces.owner.shape == pieces.uncertified_unit.shape == (
        0,
    )


# ------------------------------------------- along a segment of encoded inputs

encodings = st.one_of(
    st.integers(1, 5).map(PositionalEncoding),
    st.builds(SharedFrequencies, st.integers(0, 3), st.integers(1, 2)),
)


@st.composite
def encoded(draw, d=st.integers(1, 2)):
    """(net, encoding, a, b): a general network on an encoding of a line in 1-D or 2-D, along an
    axis, a diagonal or neither.
    """
    encoding, dimension = draw(encodings), draw(d)
    rng = np.random.default_rng(draw(seeds))
    widths = [
        encoding.columns(dimension),
        *(draw(st.integers(1, 12)) for _ in range(draw(st.integers(1, 2)))),
        2,
    ]
    net = init(widths, rng)
    a, b = rng.uniform(size=(2, dimension))
    if draw(st.booleans()):
        a, b = np.zeros(dimension), np.eye(dimension)[0]
    elif draw(st.booleans()):
        a, b = np.zeros(dimension), np.ones(dimension)
    elif draw(st.booleans()):
        b = np.where(np.arange(dimension) == 0, b, a)
    return net, encoding, a, b


@given(encoded())
def test_encoded_pieces_have_the_patterns_of_their_midpoints(drawn):
    net, encoding, a, b = drawn
    pieces = regions_on_encoded_segment(net, encoding, a, b)
    assert len(pieces.uncertified) == 0 and (np.diff(pieces.t) > 0).all()
    wide = np.diff(pieces.t) > 1e-10  # narrower ones are within rounding of their ends
    t = middles(pieces)[wide]
    assert_array_equal(pieces.pattern[wide], pattern(net, encoding(a + t[:, None] * (b - a))))
    assert (pieces.pattern[1:] != pieces.pattern[:-1]).any(axis=1).all()


@given(encoded())
def test_samples_find_no_encoded_piece_that_is_not_listed(drawn):
    net, encoding, a, b = drawn
    pieces = regions_on_encoded_segment(net, encoding, a, b)
    t = (np.arange(2**12) + 0.5) / 2**12
    t = t[np.abs(t[:, None] - pieces.t).min(axis=1) > 1e-9]
    assert_array_equal(
        pieces.pattern[np.searchsorted(pieces.t, t) - 1],
        pattern(net, encoding(a + t[:, None] * (b - a))),
    )


@given(encoded(), seeds)
def test_coefficients_of_a_piece_give_the_network(drawn, seed):
    net, encoding, a, b = drawn
    pieces = regions_on_encoded_segment(net, encoding, a, b)
    t = np.random.default_rng(seed).uniform(size=200)
    assert pieces.coefficients.shape == (len(pieces.pattern), 2, 1 + 2 * len(pieces.frequencies))
    assert_allclose(
        evaluate(pieces, t), predict(net, encoding(a + t[:, None] * (b - a))), rtol=0, atol=1e-12
    )


def test_every_breakpoint_that_fine_sampling_finds_is_found():
    """L = 6, 24 x 24: the changes of pattern between 2^16 samples lie one by one at listed
    breakpoints.
    """
    encoding, net = PositionalEncoding(6), init([12, 24, 24, 1], np.random.default_rng(0))
    pieces = regions_on_encoded_segment(net, encoding, [0.0], [1.0])
    t = np.arange(2**16) / 2**16
    q = pattern(net, encoding(t[:, None]))
    changed = np.flatnonzero((q[1:] != q[:-1]).any(axis=1))
    inside = np.searchsorted(pieces.t, t)
    assert len(changed) > 300 and (inside[changed + 1] > inside[changed]).all()
    assert len(pieces.uncertified) == 0


# ------------------------------------------ what rounding decides, and what it does not


def decided(pieces, t):
    """Those of the places t that lie in no uncertified interval, and farther than the tolerance
    from every breakpoint and end.
    """
    sure = np.abs(t[:, None] - pieces.t).min(axis=1) > pieces.tolerance
    return t[
        sure
        & ~(
            (pieces.uncertified[:, 0] <= t[:, None]) & (t[:, None] <= pieces.uncertified[:, 1])
        ).any(axis=1)
    ]


def assert_exact(net, encoding, a, b, t):
    """The pieces have the exact patterns at all places t that are decided, and right beside what is
    not.
    """
    pieces = regions_on_encoded_segment(net, encoding, a, b)
    beside = np.append(
        pieces.t[-4:-1] - 1.01 * pieces.tolerance, pieces.t[1:4] + 1.01 * pieces.tolerance
    )
    for place in decided(
        pieces, np.clip(np.concatenate([t, beside, pieces.uncertified[:4].ravel()]), 0, 1)
    ):
        z = exact_encoded_preactivations(net, encoding, a, b, place)
        listed = pieces.pattern[
            min(np.searchsorted(pieces.t, place, side="right") - 1, len(pieces) - 1)
        ]
        assert ((z > 0) == listed)[np.abs(z) > 1e-40].all()  # sines are off by 2^-200
    return pieces


def in_layer(depth, W, c):
    """A network whose unit at index 2 depth is z = W.columns + c: in the first hidden layer, or in
    the second, above two units that are always on.
    """
    if depth == 0:
        return hidden(([W], [c]))
    shift = 2.0 ** np.ceil(np.log2(2 * np.abs(W).sum() + 1))
    return hidden((np.stack([W, W]) / 2, [shift, shift]), ([[1, 1]], [-2 * shift + c]))


@example(0, 1, 1, 0, [0.0, 1.0])
@example(0, -1, 1, 11, [0.0, 1.0])
@given(
    st.integers(-40, 40),
    st.sampled_from([-1, 1]),
    st.sampled_from([-1, 1]),
    st.integers(0, 11),
    st.sampled_from([[0.0, 1.0], [-0.3, 0.7], [0.25, 0.375]]),
)
def test_all_zeros_of_a_wave_that_nearly_touches_zero_are_listed_or_uncertified(
    k, side, sign, l, ends
):
    """z = side (1 - k 2^-53 + sign sin(2^(l+1) pi x)) is 0 where sin is 1 - k 2^-53 in size: in
    pairs about every touch, or never; and what is listed is a zero or uncertified.
    """
    c, cycles = 1 - k * 2.0 ** (-53 if k > 0 else -52), 2.0**l
    net = hidden(([[side * sign, 0]], [side * c]))
    pieces = regions_on_encoded_segment(net, FourierFeatures([[cycles]]), ends[:1], ends[1:])
    touch = (
        np.arange(np.floor(ends[0] * cycles) - 1, np.ceil(ends[1] * cycles) + 1) - sign / 4
    ) / cycles
    half = 2 * np.arcsin(np.sqrt(max(0, 1 - c) / 2)) / (2 * np.pi * cycles)
    zeros = (np.concatenate([touch - half, touch + half][: 2 * (k > 0)] or [[]]) - ends[0]) / (
        ends[1] - ends[0]
    )
    zeros = zeros[(zeros > 0) & (zeros < 1)]
    assert len(decided(pieces, zeros)) == 0
    w = (
        2 * np.pi * cycles * (ends[1] - ends[0])
    )  # z is w^2 t^2 / 2 beside a touch, and its error grows as 1 + w
    assert (np.diff(pieces.uncertified, axis=1) < 1e-6 * np.sqrt(1 + w) / w).all()
    at_ends = pieces.uncertified[(pieces.uncertified == [0, 1]).any(axis=1)]
    assert not (
        (at_ends[:, 0] <= pieces.t[1:-1, None]) & (pieces.t[1:-1, None] <= at_ends[:, 1])
    ).any()
    for listed in pieces.t[1:-1]:
        uncertain = (pieces.uncertified[:, 0] <= listed) & (listed <= pieces.uncertified[:, 1])
        assert uncertain.any() or np.abs(zeros - listed).min(initial=np.inf) <= pieces.tolerance


@given(
    st.integers(1, 3),
    st.sampled_from([0, 1, 2, 5, 9, 12]),
    st.booleans(),
    st.sampled_from([0, 1]),
    seeds,
)
def test_where_waves_nearly_touch_zero_patterns_are_exact_or_uncertified(
    waves, l, dyadic, depth, seed
):
    """One to three waves, and a bias that makes an extremum of their sum 0 but for a few roundings.
    """
    rng = np.random.default_rng(seed)
    encoding = (
        PositionalEncoding(l + 1)
        if dyadic
        else FourierFeatures(rng.normal(size=(waves, 1)) * 2.0**l)
    )
    W = np.zeros(encoding.columns(1))
    W[rng.choice(len(W), min(waves, len(W)), replace=False)] = rng.choice(
        [-2, -1, -0.5, 0.5, 1, 2], min(waves, len(W))
    )
    a, b = (
        (np.zeros(1), np.ones(1))
        if rng.integers(2)
        else np.sort(rng.uniform(-1, 1, (2, 1)), axis=0)
    )
    span = min(1, 4 / np.abs(encoding.frequencies_in(1) * (b - a)).max())
    t = rng.uniform(0, 1 - span) + span * np.linspace(0, 1, 201)
    sums = encoding(a + t[:, None] * (b - a)) @ W
    extrema = 1 + np.flatnonzero(np.diff(np.sign(np.diff(sums))))
    assume(len(extrema))
    near = t[rng.choice(extrema, 3)]
    for width in span / 200 * 0.5 ** np.arange(24):  # the best of three, closer and closer
        tries = near + width * np.array([[-1], [0], [1]])
        values = (encoding(a + tries.reshape(-1, 1) * (b - a)) @ W).reshape(3, -1)
        side = np.sign(values[1] - values[[0, 2]].mean(axis=0))
        near = tries[(side * values).argmax(axis=0), np.arange(3)]
    c = -float(exact_encoded_preactivations(in_layer(0, W, 0.0), encoding, a, b, near[0])[0])
    c += c * rng.integers(-20, 21) * 2.0**-52
    assert_exact(
        in_layer(depth, W, c),
        encoding,
        a,
        b,
        np.concatenate([near, near - 1e-9 * span, near + 1e-6 * span, rng.uniform(size=1)]),
    )


@pytest.mark.parametrize("start", [-0.3, -0.5, -0.123456])
@pytest.mark.parametrize(("sines", "cosines", "c", "pieces"), [
    ([2, -1, 0], [0, 0, 0], 0, 2),              # 2 sin x (1 - cos x), which is as x^3
    ([0, 0, 0], [-2, 0.5, 0], 1.5, 1),          # (1 - cos x)^2
    ([1.25, -1, 0.25], [0, 0, 0], 0, 2),        # sin x (1 - cos x)^2
    ([0, 0, 0], [-3.75, 1.5, -0.25], 2.5, 1),   # (1 - cos x)^3
])
def test_a_multiple_zero_is_one_uncertified_interval(start, sines, cosines, c, pieces):
    net = hidden(([np.stack([sines, cosines], axis=1).ravel()], [c]))
    encoding = FourierFeatures([[0.5], [1.0], [1.5]])
    found = regions_on_encoded_segment(net, encoding, [start], [start + 1])
    assert (
        len(found) == pieces
        and len(found.uncertified) == 1
        and found.uncertified_unit.tolist() == [0]
    )
    low, high = found.uncertified[0]
    assert low < -start < high and high - low < 0.1 and found.pattern[-1].all()
    assert (found.uncertified[0, 0] <= found.t[1:-1]).all() and (
        found.t[1:-1] <= found.uncertified[0, 1]
    ).all()


@pytest.mark.parametrize("periods", [7, 129, 513])
def test_where_fast_waves_nearly_cancel_the_rounding_of_t_counts(periods):
    """sin(3 x)/3 - sin(5 x)/5 is as x^3 at every half period, both ends included, where places are
    rounded to more than the wave is high; and it has four more zeros in a period.
    """
    net = hidden(([[1 / 3, 0, -1 / 5, 0]], [0]))
    encoding = FourierFeatures([[3.0 * periods], [5.0 * periods]])
    found = regions_on_encoded_segment(net, encoding, [0.0], [1.0])
    assert len(found) == 6 * periods and len(found.uncertified) == 2 * periods + 1


@given(st.integers(1, 3), st.sampled_from([0.0, 1.0, 1e3, 1e8]), st.floats(0, 10), seeds)
def test_encoded_patterns_are_exact_far_from_the_origin_and_on_short_segments(
    depth, offset, digits, seed
):
    """Beyond the tolerance, which grows as the segment shrinks, but not with the distance; a unit
    of the last layer is 0 inside.
    """
    rng = np.random.default_rng(seed)
    encoding = [
        PositionalEncoding(3),
        SharedFrequencies(1, 2),
        FourierFeatures(rng.normal(size=(2, 1))),
    ][rng.integers(3)]
    net = init([encoding.columns(1), *rng.integers(1, 6, depth), 1], rng)
    a = np.array([offset + rng.uniform()])
    b = np.nextafter(a + 10.0**-digits, np.inf)
    t = rng.uniform(size=1)
    net.biases[-2][0] -= float(
        exact_encoded_preactivations(net, encoding, a, b, t[0])[-len(net.biases[-2])]
    )
    assert_exact(net, encoding, a, b, np.concatenate([t, t - 1e-6, t + 1e-2, rng.uniform(size=2)]))


@given(st.floats(0, 9), st.integers(0, 3), seeds)
def test_rounding_that_one_layer_inherits_from_another_is_counted(digits, l, seed):
    """h = A s + (1 - A) s = s, s = 2 + sin(2^l pi x), on everywhere, is off by A roundings; the
    next layer sees s alone.  Along an encoded segment, and along a plain one far from the origin, h
    is 3 + w (x - x0), x0 from A on.
    """
    rng = np.random.default_rng(seed)
    A, (a, c) = 10.0**digits, rng.uniform(size=(2, 1))
    encoded = hidden(([[A, 0, 1 - A, 0]], [2]), ([[1]], [-1.5 - c[0]]))
    assert_exact(encoded, SharedFrequencies(l, 2), a, a + 1, rng.uniform(size=2))
    W, shift = rng.uniform(0.5, 2, (2, 1)), A * rng.uniform(1, 2)
    plain = hidden((W, 3 - W[:, 0] * shift), (np.eye(2), [0, 0]))
    middle = spec.forward(rational(plain), rational(np.array([shift + 0.5]))).z[1]
    plain.biases[1][:] = A * 1e-16 * rng.normal(size=2) - middle.astype(float)
    pieces = regions_on_segment(plain, [shift], [shift + 1])
    assert_wider_than_the_tolerance_is_exact(
        pieces, plain, np.array([shift]), np.array([shift + 1])
    )


@given(st.sampled_from([-1.0, 1.0]), st.sampled_from([0.5, 3.0, 5.3]), st.floats(-1, 1))
def test_a_unit_fed_by_one_other_switches_with_it(sign, cycles, start):
    """max(s, 0), or its negative, is exactly 0 on half of the pieces, and nothing is uncertified.
    """
    net = hidden(([[1, 0]], [0]), ([[sign]], [0]))
    pieces = regions_on_encoded_segment(net, FourierFeatures([[cycles]]), [start], [start + 1])
    assert_array_equal(pieces.pattern[:, 1], pieces.pattern[:, 0] & (sign > 0))
    assert len(pieces.uncertified) == 0 and (np.diff(pieces.pattern[:, 0]) != 0).all()


def test_an_uncertified_interval_in_the_second_layer_is_that_of_its_unit():
    """h = sin(2 pi t) + 2 is on everywhere, and the fourth unit is h - 3."""
    net = hidden((np.eye(2), [2, 2]), ([[0, 0], [1, 0]], [1, -3]))
    pieces = regions_on_encoded_segment(net, FourierFeatures([[1.0]]), [0.0], [1.0])
    assert len(pieces) == len(pieces.uncertified) == 1 and pieces.uncertified_unit.tolist() == [3]
    assert pieces.uncertified[0, 0] < 0.25 < pieces.uncertified[0, 1]


@given(seeds)
def test_a_unit_switches_at_each_breakpoint_that_it_owns(seed):
    net = init([6, 7, 5, 3, 1], np.random.default_rng(seed))
    pieces = regions_on_encoded_segment(net, PositionalEncoding(3), [0.0], [1.0])
    differ = pieces.pattern[1:] ^ pieces.pattern[:-1]
    assert (pieces.owner >= 0).all() and differ[np.arange(len(differ)), pieces.owner].all()
    layer = np.repeat([0, 1, 2], [7, 5, 3])
    assert_array_equal(layer[pieces.owner], layer[differ.argmax(axis=1)])


@given(seeds, st.sampled_from([2.0, -(2.0**30)]))
def test_a_segment_moved_by_whole_periods_has_the_same_pieces_to_the_bit(seed, shift):
    """sin and cos of 2^l pi x have the period 2, and whole turns are taken off exactly."""
    net, (a, b) = init([6, 7, 5, 1], np.random.default_rng(seed)), np.array([[3.0], [17.0]]) / 16
    there, here = (
        regions_on_encoded_segment(net, PositionalEncoding(3), a + by, b + by)
        for by in (shift, 0.0)
    )
    for ours, theirs in zip(fields(there), fields(here), strict=True):
        assert_array_equal(ours, theirs)


def test_a_wave_repeats_to_the_bit():
    pieces = regions_on_encoded_segment(
        init([4, 1], np.random.default_rng(0)), PositionalEncoding(2), [0.25], [0.25 + 2048.0]
    )
    f = evaluate(pieces, np.arange(1025) / 1024)
    assert (f == f[0]).all()


def test_encoded_pieces_do_not_depend_on_the_size_of_the_network_while_it_can_be_squared():
    net = init([4, 5, 5, 1], np.random.default_rng(0))
    net = net._replace(biases=tuple(0 * b for b in net.biases))
    scaled = [
        MLP(tuple(s * W for W in net.weights), net.biases) for s in (1.0, 2.0**-200, 2.0**-900)
    ]
    one, small = (
        regions_on_encoded_segment(of, PositionalEncoding(2), [0.0], [1.0]) for of in scaled[:2]
    )
    assert len(one.t) > 5
    assert_array_equal(small.t, one.t)
    nothing = regions_on_encoded_segment(
        MLP(tuple(0 * W for W in net.weights), net.biases), PositionalEncoding(2), [0.0], [1.0]
    )
    assert nothing.t.tolist() == [0, 1] and not nothing.pattern.any()
    with pytest.raises(ValueError, match="must not be so small"):
        regions_on_encoded_segment(scaled[2], PositionalEncoding(2), [0.0], [1.0])


TOUCHING = st.integers(1, 3).flatmap(
    lambda L: st.tuples(
        st.just(L),
        lattice_nets(inputs=st.just(2 * L), outputs=st.just(1), hidden=st.integers(1, 2)),
    )
)


@example((1, hidden(([[0, -1]], [1]))), 0.5)  # 1 - cos(pi x), on both sides of 0
@given(TOUCHING, st.sampled_from([0.5, 1.0]))
def test_where_units_touch_zero_the_function_is_right_on_either_side(drawn, end):
    """First-layer biases are the sums of the weights' sizes, so units reach 0 at places where all
    their waves are extreme.
    """
    L, net = drawn
    biases = np.abs(net.weights[0]).sum(axis=1) * np.where(net.biases[0] < 0, -1, 1)
    net = net._replace(biases=(biases, *net.biases[1:]))
    pieces, t = (
        regions_on_encoded_segment(net, PositionalEncoding(L), [-end], [end]),
        np.linspace(0, 1, 203),
    )
    f = predict(net, PositionalEncoding(L)(end * (2 * t[:, None] - 1)))
    assert_allclose(
        evaluate(pieces, t), f, rtol=0, atol=1e-11 * (1 + np.abs(f).max())
    )  # where a unit has the wrong sign it is as good as 0


@pytest.mark.parametrize(("L", "b"), [(40, 1.0), (2, 1e12), (2, 1e40)])
def test_more_waves_than_memory_holds_are_refused(L, b):
    with pytest.raises(ValueError, match="shortest waves"):
        regions_on_encoded_segment(
            init([2 * L, 4, 1], np.random.default_rng(0)),
            PositionalEncoding(L),
            [0.0],
            [b],
            max_regions=10,
        )


def test_zeros_of_a_known_sinusoid():
    """sin(6 pi t) is positive on three of six equal pieces."""
    net = hidden(([[1, 0]], [0]))
    pieces = regions_on_encoded_segment(net, FourierFeatures([[3.0]]), [0.0], [1.0])
    assert_allclose(pieces.t, np.arange(7) / 6, rtol=0, atol=1e-15)
    assert pieces.pattern[:, 0].tolist() == [True, False] * 3
    assert pieces.frequencies.tolist() == [3.0]
    assert_allclose(pieces.coefficients[:2, 0], [[0, 1, 0], [0, 0, 0]], atol=1e-15)


@pytest.mark.parametrize("cycles", [0.5, 3.0, 5.3])
def test_a_unit_that_is_zero_at_a_breakpoint_shares_it(cycles):
    """max(s, 0) - max(-s, 0) = s: the third unit's zeros end the pieces of the first two, on either
    side.
    """
    net = hidden(([[1, 0], [-1, 0]], [0, 0]), ([[1, -1]], [0]))
    pieces = regions_on_encoded_segment(net, FourierFeatures([[cycles]]), [-1.0], [1.0])
    inner = (np.arange(-2 * cycles // 1 + 1, 2 * cycles) / (2 * cycles) + 1) / 2
    assert_allclose(pieces.t, [0, *inner, 1], rtol=0, atol=1e-14)
    on = np.sin(2 * np.pi * cycles * (2 * middles(pieces) - 1)) > 0
    assert_array_equal(pieces.pattern, np.stack([on, ~on, on], axis=1))


def test_zeros_of_waves_much_longer_than_the_segment():
    """cos(s / pi) - cos(0.4 / pi) at s = -0.4 and 0.4; and sin(s / 100) - c sin(s / 50), c such
    that there are zeros at -0.3, 0 and 0.3.
    """
    def zeros(nu, W, b):
        return (
            regions_on_encoded_segment(hidden(([W], [b])), FourierFeatures(nu), [-0.5], [0.5]).t[
                1:-1
            ]
            - 0.5
        )

    assert_allclose(
        zeros([[0.5 / np.pi**2]], [0.0, 1.0], -np.cos(0.4 / np.pi)), [-0.4, 0.4], rtol=0, atol=1e-13
    )
    nu = np.array([[1 / 100], [1 / 50]]) / (2 * np.pi)
    assert_allclose(
        zeros(nu, [1.0, 0.0, -np.sin(0.3 / 100) / np.sin(0.3 / 50), 0.0], 0.0),
        [-0.3, 0, 0.3],
        rtol=0,
        atol=1e-7,
    )


@given(with_segment(exact_nets(inputs=st.just(1))))
def test_coordinates_only_stretch_the_segment(drawn):
    net, a, b = drawn
    encoded = regions_on_encoded_segment(net, Coordinates(-2, 2), (a + 2) / 4, (b + 2) / 4)
    plain = regions_on_segment(net, a, b)
    for ours, theirs in zip(fields(encoded), fields(plain), strict=True):
        assert_array_equal(ours, theirs)


# ------------------------------------------------------------------- odd inputs

NET = MLP((np.eye(2), np.ones((1, 2))), (np.zeros(2), np.zeros(1)))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: regions_on_segment(NET, [0, 0], [0, 0]), "a and b must differ"),
        (lambda: regions_on_segment(NET, [0, 0, 0], [1, 1, 1]), "a must be"),
        (lambda: regions_on_segment(NET, [0, 0], [1]), "b must be"),
        (lambda: regions_on_segment(NET, [0, np.nan], [1, 1]), "Got nan"),
        (
            lambda: regions_on_segment(NET, [-1, -1], [1, 2], max_regions=1),
            "more than max_regions = 1",
        ),
        (lambda: regions_on_segment(NET, [-1, -1], [1, 2], max_regions=0), "max_regions must be"),
        (
            lambda: regions_on_encoded_segment(NET, PositionalEncoding(2), [0.0], [1.0]),
            "4 columns .* 2 inputs",
        ),
        (lambda: regions_on_encoded_segment(NET, np.sin, [0.0], [1.0]), "encoding must be"),
        (
            lambda: regions_on_encoded_segment(NET, PositionalEncoding(1), [0.5], [0.5]),
            "a and b must differ",
        ),
        (
            lambda: regions_on_encoded_segment(
                NET, PositionalEncoding(1), [0.0], [9.0], max_regions=3
            ),
            "more than max_regions",
        ),
        (
            lambda: evaluate(regions_on_segment(NET, [0, 0], [1, 1]), [1.5]),
            "from 0 to 1. Got 1.5",
        ),
    ],
)
def test_bad_input_gives_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_pieces_are_as_long_as_they_are_many_and_print_in_one_line():
    pieces = regions_on_segment(NET, [-1, -1], [1, 2])
    encoded = regions_on_encoded_segment(NET, PositionalEncoding(1), [0.1], [1.1])
    assert (len(pieces), len(encoded)) == (3, 3)
    assert (repr(pieces), repr(encoded)) == (
        "Pieces(3 pieces, 2 units)",
        "EncodedPieces(3 pieces, 2 units, 0 uncertified)",
    )


def test_patterns_have_one_column_per_hidden_unit():
    net = init([3, 5, 4, 2], np.random.default_rng(0))
    pieces = regions_on_segment(net, np.zeros(3), np.ones(3))
    assert pieces.pattern.shape == (len(pieces.t) - 1, hidden_units(net))


@pytest.mark.parametrize("offset", [-5e-15, 0.0, 5e-15])
def test_a_zero_too_close_to_a_breakpoint_to_be_one_leaves_the_patterns_on_either_side_right(
    offset,
):
    """The second layer's unit is on until 0.08 + offset, while unit 1 switches on at 0.08; it is
    steep enough for its sign to be clear there.
    """
    net = MLP((np.array([[-1.0], [1e-3], [1e-3]]), np.array([[1.0, 0.0, 0.0]]), np.ones((1, 1))),
              (np.array([0.1, -0.08e-3, -0.5e-3]), np.array([-0.02 + offset]), np.zeros(1)))
    pieces = regions_on_segment(net, [0.0], [1.0])
    wide = np.diff(pieces.t) > 1e-12
    middle = (pieces.t[1:] + pieces.t[:-1]) / 2
    assert wide.sum() == 4 and np.array_equal(
        pieces.pattern[wide], pattern(net, middle[wide, None])
    )
