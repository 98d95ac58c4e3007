"""Steps 1 to 4 of a layer: which edges and chords its walls cut, where, and in which order.

A *carrier* is a straight segment along which every unit of the layer at hand is affine: an edge of
the complex that the layers before have made, or a *chord*, the part of a unit's wall that lies in
one face.  A wall *cuts* a carrier if and only if its unit's signs at the two ends differ.  k cuts
of a carrier make k + 1 *pieces*; the pieces of all carriers are numbered carrier by carrier.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relu_dynamics.checks import Array, Indices, Words, row_blocks
from relu_dynamics.geometry import TOLERANCE, Subdivision, ranges, starts
from relu_dynamics.regions2d.bits import bits_at, bits_set, one_hot, set_bits
from relu_dynamics.regions2d.enumeration import Limit, NotGeneric, guard


class Cuts(NamedTuple):
    """Where walls of the layer cut carriers, sorted along every carrier."""

    begin: Indices   # (c+1,) the first cut of every carrier, and the number of cuts
    carrier: Indices
    unit: Indices
    t: Array         # in (0, 1), from the carrier's start to its end
    rate: Array      # z of the unit at the end minus z at the start: positive if it switches on
    vertex: Indices  # the new vertex; one for both of two chords that cross


class Chords(NamedTuple):
    """Walls inside faces, directed from where the face's boundary leaves the unit's positive side
    to where it enters it again, so that the positive side is to the left."""

    face: Indices
    unit: Indices
    start: Indices  # cut of an edge
    end: Indices    # cut of an edge


class Layer(NamedTuple):
    """All that the walls of one layer do to the complex.

    Carriers, cuts and pieces are those of the edges, then those of the chords.
    """

    ends: Indices    # (c, 2) vertices of every carrier
    cuts: Cuts
    pieces: Indices  # (c + cuts, 2) vertices of every piece
    bits: Words      # (c + cuts, w) and the layer's bits on it
    chords: Chords
    first: Indices   # (k,) of every crossing of chords, its cut of the one chord,
    second: Indices  # (k,) and of the other, which comes from the right and goes to the left

    @property
    def edges(self) -> int:
        """How many carriers are edges."""
        return len(self.ends) - len(self.chords.face)

    @property
    def edge_cuts(self) -> int:
        """How many cuts are cuts of edges."""
        return int(self.cuts.begin[self.edges])


def meet(sub: Subdivision, faces: int, Z: Array, scale: Array, limit: Limit) -> Layer:
    """All that the walls of a layer do, given its pre-activations at the vertices of sub."""
    signs = _signs(Z, scale)
    start, end = (signs.take(vertex, axis=0) for vertex in np.ascontiguousarray(sub.edges.T))
    cuts = _cut_edges(sub.edges, start ^ end, Z, scale)
    bits = _scan(start, end, cuts)
    chords = _find_chords(sub.face, cuts, Z.shape[1])
    # the chords' own bits are set: these are the bits of the faces to their left
    own, before = one_hot(chords.unit, bits.shape[1]), piece_before(cuts)
    start, end = (bits.take(before.take(cut), axis=0) | own for cut in (chords.start, chords.end))
    crossing = _crossing_pairs(chords, start, end, faces + len(chords.face), limit)
    chord_cuts, first, second = _cut_chords(chords, *crossing, sub.edges, cuts, Z, scale)
    of_chords = np.stack([cuts.vertex.take(chords.start), cuts.vertex.take(chords.end)], axis=1)
    ends, both = np.concatenate([sub.edges, of_chords]), _joined(cuts, chord_cuts)
    bits = np.concatenate([bits, _scan(start, end, chord_cuts)])
    return Layer(ends, both, _pieces(ends, both), bits, chords,
                 first + len(cuts.t), second + len(cuts.t))


def _joined(cuts: Cuts, chord_cuts: Cuts) -> Cuts:
    """The cuts of edges and of chords as one list."""
    chord_cuts = chord_cuts._replace(begin=chord_cuts.begin + len(cuts.t),
                                     carrier=chord_cuts.carrier + len(cuts.begin) - 1)
    both = zip(cuts._replace(begin=cuts.begin[:-1]), chord_cuts, strict=True)
    return Cuts(*(np.concatenate(pair) for pair in both))


def first_pieces(cuts: Cuts) -> Indices:
    """(c+1,) the first piece of every carrier, and the number of pieces: k cuts make k + 1."""
    return cuts.begin + np.arange(len(cuts.begin))


def piece_before(cuts: Cuts) -> Indices:
    """The piece that ends at each cut; the next one begins there.

    Every earlier carrier and every earlier cut made one.
    """
    return cuts.carrier + np.arange(len(cuts.carrier))


def _pieces(ends: Indices, cuts: Cuts) -> Indices:
    """The vertices of every piece, from a carrier's start over its cuts to its end."""
    first, before = first_pieces(cuts), piece_before(cuts)
    pieces = np.empty((first[-1], 2), np.intp)
    pieces[first[:-1], 0], pieces[first[1:] - 1, 1] = ends.T
    pieces[before, 1] = pieces[before + 1, 0] = cuts.vertex
    return pieces


