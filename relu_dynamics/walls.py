"""Walls: the distance to the nearest one, inscribed balls, angles, and bounds on cell counts.

The wall of a hidden unit u in the cell of x is the hyperplane where its pre-activation
vanishes, z_u + grad z_u . (x' - x) = 0.  The cell is the intersection of the half-spaces
on x's side of all walls, so the distance from x to the boundary of its cell is exactly

    min over units u with grad z_u(x) != 0 of   |z_u(x)| / |grad z_u(x)|          (T36)

A unit whose gradient is zero in the cell has no wall there.  Each of the paper's proxies
for a geometric quantity is here next to the exact quantity:

    distance_to_wall      T36, in input space
    surrogate_distance    |z| / |w|, in each layer's input space
    inscribed_ball        the largest ball in a cell, or in the first layer's arrangement (T37)
    hyperplane_cosines    angles between walls, layer by layer
    padded_cosines        the same matrix for all layers together
    spectral_norms        largest singular value of each layer; their product bounds the slope (T34)
    count_bound           an upper bound on the number of cells, from the widths (T38)

Everything is computed in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from relu_dynamics.checks import (
    Array, Indices, Undecided, as_real, check_box, check_count, check_depth, check_net, check_size,
    printed,
)
from relu_dynamics.mlp import MLP, Trace, hidden_units, row_count, rows_or_trace, trace_blocks
from relu_dynamics.patterns import maps_of, pattern_of, rows_times

BLOCK_ENTRIES = 2**19  # of the largest intermediate array: stays in cache


@printed
class Walls(NamedTuple):
    """Points on walls, and the unit of each wall."""

    points: Array   # (k, m[0])
    units: Indices  # (k,) hidden-unit indices


@printed
class Ball(NamedTuple):
    """A ball with no wall in its interior."""

    radius: float
    centre: Array  # (m[0],)


# ------------------------------------------------------------------- distances


def distance_to_wall(net: MLP, x: ArrayLike | Trace) -> Array:
    """(n,): the distance from each row of x, (n, m[0]), to the boundary of its region (T36).

    0 on a wall, inf where no unit has a wall.  A shorter move never changes the pattern; a
    slightly longer move towards the nearest wall does.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.distance_to_wall(hat, [[0.25], [3.0]]).tolist()
    [0.25, 2.0]
    """
    return _nearest(net, x, _of_gradients)


def wall_distances(net: MLP, x: ArrayLike | Trace) -> Array:
    """(n, H): |z_u| / |grad z_u|, the distance from each row of x to each unit's hyperplane.

    inf for a unit without a wall.  The row minimum is distance_to_wall; a hyperplane
    with a larger entry may lie outside the cell.
    """
    return _every(net, x, _of_gradients)


def surrogate_distance(net: MLP, x: ArrayLike | Trace) -> Array:
    """(n,): min over hidden units of |z_u| / |w_u|, with w_u the unit's own row of weights.

    The paper's region narrowness: a distance in the input space of the unit's own layer.  For
    the first layer it is the distance in the space of x; for deeper layers it ignores how the
    layers before stretch space, and, like the paper, it includes units whose gradient is zero
    in x's cell, which have no wall there.  Rows of zero weights have no hyperplane and are
    left out.
    """
    return _nearest(net, x, _of_weights)


def surrogate_distances(net: MLP, x: ArrayLike | Trace) -> Array:
    """(n, H): |z_u| / |w_u| for every unit; inf for a row of zero weights.

    For a unit of layer l at most prod_{j<l} |W[j]|_2 times the distance to its wall (T36).
    """
    return _every(net, x, _of_weights)


Norms = Callable[[MLP, Trace], Iterator[Array]]


def _of_gradients(net: MLP, trace: Trace) -> Iterator[Array]:
    """|grad z|, (n, m[l]), for each hidden layer."""
    n, d = trace.inputs[0].shape
    J: Array = np.broadcast_to(np.eye(d), (n, d, d))  # J[i, :, u]: the gradient of h_u at x_i
    for W, q in zip(net.weights[:-1], trace.pattern, strict=True):
        J = rows_times(J, W.T)
        yield lengths(J.swapaxes(1, 2))
        J *= q[:, None, :]


def _of_weights(net: MLP, trace: Trace) -> Iterator[Array]:
    """|w|, (n, m[l]), for each hidden layer."""
    return (np.broadcast_to(lengths(W), z.shape)
            for W, z in zip(net.weights[:-1], trace.preacts[:-1], strict=True))


def lengths(v: Array) -> Array:
    """(...): Euclidean lengths along the last axis, also of vectors whose squares underflow."""
    length = np.sqrt(np.einsum("...k,...k->...", v, v))
    if (short := length < 1e-140).any():
        size = np.abs(v[short]).max(axis=-1, initial=0)
        unit = v[short] / np.where(size > 0, size, 1)[:, None]
        length[short] = size * np.linalg.norm(unit, axis=-1)
    return np.asarray(length)


def _nearest(net: MLP, x: ArrayLike | Trace, norms: Norms) -> Array:
    """(n,): the minimum over all hidden units of |z| / norm."""
    net, x = rows_or_trace(net, x, float64=True)
    return np.concatenate([part.min(axis=1, initial=np.inf) for part in _blocks(net, x, norms)])


def _every(net: MLP, x: ArrayLike | Trace, norms: Norms) -> Array:
    """(n, H): |z| / norm for every hidden unit."""
    net, x = rows_or_trace(net, x, float64=True)
    check_size("distances", (row_count(x), hidden_units(net)), "Pass fewer rows at a time.")
    return np.concatenate([*_blocks(net, x, norms)])


def _blocks(net: MLP, x: Array | Trace, norms: Norms) -> Iterator[Array]:
    """|z| / norm, inf for a norm of 0, of a block of rows, (rows, H), at a time; of no rows first.

    (rows, m[0], widest layer) has about BLOCK_ENTRIES entries.
    """
    d = net.weights[0].shape[1]
    yield np.zeros((0, hidden_units(net)))
    entries = (max(len(b) for b in net.biases) + d) * d
    for _, trace in trace_blocks(net, x, max(1, BLOCK_ENTRIES // entries)):
        z, norm = (np.concatenate([trace.preacts[-1][:, :0], *parts], axis=1)
                   for parts in (trace.preacts[:-1], norms(net, trace)))
        yield np.divide(np.abs(z), norm, out=np.full(z.shape, np.inf), where=norm > 0)


# -------------------------------------------------------------- inscribed balls


def inscribed_ball(
    net: MLP, x: ArrayLike, low: ArrayLike, high: ArrayLike, layers: int | None = 1
) -> Ball:
    """The largest ball inside both x's cell and the box from low to high (T37).

    x is one point, (m[0],), of the box; low and high are numbers or (m[0],).  The cell is
    that of the first `layers` hidden layers: 1 is the arrangement of the first layer's
    hyperplanes (the paper's choice), None the cell of the whole network.  With s_u = 1 where
    z_u(x) > 0, else -1, centre c and radius rho solve the linear programme

        maximise rho   subject to   s_u (G_u . c + g_u) >= rho |G_u|,
                                    low + rho <= c <= high - rho.

    The radius returned is computed again from the constraints, so the ball fits; it differs from
    the largest by at most 1e-9 of the box's longest side.  It is 0 if the cell has no interior,
    which is possible at ties.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.inscribed_ball(hat, [0.25], -1.0, 3.0)
    Ball(radius 0.5, centre [0.5])
    """
    net = check_net(net)
    d = net.weights[0].shape[1]
    x = as_real("x", x, (d,), "one point, one coordinate per input").astype(np.float64)
    low, high = check_box(x, low, high)
    A, slack = _constraints(net, x, low, high, check_depth(net, layers))
    # Origin x, unit the longest side: y = 0, rho = 0 is feasible and all numbers are moderate.
    unit = float(np.max(high - low))
    solution = linprog(
        np.append(np.zeros(d), -1.0), np.column_stack([A, np.ones(len(A))]), slack / unit,
        bounds=[*zip((low - x) / unit, (high - x) / unit, strict=True), (0, 1)], method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if solution.x is None:
        raise Undecided(f"The linear programme of the ball was not solved: {solution.message}")
    step = solution.x[:d] * unit
    radius = float(np.min(slack - A @ step))
    if radius < slack.min():  # by rounding; the ball around x is better
        return Ball(float(slack.min()), x.copy())
    return Ball(radius, np.clip(x + step, low, high))


def _constraints(net: MLP, x: Array, low: Array, high: Array, layers: int) -> tuple[Array, Array]:
    """Unit rows A, (k, d), and slack, (k,) >= 0: (c, rho) fits iff A (c - x) + rho <= slack."""
    head = MLP(net.weights[: layers + 1], net.biases[: layers + 1])
    q = pattern_of(head, x[None])
    G, g = (part[0] for part in maps_of(head, q))
    norm = lengths(G)
    walls = norm > 0
    sign = np.where(q[0], 1.0, -1.0)[walls]
    G, z, norm = G[walls], (G @ x + g)[walls], norm[walls]
    eye = np.eye(len(x))
    A = np.vstack([-sign[:, None] * G / norm[:, None], eye, -eye])
    return A, np.maximum(np.concatenate([sign * z / norm, high - x, x - low]), 0.0)


# --------------------------------------------------------------- how walls lie


def hyperplane_cosines(net: MLP) -> tuple[Array, ...]:
    """One (m[l], m[l]) matrix per hidden layer: cosines of the angles between its rows of weights.

    NaN in the rows and columns of units with zero weights, else diagonal 1.  Hyperplanes of one
    layer lie in one space, so these are angles; biases only shift them and have no influence.
    """
    net = check_net(net)
    return tuple(_cosines(W) for W in net.weights[:-1])


def padded_cosines(net: MLP) -> Array:
    """(H, H): cosines between all hidden units, shorter rows of weights padded with zeros.

    This is the paper's matrix.  Its diagonal blocks are hyperplane_cosines; its other blocks
    compare coordinates of different spaces (input 3 with unit 3 of the layer before), so
    they are not angles between geometric objects.
    """
    net = check_net(net)
    widest = max((W.shape[1] for W in net.weights[:-1]), default=0)
    rows = [np.pad(W, [(0, 0), (0, widest - W.shape[1])]) for W in net.weights[:-1]]
    check_size("padded_cosines", (hidden_units(net),) * 2, "Use hyperplane_cosines.")
    return _cosines(np.concatenate([np.empty((0, widest)), *rows]))


def spectral_norms(net: MLP) -> Array:
    """(L,): the largest singular value of each W[l], 0 for a layer without rows or columns."""
    weights = [W.astype(np.float64) for W in check_net(net).weights]
    return np.array([np.linalg.norm(W, 2) if W.size else 0.0 for W in weights])


def lipschitz_bound(net: MLP) -> float:
    """B = prod_l |W[l]|_2: |f(x) - f(x')| <= B |x - x'|, and |A_q|_2 <= B in every cell (T34)."""
    return float(np.prod(spectral_norms(net)))


def _cosines(rows: Array) -> Array:
    rows = rows.astype(np.float64)
    size = np.abs(rows).max(axis=1, initial=0)  # scaled by it first, so that no square overflows
    size[size == 0] = np.nan
    rows = rows / size[:, None]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = np.clip(rows @ rows.T, -1, 1)
    np.fill_diagonal(cosines, np.where(np.isnan(size), np.nan, 1.0))
    return np.asarray(cosines)


# --------------------------------------------------------------- how many cells


def count_bound(net: MLP, dimension: int | None = None) -> int:
    """A bound on the number of regions with interior, in a convex window, from the widths of net.

    dimension is that of the window: 1 for a segment, 2 for a plane section, and m[0]
    (None) for a window of the input space.  Theorem 1 of Serra, Tjandraatmadja &
    Ramalingam 2018 ("Bounding and counting linear regions of deep neural networks"):

        sum over j[1], ..., j[L-1] of prod_l C(m[l], j[l]),
        0 <= j[l] <= min(dimension, m[1] - j[1], ..., m[l-1] - j[l-1], m[l]).

    j[l] counts units of layer l that are off: then the image of the layer has dimension at
    most m[l] - j[l], and later walls cut only that.  One hidden layer of n units gives
    sum_{j <= dimension} C(n, j), so 1 + n + C(n, 2) in the plane; a segment gives at most
    prod_l (m[l] + 1), because each unit bends each piece at most once.
    """
    net = check_net(net)
    widths = [len(b) for b in net.biases[:-1]]
    inputs = net.weights[0].shape[1]
    dimension = inputs if dimension is None else check_count("dimension", dimension, 0, inputs)

    # cells[room]: the bound for the layers from here on, on a cell whose image has room dimensions
    top = min(dimension, max(widths, default=0))
    cells = [1] * (top + 1)
    for m in reversed(widths):
        choices = [math.comb(m, j) for j in range(min(top, m) + 1)]
        cells = [sum(many * cells[min(room, m - j)] for j, many in enumerate(choices[: room + 1]))
                 for room in range(top + 1)]
    return cells[top]
