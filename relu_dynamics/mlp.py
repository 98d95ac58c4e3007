"""ReLU multilayer perceptrons: forward pass, activation pattern, backward pass.

Conventions, used by every module
---------------------------------
    n               samples; one per row of every batch
    m[0], ..., m[L] layer widths; m[0] inputs, m[L] outputs
    h[0] = x        z[l] = h[l-1] @ W[l].T + b[l]        h[l] = max(z[l], 0)
    f(x) = z[L]     q[l] = (z[l] > 0) for l < L: the activation pattern
    H               hidden units, m[1] + ... + m[L-1], numbered in layer order
    p               parameters, in the order W[1], b[1], W[2], b[2], ..., row-major

A tie z == 0 is *off*: q is False there, and so relu'(0) = 0.
Lists start at 0: weights[0] is W[1] of the text.

Everything is computed in float64, except that a float32 network on float32
inputs stays float32.  Inputs are never modified.  A batch of no rows is a
batch: (0, m[0]) in, (0, m[L]) out.  What cannot be meant raises ValueError, and so
do numbers that might overflow; what underflows counts as 0.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]
Bits = NDArray[np.bool_]
Indices = NDArray[np.intp]

MAX_PARAMETERS = 2**28  # 2 GiB in float64; a typing slip should not exhaust the machine
MAX_ENTRIES = 2**30     # 8 GiB in float64, for any one array a function returns

# Numbers up to this size come in, and no value in a network may grow beyond it: then the products of a
# few of them that gradients and Gram matrices are made of do not overflow.
LARGEST = {np.dtype(np.float32): 1e18, np.dtype(np.float64): 1e50}


class Undecided(ValueError, ArithmeticError):
    """What float64 cannot tell, or an iteration did not reach."""


class MLP(NamedTuple):
    """A network is its parameters, and nothing else."""

    weights: tuple[Array, ...]  # W[l]: (m[l], m[l-1])
    biases: tuple[Array, ...]   # b[l]: (m[l],)


class Trace(NamedTuple):
    """What one forward pass saw; all that the backward pass needs."""

    inputs: list[Array]   # h[0] .. h[L-1], each (n, m[l])
    preacts: list[Array]  # z[1] .. z[L],   each (n, m[l]); the last is f(x)
    pattern: list[Bits]   # q[1] .. q[L-1], each (n, m[l])


class Gradient(NamedTuple):
    """The derivative of one number with respect to the parameters and the inputs."""

    weights: tuple[Array, ...]  # like MLP.weights, summed over the rows of the batch
    biases: tuple[Array, ...]   # like MLP.biases
    x: Array                    # (n, m[0]), one row per sample


# ---------------------------------------------------------------- the network


def init(widths: Sequence[int], rng: np.random.Generator, scheme: str = "torch") -> MLP:
    """A random network with layer widths m[0], ..., m[L].

    scheme "torch": W[l] and b[l] are U(-1/sqrt(m[l-1]), 1/sqrt(m[l-1])), the
    default of torch.nn.Linear and so of the paper's networks.
    scheme "he": W[l] is N(0, 2/m[l-1]) and b[l] = 0 (He et al. 2015).
    ValueError for fewer than two widths, a width that is not a whole number, no
    inputs, no outputs, a negative width, or more than MAX_PARAMETERS parameters.
    A hidden layer of width 0 is allowed: the output is then constant.
    """
    m = _check_widths(widths)
    check_rng(rng)
    weights, biases = [], []
    for fan_in, fan_out in zip(m[:-1], m[1:], strict=True):
        if scheme == "torch":
            bound = 1 / np.sqrt(max(1, fan_in))
            weights.append(rng.uniform(-bound, bound, (fan_out, fan_in)))
            biases.append(rng.uniform(-bound, bound, fan_out))
        elif scheme == "he":
            weights.append(rng.normal(scale=np.sqrt(2 / max(1, fan_in)), size=(fan_out, fan_in)))
            biases.append(np.zeros(fan_out))
        else:
            raise ValueError(f"scheme must be 'torch' or 'he'. Got {scheme!r}.")
    return MLP(tuple(weights), tuple(biases))


def predict(net: MLP, x: ArrayLike) -> Array:
    """f(x), (n, m[L]), for the rows of x, (n, m[0]), a block of rows at a time.

    >>> hat = MLP((np.array([[1.0], [1.0]]), np.array([[1.0, -2.0]])), (np.array([0.0, -1.0]), np.zeros(1)))
    >>> predict(hat, [[0.5], [1.0], [1.5]]).ravel().tolist()  # max(x, 0) - 2 max(x - 1, 0), the examples' network
    [0.5, 1.0, 0.5]
    """
    net, x = check_net_and_rows(net, x)
    f = np.empty((len(x), len(net.biases[-1])), x.dtype)
    for rows in row_blocks(len(x)):
        h = x[rows]
        for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
            h = np.maximum(h @ W.T + b, 0)
        f[rows] = h @ net.weights[-1].T + net.biases[-1]
    return f


def forward(net: MLP, x: ArrayLike) -> Trace:
    """Run the rows of x, (n, m[0]), through net and keep every intermediate."""
    net, h = check_net_and_rows(net, x)
    trace = Trace([], [], [])
    for W, b in zip(net.weights, net.biases, strict=True):
        z = h @ W.T + b
        trace.inputs.append(h)
        trace.preacts.append(z)
        trace.pattern.append(z > 0)
        h = np.maximum(z, 0)
    trace.pattern.pop()  # the output layer is affine
    return trace


def backward(net: MLP, trace: Trace, df: ArrayLike) -> Gradient:
    """Pull df = dLoss/df(x), (n, m[L]), back to the parameters and to x.

    No derivative of relu is evaluated: the recorded pattern already says which
    linear piece each row ran through, and this is the transpose of that piece:
    <df, (df/dW[l])[V]> == <backward(net, trace, df).weights[l], V> for every V (T1).

    >>> trace = forward(hat, [[1.5]])
    >>> backward(hat, trace, [[1.0]]).x.tolist()  # the slope right of the peak
    [[-1.0]]
    """
    net = check_layers(net)
    _check_trace(net, trace)
    _check_growth(net, _radius(np.asarray(trace.inputs[0])))
    n = len(trace.inputs[0])
    g = as_real("df", df, (n, net.weights[-1].shape[0]), "one row per sample of the trace, one column per output")
    g = g.astype(common_dtype(*net.weights, *trace.inputs), copy=False)
    weights: list[Array] = []
    biases: list[Array] = []
    for k in reversed(range(len(net.weights))):
        weights.append(g.T @ trace.inputs[k])
        biases.append(g.sum(axis=0))
        g = g @ net.weights[k]
        if k > 0:
            g = np.where(trace.pattern[k - 1], g, 0)
    return Gradient(tuple(reversed(weights)), tuple(reversed(biases)), g)


def restrict(net: MLP, origin: ArrayLike, axes: ArrayLike) -> MLP:
    """The network s -> f(origin + s @ axes) on an affine subspace of the input space.

    origin is (m[0],), axes is (k, m[0]), and the result has k inputs: the walls of
    a slice through a high-dimensional input space are the walls of this network.
    """
    net = check_net(net)
    W, b = net.weights[0], net.biases[0]
    d = W.shape[1]
    origin = as_real("origin", origin, (d,), "a point of the input space")
    axes = as_real("axes", axes, (None, d), "one direction of the input space per row")
    if len(axes) == 0:
        raise ValueError(f"axes must hold at least one direction. Got shape {axes.shape}.")
    first = np.asarray(W, np.float64)
    return check_net(MLP((first @ axes.T, *net.weights[1:]), (first @ origin + b, *net.biases[1:])))


# ------------------------------------------------------ parameters as a vector


def flatten(parameters: MLP | Gradient) -> Array:
    """All parameters (or their gradient) as one vector (p,): W[1], b[1], W[2], b[2], ..., row-major."""
    if not isinstance(parameters, (MLP, Gradient)):
        raise ValueError(f"parameters must be an MLP or a Gradient. Got {type(parameters).__name__}.")
    net = check_layers(MLP(parameters.weights, parameters.biases))
    return np.concatenate([part.ravel() for layer in zip(*net, strict=True) for part in layer])


def unflatten(vector: ArrayLike, like: MLP) -> MLP:
    """The network with the shapes of like and the parameters in vector, (p,).

    unflatten(flatten(net), net) equals net.  Copies: nothing shares memory with vector.
    """
    like = check_layers(like)
    p = sum(part.size for parts in like for part in parts)
    vector = as_real("vector", vector, (p,), "one number per parameter of like")
    weights, biases, at = [], [], 0
    for W, b in zip(*like, strict=True):
        weights.append(vector[at : at + W.size].reshape(W.shape).copy())
        biases.append(vector[at + W.size : at + W.size + b.size].copy())
        at += W.size + b.size
    return MLP(tuple(weights), tuple(biases))


# ------------------------------------------------------------ networks on disk


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that becomes path when the block ends, and vanishes if it fails.

    Whoever opens path sees the old file or the whole new one, never a part.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb") as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def save(path: str | os.PathLike[str], net: MLP) -> None:
    """Write net to path as .npz with keys W0, b0, W1, b1, ...; equal networks give equal bytes."""
    net = check_layers(net)
    check_kind("path", path, str, os.PathLike)
    parts = {}
    for k, (W, b) in enumerate(zip(*net, strict=True)):
        parts[f"W{k}"], parts[f"b{k}"] = np.ascontiguousarray(W), np.ascontiguousarray(b)
    with replacing(path) as file:
        np.savez(file, **parts)  # type: ignore[arg-type]


def load(path: str | os.PathLike[str]) -> MLP:
    """The network that save wrote to path.  Nothing is ever unpickled.

    ValueError if the file is not an .npz of numeric arrays W0, b0, W1, b1, ... that fit together.
    """
    check_kind("path", path, str, os.PathLike)
    problem = f"{os.fspath(path)!r} is not a saved network: expected an .npz with arrays W0, b0, W1, b1, ..."
    with open(path, "rb") as stream:
        try:
            with np.load(stream, allow_pickle=False) as file:
                parts = {key: file[key] for key in file.files}
        except Exception as error:  # a damaged archive fails in many ways: zlib's, lzma's and zipfile's errors, OSError, MemoryError
            raise ValueError(f"{problem}. Reading it failed: {error}") from error
    L = len(parts) // 2
    if not parts or set(parts) != {f"{kind}{k}" for kind in "Wb" for k in range(L)}:
        raise ValueError(f"{problem}. Got {sorted(parts)}.")
    return check_layers(MLP(tuple(parts[f"W{k}"] for k in range(L)), tuple(parts[f"b{k}"] for k in range(L))))


# ------------------------------------------------------------- the public door
#
# Each public function of the package passes what it is given through these once;
# behind the door, arrays are trusted.


def as_real(name: str, value: ArrayLike, shape: tuple[int | None, ...] | None = None, meaning: str = "") -> Array:
    """value as an array of reals no larger than LARGEST: float32 if it is float32, else float64.

    shape gives the expected shape, None where any length will do; meaning says in
    the error what the axes are.  Nothing is copied that is already right.
    """
    wanted = "" if shape is None else f" of shape {_show(shape)}"
    expected = f"{name} must be an array of finite real numbers{wanted}" + (f": {meaning}" if meaning else "")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{expected}. It could not be read as an array: {error}") from error
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{expected}. Got dtype {array.dtype}.")
    if shape is not None and (
        array.ndim != len(shape) or any(want not in (None, got) for want, got in zip(shape, array.shape, strict=True))
    ):
        hint = ""
        if len(shape) == 2 and array.ndim == 1 and shape[1] in (None, len(array)):
            hint = f" A single row needs an axis of its own: {name}[None, :]."
        if len(shape) == 2 and array.ndim == 1 and shape[1] == 1 and shape[0] in (None, len(array)):
            hint = f" A single column needs an axis of its own: {name}[:, None]."
        raise ValueError(f"{expected}. Got shape {array.shape}.{hint}")
    if array.dtype != np.float32:
        with np.errstate(over="ignore"):  # of a longdouble; what becomes infinite is refused below
            array = array.astype(np.float64, copy=False)
    largest = LARGEST[array.dtype]
    if array.size and not (-largest <= array.min() and array.max() <= largest):
        bad = tuple(int(i) for i in np.argwhere(~(np.abs(array) <= largest))[0])
        limit = f" {array.dtype} is safe up to {largest:g}; rescale it." if np.isfinite(array[bad]) else ""
        raise ValueError(f"{expected}. Got {array[bad]} at index {bad}.{limit}")
    return array


def check_net(net: MLP) -> MLP:
    """net as check_layers returns it, after checking that no value in it can overflow."""
    net = check_layers(net)
    _check_growth(net, 1.0)
    return net


def check_layers(net: MLP) -> MLP:
    """net with every part an array of one float dtype, after checking that the layers fit together."""
    if not (isinstance(net, tuple) and len(net) == 2 and all(isinstance(parts, (tuple, list)) for parts in net)):
        raise ValueError(f"net must be an MLP(weights, biases), two tuples of arrays. Got {type(net).__name__}"
                         + (f" of {[type(parts).__name__ for parts in net]}." if isinstance(net, tuple) else "."))
    L = len(net[0])
    if L == 0 or len(net[1]) != L:
        raise ValueError(f"net must have as many biases as weights, and at least one. Got {L} weights, {len(net[1])} biases.")
    weights, biases, fan_in = [], [], None
    for k in range(L):
        W = as_real(f"net.weights[{k}]", net[0][k], (None, fan_in), "one row per unit, one column per unit of the layer before")
        fan_out, fan_in = W.shape[0], W.shape[0]
        weights.append(W)
        biases.append(as_real(f"net.biases[{k}]", net[1][k], (fan_out,), f"one per row of weights[{k}]"))
    if weights[0].shape[1] == 0 or fan_in == 0:
        raise ValueError("net must have at least one input and one output. "
                         f"Got weights of shapes {[W.shape for W in weights]}.")
    return _one_dtype(MLP(tuple(weights), tuple(biases)))


def check_net_and_rows(net: MLP, x: ArrayLike, name: str = "x", *, float64: bool = False) -> tuple[MLP, Array]:
    """net and x, (n, m[0]), in their common dtype (float32 only if both are), or in float64 for analysis."""
    net = check_layers(net)
    d = net.weights[0].shape[1]
    x = as_real(name, x, (None, d), "one sample per row, as many columns as the net has inputs")
    dtype = np.dtype(np.float64) if float64 else common_dtype(x, *net.weights)
    net, x = _cast(net, dtype), x.astype(dtype, copy=False)
    _check_growth(net, _radius(x))
    return net, x


def check_targets(net: MLP, x: Array, y: ArrayLike) -> Array:
    """y as (n, m[L]): one target per row of x."""
    y = as_real("y", y, (len(x), net.weights[-1].shape[0]), "one target per row of x, one column per output")
    return y.astype(x.dtype, copy=False)


def check_kind(name: str, value: object, *kinds: type) -> None:
    """Refuse what is no value of these kinds, such as the pieces of another enumeration."""
    if not isinstance(value, kinds):
        raise ValueError(f"{name} must be {' or '.join(kind.__name__ for kind in kinds)}. Got {type(value).__name__}.")


def check_rng(rng: np.random.Generator) -> None:
    """Refuse seeds and global state: randomness is always a Generator the caller owns."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng must be a numpy.random.Generator, for example np.random.default_rng(0). Got {rng!r}.")


