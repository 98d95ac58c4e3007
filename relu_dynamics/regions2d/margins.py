"""Where walls come so close to each other that interpolation may hide or invent a region.

To first order an interpolated pre-activation is off by its derivative along the error of the
inputs.  In a triangle this error is a sum of three bumps, 4 times the product of two barycentric
coordinates, each with the height that it has in the middle of one side.  At the corners it is 0;
what may happen near one is told by the middle of the longest side.  Derivatives are those in the
middle of the triangle; where walls bend in it they are right to some tens of per cent.

While the true inputs replace the interpolated ones, little by little, a crossing of two walls
moves, to first order, by the dx for which z + dz + dx . grad z stays 0 for both units, and where a
wall crosses a side, along the side.  The arrangement of walls changes when a third wall passes a
crossing of two, when two walls touch, or when a wall is born.  So a triangle is a *close call*
where |z| is below |dz| + |dx . grad z|

    at a crossing of two walls, for a third unit,
    where a wall crosses a side, for a unit whose wall it crosses on neither side of it or on both
    (at the window's side, for any other unit: a crossing may leave the window), or
    at a corner, for a unit with no wall in the triangles there.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from relu_dynamics.checks import Array, Bits, Indices, row_blocks
from relu_dynamics.geometry import TOLERANCE, cross, ranges, starts
from relu_dynamics.mlp import MLP
from relu_dynamics.patterns import rows_times
from relu_dynamics.regions2d.enumeration import (
    Found, Start, barycentric, gradients, preactivations,
)

ROWS = 1024  # vertices at a time


def close_calls(net: MLP, start: Start, found: Found, errors: Array, sides: Indices) -> Bits:
    """(t,) which starting triangles are close calls.

    errors, (t, 3, m[0]), are those of the inputs in the middle of the sides of each, from corner 0
    to 1, from 1 to 2 and from 2 to 0; sides are the starting edges along the window's sides.
    """
    sub, units = found.complex, len(found.scale)
    calls = np.zeros(len(errors), np.bool_)
    if not units:
        return calls
    triangle = found.faces.root[sub.face]  # of every half-edge
    at, around = np.divmod(np.unique(
        (sub.edges.ravel() * len(errors) + triangle)[sub.face >= 0]), len(errors))
    begin = starts(np.bincount(at, minlength=len(sub.points)))  # of the triangles at each vertex
    first, second = _walls_at_vertices(sub.edges, sub.owner, len(sub.points))
    on_side = np.zeros(len(sub.points), np.bool_)
    on_side[sub.edges[sub.owner < 0]] = True
    crossing, home = ~on_side & (first < second), around[begin[:-1]]
    vertex, unit = _near(net, start, found, errors, home, on_side, first, second)

    # in how many of the triangles at a vertex its wall and the unit's cross, or there is the unit's
    count = np.diff(begin)[vertex]
    call, t = np.repeat(np.arange(len(vertex)), count), around[ranges(begin[vertex], count)]
    crosses = np.isin(_pair(t, first[vertex[call]], unit[call], units),
                      _pair(home[crossing], first[crossing], second[crossing], units))
    owner = np.repeat(sub.owner, 2)
    wall = (owner >= 0) & (sub.face >= 0)
    passes = np.isin(t * units + unit[call], triangle[wall] * units + owner[wall])
    met, seen = (np.bincount(call[there], minlength=len(vertex)) for there in (crosses, passes))
    window = np.isin(vertex, sub.edges[np.isin(-1 - sub.owner, sides)])
    close = crossing[vertex] | np.where(first[vertex] < 0, seen == 0, window | (met != 1))
    calls[home[vertex[close]]] = True
    return calls


def _pair(triangle: Indices, unit: Indices, other: Indices, units: int) -> Indices:
    """One number for two units, in either order, in a triangle."""
    low, high = np.minimum(unit, other), np.maximum(unit, other)
    return (triangle * units + low) * units + high


def _walls_at_vertices(edges: Indices, owner: Indices, n: int) -> tuple[Indices, Indices]:
    """(n,) the first and the last unit whose wall passes each vertex; -1 if none."""
    wall = owner >= 0
    first, last = np.full(n, np.iinfo(np.intp).max), np.full(n, -1)
    for end in edges[wall].T:
        np.minimum.at(first, end, owner[wall])
        np.maximum.at(last, end, owner[wall])
    return np.where(last < 0, -1, first), last


def _near(net: MLP, start: Start, found: Found, errors: Array, triangle: Indices, on_side: Bits,
          first: Indices, second: Indices) -> tuple[Indices, Indices]:
    """Vertices, and units whose |z| is as small there as said above, but not 0 as on their walls.

    Sides 0, 1 and 2 of a triangle are numbered after the hidden units, as walls that stay.
    """
    least = max(found.level, TOLERANCE) * found.scale
    vertices, units = [np.zeros(0, np.intp)], [np.zeros(0, np.intp)]
    order = np.argsort(triangle, kind="stable")
    for rows in row_blocks(len(order), ROWS):
        at = order[rows]
        t, u, v = triangle[at], first[at], second[at]
        weight = barycentric(start.places[t], found.complex.points[at])
        side = len(least) + (weight.argmin(axis=1) + 1) % 3
        corner = u < 0  # two sides meet there: any two
        u, v = np.where(corner, len(least), u), np.where(
            corner, len(least) + 1, np.where(on_side[at] & (u == v), side, v))
        here, t_here = np.unique(t, return_inverse=True)
        D = _derivatives(net, start, errors, here)
        d = _combined(D, t_here, range(3), _heights(start.places[t], weight))
        move = _displacement(d, D, t_here, u, v)
        shift = np.abs(d) + np.abs(_combined(D, t_here, range(3, 5), move))
        h = (weight[:, None] @ start.frames[t])[:, 0]
        z = preactivations(net, h.astype(np.float32))
        some = np.flatnonzero(np.abs(z, out=z) < shift[:, :-3])  # faster than nonzero
        row, unit = np.divmod(some, len(least))
        few, again = np.unique(row, return_inverse=True)
        near = np.abs(preactivations(net, h[few])[again, unit]) > least[unit]
        vertices.append(at[row[near]])
        units.append(unit[near])
    return np.concatenate(vertices), np.concatenate(units)


def _derivatives(net: MLP, start: Start, errors: Array, triangle: Indices) -> Array:
    """(t, 5, H + 3) of z in the middle of triangles, in float32: along the errors in the middle of
    their sides, and by x_1 and x_2.  For sides, z is the barycentric coordinate that is 0 there."""
    places, frames = start.places[triangle], start.frames[triangle]
    h, along = frames.mean(axis=1), gradients(places, frames)
    d = np.concatenate([errors[triangle], along], axis=1).astype(np.float32)
    slopes: list[Array] = []
    for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        z, d = h @ W.T + b, rows_times(d, W.T.astype(np.float32))
        slopes.append(d)
        h, d = np.maximum(z, 0), d * (z > 0)[:, None]
    opposite = np.eye(3)[:, [2, 0, 1]]
    sides = np.insert(gradients(places, opposite), [0, 0, 0], 0, axis=1).astype(np.float32)
    return np.concatenate([*slopes, sides], axis=2)


def _combined(D: Array, triangle: Indices, rows: range, by: Array) -> Array:
    """(n, H + 3) sums of some rows of D in the given triangles, times by, (n, rows)."""
    column = D.shape[1] * triangle[:, None] + np.array(rows)
    begin = len(rows) * np.arange(len(by) + 1)
    factors = csr_array((by.astype(D.dtype).ravel(), column.ravel(), begin),
                        shape=(len(by), D.shape[0] * D.shape[1]))
    return np.asarray(factors @ D.reshape(-1, D.shape[2]))


def _displacement(dz: Array, D: Array, triangle: Indices, u: Indices, v: Indices) -> Array:
    """(n, 2) how far vertices move so that z of both units stays 0."""
    every = np.arange(len(u))
    a, b = (np.column_stack([dz[every, unit], D[triangle, 3, unit], D[triangle, 4, unit]])
            .astype(np.float64) for unit in (u, v))
    with np.errstate(divide="ignore", invalid="ignore"):
        dx = b[:, :1] * a[:, [2, 1]] - a[:, :1] * b[:, [2, 1]]
        dx /= cross(a[:, 1:], b[:, 1:])[:, None]
    return np.asarray(np.nan_to_num(dx * [1, -1], nan=1e9, posinf=1e9, neginf=-1e9))


def _heights(corners: Array, weight: Array) -> Array:
    """(n, 3) how high the bump of each side is at points of triangles."""
    heights = 4 * weight * np.roll(weight, -1, axis=1)
    side = np.hypot(*np.moveaxis(np.roll(corners, -1, axis=1) - corners, 2, 0))
    corner = np.flatnonzero(weight.max(axis=1) > 1 - 1e-9)
    heights[corner, side[corner].argmax(axis=1)] = 1
    return np.asarray(heights)
