"""Gradient flow taken apart: by layer, unit, shared pattern, place and frequency, exactly.

Under theta' = -grad of the loss (1/nm) sum_i |r_i|^2, r = f - y, the network itself moves by

    r_i' = sum_j C_ij,   C_ij = -(2/nm) K(x_i, x_j) r_j         the influence of example j on output i
    loss' = (2/nm) sum_ij r_i . C_ij  = -|grad loss|^2           (T14)

and every way to group the terms of these sums is a way to say what descent is made of:

    layer, unit           whose parameters move                                            (T15 i, ii)
    pair, hamming,        which pairs of examples act on each other: an example on itself, two in one
    distance, place       cell, two cells that differ in h units; near or far apart        (T15 iii, iv)
    frequency             F the unitary DFT, r_hat = F r: what the translation-invariant part of K does
                          to each frequency by itself, and what couples it to the others   (T16)
    patch_frequency       the same for the DCT inside each patch: where, and at which frequency  (T17)

A pair is *constructive* if a step along the gradient of one example lowers the loss of the
other, and *destructive* if it raises it; what is destroyed is the *interference* that slows
descent.  A finite step is split in two: what the old activation pattern would have done, and
what is due to the units that switched (T19).

The loss may also be sum_i w_i |r_i|^2 with weights w_i of one's own.  With s_i = sqrt(w_i) r_i it is
|s|^2, and s' = -2 K~ s with K~_ij = sqrt(w_i) K_ij sqrt(w_j): then frequencies are those of s.  An
imposed pattern changes nothing but D and h (T40): pass its Trace.

    n, m       examples and outputs         a mode   a Fourier frequency, or one of the DCT of a patch
    g          dloss/df = 2 w r, (n, m)     delta[l], D[l]  dloss/dz[l] and df/dz[l], as in tangent
    values     of every Split sum to loss_rate (of an output split, over all but the last two axes,
               to output_rate)
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

OCTAVES = 2.0 ** np.arange(-1, 31)  # distances up to these limits form one class; the first holds distance 0 alone
CELLS = ("self", "same cell", "different cell")
SIGNS = ("constructive", "destructive")
COUPLINGS = ("self", "same patch", "same frequency", "both different")


class Split(NamedTuple):
    """One exact way to write a rate as a sum of parts."""

    values: Array
    axes: tuple[str, ...]                     # the name of every axis of values
    labels: tuple[tuple[Hashable, ...], ...] = ()  # and what stands at each of its indices

    def __repr__(self) -> str:
        return one_line(self)


class Flow(NamedTuple):
    """The motion of gradient flow at one moment."""

    output_rate: Array                # (n, m) df(x_i)/dt
    loss_rate: float                  # d loss/dt = -|grad loss|^2
    splits: dict[str, Split]          # values sum to loss_rate
    output_splits: dict[str, Split]   # values sum to output_rate, (n, m), over all but the last two axes

    def __repr__(self) -> str:
        return one_line(self)


class StepSplit(NamedTuple):
    """One step of gradient descent, (n, m[L]) each: f after - f before = frozen + flips (T19)."""

    linear: Array  # rate * df/dt, the part of frozen that is of first order in the step
    frozen: Array  # f after, had every unit stayed on or off, - f before
    flips: Array   # the rest: zero wherever no unit switched

    def __repr__(self) -> str:
        return one_line(self)


class _Pairs(NamedTuple):
    """All pairs (i, j) of examples with i in rows, j any."""

    rows: Indices
    value: Array             # (rows, n): their part of d loss/dt, g_i . C_ij = -delta_i.delta_j (h_i.h_j + 1)
    influence: Array | None  # C_ij, (rows, m, n), where somebody asks for it
    kernel: Array | None     # K~_ij, (rows, m, m, n), likewise


class _Patches(NamedTuple):
    """How a grid is cut into patches, and the local transform."""

    samples: Indices                       # (patches, samples) rows of x
    basis: Array                           # B, (modes, samples): the orthonormal DCT-II of one patch
    modes: tuple[tuple[int, ...], ...]     # half cycles per patch and axis, of each row of B


# ------------------------------------------------------------- the rates, split


def decompose(
    net: MLP, x: ArrayLike | Trace, y: ArrayLike, *, weights: ArrayLike | None = None,
    grid: tuple[int, ...] | None = None, patch: int | None = None, outputs: bool = False,
) -> Flow:
    """The rates of f and of the loss under gradient flow, and their exact splits (T14-T17).

    x is rows, (n, m[0]), or a Trace, its pattern imposed or not.  The loss is sum_i w_i |r_i|^2
    with weights w, (n,), none of them negative; None is the mean, w_i = 1 / (n m[L]).

    "layer" (L, 2): weights, biases.  "unit" (H + m[L],): by incoming weights and bias, outputs last.
    "pair" (3, 2): self, same cell, different cell x constructive, destructive.  "hamming" (H + 1,).
    "place" (n, 3): what each example's pairs do: self, constructive, destructive.

    grid = (n1,) or (n1, n2) says that the rows of x are samples of a uniform grid, row-major, and adds
    "frequency" (modes, 2): self and coupling, by whole cycles (radial bands in 2-D), and
    "distance" (octaves, 3, 2): "pair" by the distance of the two samples, in samples; and on a line
    "wall_frequency" (modes, 3): "frequency" with self in two, what the units that switch between neighbours
    do to their gradients and what else moves these (T55; wall_spectrum has the walls one by one).
    patch = k cuts the grid into patches of k samples per axis, row-major, and adds
    "patch_frequency" (patches, k or k^2, 4): self, same patch, same frequency, both different.
    outputs = True adds the output splits "layer" (L, 2, n, m), "unit" (H + m, n, m),
    "pair" (3, 2, n, m) and "hamming" (H + 1, n, m).

    Costs O(n^2 sum_l m[l]), times m with outputs, m^2 with a grid; no gradient of an example is formed, and
    beyond the splits memory stays at a few blocks of rows of the kernel (T17 needs a patch's rows at once).

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> flow = rd.decompose(hat, [[0.5], [1.5]], [[1.0], [0.0]])
    >>> flow.loss_rate, {name: float(split.values.sum()) for name, split in flow.splits.items()}
    (-3.8125, {'layer': -3.8125, 'unit': -3.8125, 'pair': -3.8125, 'hamming': -3.8125, 'place': -3.8125})
    >>> flow.splits["pair"].values.tolist()  # the two examples are in different cells, and disturb each other
    [[-5.5625, 0.0], [0.0, 0.0], [0.0, 1.75]]
    """
    net, trace, y = traced_examples(net, x, y)
    check_size("all pairs of examples", (len(y), len(y)), "Pass fewer rows, for example every k-th sample of the grid.")
    shape = None if grid is None else check_grid(grid, len(y))
    patches = _patches(shape, check_patch(patch, shape))
    w, r, q = check_weights(weights, y), trace.preacts[-1] - y, joined_pattern(trace)
    root, g = np.sqrt(w), 2 * w * r
    gradient = pull_back(net, trace, g)
    rate = -rates(net, trace, gradient)[-1]
    layer = np.array([[-np.vdot(W, W), -np.vdot(b, b)] for W, b in zip(*gradient[:2], strict=True)])
    unit = np.concatenate([-(np.vecdot(W, W) + b**2) for W, b in zip(*gradient[:2], strict=True)])
    sums = _no_pairs(net, y.shape, shape, outputs)
    mean_kernel = np.zeros((*2 * y.shape[1:], len(y)))  # of K~ over the pairs at each displacement on the grid
    within: list[Array] = []
    for pairs in _pairs_of_examples(net, trace, g, _blocks(len(y), y.shape[1], patches), outputs, None if shape is None else root):
        _add_pairs(sums, pairs, q, shape)
        if pairs.kernel is not None and shape is not None:
            mean_kernel += _displaced(pairs.kernel, pairs.rows, shape) / len(y)
            if patches is not None:
                within.append(_patch_couplings(pairs.kernel, pairs.rows, patches, root * r))

    splits = {"layer": _by_layer(layer), "unit": _by_unit(unit), **_pair_splits(sums)}
    if shape is not None:
        splits["frequency"] = _frequency_split(mean_kernel, root * r, root * rate, shape)
        if len(shape) == 1:
            splits["wall_frequency"] = _wall_split(splits["frequency"], _wall_kernel(net, trace, root), root * r)
    if patches is not None:
        splits["patch_frequency"] = _patch_split(np.concatenate(within), root * r, root * rate, patches)
    return Flow(rate, float(layer.sum()), splits, _output_splits(net, trace, gradient, sums) if outputs else {})


# ----------------------------------------------------------- pairs of examples


def _pairs_of_examples(
    net: MLP, trace: Trace, g: Array, blocks: Iterator[Indices], outputs: bool, root: Array | None
) -> Iterator[_Pairs]:
    """All pairs, some rows at a time: one number each, m with outputs, m^2 on a grid, where root = sqrt(w)."""
    h = trace.inputs
    delta = [part[:, None, :] for part in pulled(net, trace, g)]
    D = output_sensitivities(net, trace)[0] if outputs or root is not None else []
    for rows in blocks:
        if root is not None:
            K = coupling(_rows((D, h), rows), (D, h))
            influence = -(K * g.T).sum(axis=2)
            K *= (root[rows] * root.T)[:, None, None, :]
            yield _Pairs(rows, np.einsum("ia,iaj->ij", g[rows], influence), influence, K)
        elif outputs:
            influence = -coupling(_rows((D, h), rows), (delta, h))[:, :, 0]
            yield _Pairs(rows, np.einsum("ia,iaj->ij", g[rows], influence), influence, None)
        else:
            yield _Pairs(rows, -coupling(_rows((delta, h), rows), (delta, h))[:, 0, 0], None, None)


def _rows(factors: Factors, rows: Indices) -> Factors:
    return [part[rows] for part in factors[0]], [part[rows] for part in factors[1]]


def _blocks(n: int, m: int, patches: _Patches | None) -> Iterator[Indices]:
    """Row indices in blocks, whole patches if there are any; a block of the kernel has about BLOCK_ENTRIES entries."""
    units = np.arange(n)[:, None] if patches is None else patches.samples
    size = max(1, BLOCK_ENTRIES // (n * m * m * units.shape[1]))
    return (units[block].ravel() for block in row_blocks(len(units), size))


def _no_pairs(net: MLP, size: tuple[int, ...], shape: tuple[int, ...] | None, outputs: bool) -> dict[str, Array]:
    """Zeros for what _add_pairs adds up."""
    (n, m), H = size, hidden_units(net)
    sums: dict[str, Array] = {"pair": np.zeros((3, 2)), "hamming": np.zeros(H + 1), "place": np.zeros((n, 3))}
    if shape is not None:
        octaves = 1 + int(np.searchsorted(OCTAVES, math.hypot(*(s - 1 for s in shape))))
        sums["distance"] = np.zeros((octaves, 3, 2))
    if outputs:
        check_size("the output splits", (H + 7, n, m), "Pass fewer rows, or do without outputs.")
        sums.update({"output pair": np.zeros((n, m, 6)), "output hamming": np.zeros((n, m, H + 1))})
    return sums


def _add_pairs(sums: dict[str, Array], pairs: _Pairs, q: Bits, shape: tuple[int, ...] | None) -> None:
    """Add the pairs, class by class."""
    rows, value, influence, _ = pairs
    h = hamming_distances(q[rows], q)
    here = np.arange(len(rows))
    itself = (here, rows)
    destructive = value > 0
    destructive[itself] = False  # -|grad loss_i|^2, whatever its rounding
    kind = np.where(h == 0, 2, 4) + destructive  # 2 * cell + sign
    kind[itself] = 0
    sums["pair"] += _summed(kind, value, 6).reshape(3, 2)
    sums["hamming"] += _summed(h, value, len(sums["hamming"]))
    own, harm = value[itself], np.where(destructive, value, 0.0).sum(axis=1)
    sums["place"][rows] = np.stack([own, np.where(destructive, 0.0, value).sum(axis=1) - own, harm], axis=1)
    if shape is not None:
        octave = np.searchsorted(OCTAVES, _on_grid(rows, shape))
        sums["distance"] += _summed(6 * octave + kind, value, sums["distance"].size).reshape(-1, 3, 2)
    if influence is not None and "output pair" in sums:
        for a in range(influence.shape[1]):
            for name, group, size in (("output pair", kind, 6), ("output hamming", h, len(sums["hamming"]))):
                sums[name][rows, a] = _summed(size * here[:, None] + group, influence[:, a], size * len(rows)).reshape(-1, size)


def _summed(group: Indices, value: Array, groups: int) -> Array:
    """(groups,): value added up by group."""
    return np.bincount(group.ravel(), value.ravel(), groups).astype(np.float64, copy=False)


def _on_grid(rows: Indices, shape: tuple[int, ...]) -> Array:
    """(rows, n): Euclidean distance of samples on the grid, in samples."""
    axes = np.unravel_index(np.arange(math.prod(shape)), shape)
    return np.sqrt(sum(np.subtract.outer(axis[rows], axis).astype(np.float64) ** 2 for axis in axes))


# ----------------------------------------------------------------- frequencies


def _displaced(K: Array, rows: Indices, shape: tuple[int, ...]) -> Array:
    """(m, m, n): at [..., d] the sum over i in rows of K(x_i, x_j), where j lies d before i on the grid, which wraps around."""
    axes = np.unravel_index(np.arange(math.prod(shape)), shape)
    before = tuple(np.subtract.outer(axis[rows], axis) % size for axis, size in zip(axes, shape, strict=True))
    j = np.ravel_multi_index(before, shape)
    return np.asarray(np.take_along_axis(K, j[:, None, None, :], axis=3).sum(axis=0))


def _frequency_split(mean_kernel: Array, s: Array, rate: Array, shape: tuple[int, ...]) -> Split:
    """T16: K_hat_kk, the diagonal of F K~ F*, is the transform of the mean of K~ over all pairs at one displacement."""
    n, m = s.shape
    axes = tuple(range(-len(shape), 0))
    s_hat, rate_hat = (scipy.fft.fftn(part.T.reshape(m, *shape), axes=axes, norm="ortho").reshape(m, n) for part in (s, rate))
    K_hat = scipy.fft.fftn(mean_kernel.reshape(m, m, *shape), axes=axes).reshape(m, m, n)
    total = 2 * np.sum(s_hat.conj() * rate_hat, axis=0).real
    own = -4 * np.einsum("ak,abk,bk->k", s_hat.conj(), K_hat, s_hat).real
    cycles = np.meshgrid(*(scipy.fft.fftfreq(size, 1 / size) for size in shape), indexing="ij")
    band = radial_bands(np.stack([np.ravel(k) for k in cycles], axis=1))
    values: Array = np.stack([np.bincount(band, own), np.bincount(band, total - own)], axis=1)
    return Split(values, ("frequency", "coupling"), (tuple(range(len(values))), ("self", "coupling")))


def _wall_kernel(net: MLP, trace: Trace, root: Array) -> Array:
    """(m, m, n): the mean of <e_i, e_(i+d)>, at d; e_i is what switching units do between samples i and i + 1 of a line.

    sqrt(w) J is D (x) h times a number, and D depends on the gates alone: their part in its change is the change of D times
    the mean of the rest.  Indices wrap around.
    """
    D, h = output_sensitivities(net, trace)
    after = np.roll(np.arange(len(root)), -1)
    factors: Factors = ([(part[after] - part) * (root[after] + root)[:, :, None] / 2 for part in D],
                        [(inputs[after] + inputs) / 2 for inputs in h])
    n, m = len(root), D[0].shape[1]
    total = np.zeros((m, m, n))
    for rows in _blocks(n, m, None):
        total += _displaced(coupling(_rows(factors, rows), factors), rows, (n,))
    return total / n


def _wall_split(frequency: Split, mean_walls: Array, s: Array) -> Split:
    """T55: a change between neighbours counts 1 / (4 sin^2(pi k/n)) times at frequency k, and none at k = 0."""
    n = len(s)
    s_hat = scipy.fft.fft(s.T, norm="ortho")
    weight = 4 * np.sin(np.pi * np.arange(n) / n) ** 2
    weight[0] = np.inf
    walls = -4 * np.einsum("ak,abk,bk->k", s_hat.conj(), scipy.fft.fft(mean_walls) / weight, s_hat).real
    by_band = np.bincount(radial_bands(scipy.fft.fftfreq(n, 1 / n)[:, None]), walls)
    own, coupled = frequency.values.T
    return Split(np.stack([by_band, own - by_band, coupled], axis=1), frequency.axes,
                 (frequency.labels[0], ("walls", "interior", "coupling")))


def _patches(shape: tuple[int, ...] | None, k: int | None) -> _Patches | None:
    """The grid cut into patches of k samples per axis, row-major."""
    if shape is None or k is None:
        return None
    samples = np.arange(math.prod(shape)).reshape([part for size in shape for part in (size // k, k)])
    samples = samples.transpose((0, 1) if len(shape) == 1 else (0, 2, 1, 3)).reshape(-1, k ** len(shape))
    one: Array = scipy.fft.dct(np.eye(k), axis=0, norm="ortho")
    return _Patches(samples, one if len(shape) == 1 else np.kron(one, one), tuple(np.ndindex(*(k,) * len(shape))))


def _patch_couplings(K: Array, rows: Indices, patches: _Patches, s: Array) -> Array:
    """(patches among rows, modes, 3): c_pk times (B K~ B^T c)_pk, the sum taken over the coefficient c_pk itself, over the
    coefficients of its patch, and over those of its frequency (T17).  rows are whole patches, in their order."""
    B, (samples, m) = patches.basis, (len(patches.modes), s.shape[1])
    c = np.einsum("ks,psa->pka", B, s[patches.samples])
    BK = (B @ K.reshape(-1, samples, K[0].size)).reshape(-1, samples, m, m, len(s))  # rows transformed, columns not
    every = np.zeros((samples, m, len(s)))  # the part of s that has frequency k, in all patches
    every[:, :, patches.samples] = np.einsum("ks,pka->kaps", B, c)
    result = np.empty((len(BK), samples, 3))
    for g, p in enumerate(np.flatnonzero(np.isin(patches.samples[:, 0], rows))):
        inside = patches.samples[p]
        here = BK[g][..., inside]
        sums = [np.einsum("kabs,ks,kb->ka", here, B, c[p]), np.einsum("kabs,sb->ka", here, s[inside]),
                (BK[g].reshape(samples, m, -1) @ every.reshape(samples, -1, 1))[..., 0]]
        result[g] = np.stack([np.vecdot(c[p], part) for part in sums], axis=1)
    return result


def _patch_split(within: Array, s: Array, rate: Array, patches: _Patches) -> Split:
    """T17, from the three partial sums of every coefficient and dc/dt = B s'."""
    c, dc = (np.einsum("ks,psa->pka", patches.basis, part[patches.samples]) for part in (s, rate))
    own, same_patch, same_frequency = np.moveaxis(-4 * within, 2, 0)
    total = 2 * np.vecdot(c, dc)
    values = np.stack([own, same_patch - own, same_frequency - own, total - same_patch - same_frequency + own], axis=2)
    return Split(values, ("patch", "frequency", "coupling"), (tuple(range(len(values))), patches.modes, COUPLINGS))


# ---------------------------------------------------------------------- labels


def _by_layer(values: Array) -> Split:
    layers = tuple(range(1, len(values) + 1))
    return Split(values, ("layer", "parameters", "example", "output")[: values.ndim],
                 (layers, ("weights", "biases"), *_rest(values, 2)))


def _by_unit(values: Array) -> Split:
    return Split(values, ("unit", "example", "output")[: values.ndim], (tuple(range(len(values))), *_rest(values, 1)))


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
        splits["distance"] = Split(sums["distance"], ("distance up to", "cell", "sign"), (limits, CELLS, SIGNS))
    return splits


def _output_splits(net: MLP, trace: Trace, gradient: Gradient, sums: dict[str, Array]) -> dict[str, Split]:
    """The parts of df/dt, (..., n, m), by layer, unit, and class of pairs."""
    D, h = output_sensitivities(net, trace)
    moved = [(-inputs @ dW.T, np.broadcast_to(-db, (len(inputs), len(db))))
             for inputs, dW, db in zip(h, *gradient[:2], strict=True)]
    layer = np.array([[np.vecdot(part, by[:, None, :]) for by in both] for part, both in zip(D, moved, strict=True)])
    unit = np.concatenate([np.moveaxis(part * (w + b)[:, None, :], 2, 0) for part, (w, b) in zip(D, moved, strict=True)])
    pair, by_hamming = (np.moveaxis(sums[name], 2, 0) for name in ("output pair", "output hamming"))
    pair = pair.reshape(3, 2, *pair.shape[1:])
    return {"layer": _by_layer(layer), "unit": _by_unit(unit),
            "pair": Split(pair, ("cell", "sign", "example", "output"), (CELLS, SIGNS, *_rest(pair, 2))),
            "hamming": Split(by_hamming, ("hamming distance", "example", "output"),
                             (tuple(range(len(by_hamming))), *_rest(by_hamming, 1)))}


# --------------------------------------------------------------- a finite step


def step_split(net: MLP, x: ArrayLike | Trace, y: ArrayLike, rate: float) -> StepSplit:
    """What one step of gradient descent, theta - rate grad loss, does to f at the examples (T19)."""
    net, trace, y = traced_examples(net, x, y)
    step = float(as_real("rate", rate, (), "the size of the step"))
    motion = descent(net, trace, y)
    moved = check_net(MLP(*(tuple(p + step * v for p, v in zip(parts, by, strict=True))
                            for parts, by in zip(net, motion, strict=True))))
    return StepSplit(step * rates(net, trace, motion)[-1], *_change(moved, trace))


def change_split(net: MLP, moved: MLP, x: ArrayLike | Trace) -> tuple[Array, Array]:
    """frozen and flips, (n, m[L]) each: f_moved - f_net at the rows of x is their sum (T19).

    frozen keeps each example's old activation pattern; flips is zero where moved has the same one.
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
