"""The regions of a network in a convex window of the plane, in general position or not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import Array, check_count, check_net
from relu_dynamics.geometry import check_window
from relu_dynamics.mlp import MLP
from relu_dynamics.regions2d.found import Found, Limit, NotGeneric
from relu_dynamics.regions2d.layers import count_faces, enumerate_faces
from relu_dynamics.regions2d.regions import Regions, assemble
from relu_dynamics.regions2d.start import Start, window_start
from relu_dynamics.regions2d.unit_by_unit import unit_by_unit

MAX_REGIONS = 2**21


def regions_in_window(net: MLP, window: ArrayLike, *, max_regions: int = MAX_REGIONS) -> Regions:
    """Every linear region of net in a window: ((x0, x1), (y0, y1)) or a convex polygon (k, 2).

    Exact for walls in general position; otherwise the result says in tolerance how narrow a region
    must be to have been merged with its neighbours.  ValueError if net does not have two inputs,
    the window is not convex, there are more than max_regions regions, or float64 cannot tell how
    the walls lie.

    >>> import relu_dynamics as rd
    >>> cross = rd.MLP(([[1, 0], [0, 1]], [[1, 1]]), ([0, 0], [0]))  # max(x_1, 0) + max(x_2, 0)
    >>> regions = rd.regions_in_window(cross, ((-1, 1), (-1, 2)))
    >>> regions, regions.area.tolist()
    (Regions(4 regions, 2 units, certificate ok), [2.0, 1.0, 2.0, 1.0])
    """
    net, corners, limit = _check(net, window, max_regions)
    return assemble(net, corners, all_faces(net, window_start(corners), limit))


def all_faces(net: MLP, start: Start, limit: Limit) -> Found:
    """The faces of a start: a layer at a time or, if walls are not in general position, a unit."""
    try:
        return enumerate_faces(net, start, limit)
    except NotGeneric:
        return unit_by_unit(net, start, limit)


def count_regions(net: MLP, window: ArrayLike, *, max_regions: int = MAX_REGIONS) -> int:
    """The number of linear regions in the window, without building those of the last hidden layer.

    F = (faces before) + (chords) + (crossings of chords), for each chord and each crossing adds one
    face (T38).  Equals len(regions_in_window(net, window)).
    """
    net, corners, limit = _check(net, window, max_regions)
    try:
        return count_faces(net, window_start(corners), limit)
    except NotGeneric:
        return unit_by_unit(net, window_start(corners), limit).faces


def most_regions(max_regions: int) -> Limit:
    """No more faces than this, each being a region."""
    most = check_count("max_regions", max_regions, 1)
    return Limit(most, f"There are more than max_regions = {most} linear regions in the window. "
                       "Raise max_regions if there is memory for them, or take a smaller window.")


def copied(net: MLP) -> MLP:
    """A copy in float64, because answers compute maps and certificates when they are asked for."""
    return MLP(*(tuple(np.array(part, np.float64) for part in parts) for parts in check_net(net)))


def _check(net: MLP, window: ArrayLike, max_regions: int) -> tuple[MLP, Array, Limit]:
    net = copied(net)
    if net.weights[0].shape[1] != 2:
        raise ValueError("net must have two inputs; restrict(net, origin, axes) takes a plane out "
                         "of a larger input space, and regions_on_segment has one input enough. "
                         f"Got {net.weights[0].shape[1]} inputs.")
    return net, check_window(window), most_regions(max_regions)
