"""Argument checks: array types, size limits, and every error message of the package.

A public function first passes its arguments through these checks; the code after them trusts
its arrays.  Invalid arguments raise ValueError, which says what was expected, what was given,
and the likely repair.  Numbers that might overflow are invalid; numbers that underflow count
as 0.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import operator
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

if TYPE_CHECKING:
    from relu_dynamics.mlp import MLP  # which imports this module

Array = NDArray[np.floating[Any]]
Bits = NDArray[np.bool_]
Indices = NDArray[np.intp]
Words = NDArray[np.uint64]

MAX_PARAMETERS = 2**28  # 2 GiB in float64; a typing error should not exhaust the memory
MAX_ENTRIES = 2**30     # 8 GiB in float64, for any one array a function returns

# The largest number allowed in an input, and the largest value allowed in a network: gradients and
# Gram matrices are made of products of a few such numbers, which then do not overflow.
LARGEST: dict[np.dtype[Any], float] = {np.dtype(np.float32): 1e18, np.dtype(np.float64): 1e50}


class Undecided(ValueError, ArithmeticError):
    """A result that float64 cannot decide, or an iteration that did not converge."""


def require(holds: object, otherwise: str) -> None:
    """Raise ValueError(otherwise) unless a condition holds."""
    if not holds:
        raise ValueError(otherwise)


@contextlib.contextmanager
def explained(problem: str) -> Iterator[None]:
    """Turn whatever error comes up into a ValueError that begins with problem."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{problem}: {error}") from error


R = TypeVar("R")


