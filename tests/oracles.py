"""The specification on the numbers of a float network, as Fractions, and what it leaves out."""

from fractions import Fraction

import numpy as np

from relu_dynamics import MLP
from relu_dynamics import specification as spec
from relu_dynamics.testing import exact_area, rational


def exact_walls(net, point):
    """(z_u, d z_u/d x) of every hidden unit at one point."""
    (weights, biases), point = rational(net), rational(point)
    q, walls = spec.pattern(spec.forward(MLP(weights, biases), point)), []
    for l in range(1, len(weights)):
        A, c = spec.affine_map(MLP(weights[:l], biases[:l]), q)
        walls += zip(A @ point + c, A, strict=True)
    return walls


def exact_pattern(net, point):
    """Which hidden units are on at one point, as a list of bools."""
    return spec.pattern(spec.forward(rational(net), rational(point))).tolist()


def exact_width(polygon):
    """At least the width of a convex polygon, at most twice that, as a float: 2 area / diameter."""
    diameter = max(float(edge @ edge) for p in polygon for edge in polygon - p) ** 0.5
    return 2 * float(exact_area(polygon)) / diameter


# ------------------------------------------------- networks of encoded inputs

BITS = 240  # of sines and cosines, behind the point
PI = Fraction(314159265358979323846264338327950288419716939937510582097494459230781640628620899,
              10**80)


def sine_and_cosine(turns):
    """sin and cos of 2 pi turns, as Fractions that are off by less than 2^-200."""
    turns -= round(turns)
    angle, term, sums, k = round(2 * PI * abs(turns) * 2**BITS), 2**BITS, [0, 0], 0
    while term:  # Taylor's series
        sums[k % 2] += term if k % 4 < 2 else -term
        k += 1
        term = term * angle // (k << BITS)
    return Fraction(sums[1] if turns > 0 else -sums[1], 2**BITS), Fraction(sums[0], 2**BITS)


def exact_encoded_preactivations(net, encoding, a, b, t):
    """z of every hidden unit, (H,), at the encoding of a + t (b - a): off by about 2^-200."""
    point = rational(a) + Fraction(t) * (rational(b) - rational(a))
    columns = [value for turns in rational(encoding.frequencies_in(len(a))) @ point
               for value in sine_and_cosine(turns)]
    return np.concatenate(spec.forward(rational(net), np.array(columns)).z[:-1])
