"""Kernels too large for memory: products, largest eigenvalues, moments, and curvature of layers.

The tangent kernel K = J J^T of n inputs has (n m[L])^2 entries, and J has n m[L] rows of p numbers.
Neither is needed: K v is one backward pass, J^T v, and one pass of preactivation rates, J (J^T v),
in O(n p) time (T48).  Products are enough for

    kernel_spectrum    the largest eigenvalues and their vectors, by Lanczos' method
    layer_curvature    inside a cell the loss is quadratic in the parameters of one layer, and its
                       Hessian is (2 / (n m[L])) J[l]^T J[l]: descent on this layer alone is
                       stable iff the step is below 2 / (the largest eigenvalue) (T46)

kernel_moments are exact sums over blocks of K: mean and variance of all eigenvalues (T47).
Everything holds for imposed patterns (T40): pass the Trace.

Samples of one cell share D, and every h is affine in x there: their rows of J span at most m[0] + 1
dimensions per output.  If a cell contains more samples, J = P J' with m[0] + 1 rows in their place
and P^T P = 1: with X = Q R, X the rows (x, 1) of the samples, the new rows come from a forward pass
of the rows of R through the gates of the cell; a row of R is a point (x, c), with the constant c in
place of 1.  J' J'^T has the nonzero eigenvalues of K and is used in its place.  (128 x 128
coordinates and 4 x 128 units: 7008 rows.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh
from scipy.sparse import block_diag, csr_array, eye_array
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

from relu_dynamics.checks import (
    Array, Bits, Undecided, as_real, check_count, check_size, check_some, printed, row_blocks,
)
from relu_dynamics.mlp import (
    MLP, Trace, inputs_of, pull_back, row_count, rows_or_trace, split_layers, trace_blocks,
    trace_of,
)
from relu_dynamics.patterns import pack, pattern_of, unique_words
from relu_dynamics.tangent import output_sensitivities, rates

ROWS = 2048            # at a time through the network
KEPT_ENTRIES = 2**27   # up to 1 GiB of D and h is kept between products; else computed each time
DENSE = 128            # matrices up to this size are formed
BLOCK_ENTRIES = 2**22  # of one block of rows of K: 32 MiB


@printed
class KernelSpectrum(NamedTuple):
    """The k largest eigenvalues of K, (n m[L], n m[L]), and orthonormal eigenvectors."""

    values: Array   # (k,), the largest first
    vectors: Array  # (k, n, m[L])


class KernelMoments(NamedTuple):
    """Mean and variance of all n m[L] eigenvalues of K."""

    mean: float
    variance: float


class _LayerJacobian(NamedTuple):
    """One layer's Jacobian, J = D (x) h."""

    D: Array  # (n, m[L], a)
    h: Array  # (n, b), the layer's input and 1 for the bias

    def pull(self, v: Array) -> Array:
        """J^T v, (a, b)."""
        total = np.zeros((self.D.shape[2], self.h.shape[1]))
        for rows in row_blocks(len(v), ROWS):
            total += np.einsum("nau,na->nu", self.D[rows], v[rows]).T @ self.h[rows]
        return total

    def push(self, G: Array) -> Array:
        """J G, (n, m[L])."""
        moved = np.empty(self.D.shape[:2])
        for rows in row_blocks(len(moved), ROWS):
            np.vecdot(self.D[rows], (self.h[rows] @ G.T)[:, None], out=moved[rows])
        return moved

    def outer(self, rows: slice = slice(None), columns: slice = slice(None)) -> Array:
        """J J^T, or a block of it, (n m[L], n m[L])."""
        n, m, units = self.D.shape
        D, example = self.D.reshape(n * m, units), np.repeat(np.arange(n), m)
        h, g = self.h[example[rows]], self.h[example[columns]]
        return np.asarray((D[rows] @ D[columns].T) * (h @ g.T))


# ---------------------------------------------------------------------- products