def row_blocks(n: int, size: int = 4096) -> Iterator[slice]:
    """Slices that cover range(n) in order, size rows each, to keep intermediate arrays small."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def common_dtype(*arrays: Array) -> np.dtype[Any]:
    """float32 if every array is float32, else float64."""
    return np.dtype(np.float32 if all(a.dtype == np.float32 for a in arrays) else np.float64)


def one_line(result: Any) -> str:
    """The repr of a NamedTuple of arrays: the shape of each array, or its numbers if few."""
    parts = [f"{name} {_brief(value)}" for name, value in result._asdict().items()]
    return f"{type(result).__name__}({', '.join(parts)})"


def printed(kind: type[R]) -> type[R]:
    """A class of results whose repr is one_line."""
    setattr(kind, "__repr__", one_line)  # noqa: B010
    return kind


def _brief(value: object) -> str:
    if isinstance(value, np.ndarray):
        few = value.ndim < 2 and value.size <= 3
        return str(value.tolist()) if few else "x".join(map(str, value.shape))
    if isinstance(value, dict):
        return f"{{{', '.join(map(str, value))}}}" if len(value) <= 8 else f"of {len(value)}"
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return f"[{', '.join(map(_brief, value))}]" if len(value) <= 4 else f"[{len(value)} arrays]"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


# ---------------------------------------------------------------------- arrays


def as_real(name: str, value: ArrayLike, shape: tuple[int | None, ...] | None = None,
            meaning: str = "", least: float = -math.inf, most: float = math.inf) -> Array:
    """value as an array of reals no larger than LARGEST: float32 if it is float32, else float64.

    shape is the expected shape, None where any length is allowed; meaning explains the axes, and
    the range from least to most, in the error message.  An array that already has the right dtype
    is not copied.
    """
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        got = f"It could not be read as an array: {error}"
        raise _refused(name, shape, meaning, got) from error
    masked = array is not value and isinstance(value, np.ma.MaskedArray)  # the mask would be lost
    if array.dtype.kind not in "biuf" or masked:
        got = f"Got dtype {array.dtype}, type {type(value).__name__}."
        raise _refused(name, shape, meaning, got)
    if shape is not None and not _fits(array.shape, shape):
        axes = {"column": ("[:, None]", (*array.shape, 1)), "row": ("[None, :]", (1, *array.shape))}
        hints = [f" A single {axis} needs an axis of its own: {name}{how}."
                 for axis, (how, longer) in axes.items() if _fits(longer, shape)]
        raise _refused(name, shape, meaning, f"Got shape {array.shape}.{''.join(hints[:1])}")
    if array.dtype not in LARGEST:
        with np.errstate(over="ignore"):  # a longdouble may become infinite: an error below
            array = array.astype(np.float64)
    largest = LARGEST[array.dtype]
    # one fast pass; only if it fails can an entry be too large
    if least > -math.inf or most < math.inf or not np.vdot(array, array) <= largest**2:
        low, high = max(least, -largest), min(most, largest)
        outside = np.argwhere(~((array >= low) & (array <= high)))
        if len(outside):
            at = tuple(outside[0].tolist())
            too_large = least <= array[at] <= most and np.isfinite(array[at])
            limit = f" {array.dtype} is safe up to {largest:g}; rescale it." if too_large else ""
            raise _refused(name, shape, meaning, f"Got {array[at]} at index {at}.{limit}")
    return array


def _refused(
    name: str, shape: tuple[int | None, ...] | None, meaning: str, got: str
) -> ValueError:
    wanted = "" if shape is None else f" of shape {_show(shape)}"
    says = f": {meaning}" if meaning else ""
    return ValueError(f"{name} must be an array of finite real numbers{wanted}{says}. {got}")


def _fits(got: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(got) == len(shape) and all(want in (None, size)
                                          for want, size in zip(shape, got, strict=True))


def check_vectors(name: str, value: ArrayLike, meaning: str, least: int = 0) -> Array:
    """value as (n, d) in float64, n >= least, d >= 1."""
    rows = as_real(name, value, (None, None), meaning).astype(np.float64, copy=False)
    require(len(rows) >= least and rows.shape[1],
            f"{name} must be (n, d), n >= {least} and d >= 1. Got shape {rows.shape}.")
    return rows


def check_ends(a: ArrayLike, b: ArrayLike, d: int | None, meaning: str) -> tuple[Array, Array]:
    """a and b, (d,), two different points, in float64."""
    a = as_real("a", a, (d,), meaning).astype(np.float64)
    b = as_real("b", b, a.shape, meaning).astype(np.float64)
    require((a != b).any(),
            f"a and b must differ: a segment needs two ends. Got {a.tolist()} twice.")
    return a, b


def check_indices(
    name: str, value: ArrayLike, n: int, count: int | None = None, per: str = ""
) -> Indices:
    """value as a 1-D array of row indices in range(n), none negative; if given, one per `per`."""
    rows = np.asarray(value) if np.size(value) else np.zeros(np.shape(value), np.intp)
    inside = rows.dtype.kind in "iu" and ((rows >= 0) & (rows < n)).all()
    if rows.ndim != 1 or not inside or count not in (None, len(rows)):
        many = "" if count is None else f", one entry per {per}, {count}"
        raise ValueError(f"{name} must be a 1-D array of row indices, whole numbers from 0 to "
                         f"{n - 1}{many}. Got {rows!r}.")
    return rows.astype(np.intp)


def check_batches(x: ArrayLike, x2: ArrayLike | None) -> tuple[Array, Array]:
    """x, (n, d), and x2, (n2, d), in float64, d >= 1; x2 = None means x."""
    x = check_vectors("x", x, "one sample per row")
    meaning = "one sample per row, with the columns of x"
    return x, x if x2 is None else as_real("x2", x2, (None, x.shape[1]), meaning).astype(
        np.float64, copy=False)


def check_finite(name: str, result: Array, repair: str) -> None:
    """Raise ValueError if a result has overflowed."""
    require(np.isfinite(result).all(), f"{name} must not overflow. {repair}")


def check_increasing(name: str, low: float, high: float) -> None:
    """Raise ValueError unless low < high, both finite."""
    ends = as_real(name, (low, high), (2,))
    require(ends[0] < ends[1], f"{name} needs low < high. Got low={low!r}, high={high!r}.")


def check_order(name: str, value: Any, items: tuple[str, ...]) -> None:
    """Raise ValueError unless value lists these items, in any order."""
    require(isinstance(value, (tuple, list)) and sorted(map(str, value)) == sorted(items),
            f"{name} must be {', '.join(map(repr, items))} in some order. Got {value!r}.")


def check_at_most(name: str, largest: float, most: float, why: str) -> None:
    """Raise ValueError if the largest of some values is above most."""
    require(largest <= most, f"{name} must be at most {most}: {why}. Got {largest:.3g}.")


def check_index_pairs(
    i: ArrayLike, j: ArrayLike, n: int, prefix: str = ""
) -> tuple[Indices, Indices, Indices]:
    """The rows in range(n) that occur in i or j, and the places of i and j among them."""
    i = check_indices(f"{prefix}i", i, n)
    j = check_indices(f"{prefix}j", j, n, len(i), "pair")
    rows, places = np.unique(np.concatenate([i, j]), return_inverse=True)
    return rows, places[: len(i)], places[len(i) :]


def check_size(name: str, shape: tuple[int, ...], repair: str) -> None:
    """Raise ValueError if an array of this shape has more than MAX_ENTRIES numbers."""
    require((entries := math.prod(shape)) <= MAX_ENTRIES,
            f"{name} would have shape {shape}, {entries} numbers, more than the {MAX_ENTRIES} "
            f"allowed. {repair}")


def check_shape(what: str, repair: str, **sizes: int) -> tuple[int, ...]:
    """The sizes, whole numbers from 1, as the shape of an array that fits into memory."""
    shape = tuple(check_count(name, size, 1) for name, size in sizes.items())
    check_size(what, shape, repair)
    return shape


def _show(shape: tuple[int | None, ...]) -> str:
    names = iter("nk")  # free axes
    text = ", ".join(next(names) if s is None else str(s) for s in shape)
    return f"({text}{',' if len(shape) == 1 else ''})"


# ------------------------------------------------------------ networks and rows


def check_net(net: MLP) -> MLP:
    """check_layers(net); ValueError also if a value in net could overflow."""
    net = check_layers(net)
    _check_growth(net, None)
    return net


def check_layers(net: MLP) -> MLP:
    """net, all parts as arrays of one float dtype; ValueError unless the layers fit together."""
    require(_has_lists(net, "weights", "biases"), "net must be an MLP(weights, biases), two tuples "
            f"of arrays. Got {type(net).__name__}.")
    L, count = len(net.weights), len(net.biases)
    require(L == count > 0, "net must have as many biases as weights, and at least one. Got "
            f"{L} weights, {count} biases. Biases that a layer lacks are zeros.")
    weights: list[Array] = []
    biases: list[Array] = []
    for k, (W, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        shape = None, len(biases[-1]) if biases else None
        weights.append(as_real(f"net.weights[{k}]", W, shape,
                               "one row per unit, one column per unit of the layer before"))
        biases.append(as_real(f"net.biases[{k}]", b, weights[k].shape[:1],
                              f"one per row of weights[{k}]"))
    require(weights[0].shape[1] and len(biases[-1]), "net must have at least one input and "
            f"one output. Got weights of shapes {[W.shape for W in weights]}.")
    net = net._replace(weights=tuple(weights), biases=tuple(biases))
    return cast(net, common_dtype(*weights, *biases))


def check_net_and_rows(
    net: MLP, x: ArrayLike, name: str = "x", *, float64: bool = False
) -> tuple[MLP, Array]:
    """net and x, (n, m[0]), in float32 if both are, else in float64; or float64 for analysis."""
    net, x, _ = check_gated_rows(net, x, None, name, float64=float64)
    return net, x


def check_gated_rows(net: MLP, x: ArrayLike, pattern: ArrayLike | None, name: str = "x", *,
                     float64: bool = False) -> tuple[MLP, Array, Bits | None]:
    """check_net_and_rows, and the gates, (n, H), if a pattern is imposed."""
    net = check_layers(net)
    x = _as_rows(net, x, name)
    gates = None if pattern is None else check_pattern(net, pattern, len(x), "pattern")
    dtype = np.dtype(np.float64) if float64 else common_dtype(x, *net.weights)
    net, x = cast(net, dtype), x.astype(dtype, copy=False)
    _check_growth(net, x, gates)
    return net, x, gates


def check_columns(net: MLP, columns: int, d: int) -> None:
    """Raise ValueError unless net has one input per column of its encoding of d coordinates."""
    require(columns == net.weights[0].shape[1], f"encoding makes {columns} columns of {d} "
            f"coordinates, but the net has {net.weights[0].shape[1]} inputs.")


def check_visible(size: Array, smallest: float) -> None:
    """Raise ValueError if a pre-activation is not 0 everywhere, but below smallest everywhere."""
    require(((size == 0) | (size >= smallest)).all(),
            f"net must not be so small that pre-activations are below {smallest:g}. "
            "Rescale its weights and biases.")


def check_piece_count(count: int, most: int) -> None:
    """Raise ValueError if a segment has more than most pieces."""
    require(count <= most,
            f"there are at least {count} pieces, more than max_regions = {most}. Shorten the "
            "segment, or allow more.")


def check_wave_count(count: float, most: int) -> None:
    """Raise ValueError if a segment is longer than most wavelengths."""
    require(count <= most,
            f"the segment must not be longer than {most} of the encoding's shortest waves. "
            f"Got {count:.3g} of them: shorten it, or use lower frequencies.")


def check_more_rows(net: MLP, x: ArrayLike, name: str) -> Array:
    """Further rows, (n, m[0]), for a net already checked, in its dtype."""
    x = _as_rows(net, x, name).astype(net.weights[0].dtype, copy=False)
    _check_growth(net, x)
    return x


def _as_rows(net: MLP, x: ArrayLike, name: str) -> Array:
    return as_real(name, x, (None, net.weights[0].shape[1]),
                   "one sample per row, as many columns as the net has inputs")


def check_same_shapes(net: MLP, other: MLP, name: str) -> MLP:
    """check_layers(other), of the shapes of net: a velocity or a later value of its parameters."""
    other = check_layers(other)
    wanted, got = ([W.shape for W in one.weights] for one in (net, other))
    require(wanted == got, f"{name} must have the shapes of net, {wanted}. Got {got}.")
    return other


def check_targets(net: MLP, x: Array, y: ArrayLike, *, some: bool = False) -> Array:
    """y as (n, m[L]): one target per row of x, and at least one if some."""
    require(len(x) or not some, "x must have at least one row: the mean loss of no examples has no "
            f"meaning. Got shape {x.shape}.")
    y = as_real("y", y, (len(x), net.weights[-1].shape[0]),
                "one target per row of x, one column per output")
    return y.astype(x.dtype, copy=False)


def check_some(name: str, rows: Array | Bits, why: str) -> None:
    """Raise ValueError if there are no rows."""
    require(len(rows), f"{name} must have at least one row: {why}. Got shape {rows.shape}.")


def _has_lists(value: Any, *fields: str) -> bool:
    """Whether value is a NamedTuple with these fields, all tuples or lists."""
    named = getattr(value, "_fields", None) == fields
    return named and all(isinstance(parts, (tuple, list)) for parts in value)


def check_trace(net: MLP, trace: Any) -> MLP:
    """net; ValueError unless trace has the shapes that forward(net, x) returns.

    The numbers in trace are not recomputed.
    """
    require(_has_lists(trace, "inputs", "preacts", "pattern"), "trace must be the Trace that "
            f"forward(net, x) returned. Got {type(trace).__name__}.")
    rows = np.shape(trace.inputs[0])[:1] if trace.inputs else ()
    outputs = [(*rows, len(b)) for b in net.biases]
    wanted = [[(*rows, W.shape[1]) for W in net.weights], outputs, outputs[:-1]]
    got = [[np.shape(part) for part in parts] for parts in trace]
    if got != wanted or any(np.asarray(q).dtype != np.bool_ for q in trace.pattern):
        raise ValueError("trace must come from one forward(net, x) of the same net: parts of "
                         f"shapes {wanted}, patterns of bools. Got {got}.")
    x = np.asarray(trace.inputs[0])
    _check_growth(net, x, np.concatenate([np.zeros((len(x), 0), np.bool_), *trace.pattern], axis=1))
    return net


def check_subspace(net: MLP, origin: ArrayLike, axes: ArrayLike) -> tuple[MLP, Array, Array]:
    """check_net(net), a point of its input space, (m[0],), and directions, (k, m[0]), k >= 1."""
    net = check_net(net)
    d = net.weights[0].shape[1]
    origin = as_real("origin", origin, (d,), "a point of the input space")
    axes = as_real("axes", axes, (None, d), "one direction of the input space per row")
    check_some("axes", axes, "a subspace needs a direction")
    return net, origin, axes


def check_no_biases(name: str, net: MLP) -> None:
    """Raise ValueError if a bias of net is not 0."""
    require(not any(b.any() for b in net.biases),
            f"{name} is defined for networks without biases: every bias must be 0.")


def check_depth(net: MLP, layers: int | None) -> int:
    """layers, the number of hidden layers to use, as an int; None means all."""
    hidden = len(net.weights) - 1
    why = "the number of hidden layers of the net"
    return hidden if layers is None else min(
        hidden, check_count("layers", layers, 1, max(hidden, 1), why))


def check_cycles(k: ArrayLike, n: int) -> Indices:
    """Whole numbers of cycles, none a multiple of n: a constant sees no jump.  Modulo 4 n: waves of
    k cycles, and of k half cycles, are then the same on n samples."""
    cycles = np.asarray(k)
    require(cycles.ndim == 1 and cycles.dtype.kind in "iu" and bool((cycles % n).all()),
            f"k must be whole numbers of cycles, (K,), none of them a multiple of n = {n}. "
            f"Got {k!r}.")
    return (cycles % (4 * n)).astype(np.intp)


def check_coefficients(value: ArrayLike, rows: int) -> Array:
    """Real or complex coefficients, (rows, m), as an array."""
    values = np.asarray(value)
    require(values.dtype.kind in "biufc" and values.ndim == 2 and len(values) == rows,
            f"coefficients must be ({rows}, m) numbers: one row per frequency, one column per "
            f"output. Got dtype {values.dtype}, shape {values.shape}.")
    return values


def check_pairs(name: str, value: ArrayLike) -> Array:
    """A real array, (n, n, ...): one row and one column per sample."""
    values = as_real(name, value)
    require(values.ndim >= 2 and values.shape[0] == values.shape[1],
            f"{name} must be (n, n): one row and one column per sample. Got shape {values.shape}.")
    return values


def check_units(net: MLP, units: ArrayLike, points: int) -> Indices:
    """units, (points,), as indices of hidden units of net."""
    return check_indices("units", units, sum(len(b) for b in net.biases[:-1]), points, "point")


def check_direction(name: str, value: ArrayLike, points: Array) -> Array:
    """value, one direction for all points or one per point, in the shape of points."""
    return _spread(name, value, points.shape[1:], points.shape)


def _spread(name: str, value: ArrayLike, small: tuple[int, ...], full: tuple[int, ...]) -> Array:
    """value, of one of two shapes, in the shape full."""
    array = as_real(name, value).astype(np.float64, copy=False)
    require(array.shape in (small, full),
            f"{name} must be {small or 'a number'} or {full}. Got shape {array.shape}.")
    return np.broadcast_to(array, full)


def check_widths(widths: Sequence[int]) -> list[int]:
    """[m[0], ..., m[L]] as ints, with at least one input and output; at most MAX_PARAMETERS."""
    require(not isinstance(widths, (str, bytes)) and np.ndim(widths) == 1 and len(widths) >= 2,
            "widths must list at least the number of inputs and of outputs, [m0, ..., mL]. "
            f"Got {widths!r}.")
    m = [check_count(f"widths[{k}]", w, 1 if k in (0, len(widths) - 1) else 0)
         for k, w in enumerate(widths)]
    p = sum((fan_in + 1) * fan_out for fan_in, fan_out in zip(m[:-1], m[1:], strict=True))
    require(p <= MAX_PARAMETERS,
            f"widths {m} make {p} parameters, more than the {MAX_PARAMETERS} allowed (2 GiB). "
            "Check the widths.")
    return m


def cast(net: MLP, dtype: np.dtype[Any]) -> MLP:
    """net in dtype; parts that already have it are not copied."""
    weights, biases = (tuple(part.astype(dtype, copy=False) for part in parts)
                       for parts in (net.weights, net.biases))
    return net._replace(weights=weights, biases=biases)


def _check_growth(net: MLP, x: Array | None, pattern: Bits | None = None) -> None:
    """Raise ValueError if values of net might be too large.

    x are rows, for which pattern may be imposed, or None: inputs of norm 1.  For most networks a
    bound from the weights decides.  For a deep network it may be much larger than the values (He's
    initialisation: 2.8 times per layer, while the values stay near 1).  If the bound is at most
    LARGEST squared, no product of two values overflows, and the values at the rows decide.
    """
    largest, radius = LARGEST[net.weights[0].dtype], 1.0
    if x is not None:
        radius = float(max(x.max(initial=0), -x.min(initial=0))) * math.sqrt(x.shape[1])
    bound = _growth(radius, net, [math.sqrt(np.vdot(W, W)) for W in net.weights])
    if not bound <= largest**2:
        norms = (np.linalg.norm(W.astype(np.float64), 2) if W.size else 0 for W in net.weights)
        bound = _growth(radius, net, list(map(float, norms)))
    safe = bound <= largest or bound <= largest**2 and (
        x is None or _growth_at(x, net, pattern) <= largest)
    if not safe:
        raise ValueError("net and its inputs must be of moderate size: its values might grow to "
                         f"{bound:.0e}, and "
                         f"{net.weights[0].dtype} is safe up to {largest:g}. Rescale the weights "
                         "or the inputs"
                         + (", or use float64."
                            if largest < LARGEST[np.dtype(np.float64)] else "."))


def _growth(radius: float, net: MLP, norms: list[float]) -> float:
    """A bound on |h[l]|, on all products of norms, and on |h[k]| times the norms of later layers.

    |h[l]| <= |W[l]| |h[l-1]| + |b[l]|, for any norms that bound the spectral norms.
    """
    h, product, largest = radius, max(1.0, radius), max(1.0, radius)
    for norm, b in zip(norms, net.biases, strict=True):
        h = norm * h + math.sqrt(np.vdot(b, b))
        product = max(h, norm * max(1.0, product))
        largest = max(largest, product)
    return largest


def _growth_at(x: Array, net: MLP, pattern: Bits | None) -> float:
    """The largest entry, at the rows, of |z|, and of |h[l-1]| times |df/dz[l]|."""
    net, largest, m = cast(net, np.dtype(np.float64)), 0.0, len(net.biases[-1])
    # the output layer is affine: its gates are all open
    gates = None if pattern is None else np.pad(pattern, ((0, 0), (0, m)), constant_values=True)
    for rows in row_blocks(len(x), 1024):
        h, q, passed, at = x[rows].astype(np.float64), np.ones(x[rows].shape, np.bool_), [], 0
        for W, b in zip(net.weights, net.biases, strict=True):
            passed.append((max(1.0, np.abs(h).max(initial=0)), W, q))
            z = h @ W.T + b
            q = z > 0 if gates is None else gates[rows, at : at + len(b)]
            largest, h, at = max(largest, np.abs(z).max(initial=0)), z * q, at + len(b)
        g: Array = np.broadcast_to(np.eye(m), (len(h), m, m))
        for size, W, q in reversed(passed):
            largest = max(largest, size * np.abs(g).max(initial=0))
            g = (g @ W) * q[:, None, :]
        largest = max(largest, np.abs(g).max(initial=0))
    return float(largest)


# --------------------------------------------------------------------- patterns


def check_bits(name: str, q: ArrayLike) -> Bits:
    """q as (n, H) bool."""
    wanted = f"{name} must be (n, H) bool: one pattern per row"
    with explained(f"{wanted}. It could not be read as an array"):
        bits: NDArray[Any] = np.asarray(q)
    hint = f" Zeros and ones become bits with {name}.astype(bool)."
    require(bits.dtype == np.bool_ and bits.ndim == 2, f"{wanted}. Got dtype {bits.dtype}, shape "
            f"{bits.shape}.{hint if bits.dtype.kind in 'iuf' else ''}")
    return bits


def check_unit_columns(name: str, values: Any, units: int) -> None:
    """Raise ValueError unless values is an array (n, units)."""
    shape = values.shape if isinstance(values, np.ndarray) else f"a {type(values).__name__}"
    require(isinstance(shape, tuple) and len(shape) == 2 and shape[1] == units,
            f"{name} must be an array (n, {units}): one column per hidden unit. Got {shape}.")


def check_words(words: Any, units: int) -> None:
    """Raise ValueError unless words, (n, w) uint64, or their octets, may hold so many units."""
    packed = getattr(words, "dtype", None) in (np.uint64, np.uint8) and np.ndim(words) == 2
    require(packed, "words must be what pack returns, (n, ceil(units / 64)) of uint64. Got "
            f"{type(words).__name__}.")
    most = 8 * words.dtype.itemsize * words.shape[1]
    check_count("units", units, 0, most, "words has no more bits per row")


def check_same_units(*patterns: tuple[str, ArrayLike]) -> tuple[Bits, Bits]:
    """Two named patterns, (n, H) and (n2, H) bool, of the same units."""
    (name, q), (name2, q2) = ((name, check_bits(name, q)) for name, q in patterns)
    require(q.shape[1] == q2.shape[1],
            f"{name} and {name2} must have as many units as each other. "
            f"Got shapes {q.shape} and {q2.shape}.")
    return q, q2


def check_pattern(net: MLP, q: ArrayLike, rows: int | None = None, name: str = "q") -> Bits:
    """q as (n, H) bool, H the hidden units of net, and n = rows if rows is given."""
    bits, H = check_bits(name, q), sum(len(b) for b in net.biases[:-1])
    require(bits.shape[1] == H,
            f"{name} must be (n, {H}): one column per hidden unit of the net. "
            f"Got shape {bits.shape}.")
    require(rows in (None, len(bits)),
            f"{name} must be ({rows}, {H}): one pattern per row of x. Got shape {bits.shape}.")
    return bits


def check_net_and_pattern(net: MLP, q: ArrayLike) -> tuple[MLP, Bits]:
    """check_net(net), and patterns of its hidden units, one per row."""
    net = check_net(net)
    return net, check_pattern(net, q)


# ------------------------------------------------------------- grids and weights


def check_weights(weights: ArrayLike | None, y: Array) -> Array:
    """weights of the examples as (n, 1), none negative; None means 1 / (n m[L]) each."""
    if weights is None:
        return np.full((len(y), 1), 1 / y.size)
    w = as_real("weights", weights, (len(y),), "one per example, none negative", least=0)
    return w.astype(np.float64, copy=False)[:, None]


def check_grid(grid: tuple[int, ...], n: int) -> tuple[int, ...]:
    """grid as (n,) or (height, width): a uniform grid with one sample per row of a batch of n."""
    shape = check_samples(grid, name="grid")
    require(math.prod(shape) == n,
            f"grid must have as many samples as x has rows, {n}. Got {shape}, {math.prod(shape)} "
            "samples.")
    return shape


def check_corners(window: ArrayLike) -> Array:
    """The corners of a box ((x0, x1), (y0, y1)), (4, 2), or of a polygon, (k, 2), all distinct."""
    corners = as_real("window", window, (None, 2), "a box ((x0, x1), (y0, y1)) or the corners of a "
                      "convex polygon, one per row").astype(np.float64)
    if len(corners) == 2:
        (x0, x1), (y0, y1) = corners.tolist()
        require(x0 < x1 and y0 < y1, "window must be a box ((x0, x1), (y0, y1)) with x0 < x1 and "
                f"y0 < y1. Got {corners.tolist()}.")
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    require(len(corners) >= 3, "window must have at least three corners, or be a box ((x0, x1), "
            f"(y0, y1)). Got shape {corners.shape}.")
    require(len(np.unique(corners, axis=0)) == len(corners), "window must not repeat a corner; "
            f"leave out the last corner if it closes the polygon. Got {len(corners)} corners.")
    return corners


def check_boxes(boxes: Array) -> Array:
    """boxes, (w, 2, 2): one or more, of which no two have more than sides in common."""
    wanted = ("window must be a box, a convex polygon, or one or more boxes, (w, 2, 2), that do "
              f"not overlap. Got {boxes.tolist()}.")
    require(boxes.shape[1:] == (2, 2) and len(boxes), wanted)
    low, high = boxes[:, None, :, 0], boxes[:, None, :, 1]
    common = (np.minimum(high, high[:, 0]) > np.maximum(low, low[:, 0])).all(axis=2)
    require(np.count_nonzero(common) <= len(boxes), wanted)
    return boxes


def check_area(area: float, extent: Array, tolerance: float) -> None:
    """Raise ValueError unless a window has an area that float64 can tell from 0."""
    require(math.isfinite(area) and abs(area) > tolerance * extent.max() ** 2 > 0,
            "window must have an area that float64 can tell from 0: its corners must not lie on "
            f"one line, and its sides must not be that short. Got area {area}, extent "
            f"{extent.tolist()}. A network can be rescaled to a larger window.")


def check_convex(turns: Array) -> None:
    """Raise ValueError unless a polygon with these exterior angles is convex."""
    require((turns >= 0).all() and turns.sum() <= 3 * np.pi, "window must be convex, with its "
            "corners in order around it; its convex hull is one repair.")


def check_patch(patch: int | None, shape: tuple[int, ...] | None) -> int | None:
    """patch as an int that divides every axis of the grid's shape."""
    if patch is None:
        return None
    k = check_count("patch", patch, 1)
    require(shape and not any(size % k for size in shape), "patch must divide every axis of the "
            f"grid, (n,) or (height, width), of which the rows are samples. Got {k} for {shape}.")
    return k


