"""Exact splits of gradient flow: by layer, unit, shared pattern, place and frequency.

Under theta' = -grad of the loss (1/nm) sum_i |r_i|^2, r = f - y, the network itself moves by

    r_i' = sum_j C_ij,   C_ij = -(2/nm) K(x_i, x_j) r_j      the influence of example j on output i
    loss' = (2/nm) sum_ij r_i . C_ij  = -|grad loss|^2        (T14)

and every grouping of the terms of these sums splits the rates into parts:

    layer, unit       whose parameters move                                            (T15 i, ii)
    pair, hamming,    which pairs of examples act on each other: an example on itself, two in
    distance, place   one cell, two cells that differ in h units; near or far apart    (T15 iii, iv)
    frequency         F the unitary DFT, r_hat = F r: the effect of the translation-invariant
                      part of K on each frequency alone, and the coupling to others      (T16)
    patch_frequency   the same for the DCT inside each patch: where, and at which frequency  (T17)

A pair is *constructive* if a descent step on one example lowers the loss of the other, and
*destructive* if it raises it: destructive pairs are the *interference* that slows descent.
A finite step is split in two: the effect with the old activation pattern, and the effect of
the units that switched (T19).

The loss may also be sum_i w_i |r_i|^2 with given weights w_i.  With s_i = sqrt(w_i) r_i it is
|s|^2, and s' = -2 K~ s with K~_ij = sqrt(w_i) K_ij sqrt(w_j); frequencies are then those of s.
An imposed pattern changes only D and h (T40): pass its Trace.

    n, m              examples and outputs
    g                 dloss/df = 2 w r, (n, m)
    D[l], delta[l]    df/dz[l] and dloss/dz[l], as in tangent
    a mode            a Fourier frequency, or one of the DCT of a patch
    values            of every Split sum to loss_rate (of an output split, over all but the last
                      two axes, to output_rate)
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike

from relu_dynamics.checks import (
    Array, Bits, Indices, as_real, cast, check_grid, check_more_rows, check_net, check_patch,
    check_same_shapes, check_size, check_weights, one_line, row_blocks,
)
from relu_dynamics.mlp import (
    MLP, Gradient, Trace, hidden_units, joined_pattern, pull_back, run, traced, traced_examples,
)
from relu_dynamics.patterns import hamming_distances
from relu_dynamics.signals import radial_bands
from relu_dynamics.tangent import Factors, coupling, descent, output_sensitivities, pulled, rates

BLOCK_ENTRIES = 2**22  # of one block of rows of the kernel: 32 MiB

OCTAVES = 2.0 ** np.arange(-1, 31)  # limits of the classes of distances; only 0 is in the first
CELLS = ("self", "same cell", "different cell")
SIGNS = ("constructive", "destructive")
COUPLINGS = ("self", "same patch", "same frequency", "both different")


class Split(NamedTuple):
    """A rate written as an exact sum of parts."""

    values: Array
    axes: tuple[str, ...]                     # the name of every axis of values
    labels: tuple[tuple[Hashable, ...], ...] = ()  # the label of every index, for each axis

    def __repr__(self) -> str:
        return one_line(self)


class Flow(NamedTuple):
    """The rates of gradient flow at one time, and their splits."""

    output_rate: Array                # (n, m) df(x_i)/dt
    loss_rate: float                  # d loss/dt = -|grad loss|^2
    splits: dict[str, Split]          # values sum to loss_rate
    output_splits: dict[str, Split]   # values sum to output_rate over all but the last two axes

    def __repr__(self) -> str:
        return one_line(self)


class StepSplit(NamedTuple):
    """One step of gradient descent, (n, m[L]) each: f after - f before = frozen + flips (T19)."""

    linear: Array  # rate * df/dt, the part of frozen of first order in the step
    frozen: Array  # f after the step with the old pattern, minus f before
    flips: Array   # the rest: zero where no unit switched

    def __repr__(self) -> str:
        return one_line(self)


class _PairBlock(NamedTuple):
    """All pairs (i, j) of examples with i in rows and any j."""

    rows: Indices
    value: Array             # (rows, n): g_i . C_ij = -delta_i.delta_j (h_i.h_j + 1), of d loss/dt
    influence: Array | None  # C_ij, (rows, m, n), if needed
    kernel: Array | None     # K~_ij, (rows, m, m, n), if needed


class _Patches(NamedTuple):
    """A grid cut into patches, and the transform of a patch."""

    samples: Indices                    # (patches, samples) rows of x
    basis: Array                        # B, (modes, samples): the orthonormal DCT-II of one patch
    modes: tuple[tuple[int, ...], ...]  # half cycles per patch and axis, of each row of B


# ------------------------------------------------------------- the rates, split


def decompose(
    net: MLP, x: ArrayLike | Trace, y: ArrayLike, *, weights: ArrayLike | None = None,
    grid: tuple[int, ...] | None = None, patch: int | None = None, outputs: bool = False,
) -> Flow:
    """The rates of f and of the loss under gradient flow, and their exact splits (T14-T17).

    x is rows, (n, m[0]), or a Trace, its pattern imposed or not.  The loss is sum_i w_i |r_i|^2
    with weights w, (n,), none of them negative; None is the mean, w_i = 1 / (n m[L]).

    "layer" (L, 2): weights, biases.
    "unit" (H + m[L],): by incoming weights and bias, outputs last.
    "pair" (3, 2): self, same cell, different cell x constructive, destructive.
    "hamming" (H + 1,): by the Hamming distance of the two patterns.
    "place" (n, 3): the sum over each example's pairs: self, constructive, destructive.

    grid = (n1,) or (n1, n2) says that the rows of x are samples of a uniform grid, row-major:
    "frequency" (modes, 2): self and coupling, by whole cycles (radial bands in 2-D);
    "distance" (octaves, 3, 2): "pair" by the distance of the two samples, in samples;
    "wall_frequency" (modes, 3), on a line: "frequency" with self in two parts, the change of the
    gradients between neighbours by the units that switch, "walls", and the rest, "interior"
    (T55; wall_spectrum has the walls one by one).

    patch = k cuts the grid into patches of k samples per axis, row-major:
    "patch_frequency" (patches, k or k^2, 4): self, same patch, same frequency, both different.

    outputs = True adds the output splits "layer" (L, 2, n, m), "unit" (H + m, n, m),
    "pair" (3, 2, n, m) and "hamming" (H + 1, n, m).

    Costs O(n^2 sum_l m[l]), times m with outputs, m^2 with a grid.  No gradient of an example is
    formed; besides the splits, memory is needed for a few blocks of rows of the kernel (with patch,
    for the rows of a whole patch).

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> flow = rd.decompose(hat, [[0.5], [1.5]], [[1.0], [0.0]])
    >>> flow.loss_rate, [float(split.values.sum()) for split in flow.splits.values()]
    (-3.8125, [-3.8125, -3.8125, -3.8125, -3.8125, -3.8125])
    >>> flow.splits["pair"].values.tolist()  # two examples in two cells: a destructive pair
    [[-5.5625, 0.0], [0.0, 0.0], [0.0, 1.75]]
    """
    net, trace, y = traced_examples(net, x, y)
    check_size("all pairs of examples", 2 * (len(y),), "Pass fewer, for example every k-th sample.")
    shape = None if grid is None else check_grid(grid, len(y))
    patches = _patches(shape, check_patch(patch, shape))
    if outputs:
        check_size("the output splits", (hidden_units(net) + 7, *y.shape), "Do without outputs.")
    return _decomposed(net, trace, y, check_weights(weights, y), shape, patches, outputs)


def _decomposed(
    net: MLP, trace: Trace, y: Array, w: Array,
    shape: tuple[int, ...] | None, patches: _Patches | None, outputs: bool,
) -> Flow:
    r, q = trace.preacts[-1] - y, joined_pattern(trace)
    g, root = 2 * w * r, np.sqrt(w)
    gradient = pull_back(net, trace, g)
    rate = -rates(net, trace, gradient)[-1]
    delta = [part[:, None, :] for part in pulled(net, trace, g)], trace.inputs
    factors = output_sensitivities(net, trace) if outputs or shape is not None else None
    sums = _no_pairs(hidden_units(net), y.shape, shape, outputs)
    s, ds = root * r, root * rate
    displaced = np.zeros((*2 * y.shape[1:], len(y)))  # K~ summed over pairs at each displacement
    within: list[Array] = []
    for rows in _blocks(len(y), y.shape[1], patches):
        pairs = _pairs_of(rows, delta, factors, g, None if shape is None else root)
        _add_pairs(sums, pairs, q, shape)
        if pairs.kernel is not None and shape is not None:
            displaced += _displaced(pairs.kernel, rows, shape)
            if patches is not None:
                within.append(_patch_couplings(pairs.kernel, rows, patches, s))

    splits = {**_parameter_splits(gradient), **_pair_splits(sums)}
    if factors is not None and shape is not None:
        splits["frequency"] = _frequency_split(displaced / len(y), s, ds, shape)
        if len(shape) == 1:
            walls = _wall_kernel(factors, root)
            splits["wall_frequency"] = _wall_split(splits["frequency"], walls, s)
    if patches is not None:
        splits["patch_frequency"] = _patch_split(np.concatenate(within), s, ds, patches)
    by_output = _output_splits(factors, gradient, sums) if factors is not None and outputs else {}
    return Flow(rate, float(splits["layer"].values.sum()), splits, by_output)


# ----------------------------------------------------------- pairs of examples


def _pairs_of(
    rows: Indices, delta: Factors, factors: Factors | None, g: Array, root: Array | None
) -> _PairBlock:
    """The pairs of some rows; influence needs factors, D and h; kernel also root = sqrt(w)."""
    if factors is None:
        return _PairBlock(rows, -coupling(_rows(delta, rows), delta)[:, 0, 0], None, None)
    if root is None:
        K, influence = None, -coupling(_rows(factors, rows), delta)[:, :, 0]
    else:
        K = coupling(_rows(factors, rows), factors)
        influence = -(K * g.T).sum(axis=2)
        K *= (root[rows] * root.T)[:, None, None, :]
    return _PairBlock(rows, np.einsum("ia,iaj->ij", g[rows], influence), influence, K)


def _rows(factors: Factors, rows: Indices) -> Factors:
    return [part[rows] for part in factors[0]], [part[rows] for part in factors[1]]


def _blocks(n: int, m: int, patches: _Patches | None) -> Iterator[Indices]:
    """Blocks of rows, about BLOCK_ENTRIES entries of the kernel each; of whole patches, if any."""
    units = np.arange(n)[:, None] if patches is None else patches.samples
    size = max(1, BLOCK_ENTRIES // (n * m * m * units.shape[1]))
    return (units[block].ravel() for block in row_blocks(len(units), size))


def _no_pairs(
    H: int, size: tuple[int, ...], shape: tuple[int, ...] | None, outputs: bool
) -> dict[str, Array]:
    """Zeros, to which _add_pairs adds."""
    n, m = size
    sums: dict[str, Array] = {
        "pair": np.zeros((3, 2)), "hamming": np.zeros(H + 1), "place": np.zeros((n, 3)),
    }
    if shape is not None:
        octaves = 1 + int(np.searchsorted(OCTAVES, math.hypot(*(s - 1 for s in shape))))
        sums["distance"] = np.zeros((octaves, 3, 2))
    if outputs:
        sums["output pair"] = np.zeros((n, m, 6))
        sums["output hamming"] = np.zeros((n, m, H + 1))
    return sums


def _add_pairs(
    sums: dict[str, Array], pairs: _PairBlock, q: Bits, shape: tuple[int, ...] | None
) -> None:
    """Add the pairs to the sums of their classes."""
    rows, value, influence, _ = pairs
    h = hamming_distances(q[rows], q)
    itself = (np.arange(len(rows)), rows)
    destructive = value > 0
    destructive[itself] = False  # -|grad loss_i|^2 is never positive, except by rounding
    kind = np.where(h == 0, 2, 4) + destructive  # 2 * cell + sign
    kind[itself] = 0
    sums["pair"] += _summed(kind, value, 6).reshape(3, 2)
    sums["hamming"] += _summed(h, value, len(sums["hamming"]))
    own, harmed = value[itself], np.where(destructive, value, 0.0).sum(axis=1)
    helped = np.where(destructive, 0.0, value).sum(axis=1) - own
    sums["place"][rows] = np.stack([own, helped, harmed], axis=1)
    if shape is not None:
        kinds = 6 * np.searchsorted(OCTAVES, _on_grid(rows, shape)) + kind
        sums["distance"] += _summed(kinds, value, sums["distance"].size).reshape(-1, 3, 2)
    if influence is not None and "output pair" in sums:
        for name, group in (("output pair", kind), ("output hamming", h)):
            size = sums[name].shape[2]
            each = size * np.arange(len(rows))[:, None] + group
            for a, C in enumerate(np.moveaxis(influence, 1, 0)):
                sums[name][rows, a] = _summed(each, C, size * len(rows)).reshape(-1, size)


def _summed(group: Indices, value: Array, groups: int) -> Array:
    """(groups,): value added up by group."""
    return np.bincount(group.ravel(), value.ravel(), groups).astype(np.float64, copy=False)


def _on_grid(rows: Indices, shape: tuple[int, ...]) -> Array:
    """(rows, n): Euclidean distance of samples on the grid, in samples."""
    axes = np.unravel_index(np.arange(math.prod(shape)), shape)
    apart = [np.subtract.outer(axis[rows], axis).astype(np.float64) for axis in axes]
    return np.asarray(np.sqrt(np.sum(np.square(apart), axis=0)))


# ----------------------------------------------------------------- frequencies


def _displaced(K: Array, rows: Indices, shape: tuple[int, ...]) -> Array:
    """(m, m, n): at [..., d] the sum over i in rows of K(x_i, x_(i-d)), on a periodic grid."""
    axes = np.unravel_index(np.arange(math.prod(shape)), shape)
    before = [np.subtract.outer(axis[rows], axis) % n for axis, n in zip(axes, shape, strict=True)]
    j = np.ravel_multi_index(tuple(before), shape)
    return np.asarray(np.take_along_axis(K, j[:, None, None, :], axis=3).sum(axis=0))


def _frequency_split(mean_kernel: Array, s: Array, rate: Array, shape: tuple[int, ...]) -> Split:
    """T16: K_hat_kk = (F K~ F*)_kk is the transform of the mean of K~ at each displacement."""
    n, m = s.shape
    axes = tuple(range(-len(shape), 0))
    both = np.stack([s.T, rate.T]).reshape(2, m, *shape)
    s_hat, rate_hat = scipy.fft.fftn(both, axes=axes, norm="ortho").reshape(2, m, n)
    K_hat = scipy.fft.fftn(mean_kernel.reshape(m, m, *shape), axes=axes).reshape(m, m, n)
    total = 2 * np.sum(s_hat.conj() * rate_hat, axis=0).real
    own = -4 * np.einsum("ak,abk,bk->k", s_hat.conj(), K_hat, s_hat).real
    cycles = np.meshgrid(*(scipy.fft.fftfreq(size, 1 / size) for size in shape), indexing="ij")
    band = radial_bands(np.stack([np.ravel(k) for k in cycles], axis=1))
    values: Array = np.stack([np.bincount(band, own), np.bincount(band, total - own)], axis=1)
    labels = tuple(range(len(values))), ("self", "coupling")
    return Split(values, ("frequency", "coupling"), labels)


def _wall_kernel(factors: Factors, root: Array) -> Array:
    """(m, m, n): the mean of <e_i, e_(i+d)>, at d.

    e_i is the change of sqrt(w) J between samples i and i + 1 of a line that is due to switching
    units.  J is D (x) h, and D depends on the gates only: that part of the change is the change
    of D times the mean of the other factors.  Indices wrap around.
    """
    D, h = factors
    after = np.roll(np.arange(len(root)), -1)
    jumps: Factors = ([(part[after] - part) * (root[after] + root)[:, :, None] / 2 for part in D],
                      [(inputs[after] + inputs) / 2 for inputs in h])
    n, m = len(root), D[0].shape[1]
    total = np.zeros((m, m, n))
    for rows in _blocks(n, m, None):
        total += _displaced(coupling(_rows(jumps, rows), jumps), rows, (n,))
    return total / n


def _wall_split(frequency: Split, mean_walls: Array, s: Array) -> Split:
    """T55: at k a change between neighbours has the weight 1 / (4 sin^2(pi k/n)), or 0 at k = 0."""
    n = len(s)
    s_hat = scipy.fft.fft(s.T, norm="ortho")
    weight = 4 * np.sin(np.pi * np.arange(n) / n) ** 2
    weight[0] = np.inf
    S = scipy.fft.fft(mean_walls) / weight
    walls = -4 * np.einsum("ak,abk,bk->k", s_hat.conj(), S, s_hat).real
    by_band = np.bincount(radial_bands(scipy.fft.fftfreq(n, 1 / n)[:, None]), walls)
    own, coupled = frequency.values.T
    return Split(np.stack([by_band, own - by_band, coupled], axis=1), frequency.axes,
                 (frequency.labels[0], ("walls", "interior", "coupling")))


def _patches(shape: tuple[int, ...] | None, k: int | None) -> _Patches | None:
    """The grid cut into patches of k samples per axis, row-major."""
    if shape is None or k is None:
        return None
    samples = np.arange(math.prod(shape)).reshape([part for n in shape for part in (n // k, k)])
    order = (0, 1) if len(shape) == 1 else (0, 2, 1, 3)
    samples = samples.transpose(order).reshape(-1, k ** len(shape))
    one: Array = scipy.fft.dct(np.eye(k), axis=0, norm="ortho")
    basis = one if len(shape) == 1 else np.kron(one, one)
    return _Patches(samples, basis, tuple(np.ndindex(*(k,) * len(shape))))


def _patch_couplings(K: Array, rows: Indices, patches: _Patches, s: Array) -> Array:
    """(patches among rows, modes, 3): c_pk (B K~ B^T c)_pk with parts of the last sum (T17).

    The parts are the term of c_pk itself, the terms of its patch, and the terms of its frequency.
    rows are whole patches, in order.
    """
    B, (samples, m), n = patches.basis, (len(patches.modes), s.shape[1]), len(s)
    c = np.einsum("ks,psa->pka", B, s[patches.samples])
    BK = (B @ K.reshape(-1, samples, K[0].size)).reshape(-1, samples, m, m, n)  # of rows only
    every = np.zeros((samples, m, n))  # the part of s that has frequency k, in all patches
    every[:, :, patches.samples] = np.einsum("ks,pka->kaps", B, c)
    result = np.empty((len(BK), samples, 3))
    for g, p in enumerate(np.flatnonzero(np.isin(patches.samples[:, 0], rows))):
        inside = patches.samples[p]
        here = BK[g][..., inside]
        own = np.einsum("kabs,ks,kb->ka", here, B, c[p])
        same_patch = np.einsum("kabs,sb->ka", here, s[inside])
        same_frequency = (BK[g].reshape(samples, m, -1) @ every.reshape(samples, -1, 1))[..., 0]
        parts = np.stack([own, same_patch, same_frequency], axis=2)
        result[g] = np.einsum("ka,kat->kt", c[p], parts)
    return result


def _patch_split(within: Array, s: Array, rate: Array, patches: _Patches) -> Split:
    """T17, from the three partial sums of every coefficient and dc/dt = B s'."""
    c, dc = (np.einsum("ks,psa->pka", patches.basis, part[patches.samples]) for part in (s, rate))
    own, same_patch, same_frequency = np.moveaxis(-4 * within, 2, 0)
    different = 2 * np.vecdot(c, dc) - same_patch - same_frequency + own
    values = np.stack([own, same_patch - own, same_frequency - own, different], axis=2)
    labels = tuple(range(len(values))), patches.modes, COUPLINGS
    return Split(values, ("patch", "frequency", "coupling"), labels)


