"""How parameters move outputs: tangent kernel, loss-gradient Gram matrix, gradient confusion.

A small change of the parameters moves f(x) by J(x) dtheta, so the inputs x and x' move
together as far as their Jacobians overlap: K(x, x') = J(x) J(x')^T, the *tangent kernel*
of this very network (not of its infinite-width limit).  A layer's Jacobian is an outer
product, D[l](x) = df/dz[l] times the layer's input h[l-1](x), so inner products of
Jacobians are products of two small ones and no gradient is ever formed (T6):

    K(x, x') = sum_l  D[l](x) D[l](x')^T  (h[l-1](x).h[l-1](x') + 1)
                      \\__ units on at both __/  \\_ weights _/   biases

The sum inside D D^T runs over the units that are on at both inputs: this is where
activation patterns govern training (T11).  The same with the residuals in place of the
outputs gives the Gram matrix of the per-example loss gradients (T7), for the loss

    loss_i = |r_i|^2 / m[L],   r = f(x) - y,   delta[l] = d loss_i / d z[l] = D[l]^T (2/m[L]) r_i .

*Gradient confusion* of a pair of examples is the cosine of their loss gradients, the
paper's measure of how far descent on one undoes descent on the other.

    n, n2    rows of x and x2; x2 = None means x2 = x
    rows     how many rows of the result are computed at a time: memory beyond the
             result itself stays within a few (rows, n2 m[L]) arrays
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import (
    Array, Indices, check_count, check_indices, check_layers, check_net_and_rows, check_size,
    check_targets, row_blocks,
)
from relu_dynamics.mlp import MLP, backward, forward, hidden_units, split_layers
from relu_dynamics.patterns import pattern, rows_times


def tangent_kernel(net: MLP, x: ArrayLike, x2: ArrayLike | None = None, *, rows: int = 1024) -> Array:
    """K, (n, n2, m[L], m[L]): K[i, j, a, b] = grad f_a(x_i) . grad f_b(x2_j) over all parameters (T6).

    Positive semidefinite as an (n m[L], n m[L]) matrix; costs O(n n2 sum_l m[l]).

    >>> tangent_kernel(hat, [[0.5], [1.5]])[:, :, 0, 0].tolist()
    [[2.5, 3.5], [3.5, 19.75]]
    """
    net, x, x2 = _two_batches(net, x, x2)
    m = len(net.biases[-1])
    shape = (len(x), len(x2), m, m)
    check_size("K", shape, "Pass fewer rows at a time.")
    K = np.empty(shape)
    there = output_sensitivities(net, x2)
    for block in row_blocks(len(x), check_count("rows", rows, 1)):
        K[block] = np.moveaxis(coupling(*output_sensitivities(net, x[block]), *there), 3, 1)
    return K


def layer_kernels(net: MLP, x: ArrayLike, x2: ArrayLike | None = None) -> Array:
    """(L, 2, n, n2, m[L], m[L]): the parts of K from each layer's weights ([l, 0]) and biases ([l, 1]); they sum to K."""
    net, x, x2 = _two_batches(net, x, x2)
    m = len(net.biases[-1])
    shape = (len(net.weights), 2, len(x), len(x2), m, m)
    check_size("layer_kernels", shape, "Pass fewer rows at a time.")
    parts = np.empty(shape)
    for part, D, h, E, g in zip(parts, *output_sensitivities(net, x), *output_sensitivities(net, x2), strict=True):
        part[1] = np.moveaxis(_pairs(D, E), 3, 1)
        part[0] = part[1] * (h @ g.T)[:, :, None, None]
    return parts


