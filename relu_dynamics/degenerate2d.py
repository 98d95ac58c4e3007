"""Linear regions when walls meet, touch or coincide: one unit at a time, with signs -1, 0, 1.

The walls of networks with equal units, without biases or with rounded weights are not
in general position, and regions2d refuses them.  Here the complex is cut by one wall
after the other.  A vertex where |z| is at most a tolerance lies *on* the wall; one sign
per vertex and wall is the only thing that floating point decides, so that the complex
is a complex whatever it decides.  It is right up to regions narrower than the band in
which |z| was taken for 0, and the width of the widest such band is part of the answer.

Some 25 microseconds per region; regions2d takes 1 or 2.
"""

from __future__ import annotations

import numpy as np

from relu_dynamics.complex2d import Found, NotGeneric, Regions, assemble, guard, sums_size
from relu_dynamics.geometry import Subdivision, cross, cut_by_signs, face_means, walk, window_subdivision
from relu_dynamics.mlp import MLP, Array
from relu_dynamics.pattern import Indices, Words, pack, unique_words

LEVELS = (1e-14, 1e-12, 1e-10, 1e-8)  # tried in turn
WIDEST = 1e-3  # refuse an answer that is uncertain about regions wider than this part of the window


def unit_by_unit(net: MLP, corners: Array, max_regions: int) -> Regions:
    """The regions of a network whose walls meet, touch or coincide, by cutting with one wall at a time.

    A vertex is on a wall if |z| is at most level times the size of the sums z comes
    from; the levels are tried until every check passes.  ValueError if none does.
    """
    size = float(np.ptp(corners, axis=0).max())
    reason = ""
    for level in LEVELS:
        try:
            found = _cut_by_all(net, corners, level, max_regions)
            if found.tolerance > WIDEST * size:
                raise NotGeneric(f"rounding hides walls of regions as wide as {found.tolerance:.1g}")
            regions = assemble(net, corners, found, level)
            _check_patterns(regions)
            return regions
        except NotGeneric as problem:
            reason = str(problem)
    raise ValueError("The linear regions cannot be told apart in float64: walls coincide up to rounding but not exactly "
                     f"({reason}). Move the window, or round the weights so that equal walls are exactly equal.")


def _cut_by_all(net: MLP, corners: Array, level: float, max_regions: int) -> Found:
    """The same as _enumerate; the tolerance is at least twice the widest band that was taken for a wall."""
    sub = window_subdivision(corners)
    faces, unit, widest = 1, 0, 0.0
    layers: list[tuple[Indices, Words]] = []
    scales: list[Array] = []
    h = corners
    for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        scales.append(sums_size(W, b, float(np.abs(h).max(initial=0))))
        threshold = level * scales[-1]
        Z = _preactivations(h, W, b).T.copy()
        history = []
        for j in range(len(b)):
            z = Z[j, : len(sub.points)]
            widest = max(widest, _band(sub, z, threshold[j]))
            z[np.abs(z) <= threshold[j]] = 0
            cut = cut_by_signs(sub, faces, z, unit + j)
            if cut is None:
                raise NotGeneric("a wall does not cross a face in one chord")
            sub, crossings, parent, positive = cut
            Z = _append_crossings(Z, len(z), crossings)
            Z[j, len(z) : len(sub.points)] = 0
            faces = len(parent)
            history.append((parent, positive))
            guard(faces, max_regions)
        Z = Z[:, : len(sub.points)]
        Z[np.abs(Z) <= threshold[:, None]] = 0  # also where later walls of the layer cross this one
        h = np.maximum(Z.T, 0)
        bits = np.empty((faces, len(b)), np.bool_)
        origin = np.arange(faces)
        for j, (parent, positive) in reversed(list(enumerate(history))):
            bits[:, j], origin = positive.take(origin), parent.take(origin)
        layers.append((origin, pack(bits)))
        unit += len(b)
    inside = np.flatnonzero(sub.face >= 0)
    first = np.empty(faces, np.intp)
    first[sub.face[inside]] = inside
    cycles = walk(sub.next, first)
    if cycles is None or len(cycles.half_edge) != len(inside):
        raise NotGeneric("the boundary of a face does not close")
    tolerance = max(level * float(np.ptp(corners, axis=0).max()), 2 * widest)  # a region has a wall on either side
    return Found(faces, sub, cycles, layers, scales, tolerance)


def _preactivations(h: Array, W: Array, b: Array) -> Array:
    """z, (n, units), the same to the last bit for units with the same weights: a matrix product may round them differently."""
    rows, which = np.unique(np.column_stack([W, b]), axis=0, return_inverse=True)
    return (h @ rows[:, :-1].T + rows[:, -1]).take(which.ravel(), axis=1)  # type: ignore[no-any-return]


def _append_crossings(Z: Array, used: int, crossings: Array) -> Array:
    """Z, (units, vertices), with a column for every crossing (u, v, t), doubling its room when that is used up."""
    if used + len(crossings) > Z.shape[1]:
        Z = np.concatenate([Z, np.empty((len(Z), used + len(crossings)))], axis=1)
    u, v = crossings[:, :2].astype(np.intp).T
    Z[:, used : used + len(crossings)] = Z[:, u] + crossings[:, 2] * (Z[:, v] - Z[:, u])
    return Z


def _band(sub: Subdivision, z: Array, threshold: float) -> float:
    """The widest band |z| <= threshold in any face that it meets, an upper bound: what rounding could hide there.

    The slope of z in a face is at least its range over the face's diameter.  Where z is
    exactly 0 nothing was rounded.
    """
    origin = sub.edges.ravel()
    inside = np.flatnonzero(sub.face >= 0)
    face, corner = sub.face[inside], z[origin[inside]]
    touched, above, below = np.zeros((3, 1 + face.max()), np.bool_)
    touched[face[(corner != 0) & (np.abs(corner) <= threshold)]] = True
    above[face[corner > 0]] = below[face[corner < 0]] = True
    touched |= above & below
    half = inside[touched[face]]
    if len(half) == 0:
        return 0.0
    half = inside[touched[sub.face[inside]]]
    half = half[np.argsort(sub.face[half], kind="stable")]
    start = np.flatnonzero(np.diff(sub.face[half], prepend=-1))
    p, q = sub.points[origin[half]], sub.points[origin[half ^ 1]]
    base = np.repeat(p[start], np.diff(start, append=len(half)), axis=0)
    area = np.add.reduceat(cross(p - base, q - base), start) / 2
    diameter = np.hypot(*(np.maximum.reduceat(p, start) - np.minimum.reduceat(p, start)).T)
    corner = z[origin[half]]
    rise = np.maximum.reduceat(corner, start) - np.minimum.reduceat(corner, start)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return float(np.fmin(threshold * diameter / rise, 2 * np.abs(area) / diameter).max())


def _check_patterns(regions: Regions) -> None:
    """Patterns are distinct, and the network has them at a point inside each region, up to the level."""
    if len(unique_words(regions.packed)[0]) < len(regions):
        raise NotGeneric("two regions have the same pattern")
    h = face_means(regions.vertices, regions.face_start, regions.face_vertex)
    at = 0
    for W, b, scale in zip(regions.net.weights[:-1], regions.net.biases[:-1], regions.scales, strict=True):
        z = h @ W.T + b
        if (((z > 0) != regions.pattern[:, at : at + len(b)]) & (np.abs(z) > regions.level * scale)).any():
            raise NotGeneric("a region's pattern is not the network's there")
        h = np.maximum(z, 0)
        at += len(b)
