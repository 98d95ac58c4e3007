"""Random networks and inputs, drawn for what a theorem needs.

lattice_nets()        half-integer weights: every forward and backward quantity is a dyadic
                      rational well inside 53 bits, so theorems are checked with ==.
degenerate_nets()     lattice networks that are special by construction: zero units, duplicate
                      and opposite units, dead layers, layers of width one, walls through one point.
gaussian_nets()       general position at realistic widths; nothing to read in the weights.
problems_with_ties()  training sets at the start of which units of every layer are exactly 0 at an example.
"""

import hypothesis.extra.numpy as hnp
import numpy as np
from hypothesis import strategies as st

from relu_dynamics.mlp import MLP, forward, hidden_units


def halves(shape, largest=3):
    """Half-integers in [-largest, largest].  Whole integer arrays are drawn and then divided:
    mapping the elements would switch off the fill value that makes zeros and repeats common."""
    return hnp.arrays(np.int64, shape, elements=st.integers(-2 * largest, 2 * largest)).map(lambda a: a / 2)


@st.composite
def lattice_nets(draw, inputs=st.integers(1, 3), outputs=st.integers(1, 3), hidden=st.integers(0, 3), width=4):
    """hidden layers of 1 .. width units with half-integer weights and biases."""
    widths = [draw(inputs), *(draw(st.integers(1, width)) for _ in range(draw(hidden))), draw(outputs)]
    return MLP(
        tuple(draw(halves((a, b))) for a, b in zip(widths[1:], widths[:-1], strict=True)),
        tuple(draw(halves((a,))) for a in widths[1:]),
    )


@st.composite
def gaussian_nets(draw, inputs=st.integers(1, 3), outputs=st.integers(1, 3), hidden=st.integers(1, 3), width=32):
    """General position: weights N(0, 1/fan_in), biases N(0, 1/4)."""
    widths = [draw(inputs), *(draw(st.integers(1, width)) for _ in range(draw(hidden))), draw(outputs)]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return MLP(
        tuple(rng.normal(size=(a, b)) / np.sqrt(b) for a, b in zip(widths[1:], widths[:-1], strict=True)),
        tuple(rng.normal(size=a) / 2 for a in widths[1:]),
    )


def with_layer(net, k, W, b):
    """net with layer k (counted from 0) replaced."""
    weights, biases = list(net.weights), list(net.biases)
    weights[k], biases[k] = W, b
    return MLP(tuple(weights), tuple(biases))


@st.composite
def nets_with_changed_units(draw, change, hidden=st.integers(1, 3), **kwargs):
    """A lattice net in which change(draw, W, b) has altered one hidden layer in place."""
    net = draw(lattice_nets(hidden=hidden, **kwargs))
    k = draw(st.integers(0, len(net.weights) - 2))
    W, b = net.weights[k].copy(), net.biases[k].copy()
    change(draw, W, b)
    return with_layer(net, k, W, b)


def _unit(draw, b):
    return draw(st.integers(0, len(b) - 1))


def _make_zero_unit(draw, W, b):
    u = _unit(draw, b)
    W[u], b[u] = 0, 0


def _make_copy(draw, W, b, factors):
    u, v, s = _unit(draw, b), _unit(draw, b), draw(st.sampled_from(factors))
    W[v], b[v] = s * W[u], s * b[u]


def _make_dead_layer(draw, W, b):
    W[:], b[:] = 0, draw(st.sampled_from([0.0, -1.0]))


def nets_with_a_zero_unit(**kwargs):
    """One unit is exactly 0 everywhere: off, and without a wall."""
    return nets_with_changed_units(_make_zero_unit, **kwargs)


def nets_with_duplicate_units(**kwargs):
    """Two units (perhaps the same one twice) share a wall and a side, up to scale."""
    return nets_with_changed_units(lambda draw, W, b: _make_copy(draw, W, b, [0.5, 1.0, 2.0]), **kwargs)


