"""The answer under an encoding: regions bounded by curves, each a union of convex pieces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from relu_dynamics.checks import Array, Bits, Indices, Words
from relu_dynamics.encoding import Coordinates, Sinusoids
from relu_dynamics.geometry import Cycles, Subdivision
from relu_dynamics.mlp import MLP
from relu_dynamics.regions2d.bits import bits_set, packed_patterns, unpacked
from relu_dynamics.regions2d.certified import certified_triangles
from relu_dynamics.regions2d.enumeration import Found, roots
from relu_dynamics.regions2d.line_check import LineCheck, check_lines
from relu_dynamics.regions2d.triangulation import Triangulation, areas


@dataclass(frozen=True, eq=False, repr=False)
class EncodedRegions:
    """The regions of net fed with inputs that are affine on each triangle (T43).

    A region is a connected set of points with one pattern; it need not be convex, and several may
    have the same pattern.  It is the union of convex pieces, the parts of it in each triangle, and
    its boundary runs along edges, which are parts of walls or sides of the window.  certified and
    check, computed when first asked for, say how far this is true of the encoding itself.
    """

    vertices: Array        # (v, 2)
    edges: Indices         # (e, 2) vertex indices: short straight parts of walls, and sides
    edge_regions: Indices  # (e, 2) the regions to the left and to the right; -1 outside
    edge_owner: Indices    # (e,) the hidden unit whose wall it is part of; -1: the window's side
    packed: Words          # (R, words) every region's pattern, each layer starting a new word
    area: Array            # (R,)
    tolerance: float       # regions narrower than this (a length) may have been merged
    level: float           # scaled pre-activations up to this were taken for 0; mostly 0
    pieces: Subdivision    # the convex pieces; the owner of edges of the triangulation is below 0
    cycles: Cycles         # and their half-edges
    region: Indices        # (pieces,) the region that each is part of
    triangle: Indices      # (pieces,) and the triangle
    triangulation: Triangulation
    resolution: float      # so many legs of a triangle go into the shortest wave; inf: exact
    unsettled: Array       # (k, 3, 2) triangles in which the last halving still changed the regions
    net: MLP
    encoding: Coordinates | Sinusoids | None  # None: the inputs are affine on each triangle

    def __len__(self) -> int:
        return len(self.area)

    def __repr__(self) -> str:
        units = sum(len(b) for b in self.net.biases[:-1])
        state = f"{len(self.unsettled)} of {len(self.triangulation.triangles)} triangles unsettled"
        return f"EncodedRegions({len(self)} regions, {units} units, {state})"

    @cached_property
    def pattern(self) -> Bits:
        """(R, H) bool: the activation pattern of every region."""
        return unpacked(self.packed, [len(b) for b in self.net.biases[:-1]])

    @cached_property
    def certified(self) -> Bits:
        """(t,) bool: the triangles in which the encoding itself has the same walls, crossing each
        other and the sides in the same order, surely (up to rounding)."""
        if not isinstance(self.encoding, Sinusoids):
            return np.ones(len(self.triangulation.triangles), np.bool_)
        return certified_triangles(self.net, self.encoding, self.triangulation, self.pieces,
                                   self.cycles, self.triangle,
                                   lambda faces: self.pattern[self.region[faces]])

    @property
    def certified_share(self) -> float:
        """How much of the window's area is in certified triangles, from 0 to 1."""
        area = areas(self.triangulation)
        return float(area[self.certified].sum() / area.sum())

    @cached_property
    def check(self) -> LineCheck | None:
        """Walls on some lines of the triangulation, compared with those that the encoding has."""
        if self.encoding is None:
            return None
        return check_lines(self.net, self.encoding, self.triangulation, self.pieces)

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
        units = sum(len(b) for b in self.net.biases[:-1])
        lengths: Array = np.hypot(*(v - u).T)
        return np.asarray(np.bincount(self.edge_owner[wall], lengths, units), np.float64)

    @cached_property
    def loops(self) -> tuple[list[Array], Indices]:
        """The boundaries of regions as closed polygons, each (k, 2), and the region of each.

        A region has one loop that runs counter-clockwise around it, and one that runs clockwise
        around every hole.
        """
        return _loops(self)


