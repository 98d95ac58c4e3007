"""Walls along lines through a window, and their total length.

Along a line regions are exact also under an encoding (regions_on_encoded_segment), so lines measure
where the plane is too large.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import Array, Indices, check_count, check_ends, check_kind, check_rng
from relu_dynamics.encoding import Coordinates, Sinusoids
from relu_dynamics.geometry import check_window
from relu_dynamics.mlp import MLP
from relu_dynamics.regions1d import regions_on_encoded_segment, regions_on_segment
from relu_dynamics.regions2d.encoded import EncodedRegions, regions_in_encoded_window
from relu_dynamics.regions2d.line_check import walls_across
from relu_dynamics.regions2d.regions import Regions, regions_in_window


class WallLength(NamedTuple):
    """The total length of walls in a window."""

    length: float
    error: float  # its standard error; 0 from the regions


def wall_length(net: MLP, window: ArrayLike, rng: np.random.Generator | None = None, *,
                lines: int = 256, encoding: Coordinates | Sinusoids | None = None) -> WallLength:
    """The length of all walls in a window: of the regions' edges or, with an rng, by Crofton (T44).

    By Crofton's formula a uniform random line that meets a convex window of perimeter P crosses
    2 length / P walls on average.  Walls that coincide count once.  With an encoding the window is
    one of unit coordinates; the edges then are those of regions_in_encoded_window, while lines stay
    exact.

    >>> import relu_dynamics as rd
    >>> one = rd.MLP(([[1, 0]], [[1]]), ([0], [0]))  # max(x_1, 0), with the wall x_1 = 0
    >>> rd.wall_length(one, ((-1, 1), (-1, 1)))
    WallLength(length=2.0, error=0.0)
    """
    corners = check_window(window)
    if rng is None:
        regions = (regions_in_window(net, corners) if encoding is None
                   else regions_in_encoded_window(net, encoding, corners))
        return WallLength(float(regions.wall_lengths.sum()), 0.0)
    ends = random_chords(corners, rng, check_count("lines", lines, 2))
    count = np.array([len(regions_on_segment(net, a, b) if encoding is None
                          else regions_on_encoded_segment(net, encoding, a, b)) - 1
                      for a, b in ends])
    half = np.hypot(*(corners - np.roll(corners, 1, axis=0)).T).sum() / 2
    return WallLength(float(half * count.mean()),
                      float(half * count.std(ddof=1) / np.sqrt(len(count))))


def crossed_walls(regions: Regions | EncodedRegions, a: ArrayLike, b: ArrayLike,
                  ) -> tuple[Array, Indices]:
    """Where the segment from a to b crosses walls, t in (0, 1) increasing, and their units."""
    check_kind("regions", regions, Regions, EncodedRegions)
    a, b = check_ends(a, b, 2, "a point of the plane")
    return walls_across(regions.vertices, regions.edges, regions.edge_owner, a, b)


def random_chords(corners: Array, rng: np.random.Generator, lines: int) -> Array:
    """(lines, 2, 2) the ends of uniform random lines in a convex polygon.

    Uniform in direction and offset among the lines that meet its circumscribed circle; those that
    miss the polygon are drawn again.
    """
    check_rng(rng)
    centre = (corners.min(axis=0) + corners.max(axis=0)) / 2
    radius = np.hypot(*(corners - centre).T).max()
    chords: list[Array] = []
    while len(chords) < lines:
        angle, offset = np.pi * rng.random(), radius * rng.uniform(-1, 1)
        normal = np.array([np.cos(angle), np.sin(angle)])
        height = (corners - centre) @ normal - offset
        u, v = height, np.roll(height, -1)
        cut = np.flatnonzero((u > 0) != (v > 0))
        if len(cut) == 2:
            share = (u / (u - v))[cut, None]
            chords.append(corners[cut] + share * (np.roll(corners, -1, axis=0) - corners)[cut])
    return np.array(chords)

