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


# ------------------------------------------------- linear regions of the plane


def exact_regions(net, corners):
    """The linear regions of net inside a convex polygon, as {pattern: polygon}, in Fractions.

    Polygons are cut by the wall of one unit at a time; a part without area is no region.
    """
    inputs = len(net.weights[0][0])
    assert inputs == 2
    identity = [[Fraction(1), Fraction(0), Fraction(0)], [Fraction(0), Fraction(1), Fraction(0)]]
    regions = [((), [tuple(rational(corner)) for corner in corners], identity)]
    for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        W, b = rational(W), rational(b)
        regions = [child for region in regions for child in _cut_by_layer(region, W, b)]
    return {pattern: polygon for pattern, polygon, _ in regions}


def _cut_by_layer(region, W, b):
    pattern, polygon, maps = region  # maps: the layer's inputs as (x, y, 1) -> number, on this region
    walls = [[sum((w * m[k] for w, m in zip(row, maps, strict=True)), Fraction(0)) + (bias if k == 2 else 0) for k in range(3)]
             for row, bias in zip(W, b, strict=True)]
    parts = [((), polygon)]
    for wall in walls:
        parts = [((*bits, side), piece) for bits, whole in parts for side, piece in _sides(whole, wall)]
    return [(pattern + bits, piece, [wall if on else [Fraction(0)] * 3 for on, wall in zip(bits, walls, strict=True)])
            for bits, piece in parts]


def _sides(polygon, wall):
    values = [wall[0] * x + wall[1] * y + wall[2] for x, y in polygon]
    if max(values) <= 0:
        return [(False, polygon)]
    if min(values) >= 0:
        return [(True, polygon)]
    return [(True, _clip(polygon, values)), (False, _clip(polygon, [-v for v in values]))]


def _clip(polygon, values):
    """The part of a convex polygon where values, given at its corners, are not negative."""
    part = []
    for k, (p, v) in enumerate(zip(polygon, values, strict=True)):
        q, w = polygon[k - 1], values[k - 1]
        if v * w < 0:
            part.append(tuple(a + (v / (v - w)) * (c - a) for a, c in zip(p, q, strict=True)))
        if v >= 0:
            part.append(p)
    return part


def exact_area(polygon):
    (x0, y0), arms = polygon[0], polygon[1:]
    return sum(((x - x0) * (v - y0) - (u - x0) * (y - y0) for (x, y), (u, v) in zip(arms, arms[1:])), Fraction(0)) / 2


def exact_width(polygon):
    """At least the width of a convex polygon and at most twice that, as a float: 2 area / diameter."""
    diameter = max(float((x - u) ** 2 + (y - v) ** 2) for x, y in polygon for u, v in polygon) ** 0.5
    return 2 * float(exact_area(polygon)) / diameter


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


# ------------------------------------------------- linear regions of a segment


def exact_pieces(net, a, b):
    """The pieces of net on the segment from a to b, in order, as (start, end, pattern) in Fractions of its length.

    On each piece every unit of the next layer is c + s t; its zero, if inside, cuts the piece.
    """
    start, stop = rational(a), rational(b)
    pieces = [(Fraction(0), Fraction(1), (), [(p, q - p) for p, q in zip(start, stop, strict=True)])]
    for W, bias in zip(net.weights[:-1], net.biases[:-1], strict=True):
        W, bias = rational(W), rational(bias)
        pieces = [part for piece in pieces for part in _parts(piece, W, bias)]
    return [(low, high, pattern) for low, high, pattern, _ in pieces]


def _parts(piece, W, bias):
    low, high, pattern, inputs = piece
    z = [(c + sum((w * p for w, (p, _) in zip(row, inputs, strict=True)), Fraction(0)),
          sum((w * s for w, (_, s) in zip(row, inputs, strict=True)), Fraction(0))) for row, c in zip(W, bias, strict=True)]
    zeros = {-c / s for c, s in z if s}
    ends = [low, *sorted(zero for zero in zeros if low < zero < high), high]
    for left, right in zip(ends, ends[1:]):
        on = [c + s * (left + right) / 2 > 0 for c, s in z]
        yield left, right, (*pattern, *on), [f if bit else (Fraction(0), Fraction(0)) for f, bit in zip(z, on, strict=True)]


# ------------------------------------------------- networks of encoded inputs

BITS = 240  # of sines and cosines, behind the point
PI = Fraction(314159265358979323846264338327950288419716939937510582097494459230781640628620899, 10**80)


def sine_and_cosine(turns):
    """sin and cos of 2 pi turns, a Fraction, as Fractions that are off by less than 2^-200."""
    turns -= round(turns)
    angle, term, sums, k = round(2 * PI * abs(turns) * 2**BITS), 2**BITS, [0, 0], 0
    while term:  # Taylor's series
        sums[k % 2] += term if k % 4 < 2 else -term
        k += 1
        term = term * angle // (k << BITS)
    return Fraction(sums[1] if turns > 0 else -sums[1], 2**BITS), Fraction(sums[0], 2**BITS)


def exact_encoded_preactivations(net, encoding, a, b, t):
    """z of every hidden unit, in layer order, at encoding(a + t (b - a)), a sinusoidal one: off by less than 2^-190 in proportion."""
    point = [p + Fraction(t) * (q - p) for p, q in zip(rational(a), rational(b), strict=True)]
    waves = rational(encoding.frequencies_in(len(a)))
    h = [value for wave in waves for value in sine_and_cosine(sum(f * x for f, x in zip(wave, point, strict=True)))]
    units = []
    for W, bias in zip(net.weights[:-1], net.biases[:-1], strict=True):
        z = [sum((w * v for w, v in zip(row, h, strict=True)), c) for row, c in zip(rational(W), rational(bias), strict=True)]
        units += z
        h = [max(v, Fraction(0)) for v in z]
    return units