def unit_kernels(net: MLP, x: ArrayLike, x2: ArrayLike | None = None) -> Array:
    """(H + m[L], n, n2, m[L], m[L]): the part of K from each unit's incoming weights and bias (T11).

    Hidden units in layer order, then the outputs.  A hidden unit's part is zero for a
    pair unless it is on at both inputs: only shared activity couples two inputs.
    """
    net, x, x2 = _two_batches(net, x, x2)
    m = len(net.biases[-1])
    shape = (hidden_units(net) + m, len(x), len(x2), m, m)
    check_size("unit_kernels", shape, "Pass fewer rows at a time.")
    parts, at = np.empty(shape), 0
    for D, h, E, g in zip(*output_sensitivities(net, x), *output_sensitivities(net, x2), strict=True):
        units = D.shape[2]
        parts[at : at + units] = np.einsum("iau,jbu->uijab", D, E) * (h @ g.T + 1)[:, :, None, None]
        at += units
    return parts


def path_kernel(net: MLP, x: ArrayLike, x2: ArrayLike | None = None) -> Array:
    """(n, n2): (x.x') prod_l |S[l](x) & S[l](x')|, S[l] the units of layer l that are on (T12).

    The inner product of the path activities of a network without biases, f(x) = sum over
    paths of activity times value (Lakshminarayanan & Singh 2020).  ValueError if net has biases.
    """
    net, x, x2 = _two_batches(net, x, x2)
    if any(b.any() for b in net.biases):
        raise ValueError("path_kernel is defined for networks without biases: every bias must be 0.")
    kernel = x @ x2.T
    for q, q2 in zip(split_layers(net, pattern(net, x)), split_layers(net, pattern(net, x2)), strict=True):
        kernel = kernel * (q.astype(np.float64) @ q2.astype(np.float64).T)
    return kernel


def example_gradients(net: MLP, x: ArrayLike) -> Array:
    """J, (n, m[L], p): the Jacobian of every output in all parameters, in the order of flatten.

    For small networks and for tests; everything else here gets by without it.
    """
    net, x = check_net_and_rows(net, x, float64=True)
    p = sum(part.size for parts in net for part in parts)
    check_size("example_gradients", (len(x), len(net.biases[-1]), p), "Pass fewer rows, or use tangent_kernel.")
    parts = []
    for D, h in zip(*output_sensitivities(net, x), strict=True):
        parts += [(D[..., None] * h[:, None, None, :]).reshape(*D.shape[:2], D.shape[2] * h.shape[1]), D]
    return np.concatenate(parts, axis=2)


def descent_direction(net: MLP, x: ArrayLike, y: ArrayLike) -> MLP:
    """-grad of the loss (1 / (n m[L])) sum_i |f(x_i) - y_i|^2, shaped like net: how gradient flow moves the parameters (T14).

    ValueError if there are no rows, for which the mean has no meaning.
    """
    net, x, y = check_examples(net, x, y)
    trace = forward(net, x)
    gradient = backward(net, trace, 2 / y.size * (trace.preacts[-1] - y))
    return MLP(tuple(-W for W in gradient.weights), tuple(-b for b in gradient.biases))


def preactivation_rates(net: MLP, x: ArrayLike, motion: MLP) -> list[Array]:
    """dz[l]/dt at the rows of x, (n, m[l]) for l = 1 .. L, when the parameters move at the velocity motion, shaped like net.

    The pattern is held where it is: dh/dt = q dz/dt.  The last entry is df/dt = J motion (T1).
    """
    net, x = check_net_and_rows(net, x, float64=True)
    motion = check_layers(motion)
    if [np.shape(W) for W in motion.weights] != [W.shape for W in net.weights]:
        raise ValueError(f"motion must have the shapes of net, {[W.shape for W in net.weights]}. "
                         f"Got {[np.shape(W) for W in motion.weights]}.")
    trace = forward(net, x)
    rates: list[Array] = []
    for W, dW, db, h, l in zip(net.weights, *motion, trace.inputs, range(len(net.weights)), strict=True):
        rate = h @ dW.T + db
        if l > 0:
            rate += np.where(trace.pattern[l - 1], rates[-1], 0.0) @ W.T
        rates.append(rate)
    return rates


