"""What a public function does with its arguments before the mathematics begins.

Every array type, limit, check and error message of the package is here, once.  A public
function passes its arguments through these at its head; behind that line arrays are trusted.
Invalid arguments raise ValueError: what was expected, what came, and the likely repair.
Numbers that might overflow are invalid; what underflows counts as 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]
Bits = NDArray[np.bool_]
Indices = NDArray[np.intp]
Words = NDArray[np.uint64]

MAX_PARAMETERS = 2**28  # 2 GiB in float64; a typing slip should not exhaust the machine
MAX_ENTRIES = 2**30     # 8 GiB in float64, for any one array a function returns

# Numbers up to this size come in, and no value in a network may grow beyond it: then the products of a
# few of them that gradients and Gram matrices are made of do not overflow.
LARGEST = {np.dtype(np.float32): 1e18, np.dtype(np.float64): 1e50}


class Undecided(ValueError, ArithmeticError):
    """What float64 cannot tell, or an iteration did not reach."""


class Network(Protocol):
    """Weights and biases, as mlp.MLP has them."""

    @property
    def weights(self) -> tuple[Array, ...]: ...
    @property
    def biases(self) -> tuple[Array, ...]: ...
    def _replace(self, *, weights: tuple[Array, ...], biases: tuple[Array, ...]) -> Any: ...


N = TypeVar("N", bound=Network)


def row_blocks(n: int, size: int = 4096) -> Iterator[slice]:
    """Slices that cover range(n) in order, size rows at a time, so that intermediate arrays stay small."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def common_dtype(*arrays: Array) -> np.dtype[Any]:
    """float32 if every array is float32, else float64."""
    return np.dtype(np.float32 if all(a.dtype == np.float32 for a in arrays) else np.float64)


# ---------------------------------------------------------------------- arrays


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


def check_ends(a: ArrayLike, b: ArrayLike, d: int | None, meaning: str) -> tuple[Array, Array]:
    """a and b, (d,), in float64, two different points."""
    a = as_real("a", a, (d,), meaning).astype(np.float64)
    b = as_real("b", b, a.shape, meaning).astype(np.float64)
    if np.array_equal(a, b):
        raise ValueError(f"a and b must differ: a segment needs two ends. Got {a} twice.")
    return a, b


def check_shares(name: str, value: ArrayLike, meaning: str) -> Array:
    """value as (n,) in float64, all from 0 to 1."""
    shares = as_real(name, value, (None,), f"{meaning}, from 0 to 1").astype(np.float64)
    if len(shares) and not (shares.min() >= 0 and shares.max() <= 1):
        raise ValueError(f"{name} must lie in [0, 1]. Got values from {shares.min()} to {shares.max()}.")
    return shares


def check_indices(name: str, value: ArrayLike, n: int) -> Indices:
    """value as a 1-D array of row indices in range(n); negative indices are refused."""
    rows = np.asarray(value)
    if rows.size == 0:
        rows = rows.astype(np.intp)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or (rows.size and not 0 <= rows.min() <= rows.max() < n):
        raise ValueError(f"{name} must be a 1-D array of row indices, whole numbers from 0 to {n - 1}. Got {rows!r}.")
    return rows.astype(np.intp)


def check_size(name: str, shape: tuple[int, ...], repair: str) -> None:
    """Raise ValueError if an array of this shape has more than MAX_ENTRIES numbers."""
    if (entries := math.prod(shape)) > MAX_ENTRIES:
        raise ValueError(f"{name} would have shape {shape}, {entries} numbers, more than the {MAX_ENTRIES} allowed. {repair}")


def _show(shape: tuple[int | None, ...]) -> str:
    names = iter("nk")  # free axes
    text = ", ".join(next(names) if s is None else str(s) for s in shape)
    return f"({text}{',' if len(shape) == 1 else ''})"


# ------------------------------------------------------------ networks and rows


def check_net(net: N) -> N:
    """net as check_layers returns it, after checking that no value in it can overflow."""
    net = check_layers(net)
    _check_growth(net, 1.0)
    return net