def check_samples(
    shape: Any, axes: tuple[int, ...] = (1, 2), least: int = 1, name: str = "shape"
) -> tuple[int, ...]:
    """shape of a signal, n, (n,) or (height, width), as a tuple of ints, none below least."""
    sizes = (shape,) if isinstance(shape, (int, np.integer)) else shape
    wanted = " or ".join({1: "n", 2: "(height, width)"}[k] for k in axes)
    require(isinstance(sizes, (tuple, list)) and len(sizes) in axes,
            f"{name} must be {wanted}. Got {shape!r}.")
    counts = tuple(check_count(f"each axis of {name}", n, least) for n in sizes)
    require(math.prod(counts) <= MAX_ENTRIES // 4,
            f"{name} must have at most {MAX_ENTRIES // 4} samples in all. Got {shape!r}.")
    return counts


def check_smaller(shape: Any, signal: Array) -> tuple[int, ...]:
    """shape, one number per axis of signal but the last, its channels, and none larger."""
    sizes, full = check_samples(shape), signal.shape[:-1]
    require(len(sizes) == len(full), "shape must be (n,) for a signal (samples, channels), or "
            f"(height, width) for an image (height, width, channels). Got {shape!r} for shape "
            f"{signal.shape}. One channel needs an axis of its own: signal[..., None].")
    require(all(map(operator.le, sizes, full)), f"shape must not exceed the signal's {full}: "
            f"averaging cannot add samples. Got {shape!r}.")
    return sizes


