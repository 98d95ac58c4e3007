"""Where an enumeration begins: a window as one face, or triangles with inputs at their corners."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relu_dynamics.checks import Array, Indices
from relu_dynamics.geometry import SWEEP, Cycles, Subdivision, cross, window_subdivision
from relu_dynamics.mlp import MLP


class Start(NamedTuple):
    """Convex faces, and on each of them the network's inputs as an affine function of the plane."""

    complex: Subdivision  # the owner of starting edge k is -1 - k, and so is that of its parts
    cycles: Cycles
    inputs: Array  # (v, m[0]) at its vertices
    places: Array  # (F, 3, 2) three points of the plane for each face,
    frames: Array  # (F, 3, m[0]) and the inputs that the face's affine function has there


def window_start(corners: Array) -> Start:
    """The network's inputs are the plane's coordinates: the identity."""
    identity = np.array([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    return Start(*window_subdivision(corners), corners, identity, identity)


def triangles_start(points: Array, triangles: Indices, inputs: Array, edge: Indices) -> Start:
    """Triangles (t, 3), counter-clockwise, of all the points, (v, 2), with inputs (v, m[0]).

    edge, (t, 3), numbers the sides (0, 1), (1, 2), (2, 0); the two triangles at a side agree.
    """
    number, edge = np.unique(edge, return_inverse=True)
    u, v = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    back = u > v  # half-edge 2e runs from the lower vertex to the higher one
    half = (2 * edge.ravel() + back).reshape(-1, 3)
    ends = np.empty((len(number), 2), np.intp)
    ends[edge.ravel()] = np.sort(np.stack([u, v], axis=1), axis=1)
    face = np.full(2 * len(number), -1)
    face[half] = np.arange(len(triangles))[:, None]
    following = np.empty(len(face), np.intp)
    following[half] = np.roll(half, -1, axis=1)
    outside = np.flatnonzero(face < 0)
    origin, end = ends.ravel(), ends[:, ::-1].ravel()
    following[outside[np.argsort(end[outside], kind="stable")]] = outside[
        np.argsort(origin[outside], kind="stable")]
    rising = (points[ends[:, 1]] - points[ends[:, 0]]) @ SWEEP > 0
    sub = Subdivision(points, ends, following, face, -1 - number, rising)
    cycles = Cycles(3 * np.arange(len(triangles) + 1), half.ravel())
    return Start(sub, cycles, inputs, points[triangles], inputs[triangles])


def inputs_at(start: Start, points: Array, face: Indices) -> Array:
    """(n, m[0]) what the affine function of the given starting face is at each point."""
    p0, p1, p2 = (start.places[face, k] for k in range(3))
    whole = cross(p1 - p0, p2 - p0)
    s, t = cross(points - p0, p2 - p0) / whole, cross(p1 - p0, points - p0) / whole
    f0, f1, f2 = (start.frames[face, k] for k in range(3))
    return np.asarray((1 - s - t)[:, None] * f0 + s[:, None] * f1 + t[:, None] * f2)


def barycentric(corners: Array, points: Array) -> Array:
    """(n, 3) the weights that make each point of the corners of a triangle, (n, 3, 2)."""
    side = np.roll(corners, -1, axis=1) - corners
    across = np.roll(cross(side, points[:, None] - corners), -1, axis=1)  # over the opposite side
    return np.asarray(across / across.sum(axis=1, keepdims=True))


def preactivations(net: MLP, h: Array) -> Array:
    """(n, H) z of all hidden units, in the precision of the inputs h."""
    all_z, at = np.empty((len(h), sum(len(b) for b in net.biases[:-1])), h.dtype), 0
    for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        z = h @ W.T.astype(h.dtype, copy=False) + b.astype(h.dtype, copy=False)
        all_z[:, at : (at := at + len(b))] = z
        h = np.maximum(z, 0, out=z)
    return all_z


def gradients(start: Start, face: Indices) -> Array:
    """(n, 2, m[0]) the derivatives of that function in x_1 and x_2."""
    (p0, p1, p2), (f0, f1, f2) = (np.moveaxis(three[face], 1, 0)
                                  for three in (start.places, start.frames))
    (x1, y1), (x2, y2), f1, f2 = (p1 - p0).T, (p2 - p0).T, f1 - f0, f2 - f0
    rows = np.stack([y2[:, None] * f1 - y1[:, None] * f2, x1[:, None] * f2 - x2[:, None] * f1], 1)
    return np.asarray(rows / (x1 * y2 - y1 * x2)[:, None, None])
