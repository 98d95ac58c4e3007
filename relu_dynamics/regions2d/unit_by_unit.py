"""Linear regions when walls meet, touch or coincide: one unit at a time, with signs -1, 0, 1.

The walls of networks with equal units, without biases or with rounded weights are not in general
position, and a layer at a time refuses them.  Here the complex is cut by one wall after the other.
A vertex where |z| is at most a tolerance lies *on* the wall; one sign per vertex and wall is the
only thing that floating point decides, so that the complex is a complex whatever it decides.  It is
right up to regions narrower than the band in which |z| was taken for 0, and the width of the widest
such band is part of the answer.

Some 25 microseconds per region; a layer at a time takes 1 or 2.
"""

from __future__ import annotations

import numpy as np

from relu_dynamics.checks import Array, Bits, Words
from relu_dynamics.geometry import Cycles, Subdivision, cut_by_signs, face_areas, face_means
from relu_dynamics.mlp import MLP
from relu_dynamics.patterns import pack, unique_words
from relu_dynamics.regions2d.bits import unpacked
from relu_dynamics.regions2d.enumeration import (
    Faces, Found, Limit, NotGeneric, Start, barycentric, checked_areas, closed, guard,
    preactivations, starting_faces, sums_sizes,
)

LEVELS = (1e-14, 1e-12, 1e-10, 1e-8)  # tried in turn
WIDEST = 1e-3  # refuse an answer that is uncertain about regions wider than this part of the window


def unit_by_unit(net: MLP, start: Start, limit: Limit) -> Found:
    """The faces of a network whose walls meet, touch or coincide, cut by one wall at a time.

    A vertex is on a wall if |z| is at most level times the size of the sums z comes from; the
    levels are tried until every check passes.  ValueError if none does.
    """
    size = float(np.ptp(start.complex.points, axis=0).max())
    reason = ""
    for level in LEVELS:
        try:
            found = _cut_by_all(net, start, level, limit)
            if found.tolerance > WIDEST * size:
                raise NotGeneric("rounding hides walls of regions as wide as "
                                 f"{found.tolerance:.1g}")
            _check_patterns(net, found, start)
            return found
        except NotGeneric as problem:
            reason = str(problem)
    raise ValueError("The linear regions cannot be told apart in float64: walls coincide up to "
                     f"rounding but not exactly ({reason}). Move the window, or round the weights "
                     "so that equal walls are exactly equal.")


def _cut_by_all(net: MLP, start: Start, level: float, limit: Limit) -> Found:
    """As enumerate_faces; the tolerance is at least twice the widest band taken for a wall."""
    sub, cycles, faces, scales = start.complex, start.cycles, starting_faces(start), np.zeros(0)
    h, typical, widest = start.inputs, 0.0, 0.0
    for l, (W, b) in enumerate(zip(net.weights[:-1], net.biases[:-1], strict=True)):
        scale, typical = sums_sizes(W, b, max(typical, float(np.abs(h).max(initial=0))))
        threshold = level * scale
        Z: Array = np.ascontiguousarray((h @ W.T + b).T)
        widest = max(widest, _widest_band(net, l, start, sub, cycles, faces, Z, threshold))
        history, count = [], len(faces.root)
        for j in range(len(b)):
            z = Z[j, : len(sub.points)]
            z[np.abs(z) <= threshold[j]] = 0
            cut = cut_by_signs(sub, count, z, len(scales) + j)
            if cut is None:
                raise NotGeneric("a wall does not cross a face in one chord")
            sub, crossings, parent, positive = cut
            Z = _append_crossings(Z, len(z), crossings)
            Z[j, len(z) : len(sub.points)] = 0
            count = len(parent)
            history.append((parent, positive))
            guard(count, limit)
        Z = Z[:, : len(sub.points)]
        Z[np.abs(Z) <= threshold[:, None]] = 0  # also where later walls of the layer cross this one
        h = np.maximum(Z.T, 0)
        bits = np.empty((count, len(b)), np.bool_)
        origin = np.arange(count)
        for j, (parent, positive) in reversed(list(enumerate(history))):
            bits[:, j], origin = positive.take(origin), parent.take(origin)
        faces, scales = faces.cut(origin, pack(bits)), np.concatenate([scales, scale])
        some = np.empty(count, np.intp)  # a half-edge of every face
        some[sub.face[sub.face >= 0]] = np.flatnonzero(sub.face >= 0)
        cycles = closed(sub.next, some, sub.face >= 0)
    # a region has a wall on either side
    tolerance = max(level * float(np.ptp(sub.points, axis=0).max()), 2 * widest)
    return Found(sub, cycles, faces, scales, tolerance, level, checked_areas(sub, cycles, start))


