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
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from relu_dynamics.checks import (
    Array, as_real, check_coefficients, check_fields, check_patch, check_samples, row_blocks,
)
from relu_dynamics.regions1d import Pieces
from relu_dynamics.regions2d.regions import Regions
from relu_dynamics.signals import radial_bands

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
    for rows in row_blocks(len(w), max(1, BLOCK_ENTRIES // len(t))):
        near, beyond = (np.arange(rows.start, rows.stop)[pick] for pick in (~far[rows], far[rows]))
        F[near] = _sum_of_pieces(t, left, right, w[near, None])
        F[beyond] = _sum_of_bends(t, bend, left[0], right[-1], w[beyond, None])
    return F


def _sum_of_pieces(t: Array, left: Array, right: Array, w: Array) -> Complex:
    d = np.diff(t)
    phase = d * np.exp(-1j * w * (t[:-1] + d / 2))
    middle, rise = (left + right) / 2, right - left
    return np.asarray((phase * _j0(w * d / 2)) @ middle - 0.5j * (phase * _j1(w * d / 2)) @ rise)


def _sum_of_bends(t: Array, bend: Array, first: Array, last: Array, w: Array) -> Complex:
    phase = np.exp(-1j * w * t)
    ends = phase[:, -1:] * last - phase[:, :1] * first
    return np.asarray(1j / w * ends - (phase @ bend) / w**2)


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
    faces = Faces(places, regions.slope @ axes, regions.offset + regions.slope @ corner)
    near = np.hypot(*k_own.T) * np.hypot(*np.ptp(places, axis=0)) < 0.5
    F = np.empty((len(k), faces.slope.shape[1]), np.complex128)
    F[~near] = _sum_of_edges(regions, faces, k_own[~near])
    close = np.flatnonzero(near)
    for rows in row_blocks(len(close), max(1, BLOCK_ENTRIES // len(regions.face_vertex))):
        F[close[rows]] = _sum_of_triangles(regions, faces, k_own[close[rows]])
    return np.asarray(size * np.exp(-1j * (k @ corner))[:, None] * F)


class Faces(NamedTuple):
    """Regions in other coordinates: the vertices, and f = offset + slope . x on each face."""

    vertices: Array  # (v, 2)
    slope: Array     # (F, m, 2)
    offset: Array    # (F, m)


def _own_units(regions: Regions) -> tuple[Array, Array, float, Array]:
    """corner (2,), axes (2, 2), |axes| > 0 and places (v, 2): vertices = corner + places @ axes.T.

    In these coordinates the window is not thin: the axes go from one corner to the vertex farthest
    from it, and to the vertex farthest from that line.  In a thin window cross products cancel, so
    they are corrected for rounding.
    """
    corner = regions.vertices[regions.edges[(regions.edge_faces < 0).any(axis=1)][0, 0]]
    arm = _difference(regions.vertices, corner)
    far = np.argmax(np.hypot(*arm[0].T))
    height = _exact_cross(arm[:, far], arm)
    wide = np.argmax(np.abs(height))
    first, second = (far, wide) if height[wide] > 0 else (wide, far)
    size = abs(height[wide])
    across = _exact_cross(arm, arm[:, second]), _exact_cross(arm[:, first], arm)
    places = np.stack(across, axis=1) / size
    return corner, arm[0, [first, second]].T, float(size), places


def _difference(a: Array, b: Array) -> Array:
    """(2, ...): a - b, and the rounding error of that (Knuth)."""
    d = a - b
    back = d - a
    return np.stack([d, (a - (d - back)) - (b + back)])


def _product(a: Array, b: Array) -> Array:
    """(2, ...): a b, and the rounding error of that (Dekker)."""
    p = a * b
    scaled = [134217729.0 * part for part in (a, b)]  # 2^27 + 1: high parts of 26 bits
    a_high, b_high = (c - (c - part) for c, part in zip(scaled, (a, b), strict=True))
    a_low, b_low = a - a_high, b - b_high
    return np.stack([p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low])


def _exact_cross(a: Array, b: Array) -> Array:
    """a x b for vectors (2, ..., 2), value and rounding error; accurate as if rounded once."""
    (ax, ay), (bx, by) = ((part[..., 0], part[..., 1]) for part in (a, b))
    left, right = _product(ax[0], by[0]), _product(ay[0], bx[0])
    small = left[1] - right[1] + (ax[0] * by[1] + ax[1] * by[0]) - (ay[0] * bx[1] + ay[1] * bx[0])
    high, low = _difference(left[0], right[0])
    return np.asarray(high + (low + small))


def _sum_of_edges(regions: Regions, faces: Faces, k: Array) -> Complex:
    """The integrals of (f i k.N / |k|^2 + grad f . k k.N / |k|^4) exp(-i k.x) around all faces.

    N is the outward normal.  The two sides of an inner edge leave only the jump of grad f.
    """
    reverse = regions.edge_faces[:, 0] < 0  # the window to the left of every edge
    ends = np.where(reverse[:, None], regions.edges[:, ::-1], regions.edges)
    left, right = np.where(reverse[:, None], regions.edge_faces[:, ::-1], regions.edge_faces).T
    inner, side = np.flatnonzero(right >= 0), np.flatnonzero(right < 0)
    u, v = faces.vertices[ends[:, 0]], faces.vertices[ends[:, 1]]
    jump = faces.slope[left[inner]] - faces.slope[right[inner]]
    slope, offset = faces.slope[left[side]], faces.offset[left[side]]
    F = np.empty((len(k), faces.slope.shape[1]), np.complex128)
    for rows in row_blocks(len(k), max(1, BLOCK_ENTRIES // len(ends))):
        F[rows] = _inner_edges(u[inner], v[inner], jump, k[rows])
        F[rows] += _window_sides(u[side], v[side], slope, offset, k[rows])
    return F


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
    along_k = np.einsum("kja,ka->kj", (flat @ slope.reshape(len(D), -1)).reshape(len(k), -1, 2), k)
    return np.asarray(flat @ f_mid - 0.5j * (wave * _j1(y)) @ rise - 1j / square * along_k)


def _right_normals(D: Array) -> Array:
    return np.stack([D[:, 1], -D[:, 0]], axis=1)


def _sum_of_triangles(regions: Regions, faces: Faces, k: Array) -> Complex:
    """Six Gauss points per direction on each triangle of each face's fan.

    Exact to rounding while |k| diameter < 1/2.
    """
    start, corner = regions.face_start, regions.face_vertex
    face = np.repeat(np.arange(len(start) - 1), np.diff(start))
    # all corners but each face's first and last
    j = np.setdiff1d(np.arange(len(corner)), [start[:-1], start[1:] - 1])
    p, a, b = (faces.vertices[corner[i]] for i in (start[face[j]], j, j + 1))
    a, b, face = a - p, b - p, face[j]
    node, weight = np.polynomial.legendre.leggauss(6)
    node, weight = (node + 1) / 2, weight / 2
    double_area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    F = np.zeros((len(k), faces.slope.shape[1]), np.complex128)
    for (s, ws), (r, wr) in product(zip(node, weight, strict=True), repeat=2):
        x = p + s * ((1 - r) * a + r * b)
        f = np.einsum("tja,ta->tj", faces.slope[face], x) + faces.offset[face]
        F += np.exp(-1j * (k @ x.T)) @ ((ws * wr * s * double_area)[:, None] * f)
    return F


def _j0(y: Array) -> Array:
    """sin(y) / y, the spherical Bessel function of order 0."""
    y = np.where(y == 0, 1e-300, y)
    return np.asarray(np.sin(y) / y)


def _j1(y: Array) -> Array:
    """(sin(y) / y - cos(y)) / y, the spherical Bessel function of order 1."""
    # where the difference cancels: sum over k of (-1)^k (2k + 2) / (2k + 3)! y^(2k+1)
    small = np.abs(y) < 1
    z, series = np.where(small, y, 0.0) ** 2, np.zeros_like(y)
    for k in range(9, -1, -1):
        series = series * -z + (2 * k + 2) / math.factorial(2 * k + 3)
    y_large = np.where(small, 1.0, y)
    direct = (np.sin(y_large) / y_large - np.cos(y_large)) / y_large
    return np.asarray(np.where(small, y * series, direct))


def band_energy(coefficients: ArrayLike, cycles: ArrayLike) -> Array:
    """(bands,): the sum of |coefficients|^2, (K, m), over the outputs and each radial band.

    cycles, (K, d), are the frequencies in whole cycles; |cycles| is rounded to the band.
    With all coefficients of a Fourier series, or of a unitary discrete transform, the
    energies add up to the energy of the signal (Parseval).
    """
    cycles = as_real("cycles", cycles, (None, None), "one frequency per row")
    values = check_coefficients(coefficients, len(cycles))
    return np.asarray(np.bincount(radial_bands(cycles), (np.abs(values) ** 2).sum(axis=1)),
                      np.float64)


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
    axes = tuple(range(len(shape)))
    residual, target = ((np.abs(scipy.fft.fftn(s, axes=axes, norm="ortho")) ** 2).sum(axis=-1)
                        for s in (f - y, y))
    cycles = np.meshgrid(*(scipy.fft.fftfreq(n, 1 / n) for n in shape), indexing="ij")
    return np.asarray(_relative(residual[None], target[None], cycles)[0])


def patch_frequency_error(f: ArrayLike, y: ArrayLike, shape: tuple[int, ...], patch: int) -> Array:
    """(patches, bands): |r_hat_k| / |y_hat_k| in each patch, k = 0, 1, ... half cycles per patch.

    A patch has `patch` samples per axis; patches are in row-major order.  ValueError unless
    patch divides every axis.  The transform is the orthonormal DCT-II of each patch, so the
    energies add up to the energy of the signal.
    """
    shape = check_samples(shape)
    f, y = _check_signals(f, y, shape)
    check_patch(patch, shape)
    axes = tuple(range(1, len(shape) + 1))
    residual, target = (
        (scipy.fft.dctn(_cut_into_patches(s, patch), axes=axes, norm="ortho") ** 2).sum(axis=-1)
        for s in (f - y, y)
    )
    cycles = np.meshgrid(*(np.arange(patch) for _ in shape), indexing="ij")
    return _relative(residual, target, cycles)


def _cut_into_patches(signal: Array, patch: int) -> Array:
    """(n, m) or (height, width, m) to (patches, patch, m) or (patches, patch, patch, m)."""
    if signal.ndim == 2:
        return signal.reshape(-1, patch, signal.shape[-1])
    height, width, m = signal.shape
    blocks = signal.reshape(height // patch, patch, width // patch, patch, m).swapaxes(1, 2)
    return blocks.reshape(-1, patch, patch, m)


def _relative(residual: Array, target: Array, cycles: Sequence[ArrayLike]) -> Array:
    """(p, *shape) energies to (p, bands) ratios of root energies, pooled over radial bands."""
    band = radial_bands(np.stack([np.ravel(k) for k in cycles], axis=1))
    pooled = [np.apply_along_axis(lambda e: np.bincount(band, e), 1, e.reshape(len(e), -1))
              for e in (residual, target)]
    # energy below the rounding of the transform, (1e-12)^2 of the total, counts as 0
    present = pooled[1] > 1e-24 * pooled[1].sum(axis=1, keepdims=True)
    ratio = np.full(pooled[0].shape, np.nan)
    np.divide(pooled[0], pooled[1], out=ratio, where=present)
    return np.asarray(np.sqrt(ratio))


def _check_signals(f: ArrayLike, y: ArrayLike, shape: tuple[int, ...]) -> tuple[Array, Array]:
    meaning = "one sample per row, in row-major order of the signal"
    y = as_real("y", y, (math.prod(shape), None), meaning)
    f = as_real("f", f, y.shape, "shaped like y")
    return f.astype(np.float64).reshape(*shape, -1), y.astype(np.float64).reshape(*shape, -1)
