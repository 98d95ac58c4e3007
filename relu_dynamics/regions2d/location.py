"""Which region a point lies in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relu_dynamics.checks import Array, Indices, Words, as_real, check_kind, row_blocks
from relu_dynamics.geometry import cross
from relu_dynamics.mlp import split_layers
from relu_dynamics.patterns import pack, pattern
from relu_dynamics.regions2d.regions import Regions


def locate(regions: Regions, points: ArrayLike) -> Indices:
    """The region of each point, (n, 2): its index, (n,), or -1 outside the window.

    A region is known by its pattern.  A point whose pattern is no region's, because it lies on a
    wall or within the tolerance of one, goes to a region beside it.
    """
    check_kind("regions", regions, Regions)
    points = as_real("points", points, (None, 2), "one point of the plane per row")
    points = points.astype(np.float64)
    corners = regions.window
    side = np.roll(corners, -1, axis=0) - corners
    found = np.full(len(points), -1)
    inside = np.flatnonzero((cross(side, points[:, None, :] - corners) >= 0).all(axis=1))
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
        found[lost[rows]] = _below_edge(regions, points[lost[rows]])
    return found


def _below_edge(regions: Regions, points: Array) -> Indices:
    """The face of each point by geometry: below the first edge above it."""
    points = points + 1e-12 * (regions.window.mean(axis=0) - points)  # off the window's sides
    (ux, uy), (vx, vy) = (regions.vertices[end].T for end in regions.edges.T)
    x, y = points[:, :1], points[:, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        height = uy + (x - ux) / (vx - ux) * (vy - uy) - y
    height[((ux <= x) == (vx <= x)) | (height < 0)] = np.inf
    edge = height.argmin(axis=1)
    return np.asarray(regions.edge_faces[edge, np.where(vx[edge] > ux[edge], 1, 0)])


def _strings(words: Words) -> NDArray[Any]:
    """Each row of words as one string of bytes, to be sorted and searched."""
    if words.shape[1] == 0:
        words = np.zeros((len(words), 1), np.uint64)
    return np.ascontiguousarray(words).view(np.dtype((np.void, 8 * words.shape[1]))).ravel()
