"""Which regions share a side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relu_dynamics.checks import Indices, check_kind, one_line
from relu_dynamics.regions2d.encoded import EncodedRegions
from relu_dynamics.regions2d.regions import Regions


class Neighbours(NamedTuple):
    """Pairs of regions with a common side."""

    faces: Indices  # (k, 2) the regions to the left and to the right of the edge
    edge: Indices   # (k,) regions.edge_owner[edge] is the unit in which they differ

    def __repr__(self) -> str:
        return one_line(self)


def neighbours(regions: Regions | EncodedRegions) -> Neighbours:
    """Which regions share a side, and by which edge: the first, where a curve has many.

    In general position their patterns differ in its owner alone (T38), and a region has at most
    four neighbours on average (T45).
    """
    check_kind("regions", regions, Regions, EncodedRegions)
    if isinstance(regions, Regions):
        edge = np.flatnonzero((regions.edge_faces >= 0).all(axis=1))
        return Neighbours(regions.edge_faces[edge], edge)
    edge = np.flatnonzero((regions.edge_regions >= 0).all(axis=1))
    pairs = np.sort(regions.edge_regions[edge], axis=1)
    _, first = np.unique(pairs[:, 0] * len(regions) + pairs[:, 1], return_index=True)
    return Neighbours(regions.edge_regions[edge[first]], edge[first])
