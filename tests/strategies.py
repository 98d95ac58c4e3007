"""What the tests draw beyond relu_dynamics.testing: imposed patterns, ties, and twins of a
network."""

import functools

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from relu_dynamics.mlp import MLP, forward, hidden_units
from relu_dynamics.testing import with_rows


def with_layer(net, k, W, b):
    """net with layer k (counted from 0) replaced."""
    weights, biases = list(net.weights), list(net.biases)
    weights[k], biases[k] = W, b
    return MLP(tuple(weights), tuple(biases))


# Each of several parameters of a test gets a third of the examples.
A_THIRD = settings(max_examples=max(5, settings.default.max_examples // 3))


def gates(net, rows):
    """(rows, H) bool, whatever the network's own pattern."""
    return _bits((rows, hidden_units(net)))


@functools.cache
def _bits(shape):
    return hnp.arrays(np.bool_, shape)


@st.composite
def with_traces(draw, nets, rows=st.integers(0, 4), columns=0):
    """(net, trace): what with_rows draws, seen through the network's own pattern or an imposed one
    (T40)."""
    net, x, *more = draw(with_rows(nets, rows, columns))
    imposed = draw(gates(net, len(x))) if draw(st.booleans()) else None
    return (net, forward(net, x, imposed), *more)


def problem_with_ties(seed, widths, n):
    """(net, x, y), all dyadic: each unit's bias makes it 0 at one of the n examples, or, for some
    but the first of a layer, is drawn."""
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(-6, 7, (n, m)) / 2 for m in (widths[0], widths[-1]))
    weights = [rng.integers(-6, 7, (a, b)) / 2
               for a, b in zip(widths[1:], widths[:-1], strict=True)]
    biases, h = [], x
    for W in weights[:-1]:
        z, units = h @ W.T, np.arange(len(W))
        ties = (units == 0) | (rng.random(len(W)) < 0.8)
        biases.append(
            np.where(ties, -z[rng.integers(n, size=len(W)), units],
                     rng.integers(-6, 7, len(W)) / 2))
        h = np.maximum(z + biases[-1], 0)
    return MLP(tuple(weights), (*biases, rng.integers(-6, 7, widths[-1]) / 2)), x, y


def problems_with_ties(hidden=(1, 2)):
    """Up to 4 units in each of so many hidden layers, from one to 5 examples."""
    widths = st.integers(*hidden).flatmap(
        lambda k: st.tuples(st.integers(1, 2), *[st.integers(1, 4)] * k, st.integers(1, 2)))
    return st.builds(problem_with_ties, st.integers(0, 2**32 - 1), widths, st.integers(1, 5))


@st.composite
def twins(draw, net, largest_power=3):
    """(other, order): the same function with every hidden layer's units permuted, and scaled by
    powers of two that the next layer undoes; unit i of other is unit order[i] of net (T39)."""
    weights, biases, order = list(net.weights), list(net.biases), []
    for k in range(len(weights) - 1):
        m = len(biases[k])
        shuffle = np.array(draw(st.permutations(range(m))), int)
        powers = st.integers(-largest_power, largest_power)
        scale = 2.0 ** np.array(draw(st.lists(powers, min_size=m, max_size=m)))
        weights[k], biases[k] = (scale[:, None] * weights[k])[shuffle], (scale * biases[k])[shuffle]
        weights[k + 1] = (weights[k + 1] / scale)[:, shuffle]
        order.append(shuffle + sum(len(part) for part in order))
    return MLP(tuple(weights), tuple(biases)), np.concatenate([np.zeros(0, int), *order])
