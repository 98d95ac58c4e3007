"""Exact linear regions along a segment, and along a segment of encoded inputs.

Along x(t) = a + t (b - a), 0 <= t <= 1, a ReLU network is piecewise affine in t, and fed
by sinusoids of x it is piecewise a sum of sinusoids in t.  Its pieces are the intervals
of constant activation pattern.  Both enumerations go layer by layer: on every piece that
the layers before have made, each pre-activation of the next layer is one affine (or
trigonometric) function of t, whose zeros cut the piece.

    1. cut     the zeros of all units on all pieces, at once
    2. split   sort them along the segment; zeros within TOLERANCE become one breakpoint
    3. scan    the bits at the start of a piece, then one flip per zero: a running exclusive
               or gives the layer's pattern on every new piece, and no sign is ever
               computed next to a zero
    4. chain   the coefficients of the next layer's pre-activations on the new pieces

An affine function has its zero inside a piece if and only if the bits just after the
start and just before the end differ; a value at an end that rounding cannot tell from 0
counts as 0, and the bit there is that of the other end.  Zeros of trigonometric
functions are isolated by bounds on derivatives (see _isolate), and count where the sign
changes (see _confirm); an interval in which a zero can be neither confirmed nor excluded is
reported in uncertified, and the bits on either side of it are those of the function there.

    k   pieces         v = k + 1 breakpoints, both ends of the segment included
    K   coefficients of a trigonometric function: 1, sin(2 pi nu_1 t), cos(2 pi nu_1 t), ...
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import (
    Array, Bits, Indices, Undecided, as_real, check_count, check_kind, check_net, check_size,
    row_blocks,
)
from relu_dynamics.encoding import Coordinates, Sinusoids
from relu_dynamics.geometry import TOLERANCE
from relu_dynamics.mlp import MLP
from relu_dynamics.patterns import pack, rows_times, unpack

MAX_REGIONS = 2**21
INSIDE = np.array([0.3, 0.5, 0.7])  # shares of an interval at which a sign is looked at
MAX_CELLS = 2**24      # of t, an eighth of the shortest wave each
NARROWEST = 2.0**-46  # cells of t are not halved below this
MAX_OPEN = 2**25      # coefficients of cells under examination; halving makes more only where a function is as good as 0
SMALLEST = 1e-200     # the bounds of a function of this size do not underflow
BLOCK = 256           # pieces at a time: their coefficients stay in cache
EPSILON = float(np.finfo(np.float64).eps)


class Pieces(NamedTuple):
    """The pieces of a network along a segment, in order: x = a + t (b - a), f = offset + slope t."""

    t: Array         # (k+1,) from 0 to 1, increasing
    pattern: Bits    # (k, H); neighbours differ
    slope: Array     # (k, m[L]) df/dt
    offset: Array    # (k, m[L])
    owner: Indices   # (k-1,) a hidden unit that switches at each inner breakpoint, the first if several do
    tolerance: float  # in t: pieces narrower than this may have been merged or misplaced


class EncodedPieces(NamedTuple):
    """The pieces along a segment of encoded inputs: f = coefficients . (1, sin 2 pi nu_1 t, cos 2 pi nu_1 t, ...)."""

    t: Array             # (k+1,)
    pattern: Bits        # (k, H)
    frequencies: Array   # (q,) the nu, in cycles per unit of t, positive and increasing
    coefficients: Array  # (k, m[L], K), K = 2 q + 1
    owner: Indices       # (k-1,)
    tolerance: float     # in t: zeros closer than this were taken for one
    uncertified: Array   # (u, 2) intervals of t in which a zero could be neither confirmed nor excluded
    uncertified_unit: Indices  # (u,) and the hidden unit in question


# ----------------------------------------------------------- along a segment


def regions_on_segment(net: MLP, a: ArrayLike, b: ArrayLike, *, max_regions: int = MAX_REGIONS) -> Pieces:
    """The pieces of net on the segment from a to b, both (m[0],) (T2, T38).

    ValueError if a equals b or there are more than max_regions pieces.

    >>> pieces = regions_on_segment(hat, [-1.0], [3.0])
    >>> pieces.t.tolist(), pieces.slope.ravel().tolist()  # in t, with x = -1 + 4 t
    ([0.0, 0.25, 0.5, 1.0], [0.0, 4.0, -4.0])
    """
    net = check_net(net)
    a, b = _check_ends(a, b, net.weights[0].shape[1], "as many coordinates as the net has inputs")
    W1 = net.weights[0].astype(np.float64, copy=False)
    line = MLP((W1 @ (b - a)[:, None], *net.weights[1:]), (W1 @ a + net.biases[0], *net.biases[1:]))  # of t alone
    limit = check_count("max_regions", max_regions, 1)

    t: Array = np.array([0.0, 1.0])
    owner: Indices = np.zeros(0, np.intp)
    tolerance, units = TOLERANCE, 0
    h, rate = t[:, None], line.weights[0]  # (v, m[l-1]) the layer's inputs, never negative; (m[l], k) slopes of its pre-activations
    at_start = h[:1]                       # its inputs at t = 0
    layers: list[tuple[Indices, Bits]] = []
    for l, (W, bias) in enumerate(zip(line.weights[:-1], line.biases[:-1], strict=True)):
        z = h @ W.T + bias
        # the sums that make z are at most |W_u| |h| + |b_u|, and their rounding in proportion
        scale = np.sqrt(np.vecdot(W, W)) * np.linalg.norm(h.max(axis=0)) + np.abs(bias)
        start, end, piece, unit, at, share, narrow = _cut(t, z, rate, scale)
        split = _split(t, piece, unit, at, limit)
        tolerance = max(tolerance, narrow)
        bits = _scan(split, start, end)
        layers.append((split.parent, bits))

        owner = _insert_owner(split, owner, units)
        rate = _chain_rates(split, rate, start, bits, line.weights[l + 1])
        t, units, at_start = split.t, units + len(bias), np.maximum(z[:1], 0)
        if l < len(line.weights) - 2:  # another hidden layer needs its inputs at the breakpoints
            h = _relu_at_breakpoints(split, z, piece, share)
    slope = np.ascontiguousarray(rate.T)
    bends = np.diff(slope, axis=0, prepend=slope[:1]) * t[:-1, None]
    offset = at_start @ line.weights[-1].T + line.biases[-1] - np.cumsum(bends, axis=0)  # f is continuous
    return Pieces(t, _patterns(layers, len(t) - 1), slope, offset, owner, tolerance)


def _relu_at_breakpoints(split: _Split, z: Array, piece: Indices, share: Array) -> Array:
    """(v', m) max(z, 0) at old and new breakpoints; at the new ones z is interpolated, and 0 exactly for the units that switch."""
    left = z.take(piece[split.first], axis=0)
    new = z.take(piece[split.first] + 1, axis=0)
    new -= left
    new *= share[split.first, None]
    new += left
    new[split.group, split.unit] = 0
    rows = _insert(split, z, new)
    return np.asarray(np.maximum(rows, 0, out=rows))


def _cut(t: Array, z: Array, rate: Array, scale: Array) -> tuple[Bits, Bits, Indices, Indices, Array, Array, float]:
    """Step 1.  (k, m) bits just after the start and just before the end of every piece; where they differ, the zero:
    piece, unit, place and share of the piece; and how narrow a piece may have been overlooked.

    z, (v, m), at a breakpoint counts as 0 where it may be rounding; the piece then has the sign of its other
    end.  A zero within TOLERANCE of a breakpoint is left to that breakpoint.
    """
    doubt = TOLERANCE * scale
    on, off = z > doubt, z < -doubt
    start, end = on[:-1] | (on[1:] & ~off[:-1]), on[1:] | (on[:-1] & ~off[1:])
    piece, unit = np.divmod(np.flatnonzero(start ^ end), max(1, z.shape[1]))
    share = z[piece, unit] / (z[piece, unit] - z[piece + 1, unit])
    at = t[piece] + share * (t[piece + 1] - t[piece])
    early, late = at - t[piece] <= TOLERANCE, t[piece + 1] - at <= TOLERANCE
    start[piece[early], unit[early]] ^= True
    end[piece[late & ~early], unit[late & ~early]] ^= True

    # a wall may be off by TOLERANCE in z, hence by that over its slope; so where z was taken for 0, on both sides
    vertex, by = np.divmod(np.flatnonzero(~(on | off)), max(1, z.shape[1]))
    vertex, by = vertex[z[vertex, by] != 0], by[z[vertex, by] != 0]
    beside = [piece, np.maximum(vertex - 1, 0), np.minimum(vertex, len(t) - 2)]
    walls = np.concatenate([unit, by, by])
    with np.errstate(divide="ignore"):
        width = 2 * TOLERANCE * (scale[walls] / np.abs(rate[walls, np.concatenate(beside)]) + 1)
    width = np.minimum(width, np.diff(t)[np.concatenate(beside)])
    inside = ~early & ~late
    return start, end, piece[inside], unit[inside], at[inside], share[inside], float(width.max(initial=0))


def _chain_rates(split: _Split, rate: Array, start: Bits, bits: Bits, W: Array) -> Array:
    """Step 4.  (m', k') slopes of W max(z, 0) on the new pieces, from rate, (m, k), those of z on the old ones.

    On the first part of each old piece by one product; from there a unit that switches on or
    off adds or takes away its own slope times its column of W, which costs no product.
    """
    base = W @ (rate * np.ascontiguousarray(start.T))
    if len(split.unit) == 0:
        return np.asarray(base.take(split.parent, axis=1))
    at = split.place[split.group]
    switched = np.where(bits[at, split.unit], 1.0, -1.0) * rate[split.unit, split.parent[at]]
    of, jump = np.zeros(len(split.parent), np.intp), np.zeros(len(split.parent))
    of[split.place], jump[split.place] = split.unit[split.first_sorted], switched[split.first_sorted]
    steps = W.take(of, axis=1)
    steps *= jump
    more = np.setdiff1d(np.arange(len(at)), split.first_sorted, assume_unique=True)  # where several zeros are one breakpoint
    np.add.at(steps.T, at[more], (W.take(split.unit[more], axis=1) * switched[more]).T)
    np.cumsum(steps, axis=1, out=steps)
    base -= steps[:, np.searchsorted(split.parent, np.arange(base.shape[1]))]
    steps += base.take(split.parent, axis=1)
    return steps


# ------------------------------------------------- splitting and scanning, shared


class _Split(NamedTuple):
    """Zeros sorted along the segment and grouped into breakpoints; the pieces they make."""

    t: Array              # (k'+1,) old and new breakpoints
    parent: Indices       # (k',) the piece each new piece is part of
    place: Indices        # (g,) position of each new breakpoint in t, which is also the piece it starts
    unit: Indices         # (c,) the unit of each zero, sorted
    group: Indices        # (c,) which new breakpoint it belongs to
    first: Indices        # (g,) the first zero of each new breakpoint, as an index into the zeros as given
    first_sorted: Indices  # (g,) and as an index into the sorted ones


def _split(t: Array, piece: Indices, unit: Indices, at: Array, max_regions: int) -> _Split:
    """Step 2.  Cut the pieces between the breakpoints t by zeros of units at the given places inside them."""
    order = np.lexsort((unit, at, piece))
    piece, unit, at = piece[order], unit[order], at[order]
    new = np.ones(len(at), np.bool_)
    new[1:] = (np.diff(piece) > 0) | (np.diff(at) > TOLERANCE)
    first = np.flatnonzero(new)
    if len(t) - 1 + len(first) > max_regions:
        raise ValueError(f"there are at least {len(t) - 1 + len(first)} pieces, more than max_regions = {max_regions}. "
                         "Shorten the segment, or allow more.")
    place = piece[first] + 1 + np.arange(len(first))
    parent = np.repeat(np.arange(len(t) - 1), 1 + np.bincount(piece[first], minlength=len(t) - 1))
    split = np.empty(len(t) + len(first))
    split[place] = at[first]
    result = _Split(split, parent, place, unit, np.cumsum(new) - 1, order[first], first)
    split[_old(result)] = t
    return result


def _insert(split: _Split, old: Array, new: Array) -> Array:
    """Rows for all breakpoints from those of the old ones and of the new ones."""
    rows = np.empty((len(split.t), old.shape[1]))
    rows[_old(split)], rows[split.place] = old, new
    return rows


def _insert_owner(split: _Split, owner: Indices, units: int) -> Indices:
    """(k'-1,) the owner of every inner breakpoint; units counts those of the layers before."""
    owners = np.full(len(split.t), -1, np.intp)
    owners[_old(split)[1:-1]], owners[split.place] = owner, units + split.unit[split.first_sorted]
    return owners[1:-1]


def _old(split: _Split) -> Indices:
    """Where the old breakpoints stand among all."""
    return np.setdiff1d(np.arange(len(split.t)), split.place, assume_unique=True)


def _scan(split: _Split, start: Bits, end: Bits) -> Bits:
    """Step 3.  (k', m) the layer's bits on every new piece, from those at the two ends of the old ones.

    Consecutive rows differ by the units that switch between them, or from the end of one
    old piece to the start of the next, so one running exclusive or serves all pieces.
    """
    flips = np.zeros((len(split.parent), start.shape[1]), np.bool_)
    flips[split.place[split.group], split.unit] = True
    first = np.flatnonzero(np.diff(split.parent, prepend=-1))
    flips[first] = start
    flips[first[1:]] ^= end[:-1]
    return unpack(np.bitwise_xor.accumulate(pack(flips), axis=0), start.shape[1])


def _patterns(layers: list[tuple[Indices, Bits]], k: int) -> Bits:
    """(k, H) from each layer's bits, walking up from the last pieces through the pieces they are part of."""
    columns: list[Bits] = []
    piece = np.arange(k)
    for parent, bits in reversed(layers):
        columns.insert(0, bits[piece])
        piece = parent[piece]
    return np.concatenate([np.zeros((k, 0), np.bool_), *columns], axis=1)


# ------------------------------------------------- along a segment of encoded inputs


def regions_on_encoded_segment(
    net: MLP, encoding: Sinusoids | Coordinates, a: ArrayLike, b: ArrayLike, *, max_regions: int = MAX_REGIONS
) -> EncodedPieces | Pieces:
    """The pieces of t -> f(encoding(a + t (b - a))) between two points of unit coordinates, both (d,).

    Exact for every sinusoidal encoding; coordinates only stretch the segment, and give Pieces.
    ValueError if a equals b, the encoding does not fit the net, or there are more than max_regions pieces.
    Undecided if a unit is as good as 0, but not exactly, on whole stretches.
    """
    net = check_net(net)
    if not isinstance(encoding, (Sinusoids, Coordinates)):
        raise ValueError(f"encoding must be Coordinates or a sinusoidal encoding. Got {encoding!r}.")
    a, b = _check_ends(a, b, None, "unit coordinates")
    if encoding.columns(len(a)) != net.weights[0].shape[1]:
        raise ValueError(f"encoding makes {encoding.columns(len(a))} columns of {len(a)} coordinates, "
                         f"but the net has {net.weights[0].shape[1]} inputs.")
    if isinstance(encoding, Coordinates):
        ends = encoding(np.stack([a, b]))
        return regions_on_segment(net, ends[0], ends[1], max_regions=max_regions)
    limit = check_count("max_regions", max_regions, 1)

    nu, features = _waves(encoding.frequencies_in(len(a)), a, b - a)
    t: Array = np.array([0.0, 1.0])
    owner: Indices = np.zeros(0, np.intp)
    units = 0
    z = _chain_waves(features[None], np.zeros(1, np.intp), np.ones((1, features.shape[1]), np.bool_), net.weights[0], net.biases[0])
    layers: list[tuple[Indices, Bits]] = []
    doubts: list[tuple[Array, Indices]] = []
    for W, bias in zip(net.weights[1:], net.biases[1:], strict=True):  # z are the pre-activations of the layer before
        piece, unit, at, open_cells, open_unit = _isolate(t, z, nu)
        doubts.append((open_cells, units + open_unit))
        piece, unit, at, start, end = _confirm(t, z, nu, piece, unit, at)
        split = _split(t, piece, unit, at, limit)
        bits = _scan(split, start, end)
        layers.append((split.parent, bits))
        owner = _insert_owner(split, owner, units)
        t, units = split.t, units + z.shape[2]
        z = _chain_waves(z, split.parent, bits, W, bias)
    return EncodedPieces(t, _patterns(layers, len(t) - 1), nu, z.swapaxes(1, 2), owner, TOLERANCE,
                         np.concatenate([np.zeros((0, 2)), *(cells for cells, _ in doubts)]),
                         np.concatenate([np.zeros(0, np.intp), *(unit for _, unit in doubts)]))


def _chain_waves(z: Array, parent: Indices, bits: Bits, W: Array, bias: Array) -> Array:
    """Step 4.  (k', K, m') coefficients of W max(z, 0) + bias on the new pieces, from z, (k, K, m), on the old ones."""
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
    """(n, m[L]): f at the places t, (n,), in [0, 1], from the piece that each lies in."""
    check_kind("pieces", pieces, Pieces, EncodedPieces)
    t = as_real("t", t, (None,), "places on the segment, from 0 to 1").astype(np.float64)
    if len(t) and not (t.min() >= 0 and t.max() <= 1):
        raise ValueError(f"t must lie in [0, 1]. Got values from {t.min()} to {t.max()}.")
    piece = np.clip(np.searchsorted(pieces.t, t, side="right") - 1, 0, len(pieces.t) - 2)
    if isinstance(pieces, Pieces):
        return np.asarray(pieces.offset[piece] + pieces.slope[piece] * t[:, None])
    return np.asarray(np.einsum("nmk,nk->nm", pieces.coefficients[piece], _basis(t, pieces.frequencies)))


def _waves(frequencies: Array, a: Array, direction: Array) -> tuple[Array, Array]:
    """nu (q,) > 0, the different frequencies along the line, and the encoding's columns as coefficients, (K, D).

    Wave i is sin and cos of 2 pi (rate_i t + phase_i), and by the addition theorem a
    combination of those of |rate_i| t.
    """
    rate, phase = frequencies @ direction, frequencies @ a
    phase = 2 * np.pi * (phase - np.round(phase))
    nu = np.unique(np.abs(rate[rate != 0]))
    columns = np.zeros((2 * len(nu) + 1, 2 * len(rate)))
    for i, (r, p) in enumerate(zip(rate, phase, strict=True)):
        if r == 0:
            columns[0, 2 * i], columns[0, 2 * i + 1] = np.sin(p), np.cos(p)
        else:
            sine = 1 + 2 * int(np.searchsorted(nu, abs(r)))
            columns[sine, 2 * i], columns[sine + 1, 2 * i] = np.sign(r) * np.cos(p), np.sin(p)
            columns[sine, 2 * i + 1], columns[sine + 1, 2 * i + 1] = -np.sign(r) * np.sin(p), np.cos(p)
    return nu, columns


def _basis(t: Array, nu: Array) -> Array:
    """(n, K): 1, sin(2 pi nu_1 t), cos(2 pi nu_1 t), ...; whole turns are taken off exactly first."""
    turns = t[:, None] * nu
    angle = 2 * np.pi * (turns - np.round(turns))
    basis = np.ones((len(t), 2 * len(nu) + 1))
    basis[:, 1::2], basis[:, 2::2] = np.sin(angle), np.cos(angle)
    return basis


def _derivative(c: Array, nu: Array) -> Array:
    """The coefficients of p' from those of p along the last axis: sin -> w cos, cos -> -w sin."""
    d = np.zeros_like(c)
    d[..., 1::2], d[..., 2::2] = -2 * np.pi * nu * c[..., 2::2], 2 * np.pi * nu * c[..., 1::2]
    return d


class _Candidates(NamedTuple):
    """Cells of t, each with a trigonometric function that may have zeros there."""

    piece: Indices
    unit: Indices
    low: Array
    high: Array


def _isolate(t: Array, z: Array, nu: Array) -> tuple[Indices, Indices, Array, Array, Indices]:
    """Step 1.  All zeros inside the pieces: (piece, unit, place), and what stayed open: cells (u, 2) and units.

    z is (k, K, m).  On a cell with midpoint m and half width r, with |p''| <= B and rounding e,

        p has no zero      if |p(m)| > |p'(m)| r + B r^2 / 2 + e
        p is monotone      if |p'(m)| > B r + e w_max, and then has a zero iff its signs at the ends differ;

    otherwise the cell is halved.  B is the smaller of sum_i w_i^2 rho_i and |p''(m)| + r sum_i w_i^3 rho_i,
    where rho_i is the amplitude of wave i, or a little more.
    """
    w = 2 * np.pi * nu
    second, third, total = _sums_of_amplitudes(z, w)
    size = np.abs(z[:, 0]) + np.sqrt(2) * total  # of a sum of all the terms
    if ((size > 0) & (size < SMALLEST)).any():
        raise ValueError(f"net must not be so small that pre-activations are below {SMALLEST:g}. Rescale its weights and biases.")
    rounding = (z.shape[1] + 3) * EPSILON * size
    none = np.zeros(0, np.intp)
    found: list[tuple[Indices, Indices, Array]] = [(none, none, np.zeros(0))]
    left_open = [_Candidates(none, none, np.zeros(0), np.zeros(0))]
    for active in _screen(t, z, nu, second, size, rounding):
        while len(active.piece):
            piece, unit, low, high = active
            c = z[piece, :, unit]
            middle, r = (low + high) / 2, (high - low) / 2
            basis = _basis(middle, nu)
            d = _derivative(c, nu)
            p, p1, p2 = (np.vecdot(basis, x) for x in (c, d, _derivative(d, nu)))
            e, M2 = rounding[piece, unit], second[piece, unit]
            B = np.minimum(M2, np.abs(p2) + third[piece, unit] * r)
            empty = np.abs(p) > np.abs(p1) * r + B * r**2 / 2 + e
            monotone = ~empty & (np.abs(p1) > B * r + e * w.max(initial=0))
            found.append(_zeros(_Candidates(*(part[monotone] for part in active)), t, c[monotone], d[monotone], nu, e[monotone]))
            rest = ~empty & ~monotone
            narrow = rest & (2 * r < NARROWEST)
            left_open.append(_Candidates(*(part[narrow] for part in active)))
            halve = rest & ~narrow
            if np.count_nonzero(halve) * z.shape[1] > MAX_OPEN:
                raise Undecided(f"{len(np.unique(unit[halve]))} units of a layer are within rounding errors of 0 on whole "
                                      "stretches of the segment. Perturb the network, or take another segment.")
            active = _Candidates(np.tile(piece[halve], 2), np.tile(unit[halve], 2),
                                 np.concatenate([low[halve], middle[halve]]), np.concatenate([middle[halve], high[halve]]))
    piece, unit, at = (np.concatenate(parts) for parts in zip(*found, strict=True))
    open_cells = _Candidates(*(np.concatenate(parts) for parts in zip(*left_open, strict=True)))
    return piece, unit, at, np.stack([open_cells.low, open_cells.high], axis=1), open_cells.unit


def _sums_of_amplitudes(z: Array, w: Array) -> Array:
    """(3, k, m): sum_i w_i^2 rho_i, sum_i w_i^3 rho_i and sum_i rho_i, rho_i the amplitude of wave i in z, (k, K, m).

    Up to 8 % more: in place of hypot(a, b) its bound max + (sqrt(2) - 1) min, which takes a third of the time.
    """
    sums, powers = np.empty((3, len(z), z.shape[2])), np.stack([w**2, w**3, w**0])
    for rows in row_blocks(len(z), BLOCK):
        sine, cosine = np.abs(z[rows, 1::2]), np.abs(z[rows, 2::2])
        rho = (np.sqrt(2) - 1) * np.minimum(sine, cosine)
        rho += np.maximum(sine, cosine)
        sums[:, rows] = np.moveaxis(powers @ rho, 1, 0)
    return sums


def _screen(t: Array, z: Array, nu: Array, second: Array, size: Array, rounding: Array) -> list[_Candidates]:
    """The (cell, unit) pairs that the first test of _isolate does not exclude, in blocks of cells.

    Cells are pieces, cut so that none is longer than an eighth of the shortest wave.
    """
    waves = np.maximum(1, np.ceil(8 * np.diff(t) * nu.max(initial=0)))
    if not waves.sum() <= MAX_CELLS:
        raise ValueError(f"the segment must not be longer than {MAX_CELLS // 8} of the encoding's shortest waves. "
                         f"Got {nu.max():.3g} of them: shorten it, or use lower frequencies.")
    parts = waves.astype(np.intp)
    piece = np.repeat(np.arange(len(parts)), parts)
    step = np.arange(len(piece)) - np.repeat(np.cumsum(parts) - parts, parts)
    width = (np.diff(t) / parts)[piece]
    low, high = t[piece] + step * width, np.where(step + 1 == parts[piece], t[piece + 1], t[piece] + (step + 1) * width)
    candidates = []
    block = max(1, 2**21 // max(1, z.shape[1] * z.shape[2]))
    for start in range(0, len(piece), block):
        cells = slice(start, start + block)
        of, r = piece[cells], (high[cells] - low[cells])[:, None] / 2
        basis = _basis((low[cells] + high[cells]) / 2, nu)
        values = np.matmul(np.stack([basis, _slope_basis(basis, nu)], axis=1), z[of])  # (cells, 2, m): p and p' at the midpoints
        maybe = np.abs(values[:, 0]) <= np.abs(values[:, 1]) * r + second[of] * r**2 / 2 + rounding[of]
        maybe &= size[of] > 0  # a function without any term is 0 everywhere, which is off
        cell, unit = np.nonzero(maybe)
        candidates.append(_Candidates(of[cell], unit, low[cells][cell], high[cells][cell]))
    return candidates


def _slope_basis(basis: Array, nu: Array) -> Array:
    """(n, K): the derivatives of the basis functions."""
    slope = np.zeros_like(basis)
    slope[:, 1::2], slope[:, 2::2] = 2 * np.pi * nu * basis[:, 2::2], -2 * np.pi * nu * basis[:, 1::2]
    return slope


def _zeros(cells: _Candidates, t: Array, c: Array, d: Array, nu: Array, e: Array) -> tuple[Indices, Indices, Array]:
    """The zeros of monotone functions: (piece, unit, place), one per cell whose ends differ in sign.

    Neighbouring cells of a piece compute the same value at their common end, so exactly one of
    them has a zero that lies there.  At the ends of a piece a value within rounding of 0, or a zero
    within TOLERANCE, is left to the breakpoint that is there already.
    """
    def value(at: Array, coefficients: Array) -> Array:
        return np.asarray(np.vecdot(_basis(at, nu), coefficients))

    piece, unit, low, high = cells
    at_low, at_high = value(low, c), value(high, c)
    doubt = e + TOLERANCE * np.abs(value((low + high) / 2, d))
    outer = ((low == t[piece]) & (np.abs(at_low) <= doubt)) | ((high == t[piece + 1]) & (np.abs(at_high) <= doubt))
    keep = ((at_low > 0) != (at_high > 0)) & ~outer
    piece, unit, low, high, c, d, e, rises = (x[keep] for x in (piece, unit, low, high, c, d, e, at_high > 0))
    at = (low + high) / 2
    for _ in range(60):  # Newton's steps, halving where one leaves the bracket
        p = value(at, c)
        above = (p > 0) == rises
        low, high = np.where(above, low, at), np.where(above, at, high)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = value(at, d)
            step = at - p / slope
        best = np.where((step >= low) & (step <= high), step, (low + high) / 2)
        if (np.abs(best - at) <= EPSILON + e / np.abs(slope)).all():  # nearer to the zero than p can tell
            break
        at = best
    return piece, unit, at


def _confirm(t: Array, z: Array, nu: Array, piece: Indices, unit: Indices, at: Array) -> tuple[Indices, Indices, Array, Bits, Bits]:
    """The zeros at which the sign changes, and the (k, m) bits at the start and at the end of every piece.

    Where a function touches 0, rounding makes zeros of either number.  A zero counts if the signs between it and its
    neighbours of the same unit, or the ends of the piece, differ; so the bits after the last one are those at the end.
    """
    order = np.lexsort((at, unit, piece))
    piece, unit, at = piece[order], unit[order], at[order]
    same = np.zeros(len(at), np.bool_)  # as the zero before: piece and unit
    same[1:] = (np.diff(piece) == 0) & (np.diff(unit) == 0)
    apart = ~same
    apart[1:] |= np.diff(at) > 4 * TOLERANCE  # closer ones could become one breakpoint in _split, where a unit flips once
    piece, unit, at, first = piece[apart], unit[apart], at[apart], ~same[apart]
    last = np.append(first[1:], True)[: len(at)]
    following = np.where(last, t[piece + 1], np.append(at[1:], 0)[: len(at)])

    after = _clear_sign(z, nu, piece, unit, at, following)
    before = np.append(False, after[:-1])[: len(at)]
    before[first] = _clear_sign(z, nu, piece[first], unit[first], t[piece[first]], at[first])
    places = t[:-1, None] + np.diff(t)[:, None] * INSIDE
    values = np.stack([np.matmul(_basis(place, nu)[:, None, :], z)[:, 0] for place in places.T])
    start = values.max(axis=0) > -values.min(axis=0)
    end = start.copy()
    start[piece[first], unit[first]], end[piece[last], unit[last]] = before[first], after[last]
    changes = before != after
    return piece[changes], unit[changes], at[changes], start, end


def _clear_sign(z: Array, nu: Array, piece: Indices, unit: Indices, low: Array, high: Array) -> Bits:
    """The sign of each unit between low and high, where it has no zero: of the largest of a few values, for one may touch 0."""
    c = z[piece, :, unit]
    values = np.stack([np.vecdot(_basis(low + share * (high - low), nu), c) for share in INSIDE])
    return np.asarray(values.max(axis=0, initial=-np.inf) > -values.min(axis=0, initial=np.inf))


# ------------------------------------------------------------- the public door


def _check_ends(a: ArrayLike, b: ArrayLike, d: int | None, meaning: str) -> tuple[Array, Array]:
    a = as_real("a", a, (d,), meaning).astype(np.float64)
    b = as_real("b", b, a.shape, meaning).astype(np.float64)
    if np.array_equal(a, b):
        raise ValueError(f"a and b must differ: a segment needs two ends. Got {a} twice.")
    return a, b
