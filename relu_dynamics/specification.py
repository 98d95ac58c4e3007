"""The mathematics of the project, once, in its shortest correct form.

All definitions, slow, in reading order: the other modules compute them fast, and are tested against
them.  T1, T2, ... number the statements of the theory.  Arrays hold floats or Fractions, made by
np.vectorize(Fraction, otypes=[object]); on Fractions all is exact but what is marked "floats".

    x            one input, (m[0],)              X, Q   n inputs and patterns, one per row
    W[l], b[l]   weights, biases of layer l      m[l]   its width; l = 1 .. L, but lists start at 0
    h[l], z[l]   h[0] = x, z[l] = W[l] h[l-1] + b[l], h[l] = q[l] z[l]; the output is f = z[L]
    q            the pattern, (H,): q[l] = (z[l] > 0), so h[l] = max(z[l], 0); a tie z = 0 is off
    u            a unit: H hidden ones in layer order, then the outputs; its wall is where z_u = 0
    theta        all p parameters in the order W[1], b[1], W[2], ..., row by row; ' is d/dt
    J            d f/d theta, (n, m, p), for n inputs and m = m[L] outputs; K = J J^T
    r            f - y, (n, m), for targets y; the loss is |r|^2 / (n m), and g its gradient, (p,)
    B            a unitary transform of n samples, (n, n): c = B r, K^ = B K B*; its rows are modes
"""

import math
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from relu_dynamics.mlp import MLP

Array = Any  # a NumPy array of floats or Fractions; the docstrings say the shapes


# ------------------------------------------------------------------------------------ the network


class Trace(NamedTuple):
    """What one input meets on its way through the network."""

    h: list[Array]  # h[0] .. h[L-1]
    z: list[Array]  # z[1] .. z[L], the last is f
    q: list[Array]  # q[1] .. q[L-1]


def forward(net: MLP, x: Array, q: Array | None = None) -> Trace:
    """Run x through the network, with its own pattern or with q, (H,), imposed on it (T40)."""
    trace = Trace([x], [], [])
    for l, (W, b) in enumerate(zip(net.weights, net.biases)):
        trace.z.append(W @ trace.h[l] + b)
        if l + 1 < len(net.weights):  # the output layer is affine
            trace.q.append(trace.z[l] > 0 if q is None else by_layer(net, q)[l])
            trace.h.append(trace.q[l] * trace.z[l])
    return trace


def backward(net: MLP, trace: Trace, delta: Array) -> tuple[Array, Array]:
    """delta . d f/d theta, (p,), and delta . d f/d x, (m[0],), for delta (m,): the chain rule (T1).

    W[l] gets delta[l] h[l-1]^T, b[l] delta[l], from L down: delta[l-1] = q[l-1] W[l]^T delta[l].
    """
    parts: list[Array] = []
    for W, h, q in zip(net.weights[::-1], trace.h[::-1], [*trace.q[::-1], True]):  # x is always on
        parts = [np.outer(delta, h).ravel(), delta, *parts]
        delta = q * (delta @ W)
    return np.concatenate(parts), delta


def flatten(net: MLP) -> Array:
    """theta, (p,)."""
    return np.concatenate([part.ravel() for layer in zip(*net) for part in layer])


def unflatten(theta: Array, like: MLP) -> MLP:
    """A network with parameters theta; of 0, ..., p - 1 it shows the place of each in theta."""
    cut = np.split(theta, np.cumsum([part.size for layer in zip(*like) for part in layer]))
    return MLP(tuple(v.reshape(W.shape) for v, W in zip(cut[::2], like.weights)), tuple(cut[1::2]))


# ---------------------------------------------------- patterns, regions and the walls between them


def pattern(trace: Trace) -> Array:
    """q, (H,): which hidden units are on."""
    return np.array([bit for layer in trace.q for bit in layer], bool)


def by_layer(net: MLP, q: Array) -> list[Array]:
    """q[1], ..., q[L-1] out of q, (H,)."""
    return np.split(q, np.cumsum([len(b) for b in net.biases[:-1]]))


def hamming(Q: Array, Q2: Array) -> Array:
    """(n, n2): in how many units the patterns Q, (n, H), differ from the patterns Q2, (n2, H)."""
    return np.sum(Q[:, None, :] != Q2[None, :, :], axis=2)


