"""Spectra: of the piecewise-linear function itself, exactly, and of the error of a fit.

A ReLU network is affine on each of its cells, so its Fourier transform

    F(k) = integral of f(x) exp(-i k.x) dx

over a segment or a window is a finite sum over the pieces, without sampling:

    segment_transform   from the breakpoints of regions1d; the bends decay like 1/w^2 (T33)
    window_transform    from the edges of regions2d
    band_energy         energies pooled over radial bands, |k| rounded to a whole number

For samples on a uniform grid the residual r = f - y has a discrete transform r_hat, and
|r_hat_k| / |y_hat_k| is the part of frequency k that is still missing: 1 before learning,
0 when it is fitted.  Spectral bias: it decreases first for small k (T35).

    frequency_error         discrete Fourier transform of the signal: which frequency is missing
    patch_frequency_error   discrete cosine transform of each patch: which frequency, and where

In 2-D frequencies are grouped into the same radial bands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray
from scipy.special import spherical_jn

from relu_dynamics.checks import (
    Array, Indices, as_real, check_coefficients, check_count, check_fields, check_patch,
    check_samples, check_size, row_blocks,
)
from relu_dynamics.geometry import cross
from relu_dynamics.regions1d import Pieces
from relu_dynamics.regions2d.regions import Regions
from relu_dynamics.signals import grid_bands, radial_bands

Complex = NDArray[np.complex128]

BLOCK_ENTRIES = 2**18  # of the largest intermediate array: stays in cache


# ------------------------------------------------------ the function, exactly


def segment_transform(pieces: Pieces, w: ArrayLike) -> Complex:
    """(K, m[L]): F(w) = integral over 0 <= t <= 1 of f(t) exp(-i w t) dt.

    w, (K,), are angular frequencies, and t is the parameter of x = a + t (b - a).  Per unit of
    length, with s = |b - a| t, the transform at angular frequency v is |b - a| F(v |b - a|).  Every
    w is allowed, also 0: the more accurate of two exact formulas is used,

        sum over pieces of d exp(-i w mid) [ f_mid j0(w d/2) - (i/2) rise j1(w d/2) ]
        (i/w) [f exp(-i w t)] from t = 0 to 1  -  w^-2 sum over breakpoints of bend exp(-i w t)

    with d, f_mid and rise the length, middle value and increase of a piece, j0 and j1 the
    spherical Bessel functions, and bend the jump of the slope (which is 0 outside).  The
    second formula shows the decay: |F(w)| <= (|f(0)| + |f(1)|) / |w| + sum |bend| / w^2 (T33).

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> pieces = rd.regions_on_segment(hat, [-1], [3])
    >>> rd.segment_transform(pieces, [0]).real.tolist()  # the mean
    [[0.125]]
    """
    w = as_real("w", w, (None,), "one angular frequency per entry").astype(np.float64)
    check_fields("pieces", pieces, "Pieces from regions_on_segment", "t", "slope", "offset")
    t, slope = pieces.t, pieces.slope
    left, right = pieces.offset + slope * t[:-1, None], pieces.offset + slope * t[1:, None]
    bend = np.diff(slope, axis=0, prepend=0, append=0)
    size = (np.diff(t)[:, None] * np.maximum(np.abs(left), np.abs(right))).sum()
    ends = np.abs(left[0]).sum() + np.abs(right[-1]).sum()
    # where the terms of the second formula are smaller
    far = w**2 * size > np.abs(w) * ends + np.abs(bend).sum()
    F = np.empty((len(w), slope.shape[1]), np.complex128)
    F[~far] = _in_blocks(lambda w: _sum_of_pieces(t, left, right, w), w[~far, None], len(t))
    F[far] = _in_blocks(lambda w: _sum_of_bends(t, bend, left[0], right[-1], w), w[far, None],
                        len(t))
    return F


def _in_blocks(sums: Callable[[Array], Complex], k: Array, terms: int) -> Complex:
    """sums(k), (K, m), computed for as many rows of k at a time as their terms stay in cache."""
    blocks = row_blocks(len(k), max(1, BLOCK_ENTRIES // terms))
    return np.concatenate([sums(k[:0]), *(sums(k[rows]) for rows in blocks)])


def _sum_of_pieces(t: Array, left: Array, right: Array, w: Array) -> Complex:
    d = np.diff(t)
    phase, y = d * np.exp(-1j * w * (t[:-1] + d / 2)), w * d / 2
    middle, rise = (left + right) / 2, right - left
    return np.asarray((phase * _j0(y)) @ middle - 0.5j * (phase * spherical_jn(1, y)) @ rise)


def _sum_of_bends(t: Array, bend: Array, first: Array, last: Array, w: Array) -> Complex:
    phase = np.exp(-1j * w * t)
    ends = phase[:, -1:] * last - phase[:, :1] * first
    return np.asarray(1j / w * ends - (phase @ bend) / w**2)


def _j0(y: Array) -> Array:
    """sin(y) / y, the spherical Bessel function of order 0; faster than SciPy's."""
    return np.asarray(np.sinc(y / np.pi))


