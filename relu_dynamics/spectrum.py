"""Errors of a fitted signal per frequency: globally, and patch by patch.

For samples on a uniform grid the residual r = f - y has a discrete transform r_hat, and
|r_hat_k| / |y_hat_k| says how much of frequency k is still missing: 1 before anything
is learned, 0 when it is fitted.  Spectral bias is that small k fall first (T35).

    frequency_error         discrete Fourier transform of the whole signal: *what* is missing
    patch_frequency_error   discrete cosine transform of each patch: also *where*

In 2-D frequencies are grouped into radial bands, |k| rounded to a whole number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike

from relu_dynamics.mlp import Array, as_real, check_count


def frequency_error(f: ArrayLike, y: ArrayLike, shape: tuple[int, ...]) -> Array:
    """(bands,): |r_hat_k| / |y_hat_k| for k = 0, 1, ... cycles per signal, r = f - y.

    f and y are (n, m), row-major samples of a signal of shape (n,) or (height, width);
    bands pool the outputs and, in 2-D, the radius |k|, as root mean squares.  NaN where
    the target has nothing at that frequency.
    """
    f, y = _check_signals(f, y, shape)
    axes = tuple(range(len(shape)))
    residual, target = ((np.abs(scipy.fft.fftn(s, axes=axes, norm="ortho")) ** 2).sum(axis=-1) for s in (f - y, y))
    cycles = np.meshgrid(*(scipy.fft.fftfreq(n, 1 / n) for n in shape), indexing="ij")
    return np.asarray(_relative(residual[None], target[None], cycles)[0])


def patch_frequency_error(f: ArrayLike, y: ArrayLike, shape: tuple[int, ...], patch: int) -> Array:
    """(patches, bands): |r_hat_k| / |y_hat_k| inside each patch, for k = 0, 1, ... half cycles per patch.

    patch samples per axis; the signal is cut into whole patches in row-major order, and
    ValueError says so if they do not fit.  The transform is the orthonormal DCT-II of each
    patch, so that the energies add up to those of the signal.
    """
    f, y = _check_signals(f, y, shape)
    patch = check_count("patch", patch, 1)
    if any(n % patch for n in shape):
        raise ValueError(f"patch must divide every axis of {shape}. Got {patch}.")
    axes = tuple(range(1, len(shape) + 1))
    residual, target = (
        (scipy.fft.dctn(_patches(s, patch), axes=axes, norm="ortho") ** 2).sum(axis=-1) for s in (f - y, y)
    )
    cycles = np.meshgrid(*(np.arange(patch) for _ in shape), indexing="ij")
    return _relative(residual, target, cycles)


def _patches(signal: Array, patch: int) -> Array:
    """(n, m) or (height, width, m) to (patches, patch, m) or (patches, patch, patch, m)."""
    if signal.ndim == 2:
        return signal.reshape(-1, patch, signal.shape[-1])
    height, width, m = signal.shape
    blocks = signal.reshape(height // patch, patch, width // patch, patch, m).swapaxes(1, 2)
    return blocks.reshape(-1, patch, patch, m)


def _relative(residual: Array, target: Array, cycles: Sequence[ArrayLike]) -> Array:
    """(p, *shape) energies to (p, bands) ratios of root energies, pooled over bands of equal rounded radius."""
    band = np.rint(np.sqrt(sum(np.asarray(k, np.float64) ** 2 for k in cycles))).astype(np.intp).ravel()
    pooled = [np.apply_along_axis(lambda e: np.bincount(band, e), 1, e.reshape(len(e), -1)) for e in (residual, target)]
    # energy below the rounding of the transform, (1e-12)^2 of the total, is not a component of the target
    present = pooled[1] > 1e-24 * pooled[1].sum(axis=1, keepdims=True)
    ratio = np.full(pooled[0].shape, np.nan)
    np.divide(pooled[0], pooled[1], out=ratio, where=present)
    return np.asarray(np.sqrt(ratio))


def _check_signals(f: ArrayLike, y: ArrayLike, shape: tuple[int, ...]) -> tuple[Array, Array]:
    if not isinstance(shape, tuple) or len(shape) not in (1, 2):
        raise ValueError(f"shape must be (n,) or (height, width). Got {shape!r}.")
    n = int(np.prod([check_count("shape", s, 1) for s in shape]))
    y = as_real("y", y, (n, None), "one sample per row, in row-major order of the signal")
    f = as_real("f", f, y.shape, "shaped like y")
    return f.astype(np.float64).reshape(*shape, -1), y.astype(np.float64).reshape(*shape, -1)
