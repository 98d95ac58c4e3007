"""Step 7 of a layer: the pre-activations of the next one at all vertices of the refined complex."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

from relu_dynamics.checks import Array, Bits, Indices, row_blocks
from relu_dynamics.geometry import ranges, starts
from relu_dynamics.regions2d.carriers import Cuts, Layer

ANCHOR = 16  # every so many cuts of one carrier, pre-activations are computed afresh
NARROW = 32  # and at all of them in layers of at most this width, where that costs less


def lift(Z: Array, layer: Layer, W: Array, b: Array, vertices: int) -> tuple[Array, float]:
    """W max(z, 0) + b at all vertices, given z at the old ones, and the largest max(z, 0).

    On a carrier z is linear, and max(z, 0) is linear but for the units cut between two known points
    A and B.  Hence at x = (1-s) A + s B

        z'(x) = (1-s) z'(A) + s z'(B) + sum over these units j of W[:, j] d_j,
        d_j   = max(z_j(x), 0) - (1-s) max(z_j(A), 0) - s max(z_j(B), 0):

    one sparse row per new vertex instead of a full one.  Only the old vertices, and every ANCHOR-th
    cut of a carrier with many, take a dense product.
    """
    n = Z.shape[1]
    stack = np.empty((n + vertices, len(W)))  # the columns of W, then z' of every vertex
    stack[:n] = W.T
    largest = 0.0

    def dense(z: Array, vertex: Indices | slice) -> None:
        nonlocal largest
        h = np.maximum(z, 0, out=z)
        largest = max(largest, float(h.max(initial=0)))
        stack[n:][vertex] = h @ W.T + b

    every = 1 if n <= NARROW else ANCHOR
    chord_anchor = _anchors(layer.chord_cuts, every)
    anchored = chord_anchor.take(layer.crossings.first) | chord_anchor.take(layer.crossings.second)
    edge_anchor = _anchors(layer.edge_cuts, every)
    for cut in _blocks(np.flatnonzero(edge_anchor), 512):
        dense(_on_edges(Z, layer, cut), layer.edge_cuts.vertex.take(cut))
    for cut in _blocks(layer.crossings.first[anchored], 512):
        dense(_on_chords(Z, layer, cut), layer.chord_cuts.vertex.take(cut))
    for rows in row_blocks(len(Z), 512):
        dense(Z[rows], rows)  # in place: the last time z is read
    for carriers, cuts, anchor, which in (
        (layer.edges, layer.edge_cuts, edge_anchor, np.flatnonzero(~edge_anchor)),
        (layer.chord_carriers, layer.chord_cuts, chord_anchor, layer.crossings.first[~anchored]),
    ):
        for cut in _blocks(which, 2048):
            between = _between_anchors(carriers.ends, cuts, cut, n, len(stack))
            stack[n + cuts.vertex.take(cut)] = between @ stack
    return stack[n:], largest


def _blocks(which: Indices, size: int) -> Iterator[Indices]:
    return (which[rows] for rows in row_blocks(len(which), size))


def _anchors(cuts: Cuts, every: int) -> Bits:
    """Every so many cuts along each carrier."""
    rank = np.arange(len(cuts.carrier)) - cuts.begin.take(cuts.carrier)
    return rank % every == every - 1  # type: ignore[no-any-return]


def _on_edges(Z: Array, layer: Layer, cut: Indices) -> Array:
    """z at cuts of edges, from the old vertices; 0 exactly for the unit whose wall it is."""
    cuts = layer.edge_cuts
    u, v = (Z.take(end.take(cuts.carrier.take(cut)), axis=0) for end in layer.edges.ends.T)
    z = u + cuts.t.take(cut)[:, None] * (v - u)
    z[np.arange(len(cut)), cuts.unit.take(cut)] = 0
    return z  # type: ignore[no-any-return]


def _on_chords(Z: Array, layer: Layer, cut: Indices) -> Array:
    """z at cuts of chords, from the old vertices; 0 exactly for the two units whose walls cross."""
    chord = layer.chord_cuts.carrier.take(cut)
    u = _on_edges(Z, layer, layer.chords.start.take(chord))
    v = _on_edges(Z, layer, layer.chords.end.take(chord))
    z = u + layer.chord_cuts.t.take(cut)[:, None] * (v - u)
    for unit in (layer.chords.unit.take(chord), layer.chord_cuts.unit.take(cut)):
        z[np.arange(len(cut)), unit] = 0
    return z


def _between_anchors(ends: Indices, cuts: Cuts, cut: Indices, units: int, width: int) -> csr_array:
    """The rows (1-s at A, s at B, d_j at unit j) of the given cuts.

    Columns are units first, then vertices.  A and B are the nearest anchors before and after the
    cut, or the carrier's ends.
    """
    carrier = cuts.carrier.take(cut)
    begin, end = cuts.begin.take(carrier), cuts.begin.take(carrier + 1)
    # the cuts low, ..., high - 1 lie strictly between A and B
    low = begin + (cut - begin) // ANCHOR * ANCHOR
    high = np.minimum(low + ANCHOR - 1, end)
    first, last = low == begin, high == end
    before, after = np.maximum(low - 1, 0), np.minimum(high, len(cuts.t) - 1)
    A = np.where(first, ends[:, 0].take(carrier), cuts.vertex.take(before))
    B = np.where(last, ends[:, 1].take(carrier), cuts.vertex.take(after))
    tA, tB = np.where(first, 0, cuts.t.take(before)), np.where(last, 1, cuts.t.take(after))
    t = cuts.t.take(cut)
    s = (t - tA) / (tB - tA)

    count = high - low
    row, j = np.repeat(np.arange(len(cut)), count), ranges(low, count)
    rate, zero = cuts.rate.take(j), cuts.t.take(j)

    def relu(t: Array) -> Array:
        return np.maximum(rate * (t.take(row) - zero), 0)

    d = relu(t) - (1 - s).take(row) * relu(tA) - s.take(row) * relu(tB)
    begins = starts(count + 2)
    column, value = np.empty(begins[-1], np.intp), np.empty(begins[-1])
    inner = np.arange(len(row)) + 2 * row + 2
    for at, c, x in ((begins[:-1], units + A, 1 - s), (begins[:-1] + 1, units + B, s),
                     (inner, cuts.unit.take(j), d)):
        column[at], value[at] = c, x
    return csr_array((value, column, begins), shape=(len(cut), width))