def check_records(epochs: ArrayLike, errors: ArrayLike) -> tuple[Array, Array]:
    """epochs, (c,), increasing, and errors, (c, k), which may be NaN; at least one epoch."""
    epochs = as_real("epochs", epochs, (None,))
    with explained("errors must be real numbers, or NaN: one row per epoch. Reading them failed"):
        table = np.asarray(errors, np.float64)
    require(table.ndim == 2 and len(table) == len(epochs) > 0, f"errors must be ({len(epochs)}, "
            f"k): one row per epoch, at least one. Got shape {table.shape}.")
    require((np.diff(epochs) > 0).all(), "epochs must increase.")
    require(not np.isinf(table).any(), "errors must be finite, or NaN where there is none.")
    return epochs, table


def check_box(x: Array, low: ArrayLike, high: ArrayLike) -> tuple[Array, Array]:
    """low and high as (d,): the box low <= . <= high has an interior and contains x."""
    ends = _spread("low", low, (), x.shape), _spread("high", high, (), x.shape)
    if not ((ends[0] < ends[1]) & (ends[0] <= x) & (x <= ends[1])).all():
        raise ValueError("low must be below high in every coordinate, and x between them. "
                         f"Got x {x!r}, low {low!r}, high {high!r}.")
    return ends


# ---------------------------------------------------------------- single values


