"""Walls diffract: which walls make which frequency learnable.

Along a line the gradient J(x) = grad_theta f(x) moves little inside a piece and jumps where the line
crosses the wall of a unit u, by exactly (T54)

    e_w = +- (df/dh_u) grad_theta z_u     + if u switches on;  df/dh_u with the gates of the layers after u

On n samples of the line, which wrap around so that its two ends count as one more jump, the intrinsic rate
of frequency k is that of the differences J_(i+1) - J_i, divided by 4 sin^2(pi k/n).  The jumps alone give

    K_kk ~ S_k / (4 n sin^2(pi k/n)),    S_k = sum_(w,w') <e_w, e_w'> cos(2 pi k (t_w - t_w'))        (T55)

with t_w the first sample after wall w, over n: the *structure factor* of the walls, as in the diffraction of
light by a row of slits.  No constant is free.  What is missing is what J moves inside pieces, the *interior*.
S_k is a sum over walls, so the rate of a frequency splits by wall: by unit, layer and place.

No gradient is formed.  That of z_u has d_l (x) (h_(l-1), 1) in layer l, d_l = dz_u/dz_l, so

    <grad z_u, grad z_u'> = sum over the layers up to the lower one of u, u' of (d_l.d_l')(h_(l-1).h_(l-1)' + 1)

    w       walls crossed; a breakpoint where several units switch is several walls, taken layer by layer upwards
    K       frequencies, in cycles per segment
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import (
    Array, Bits, Indices, as_real, check_count, check_indices, check_kind, check_net, check_size, row_blocks,
)
from relu_dynamics.encoding import Encoding
from relu_dynamics.mlp import MLP, Trace, hidden_units, run, traced
from relu_dynamics.rates import BLOCK_ENTRIES, kernel_rows
from relu_dynamics.regions1d import EncodedPieces, Pieces, regions_on_encoded_segment, regions_on_segment
from relu_dynamics.signals import grid
from relu_dynamics.spectrum import radial_bands
from relu_dynamics.tangent import output_sensitivities
from relu_dynamics.walls import Walls


class Jumps(NamedTuple):
    """How the gradient of the outputs jumps at walls."""

    energy: Array  # (w,) |e_w|^2, summed over the outputs
    sign: Array    # (w,) +1 where the unit switches on, -1 where it switches off, 0 along its wall
    gram: Array    # (w, w) <e_w, e_w'>

    def __repr__(self) -> str:
        return f"Jumps({len(self.energy)} walls, energy {self.energy.sum():.3g})"


class WallSpectrum(NamedTuple):
    """The intrinsic rates of the first output on a line, and what its walls say they are (T55)."""

    rates: Array     # (K,) K_kk
    walls: Array     # (K,) the walls' part: the structure factor over 4 n sin^2(pi k/n), the jump at the ends included
    interior: Array  # (K,) rates - walls: what moves inside pieces, alone and together with the walls
    t: Array         # (w,) place of every wall on the segment, 0 to 1
    unit: Indices    # (w,) the hidden unit that switches there
    energy: Array    # (w,) |e_w|^2
    parts: Array     # (w, K) of walls: each wall with itself and all others; parts.sum(axis=0) + ends == walls
    ends: Array      # (K,) of walls: the jump from one end of the line to the other
    uncertified: Array  # (u, 2) intervals of t in which two walls of one unit may have been missed

    def __repr__(self) -> str:
        share = self.walls.sum() / self.rates.sum() if len(self.rates) else float("nan")
        return f"WallSpectrum({len(self.t)} walls, {len(self.rates)} frequencies, walls / rates {share:.3g})"


class PlaneSpectrum(NamedTuple):
    """The same on a square grid (T56), by the walls that its rows cross, and its columns where |k_y| > |k_x|."""

    rates: Array     # (bands,), or (n, n) at [k_y, k_x]
    walls: Array
    interior: Array
    layers: Array    # (L - 1, ...) of walls: the part of each hidden layer's walls
    ends: Array      # of walls: the jumps from one end of every line to the other
    crossings: int   # of walls by rows and columns

    def __repr__(self) -> str:
        return f"PlaneSpectrum({self.crossings} crossings of walls, frequencies {self.rates.shape})"


# ------------------------------------------------------------------------- jumps


def wall_jumps(net: MLP, walls: Walls, encoding: Encoding | None = None, *, along: ArrayLike | None = None) -> Jumps:
    """The jumps e_w of the gradient at points on walls: energies, signs and inner products (T54).

    walls are points and their units; with an encoding the points are unit coordinates, (w, d).  along, (d,) or
    (w, d), is the direction in which each wall is crossed; without it, the one that switches its unit on.
    Gates of other units are those at the point: for walls that coincide see wall_spectrum.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> jumps = rd.wall_jumps(hat, rd.Walls([[0.0], [1.0]], [0, 1]))  # 1 (x, 1) at 0 and -2 (x, 1) at 1
    >>> jumps.energy.tolist(), jumps.gram.tolist()  # different units: different parameters
    ([1.0, 8.0], [[1.0, 0.0], [0.0, 8.0]])
    """
    check_kind("walls", walls, Walls)
    points = as_real("points", walls.points, (None, None), "one point on a wall per row").astype(np.float64, copy=False)
    net, trace = traced(net, points if encoding is None else encoding(points), "points")
    units = check_indices("units", walls.units, hidden_units(net))
    if len(units) != len(points):
        raise ValueError(f"units must have one entry per point. Got {len(units)} units, {len(points)} points.")
    check_size("the Gram matrix", (len(points), len(points)), "Pass fewer walls.")
    up, down = _jump_factors(net, trace, units)
    sign = np.ones(len(points))
    if along is not None:
        direction = as_real("along", along).astype(np.float64)
        if direction.shape not in (points.shape, points.shape[1:]):
            raise ValueError(f"along must be {points.shape[1:]} or {points.shape}. Got shape {direction.shape}.")
        direction = np.broadcast_to(direction, points.shape)
        if encoding is not None:
            direction = np.einsum("nij,nj->ni", encoding.jacobian(points), direction)
        slope = (down[0] @ net.weights[0] if down else 0 * direction) * direction
        sign = np.sign(slope.sum(axis=1))
    gram = np.zeros((len(points), len(points)))
    for rows in row_blocks(len(points), max(1, BLOCK_ENTRIES // max(1, len(points)))):
        gram[rows] = kernel_rows(down, trace.inputs[:-1], rows) if down else 0
    gram *= (sign[:, None] * up) @ (sign[:, None] * up).T
    return Jumps(np.diagonal(gram).copy(), sign, gram)


def _jump_factors(net: MLP, trace: Trace, units: Indices) -> tuple[Array, list[Array]]:
    """df/dh_u, (w, m[L]), and dz_u/dz[l], (w, m[l]) for every hidden layer l, where unit u = units[w] switches at row w."""
    D, _ = output_sensitivities(net, trace)
    layer, place = _layers(net, units)
    up = np.zeros((len(units), len(net.biases[-1])))
    down: list[Array] = []
    d = np.zeros((len(units), len(net.biases[-1])))
    for l in reversed(range(len(net.weights) - 1)):
        d = np.where(trace.pattern[l], d @ net.weights[l + 1], 0.0)
        here = np.flatnonzero(layer == l)
        d[here, place[here]] = 1.0
        up[here] = np.einsum("wak,kw->wa", D[l + 1][here], net.weights[l + 1][:, place[here]])
        down.insert(0, d)
    return up, down


def _layers(net: MLP, units: Indices) -> tuple[Indices, Indices]:
    """The hidden layer of each unit, counted from 0, and its number within it."""
    starts = np.cumsum([0, *(len(b) for b in net.biases[:-1])])
    layer = np.searchsorted(starts, units, side="right") - 1
    return layer, units - starts[layer]


# ----------------------------------------------------------------------- a line


def wall_spectrum(
    net: MLP, a: ArrayLike, b: ArrayLike, n: int, k: ArrayLike, encoding: Encoding | None = None, *, transform: str = "fourier"
) -> WallSpectrum:
    """Rates of the first output at k cycles per segment, (K,), on the n samples a + i/n (b - a), and their walls' part (T55).

    a and b are inputs of the net or, with an encoding, unit coordinates.  The walls are exact: those of
    regions_on_segment or regions_on_encoded_segment.  transform="cosine" takes the orthonormal cosine transform,
    k in half cycles from 1 to n - 1: the same with sin(pi k t_w) in place of phases, and the ends make no jump.
    ValueError for a k that is a multiple of n: a constant sees no jump.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.wall_spectrum(hat, [-1.0], [3.0], 64, [1, 2, 3, 8])
    WallSpectrum(2 walls, 4 frequencies, walls / rates 0.892)
    """
    net = _first_output(check_net(net))
    a, b = (as_real(name, end, (None,), "one end of the segment").astype(np.float64) for name, end in (("a", a), ("b", b)))
    n = check_count("n", n, 1)
    waves, steps = _waves(n, _check_cycles(k, n), transform)
    line = _line(net, a, b, n, encoding)
    parts = _structure(line.jumps, line.inputs, line.place, [steps])
    rates = _diagonal(net, line.samples, [waves])
    walls, w = parts.sum(axis=0), len(line.t)
    return WallSpectrum(rates, walls, rates - walls, line.t, line.unit, line.energy, parts[:w],
                        parts[w:].sum(axis=0), line.uncertified)


def by_unit(spectrum: WallSpectrum, units: int) -> Array:
    """(units, K): the walls' part of every frequency's rate, added up by the unit whose walls they are.

    split_layers(net, by_unit(spectrum, hidden_units(net)).T) has them layer by layer.
    """
    check_kind("spectrum", spectrum, WallSpectrum)
    total = np.zeros((check_count("units", units, int(spectrum.unit.max(initial=-1)) + 1), len(spectrum.rates)))
    np.add.at(total, spectrum.unit, spectrum.parts)
    return total


class _Line(NamedTuple):
    """The walls on a segment in order, then its two ends: e_w = sum_l jumps[l] (x) (inputs[l], 1)."""

    samples: Trace
    t: Array             # (w,)
    unit: Indices        # (w,)
    jumps: list[Array]   # (w + 2, m[l]) for l = 1 .. L
    inputs: list[Array]  # (w + 2, m[l-1])
    energy: Array        # (w,)
    place: Indices       # (w + 2,) the first sample after each, modulo n
    uncertified: Array


def _line(net: MLP, a: Array, b: Array, n: int, encoding: Encoding | None) -> _Line:
    def at(t: Array) -> Array:
        points = a + t[:, None] * (b - a)
        return points if encoding is None else encoding(points)

    pieces: Pieces | EncodedPieces
    pieces = regions_on_segment(net, a, b) if encoding is None else regions_on_encoded_segment(net, encoding, a, b)  # type: ignore[arg-type]
    samples = run(net, at(np.arange(n) / n))
    before, after = pieces.pattern[:-1], pieces.pattern[1:]
    breakpoint, unit = np.nonzero(before ^ after)  # units of one breakpoint in layer order
    t, on = pieces.t[1:-1][breakpoint], after[breakpoint, unit]
    # Where several units switch at once the lower layers go first: exact sums of jumps need some order
    own = _layers(net, unit)[0]
    of_unit = _layers(net, np.arange(hidden_units(net)))[0]
    gates = np.where(of_unit < own[:, None], after[breakpoint], before[breakpoint])

    crossed = run(net, at(t), gates)
    up, down = _jump_factors(net, crossed, unit)
    up *= np.where(on, 1.0, -1.0)[:, None]
    ends = run(net, at(np.array([0.0, 1.0])), pieces.pattern[[0, -1]])
    D, _ = output_sensitivities(net, ends)
    wrap = np.array([1.0, -1.0])[:, None]  # from the end to the start
    jumps = [np.concatenate([up * d, wrap * part[:, 0]]) for d, part in zip([*down, np.zeros((len(t), 1))], D, strict=True)]
    inputs = [np.concatenate(both) for both in zip(crossed.inputs, ends.inputs, strict=True)]
    energy = np.sum([np.vecdot(e, e) * (np.vecdot(h, h) + 1) for e, h in zip(jumps, inputs, strict=True)], axis=0)[: len(t)]
    place = np.append(_first_sample_after(t, unit, on, np.concatenate([*samples.pattern, np.zeros((n, 0), bool)], axis=1)), [0, 0])
    uncertified = pieces.uncertified if isinstance(pieces, EncodedPieces) else np.zeros((0, 2))
    return _Line(samples, t, unit, jumps, inputs, energy, place, uncertified)


def _first_sample_after(t: Array, unit: Indices, on: Bits, q: Bits) -> Indices:
    """(w,) in 0 .. n - 1: the first of the samples i/n, wrapping around, beyond the wall at t.

    A sample closer to a wall than rounding can tell is beyond it if its pattern, a row of q, says so.
    """
    n = len(q)
    nearest = np.rint(t * n).astype(np.intp)
    at_sample = (np.abs(t * n - nearest) < 1e-9) & (nearest < n)
    beyond = q[nearest % n, unit] == on
    return np.where(at_sample, np.where(beyond, nearest, nearest + 1), np.ceil(t * n).astype(np.intp)) % n


def _waves(n: int, k: Indices, transform: str) -> tuple[Array, Array]:
    """(n, K) twice: the transform's functions at the samples, and what a jump of 1 before sample i adds to coefficient k.

    Summed by parts, sum_i v_i wave_i = -sum_i (v_i - v_(i-1)) step_i, where indices wrap around or step_0 is 0.
    """
    i, constant = np.arange(n)[:, None], k % n == 0  # to which a jump adds nothing
    if transform == "fourier":
        waves = np.exp(-2j * np.pi * (i * k % n) / n) / np.sqrt(n)
        return waves, np.where(constant, 0, waves) / np.where(constant, 1, 2 * np.sin(np.pi * k / n))
    if transform == "cosine":
        scale = np.sqrt(np.where(constant, 1, 2) / n)
        waves = scale * np.cos(np.pi * ((2 * i + 1) * k % (4 * n)) / (2 * n))
        return waves, scale * np.sin(np.pi * (i * k % (2 * n)) / n) / np.where(constant, 1, 2 * np.sin(np.pi * k / (2 * n)))
    raise ValueError(f"transform must be 'fourier' or 'cosine'. Got {transform!r}.")


def _structure(jumps: list[Array], inputs: list[Array], place: Indices, steps: list[Array]) -> Array:
    """(w, *K): the part of |sum_w e_w step_w|^2 in which wall w meets all others; steps holds (n, K) for each axis of the grid.

    The inner products of a wall with all walls of one interval are added up before they are transformed.
    """
    shape, K = tuple(len(step) for step in steps), tuple(step.shape[1] for step in steps)
    size = int(np.prod(shape))
    check_size("the walls at each sample", (len(place), max(size, int(np.prod(K)))), "Take fewer samples, or a shorter segment.")
    binned = np.zeros((len(place), size))  # sum of <e_w, e_w'> over the w' before one sample
    for e, h in zip(jumps, inputs, strict=True):
        members = np.flatnonzero(e.any(axis=1))  # a wall's jump has no part in the layers after its own
        members = members[np.argsort(place[members], kind="stable")]
        occupied, starts = np.unique(place[members], return_index=True)
        e, h = e[members], h[members]
        for rows in row_blocks(len(members), max(1, BLOCK_ENTRIES // max(1, len(members)))):
            gram = h[rows] @ h.T
            gram += 1
            gram *= e[rows] @ e.T
            binned[members[rows, None], occupied] += np.add.reduceat(gram, starts, axis=1)
    at, parts = np.unravel_index(place, shape), np.empty((len(place), *K))
    for rows in row_blocks(len(place), max(1, BLOCK_ENTRIES // size)):
        values = _transformed(binned[rows].reshape(-1, *shape), steps)
        parts[rows] = (values * _outer([step[axis[rows]].conj() for step, axis in zip(steps, at, strict=True)])).real
    return parts


def _diagonal(net: MLP, samples: Trace, waves: list[Array]) -> Array:
    """(*K): the diagonal of B K B*, K the kernel of the first output at samples on a grid, B the product of waves (n, K) along its axes."""
    D, h = output_sensitivities(net, samples)
    first, shape = [part[:, 0] for part in D], tuple(len(wave) for wave in waves)
    n = len(h[0])
    at = np.unravel_index(np.arange(n), shape)
    total = np.zeros(tuple(wave.shape[1] for wave in waves))
    for rows in row_blocks(n, max(1, BLOCK_ENTRIES // n)):
        values = _transformed(kernel_rows(first, h, rows).reshape(-1, *shape), waves)
        total += (values * _outer([wave[axis[rows]].conj() for wave, axis in zip(waves, at, strict=True)])).real.sum(axis=0)
    return total


def _transformed(values: Array, waves: list[Array]) -> Array:
    """(rows, *K) from (rows, *shape): every axis of the grid times its waves."""
    for wave in waves:
        values = np.tensordot(values, wave, (1, 0))  # the axis that is done goes last
    return values


def _outer(factors: list[Array]) -> Array:
    """(rows, *K): the products of one column of each factor, (rows, K)."""
    if len(factors) == 1:
        return factors[0]
    return factors[0][:, :, None] * factors[1][:, None, :]


def _check_cycles(k: ArrayLike, n: int) -> Indices:
    cycles = np.asarray(k)
    if cycles.ndim != 1 or cycles.dtype.kind not in "iu" or not (cycles % n).all():
        raise ValueError(f"k must be whole numbers of cycles, (K,), none of them a multiple of n = {n}. Got {k!r}.")
    return cycles.astype(np.intp)


# -------------------------------------------------------------------- the plane


def plane_wall_spectrum(
    net: MLP, n: int, encoding: Encoding | None = None, *, bands: bool = True, transform: str = "fourier"
) -> PlaneSpectrum:
    """Rates of the first output on the n x n samples (i/n, j/n) of the unit square, and their walls' part (T56).

    Along rows the gradient jumps as on a line, and the walls that the rows cross give the rates; where |k_y| > |k_x|
    those that columns cross.  bands as in intrinsic_rates, transform as in wall_spectrum; nothing is said of k = 0 (NaN).
    """
    net = _first_output(check_net(net))
    n = check_count("n", n, 2)
    check_size("the grid", (n, n), "Take fewer samples.")
    k = np.arange(n)
    waves, steps = _waves(n, k, transform)
    points = grid((n, n), "half-open")
    rates = _diagonal(net, run(net, points if encoding is None else encoding(points)), [waves, waves])
    (along_x, crossed_x), (along_y, crossed_y) = (_by_rows(net, n, encoding, axis, waves, steps) for axis in (0, 1))
    size = np.minimum(k, n - k) if transform == "fourier" else k
    parts = np.where(size[:, None] > size, np.swapaxes(along_y, 1, 2), along_x)
    rates[0, 0] = parts[:, 0, 0] = np.nan
    values = [rates, parts.sum(axis=0), rates - parts.sum(axis=0), parts[:-1], parts[-1]]
    if bands:
        band = radial_bands(np.stack(np.meshgrid(size, size), axis=-1).reshape(-1, 2))
        values = [np.apply_along_axis(lambda v: np.bincount(band, v) / np.bincount(band), -1, value.reshape(*value.shape[:-2], -1))
                  for value in values]
    return PlaneSpectrum(*values, crossed_x + crossed_y)


def _by_rows(net: MLP, n: int, encoding: Encoding | None, axis: int, waves: Array, steps: Array) -> tuple[Array, int]:
    """(L, n, n) at [across, along] the lines: each hidden layer's walls' part, then that of the ends; and how many walls."""
    lines = []
    for place in np.arange(n) / n:
        ends = np.array([[0.0, place], [1.0, place]])
        lines.append(_line(net, *(ends if axis == 0 else ends[:, ::-1]), n, encoding))
    jumps, inputs = ([np.concatenate(parts) for parts in zip(*(getattr(line, name) for line in lines), strict=True)]
                     for name in ("jumps", "inputs"))
    place = np.concatenate([row * n + line.place for row, line in enumerate(lines)])
    L = len(net.weights)
    layer = np.concatenate([np.append(_layers(net, line.unit)[0], [L - 1, L - 1]) for line in lines])
    total = np.zeros((L, n, n))
    np.add.at(total, layer, _structure(jumps, inputs, place, [waves, steps]))
    return total, sum(len(line.t) for line in lines)


def _first_output(net: MLP) -> MLP:
    """The network of its first output alone, in float64."""
    weights, biases = ([np.asarray(part, np.float64) for part in parts] for parts in net)
    return MLP((*weights[:-1], weights[-1][:1]), (*biases[:-1], biases[-1][:1]))
