"""Encodings: T28-T30, the order of the columns, and the copies that a closed grid makes."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from relu_dynamics.encoding import (
    Coordinates, FourierFeatures, PositionalEncoding, SharedFrequencies, Sinusoids, WithInput,
    gaussian_features, positional_columns,
)
from relu_dynamics.mlp import MLP, init, predict
from relu_dynamics.regions1d import regions_on_encoded_segment
from tests.strategies import A_THIRD


@st.composite
def unit_points(draw, d=st.integers(1, 3)):
    """(n, d) multiples of 1/64 in [0, 1]."""
    shape = (draw(st.integers(0, 5)), draw(d))
    return np.array(
        draw(st.lists(st.integers(0, 64), min_size=shape[0] * shape[1],
                      max_size=shape[0] * shape[1]))).reshape(shape) / 64


encodings = st.one_of(
    st.integers(1, 8).map(PositionalEncoding),
    st.builds(SharedFrequencies, st.integers(0, 8), st.integers(1, 3)),
)


@given(unit_points(), st.integers(1, 6))
def test_positional_columns_stand_in_the_documented_order(x, L):
    """For l = 0..L-1, for each coordinate: sin(2^l pi x_j), cos(2^l pi x_j)."""
    columns = [wave(2**l * np.pi * x[:, j]) for l in range(L) for j in range(x.shape[1])
               for wave in (np.sin, np.cos)]
    expected = np.array(columns).T if len(x) else np.zeros((0, 2 * L * x.shape[1]))
    assert_allclose(PositionalEncoding(L)(x), expected, rtol=0, atol=2**L * 1e-15)


@given(unit_points(), encodings)
def test_columns_are_sin_and_cos_of_the_listed_frequencies(x, encoding):
    """frequencies_in is what the exact enumeration along encoded lines relies on."""
    d = x.shape[1]
    turns = 2 * np.pi * x @ encoding.frequencies_in(d).T
    assert encoding(x).shape == (len(x), encoding.columns(d))
    assert_allclose(encoding(x)[:, 0::2], np.sin(turns), rtol=0, atol=1e-12)
    assert_allclose(encoding(x)[:, 1::2], np.cos(turns), rtol=0, atol=1e-12)


@given(unit_points(), st.integers(1, 10))
def test_positional_encoding_is_stationary_and_of_constant_length(x, L):
    """T28: gamma(x).gamma(x') = sum_jl cos(2^l pi (x_j - x_j')), so |gamma|^2 = d L."""
    inner = PositionalEncoding(L)(x) @ PositionalEncoding(L)(x).T
    difference = x[:, None, :] - x[None, :, :]
    expected = sum(np.cos(2**l * np.pi * difference).sum(axis=2) for l in range(L))
    assert_allclose(inner, expected, rtol=0, atol=1e-12)
    assert_allclose(np.diagonal(inner), x.shape[1] * L, rtol=1e-14)


@given(st.integers(0, 51), st.integers(0, 2**52))
def test_high_frequencies_are_reduced_exactly(l, k):
    """sin(2^l pi x) at x = k/2^52, where naive rounding of the argument loses everything at high
    l."""
    half_turns = Fraction(k, 2**52) * 2**l % 2
    reduced = float(half_turns if half_turns <= 1 else half_turns - 2)
    expected = [np.sin(np.pi * reduced), np.cos(np.pi * reduced)]
    assert_allclose(SharedFrequencies(l, 1)(np.array([[k / 2**52]]))[0], expected, rtol=0,
                    atol=1e-15)


def nerf_paper(x, L):
    """gamma(p) = (sin(2^0 pi p), cos(2^0 pi p), ...), applied to each coordinate (Mildenhall et al.
    2020, eq. 4)."""
    return np.hstack(
        [np.stack([wave(2**l * np.pi * p) for l in range(L) for wave in (np.sin, np.cos)],
                  axis=1) for p in x.T])


def nerf_code(x, L):
    """for freq: for fn in sin, cos: fn(x * freq)."""
    return np.hstack([wave(x * 2.0**l) for l in range(L) for wave in (np.sin, np.cos)])


def jaxnerf_code(x, L):
    """xb = x[..., None, :] * scales[:, None], flattened; sin of (xb, xb + pi / 2)."""
    xb = (x[:, None, :] * 2.0 ** np.arange(L)[:, None]).reshape(len(x), L * x.shape[1])
    return np.sin(np.hstack([xb, xb + np.pi / 2]))


def nerfstudio_code(x, L):
    """xb = 2 pi x[..., None] * freqs, flattened; sin of (xb, xb + pi / 2)."""
    xb = (2 * np.pi * x[:, :, None] * 2.0 ** np.arange(L)).reshape(len(x), L * x.shape[1])
    return np.sin(np.hstack([xb, xb + np.pi / 2]))


ELSEWHERE = {
    "paper": (nerf_paper, ("coordinate", "level", "wave"), 1),
    "code": (nerf_code, ("level", "wave", "coordinate"), 1 / np.pi),
    "jaxnerf": (jaxnerf_code, ("wave", "level", "coordinate"), 1 / np.pi),
    "nerfstudio": (nerfstudio_code, ("wave", "coordinate", "level"), 2),
}


@pytest.mark.parametrize("where", ELSEWHERE)
@A_THIRD
@given(unit_points(), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_a_network_trained_on_columns_in_another_order_is_one_on_ours(where, x, L, seed):
    """By the formula of each code; and WithInput puts the input itself before them, as two of them
    do."""
    theirs, loops, speed = ELSEWHERE[where]
    d = x.shape[1]
    waves = PositionalEncoding(L).frequencies_in(d)
    ours = PositionalEncoding(L) if speed == 1 else FourierFeatures(speed * waves)
    assert_allclose(ours.frequencies_in(d), speed * waves)
    columns = positional_columns(L, d, loops)
    assert_allclose(ours(x), theirs(x, L)[:, columns], rtol=0, atol=2**L * 4e-15)
    net = init([2 * d * L, 5, 2], np.random.default_rng(seed))
    reordered = MLP((net.weights[0][:, columns], *net.weights[1:]), net.biases)
    assert_allclose(predict(reordered, ours(x)), predict(net, theirs(x, L)), rtol=0,
                    atol=2**L * 2e-14)
    assert_allclose(WithInput(ours)(x)[:, np.r_[:d, d + np.argsort(columns)]],
                    np.hstack([x, theirs(x, L)]), rtol=0, atol=2**L * 4e-15)


def test_exact_regions_under_an_encoding_with_the_input_itself_are_refused_in_words():
    net = init([5, 4, 1], np.random.default_rng(0))
    with pytest.raises(ValueError, match="encoding must be.*Sinusoids|sinusoidal encoding"):
        regions_on_encoded_segment(net, WithInput(PositionalEncoding(2)), [0.0], [1.0])


@given(st.integers(2, 70), st.integers(1, 12))
def test_distinct_counts_the_columns_that_differ_on_the_closed_grid(n, L):
    """By comparing the columns themselves, up to sign, on k/(n-1) reduced in integers."""
    period = 2 * (n - 1)
    half_turns = np.array([[2**l * k % period for k in range(n)] for l in range(L)]) * (2 / period)
    columns = np.round(np.concatenate([np.sin(np.pi * half_turns), np.cos(np.pi * half_turns)]),
                       9) + 0.0
    up_to_sign = {min(tuple(c), tuple(-c + 0.0)) for c in columns}
    assert PositionalEncoding(L).distinct(n) == len(up_to_sign)


@pytest.mark.parametrize(
    "n, L, columns", [(512, 16, 20), (512, 20, 20), (512, 8, 16), (64, 8, 14), (64, 6, 12)])
def test_the_papers_grids_repeat_frequencies(n, L, columns):
    """Known counts: 2^9 = 512 = 1 modulo 511, and 2^6 = 64 = 1 modulo 63."""
    assert PositionalEncoding(L).distinct(n) == columns


def test_gaussian_features_average_to_a_gaussian_kernel():
    """T29: E cos(2 pi b.Delta) = exp(-2 pi^2 sigma^2 |Delta|^2), within four standard errors."""
    x = np.random.default_rng(0).uniform(size=(6, 2)) / 4
    waves = 20000
    features = gaussian_features(waves, 2, 1.5, np.random.default_rng(1))(x)
    distance = np.linalg.norm(x[:, None] - x[None], axis=2)
    expected = np.exp(-2 * np.pi**2 * 1.5**2 * distance**2)
    variance = (1 + np.exp(-8 * np.pi**2 * 1.5**2 * distance**2)) / 2 - expected**2
    assert (np.abs(features @ features.T / waves - expected) <= 4 * np.sqrt(variance / waves)
            + 1e-12).all()


@pytest.mark.parametrize(("count", "d", "sigma"), [(1, 3, 0.25), (4, 1, 1.0), (1, 1, 1e-3)])
def test_gaussian_features_may_be_few_and_slow(count, d, sigma):
    """sigma scales the waves of one generator."""
    features, unit = (gaussian_features(count, d, s, np.random.default_rng(0))
                      for s in (sigma, 1.0))
    assert_array_equal(features.frequencies, sigma * unit.frequencies)
    assert features(np.zeros((2, d))).shape == (2, 2 * count)


@given(st.integers(0, 10), st.integers(1, 6), st.integers(1, 3))
def test_a_shared_frequency_spans_two_dimensions_per_coordinate_however_many_columns(l, copies, d):
    """T30: the rank is that of one frequency."""
    x = np.random.default_rng(0).uniform(size=(40, d))
    features = SharedFrequencies(l, copies)(x)
    assert features.shape == (40, 2 * d * copies)
    assert np.linalg.matrix_rank(features) == 2 * d


@given(unit_points(), st.integers(-3, 3), st.integers(1, 4))
def test_coordinates_map_zero_to_low_and_one_to_high(x, low, width):
    """An affine map: exact on dyadic points."""
    assert_array_equal(Coordinates(low, low + width)(x), low + width * x)


def test_encodings_are_values():
    """Equal arguments make equal encodings; nothing can be changed afterwards, nor through the
    caller's array."""
    assert PositionalEncoding(3) == PositionalEncoding(3) != PositionalEncoding(4)
    frequencies = np.ones((2, 1))
    features = FourierFeatures(frequencies)
    frequencies[:] = 7
    assert_array_equal(features.frequencies, 1)
    with pytest.raises(ValueError, match="read-only"):
        features.frequencies[0] = 3