def check_kind(name: str, value: object, *kinds: type) -> None:
    """Raise ValueError unless value is an instance of one of kinds."""
    require(isinstance(value, kinds),
            f"{name} must be {' or '.join(kind.__name__ for kind in kinds)}. "
            f"Got {type(value).__name__}.")


def check_fields(name: str, value: object, meaning: str, *fields: str) -> None:
    """Raise ValueError unless value has all these fields, as meaning has."""
    require(all(hasattr(value, field) for field in fields),
            f"{name} must be {meaning}. Got {type(value).__name__}.")


def check_choice(name: str, value: object, *choices: str) -> None:
    """Raise ValueError unless value is one of choices."""
    require(isinstance(value, str) and value in choices,
            f"{name} must be {' or '.join(map(repr, choices))}. Got {value!r}.")


def check_rng(rng: np.random.Generator) -> None:
    """Raise ValueError unless rng is a Generator: seeds and global state are not accepted."""
    require(isinstance(rng, np.random.Generator),
            "rng must be a numpy.random.Generator, for example np.random.default_rng(0). "
            f"Got {rng!r}.")


def check_count(
    name: str, value: Any, least: int, most: int = MAX_ENTRIES, why: str = ""
) -> int:
    """value as an int from least to most; ValueError for bools and floats.  why most is most."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
    require(whole and least <= value,
            f"{name} must be a whole number, at least {least}. Got {value!r}.")
    require(value <= most, f"{name} must be at most {most}{why and ': '}{why}. Got {value}.")
    return int(value)


def check_counts(name: str, values: Any, least: int, most: int) -> list[int]:
    """values as a list of ints from least to most."""
    with explained(f"{name} must be a list of whole numbers from {least} to {most}"):
        return [check_count("each", value, least, most) for value in values]


def check_layer_numbers(net: MLP, layers: Any) -> tuple[int, ...]:
    """layers as a tuple of ints from 1 to L, each at most once; None means all."""
    L = len(net.weights)
    numbers = check_counts("layers", range(1, L + 1) if layers is None else layers, 1, L)
    require(len(set(numbers)) == len(numbers),
            f"layers must be a list of layers that train, each at most once. Got {layers!r}.")
    return tuple(numbers)


def check_times(t: ArrayLike) -> Array:
    """t as float64, (k,): increasing times, the first at least 0."""
    times = as_real("t", t, (None,), "increasing times, the first at least 0",
                    least=0).astype(np.float64)
    require(len(times) and (np.diff(times) > 0).all(),
            f"t must hold at least one time, each later than the one before. Got {times}.")
    return times


def check_flag(name: str, value: Any, meaning: str) -> None:
    """Raise ValueError unless value is True or False."""
    require(isinstance(value, (bool, np.bool_)),
            f"{name} must be True or False: {meaning}. Got {value!r}.")


RANGES: dict[str, Callable[[Any], bool]] = {
    "positive number": lambda number: number > 0,
    "number not below 0": lambda number: number >= 0,
    "number not below 1": lambda number: number >= 1,
    "number at least 0 and below 1": lambda number: 0 <= number < 1,
    "number between 0 and 1": lambda number: 0 < number < 1,
    "number from 1e-13 to 1": lambda number: 1e-13 <= number <= 1,
}


def check_number(name: str, value: Any, wanted: str) -> float:
    """value as a float; ValueError unless it is a finite number in the range of that name."""
    number = isinstance(value, (int, float, np.integer, np.floating))
    # false for a whole number beyond float64, and for NaN
    finite = number and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    require(finite and RANGES[wanted](value),
            f"{name} must be a finite {wanted}. Got {value!r}.")
    return float(value)


def check_function(name: str, value: object, meaning: str) -> None:
    """Raise ValueError unless value is callable."""
    require(callable(value), f"{name} must be a function {meaning}. Got {type(value).__name__}.")


# --------------------------------------------------------------------- training


def check_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """dtype as np.float32 or np.float64, the precision of training steps."""
    meant = [one for one in LARGEST if dtype is not None and one == dtype]
    require(meant, "dtype must be np.float32 or np.float64, the precision of the steps. Got "
            f"{dtype!r}.")
    return meant[0]


def check_examples(
    net: MLP, x: ArrayLike, y: ArrayLike, pattern: ArrayLike | None, dtype: np.dtype[Any]
) -> tuple[MLP, Array, Array, Bits]:
    """net in float64; x and y in dtype, row-major; a copy of the gates, (n, 0) if not imposed."""
    net, x, gates = check_gated_rows(net, x, pattern, float64=True)
    y = check_targets(net, x, y, some=True)
    gates = np.zeros((len(x), 0), np.bool_) if gates is None else gates.copy()
    return net, check_rounded("x", x, dtype), check_rounded("y", y, dtype), gates


def check_rounded(name: str, array: Array, dtype: np.dtype[Any]) -> Array:
    """array in dtype, row-major; ValueError if a number overflows."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = np.ascontiguousarray(array, dtype)
    require(np.isfinite(rounded).all(), f"{name} does not fit {dtype}: its largest magnitude is "
            f"{np.abs(array).max(initial=0):.3g}. Scale it down, or train in float64.")
    return rounded


