"""Kinks at dependent inputs: what signs there are, and where gradient flow goes on."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import lsq_linear, nnls

from relu_dynamics.checks import Undecided
from relu_dynamics.flow.faces import all_faces, continuations, ways

RNG = np.random.default_rng


def in_a_row(d, k, rng):
    """k inputs on one line in d dimensions, and a 1."""
    start, step = rng.integers(-3, 4, (2, d))
    step[0] = step[0] or 1
    places = rng.choice(np.arange(-4, 5), k, replace=False)
    return np.column_stack([start + np.outer(places, step), np.ones(k)]).astype(float)


def in_a_plane(k, rng):
    """k different points of a 3 x 3 grid, and a 1; not all in a row."""
    points = np.array(list(product((-1, 0, 1), repeat=2)))
    while True:
        rows = np.column_stack([points[rng.choice(9, k, replace=False)], np.ones(k)])
        if np.linalg.matrix_rank(rows) == 3:
            return rows.astype(float)


@st.composite
def dependent(draw):
    """Rows of rank 2 or 3, a velocity and forces, all in general position but for the rows."""
    rng = RNG(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.sampled_from([
        lambda: in_a_row(rng.integers(2, 4), rng.integers(3, 7), rng),
        lambda: in_a_plane(rng.integers(4, 8), rng),
    ]))()
    return rows, rng.normal(size=rows.shape[1]), rng.normal(size=len(rows))


def crossing(p, q):
    """The w with w . p = w . q = 0, exactly; 0 if p and q are multiples of each other."""
    p, q = ([Fraction(v) for v in row] for row in (p, q))
    return [p[(i + 1) % 3] * q[(i + 2) % 3] - p[(i + 2) % 3] * q[(i + 1) % 3] for i in range(3)]


def sign(v):
    return (v > 0) - (v < 0)


def goes_on(rows, velocity, force):
    """For a unit of the first layer: z' = rows @ (w, b)', and the metric is that of (w, b)."""
    return continuations(rows, rows @ velocity, rows @ rows.T, force).tolist()


@given(st.integers(0, 2**32 - 1), st.integers(2, 3), st.integers(3, 9))
def test_along_a_row_there_are_two_ways_and_four_faces_per_input(seed, d, k):
    """An affine function on k inputs in a row is 0 at one of them or, with its sign changes between
    two of them or nowhere, at none; and it may be 0 at all.
    """
    rows = in_a_row(d, k, RNG(seed))
    assert len(ways(rows)) == 2 * k and len(all_faces(rows)) == 4 * k + 1


@given(st.integers(0, 2**32 - 1), st.integers(4, 7))
def test_ways_in_a_plane_are_the_lines_through_two_inputs(seed, k):
    """Rational arithmetic: w . (x, 1) = 0 at two inputs fixes w but for a factor."""
    rows = in_a_plane(k, RNG(seed))
    lines = [crossing(p, q) for i, p in enumerate(rows) for q in rows[:i]]
    z = [[sum(Fraction(v) * c for v, c in zip(row, w, strict=True)) for row in rows] for w in lines]
    signs = {tuple(s * sign(v) for v in values) for values in z for s in (-1, 1)}
    assert {tuple(row) for row in np.sign(ways(rows)).astype(int).tolist()} == signs


@given(dependent(), st.integers(0, 2**32 - 1))
def test_every_sign_that_a_velocity_gives_is_a_face(drawn, seed):
    """Also of velocities that keep some of the inputs at 0."""
    rows, _, _ = drawn
    faces = {tuple(face) for face in all_faces(rows).tolist()}
    v = RNG(seed).integers(-3, 4, (rows.shape[1], 200))
    assert {tuple(column) for column in np.sign(rows @ v).astype(int).T.tolist()} <= faces


@given(dependent())
def test_with_convex_kinks_the_flow_goes_on_along_the_shortest_element(drawn):
    """Filippov: -d is the shortest of the gradients with any gates in [0, 1], by least squares."""
    rows, velocity, force = drawn
    force = np.abs(force)
    found = goes_on(rows, velocity, force)
    least = lsq_linear((force[:, None] * rows).T, velocity, (0, 1), tol=1e-13, method="bvls",
                       max_iter=1000)
    assert least.success
    push = rows @ (velocity - (least.x * force) @ rows)
    push[np.abs(push) < 1e-7 * np.abs(rows @ velocity).max()] = 0
    assert found == [np.sign(push).astype(int).tolist()]


@given(dependent())
def test_somewhere_the_flow_goes_on_and_its_velocity_leads_there(drawn):
    """v' in -dF(v) has a solution from 0.  Faces without a 0 are checked by their own velocity, and
    every pattern whose velocity leads into it is found.
    """
    rows, velocity, force = drawn
    found = {tuple(face) for face in goes_on(rows, velocity, force)}
    assert found
    for face in all_faces(rows):
        if face.all():
            push = rows @ (velocity - (force * (face > 0)) @ rows)
            assert (tuple(face.tolist()) in found) == (np.sign(push) == face).all()


@given(dependent())
def test_the_flow_goes_down_from_a_kink_unless_it_stays(drawn):
    """At the least of F(v) + |v|^2/2, -v is in the subdifferential: the flow can go on along v.
    It is found pattern by pattern, by nonnegative least squares.
    """
    rows, velocity, force = drawn
    best, least = None, -1e-9
    for pattern in all_faces(rows):
        if pattern.all():
            start = velocity - (force * (pattern > 0)) @ rows
            inward = (pattern[:, None] * rows).T  # the nearest v of the pattern's cone, by duality
            v = start + inward @ nnls(inward, -start)[0]
            rise = force @ np.maximum(rows @ v, 0) - velocity @ v + v @ v / 2
            if rise < least:
                best, least = v, rise
    if best is None:
        return
    push = rows @ best
    push[np.abs(push) < 1e-8 * np.abs(rows).max()] = 0
    found = goes_on(rows, velocity, force)
    assert np.sign(push).astype(int).tolist() in found


def test_gates_that_no_signs_have_do_not_hold_a_unit():
    """Three inputs in a row, concave in the middle.  To stay, it takes the middle one's gate 1 and
    the outer ones' 0: a mean of no signs that an affine function has there.
    """
    rows = np.array([[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    force = np.array([0.5, -2.0, 0.5])
    assert [0, 0, 0] not in goes_on(rows, force * [0, 1, 0] @ rows, force)
    assert [0, 0, 0] in goes_on(rows, force * [1, 1, 1] @ rows / 2, force)


def test_hundreds_of_dependent_inputs_are_too_many():
    rows = np.column_stack([np.arange(300.0), np.ones(300)])
    with pytest.raises(Undecided, match="too many"):
        goes_on(rows, np.ones(2), np.ones(300))
