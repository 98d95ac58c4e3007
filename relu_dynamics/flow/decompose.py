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

import functools
import math
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike

from relu_dynamics.checks import (
    Array, Bits, Indices, as_real, cast, check_flag, check_grid, check_more_rows, check_net,
    check_patch, check_same_shapes, check_size, check_weights, printed, row_blocks,
)
from relu_dynamics.mlp import (
    MLP, Gradient, Trace, hidden_units, joined_pattern, pull_back, run, traced, traced_examples,
)
from relu_dynamics.patterns import hamming_distances
from relu_dynamics.signals import grid_bands
from relu_dynamics.tangent import (
    Factors, coupling, descent, factors_at, output_sensitivities, pulled_back, rates,
)

Axes = dict[str, Sequence[Hashable]]  # the name of each axis of a split, and its labels
Sums = dict[str, Array]               # of the pairs, by split

BLOCK_ENTRIES = 2**22  # of one block of rows of the kernel: 32 MiB

OCTAVES = 2.0 ** np.arange(-1, 31)  # limits of the classes of distances; only 0 is in the first
CELLS = ("self", "same cell", "different cell")
SIGNS = ("constructive", "destructive")
COUPLINGS = ("self", "same patch", "same frequency", "both different")


@printed
class Split(NamedTuple):
    """A rate written as an exact sum of parts."""

    values: Array
    axes: tuple[str, ...]                     # the name of every axis of values
    labels: tuple[tuple[Hashable, ...], ...] = ()  # the label of every index, for each axis


@printed
class Flow(NamedTuple):
    """The rates of gradient flow at one time, and their splits."""

    output_rate: Array                # (n, m) df(x_i)/dt
    loss_rate: float                  # d loss/dt = -|grad loss|^2
    splits: dict[str, Split]          # values sum to loss_rate
    output_splits: dict[str, Split]   # values sum to output_rate over all but the last two axes


@printed
class StepSplit(NamedTuple):
    """One step of gradient descent, (n, m[L]) each: f after - f before = frozen + flips (T19)."""

    linear: Array  # rate * df/dt, the part of frozen of first order in the step
    frozen: Array  # f after the step with the old pattern, minus f before
    flips: Array   # the rest: zero where no unit switched


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
    check_flag("outputs", outputs, "split the rates of the outputs too")
    if outputs:
        check_size("the output splits", (hidden_units(net) + 7, *y.shape), "Do without outputs.")
    return _decomposed(net, trace, y, check_weights(weights, y), shape, patches, outputs)


