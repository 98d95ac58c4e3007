"""How fast each frequency is learned: the spectrum of the tangent kernel, and of the activation pattern.

On n samples of a uniform grid, with F the unitary discrete Fourier transform, gradient flow reduces
frequency k of the residual by itself at the rate (2/nm) K_kk, where K_kk = (F K F*)_kk is the
*intrinsic rate* (T16).  It says what distances say, transformed.  For K_ij = <v_i, v_j> and k != 0

    K_kk = -1/2 DFT over the displacement d of mean_i |v_i - v_(i+d)|^2                          (T49 i)

and the same with the 0/1 numbers q_iu in place of v_i is the *power spectrum of the pattern*

    P_k = sum_u |(F q_u)_k|^2 = -1/2 DFT over d of the mean Hamming distance of q_i and q_(i+d)  (T49 iv)

so near pairs decide the rates of high frequencies, and far pairs those of low ones (T50):

    sum_k 4 sin^2(pi k/n) P_k = sum_i H(q_i, q_(i+1))

    grid    (n,) or (height, width): the samples lie on it in row-major order, and indices wrap around
    bands   results are means over the frequencies of one radius |k|, rounded, k = 0, 1, ...;
            on a line that is P_k and K_kk themselves, k = 0 .. n/2, as k and -k are alike.
            bands=False gives every frequency, shaped like the grid, k as in numpy.fft.fftfreq
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from relu_dynamics.checks import (
    Array, Bits, Indices, Words, as_real, check_bits, check_grid, check_size, row_blocks,
)
from relu_dynamics.mlp import MLP, Trace, traced
from relu_dynamics.patterns import unpack
from relu_dynamics.spectrum import radial_bands
from relu_dynamics.tangent import output_sensitivities

BLOCK_ENTRIES = 2**21  # of one block of the kernel, or of one block of units on the grid


def intrinsic_rates(net: MLP, x: ArrayLike | Trace, grid: tuple[int, ...], *, bands: bool = True) -> Array:
    """K_kk, (bands,): the diagonal of F K F*, summed over the outputs (T16).

    d|r_k|^2/dt = -(4/nm) K_kk |r_k|^2 + coupling, for one output.  x are the rows on the grid, or their
    Trace, imposed pattern and all.  Costs O(n^2 sum_l m[l]) and keeps a few rows of the kernel at a time.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.intrinsic_rates(hat, [[0.5], [1.5]], (2,)).tolist()  # half the sum of K, and half of K_11 - 2 K_12 + K_22
    [14.625, 7.625]
    """
    net, trace = traced(net, x)
    n = len(trace.inputs[0])
    shape = check_grid(grid, n)
    D, h = output_sensitivities(net, trace)
    joint = [part.reshape(n, -1) for part in D]  # an inner product of these sums over the outputs
    total = np.zeros(shape)
    for rows in row_blocks(n, max(1, BLOCK_ENTRIES // max(1, n))):
        total += summed_by_displacement(kernel_rows(joint, h, rows), rows, shape)
    rates = _transform(total / max(1, n))
    return by_band(rates) if bands else rates


def kernel_rows(D: list[Array], h: list[Array], rows: slice) -> Array:
    """(rows, n): sum_l (D_i.D_j)(h_i.h_j + 1) for i in rows and every j (T6)."""
    total = np.zeros((len(D[0][rows]), len(D[0])))
    for part, inputs in zip(D, h, strict=True):
        pairs = inputs[rows] @ inputs.T
        pairs += 1
        pairs *= part[rows] @ part.T
        total += pairs
    return total


def mean_by_displacement(pairs: ArrayLike, grid: tuple[int, ...]) -> Array:
    """Shaped like the grid: at d the mean over i of pairs[i, i + d], where i + d wraps around.

    pairs, (n, n), is any function of two samples on the grid: a kernel, Hamming distances.  Further axes, as
    in tangent_kernel's (n, n, m, m), are kept.

    >>> mean_by_displacement([[0, 1, 2], [3, 4, 5], [6, 7, 8]], (3,)).tolist()
    [4.0, 4.0, 4.0]
    """
    values = as_real("pairs", pairs)
    if values.ndim < 2 or values.shape[0] != values.shape[1]:
        raise ValueError(f"pairs must be (n, n): one row and one column per sample. Got shape {values.shape}.")
    n, more = len(values), values.shape[2:]
    shape = check_grid(grid, n)
    total = np.zeros((*shape, *more))
    for rows in row_blocks(n, max(1, BLOCK_ENTRIES // max(1, values[:1].size))):
        total += summed_by_displacement(values[rows].astype(np.float64, copy=False), rows, shape)
    return total / max(1, n)


def summed_by_displacement(pairs: Array, rows: slice | Indices, shape: tuple[int, ...]) -> Array:
    """(*shape, ...): at d the sum over i in rows of pairs[i, i + d], from pairs (rows, n, ...)."""
    n = pairs.shape[1]
    place = np.stack(np.unravel_index(np.arange(n), shape))  # (axes, n)
    sizes = np.array(shape)[:, None, None]
    after = (place[:, rows][:, :, None] + place[:, None, :]) % sizes  # i + d
    j = np.ravel_multi_index(tuple(after), shape)
    j = j.reshape(*j.shape, *(1,) * (pairs.ndim - 2))
    return np.take_along_axis(pairs, j, axis=1).sum(axis=0).reshape(*shape, *pairs.shape[2:])


def pattern_spectrum(
    q: Bits | Words, grid: tuple[int, ...], *, weights: ArrayLike | None = None, bands: bool = True
) -> Array:
    """P_k = sum_u |(F q_u)_k|^2, (bands,): the power spectrum of the activation pattern (T49 to T52).

    q is (n, H) bool, or packed as pack(q) returns it, one eighth of the size.  weights, (H,), counts unit u
    weights[u] times: a_u^2 makes it K_kk of one hidden layer whose biases train (T49 ii).  No kernel is
    formed: O(n log n) per unit, a block of units at a time.

    >>> pattern_spectrum([[True], [True], [False], [False]], (4,)).round(12).tolist()
    [1.0, 0.5, 0.0]
    """
    words = isinstance(q, np.ndarray) and q.dtype == np.uint64 and q.ndim == 2
    bits: NDArray[np.bool_ | np.uint64] = q if words else check_bits("q", q)
    units = bits.shape[1] * (64 if words else 1)
    shape = check_grid(grid, len(bits))
    if weights is None:
        counts = np.ones(units)
    else:
        given = as_real("weights", weights, (None if words else units,), "one per unit").astype(np.float64)
        counts = np.pad(given, (0, max(0, units - len(given))))
    half = np.zeros((*shape[:-1], shape[-1] // 2 + 1))
    block = 1 if words else max(1, BLOCK_ENTRIES // max(1, len(bits)))
    for columns in row_blocks(bits.shape[1], block):
        some = unpack(bits[:, columns], 64) if words else bits[:, columns]  # type: ignore[arg-type]
        start = columns.start * (64 if words else 1)
        half += _power(some, counts[start : start + some.shape[1]], shape)
    every = _mirrored(half, shape)
    return by_band(every) if bands else every


def _power(q: Bits, counts: Array, shape: tuple[int, ...]) -> Array:
    """sum_u counts_u |F q_u|^2 over the half of the frequencies that rfftn returns."""
    total = np.zeros((*shape[:-1], shape[-1] // 2 + 1))
    for some in row_blocks(q.shape[1], max(1, BLOCK_ENTRIES // max(1, len(q)))):
        signals = np.ascontiguousarray(q[:, some].T, np.float64).reshape(-1, *shape)
        F = scipy.fft.rfftn(signals, axes=tuple(range(1, 1 + len(shape))), norm="ortho", overwrite_x=True)
        total += np.einsum("u,u...->...", counts[some], F.real**2 + F.imag**2)
    return total


def _mirrored(half: Array, shape: tuple[int, ...]) -> Array:
    """All frequencies of a real signal's power, from the half that rfftn returns: P_-k = P_k."""
    k = np.meshgrid(*map(np.arange, shape), indexing="ij")
    other = k[-1] > shape[-1] // 2
    return half[tuple(np.where(other, -axis % size, axis) for axis, size in zip(k, shape, strict=True))]


def _transform(mean: Array) -> Array:
    """K_kk from the mean of K over the pairs at each displacement."""
    return np.asarray(scipy.fft.fftn(mean).real)


def by_band(values: Array) -> Array:
    """(bands,): means over the frequencies of each radius, from values at every frequency of a grid, shaped like it."""
    cycles = np.meshgrid(*(scipy.fft.fftfreq(size, 1 / size) for size in values.shape), indexing="ij")
    band = radial_bands(np.stack([np.ravel(k) for k in cycles], axis=1))
    return np.asarray(np.bincount(band, values.ravel()) / np.bincount(band))
