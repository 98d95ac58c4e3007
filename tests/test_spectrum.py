"""Exact Fourier transforms, and errors per frequency, globally and per patch: T33-T35."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.spatial import Delaunay

from relu_dynamics import spectrum
from relu_dynamics.mlp import MLP, predict
from relu_dynamics.regions1d import regions_on_segment
from relu_dynamics.regions2d import regions_in_window
from relu_dynamics.signals import radial_bands
from relu_dynamics.spectrum import (
    band_energy, frequency_error, patch_frequency_error, segment_transform,
    window_transform,
)
from relu_dynamics.testing import gaussian_nets

seeds = st.integers(0, 2**32 - 1)



def test_there_are_bands_up_to_the_last_frequency_with_a_fraction():
    assert radial_bands([[2.0**52, 0.0]]).tolist() == [2**52]
    with pytest.raises(ValueError, match="at most 4503599627370496"):
        radial_bands([[2.0**52 + 1, 0.0]])


# ------------------------------------------------------ functions on a segment


class Line(NamedTuple):
    """What segment_transform needs of the pieces on a segment: f = offset + slope t between
    consecutive t.
    """

    t: np.ndarray
    slope: np.ndarray
    offset: np.ndarray
    f: np.ndarray  # at t


def line_through(t, f):
    slope = np.diff(f, axis=0) / np.diff(t)[:, None]
    return Line(t, slope, f[:-1] - slope * t[:-1, None], f)


@st.composite
def lines(draw, closed=False):
    """A continuous piecewise-linear function with pieces of length 1e-6 to 1, two outputs."""
    k = draw(st.integers(2 if closed else 1, 12))
    rng = np.random.default_rng(draw(seeds))
    lengths = 10.0 ** rng.uniform(-draw(st.sampled_from([0, 6])), 0, k)
    t = np.concatenate([[0], np.cumsum(lengths) / lengths.sum()])
    t[-1] = 1
    f = rng.normal(size=(k + 1, 2))
    if closed:
        f[-1] = f[0]
    return line_through(t, f)


@given(lines(), seeds)
def test_the_transform_of_a_multiple_is_the_multiple_of_the_transform_to_the_bit(line, seed):
    """So is the choice between the two formulas, which depends on what is large beside what."""
    w = np.random.default_rng(seed).normal(size=100) * 10.0 ** np.arange(-50, 50)[:, None].ravel()
    for factor in (2.0**-40, 2.0**40):
        multiple = line._replace(slope=factor * line.slope, offset=factor * line.offset)
        assert np.array_equal(segment_transform(multiple, w), factor * segment_transform(line, w))


def test_the_transform_of_a_constant_is_right_however_low_the_frequency():
    """1 - i w/2 - w^2/6 + ...: the second formula, a difference of two ones over w, would lose half
    of the digits.
    """
    w = np.array([0.0, 1e-12, 1e-8, -1e-6])
    assert_allclose(segment_transform(line_through(np.linspace(0, 1, 4), np.ones((4, 1))), w)[:, 0],
                    1 - 0.5j * w - w**2 / 6, rtol=1e-15)


def integral(t, f, g, nodes=100):
    """sum over pieces of the Gauss quadrature of f(x) g(x): f is (x) -> (n, m), g is (x) -> (K, n);
    gives (K, m).
    """
    node, weight = np.polynomial.legendre.leggauss(nodes)
    return sum(
        (g((a + b + (b - a) * node) / 2) * weight * (b - a) / 2) @ f((a + b + (b - a) * node) / 2)
        for a, b in zip(t[:-1], t[1:], strict=True)
    )


def values(line, t):
    return np.stack([np.interp(t, line.t, f) for f in line.f.T], axis=1)


frequencies = st.lists(
    st.one_of(st.sampled_from([0.0, 1e-300, -1e-9, 2 * np.pi]), st.floats(-150, 150),
              st.floats(-3, 3)), min_size=1, max_size=8
).map(np.array)


@given(lines(), frequencies)
def test_segment_transform_is_the_integral(line, w):
    """100 Gauss points per piece integrate the slower of these waves to rounding, whatever w."""
    expected = integral(line.t, lambda t: values(line, t), lambda t: np.exp(-1j * np.outer(w, t)))
    assert_allclose(segment_transform(line, w), expected, rtol=0, atol=1e-13 * np.abs(line.f).max())


@given(lines(), st.floats(1, 1e7), seeds)
def test_transform_decays_as_fast_as_the_slope_bends(line, w, seed):
    """|F(w)| <= (|f(0)| + |f(1)|) / |w| + (total variation of the slope, 0 outside) / w^2 (T33),
    with no noise floor.
    """
    f = line.f
    variation = np.abs(np.diff(line.slope, axis=0, prepend=0, append=0)).sum(axis=0)
    bound = (np.abs(f[0]) + np.abs(f[-1])) / w + variation / w**2
    assert (np.abs(segment_transform(line, [w])[0]) <= bound * (1 + 1e-9)).all()


@given(lines(), frequencies, seeds)
def test_transform_does_not_see_breakpoints_without_a_bend(line, w, seed):
    """Cutting pieces changes no function."""
    t = np.sort(np.concatenate([line.t, np.random.default_rng(seed).uniform(size=5)]))
    cut = Line(t, *(part[np.searchsorted(line.t, t[1:]) - 1] for part in (line.slope, line.offset)),
               values(line, t))
    assert_allclose(segment_transform(cut, w), segment_transform(line, w), rtol=0,
                    atol=1e-13 * np.abs(line.f).max())


@given(lines(), frequencies, st.integers(1, 11))
def test_transform_of_a_segment_is_that_of_its_parts_shifted_and_scaled(line, w, k):
    """F(w) = c F1(c w) + (1 - c) exp(-i w c) F2((1 - c) w) for a cut at t = c."""
    k = min(k, len(line.t) - 1)
    f, c = line.f, line.t[k]
    total = c * segment_transform(line_through(line.t[: k + 1] / c, f[: k + 1]), c * w)
    if k < len(line.t) - 1:
        second = segment_transform(line_through((line.t[k:] - c) / (1 - c), f[k:]), (1 - c) * w)
        total = total + (1 - c) * np.exp(-1j * w * c)[:, None] * second
    # a slope from coordinates that were subtracted: 1e-16 / (shortest piece, 1e-7) of the values
    assert_allclose(segment_transform(line, w), total, rtol=0, atol=1e-9 * np.abs(f).max())


@given(st.floats(-6, 6), seeds)
def test_tent_keeps_its_digits_at_every_frequency(power, seed):
    """relu-made, exact breakpoints: F = exp(-i w/2) sinc(w/4)^2 / 2 falls to 1e-11 and no sum of
    order 1 may drown it.
    """
    w = 10.0**power * np.random.default_rng(seed).uniform(1, 2)
    tent = line_through(np.array([0, 0.5, 1]), np.array([[0.0], [1], [0]]))
    expected = np.exp(-0.5j * w) * np.sinc(w / 4 / np.pi) ** 2 / 2
    # 8 / w^2 is the size of the terms, and the rounding of w t turns their phases
    assert abs(segment_transform(tent, [w])[0, 0] - expected) <= 1e-15 * min(1, 8 / w**2) * (4 + w)


def test_many_frequencies_are_computed_in_blocks_without_a_seam(monkeypatch):
    """Even if a single row is more than a block."""
    rng = np.random.default_rng(0)
    line, w = line_through(np.linspace(0, 1, 9), rng.normal(size=(9, 2))), rng.normal(size=20) * 100
    square = mesh(rng.uniform(size=(9, 2)), rng.normal(size=(9, 2)), [True, False])
    k = rng.normal(size=(20, 2)) * 10.0 ** rng.integers(-2, 2, (20, 1))
    expected = segment_transform(line, w), window_transform(square, k)
    assert segment_transform(line, []).shape == window_transform(square,
                                                                 np.zeros((0, 2))).shape == (0, 2)
    for entries in (1, 64):
        monkeypatch.setattr(spectrum, "BLOCK_ENTRIES", entries)
        assert_allclose(segment_transform(line, w), expected[0], rtol=0, atol=1e-14)
        assert_allclose(window_transform(square, k), expected[1], rtol=0, atol=1e-14)


@given(gaussian_nets(width=12), seeds)
def test_transform_along_a_segment_is_the_integral_of_the_networks_outputs(net, seed):
    """Piece by piece, with the network's own forward pass at the Gauss points."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, net.weights[0].shape[1]))
    w = rng.normal(size=5) * [0, 0.01, 1, 10, 40]
    pieces = regions_on_segment(net, a, b)
    expected = integral(pieces.t, lambda t: predict(net, a + t[:, None] * (b - a)),
                        lambda t: np.exp(-1j * np.outer(w, t)))
    size = np.abs(predict(net, a + pieces.t[:, None] * (b - a))).max()
    assert_allclose(segment_transform(pieces, w), expected, rtol=0, atol=1e-12 * max(1, size))


