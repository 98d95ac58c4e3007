"""Walls diffract: which walls make which frequency learnable.

Along a line the gradient J(x) = grad_theta f(x) moves little inside a piece, and jumps where the
line crosses the wall of a unit u, by exactly (T54)

    e_w = +- (df/dh_u) grad_theta z_u          + if u switches on

with df/dh_u by the gates of the layers after u.  On n samples of the line, which wrap around so
that its ends count as one more jump, the intrinsic rate K_kk of frequency k is that of the
differences J_(i+1) - J_i, divided by 4 sin^2(pi k/n).  Of the jumps alone it is (T55)

    S_k / (4 n sin^2(pi k/n)),      S_k = sum_(w,w') <e_w, e_w'> cos(2 pi k (t_w - t_w'))

with t_w the first sample after wall w, over n: the *structure factor* of the walls, as for light
that a row of slits diffracts.  No constant is free.  What is missing is what J moves inside
pieces, the *interior*.  S_k is a sum over walls, so the rate of a frequency splits by wall, hence
by unit, layer and place.

No gradient is formed.  That of z_u is d_l (x) (h_(l-1), 1) in layer l, d_l = dz_u/dz_l, so

    <grad z_u, grad z_u'> = sum_l (d_l.d_l')(h_(l-1).h_(l-1)' + 1)     l up to the lower of the two

    w    walls crossed.  A breakpoint where several units switch is several walls: they switch one
         after the other, lower layers first, and their jumps add up to that of the breakpoint
    K    frequencies, in cycles per segment
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relu_dynamics.checks import (
    Array, Bits, Indices, as_real, check_count, check_direction, check_kind, check_net, check_size,
    check_units, row_blocks,
)
from relu_dynamics.encoding import Encoding
from relu_dynamics.mlp import MLP, Trace, hidden_units, joined_pattern, run, traced
from relu_dynamics.rates import BLOCK_ENTRIES, kernel_rows
from relu_dynamics.regions1d import (
    EncodedPieces, Pieces, regions_on_encoded_segment, regions_on_segment,
)
from relu_dynamics.signals import grid, radial_bands
from relu_dynamics.tangent import output_sensitivities
from relu_dynamics.walls import Walls

Waves = NDArray[np.floating | np.complexfloating]  # (n, K)
# Of the distance of samples: nearer than that, a sample's own pattern decides its side.
AT_SAMPLE = 1e-9


class Jumps(NamedTuple):
    """How the gradient of the outputs jumps at walls."""

    energy: Array  # (w,) |e_w|^2, summed over the outputs
    sign: Array    # (w,) +1 where the unit switches on, -1 off, 0 if the line runs along the wall
    gram: Array    # (w, w) <e_w, e_w'>

    def __repr__(self) -> str:
        return f"Jumps({len(self.energy)} walls, energy {self.energy.sum():.3g})"


class WallSpectrum(NamedTuple):
    """The intrinsic rates of the first output on a line, and what its walls say they are (T55)."""

    rates: Array     # (K,) K_kk
    walls: Array     # (K,) structure factor over 4 n sin^2(pi k/n), the jump at the ends included
    interior: Array  # (K,) rates - walls: what moves inside pieces, by itself and with walls
    t: Array         # (w,) place of every wall on the segment, 0 to 1
    unit: Indices    # (w,) the hidden unit that switches there
    energy: Array    # (w,) |e_w|^2
    parts: Array     # (w, K) each wall with all walls: parts.sum(axis=0) + ends == walls
    ends: Array      # (K,) the part of the jump from the end of the line to its start
    uncertified: Array  # (u, 2) intervals of t in which two walls of one unit may have been missed

    def __repr__(self) -> str:
        share = self.walls.sum() / self.rates.sum() if len(self.rates) else float("nan")
        return (f"WallSpectrum({len(self.t)} walls, {len(self.rates)} frequencies, "
                f"walls / rates {share:.3g})")


class PlaneSpectrum(NamedTuple):
    """The same on a square grid, by the walls that its rows cross, or its columns (T56)."""

    rates: Array     # (bands,), or (n, n) at [k_y, k_x]
    walls: Array
    interior: Array
    layers: Array    # (L - 1, ...) of walls: the part of each hidden layer's walls
    ends: Array      # of walls: the jumps from the ends of rows or columns to their starts
    crossings: int   # of walls by rows and columns

    def __repr__(self) -> str:
        return f"PlaneSpectrum({self.crossings} crossings of walls, frequencies {self.rates.shape})"


# ------------------------------------------------------------------------- jumps


def wall_jumps(
    net: MLP, walls: Walls, encoding: Encoding | None = None, *, along: ArrayLike | None = None
) -> Jumps:
    """The jumps e_w of the gradient at points on walls: energies, signs and inner products (T54).

    walls are points and their units; with an encoding the points are unit coordinates, (w, d).
    along, (d,) or (w, d), is the direction in which each wall is crossed; without it, the one
    that switches its unit on.  The gates of other units are those at the point.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> jumps = rd.wall_jumps(hat, rd.Walls([[0.0], [1.0]], [0, 1]))  # (x, 1) and -2 (x, 1)
    >>> jumps.energy.tolist(), bool(jumps.gram[0, 1] == 0)  # different units, different parameters
    ([1.0, 8.0], True)
    """
    check_kind("walls", walls, Walls)
    points = as_real("points", walls.points, (None, None), "one point on a wall per row")
    points = points.astype(np.float64, copy=False)
    net, trace = traced(net, points if encoding is None else encoding(points), "points")
    w, units = len(points), check_units(net, walls.units, len(points))
    check_size("the Gram matrix", (w, w), "Pass fewer walls.")
    up, down = _factors(net, trace, units)
    sign = np.ones(w)
    if along is not None:
        direction = check_direction("along", along, points)
        if encoding is not None:
            direction = np.einsum("nij,nj->ni", encoding.jacobian(points), direction)
        sign = np.sign(np.vecdot(down[0] @ net.weights[0], direction)) if down else sign
    outward = sign[:, None] * up
    gram = outward @ outward.T
    for rows in row_blocks(w, max(1, BLOCK_ENTRIES // max(1, w))):
        gram[rows] *= kernel_rows(down, trace.inputs[:-1], rows) if down else 0
    return Jumps(np.diagonal(gram).copy(), sign, gram)


def _factors(net: MLP, trace: Trace, units: Indices) -> tuple[Array, list[Array]]:
    """df/dh_u, (w, m[L]), and dz_u/dz[l], (w, m[l]) for l < L, of unit u = units[w] at row w."""
    D, _ = output_sensitivities(net, trace)
    layer, number = _layers(net, units)
    up = np.zeros((len(units), len(net.biases[-1])))
    d, down = np.zeros_like(up), list[Array]()
    for l in reversed(range(len(net.weights) - 1)):
        W = net.weights[l + 1]
        d = np.where(trace.pattern[l], d @ W, 0.0)
        own = np.flatnonzero(layer == l)
        d[own, number[own]] = 1.0
        up[own] = np.einsum("wak,kw->wa", D[l + 1][own], W[:, number[own]])
        down.insert(0, d)
    return up, down


def _layers(net: MLP, units: Indices) -> tuple[Indices, Indices]:
    """The hidden layer of each unit, counted from 0, and its number within it."""
    starts = np.cumsum([0, *(len(b) for b in net.biases[:-1])])
    layer = np.searchsorted(starts, units, side="right") - 1
    return layer, units - starts[layer]


# ----------------------------------------------------------------------- a line


def wall_spectrum(
    net: MLP, a: ArrayLike, b: ArrayLike, n: int, k: ArrayLike, encoding: Encoding | None = None,
    *, transform: str = "fourier",
) -> WallSpectrum:
    """Rates of the first output at k cycles per segment, (K,), and the walls' part of them (T55).

    The samples are a + i/n (b - a), i < n, where a and b are inputs of the net or, with an
    encoding, unit coordinates.  The walls are exact: those of regions_on_segment or
    regions_on_encoded_segment.  transform="cosine" takes the orthonormal cosine transform and k
    in half cycles, 1 to n - 1: the same with sin(pi k t_w) in place of phases, and the ends of
    the line make no jump.
    ValueError for a k that is a multiple of n: a constant sees no jump.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.wall_spectrum(hat, [-1.0], [3.0], 64, [1, 2, 3, 8])
    WallSpectrum(2 walls, 4 frequencies, walls / rates 0.892)
    """
    net = _first_output(check_net(net))
    a = as_real("a", a, (None,), "one end of the segment").astype(np.float64)
    b = as_real("b", b, (None,), "the other end of the segment").astype(np.float64)
    n = check_count("n", n, 1)
    waves, steps = _waves(n, _check_cycles(k, n), transform)
    line = _line(net, a, b, n, encoding)
    parts = _structure(line.jumps, line.inputs, line.place, [steps])
    rates = _diagonal(net, line.samples, [waves])
    walls, w = parts.sum(axis=0), len(line.t)
    return WallSpectrum(rates, walls, rates - walls, line.t, line.unit, line.energy,
                        parts[:w], parts[w:].sum(axis=0), line.uncertified)


def by_unit(spectrum: WallSpectrum, units: int) -> Array:
    """(units, K): the walls' part of every frequency's rate, added up by unit.

    split_layers(net, by_unit(spectrum, hidden_units(net)).T) has them layer by layer.
    """
    check_kind("spectrum", spectrum, WallSpectrum)
    units = check_count("units", units, int(spectrum.unit.max(initial=-1)) + 1)
    total = np.zeros((units, len(spectrum.rates)))
    np.add.at(total, spectrum.unit, spectrum.parts)
    return total


class _Line(NamedTuple):
    """The walls on a segment in order, then its ends: e_w = sum_l jumps[l] (x) (inputs[l], 1)."""

    samples: Trace
    t: Array             # (w,)
    unit: Indices        # (w,)
    energy: Array        # (w,)
    jumps: list[Array]   # (w + 2, m[l]) for l = 1 .. L
    inputs: list[Array]  # (w + 2, m[l-1])
    place: Indices       # (w + 2,) the first sample after each, modulo n
    uncertified: Array


def _line(net: MLP, a: Array, b: Array, n: int, encoding: Encoding | None) -> _Line:
    """All that wall_spectrum needs to know of a segment, for a network of one output."""
    def at(t: Array) -> Array:
        points = a + t[:, None] * (b - a)
        return points if encoding is None else encoding(points)

    pieces: Pieces | EncodedPieces
    if encoding is None:
        pieces = regions_on_segment(net, a, b)
    else:
        pieces = regions_on_encoded_segment(net, encoding, a, b)  # type: ignore[arg-type]
    before, after = pieces.pattern[:-1], pieces.pattern[1:]
    breakpoint, unit = np.nonzero(before ^ after)
    t, on = pieces.t[1:-1][breakpoint], after[breakpoint, unit]
    layer, of_unit = (_layers(net, units)[0] for units in (unit, np.arange(hidden_units(net))))
    gates = np.where(of_unit < layer[:, None], after[breakpoint], before[breakpoint])
    crossed = run(net, at(t), gates)
    up, down = _factors(net, crossed, unit)

    ends = run(net, at(np.array([0.0, 1.0])), pieces.pattern[[0, -1]])
    D, _ = output_sensitivities(net, ends)
    wrap = np.array([[1.0], [-1.0]])  # the jump from the end to the start
    signed = np.where(on, 1.0, -1.0)[:, None] * up
    jumps = [np.concatenate([signed * d, wrap * part[:, 0]])
             for d, part in zip([*down, np.zeros((len(t), 1))], D, strict=True)]
    inputs = [np.concatenate(both) for both in zip(crossed.inputs, ends.inputs, strict=True)]
    energy = sum((np.vecdot(e, e) * (np.vecdot(h, h) + 1)
                  for e, h in zip(jumps, inputs, strict=True)),
                 np.zeros(len(t) + 2))[:-2]
    samples = run(net, at(np.arange(n) / n))
    place = _first_sample_after(t, unit, on, joined_pattern(samples))
    uncertified = pieces.uncertified if isinstance(pieces, EncodedPieces) else np.zeros((0, 2))
    return _Line(samples, t, unit, energy, jumps, inputs, np.append(place, [0, 0]), uncertified)


def _first_sample_after(t: Array, unit: Indices, on: Bits, q: Bits) -> Indices:
    """(w,): the first sample i/n beyond the wall at t, modulo n; q, (n, H), the patterns."""
    n = len(q)
    nearest = np.rint(t * n).astype(np.intp)
    beyond = q[nearest % n, unit] == on  # a tie is off: a sample on the wall may be on either side
    close = (np.abs(t * n - nearest) < AT_SAMPLE) & (nearest < n)
    first = np.where(close, nearest + ~beyond, np.ceil(t * n).astype(np.intp))
    return np.asarray(first % n, np.intp)


# ------------------------------------------------------------------ their spectrum


def _waves(n: int, k: Indices, transform: str) -> tuple[Waves, Waves]:
    """(n, K) twice: wave_i, the transform's functions, and step_i, what a jump before i adds.

    sum_i v_i wave_i = -sum_i (v_i - v_(i-1)) step_i, summed by parts: indices wrap, or step_0 is 0.
    """
    i, constant = np.arange(n)[:, None], k % n == 0  # to a constant a jump adds nothing
    if transform == "fourier":
        waves = np.exp(-2j * np.pi * (i * k % n) / n) / np.sqrt(n)
        sines = np.where(constant, 1, 2 * np.sin(np.pi * k / n))
        return waves, np.where(constant, 0, waves) / sines
    if transform == "cosine":
        scale = np.sqrt(np.where(constant, 1, 2) / n)
        cosines = scale * np.cos(np.pi * ((2 * i + 1) * k % (4 * n)) / (2 * n))
        sines = scale * np.sin(np.pi * (i * k % (2 * n)) / n)
        return cosines, sines / np.where(constant, 1, 2 * np.sin(np.pi * k / (2 * n)))
    raise ValueError(f"transform must be 'fourier' or 'cosine'. Got {transform!r}.")


def _structure(
    jumps: list[Array], inputs: list[Array], place: Indices, steps: list[Waves]
) -> Array:
    """(w, *K): of |sum_w e_w step_w|^2 the part in which wall w meets all walls; steps per axis.

    The inner products of a wall with all walls of one interval are added up, then transformed.
    """
    shape, K = tuple(len(step) for step in steps), tuple(step.shape[1] for step in steps)
    size, w = int(np.prod(shape)), len(place)
    check_size("walls times samples", (w, max(size, int(np.prod(K)))), "Take fewer samples.")
    binned = np.zeros((w, size))  # sum of <e_w, e_w'> over the walls w' before one sample
    for e, h in zip(jumps, inputs, strict=True):
        members = np.flatnonzero(e.any(axis=1))  # a jump has no part in the layers after its own
        members = members[np.argsort(place[members], kind="stable")]
        occupied, starts = np.unique(place[members], return_index=True)
        e, h = e[members], h[members]
        for rows in row_blocks(len(members), max(1, BLOCK_ENTRIES // max(1, len(members)))):
            gram = kernel_rows([e], [h], rows)
            binned[members[rows, None], occupied] += np.add.reduceat(gram, starts, axis=1)
    at, parts = np.unravel_index(place, shape), np.empty((w, *K))
    for rows in row_blocks(w, max(1, BLOCK_ENTRIES // size)):
        parts[rows] = _products(binned[rows], shape, steps, [axis[rows] for axis in at])
    return parts


def _diagonal(net: MLP, samples: Trace, waves: list[Waves]) -> Array:
    """(*K): diag(B K B*), K the kernel of the first output on a grid, B its axes' waves."""
    D, h = output_sensitivities(net, samples)
    first, shape = [part[:, 0] for part in D], tuple(len(wave) for wave in waves)
    n = len(h[0])
    at = np.unravel_index(np.arange(n), shape)
    total = np.zeros(tuple(wave.shape[1] for wave in waves))
    for rows in row_blocks(n, max(1, BLOCK_ENTRIES // n)):
        K = kernel_rows(first, h, rows)
        total += _products(K, shape, waves, [axis[rows] for axis in at]).sum(axis=0)
    return total


def _products(rows: Array, shape: tuple[int, ...], waves: list[Waves], at: list[Indices]) -> Array:
    """(rows, *K): Re conj(wave_i) sum_j rows_j wave_j, from (rows, samples); at: places of i."""
    values: Waves = rows.reshape(-1, *shape)
    for wave in waves:
        values = np.tensordot(values, wave, (1, 0))  # an axis that is done goes last
    here = [wave[axis].conj() for wave, axis in zip(waves, at, strict=True)]
    outer = here[0] if len(here) == 1 else here[0][:, :, None] * here[1][:, None, :]
    return np.asarray((outer * values).real)


# -------------------------------------------------------------------- the plane


def plane_wall_spectrum(
    net: MLP, n: int, encoding: Encoding | None = None, *, bands: bool = True,
    transform: str = "fourier",
) -> PlaneSpectrum:
    """Rates of the first output on the n x n samples of the unit square, and the walls' part (T56).

    Along rows the gradient jumps as on a line, and the walls that the rows cross give the rates;
    where |k_y| > |k_x| those that columns cross.  bands as in intrinsic_rates, transform as in
    wall_spectrum.  Nothing is said of k = 0 (NaN).
    """
    net = _first_output(check_net(net))
    n = check_count("n", n, 2)
    check_size("the grid", (n, n), "Take fewer samples.")
    k = np.arange(n)
    waves, steps = _waves(n, k, transform)
    points = grid((n, n), "half-open")
    samples = run(net, points if encoding is None else encoding(points))
    rates = _diagonal(net, samples, [waves, waves])
    rows, columns = (_by_rows(net, n, encoding, axis, waves, steps) for axis in (0, 1))
    size = np.minimum(k, n - k) if transform == "fourier" else k
    parts = np.where(size[:, None] > size, np.swapaxes(columns[0], 1, 2), rows[0])
    rates[0, 0] = parts[:, 0, 0] = np.nan
    values = np.concatenate([[rates, parts.sum(axis=0)], parts])
    if bands:
        band = radial_bands(np.stack(np.meshgrid(size, size), axis=-1).reshape(-1, 2))
        sums = [np.bincount(band, value.ravel()) for value in values]
        values = np.array(sums) / np.bincount(band)
    return PlaneSpectrum(values[0], values[1], values[0] - values[1], values[2:-1], values[-1],
                         rows[1] + columns[1])


def _by_rows(
    net: MLP, n: int, encoding: Encoding | None, axis: int, waves: Waves, steps: Waves
) -> tuple[Array, int]:
    """(L, n, n) at [across, along]: walls' part by hidden layer, then the ends'; count of walls."""
    lines = []
    for place in np.arange(n) / n:
        start, end = (np.roll([at, place], axis) for at in (0.0, 1.0))
        lines.append(_line(net, start, end, n, encoding))
    jumps = [np.concatenate(parts) for parts in zip(*(line.jumps for line in lines), strict=True)]
    inputs = [np.concatenate(parts) for parts in zip(*(line.inputs for line in lines), strict=True)]
    place = np.concatenate([row * n + line.place for row, line in enumerate(lines)])
    L = len(net.weights)
    layer = [np.append(_layers(net, line.unit)[0], [L - 1, L - 1]) for line in lines]
    total = np.zeros((L, n, n))
    np.add.at(total, np.concatenate(layer), _structure(jumps, inputs, place, [waves, steps]))
    return total, sum(len(line.t) for line in lines)


# ------------------------------------------------------------- the public door


def _check_cycles(k: ArrayLike, n: int) -> Indices:
    cycles = np.asarray(k)
    if cycles.ndim != 1 or cycles.dtype.kind not in "iu" or not (cycles % n).all():
        raise ValueError(f"k must be whole numbers of cycles, (K,), none of them a multiple of "
                         f"n = {n}. Got {k!r}.")
    return cycles.astype(np.intp)


def _first_output(net: MLP) -> MLP:
    """The network of its first output alone, in float64."""
    weights, biases = ([np.asarray(part, np.float64) for part in parts] for parts in net)
    return MLP((*weights[:-1], weights[-1][:1]), (*biases[:-1], biases[-1][:1]))
