"""The infinite-width limit: the kernels that a ReLU network has, and keeps, if its layers are infinitely wide.

With z = W h sqrt(weight_variance / fan_in) + b sqrt(bias_variance), all entries N(0, 1), the
outputs of a network with infinitely wide hidden layers are a Gaussian process with covariance
*nngp*, and the tangent kernel is fixed at *ntk* throughout training (T31):

    S[1] = weight_variance x.x' / d + bias_variance               T[1] = S[1]
    S[l+1] = weight_variance sqrt(S[l](x, x) S[l](x', x')) (sin t + (pi - t) cos t) / (2 pi) + bias_variance
    T[l+1] = S[l+1] + weight_variance T[l] (pi - t) / (2 pi),     cos t = S[l](x, x') / sqrt(S[l](x, x) S[l](x', x'))

(Cho & Saul 2009; Jacot, Gabriel & Hongler 2018).  Such kernels know only norms and angles
of inputs: no activation regions, and so nothing of what this package measures in real
networks.  They are here as the baseline it is measured against (T32).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist

from relu_dynamics.checks import Array, as_real, check_count, check_not_negative, check_size, one_line


class Kernels(NamedTuple):
    """The covariance of the outputs at initialisation, and the tangent kernel."""

    nngp: Array  # (n, n2)
    ntk: Array   # (n, n2)

    def __repr__(self) -> str:
        return one_line(self)


def infinite_kernels(
    x: ArrayLike, x2: ArrayLike | None = None, *, hidden_layers: int, weight_variance: float = 2.0, bias_variance: float = 0.0
) -> Kernels:
    """nngp and ntk, (n, n2) each, between the rows of x, (n, d), and of x2, (n2, d) (None: x itself) (T31).

    All layers are trained, the output layer included; for hidden_layers = 0 both are S[1].
    Without biases both are homogeneous: k(a x, b x') = a b k(x, x') for a, b > 0.  The angle t is carried
    from layer to layer by itself, for arccos would lose half of its digits between neighbours.

    >>> import relu_dynamics as rd
    >>> rd.infinite_kernels([[1.0, 0.0], [0.0, 1.0]], hidden_layers=1).ntk.round(3).tolist()  # 1/pi off the diagonal
    [[2.0, 0.318], [0.318, 2.0]]
    """
    x = as_real("x", x, (None, None), "one sample per row").astype(np.float64)
    x2 = x if x2 is None else as_real("x2", x2, (None, x.shape[1]), "one sample per row, with the columns of x").astype(np.float64)
    if x.shape[1] == 0:
        raise ValueError(f"x must have at least one column. Got shape {x.shape}.")
    layers = check_count("hidden_layers", hidden_layers, 0)
    weight, bias = check_not_negative("weight_variance", weight_variance, "a variance"), check_not_negative("bias_variance", bias_variance, "a variance")
    check_size("a kernel", (len(x), len(x2)), "Pass fewer rows at a time.")
    v, v2 = (np.hstack([np.sqrt(weight / x.shape[1]) * rows, np.full((len(rows), 1), np.sqrt(bias))]) for rows in (x, x2))
    norm, norm2 = np.linalg.norm(v, axis=1)[:, None], np.linalg.norm(v2, axis=1)[None, :]  # sqrt(S(x, x)), sqrt(S(x', x'))
    nngp, angle = v @ v2.T, _angles(v, v2)
    ntk = nngp.copy()
    with np.errstate(over="ignore", invalid="ignore"):  # refused below
        for _ in range(layers):
            nngp = weight * norm * norm2 * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi) + bias
            ntk = nngp + weight * ntk * (np.pi - angle) / (2 * np.pi)
            angle, norm, norm2 = _next_angles(angle, norm, norm2, weight, bias)
    if not np.isfinite(ntk).all():
        raise ValueError(f"the kernels of {layers} hidden layers must not overflow. Use a weight_variance nearer to 2, at which they stay "
                         f"as they are, smaller inputs or fewer layers. Got weight_variance {weight:g}, bias_variance {bias:g}.")
    return Kernels(nngp, ntk)


def _angles(v: Array, v2: Array) -> Array:
    """Angles between rows, from the two diagonals of the rhombus of unit vectors: accurate near 0 and near pi alike."""
    unit, unit2 = (rows / np.where((size := np.linalg.norm(rows, axis=1, keepdims=True)) > 0, size, 1) for rows in (v, v2))
    return np.asarray(2 * np.arctan2(cdist(unit, unit2), cdist(unit, -unit2)))


def _next_angles(t: Array, norm: Array, norm2: Array, weight: float, bias: float) -> tuple[Array, Array, Array]:
    """t, sqrt(S(x, x)) and sqrt(S(x', x')) of the next layer, with 1 - cos t put together from small terms.

    With p = weight norm norm2 / 2, the mean of the products of two half-rectified Gaussians at t = 0,

        new norm * new norm2 - S(x, x') = p (1 - kappa) + bias (weight / 2) (norm - norm2)^2 / (new norm * new norm2 + p + bias)
        1 - kappa = 2 sin(t/2)^2 - (sin t - t cos t) / pi
    """
    new, new2 = np.sqrt(weight / 2 * norm**2 + bias), np.sqrt(weight / 2 * norm2**2 + bias)
    p, top = weight / 2 * norm * norm2, new * new2
    safe = np.where(top > 0, top, 1)  # a zero vector has no angle, and its kernels are zero whatever it is
    gap = p * (2 * np.sin(t / 2) ** 2 - (np.sin(t) - t * np.cos(t)) / np.pi)
    gap += bias * weight / 2 * (norm - norm2) ** 2 / (safe + p + bias)
    return 2 * np.arcsin(np.sqrt(np.maximum(gap, 0) / safe / 2)), new, new2

