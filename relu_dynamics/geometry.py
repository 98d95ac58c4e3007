"""Convex polygons of the plane, and the one geometric tolerance of the package.

    polygon   (k, 2)                     corners counter-clockwise, strictly convex
    faces     start (F+1,), corner (c,)  the corners of face f, counter-clockwise, are
                                         points[corner[start[f]:start[f+1]]]

A *window* is the convex set in which regions are enumerated: a box ((x0, x1), (y0, y1))
or a convex polygon.  Lengths are compared with the size of the window, the longest side of
its bounding box, and pre-activations with the size of the sums they are computed from;
ratios below TOLERANCE are not distinguished from 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import Array, Bits, Indices, check_area, check_convex, check_corners

SWEEP = np.array([0.6180339887498949, 0.7861513777574233])  # "up"; unlikely to be along a wall
# About 45 roundings: sums of a few hundred products err by less, distinct walls differ by more.
TOLERANCE = 1e-14
ROUNDINGS = 8 * float(np.finfo(np.float64).eps)  # of a coordinate, in a point placed on a line


def check_window(window: ArrayLike) -> Array:
    """The corners of a window, (k, 2), counter-clockwise and strictly convex.

    A clockwise polygon is reversed, and a corner inside a straight side is left out.
    ValueError for a box whose sides do not increase and for a polygon that is
    degenerate, not convex, crosses itself or repeats a corner.

    >>> from relu_dynamics.geometry import check_window
    >>> check_window(((0, 1), (0, 2))).tolist()
    [[0.0, 0.0], [1.0, 0.0], [1.0, 2.0], [0.0, 2.0]]
    """
    corners = check_corners(window)
    with np.errstate(over="ignore", invalid="ignore"):
        area = float(polygon_area(corners))
        check_area(area, np.ptp(corners, axis=0), TOLERANCE)
    if np.shape(window)[0] == 2:  # a box is convex
        return corners
    if area < 0:
        corners = corners[::-1]
    corners = np.ascontiguousarray(corners[np.abs(_turns(corners)) > TOLERANCE])
    check_convex(_turns(corners))
    return corners


def _turns(corners: Array) -> Array:
    """The exterior angle at each corner, in (-pi, pi]; around a convex polygon they sum to 2 pi."""
    side = np.roll(corners, -1, axis=0) - corners
    side = side / np.hypot(*side.T)[:, None]
    back = np.roll(side, 1, axis=0)
    return np.arctan2(cross(back, side), (back * side).sum(axis=1))  # type: ignore[no-any-return]


def cross(a: Array, b: Array) -> Array:
    """a x b for rows of (n, 2): positive where b points to the left of a."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def polygon_area(corners: Array) -> Any:
    """The signed area of a polygon, positive if counter-clockwise."""
    arm = corners - corners[0]
    return cross(arm[:-1], arm[1:]).sum() / 2


def face_areas(points: Array, start: Indices, corner: Indices) -> Array:
    """The signed area of every face, (F,).

    A sum of triangles from the face's first corner, so that thin faces keep their sign.
    """
    degree = np.diff(start)
    x, y = points[:, 0].take(corner), points[:, 1].take(corner)
    x -= np.repeat(x.take(start[:-1]), degree)
    y -= np.repeat(y.take(start[:-1]), degree)
    triangle = np.zeros(len(corner))
    # 0 between the last corner of a face and the first of the next, which is at the origin
    triangle[:-1] = x[:-1] * y[1:] - y[:-1] * x[1:]
    return np.add.reduceat(triangle, start[:-1]) / 2


def face_means(points: Array, start: Indices, corner: Indices) -> Array:
    """The mean of the corners of every face, (F, 2): a point inside it."""
    sums = np.add.reduceat(points.take(corner, axis=0), start[:-1], axis=0)
    return np.asarray(sums / np.diff(start)[:, None])


# ------------------------------------------------------------------ subdivisions


class Subdivision(NamedTuple):
    """A window cut into convex faces, as half-edges.

    Edge e is the half-edges 2e, from edges[e, 0] to edges[e, 1], and 2e + 1, back.  The
    face of a half-edge lies to its left and is -1 outside the window.
    """

    points: Array     # (v, 2)
    edges: Indices    # (e, 2) vertices
    next: Indices     # (2e,) the half-edge that follows around the face; unused outside
    face: Indices     # (2e,)
    owner: Indices    # (e,) which wall the edge is part of; negative: an edge there at the start
    rising: Bits      # (e,) whether the line that contains the edge goes up, along SWEEP


class Cycles(NamedTuple):
    """The half-edges of face f, counter-clockwise: half_edge[start[f]:start[f+1]]."""

    start: Indices
    half_edge: Indices


def window_subdivision(corners: Array) -> tuple[Subdivision, Cycles]:
    """The window as one face."""
    k = len(corners)
    i = np.arange(k)
    edges = np.stack([i, (i + 1) % k], axis=1)
    following = np.stack([2 * ((i + 1) % k), 2 * ((i - 1) % k) + 1], axis=1).ravel()
    rising = (corners[edges[:, 1]] - corners) @ SWEEP > 0
    sub = Subdivision(corners, edges, following, np.tile([0, -1], k), -1 - i, rising)
    return sub, Cycles(np.array([0, k]), 2 * i)