def affine_map(net: MLP, q: Array) -> tuple[Array, Array]:
    """A, (m, m[0]), and c, (m,): f(x) = A x + c where the pattern is q, and d f/d x = A (T2).

    A = W[L] diag(q[L-1]) W[L-1] ... diag(q[1]) W[1], and c is what the biases make of 0.
    """
    A, c = net.weights[0], net.biases[0]
    for W, b, on in zip(net.weights[1:], net.biases[1:], by_layer(net, q)):
        A, c = W @ (on[:, None] * A), W @ (on * c) + b
    return A, c


def regions(net: MLP, corners: Array) -> list[tuple[Array, Array]]:
    """(q, corners) of every region in a convex polygon, (k, 2); in each of them walls are lines."""
    found = [(np.zeros(0, bool), corners)]
    for l in range(1, len(net.weights)):
        layers = MLP(net.weights[:l], net.biases[:l])  # x -> z[l]
        found = [part for q, face in found for part in _cut(q, face, *affine_map(layers, q))]
    return found


def _cut(q: Array, corners: Array, A: Array, c: Array) -> list[tuple[Array, Array]]:
    """The parts of a region where no unit of z = A x + c changes its sign, one unit at a time."""
    if len(c) == 0:
        return [(q, corners)]
    z = corners @ A[0] + c[0]
    sides = [(max(z) > 0, corners)]
    if min(z) < 0 < max(z):
        sides = [(True, _clip(corners, z)), (False, _clip(corners, -z))]
    return [part for on, side in sides for part in _cut(np.append(q, on), side, A[1:], c[1:])]


def _clip(corners: Array, z: Array) -> Array:
    """The part of a polygon where z >= 0, for z affine and known at the corners."""
    part = []
    for v, w, z_v, z_w in zip(np.roll(corners, 1, axis=0), corners, np.roll(z, 1), z):  # edge v w
        if z_v * z_w < 0:
            part.append(v + z_v / (z_v - z_w) * (w - v))
        if z_w >= 0:
            part.append(w)
    return np.array(part)


def pieces(net: MLP, a: Array, b: Array) -> list[tuple[Any, Any, Array, Array, Array]]:
    """(start, end, q, slope (m, 1), offset (m,)) of every piece of x = a + t (b - a), in order.

    f = slope t + offset for start <= t <= end.  A segment is a polygon with two corners.
    """
    W, c = net.weights[0] @ (b - a), net.weights[0] @ a + net.biases[0]
    line = MLP((W[:, None], *net.weights[1:]), (c, *net.biases[1:]))  # t -> f
    found = [(np.sort(t[:, 0]), q) for q, t in regions(line, np.array([[0], [1]]))]
    return [(t[0], t[-1], q, *affine_map(line, q)) for t, q in sorted(found, key=lambda s: s[0][0])]


def unit(net: MLP, u: int) -> MLP:
    """The network x -> z_u: a hidden unit is the output of a smaller network."""
    l, k = [(l, k) for l, b in enumerate(net.biases) for k in range(len(b))][u]
    return MLP((*net.weights[:l], net.weights[l][[k]]), (*net.biases[:l], net.biases[l][[k]]))


def wall(net: MLP, x: Array, u: int) -> tuple[Any, Array, Array]:
    """z_u, d z_u/d theta over the parameters of unit(net, u), and d z_u/d x, at x."""
    trace = forward(unit(net, u), x)
    return trace.z[-1][0], *backward(unit(net, u), trace, np.array([1]))


def squared_distance_to_wall(net: MLP, x: Array) -> Any:
    """From x to the boundary of its region: the least z_u^2 / |d z_u/d x|^2 of any wall (T36)."""
    walls = [wall(net, x, u) for u in range(len(pattern(forward(net, x))))]
    return min((z * z / (d_x @ d_x) for z, _, d_x in walls if any(d_x)), default=math.inf)


def wall_velocity(net: MLP, x: Array, u: int, motion: Array, along: Array) -> Any:
    """v: the wall stays at z_u = 0, z_u' + v d z_u/d x . along = 0, while theta' = motion (T18)."""
    _, d_theta, d_x = wall(net, x, u)
    return -(d_theta @ flatten(unit(unflatten(motion, net), u))) / (d_x @ along)