def _append_crossings(Z: Array, used: int, crossings: Array) -> Array:
    """Z, (units, vertices), with a column for every crossing (u, v, t), and room for more."""
    if used + len(crossings) > Z.shape[1]:
        Z = np.concatenate([Z, np.empty((len(Z), used + len(crossings)))], axis=1)
    u, v = crossings[:, :2].astype(np.intp).T
    Z[:, used : used + len(crossings)] = Z[:, u] + crossings[:, 2] * (Z[:, v] - Z[:, u])
    return Z


def _widest_band(net: MLP, depth: int, start: Start, sub: Subdivision, cycles: Cycles, faces: Faces,
                 Z: Array, threshold: Array) -> float:
    """At least the width of the widest part of a face in which rounding hides the sign of a unit.

    That is the band |z| <= threshold; the slope of z in a face is at least its range over the
    face's diameter.  Where all corners are that close to 0 there is either no wall, if z is exactly
    0 as an affine function, or it could be anywhere in the face.
    """
    corner, first = sub.edges.ravel().take(cycles.half_edge), cycles.start[:-1]
    p = sub.points.take(corner, axis=0)
    diameter = np.hypot(*(np.maximum.reduceat(p, first) - np.minimum.reduceat(p, first)).T)
    width = 2 * np.abs(face_areas(sub.points, cycles.start, corner)) / diameter
    widest = 0.0
    for unit, limit in enumerate(threshold):
        z = Z[unit].take(corner)
        high, low = np.maximum.reduceat(z, first), np.minimum.reduceat(z, first)
        flat = np.flatnonzero((high <= limit) & (low >= -limit))
        met = np.flatnonzero((high >= -limit) & (low <= limit) & (high - low > limit))
        if len(flat):
            frames = start.frames[faces.root[flat]]
            flat = flat[~_is_zero(net, depth, unit, faces.packed[flat], frames)]
        band = np.minimum(limit * diameter[met] / (high - low)[met], width[met])
        widest = max(widest, width[flat].max(initial=0), band.max(initial=0))
    return widest


def _is_zero(net: MLP, depth: int, unit: int, packed: Words, frames: Array) -> Bits:
    """Is a unit of the layer after depth others the zero function on faces with patterns packed?

    Weights that differ at all differ by 1e-16 of their size, and its three coefficients are sums of
    products of weights: extended precision tells 0 from rounding.
    """
    q = unpacked(packed, [len(b) for b in net.biases[:depth]])
    frame = frames.astype(np.longdouble)
    frame[:, 1:] -= frame[:, :1]
    exact = MLP(*(tuple(part.astype(np.longdouble) for part in parts) for parts in net))
    sizes = MLP(*(tuple(np.abs(part) for part in parts) for parts in exact))
    value = _along(exact, q, unit, depth, frame)
    size = _along(sizes, q, unit, depth, np.abs(frame))
    return np.asarray((np.abs(value) <= 64 * np.finfo(np.longdouble).eps * size).all(axis=1))


def _along(net: MLP, q: Bits, unit: int, depth: int, frame: Array) -> Array:
    """(n, 3) z of a unit, if the layers below have the patterns q, at the first row of every frame,
    (n, 3, m[0]), and how it changes along the other two."""
    D, constant = np.tile(net.weights[depth][unit], (len(q), 1)), net.biases[depth][unit]
    at = q.shape[1]
    for W, b in zip(net.weights[:depth][::-1], net.biases[:depth][::-1], strict=True):
        at -= len(b)
        D = D * q[:, at : at + len(b)]
        constant, D = constant + D @ b, D @ W
    z = np.vecdot(frame, D[:, None])
    z[:, 0] += constant
    return np.asarray(z)


def _check_patterns(net: MLP, found: Found, start: Start) -> None:
    """In a starting face patterns are distinct, and the network's inside each face, up to level."""
    root, packed = found.faces.root, found.faces.packed
    if len(unique_words(np.column_stack([root.astype(np.uint64), packed]))[0]) < len(root):
        raise NotGeneric("two regions have the same pattern")
    corner = found.complex.edges.ravel().take(found.cycles.half_edge)
    inside = face_means(found.complex.points, found.cycles.start, corner)
    weights = barycentric(start.places[root], inside)
    z = preactivations(net, (weights[:, None] @ start.frames[root])[:, 0])
    wrong = (z > 0) != unpacked(packed, [len(b) for b in net.biases[:-1]])
    if (wrong & (np.abs(z) > found.level * found.scale)).any():
        raise NotGeneric("a region's pattern is not the network's there")
