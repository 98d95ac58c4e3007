"""Exact linear regions of a ReLU network with two inputs, in a convex window of the plane.

Inside the window the walls of the hidden units cut out a planar complex of convex
faces, one face per activation pattern.  It is refined one layer at a time, and within
a layer all units at once; there is no loop over regions, edges or units.

A *carrier* is a straight segment along which every unit of the layer at hand is affine:
an edge of the complex that the layers before have made or, later in the same step, a
*chord*, the part of a unit's wall that lies in one face.  Since a unit is affine on a
carrier, its wall *cuts* the carrier if and only if the signs at the two ends differ.
That one sentence is used twice:

    1. cut the edges          signs at the vertices, packed 64 units to a word: the set
                              bits of the exclusive or of an edge's ends are its cuts
    2. scan the bits          each cut flips one bit, so a running exclusive or along the
                              carriers gives the layer's bits on every piece of every edge
    3. find the chords        a face is convex, so a wall that enters its boundary leaves
                              it once: two cuts with the same (face, unit) are a chord
    4. cut the chords         chord i crosses chord j of the same face if and only if bit j
                              differs at the ends of i; then scan their bits as in 2
    5. link                   every new vertex has two lines through it, so the half-edge
                              that follows each half-edge around its face is known without
                              comparing angles
    6. trace                  follow these links from the lowest corner of each new face
    7. lift                   pre-activations of the next layer at all vertices: from those
                              at the ends of a carrier, by linear interpolation plus one
                              column of the weights per unit that switches on it

Floating point only places cuts along carriers; which cuts there are, which chords meet
and how the faces connect is read from bits.  Every sign and every order must be clear
of rounding by TOLERANCE.  Beyond that, a wrong order along a chord shows as two ways to
one corner that give different bits, a wrong order along an edge mostly as a chord
crossed outside its ends or as a negative area, and a lost chord in Euler's formula.
When a check fails this path refuses, and degenerate2d enumerates the network unit by
unit with signs -1, 0, 1, a pre-activation below a tolerance counting as 0; the
tolerance is then part of the answer.

    half-edge h   2e runs along edge e from its start to its end, 2e + 1 back; h ^ 1 is the
                  other one; the face of h lies to its left, -1 outside the window
    bits          one row of 64-bit words per carrier, piece or face: the layer's units
    F, H, m[L]    faces (regions), hidden units, outputs, as everywhere

Identities (T2, T38, T39): the areas sum to the window's, V - E + F = 1, patterns are
distinct, neighbours in general position differ in the unit that owns their edge, and
f(x) = slope x + offset on each face.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from relu_dynamics.checks import Array, Bits, Indices, Words, check_count, check_net, row_blocks
from relu_dynamics.complex2d import (
    Certificate, Found, Neighbours, NotGeneric, Regions, assemble, bits_at, bits_set, blocks, draw,
    guard, locate, neighbours, sums_sizes,
)
from relu_dynamics.degenerate2d import unit_by_unit
from relu_dynamics.geometry import (
    SWEEP, TOLERANCE, Cycles, Subdivision, check_window, starts, walk, window_subdivision,
)
from relu_dynamics.mlp import MLP

__all__ = ["Certificate", "Neighbours", "Regions", "count_regions", "draw", "locate", "neighbours", "regions_in_window"]

ANCHOR = 16          # every so many cuts of one carrier, pre-activations are computed afresh
MAX_REGIONS = 2**21


def regions_in_window(net: MLP, window: ArrayLike, *, max_regions: int = MAX_REGIONS) -> Regions:
    """Every linear region of net in a window: a box ((x0, x1), (y0, y1)) or a convex polygon (k, 2).

    Exact for walls in general position; otherwise the result says in tolerance how
    narrow a region must be to have been merged with its neighbours.  ValueError if net
    does not have two inputs, the window is not convex, there are more than max_regions
    regions, or float64 cannot tell how the walls lie.

    >>> cross = MLP((np.eye(2), np.ones((1, 2))), (np.zeros(2), np.zeros(1)))  # max(x_1, 0) + max(x_2, 0)
    >>> regions = regions_in_window(cross, ((-1, 1), (-1, 2)))
    >>> len(regions), regions.area.tolist(), regions.certificate.ok
    (4, [2.0, 1.0, 2.0, 1.0], True)
    """
    net, corners, max_regions = _check(net, window, max_regions)
    try:
        found = _enumerate(net, corners, max_regions)
        return assemble(net, corners, found, 0.0)
    except NotGeneric:
        return unit_by_unit(net, corners, max_regions)


def count_regions(net: MLP, window: ArrayLike, *, max_regions: int = MAX_REGIONS) -> int:
    """The number of linear regions in the window, without building those of the last hidden layer.

    F = (faces before) + (chords) + (crossings of chords), for each chord and each
    crossing adds one face (T38).  Equals len(regions_in_window(net, window)).
    """
    net, corners, max_regions = _check(net, window, max_regions)
    try:
        return _enumerate(net, corners, max_regions, count_only=True).faces
    except NotGeneric:
        return len(unit_by_unit(net, corners, max_regions))


def _check(net: MLP, window: ArrayLike, max_regions: int) -> tuple[MLP, Array, int]:
    net = check_net(net)
    if net.weights[0].shape[1] != 2:
        raise ValueError("net must have two inputs; restrict(net, origin, axes) takes a plane out of a larger input space. "
                         f"Got {net.weights[0].shape[1]} inputs.")
    net = MLP(*(tuple(np.asarray(part, np.float64) for part in parts) for parts in net))
    return net, check_window(window), check_count("max_regions", max_regions, 1)


# ---------------------------------------------------------- a layer at a time


class _Carriers(NamedTuple):
    """c segments along which every unit of the layer is affine."""

    ends: Indices  # (c, 2) vertices
    start: Words   # (c, w) bits of the layer just after the start
    end: Words     # (c, w) and just before the end


class _Cuts(NamedTuple):
    """Where walls of the layer cut carriers, sorted along every carrier."""

    begin: Indices  # (c+1,) the first cut of every carrier, and the number of cuts
    carrier: Indices
    unit: Indices
    t: Array        # in (0, 1), from the carrier's start to its end
    rate: Array     # z of the unit at the end minus z at the start: positive if it switches on
    vertex: Indices  # the new vertex; one for both of two chords that cross


class _Chords(NamedTuple):
    """Walls inside faces, directed from where the face's boundary leaves the unit's positive side
    to where it enters it again, so that the positive side is to the left."""

    face: Indices
    unit: Indices
    start: Indices  # cut of an edge
    end: Indices    # cut of an edge


class _Crossings(NamedTuple):
    """Pairs of chords that cross, each by its cut of the one and its cut of the other.

    The second chord comes from the right of the first and goes to its left.
    """

    first: Indices
    second: Indices


class _Layer(NamedTuple):
    """All that the walls of one layer do to the complex."""

    edges: _Carriers
    edge_cuts: _Cuts
    edge_bits: Words  # on the pieces of the edges
    chords: _Chords
    chord_carriers: _Carriers
    chord_cuts: _Cuts
    crossings: _Crossings


def _enumerate(net: MLP, corners: Array, max_regions: int, count_only: bool = False) -> Found:
    """Refine the window by one hidden layer after the other; to count, do not refine it by the last.

    Invariant: before layer l the complex has one face per pattern of the layers before,
    and Z holds the pre-activations of layer l at its vertices.
    """
    sub, cycles = window_subdivision(corners), Cycles(np.array([0, len(corners)]), 2 * np.arange(len(corners)))
    layers: list[tuple[Indices, Words]] = []
    scales = []
    Z: Array = corners @ net.weights[0].T + net.biases[0]
    largest = float(np.abs(corners).max())  # of the layer's inputs
    faces, unit, tolerance = 1, 0, TOLERANCE * float(np.ptp(corners, axis=0).max())
    for l, (W, b) in enumerate(zip(net.weights[:-1], net.biases[:-1], strict=True)):
        scale, typical = sums_sizes(W, b, largest)
        scales.append(scale)
        layer = _meet(sub, faces, Z, scale, max_regions)
        tolerance = max(tolerance, _uncertainty(sub, layer, scale))
        faces += len(layer.chords.face) + len(layer.crossings.first)
        last = l == len(net.weights) - 2
        if last and count_only:
            break
        if last:
            del Z  # large, and needed no more
        refined, cycles, parent, bits = _refine(sub, layer, unit)
        layers.append((parent, bits))
        unit += len(b)
        if not last:
            Z, largest = _lift(Z, layer, net.weights[l + 1], net.biases[l + 1], len(refined.points))
            largest = max(largest, typical)
        sub = refined
    return Found(faces, sub, cycles, layers, scales, tolerance)


def _uncertainty(sub: Subdivision, layer: _Layer, scale: Array) -> float:
    """How narrow a region may become when its two walls move as far as rounding may have moved them.

    A wall may be off by TOLERANCE in z divided by the slope of z, which in a face is at
    least the slope along an edge that the wall cuts.
    """
    u, v = (sub.points.take(end.take(layer.edge_cuts.carrier), axis=0) for end in layer.edges.ends.T)
    slope = np.abs(layer.edge_cuts.rate) / np.hypot(*(v - u).T)
    steeper = np.maximum(slope.take(layer.chords.start), slope.take(layer.chords.end))
    return 2 * float((TOLERANCE * scale.take(layer.chords.unit) / steeper).max(initial=0))


def _meet(sub: Subdivision, faces: int, Z: Array, scale: Array, max_regions: int) -> _Layer:
    """Steps 1 to 4: which edges and chords the walls of the layer cut, where, and in which order."""
    signs = _signs(Z, scale)
    u, v = np.ascontiguousarray(sub.edges.T)
    edges = _Carriers(sub.edges, signs.take(u, axis=0), signs.take(v, axis=0))
    cuts = _cut_edges(edges, Z, scale)
    edge_bits = _scan(edges, cuts)
    chords = _find_chords(sub.face, cuts, Z.shape[1])
    carriers = _chord_carriers(chords, cuts, edge_bits)
    first, second = _crossing_pairs(chords, carriers, faces + len(chords.face), max_regions)
    chord_cuts, crossings = _cut_chords(chords, carriers, first, second, edges, cuts, Z, scale)
    return _Layer(edges, cuts, edge_bits, chords, carriers, chord_cuts, crossings)


def _cut_edges(edges: _Carriers, Z: Array, scale: Array) -> _Cuts:
    """Step 1.  A unit's wall cuts an edge if and only if its sign differs at the edge's ends."""
    carrier, unit = bits_set(edges.start ^ edges.end)
    z, n = Z.ravel(), Z.shape[1]
    z0 = z.take(edges.ends[:, 0].take(carrier) * n + unit)
    rate = z.take(edges.ends[:, 1].take(carrier) * n + unit) - z0
    t = -z0 / rate
    count = np.bincount(carrier, minlength=len(edges.ends))
    many = np.flatnonzero(count.take(carrier) > 1)  # the others are in order
    order = many.take(_order_along(carrier.take(many), t.take(many)))
    for array in (unit, t, rate):
        array[many] = array.take(order)
    vertex = len(Z) + np.arange(len(carrier))
    return _checked(_Cuts(starts(count), carrier, unit, t, rate, vertex), scale)


def _order_along(carrier: Indices, t: Array) -> Indices:
    """The permutation that sorts by carrier, then by t.  One integer key sorts faster than two; it rounds t to 2**-41."""
    key = (carrier << 41) | (t * 2.0**41).astype(np.int64)
    order = np.argsort(key)
    key = key.take(order)
    return np.lexsort((t, carrier)) if (key[1:] == key[:-1]).any() else order


def _checked(cuts: _Cuts, scale: Array) -> _Cuts:
    """cuts, if each wall keeps clear of the next wall along the carrier; else NotGeneric.

    The distance is measured as the pre-activation of the one unit at the cut of the
    other, because that is what rounding perturbs.  The carrier's ends need no check.
    Those of an edge are vertices, where every sign was beyond doubt.  Those of a chord are
    cuts of an edge: a wall that cuts this edge too was checked there, and the unit of
    one that does not is as far from 0 as at one of the edge's ends, at least.
    """
    speed = np.abs(cuts.rate) / scale.take(cuts.unit)
    gap = np.diff(cuts.t) * np.minimum(speed[1:], speed[:-1])
    if not ((gap > TOLERANCE) | (cuts.carrier[1:] != cuts.carrier[:-1])).all():
        raise NotGeneric("two walls lie closer than rounding errors")
    return cuts


def _scan(carriers: _Carriers, cuts: _Cuts) -> Words:
    """Step 2.  The layer's bits on every piece, (c + cuts, w); a carrier with k cuts has k + 1 pieces, in order.

    Consecutive rows differ by one flipped bit, or from the end of one carrier to the
    start of the next, so one running exclusive or serves all carriers.
    """
    bits = np.zeros((len(carriers.ends) + len(cuts.carrier), carriers.start.shape[1]), np.uint64)
    first = _first_pieces(cuts)
    bits[first[:-1]] = carriers.start
    bits[first[1:-1]] ^= carriers.end[:-1]
    _set_bits(bits, _piece_before(cuts) + 1, cuts.unit)
    return np.bitwise_xor.accumulate(bits, axis=0, out=bits)


def _first_pieces(cuts: _Cuts) -> Indices:
    """(c+1,) the first piece of every carrier, and the number of pieces: k cuts make k + 1."""
    return cuts.begin + np.arange(len(cuts.begin))


def _piece_before(cuts: _Cuts) -> Indices:
    """The piece that ends at each cut; the next one begins there.  Every earlier carrier and every earlier cut made one."""
    return cuts.carrier + np.arange(len(cuts.carrier))


def _find_chords(face: Indices, cuts: _Cuts, units: int) -> _Chords:
    """Step 3.  Each cut of an edge is seen from the faces on its two sides: from one of them the
    boundary leaves the positive side there, from the other it enters it.

    A convex face meets a line in one segment, so leaving and entering cuts must pair up by (face, unit).
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
    return _Chords(at, unit, start, end)


