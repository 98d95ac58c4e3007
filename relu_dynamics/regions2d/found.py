"""What an enumeration hands over, and what both ways to enumerate share."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relu_dynamics.checks import Array, Indices, Words
from relu_dynamics.geometry import Cycles, Subdivision


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


def sums_sizes(W: Array, b: Array, largest: float) -> tuple[Array, float]:
    """(m[l],) the size of the sums that pre-activations come from, for inputs up to largest.

    Also about how large such a sum would be if its m[l-1] terms had random signs: what comes out
    smaller, by cancellation, is no better known for that.
    """
    size: Array = np.abs(W).sum(axis=1) * largest + np.abs(b)
    return size, float(size.max(initial=0)) / np.sqrt(max(1, W.shape[1]))


def guard(regions: int, max_regions: int) -> None:
    """ValueError if there are more regions than allowed."""
    if regions > max_regions:
        raise ValueError(f"There are more than max_regions = {max_regions} linear regions in the "
                         "window. Raise max_regions if there is memory for them, or take a smaller "
                         "window.")