# ------------------------------------------------------ the tangent kernel and gradient confusion


def jacobian(net: MLP, traces: list[Trace]) -> Array:
    """J, (n, m, p): the gradient of every output.  All that follows is made of J and r."""
    outputs = np.eye(len(net.biases[-1]), dtype=int)
    return np.array([[backward(net, trace, df)[0] for df in outputs] for trace in traces])


def tangent_kernel(J: Array, J2: Array) -> Array:
    """K, (n, n2, m, m): J(x) J(x')^T; of some columns of J, these parameters' part (T6, T11)."""
    return np.array([[A @ A2.T for A2 in J2] for A in J])


def jump(net: MLP, x: Array, u: int) -> Array:
    """(m, p): what J gains at x, on the wall of u, when u switches on (T54)."""
    q = pattern(forward(net, x))
    off, on = (np.where(np.arange(len(q)) == u, bit, q) for bit in (False, True))
    return jacobian(net, [forward(net, x, on)])[0] - jacobian(net, [forward(net, x, off)])[0]


def gradient(J: Array, r: Array) -> Array:
    """g, (p,): the gradient of the mean loss; of one row of J and r, that of one example's loss."""
    return 2 * np.tensordot(r, J, 2) / r.size


def gram(J: Array, r: Array) -> Array:
    """G, (n, n): inner products of the gradients of the examples' losses |r_i|^2 / m (T7)."""
    examples = np.array([gradient(J[[i]], r[[i]]) for i in range(len(r))])
    return examples @ examples.T


def gradient_confusion(J: Array, r: Array) -> Array:
    """(n, n): cosines of the examples' gradients, nan where one is 0 (T7, T8; floats)."""
    norms = [math.sqrt(square) or math.nan for square in np.diag(gram(J, r))]
    return np.array(gram(J, r) / np.outer(norms, norms), float)


# -------------------------- gradient flow theta' = -g, and the splits of its rate loss' = -|g|^2


def output_rate(J: Array, r: Array) -> Array:
    """f', (n, m): J theta' = -(2 / n m) K r (T14)."""
    return -J @ gradient(J, r)


def layer_split(net: MLP, g: Array) -> Array:
    """(L, 2): loss' by the layer whose weights, and whose biases, move (T15)."""
    return -np.array([[np.sum(W**2), np.sum(b**2)] for W, b in zip(*unflatten(g, net))])


def unit_split(net: MLP, g: Array) -> Array:
    """(H + m,): loss' by the unit whose incoming weights and bias move (T15)."""
    return -np.array([w @ w + c * c for W, b in zip(*unflatten(g, net)) for w, c in zip(W, b)])


def pair_table(J: Array, r: Array, B: Array) -> Array:
    """T, (n, n): loss' by pairs of modes; g = sum_k g_k and T_kk' = -Re <g_k, g_k'> (T14 to T17).

    g_k = (2 / n m) c_k* (B J)_k.  For B = 1 modes are examples, T = -G / n^2, T > 0 is destructive.
    """
    g = np.array([2 * c.conj() @ BJ / r.size for c, BJ in zip(B @ r, np.tensordot(B, J, 1))])
    return -(g @ g.conj().T).real


def pair_split(T: Array, Q: Array) -> Array:
    """(3, 2): self, same cell, different cell; by constructive and destructive pairs (T15)."""
    itself, same = np.eye(len(Q), dtype=bool), hamming(Q, Q) == 0
    cells, signs = (itself, same & ~itself, ~same), (T <= 0, T > 0)
    return np.array([[np.sum(T * (cell & sign)) for sign in signs] for cell in cells])


def hamming_split(T: Array, Q: Array) -> Array:
    """(H + 1,): loss' by the Hamming distance of pairs of examples (T15)."""
    return np.array([np.sum(T * (hamming(Q, Q) == d)) for d in range(Q.shape[1] + 1)])


def fourier(grid: tuple[int, ...]) -> Array:
    """F: the unitary Fourier transform of a grid (n,) or (n1, n2), row by row (floats)."""
    waves = (np.exp(-2j * np.pi * np.outer(range(n), range(n)) / n) / np.sqrt(n) for n in grid)
    return reduce(np.kron, waves)


