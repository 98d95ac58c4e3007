"""Networks whose walls meet, touch or coincide, exactly or nearly, and the rule by which an answer
about them is judged.

    python -m tests.near_degenerate 2000 [seed]      the long run; the tests make a short one
"""

import sys
import time
from collections import Counter

import numpy as np

from relu_dynamics.geometry import check_window
from relu_dynamics.mlp import MLP
from relu_dynamics.regions2d import regions_in_window
from relu_dynamics.testing import exact_area, exact_regions
from tests.oracles import exact_width

PERTURBATIONS = (0, 0, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7)
BOX = ((-1.0, 1.0), (-1.0, 1.0))


def _rounded(rng, W, b, denominator):
    for array in (*W, *b):
        array[:] = np.round(array * denominator) / denominator


def lattice(rng, W, b):
    _rounded(rng, W, b, 2 ** rng.integers(1, 7))


def signs_and_zeros(rng, W, b):
    for array in (*W, *b):
        array[:] = rng.integers(-1, 2, array.shape)


def concurrent(rng, W, b):
    """The first layer's walls through one point: the centre, a corner, or a point on a side."""
    point = rng.choice([-1.0, -0.5, 0.0, 0.25, 1.0], 2)
    b[0][:] = -(W[0] @ point)


def no_biases(rng, W, b):
    for array in b:
        array[:] = 0


def duplicates(rng, W, b):
    """A unit of some hidden layer is a multiple of another, of either sign."""
    k = rng.integers(len(W) - 1)
    for _ in range(rng.integers(1, 3)):
        i, j = rng.integers(len(b[k]), size=2)
        s = rng.choice([-3.0, -2.0, -1.0, -0.5, 0.3, 1.0, 2.0])
        W[k][i], b[k][i] = s * W[k][j], s * b[k][j]


def parallel(rng, W, b):
    W[0][:] = W[0][0] * rng.choice([-2.0, -1.0, 1.0, 0.5], len(b[0]))[:, None]


def zero_units(rng, W, b):
    k = rng.integers(len(W) - 1)
    i = rng.integers(len(b[k]))
    W[k][i], b[k][i] = 0, 0


def dead_layer(rng, W, b):
    k = rng.integers(len(W) - 1)
    b[k][:] = -100 if rng.random() < 0.5 else 0
    if b[k][0] == 0:
        W[k][:] = 0


def along_sides(rng, W, b):
    """Walls along sides of the window, and through its corners."""
    for i in range(len(b[0])):
        W[0][i] = [[1, 0], [0, 1], [1, 1], [1, -1], [-1, 0]][rng.integers(5)]
        b[0][i] = rng.choice([-1.0, 0.0, 1.0, 0.5])


def identity(rng, W, b):
    """A hidden layer that copies what it is given: its walls lie on the walls of the layer
    before."""
    k = rng.integers(1, max(2, len(W) - 1))
    W[k][:] = np.eye(*W[k].shape)
    b[k][:] = 0


def sparse(rng, W, b):
    for array in W:
        array[rng.random(array.shape) < 0.7] = 0


def differences(rng, W, b):
    """Second-layer units that subtract equal units of the first: exactly 0, or rounding errors."""
    W[0][1], b[0][1] = W[0][0], b[0][0]
    W[1][0] = 0
    W[1][0, :2], b[1][0] = (1, -1), 0


def through_a_vertex(rng, W, b):
    """A second-layer wall through the meeting point of two first-layer walls."""
    if abs(np.linalg.det(W[0][:2])) > 0.01:
        point = np.linalg.solve(W[0][:2], -b[0][:2])
        b[1][0] = -W[1][0] @ np.maximum(W[0] @ point + b[0], 0)


FAMILIES = (lattice, signs_and_zeros, concurrent, no_biases, duplicates, parallel, zero_units,
            dead_layer, along_sides,
            identity, sparse, differences, through_a_vertex)


def draw(rng, family=None):
    """(name, net): one to three families, perhaps one of them given, applied to a small random
    network, then perturbed."""
    depth = rng.integers(2, 4)
    widths = [2, *rng.integers(2, 6, depth), 1]
    W = [rng.normal(size=(n, m)) for m, n in zip(widths[:-1], widths[1:], strict=True)]
    b = [rng.normal(size=n) / 2 for n in widths[1:]]
    chosen = [FAMILIES[k] for k in rng.choice(len(FAMILIES), rng.integers(1, 4), replace=False)]
    if family is not None:
        chosen[0] = family
    for change in chosen:
        change(rng, W, b)
    size = PERTURBATIONS[rng.integers(len(PERTURBATIONS))]
    for array in (*W, *b):
        array += size * rng.normal(size=array.shape)
    return f"{'+'.join(change.__name__ for change in chosen)} {size}", MLP(tuple(W), tuple(b))


def judge(net, window=BOX):
    """(what is wrong or None, "generic", "degenerate" or "refused", the tolerance); a refusal is
    not wrong.

    Every region of the truth wider than the tolerance must be there, with its area up to
    the tolerance times its perimeter; every listed region that wide must be true.
    """
    try:
        found = regions_in_window(net, window)
    except ValueError as error:
        assert "float64" in str(error)
        return None, "refused", 1.0
    how = "degenerate" if found.level else "generic"
    truth = exact_regions(net, check_window(window))
    patterns = {tuple(map(bool, row)): f for f, row in enumerate(found.pattern)}
    problems = []
    if len(patterns) != len(found):
        problems.append("repeated patterns")
    for pattern, polygon in truth.items():
        if exact_width(polygon) > found.tolerance:
            if pattern not in patterns:
                problems.append(f"missing a region of width {exact_width(polygon):.2g}")
            elif abs(float(exact_area(polygon))
                     - found.area[patterns[pattern]]) > 20 * found.tolerance:
                problems.append(f"area {float(exact_area(polygon))} against "
                                f"{found.area[patterns[pattern]]}")
    for pattern, f in patterns.items():
        corners = found.vertices[found.face_vertex[found.face_start[f] : found.face_start[f + 1]]]
        width = 2 * found.area[f] / np.hypot(*(corners[:, None] - corners[None]).T).max()
        if width > found.tolerance and pattern not in truth:
            problems.append(f"invented a region of width {width:.2g}")
    words = f"{'; '.join(problems)} (tolerance {found.tolerance:.2g}, level {found.level})"
    return words if problems else None, how, found.tolerance


def main(count, seed):
    outcomes, start, tolerances = Counter(), time.perf_counter(), []
    for k in range(count):
        name, net = draw(np.random.default_rng([seed, k]))
        problem, how, tolerance = judge(net)
        outcomes[how] += 1
        tolerances.append(tolerance)
        if how == "refused":
            outcomes["refused: " + name.split()[-1]] += 1
        if problem:
            outcomes["WRONG"] += 1
            print(f"{seed} {k} {name}: {problem}")
    print(dict(outcomes), f"{time.perf_counter() - start:.0f} s, tolerances over 1e-6:",
          np.sum(np.array(tolerances) > 1e-6))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