def window_transform(regions: Regions, k: ArrayLike) -> Complex:
    """(K, m[L]): F(k) = integral over the window of f(x) exp(-i k.x) dx.

    k, (K, 2), are angular frequencies.  exp(-i k.x) is the divergence of
    (i k/|k|^2) exp(-i k.x), so F is a sum over edges.  Applied twice, this leaves for an inner
    edge only the jump of the gradient, which is normal to the edge because f is continuous.
    Every k is allowed: near 0, where the sum over edges would cancel, Gauss quadrature on the
    regions is exact to rounding.  Every window is allowed, also a thin one: the units of length
    are its own extents along and across.  The coefficients of f's Fourier series in a window of
    sides (p, q) are F / (p q) at k = 2 pi (cycles_x / p, cycles_y / q); band_energy pools them.
    """
    k = as_real("k", k, (None, 2), "one angular frequency per row").astype(np.float64)
    check_fields("regions", regions, "Regions from regions_in_window", "vertices", "edges", "slope")
    corner, axes, size, places = _own_units(regions)
    k_own = k @ axes  # k.x = k.corner + k_own.place and dx = size d(place)
    faces = places, regions.slope @ axes, regions.offset + regions.slope @ corner
    near = np.hypot(*k_own.T) * np.hypot(*np.ptp(places, axis=0)) < 0.5
    F = np.empty((len(k), regions.slope.shape[1]), np.complex128)
    F[~near] = _sum_of_edges(regions, *faces, k_own[~near])
    F[near] = _in_blocks(lambda k: _sum_of_triangles(regions, *faces, k), k_own[near],
                         len(regions.face_vertex))
    return np.asarray(size * np.exp(-1j * (k @ corner))[:, None] * F)


def _own_units(regions: Regions) -> tuple[Array, Array, float, Array]:
    """corner (2,), axes (2, 2), |axes| > 0 and places (v, 2): vertices = corner + places @ axes.T.

    In these coordinates the window is not thin: the axes go from one corner to the vertex farthest
    from it, and to the vertex farthest from that line.  In a thin window cross products cancel, so
    they are computed exactly, in whole numbers.
    """
    base = regions.edges[(regions.edge_faces < 0).any(axis=1)][0, 0]
    corner = regions.vertices[base]
    far = np.argmax(np.hypot(*(regions.vertices - corner).T))
    exact, unit = _whole_numbers(regions.vertices)
    arm = exact - exact[base]
    height = cross(arm[far], arm)
    wide = np.argmax(np.abs(height))
    first, second = (far, wide) if height[wide] > 0 else (wide, far)
    size = abs(height[wide])
    across = np.stack([cross(arm, arm[second]), cross(arm[first], arm)], axis=1)
    axes = (regions.vertices[[first, second]] - corner).T
    return corner, axes, float(size * unit**2), (across / size).astype(np.float64)


def _whole_numbers(x: Array) -> tuple[NDArray[Any], Fraction]:
    """x, as Python integers, in a unit that makes it so."""
    mantissa, exponent = np.frexp(x)
    least = int(exponent.min())
    digits = np.ldexp(mantissa, 53).astype(np.int64).astype(object)
    return digits * 2 ** (exponent - least).astype(object), Fraction(2) ** (least - 53)


