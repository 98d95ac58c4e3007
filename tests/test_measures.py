"""Pairs of samples, Hamming distances, regions and dead units as the paper measures them; T26, T27,
T35.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from relu_dynamics.measures import (
    Pairs, dead_count, global_pairs, hamming_of_pairs, local_pairs, sampled_regions, time_to_half,
)
from relu_dynamics.mlp import MLP, backward, forward, init
from relu_dynamics.patterns import dead_units, pattern
from relu_dynamics.testing import exact_nets, halves, nets_with_a_dead_layer, with_rows
from tests.oracles import exact_pattern
from tests.strategies import with_traces

shapes = st.one_of(st.tuples(st.integers(4, 40)), st.tuples(st.integers(4, 12), st.integers(4, 12)))
seeds = st.integers(0, 2**32 - 1)


def positions(shape, rows):
    """(axes, k) positions of row-major rows, by division, not by unravel_index."""
    return np.array([rows // shape[1], rows % shape[1]] if len(shape) == 2 else [rows])


@given(shapes, seeds, st.integers(2, 4), st.integers(1, 5), st.integers(1, 9), st.booleans())
def test_local_pairs_lie_in_one_patch_of_the_signal(shape, seed, side, patches, pairs, paper):
    """All pairs of a patch fit into side samples per axis; the first i varies fastest within a
    patch.
    """
    drawn = local_pairs(
        shape, np.random.default_rng(seed), patches=patches, side=side, pairs=pairs, paper=paper
    )
    both = np.stack([positions(shape, drawn.i), positions(shape, drawn.j)], axis=-1)
    assert both.shape == (len(shape), patches * pairs, 2)
    assert (both >= 0).all() and (both < np.array(shape)[:, None, None]).all()
    by_patch = both.reshape(len(shape), patches, 2 * pairs)
    assert (by_patch.max(axis=2) - by_patch.min(axis=2) < side).all()


@given(
    shapes.filter(lambda shape: min(shape) >= 6),
    seeds,
    st.integers(0, 2),
    st.integers(1, 50),
    st.booleans(),
)
def test_global_pairs_lie_in_opposite_corners(shape, seed, gap, pairs, paper):
    """Along every axis one sample is low and the other high, with the gap between; paper=True
    spares the last sample.
    """
    drawn = global_pairs(shape, np.random.default_rng(seed), pairs=pairs, gap=gap, paper=paper)
    i, j = positions(shape, drawn.i), positions(shape, drawn.j)
    for n, first, second in zip(shape, i, j, strict=True):
        low, high = np.minimum(first, second), np.maximum(first, second)
        assert (
            (high - low > gap).all()
            and (low < (n - gap) / 2).all()
            and (high >= (n + gap) / 2).all()
        )
        assert (high < n - paper).all()


def test_both_diagonals_of_an_image_are_drawn():
    """Sometimes both axes rise together and sometimes one rises while the other falls."""
    drawn = global_pairs((8, 8), np.random.default_rng(0), pairs=400, gap=2)
    (y, x), (y2, x2) = positions((8, 8), drawn.i), positions((8, 8), drawn.j)
    same = np.mean((y2 > y) == (x2 > x))
    for share in (same, np.mean(y2 > y), np.mean(x2 > x)):
        assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(400)
    for first, second in ((y, y2), (x, x2)):
        assert set(np.minimum(first, second)) == {0, 1, 2} and set(np.maximum(first, second)) == {
            5,
            6,
            7,
        }


def test_two_samples_an_axis_are_enough_for_a_pair():
    for drawn in (
        global_pairs((2, 2), np.random.default_rng(0), pairs=9, gap=0),
        local_pairs((2,), np.random.default_rng(0), patches=1, side=2, pairs=9),
    ):
        assert (drawn.i != drawn.j).all()


@given(shapes, seeds)
def test_a_sample_meets_itself_only_in_the_papers_sampling(shape, seed):
    clean = local_pairs(shape, np.random.default_rng(seed), patches=3, side=2, pairs=40)
    assert (clean.i != clean.j).all()


def test_the_papers_one_dimensional_windows_repeat_two_percent_of_samples():
    """25 windows of 50, indices 0..48 with replacement: i = j with probability 1/49; the 50th is
    never drawn.
    """
    drawn = local_pairs(
        (50,), np.random.default_rng(0), patches=400, side=50, pairs=250, paper=True
    )
    share = np.mean(drawn.i == drawn.j)
    assert abs(share - 1 / 49) < 4 * np.sqrt(1 / 49 / len(drawn.i))
    assert max(drawn.i.max(), drawn.j.max()) == 48
    clean = local_pairs((50,), np.random.default_rng(0), patches=400, side=50, pairs=250)
    assert set(clean.i) == set(clean.j) == set(range(50))


@given(with_rows(exact_nets(), rows=st.integers(1, 5)), seeds)
def test_hamming_of_pairs_counts_differing_units_layer_by_layer(drawn, seed):
    """Against rational forward passes."""
    net, x = drawn
    i, j = np.random.default_rng(seed).integers(0, len(x), (2, 6))
    counts = hamming_of_pairs(net, x, Pairs(i, j))
    ends = np.cumsum([0, *(len(b) for b in net.biases[:-1])])
    for k, (a, b) in enumerate(zip(i, j, strict=True)):
        differ = np.array(exact_pattern(net, x[a]), bool) ^ np.array(exact_pattern(net, x[b]), bool)
        assert counts[k].tolist() == [
            differ[low:high].sum() for low, high in zip(ends[:-1], ends[1:], strict=True)
        ]


@given(with_rows(exact_nets(), rows=st.integers(0, 8)))
def test_sampled_regions_counts_different_rational_patterns(drawn):
    net, x = drawn
    assert sampled_regions(net, x) == len({tuple(exact_pattern(net, point)) for point in x})


def test_counts_do_not_depend_on_row_blocks():
    """More rows than one block of 4096."""
    net = init([1, 6, 5, 1], np.random.default_rng(0))
    x = np.linspace(-2, 2, 10_001)[:, None]
    q = pattern(net, x)
    assert sampled_regions(net, x) == len(np.unique(q, axis=0)) > 3
    assert dead_count(net, x) == (~q.any(axis=0)).sum()


@given(with_traces(exact_nets(), rows=st.integers(1, 5)), seeds)
def test_of_a_trace_the_pattern_it_holds_is_what_counts(drawn, seed):
    """T40: imposed or not, pairs, regions and dead units are those of the trace's bits."""
    net, trace = drawn
    q = pattern(net, trace)
    assert_array_equal(q, np.concatenate([q[:, :0], *trace.pattern], axis=1))
    i, j = np.random.default_rng(seed).integers(0, len(q), (2, 6))
    assert_array_equal(
        hamming_of_pairs(net, trace, Pairs(i, j)).sum(axis=1), (q[i] != q[j]).sum(axis=1)
    )
    assert sampled_regions(net, trace) == len({tuple(row) for row in q.tolist()})
    assert dead_count(net, trace) == (~q.any(axis=0)).sum()


