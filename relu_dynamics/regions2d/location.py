"""Which region a point lies in, and which regions share a side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relu_dynamics.checks import Array, Bits, Indices, Words, as_real, check_kind, one_line, row_blocks
from relu_dynamics.geometry import ROUNDINGS, cross, ranges, starts
from relu_dynamics.mlp import split_layers
from relu_dynamics.patterns import pack, pattern
from relu_dynamics.regions2d.encoded import EncodedRegions
from relu_dynamics.regions2d.regions import Regions


class Neighbours(NamedTuple):
    """Pairs of regions with a common side."""

    faces: Indices  # (k, 2) the regions to the left and to the right of the edge
    edge: Indices   # (k,) regions.edge_owner[edge] is the unit in which they differ

    def __repr__(self) -> str:
        return one_line(self)


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
    if isinstance(regions, EncodedRegions):
        piece = _piece(regions, points)
        return np.where(piece < 0, -1, regions.region[piece])
    return _region(regions, points)


def _region(regions: Regions, points: Array) -> Indices:
    """By patterns: a point with a region's pattern satisfies the inequalities of its closure (T2).

    A point whose pattern is no region's lies on a wall or within the tolerance of one, and goes to
    a region beside the nearest edge.
    """
    found = np.full(len(points), -1)
    inside = np.flatnonzero(in_window(regions.window, points))
    strings = _strings(regions.packed)
    order = np.argsort(strings)
    strings = strings[order]
    for rows in row_blocks(len(inside)):
        at = inside[rows]
        q = pattern(regions.net, points[at])
        words = [pack(part) for part in split_layers(regions.net, q)]
        wanted = _strings(np.concatenate([np.zeros((len(q), 0), np.uint64), *words], axis=1))
        place = np.minimum(np.searchsorted(strings, wanted), len(strings) - 1)
        found[at] = np.where(strings[place] == wanted, order[place], -1)
    lost = inside[found[inside] < 0]
    found[lost] = _beside_nearest_edge(regions, points[lost])
    return found


def _beside_nearest_edge(regions: Regions, points: Array) -> Indices:
    ends = regions.vertices[regions.edges]
    found = np.empty(len(points), np.intp)
    for rows in row_blocks(len(points), max(1, 2**20 // len(ends))):
        point = np.repeat(np.arange(len(found[rows])), len(ends))
        edge = np.tile(np.arange(len(ends)), len(found[rows]))
        found[rows] = _beside(ends, regions.edge_faces, points[rows], point, edge)
    return found


def _piece(regions: EncodedRegions, points: Array) -> Indices:
    """By geometry: the convex piece on a point's side of the nearest edge, among the pieces in its
    bin of a grid; -1 outside all triangles."""
    sub, cycles = regions.pieces, regions.cycles
    corner = sub.points[sub.edges.ravel()[cycles.half_edge]]
    slack = ROUNDINGS * np.abs(corner).max()
    grid = _bins(np.minimum.reduceat(corner, cycles.start[:-1]) - slack,
                 np.maximum.reduceat(corner, cycles.start[:-1]) + slack)
    ends, beside, degree = sub.points[sub.edges], sub.face.reshape(-1, 2), np.diff(cycles.start)
    found = np.full(len(points), -1)
    for rows in row_blocks(len(points)):
        here = grid.number(points[rows])
        count = np.diff(grid.start)[here]
        some = grid.box[ranges(grid.start[here], count)]
        point = np.repeat(np.repeat(np.arange(len(here)), count), degree[some])
        edge = cycles.half_edge[ranges(cycles.start[some], degree[some])] >> 1
        found[rows][count > 0] = _beside(ends, beside, points[rows], point, edge)
    corners = regions.triangulation.points[regions.triangulation.triangles[regions.triangle[found]]]
    side = np.roll(corners, -1, axis=1) - corners
    distance = cross(side, points[:, None] - corners) / np.hypot(side[..., 0], side[..., 1])
    return np.asarray(np.where((distance >= -slack).all(axis=1), found, -1))


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
    """About as many bins as there are boxes from low to high, (n, 2)."""
    bins = max(1, int(np.sqrt(len(low))))
    grid = _Bins(low.min(axis=0), (high.max(axis=0) - low.min(axis=0)) / bins, bins,
                 np.zeros(0, np.intp), np.zeros(0, np.intp))
    first, last = grid.number(low), grid.number(high)
    wide, tall = last % bins - first % bins + 1, last // bins - first // bins + 1
    box = np.repeat(np.arange(len(low)), wide * tall)
    step = ranges(np.zeros(len(low), np.intp), wide * tall)
    number = first[box] + step % wide[box] + bins * (step // wide[box])
    order = np.argsort(number, kind="stable")
    return grid._replace(start=starts(np.bincount(number, minlength=bins**2)), box=box[order])


def in_window(corners: Array, points: Array) -> Bits:
    """Which points, (n, 2), lie in a convex polygon, or outside it by a few roundings at most."""
    side = np.roll(corners, -1, axis=0) - corners
    distance = cross(side / np.hypot(*side.T)[:, None], points[:, None, :] - corners)
    return np.asarray((distance >= -ROUNDINGS * np.abs(corners).max()).all(axis=1))


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


def _strings(words: Words) -> NDArray[Any]:
    """Each row of words as one string of bytes, to be sorted and searched."""
    if words.shape[1] == 0:
        words = np.zeros((len(words), 1), np.uint64)
    return np.ascontiguousarray(words).view(np.dtype((np.void, 8 * words.shape[1]))).ravel()
