"""Functions shared by the experiments on gradient flow: thinned problems, flows with checked sums,
rates per frequency."""

from __future__ import annotations

import numpy as np
import scipy.fft

from relu_dynamics import MLP, Flow, band_energy, decompose
from scripts.lab.runs import Trained

TOLERANCE = 1e-12  # of the sum of a split, relative to the sum of its absolute values


def thinned(trained: Trained, side: int) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """(shape, x, y) of every k-th sample along each axis, about side per axis, a multiple of 4:
    the cost of decompose is quadratic in the number of samples."""
    step = max(1, min(trained.shape) // side)
    least = min(trained.shape)
    along = (slice(0, least - least % (4 * step), step),) * len(trained.shape)
    x, y = (a.reshape(*trained.shape, -1)[along] for a in (trained.x, trained.y))
    return x.shape[:-1], x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])


def strongest(y: np.ndarray, count: int = 14) -> tuple[int, ...]:
    """The count frequencies of a signal, (n, 1), with the most energy, in increasing order, in
    cycles per signal, below 128 and n/2."""
    energy = abs(scipy.fft.rfft(y[:, 0]))[1 : min(len(y), 256) // 2]
    return tuple(sorted((1 + np.argsort(energy)[::-1][:count]).tolist()))


def checked_flow(net: MLP, x: np.ndarray, y: np.ndarray, shape: tuple[int, ...],
                 patch: int | None = None) -> Flow:
    """decompose; ArithmeticError unless every split sums to the rate of the loss."""
    flow = decompose(net, x, y, grid=shape, patch=patch)
    for name, split in flow.splits.items():
        off, scale = abs(split.values.sum() - flow.loss_rate), abs(split.values).sum()
        if not off <= TOLERANCE * scale:
            raise ArithmeticError(f"the sum of the split {name!r} differs from the rate of the "
                                  f"loss by {off:.3g}, of {scale:.3g}")
    return flow


def band_energies(signal: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(bands,): energy of a signal, (n, m), per frequency or radial band; the bands add up to its
    energy."""
    coefficients = scipy.fft.fftn(signal.reshape(*shape, -1), axes=tuple(range(len(shape))),
                                  norm="ortho")
    cycles = np.meshgrid(*(scipy.fft.fftfreq(n, 1 / n) for n in shape), indexing="ij")
    return band_energy(coefficients.reshape(len(signal), -1),
                       np.stack([np.ravel(k) for k in cycles], axis=1))


def frequency_rates(flow: Flow, residual: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(bands, 2): the rates at which |r_hat_k| decreases alone and by coupling, per unit of time
    (T16).

    d|r_hat_k|/dt = -rate |r_hat_k|; the first is (2/nm) K_hat_kk.
    """
    energy = band_energies(residual, shape)[:, None]
    return -flow.splits["frequency"].values * residual.size / (2 * energy)
