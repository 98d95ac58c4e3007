"""Kinks of one unit at dependent inputs: the ways to leave them, and where gradient flow goes on.

A unit is 0 at k inputs, and as far as it goes there it is affine: its pre-activations move by
z' = X v, with rows (x, 1) of X, (k, d), of rank r < k.  Not all signs are possible: along three
inputs in a row z' changes its sign at most once.  With gates q_i at the kinks, force_i = dL/dh_i,
gram_ij = grad z_i . grad z_j, and push the z' that the unit has if it is off at all of them,

    z' = push - gram (force q) .

    pattern   signs (-1, 1) of an X v without a 0: q is 1 where z' > 0
    face      any signs (-1, 0, 1) of an X v
    way       an X v whose zeros leave no other choice but a factor.  A face is a sum of ways, and
              between kinks the loss is linear: it rises in all directions if it does so along the
              finitely many ways

Clarke's subdifferential of L is the convex hull of the gradients of the patterns around a face.
The flow that starts at 0 goes along rays z'.  Because L is continuous, at most one z' of the hull
keeps the zeros of a face; if its signs are those of the face, the flow can go on there.  If all
forces are positive, L is convex and there is one such face.
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


def thin_svd(A: Array, share: float = EPS) -> tuple[Array, Array, Array]:
    """A = U diag(sigma) V, sigma > 0.

    Singular values up to share max(A.shape) times the largest are rounding and are left out.
    """
    U, sigma, V = np.linalg.svd(A, full_matrices=False)
    rank = _rank(A, sigma, share)
    return U[:, :rank], sigma[:rank], V[:rank]


def complement(A: Array, share: float = EPS) -> Array:
    """(d, d - rank): orthonormal columns that span the complement of the rows of A, (k, d)."""
    _, sigma, V = np.linalg.svd(A)
    return np.asarray(V[_rank(A, sigma, share):].T)


def _rank(A: Array, sigma: Array, share: float) -> int:
    return int(np.count_nonzero(sigma > share * max(A.shape) * sigma.max(initial=0)))


def ways(rows: Array) -> Array:
    """(j, k): all ways z' to leave dependent rows, (k, d), each with 1 as its largest |z'|."""
    z = rows @ thin_svd(rows, SMALL)[2].T  # (k, r)
    k, r = z.shape
    _check_few(comb(k, r - 1) * k)
    zeros = np.array(list(combinations(range(k), r - 1)))
    _, sigma, V = np.linalg.svd(z[zeros])
    found = V[sigma[:, -1] > RELIABLE * sigma[:, 0], -1] @ z.T
    found /= np.abs(found).max(axis=1, keepdims=True)
    found[np.abs(found) <= SMALL] = 0
    found = np.concatenate([found, -found])
    return found[np.unique(np.sign(found), axis=0, return_index=True)[1]]


def all_faces(rows: Array) -> Signs:
    """(s, k): all faces.  A face is the sum of r ways, each much smaller than those before."""
    steps = np.sign(ways(rows)).astype(np.int64)
    faces = np.zeros_like(steps[:1])
    for _ in range(len(thin_svd(rows, SMALL)[1])):
        _check_few(len(faces) * steps.size)
        sums = np.where(faces[:, None] != 0, faces[:, None], steps).reshape(-1, len(rows))
        faces = np.unique(np.concatenate([faces, sums]), axis=0)
    return faces


def patterns(rows: Array) -> Signs:
    """(s, k): the faces without zeros."""
    faces = all_faces(rows)
    whole: Signs = faces[(faces != 0).all(axis=1)]
    return whole


def continuations(rows: Array, push: Array, gram: Array, force: Array) -> Signs:
    """(s, k): the faces in which the flow can go on, for rows (k, d), push (k,) and force (k,).

    Undecided if there are too many faces to look at.
    """
    found, every = [], patterns(rows)
    for face in all_faces(rows):
        zero = face == 0
        around = every[(every == face)[:, ~zero].all(axis=1)]
        rates = push - np.where(around > 0, force, 0) @ gram  # z' of each
        hold = np.linalg.lstsq(gram[np.ix_(zero, zero)], rates[0, zero])[0]
        kept = rates[0] - hold @ gram[zero]
        kept[np.abs(kept) <= SMALL * np.abs(rates).max()] = 0
        if (np.sign(kept) == face).all() and _surround(rates[:, zero]):
            found.append(face)
    return np.array(found, np.int64).reshape(len(found), len(rows))


def _surround(points: Array) -> bool:
    """Whether 0 is in the convex hull of the points, (s, d)."""
    largest = np.abs(points).max(initial=0)
    system = np.vstack([points.T / (largest if largest > 0 else 1), np.ones(len(points))])
    return bool(nnls(system, np.eye(len(system))[-1])[1] <= SMALL)


def _check_few(numbers: int) -> None:
    if numbers > MANY:
        raise Undecided("A unit reaches 0 at too many dependent inputs at once. Perturb the "
                        "inputs, take fewer, or ask for earlier times.")