def walk(following: Indices, first: Indices) -> Cycles | None:
    """The cycles of the map `following` through first[0], first[1], ...

    None if they have more steps than there are half-edges.  All faces advance together, so the
    number of rounds is the number of corners of the largest face.
    """
    face, at = np.arange(len(first)), first
    degree = np.zeros(len(first), np.intp)
    rounds = []
    steps = 0
    while len(face):
        rounds.append((face, at))
        degree[face] += 1
        steps += len(face)
        if steps > len(following):
            return None
        at = following.take(at)
        on = np.flatnonzero(at != first.take(face))
        face, at = face.take(on), at.take(on)
    start = starts(degree)
    half_edge = np.empty(steps, np.intp)
    for k, (face, at) in enumerate(rounds):
        half_edge[start.take(face) + k] = at
    return Cycles(start, half_edge)


def starts(count: Indices) -> Indices:
    """(k+1,): where each of k runs of these lengths starts, end to end, and where the last ends."""
    start = np.zeros(len(count) + 1, np.intp)
    np.cumsum(count, out=start[1:])
    return start


def ranges(start: Indices, count: Indices) -> Indices:
    """start[0], ..., start[0] + count[0] - 1, start[1], ... in one array."""
    begin = starts(count)
    return np.arange(begin[-1]) + np.repeat(start - begin[:-1], count)


def cut_by_signs(
    sub: Subdivision, faces: int, z: Array, owner: int
) -> tuple[Subdivision, Array, Indices, Bits] | None:
    """The subdivision cut by a wall z = 0, from z at the vertices, exactly 0 on the wall.

    Returns (refined subdivision, crossings, parent, positive).  New vertices, one per
    row (u, v, t) of crossings, lie at u + t (v - u).  Faces keep their number; a face with
    corners of both signs keeps it for its negative part, and the positive parts come last.
    parent is the number of the face before the cut, positive says on which side the face
    lies.  Only signs decide, so vertices that nearly coincide cause no error.  None if a
    face has more than one run of a sign, which a line cannot cause in a convex face.
    """
    sub, crossings, sign = _split_edges(sub, z)
    origin = sub.edges.ravel()
    here = sign.take(origin)
    there = here.take(sub.next)
    inside = sub.face >= 0
    has = np.zeros((2, faces), np.bool_)
    for row, side in enumerate((here > 0, here < 0)):
        has[row, sub.face[inside & side]] = True
    both = has[0] & has[1]
    parents = np.flatnonzero(both)
    cut = inside & both.take(sub.face)  # face -1 reads the last face, and inside removes it again
    leaving = np.flatnonzero(cut & (here > 0) & (there == 0))
    entering = np.flatnonzero(cut & (here == 0) & (there > 0))
    before = np.empty(len(origin), np.intp)
    before[sub.next] = np.arange(len(origin))
    last_on, first_on = np.empty(faces, np.intp), np.empty(faces, np.intp)
    last_on[sub.face[leaving]], first_on[sub.face[entering]] = leaving, entering
    if not len(leaving) == len(entering) == len(parents):
        return None
    # The new half-edge goes from where the boundary leaves the positive side to where it returns.
    last_on, first_on = last_on[parents], first_on[parents]
    first_off, last_off = sub.next[last_on], before[first_on]
    new = len(origin) + 2 * np.arange(len(parents))
    following = np.concatenate([sub.next, np.stack([first_on, first_off], axis=1).ravel()])
    following[last_on], following[last_off] = new, new + 1
    number = np.arange(faces)
    number[parents] = faces + np.arange(len(parents))
    on = cut & ((here > 0) | (there > 0))
    face = sub.face.copy()
    face[on] = number[face[on]]
    chords = np.stack([origin[first_off], origin[first_on]], axis=1)
    refined = Subdivision(
        sub.points, np.concatenate([sub.edges, chords]), following,
        np.concatenate([face, np.stack([number[parents], parents], axis=1).ravel()]),
        np.concatenate([sub.owner, np.full(len(parents), owner)]),
        np.concatenate([sub.rising, np.zeros(len(parents), np.bool_)]))
    parent = np.concatenate([np.arange(faces), parents])
    return refined, crossings, parent, np.concatenate([has[0] & ~both, both[parents]])


def _split_edges(sub: Subdivision, z: Array) -> tuple[Subdivision, Array, Array]:
    """Put a vertex on every edge with ends of opposite sign.

    Returns the subdivision, the crossings (u, v, t), and the signs of all vertices.
    """
    u, v = sub.edges.T
    e = np.flatnonzero(np.sign(z).take(u) * np.sign(z).take(v) < 0)
    k, half = len(e), len(sub.next)
    t = z[u[e]] / (z[u[e]] - z[v[e]])
    crossing = sub.points[u[e]] + t[:, None] * (sub.points[v[e]] - sub.points[u[e]])
    points = np.concatenate([sub.points, crossing])
    x = len(sub.points) + np.arange(k)
    edges = np.concatenate([sub.edges, np.stack([x, v[e]], axis=1)])
    edges[e, 1] = x
    second = half + 2 * np.arange(k)  # from the new vertex to v, and + 1 back
    first_of, last_of = np.arange(half), np.arange(half)
    first_of[2 * e + 1], last_of[2 * e] = second + 1, second
    following = np.empty(half + 2 * k, np.intp)
    following[last_of] = first_of[sub.next]
    following[2 * e], following[second + 1] = second, 2 * e + 1
    face = np.concatenate(
        [sub.face, np.stack([sub.face[2 * e], sub.face[2 * e + 1]], axis=1).ravel()])
    owner, rising = (np.concatenate([a, a[e]]) for a in (sub.owner, sub.rising))
    split = Subdivision(points, edges, following, face, owner, rising)
    return split, np.stack([u[e], v[e], t], axis=1), np.concatenate([np.sign(z), np.zeros(k)])