@given(gaussian_nets(inputs=st.just(2), width=12), seeds)
def test_transform_of_a_ridge_is_that_of_its_profile(net, seed):
    """f(x, y) = f(x) on the unit square: F(k) is the transform along x times that of the constant 1
    along y.
    """
    ridge = MLP((net.weights[0] * [1.0, 0.0], *net.weights[1:]), net.biases)
    k = np.random.default_rng(seed).normal(size=(6, 2)) * [[0], [0.1], [1], [1], [10], [10]]
    profile = segment_transform(regions_on_segment(ridge, [0.0, 0], [1, 0]), k[:, 0])
    constant = np.exp(-0.5j * k[:, 1:]) * np.sinc(k[:, 1:] / 2 / np.pi)
    regions = regions_in_window(ridge, ((0, 1), (0, 1)))
    scale = np.abs(regions.slope).sum(axis=(1, 2)).max() + np.abs(regions.offset).max()
    assert_allclose(window_transform(regions, k), profile * constant, rtol=0,
                    atol=1e-11 * max(1, scale))


@given(lines(closed=True))
def test_series_coefficients_hold_the_energy_of_a_closed_signal(line):
    """Parseval: sum |F(2 pi n)|^2 over |n| <= N is the integral of |f|^2, but for a tail that T33
    bounds.
    """
    N = 400
    cycles = np.arange(-N, N + 1)[:, None]
    energy = band_energy(segment_transform(line, 2 * np.pi * cycles[:, 0]), cycles)
    total = integral(line.t, lambda t: (values(line, t) ** 2).sum(axis=1, keepdims=True),
                     lambda t: np.ones((1, len(t))), 3)[0, 0]
    variation = np.abs(np.diff(line.slope, axis=0, append=line.slope[:1])).sum(axis=0)
    tail = 2 * (variation**2).sum() / (2 * np.pi) ** 4 / (3 * N**3)
    assert energy.shape == (N + 1,)
    assert -1e-12 * total <= total - energy.sum() <= tail + 1e-12 * total


