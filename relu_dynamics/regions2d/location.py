"""Which region a point lies in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relu_dynamics.checks import Array, Bits, Indices, Words, as_real, check_kind, row_blocks
from relu_dynamics.geometry import ROUNDINGS, cross
from relu_dynamics.mlp import split_layers
from relu_dynamics.patterns import pack, pattern
from relu_dynamics.regions2d.regions import Regions


def locate(regions: Regions, points: ArrayLike) -> Indices:
    """The region of each point, (n, 2): its index, (n,), or -1 outside the window.

    A region is known by its pattern: a point with the pattern of a region satisfies, up to
    rounding, the inequalities of that region's closure (T2).  A point whose pattern is no region's
    lies on a wall or within the tolerance of one, and goes to a region beside the nearest edge.
    Points outside the window by no more than rounding count as inside.
    """
    check_kind("regions", regions, Regions)
    points = as_real("points", points, (None, 2), "one point of the plane per row")
    points = points.astype(np.float64)
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
    for rows in row_blocks(len(lost), max(1, 2**20 // len(regions.edges))):
        found[lost[rows]] = _beside_nearest_edge(regions, points[lost[rows]])
    return found


def in_window(corners: Array, points: Array) -> Bits:
    """Which points, (n, 2), lie in a convex polygon, or outside it by a few roundings at most."""
    side = np.roll(corners, -1, axis=0) - corners
    distance = cross(side / np.hypot(*side.T)[:, None], points[:, None, :] - corners)
    return np.asarray((distance >= -ROUNDINGS * np.abs(corners).max()).all(axis=1))


def _beside_nearest_edge(regions: Regions, points: Array) -> Indices:
    """The face of each point by geometry: on its side of the nearest edge; none is between."""
    u, v = (regions.vertices[end] for end in regions.edges.T)
    arm, along = points[:, None] - u, v - u
    share = np.clip((arm * along).sum(axis=2) / (along**2).sum(axis=1), 0, 1)
    off = arm - share[..., None] * along
    edge = (off**2).sum(axis=2).argmin(axis=1)
    right = cross(along[edge], arm[np.arange(len(points)), edge]) < 0
    faces = regions.edge_faces[edge]
    face = np.where(right, faces[:, 1], faces[:, 0])
    return np.asarray(np.where(face < 0, faces.max(axis=1), face))  # a side has one face


def _strings(words: Words) -> NDArray[Any]:
    """Each row of words as one string of bytes, to be sorted and searched."""
    if words.shape[1] == 0:
        words = np.zeros((len(words), 1), np.uint64)
    return np.ascontiguousarray(words).view(np.dtype((np.void, 8 * words.shape[1]))).ravel()
