"""How far every decision about the regions was from being a rounding error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from relu_dynamics.checks import Array, Indices, row_blocks
from relu_dynamics.geometry import TOLERANCE
from relu_dynamics.mlp import MLP


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


def certify(net: MLP, vertices: Array, edges: Indices, edge_owner: Indices, scales: list[Array],
            level: float) -> Certificate:
    """z at all vertices, compared with the walls that the vertices are known to lie on."""
    k = len(net.biases) - 1
    walls = np.flatnonzero(edge_owner >= 0)
    vertex, unit = edges[walls].ravel(), np.repeat(edge_owner[walls], 2)
    order = np.argsort(vertex)
    vertex, unit = vertex.take(order), unit.take(order)
    scale = np.concatenate([*scales, [1.0]])
    scaling = 1 / np.where(scale > 0, scale, 1)
    on, off = 0.0, np.inf
    for rows in row_blocks(len(vertices), 256):
        h, z = vertices[rows], []
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
        size[size == 0] = np.inf  # a unit that is off nearby, or a wall that the vertex touches
        if level:
            near = size <= level
            on = max(on, float(size[near].max(initial=0)))
            size[near] = np.inf
        off = min(off, float(size.min(initial=np.inf)))
    doubt = max(TOLERANCE, level)
    ok = off >= 1000 * on and off > doubt >= on
    return Certificate(on, off, bool(ok), "" if ok else (
        "Vertices are not clearly on or off the walls: scaled pre-activations reach "
        f"{on:.1g} on them and fall to {off:.1g} off them. Regions that narrow may be missing or "
        "invented."))