def kernel_product(net: MLP, x: ArrayLike | Trace, v: ArrayLike) -> Array:
    """K v, (n, m[L]): sum_j K(x_i, x_j) v_j for v, (n, m[L]), without forming K (T48).

    O(n p) time; besides x and v, memory for the parameters and for passes of ROWS rows.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.kernel_product(hat, [[0.5], [1.5]], [[1.0], [0.0]]).tolist()  # the first column of K
    [[2.5], [3.5]]
    """
    net, x = rows_or_trace(net, x, float64=True)
    shape = row_count(x), len(net.biases[-1])
    v = as_real("v", v, shape, "one row per row of x, one column per output")
    return product(net, x, v.astype(np.float64, copy=False))


def product(net: MLP, x: Array | Trace, v: Array, layers: slice = slice(None)) -> Array:
    """J (J^T v) for the given layers, ROWS rows at a time."""
    pulled = MLP(*(tuple(np.zeros_like(part) for part in parts) for parts in net))  # J^T v
    for rows, trace in trace_blocks(net, x, ROWS):
        gradient = pull_back(net, trace, v[rows])
        for sums, parts in zip(pulled, gradient[:2], strict=True):
            for total, part in zip(sums[layers], parts[layers], strict=True):
                total += part
    moved = np.empty_like(v)
    for rows, trace in trace_blocks(net, x, ROWS):
        moved[rows] = rates(net, trace, pulled)[-1]
    return moved


# ------------------------------------------------------- eigenvalues and moments


def kernel_spectrum(net: MLP, x: ArrayLike | Trace, k: int) -> KernelSpectrum:
    """The k largest eigenvalues of the tangent kernel of the rows of x, and their vectors.

    Lanczos' method on products: K is not formed.  Memory O(k n m[L] + p), and up to 1 GiB for
    D and h, which all products share.  |K v - value v| is at most 1e-8 of the largest value;
    values much smaller than that have fewer right digits.
    ValueError for k above n m[L]; Undecided if the method does not converge.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> found = rd.kernel_spectrum(hat, [[0.5], [1.5]], 2)  # of [[2.5, 3.5], [3.5, 19.75]]
    >>> found.values.round(2).tolist()
    [20.43, 1.82]
    """
    net, x = rows_or_trace(net, x, float64=True)
    n, m = row_count(x), len(net.biases[-1])
    check_size("the eigenvectors", (check_count("k", k, 1, n * m), n, m), "Ask for fewer.")
    P, samples, q = _few_rows(net, x, k)
    if not _fits_in_memory(net, len(q)):
        values, vectors = _largest(n * m, k, lambda v: product(net, x, v.reshape(n, m)))
        return KernelSpectrum(values, vectors.T.reshape(k, n, m))
    layers, size = _rotated_jacobians(net, samples, q), len(q) * m
    values, vectors = _largest(
        size, k, lambda v: np.sum([J.push(J.pull(v.reshape(len(q), m))) for J in layers], axis=0),
        np.sum([J.outer() for J in layers], axis=0) if size <= DENSE else None)
    return KernelSpectrum(values, np.stack([P @ v.reshape(len(q), m) for v in vectors.T]))