# ------------------------------------------------------- functions in a window


class Mesh(NamedTuple):
    """What window_transform needs of the regions in a window."""

    vertices: np.ndarray
    edges: np.ndarray
    edge_faces: np.ndarray
    face_start: np.ndarray
    face_vertex: np.ndarray
    slope: np.ndarray
    offset: np.ndarray


def mesh(points, f, flip):
    """The piecewise-linear function with the values f, (v, m), at the points of a Delaunay
    triangulation.
    """
    faces = Delaunay(points).simplices
    p, a, b = (points[faces[:, i]] for i in range(3))
    clockwise = (a - p)[:, 0] * (b - p)[:, 1] < (a - p)[:, 1] * (b - p)[:, 0]
    faces = np.where(clockwise[:, None], faces[:, ::-1], faces)
    left = {(int(face[i]), int(face[i - 2])): number for number, face in enumerate(faces)
            for i in range(3)}
    edges = [(u, v) for u, v in left if (v, u) not in left or u < v]
    edge_faces = np.array([(left[u, v], left.get((v, u), -1)) for u, v in edges])
    flip = np.resize(flip, len(edges))[:, None]  # an edge may run either way
    corners = np.concatenate([points[faces], np.ones((*faces.shape, 1))], axis=2)
    affine = np.linalg.solve(corners, f[faces]).swapaxes(1, 2)
    edges = np.array(edges)
    return Mesh(points, np.where(flip, edges[:, ::-1], edges),
                np.where(flip, edge_faces[:, ::-1], edge_faces),
                np.arange(0, 3 * len(faces) + 1, 3), faces.ravel(), affine[..., :2], affine[..., 2])


@st.composite
def meshes(draw):
    """The unit square, its corners and up to a dozen points inside, random values at them, two
    outputs.
    """
    rng = np.random.default_rng(draw(seeds))
    points = np.concatenate([[[0, 0], [1, 0], [0, 1], [1, 1]],
                             rng.uniform(size=(draw(st.integers(0, 12)), 2))])
    return mesh(points, rng.normal(size=(len(points), 2)), rng.random(64) < 0.5)


