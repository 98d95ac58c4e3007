"""Kinks of one unit at dependent inputs: the ways to leave them, and where gradient flow goes on.

A unit is 0 at k inputs, the rows (x, 1) of X, (k, d), of rank r < k.  If its (w, b) moves by v, its
pre-activations there move by X v.  Not all signs are possible: along three inputs in a row X v is
affine, so it changes its sign at most once.  To first order the loss changes by

    F(v) = -velocity . v + sum_i force_i max((X v)_i, 0),

velocity being that of (w, b) if the unit is off at all rows, and force_i = dL/dh there.

    pattern   signs (-1, 1) of X v without a 0: F is linear there, with the gradient
              -velocity + the sum of force_i X_i over the rows that are on
    face      any signs (-1, 0, 1) of an X v
    way       an X v whose zeros leave no other choice but a factor.  A face is a sum of ways, so F
              is positive everywhere but at 0 if it is so on the finitely many ways

Clarke's subdifferential of F at v is the convex hull of the gradients of the patterns around the
face of v.  The flow v' in -dF(v) that starts at 0 goes along rays.  Because F is continuous, at
most one velocity of the hull keeps the zeros of a face; if it leads into the face, the flow can
go on there.  If all forces are positive, F is convex and there is one such face.
"""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from relu_dynamics.checks import Array, Undecided

EPS = float(np.finfo(np.float64).eps)
RELIABLE = 1e-6  # rows are nearly dependent if a singular value is below this share of the largest
SMALL = 1e-9     # share of the largest z', or of the largest velocity, that counts as 0
MANY = 10**7     # numbers that a list of faces may take

Signs = NDArray[np.int64]


def thin_svd(A: Array) -> tuple[Array, Array, Array]:
    """A = U diag(sigma) V, sigma > 0.

    Singular values up to eps max(A.shape) times the largest are rounding and are left out.
    """
    U, sigma, V = np.linalg.svd(A, full_matrices=False)
    rank = np.count_nonzero(sigma > EPS * max(A.shape) * sigma.max(initial=0))
    return U[:, :rank], sigma[:rank], V[:rank]


def complement(A: Array) -> Array:
    """(d, d - rank): orthonormal columns that span the complement of the rows of A, (k, d)."""
    return np.asarray(np.linalg.svd(A)[2][len(thin_svd(A)[1]):].T)


def ways(rows: Array) -> Array:
    """(j, k): all ways z' to leave dependent rows, (k, d), each with 1 as its largest |z'|."""
    z = rows @ thin_svd(rows)[2].T  # (k, r)
    k, r = z.shape
    _check_few(comb(k, r - 1) * k)
    zeros = np.array(list(combinations(range(k), r - 1)))
    _, sigma, V = np.linalg.svd(z[zeros])
    found = V[sigma[:, -1] > RELIABLE * sigma[:, 0], -1] @ z.T
    found /= np.abs(found).max(axis=1, keepdims=True)
    found[np.abs(found) <= SMALL] = 0
    found = np.concatenate([found, -found])
    return found[np.unique(np.sign(found), axis=0, return_index=True)[1]]


def continuations(rows: Array, velocity: Array, force: Array) -> Signs:
    """(s, k): the faces in which the flow can go on, for velocity (d,) and force (k,).

    Undecided if there are too many faces to look at.
    """
    faces, found = _faces(rows), []
    patterns = faces[(faces != 0).all(axis=1)]
    for face in faces:
        around = patterns[(patterns == face)[:, face != 0].all(axis=1)]
        velocities = velocity - np.where(around > 0, force, 0) @ rows
        along = complement(rows[face == 0])
        kept = along @ (along.T @ velocities[0])
        push = rows @ kept
        push[np.abs(push) <= SMALL * np.abs(velocities @ rows.T).max()] = 0
        if (np.sign(push) == face).all() and _surround(velocities - kept):
            found.append(face)
    return np.array(found, np.int64).reshape(len(found), len(rows))


def _faces(rows: Array) -> Signs:
    """(s, k): all faces.  A face is the sum of r ways, each much smaller than those before."""
    steps = np.sign(ways(rows)).astype(np.int64)
    faces = np.zeros_like(steps[:1])
    for _ in range(len(thin_svd(rows)[1])):
        _check_few(len(faces) * steps.size)
        sums = np.where(faces[:, None] != 0, faces[:, None], steps).reshape(-1, len(rows))
        faces = np.unique(np.concatenate([faces, sums]), axis=0)
    return faces


def _surround(points: Array) -> bool:
    """Whether 0 is in the convex hull of the points, (s, d)."""
    largest = np.abs(points).max()
    system = np.vstack([points.T / (largest if largest > 0 else 1), np.ones(len(points))])
    return bool(nnls(system, np.eye(len(system))[-1])[1] <= SMALL)


def _check_few(numbers: int) -> None:
    if numbers > MANY:
        raise Undecided("A unit reaches 0 at too many dependent inputs at once. Perturb the "
                        "inputs, take fewer, or ask for earlier times.")