def layer_curvature(net: MLP, x: ArrayLike | Trace, k: int = 1) -> Array:
    """(L, k): the k largest eigenvalues of every layer's block of the Hessian of the loss (T46).

    The loss is (1 / (n m[L])) sum_i |f(x_i) - y_i|^2; inside a cell the block is the same for all
    targets, (2 / (n m[L])) J[l]^T J[l], and J[l] J[l]^T has the same nonzero eigenvalues: the
    smaller of the two is used.  Descent on layer l alone converges iff its step is below
    2 / layer_curvature(net, x)[l, 0], as long as no unit switches.
    ValueError for k above the number of parameters of a layer; Undecided without convergence.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.layer_curvature(hat, [[0.5], [0.5]]).round(6).tolist()  # 2 (0.5^2 + 1), on either side
    [[2.5], [2.5]]
    """
    net, x = rows_or_trace(net, x, float64=True)
    n, m = row_count(x), len(net.biases[-1])
    check_some("x", inputs_of(x), "the mean loss of no examples has no meaning")
    k = check_count("k", k, 1, min(W.size + b.size for W, b in zip(*net, strict=True)))
    layers = _layer_jacobians(net, trace_of(net, x)) if _fits_in_memory(net, n) else []
    curvature = np.zeros((len(net.weights), k))
    for l, row in enumerate(curvature):
        # the last layer has the same block for every output: one of them is enough
        outputs, alone = m if l < len(curvature) - 1 else 1, slice(l, l + 1)
        others = [(0, 0), (0, m - outputs)]
        values = _layer_values(layers[l]._replace(D=layers[l].D[:, :outputs]), k) if layers else (
            _largest(n * outputs, k, lambda v: product(
                net, x, np.pad(v.reshape(n, outputs), others), alone)[:, :outputs])[0])
        values = np.repeat(values, m // outputs)[:k]
        row[: len(values)] = 2 / (n * m) * values  # the rest are 0
    return curvature


def kernel_moments(net: MLP, x: ArrayLike | Trace) -> KernelMoments:
    """Mean and variance of all n m[L] eigenvalues of K, without eigenvalues (T47).

    The mean is tr K / (n m[L]), the mean of squares |K|_F^2 / (n m[L]).  Costs at most the time
    of K itself, O(n^2 sum_l m[l]), and memory O(n m[L] sum_l m[l]) plus a block of rows of K.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.kernel_moments(hat, [[0.5], [1.5]])  # of [[2.5, 3.5], [3.5, 19.75]]
    KernelMoments(mean=11.125, variance=86.640625)
    """
    net, x = rows_or_trace(net, x, float64=True)
    check_some("x", inputs_of(x), "no eigenvalues have no mean")
    n, m = row_count(x), len(net.biases[-1])
    _, samples, q = _few_rows(net, x, 0)
    layers, size = _rotated_jacobians(net, samples, q), len(q) * m
    trace, squares = 0.0, 0.0
    for rows in row_blocks(size, max(1, BLOCK_ENTRIES // size)):
        K = np.sum([J.outer(rows, slice(rows.start, size)) for J in layers], axis=0)
        own = K[:, : len(K)]  # the diagonal block; the part to its left equals one counted before
        trace += float(np.trace(own))
        squares += 2 * float(np.vdot(K, K)) - float(np.vdot(own, own))
    mean = trace / (n * m)
    return KernelMoments(mean, max(squares / (n * m) - mean**2, 0.0))


# ----------------------------------------------------------------- the Jacobian


def _few_rows(net: MLP, x: Array | Trace, least: int) -> tuple[csr_array, Array, Bits]:
    """P, (n, n'), and samples (x, c), (n', m[0] + 1), with their gates, (n', H), so that J = P J'.

    If n' m[L] would be less than least, the rows are not replaced.
    """
    q = pattern_of(net, x)
    points = np.column_stack([inputs_of(x), np.ones(len(q))])
    n, d = points.shape
    _, cell = unique_words(pack(q))
    counts = np.bincount(cell)
    limit = d if np.minimum(counts, d).sum() * len(net.biases[-1]) >= least else n
    stay = np.flatnonzero(counts[cell] <= limit)
    by_cell, ends, many = np.argsort(cell, kind="stable"), np.cumsum(counts), counts > limit
    full = [by_cell[end - count : end]
            for end, count in zip(ends[many], counts[many], strict=True)]
    factors = [np.linalg.qr(points[rows]) for rows in full]
    P = block_diag([eye_array(len(stay)), *(Q for Q, _ in factors)], format="csr")
    back = np.argsort(np.concatenate([stay, *full]))
    gates = np.concatenate([stay, *(np.repeat(rows[:1], d) for rows in full)])
    return P[back], np.concatenate([points[stay], *(R for _, R in factors)]), q[gates]


def _fits_in_memory(net: MLP, n: int) -> bool:
    """Whether D and h at n rows are at most KEPT_ENTRIES numbers."""
    m, widths = len(net.biases[-1]), [len(b) for b in net.biases]
    return bool(n * (m * sum(widths) + sum(widths[:-1]) + net.weights[0].shape[1]) <= KEPT_ENTRIES)


def _layer_jacobians(net: MLP, trace: Trace, c: ArrayLike = 1.0) -> list[_LayerJacobian]:
    """The Jacobian of every layer; c, (n, 1), takes the place of 1 at the biases."""
    n = len(trace.inputs[0])
    c = np.broadcast_to(c, (n, 1))
    return [_LayerJacobian(D, np.concatenate([h, c], axis=1))
            for D, h in zip(*output_sensitivities(net, trace), strict=True)]


def _rotated_jacobians(net: MLP, samples: Array, q: Bits) -> list[_LayerJacobian]:
    """The Jacobian of every layer at samples (x, c) with gates q: z = W h + c b.

    It is rotated, which keeps J J^T, to as many columns of D and h as their ranks: units that never
    switch or are never on add none.
    """
    h, c = samples[:, :-1], samples[:, -1:]
    trace = Trace([], [], split_layers(net, q))
    for W, b, gates in zip(*net, [*trace.pattern, None], strict=True):
        trace.inputs.append(h)
        trace.preacts.append(h @ W.T + c * b)
        h = trace.preacts[-1] if gates is None else trace.preacts[-1] * gates
    return [_LayerJacobian(_rotated(D), _rotated(h)) for D, h in _layer_jacobians(net, trace, c)]


def _rotated(a: Array) -> Array:
    """a V, V orthogonal, without the columns that add only rounding to a V V^T a^T = a a^T."""
    flat = a.reshape(math.prod(a.shape[:-1]), a.shape[-1])
    square, V = np.linalg.eigh(flat.T @ flat)
    rotated: Array = flat @ V[:, square >= 1e-15 * square.max(initial=0)]
    return rotated.reshape(*a.shape[:-1], rotated.shape[1])


def _layer_values(J: _LayerJacobian, k: int) -> Array:
    """The largest eigenvalues, at most k, of J J^T, or of J^T J if that is smaller."""
    (n, m, units), inputs = J.D.shape, J.h.shape[1]
    if n * m <= units * inputs:
        dense = J.outer() if n * m <= DENSE else None
        return _largest(n * m, k, lambda v: J.push(J.pull(v.reshape(n, m))), dense)[0]
    return _largest(units * inputs, k, lambda v: J.pull(J.push(v.reshape(units, inputs))))[0]


def _largest(
    size: int, k: int, times: Callable[[Array], Array], dense: Array | None = None
) -> tuple[Array, Array]:
    """The largest eigenvalues, at most k, decreasing, and their vectors, (size, k).

    The matrix is positive semidefinite, given by its products, times(v), or as dense.  A large
    one should have no multiple eigenvalues: Lanczos' method may miss copies.
    """
    if dense is None and (k >= size or size <= DENSE):
        dense = np.stack([times(e).ravel() for e in np.eye(size)])
    if dense is not None:
        values, vectors = eigh(dense, subset_by_index=(max(size - k, 0), size - 1))
        return np.maximum(values[::-1], 0), vectors[:, ::-1]
    operator = LinearOperator((size, size), lambda v: times(v).ravel(), dtype=np.float64)
    start = np.random.default_rng(0).uniform(size=size)  # not orthogonal to any eigenvector
    try:
        values, vectors = eigsh(operator, k, which="LA", v0=start, tol=1e-8,
                                ncv=min(2 * k + 2, size))
    except ArpackError as error:
        if not times(start).any():  # the matrix is 0
            return np.zeros(k), np.eye(size, k)
        raise Undecided(f"Lanczos' method found no {k} largest eigenvalues: {error}") from error
    return np.maximum(values[::-1], 0), vectors[:, ::-1]
