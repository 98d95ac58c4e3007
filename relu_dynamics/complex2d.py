"""The linear regions of a network in a window of the plane: what is found, and what can be asked of it.

    Found        what an enumeration hands over: the complex, and per hidden layer the
                 parent (the face of the layer before) and the bits of every face
    Regions      the answer; patterns, affine maps and the certificate follow from it
    neighbours   which regions share a side
    locate       which region a point lies in
    draw         a picture

regions2d enumerates; this module trusts it, except for the areas and the certificate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import hsv_to_rgb
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from relu_dynamics.checks import Array, Bits, Indices, Words, as_real, check_kind, row_blocks
from relu_dynamics.geometry import (
    TOLERANCE, Cycles, Subdivision, cross, face_areas, polygon_area, starts,
)
from relu_dynamics.mlp import MLP, split_layers
from relu_dynamics.patterns import pack, pattern, unpack


HEAD = 8     # every so many faces, sums over units are computed afresh
NARROW = 64  # and for each face in layers of at most this width, where that costs less


class NotGeneric(Exception):
    """Walls meet, touch or coincide within rounding; the layer-at-a-time path cannot tell how."""


class Found(NamedTuple):
    faces: int
    complex: Subdivision
    cycles: Cycles
    layers: list[tuple[Indices, Words]]  # per hidden layer: the face one layer up and the bits of every face
    scales: list[Array]  # per hidden layer: what |z| is compared with
    tolerance: float


class Certificate(NamedTuple):
    """How far every decision was from being a rounding error, by one fresh forward pass at the vertices.

    Pre-activations are compared with the size of the sums they come from.  They are
    affine on every face, so if each vertex is surely on a wall or surely off it, no
    wall is missing and none is there twice: by induction over the layers the regions
    wider than the tolerance are exactly the ones listed.
    """

    on: float   # largest scaled |z| of a unit at a vertex of its own wall
    off: float  # smallest scaled |z| of a unit at any other vertex
    ok: bool    # off >= 1000 on
    warning: str


@dataclass(frozen=True, eq=False)
class Regions:
    """The linear regions of net in a window: a planar complex with F = len(regions) faces.

    Face f has the vertices face_vertex[face_start[f]:face_start[f+1]], counter-clockwise.
    pattern, slope, offset and certificate are computed when first asked for.
    """

    vertices: Array       # (v, 2)
    edges: Indices        # (e, 2) vertex indices
    edge_faces: Indices   # (e, 2) the faces to the left and to the right; -1 outside the window
    edge_owner: Indices   # (e,) the hidden unit whose wall the edge is part of, -1 for a side of the window
    face_start: Indices   # (F+1,)
    face_vertex: Indices
    area: Array           # (F,)
    tolerance: float      # regions narrower than this (a length) may have been merged or misplaced
    layers: list[tuple[Indices, Words]]  # per hidden layer: (face one layer up, bits) of every face
    scales: list[Array]   # per hidden layer: the size of the sums that pre-activations come from
    level: float          # scaled pre-activations up to this were taken for 0; 0 in general position
    window: Array         # (k, 2)
    net: MLP

    def __len__(self) -> int:
        return len(self.area)

    @cached_property
    def packed(self) -> Words:
        """(F, words): the pattern of every region, 64 units to a word; each layer starts a new word."""
        return packed_patterns(self.layers, len(self))

    @cached_property
    def pattern(self) -> Bits:
        """(F, H) bool: the activation pattern of every region."""
        return unpacked(self.packed, [len(b) for b in self.net.biases[:-1]])

    @property
    def slope(self) -> Array:
        """(F, m[L], 2): f(x) = slope @ x + offset on the region."""
        return self._affine[0]

    @property
    def offset(self) -> Array:
        """(F, m[L])"""
        return self._affine[1]

    @cached_property
    def edge_layer(self) -> Indices:
        """(e,) the hidden layer, counted from 0, of the unit that owns the edge; -1 for a side of the window."""
        ends = np.cumsum([0, *(len(b) for b in self.net.biases[:-1])])
        return np.searchsorted(ends, self.edge_owner, side="right") - 1

    @cached_property
    def certificate(self) -> Certificate:
        return _certify(self)

    @cached_property
    def _affine(self) -> tuple[Array, Array]:
        return _affine_maps(self)

    @cached_property
    def _index(self) -> tuple[NDArray[Any], Indices]:
        strings = _strings(self.packed)
        order = np.argsort(strings)
        return strings[order], order


# ------------------------------------------------------------------ the answer


def assemble(net: MLP, corners: Array, found: Found, level: float) -> Regions:
    """The result, if every area is positive and they sum to the window's."""
    sub, cycles = found.complex, found.cycles
    corner = sub.edges.ravel().take(cycles.half_edge)
    area = face_areas(sub.points, cycles.start, corner)
    whole = polygon_area(corners)
    if not (area > 0).all() or abs(area.sum() - whole) > 1e-12 * whole:
        raise NotGeneric("areas are not positive, or do not sum to the window's")
    return Regions(sub.points, sub.edges, sub.face.reshape(-1, 2), sub.owner, cycles.start, corner, area,
                   found.tolerance, found.layers, found.scales, level, corners, net)


