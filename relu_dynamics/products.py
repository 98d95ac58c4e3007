"""Kernels beyond memory: products, largest eigenvalues, moments, and the curvature of every layer.

The tangent kernel K = J J^T of n inputs has (n m[L])^2 entries, and J has n m[L] rows of p numbers.
Neither is needed: K v is one backward pass, J^T v, and one pass of preactivation rates, J (J^T v),
in O(n p) time (T48).  What products can tell:

    kernel_spectrum    the largest eigenvalues and their vectors, by Lanczos' method
    layer_curvature    inside a cell the loss is quadratic in the parameters of one layer, and its
                       Hessian there is (2 / (n m[L])) J[l]^T J[l]: descent on this layer alone is
                       stable iff its step is below 2 / (its largest eigenvalue) (T46)

kernel_moments are exact sums over blocks of K: mean and variance of all eigenvalues (T47).
Everything holds for imposed patterns (T40): pass the Trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

from relu_dynamics.checks import (
    Array, Undecided, as_real, check_count, check_size, check_some, row_blocks,
)
from relu_dynamics.mlp import (
    MLP, Trace, inputs_of, pull_back, row_count, rows_or_trace, trace_blocks, trace_of, traced,
)
from relu_dynamics.tangent import coupling, output_sensitivities, rates

ROWS = 2048            # at a time through the network
KEPT_ENTRIES = 2**27   # 1 GiB of D and h is kept from product to product; more is computed anew
DENSE = 512            # matrices up to this size are formed
BLOCK_ENTRIES = 2**22  # of one block of rows of K: 32 MiB


class KernelSpectrum(NamedTuple):
    """The k largest eigenvalues of K as an (n m[L], n m[L]) matrix, and orthonormal eigenvectors."""

    values: Array   # (k,), the largest first
    vectors: Array  # (k, n, m[L])


class KernelMoments(NamedTuple):
    """Of all n m[L] eigenvalues of K."""

    mean: float
    variance: float


class _Layer(NamedTuple):
    """One layer's Jacobian J = D (x) h at all rows, up to a rotation of its columns, which no eigenvalue of J J^T sees.

    D and h have as many columns as their ranks: units that are never on or never switch add none.
    """

    D: Array  # (n, m[L], a)
    h: Array  # (n, b), of the layer's input and 1 for the bias

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
            np.einsum("nau,nu->na", self.D[rows], self.h[rows] @ G.T, out=moved[rows])
        return moved

    def outer(self) -> Array:
        """J J^T, (n m[L], n m[L])."""
        n, m, units = self.D.shape
        D, h = self.D.reshape(n * m, units), np.repeat(self.h, m, axis=0)
        return np.asarray((D @ D.T) * (h @ h.T))

    def inner(self) -> Array:
        """J^T J, (a b, a b)."""
        n, m, units = self.D.shape
        total = np.zeros(2 * (units * self.h.shape[1],))
        for rows in row_blocks(n, max(1, BLOCK_ENTRIES // (len(total) * m))):
            J = (self.D[rows, :, :, None] * self.h[rows, None, None, :]).reshape(-1, len(total))
            total += J.T @ J
        return total


# ---------------------------------------------------------------------- products


def kernel_product(net: MLP, x: ArrayLike | Trace, v: ArrayLike) -> Array:
    """K v, (n, m[L]): sum_j K(x_i, x_j) v_j for v, (n, m[L]), without K (T48).

    O(n p) time; beyond x and v, memory for the parameters and for the passes of ROWS rows.

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
    """J (J^T v), of some layers or all, ROWS rows at a time."""
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

    Lanczos' method on products, so K is not formed; memory O(k n m[L] + p), and up to
    1 GiB for what all products share.  |K v - value v| is at most 1e-8 of the value, and so the
    value is right to 1e-10 or better.
    ValueError for k above n m[L]; Undecided if the method does not converge.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.kernel_spectrum(hat, [[0.5], [1.5]], 2).values.round(2).tolist()  # [[2.5, 3.5], [3.5, 19.75]]
    [20.43, 1.82]
    """
    net, x = rows_or_trace(net, x, float64=True)
    n, m = row_count(x), len(net.biases[-1])
    check_size("the eigenvectors", (check_count("k", k, 1, n * m), n, m), "Ask for fewer.")
    layers = _kept_layers(net, x)

    def times(v: Array) -> Array:
        v = v.reshape(n, m)
        return np.sum([J.push(J.pull(v)) for J in layers], axis=0) if layers else product(net, x, v)

    dense = np.sum([J.outer() for J in layers], axis=0) if layers and n * m <= DENSE else None
    values, vectors = _largest(n * m, k, times, dense)
    return KernelSpectrum(values, vectors.T.reshape(k, n, m))


def layer_curvature(net: MLP, x: ArrayLike | Trace, k: int = 1) -> Array:
    """(L, k): the k largest eigenvalues of every layer's block of the Hessian of the loss (T46).

    The loss is (1 / (n m[L])) sum_i |f(x_i) - y_i|^2; inside a cell the block is the same for all
    targets, (2 / (n m[L])) J[l]^T J[l], and has the nonzero eigenvalues of (2 / (n m[L])) J[l] J[l]^T:
    the smaller of the two is used.  Descent on layer l alone converges iff its step is below
    2 / layer_curvature(net, x)[l, 0], for as long as no unit switches.
    ValueError for k above the number of parameters of a layer; Undecided without convergence.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.layer_curvature(hat, [[0.5], [0.5]]).tolist()  # 2 (0.5^2 + 1), on either side
    [[2.5], [2.5]]
    """
    net, x = rows_or_trace(net, x, float64=True)
    n, m = row_count(x), len(net.biases[-1])
    check_some("x", inputs_of(x), "the mean loss of no examples has no meaning")
    k = check_count("k", k, 1, min(W.size + b.size for W, b in zip(*net, strict=True)))
    layers, curvature = _kept_layers(net, x), np.zeros((len(net.weights), k))
    for l, row in enumerate(curvature):
        alone = slice(l, l + 1)
        values = _layer_values(layers[l], k) if layers else _largest(
            n * m, k, lambda v: product(net, x, v.reshape(n, m), alone), None)[0]
        row[: len(values)] = 2 / (n * m) * values  # the rest are 0
    return curvature


def kernel_moments(net: MLP, x: ArrayLike | Trace) -> KernelMoments:
    """Mean and variance of all n m[L] eigenvalues of K, without eigenvalues (T47).

    The mean is tr K / (n m[L]), the mean of squares |K|_F^2 / (n m[L]).  Time O(n^2 sum_l m[l]) as
    for K itself, memory O(n sum_l m[l]) and a block of rows of K.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.kernel_moments(hat, [[0.5], [1.5]])  # of [[2.5, 3.5], [3.5, 19.75]]
    KernelMoments(mean=11.125, variance=86.640625)
    """
    net, trace = traced(net, x)
    n, m = trace.preacts[-1].shape
    check_some("x", trace.preacts[-1], "no eigenvalues have no mean")
    D, h = output_sensitivities(net, trace)
    mean = sum(float(np.sum(np.vecdot(d, d).sum(axis=1) * (np.vecdot(g, g) + 1))) for d, g in zip(D, h, strict=True)) / (n * m)
    squares = 0.0
    for rows in row_blocks(n, max(1, BLOCK_ENTRIES // (n * m * m))):
        left, right = ([[part[some] for part in parts] for parts in (D, h)] for some in (rows, slice(rows.start, n)))
        K = coupling((left[0], left[1]), (right[0], right[1]))  # from the diagonal on
        own = K[..., : rows.stop - rows.start]
        squares += 2 * float(np.vdot(K, K)) - float(np.vdot(own, own))
    return KernelMoments(mean, max(squares / (n * m) - mean**2, 0.0))


def _kept_layers(net: MLP, x: Array | Trace) -> list[_Layer]:
    """The Jacobian of every layer, as its two factors; none if that is more than KEPT_ENTRIES."""
    m = len(net.biases[-1])
    if row_count(x) * sum(m * len(W) + W.shape[1] + 1 for W in net.weights) > KEPT_ENTRIES:
        return []
    D, h = output_sensitivities(net, trace_of(net, x))
    return [_Layer(_rotated(d), _rotated(np.column_stack([g, np.ones(len(g))]))) for d, g in zip(D, h, strict=True)]


def _rotated(a: Array) -> Array:
    """a V with the columns that are not 0 to rounding in a V V^T a^T, which is a a^T; V orthogonal."""
    flat = a.reshape(-1, a.shape[-1])
    square, V = np.linalg.eigh(flat.T @ flat)
    rotated: Array = flat @ V[:, square >= 1e-15 * square.max(initial=0)]
    return rotated.reshape(*a.shape[:-1], rotated.shape[1])


def _layer_values(J: _Layer, k: int) -> Array:
    """The largest eigenvalues, up to k, of J J^T, or of J^T J where that is smaller."""
    (n, m, units), inputs = J.D.shape, J.h.shape[1]
    if n * m <= units * inputs:
        dense = J.outer() if n * m <= DENSE else None
        return _largest(n * m, k, lambda v: J.push(J.pull(v.reshape(n, m))), dense)[0]
    dense = J.inner() if units * inputs <= DENSE else None
    return _largest(units * inputs, k, lambda v: J.pull(J.push(v.reshape(units, inputs))), dense)[0]


def _largest(size: int, k: int, times: Callable[[Array], Array], dense: Array | None) -> tuple[Array, Array]:
    """The largest eigenvalues, up to k, falling, and vectors, (size, k), of a positive semidefinite matrix.

    The matrix is dense, or known by its products.
    """
    if dense is not None:
        values, vectors = eigh(dense, subset_by_index=(max(size - k, 0), size - 1))
    elif k >= size:
        values, vectors = eigh(np.stack([times(e).ravel() for e in np.eye(size)]))
    else:
        operator = LinearOperator((size, size), lambda v: times(v).ravel(), dtype=np.float64)
        start = np.random.default_rng(0).standard_normal(size)  # no symmetry hides an eigenvector from it
        try:
            values, vectors = eigsh(operator, k, which="LA", v0=start, tol=1e-8)
        except ArpackError as error:
            raise Undecided(f"Lanczos' method did not find the {k} largest eigenvalues: {error}") from error
    return np.maximum(values[::-1], 0), vectors[:, ::-1]
