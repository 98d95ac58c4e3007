"""Where an enumeration begins, what it hands over, and what both ways to enumerate share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relu_dynamics.checks import Array, Bits, Indices, Words, require
from relu_dynamics.geometry import (
    ROUNDINGS, Cycles, Subdivision, cross, face_areas, walk, window_subdivision,
)
from relu_dynamics.mlp import MLP


class NotGeneric(Exception):
    """Walls meet, touch or coincide within rounding; a layer at a time cannot tell how."""


class Limit(NamedTuple):
    """How many faces there may be, and what is said if there are more."""

    faces: int
    words: str


def guard(faces: int, limit: Limit) -> None:
    """ValueError if there are more faces than allowed."""
    require(faces <= limit.faces, limit.words)


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


class Faces(NamedTuple):
    """Where faces come from, and their patterns."""

    root: Indices    # (F,) the starting face that each is part of,
    parent: Indices  # (F,) and the face before the last layer
    packed: Words    # (F, w) the bits of all layers so far, each layer starting a new word

    def cut(self, parent: Indices, bits: Words) -> Faces:
        """The faces that one more layer makes, each of a parent and with bits, (f, w)."""
        packed = np.concatenate([self.packed.take(parent, axis=0), bits], axis=1)
        return Faces(self.root.take(parent), parent, packed)


def starting_faces(start: Start) -> Faces:
    """They have no bits yet."""
    every = np.arange(len(start.cycles.start) - 1)
    return Faces(every, every, np.zeros((len(every), 0), np.uint64))


class Found(NamedTuple):
    """A complex of faces with one pattern each."""

    complex: Subdivision
    cycles: Cycles
    faces: Faces
    scale: Array      # (H,) the sizes of sums that |z| is compared with
    tolerance: float  # regions narrower than this (a length) may have been merged or misplaced
    level: float      # scaled pre-activations up to this were taken for 0; mostly 0
    area: Array       # (F,)


def closed(following: Indices, first: Indices, inside: Bits) -> Cycles:
    """The boundary of every face, from the half-edge first; NotGeneric unless each half-edge inside
    the window is visited once, and no other."""
    cycles = walk(following, first)
    if cycles is None or not np.array_equal(
            np.bincount(cycles.half_edge, minlength=len(following)), inside):
        raise NotGeneric("the boundary of a face does not close, or has not one lowest corner")
    return cycles


def checked_areas(sub: Subdivision, cycles: Cycles, start: Start) -> Array:
    """(F,) the area of every face; NotGeneric unless all are positive and sum to the start's."""
    area, whole = (face_areas(s.points, c.start, s.edges.ravel().take(c.half_edge))
                   for s, c in ((sub, cycles), (start.complex, start.cycles)))
    u, v = (start.complex.points[end] for end in start.complex.edges.T)
    moved = ROUNDINGS * np.abs(start.complex.points).max() * np.hypot(*(v - u).T).sum()
    if not (area > 0).all() or abs(area.sum() - whole.sum()) > 1e-12 * whole.sum() + moved:
        raise NotGeneric("areas are not positive, or do not sum to the window's")
    return area


def sums_sizes(W: Array, b: Array, largest: float) -> tuple[Array, float]:
    """(m[l],) the size of the sums that pre-activations come from, for inputs up to largest.

    Also about how large such a sum would be if its m[l-1] terms had random signs: what comes out
    smaller, by cancellation, is no better known for that.
    """
    size: Array = np.abs(W).sum(axis=1) * largest + np.abs(b)
    return size, float(size.max(initial=0)) / np.sqrt(max(1, W.shape[1]))


def preactivations(net: MLP, h: Array) -> Array:
    """(n, H) z of all hidden units, in the precision of the inputs h."""
    all_z, at = np.empty((len(h), sum(len(b) for b in net.biases[:-1])), h.dtype), 0
    for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        z = h @ W.T.astype(h.dtype, copy=False) + b.astype(h.dtype, copy=False)
        all_z[:, at : (at := at + len(b))] = z
        h = np.maximum(z, 0, out=z)
    return all_z


# ------------------------------------------------- affine functions on the faces of a start


def barycentric(corners: Array, points: Array) -> Array:
    """(n, 3) the weights that make each point of the corners of a triangle, (n, 3, 2)."""
    side = np.roll(corners, -1, axis=1) - corners
    across = np.roll(cross(side, points[:, None] - corners), -1, axis=1)  # over the opposite side
    return np.asarray(across / across.sum(axis=1, keepdims=True))


def gradients(corners: Array, values: Array) -> Array:
    """(n, 2, k) the derivatives in x_1 and x_2 of affine functions, given their values, (n, 3, k),
    at the corners of triangles, (n, 3, 2)."""
    return np.linalg.solve(np.diff(corners, axis=1), np.diff(values, axis=-2))
