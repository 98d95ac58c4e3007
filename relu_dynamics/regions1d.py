"""Exact linear regions along a segment, and along a segment of encoded inputs.

Along x(t) = a + t (b - a), 0 <= t <= 1, a ReLU network is piecewise affine in t; with
sinusoids of x as inputs it is piecewise a sum of sinusoids in t.  Its pieces are the
intervals of constant activation pattern.  Both enumerations go layer by layer: on every
piece of the layers before, each pre-activation of the next layer is one affine (or
trigonometric) function of t, whose zeros cut the piece.

    1. cut     the zeros of all units on all pieces, at once
    2. split   sort them along the segment; zeros within TOLERANCE become one breakpoint
    3. scan    the bits at t = 0, then one flip per zero: a running exclusive or gives the
               layer's pattern on every new piece, without computing a sign near a zero
    4. chain   the coefficients of the next layer's pre-activations on the new pieces

An affine function has a zero inside a piece if and only if the bits just after the start
and just before the end differ.  If rounding cannot tell the value at an end from 0, it
counts as 0, and the bit there is that of the other end.  Zeros of trigonometric functions
are isolated by bounds on derivatives (1a), and signs are read only where the value exceeds
its rounding error (1b).  Between two such places a monotone function has one zero or none
(1c); any other function gives an uncertified interval.

The effect of rounding is part of the result.  The error of a pre-activation is at most
TOLERANCE times the sizes of its terms, plus the error of its inputs; the error of its zero
is that divided by the slope.  The stated tolerance is twice the largest of these.

    k   pieces         v = k + 1 breakpoints, both ends of the segment included
    K   coefficients of a trigonometric function, of 1, sin(2 pi nu_1 t), cos(2 pi nu_1 t), ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relu_dynamics.checks import (
    Array, Bits, Indices, as_real, cast, check_columns, check_count, check_ends, check_kind,
    check_net, check_piece_count, check_size, check_visible, check_wave_count, row_blocks,
)
from relu_dynamics.encoding import Coordinates, Sinusoids
from relu_dynamics.geometry import TOLERANCE
from relu_dynamics.mlp import MLP
from relu_dynamics.patterns import pack, rows_times, unpack

MAX_REGIONS = 2**21
MAX_CELLS = 2**24  # of t, each an eighth of the shortest wavelength
SMALLEST = 1e-200  # the bounds for a function of this size do not underflow
BLOCK = 256        # pieces at a time, so that their coefficients stay in cache
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False, repr=False)
class Pieces:
    """The pieces along a segment, in order: x = a + t (b - a), f = offset + slope t."""

    t: Array          # (k+1,) from 0 to 1, increasing
    pattern: Bits     # (k, H); neighbours differ
    slope: Array      # (k, m[L]) df/dt
    offset: Array     # (k, m[L])
    owner: Indices    # (k-1,) the first hidden unit that switches at each inner breakpoint
    tolerance: float  # in t: breakpoints closer than this may be missing, or in the wrong order

    def __len__(self) -> int:
        return len(self.pattern)

    def __repr__(self) -> str:
        return f"Pieces({len(self)} pieces, {self.pattern.shape[1]} units)"


@dataclass(frozen=True, eq=False, repr=False)
class EncodedPieces:
    """The pieces along a segment of encoded inputs, f = coefficients . (1, sin 2 pi nu_1 t, ...).

    Exact outside the uncertified intervals.  In such an interval a unit's pre-activation cannot
    be told from 0: it may have any number of zeros, of which at most one is listed.
    """

    t: Array             # (k+1,)
    pattern: Bits        # (k, H)
    frequencies: Array   # (q,) the nu, in cycles per unit of t, positive and increasing
    coefficients: Array  # (k, m[L], K), K = 2 q + 1
    owner: Indices       # (k-1,)
    tolerance: float     # in t: as for Pieces, outside uncertified intervals
    uncertified: Array   # (u, 2) intervals of t
    uncertified_unit: Indices  # (u,) and the hidden unit in question

    def __len__(self) -> int:
        return len(self.pattern)

    def __repr__(self) -> str:
        return (f"EncodedPieces({len(self)} pieces, {self.pattern.shape[1]} units, "
                f"{len(self.uncertified)} uncertified)")


# ----------------------------------------------------------- along a segment


def regions_on_segment(
    net: MLP, a: ArrayLike, b: ArrayLike, *, max_regions: int = MAX_REGIONS
) -> Pieces:
    """The pieces of net on the segment from a to b, both (m[0],) (T2, T38).

    ValueError if a equals b or there are more than max_regions pieces.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> pieces = rd.regions_on_segment(hat, [-1.0], [3.0])
    >>> pieces.t.tolist(), pieces.slope.ravel().tolist()  # in t, with x = -1 + 4 t
    ([0.0, 0.25, 0.5, 1.0], [0.0, 4.0, -4.0])
    """
    net = cast(check_net(net), np.dtype(np.float64))
    a, b = check_ends(a, b, net.weights[0].shape[1], "as many coordinates as the net has inputs")
    limit = check_count("max_regions", max_regions, 1)
    return _affine_pieces(net, a, b, limit)


def _affine_pieces(net: MLP, a: Array, b: Array, limit: int) -> Pieces:
    """regions_on_segment without checks; f is continuous, so the bends give the offsets."""
    found, tolerance, at_start = _NONE, 2 * TOLERANCE, a  # the layer's inputs at t = 0
    inputs: Array = np.abs(np.stack([a, b]))               # (v, m[l-1]) sizes, at breakpoints
    error: Array = np.zeros((1, len(a)))                   # (1, m[l-1]) of the inputs
    rate: Array = net.weights[0] @ (b - a)[:, None]        # (m[l], k) slopes of z
    z = found.t[:, None] * rate.T + (net.weights[0] @ a + net.biases[0])  # (v, m[l])
    for l, (W, bias) in enumerate(zip(net.weights[:-1], net.biases[:-1], strict=True)):
        doubt, error = _rounding(W, bias, inputs.max(axis=0, keepdims=True), error)
        zeros, share = _cut(found.t, z, doubt)
        tolerance = _tolerance(tolerance, found.t, inputs, W, z, rate, error[0])
        split, bits, found = _refine(found, zeros, limit)
        rate = _chain_rates(split, zeros, rate, bits, net.weights[l + 1])
        at_start = np.maximum(z[0], 0)
        if l < len(net.weights) - 2:  # another hidden layer needs its inputs at the breakpoints
            inputs = _relu_at_breakpoints(split, zeros, z, share)
            z = inputs @ net.weights[l + 1].T + net.biases[l + 1]
    slope = np.ascontiguousarray(rate.T)
    bends = np.diff(slope, axis=0, prepend=slope[:1]) * found.t[:-1, None]
    offset = net.weights[-1] @ at_start + net.biases[-1] - np.cumsum(bends, axis=0)
    return Pieces(found.t, found.pattern, slope, offset, found.owner, tolerance)


def _cut(t: Array, z: Array, doubt: Array) -> tuple[_Zeros, Array]:
    """Step 1.  The zeros of all units, where the bits at the two ends of a piece differ.

    z, (v, m), at a breakpoint counts as 0 if |z| <= doubt, the rounding error of its own sum; the
    piece then has the sign of its other end, and the unit may switch at the breakpoint.  Also
    returned: how far along its piece each zero is, as a share, for the zeros listed first.
    """
    on, off = z > doubt, z < -doubt
    start, end = on[:-1] | (on[1:] & ~off[:-1]), on[1:] | (on[:-1] & ~off[1:])
    piece, unit = np.divmod(np.flatnonzero(start ^ end), max(1, z.shape[1]))
    share = z[piece, unit] / (z[piece, unit] - z[piece + 1, unit])
    at = t[piece] + share * (t[piece + 1] - t[piece])
    vertex, flipped = np.divmod(np.flatnonzero(end[:-1] ^ start[1:]), max(1, z.shape[1]))
    zeros = _Zeros(start[0], np.append(unit, flipped), np.append(at, t[vertex + 1]))
    return zeros, share


def _tolerance(before: float, t: Array, inputs: Array, W: Array, z: Array, rate: Array,
               error: Array) -> float:
    """The largest distance of breakpoints that may be in the wrong order, this layer included.

    A unit has or may have a zero in a piece unless its sign is the same, beyond error, at both
    ends.  The error of the zero is at most error over slope, and the zero stays in its piece,
    whose ends have the error before / 2.
    """
    on, off = z > error, z < -error
    sure = on[:-1] & on[1:]
    sure |= off[:-1] & off[1:]
    piece, unit = np.divmod(np.flatnonzero(~sure), max(1, z.shape[1]))
    slope, e = np.abs(rate[unit, piece]), error[unit]
    flat = (slope == 0) & (z[piece, unit] == 0)
    if flat.any():  # where all terms are 0 as well, z is exactly 0
        terms = (inputs[:-1] + inputs[1:]) @ np.abs(W).T
        e[flat & (terms[piece, unit] == 0)] = 0
    with np.errstate(divide="ignore", over="ignore"):
        width = 2 * (np.divide(e, slope, out=np.zeros_like(e), where=e > 0) + TOLERANCE)
    return float(np.minimum(width, np.diff(t)[piece] + before).max(initial=before))


def _relu_at_breakpoints(split: _Split, zeros: _Zeros, z: Array, share: Array) -> Array:
    """(v', m) max(z, 0) at all breakpoints: z interpolated, exactly 0 for units that switch."""
    cut = split.parent[split.place[split.first]]
    left = z.take(cut, axis=0)
    h = np.insert(z, cut + 1, left + share[split.first, None] * (z.take(cut + 1, axis=0) - left),
                  axis=0)
    h[split.place[split.inside], zeros.unit[split.inside]] = 0
    return np.asarray(np.maximum(h, 0, out=h))


def _chain_rates(split: _Split, zeros: _Zeros, rate: Array, bits: Bits, W: Array) -> Array:
    """Step 4.  (m', k') slopes of W max(z, 0) on new pieces, from those of z, (m, k), on old ones.

    One matrix product gives the first part of each old piece.  From there a unit that switches
    on or off adds or subtracts its own slope times its column of W, without a matrix product.
    """
    if len(split.inside) == 0:
        return np.asarray(W @ (rate * bits.T))
    place, unit = split.place[split.inside], zeros.unit[split.inside]
    switched = np.where(bits[place, unit], 1.0, -1.0) * rate[unit, split.parent[place]]
    steps = W.take(np.append(0, unit), axis=1)
    steps *= np.append(0.0, switched)  # 0 before the first
    np.cumsum(steps, axis=1, out=steps)
    taken = np.searchsorted(place, np.arange(len(bits)), side="right")  # before each piece
    first = np.searchsorted(split.parent, np.arange(rate.shape[1]))
    base = W @ (rate * bits[first].T)
    base -= steps.take(taken[first], axis=1)
    slopes = steps.take(taken, axis=1)
    slopes += base.take(split.parent, axis=1)
    return slopes


def _rounding(W: Array, bias: Array, size: Array, error: Array) -> tuple[Array, Array]:
    """(k, m) bounds on the errors of W h + bias: by its own rounding, and with the errors of h.

    |h| is up to size, (k, m'), and h has the errors error, (k, m'): independent roundings, so
    their squares add up.  The sum of their sizes would grow by the square root of the width in
    every layer.
    """
    lengths = np.linalg.norm(size, axis=1)
    own = np.multiply.outer(lengths, TOLERANCE * np.sqrt(np.vecdot(W, W)))
    own += TOLERANCE * np.abs(bias)
    return own, own + np.sqrt(error**2 @ (W**2).T)


# ------------------------------------------------- splitting and scanning, shared


class _Zeros(NamedTuple):
    """Where the units of a layer switch, inside pieces or at breakpoints, in any order."""

    start: Bits    # (m,) the bits at t = 0
    unit: Indices  # (c,)
    at: Array      # (c,)


class _Found(NamedTuple):
    """The pieces that the layers so far cut."""

    t: Array        # (k+1,) breakpoints, both ends included
    pattern: Bits   # (k, units of the layers so far)
    owner: Indices  # (k-1,) the first unit that switches at each inner breakpoint


_NONE = _Found(np.array([0.0, 1.0]), np.zeros((1, 0), np.bool_), np.zeros(0, np.intp))


def _refine(found: _Found, zeros: _Zeros, limit: int) -> tuple[_Split, Bits, _Found]:
    """Steps 2 and 3 for the next layer; also its bits, (k', m)."""
    split = _split(found.t, zeros, limit)
    bits = _scan(split, zeros)
    pattern = np.concatenate([found.pattern[split.parent], bits], axis=1)
    owner = np.insert(found.owner, split.parent[split.place[split.first]],
                      found.pattern.shape[1] + zeros.unit[split.first])
    return split, bits, _Found(split.t, pattern, owner)


class _Split(NamedTuple):
    """The pieces between old and new breakpoints."""

    t: Array         # (k'+1,) old and new breakpoints
    parent: Indices  # (k',) the old piece that contains each new piece
    place: Indices   # (c,) index in t of the breakpoint of each zero, and of the piece it starts
    inside: Indices  # (c',) the zeros inside old pieces, in order along the segment
    first: Indices   # (g,) the first of them at each new breakpoint


def _split(t: Array, zeros: _Zeros, limit: int) -> _Split:
    """Step 2.  A zero within TOLERANCE of a breakpoint is put there."""
    right = np.searchsorted(t, zeros.at).clip(1, len(t) - 1)
    early, late = zeros.at - t[right - 1] <= TOLERANCE, t[right] - zeros.at <= TOLERANCE
    at = np.where(early, t[right - 1], np.where(late, t[right], zeros.at))
    order = np.lexsort((zeros.unit, at))
    inside = order[~(early | late)[order]]
    first = inside[np.diff(at[inside], prepend=-1.0) > TOLERANCE]
    check_piece_count(len(t) - 1 + len(first), limit)
    cut = right[first] - 1
    split = np.insert(t, cut + 1, at[first])
    parent = np.insert(np.arange(len(t) - 1), cut, cut)
    return _Split(split, parent, np.searchsorted(split, at, side="right") - 1, inside, first)


def _scan(split: _Split, zeros: _Zeros) -> Bits:
    """Step 3.  (k', m) the layer's bits on every new piece: one running exclusive or.

    Consecutive rows differ in the units that switch at the breakpoint between them.
    """
    flips = np.zeros((len(split.t), len(zeros.start)), np.bool_)
    flips[0] = zeros.start
    np.logical_xor.at(flips, (split.place, zeros.unit), True)
    return unpack(np.bitwise_xor.accumulate(pack(flips[:-1]), axis=0), len(zeros.start))


# ------------------------------------------------- along a segment of encoded inputs


def regions_on_encoded_segment(
    net: MLP, encoding: Sinusoids | Coordinates, a: ArrayLike, b: ArrayLike,
    *, max_regions: int = MAX_REGIONS
) -> EncodedPieces | Pieces:
    """The pieces of t -> f(encoding(a + t (b - a))) between two points of unit coordinates, (d,).

    Exact for every sinusoidal encoding; Coordinates only scale the segment, and give Pieces.
    ValueError if a equals b, the encoding does not fit the net, the segment is longer than
    MAX_CELLS / 8 of the shortest wavelength, or there are more than max_regions pieces.
    """
    net = cast(check_net(net), np.dtype(np.float64))
    check_kind("encoding", encoding, Sinusoids, Coordinates)
    a, b = check_ends(a, b, None, "unit coordinates")
    check_columns(net, encoding.columns(len(a)), len(a))
    limit = check_count("max_regions", max_regions, 1)
    if isinstance(encoding, Coordinates):
        ends = encoding(np.stack([a, b]))
        return regions_on_segment(net, ends[0], ends[1], max_regions=limit)
    nu, columns = _waves(encoding.frequencies_in(len(a)), a, b)
    check_wave_count(nu.max(initial=0), MAX_CELLS // 8)
    return _encoded_pieces(net, nu, columns, limit)


def _encoded_pieces(net: MLP, nu: Array, columns: Array, limit: int) -> EncodedPieces:
    """The pieces of net on inputs with the coefficients columns, (K, D)."""
    found, tolerance = _NONE, 2 * TOLERANCE
    uncertified: list[tuple[Array, Indices]] = [(np.zeros((0, 2)), np.zeros(0, np.intp))]
    z, parent, bits = columns[None], np.zeros(1, np.intp), np.ones((1, columns.shape[1]), np.bool_)
    size: Array = np.ones((1, columns.shape[1]))
    error = TOLERANCE * (size + np.abs(_derivative(columns.T, nu)).sum(axis=1))  # t is rounded too
    for W, bias in zip(net.weights[:-1], net.biases[:-1], strict=True):
        _, error = _rounding(W, bias, bits * size[parent], bits * error[parent])
        z = _chain_waves(z, parent, bits, W, bias)
        layer = _bounded(found.t, z, nu, error)
        cells = _isolate(layer)
        runs = _runs(layer, cells)
        zeros, width = _zeros(layer, cells, runs)
        units = found.pattern.shape[1] + cells.unit[runs.first[runs.open]]
        uncertified.append((_open_intervals(layer, cells, runs), units))
        split, bits, found = _refine(found, zeros, limit)
        size, parent, tolerance = layer.size, split.parent, max(tolerance, width)
    z = _chain_waves(z, parent, bits, net.weights[-1], net.biases[-1])
    intervals, of_units = (np.concatenate(parts) for parts in zip(*uncertified, strict=True))
    return EncodedPieces(found.t, found.pattern, nu, z.swapaxes(1, 2), found.owner, tolerance,
                         intervals, of_units)


def _waves(frequencies: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """nu (q,) > 0, the distinct frequencies along the line, and the encoding's columns, (K, D).

    Wave i is sin and cos of 2 pi (rate_i t + phase_i), by the addition theorem a combination
    of sin and cos of 2 pi |rate_i| t.  Rates and phases are computed in fractions, reduced by
    whole turns and then rounded once, so they are as exact far from the origin as near it.
    """
    start, stop = ([sum(Fraction(f) * Fraction(x) for f, x in zip(wave, point, strict=True))
                    for wave in frequencies.tolist()] for point in (a.tolist(), b.tolist()))
    rate = np.array([float(end - turn) for turn, end in zip(start, stop, strict=True)])
    phase = 2 * np.pi * np.array([float(turn - round(turn)) for turn in start])
    nu = np.unique(np.abs(np.append(rate, 0)))
    cosine = 2 * np.searchsorted(nu, np.abs(rate))  # the sine is one row above it
    sine_of, cosine_of = np.arange(2 * len(rate)).reshape(-1, 2).T
    columns = np.zeros((2 * len(nu) - 1, 2 * len(rate)))
    columns[cosine - 1, sine_of] = np.sign(rate) * np.cos(phase)  # 0, in the last row, for rate 0
    columns[cosine - 1, cosine_of] = -np.sign(rate) * np.sin(phase)
    columns[cosine, sine_of], columns[cosine, cosine_of] = np.sin(phase), np.cos(phase)
    return nu[1:], columns


def _basis(t: Array, nu: Array) -> Array:
    """(n, K): 1, sin(2 pi nu_1 t), cos(2 pi nu_1 t), ...; whole turns are removed exactly."""
    turns = t[:, None] * nu
    angle = 2 * np.pi * (turns - np.round(turns))
    basis = np.ones((len(t), 2 * len(nu) + 1))
    basis[:, 1::2], basis[:, 2::2] = np.sin(angle), np.cos(angle)
    return basis


def _derivative(c: Array, nu: Array) -> Array:
    """The coefficients of p' from those of p on the last axis: sin -> w cos, cos -> -w sin.

    This map is antisymmetric: of the values of the basis it makes minus those of its derivatives.
    """
    d, w = np.zeros_like(c), 2 * np.pi * nu
    d[..., 1::2], d[..., 2::2] = -w * c[..., 2::2], w * c[..., 1::2]
    return d


class _Layer(NamedTuple):
    """A layer's pre-activations p on all pieces, and bounds; wave i of p has amplitude rho_i."""

    t: Array       # (k+1,)
    z: Array       # (k, K, m) coefficients
    nu: Array      # (q,)
    second: Array  # (k, m) bound on |p''|: sum_i w_i^2 rho_i
    third: Array   # (k, m) bound on |p'''|: sum_i w_i^3 rho_i
    size: Array    # (k, m) bound on |p|
    error: Array   # (k, m) bound on the rounding error of p


def _bounded(t: Array, z: Array, nu: Array, error: Array) -> _Layer:
    """The bounds.  max + (sqrt(2) - 1) min is at most 8 % above hypot, and three times as fast."""
    w = 2 * np.pi * nu
    sums, powers = np.empty((3, len(z), z.shape[2])), np.stack([w**2, w**3, w**0])
    for rows in row_blocks(len(z), BLOCK):
        sine, cosine = np.abs(z[rows, 1::2]), np.abs(z[rows, 2::2])
        rho = (np.sqrt(2) - 1) * np.minimum(sine, cosine)
        rho += np.maximum(sine, cosine)
        sums[:, rows] = np.moveaxis(powers @ rho, 1, 0)
    size = np.abs(z[:, 0]) + sums[2]
    check_visible(size, SMALLEST)
    return _Layer(t, z, nu, sums[0], sums[1], size, error)


def _value(layer: _Layer, piece: Indices, unit: Indices, at: Array) -> Array:
    """(n,): p(at), each for one unit on one piece."""
    return np.asarray(np.vecdot(_basis(at, layer.nu), layer.z[piece, :, unit]))


def _slope(layer: _Layer, piece: Indices, unit: Indices, at: Array) -> Array:
    """(n,): p'(at)."""
    slopes = _derivative(_basis(at, layer.nu), layer.nu)  # minus those of the basis
    return np.asarray(-np.vecdot(slopes, layer.z[piece, :, unit]))


class _Cells(NamedTuple):
    """Cells of t, each for one unit that may have zeros there."""

    piece: Indices
    unit: Indices
    low: Array
    high: Array
    error: Array  # of the unit on the piece
    trend: Array  # 1 where the unit rises, -1 where it falls, 0 where it is near 0 (open)


def _pick(cells: _Cells, which: NDArray[Any]) -> _Cells:
    return _Cells(*(part[which] for part in cells))


def _isolate(layer: _Layer) -> _Cells:
    """Step 1a.  All cells in which units may have zeros, unit by unit, along t.

    On a cell with midpoint m and half width r, where |p''| <= B and the error of p is at most e,

        p has no zero      if |p(m)| > |p'(m)| r + B r^2 / 2 + e
        p is monotone      if |p'(m)| > B r + e w_max
        the cell is open   if |p(m)| + |p'(m)| r + B r^2 / 2 <= 4 e

    and otherwise it is halved.  B is the smaller of sum_i w_i^2 rho_i and
    |p''(m)| + r sum_i w_i^3 rho_i.  One of the three holds when the terms in r are below
    3 e / 2, so no cell becomes narrower than rounding can resolve.
    """
    w_max = 2 * np.pi * layer.nu.max(initial=0)
    kept = [_Cells(*np.zeros((6, 0), np.intp))]
    for cells in _screen(layer):
        while len(cells.piece):
            piece, unit, low, high, e, _ = cells
            middle, r = (low + high) / 2, (high - low) / 2
            basis, c = _basis(middle, layer.nu), layer.z[piece, :, unit]
            d = _derivative(c, layer.nu)
            p, p1, p2 = (np.vecdot(basis, x) for x in (c, d, _derivative(d, layer.nu)))
            B = np.minimum(layer.second[piece, unit], np.abs(p2) + layer.third[piece, unit] * r)
            change = np.abs(p1) * r + B * r**2 / 2
            maybe = np.abs(p) <= change + e
            monotone = np.abs(p1) > B * r + e * w_max
            done = maybe & (monotone | (np.abs(p) + change <= 4 * e))
            kept.append(_pick(cells._replace(trend=np.where(monotone, np.sign(p1), 0.0)), done))
            halve = maybe & ~done
            left, middle = _pick(cells, halve), middle[halve]
            cells = _Cells(*(np.concatenate(parts) for parts in zip(
                left._replace(high=middle), left._replace(low=middle), strict=True)))
    cells = _Cells(*(np.concatenate(parts) for parts in zip(*kept, strict=True)))
    return _pick(cells, np.lexsort((cells.low, cells.unit)))


def _screen(layer: _Layer) -> Iterator[_Cells]:
    """The cells that the first test of _isolate does not exclude, with B = sum_i w_i^2 rho_i.

    Cells are pieces, cut so that none is longer than an eighth of the shortest wavelength.
    """
    t, z, nu = layer.t, layer.z, layer.nu
    parts = np.maximum(1, np.ceil(8 * np.diff(t) * nu.max(initial=0))).astype(np.intp)
    ends, piece = np.append(0, np.cumsum(parts)), np.repeat(np.arange(len(parts)), parts)
    places = np.interp(np.arange(len(piece) + 1), ends, t)
    low, high = places[:-1], places[1:]
    for rows in row_blocks(len(piece), max(1, 2**21 // max(1, z.shape[1] * z.shape[2]))):
        of, r = piece[rows], (high[rows] - low[rows])[:, None] / 2
        basis = _basis((low[rows] + high[rows]) / 2, nu)
        both = np.stack([basis, _derivative(basis, nu)], axis=1)
        p, p1 = np.abs(np.matmul(both, z[of])).swapaxes(0, 1)  # |p|, |p'| at the midpoints
        e = layer.error[of]
        maybe = p <= p1 * r + layer.second[of] * r**2 / 2 + e
        maybe &= e > 0  # e = 0: all terms are 0, and the unit is off everywhere
        cell, unit = np.nonzero(maybe)
        yield _Cells(of[cell], unit, low[rows][cell], high[rows][cell], e[cell, unit],
                     np.zeros(len(cell)))


class _Runs(NamedTuple):
    """Adjacent cells first .. last of a unit, between places where its sign is certain."""

    first: Indices
    last: Indices
    before: Bits  # whether the unit is on before the run
    after: Bits
    open: Bits    # whether the run has an open cell
    at_low: Array   # (n,) p at the low end of every cell
    at_high: Array  # (n,)


def _runs(layer: _Layer, cells: _Cells) -> _Runs:
    """Step 1b.  A sign is certain where |p| exceeds its error, on both pieces at a breakpoint.

    Cells that meet where the sign is not certain belong to one run, and so do open cells that
    meet.  In a run of rising cells, or of falling cells, the unit has one zero or none,
    according to its signs before and after.  Cells of both kinds meet only at a kink, and zeros
    on its two sides are closer than zeros can be located: the same rule holds.  With an open
    cell, the signs before and after decide only whether the number of zeros is odd.
    """
    piece, unit, low, high, e, trend = cells
    at_low, at_high = _value(layer, piece, unit, low), _value(layer, piece, unit, high)
    sure = np.minimum(at_high[:-1] - e[:-1], at_low[1:] - e[1:]) > 0
    sure |= np.maximum(at_high[:-1] + e[:-1], at_low[1:] + e[1:]) < 0
    joined = (unit[:-1] == unit[1:]) & (high[:-1] == low[1:])
    joined &= ~sure | ((trend[:-1] == 0) & (trend[1:] == 0))
    first = np.flatnonzero(np.append(True, ~joined)[: len(e)])
    last = np.append(first[1:], len(e))[: len(first)] - 1

    before, begins = _sign_beyond(layer, unit[first], low[first], "left")
    after, ends = _sign_beyond(layer, unit[last], high[last], "right")
    before[begins], after[ends] = after[begins], before[ends]
    same = unit[first[1:]] == unit[first[:-1]]
    assert (before[1:] == after[:-1])[same].all(), "a sign changed where the bounds exclude it"
    is_open = np.maximum.reduceat(trend == 0, first)
    return _Runs(first, last, before, after, is_open, at_low, at_high)


def _sign_beyond(
    layer: _Layer, unit: Indices, at: Array, side: Literal["left", "right"]
) -> tuple[Bits, Bits]:
    """Whether units are on at the ends of their runs, on the piece beyond; and if that is unknown.

    It is known but at the ends of the segment: a cell beyond would belong to the run.
    """
    piece = (np.searchsorted(layer.t, at, side) - 1).clip(0, len(layer.z) - 1)
    p, e = _value(layer, piece, unit, at), layer.error[piece, unit]
    return p > 0, (np.abs(p) <= e) & (e > 0)  # e = 0: off


def _zeros(layer: _Layer, cells: _Cells, runs: _Runs) -> tuple[_Zeros, float]:
    """Step 1c.  One zero for every run with different signs before and after.

    It lies in the first cell that ends with the later sign.  Also returned: zeros closer than
    this may be in the wrong order.
    """
    switches = runs.before != runs.after
    run = np.repeat(np.arange(len(runs.first)), runs.last - runs.first + 1)  # of every cell
    number = np.arange(len(run))
    turned = np.where((runs.at_high > 0) == runs.after[run], number, len(number))
    of = np.minimum(np.minimum.reduceat(turned, runs.first), runs.last)
    early, late = (runs.at_low[of] > 0) == runs.after, (runs.at_high[of] > 0) != runs.after
    at = np.where(early, cells.low[of], cells.high[of])
    inside = switches & ~early & ~late
    at[inside] = _solve(layer, _pick(cells, of[inside]), np.zeros(len(at))[inside])
    width = _width(layer, cells, runs, run, at)

    start = (_basis(layer.t[:1], layer.nu) @ layer.z[0])[0] > 0
    unit = cells.unit[runs.first]
    start[unit[::-1]] = runs.before[::-1]  # that of the unit's first run is assigned last
    return _Zeros(start, unit[switches], at[switches]), width


def _width(layer: _Layer, cells: _Cells, runs: _Runs, run: Indices, at: Array) -> float:
    """Two zeros closer than this may be in the wrong order; without open runs, the uncertified.

    The error of a zero is at most 2 e / |p'|, with the smallest |p'| in the cells of its run, at
    the point nearest to it: where |p| <= e, curvature can at most halve |p'|.
    """
    ends = np.where(np.abs(runs.at_low) < np.abs(runs.at_high), cells.low, cells.high)
    switches = (runs.before != runs.after)[run]
    nearest = np.where(switches, np.clip(at[run], cells.low, cells.high), ends)
    weak = np.minimum(np.abs(runs.at_low), np.abs(runs.at_high)) <= cells.error
    which = (switches | weak) & ~runs.open[run]
    slope = _slope(layer, cells.piece[which], cells.unit[which], nearest[which])
    with np.errstate(divide="ignore", over="ignore"):
        width = 4 * cells.error[which] / np.abs(slope)
    return min(1.0, float(width.max(initial=0)))


def _solve(layer: _Layer, cells: _Cells, target: Array) -> Array:
    """Where p equals target in each cell; target lies between the values of p at the ends."""
    piece, unit, low, high, e, _ = cells
    c = layer.z[piece, :, unit]
    d, noise = _derivative(c, layer.nu), EPSILON / TOLERANCE * e
    rises = _value(layer, piece, unit, high) > target
    at = (low + high) / 2
    for _ in range(60):  # Newton steps; bisection where a step leaves the bracket
        basis = _basis(at, layer.nu)
        p, slope = np.vecdot(basis, c) - target, np.vecdot(basis, d)
        above = (p > 0) == rises
        low, high = np.where(above, low, at), np.where(above, at, high)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = at - p / slope
            best = np.where((step >= low) & (step <= high), step, (low + high) / 2)
            if (np.abs(best - at) <= EPSILON + noise / np.abs(slope)).all():
                break  # the error of p is now larger than the distance
        at = best
    return at


def _open_intervals(layer: _Layer, cells: _Cells, runs: _Runs) -> Array:
    """(u, 2) the runs with an open cell, cut to |p| <= 2 e in their first and last cells."""
    first, last = runs.first[runs.open], runs.last[runs.open]
    interval = np.stack([cells.low[first], cells.high[last]], axis=1)
    for column, (of, p) in enumerate(((first, runs.at_low[first]), (last, runs.at_high[last]))):
        ends = _pick(cells, of)
        cut = (ends.trend != 0) & (np.abs(p) > 2 * ends.error)
        target = 2 * ends.error * np.sign(p)
        interval[cut, column] = _solve(layer, _pick(ends, cut), target[cut])
    return interval


def _chain_waves(z: Array, parent: Indices, bits: Bits, W: Array, bias: Array) -> Array:
    """Step 4.  (k', K, m') coefficients of W max(z, 0) + bias on new pieces, from z, (k, K, m)."""
    shape = (len(parent), z.shape[1], len(bias))
    check_size("the coefficients of a layer on its pieces", shape, "Shorten the segment.")
    chained = np.empty(shape)
    for rows in row_blocks(len(parent), BLOCK):
        h = z.take(parent[rows], axis=0)
        h *= bits[rows, None, :]
        chained[rows] = rows_times(h, W.T)
    chained[:, 0] += bias
    return chained


def evaluate(pieces: Pieces | EncodedPieces, t: ArrayLike) -> Array:
    """(n, m[L]): f at the places t, (n,), in [0, 1], from the piece that contains each."""
    check_kind("pieces", pieces, Pieces, EncodedPieces)
    t = as_real("t", t, (None,), "places on the segment, from 0 to 1", 0, 1).astype(np.float64)
    piece = np.clip(np.searchsorted(pieces.t, t, side="right") - 1, 0, len(pieces) - 1)
    if isinstance(pieces, Pieces):
        return np.asarray(pieces.offset[piece] + pieces.slope[piece] * t[:, None])
    return np.asarray(np.vecdot(pieces.coefficients[piece], _basis(t, pieces.frequencies)[:, None]))