# ------------------------------------------------------------------- dead units


@given(with_rows(nets_with_a_dead_layer(), rows=st.integers(1, 4), columns=1))
def test_dead_units_have_exactly_zero_gradient(drawn):
    """T26: off at every training input means nothing moves the unit's weights, in or out, or its
    bias.
    """
    net, x, y = drawn
    trace = forward(net, x)
    gradient = backward(net, trace, trace.preacts[-1] - y)
    dead, at = dead_units(pattern(net, x)), 0
    assert dead.sum() == dead_count(net, x) > 0
    for k in range(len(net.weights) - 1):
        here = dead[at : at + len(net.biases[k])]
        at += len(here)
        assert not gradient.weights[k][here].any()
        assert not gradient.biases[k][here].any()
        assert not gradient.weights[k + 1][:, here].any()


@pytest.mark.parametrize(
    "low, high, probability", [(0, 1, 13 / 48), (-1, 1, 1 / 12), (-2, 2, 1 / 48), (-3, 3, 1 / 108)]
)
def test_share_of_first_layer_units_dead_at_the_start(low, high, probability):
    """T27 for d = 2: dead on the box iff dead at its corners; 13/48, then 1/(12 c^2); within 4
    sigma.
    """
    units = 200_000
    net = init([2, units, 1], np.random.default_rng(1))
    corners = np.array([[a, b] for a in (low, high) for b in (low, high)], float)
    share = dead_count(net, corners) / units
    assert abs(share - probability) < 4 * np.sqrt(probability * (1 - probability) / units)