def packed_patterns(layers: list[tuple[Indices, Words]], faces: int) -> Words:
    """The bits of all layers side by side, from the faces up through the faces they were cut from."""
    columns: list[Words] = []
    face = np.arange(faces)
    for parent, bits in reversed(layers):
        columns.insert(0, bits.take(face, axis=0))
        face = parent.take(face)
    return np.concatenate(columns, axis=1) if columns else np.zeros((faces, 0), np.uint64)


def unpacked(words: Words, widths: list[int]) -> Bits:
    """(F, H) bool from words in which each layer of the given widths starts a new word."""
    bits = np.empty((len(words), sum(widths)), np.bool_)
    at = word = 0
    for width in widths:
        bits[:, at : at + width] = unpack(words[:, word : word + -(-width // 64)], width)
        at, word = at + width, word + -(-width // 64)
    return bits


def _affine_maps(regions: Regions) -> tuple[Array, Array]:
    """slope (F, m[L], 2) and offset (F, m[L]), from the output down (T2), sharing work between regions.

    The faces cut from one parent differ only in the units of the last hidden layer that
    cut it.  So each parent takes one full row per output, for the units on in all of it,
    each pair (parent, cutting unit) one row, and a face adds those that are on in it.
    """
    net, outputs = regions.net, len(regions.net.biases[-1])
    maps = np.empty((len(regions), outputs, 3))  # slope, offset
    if len(net.weights) == 1:
        maps[:] = np.column_stack([net.weights[0], net.biases[0]])
        return maps[..., :2], maps[..., 2]
    (parent, bits), above = regions.layers[-1], regions.layers[:-1]
    parents = len(above[-1][0]) if above else 1
    children = np.argsort(parent, kind="stable")
    start = starts(np.bincount(parent, minlength=parents))
    everywhere = np.bitwise_and.reduceat(bits.take(children, axis=0), start[:-1])
    varying: Words = np.bitwise_or.reduceat(bits.take(children, axis=0), start[:-1]) ^ everywhere  # type: ignore[assignment]
    packed = packed_patterns(above, parents)
    lower, last = [len(b) for b in net.biases[:-2]], [len(net.biases[-2])]
    for rows in row_blocks(parents, 1024):
        of, unit = bits_set(varying[rows])
        base, cut = _parent_maps(net, unpacked(packed[rows], lower), everywhere[rows], of, unit)
        jump = (net.weights[-1].T.take(unit, axis=0)[:, :, None] * cut[:, None, :]).reshape(len(unit), 3 * outputs)
        number = np.empty((rows.stop - rows.start, 64 * varying.shape[1]), np.intp)
        number[of, unit] = np.arange(len(unit))
        inside = children[start[rows.start] : start[rows.stop]]
        for child in blocks(inside, 4096):
            at = parent.take(child) - rows.start
            row, j = bits_set(bits.take(child, axis=0) & varying[rows].take(at, axis=0))
            on = _sparse(len(child), row, number[at.take(row), j], np.ones(len(row)), len(unit))
            maps[child] = base.take(at, axis=0) + (on @ jump).reshape(-1, outputs, 3)
    return maps[..., :2], maps[..., 2]


def _parent_maps(net: MLP, lower: Bits, common: Words, of: Indices, unit: Indices) -> tuple[Array, Array]:
    """On each parent p with the lower pattern: the output of the units common[p], (p, m[L], 3), and z of
    unit[i] of the last hidden layer on parent of[i], (i, 3), as rows (slope, offset)."""
    parents, outputs = len(common), len(net.biases[-1])
    W = np.column_stack([net.weights[-2], net.biases[-2]])
    D = np.concatenate([_rows_on(common, net.weights[-1], W), W.take(unit, axis=0)])  # a row per map: derivative by the layer below, constant
    D[: parents * outputs, -1] += np.tile(net.biases[-1], parents)
    of = np.concatenate([np.repeat(np.arange(parents), outputs), of])
    at = lower.shape[1]
    for V, b in zip(net.weights[-3::-1], net.biases[-3::-1], strict=True):
        at -= len(b)
        D[:, :-1] *= lower[:, at : at + len(b)].take(of, axis=0)
        constant, D = D[:, -1].copy(), D[:, :-1] @ np.column_stack([V, b])
        D[:, -1] += constant
    return D[: parents * outputs].reshape(parents, outputs, 3), D[parents * outputs :]


def _rows_on(on: Words, v: Array, W: Array) -> Array:
    """sum over the units j in on[p] of v[o, j] W[j], for every p and o in turn: (p * outputs, columns of W).

    Consecutive faces lie side by side and differ in few units, so in a wide layer every
    HEAD-th row is summed in full, and the others by what differs.
    """
    outputs, n = v.shape
    every = 1 if n <= NARROW else HEAD
    heads = on[::every]
    full = (unpacked(heads, [n])[:, None, :] * v).reshape(len(heads) * outputs, n) @ W
    if every == 1:
        return full
    head = np.arange(len(on)) // every
    row, j = bits_set(on ^ heads.take(head, axis=0))
    sign = np.where(bits_at(on, row, j), 1.0, -1.0)
    rows = full.reshape(-1, outputs, W.shape[1]).take(head, axis=0)
    for o, by in enumerate(v):
        rows[:, o] += _sparse(len(on), row, j, sign * by.take(j), n) @ W
    return rows.reshape(-1, W.shape[1])


def _sparse(rows: int, row: Indices, column: Indices, value: Array, columns: int) -> csr_array:
    """(rows, columns) with the given entries, row by row."""
    return csr_array((value, column, starts(np.bincount(row, minlength=rows))), shape=(rows, columns))


def _certify(regions: Regions) -> Certificate:
    """One forward pass at all vertices, compared with the walls that the vertices are known to lie on."""
    net, k = regions.net, len(regions.net.biases) - 1
    walls = np.flatnonzero(regions.edge_owner >= 0)
    vertex, unit = regions.edges[walls].ravel(), np.repeat(regions.edge_owner[walls], 2)
    order = np.argsort(vertex)
    vertex, unit = vertex.take(order), unit.take(order)
    scale = np.concatenate([*regions.scales, [1.0]])
    scaling = 1 / np.where(scale > 0, scale, 1)
    on, off = 0.0, np.inf
    for rows in row_blocks(len(regions.vertices), 256):
        h, z = regions.vertices[rows], []
        for W, b in zip(net.weights[:k], net.biases[:k], strict=True):
            z.append(h @ W.T + b)
            h = np.maximum(z[-1], 0)
        size = np.concatenate(z, axis=1) if z else np.ones((len(h), 1))
        np.abs(size, out=size)
        size *= scaling[: size.shape[1]]
        pairs = slice(*np.searchsorted(vertex, [rows.start, rows.stop]))
        own = vertex[pairs] - rows.start, unit[pairs]
        on = max(on, float(size[own].max(initial=0)))
        size[own] = np.inf
        size[size == 0] = np.inf  # exactly 0: a unit that is off nearby, or a wall that the vertex touches
        if regions.level:
            near = size <= regions.level
            on = max(on, float(size[near].max(initial=0)))
            size[near] = np.inf
        off = min(off, float(size.min(initial=np.inf)))
    ok = off >= 1000 * on and off > max(TOLERANCE, regions.level) and on <= max(TOLERANCE, regions.level)
    return Certificate(on, off, bool(ok), "" if ok else (
        f"Vertices are not clearly on or off the walls: scaled pre-activations reach {on:.1g} on them and fall to {off:.1g} "
        "off them. Regions that narrow may be missing or invented."))


# ------------------------------------------------------------ using the regions


class Neighbours(NamedTuple):
    """Pairs of regions with a common side."""

    faces: Indices  # (k, 2) to the left and to the right of the edge
    edge: Indices   # (k,) regions.edge_owner[edge] is the unit in which they differ


def neighbours(regions: Regions) -> Neighbours:
    """Which regions share a side, and by which edge; in general position their patterns differ in its owner alone (T38)."""
    check_kind("regions", regions, Regions)
    edge = np.flatnonzero((regions.edge_faces >= 0).all(axis=1))
    return Neighbours(regions.edge_faces[edge], edge)


def locate(regions: Regions, points: ArrayLike) -> Indices:
    """The region of each point, (n, 2): its index, (n,), or -1 outside the window.

    A region is known by its pattern.  A point whose pattern is no region's, because it
    lies on a wall or within the tolerance of one, goes to a region beside it.
    """
    check_kind("regions", regions, Regions)
    points = as_real("points", points, (None, 2), "one point of the plane per row").astype(np.float64)
    corners = regions.window
    side = np.roll(corners, -1, axis=0) - corners
    found = np.full(len(points), -1)
    inside = np.flatnonzero((cross(side, points[:, None, :] - corners) >= 0).all(axis=1))
    strings, order = regions._index
    for at in blocks(inside, 4096):
        q = pattern(regions.net, points[at])
        wanted = _strings(np.concatenate([pack(part) for part in split_layers(regions.net, q)], axis=1)
                          if len(regions.layers) else np.zeros((len(q), 0), np.uint64))
        place = np.minimum(np.searchsorted(strings, wanted), len(strings) - 1)
        found[at] = np.where(strings[place] == wanted, order[place], -1)
    lost = inside[found[inside] < 0]
    for at in blocks(lost, max(1, 2**20 // len(regions.edges))):
        found[at] = _below_edge(regions, points[at])
    return found


def _below_edge(regions: Regions, points: Array) -> Indices:
    """The face of each point by geometry: below the first edge above it."""
    points = points + 1e-12 * (regions.window.mean(axis=0) - points)  # off the window's sides
    (ux, uy), (vx, vy) = (regions.vertices[end].T for end in regions.edges.T)
    x, y = points[:, :1], points[:, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        height = uy + (x - ux) / (vx - ux) * (vy - uy) - y
    height[((ux <= x) == (vx <= x)) | (height < 0)] = np.inf
    edge = height.argmin(axis=1)
    return regions.edge_faces[edge, np.where(vx[edge] > ux[edge], 1, 0)]  # type: ignore[no-any-return]


def _strings(words: Words) -> NDArray[Any]:
    """Each row of words as one string of bytes, to be sorted and searched."""
    if words.shape[1] == 0:
        words = np.zeros((len(words), 1), np.uint64)
    return np.ascontiguousarray(words).view(np.dtype((np.void, 8 * words.shape[1]))).ravel()


def draw(ax: Axes, regions: Regions, colour: str | ArrayLike = "pattern", *, walls: bool = True, cmap: str = "viridis",
         linewidth: float = 0.5) -> PolyCollection:
    """Fill the regions, and draw the walls over them, each layer in its own colour.

    colour is "pattern" (patterns that differ in few units look alike), "slope" (hue for
    the direction and brightness for the size of the first output's gradient), one value
    per region, (F,), mapped by cmap, or one RGB or RGBA colour per region, (F, 3 or 4).
    """
    check_kind("ax", ax, Axes)
    check_kind("regions", regions, Regions)
    linewidth = float(as_real("linewidth", linewidth, ()))
    corners = np.split(regions.vertices[regions.face_vertex], regions.face_start[1:-1])
    faces = PolyCollection(corners, linewidths=0.3, rasterized=True)
    if isinstance(colour, str):
        if colour not in ("pattern", "slope"):
            raise ValueError(f"colour must be 'pattern', 'slope', or one value or colour per region. Got {colour!r}.")
        colours = _pattern_colours(regions.pattern) if colour == "pattern" else _slope_colours(regions.slope[:, 0])
    else:
        colours = as_real("colour", colour)
        if colours.shape[:1] != (len(regions),) or colours.ndim > 2 or (colours.ndim == 2 and colours.shape[1] not in (3, 4)):
            raise ValueError(f"colour must be one value or one RGB(A) colour per region, {len(regions)} of them. "
                             f"Got shape {colours.shape}.")
    if colours.ndim == 1:
        faces.set_array(colours)
        faces.set_cmap(cmap)
        faces.set_edgecolor("face")
    else:
        faces.set(facecolor=colours, edgecolor=colours)
    ax.add_collection(faces)
    if walls:
        _draw_walls(ax, regions, linewidth)
    (x0, y0), (x1, y1) = regions.window.min(axis=0), regions.window.max(axis=0)
    ax.set(xlim=(x0, x1), ylim=(y0, y1), aspect="equal")
    return faces


def _draw_walls(ax: Axes, regions: Regions, linewidth: float) -> None:
    """The first layer's walls darkest and widest."""
    depth = len(regions.net.weights) - 1
    for layer in reversed(range(depth)):
        lines = regions.vertices[regions.edges[regions.edge_layer == layer]]
        ax.add_collection(LineCollection(list(lines), colors=[(0.0, 0.0, 0.0, 0.75 - 0.5 * layer / depth)],
                                         linewidths=linewidth * (1.5 - layer / depth), capstyle="round"))


def _pattern_colours(q: Bits) -> Array:
    """(F, 3): the bits in a fixed random direction for each of red, green and blue; near patterns, near colours."""
    mixed = (q - q.mean(axis=0)) @ np.random.default_rng(0).normal(size=(q.shape[1], 3))
    return 0.6 + 0.32 * np.tanh(mixed / (mixed.std(axis=0) + 1e-300))  # type: ignore[no-any-return]


def _slope_colours(gradient: Array) -> Array:
    """(F, 3): hue is the direction of the gradient, (F, 2), value its length among the others'."""
    length = np.hypot(*gradient.T)
    value = (np.argsort(np.argsort(length)) + 1) / len(length)
    hue = np.arctan2(gradient[:, 1], gradient[:, 0]) / (2 * np.pi) % 1
    return hsv_to_rgb(np.stack([hue, np.full(len(hue), 0.65), 0.25 + 0.75 * value], axis=1))


# ------------------------------------------------------ shared by enumerations


def sums_sizes(W: Array, b: Array, largest: float) -> tuple[Array, float]:
    """(m[l],) the size of the sums that pre-activations come from, which |z| is compared with, for inputs up to largest.

    Also about how large such a sum would be if its m[l-1] terms had random signs: what comes out smaller, by
    cancellation, is no better known for that.
    """
    size: Array = np.abs(W).sum(axis=1) * largest + np.abs(b)
    return size, float(size.max(initial=0)) / np.sqrt(max(1, W.shape[1]))


def guard(regions: int, max_regions: int) -> None:
    if regions > max_regions:
        raise ValueError(f"There are more than max_regions = {max_regions} linear regions in the window. "
                         "Raise max_regions if there is memory for them, or take a smaller window.")


def blocks(which: Indices, size: int = 512) -> Iterator[Indices]:
    return (which[rows] for rows in row_blocks(len(which), size))


def bits_set(words: Words) -> tuple[Indices, Indices]:
    """Row and unit of every bit that is set in rows of words, row by row.  Words are mostly 0, so empty bytes are skipped first."""
    flat = words.view(np.uint8).ravel()
    byte = np.flatnonzero(flat != 0)
    bit = np.flatnonzero(np.unpackbits(flat.take(byte), bitorder="little"))
    row, unit = np.divmod(8 * byte.take(bit >> 3) + (bit & 7), max(1, 64 * words.shape[1]))
    return row, unit


def bits_at(words: Words, row: Indices, unit: Indices) -> Bits:
    word = words.reshape(-1).take(row * words.shape[1] + (unit >> 6))
    return (word >> (unit & 63).astype(np.uint64)) & np.uint64(1) != 0  # type: ignore[no-any-return]