def window_integral(regions, f, k, nodes=24):
    """Gauss quadrature of f exp(-i k.x), (K, m), on the fan of every face; f is of points, (n, 2),
    and their faces, (n,), and gives (n, m).
    """
    node, weight = np.polynomial.legendre.leggauss(nodes)
    s, r = ((node + 1) / 2)[:, None], ((node + 1) / 2)[None, :]
    w = np.outer(weight, weight) / 4 * s
    corners = np.split(regions.face_vertex, regions.face_start[1:-1])
    triangles = [[corner[0], a, b, face] for face, corner in enumerate(corners)
                 for a, b in zip(corner[1:-1], corner[2:], strict=True)]
    *vertices, face = np.transpose(triangles)
    p, a, b = regions.vertices[vertices][:, :, None, None]
    x = (p + (s * (1 - r))[..., None] * (a - p) + (s * r)[..., None] * (b - p)).reshape(-1, 2)
    area = np.abs(np.linalg.det(np.stack([a - p, b - p], axis=-1)))
    return (np.exp(-1j * k @ x.T) * (w * area).ravel()) @ f(x, np.repeat(face, w.size))


def piecewise(regions):
    """f(x) on given faces."""
    return lambda x, face: (np.einsum("nja,na->nj", regions.slope[face], x)
                            + regions.offset[face])


def along_edges(regions, rng):
    """Frequencies that run along an edge, across it, and any way, of lengths 1e-12 to 30, and 0."""
    D = np.diff(regions.vertices[regions.edges], axis=1)[:, 0]
    D = D[rng.integers(len(D), size=4)]
    k = np.concatenate([D[:2], D[2:, ::-1] * [1, -1], rng.normal(size=(4, 2))])
    lengths = 10.0 ** rng.choice([-12, -3, -0.5, 0.3, 1, 1.4], size=8)
    k *= (lengths / np.linalg.norm(k, axis=1))[:, None]
    return np.concatenate([k, [[0, 0], [4, 0], [0, -4]]])


def close(actual, expected, regions, eps=1e-12):
    """Rounding of terms of the size of the gradient's jumps; |k| is at least 1/3 where they are
    divided by |k|^2.
    """
    assert_allclose(actual, expected, rtol=0,
                    atol=eps * max(1, np.abs(regions.slope).max(), np.abs(regions.offset).max()))


@given(meshes(), seeds)
def test_window_transform_is_the_integral(regions, seed):
    """24 by 24 Gauss points per triangle integrate waves of these lengths to rounding."""
    k = along_edges(regions, np.random.default_rng(seed))
    close(window_transform(regions, k), window_integral(regions, piecewise(regions), k), regions)


@given(meshes(), seeds)
def test_window_transform_is_the_integral_on_both_sides_of_where_the_formula_changes(regions, seed):
    """Edges are summed where a wave turns by much across the window, triangles where it does not.
    """
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    k = np.outer(np.geomspace(0.03, 1, 20), [np.cos(angle), np.sin(angle)])
    close(window_transform(regions, k), window_integral(regions, piecewise(regions), k, nodes=12),
          regions)


@given(meshes(), seeds, st.floats(-13, 0), st.booleans())
def test_thin_windows_lose_no_digits(regions, seed, power, upright):
    """x -> (x, h y) or (h x, y) squeezes the window: F(k) is h times the integral over the square
    of the wave squeezed likewise.
    """
    squeeze = np.array([1, 10.0**power])[:: -1 if upright else 1]
    rng = np.random.default_rng(seed)
    k = along_edges(regions, rng)
    k = np.concatenate([k, k / squeeze, k[:, ::-1] / squeeze * rng.uniform(0, 1, (len(k), 1)),
                        k / squeeze * rng.integers(0, 2, k.shape)])
    thin = regions._replace(vertices=regions.vertices * squeeze, slope=regions.slope / squeeze)
    k = k[np.hypot(*(k * squeeze).T) < 6]
    expected = window_integral(regions, piecewise(regions), k * squeeze, nodes=14)
    close(window_transform(thin, k) / squeeze.prod(), expected, regions)