def nets_with_opposite_units(**kwargs):
    """Two units share a wall and are on at opposite sides of it."""
    return nets_with_changed_units(lambda draw, W, b: _make_copy(draw, W, b, [-0.5, -1.0, -2.0]), **kwargs)


def nets_with_a_dead_layer(**kwargs):
    """One hidden layer is off everywhere: a constant function."""
    return nets_with_changed_units(_make_dead_layer, **kwargs)


@st.composite
def nets_with_walls_through(draw, d=2, units=3):
    """(net, p): one hidden layer whose walls all pass through p exactly, b = -W p."""
    p = draw(halves((d,)))
    W = draw(hnp.arrays(np.int64, (units, d), elements=st.integers(-3, 3))).astype(float)
    a = draw(hnp.arrays(np.int64, (1, units), elements=st.integers(-2, 2))).astype(float)
    return MLP((W, a), (-(W @ p), np.zeros(1))), p


def degenerate_nets(**kwargs):
    """Every family above; see test_strategies for what each guarantees."""
    return st.one_of(
        nets_with_a_zero_unit(**kwargs),
        nets_with_duplicate_units(**kwargs),
        nets_with_opposite_units(**kwargs),
        nets_with_a_dead_layer(**kwargs),
        lattice_nets(**{"hidden": st.integers(1, 3), **kwargs, "width": 1}),
        *([] if kwargs else [nets_with_walls_through().map(lambda drawn: drawn[0])]),
    )


def exact_nets(**kwargs):
    """Networks on which forward, backward and kernels round nothing."""
    return st.one_of(lattice_nets(**kwargs), degenerate_nets(**kwargs))


@st.composite
def with_rows(draw, nets, rows=st.integers(0, 4), columns=0):
    """(net, x): half-integer inputs, where lattice nets often tie exactly; columns more arrays like y."""
    net = draw(nets)
    n = draw(rows)
    x = draw(halves((n, net.weights[0].shape[1])))
    return (net, x, *(draw(halves((n, len(net.biases[-1])))) for _ in range(columns)))


def gates(net, rows):
    """(rows, H) bool, whatever the network's own pattern."""
    return hnp.arrays(np.bool_, (rows, hidden_units(net)))


@st.composite
def with_traces(draw, nets, rows=st.integers(0, 4), columns=0):
    """(net, trace): what with_rows draws, seen through the network's own pattern or an imposed one (T40)."""
    net, x, *more = draw(with_rows(nets, rows, columns))
    imposed = draw(gates(net, len(x))) if draw(st.booleans()) else None
    return (net, forward(net, x, imposed), *more)


def problem_with_ties(seed, widths, n):
    """(net, x, y), all dyadic: each unit's bias makes it 0 at one of the n examples, or, for some but the first of a layer, is drawn."""
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(-6, 7, (n, m)) / 2 for m in (widths[0], widths[-1]))
    weights = [rng.integers(-6, 7, (a, b)) / 2 for a, b in zip(widths[1:], widths[:-1], strict=True)]
    biases, h = [], x
    for W in weights[:-1]:
        z, units = h @ W.T, np.arange(len(W))
        ties = (units == 0) | (rng.random(len(W)) < 0.8)
        biases.append(np.where(ties, -z[rng.integers(n, size=len(W)), units], rng.integers(-6, 7, len(W)) / 2))
        h = np.maximum(z + biases[-1], 0)
    return MLP(tuple(weights), (*biases, rng.integers(-6, 7, widths[-1]) / 2)), x, y


def problems_with_ties(hidden=(1, 2)):
    """Up to 4 units in each of so many hidden layers, from one to 5 examples."""
    widths = st.integers(*hidden).flatmap(lambda k: st.tuples(st.integers(1, 2), *[st.integers(1, 4)] * k, st.integers(1, 2)))
    return st.builds(problem_with_ties, st.integers(0, 2**32 - 1), widths, st.integers(1, 5))


@st.composite
def twins(draw, net, largest_power=3):
    """(other, order): the same function with every hidden layer's units permuted, and scaled by powers of two that the
    next layer undoes; unit i of other is unit order[i] of net (T39)."""
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
