"""Steps 5 and 6 of a layer: the complex that its walls make, and the bits of its faces."""

from __future__ import annotations

import numpy as np

from relu_dynamics.checks import Array, Bits, Indices, Words
from relu_dynamics.geometry import SWEEP, Cycles, Subdivision, walk
from relu_dynamics.regions2d.bits import one_hot
from relu_dynamics.regions2d.carriers import Carriers, Cuts, Layer, first_pieces, piece_before, scan
from relu_dynamics.regions2d.found import NotGeneric


def refine(sub: Subdivision, layer: Layer, unit: int,
           ) -> tuple[Subdivision, Cycles, Indices, Words]:
    """The complex cut by all chords; of every new face, the face it was cut from and its bits.

    Pieces of edges come first, then pieces of chords; unit is the number of hidden units in the
    layers before.
    """
    ends, cuts = _all_carriers(layer)
    first = first_pieces(cuts)
    pieces = _pieces(ends, cuts, first)
    points = _place(sub.points, layer)
    u, v = (points.take(end, axis=0) for end in ends[len(sub.edges):].T)
    carrier = np.repeat(np.arange(len(ends)), np.diff(first))
    owner = np.concatenate([sub.owner, unit + layer.chords.unit]).take(carrier)
    rising = np.concatenate([sub.rising, (v - u) @ SWEEP > 0]).take(carrier)
    beside = np.concatenate([sub.face, np.repeat(layer.chords.face, 2)])
    beside = beside.reshape(-1, 2).take(carrier, axis=0).ravel()
    following = _link(sub.next, layer, cuts, first)
    cycles = _trace(following, rising, beside >= 0)
    faces = len(cycles.start) - 1
    before = 1 + sub.face.max()  # faces
    if len(points) - len(pieces) + faces != len(sub.points) - len(sub.edges) + before:
        raise NotGeneric("Euler's formula fails")
    face = np.full(2 * len(pieces), -1)
    face[cycles.half_edge] = np.repeat(np.arange(faces), np.diff(cycles.start))
    lowest = cycles.half_edge.take(cycles.start[:-1])
    refined = Subdivision(points, pieces, following, face, owner, rising)
    return refined, cycles, beside.take(lowest), _face_bits(layer, cuts, carrier, lowest)


def _all_carriers(layer: Layer) -> tuple[Indices, Cuts]:
    """Edges and chords as one list of carriers: their ends, and their cuts."""
    e, c = layer.edge_cuts, layer.chord_cuts
    c = c._replace(begin=e.begin[-1] + c.begin, carrier=len(layer.edges.ends) + c.carrier)
    both = zip(e._replace(begin=e.begin[:-1]), c, strict=True)
    return (np.concatenate([layer.edges.ends, layer.chord_carriers.ends]),
            Cuts(*(np.concatenate(pair) for pair in both)))


def _pieces(ends: Indices, cuts: Cuts, first: Indices) -> Indices:
    """(pieces, 2): the vertices of every piece, from a carrier's start over its cuts to its end."""
    pieces = np.empty((first[-1], 2), np.intp)
    before = piece_before(cuts)
    pieces[first[:-1], 0], pieces[first[1:] - 1, 1] = ends.T
    pieces[before, 1] = pieces[before + 1, 0] = cuts.vertex
    return pieces


def _place(points: Array, layer: Layer) -> Array:
    """All vertices: the old ones, the cuts of edges, the crossings of chords."""

    def along(points: Array, carriers: Carriers, cuts: Cuts, which: Indices | slice) -> Array:
        u, v = (points.take(end.take(cuts.carrier[which]), axis=0) for end in carriers.ends.T)
        return np.concatenate([points, u + cuts.t[which, None] * (v - u)])

    points = along(points, layer.edges, layer.edge_cuts, slice(None))
    return along(points, layer.chord_carriers, layer.chord_cuts, layer.crossings.first)