def check_record(record: Any, record_epochs: Any, epochs: int) -> set[int]:
    """The epochs at which record is to be called."""
    require(record is None or callable(record),
            f"record must be a function of (epoch, net), or None. Got {record!r}.")
    if record_epochs is None:
        return set(range(epochs + 1)) if record is not None else set()
    require(record, "record_epochs lists when to call record, but record is None. Give both or "
            "neither.")
    return set(check_counts("record_epochs", record_epochs, 0, epochs))


def check_moments(
    state: Any, kind: type[Any], p: int, dtype: np.dtype[Any]
) -> tuple[int, Array, Array]:
    """(steps taken, copies of the running means, (p,) each), from the state of an earlier run."""
    if state is None:
        return 0, np.zeros(p, dtype), np.zeros(p, dtype)
    meant = f"state must be the history.state of an earlier run of {p} parameters in {dtype}"
    require(isinstance(state, kind), f"{meant}. Got {type(state).__name__}.")
    first, second = np.array(state.first), np.array(state.second)
    for name, mean in (("first", first), ("second", second)):
        require(mean.shape == (p,) and mean.dtype == dtype and np.isfinite(mean).all(),
                f"{meant}, {name} finite. Got shape {mean.shape}, dtype {mean.dtype}.")
    return check_count("state.steps", state.steps, 0), first, second


