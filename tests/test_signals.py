"""Grids, targets with known spectra, and images reduced by averaging over areas."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from relu_dynamics.signals import (
    PAPER_TONES, area_average, brain, eeg, elevation, grid, photograph, random_image, tones,
)
from relu_dynamics.testing import halves

small = st.integers(1, 7)


# ----------------------------------------------------------------------- grids


@given(st.integers(2, 50))
def test_grids_are_k_over_n_and_k_over_n_minus_one(n):
    assert_array_equal(grid(n, "half-open")[:, 0], [k / n for k in range(n)])
    assert_array_equal(grid((n,), "closed")[:, 0], [k / (n - 1) for k in range(n)])


@given(small.map(lambda n: n + 1), small.map(lambda n: n + 1),
       st.sampled_from(["half-open", "closed"]))
def test_rows_of_the_grid_line_up_with_the_flattened_image(height, width, convention):
    """Column 0 of the grid is the position along the width, column 1 along the height."""
    image = grid((height, width), convention).reshape(height, width, 2)
    across, down = grid(width, convention)[:, 0], grid(height, convention)[:, 0]
    for i in range(height):
        for j in range(width):
            assert image[i, j].tolist() == [across[j], down[i]]


# ----------------------------------------------------------------------- tones


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6, unique=True), st.integers(0, 2**32 - 1))
def test_spectrum_of_tones_is_the_tones(frequencies, seed):
    """On the half-open grid sin(2 pi (k t + phi)) is -i/2 e^(2 pi i phi) n at bin k, and nothing
    else."""
    phases = np.random.default_rng(seed).uniform(size=len(frequencies))
    n = 64
    spectrum = np.fft.rfft(tones(grid(n, "half-open"), frequencies, phases)[:, 0]) / n
    expected = np.zeros(n // 2 + 1, complex)
    expected[frequencies] = -0.5j * np.exp(2j * np.pi * phases)
    assert_allclose(spectrum, expected, rtol=0, atol=1e-13)


def test_the_papers_signal_has_fourteen_tones_and_variance_seven():
    assert PAPER_TONES == (5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70)
    y = tones(grid(2048, "half-open"), PAPER_TONES, np.random.default_rng(0).uniform(size=14))
    assert y.shape == (2048, 1)
    assert_allclose([y.mean(), y.var()], [0, 7], atol=1e-12)


@given(st.integers(1, 5))
def test_times_may_be_a_column_or_a_vector(n):
    t = np.arange(n) / n
    assert_array_equal(tones(t, [1, 2], [0, 0.25]), tones(t[:, None], [1, 2], [0, 0.25]))


# ---------------------------------------------------------------- area averages


@given(small, small, small, small, st.data())
def test_area_average_is_the_mean_over_each_new_pixels_area(rows, columns, more_rows, more_columns,
                                                            data):
    """Rational reference: repeat every old pixel new times per axis, then take block means of old
    pixels."""
    new, old = (rows, columns), (max(rows, more_rows), max(columns, more_columns))
    image = data.draw(halves((*old, 1)))
    fine = [[Fraction(image[i // new[0], j // new[1], 0]) for j in range(old[1] * new[1])]
            for i in range(old[0] * new[0])]
    expected = [[sum(fine[i][j] for i in range(a * old[0], (a + 1) * old[0])
                     for j in range(b * old[1], (b + 1) * old[1]))
                 / (old[0] * old[1]) for b in range(new[1])] for a in range(new[0])]
    assert_allclose(area_average(image, new)[..., 0], np.array(expected, float), rtol=0, atol=1e-14)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.data())
def test_averaging_twice_is_averaging_once(n, first, second, data):
    """Exact on powers of two: halves of halves."""
    signal = data.draw(halves((n * first * second * 2, 2)))
    once = area_average(signal, (n,))
    assert_allclose(area_average(area_average(signal, (n * first,)), (n,)), once, rtol=0,
                    atol=1e-14)
    assert_array_equal(area_average(signal, (len(signal),)), signal)


@given(st.integers(1, 6), st.integers(0, 20), st.data())
def test_area_average_commutes_with_reversal_and_keeps_the_mean(new, extra, data):
    signal = data.draw(halves((new + extra, 1)))
    reduced = area_average(signal, (new,))
    assert_allclose(area_average(signal[::-1], (new,)), reduced[::-1], rtol=0, atol=1e-14)
    assert_allclose(reduced.mean(), signal.mean(), rtol=0, atol=1e-14)


# ------------------------------------------------------------------ real images


@pytest.mark.parametrize(
    "image", [photograph((30, 20)), elevation((30, 20)), elevation(20, "salish"), brain((16, 16))])
def test_real_images_fill_their_range(image):
    assert image.min() >= 0 and image.max() <= 1
    assert image.max() - image.min() > 0.5


def test_photograph_at_full_size_is_the_file_and_a_square_is_its_centre():
    full = photograph((600, 512))
    assert full.shape == (600, 512, 3)
    assert_array_equal(full * 255, np.rint(full * 255))
    assert_array_equal(photograph((512, 512)), full[44:556])
    assert_allclose(photograph(64), full[44:556].reshape(64, 8, 64, 8, 3).mean(axis=(1, 3)), rtol=0,
                    atol=1e-14)


PORTRAIT = photograph((600, 512))


@example(49, 49)
@example(75, 64)
@example(1, 512)
@settings(max_examples=8)  # the file is read every time
@given(st.integers(1, 512), st.integers(1, 512))
def test_an_image_is_the_average_of_its_largest_centred_part_of_that_shape(height, width):
    """In rational arithmetic; of a square of 512 columns none is left out."""
    scale = min(Fraction(600, height), Fraction(512, width))
    rows, columns = int(scale * height), int(scale * width)
    assert columns == 512 if height * 512 <= width * 600 else rows == 600
    top, left = (600 - rows) // 2, (512 - columns) // 2
    assert_array_equal(photograph((height, width)),
                       area_average(PORTRAIT[top : top + rows, left : left + columns],
                                    (height, width)))


def test_brain_is_a_smooth_picture_with_a_dark_margin():
    """Byte order cannot be told from the picture: all values are below 256, so swapping only scales
    them."""
    image = brain(256)
    assert np.abs(np.diff(image[..., 0], axis=0)).mean() < 0.05
    assert image[:8].max() < 0.1 < image[100:150, 100:150].mean()


def test_elevation_has_land_and_sea():
    """The Salish Sea lies between -1437 m and 2205 m; most of the map is near sea level."""
    sea_level = 1437 / (1437 + 2205)
    assert abs(np.median(elevation((91, 120), "salish")) - sea_level) < 0.15


@pytest.mark.parametrize("channel", range(4))
def test_eeg_channels_are_different_zero_centred_recordings(channel):
    signal = eeg(channel)
    assert signal.shape == (800, 1) and np.abs(signal).max() == 1 and abs(signal.mean()) < 0.2
    assert not np.array_equal(signal, eeg((channel + 1) % 4))
    assert eeg(channel, 100).shape == (100, 1)


# ---------------------------------------------------------------- random images


def test_random_image_takes_the_papers_255_values_and_never_one():
    image = random_image((64, 64), np.random.default_rng(0))
    assert image.shape == (64, 64, 3)
    assert set(np.rint(image.ravel() * 255).astype(int)) == set(range(255))
    assert_array_equal(image, random_image(64, np.random.default_rng(0)))
    assert not np.array_equal(image, random_image(64, np.random.default_rng(1)))


def test_signals_belong_to_the_caller():
    """Changing what was returned changes nothing for the next caller."""
    photograph(8)[:] = 0
    brain(8)[:] = 0
    assert photograph(8).any() and brain(8).any()


def test_one_sample_is_a_signal_and_one_pixel_an_image():
    """A constant image has nothing to stretch and becomes 0."""
    assert abs(eeg(0, 1)).tolist() == [[1]] and brain((1, 1)).tolist() == [[[0]]]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: grid(4, "open"), "convention must be"),
        (lambda: grid(1, "closed"), "at least 2"),
        (lambda: grid(0, "half-open"), "whole number, at least 1"),
        (lambda: grid((2, 3, 4), "half-open"), "shape must be n or"),
        (lambda: grid(2.5, "half-open"), "shape must be"),
        (lambda: grid((2**20, 2**20), "half-open"), "shape must have at most"),
        (lambda: tones(np.zeros((3, 2)), [1], [0]), "t must be"),
        (lambda: tones([0.0], [1, 2], [0]), "phases must be .* one per frequency"),
        (lambda: tones([np.nan], [1], [0]), "Got nan"),
        (lambda: random_image(8, 0), "numpy.random.Generator"),
        (lambda: random_image((8, -8), np.random.default_rng(0)), "whole number"),
        (lambda: photograph((700, 100)), "must not exceed"),
        (lambda: photograph((1, 2, 3)), r"shape must be \(height, width\)"),
        (lambda: elevation(8, "everest"), "place must be"),
        (lambda: eeg(4), "channel must be"),
        (lambda: eeg(0, 801), "must not exceed"),
        (lambda: area_average(np.ones((4, 4, 1)), (5, 4)), "must not exceed"),
        (lambda: area_average(np.ones((4, 4, 1)), (2,)), "shape must be"),
        (lambda: area_average(np.ones(8), (4,)), r"shape must be .*signal\[\.\.\., None\]"),
        (lambda: area_average(np.ones((8, 8)), (4, 4)), r"shape must be .*signal\[\.\.\., None\]"),
        (lambda: area_average(np.zeros((2**17, 1)), (2**16,)),
         "the overlaps of samples would have shape"),
        (lambda: tones(np.zeros(2**16), np.ones(2**15), np.ones(2**15)),
         "the tones would have shape"),
    ],
)
def test_bad_input_gives_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()