# ---------------------------------------------------------------------- labels


def _parameter_splits(gradient: Gradient) -> dict[str, Split]:
    """-|grad loss|^2 by the parameters."""
    parts = [(-np.vecdot(W, W), -(b**2)) for W, b in zip(*gradient[:2], strict=True)]
    layer = np.array([[weights.sum(), biases.sum()] for weights, biases in parts])
    unit = np.concatenate([weights + biases for weights, biases in parts])
    return {"layer": _by_layer(layer), "unit": _by_unit(unit)}


def _by_layer(values: Array) -> Split:
    axes = ("layer", "parameters", "example", "output")[: values.ndim]
    layers = tuple(range(1, len(values) + 1))
    return Split(values, axes, (layers, ("weights", "biases"), *_rest(values, 2)))


def _by_unit(values: Array) -> Split:
    return Split(values, ("unit", "example", "output")[: values.ndim], _rest(values, 0))


def _rest(values: Array, first: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(range(size)) for size in values.shape[first:])


def _pair_splits(sums: dict[str, Array]) -> dict[str, Split]:
    H, n = len(sums["hamming"]) - 1, len(sums["place"])
    splits = {
        "pair": Split(sums["pair"], ("cell", "sign"), (CELLS, SIGNS)),
        "hamming": Split(sums["hamming"], ("hamming distance",), (tuple(range(H + 1)),)),
        "place": Split(sums["place"], ("example", "pairs"), (tuple(range(n)), ("self", *SIGNS))),
    }
    if "distance" in sums:
        limits = (0.0, *OCTAVES[1 : len(sums["distance"])].tolist())
        axes = ("distance up to", "cell", "sign")
        splits["distance"] = Split(sums["distance"], axes, (limits, CELLS, SIGNS))
    return splits


