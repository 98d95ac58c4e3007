"""Activation patterns: the affine map a pattern selects, its walls, and how patterns compare.

The *pattern* q of an input says which hidden units are on, q[l] = (z[l] > 0), with all
layers side by side in one row of H bits.  A *cell*, or activation region, is the set of
inputs that share one pattern.  On a cell the network is affine (T2), and so is each
pre-activation: the *wall* of unit u in the cell of q is the hyperplane G_u . x + g_u = 0.
A cell is convex: an intersection of half-spaces bounded by walls.

    q       (n, H) bool     one pattern per row
    A, c    f(x) = A x + c  on the cell of q
    G, g    z(x) = G x + g  for all hidden units, on the cell of q

The *Hamming distance* of two patterns counts the units in which they differ.  It is
the paper's measure of how differently the network computes at two inputs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relu_dynamics.checks import (
    Array, Bits, Indices, Words, check_bits, check_net_and_pattern, check_same_units, check_size,
    check_some, check_words, row_blocks,
)
from relu_dynamics.mlp import MLP, Trace, hidden_units, joined_pattern, rows_or_trace, split_layers


def pattern(net: MLP, x: ArrayLike | Trace) -> Bits:
    """q, (n, H) bool: which hidden units are on at the rows of x, (n, m[0]), or in a Trace.

    A unit is on if z > 0, or if the pattern imposed on the Trace says so.
    """
    return pattern_of(*rows_or_trace(net, x))


def pattern_of(net: MLP, x: Array | Trace) -> Bits:
    """pattern without checks, in blocks of rows."""
    if isinstance(x, Trace):
        return joined_pattern(x)
    q = np.empty((len(x), hidden_units(net)), np.bool_)
    for rows in row_blocks(len(x)):
        h, at = x[rows], 0
        for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
            z = h @ W.T + b
            np.greater(z, 0, out=q[rows, at : at + len(b)])
            at += len(b)
            h = np.maximum(z, 0, out=z)
    return q


def affine_map(net: MLP, q: ArrayLike) -> tuple[Array, Array]:
    """A, (n, m[L], m[0]), and c, (n, m[L]): f(x) = A x + c on the cell of each pattern (T2).

    A = W[L] diag(q[L-1]) W[L-1] ... diag(q[1]) W[1] is the Jacobian of f there.
    Computed from the output to the input, so each pattern costs m[L] rows, whatever m[0].

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> A, c = rd.affine_map(hat, rd.pattern(hat, [[0.5], [1.5]]))
    >>> A.ravel().tolist(), c.ravel().tolist()  # x, then 2 - x
    ([1.0, -1.0], [0.0, 2.0])
    """
    net, q = check_net_and_pattern(net, q)
    m, d = len(net.biases[-1]), net.weights[0].shape[1]
    check_size("A", (len(q), m, d), "Pass fewer patterns at a time.")
    A, c = np.empty((len(q), m, d)), np.empty((len(q), m))
    for rows in row_blocks(len(q), 1024):
        outputs = np.broadcast_to(np.eye(m), (len(c[rows]), m, m))
        D = pulled(net, split_layers(net, q[rows]), outputs)
        A[rows] = rows_times(D[0], net.weights[0])
        c[rows] = sum(part @ b for part, b in zip(D, net.biases, strict=True))
    return A, c


def pulled(net: MLP, gates: list[Bits], df: Array) -> list[Array]:
    """df D[l], (n, k, m[l]) for l = 1 .. L, where D[l] = df/dz[l] under the gates q[1] .. q[L-1].

    df is (n, k, m[L]): at each row k linear functions of the outputs, pulled back to every z (T1).
    """
    parts = [df]
    for W, q in zip(net.weights[:0:-1], gates[::-1], strict=True):
        df = rows_times(df, W)
        df *= q[:, None, :]
        parts.append(df)
    return parts[::-1]


def preactivation_maps(net: MLP, q: ArrayLike) -> tuple[Array, Array]:
    """G, (n, H, m[0]), and g, (n, H): z(x) = G x + g for all hidden units on each pattern's cell.

    A unit's map does not depend on the bits of its own layer and of later layers.  The walls
    of the cell are among the hyperplanes G_u . x + g_u = 0; a unit with G_u = 0 has no wall.
    """
    net, q = check_net_and_pattern(net, q)
    check_size("G", (*q.shape, net.weights[0].shape[1]), "Pass fewer patterns at a time.")
    return maps_of(net, q)


def maps_of(net: MLP, q: Bits) -> tuple[Array, Array]:
    """preactivation_maps without checks."""
    d = net.weights[0].shape[1]
    maps = np.empty((len(q), d + 1, q.shape[1]))  # rows 0..d-1: the columns of G; row d: g
    h: Array = np.broadcast_to(np.eye(d + 1, d), (len(q), d + 1, d))
    at = 0
    for W, b, mask in zip(net.weights[:-1], net.biases[:-1], split_layers(net, q), strict=True):
        z = rows_times(h, W.T)
        z[:, d] += b
        maps[:, :, at : at + len(b)] = z
        at += len(b)
        h = z * mask[:, None, :]
    return maps[:, :d].swapaxes(1, 2), maps[:, d]


def rows_times(stack: Array, W: Array) -> Array:
    """stack @ W for a stack of small matrices, (n, r, k) by (k, m), as one large product."""
    n, r, k = stack.shape
    return (stack.reshape(n * r, k) @ W).reshape(n, r, W.shape[1])


def hamming(q1: ArrayLike, q2: ArrayLike) -> NDArray[np.int64]:
    """(n1, n2): the number of units in which rows of q1, (n1, H), and q2, (n2, H), differ.

    >>> import relu_dynamics as rd
    >>> rd.hamming([[True, False]], [[False, False], [False, True]]).tolist()
    [[1, 2]]
    """
    q1, q2 = check_same_units(("q1", q1), ("q2", q2))
    check_size("hamming", (len(q1), len(q2)), "Pass fewer patterns at a time.")
    return hamming_distances(q1, q2)


def hamming_distances(q1: Bits, q2: Bits) -> NDArray[np.int64]:
    """hamming without checks: |q1 xor q2| = |q1| + |q2| - 2 |q1 and q2|.

    Products of bits in float32 are exact below 2**24 units.
    """
    both = q1.astype(np.float32) @ q2.T.astype(np.float32)
    on: NDArray[np.int64] = np.add.outer(q1.sum(axis=1), q2.sum(axis=1))
    return on - (2 * both).astype(np.int64)


def dead_units(q: ArrayLike) -> Bits:
    """(H,) bool: the units that are off in every row of q, (n, H).  ValueError if q has no rows."""
    q = check_bits("q", q)
    check_some("q", q, "without inputs no unit is dead")
    return np.logical_not(q.any(axis=0))


def pack(q: ArrayLike) -> Words:
    """q, (n, H) bool, as (n, ceil(H / 64)) words of 64 bits, to compare patterns fast."""
    q = check_bits("q", q)
    packed = np.packbits(q, axis=1, bitorder="little")
    padded = np.zeros((len(q), -(-q.shape[1] // 64) * 8), np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.view(np.uint64)


def unpack(words: Words, units: int) -> Bits:
    """q, (n, units) bool, from words = pack(q)."""
    check_words(words, units)
    if units == 0:
        return np.zeros((len(words), 0), np.bool_)
    octets = np.ascontiguousarray(words).view(np.uint8)
    return np.unpackbits(octets, axis=1, count=units, bitorder="little").view(np.bool_)


def unique_patterns(q: ArrayLike) -> tuple[Indices, Indices]:
    """rows, (k,), and inverse, (n,): q[rows] are the distinct patterns, and q[rows][inverse] == q.

    rows holds the index of each pattern's first occurrence, in increasing order.
    """
    return unique_words(pack(q))


def unique_words(words: Words) -> tuple[Indices, Indices]:
    """unique_patterns for packed patterns, (n, w).

    Each row is sorted as one string of bytes; there is no hashing, so the result is exact.
    """
    if words.shape[1] == 0:  # no units: one pattern, if there are any rows
        words = np.zeros((len(words), 1), np.uint64)
    string = np.dtype((np.void, words.shape[1] * words.itemsize))
    strings = np.ascontiguousarray(words).view(string).ravel()
    _, rows, inverse = np.unique(strings, return_index=True, return_inverse=True)
    order = np.argsort(rows)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rows[order], rank[inverse]