def _decomposed(
    net: MLP, trace: Trace, y: Array, w: Array,
    shape: tuple[int, ...] | None, patches: _Patches | None, outputs: bool,
) -> Flow:
    (n, m), q, root = y.shape, joined_pattern(trace), np.sqrt(w)
    r = trace.preacts[-1] - y
    g = 2 * w * r
    gradient = pull_back(net, trace, g)
    rate = -rates(net, trace, gradient)[-1]
    s, ds = root * r, root * rate
    # grad loss_i = sum_a g_ia grad f_a(x_i) is enough where outputs are not told apart
    losses = pulled_back(net, trace, g[:, None]), np.ones((n, 1))
    every = (output_sensitivities(net, trace), g) if outputs or shape is not None else losses
    left, right = every, losses if shape is None else every

    axes = _pair_axes(n, q.shape[1], shape)
    sums: Sums = {name: np.zeros([*map(len, of.values())]) for name, of in axes.items()}
    by_output: Sums = {
        name: np.zeros((n, m, sums[name].size)) for name in ("pair", "hamming") if outputs}
    displaced, within = np.zeros((m, m, n)), []  # K~ summed over pairs at each displacement
    units = np.arange(n)[:, None] if patches is None else patches.samples  # whole patches, if any
    for block in row_blocks(len(units), max(1, BLOCK_ENTRIES // (n * m * m * units.shape[1]))):
        rows = units[block].ravel()
        K, influence, value = _influence(rows, left, right)
        _add_pairs(sums, by_output, rows, influence, value, _pair_classes(rows, value, q, shape))
        if shape is not None:
            K *= (root[rows] * root.T)[:, None, None, :]
            displaced += _displaced(K, rows, shape)
        if patches is not None:
            within.append(_patch_couplings(K, block, patches, s))

    squares = [(-np.vecdot(W, W), -(b**2)) for W, b in zip(*gradient[:2], strict=True)]
    splits = _parameter_splits(squares)
    splits |= {name: _split(values, axes[name]) for name, values in sums.items()}
    if shape is not None:
        walls = _wall_kernel(left[0], root) if len(shape) == 1 else None
        splits |= _frequency_splits(displaced / n, walls, s, ds, shape)
    if patches is not None:
        splits["patch_frequency"] = _patch_split(np.concatenate(within, axis=1), s, ds, patches)
    by_output_splits = _output_splits(left[0], gradient, by_output, axes) if outputs else {}
    return Flow(rate, float(splits["layer"].values.sum()), splits, by_output_splits)


def _split(values: Array, axes: Axes) -> Split:
    """values with these axes first; if there are more, the last two are examples and outputs."""
    rest = [range(size) for size in values.shape[len(axes) :]]
    names = (*axes, "example", "output")[: values.ndim]
    return Split(values, names, tuple(map(tuple, (*axes.values(), *rest))))


def _parameter_splits(parts: Sequence[tuple[Array, Array]]) -> dict[str, Split]:
    """"layer" and "unit", from the parts of every unit's incoming weights and bias, (m[l], ...)."""
    layer = np.array([[part.sum(axis=0) for part in both] for both in parts])
    unit = np.concatenate([weights + biases for weights, biases in parts])
    by_layer: Axes = {"layer": range(1, len(layer) + 1), "parameters": ("weights", "biases")}
    return {"layer": _split(layer, by_layer), "unit": _split(unit, {"unit": range(len(unit))})}


def _output_splits(
    J: Factors, gradient: Gradient, by_output: Sums, axes: dict[str, Axes]
) -> dict[str, Split]:
    """The parts of df/dt, (..., n, m), by layer, unit, and class of pairs."""
    moved = [(np.moveaxis(-D * (h @ dW.T)[:, None], 2, 0), np.moveaxis(-D * db, 2, 0))
             for D, h, dW, db in zip(*J, *gradient[:2], strict=True)]
    splits = _parameter_splits(moved)
    for name, parts in by_output.items():
        sizes = [len(labels) for labels in axes[name].values()]
        values = np.moveaxis(parts, 2, 0).reshape(*sizes, *parts.shape[:2])
        splits[name] = _split(values, axes[name])
    return splits


# ----------------------------------------------------------- pairs of examples


def _influence(
    rows: Indices, left: tuple[Factors, Array], right: tuple[Factors, Array]
) -> tuple[Array, Array, Array]:
    """K, C_ij, (rows, a, n), and g_i . C_ij, (rows, n), for i in rows and any j.

    Both sides are gradients, a of each example, and the weights, (n, a), with which they sum to
    that of its loss.
    """
    (J, g), (J2, g2) = left, right
    K = coupling(factors_at(J, rows), J2)
    C = -(K * g2.T).sum(axis=2)
    return K, C, np.einsum("ia,iaj->ij", g[rows], C)


def _pair_axes(n: int, H: int, shape: tuple[int, ...] | None) -> dict[str, Axes]:
    """The splits by pairs."""
    axes: dict[str, Axes] = {
        "pair": {"cell": CELLS, "sign": SIGNS},
        "hamming": {"hamming distance": range(H + 1)},
        "place": {"example": range(n), "pairs": ("self", *SIGNS)},
    }
    if shape is not None:
        octaves = int(np.searchsorted(OCTAVES, math.hypot(*(size - 1 for size in shape))))
        limits = (0.0, *OCTAVES[1 : octaves + 1].tolist())
        axes["distance"] = {"distance up to": limits, "cell": CELLS, "sign": SIGNS}
    return axes


def _pair_classes(
    rows: Indices, value: Array, q: Bits, shape: tuple[int, ...] | None
) -> dict[str, Indices]:
    """The place of every pair, (rows, n), in each of these splits, as an index into its values."""
    h = hamming_distances(q[rows], q)
    itself = rows[:, None] == np.arange(len(q))
    destructive = (value > 0) & ~itself  # -|grad loss_i|^2 is never positive, except by rounding
    cell = np.where(itself, 0, np.where(h == 0, 1, 2))
    pair = 2 * cell + destructive
    place = 3 * rows[:, None] + np.where(itself, 0, 1 + destructive)
    classes = {"pair": pair, "hamming": h, "place": place}
    if shape is not None:
        apart = [np.subtract.outer(axis[rows], axis) for axis in _axes(shape)]
        distance = np.sqrt(np.sum(np.square(apart), axis=0))
        classes["distance"] = 6 * np.searchsorted(OCTAVES, distance) + pair
    return classes


def _add_pairs(
    sums: Sums, by_output: Sums, rows: Indices, influence: Array, value: Array,
    classes: dict[str, Indices],
) -> None:
    """Add the pairs of some rows to their places."""
    for name, place in classes.items():
        sums[name] += _summed(place, value, sums[name].shape)
    for name, parts in by_output.items():  # every example and output apart
        _, m, size = parts.shape
        own = size * np.arange(len(rows) * m).reshape(-1, m, 1)
        parts[rows] = _summed(own + classes[name][:, None], influence, (len(rows), m, size))


def _summed(place: Indices, value: Array, shape: tuple[int, ...]) -> Array:
    """value added up by place, the index of an entry of the result."""
    return np.asarray(np.bincount(place.ravel(), value.ravel(), math.prod(shape)).reshape(shape),
                      np.float64)


def _axes(shape: tuple[int, ...]) -> tuple[Indices, ...]:
    """The coordinates of the samples of a grid, (n,) for each axis."""
    return np.unravel_index(np.arange(math.prod(shape)), shape)


# ----------------------------------------------------------------- frequencies


def _displaced(K: Array, rows: Indices, shape: tuple[int, ...]) -> Array:
    """(m, m, n): at [..., d] the sum over i in rows of K(x_i, x_(i-d)), on a periodic grid."""
    before = [np.subtract.outer(axis[rows], axis) % size
              for axis, size in zip(_axes(shape), shape, strict=True)]
    j = np.ravel_multi_index(tuple(before), shape)
    return np.asarray(np.take_along_axis(K, j[:, None, None, :], axis=3).sum(axis=0))


def _wall_kernel(J: Factors, root: Array) -> Array:
    """(m, m, n): the mean of <e_i, e_(i+d)>, at d.

    e_i is the change of sqrt(w) J between samples i and i + 1 of a line that is due to switching
    units.  J is D (x) h, and D depends on the gates only: that part of the change is the change
    of D times the mean of the other factors.  Indices wrap around.
    """
    (n, m, _), after = J[0][0].shape, np.roll(np.arange(len(root)), -1)
    jumps: Factors = ([(D[after] - D) * (root[after] + root)[:, :, None] / 2 for D in J[0]],
                      [(h[after] + h) / 2 for h in J[1]])
    total = np.zeros((m, m, n))
    for block in row_blocks(n, max(1, BLOCK_ENTRIES // (n * m * m))):
        rows = np.arange(n)[block]
        total += _displaced(coupling(factors_at(jumps, rows), jumps), rows, (n,))
    return np.asarray(total / n)


def _frequency_splits(
    mean_kernel: Array, mean_walls: Array | None, s: Array, rate: Array, shape: tuple[int, ...]
) -> dict[str, Split]:
    """T16: K_hat_kk = (F K~ F*)_kk is the transform of the mean of K~ at each displacement.

    T55: at k a change between neighbours has the weight 1 / (4 sin^2(pi k/n)), or 0 at k = 0.
    """
    band = grid_bands(shape)

    def transformed(parts: Array, norm: str) -> Array:  # (..., n), over the grid
        on_grid = parts.reshape(*parts.shape[:-1], *shape)
        F = scipy.fft.fftn(on_grid, axes=range(parts.ndim - 1, on_grid.ndim), norm=norm)
        return np.asarray(F.reshape(parts.shape))

    def own(K_hat: Array) -> Any:
        return np.bincount(band, -4 * np.einsum("ak,abk,bk->k", s_hat.conj(), K_hat, s_hat).real)

    s_hat, rate_hat = transformed(np.stack([s.T, rate.T]), "ortho")
    total = np.bincount(band, 2 * np.sum(s_hat.conj() * rate_hat, axis=0).real)
    alone = own(transformed(mean_kernel, "backward"))
    frequencies, coupled = range(len(total)), total - alone
    parts = {"frequency": {"self": alone, "coupling": coupled}}
    if mean_walls is not None:
        weight = 4 * np.sin(np.pi * np.arange(len(s)) / len(s)) ** 2
        weight[0] = np.inf
        walls = own(transformed(mean_walls, "backward") / weight)
        parts["wall_frequency"] = {"walls": walls, "interior": alone - walls, "coupling": coupled}
    return {name: _split(np.stack([*by.values()], axis=1),
                         {"frequency": frequencies, "coupling": tuple(by)})
            for name, by in parts.items()}


# --------------------------------------------------------- patches and frequencies


def _patches(shape: tuple[int, ...] | None, k: int | None) -> _Patches | None:
    """The grid cut into patches of k samples per axis, row-major."""
    if shape is None or k is None:
        return None
    d = len(shape)
    cut = np.arange(math.prod(shape)).reshape([part for size in shape for part in (size // k, k)])
    samples = cut.transpose(*range(0, 2 * d, 2), *range(1, 2 * d, 2)).reshape(-1, k**d)
    cosines = scipy.fft.dct(np.eye(k), axis=0, norm="ortho")
    return _Patches(samples, functools.reduce(np.kron, d * [cosines]), tuple(np.ndindex(*d * (k,))))


def _coefficients(patches: _Patches, s: Array) -> Array:
    """c, (patches, modes, m): the transform of every patch of s, (n, m)."""
    return np.asarray(np.einsum("ks,psa->pka", patches.basis, s[patches.samples]))


def _patch_couplings(K: Array, block: slice, patches: _Patches, s: Array) -> Array:
    """(3, patches, modes): c_pk (B K~ B^T c)_pk with parts of the last sum (T17).

    The parts are the term of c_pk itself, the terms of its patch, and the terms of its frequency.
    The rows of K are those of a block of patches.
    """
    B, inside, c = patches.basis, patches.samples[block], _coefficients(patches, s)
    (p, k), (m, n) = inside.shape, K.shape[2:]
    BK = (B @ K.reshape(p, k, -1)).reshape(p, k, m, m, n)  # transformed by rows only
    here = np.take_along_axis(BK, inside[:, None, None, None, :], axis=4)
    every = np.zeros((k, m, n))  # the part of s that has frequency k, in all patches
    every[:, :, patches.samples] = np.einsum("ks,pka->kaps", B, c)
    parts = (np.einsum("pkabs,ks,pkb->pka", here, B, c[block]),
             np.einsum("pkabs,psb->pka", here, s[inside]),
             (BK.reshape(p, k, m, -1) @ every.reshape(k, -1, 1))[..., 0])
    return np.stack([np.vecdot(c[block], part) for part in parts])


def _patch_split(within: Array, s: Array, rate: Array, patches: _Patches) -> Split:
    """T17, from the three partial sums of every coefficient and dc/dt = B s'."""
    own, same_patch, same_frequency = -4 * within
    total = 2 * np.vecdot(_coefficients(patches, s), _coefficients(patches, rate))
    values = np.stack([own, same_patch - own, same_frequency - own,
                       total - same_patch - same_frequency + own], axis=2)
    return _split(values, {"patch": range(len(values)), "frequency": patches.modes,
                           "coupling": COUPLINGS})


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
