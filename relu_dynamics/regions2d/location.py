"""Which region a point lies in, and which regions share a side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import Array, Bits, Indices, as_real, check_kind, printed, row_blocks
from relu_dynamics.geometry import ROUNDINGS, cross, ranges, starts
from relu_dynamics.regions2d.encoded import EncodedRegions
from relu_dynamics.regions2d.regions import Regions

FEW = 16  # points that need no grid


@printed
class Neighbours(NamedTuple):
    """Pairs of regions with a common side."""

    faces: Indices  # (k, 2) the regions to the left and to the right of the edge
    edge: Indices   # (k,) regions.edge_owner[edge] is the unit in which they differ


def neighbours(regions: Regions | EncodedRegions) -> Neighbours:
    """Which regions share a side, and by which edge: the first, where a curve has many.

    In general position their patterns differ in its owner alone (T38), and a region has at most
    four neighbours on average (T45).
    """
    check_kind("regions", regions, Regions, EncodedRegions)
    if isinstance(regions, Regions):
        edge = np.flatnonzero((regions.edge_faces >= 0).all(axis=1))
        return Neighbours(regions.edge_faces[edge], edge)
    edge = np.flatnonzero((regions.edge_regions >= 0).all(axis=1))
    pairs = np.sort(regions.edge_regions[edge], axis=1)
    _, first = np.unique(pairs[:, 0] * len(regions) + pairs[:, 1], return_index=True)
    return Neighbours(regions.edge_regions[edge[first]], edge[first])


def locate(regions: Regions | EncodedRegions, points: ArrayLike) -> Indices:
    """The region of each point, (n, 2): its index, (n,), or -1 outside the window.

    Points on a wall go to a region beside it, and points outside the window by no more than
    rounding count as inside.
    """
    check_kind("regions", regions, Regions, EncodedRegions)
    points = as_real("points", points, (None, 2), "one point of the plane per row")
    points = points.astype(np.float64)
    if isinstance(regions, Regions):
        face = _face(regions.vertices, regions.edges, regions.edge_faces, points)
        return np.where((face < 0) | _outside(regions.window[None], points), -1, face)
    sub, mesh = regions.pieces, regions.triangulation
    piece = _face(sub.points, sub.edges, sub.face.reshape(-1, 2), points)
    triangle = mesh.points[mesh.triangles[regions.triangle[piece]]]
    return np.where((piece < 0) | _outside(triangle, points), -1, regions.region[piece])


def _outside(polygons: Array, points: Array) -> Bits:
    """Which points, (n, 2), lie outside their convex polygon by more than a few roundings."""
    side = np.roll(polygons, -1, axis=1) - polygons
    distance = cross(side, points[:, None] - polygons) / np.hypot(side[..., 0], side[..., 1])
    return np.asarray((distance < -ROUNDINGS * np.abs(polygons).max(initial=0)).any(axis=1))


def _face(vertices: Array, edges: Indices, beside: Indices, points: Array) -> Indices:
    """The convex face of each point: the one on its side of the nearest edge, among the edges of
    all faces whose boxes meet its bin of a grid; -1 where there is none.  For few points, among
    all edges."""
    if len(points) <= FEW:
        point, edge = np.divmod(np.arange(len(points) * len(edges)), len(edges))
        return _beside(vertices[edges], beside, points, point, edge)
    slack = ROUNDINGS * np.abs(vertices).max()
    half = np.argsort(beside.ravel(), kind="stable")
    half = half[np.count_nonzero(beside < 0) :]  # the half-edges of face 0, of face 1, ...
    start = starts(np.bincount(beside.ravel()[half]))
    ends = vertices[edges]
    grid = _bins(np.minimum.reduceat(ends[half >> 1].min(axis=1), start[:-1]) - slack,
                 np.maximum.reduceat(ends[half >> 1].max(axis=1), start[:-1]) + slack)
    found = np.full(len(points), -1)
    for rows in row_blocks(len(points)):
        here = grid.number(points[rows])
        count = np.diff(grid.start)[here]
        some = grid.box[ranges(grid.start[here], count)]
        degree = np.diff(start)[some]
        point = np.repeat(np.repeat(np.arange(len(here)), count), degree)
        edge = half[ranges(start[some], degree)] >> 1
        found[rows][count > 0] = _beside(ends, beside, points[rows], point, edge)
    return found


class _Bins(NamedTuple):
    """Boxes by the bins of a grid that they meet."""

    low: Array       # (2,) corner of the grid
    size: Array      # (2,) of a bin
    bins: int        # along each axis
    start: Indices   # (bins^2 + 1,) bin i has the boxes box[start[i]:start[i+1]]
    box: Indices

    def number(self, points: Array) -> Indices:
        """The bin of each point, or the nearest one."""
        at = np.clip((points - self.low) / self.size, 0, self.bins - 1).astype(np.intp)
        return np.asarray(at @ np.array([1, self.bins]))


def _bins(low: Array, high: Array) -> _Bins:
    """Four times as many bins as there are boxes from low to high, (n, 2)."""
    bins = int(2 * np.sqrt(len(low)))
    grid = _Bins(low.min(axis=0), (high.max(axis=0) - low.min(axis=0)) / bins, bins,
                 np.zeros(0, np.intp), np.zeros(0, np.intp))
    first, last = grid.number(low), grid.number(high)
    wide, tall = last % bins - first % bins + 1, last // bins - first // bins + 1
    box = np.repeat(np.arange(len(low)), wide * tall)
    step = ranges(np.zeros(len(low), np.intp), wide * tall)
    number = first[box] + step % wide[box] + bins * (step // wide[box])
    order = np.argsort(number, kind="stable")
    return grid._replace(start=starts(np.bincount(number, minlength=bins**2)), box=box[order])


def _beside(ends: Array, faces: Indices, points: Array, point: Indices, edge: Indices) -> Indices:
    """For each of the points listed in point, in increasing order, the face on its side of the
    nearest of the edges listed with it: no other edge is between them."""
    u, v = ends[edge, 0], ends[edge, 1]
    arm, along = points[point] - u, v - u
    share = np.clip((arm * along).sum(axis=1) / (along**2).sum(axis=1), 0, 1)
    off = ((arm - share[:, None] * along) ** 2).sum(axis=1)
    start = np.flatnonzero(np.diff(point, prepend=-1))
    nearest = np.minimum.reduceat(off, start) if len(start) else off
    at = np.flatnonzero(off == np.repeat(nearest, np.diff(start, append=len(off))))
    at = at[np.flatnonzero(np.diff(point[at], prepend=-1))]
    two = faces[edge[at]]
    face = np.where(cross(along[at], arm[at]) < 0, two[:, 1], two[:, 0])
    return np.where(face < 0, two.max(axis=1), face)  # a side of the window has one face