def loss_gradient_gram(net: MLP, x: ArrayLike, y: ArrayLike, *, rows: int = 512) -> Array:
    """(n, n): inner products of the per-example loss gradients, <grad loss_i, grad loss_j> (T7).

    Symmetric to the last bit.  Its smallest off-diagonal entry, negated, is the confusion
    bound eta of Sankararaman et al. 2020.
    """
    net, x = check_net_and_rows(net, x, float64=True)
    y = check_targets(net, x, y)
    check_size("the Gram matrix", (len(x), len(x)), "Pass fewer rows.")
    return _gram(*loss_sensitivities(net, x, y, unit_residuals=False), check_count("rows", rows, 1))


def gradient_confusion(net: MLP, x: ArrayLike, y: ArrayLike, *, rows: int = 512) -> Array:
    """(n, n): cosines of the per-example loss gradients, Lazzari & Liu's gradient confusion.

    Diagonal 1, symmetric to the last bit, NaN in the rows and columns of examples that
    are fitted exactly (r_i = 0, the only way for a gradient to vanish: the output bias
    sees 2 r_i / m[L]).  For one output it is sign(r_i r_j) K_ij / sqrt(K_ii K_jj) (T8).

    >>> gradient_confusion(hat, [[0.5], [1.5]], [[1.0], [0.0]]).round(2).tolist()
    [[1.0, -0.5], [-0.5, 1.0]]
    """
    net, x = check_net_and_rows(net, x, float64=True)
    y = check_targets(net, x, y)
    check_size("the confusion matrix", (len(x), len(x)), "Pass fewer rows.")
    cosines = _gram(*loss_sensitivities(net, x, y, unit_residuals=True), check_count("rows", rows, 1))
    norms = np.sqrt(np.diagonal(cosines)).copy()
    norms[norms == 0] = np.nan
    for block in row_blocks(len(x), rows):
        cosines[block] /= norms[block, None] * norms[None, :]
        np.clip(cosines[block], -1, 1, out=cosines[block])
    np.fill_diagonal(cosines, np.where(np.isnan(norms), np.nan, 1.0))
    return cosines


def confusion_of_pairs(net: MLP, x: ArrayLike, y: ArrayLike, i: ArrayLike, j: ArrayLike) -> Array:
    """(k,): gradient_confusion[i, j] for k pairs of row indices only.

    Costs O(k sum_l m[l]) and a pass through the network of the rows that occur; pairs are
    taken in blocks, so memory does not grow with their number.
    """
    net, x = check_net_and_rows(net, x, float64=True)
    y = check_targets(net, x, y)
    i, j = check_indices("i", i, len(x)), check_indices("j", j, len(x))
    if i.shape != j.shape:
        raise ValueError(f"i and j must have one entry per pair each. Got shapes {i.shape} and {j.shape}.")
    cosines = np.empty(len(i))
    for pairs in row_blocks(len(i)):
        rows, place = np.unique(np.stack([i[pairs], j[pairs]]), return_inverse=True)
        deltas, inputs = loss_sensitivities(net, x[rows], y[rows], unit_residuals=True)
        here, there = place.reshape(2, -1)
        every = np.arange(len(rows))
        norms = np.sqrt(_products(deltas, inputs, every, every))
        norms[norms == 0] = np.nan
        cosines[pairs] = _products(deltas, inputs, here, there) / (norms[here] * norms[there])
    return np.clip(cosines, -1, 1)


# ------------------------------------------------- the two factors of a gradient


def output_sensitivities(net: MLP, x: Array) -> tuple[list[Array], list[Array]]:
    """D[l] = df/dz[l], (n, m[L], m[l]), and h[l-1], (n, m[l-1]), for l = 1 .. L: layer l's Jacobian is D (x) h."""
    m = len(net.biases[-1])
    trace = forward(net, x)
    D: Array = np.broadcast_to(np.eye(m), (len(x), m, m))
    sensitivities = [D]
    for W, q in zip(net.weights[:0:-1], trace.pattern[::-1], strict=True):
        D = np.where(q[:, None, :], rows_times(D, W), 0.0)
        sensitivities.append(D)
    return sensitivities[::-1], trace.inputs