def test_there_are_levels_up_to_the_last_that_float64_resolves():
    """2^l x / 2 for l = 0 .. 51 in both encodings: 52 levels, or the level 51."""
    for last in (PositionalEncoding(52), SharedFrequencies(51, 1)):
        assert last.frequencies_in(1).max() == 2.0**50
    for beyond in (lambda: PositionalEncoding(53), lambda: SharedFrequencies(52, 1)):
        with pytest.raises(ValueError, match="must be at most 5[12]"):
            beyond()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: PositionalEncoding(0), "L must be a whole number, at least 1"),
        (lambda: PositionalEncoding(-2), "L must be"),
        (lambda: PositionalEncoding(2.0), "L must be"),
        (lambda: PositionalEncoding(True), "L must be"),
        (lambda: PositionalEncoding(53), "L must be at most 52"),
        (lambda: Coordinates(1, 1), "low < high"),
        (lambda: Coordinates(2, 1), "low < high"),
        (lambda: Coordinates(0, np.inf), "finite"),
        (lambda: FourierFeatures(np.zeros((0, 2))), "n >= 1"),
        (lambda: FourierFeatures(np.ones(3)), "one wave per row"),
        (lambda: FourierFeatures([[np.nan]]), "finite"),
        (lambda: SharedFrequencies(-1, 2), "l must be"),
        (lambda: SharedFrequencies(1, 0), "copies must be"),
        (lambda: WithInput(Coordinates(0, 1)), "encoding must be Sinusoids"),
        (lambda: positional_columns(3, 2, ("level", "wave")),
         "loops must be 'level', 'coordinate', 'wave'"),
        (lambda: positional_columns(3, 2, "lcw"), "loops must be"),
        (lambda: positional_columns(0, 2, ("level", "coordinate", "wave")), "L must be"),
        (lambda: positional_columns(3, 2**30, ("level", "coordinate", "wave")),
         "the columns must fit into memory"),
        (lambda: gaussian_features(3, 2, 0.0, np.random.default_rng(0)),
         "sigma must be a finite positive number"),
        (lambda: gaussian_features(3, 2, 1.0, 0), "numpy.random.Generator"),
        (lambda: PositionalEncoding(2)([0.1, 0.2]), r"x\[:, None\]"),
        (lambda: gaussian_features(2**30, 2, 1.0, np.random.default_rng(0)),
         "the frequencies would have shape"),
        (lambda: SharedFrequencies(1, 2**30)([[0.5, 0.5]]), "the frequencies would have shape"),
        (lambda: SharedFrequencies(1, 2**14)(np.zeros((2**16, 1))),
         "the encoding of x would have shape"),
        (lambda: PositionalEncoding(50).jacobian(np.zeros((2**18, 7))),
         "the jacobian would have shape"),
        (lambda: Coordinates(0, 1).jacobian(np.zeros((2, 2**15))), "the jacobian would have shape"),
        (lambda: PositionalEncoding(2)([[np.inf]]), "finite"),
        (lambda: PositionalEncoding(2)(np.zeros((3, 0))), "d >= 1"),
        (lambda: FourierFeatures(np.ones((4, 2)))(np.zeros((3, 1))), "2 columns"),
        (lambda: PositionalEncoding(2).distinct(1), "n must be a whole number, at least 2"),
    ],
)
def test_bad_arguments_are_refused_when_made_and_bad_inputs_when_called(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@given(unit_points(), st.one_of(encodings, encodings.map(WithInput),
                                st.just(Coordinates(-2.0, 3.0))), st.integers(0, 2))
def test_jacobian_is_the_limit_of_difference_quotients(x, encoding, axis):
    """Central differences of sinusoids err by h^2 / 6 of the third derivative, which is known."""
    d = x.shape[1]
    axis, h = axis % d, 2.0**-20
    step = h * np.eye(d)[axis]
    fastest = 2 * np.pi * np.abs(encoding.frequencies_in(d)).max(initial=1) if isinstance(
        encoding, Sinusoids) else 2 * np.pi * 2**8
    quotient = (encoding(x + step) - encoding(x - step)) / (2 * h)
    assert encoding.jacobian(x).shape == (len(x), encoding.columns(d), d)
    assert_allclose(encoding.jacobian(x)[:, :, axis], quotient, rtol=0,
                    atol=h**2 / 6 * fastest**3 + 1e-15 / h * 8)
