"""How parameters move outputs: tangent kernel, loss-gradient Gram matrix, gradient confusion.

A small change of the parameters moves f(x) by J(x) dtheta, so the outputs at x and x' move
together as far as their Jacobians overlap: K(x, x') = J(x) J(x')^T, the *tangent kernel*
of this finite network (not of its infinite-width limit).  A layer's Jacobian is an outer
product, D[l](x) = df/dz[l] times the layer's input h[l-1](x), so an inner product of
Jacobians is a product of two smaller inner products, and no gradient is formed (T6):

    K(x, x') = sum_l  D[l](x) D[l](x')^T  (h[l-1](x).h[l-1](x') + 1)
                      \\__ units on at both __/  \\_ weights _/   biases

The sum in D D^T runs over the units that are on at both inputs: in this way activation
patterns determine training (T11).  With residuals in place of outputs the same formula
gives the Gram matrix of the per-example loss gradients (T7), for the loss

    loss_i = |r_i|^2 / m[L],   r = f(x) - y,   delta[l] = d loss_i / d z[l] = D[l]^T (2/m[L]) r_i .

*Gradient confusion* of a pair of examples is the cosine of their loss gradients, the
paper's measure of how much descent on one undoes descent on the other.

Everything also holds for an imposed pattern, with D and h of the Trace (T40): the features
of one network with the gates of another are forward(net, x, pattern=gates) (T41).

    x, x2    rows, (n, m[0]), or the Trace of a forward pass; x2 = None means x2 = x
    rows     how many rows of the result are computed at a time: besides the result,
             memory is needed for a few (rows, n2 m[L]) arrays
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import (
    Array, Indices, check_count, check_index_pairs, check_no_biases, check_same_shapes, check_size,
    check_targets, row_blocks,
)
from relu_dynamics.mlp import (
    MLP, Gradient, Trace, inputs_of, pull_back, row_count, rows_or_trace, some_rows, trace_of,
    traced, traced_examples, traced_too,
)
from relu_dynamics.patterns import pulled

Factors = tuple[list[Array], list[Array]]  # of gradients, by layer: D[l] (or delta[l]), h[l-1]
FEWER = "Pass fewer rows at a time."


# ------------------------------------------------------------------- the kernel


def tangent_kernel(
    net: MLP, x: ArrayLike | Trace, x2: ArrayLike | Trace | None = None, *, rows: int = 1024
) -> Array:
    """K, (n, n2, m[L], m[L]): K[i, j, a, b] = grad f_a(x_i) . grad f_b(x2_j) (T6).

    The gradients are over all parameters.  Positive semidefinite as an (n m[L], n m[L])
    matrix; costs O(n n2 sum_l m[l]).  For one output K[:, :, 0, 0] is the (n, n2) matrix to show.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.tangent_kernel(hat, [[0.5], [1.5]])[:, :, 0, 0].tolist()
    [[2.5, 3.5], [3.5, 19.75]]
    """
    left, right, shape = _two_sides(net, x, x2)
    check_size("K", shape, FEWER)
    K = np.empty(shape)
    for block in row_blocks(len(K), check_count("rows", rows, 1)):
        K[block] = np.moveaxis(coupling(factors_at(left, block), right), 3, 1)
    return K


def layer_kernels(
    net: MLP, x: ArrayLike | Trace, x2: ArrayLike | Trace | None = None
) -> Array:
    """(L, 2, n, n2, m[L], m[L]): the parts of K by layer; their sum is K.

    [l, 0] is from the layer's weights, [l, 1] from its biases.
    """
    left, right, shape = _two_sides(net, x, x2)
    check_size("layer_kernels", (len(net.weights), 2, *shape), FEWER)
    parts = np.empty((len(net.weights), 2, *shape))
    for part, D, h, E, g in zip(parts, *left, *right, strict=True):
        part[1] = np.moveaxis(_outer_products(D, E), 3, 1)
        part[0] = part[1] * (h @ g.T)[:, :, None, None]
    return parts


def unit_kernels(
    net: MLP, x: ArrayLike | Trace, x2: ArrayLike | Trace | None = None
) -> Array:
    """(H + m[L], n, n2, m[L], m[L]): the parts of K by unit, its incoming weights and bias (T11).

    Hidden units in layer order, then the outputs.  A hidden unit's part is zero for a
    pair unless the unit is on at both inputs: only shared units couple two inputs.
    """
    left, right, shape = _two_sides(net, x, x2)
    check_size("unit_kernels", (sum(map(len, net.biases)), *shape), FEWER)
    return np.concatenate([
        np.einsum("iau,jbu->uijab", D, E) * (h @ g.T + 1)[:, :, None, None]
        for D, h, E, g in zip(*left, *right, strict=True)])


def path_kernel(
    net: MLP, x: ArrayLike | Trace, x2: ArrayLike | Trace | None = None
) -> Array:
    """(n, n2): (x.x') prod_l |S[l](x) & S[l](x')|, S[l] the units of layer l that are on (T12).

    The inner product of the path activities of a network without biases, f(x) = sum over
    paths of activity times value (Lakshminarayanan & Singh 2020).  ValueError if net has biases.
    """
    net, here, there = _two_traces(net, x, x2)
    check_no_biases("path_kernel", net)
    check_size("path_kernel", (row_count(here), row_count(there)), FEWER)
    paths = here.inputs[0] @ there.inputs[0].T
    for q, q2 in zip(here.pattern, there.pattern, strict=True):
        paths *= q.astype(np.float64) @ q2.T.astype(np.float64)
    return paths


def example_gradients(net: MLP, x: ArrayLike | Trace) -> Array:
    """J, (n, m[L], p): the Jacobian of every output in all parameters, in the order of flatten.

    For small networks and for tests; no other function here needs it.
    """
    net, trace = traced(net, x)
    n, m = row_count(trace), len(net.biases[-1])
    p = sum(part.size for parts in net for part in parts)
    check_size("example_gradients", (n, m, p), "Pass fewer rows, or use tangent_kernel.")
    parts = []
    for D, h in zip(*output_sensitivities(net, trace), strict=True):
        parts += [(D[..., None] * h[:, None, None, :]).reshape(n, m, D.shape[2] * h.shape[1]), D]
    return np.concatenate(parts, axis=2)


# ------------------------------------------------------------------------ motion


def descent_direction(net: MLP, x: ArrayLike | Trace, y: ArrayLike) -> MLP:
    """-grad of the loss (1 / (n m[L])) sum_i |f(x_i) - y_i|^2, shaped like net (T14).

    The velocity of the parameters under gradient flow.  ValueError without rows, because the
    mean is then undefined.
    """
    return descent(*traced_examples(net, x, y))


def descent(net: MLP, trace: Trace, y: Array) -> MLP:
    """descent_direction without checks."""
    gradient = pull_back(net, trace, -2 / y.size * (trace.preacts[-1] - y))
    return MLP(gradient.weights, gradient.biases)


def preactivation_rates(net: MLP, x: ArrayLike | Trace, motion: MLP) -> list[Array]:
    """dz[l]/dt at the rows of x, (n, m[l]) for l = 1 .. L.

    motion, shaped like net, is the velocity of the parameters.  The pattern is held fixed:
    dh/dt = q dz/dt.  The last entry is df/dt = J motion (T1).
    """
    net, trace = traced(net, x)
    return rates(net, trace, check_same_shapes(net, motion, "motion"))


def rates(net: MLP, trace: Trace, motion: MLP | Gradient) -> list[Array]:
    """preactivation_rates without checks: dz = dW h + db + W (q dz of the layer before)."""
    dz: list[Array] = []
    for l, (W, dW, db, h) in enumerate(zip(net.weights, *motion[:2], trace.inputs, strict=True)):
        dz.append(h @ dW.T + db)
        if l > 0:
            dz[l] += (dz[l - 1] * trace.pattern[l - 1]) @ W.T
    return dz


# ---------------------------------------------------- loss gradients and confusion


def loss_gradient_gram(net: MLP, x: ArrayLike | Trace, y: ArrayLike, *, rows: int = 512) -> Array:
    """(n, n): inner products of the per-example loss gradients, <grad loss_i, grad loss_j> (T7).

    Exactly symmetric.  Minus its smallest off-diagonal entry is the confusion bound eta of
    Sankararaman et al. 2020.
    """
    net, trace = traced(net, x)
    y = check_targets(net, trace.inputs[0], y)
    check_size("the Gram matrix", (len(y), len(y)), FEWER)
    df = 2 / y.shape[1] * (trace.preacts[-1] - y)
    return gram(pulled_back(net, trace, df[:, None]), check_count("rows", rows, 1))


def gradient_confusion(net: MLP, x: ArrayLike | Trace, y: ArrayLike, *, rows: int = 512) -> Array:
    """(n, n): cosines of the per-example loss gradients, Lazzari & Liu's gradient confusion.

    Diagonal 1, exactly symmetric, NaN in the rows and columns of examples that are fitted
    exactly (r_i = 0; only then is a gradient 0, because the output bias has the gradient
    2 r_i / m[L]).  For one output it is sign(r_i r_j) K_ij / sqrt(K_ii K_jj) (T8).

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.gradient_confusion(hat, [[0.5], [1.5]], [[1.0], [0.0]]).round(2).tolist()
    [[1.0, -0.5], [-0.5, 1.0]]
    """
    net, trace = traced(net, x)
    y = check_targets(net, trace.inputs[0], y)
    check_size("the confusion matrix", (len(y), len(y)), FEWER)
    count = check_count("rows", rows, 1)
    cosines = gram(loss_directions(net, trace, y), count)
    lengths = np.sqrt(np.diagonal(cosines))
    lengths[lengths == 0] = np.nan
    for block in row_blocks(len(y), count):
        cosines[block] /= lengths[block, None] * lengths
    cosines.clip(-1, 1, out=cosines)
    cosines.flat[:: len(y) + 1] = lengths / lengths  # the diagonal
    return cosines


def confusion_of_pairs(
    net: MLP, x: ArrayLike | Trace, y: ArrayLike, i: ArrayLike, j: ArrayLike
) -> Array:
    """(k,): gradient_confusion[i, j] for k pairs of row indices only.

    Costs O(k sum_l m[l]) and one pass through the network for the rows that occur.
    """
    net, x = rows_or_trace(net, x, float64=True)
    y = check_targets(net, inputs_of(x), y)
    rows, i, j = check_index_pairs(i, j, len(y))
    factors = loss_directions(net, trace_of(net, some_rows(x, rows)), y[rows])
    lengths = np.sqrt(_matched(factors, factors))
    lengths[lengths == 0] = np.nan
    cosines = np.empty(len(i))
    for pairs in row_blocks(len(i), 128):
        here, there = i[pairs], j[pairs]
        products = _matched(factors_at(factors, here), factors_at(factors, there))
        cosines[pairs] = products / (lengths[here] * lengths[there])
    return np.clip(cosines, -1, 1)


# ------------------------------------------------- the two factors of a gradient


def pulled_back(net: MLP, trace: Trace, df: Array) -> Factors:
    """delta[l], (n, k, m[l]), and h[l-1], (n, m[l-1]), for l = 1 .. L: k gradients at every row.

    df, (n, k, m[L]), are k derivatives by the outputs, and delta[l] = df D[l] the same by z[l].
    Layer l's part of each gradient is delta (x) h, and delta that of its biases.
    """
    return pulled(net, trace.pattern, df), trace.inputs


def output_sensitivities(net: MLP, trace: Trace) -> Factors:
    """D[l] = df/dz[l], (n, m[L], m[l]), and h[l-1], (n, m[l-1]): the gradients of every output."""
    n, m = trace.preacts[-1].shape
    return pulled_back(net, trace, np.broadcast_to(np.eye(m), (n, m, m)))


def loss_directions(net: MLP, trace: Trace, y: Array) -> Factors:
    """The loss gradients up to positive factors, as delta, (n, 1, m[l]), and h.

    They are those of residuals whose largest entry is scaled to 1, or of 0, so no square overflows.
    """
    r = trace.preacts[-1] - y
    size = np.abs(r).max(axis=1, keepdims=True)
    return pulled_back(net, trace, (r / np.where(size > 0, size, 1.0))[:, None])


def factors_at(factors: Factors, rows: slice | Indices) -> Factors:
    """The factors of some of the rows."""
    return [part[rows] for part in factors[0]], [part[rows] for part in factors[1]]


def coupling(left: Factors, right: Factors) -> Array:
    """sum_l D[l]_i E[l]_j^T (h[l-1]_i . g[l-1]_j + 1), (n, a, b, n2) (T6).

    The inner products of the a gradients at each row of one batch, D[l] (n, a, m[l]), with the b
    gradients at each row of another, E[l] (n2, b, m[l]), whose rows are the last axis: there they
    are contiguous.
    """
    total = np.zeros((*left[0][0].shape[:2], *right[0][0].shape[1::-1]))
    for D, h, E, g in zip(*left, *right, strict=True):
        both = h @ g.T
        both += 1
        part = _outer_products(D, E)
        part *= both[:, None, None, :]
        total += part
    return total


def gram(factors: Factors, size: int) -> Array:
    """(n, n): coupling of one gradient per row with all others; the upper triangle, mirrored."""
    n = len(factors[0][0])
    G = np.empty((n, n))
    for rows, upper in upper_rows(factors, size):
        G[rows, rows.start :] = upper
        corner = G[rows, rows]
        corner[:] = (corner + corner.T) / 2  # they differ at most in the last bit
        G[rows.stop :, rows] = G[rows, rows.stop :].T
    return G


def upper_rows(factors: Factors, size: int) -> Iterator[tuple[slice, Array]]:
    """rows, size at a time, and G[rows, rows.start:] of this symmetric matrix."""
    n = len(factors[0][0])
    for rows in row_blocks(n, size):
        right = factors_at(factors, slice(rows.start, n))
        yield rows, coupling(factors_at(factors, rows), right)[:, 0, 0]


def _matched(left: Factors, right: Factors) -> Array:
    """(n,): the inner products of one gradient per row with another per row."""
    total = np.zeros(len(left[0][0]))
    for delta, h, delta2, h2 in zip(*left, *right, strict=True):
        total += np.vecdot(delta, delta2)[:, 0] * (np.vecdot(h, h2) + 1)
    return total


def _outer_products(D: Array, E: Array) -> Array:
    """D_i E_j^T for all i, j: (n, a, k) and (n2, b, k) to (n, a, b, n2), as one matrix product."""
    (n, a, k), (n2, b, _) = D.shape, E.shape
    return (D.reshape(n * a, k) @ E.swapaxes(0, 1).reshape(b * n2, k).T).reshape(n, a, b, n2)


def _two_traces(
    net: MLP, x: ArrayLike | Trace, x2: ArrayLike | Trace | None
) -> tuple[MLP, Trace, Trace]:
    """net in float64 and the traces of both batches; the same trace twice if x2 is None."""
    net, here = traced(net, x)
    return net, here, here if x2 is None else traced_too(net, x2, "x2")


def _two_sides(
    net: MLP, x: ArrayLike | Trace, x2: ArrayLike | Trace | None
) -> tuple[Factors, Factors, tuple[int, ...]]:
    """The output sensitivities of both batches, and (n, n2, m[L], m[L])."""
    net, here, there = _two_traces(net, x, x2)
    left = output_sensitivities(net, here)
    right = left if there is here else output_sensitivities(net, there)
    return left, right, (row_count(here), row_count(there), *2 * net.biases[-1].shape)
