"""A complex refined by one hidden layer after the other, and within a layer by all units at once.

There is no loop over regions, edges or units.  A wall cuts a carrier (an edge, or a chord) if and
only if its unit's signs at the two ends differ.  That one sentence is used twice:

    1. cut the edges      signs at the vertices, packed 64 units to a word: the set bits of the
                          exclusive or of an edge's ends are its cuts
    2. scan the bits      each cut flips one bit, so a running exclusive or along the carriers gives
                          the layer's bits on every piece of every edge
    3. find the chords    a face is convex, so a wall that enters its boundary leaves it once: two
                          cuts with the same (face, unit) are a chord
    4. cut the chords     chord i crosses chord j of the same face if and only if bit j differs at
                          the ends of i; then scan their bits as in 2
    5. lift               pre-activations of the next layer at all vertices: from those at the ends
                          of a carrier, by linear interpolation plus one column of the weights per
                          unit that switches on it
    6. link               every new vertex has two lines through it, so the half-edge that follows
                          each half-edge around its face is known without comparing angles
    7. trace              follow these links from the lowest corner of each new face

Floating point only places cuts along carriers; which cuts there are, which chords meet and how the
faces connect is read from bits.  Every sign and every order must be clear of rounding by TOLERANCE.
Beyond that, a wrong order along a chord shows as two ways to one corner that give different bits, a
wrong order along an edge mostly as a chord crossed outside its ends or as a negative area, and a
lost chord in the number of faces.  When a check fails this path raises NotGeneric.
"""

from __future__ import annotations

import numpy as np

from relu_dynamics.checks import Array, Bits, Indices, Words
from relu_dynamics.geometry import SWEEP, TOLERANCE, Cycles, Subdivision
from relu_dynamics.mlp import MLP
from relu_dynamics.regions2d.bits import one_hot
from relu_dynamics.regions2d.enumeration import (
    Found, Limit, NotGeneric, Start, checked_areas, closed, starting_faces, sums_sizes,
)
from relu_dynamics.regions2d.lift import lift
from relu_dynamics.regions2d.meet import Layer, first_pieces, meet, piece_before


def enumerate_faces(net: MLP, start: Start, limit: Limit) -> Found:
    """The faces that all hidden layers make of the starting ones; NotGeneric if it cannot tell.

    Invariant: before layer l every face has one pattern of the layers before, and Z holds the
    pre-activations of layer l at the vertices.
    """
    sub, cycles, faces, scales = start.complex, start.cycles, starting_faces(start), np.zeros(0)
    Z: Array = start.inputs @ net.weights[0].T + net.biases[0]
    largest = float(np.abs(start.inputs).max())  # of the layer's inputs
    tolerance = TOLERANCE * float(np.ptp(sub.points, axis=0).max())
    for l, (W, b) in enumerate(zip(net.weights[:-1], net.biases[:-1], strict=True)):
        scale, typical = sums_sizes(W, b, largest)
        layer = meet(sub, len(faces.root), Z, scale, limit)
        tolerance = max(tolerance, _uncertainty(sub, layer, scale))
        if l < len(net.weights) - 2:
            largest = max(typical, float(Z.max(initial=0)))
            Z = lift(Z, layer, net.weights[l + 1], net.biases[l + 1])
        else:
            del Z  # large, and needed no more
        sub, cycles, parent, bits = _refined(sub, layer, len(scales))
        faces, scales = faces.cut(parent, bits), np.concatenate([scales, scale])
    return Found(sub, cycles, faces, scales, tolerance, 0.0, checked_areas(sub, cycles, start))


def _uncertainty(sub: Subdivision, layer: Layer, scale: Array) -> float:
    """How narrow a region may become when its two walls move as far as rounding may move them.

    A wall may be off by TOLERANCE in z divided by the slope of z, which in a face is at least the
    slope along an edge that the wall cuts.
    """
    cuts = layer.cuts.carrier[: layer.edge_cuts]
    u, v = (sub.points.take(end.take(cuts), axis=0) for end in sub.edges.T)
    slope = np.abs(layer.cuts.rate[: len(cuts)]) / np.hypot(*(v - u).T)
    steeper = np.maximum(slope.take(layer.chords.start), slope.take(layer.chords.end))
    return 2 * float((TOLERANCE * scale.take(layer.chords.unit) / steeper).max(initial=0))


def _refined(sub: Subdivision, layer: Layer, unit: int,
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
