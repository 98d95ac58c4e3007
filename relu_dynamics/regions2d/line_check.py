"""Lines of a triangulation, along which the regions of an encoding are known without it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relu_dynamics.checks import Array, Bits, Indices, one_line
from relu_dynamics.encoding import Coordinates, Sinusoids
from relu_dynamics.geometry import Subdivision, cross
from relu_dynamics.mlp import MLP
from relu_dynamics.regions1d import regions_on_encoded_segment
from relu_dynamics.regions2d.triangulation import Triangulation

LINES = 16      # at most
ALIGNED = 1e-7  # directions and offsets of one line differ by less, the window being of size 1


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

    def __repr__(self) -> str:
        return one_line(self)


def check_lines(net: MLP, encoding: Coordinates | Sinusoids, mesh: Triangulation,
                sub: Subdivision) -> LineCheck:
    """The walls found, sub, on some of the longest lines of mesh."""
    vertex, edge, unit = _walls_on_edges(sub)
    ends, same, count, distance = [], [], [], 0.0
    for edges in _long_lines(mesh):
        corners = mesh.points[mesh.edges[edges]].reshape(-1, 2)
        along = (corners - corners[0]) @ (corners[1] - corners[0])
        a, b = corners[along.argmin()], corners[along.argmax()]
        here = np.isin(edge, edges)
        t = (sub.points[vertex[here]] - a) @ (b - a) / ((b - a) @ (b - a))
        order = np.argsort(t)
        found, true = unit[here][order], regions_on_encoded_segment(net, encoding, a, b)
        ends.append((a, b))
        count.append((len(found), len(true.owner)))
        same.append((np.array_equal(np.sort(found), np.sort(true.owner)),
                     np.array_equal(found, true.owner)))
        if same[-1][1]:
            off = np.abs(t[order] - true.t[1:-1]).max(initial=0)
            distance = max(distance, float(off * np.hypot(*(b - a))))
    (walls, exact), (units, in_order) = np.transpose(count), np.transpose(same)
    return LineCheck(np.array(ends), walls, exact, units, in_order, distance)


def _walls_on_edges(sub: Subdivision) -> tuple[Indices, Indices, Indices]:
    """Vertices at which a wall crosses an edge of the triangulation, that edge, and the unit."""
    edge = np.full(len(sub.points), -1)
    part = sub.owner < 0
    edge[sub.edges[part]] = -1 - sub.owner[part, None]
    vertex, owner = sub.edges[~part].ravel(), np.repeat(sub.owner[~part], 2)
    vertex, one = np.unique(vertex[edge[vertex] >= 0], return_index=True)
    return vertex, edge[vertex], owner[edge[sub.edges[~part].ravel()] >= 0][one]


def _long_lines(mesh: Triangulation) -> list[Indices]:
    """Edges that make a straight line without gaps, for some of those that are half as long as the
    longest at least."""
    size = float(np.ptp(mesh.points, axis=0).max())
    u, v = (mesh.points[end] / size for end in mesh.edges.T)
    along = (v - u) / np.hypot(*(v - u).T)[:, None]
    along *= np.where(along @ [1, ALIGNED] < 0, -1, 1)[:, None]
    low, high = np.sort([np.vecdot(u, along), np.vecdot(v, along)], axis=0)
    place = np.round(np.column_stack([along, cross(along, u)]) / ALIGNED)
    _, line = np.unique(place, axis=0, return_inverse=True)
    order = np.lexsort((low, line))
    gap = (np.diff(line[order]) > 0) | (low[order[1:]] - high[order[:-1]] > ALIGNED)
    lines = np.split(order, 1 + np.flatnonzero(gap))
    long = np.array([(high - low)[edges].sum() for edges in lines])
    some = np.flatnonzero(long >= long.max() / 2)
    return [lines[k] for k in some[np.unique(np.linspace(0, len(some) - 1, LINES).astype(int))]]
