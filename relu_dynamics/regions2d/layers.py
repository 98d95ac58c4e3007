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

from relu_dynamics.checks import Array
from relu_dynamics.geometry import TOLERANCE, Subdivision
from relu_dynamics.mlp import MLP
from relu_dynamics.regions2d.enumeration import (
    Found, Limit, Start, checked_areas, starting_faces, sums_sizes,
)
from relu_dynamics.regions2d.lift import lift
from relu_dynamics.regions2d.meet import Layer, meet
from relu_dynamics.regions2d.refine import refine


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
        sub, cycles, parent, bits = refine(sub, layer, len(scales))
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