def _sum_of_edges(
    regions: Regions, places: Array, slope: Array, offset: Array, k: Array
) -> Complex:
    """The integrals of (f i k.N / |k|^2 + grad f . k k.N / |k|^4) exp(-i k.x) around all faces.

    N is the outward normal.  The two sides of an inner edge leave only the jump of grad f.
    """
    reverse = regions.edge_faces[:, :1] < 0  # the window to the left of every edge
    u, v = np.where(reverse, regions.edges[:, ::-1], regions.edges).T
    left, right = np.where(reverse, regions.edge_faces[:, ::-1], regions.edge_faces).T
    inner = right >= 0
    edges = places[u[inner]], places[v[inner]], slope[left[inner]] - slope[right[inner]]
    sides = places[u[~inner]], places[v[~inner]], slope[left[~inner]], offset[left[~inner]]
    return _in_blocks(lambda k: _inner_edges(*edges, k) + _window_sides(*sides, k), k, len(u))


def _inner_edges(u: Array, v: Array, jump: Array, k: Array) -> Complex:
    """Edges from u to v, (e, 2), where grad f changes by jump, (e, m, 2), a multiple of N."""
    D, mid, N = v - u, (u + v) / 2, _right_normals(v - u)
    bend = np.einsum("eja,ea->ej", jump, N) / (N**2).sum(axis=1, keepdims=True)
    amplitude = (k @ N.T / (k**2).sum(axis=1, keepdims=True)) ** 2 * _j0(k @ D.T / 2)
    phase = k @ mid.T
    return np.asarray((amplitude * np.cos(phase)) @ bend
                      - 1j * ((amplitude * np.sin(phase)) @ bend))


def _window_sides(u: Array, v: Array, slope: Array, offset: Array, k: Array) -> Complex:
    """Edges from u to v, (e, 2), with f = slope @ x + offset to the left, nothing to the right."""
    D, mid = v - u, (u + v) / 2
    f_mid, rise = np.einsum("eja,ea->ej", slope, mid) + offset, np.einsum("eja,ea->ej", slope, D)
    square = (k**2).sum(axis=1, keepdims=True)
    y = k @ D.T / 2
    wave = 1j * (k @ _right_normals(D).T) / square * np.exp(-1j * (k @ mid.T))
    flat = wave * _j0(y)
    along_k = k[:, :1] * (flat @ slope[..., 0]) + k[:, 1:] * (flat @ slope[..., 1])
    return np.asarray(flat @ f_mid - 0.5j * (wave * spherical_jn(1, y)) @ rise
                      - 1j / square * along_k)


def _right_normals(D: Array) -> Array:
    return np.stack([D[:, 1], -D[:, 0]], axis=1)


def _sum_of_triangles(
    regions: Regions, places: Array, slope: Array, offset: Array, k: Array
) -> Complex:
    """Six Gauss points per direction on each triangle of each face's fan.

    Exact to rounding while |k| diameter < 1/2.
    """
    start, corner = regions.face_start, regions.face_vertex
    face = np.repeat(np.arange(len(start) - 1), np.diff(start))
    # all corners but each face's first and last
    j = np.setdiff1d(np.arange(len(corner)), [start[:-1], start[1:] - 1])
    p, a, b = (places[corner[i]] for i in (start[face[j]], j, j + 1))
    a, b, face = a - p, b - p, face[j]
    node, weight = np.polynomial.legendre.leggauss(6)
    node, weight = (node + 1) / 2, weight / 2
    F = np.zeros((len(k), slope.shape[1]), np.complex128)
    for (s, ws), (r, wr) in product(zip(node, weight, strict=True), repeat=2):
        x = p + s * ((1 - r) * a + r * b)
        f = np.einsum("tja,ta->tj", slope[face], x) + offset[face]
        F += np.exp(-1j * (k @ x.T)) @ ((ws * wr * s * cross(a, b))[:, None] * f)
    return F