def _sorted(key: Indices) -> tuple[Indices, Indices]:
    """key sorted, and the permutation that sorts it; index and key share one word where they fit."""
    shift = len(key).bit_length()
    if int(key.max(initial=0)).bit_length() + shift > 62:
        order = np.argsort(key)
        return key.take(order), order
    both = np.sort((key << shift) | np.arange(len(key)))
    return both >> shift, both & ((1 << shift) - 1)


def _chord_carriers(chords: _Chords, cuts: _Cuts, edge_bits: Words) -> _Carriers:
    """The chords as carriers, with their own bit set: the bits of the faces to their left."""
    own = _one_hot(chords.unit, edge_bits.shape[1])
    before = _piece_before(cuts)
    start, end = (edge_bits.take(before.take(cut), axis=0) | own for cut in (chords.start, chords.end))
    return _Carriers(np.stack([cuts.vertex.take(chords.start), cuts.vertex.take(chords.end)], axis=1), start, end)


def _crossing_pairs(chords: _Chords, carriers: _Carriers, faces: int, max_regions: int) -> tuple[Indices, Indices]:
    """Pairs of chords of one face that cross: those where the bit of one differs at the ends of the other.

    Each pair is turned so that the second goes to the left of the first: it starts where the first's unit is off.
    """
    i = np.arange(len(chords.face))
    later = np.searchsorted(chords.face, chords.face, side="right") - i - 1  # chords of a face are contiguous
    change = carriers.start ^ carriers.end
    pairs: list[tuple[Indices, Indices]] = [(i[:0], i[:0])]
    for rows in row_blocks(len(i), max(1, 2**18 // (1 + later.max(initial=0)))):
        count = later[rows]
        a = np.repeat(i[rows], count)
        b = _ranges(i[rows] + 1, count)
        crossing = np.flatnonzero(bits_at(change, a, chords.unit.take(b)))
        faces += len(crossing)
        guard(faces, max_regions)
        pairs.append((a.take(crossing), b.take(crossing)))
    a, b = (np.concatenate(side) for side in zip(*pairs, strict=True))
    to_the_right = bits_at(carriers.start, b, chords.unit.take(a))
    return np.where(to_the_right, b, a), np.where(to_the_right, a, b)


def _cut_chords(chords: _Chords, carriers: _Carriers, first: Indices, second: Indices,
                edges: _Carriers, edge_cuts: _Cuts, Z: Array, scale: Array) -> tuple[_Cuts, _Crossings]:
    """Step 4.  Each crossing pair cuts both chords, where the other's unit is 0 on the line between their ends.

    The order of cuts along the edges decided that the chords cross.  These keep clear of
    each other, so each unit is clearly off at one end of the other's chord and on at the
    other, and both cuts lie between the ends.
    """
    k = len(first)
    carrier, unit = np.concatenate([first, second]), chords.unit.take(np.concatenate([second, first]))
    z, n = Z.ravel(), Z.shape[1]
    u, v = np.ascontiguousarray(edges.ends.T)

    def preactivation(cut: Indices) -> Array:
        edge = edge_cuts.carrier.take(cut)
        z0 = z.take(u.take(edge) * n + unit)
        return z0 + edge_cuts.t.take(cut) * (z.take(v.take(edge) * n + unit) - z0)  # type: ignore[no-any-return]

    z0 = preactivation(chords.start.take(carrier))
    rate = preactivation(chords.end.take(carrier)) - z0
    t = -z0 / rate
    order = _order_along(carrier, t)
    at = np.empty(2 * k, np.intp)
    at[order] = np.arange(2 * k)
    vertex = len(Z) + len(edge_cuts.t) + np.where(order < k, order, order - k)
    begin = starts(np.bincount(carrier, minlength=len(chords.face)))
    cuts = _Cuts(begin, carrier.take(order), unit.take(order), t.take(order), rate.take(order), vertex)
    return _checked(cuts, scale), _Crossings(at[:k], at[k:])


# ------------------------------------------------------- the complex it makes


def _refine(sub: Subdivision, layer: _Layer, unit: int) -> tuple[Subdivision, Cycles, Indices, Words]:
    """Steps 5 and 6: the complex cut by all chords; of every new face, the face it was cut from and its bits.

    Pieces of edges come first, then pieces of chords; unit is the number of hidden units in the layers before.
    """
    ends, cuts = _all_carriers(layer)
    first = _first_pieces(cuts)
    pieces = _pieces(ends, cuts, first)
    points = _place(sub.points, layer)
    direction = points.take(ends[len(sub.edges):, 1], axis=0) - points.take(ends[len(sub.edges):, 0], axis=0)
    carrier = np.repeat(np.arange(len(ends)), np.diff(first))
    owner = np.concatenate([sub.owner, unit + layer.chords.unit]).take(carrier)
    rising = np.concatenate([sub.rising, direction @ SWEEP > 0]).take(carrier)
    beside = np.concatenate([sub.face, np.repeat(layer.chords.face, 2)]).reshape(-1, 2).take(carrier, axis=0).ravel()
    following = _link(sub.next, layer, cuts, first)
    cycles = _trace(following, rising, beside >= 0)
    faces = len(cycles.start) - 1
    if len(points) - len(pieces) + faces != 1:
        raise NotGeneric("Euler's formula fails")
    face = np.full(2 * len(pieces), -1)
    face[cycles.half_edge] = np.repeat(np.arange(faces), np.diff(cycles.start))
    lowest = cycles.half_edge.take(cycles.start[:-1])
    refined = Subdivision(points, pieces, following, face, owner, rising)
    return refined, cycles, beside.take(lowest), _face_bits(layer, cuts, carrier, lowest)


def _all_carriers(layer: _Layer) -> tuple[Indices, _Cuts]:
    """Edges and chords as one list of carriers: their ends, and their cuts."""
    e, c = layer.edge_cuts, layer.chord_cuts
    c = c._replace(begin=e.begin[-1] + c.begin, carrier=len(layer.edges.ends) + c.carrier)
    return (np.concatenate([layer.edges.ends, layer.chord_carriers.ends]),
            _Cuts(*(np.concatenate(pair) for pair in zip(e._replace(begin=e.begin[:-1]), c, strict=True))))


def _pieces(ends: Indices, cuts: _Cuts, first: Indices) -> Indices:
    """(pieces, 2): the vertices of every piece, from a carrier's start over its cuts to its end."""
    pieces = np.empty((first[-1], 2), np.intp)
    before = _piece_before(cuts)
    pieces[first[:-1], 0], pieces[first[1:] - 1, 1] = ends.T
    pieces[before, 1] = pieces[before + 1, 0] = cuts.vertex
    return pieces


def _place(points: Array, layer: _Layer) -> Array:
    """All vertices: the old ones, the cuts of edges, the crossings of chords."""

    def along(points: Array, carriers: _Carriers, cuts: _Cuts, which: Indices | slice) -> Array:
        u, v = (points.take(end.take(cuts.carrier[which]), axis=0) for end in carriers.ends.T)
        return u + cuts.t[which, None] * (v - u)  # type: ignore[no-any-return]

    points = np.concatenate([points, along(points, layer.edges, layer.edge_cuts, slice(None))])
    return np.concatenate([points, along(points, layer.chord_carriers, layer.chord_cuts, layer.crossings.first)])


def _link(old_next: Indices, layer: _Layer, cuts: _Cuts, first: Indices) -> Indices:
    """Step 5.  next[h]: the half-edge that follows h around its face.  No angle is computed.

    At an old vertex nothing has changed.  At a cut of an edge one chord ends or starts
    in the face on each side.  At a crossing the second chord goes to the left.
    """
    following = np.zeros(2 * first[-1], np.intp)
    edges = len(layer.edges.ends)
    out, back = np.empty(2 * len(first) - 2, np.intp), np.empty(2 * len(first) - 2, np.intp)
    out[0::2], out[1::2] = 2 * first[:-1], 2 * first[1:] - 1            # first piece of each half-carrier
    back[0::2], back[1::2] = 2 * first[1:] - 2, 2 * first[:-1] + 1      # and its last
    following[back[: 2 * edges]] = out.take(old_next)
    before = _piece_before(cuts)
    for half, cut, positive_first in ((0, layer.chords.start, True), (1, layer.chords.end, False)):
        away, home = out[2 * edges + half :: 2], back[2 * edges + 1 - half :: 2]  # the chord from the cut, and to it
        side = (layer.edge_cuts.rate.take(cut) > 0) == positive_first   # 0: the chord lies left of the edge
        piece = before.take(cut)
        following[2 * (piece + side) + side] = away
        following[home] = 2 * (piece + 1 - side) + side
    a, b = (2 * before[len(layer.edge_cuts.t) :].take(cut) for cut in layer.crossings)  # 2: the piece after, +1: reversed
    following[a] = b + 2
    following[b] = a + 1
    following[a + 3] = b + 1
    following[b + 3] = a + 2
    return following


def _trace(following: Indices, rising: Bits, inside: Bits) -> Cycles:
    """Step 6.  The faces, each from its lowest corner: where a falling half-edge is followed by a rising one.

    A convex face has one.  Whether a piece rises is inherited from its carrier, never
    measured on a short piece.  The faces' cycles must visit each half-edge inside the window once.
    """
    up = np.empty(len(following), np.bool_)
    up[0::2] = rising
    np.logical_not(rising, out=up[1::2])
    lowest = following.take(np.flatnonzero(inside & ~up & up.take(following)))
    cycles = walk(following, lowest)
    seen = np.zeros(len(following), np.bool_)
    if cycles is not None:
        seen[cycles.half_edge] = True
    if cycles is None or len(cycles.half_edge) != np.count_nonzero(inside) or not np.array_equal(seen, inside):
        raise NotGeneric("the boundary of a face does not close, or has not one lowest corner")
    return cycles


def _face_bits(layer: _Layer, cuts: _Cuts, carrier: Indices, lowest: Indices) -> Words:
    """The layer's bits on every face, read off its lowest half-edge; all its half-edges carry the same.

    Along carriers the bits agree by construction of the scan, and where a chord ends on
    an edge by construction of the chord; what is left to check is that they agree at
    crossings, where it would show if two cuts of a chord were in the wrong order.
    """
    chord_bits = _scan(layer.chord_carriers, layer.chord_cuts)
    words = chord_bits.shape[1]
    a, b = (_piece_before(layer.chord_cuts).take(cut) for cut in layer.crossings)
    first = layer.chord_cuts.carrier.take(layer.crossings.first)
    # Before the crossing, the second chord runs where the first's unit is off, and the first where the second's is on.
    if (chord_bits.take(a, axis=0) ^ chord_bits.take(b, axis=0) ^ _one_hot(layer.chords.unit.take(first), words)).any():
        raise NotGeneric("two ways to one corner give different patterns")
    piece, edges = lowest >> 1, len(layer.edge_bits)
    bits = np.empty((len(lowest), words), np.uint64)
    on_edge, on_chord = np.flatnonzero(piece < edges), np.flatnonzero(piece >= edges)
    bits[on_edge] = layer.edge_bits.take(piece.take(on_edge), axis=0)
    bits[on_chord] = chord_bits.take(piece.take(on_chord) - edges, axis=0)
    right = on_chord.take(np.flatnonzero(lowest.take(on_chord) & 1))  # of the chord, where its own unit is off
    own = layer.chords.unit.take(carrier.take(piece.take(right)) - len(layer.edges.ends))
    bits[right] ^= _one_hot(own, words)
    return bits


# --------------------------------------------- pre-activations of the next layer


def _lift(Z: Array, layer: _Layer, W: Array, b: Array, vertices: int) -> tuple[Array, float]:
    """Step 7.  W max(z, 0) + b at all vertices of the refined complex, given z at the old ones, and the largest max(z, 0).

    On a carrier z is linear, and max(z, 0) is linear but for the units cut between two
    known points A and B.  Hence at x = (1-s) A + s B

        z'(x) = (1-s) z'(A) + s z'(B) + sum over these units j of W[:, j] d_j,
        d_j   = max(z_j(x), 0) - (1-s) max(z_j(A), 0) - s max(z_j(B), 0):

    one sparse row per new vertex instead of a full one.  Only the old vertices, and
    every ANCHOR-th cut of a carrier with many, take a dense product.
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

    chord_anchor = _anchors(layer.chord_cuts)
    anchored = chord_anchor.take(layer.crossings.first) | chord_anchor.take(layer.crossings.second)
    edge_anchor = _anchors(layer.edge_cuts)
    for cut in blocks(np.flatnonzero(edge_anchor)):
        dense(_on_edges(Z, layer, cut), layer.edge_cuts.vertex.take(cut))
    for cut in blocks(layer.crossings.first[anchored]):
        dense(_on_chords(Z, layer, cut), layer.chord_cuts.vertex.take(cut))
    for rows in row_blocks(len(Z), 512):
        dense(Z[rows], rows)  # in place: the last time z is read
    for carriers, cuts, anchor, which in (
        (layer.edges, layer.edge_cuts, edge_anchor, np.flatnonzero(~edge_anchor)),
        (layer.chord_carriers, layer.chord_cuts, chord_anchor, layer.crossings.first[~anchored]),
    ):
        for cut in blocks(which, 2048):
            stack[n + cuts.vertex.take(cut)] = _between_anchors(carriers.ends, cuts, cut, n, len(stack)) @ stack
    return stack[n:], largest


def _anchors(cuts: _Cuts) -> Bits:
    """Every ANCHOR-th cut along each carrier."""
    rank = np.arange(len(cuts.carrier)) - cuts.begin.take(cuts.carrier)
    return rank % ANCHOR == ANCHOR - 1  # type: ignore[no-any-return]


def _on_edges(Z: Array, layer: _Layer, cut: Indices) -> Array:
    """z at cuts of edges, from the old vertices; 0 exactly for the unit whose wall it is."""
    cuts = layer.edge_cuts
    u, v = (Z.take(end.take(cuts.carrier.take(cut)), axis=0) for end in layer.edges.ends.T)
    z = u + cuts.t.take(cut)[:, None] * (v - u)
    z[np.arange(len(cut)), cuts.unit.take(cut)] = 0
    return z  # type: ignore[no-any-return]


def _on_chords(Z: Array, layer: _Layer, cut: Indices) -> Array:
    """z at cuts of chords, from the old vertices; 0 exactly for the two units whose walls cross."""
    chord = layer.chord_cuts.carrier.take(cut)
    u, v = _on_edges(Z, layer, layer.chords.start.take(chord)), _on_edges(Z, layer, layer.chords.end.take(chord))
    z = u + layer.chord_cuts.t.take(cut)[:, None] * (v - u)
    for unit in (layer.chords.unit.take(chord), layer.chord_cuts.unit.take(cut)):
        z[np.arange(len(cut)), unit] = 0
    return z


def _between_anchors(ends: Indices, cuts: _Cuts, cut: Indices, units: int, width: int) -> csr_array:
    """The rows (1-s at A, s at B, d_j at unit j) of step 7 for the given cuts; units columns come before the vertices.

    A and B are the nearest anchors before and after the cut, or the carrier's ends.
    """
    carrier = cuts.carrier.take(cut)
    begin, end = cuts.begin.take(carrier), cuts.begin.take(carrier + 1)
    low = begin + (cut - begin) // ANCHOR * ANCHOR  # the cuts low, ..., high - 1 lie strictly between A and B
    high = np.minimum(low + ANCHOR - 1, end)
    first, last = low == begin, high == end
    before, after = np.maximum(low - 1, 0), np.minimum(high, len(cuts.t) - 1)
    A = np.where(first, ends[:, 0].take(carrier), cuts.vertex.take(before))
    B = np.where(last, ends[:, 1].take(carrier), cuts.vertex.take(after))
    tA, tB, t = np.where(first, 0, cuts.t.take(before)), np.where(last, 1, cuts.t.take(after)), cuts.t.take(cut)
    s = (t - tA) / (tB - tA)

    count = high - low
    row, j = np.repeat(np.arange(len(cut)), count), _ranges(low, count)
    rate, zero = cuts.rate.take(j), cuts.t.take(j)

    def relu(t: Array) -> Array:
        return np.maximum(rate * (t.take(row) - zero), 0)

    d = relu(t) - (1 - s).take(row) * relu(tA) - s.take(row) * relu(tB)
    begins = starts(count + 2)
    column, value = np.empty(begins[-1], np.intp), np.empty(begins[-1])
    inner = np.arange(len(row)) + 2 * row + 2
    for at, c, x in ((begins[:-1], units + A, 1 - s), (begins[:-1] + 1, units + B, s), (inner, cuts.unit.take(j), d)):
        column[at], value[at] = c, x
    return csr_array((value, column, begins), shape=(len(cut), width))


# ------------------------------------------------------------- bits and blocks


def _signs(Z: Array, scale: Array) -> Words:
    """z > 0 for every vertex and unit, 64 units to a word.  NotGeneric if a sign may be a rounding error.
    A unit whose weights are all 0 is off without a doubt."""
    words = np.zeros((len(Z), -(-Z.shape[1] // 64)), np.uint64)
    for rows in row_blocks(len(Z), 512):
        z = Z[rows]
        if (np.abs(z) < TOLERANCE * scale).any():
            raise NotGeneric("a wall passes a vertex within rounding errors")
        packed = np.packbits(z > 0, axis=1, bitorder="little")
        words[rows].view(np.uint8)[:, : packed.shape[1]] = packed
    return words


def _set_bits(words: Words, row: Indices, unit: Indices) -> None:
    words.reshape(-1)[row * words.shape[1] + (unit >> 6)] = np.uint64(1) << (unit & 63).astype(np.uint64)


def _one_hot(unit: Indices, width: int) -> Words:
    words = np.zeros((len(unit), width), np.uint64)
    _set_bits(words, np.arange(len(unit)), unit)
    return words


def _ranges(start: Indices, count: Indices) -> Indices:
    """start[0], ..., start[0] + count[0] - 1, start[1], ... in one array."""
    begin = starts(count)
    return np.arange(begin[-1]) + np.repeat(start - begin[:-1], count)