# ---------------------------------------------------------------- PyTorch models


def check_torch_model(model: Any) -> None:
    """Raise ValueError unless model has a state_dict and named parts."""
    require(isinstance(getattr(model, "_modules", None), Mapping)
            and callable(getattr(model, "state_dict", None)),
            f"model must be a PyTorch model or its state_dict. Got {type(model).__name__}.")


def check_torch_part(name: str, tensor: Any) -> tuple[str, str]:
    """(layer, "weight" or "bias") of an entry of a state_dict."""
    layer, _, part = name.rpartition(".")
    require(part in ("weight", "bias") and not isinstance(tensor, Mapping), "model must hold the "
            f"weights and biases of Linear layers only. Got {name!r}, {type(tensor).__name__}.")
    return layer, part


def check_torch_chain(layers: Mapping[str, Mapping[str, Array]]) -> None:
    """Raise ValueError unless layers with these names and parts can follow one another."""
    require(layers and all("weight" in parts for parts in layers.values()),
            f"model must have a weight for every layer, and at least one. Got {list(layers)}.")
    for before, after in itertools.pairwise(layers):
        first, second = ([int(digits) for digits in re.findall(r"\d+", name)]
                         for name in (before, after))
        alike = re.sub(r"\d+", "#", before) == re.sub(r"\d+", "#", after)
        require(not (alike and first > second), "model must list its layers in the order in which "
                f"they act. Got {before!r} before {after!r}.")
        rows, columns = len(layers[before]["weight"]), layers[after]["weight"].shape[1]
        require(rows == columns, f"model must be a chain: layer {after!r} takes {columns} inputs, "
                f"and {before!r} before it has {rows} outputs. Skip connections and branches are "
                "not supported.")


def check_alternation(leaves: Sequence[tuple[str, str]]) -> None:
    """Raise ValueError unless (name, kind) are Linear and ReLU in turn, "?" being unknown."""
    turn = "model must consist of Linear and ReLU in turn."
    for name, kind in leaves:
        require(kind in ("Linear", "ReLU", "?"), f"{turn} Got {kind} at {name!r}. If it comes "
                "last, leave it out and apply it to what predict returns.")
    for (before, first), (after, second) in itertools.pairwise(leaves):
        require(first != second or first == "?",
                f"{turn} Got two {first}s in a row, {before!r} and {after!r}.")
    for name, kind in (leaves[0], leaves[-1]) if leaves else ():
        require(kind != "ReLU",
                f"model must begin and end with a Linear layer. Got a ReLU at {name!r}.")


def check_same_outputs(f: Array, expected: Array, error: float) -> None:
    """Raise ValueError unless a model's outputs f are the expected ones up to error."""
    require(f.shape == expected.shape and np.abs(f - expected).max() <= error,
            "model must compute what its Linear layers with a ReLU between any two compute, and "
            f"at {len(expected)} random inputs it does not. Is it in evaluation mode "
            "(model.eval())? Does its forward method do anything else?")
