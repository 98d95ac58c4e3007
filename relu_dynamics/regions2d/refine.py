"""Steps 6 and 7 of a layer: the complex that its walls make, and the bits of its faces."""

from __future__ import annotations

import numpy as np

from relu_dynamics.checks import Array, Bits, Indices, Words
from relu_dynamics.geometry import SWEEP, Cycles, Subdivision
from relu_dynamics.regions2d.bits import one_hot
from relu_dynamics.regions2d.enumeration import NotGeneric, closed
from relu_dynamics.regions2d.meet import Layer, first_pieces, piece_before


def refine(sub: Subdivision, layer: Layer, unit: int,
           ) -> tuple[Subdivision, Cycles, Indices, Words]:
    """The complex cut by all chords; of every new face, the face it was cut from and its bits.

    unit is the number of hidden units in the layers before.
    """
    pieces, points = layer.pieces, _place(sub.points, layer)
    carrier = np.repeat(np.arange(len(layer.ends)), np.diff(first_pieces(layer.cuts)))
    u, v = (points.take(end, axis=0) for end in layer.ends[layer.edges :].T)
    owner = np.concatenate([sub.owner, unit + layer.chords.unit]).take(carrier)
    rising = np.concatenate([sub.rising, (v - u) @ SWEEP > 0]).take(carrier)
    beside = np.concatenate([sub.face, np.repeat(layer.chords.face, 2)])
    beside = beside.reshape(-1, 2).take(carrier, axis=0).ravel()
    following = _link(sub.next, layer)
    cycles = _trace(following, rising, beside >= 0)
    faces = len(cycles.start) - 1
    if faces != 1 + sub.face.max() + len(layer.chords.face) + len(layer.first):
        raise NotGeneric("a chord or a crossing of chords does not make one more face")
    face = np.full(2 * len(pieces), -1)
    face[cycles.half_edge] = np.repeat(np.arange(faces), np.diff(cycles.start))
    lowest = cycles.half_edge.take(cycles.start[:-1])
    refined = Subdivision(points, pieces, following, face, owner, rising)
    return refined, cycles, beside.take(lowest), _face_bits(layer, carrier, lowest)


def _place(points: Array, layer: Layer) -> Array:
    """All vertices: the old ones, the cuts of edges, the crossings of chords."""
    for cut in (np.arange(layer.edge_cuts), layer.first):
        carrier, t = layer.cuts.carrier.take(cut), layer.cuts.t.take(cut)
        u, v = (points.take(end.take(carrier), axis=0) for end in layer.ends.T)
        points = np.concatenate([points, u + t[:, None] * (v - u)])
    return points


def _link(old_next: Indices, layer: Layer) -> Indices:
    """Step 6.  next[h]: the half-edge that follows h around its face.  No angle is computed.

    At an old vertex nothing has changed.  At a cut of an edge one chord ends or starts
    in the face on each side.  At a crossing the second chord goes to the left.
    """
    first, before, edges = first_pieces(layer.cuts), piece_before(layer.cuts), layer.edges
    following = np.zeros(2 * first[-1], np.intp)
    # the first piece of each half-carrier, and its last
    out = np.stack([2 * first[:-1], 2 * first[1:] - 1], axis=1).ravel()
    back = np.stack([2 * first[1:] - 2, 2 * first[:-1] + 1], axis=1).ravel()
    following[back[: 2 * edges]] = out.take(old_next)
    for half, cut, positive_first in ((0, layer.chords.start, True), (1, layer.chords.end, False)):
        # the chord's first piece from the cut, and its last to it
        away, home = out[2 * edges + half :: 2], back[2 * edges + 1 - half :: 2]
        side = (layer.cuts.rate.take(cut) > 0) == positive_first  # 0: the chord is on the left
        piece = before.take(cut)
        following[2 * (piece + side) + side] = away
        following[home] = 2 * (piece + 1 - side) + side
    # at a crossing, + 2 is the piece after it, and + 1 reversed
    a, b = 2 * before.take(layer.first), 2 * before.take(layer.second)
    following[a] = b + 2
    following[b] = a + 1
    following[a + 3] = b + 1
    following[b + 3] = a + 2
    return following


def _trace(following: Indices, rising: Bits, inside: Bits) -> Cycles:
    """Step 7.  The faces, each from its lowest corner: a falling half-edge, then a rising one.

    A convex face has one such corner.  Whether a piece rises is inherited from its carrier, never
    measured on a short piece.
    """
    up = np.stack([rising, ~rising], axis=1).ravel()
    lowest = following.take(np.flatnonzero(inside & ~up & up.take(following)))
    return closed(following, lowest, inside)


def _face_bits(layer: Layer, carrier: Indices, lowest: Indices) -> Words:
    """The layer's bits on every face, read off its lowest half-edge; all of them carry the same.

    Along carriers the bits agree by construction of the scan, and where a chord ends on an edge by
    construction of the chord; what is left to check is that they agree at crossings, where it would
    show if two cuts of a chord were in the wrong order.
    """
    a, b = (layer.bits.take(piece_before(layer.cuts).take(cut), axis=0)
            for cut in (layer.first, layer.second))
    # Before the crossing, the second chord runs where the first's unit is off, and the first where
    # the second's is on.
    own = one_hot(layer.cuts.unit.take(layer.second), a.shape[1])
    if (a ^ b ^ own).any():
        raise NotGeneric("two ways to one corner give different patterns")
    bits = layer.bits.take(lowest >> 1, axis=0)
    chord = carrier.take(lowest >> 1) - layer.edges
    right = np.flatnonzero((chord >= 0) & (lowest & 1 == 1))  # where the own unit is off
    bits[right] ^= one_hot(layer.chords.unit.take(chord.take(right)), bits.shape[1])
    return bits