def _output_splits(
    factors: Factors, gradient: Gradient, sums: dict[str, Array]
) -> dict[str, Split]:
    """The parts of df/dt, (..., n, m), by layer, unit, and class of pairs."""
    layer, unit = [], []
    for D, h, dW, db in zip(*factors, *gradient[:2], strict=True):
        by_weights = -D * (h @ dW.T)[:, None, :]  # (n, m, units)
        by_biases = -D * db
        layer.append([by_weights.sum(axis=2), by_biases.sum(axis=2)])
        unit.append(np.moveaxis(by_weights + by_biases, 2, 0))
    pair, by_hamming = (np.moveaxis(sums[name], 2, 0) for name in ("output pair", "output hamming"))
    pair = pair.reshape(3, 2, *pair.shape[1:])
    axes = ("example", "output")
    return {"layer": _by_layer(np.array(layer)), "unit": _by_unit(np.concatenate(unit)),
            "pair": Split(pair, ("cell", "sign", *axes), (CELLS, SIGNS, *_rest(pair, 2))),
            "hamming": Split(by_hamming, ("hamming distance", *axes), _rest(by_hamming, 0))}


# --------------------------------------------------------------- a finite step


def step_split(net: MLP, x: ArrayLike | Trace, y: ArrayLike, rate: float) -> StepSplit:
    """The change of f at the examples in one step of descent, theta - rate grad loss (T19)."""
    net, trace, y = traced_examples(net, x, y)
    step = float(as_real("rate", rate, (), "the size of the step"))
    motion = descent(net, trace, y)
    moved = check_net(MLP(*(tuple(p + step * v for p, v in zip(parts, by, strict=True))
                            for parts, by in zip(net, motion, strict=True))))
    return StepSplit(step * rates(net, trace, motion)[-1], *_change(moved, trace))


def change_split(net: MLP, moved: MLP, x: ArrayLike | Trace) -> tuple[Array, Array]:
    """frozen and flips, (n, m[L]) each: their sum is f_moved - f_net at the rows of x (T19).

    frozen keeps each example's old activation pattern; flips is zero where the pattern is the same.
    On a straight path of parameters frozen is a polynomial in the distance, of degree at most L.
    """
    net, trace = traced(net, x)
    moved = cast(check_same_shapes(net, moved, "moved"), np.dtype(np.float64))
    check_more_rows(moved, trace.inputs[0], "x")
    return _change(moved, trace)


def _change(moved: MLP, trace: Trace) -> tuple[Array, Array]:
    x, before = trace.inputs[0], trace.preacts[-1]
    kept, free = (run(moved, x, q).preacts[-1] for q in (joined_pattern(trace), None))
    return kept - before, free - kept