def joined(found: Found, widths: list[int]) -> tuple[Indices, Subdivision, Words]:
    """The region of every face, the complex, and the packed pattern of every region.

    Faces on the two sides of an edge of the triangulation are parts of one region, unless a wall
    runs along the edge; then it belongs to the first unit in which they differ.
    """
    sub = found.complex
    packed = packed_patterns(found.layers, len(found.area))
    left, right = sub.face.reshape(-1, 2).T
    inner = np.flatnonzero((sub.owner < 0) & (left >= 0) & (right >= 0))
    change = packed.take(left[inner], axis=0) ^ packed.take(right[inner], axis=0)
    wall, unit = bits_set(change)
    along = np.zeros(len(inner), np.bool_)
    along[wall] = True
    region = components(len(found.area), left[inner[~along]], right[inner[~along]])
    if along.any():
        owner, first = sub.owner.copy(), np.unique(wall, return_index=True)[1]
        owner[inner[wall[first]]] = _unit_number(unit[first], widths)
        sub = sub._replace(owner=owner)
    _, some = np.unique(region, return_index=True)
    return region, sub, packed[some]


def components(n: int, i: Indices, j: Indices) -> Indices:
    """(n,) numbers, from 0, of the connected components of a graph with the edges (i, j)."""
    graph = coo_array((np.ones(len(i), np.bool_), (i, j)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.intp)


def _unit_number(bit: Indices, widths: list[int]) -> Indices:
    """Units by their place in packed patterns, where each layer starts a new word."""
    first_bit = 64 * np.cumsum([0, *(-(-width // 64) for width in widths)])
    layer = np.searchsorted(first_bit, bit, side="right") - 1
    return np.asarray(bit - first_bit[layer] + np.cumsum([0, *widths])[layer])


def assemble_encoded(net: MLP, encoding: Coordinates | Sinusoids | None, mesh: Triangulation,
                     found: Found, resolution: float, unsettled: Array) -> EncodedRegions:
    """The regions of an enumeration that started from the triangles of mesh."""
    region, sub, packed = joined(found, [len(b) for b in net.biases[:-1]])
    faces = sub.face.reshape(-1, 2)
    sides = np.flatnonzero((sub.owner >= 0) | (faces < 0).any(axis=1))
    beside = np.where(faces[sides] < 0, -1, region[faces[sides]])
    area = np.asarray(np.bincount(region, found.area), np.float64)
    return EncodedRegions(
        sub.points, sub.edges[sides], beside, np.maximum(sub.owner[sides], -1), packed, area,
        found.tolerance, found.level, sub, found.cycles, region,
        roots(found.layers, np.arange(len(found.area))), mesh, resolution, unsettled, net,
        encoding)


def _loops(regions: EncodedRegions) -> tuple[list[Array], Indices]:
    """Follow the boundary: at an edge of the triangulation, go on behind it."""
    sub, region = regions.pieces, regions.region
    inner = np.repeat((sub.owner < 0) & (sub.face.reshape(-1, 2) >= 0).all(axis=1), 2)
    following = sub.next.copy()
    half = np.flatnonzero(~inner & (sub.face >= 0))
    on = half
    while len(on := on[inner[following[on]]]):
        following[on] = sub.next[following[on] ^ 1]
    loop = np.full(len(following), -1)
    loop[half] = components(len(following), half, following[half])[half]
    _, first = np.unique(loop[half], return_index=True)
    polygons = []
    for h in half[first]:
        cycle = [int(h)]
        while (h := following[h]) != cycle[0]:
            cycle.append(int(h))
        polygons.append(sub.points[sub.edges.ravel()[cycle]])
    return polygons, region[sub.face[half[first]]]
