"""How fast each frequency is learned: the spectrum of the tangent kernel, and of the pattern.

On n samples of a uniform grid, with F the unitary discrete Fourier transform, gradient flow
without coupling of frequencies reduces frequency k of the residual at the rate (2/nm) K_kk,
where K_kk = (F K F*)_kk is the *intrinsic rate* (T16).  It is the transform of mean squared
distances: for K_ij = <v_i, v_j> and k != 0 (T49 i)

    K_kk = -1/2 DFT over the displacement d of mean_i |v_i - v_(i+d)|^2

With the bits q_iu in place of v_i this is the *power spectrum of the pattern* (T49 iv), where
H is the Hamming distance,

    P_k = sum_u |(F q_u)_k|^2 = -1/2 DFT over d of mean_i H(q_i, q_(i+d))

So near pairs determine the rates of high frequencies, and far pairs those of low ones (T50):

    sum_k 4 sin^2(pi k/n) P_k = sum_i H(q_i, q_(i+1))

    grid    (n,) or (height, width): samples in row-major order; indices wrap around
    bands   results are means over the frequencies of one rounded radius |k| = 0, 1, ...
            On a line these are P_k and K_kk, k = 0 .. n/2, because k and -k are equal.
            bands=False gives every frequency, shaped like the grid, k as in numpy.fft.fftfreq
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike

from relu_dynamics.checks import (
    Array, Bits, Words, as_real, check_bits, check_count, check_flag, check_grid, check_pairs,
    check_samples, row_blocks,
)
from relu_dynamics.mlp import MLP, Trace, traced
from relu_dynamics.patterns import pack, unpack
from relu_dynamics.signals import grid_bands
from relu_dynamics.tangent import Factors, output_sensitivities, upper_rows

BLOCK_ENTRIES = 2**21  # of one block of the kernel
BLOCK_ROWS = 128       # of one block of the kernel: of a symmetric one half is enough
BANDS = "means over the bands, or every frequency"


# ------------------------------------------------------------------- the kernel


def intrinsic_rates(
    net: MLP, x: ArrayLike | Trace, grid: tuple[int, ...], *, bands: bool = True
) -> Array:
    """K_kk, (bands,): the diagonal of F K F*, summed over the outputs (T16).

    For one output d|r_k|^2/dt = -(4/nm) K_kk |r_k|^2 + coupling.  x are the rows on the grid,
    or their Trace, with its own or an imposed pattern.  Costs O(n^2 sum_l m[l]) time, and
    memory for a few rows of the kernel.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.intrinsic_rates(hat, [[0.5], [1.5]], (2,)).tolist()  # (K_11 + K_22) / 2 +- K_12
    [14.625, 7.625]
    """
    net, trace = traced(net, x)
    check_flag("bands", bands, BANDS)
    n = len(trace.inputs[0])
    shape = check_grid(grid, n)
    D, h = output_sensitivities(net, trace)
    joint = [part.reshape(n, 1, -1) for part in D]  # inner products of these sum over the outputs
    total = np.zeros(shape)
    for rows, upper in kernel_rows((joint, h)):
        pairs = np.zeros((len(upper), n))
        pairs[:, rows.start :] = upper
        pairs[:, rows.stop :] *= 2  # j, i as well, whose displacement is the negative one
        total += summed_by_displacement(pairs, rows, shape)
    backwards = np.roll(np.flip(total), 1, axis=range(total.ndim))
    rates = scipy.fft.fftn((total + backwards) / (2 * n)).real
    return band_means(rates) if bands else rates


def kernel_rows(factors: Factors) -> Iterator[tuple[slice, Array]]:
    """The upper half of the inner products of one gradient per row: rows and K[rows, rows.start:].

    The factors are (n, 1, m[l]) and (n, m[l-1]); K is symmetric.
    """
    n = len(factors[1][0])
    return upper_rows(factors, min(BLOCK_ROWS, max(1, BLOCK_ENTRIES // max(1, n))))


def mean_by_displacement(pairs: ArrayLike, grid: tuple[int, ...]) -> Array:
    """Shaped like the grid: the mean over i of pairs[i, i + d] at each d; i + d wraps around.

    pairs, (n, n), is any function of two samples on the grid: a kernel, Hamming distances.
    Further axes, as in tangent_kernel's (n, n, m, m), are kept.

    >>> import relu_dynamics as rd
    >>> rd.mean_by_displacement([[0, 1, 2], [3, 4, 5], [6, 7, 8]], (3,)).tolist()
    [4.0, 4.0, 4.0]
    """
    values = check_pairs("pairs", pairs)
    n = len(values)
    shape = check_grid(grid, n)
    return np.asarray(summed_by_displacement(values, slice(0, n), shape) / n, np.float64)


def summed_by_displacement(pairs: Array, rows: slice, shape: tuple[int, ...]) -> Array:
    """(*shape, ...): at d the sum over i in rows of pairs[i, i + d]; pairs is (rows, n, ...)."""
    total = np.zeros((*shape, *pairs.shape[2:]))
    axes = tuple(range(len(shape)))
    for i, row in zip(range(rows.start, rows.stop), pairs, strict=True):
        back = [-int(step) for step in np.unravel_index(i, shape)]
        total += np.roll(row.reshape(total.shape), back, axes)
    return total


# ------------------------------------------------------------------ the pattern


def pattern_spectrum(
    q: Bits | Words, grid: tuple[int, ...], *, weights: ArrayLike | None = None, bands: bool = True
) -> Array:
    """P_k = sum_u |(F q_u)_k|^2, (bands,): the power spectrum of the activation pattern (T49-T52).

    q is (n, H) bool, or pack(q), which is eight times smaller.  weights, (H,), counts unit u
    weights[u] times: weights a_u^2 give K_kk of one hidden layer if only its biases train
    (T49 ii).  No kernel is formed: O(n log n) per unit, 16 units at a time.

    >>> import relu_dynamics as rd
    >>> rd.pattern_spectrum([[True], [True], [False], [False]], (4,)).round(12).tolist()
    [1.0, 0.5, 0.0]
    """
    packed = isinstance(q, np.ndarray) and q.dtype == np.uint64 and q.ndim == 2
    q = q if packed else check_bits("q", q)
    check_flag("bands", bands, BANDS)
    shape = check_grid(grid, len(q))
    counts = np.ones(q.shape[1] * (64 if packed else 1))  # padding bits are 0, and add nothing
    if weights is not None:
        given = as_real("weights", weights, (None if packed else len(counts),), "one per unit")
        check_count("the number of weights", len(given), len(counts) - 63 * packed, len(counts))
        counts[: len(given)] = given
    octets: Any = (q if packed else pack(q)).view(np.uint8)
    half = np.zeros((*shape[:-1], shape[-1] // 2 + 1))  # the frequencies that rfftn returns
    for units in row_blocks(len(counts), 16):  # two octets
        bits = unpack(octets[:, units.start // 8 : units.stop // 8 + 1], units.stop - units.start)
        signals = bits.astype(np.float64).reshape(*shape, -1)
        F = scipy.fft.rfftn(signals, axes=range(len(shape)), norm="ortho", overwrite_x=True)
        parts = F.view(np.float64).reshape(*F.shape, 2)  # real and imaginary
        half += np.einsum("...up,...up,u->...", parts, parts, counts[units])
    every = all_frequencies(half, shape)
    return band_means(every) if bands else every


def all_frequencies(half: Array, shape: tuple[int, ...]) -> Array:
    """(*shape): a power spectrum at every frequency, from those that rfftn returns: -k is as k."""
    k = np.meshgrid(*map(np.arange, shape), indexing="ij")
    other = k[-1] > shape[-1] // 2
    return half[tuple(np.where(other, -a % s, a) for a, s in zip(k, shape, strict=True))]


def band_means(values: ArrayLike) -> Array:
    """(bands,): means over the frequencies of each radius, from values shaped like the grid."""
    values = as_real("values", values)
    check_samples(values.shape)
    band = grid_bands(values.shape)
    return np.asarray(np.bincount(band, values.ravel()) / np.bincount(band))
