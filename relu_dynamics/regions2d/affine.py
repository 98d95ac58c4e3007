"""The affine map of every region, from the output down, sharing work between regions."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from relu_dynamics.checks import Array, Bits, Indices, Words, row_blocks
from relu_dynamics.geometry import starts
from relu_dynamics.mlp import MLP
from relu_dynamics.regions2d.bits import bits_at, bits_set, unpacked

HEAD = 8  # every so many faces, sums over units are computed afresh


def affine_maps(net: MLP, parent: Indices, packed: Words) -> tuple[Array, Array]:
    """slope (F, m[L], 2) and offset (F, m[L]), from the output down (T2).

    parent, (F,), is the face before the last hidden layer, and packed, (F, w), the pattern.

    It is affine_map of every region's pattern, with shared work: the faces cut from one parent
    differ only in the units of the last hidden layer that cut it.  So each parent takes one full
    row per output, for the units on in all of it, each pair (parent, cutting unit) one row, and a
    face adds those that are on in it.
    """
    outputs = len(net.biases[-1])
    if len(net.weights) == 1:
        return net.weights[0][None], net.biases[0][None]
    last = packed.shape[1] - -(-len(net.biases[-2]) // 64)  # the first word of the last layer
    bits = np.ascontiguousarray(packed[:, last:])
    maps = np.empty((len(parent), outputs, 3))  # slope, offset
    parents = 1 + int(parent.max())
    children = np.argsort(parent, kind="stable")
    start = starts(np.bincount(parent, minlength=parents))
    of_children = bits.take(children, axis=0)
    everywhere: Words = np.bitwise_and.reduceat(of_children, start[:-1])
    varying: Words = np.bitwise_or.reduceat(of_children, start[:-1])
    varying ^= everywhere
    above = packed[children[start[:-1]], :last]
    lower = [len(b) for b in net.biases[:-2]]
    for rows in row_blocks(parents, 1024):
        of, unit = bits_set(varying[rows])
        base, cut = _parent_maps(net, unpacked(above[rows], lower), everywhere[rows], of, unit)
        jump = net.weights[-1].T.take(unit, axis=0)[:, :, None] * cut[:, None, :]
        jump = jump.reshape(len(unit), 3 * outputs)
        number = np.empty((rows.stop - rows.start, 64 * varying.shape[1]), np.intp)
        number[of, unit] = np.arange(len(unit))
        inside = children[start[rows.start] : start[rows.stop]]
        for some in row_blocks(len(inside)):
            child = inside[some]
            at = parent.take(child) - rows.start
            row, j = bits_set(bits.take(child, axis=0) & varying[rows].take(at, axis=0))
            on = _sparse(len(child), row, number[at.take(row), j], np.ones(len(row)), len(unit))
            maps[child] = base.take(at, axis=0) + (on @ jump).reshape(-1, outputs, 3)
    return maps[..., :2], maps[..., 2]


def _parent_maps(net: MLP, lower: Bits, common: Words, of: Indices, unit: Indices,
                 ) -> tuple[Array, Array]:
    """On each parent p with the lower pattern: the output of the units common[p], (p, m[L], 3), and
    z of unit[i] of the last hidden layer on parent of[i], (i, 3), as rows (slope, offset)."""
    parents, outputs = len(common), len(net.biases[-1])
    W = np.column_stack([net.weights[-2], net.biases[-2]])
    # a row per map: the derivative by the layer below, and the constant
    D = np.concatenate([_rows_on(common, net.weights[-1], W), W.take(unit, axis=0)])
    D[: parents * outputs, -1] += np.tile(net.biases[-1], parents)
    of = np.concatenate([np.repeat(np.arange(parents), outputs), of])
    at = lower.shape[1]
    for V, b in zip(net.weights[-3::-1], net.biases[-3::-1], strict=True):
        at -= len(b)
        D[:, :-1] *= lower[:, at : at + len(b)].take(of, axis=0)
        constant, D = D[:, -1].copy(), D[:, :-1] @ np.column_stack([V, b])
        D[:, -1] += constant
    return D[: parents * outputs].reshape(parents, outputs, 3), D[parents * outputs :]


def _rows_on(on: Words, v: Array, W: Array) -> Array:
    """sum over the units j in on[p] of v[o, j] W[j], for every p and o in turn: (p * outputs, k).

    Consecutive faces lie side by side and differ in few units, so every HEAD-th row is summed in
    full, and the others by what differs.
    """
    outputs, n = v.shape
    heads, head = on[::HEAD], np.arange(len(on)) // HEAD
    full = (unpacked(heads, [n])[:, None, :] * v).reshape(len(heads) * outputs, n) @ W
    rows = full.reshape(-1, outputs, W.shape[1]).take(head, axis=0)
    row, j = bits_set(on ^ heads.take(head, axis=0))
    sign = np.where(bits_at(on, row, j), 1.0, -1.0)
    for o, by in enumerate(v):
        rows[:, o] += _sparse(len(on), row, j, sign * by.take(j), n) @ W
    return rows.reshape(-1, W.shape[1])


def _sparse(rows: int, row: Indices, column: Indices, value: Array, columns: int) -> csr_array:
    """(rows, columns) with the given entries, row by row."""
    start = starts(np.bincount(row, minlength=rows))
    return csr_array((value, column, start), shape=(rows, columns))