def loss_sensitivities(net: MLP, x: Array, y: Array, *, unit_residuals: bool) -> tuple[list[Array], list[Array]]:
    """delta[l] = d loss_i/dz[l], (n, m[l]), and h[l-1], (n, m[l-1]): layer l's gradient of example i is delta_i (x) h_i.

    With unit_residuals each nonzero r_i is first scaled to length 1, which no cosine can
    tell apart; for one output it becomes exactly +-1.
    """
    trace = forward(net, x)
    r = trace.preacts[-1] - y
    if unit_residuals:
        for norm in (np.max, np.linalg.norm):  # the largest entry first, so that no square under- or overflows
            size = norm(np.abs(r), axis=1, keepdims=True)
            r = r / np.where(size > 0, size, 1.0)
    delta = 2 / r.shape[1] * r
    deltas = [delta]
    for W, q in zip(net.weights[:0:-1], trace.pattern[::-1], strict=True):
        delta = np.where(q, delta @ W, 0.0)
        deltas.append(delta)
    return deltas[::-1], trace.inputs


def _gram(deltas: list[Array], inputs: list[Array], rows: int) -> Array:
    """G_ij = sum_l (delta_i.delta_j) (h_i.h_j + 1): the upper triangle, mirrored."""
    n = len(inputs[0])
    G = np.zeros((n, n))
    for block in row_blocks(n, rows):
        upper = G[block, block.start :]
        for delta, h in zip(deltas, inputs, strict=True):
            part = h[block] @ h[block.start :].T
            part += 1
            part *= delta[block] @ delta[block.start :].T
            upper += part
        size = block.stop - block.start
        corner = np.triu(upper[:, :size], 1)
        upper[:, :size] = np.triu(upper[:, :size]) + corner.T
        G[block.stop :, block] = upper[:, size:].T
    return G


def _products(deltas: list[Array], inputs: list[Array], i: Indices, j: Indices) -> Array:
    """G_ij for the pairs of rows i, j, each (k,)."""
    total = np.zeros(len(i))
    for delta, h in zip(deltas, inputs, strict=True):
        total += np.vecdot(delta[i], delta[j]) * (np.vecdot(h[i], h[j]) + 1)
    return total


def coupling(D: list[Array], h: list[Array], E: list[Array], g: list[Array]) -> Array:
    """sum_l D[l]_i E[l]_j^T (h[l-1]_i . g[l-1]_j + 1), (n, a, b, n2), from D[l] (n, a, m[l]), E[l] (n2, b, m[l]) (T6).

    With output sensitivities on both sides the kernel; with r^T D in place of either, its products with residuals.
    The rows of the second batch come last, where they are contiguous.
    """
    total = np.zeros((len(h[0]), D[0].shape[1], E[0].shape[1], len(g[0])))
    for left, here, right, there in zip(D, h, E, g, strict=True):
        part = _pairs(left, right)
        part *= (here @ there.T + 1)[:, None, None, :]
        total += part
    return total


def _pairs(D: Array, E: Array) -> Array:
    """D_i E_j^T for all i, j: (n, a, k) and (n2, b, k) to (n, a, b, n2), as one matrix product."""
    (n, a, k), (n2, b, _) = D.shape, E.shape
    return (D.reshape(n * a, k) @ E.swapaxes(0, 1).reshape(b * n2, k).T).reshape(n, a, b, n2)


# ------------------------------------------------------------- the public door


def check_examples(net: MLP, x: ArrayLike, y: ArrayLike) -> tuple[MLP, Array, Array]:
    """net, x and y in float64; at least one example, so that the mean loss exists."""
    net, x = check_net_and_rows(net, x, float64=True)
    y = check_targets(net, x, y)
    if len(x) == 0:
        raise ValueError("x must have at least one row: the mean loss of no examples has no meaning.")
    return net, x, y


def _two_batches(net: MLP, x: ArrayLike, x2: ArrayLike | None) -> tuple[MLP, Array, Array]:
    checked, x = check_net_and_rows(net, x, float64=True)
    return checked, x, x if x2 is None else check_net_and_rows(net, x2, "x2", float64=True)[1]
