"""Step 5 of a layer: the pre-activations of the next one at all vertices."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from relu_dynamics.checks import Array, Bits, Indices, row_blocks
from relu_dynamics.geometry import ranges, starts
from relu_dynamics.regions2d.meet import Layer

ANCHOR = 16  # every so many cuts of one carrier, pre-activations are computed afresh
NARROW = 32  # and at all of them in layers of at most this width, where that costs less


def lift(Z: Array, layer: Layer, W: Array, b: Array) -> Array:
    """W max(z, 0) + b at all vertices, given z at the old ones, whose memory is used.

    On a carrier z is linear, and max(z, 0) is linear but for the units cut between two known points
    A and B.  Hence at x = (1-s) A + s B

        z'(x) = (1-s) z'(A) + s z'(B) + sum over these units j of W[:, j] d_j,
        d_j   = max(z_j(x), 0) - (1-s) max(z_j(A), 0) - s max(z_j(B), 0):

    one sparse row per new vertex instead of a full one.  Only the old vertices, and every ANCHOR-th
    cut of a carrier with many, take a dense product.
    """
    n, edge_cuts, vertex = Z.shape[1], layer.edge_cuts, layer.cuts.vertex
    # the columns of W, then z' of every vertex
    stack = np.empty((n + len(Z) + edge_cuts + len(layer.first), len(W)))
    stack[:n], lifted = W.T, stack[n:]
    anchor = _anchors(layer, 1 if n <= NARROW else ANCHOR)
    either = anchor.take(layer.first) | anchor.take(layer.second)
    for cuts in (np.flatnonzero(anchor[:edge_cuts]), layer.first[either]):
        for rows in row_blocks(len(cuts), 512):
            z = _at_cuts(Z, layer, cuts[rows])
            lifted[vertex.take(cuts[rows])] = np.maximum(z, 0, out=z) @ W.T + b
    for rows in row_blocks(len(Z), 512):
        lifted[rows] = np.maximum(Z[rows], 0, out=Z[rows]) @ W.T + b  # the last time z is read
    for cuts in (np.flatnonzero(~anchor[:edge_cuts]), layer.first[~either]):  # chords end at cuts
        for rows in row_blocks(len(cuts), 2048):
            between = _between_anchors(layer, cuts[rows], n, len(stack))
            lifted[vertex.take(cuts[rows])] = between @ stack
    return lifted


def _anchors(layer: Layer, every: int) -> Bits:
    """Every so many cuts along each carrier."""
    cuts = layer.cuts
    rank = np.arange(len(cuts.carrier)) - cuts.begin.take(cuts.carrier)
    return np.asarray(rank % every == every - 1)


def _at_cuts(Z: Array, layer: Layer, cut: Indices) -> Array:
    """z at cuts of edges, from z at the old vertices, or of chords, from z at cuts of edges."""
    on_edges = bool((cut < layer.edge_cuts).all())
    ends = layer.ends.take(layer.cuts.carrier.take(cut), axis=0).T
    u, v = (Z.take(end, axis=0) if on_edges else _at_cuts(Z, layer, end - len(Z)) for end in ends)
    return np.asarray(u + layer.cuts.t.take(cut)[:, None] * (v - u))


def _between_anchors(layer: Layer, cut: Indices, units: int, width: int) -> csr_array:
    """The rows (1-s at A, s at B, d_j at unit j) of the given cuts.

    Columns are units first, then vertices.  A and B are the nearest anchors before and after the
    cut, or the carrier's ends.
    """
    cuts = layer.cuts
    carrier = cuts.carrier.take(cut)
    begin, end = cuts.begin.take(carrier), cuts.begin.take(carrier + 1)
    # the cuts low, ..., high - 1 lie strictly between A and B
    low = begin + (cut - begin) // ANCHOR * ANCHOR
    high = np.minimum(low + ANCHOR - 1, end)
    A, B = layer.pieces[low + carrier, 0], layer.pieces[high + carrier, 1]
    tA = np.where(low == begin, 0, cuts.t.take(low - 1))
    tB = np.where(high == end, 1, cuts.t.take(high, mode="clip"))
    t = cuts.t.take(cut)
    s = (t - tA) / (tB - tA)

    count = high - low
    row, j = np.repeat(np.arange(len(cut)), count), ranges(low, count)
    rate, zero = cuts.rate.take(j), cuts.t.take(j)

    def relu(t: Array) -> Array:
        return np.maximum(rate * (t.take(row) - zero), 0)

    d = relu(t) - (1 - s).take(row) * relu(tA) - s.take(row) * relu(tB)
    first = np.repeat(starts(count)[:-1], 2)  # of the units of every row
    column = np.insert(cuts.unit.take(j), first, units + np.stack([A, B], axis=1).ravel())
    value = np.insert(d, first, np.stack([1 - s, s], axis=1).ravel())
    return csr_array((value, column, starts(count + 2)), shape=(len(cut), width))