def check_count(name: str, value: Any, least: int) -> int:
    """value as an int that is at least least; bools and floats are refused."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number, at least {least}. Got {value!r}.")
    return int(value)


def check_indices(name: str, value: ArrayLike, n: int) -> Indices:
    """value as a 1-D array of row indices in range(n); negative indices are refused."""
    rows = np.asarray(value)
    if rows.size == 0:
        rows = rows.astype(np.intp)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or (rows.size and not 0 <= rows.min() <= rows.max() < n):
        raise ValueError(f"{name} must be a 1-D array of row indices, whole numbers from 0 to {n - 1}. Got {rows!r}.")
    return rows.astype(np.intp)


def check_size(name: str, shape: tuple[int, ...], repair: str) -> None:
    """Refuse to make an array of more than MAX_ENTRIES numbers."""
    if (entries := math.prod(shape)) > MAX_ENTRIES:
        raise ValueError(f"{name} would have shape {shape}, {entries} numbers, more than the {MAX_ENTRIES} allowed. {repair}")


def common_dtype(*arrays: Array) -> np.dtype[Any]:
    """float32 if every array is float32, else float64."""
    return np.dtype(np.float32 if all(a.dtype == np.float32 for a in arrays) else np.float64)


def row_blocks(n: int, size: int = 4096) -> Iterator[slice]:
    """Slices that cover range(n) in order, size rows at a time."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def _radius(x: Array) -> float:
    """A bound on the norm of the rows of x."""
    return max(float(x.max(initial=0)), -float(x.min(initial=0))) * math.sqrt(x.shape[1])


