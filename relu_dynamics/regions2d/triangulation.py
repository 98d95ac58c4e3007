"""Triangulations of a window: made, numbered, and refined where asked without hanging vertices."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import Array, Bits, Indices, as_real, check_indices, require
from relu_dynamics.geometry import SWEEP, Cycles, Subdivision, cross, starts
from relu_dynamics.regions2d.enumeration import Start


class Triangulation(NamedTuple):
    """Triangles that meet in whole sides or in corners."""

    points: Array       # (v, 2)
    triangles: Indices  # (t, 3) corners, counter-clockwise
    sides: Indices      # (t, 3) the edges from corner 0 to 1, 1 to 2, and 2 to 0
    edges: Indices      # (e, 2) their ends, in increasing order


def triangulation(points: Array, triangles: Indices) -> Triangulation:
    """Triangles, counter-clockwise, with their edges numbered."""
    ends = np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2).reshape(-1, 2)
    low, high = ends.min(axis=1), ends.max(axis=1)
    key, number = np.unique(low * len(points) + high, return_inverse=True)
    edges = np.stack(np.divmod(key, len(points)), axis=1)
    return Triangulation(points, triangles, number.reshape(-1, 3), edges)


def triangulate(windows: list[Array], leg: float) -> Triangulation:
    """Convex polygons in triangles with no side longer than leg sqrt(2).

    A box becomes squares, or nearly so, each cut in two; any other polygon a fan around its middle
    whose longest sides are halved.
    """
    meshes = [_one_window(corners, leg) for corners in windows]
    before = starts(np.array([len(mesh.points) for mesh in meshes]))
    triangles = [mesh.triangles + first for mesh, first in zip(meshes, before[:-1], strict=True)]
    return triangulation(np.concatenate([mesh.points for mesh in meshes]),
                         np.concatenate(triangles))


def _one_window(corners: Array, leg: float) -> Triangulation:
    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
    if len(corners) == 4 and np.isin(corners, [[x0, y0], [x1, y1]]).all():
        return _squares(x0, x1, y0, y1, leg)
    k = len(corners)
    fan = np.stack([np.arange(k), np.roll(np.arange(k), -1), np.full(k, k)], axis=1)
    mesh = triangulation(np.vstack([corners, corners.mean(axis=0)]), fan)
    while (long := lengths(mesh)[mesh.sides].max(axis=1) > np.sqrt(2) * leg).any():
        mesh, _ = halved(mesh, long)
    return mesh


def _squares(x0: float, x1: float, y0: float, y1: float, leg: float) -> Triangulation:
    nx, ny = (max(1, int(np.ceil(width / leg * (1 - 1e-9)))) for width in (x1 - x0, y1 - y0))
    x, y = np.linspace(x0, x1, nx + 1), np.linspace(y0, y1, ny + 1)
    points = np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)
    a = (np.arange(nx) + (nx + 1) * np.arange(ny)[:, None]).ravel()  # the lower left corners
    b, c, d = a + 1, a + nx + 2, a + nx + 1
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    return triangulation(points, triangles)


def lengths(mesh: Triangulation) -> Array:
    """(e,) how long every edge is."""
    u, v = (mesh.points[end] for end in mesh.edges.T)
    return np.asarray(np.hypot(*(v - u).T))


def areas(mesh: Triangulation) -> Array:
    """(t,) the area of every triangle."""
    a, b, c = np.moveaxis(mesh.points[mesh.triangles], 1, 0)
    return np.asarray(cross(b - a, c - a) / 2)


def window_sides(mesh: Triangulation) -> Indices:
    """The edges with a triangle on one side only."""
    return np.flatnonzero(np.bincount(mesh.sides.ravel(), minlength=len(mesh.edges)) == 1)


def halved(mesh: Triangulation, which: Bits) -> tuple[Triangulation, Indices]:
    """mesh with the triangles which (t,) halved; and of every new triangle, its old one.

    A triangle is cut from the middle of its longest side to the opposite corner.  Others are cut as
    far as triangles must meet in whole sides, and once more if one of their shorter sides is halved
    (Rivara 1984): no angle becomes less than half the smallest one at the start.
    """
    length = lengths(mesh)
    rank = np.empty(len(length), np.intp)
    rank[np.lexsort((np.arange(len(length)), length))] = np.arange(len(length))
    turn = (rank[mesh.sides].argmax(axis=1)[:, None] + np.arange(3)) % 3  # the longest side first
    triangles = np.take_along_axis(mesh.triangles, turn, axis=1)
    sides = np.take_along_axis(mesh.sides, turn, axis=1)
    marked = np.zeros(len(length), np.bool_)
    marked[sides[which, 0]] = True
    while (more := marked[sides].any(axis=1) & ~marked[sides[:, 0]]).any():
        marked[sides[more, 0]] = True

    n = len(mesh.points)
    middle = np.full(len(marked), -1)
    middle[marked] = n + np.arange(np.count_nonzero(marked))
    points = np.concatenate([mesh.points, mesh.points[mesh.edges[marked]].mean(axis=1)])
    (a, b, c), (m, ma, mb) = triangles.T, middle[sides].T  # m halves ab, ma halves bc, mb halves ca
    cut, left, right = m >= 0, mb >= 0, ma >= 0
    parts = [  # (which triangles, their parts): the part at a has the old side ca, that at b has bc
        (~cut, (a, b, c)), (cut & ~left, (c, a, m)), (cut & ~right, (b, c, m)),
        (left, (m, c, mb)), (left, (m, mb, a)), (right, (m, b, ma)), (right, (m, ma, c))]
    parent = np.concatenate([np.flatnonzero(which) for which, _ in parts])
    new = [np.stack(corners, axis=1)[which] for which, corners in parts]
    return triangulation(points, np.concatenate(new)), parent


def triangles_start(mesh: Triangulation, which: Bits, inputs: Callable[[Indices], Array]) -> Start:
    """Some triangles of mesh, (t,), as faces, with the inputs (n, m[0]) at n of its points."""
    used, triangles = np.unique(mesh.triangles[which], return_inverse=True)
    number, edge = np.unique(mesh.sides[which], return_inverse=True)
    points, values = mesh.points[used], inputs(used)
    triangles, ends = triangles.reshape(-1, 3), np.searchsorted(used, mesh.edges[number])
    # half-edge 2e runs from the lower vertex to the higher one
    half = 2 * edge.reshape(-1, 3) + (triangles > np.roll(triangles, -1, axis=1))
    face, following = np.full(2 * len(ends), -1), np.arange(2 * len(ends))
    face[half] = np.arange(len(triangles))[:, None]
    following[half] = np.roll(half, -1, axis=1)
    rising = (points[ends[:, 1]] - points[ends[:, 0]]) @ SWEEP > 0
    sub = Subdivision(points, ends, following, face, -1 - number, rising)
    cycles = Cycles(3 * np.arange(len(triangles) + 1), half.ravel())
    return Start(sub, cycles, values, points[triangles], values[triangles])


def given_triangles(points: ArrayLike, triangles: ArrayLike) -> Triangulation:
    """points (v, 2) and triangles (t, 3), clockwise ones turned round, as a triangulation.

    ValueError if a triangle has no area, or two lie on the same side of one of their edges.
    """
    points = as_real("points", points, (None, 2), "one point of the plane per row")
    points = points.astype(np.float64)
    rows = np.asarray(triangles)
    require(rows.ndim == 2 and rows.shape[1] == 3 and len(rows),
            "triangles must be (t, 3): three indices of points per row, and at least one row. "
            f"Got shape {rows.shape}.")
    corners = check_indices("triangles", rows.ravel(), len(points)).reshape(-1, 3)
    a, b, c = (points[corners[:, k]] for k in range(3))
    turn = cross(b - a, c - a)
    flat = np.abs(turn) <= 1e-12 * np.maximum(np.abs(b - a), np.abs(c - a)).max(axis=1) ** 2
    require(not flat.any(), "triangles must have areas that float64 can tell from 0. "
                            f"Got {points[corners[flat][:1]].tolist()}.")
    corners = np.where((turn < 0)[:, None], corners[:, [0, 2, 1]], corners)
    ends = np.stack([corners, np.roll(corners, -1, axis=1)], axis=2).reshape(-1, 2)
    unique, count = np.unique(ends, axis=0, return_counts=True)
    require((count == 1).all(),
            "triangles must not lie on the same side of a common edge. Two do at the edges of "
            f"points {unique[count > 1].tolist()}.")
    return triangulation(points, corners)
