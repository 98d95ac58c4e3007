"""The answer: the regions of a network in a window as a planar complex."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
import numpy as np

from relu_dynamics.checks import Array, Bits, Indices, Words
from relu_dynamics.mlp import MLP
from relu_dynamics.regions2d.affine import affine_maps
from relu_dynamics.regions2d.bits import packed_patterns, unpacked
from relu_dynamics.regions2d.certificate import Certificate, certify
from relu_dynamics.regions2d.found import Found

CHEAP = 2**20  # pre-activations at the vertices: so many are computed to print a line


@dataclass(frozen=True, eq=False, repr=False)
class Regions:
    """The linear regions of net in a window: a planar complex with F = len(regions) faces.

    Face f has the vertices face_vertex[face_start[f]:face_start[f+1]], counter-clockwise.
    pattern, slope, offset and certificate are computed when first asked for.
    """

    vertices: Array       # (v, 2)
    edges: Indices        # (e, 2) vertex indices
    edge_faces: Indices   # (e, 2) the faces to the left and to the right; -1 outside the window
    edge_owner: Indices   # (e,) the hidden unit whose wall it is part of; -1: the window's side
    face_start: Indices   # (F+1,)
    face_vertex: Indices
    area: Array           # (F,)
    tolerance: float      # regions narrower than this (a length) may have been merged or misplaced
    layers: list[tuple[Indices, Words]]  # per hidden layer: (face one layer up, bits) of every face
    scales: list[Array]   # per hidden layer: the sizes of the sums that make pre-activations
    level: float          # scaled pre-activations up to this were taken for 0; mostly 0
    window: Array         # (k, 2)
    net: MLP

    def __len__(self) -> int:
        return len(self.area)

    def __repr__(self) -> str:
        units = sum(len(b) for b in self.net.biases[:-1])
        state = "certificate not computed"
        if "certificate" in self.__dict__ or len(self.vertices) * units <= CHEAP:
            state = "certificate ok" if self.certificate.ok else "without certificate"
        return f"Regions({len(self)} regions, {units} units, {state})"

    @cached_property
    def packed(self) -> Words:
        """(F, words): every region's pattern, 64 units to a word; each layer starts a new word."""
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
        """(e,) the hidden layer, counted from 0, of the unit that owns the edge; -1: a side."""
        ends = np.cumsum([0, *(len(b) for b in self.net.biases[:-1])])
        return np.searchsorted(ends, self.edge_owner, side="right") - 1

    @cached_property
    def certificate(self) -> Certificate:
        return certify(self.net, self.vertices, self.edges, self.edge_owner, self.scales,
                       self.level)

    @cached_property
    def _affine(self) -> tuple[Array, Array]:
        return affine_maps(self.net, self.layers)


def assemble(net: MLP, corners: Array, found: Found) -> Regions:
    """The result of an enumeration of the window with these corners."""
    sub, cycles = found.complex, found.cycles
    corner = sub.edges.ravel().take(cycles.half_edge)
    owner = np.maximum(sub.owner, -1)  # the sides of the window have numbers below 0
    return Regions(sub.points, sub.edges, sub.face.reshape(-1, 2), owner, cycles.start, corner,
                   found.area, found.tolerance, found.layers, found.scales, found.level, corners,
                   net)