def band_energy(coefficients: ArrayLike, cycles: ArrayLike) -> Array:
    """(bands,): the sum of |coefficients|^2, (K, m), over the outputs and each radial band.

    cycles, (K, d), are the frequencies in whole cycles; |cycles| is rounded to the band.
    With all coefficients of a Fourier series, or of a unitary discrete transform, the
    energies add up to the energy of the signal (Parseval).
    """
    cycles = as_real("cycles", cycles, (None, None), "one frequency per row")
    values = check_coefficients(coefficients, len(cycles))
    band = radial_bands(cycles)
    check_size("the energies", (int(band.max(initial=0)) + 1,), "Use lower frequencies.")
    return np.asarray(np.bincount(band, (np.abs(values) ** 2).sum(axis=1)), np.float64)


# ------------------------------------------------------- the error of a fit


def frequency_error(f: ArrayLike, y: ArrayLike, shape: tuple[int, ...]) -> Array:
    """(bands,): |r_hat_k| / |y_hat_k| for k = 0, 1, ... cycles per signal, r = f - y.

    f and y are (n, m), row-major samples of a signal of shape (n,) or (height, width);
    a band is the ratio of root mean squares over the outputs and, in 2-D, over the rounded
    radius |k|.  NaN where the target has no energy at that frequency.

    >>> import relu_dynamics as rd
    >>> y = [[1.0], [0.0], [-1.0], [0.0]]
    >>> rd.frequency_error([[0.5], [0.0], [-0.5], [0.0]], y, (4,)).tolist()  # of cycles 0, 1, 2
    [nan, 0.5, nan]
    """
    shape = check_samples(shape)
    f, y = _check_signals(f, y, shape)
    return np.asarray(_relative(scipy.fft.fftn, f[None], y[None], grid_bands(shape))[0])


def patch_frequency_error(f: ArrayLike, y: ArrayLike, shape: tuple[int, ...], patch: int) -> Array:
    """(patches, bands): |r_hat_k| / |y_hat_k| in each patch, k = 0, 1, ... half cycles per patch.

    A patch has `patch` samples per axis; patches are in row-major order.  ValueError unless
    patch divides every axis.  The transform is the orthonormal DCT-II of each patch, so the
    energies add up to the energy of the signal.
    """
    shape = check_samples(shape)
    f, y = _check_signals(f, y, shape)
    check_patch(check_count("patch", patch, 1), shape)
    cycles = np.indices((patch,) * len(shape)).reshape(len(shape), -1).T
    f, y = _cut_into_patches(f, patch), _cut_into_patches(y, patch)
    return _relative(scipy.fft.dctn, f, y, radial_bands(cycles))


def _cut_into_patches(signal: Array, patch: int) -> Array:
    """(n, m) or (height, width, m) to (patches, patch, m) or (patches, patch, patch, m)."""
    if signal.ndim == 2:
        return signal.reshape(-1, patch, signal.shape[-1])
    height, width, m = signal.shape
    blocks = signal.reshape(height // patch, patch, width // patch, patch, m).swapaxes(1, 2)
    return blocks.reshape(-1, patch, patch, m)


def _relative(
    transform: Callable[..., NDArray[Any]], f: Array, y: Array, band: Indices
) -> Array:
    """(p, bands): the ratios of root energies of f - y and y, (p, *shape, m), in their bands."""
    axes = tuple(range(1, y.ndim - 1))
    energies = (np.abs(transform(s, axes=axes, norm="ortho")) ** 2 for s in (f - y, y))
    residual, target = (
        np.apply_along_axis(lambda e: np.bincount(band, e), 1, e.sum(axis=-1).reshape(len(e), -1))
        for e in energies)
    # energy below the rounding of the transform, (1e-12)^2 of the total, counts as 0
    present = target > 1e-24 * target.sum(axis=1, keepdims=True)
    ratio = np.divide(residual, target, out=np.full(target.shape, np.nan), where=present)
    return np.asarray(np.sqrt(ratio))


def _check_signals(f: ArrayLike, y: ArrayLike, shape: tuple[int, ...]) -> tuple[Array, Array]:
    meaning = "one sample per row, in row-major order of the signal"
    y = as_real("y", y, (math.prod(shape), None), meaning)
    f = as_real("f", f, y.shape, "shaped like y")
    return f.astype(np.float64).reshape(*shape, -1), y.astype(np.float64).reshape(*shape, -1)