@given(seeds, st.floats(-13, 0), st.sampled_from([0.0, 1.0, 1e3]))
def test_thin_windows_askew_are_what_their_corners_say_exactly(seed, power, away):
    """A triangle's area, phases and values at its corners in rational arithmetic, and 20 by 20
    Gauss points of its unit triangle.
    """
    rng = np.random.default_rng(seed)
    corners = rng.normal(size=2) * away + np.array([[0], [1], [rng.uniform()]]) * rng.normal(size=2)
    corners[2] += 10.0**power * rng.normal(size=2)
    slope, offset = rng.normal(size=2), rng.normal()
    (px, py), (ax, ay), (bx,
                         by) = exact = [[Fraction(c) for c in corner]
                                        for corner in corners.tolist()]
    area = (ax - px) * (by - py) - (ay - py) * (bx - px)
    if area < 0:
        exact[1:], corners[1:] = exact[:0:-1], corners[:0:-1].copy()
    assume(abs(area) > 1e-14 * np.square(corners[1:] - corners[0]).max())
    regions = Mesh(corners, np.array([[0, 1], [1, 2], [2, 0]]), np.array([[0, -1]] * 3),
                   np.array([0, 3]), np.arange(3),
                   slope[None, None], np.full((1, 1), offset))
    k = rng.normal(size=(8, 2)) * 10.0 ** rng.integers(-3, 1, (8, 1))
    k[0], k[1] = corners[1] - corners[0], (corners[1] - corners[0])[::-1] * [1, -1]
    node, weight = np.polynomial.legendre.leggauss(20)
    s, r = np.meshgrid((node + 1) / 2, (node + 1) / 2, indexing="ij")
    barycentric, w = np.stack([1 - s, s * (1 - r), s * r]), np.outer(weight, weight) / 4 * s
    dot = lambda u, v: sum(Fraction(x) * y for x, y in zip(u.tolist(), v, strict=True))
    f = np.tensordot([float(dot(slope, corner) + Fraction(offset)) for corner in exact],
                     barycentric, 1)
    for wave, F in zip(k, window_transform(regions, k)[:, 0], strict=True):
        phases = [float(dot(wave, corner)) for corner in exact]
        expected = (w * f * np.exp(-1j * np.tensordot(phases, barycentric, 1))).sum()
        # what f's values, and then the phases, are rounded to
        size = np.abs(slope).sum() * np.abs(corners).max() + abs(offset)
        phase = 1 + np.abs(wave).sum() * np.abs(corners).max()
        assert abs(F / float(abs(area)) - expected) <= 1e-14 * size * phase


@given(meshes(), seeds, st.integers(-8, 8))
def test_window_transform_shifts_and_scales(regions, seed, power):
    """x -> s x + p turns F(k) into s^2 exp(-i k.p) F(s k)."""
    rng = np.random.default_rng(seed)
    s, p = 2.0**power, rng.normal(size=2)
    k = along_edges(regions, rng)
    moved = regions._replace(vertices=s * regions.vertices + p, slope=regions.slope / s,
                             offset=regions.offset - regions.slope @ p / s)
    phase = np.exp(-1j * k @ p / s)[:, None]
    eps = 1e-11 * max(1,
                      np.linalg.norm(p) / s) ** 2  # digits lost by moving a small window far away
    close(window_transform(moved, k / s) / s**2, phase * window_transform(regions, k), regions, eps)


@given(gaussian_nets(inputs=st.just(2), width=12), seeds)
def test_transform_of_a_network_is_the_integral_of_its_outputs(net, seed):
    """Region by region, with the network's own forward pass at the Gauss points."""
    regions = regions_in_window(net, ((-1, 1), (-0.5, 1)))
    k = np.random.default_rng(seed).normal(size=(5, 2)) * [[0], [0.01], [1], [3], [5]]
    scale = np.abs(regions.slope).sum(axis=(1, 2)).max() + np.abs(regions.offset).max()
    expected = window_integral(regions, lambda x, _: predict(net, x), k)
    assert_allclose(window_transform(regions, k), expected, rtol=0, atol=1e-11 * max(1, scale))


def test_constant_on_a_box_has_the_transform_of_a_box():
    """The product of two sines over k, which vanishes at whole cycles."""
    box = mesh(np.array([[0.0, 0], [2, 0], [0, 3], [2, 3]]), np.ones((4, 1)), [False])
    x, y = np.meshgrid(np.arange(-3, 4) + 0.25, np.arange(-3, 4) + 0.5)
    k = np.stack([np.pi * x.ravel(), 2 * np.pi / 3 * y.ravel()], axis=1)
    expected = [6 * np.sinc(a / np.pi) * np.exp(-1j * a) * np.sinc(1.5 * b
                                                                   / np.pi) * np.exp(-1.5j * b)
                for a, b in k]
    assert_allclose(window_transform(box, k)[:, 0], expected, rtol=0, atol=1e-14)


