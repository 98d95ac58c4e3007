"""What an enumeration hands over, and what both ways to enumerate share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relu_dynamics.checks import Array, Indices, Words
from relu_dynamics.geometry import ROUNDINGS, Cycles, Subdivision, face_areas
from relu_dynamics.regions2d.start import Start


class NotGeneric(Exception):
    """Walls meet, touch or coincide within rounding; a layer at a time cannot tell how."""


class Found(NamedTuple):
    """A complex of faces with one pattern each."""

    faces: int
    complex: Subdivision
    cycles: Cycles
    layers: list[tuple[Indices, Words]]  # per hidden layer: (face one layer up, bits) of every face
    scales: list[Array]  # per hidden layer: the sizes of sums that |z| is compared with
    tolerance: float     # regions narrower than this (a length) may have been merged or misplaced
    level: float         # scaled pre-activations up to this were taken for 0; mostly 0
    area: Array          # (F,)


def checked_areas(sub: Subdivision, cycles: Cycles, start: Start) -> Array:
    """(F,) the area of every face; NotGeneric unless all are positive and sum to the start's."""
    area = _areas(sub, cycles)
    whole = float(_areas(start.complex, start.cycles).sum())
    u, v = (start.complex.points[end] for end in start.complex.edges.T)
    moved = ROUNDINGS * np.abs(start.complex.points).max() * np.hypot(*(v - u).T).sum()
    if not (area > 0).all() or abs(area.sum() - whole) > 1e-12 * whole + moved:
        raise NotGeneric("areas are not positive, or do not sum to the window's")
    return area


def _areas(sub: Subdivision, cycles: Cycles) -> Array:
    return face_areas(sub.points, cycles.start, sub.edges.ravel().take(cycles.half_edge))


def roots(layers: list[tuple[Indices, Words]], faces: Indices) -> Indices:
    """The starting face that each of these faces, of the last of the layers, is part of."""
    for parent, _ in reversed(layers):
        faces = parent.take(faces)
    return faces


def sums_sizes(W: Array, b: Array, largest: float) -> tuple[Array, float]:
    """(m[l],) the size of the sums that pre-activations come from, for inputs up to largest.

    Also about how large such a sum would be if its m[l-1] terms had random signs: what comes out
    smaller, by cancellation, is no better known for that.
    """
    size: Array = np.abs(W).sum(axis=1) * largest + np.abs(b)
    return size, float(size.max(initial=0)) / np.sqrt(max(1, W.shape[1]))


class Limit(NamedTuple):
    """How many faces there may be, and what is said if there are more."""

    faces: int
    words: str


def guard(faces: int, limit: Limit) -> None:
    """ValueError if there are more faces than allowed."""
    if faces > limit.faces:
        raise ValueError(limit.words)