def check_layers(net: N) -> N:
    """net with every part an array of one float dtype, after checking that the layers fit together."""
    if getattr(net, "_fields", None) != ("weights", "biases") or not all(isinstance(parts, (tuple, list)) for parts in net):  # type: ignore[attr-defined]
        raise ValueError(f"net must be an MLP(weights, biases), two tuples of arrays. Got {type(net).__name__}"
                         + (f" of {[type(parts).__name__ for parts in net]}." if isinstance(net, tuple) else "."))
    L = len(net.weights)
    if L == 0 or len(net.biases) != L:
        raise ValueError(f"net must have as many biases as weights, and at least one. Got {L} weights, {len(net.biases)} biases.")
    weights, biases, fan_in = [], [], None
    for k in range(L):
        W = as_real(f"net.weights[{k}]", net.weights[k], (None, fan_in), "one row per unit, one column per unit of the layer before")
        fan_out, fan_in = W.shape[0], W.shape[0]
        weights.append(W)
        biases.append(as_real(f"net.biases[{k}]", net.biases[k], (fan_out,), f"one per row of weights[{k}]"))
    if weights[0].shape[1] == 0 or fan_in == 0:
        raise ValueError("net must have at least one input and one output. "
                         f"Got weights of shapes {[W.shape for W in weights]}.")
    checked: N = net._replace(weights=tuple(weights), biases=tuple(biases))
    return cast(checked, common_dtype(*weights, *biases))


def check_net_and_rows(net: N, x: ArrayLike, name: str = "x", *, float64: bool = False) -> tuple[N, Array]:
    """net and x, (n, m[0]), in their common dtype (float32 only if both are), or in float64 for analysis."""
    net = check_layers(net)
    d = net.weights[0].shape[1]
    x = as_real(name, x, (None, d), "one sample per row, as many columns as the net has inputs")
    dtype = np.dtype(np.float64) if float64 else common_dtype(x, *net.weights)
    net, x = cast(net, dtype), x.astype(dtype, copy=False)
    _check_growth(net, _radius(x))
    return net, x


def check_columns(net: Network, columns: int, d: int) -> None:
    """Raise ValueError unless net has as many inputs as its encoding makes columns of d coordinates."""
    if columns != (inputs := net.weights[0].shape[1]):
        raise ValueError(f"encoding makes {columns} columns of {d} coordinates, but the net has {inputs} inputs.")


def check_visible(size: Array, smallest: float) -> None:
    """Raise ValueError if a pre-activation that is not 0 everywhere stays below smallest in size."""
    if ((size > 0) & (size < smallest)).any():
        raise ValueError(f"net must not be so small that pre-activations are below {smallest:g}. "
                         "Rescale its weights and biases.")


def check_waves(count: float, most: int) -> None:
    """Raise ValueError if a segment is more waves long than memory holds."""
    if not count <= most:
        raise ValueError(f"the segment must not be longer than {most} of the encoding's shortest waves. "
                         f"Got {count:.3g} of them: shorten it, or use lower frequencies.")


def check_same_shapes(net: Network, other: N, name: str) -> N:
    """other, the velocity or the later value of net's parameters, as check_layers returns it."""
    other = check_layers(other)
    wanted, got = ([W.shape for W in one.weights] for one in (net, other))
    if wanted != got:
        raise ValueError(f"{name} must have the shapes of net, {wanted}. Got {got}.")
    return other


def check_targets(net: Network, x: Array, y: ArrayLike) -> Array:
    """y as (n, m[L]): one target per row of x."""
    y = as_real("y", y, (len(x), net.weights[-1].shape[0]), "one target per row of x, one column per output")
    return y.astype(x.dtype, copy=False)


def check_some(name: str, rows: Array | Bits, why: str) -> None:
    """Raise ValueError if there are no rows."""
    if len(rows) == 0:
        raise ValueError(f"{name} must have at least one row: {why}. Got shape {np.shape(rows)}.")


def check_net_and_trace(net: N, trace: Any) -> N:
    """net as check_layers returns it, if trace has the shapes that forward(net, x) returns; its numbers are believed."""
    net = check_layers(net)
    wanted = [W.shape[1] for W in net.weights]
    if getattr(trace, "_fields", None) != ("inputs", "preacts", "pattern") or not all(isinstance(parts, (tuple, list)) for parts in trace):
        raise ValueError(f"trace must be the Trace that forward(net, x) returned. Got {type(trace).__name__}.")
    arrays = [*trace.inputs, *trace.preacts, *trace.pattern]
    if len({np.shape(part)[:1] for part in arrays}) != 1 or any(np.asarray(q).dtype != np.bool_ for q in trace.pattern):
        raise ValueError("trace must come from one forward(net, x): as many rows in every part, and patterns of bools. "
                         f"Got shapes {[np.shape(part) for part in arrays]}.")
    got = [[np.shape(part)[1:] for part in parts] for parts in trace]
    outputs = [(len(b),) for b in net.biases]
    if got != [[(w,) for w in wanted], outputs, outputs[:-1]]:
        raise ValueError(f"trace must come from forward(net, x) of this very net, with inputs of widths {wanted}. "
                         f"Got inputs of shapes {[np.shape(h) for h in trace.inputs]}.")
    _check_growth(net, _radius(np.asarray(trace.inputs[0])))
    return net


