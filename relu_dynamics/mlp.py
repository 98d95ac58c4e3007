"""ReLU multilayer perceptrons: forward pass, activation pattern, backward pass.

Conventions, used by every module
---------------------------------
    n               samples; one per row of every batch
    m[0], ..., m[L] layer widths; m[0] inputs, m[L] outputs
    h[0] = x        z[l] = h[l-1] @ W[l].T + b[l]        h[l] = q[l] * z[l]
    f(x) = z[L]     q[l] = (z[l] > 0) for l < L: the activation pattern
    H               hidden units, m[1] + ... + m[L-1], numbered in layer order
    p               parameters, in the order W[1], b[1], W[2], b[2], ..., row-major

At a tie, z == 0, the unit is *off*: q is False, and so relu'(0) = 0.
A pattern can also be *imposed*: then q is given, whatever the signs of z (T40).
Lists start at 0: weights[0] is W[1] of the text.

Everything is computed in float64, except that a float32 network on float32
inputs stays float32.  Inputs are never modified.  A batch may have no rows:
(0, m[0]) in, (0, m[L]) out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relu_dynamics.checks import (
    Array, Bits, Indices, as_real, cast, check_choice, check_gated_rows, check_kind, check_layers,
    check_more_rows, check_net, check_net_and_rows, check_rng, check_subspace, check_targets,
    check_trace, check_widths, common_dtype, one_line, printed, row_blocks,
)

T = TypeVar("T", bound=np.generic)
S = TypeVar("S", bound="Array | Trace")


class MLP(NamedTuple):
    """A network: its parameters and nothing else.  Networks are equal if their parameters are."""

    weights: tuple[Array, ...]  # W[l]: (m[l], m[l-1])
    biases: tuple[Array, ...]   # b[l]: (m[l],)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MLP) and all(
            len(ours) == len(theirs) and all(map(np.array_equal, ours, theirs))
            for ours, theirs in zip(self, other, strict=True)
        )

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(tuple(np.shape(W) for W in self.weights))

    def __repr__(self) -> str:
        if not all(isinstance(parts, tuple) and parts for parts in self):
            return one_line(self)
        # small networks are printed in full, so that a counterexample can be pasted
        if sum(map(np.size, (*self.weights, *self.biases))) < 30:
            numbers = [tuple(np.asarray(part).tolist() for part in parts) for parts in self]
            if len(text := f"MLP({numbers[0]}, {numbers[1]})") <= 100:
                return text
        widths = [*np.shape(self.weights[0])[1:], *map(len, self.weights)]
        return f"MLP({'-'.join(map(str, widths))})"


@printed
class Trace(NamedTuple):
    """The record of one forward pass: all that the backward pass and the analysis need."""

    inputs: list[Array]   # h[0] .. h[L-1], each (n, m[l])
    preacts: list[Array]  # z[1] .. z[L],   each (n, m[l]); the last is f(x)
    pattern: list[Bits]   # q[1] .. q[L-1], each (n, m[l]): own or imposed


@printed
class Gradient(NamedTuple):
    """The derivative of a scalar with respect to the parameters and the inputs."""

    weights: tuple[Array, ...]  # like MLP.weights, summed over the rows of the batch
    biases: tuple[Array, ...]   # like MLP.biases
    x: Array                    # (n, m[0]), one row per sample


def init(widths: Sequence[int], rng: np.random.Generator, scheme: str = "torch") -> MLP:
    """A random network with layer widths m[0], ..., m[L].

    scheme "torch": W[l] and b[l] are U(-1/sqrt(m[l-1]), 1/sqrt(m[l-1])), the
    default of torch.nn.Linear, which the paper's networks use.
    scheme "he": W[l] is N(0, 2/m[l-1]) and b[l] = 0 (He et al. 2015).
    ValueError for fewer than two widths, a width that is not a whole number, no
    inputs, no outputs, a negative width, or more than MAX_PARAMETERS parameters.
    A hidden layer of width 0 is allowed: the output is then constant.
    """
    m = check_widths(widths)
    check_rng(rng)
    check_choice("scheme", scheme, "torch", "he")
    weights, biases = [], []
    for fan_in, fan_out in zip(m[:-1], m[1:], strict=True):
        if scheme == "torch":
            bound = 1 / np.sqrt(max(1, fan_in))
            weights.append(rng.uniform(-bound, bound, (fan_out, fan_in)))
            biases.append(rng.uniform(-bound, bound, fan_out))
        else:
            weights.append(rng.normal(scale=np.sqrt(2 / max(1, fan_in)), size=(fan_out, fan_in)))
            biases.append(np.zeros(fan_out))
    return MLP(tuple(weights), tuple(biases))


# ---------------------------------------------------------- forward and backward


def predict(net: MLP, x: ArrayLike, pattern: ArrayLike | None = None) -> Array:
    """f(x), (n, m[L]), for the rows of x, (n, m[0]), computed in blocks of rows.

    pattern, (n, H) bool, imposes the gates, as in forward.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.predict(hat, [[0.5], [1.0], [1.5]]).ravel().tolist()
    [0.5, 1.0, 0.5]
    """
    net, x, gates = check_gated_rows(net, x, pattern)
    f = np.empty((len(x), len(net.biases[-1])), x.dtype)
    for rows in row_blocks(len(x)):
        f[rows] = run(net, x[rows], None if gates is None else gates[rows]).preacts[-1]
    return f


def forward(net: MLP, x: ArrayLike, pattern: ArrayLike | None = None) -> Trace:
    """Run the rows of x, (n, m[0]), through net and keep every intermediate.

    pattern, (n, H) bool, imposes the gates: h[l] = q[l] * z[l] with the given q instead of
    z > 0, a gated linear network (T40).  The network's own pattern gives the ordinary pass.
    ValueError for arguments that do not fit together, or values that might overflow.
    """
    return run(*check_gated_rows(net, x, pattern))


def run(net: MLP, x: Array, pattern: Bits | None = None) -> Trace:
    """The forward pass, without checks."""
    trace, h = Trace([], [], []), x
    gates = None if pattern is None else split_layers(net, pattern)
    for l, (W, b) in enumerate(zip(*net, strict=True)):
        z = h @ W.T + b
        trace.inputs.append(h)
        trace.preacts.append(z)
        if l < len(net.weights) - 1:  # the output layer is affine
            q = z > 0 if gates is None else gates[l]
            trace.pattern.append(q)
            h = z * q
    return trace


def backward(net: MLP, trace: Trace, df: ArrayLike) -> Gradient:
    """Pull df = dLoss/df(x), (n, m[L]), back to the parameters and to x.

    No derivative of relu is evaluated: the recorded pattern says which affine piece
    each row used, and the backward pass is the transpose of its linear part:
    <df, (df/dW[l])[V]> == <backward(net, trace, df).weights[l], V> for every V (T1).

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> trace = rd.forward(hat, [[1.5]])
    >>> rd.backward(hat, trace, [[1.0]]).x.tolist()  # the slope right of the peak
    [[-1.0]]
    """
    net = check_trace(check_layers(net), trace)
    n = len(trace.inputs[0])
    g = as_real("df", df, (n, len(net.biases[-1])), "one row per sample, one column per output")
    return pull_back(net, trace, g.astype(common_dtype(*net.weights, *trace.inputs), copy=False))


def pull_back(net: MLP, trace: Trace, g: Array) -> Gradient:
    """The backward pass, without checks."""
    weights: list[Array] = []
    biases: list[Array] = []
    for k in reversed(range(len(net.weights))):
        weights.append(g.T @ trace.inputs[k])
        biases.append(g.sum(axis=0))
        g = g @ net.weights[k]
        if k > 0:
            g *= trace.pattern[k - 1]
    return Gradient(tuple(reversed(weights)), tuple(reversed(biases)), g)


# --------------------------------------------------------- rows or their Trace


def traced(net: MLP, x: ArrayLike | Trace, name: str = "x") -> tuple[MLP, Trace]:
    """(net, trace) in float64, for x that is rows, (n, m[0]), or a Trace of this net.

    Every quantity of a network at given inputs is a function of these two.  A Trace is used
    as it is, with its imposed pattern if it has one.
    """
    net, x = rows_or_trace(net, x, name, float64=True)
    return net, trace_of(net, x)


def traced_too(net: MLP, x: ArrayLike | Trace, name: str) -> Trace:
    """The trace of a second batch; net is the network that traced returned."""
    if not isinstance(x, Trace):
        return run(net, check_more_rows(net, x, name))
    check_trace(net, x)
    return _in_float64(net, x)


def rows_or_trace(
    net: MLP, x: ArrayLike | Trace, name: str = "x", *, float64: bool = False
) -> tuple[MLP, Array | Trace]:
    """net and x, checked, for computing in blocks: rows stay rows, and a Trace stays a Trace."""
    if not isinstance(x, Trace):
        return check_net_and_rows(net, x, name, float64=float64)
    net = check_trace(check_layers(net), x)
    return (cast(net, np.dtype(np.float64)), _in_float64(net, x)) if float64 else (net, x)


def _in_float64(net: MLP, trace: Trace) -> Trace:
    """trace in float64: as it is, or computed again with the same pattern imposed."""
    if all(part.dtype == np.float64 for part in (*trace.inputs, *trace.preacts)):
        return trace
    return run(net, np.asarray(trace.inputs[0], np.float64), joined_pattern(trace))


def traced_examples(net: MLP, x: ArrayLike | Trace, y: ArrayLike) -> tuple[MLP, Trace, Array]:
    """(net, trace, y) in float64, with targets y, (n, m[L]); ValueError without examples."""
    net, trace = traced(net, x)
    return net, trace, check_targets(net, trace.inputs[0], y, some=True)


def trace_of(net: MLP, x: Array | Trace) -> Trace:
    """The trace of rows x; a Trace is returned as it is."""
    return x if isinstance(x, Trace) else run(net, x)


def inputs_of(x: Array | Trace) -> Array:
    """The input rows, (n, m[0])."""
    return x.inputs[0] if isinstance(x, Trace) else x


def row_count(x: Array | Trace) -> int:
    """n, the number of rows."""
    return len(inputs_of(x))


def some_rows(x: S, rows: slice | Indices) -> S:
    """The selected rows of x, or of every array in the Trace x."""
    if not isinstance(x, Trace):
        return x[rows]  # type: ignore[return-value]
    inputs, preacts, pattern = x
    return Trace([h[rows] for h in inputs], [z[rows] for z in preacts],
                 [q[rows] for q in pattern])  # type: ignore[return-value]


def trace_blocks(net: MLP, x: Array | Trace, size: int = 4096) -> Iterator[tuple[slice, Trace]]:
    """(slice of rows, their trace), size rows at a time, as a whole trace may not fit in memory."""
    for rows in row_blocks(row_count(x), size):
        yield rows, trace_of(net, some_rows(x, rows))


def restrict(net: MLP, origin: ArrayLike, axes: ArrayLike) -> MLP:
    """The network s -> f(origin + s @ axes) on an affine subspace of the input space.

    origin is (m[0],), axes is (k, m[0]), and the result has k inputs: the walls of
    a slice through a high-dimensional input space are the walls of this network.
    """
    net, origin, axes = check_subspace(net, origin, axes)
    first = np.asarray(net.weights[0], np.float64)
    weights, biases = first @ axes.T, first @ origin + net.biases[0]
    return check_net(MLP((weights, *net.weights[1:]), (biases, *net.biases[1:])))


# ------------------------------------ hidden units and parameters side by side


def hidden_units(net: MLP) -> int:
    """H = m[1] + ... + m[L-1]."""
    return sum(len(b) for b in net.biases[:-1])


def split_layers(net: MLP, q: NDArray[T]) -> list[NDArray[T]]:
    """q, (n, H), as one view (n, m[l]) per hidden layer."""
    ends = np.cumsum([len(b) for b in net.biases[:-1]])
    return np.split(q, ends[:-1], axis=1) if len(ends) else []


def joined_pattern(trace: Trace) -> Bits:
    """q, (n, H): the pattern of all hidden layers side by side; split_layers is the inverse."""
    return np.concatenate([np.zeros((len(trace.inputs[0]), 0), np.bool_), *trace.pattern], axis=1)


def flatten(parameters: MLP | Gradient) -> Array:
    """All parameters (or their gradient), (p,): W[1], b[1], W[2], b[2], ..., row-major."""
    check_kind("parameters", parameters, MLP, Gradient)
    net = check_layers(MLP(parameters.weights, parameters.biases))
    return np.concatenate([part.ravel() for layer in zip(*net, strict=True) for part in layer])


def unflatten(vector: ArrayLike, like: MLP) -> MLP:
    """The network with the shapes of like and the parameters in vector, (p,).

    unflatten(flatten(net), net) equals net.  The result shares no memory with vector.
    """
    like = check_layers(like)
    p = sum(part.size for parts in like for part in parts)
    return views(as_real("vector", vector, (p,), "one number per parameter of like").copy(), like)


def views(vector: Array, like: MLP) -> MLP:
    """unflatten without checks or copies: the layers are parts of vector."""
    ends = np.cumsum([part.size for layer in zip(*like, strict=True) for part in layer])
    parts = np.split(vector, ends[:-1])
    weights = (part.reshape(W.shape) for part, W in zip(parts[::2], like.weights, strict=True))
    return MLP(tuple(weights), tuple(parts[1::2]))
