"""The paper's measured quantities, assembled from the modules before this one.

Lazzari & Liu compare how a network computes at two inputs (Hamming distance of their
activation patterns) with how training couples them (gradient confusion), for pairs of
*neighbouring* samples and for pairs of *distant* ones:

    local pairs     both in one small window of the signal (1-D) or patch of the image (2-D)
    global pairs    in opposite halves (1-D) or diagonally opposite quadrants (2-D)

A pair is two row indices into the samples of a signal of shape (n,) or (height, width),
in row-major order.  By default the two samples of a pair are distinct.  The paper samples
with replacement, so a sample may be paired with itself, and never draws the last sample
of a range; paper=True does the same.

    sampled_regions   how many activation regions the samples fall into
    hamming_of_pairs  differing units per pair, by layer
    dead_count        units that are off at every sample
    time_to_half      when each frequency is half learned

Confusion of pairs is tangent.confusion_of_pairs; errors per frequency are in spectrum.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relu_dynamics.checks import (
    Array, Indices, check_count, check_flag, check_index_pairs, check_kind, check_records,
    check_rng, check_samples, check_shape, check_some, printed, row_blocks,
)
from relu_dynamics.mlp import (
    MLP, Trace, inputs_of, row_count, rows_or_trace, some_rows, split_layers,
)
from relu_dynamics.patterns import pack, pattern_of, unique_words


@printed
class Pairs(NamedTuple):
    """k pairs of samples, as row indices."""

    i: Indices  # (k,)
    j: Indices  # (k,)


def local_pairs(
    shape: tuple[int, ...], rng: np.random.Generator, *,
    patches: int, side: int, pairs: int, paper: bool = False,
) -> Pairs:
    """patches * pairs pairs of samples: in each of `patches` random patches, `pairs` pairs.

    A patch has side samples per axis and a uniformly random position; the two samples of a
    pair differ.  paper=True: both indices are uniform over the patch without its last sample,
    with replacement (so 2 % of the paper's 1-D pairs are one sample twice).
    """
    shape = check_samples(shape, least=2)
    check_rng(rng)
    check_flag("paper", paper, "the paper's own sampling")
    drawn = check_shape("the pairs", "Draw fewer pairs.", patches=patches, pairs=pairs)
    side = check_count("side", side, 2, min(shape), "the signal has no more samples per axis")
    corners = [rng.integers(0, n - side + 1, (drawn[0], 1)) for n in shape]
    size = side ** len(shape)
    if paper:
        first, second = rng.integers(0, size - 1, (2, *drawn))
    else:
        first = rng.integers(0, size, drawn)
        second = (first + rng.integers(1, size, drawn)) % size

    def rows(inside: NDArray[np.int64]) -> Indices:
        offsets = np.unravel_index(inside, (side,) * len(shape))
        axes = tuple(corner + offset for corner, offset in zip(corners, offsets, strict=True))
        return np.ravel_multi_index(axes, shape).ravel().astype(np.intp)

    return Pairs(rows(first), rows(second))


def global_pairs(
    shape: tuple[int, ...], rng: np.random.Generator, *, pairs: int, gap: int, paper: bool = False
) -> Pairs:
    """`pairs` pairs of samples from opposite ends: along each axis one is low, the other high.

    An axis of n samples has a low part [0, a) and a high part [n - a, n), with gap samples
    between them (one more if n - gap is odd).  In 2-D each pair lies in the two quadrants of
    one diagonal, drawn at random.  paper=True never draws the last sample of an axis.
    """
    shape = check_samples(shape, least=2)
    check_rng(rng)
    check_flag("paper", paper, "the paper's own sampling")
    pairs, most = check_count("pairs", pairs, 1), min(shape) - 2 * (1 + paper)
    gap = check_count("gap", gap, 0, most, "it must leave samples on both sides of every axis")
    ends = rng.integers(0, 2, (len(shape), pairs)).astype(bool)  # is the first sample high?

    def rows(high: NDArray[np.bool_]) -> Indices:
        axes = []
        for n, up in zip(shape, high, strict=True):
            a = (n - gap) // 2
            at_low, at_high = rng.integers(0, a, pairs), rng.integers(n - a, n - paper, pairs)
            axes.append(np.where(up, at_high, at_low))
        return np.ravel_multi_index(tuple(axes), shape).astype(np.intp)

    return Pairs(rows(ends), rows(~ends))


def hamming_of_pairs(net: MLP, x: ArrayLike | Trace, pairs: Pairs) -> NDArray[np.int64]:
    """(k, L-1): the number of units of each hidden layer that differ between the samples of a pair.

    The paper's Hamming distance is the sum over layers, not normalised.
    """
    net, x = rows_or_trace(net, x)
    check_kind("pairs", pairs, Pairs)
    samples, i, j = check_index_pairs(*pairs, row_count(x), "pairs.")
    q = pattern_of(net, some_rows(x, samples))
    counts = np.empty((len(i), len(net.weights) - 1), np.int64)
    for block in row_blocks(len(i)):
        differ = q[i[block]] ^ q[j[block]]
        for layer, bits in enumerate(split_layers(net, differ)):
            counts[block, layer] = bits.sum(axis=1)
    return counts


def sampled_regions(net: MLP, x: ArrayLike | Trace) -> int:
    """The number of distinct activation patterns at the rows of x, (n, m[0]).

    A lower bound on the number of activation regions: a region without samples is not counted.
    Patterns are stored packed, one bit per unit.
    """
    net, x = rows_or_trace(net, x)
    words = [pack(pattern_of(net, some_rows(x, block))) for block in row_blocks(row_count(x))]
    return len(unique_words(np.concatenate(words))[0]) if words else 0


def dead_count(net: MLP, x: ArrayLike | Trace) -> int:
    """The number of hidden units that are off at every row of x.  ValueError without rows."""
    net, x = rows_or_trace(net, x)
    check_some("x", inputs_of(x), "without inputs no unit is dead")
    on = [pattern_of(net, some_rows(x, block)).any(axis=0) for block in row_blocks(row_count(x))]
    return int(np.count_nonzero(~np.any(on, axis=0)))


def time_to_half(epochs: ArrayLike, errors: ArrayLike) -> Array:
    """(k,): the epoch at which each relative error first falls below 1/2, or inf (T35).

    epochs is (c,), increasing; errors is (c, k), one column per frequency.  Between two
    recorded epochs the error is interpolated linearly.  NaN where the error is NaN.

    >>> import relu_dynamics as rd
    >>> rd.time_to_half([0, 1, 2], [[1.0], [0.6], [0.2]]).tolist()
    [1.25]
    """
    epochs, table = check_records(epochs, errors)
    below = table < 0.5
    after = below.argmax(axis=0)
    before = np.maximum(after - 1, 0)
    columns = np.arange(table.shape[1])
    drop = table[before, columns] - table[after, columns]
    share = np.divide(table[before, columns] - 0.5, drop, out=np.zeros_like(drop), where=drop > 0)
    times = epochs[before] + share * (epochs[after] - epochs[before])
    return np.where(np.isnan(table).any(axis=0), np.nan, np.where(below.any(axis=0), times, np.inf))

