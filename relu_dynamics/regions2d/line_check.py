"""Lines of a triangulation, along which the regions of an encoding are known without it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relu_dynamics.checks import Array, Bits, Indices, printed
from relu_dynamics.encoding import Coordinates, Sinusoids
from relu_dynamics.geometry import Subdivision, cross
from relu_dynamics.mlp import MLP
from relu_dynamics.regions1d import regions_on_encoded_segment
from relu_dynamics.regions2d.triangulation import Triangulation, window_sides

LINES = 16      # at most
ALIGNED = 1e-7  # directions and offsets of one line differ by less, the window being of size 1


@printed
class LineCheck(NamedTuple):
    """Walls on lines of the triangulation, compared with regions_on_encoded_segment.

    Walls in another order cross near the line: such a crossing is on its other side, which changes
    no region.
    """

    ends: Array      # (lines, 2, 2)
    walls: Indices   # (lines,) how many walls cross the line, as found in the plane
    exact: Indices   # (lines,) and along the line
    units: Bits      # (lines,) whether they are walls of the same units, as often,
    order: Bits      # (lines,) and in the same order
    distance: float  # of a wall from its true place, at most, on lines in the same order


def check_lines(net: MLP, encoding: Coordinates | Sinusoids, mesh: Triangulation,
                sub: Subdivision) -> LineCheck:
    """The walls found, sub, on some of the longest lines of mesh, but for the window's sides."""
    ends, same, count, distance = [], [], [], 0.0
    for edges in _long_lines(mesh):
        corners = mesh.points[mesh.edges[edges]].reshape(-1, 2)
        along = (corners - corners[0]) @ (corners[1] - corners[0])
        a, b = corners[along.argmin()], corners[along.argmax()]
        t, unit = walls_across(sub.points, sub.edges, sub.owner, a, b)
        true = regions_on_encoded_segment(net, encoding, a, b)
        ends.append((a, b))
        count.append((len(unit), len(true.owner)))
        same.append((np.array_equal(np.sort(unit), np.sort(true.owner)),
                     np.array_equal(unit, true.owner)))
        if same[-1][1]:
            off = np.abs(t - true.t[1:-1]).max(initial=0)
            distance = max(distance, float(off * np.hypot(*(b - a))))
    (walls, exact), (units, in_order) = np.transpose(count), np.transpose(same)
    return LineCheck(np.array(ends), walls, exact, units, in_order, distance)


def walls_across(points: Array, edges: Indices, owner: Indices, a: Array, b: Array,
                 ) -> tuple[Array, Indices]:
    """Where the segment from a to b crosses walls, t in (0, 1) increasing, and their units.

    Which side of it a vertex on it counts to does not matter: where a wall goes on, it is crossed
    once.
    """
    side = cross(b - a, points - a)
    wall = np.flatnonzero(owner >= 0)
    u, v = edges[wall].T
    cut = np.flatnonzero((side[u] > 0) != (side[v] > 0))
    u, v = u[cut], v[cut]
    place = points[u] + (side[u] / (side[u] - side[v]))[:, None] * (points[v] - points[u])
    t = ((place - a) @ (b - a)) / ((b - a) @ (b - a))
    order = np.argsort(t)
    order = order[(t[order] > 0) & (t[order] < 1)]
    return t[order], owner[wall[cut[order]]]


def _long_lines(mesh: Triangulation) -> list[Indices]:
    """Edges inside the window that make a straight line without gaps, for some of those that are
    half as long as the longest at least."""
    size = float(np.ptp(mesh.points, axis=0).max())
    inside = np.setdiff1d(np.arange(len(mesh.edges)), window_sides(mesh))
    u, v = (mesh.points[end] / size for end in mesh.edges[inside].T)
    along = (v - u) / np.hypot(*(v - u).T)[:, None]
    along *= np.where(along @ [1, ALIGNED] < 0, -1, 1)[:, None]
    low, high = np.sort([np.vecdot(u, along), np.vecdot(v, along)], axis=0)
    place = np.round(np.column_stack([along, cross(along, u)]) / ALIGNED)
    _, line = np.unique(place, axis=0, return_inverse=True)
    order = np.lexsort((low, line))
    gap = (np.diff(line[order]) > 0) | (low[order[1:]] - high[order[:-1]] > ALIGNED)
    lines = np.split(order, 1 + np.flatnonzero(gap))
    long = np.bincount(np.cumsum(np.insert(gap, 0, 0)), (high - low)[order])
    some = np.flatnonzero(long >= long.max() / 2)
    chosen = np.unique(np.linspace(0, len(some) - 1, LINES).astype(np.intp))
    return [inside[lines[k]] for k in some[chosen]]