def _scan(start: Words, end: Words, cuts: Cuts) -> Words:
    """Step 2.  The layer's bits on every piece, from those at both ends of every carrier, (c, w).

    Consecutive rows differ by one flipped bit, or from the end of one carrier to the start of the
    next, so one running exclusive or serves all carriers.
    """
    bits = np.zeros((len(start) + len(cuts.carrier), start.shape[1]), np.uint64)
    first = first_pieces(cuts)
    bits[first[:-1]] = start
    bits[first[1:-1]] ^= end[:-1]
    set_bits(bits, piece_before(cuts) + 1, cuts.unit)
    return np.bitwise_xor.accumulate(bits, axis=0, out=bits)


def _signs(Z: Array, scale: Array) -> Words:
    """z > 0 for every vertex and unit, 64 units to a word.

    NotGeneric if a sign may be a rounding error.  A unit whose weights are all 0 is off for sure.
    """
    words = np.zeros((len(Z), -(-Z.shape[1] // 64)), np.uint64)
    for rows in row_blocks(len(Z), 512):
        z = Z[rows]
        if (np.abs(z) < TOLERANCE * scale).any():
            raise NotGeneric("a wall passes a vertex within rounding errors")
        packed = np.packbits(z > 0, axis=1, bitorder="little")
        words[rows].view(np.uint8)[:, : packed.shape[1]] = packed
    return words


def _cut_edges(edges: Indices, change: Words, Z: Array, scale: Array) -> Cuts:
    """Step 1.  A unit's wall cuts an edge if and only if its bit changes between the ends."""
    carrier, unit = bits_set(change)
    z0, z1 = _at_ends(Z, edges, carrier, unit)
    cuts, _ = _sorted(carrier, unit, z0, z1, len(edges), scale)
    return cuts._replace(vertex=len(Z) + np.arange(len(carrier)))


def _at_ends(Z: Array, edges: Indices, edge: Indices, unit: Indices) -> tuple[Array, Array]:
    """z of units at the start and at the end of edges."""
    z, n = Z.ravel(), Z.shape[1]
    u, v = np.ascontiguousarray(edges.T)
    return z.take(u.take(edge) * n + unit), z.take(v.take(edge) * n + unit)


def _sorted(carrier: Indices, unit: Indices, z0: Array, z1: Array, carriers: int, scale: Array,
            ) -> tuple[Cuts, Indices]:
    """The cuts of carriers at whose ends units are z0 and z1, along each carrier; and their order.

    NotGeneric unless each wall keeps clear of the next one along the carrier.  The distance is
    measured as the pre-activation of the one unit at the cut of the other, because that is what
    rounding perturbs.  The carrier's ends need no check.  Those of an edge are vertices, where
    every sign was beyond doubt.  Those of a chord are cuts of an edge: a wall that cuts this edge
    too was checked there, and the unit of one that does not is as far from 0 as at one of the
    edge's ends, at least.
    """
    rate = z1 - z0
    t = -z0 / rate
    order = np.argsort(carrier + 1j * t)  # by the real part, then by the imaginary one
    begin = starts(np.bincount(carrier, minlength=carriers))
    carrier, unit = carrier.take(order), unit.take(order)
    t, rate = t.take(order), rate.take(order)
    speed = np.abs(rate) / scale.take(unit)
    gap = np.diff(t) * np.minimum(speed[1:], speed[:-1])
    if not ((gap > TOLERANCE) | (carrier[1:] != carrier[:-1])).all():
        raise NotGeneric("two walls lie closer than rounding errors")
    return Cuts(begin, carrier, unit, t, rate, order), order


def _find_chords(face: Indices, cuts: Cuts, units: int) -> Chords:
    """Step 3.  Each cut of an edge is seen from the faces on its two sides: from one of them the
    boundary leaves the positive side there, from the other it enters it.

    Around a face the cuts by one unit alternate between the two.  A convex face meets a line in one
    segment, so that there must be one of each.
    """
    rises = (cuts.rate > 0).astype(np.intp)
    seen = []
    for side in (rises, 1 - rises):
        of = face.take(2 * cuts.carrier + side)
        inside = np.flatnonzero(of >= 0)
        key = of.take(inside) * units + cuts.unit.take(inside)
        order = np.argsort(key)
        seen.append(inside.take(order))
    key = key.take(order)
    if (key[1:] == key[:-1]).any():
        raise NotGeneric("a wall does not cross a face in one chord")
    face, unit = np.divmod(key, max(1, units))
    return Chords(face, unit, *seen)


def _crossing_pairs(chords: Chords, start: Words, end: Words, faces: int, limit: Limit,
                    ) -> tuple[Indices, Indices]:
    """Pairs of chords of one face that cross: the bit of one differs at the ends of the other.

    Each pair is turned so that the second goes to the left of the first: it starts where the
    first's unit is off.
    """
    i, change = np.arange(len(chords.face)), start ^ end
    # chords of a face are contiguous
    later = np.searchsorted(chords.face, chords.face, side="right") - i - 1
    pairs: list[tuple[Indices, Indices]] = [(i[:0], i[:0])]
    for rows in row_blocks(len(i), max(1, 2**18 // (1 + later.max(initial=0)))):
        count = later[rows]
        a = np.repeat(i[rows], count)
        b = ranges(i[rows] + 1, count)
        crossing = np.flatnonzero(bits_at(change, a, chords.unit.take(b)))
        faces += len(crossing)
        guard(faces, limit)
        pairs.append((a.take(crossing), b.take(crossing)))
    a, b = (np.concatenate(side) for side in zip(*pairs, strict=True))
    to_the_right = bits_at(start, b, chords.unit.take(a))
    return np.where(to_the_right, b, a), np.where(to_the_right, a, b)


def _cut_chords(chords: Chords, first: Indices, second: Indices, edges: Indices, edge_cuts: Cuts,
                Z: Array, scale: Array) -> tuple[Cuts, Indices, Indices]:
    """Step 4.  Each crossing pair cuts both chords, where the other's unit is 0 between their ends.

    The order of cuts along the edges decided that the chords cross.  These keep clear of each
    other, so each unit is clearly off at one end of the other's chord and on at the other, and both
    cuts lie between the ends.
    """
    k = len(first)
    carrier = np.concatenate([first, second])
    unit = chords.unit.take(np.concatenate([second, first]))

    def at(cut: Indices) -> Array:
        z0, z1 = _at_ends(Z, edges, edge_cuts.carrier.take(cut), unit)
        return np.asarray(z0 + edge_cuts.t.take(cut) * (z1 - z0))

    z0, z1 = at(chords.start.take(carrier)), at(chords.end.take(carrier))
    cuts, order = _sorted(carrier, unit, z0, z1, len(chords.face), scale)
    place = np.empty(2 * k, np.intp)
    place[order] = np.arange(2 * k)
    vertex = len(Z) + len(edge_cuts.t) + order % max(1, k)
    return cuts._replace(vertex=vertex), place[:k], place[k:]
