"""The regions of a network behind an encoding: of a window of the plane, or of given triangles.

The encoding is interpolated on triangles, where the regions are found exactly (T43), and triangles
are halved where the difference may matter.  Regions are bounded by curves, each a union of convex
pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from relu_dynamics.checks import (
    Array, Bits, Indices, Words, as_real, check_at_most, check_boxes, check_columns, check_count,
    check_kind, check_number,
)
from relu_dynamics.encoding import Coordinates, Sinusoids
from relu_dynamics.geometry import Cycles, Subdivision, check_window
from relu_dynamics.mlp import MLP, hidden_units
from relu_dynamics.regions2d.bits import unpacked
from relu_dynamics.regions2d.certified import certified_triangles
from relu_dynamics.regions2d.enumeration import Found, Limit, Start
from relu_dynamics.regions2d.line_check import LineCheck, check_lines
from relu_dynamics.regions2d.margins import close_calls
from relu_dynamics.regions2d.regions import PlanarRegions, all_faces, copied
from relu_dynamics.regions2d.triangulation import (
    Triangulation, areas, given_triangles, halved, triangles_start, triangulate, window_sides,
)

FIRST = 64.0     # legs of the first triangles that go into the shortest wave
HALVINGS = 8     # so often are triangles cut in four, at most
SETTLED = 1e-3   # unsettled triangles for every region, at most
PIECES = 6       # faces for every region and every triangle, at most
MAX_REGIONS = 2**18
MAX_TRIANGLES = 2**19
SAMPLE = 512     # triangles that are looked at first
NONE = np.zeros((0, 3, 2))
TOO_MANY = "take a smaller window, or raise max_regions if there is memory for them"


@dataclass(frozen=True, eq=False, repr=False)
class EncodedRegions(PlanarRegions):
    """The regions of net fed with inputs that are affine on each triangle (T43).

    A region is a connected set of points with one pattern; it need not be convex, and several may
    have the same pattern.  It is the union of convex pieces, the parts of it in each triangle, and
    its boundary runs along edges, short straight parts of walls or sides of the window.  certified
    and check, computed when first asked for, say how far this is true of the encoding itself.
    """

    edge_regions: Indices  # (e, 2) the regions to the left and to the right; -1 outside
    pieces: Subdivision    # the convex pieces; the owner of edges of the triangulation is below 0
    cycles: Cycles         # and their half-edges
    region: Indices        # (pieces,) the region that each is part of
    triangle: Indices      # (pieces,) and the triangle
    triangulation: Triangulation
    resolution: float      # so many legs of a triangle go into the shortest wave; inf: exact
    unsettled: Array       # (k, 3, 2) triangles in which the last halving still changed the regions
    encoding: Coordinates | Sinusoids | None  # None: the inputs are affine on each triangle

    def __repr__(self) -> str:
        state = f"{len(self.unsettled)} of {len(self.triangulation.triangles)} triangles unsettled"
        return f"EncodedRegions({len(self)} regions, {hidden_units(self.net)} units, {state})"

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
    def loops(self) -> tuple[list[Array], Indices]:
        """The boundaries of regions as closed polygons, each (k, 2), and the region of each.

        A region has one loop that runs counter-clockwise around it, and one that runs clockwise
        around every hole.
        """
        sub = self.pieces
        inner = np.repeat((sub.owner < 0) & (sub.face.reshape(-1, 2) >= 0).all(axis=1), 2)
        half, following = np.flatnonzero(~inner & (sub.face >= 0)), sub.next.copy()
        # at an edge of the triangulation, go on behind it
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
        return polygons, self.region[sub.face[half[first]]]


def regions_in_encoded_window(net: MLP, encoding: Coordinates | Sinusoids, window: ArrayLike, *,
                              resolution: float | None = None,
                              max_regions: int = MAX_REGIONS) -> EncodedRegions:
    """The regions of x -> net(encoding(x)) in a window of unit coordinates, a box or a polygon.

    Or in several boxes that do not overlap, (w, 2, 2): a region is part of one of them.  A sample
    of small windows takes a fraction of the time that it takes one by one.

    The encoding is interpolated on triangles, 64 legs of which go into its shortest wave.  Where
    two walls come so close to each other that this may hide or invent a region, to first order,
    triangles are cut in four, until at most one triangle for 1000 regions is concerned, or eight
    times, or more would make over 2^19 triangles; those that are concerned then are unsettled.
    With a resolution, all triangles have that many legs to the shortest wave, and all that are
    concerned are unsettled.  An affine encoding needs no small triangles and is exact.

    ValueError if the encoding does not fit the net or the plane, the window takes too many
    triangles or more than max_regions regions, or float64 cannot tell how the walls lie.

    >>> import relu_dynamics as rd
    >>> ring = rd.MLP(([[0, 1, 0, 1]], [[1]]), ([-1], [0]))  # cos(pi x_1) + cos(pi x_2) > 1
    >>> box = ((-1, 1), (-1, 1))
    >>> rd.regions_in_encoded_window(ring, rd.PositionalEncoding(1), box, resolution=16)
    EncodedRegions(2 regions, 1 units, 0 of 512 triangles unsettled)
    """
    net, given = copied(net), as_real("window", window)
    windows = [check_window(one) for one in (check_boxes(given) if given.ndim == 3 else [given])]
    check_kind("encoding", encoding, Coordinates, Sinusoids)
    most = check_count("max_regions", max_regions, 1)
    check_columns(net, encoding.columns(2), 2)
    wave = _shortest_wave(encoding)
    legs = FIRST if resolution is None else check_number(
        "resolution", resolution, "number not below 1")  # legs of a triangle in the shortest wave
    if not np.isfinite(wave):
        mesh = triangulate(windows, np.inf)
        every = np.ones(len(mesh.triangles), np.bool_)
        return _answer(net, encoding, mesh, _interpolated(net, encoding, mesh, every, most)[0],
                       np.inf, NONE, most)
    area = sum(float(np.prod(np.ptp(corners, axis=0))) for corners in windows)
    count = 2 * area * (legs / wave) ** 2
    check_at_most(f"triangles with {legs:g} legs to the shortest wave, {wave:g},", count,
                  MAX_TRIANGLES, "take a smaller window, or a lower resolution")
    mesh = triangulate(windows, wave / legs)
    if (count := _guess(net, encoding, mesh, most)) > 2 * most:
        check_at_most("regions, as judged from a part of the window,", count, most, TOO_MANY)
    mesh, close, found = _settled(net, encoding, mesh, HALVINGS if resolution is None else 0, most)
    return _answer(net, encoding, mesh, found, legs, mesh.points[mesh.triangles[close]], most)


def regions_on_triangles(net: MLP, points: ArrayLike, triangles: ArrayLike, inputs: ArrayLike, *,
                         max_regions: int = MAX_REGIONS) -> EncodedRegions:
    """The regions of net where its inputs are known at points and affine on triangles: exact (T43).

    points (v, 2), triangles (t, 3) indices of points, inputs (v, m[0]): as in a grid of features.
    Triangles must meet in whole sides or in corners, and need not be connected.  ValueError if one
    has no area, or more than two meet at a side or on one side of it.

    >>> import relu_dynamics as rd
    >>> corners, halves = [(0, 0), (1, 0), (1, 1), (0, 1)], [(0, 1, 2), (0, 2, 3)]
    >>> step = rd.MLP(([[1]], [[1]]), ([-0.5], [0]))  # max(h - 1/2, 0) of one feature h
    >>> rd.regions_on_triangles(step, corners, halves, [[0], [1], [1], [1]]).area.tolist()
    [0.25, 0.75]
    """
    net, most = copied(net), check_count("max_regions", max_regions, 1)
    mesh = given_triangles(points, triangles)
    values = as_real("inputs", inputs, (len(mesh.points), net.weights[0].shape[1]),
                     "one row per point, one column per input of the net").astype(np.float64)
    every = np.ones(len(mesh.triangles), np.bool_)
    start = triangles_start(mesh, every, lambda used: values[used])
    found = all_faces(net, start, _limit(most, mesh))
    return _answer(net, None, mesh, found, np.inf, NONE, most)


def _shortest_wave(encoding: Coordinates | Sinusoids) -> float:
    """In unit coordinates; infinite if the encoding is affine."""
    if isinstance(encoding, Coordinates):
        return np.inf
    highest = float(np.hypot(*encoding.frequencies_in(2).T).max())
    return 1 / highest if highest else np.inf


def _guess(net: MLP, encoding: Coordinates | Sinusoids, mesh: Triangulation, most: int) -> int:
    """About how many regions there are, one for each crossing of walls (T45), from some triangles;
    0 if there are few triangles."""
    every = len(mesh.triangles) // SAMPLE
    if every < 4:
        return 0
    which = np.arange(len(mesh.triangles)) % every == 0
    found, _ = _interpolated(net, encoding, mesh, which, most)
    on_sides = np.unique(found.complex.edges[found.complex.owner < 0])
    return every * (len(found.complex.points) - len(on_sides))


def _settled(net: MLP, encoding: Coordinates | Sinusoids, mesh: Triangulation, halvings: int,
             most: int) -> tuple[Triangulation, Bits, Found]:
    """mesh with close calls cut in four at most so often, those that remain, and what is found.

    What is no close call in a triangle is none in its parts, where the encoding is off by a fourth.
    """
    which, few = np.ones(len(mesh.triangles), np.bool_), -1.0
    for left in reversed(range(halvings + 1)):
        found, start = _interpolated(net, encoding, mesh, which, most)
        if few < 0:
            few = SETTLED * (1 + joined(found, net)[0].max())
        close = which.copy()
        close[which] = close_calls(net, start, found, _errors(encoding, mesh, which),
                                   window_sides(mesh))
        if not left or np.count_nonzero(close) <= few:
            break
        finer, part = mesh, close
        for _ in range(2):  # twice, so that they keep their shape
            finer, parent = halved(finer, part)
            part = part[parent]
        if len(finer.triangles) > MAX_TRIANGLES:
            break
        mesh, which = finer, part
    if not which.all():
        found, _ = _interpolated(net, encoding, mesh, np.ones(len(which), np.bool_), most)
    return mesh, close, found


def _errors(encoding: Coordinates | Sinusoids, mesh: Triangulation, which: Bits) -> Array:
    """(t, 3, m[0]) how far inputs are off in the middle of the sides of some triangles."""
    edge, number = np.unique(mesh.sides[which], return_inverse=True)
    ends = mesh.points[mesh.edges[edge]]
    errors = encoding(ends.mean(axis=1)) - (encoding(ends[:, 0]) + encoding(ends[:, 1])) / 2
    return np.asarray(errors[number.reshape(-1, 3)])


def _interpolated(net: MLP, encoding: Coordinates | Sinusoids, mesh: Triangulation, which: Bits,
                  most: int) -> tuple[Found, Start]:
    """What is found in some triangles of mesh, and where that started."""
    start = triangles_start(mesh, which, lambda used: encoding(mesh.points[used]))
    return all_faces(net, start, _limit(most, mesh)), start


def _limit(most: int, mesh: Triangulation) -> Limit:
    return Limit(PIECES * (most + len(mesh.triangles)),
                 f"There are more regions in the window than max_regions = {most} allows, with "
                 f"{len(mesh.triangles)} triangles. Raise max_regions if there is memory for them, "
                 "or take a smaller window.")


def _answer(net: MLP, encoding: Coordinates | Sinusoids | None, mesh: Triangulation, found: Found,
            resolution: float, unsettled: Array, most: int) -> EncodedRegions:
    """The regions of an enumeration that started from the triangles of mesh."""
    region, sub, packed = joined(found, net)
    check_at_most("regions in the window", len(packed), most, TOO_MANY)
    faces = sub.face.reshape(-1, 2)
    sides = np.flatnonzero((sub.owner >= 0) | (faces < 0).any(axis=1))
    beside = np.where(faces[sides] < 0, -1, region[faces[sides]])
    area = np.asarray(np.bincount(region, found.area), np.float64)
    return EncodedRegions(
        sub.points, sub.edges[sides], np.maximum(sub.owner[sides], -1), area, found.tolerance,
        found.level, net, packed, beside, sub, found.cycles, region, found.faces.root, mesh,
        resolution, unsettled, encoding)


def joined(found: Found, net: MLP) -> tuple[Indices, Subdivision, Words]:
    """The region of every face, the complex, and the packed pattern of every region.

    Faces on the two sides of an edge of the triangulation are parts of one region, unless a wall
    runs along the edge; then it belongs to the first unit in which they differ.
    """
    sub, packed = found.complex, found.faces.packed
    left, right = sub.face.reshape(-1, 2).T
    inner = np.flatnonzero((sub.owner < 0) & (left >= 0) & (right >= 0))
    change = packed.take(left[inner], axis=0) ^ packed.take(right[inner], axis=0)
    wall = change.any(axis=1)
    region = components(len(packed), left[inner[~wall]], right[inner[~wall]])
    if wall.any():
        owner, widths = sub.owner.copy(), [len(b) for b in net.biases[:-1]]
        owner[inner[wall]] = unpacked(change[wall], widths).argmax(axis=1)
        sub = sub._replace(owner=owner)
    _, some = np.unique(region, return_index=True)
    return region, sub, packed[some]


def components(n: int, i: Indices, j: Indices) -> Indices:
    """(n,) numbers, from 0, of the connected components of a graph with the edges (i, j)."""
    graph = coo_array((np.ones(len(i), np.bool_), (i, j)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.intp)