def check_widths(widths: Sequence[int]) -> list[int]:
    """[m[0], ..., m[L]] as ints: at least one input, one output and two entries, at most MAX_PARAMETERS parameters."""
    if isinstance(widths, (str, bytes)) or np.ndim(widths) != 1 or len(widths) < 2:
        raise ValueError(f"widths must list at least the number of inputs and of outputs, [m0, ..., mL]. Got {widths!r}.")
    m = [check_count(f"widths[{k}]", w, 1 if k in (0, len(widths) - 1) else 0) for k, w in enumerate(widths)]
    p = sum((fan_in + 1) * fan_out for fan_in, fan_out in zip(m[:-1], m[1:], strict=True))
    if p > MAX_PARAMETERS:
        raise ValueError(f"widths {m} make {p} parameters, more than the {MAX_PARAMETERS} allowed (2 GiB). Check the widths.")
    return m


def cast(net: N, dtype: np.dtype[Any]) -> N:
    """net with every part in dtype; parts that have it already are not copied."""
    weights, biases = (tuple(part.astype(dtype, copy=False) for part in parts) for parts in (net.weights, net.biases))
    return net._replace(weights=weights, biases=biases)  # type: ignore[no-any-return]


def _radius(x: Array) -> float:
    """A bound on the norm of the rows of x."""
    return max(float(x.max(initial=0)), -float(x.min(initial=0))) * math.sqrt(x.shape[1])


def _check_growth(net: Network, radius: float) -> None:
    """Raise ValueError if values of net might exceed LARGEST for inputs of at most this norm.

    |(h[l], 1)| <= |M[l]| |(h[l-1], 1)|, M[l] = [[W[l], b[l]], [0, 1]], with the Frobenius norm or, if need be, the spectral norm.
    """
    largest, bound = LARGEST[net.weights[0].dtype], math.hypot(1, radius)
    for W, b in zip(net.weights, net.biases, strict=True):
        bound *= math.sqrt(1 + float(np.vdot(W, W)) + float(np.vdot(b, b)))
    if not bound <= largest:
        bound = math.hypot(1, radius)
        for W, b in zip(net.weights, net.biases, strict=True):
            M = np.vstack([np.column_stack([W, b]), np.eye(1, W.shape[1] + 1, W.shape[1])])
            bound *= float(np.linalg.norm(M.astype(np.float64), 2))
    if not bound <= largest:
        raise ValueError(f"net and its inputs must be of moderate size: its values might grow to {bound:.0e}, and "
                         f"{net.weights[0].dtype} is safe up to {largest:g}. Rescale the weights or the inputs"
                         + (", or use float64." if largest < LARGEST[np.dtype(np.float64)] else "."))


# --------------------------------------------------------------------- patterns


def check_bits(name: str, q: ArrayLike) -> Bits:
    """q as (n, H) bool."""
    try:
        bits: NDArray[Any] = np.asarray(q)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} must be (n, H) bool: one pattern per row. It could not be read as an array: {error}") from error
    if bits.dtype != np.bool_ or bits.ndim != 2:
        hint = f" Zeros and ones become bits with {name}.astype(bool)." if bits.dtype.kind in "iuf" else ""
        raise ValueError(f"{name} must be (n, H) bool: one pattern per row. Got dtype {bits.dtype}, shape {bits.shape}.{hint}")
    return bits


def check_pattern(net: Network, q: ArrayLike, rows: int | None = None, name: str = "q") -> Bits:
    """q as (n, H) bool, H the hidden units of net, and n = rows if rows is given."""
    bits, H = check_bits(name, q), sum(len(b) for b in net.biases[:-1])
    if bits.shape[1] != H:
        raise ValueError(f"{name} must be (n, {H}): one column per hidden unit of the net. Got shape {bits.shape}.")
    if rows is not None and len(bits) != rows:
        raise ValueError(f"{name} must be ({rows}, {H}): one pattern per row of x. Got shape {bits.shape}.")
    return bits


# ---------------------------------------------------------------- single values


def check_kind(name: str, value: object, *kinds: type) -> None:
    """Raise ValueError unless value is an instance of one of these kinds."""
    if not isinstance(value, kinds):
        raise ValueError(f"{name} must be {' or '.join(kind.__name__ for kind in kinds)}. Got {type(value).__name__}.")


def check_rng(rng: np.random.Generator) -> None:
    """Raise ValueError unless rng is a Generator: no seeds and no global state."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng must be a numpy.random.Generator, for example np.random.default_rng(0). Got {rng!r}.")


def check_count(name: str, value: Any, least: int) -> int:
    """value as an int that is at least least; bools and floats are refused."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number, at least {least}. Got {value!r}.")
    return int(value)