def frequency_split(T: Array) -> Array:
    """(n, 2): loss' by modes: what each does to itself, what all others do to it (T16, B = F)."""
    return np.stack([np.diag(T), T.sum(axis=1) - np.diag(T)], axis=1)


def patch_cosines(grid: tuple[int, ...], k: int) -> Array:
    """The orthonormal cosine transforms (DCT-II) of all patches of k samples per axis (floats)."""
    mode, s = np.arange(k)[:, None], np.arange(k)
    C = np.sqrt((2 - (mode == 0)) / k) * np.cos(np.pi * mode * (s + 0.5) / k)
    return reduce(np.kron, (np.kron(np.eye(n // k), C) for n in grid))


def patch_split(T: Array, grid: tuple[int, ...], k: int) -> Array:
    """(n, 4): loss' by modes of patches: self, same patch, same frequency, both different (T17)."""
    at = np.array(list(np.ndindex(*grid)))
    patch, mode = (np.all(part[:, None] == part, axis=2) for part in (at // k, at % k))
    kinds = (patch & mode, patch & ~mode, ~patch & mode, ~patch & ~mode)
    return np.stack([np.sum(T * kind, axis=1) for kind in kinds], axis=1)


def intrinsic_rates(J: Array, B: Array) -> Array:
    """(n,): K^_kk, summed over outputs; c_k falls by itself at the rate (2 / n m) K^_kk (T16)."""
    return np.sum(abs(np.tensordot(B, J, 1)) ** 2, axis=(1, 2))


def pattern_spectrum(Q: Array, B: Array) -> Array:
    """P, (n,): P_k = sum_u |(B q_u)_k|^2, bits as numbers; the law is K^_kk ~ P_k (T49 to T52)."""
    return np.sum(abs(B @ Q) ** 2, axis=1)


def structure_factor(e: Array, t: Array, k: Array) -> Array:
    """S, (K,), of jumps e, (w, m, p), at t; K^_kk ~ S_k / (4 n sin^2(pi k / n)) (T55; floats)."""
    return np.sum(abs(np.tensordot(np.exp(-2j * np.pi * np.outer(k, t)), e, 1)) ** 2, axis=(1, 2))


# ----------------------------------------------------------------- finite steps and infinite width


def sgd_step(theta: Array, g: Array, rate: Any) -> Array:
    """theta after a step of gradient descent."""
    return theta - rate * g


def adam_step(theta: Array, g: Array, first: Array, second: Array, t: int, rate: float,
              beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> tuple[Array, ...]:
    """theta and the running means of g and g^2 after step t = 1, 2, ... (Kingma & Ba; floats)."""
    first, second = beta1 * first + (1 - beta1) * g, beta2 * second + (1 - beta2) * g**2
    mean, square = first / (1 - beta1**t), second / (1 - beta2**t)
    return theta - rate * mean / (np.sqrt(square) + epsilon), first, second


def step_split(net: MLP, moved: MLP, X: Array) -> tuple[Array, Array]:
    """The change of f if every unit stayed on or off, and what the units that switch add (T19)."""
    before, after = (np.array([forward(either, x).z[-1] for x in X]) for either in (net, moved))
    frozen = np.array([forward(moved, x, pattern(forward(net, x))).z[-1] for x in X])
    return frozen - before, after - frozen


def infinite_width_kernels(x: Array, x2: Array, layers: int, weight: float, bias: float) -> Any:
    """S, covariance of f(x) and f(x2) before training, and K, the tangent kernel (T31, floats)."""
    # The layers are z = sqrt(weight / fan_in) W h + sqrt(bias) b, all entries of W and b N(0, 1).
    S, S11, S22 = (weight * (a @ b) / len(a) + bias for a, b in ((x, x2), (x, x), (x2, x2)))
    K = S
    for _ in range(layers):
        size, t = math.sqrt(S11 * S22), math.acos(max(-1, min(1, S / math.sqrt(S11 * S22))))
        S = weight * size * (math.sin(t) + (math.pi - t) * math.cos(t)) / (2 * math.pi) + bias
        K = S + weight * K * (math.pi - t) / (2 * math.pi)
        S11, S22 = weight * S11 / 2 + bias, weight * S22 / 2 + bias
    return S, K