def _check_growth(net: MLP, radius: float) -> None:
    """Refuse a network whose values might exceed LARGEST for inputs up to this norm.

    |(h[l], 1)| <= |M[l]| |(h[l-1], 1)|, M[l] = [[W[l], b[l]], [0, 1]], with the Frobenius norm or, if need be, the spectral norm.
    """
    largest, bound = LARGEST[net.weights[0].dtype], math.hypot(1, radius)
    for W, b in zip(*net, strict=True):
        bound *= math.sqrt(1 + float(np.vdot(W, W)) + float(np.vdot(b, b)))
    if not bound <= largest:
        bound = math.hypot(1, radius)
        for W, b in zip(*net, strict=True):
            bound *= float(np.linalg.norm(np.vstack([np.column_stack([W, b]), np.eye(1, W.shape[1] + 1, W.shape[1])]).astype(np.float64), 2))
    if not bound <= largest:
        raise ValueError(f"net and its inputs must be of moderate size: its values might grow to {bound:.0e}, and "
                         f"{net.weights[0].dtype} is safe up to {largest:g}. Rescale the weights or the inputs"
                         + (", or use float64." if largest < LARGEST[np.dtype(np.float64)] else "."))


def _cast(net: MLP, dtype: np.dtype[Any]) -> MLP:
    return MLP(*(tuple(part.astype(dtype, copy=False) for part in parts) for parts in net))