@given(seeds)
def test_bands_hold_the_energy_of_a_function_that_vanishes_on_the_window(seed):
    """Parseval in 2-D: f continues periodically, what is left out has |k| >= 25 cycles, and sum |k
    c_k|^2 is grad f's energy.
    """
    rng = np.random.default_rng(seed)
    points = np.concatenate([[[0, 0], [1, 0], [0, 1], [1, 1]], rng.uniform(0.2, 0.8, size=(3, 2))])
    regions = mesh(points, np.concatenate([np.zeros(4), rng.normal(size=3)])[:, None], [False])
    cycles = np.stack(np.meshgrid(np.arange(-24, 25), np.arange(-24, 25)), axis=2).reshape(-1, 2)
    energy = band_energy(window_transform(regions, 2 * np.pi * cycles), cycles)
    f = piecewise(regions)
    total = window_integral(regions, lambda x, face: f(x, face) ** 2, np.zeros((1, 2)), nodes=3)
    total = total[0, 0].real
    p, a, b = (regions.vertices[regions.face_vertex[i::3]] for i in range(3))
    area = np.abs((a - p)[:, 0] * (b - p)[:, 1] - (a - p)[:, 1] * (b - p)[:, 0]) / 2
    tail = (area * (regions.slope[:, 0] ** 2).sum(axis=1)).sum() / (2 * np.pi * 25) ** 2
    assert len(energy) == 35  # the corner of the grid has radius 24 sqrt 2
    assert -1e-12 * total <= total - energy.sum() <= tail


@given(seeds, st.integers(1, 2))
def test_band_energies_of_a_unitary_transform_add_up_to_the_signals(seed, d):
    """Parseval on a grid, whatever the bands; and band r holds the radii that round to r."""
    signal = np.random.default_rng(seed).normal(size=((7, 6)[:d] + (3,)))
    transform = np.fft.fftn(signal, axes=range(d), norm="ortho").reshape(-1, 3)
    cycles = np.stack(np.meshgrid(*(np.fft.fftfreq(n, 1 / n) for n in signal.shape[:d]),
                                  indexing="ij"), axis=-1).reshape(-1, d)
    energy = band_energy(transform, cycles)
    assert_allclose(energy.sum(), (signal**2).sum(), rtol=1e-12)
    for r, band in enumerate(energy):
        ring = [(abs(c) ** 2).sum() for c, k in zip(transform, cycles, strict=True)
                if r - 0.5 < np.linalg.norm(k) < r + 0.5]
        assert_allclose(band, sum(ring), rtol=1e-12, atol=1e-300)
    assert radial_bands([[3, 4], [0, -1], [1, 1]]).tolist() == [5, 1, 1]


# -------------------------------------------------------- the error of a fit