def _link(old_next: Indices, layer: Layer, cuts: Cuts, first: Indices) -> Indices:
    """Step 5.  next[h]: the half-edge that follows h around its face.  No angle is computed.

    At an old vertex nothing has changed.  At a cut of an edge one chord ends or starts
    in the face on each side.  At a crossing the second chord goes to the left.
    """
    following = np.zeros(2 * first[-1], np.intp)
    edges = len(layer.edges.ends)
    # the first piece of each half-carrier, and its last
    out = np.stack([2 * first[:-1], 2 * first[1:] - 1], axis=1).ravel()
    back = np.stack([2 * first[1:] - 2, 2 * first[:-1] + 1], axis=1).ravel()
    following[back[: 2 * edges]] = out.take(old_next)
    before = piece_before(cuts)
    for half, cut, positive_first in ((0, layer.chords.start, True), (1, layer.chords.end, False)):
        # the chord's first piece from the cut, and its last to it
        away, home = out[2 * edges + half :: 2], back[2 * edges + 1 - half :: 2]
        side = (layer.edge_cuts.rate.take(cut) > 0) == positive_first  # 0: the chord is on the left
        piece = before.take(cut)
        following[2 * (piece + side) + side] = away
        following[home] = 2 * (piece + 1 - side) + side
    # at a crossing, + 2 is the piece after it, and + 1 reversed
    a, b = (2 * before[len(layer.edge_cuts.t) :].take(cut) for cut in layer.crossings)
    following[a] = b + 2
    following[b] = a + 1
    following[a + 3] = b + 1
    following[b + 3] = a + 2
    return following


def _trace(following: Indices, rising: Bits, inside: Bits) -> Cycles:
    """Step 6.  The faces, each from its lowest corner: a falling half-edge, then a rising one.

    A convex face has one such corner.  Whether a piece rises is inherited from its carrier, never
    measured on a short piece.  The cycles must visit each half-edge inside the window once.
    """
    up = np.empty(len(following), np.bool_)
    up[0::2] = rising
    np.logical_not(rising, out=up[1::2])
    lowest = following.take(np.flatnonzero(inside & ~up & up.take(following)))
    cycles = walk(following, lowest)
    seen = np.zeros(len(following), np.bool_)
    if cycles is not None:
        seen[cycles.half_edge] = True
        if len(cycles.half_edge) == np.count_nonzero(inside) and np.array_equal(seen, inside):
            return cycles
    raise NotGeneric("the boundary of a face does not close, or has not one lowest corner")


def _face_bits(layer: Layer, cuts: Cuts, carrier: Indices, lowest: Indices) -> Words:
    """The layer's bits on every face, read off its lowest half-edge; all of them carry the same.

    Along carriers the bits agree by construction of the scan, and where a chord ends on an edge by
    construction of the chord; what is left to check is that they agree at crossings, where it would
    show if two cuts of a chord were in the wrong order.
    """
    chord_bits = scan(layer.chord_carriers, layer.chord_cuts)
    words = chord_bits.shape[1]
    a, b = (piece_before(layer.chord_cuts).take(cut) for cut in layer.crossings)
    first = layer.chord_cuts.carrier.take(layer.crossings.first)
    # Before the crossing, the second chord runs where the first's unit is off, and the first where
    # the second's is on.
    own = one_hot(layer.chords.unit.take(first), words)
    if (chord_bits.take(a, axis=0) ^ chord_bits.take(b, axis=0) ^ own).any():
        raise NotGeneric("two ways to one corner give different patterns")
    piece, edges = lowest >> 1, len(layer.edge_bits)
    bits = np.empty((len(lowest), words), np.uint64)
    on_edge, on_chord = np.flatnonzero(piece < edges), np.flatnonzero(piece >= edges)
    bits[on_edge] = layer.edge_bits.take(piece.take(on_edge), axis=0)
    bits[on_chord] = chord_bits.take(piece.take(on_chord) - edges, axis=0)
    right = on_chord.take(np.flatnonzero(lowest.take(on_chord) & 1))  # where the own unit is off
    unit = layer.chords.unit.take(carrier.take(piece.take(right)) - len(layer.edges.ends))
    bits[right] ^= one_hot(unit, words)
    return bits
