"""Triangles that are certified: the encoding itself has the walls there that interpolation has.

Let inputs go from the interpolated ones (s = 0) to the true ones (s = 1), and z(x, s) be the
pre-activation of a unit meanwhile.  In a triangle at whose corners b.x differs by d_k along side k,
and by d at most, the waves sin and cos of 2 pi b.x are off by (pi d)^2 / 2 at most, and their
derivatives along side k by (2 pi)^2 d_k d.  Sums of this over waves, weighted with the size of
G = dz / dinputs, the largest among the faces of the triangle, bound what z and its derivatives do:

    |z(x, s) - z(x, 0)| <= eps,    |D_k z(x, s) - D_k z(x, 0)| <= eta_k,

as long as no pattern comes that was not there at s = 0.  If anything ever changes, then at some
first s three walls meet, or two touch; a side counts as a wall with eps = eta = 0, a singular point
is touched by any wall, and corners of the triangle never change.  All that meet there have
|z(x, 0)| <= eps.  So nothing changes, up to rounding, if at every corner p of every face, where two
walls u and v bound it,

    no third wall w may come: |z_w(p)| > eps_w + |alpha| eps_u + |beta| eps_v  for  D z_w =
        alpha D z_u + beta D z_v, or p is a corner of the triangle, and along each side from there
        z_w grows away from 0, by more than eta, or the face ends at the wall of w; and
    u and v cross: the determinant of D z_u and D z_v has one sign, whatever eta allows.

On a face z is affine, so where {|z_u| <= eps_u} keeps clear of w at the corners it does everywhere.

At the default resolution this certifies 38 to 78 % of the window, half of it in the middle, on 20
networks (L = 1 to 8, up to 4x128, half of them trained); for L = 6, 4x64, it is 51 %, and 84 and
98 % with 128 and 256 legs to the shortest wave.  A sixth of the other triangles do change when they
are halved.  Most of the rest fail because two walls may cross at a side in the other order, which
takes a region to the next triangle but changes none.  It takes about twice the time of finding the
regions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from relu_dynamics.checks import Array, Bits, Indices
from relu_dynamics.encoding import Sinusoids
from relu_dynamics.geometry import Cycles, Subdivision, cross, ranges, starts
from relu_dynamics.mlp import MLP
from relu_dynamics.patterns import pack, rows_times, unique_words
from relu_dynamics.regions2d.enumeration import barycentric, preactivations
from relu_dynamics.regions2d.triangulation import Triangulation

FACES = 128   # at a time
SLACK = 1.01  # for the rounding of G, in float32
# along sides 0 and 1, the derivatives of the barycentric coordinates that are 0 on sides 0, 1, 2
OF_SIDES = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0]])


class _Corners(NamedTuple):
    """Corners of faces, (n,), each between an edge that ends there and one that begins there.

    What bounds a face is numbered: hidden units, then sides 0, 1 and 2 of the triangle.
    """

    face: Indices
    vertex: Indices
    before: Indices  # whose wall, or which side, the edge is that ends there,
    after: Indices   # and the edge that begins there
    last: Indices    # the same at the other ends of these two edges: before the first,
    next: Indices    # and after the second


def certified_triangles(net: MLP, encoding: Sinusoids, mesh: Triangulation, sub: Subdivision,
                        cycles: Cycles, triangle: Indices, pattern_of: Callable[[Indices], Bits],
                        ) -> Bits:
    """(t,) which triangles of mesh are certified; faces (F,) have a triangle and a pattern."""
    places, certified = mesh.points[mesh.triangles], np.ones(len(mesh.triangles), np.bool_)
    inputs, bounds = encoding(mesh.points)[mesh.triangles], _bounds(encoding, places)
    order = np.argsort(triangle, kind="stable")
    first = starts(np.bincount(triangle, minlength=len(places)))
    low = 0
    while low < len(places) and len(net.weights) > 1:
        high = max(low + 1, int(np.searchsorted(first, first[low] + FACES, side="right")) - 1)
        faces, some = order[first[low] : first[high]], slice(low, high)
        of, q = triangle[faces] - low, pattern_of(faces)
        D, eps, eta = _slopes(net, q, of, np.diff(inputs[some], axis=1), bounds[some])
        corners = _corners(sub, cycles, faces, mesh.sides[some][of], q.shape[1])
        vertex, at, number = np.unique(corners.vertex, return_index=True, return_inverse=True)
        t = of[corners.face]
        weights = barycentric(places[low + t[at]], sub.points[vertex])
        z = preactivations(net, (weights[:, None] @ inputs[low + t[at]])[:, 0]).astype(np.float32)
        doubt = (_touching(D, eta[t], corners)
                 | _third(z[number], D, eps[t], eta[t], corners))
        certified[low + t[doubt]] = False
        low = high
    return certified


def _bounds(encoding: Sinusoids, corners: Array) -> Array:
    """(t, 4, k) how far waves are off in triangles, and their derivatives along the three sides."""
    turns = corners @ encoding.frequencies_in(2).T
    along = np.abs(np.roll(turns, -1, axis=1) - turns)
    most = along.max(axis=1, keepdims=True)
    return np.concatenate([(np.pi * most) ** 2 / 2, (2 * np.pi) ** 2 * along * most], axis=1)


def _slopes(net: MLP, q: Bits, triangle: Indices, steps: Array, bounds: Array,
            ) -> tuple[Array, Array, Array]:
    """D (F, 3, H + 3): how z, then barycentric coordinates, change along the sides of the triangle;
    and eps (t, H + 3), eta (t, 3, H + 3).

    G is computed once for all faces of a triangle with the same pattern so far.
    """
    units = q.shape[1]
    D = np.zeros((len(q), 3, units + 3), np.float32)
    off = np.zeros((len(steps), 4, units + 3), np.float32)
    D[:, :2, units:] = OF_SIDES
    steps, bounds = steps.astype(np.float32), (SLACK * bounds).astype(np.float32)
    rows, group = unique_words(triangle[:, None].astype(np.uint64))  # a face of each, and which
    G, at = np.tile(np.eye(steps.shape[2], dtype=np.float32), (len(rows), 1, 1)), 0
    for W in net.weights[:-1]:
        G, of = rows_times(G, W.T.astype(np.float32)), triangle[rows]
        layer = slice(at, at := at + len(W))
        D[:, :2, layer] = (steps[of] @ G)[group]
        sizes = bounds[of] @ np.sqrt(G[:, 0::2] ** 2 + G[:, 1::2] ** 2)
        off[:, :, layer] = np.maximum.reduceat(sizes, np.flatnonzero(np.diff(of, prepend=-1)))
        rows, finer = unique_words(np.column_stack([group.astype(np.uint64), pack(q[:, layer])]))
        G = G[group[rows]] * q[rows, None, layer]
        group = finer
    D[:, 2] = -D[:, 0] - D[:, 1]
    return D, off[:, 0], off[:, 1:]


def _corners(sub: Subdivision, cycles: Cycles, faces: Indices, sides: Indices, units: int,
             ) -> _Corners:
    """All corners of some faces, in triangles with the given sides."""
    degree = np.diff(cycles.start)[faces]
    half, begin = cycles.half_edge[ranges(cycles.start[faces], degree)], starts(degree)
    face, owner = np.repeat(np.arange(len(faces)), degree), sub.owner[half >> 1]
    side = (sides[face] == (-1 - owner)[:, None]).argmax(axis=1)
    of = np.where(owner < 0, units + side, owner)
    back, on = np.arange(len(half)) - 1, np.arange(len(half)) + 1
    back[begin[:-1]], on[begin[1:] - 1] = begin[1:] - 1, begin[:-1]
    return _Corners(face, sub.edges.ravel()[half], of[back], of, of[back[back]], of[on])


def _touching(D: Array, eta: Array, corners: _Corners) -> Bits:
    """Where the two that meet at a corner of a face may touch."""
    every = np.arange(len(corners.face))
    (u, du), (v, dv) = ((D[corners.face, :, of], eta[every, :, of])
                        for of in (corners.before, corners.after))
    det = np.abs(cross(u, v))
    (u, du), (v, dv) = (tuple(np.abs(a) for a in pair) for pair in ((u, du), (v, dv)))
    u1, du1, v1, dv1 = (np.roll(a, -1, axis=1) for a in (u, du, v, dv))
    spread = u * dv1 + u1 * dv + v * du1 + v1 * du + du * dv1 + du1 * dv
    return np.asarray(det <= spread.min(axis=1))


def _third(z: Array, D: Array, eps: Array, eta: Array, corners: _Corners) -> Bits:
    """Where a third unit may come to the two that meet at a corner of a face.

    Not at a corner of the triangle, where no unit changes sign: one that grows along both sides
    stays away from the face, and one whose wall is next along the other side may do so alone.
    """
    at, unit = _near(z, D, eps, corners)
    units, face = z.shape[1], corners.face[at]
    corner = (corners.before[at] >= units) & (corners.after[at] >= units)
    side = np.where(corner, corners.after[at] - units, 0)  # starts here, and side - 1 ends here
    outwards = np.sign(z[at, unit]) * np.stack([D[face, side, unit], -D[face, side - 1, unit]])
    grows = outwards > np.stack([eta[at, side, unit], eta[at, side - 1, unit]])
    next_wall = np.stack([corners.next[at], corners.last[at]]) == unit
    away = corner & grows.all(axis=0)
    alone = corner & (grows | next_wall).all(axis=0)
    here, excused = (np.bincount(at[some & ~away], minlength=len(z)) for some in (~away, alone))
    return np.asarray((here > 1) | (here > excused))


def _near(z: Array, D: Array, eps: Array, corners: _Corners) -> tuple[Indices, Indices]:
    """Corners of faces, and third units that may be 0 where the two that meet there may be."""
    every, units = np.arange(len(z)), z.shape[1]
    (u, eps_u), (v, eps_v) = ((D[corners.face, :2, of].T[..., None], eps[every, of, None])
                              for of in (corners.before, corners.after))
    det = np.maximum(np.abs(u[0] * v[1] - u[1] * v[0]), 1e-30)
    d = D[:, :2, :units].swapaxes(0, 1)[:, corners.face]
    reach = eps[:, :units] + np.abs(d[0] * v[1] - d[1] * v[0]) * (eps_u / det)
    reach += np.abs(u[0] * d[1] - u[1] * d[0]) * (eps_v / det)
    at, w = np.nonzero(np.abs(z) < reach)
    third = (w != corners.before[at]) & (w != corners.after[at])
    return at[third], w[third]