@given(st.integers(2, 40), st.data())
def test_error_of_a_tone_learned_by_a_share_is_what_is_missing(n, data):
    """f = (1 - e) y for a single tone of k cycles: e at k, nothing said about any other frequency.
    """
    k = data.draw(st.integers(1, (n - 1) // 2)) if n > 2 else 1
    missing = data.draw(st.integers(-4, 4)) / 4
    t = np.arange(n)[:, None] / n
    y = np.cos(2 * np.pi * k * t)
    error = frequency_error((1 - missing) * y, y, (n,))
    assert error.shape == (n // 2 + 1,)
    assert_allclose(error[k], abs(missing), atol=1e-12)
    assert np.isnan(np.delete(error, k)).all()


@given(seeds, st.integers(1, 3))
def test_energies_of_the_bands_add_up_to_the_signals(seed, m):
    """Parseval: error^2 weighted by the target's band energies is the residual's energy, for both
    transforms.
    """
    rng = np.random.default_rng(seed)
    height, width = 6, 9
    f, y = rng.normal(size=(2, height * width, m))
    ky, kx = np.meshgrid(np.fft.fftfreq(height, 1 / height), np.fft.fftfreq(width, 1 / width),
                         indexing="ij")
    band = np.rint(np.hypot(kx, ky)).astype(int)
    power = (np.abs(np.fft.fft2(y.reshape(height, width, m), axes=(0, 1),
                                norm="ortho")) ** 2).sum(axis=-1)
    error = frequency_error(f, y, (height, width))
    total = sum(error[b] ** 2 * power[band == b].sum() for b in range(band.max() + 1))
    assert_allclose(total, ((f - y) ** 2).sum(), rtol=1e-12)


@given(seeds)
def test_a_tone_across_an_image_lies_in_the_band_of_its_radius(seed):
    """cos(2 pi (3 x + 4 y)) has radius 5 whichever way it runs."""
    rng = np.random.default_rng(seed)
    sign = rng.choice([-1, 1])
    y_, x_ = np.meshgrid(np.arange(12) / 12, np.arange(16) / 16, indexing="ij")
    tone = np.cos(2 * np.pi * (3 * x_ + sign * 4 * y_) + rng.uniform(0, 6)).reshape(-1, 1)
    error = frequency_error(0 * tone, tone, (12, 16))
    assert np.flatnonzero(~np.isnan(error)).tolist() == [5]


@given(seeds, st.sampled_from([((12,), 4), ((8, 4), 2), ((6, 6), 6), ((6, 3), 1)]))
def test_patches_are_blocks_of_the_signal_in_row_major_order(seed, case):
    """A residual confined to one patch shows there and nowhere else; the mean is half cycle 0."""
    shape, patch = case
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(*shape, 2)) + 3
    place = [rng.integers(n // patch) for n in shape]
    f = y.copy()
    f[tuple(slice(p * patch, (p + 1) * patch) for p in place)] = 0
    rows = patch_frequency_error(f.reshape(-1, 2), y.reshape(-1, 2), shape, patch)
    number = np.ravel_multi_index(place, [n // patch for n in shape])
    assert_allclose(rows[number], 1)
    assert not np.delete(rows, number, axis=0).any()


def test_a_signal_may_be_one_sample():
    assert frequency_error([[3.0]], [[2.0]], (1,)).tolist() == [0.5]
    assert patch_frequency_error([[3.0]], [[2.0]], (1,), 1)[0].tolist() == [0.5]


def test_half_cycles_of_a_patch_are_cosines_at_half_sample_points():
    """DCT-II: cos(pi k (s + 1/2) / patch) has exactly k half cycles."""
    s = np.arange(8)
    for k in range(8):
        y = np.cos(np.pi * k * (s + 0.5) / 8)[:, None]
        error = patch_frequency_error(0 * y, y, (8,), 8)[0]
        assert np.flatnonzero(~np.isnan(error)).tolist() == [k]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda y: segment_transform(line_through(np.arange(2.0), y[:2]), [[1.0]]), "w must be"),
        (lambda y: segment_transform(line_through(np.arange(2.0), y[:2]), [np.nan]), "Got nan"),
        (lambda y: window_transform(mesh(np.eye(3)[:, :2], y[:3], [False]), [1.0, 2.0]),
         "A single row needs an axis"),
        (lambda y: band_energy(y, y[:5]), "coefficients must be .5, m."),
        (lambda y: band_energy(y, y[:, 0]), "cycles must be"),
        (lambda y: radial_bands([["a"]]), "cycles must be"),
        (lambda y: radial_bands([[1e30, 0.0]]), "cycles must be at most"),
        (lambda y: frequency_error(y[:5], y, (6,)), "f must be .* shape"),
        (lambda y: frequency_error(y, y, (7,)), "y must be"),
        (lambda y: frequency_error(y, y, (6, 1, 1)), "shape must be"),
        (lambda y: frequency_error(y[:, 0], y[:, 0], (6,)), r"y\[:, None\]"),
        (lambda y: frequency_error(y, np.full_like(y, np.nan), (6,)), "Got nan"),
        (lambda y: patch_frequency_error(y, y, (6,), 4), "patch must divide"),
        (lambda y: patch_frequency_error(y, y, (6,), 0), "patch must be"),
    ],
)
def test_bad_input_gives_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((6, 1)))


def test_bands_that_fit_no_memory_and_patches_that_are_none_are_refused():
    with pytest.raises(ValueError, match="lower frequencies"):
        band_energy([[1.0]], [[1e12]])
    with pytest.raises(ValueError, match="patch must be"):
        patch_frequency_error(np.ones((8, 1)), np.ones((8, 1)), (8,), None)
