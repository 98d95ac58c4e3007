"""The infinite-width limit: the kernels of infinitely wide ReLU networks, constant in training.

With z = W h sqrt(weight_variance / fan_in) + b sqrt(bias_variance), all entries N(0, 1), the
outputs of a network with infinitely wide hidden layers are a Gaussian process with covariance
*nngp*, and the tangent kernel is fixed at *ntk* throughout training (T31):

    S[1] = weight_variance x.x' / d + bias_variance          T[1] = S[1]
    S[l+1] = weight_variance N[l] (sin t + (pi - t) cos t) / (2 pi) + bias_variance
    T[l+1] = S[l+1] + weight_variance T[l] (pi - t) / (2 pi)

    N[l] = sqrt(S[l](x, x) S[l](x', x'))                     cos t = S[l](x, x') / N[l]

(Cho & Saul 2009; Jacot, Gabriel & Hongler 2018).  These kernels depend only on norms and
angles of inputs, not on activation regions, which this package measures in real networks.
They are the baseline for those measurements (T32).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from relu_dynamics.checks import (
    Array, check_batches, check_count, check_finite, check_number, check_size, printed,
)


@printed
class Kernels(NamedTuple):
    """The covariance of the outputs at initialisation, and the tangent kernel."""

    nngp: Array  # (n, n2)
    ntk: Array   # (n, n2)


def infinite_kernels(
    x: ArrayLike, x2: ArrayLike | None = None, *,
    hidden_layers: int, weight_variance: float = 2.0, bias_variance: float = 0.0,
) -> Kernels:
    """nngp and ntk, (n, n2) each, between the rows of x, (n, d), and of x2, (n2, d) (T31).

    x2 = None means x2 = x.  All layers are trained, the output layer included; for
    hidden_layers = 0 both kernels are S[1].  Without biases both are homogeneous:
    k(a x, b x') = a b k(x, x') for a, b > 0.  Each layer computes the next angle t directly,
    because arccos would lose half of the digits of a small angle.

    >>> import relu_dynamics as rd
    >>> kernels = rd.infinite_kernels([[1.0, 0.0], [0.0, 1.0]], hidden_layers=1)
    >>> kernels.ntk.round(3).tolist()  # 1/pi off the diagonal
    [[2.0, 0.318], [0.318, 2.0]]
    """
    x, x2 = check_batches(x, x2)
    layers = check_count("hidden_layers", hidden_layers, 0)
    weight = check_number("weight_variance", weight_variance, "number not below 0")
    bias = check_number("bias_variance", bias_variance, "number not below 0")
    check_size("a kernel", (len(x), len(x2)), "Pass fewer rows at a time.")
    with np.errstate(over="ignore", invalid="ignore"):  # an overflow raises ValueError below
        v, v2 = (_lifted(rows, weight, bias) for rows in (x, x2))
        kernels = _recursion(v, v2, layers, weight, bias)
    repair = "Use a weight_variance nearer to 2, smaller inputs or fewer layers."
    check_finite("the kernels", kernels.ntk, repair)
    return kernels


def _lifted(x: Array, weight: float, bias: float) -> Array:
    """v with v.v' = S[1](x, x')."""
    return np.column_stack([np.sqrt(weight / x.shape[1]) * x, np.full(len(x), np.sqrt(bias))])


def _recursion(v: Array, v2: Array, layers: int, weight: float, bias: float) -> Kernels:
    """S and T of the last layer, from the angle t and the norms sqrt(S(x, x)), sqrt(S(x', x'))."""
    norm, norm2 = np.linalg.norm(v, axis=1)[:, None], np.linalg.norm(v2, axis=1)[None, :]
    S, t = v @ v2.T, _angles(v, v2)
    T = S.copy()
    for _ in range(layers):
        S = weight * norm * norm2 * (np.sin(t) + (np.pi - t) * np.cos(t)) / (2 * np.pi) + bias
        T = S + weight * T * (np.pi - t) / (2 * np.pi)
        t, norm, norm2 = _next_angles(t, norm, norm2, weight, bias)
    return Kernels(S, T)


def _angles(v: Array, v2: Array) -> Array:
    """Angles between rows, from |u - v| and |u + v| of unit vectors: accurate near 0 and pi."""
    norms = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (v, v2)]
    one, two = (a / np.where(size > 0, size, 1) for a, size in zip((v, v2), norms, strict=True))
    return np.asarray(2 * np.arctan2(cdist(one, two), cdist(one, -two)))


def _next_angles(
    t: Array, norm: Array, norm2: Array, weight: float, bias: float
) -> tuple[Array, Array, Array]:
    """t, sqrt(S(x, x)) and sqrt(S(x', x')) of the next layer; 1 - cos t is a sum of small terms.

    With p = weight norm norm2 / 2, the mean product of two half-rectified Gaussians at t = 0, and
    top = new norm * new norm2,

        top - S(x, x') = p (1 - kappa) + bias (weight / 2) (norm - norm2)^2 / (top + p + bias)
        1 - kappa = 2 sin(t/2)^2 - (sin t - t cos t) / pi
    """
    new, new2 = np.sqrt(weight / 2 * norm**2 + bias), np.sqrt(weight / 2 * norm2**2 + bias)
    p, top = weight / 2 * norm * norm2, new * new2
    safe = np.where(top > 0, top, 1)  # a zero vector has no angle; its kernels are 0 for any t
    gap = p * (2 * np.sin(t / 2) ** 2 - (np.sin(t) - t * np.cos(t)) / np.pi)
    gap += bias * weight / 2 * (norm - norm2) ** 2 / (safe + p + bias)
    return 2 * np.arcsin(np.sqrt(np.maximum(gap, 0) / safe / 2)), new, new2
