"""Where walls come so close to each other that interpolation may hide or invent a region.

To first order an interpolated pre-activation is off by its derivative along the error of the
inputs.  In a triangle this error is a sum of three bumps, 4 times the product of two barycentric
coordinates, each with the height that it has in the middle of one side.  At the corners it is 0;
what may happen near one is told by the middle of the longest side.  So let

    shift = 2 |dz (the error of the inputs there)|.

While the true inputs replace the interpolated ones, little by little, the arrangement of walls
changes when a third wall passes a crossing of two, when two walls touch, or when a wall is born.
So a triangle is a *close call* where |z| is below shift

    at a crossing of two walls, for a third unit,
    where a wall crosses a side, for a unit whose wall it does not cross in the triangles there (at
    the window's side: for any other unit, for a crossing may leave the window), or
    at a corner, for a unit with no wall in the triangles there.
"""

from __future__ import annotations

import numpy as np

from relu_dynamics.checks import Array, Bits, Indices, row_blocks
from relu_dynamics.geometry import TOLERANCE, cross, ranges, starts
from relu_dynamics.mlp import MLP
from relu_dynamics.regions2d.found import Found, roots
from relu_dynamics.regions2d.start import Start, inputs_at


MARGIN = 2.0  # times the error to first order


def close_calls(net: MLP, start: Start, found: Found, errors: Array, sides: Indices) -> Bits:
    """(t,) which starting triangles are close calls.

    errors, (t, 3, m[0]), are those of the inputs in the middle of the sides of each, from corner 0
    to 1, from 1 to 2 and from 2 to 0; sides are the starting edges along the window's sides.
    """
    sub = found.complex
    units = sum(len(b) for b in net.biases[:-1])
    of_face = roots(found.layers, np.arange(found.faces))
    half = np.flatnonzero(sub.face >= 0)
    half = half[np.argsort(sub.edges.ravel()[half], kind="stable")]  # by the vertex they start at
    begin = starts(np.bincount(sub.edges.ravel()[half], minlength=len(sub.points)))
    around = of_face[sub.face[half]]  # so the triangles at vertex v are around[begin[v]:begin[v+1]]

    first, second = _walls_at_vertices(sub.edges, sub.owner, len(sub.points))
    on_side = np.zeros(len(sub.points), np.bool_)
    on_side[sub.edges[sub.owner < 0]] = True
    crossing = ~on_side & (first < second)
    home = around[begin[:-1]]
    vertex, unit = _near(net, start, found, errors, home, first, second)

    owner, face = np.repeat(sub.owner, 2), sub.face
    wall = (owner >= 0) & (face >= 0)
    present = np.unique(of_face[face[wall]] * units + owner[wall])
    pairs = np.unique((home[crossing] * units + first[crossing]) * units + second[crossing])
    count = np.diff(begin)[vertex]
    call, t = np.repeat(np.arange(len(vertex)), count), around[ranges(begin[vertex], count)]
    u, other = unit[call], first[vertex[call]]
    pair = (t * units + np.minimum(u, other)) * units + np.maximum(u, other)
    harmless = np.where(other < 0, np.isin(t * units + u, present), np.isin(pair, pairs))
    close = np.ones(len(vertex), np.bool_)
    window = np.zeros(len(sub.points), np.bool_)
    window[sub.edges[np.isin(-1 - sub.owner, sides)]] = True
    close[call[harmless & ~(crossing | window)[vertex[call]]]] = False
    calls = np.zeros(len(errors), np.bool_)
    calls[home[vertex[close]]] = True
    return calls


def _walls_at_vertices(edges: Indices, owner: Indices, n: int) -> tuple[Indices, Indices]:
    """(n,) the first and the last unit whose wall passes each vertex; -1 if none."""
    wall = owner >= 0
    first, last = np.full(n, np.iinfo(np.intp).max), np.full(n, -1)
    for end in edges[wall].T:
        np.minimum.at(first, end, owner[wall])
        np.maximum.at(last, end, owner[wall])
    return np.where(last < 0, -1, first), last


def _near(net: MLP, start: Start, found: Found, errors: Array, triangle: Indices, first: Indices,
          second: Indices) -> tuple[Indices, Indices]:
    """Vertices, and units whose |z| is below shift there, other than those whose walls pass."""
    vertices, units = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)]
    for rows in row_blocks(len(triangle), 1024):
        points, t = found.complex.points[rows], triangle[rows]
        h, at = inputs_at(start, points, t), 0
        d = (_heights(start, points, t)[:, None] @ errors[t])[:, 0].astype(np.float32)
        for W, b, scale in zip(net.weights[:-1], net.biases[:-1], found.scales, strict=True):
            z, dz = h @ W.T + b, d @ W.T.astype(np.float32)  # no digit of dz matters
            shift = MARGIN * np.abs(dz)
            for own in (first[rows] - at, second[rows] - at):
                here = np.flatnonzero((own >= 0) & (own < len(b)))
                z[here, own[here]] = 0
            size = np.abs(z)
            near = (size < shift) & (size > max(found.level, TOLERANCE) * scale)
            vertex, unit = np.nonzero(near)
            vertices.append(rows.start + vertex)
            units.append(at + unit)
            h, d, at = np.maximum(z, 0), dz * (z > 0), at + len(b)
    return np.concatenate(vertices), np.concatenate(units)


def _heights(start: Start, points: Array, triangle: Indices) -> Array:
    """(n, 3) how high the bump of each side is at points of triangles."""
    corners = start.places[triangle]
    after = np.roll(corners, -1, axis=1)
    across = cross(after - corners, points[:, None] - corners)  # over the side from corner k
    weight = across / across.sum(axis=1, keepdims=True)         # of the opposite corner
    heights = 4 * np.roll(weight, -1, axis=1) * np.roll(weight, 1, axis=1)
    side = np.hypot(*np.moveaxis(after - corners, 2, 0))
    corner = np.flatnonzero(weight.max(axis=1) > 1 - 1e-9)
    heights[corner, side[corner].argmax(axis=1)] = 1
    return np.asarray(heights)