def _one_dtype(net: MLP) -> MLP:
    return _cast(net, common_dtype(*net.weights, *net.biases))


def _check_widths(widths: Sequence[int]) -> list[int]:
    if isinstance(widths, (str, bytes)) or np.ndim(widths) != 1 or len(widths) < 2:
        raise ValueError(f"widths must list at least the number of inputs and of outputs, [m0, ..., mL]. Got {widths!r}.")
    m = [check_count(f"widths[{k}]", w, 1 if k in (0, len(widths) - 1) else 0) for k, w in enumerate(widths)]
    p = sum((fan_in + 1) * fan_out for fan_in, fan_out in zip(m[:-1], m[1:], strict=True))
    if p > MAX_PARAMETERS:
        raise ValueError(f"widths {m} make {p} parameters, more than the {MAX_PARAMETERS} allowed (2 GiB). Check the widths.")
    return m


def _check_trace(net: MLP, trace: Trace) -> None:
    wanted = [W.shape[1] for W in net.weights]
    if not isinstance(trace, Trace) or not all(isinstance(parts, (tuple, list)) for parts in trace):
        raise ValueError(f"trace must be the Trace that forward(net, x) returned. Got {type(trace).__name__}.")
    arrays = [*trace.inputs, *trace.pattern]
    if len({np.shape(part)[:1] for part in arrays}) != 1 or any(np.asarray(q).dtype != np.bool_ for q in trace.pattern):
        raise ValueError("trace must come from one forward(net, x): as many rows in every part, and patterns of bools. "
                         f"Got shapes {[np.shape(part) for part in arrays]}.")
    got = [np.shape(h)[1:] for h in trace.inputs]
    if got != [(w,) for w in wanted] or [np.shape(q)[1:] for q in trace.pattern] != [(w,) for w in wanted[1:]]:
        raise ValueError(f"trace must come from forward(net, x) of this very net, with inputs of widths {wanted}. "
                         f"Got inputs of shapes {[np.shape(h) for h in trace.inputs]}.")


def _show(shape: tuple[int | None, ...]) -> str:
    names = iter("nk")  # free axes
    text = ", ".join(next(names) if s is None else str(s) for s in shape)
    return f"({text}{',' if len(shape) == 1 else ''})"
