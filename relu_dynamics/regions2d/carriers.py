"""Carriers and their cuts.

A *carrier* is a straight segment along which every unit of the layer at hand is affine: an edge of
the complex that the layers before have made, or a *chord*, the part of a unit's wall that lies in
one face.  A wall *cuts* a carrier if and only if its unit's signs at the two ends differ.  k cuts
of a carrier make k + 1 *pieces*; the pieces of all carriers are numbered carrier by carrier.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relu_dynamics.checks import Array, Indices, Words
from relu_dynamics.geometry import TOLERANCE
from relu_dynamics.regions2d.bits import set_bits
from relu_dynamics.regions2d.found import NotGeneric


class Carriers(NamedTuple):
    """c segments along which every unit of the layer is affine."""

    ends: Indices  # (c, 2) vertices
    start: Words   # (c, w) bits of the layer just after the start
    end: Words     # (c, w) and just before the end


class Cuts(NamedTuple):
    """Where walls of the layer cut carriers, sorted along every carrier."""

    begin: Indices  # (c+1,) the first cut of every carrier, and the number of cuts
    carrier: Indices
    unit: Indices
    t: Array        # in (0, 1), from the carrier's start to its end
    rate: Array     # z of the unit at the end minus z at the start: positive if it switches on
    vertex: Indices  # the new vertex; one for both of two chords that cross


class Chords(NamedTuple):
    """Walls inside faces, directed from where the face's boundary leaves the unit's positive side
    to where it enters it again, so that the positive side is to the left."""

    face: Indices
    unit: Indices
    start: Indices  # cut of an edge
    end: Indices    # cut of an edge


class Crossings(NamedTuple):
    """Pairs of chords that cross, each by its cut of the one and its cut of the other.

    The second chord comes from the right of the first and goes to its left.
    """

    first: Indices
    second: Indices


class Layer(NamedTuple):
    """All that the walls of one layer do to the complex."""

    edges: Carriers
    edge_cuts: Cuts
    edge_bits: Words  # on the pieces of the edges
    chords: Chords
    chord_carriers: Carriers
    chord_cuts: Cuts
    crossings: Crossings


def first_pieces(cuts: Cuts) -> Indices:
    """(c+1,) the first piece of every carrier, and the number of pieces: k cuts make k + 1."""
    return cuts.begin + np.arange(len(cuts.begin))


def piece_before(cuts: Cuts) -> Indices:
    """The piece that ends at each cut; the next one begins there.

    Every earlier carrier and every earlier cut made one.
    """
    return cuts.carrier + np.arange(len(cuts.carrier))


def scan(carriers: Carriers, cuts: Cuts) -> Words:
    """Step 2.  The layer's bits on every piece, (c + cuts, w).

    Consecutive rows differ by one flipped bit, or from the end of one carrier to the start of the
    next, so one running exclusive or serves all carriers.
    """
    bits = np.zeros((len(carriers.ends) + len(cuts.carrier), carriers.start.shape[1]), np.uint64)
    first = first_pieces(cuts)
    bits[first[:-1]] = carriers.start
    bits[first[1:-1]] ^= carriers.end[:-1]
    set_bits(bits, piece_before(cuts) + 1, cuts.unit)
    return np.bitwise_xor.accumulate(bits, axis=0, out=bits)


def order_along(carrier: Indices, t: Array) -> Indices:
    """The permutation that sorts by carrier, then by t.

    One integer key sorts faster than two keys; it rounds t to 2**-41, and on a tie both are used.
    """
    key = (carrier << 41) | (t * 2.0**41).astype(np.int64)
    order = np.argsort(key)
    key = key.take(order)
    return np.lexsort((t, carrier)) if (key[1:] == key[:-1]).any() else order


def keep_clear(cuts: Cuts, scale: Array) -> Cuts:
    """cuts, if each wall keeps clear of the next wall along the carrier; else NotGeneric.

    The distance is measured as the pre-activation of the one unit at the cut of the other, because
    that is what rounding perturbs.  The carrier's ends need no check.  Those of an edge are
    vertices, where every sign was beyond doubt.  Those of a chord are cuts of an edge: a wall that
    cuts this edge too was checked there, and the unit of one that does not is as far from 0 as at
    one of the edge's ends, at least.
    """
    speed = np.abs(cuts.rate) / scale.take(cuts.unit)
    gap = np.diff(cuts.t) * np.minimum(speed[1:], speed[:-1])
    if not ((gap > TOLERANCE) | (cuts.carrier[1:] != cuts.carrier[:-1])).all():
        raise NotGeneric("two walls lie closer than rounding errors")
    return cuts
