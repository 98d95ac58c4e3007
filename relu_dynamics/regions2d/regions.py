"""The regions of a network in a convex window of the plane, as a planar complex."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import (
    Array, Bits, Indices, Words, check_count, check_net, require, row_blocks,
)
from relu_dynamics.geometry import TOLERANCE, check_window
from relu_dynamics.mlp import MLP, hidden_units
from relu_dynamics.regions2d.affine import affine_maps
from relu_dynamics.regions2d.bits import unpacked
from relu_dynamics.regions2d.enumeration import (
    Found, Limit, NotGeneric, Start, preactivations, window_start,
)
from relu_dynamics.regions2d.layers import enumerate_faces
from relu_dynamics.regions2d.unit_by_unit import unit_by_unit

MAX_REGIONS = 2**21
CHEAP = 2**20  # pre-activations at the vertices: so many are computed to print a line


class Certificate(NamedTuple):
    """How far every decision was from being a rounding error.

    One fresh forward pass at the vertices compares pre-activations with the size of the sums they
    come from.  They are affine on every face, so if each vertex is surely on a wall or surely off
    it, no wall is missing and none is there twice: by induction over the layers the regions wider
    than the tolerance are exactly the ones listed.
    """

    on: float   # largest scaled |z| of a unit at a vertex of its own wall
    off: float  # smallest scaled |z| of a unit at any other vertex
    ok: bool    # off >= 1000 on
    warning: str


@dataclass(frozen=True, eq=False, repr=False)
class PlanarRegions:
    """What the regions of a window are, with or without an encoding: a planar complex."""

    vertices: Array      # (v, 2)
    edges: Indices       # (e, 2) vertex indices
    edge_owner: Indices  # (e,) the hidden unit whose wall it is part of; -1: the window's side
    area: Array          # (F,)
    tolerance: float     # regions narrower than this (a length) may have been merged or misplaced
    level: float         # scaled pre-activations up to this were taken for 0; mostly 0
    net: MLP
    packed: Words        # (F, words) every region's pattern; each layer starts a new word

    def __len__(self) -> int:
        return len(self.area)

    @cached_property
    def pattern(self) -> Bits:
        """(F, H) bool: the activation pattern of every region."""
        return unpacked(self.packed, [len(b) for b in self.net.biases[:-1]])

    @cached_property
    def edge_layer(self) -> Indices:
        """(e,) the hidden layer, counted from 0, of the unit that owns the edge; -1: a side."""
        ends = np.cumsum([0, *(len(b) for b in self.net.biases[:-1])])
        return np.searchsorted(ends, self.edge_owner, side="right") - 1

    @property
    def wall_lengths(self) -> Array:
        """(H,) the length of every hidden unit's wall in the window."""
        wall = self.edge_owner >= 0
        u, v = (self.vertices[end] for end in self.edges[wall].T)
        return np.asarray(np.bincount(self.edge_owner[wall], np.hypot(*(v - u).T),
                                      hidden_units(self.net)), np.float64)


@dataclass(frozen=True, eq=False, repr=False)
class Regions(PlanarRegions):
    """The linear regions of net in a window: a planar complex with F = len(regions) faces.

    Face f has the vertices face_vertex[face_start[f]:face_start[f+1]], counter-clockwise.
    pattern, slope, offset and certificate are computed when first asked for.
    """

    edge_faces: Indices   # (e, 2) the faces to the left and to the right; -1 outside the window
    face_start: Indices   # (F+1,)
    face_vertex: Indices
    parent: Indices       # (F,) the region of the net without its last hidden layer that each is in
    scale: Array          # (H,) the sizes of the sums that make pre-activations
    window: Array         # (k, 2)

    def __repr__(self) -> str:
        units = hidden_units(self.net)
        state = "certificate not computed"
        if "certificate" in self.__dict__ or len(self.vertices) * units <= CHEAP:
            state = "certificate ok" if self.certificate.ok else "without certificate"
        return f"Regions({len(self)} regions, {units} units, {state})"

    @property
    def slope(self) -> Array:
        """(F, m[L], 2): f(x) = slope @ x + offset on the region."""
        return self._affine[0]

    @property
    def offset(self) -> Array:
        """(F, m[L])"""
        return self._affine[1]

    @cached_property
    def certificate(self) -> Certificate:
        return _certified(self)

    @cached_property
    def _affine(self) -> tuple[Array, Array]:
        return affine_maps(self.net, self.parent, self.packed)


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
    net, corners = copied(net), check_window(window)
    require(net.weights[0].shape[1] == 2,
            "net must have two inputs; restrict(net, origin, axes) takes a plane out of a larger "
            "input space, and regions_on_segment has one input enough. "
            f"Got {net.weights[0].shape[1]} inputs.")
    most = check_count("max_regions", max_regions, 1)
    limit = Limit(most, f"There are more than max_regions = {most} linear regions in the window. "
                  "Raise max_regions if there is memory for them, or take a smaller window.")
    found = all_faces(net, window_start(corners), limit)
    sub, cycles = found.complex, found.cycles
    corner = sub.edges.ravel().take(cycles.half_edge)
    owner = np.maximum(sub.owner, -1)  # the sides of the window have numbers below 0
    return Regions(sub.points, sub.edges, owner, found.area, found.tolerance, found.level, net,
                   found.faces.packed, sub.face.reshape(-1, 2), cycles.start, corner,
                   found.faces.parent, found.scale, corners)


def count_regions(net: MLP, window: ArrayLike, *, max_regions: int = MAX_REGIONS) -> int:
    """The number of linear regions in the window: len(regions_in_window(net, window))."""
    return len(regions_in_window(net, window, max_regions=max_regions))


def all_faces(net: MLP, start: Start, limit: Limit) -> Found:
    """The faces of a start: a layer at a time or, if walls are not in general position, a unit."""
    try:
        return enumerate_faces(net, start, limit)
    except NotGeneric:
        return unit_by_unit(net, start, limit)


def copied(net: MLP) -> MLP:
    """A copy in float64, because answers compute maps and certificates when they are asked for."""
    return MLP(*(tuple(np.array(part, np.float64) for part in parts) for parts in check_net(net)))


def _certified(regions: Regions) -> Certificate:
    """z at all vertices, compared with the walls that the vertices are known to lie on."""
    walls = np.flatnonzero(regions.edge_owner >= 0)
    vertex, unit = regions.edges[walls].ravel(), np.repeat(regions.edge_owner[walls], 2)
    order = np.argsort(vertex)
    vertex, unit = vertex.take(order), unit.take(order)
    scaling = 1 / np.where(regions.scale > 0, regions.scale, 1)
    on, off = 0.0, np.inf
    for rows in row_blocks(len(regions.vertices), 256):
        size = preactivations(regions.net, regions.vertices[rows])
        np.abs(size, out=size)
        size *= scaling
        pairs = slice(*np.searchsorted(vertex, [rows.start, rows.stop]))
        own = vertex[pairs] - rows.start, unit[pairs]
        on = max(on, float(size[own].max(initial=0)))
        size[own] = np.inf
        near = size <= regions.level  # a unit that is off nearby, or a wall that the vertex touches
        on = max(on, float(size[near].max(initial=0)))
        size[near] = np.inf
        off = min(off, float(size.min(initial=np.inf)))
    doubt = max(TOLERANCE, regions.level)
    ok = off >= 1000 * on and off > doubt >= on
    return Certificate(on, off, bool(ok), "" if ok else (
        "Vertices are not clearly on or off the walls: scaled pre-activations reach "
        f"{on:.1g} on them and fall to {off:.1g} off them. Regions that narrow may be missing or "
        "invented."))