# ------------------------------------------------------------------ time to half


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.floats(0.01, 3))
def test_time_to_half_of_a_straight_decay_is_where_it_crosses(gaps, rate):
    """T35.  An error 1 - rate t crosses 1/2 at t = 1/(2 rate); linear interpolation is then exact.
    """
    epochs = np.concatenate([[0], np.cumsum(gaps)]).astype(float)
    time = time_to_half(epochs, (1 - rate * epochs)[:, None])[0]
    crossing = 0.5 / rate
    if crossing < epochs[-1] * (1 - 1e-9):
        assert_allclose(time, crossing, rtol=1e-9)
    elif crossing > epochs[-1] * (1 + 1e-9):
        assert time == np.inf


def test_time_to_half_is_the_first_crossing_and_nan_without_a_target():
    errors = np.array(
        [
            [1.0, 0.2, np.nan, 1.0],
            [0.4375, 0.2, np.nan, 0.5],
            [0.9, 0.9, np.nan, 0.5],
            [0.1, 0.9, np.nan, 0.5],
        ]
    )
    assert_array_equal(
        time_to_half([0, 9, 10, 11], errors), [8.0, 0.0, np.nan, np.inf]
    )  # to reach 1/2 is not to fall below it
    assert_array_equal(time_to_half([0, 4, 8], [[1.0], [0.75], [0.25]]), [6.0])
    assert_array_equal(time_to_half([3], [[0.4, 0.6]]), [3.0, np.inf])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda rng: local_pairs((8,), rng, patches=1, side=9, pairs=1), "side must be at most 8"),
        (lambda rng: local_pairs((8,), rng, patches=1, side=1, pairs=1), "side must be"),
        (lambda rng: local_pairs((8,), rng, patches=0, side=2, pairs=1), "patches must be"),
        (lambda rng: local_pairs(8.0, rng, patches=1, side=2, pairs=1), "shape must be"),
        (lambda rng: local_pairs((8, 8, 3), rng, patches=1, side=2, pairs=1), "shape must be"),
        (
            lambda rng: local_pairs((8,), rng, patches=2**20, side=2, pairs=2**20),
            "the pairs would have shape",
        ),
        (lambda rng: global_pairs((8,), rng, pairs=2**40, gap=2), "pairs must be at most"),
        (
            lambda rng: global_pairs((8,), rng, pairs=1, gap=2, paper=None),
            "paper must be True or False",
        ),
        (lambda rng: local_pairs((8,), 0, patches=1, side=2, pairs=1), "numpy.random.Generator"),
        (lambda rng: global_pairs((8, 6), rng, pairs=1, gap=5),
         "gap must be at most 4: it must leave samples"),
        (lambda rng: global_pairs((8, 6), 0, pairs=1, gap=2), "numpy.random.Generator"),
        (lambda rng: global_pairs((8, 6), rng, pairs=1, gap=-1), "gap must be"),
        (
            lambda rng: hamming_of_pairs(net(), np.ones((2, 1)), Pairs([0], [2])),
            r"pairs.j must be .* from 0 to 1",
        ),
        (lambda rng: dead_count(net(), np.ones((0, 1))), "without inputs no unit is dead"),
        (lambda rng: time_to_half([0, 1], np.ones((3, 2))), "one row per epoch"),
        (lambda rng: time_to_half([], np.ones((0, 2))), "at least one"),
        (lambda rng: time_to_half([1, 1], np.ones((2, 2))), "increase"),
    ],
)
def test_bad_input_gives_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))


def net():
    return MLP((np.ones((2, 1)), np.ones((1, 2))), (np.zeros(2), np.zeros(1)))


@given(exact_nets(), st.data())
def test_no_rows_fall_into_no_regions(net, data):
    assert sampled_regions(net, data.draw(halves((0, net.weights[0].shape[1])))) == 0
