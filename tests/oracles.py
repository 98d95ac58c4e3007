"""Slow and obvious references, sharing no code with what they check.

Rational arithmetic (fractions.Fraction) makes each of them exact.
"""

from fractions import Fraction


def rational(array):
    """Nested lists of Fractions with the very values of a float array."""
    if array.ndim == 0:
        return Fraction(float(array))
    return [rational(row) for row in array]


def exact_preactivations(net, point):
    """[z[1], ..., z[L]] at one point, each a list of Fractions."""
    h, preactivations = rational(point), []
    for W, b in zip(net.weights, net.biases, strict=True):
        z = [sum((w * v for w, v in zip(row, h, strict=True)), bias) for row, bias in zip(rational(W), rational(b), strict=True)]
        preactivations.append(z)
        h = [max(v, Fraction(0)) for v in z]
    return preactivations


def exact_output(net, point):
    """f(point) as a list of Fractions."""
    return exact_preactivations(net, point)[-1]


def exact_pattern(net, point):
    """Which hidden units are on at one point, as a list of bools; a tie is off."""
    return [v > 0 for z in exact_preactivations(net, point)[:-1] for v in z]


def exact_walls(net, point):
    """(z_u, grad z_u) of every hidden unit at one point, in layer order: forward-mode derivatives in Fractions."""
    h = [(value, [Fraction(i == j) for j in range(len(point))]) for i, value in enumerate(rational(point))]
    walls = []
    for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        layer = []
        for row, bias in zip(rational(W), rational(b), strict=True):
            value = bias + sum(w * v for w, (v, _) in zip(row, h, strict=True))
            gradient = [sum((w * g[j] for w, (_, g) in zip(row, h, strict=True)), Fraction(0)) for j in range(len(point))]
            layer.append((value, gradient))
        walls += layer
        h = [(v, g) if v > 0 else (Fraction(0), [Fraction(0)] * len(point)) for v, g in layer]
    return walls
