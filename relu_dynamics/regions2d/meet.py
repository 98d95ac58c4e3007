"""Steps 1 to 4 of a layer: which edges and chords its walls cut, where, and in which order."""

from __future__ import annotations

import numpy as np

from relu_dynamics.checks import Array, Indices, Words, row_blocks
from relu_dynamics.geometry import TOLERANCE, Subdivision, ranges, starts
from relu_dynamics.regions2d.bits import bits_at, bits_set, one_hot
from relu_dynamics.regions2d.carriers import (
    Carriers, Chords, Crossings, Cuts, Layer, keep_clear, order_along, piece_before, scan)
from relu_dynamics.regions2d.found import Limit, NotGeneric, guard


def meet(sub: Subdivision, faces: int, Z: Array, scale: Array, limit: Limit) -> Layer:
    """All that the walls of a layer do, given its pre-activations at the vertices of sub."""
    signs = _signs(Z, scale)
    u, v = np.ascontiguousarray(sub.edges.T)
    edges = Carriers(sub.edges, signs.take(u, axis=0), signs.take(v, axis=0))
    cuts = _cut_edges(edges, Z, scale)
    edge_bits = scan(edges, cuts)
    chords = _find_chords(sub.face, cuts, Z.shape[1])
    carriers = _chord_carriers(chords, cuts, edge_bits)
    first, second = _crossing_pairs(chords, carriers, faces + len(chords.face), limit)
    chord_cuts, crossings = _cut_chords(chords, carriers, first, second, edges, cuts, Z, scale)
    return Layer(edges, cuts, edge_bits, chords, carriers, chord_cuts, crossings)


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


def _cut_edges(edges: Carriers, Z: Array, scale: Array) -> Cuts:
    """Step 1.  A unit's wall cuts an edge if and only if its sign differs at the edge's ends."""
    carrier, unit = bits_set(edges.start ^ edges.end)
    z, n = Z.ravel(), Z.shape[1]
    z0 = z.take(edges.ends[:, 0].take(carrier) * n + unit)
    rate = z.take(edges.ends[:, 1].take(carrier) * n + unit) - z0
    t = -z0 / rate
    count = np.bincount(carrier, minlength=len(edges.ends))
    many = np.flatnonzero(count.take(carrier) > 1)  # the others are in order
    order = many.take(order_along(carrier.take(many), t.take(many)))
    for array in (unit, t, rate):
        array[many] = array.take(order)
    vertex = len(Z) + np.arange(len(carrier))
    return keep_clear(Cuts(starts(count), carrier, unit, t, rate, vertex), scale)


def _find_chords(face: Indices, cuts: Cuts, units: int) -> Chords:
    """Step 3.  Each cut of an edge is seen from the faces on its two sides: from one of them the
    boundary leaves the positive side there, from the other it enters it.

    A convex face meets a line in one segment, so leaving and entering cuts must pair up by face
    and unit.
    """
    rises = (cuts.rate > 0).astype(np.intp)

    def seen_from(side: Indices) -> tuple[Indices, Indices]:
        of = face.take(2 * cuts.carrier + side)
        inside = np.flatnonzero(of >= 0)
        key, order = _sorted(of.take(inside) * units + cuts.unit.take(inside))
        return key, inside.take(order)

    leaving, start = seen_from(rises)
    entering, end = seen_from(1 - rises)
    if not np.array_equal(leaving, entering) or (leaving[1:] == leaving[:-1]).any():
        raise NotGeneric("a wall does not cross a face in one chord")
    at, unit = np.divmod(leaving, max(1, units))
    return Chords(at, unit, start, end)


def _sorted(key: Indices) -> tuple[Indices, Indices]:
    """key sorted, and the permutation that sorts it; both share one word where they fit."""
    shift = len(key).bit_length()
    if int(key.max(initial=0)).bit_length() + shift > 62:
        order = np.argsort(key)
        return key.take(order), order
    both = np.sort((key << shift) | np.arange(len(key)))
    return both >> shift, both & ((1 << shift) - 1)


def _chord_carriers(chords: Chords, cuts: Cuts, edge_bits: Words) -> Carriers:
    """The chords as carriers, with their own bit set: the bits of the faces to their left."""
    own = one_hot(chords.unit, edge_bits.shape[1])
    before, ends = piece_before(cuts), (chords.start, chords.end)
    start, end = (edge_bits.take(before.take(cut), axis=0) | own for cut in ends)
    return Carriers(np.stack([cuts.vertex.take(cut) for cut in ends], axis=1), start, end)


def _crossing_pairs(chords: Chords, carriers: Carriers, faces: int, limit: Limit,
                    ) -> tuple[Indices, Indices]:
    """Pairs of chords of one face that cross: the bit of one differs at the ends of the other.

    Each pair is turned so that the second goes to the left of the first: it starts where the
    first's unit is off.
    """
    i = np.arange(len(chords.face))
    # chords of a face are contiguous
    later = np.searchsorted(chords.face, chords.face, side="right") - i - 1
    change = carriers.start ^ carriers.end
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
    to_the_right = bits_at(carriers.start, b, chords.unit.take(a))
    return np.where(to_the_right, b, a), np.where(to_the_right, a, b)


def _cut_chords(chords: Chords, carriers: Carriers, first: Indices, second: Indices,
                edges: Carriers, edge_cuts: Cuts, Z: Array, scale: Array) -> tuple[Cuts, Crossings]:
    """Step 4.  Each crossing pair cuts both chords, where the other's unit is 0 between their ends.

    The order of cuts along the edges decided that the chords cross.  These keep clear of each
    other, so each unit is clearly off at one end of the other's chord and on at the other, and both
    cuts lie between the ends.
    """
    k = len(first)
    carrier = np.concatenate([first, second])
    unit = chords.unit.take(np.concatenate([second, first]))
    z, n = Z.ravel(), Z.shape[1]
    u, v = np.ascontiguousarray(edges.ends.T)

    def preactivation(cut: Indices) -> Array:
        edge = edge_cuts.carrier.take(cut)
        z0 = z.take(u.take(edge) * n + unit)
        return np.asarray(z0 + edge_cuts.t.take(cut) * (z.take(v.take(edge) * n + unit) - z0))

    z0 = preactivation(chords.start.take(carrier))
    rate = preactivation(chords.end.take(carrier)) - z0
    t = -z0 / rate
    order = order_along(carrier, t)
    at = np.empty(2 * k, np.intp)
    at[order] = np.arange(2 * k)
    vertex = len(Z) + len(edge_cuts.t) + np.where(order < k, order, order - k)
    begin = starts(np.bincount(carrier, minlength=len(chords.face)))
    carrier, unit = carrier.take(order), unit.take(order)
    cuts = Cuts(begin, carrier, unit, t.take(order), rate.take(order), vertex)
    return keep_clear(cuts, scale), Crossings(at[:k], at[k:])
