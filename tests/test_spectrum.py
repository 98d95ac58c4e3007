"""Errors per frequency, globally and per patch: T33-T35."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from relu_dynamics.spectrum import frequency_error, patch_frequency_error

seeds = st.integers(0, 2**32 - 1)


@given(st.integers(2, 40), st.data())
def test_error_of_a_tone_learned_by_a_share_is_what_is_missing(n, data):
    """f = (1 - e) y for a single tone of k cycles: e at k, nothing said about any other frequency."""
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
    """Parseval: error^2 weighted by the target's band energies is the residual's energy, for both transforms."""
    rng = np.random.default_rng(seed)
    height, width = 6, 9
    f, y = rng.normal(size=(2, height * width, m))
    ky, kx = np.meshgrid(np.fft.fftfreq(height, 1 / height), np.fft.fftfreq(width, 1 / width), indexing="ij")
    band = np.rint(np.hypot(kx, ky)).astype(int)
    power = (np.abs(np.fft.fft2(y.reshape(height, width, m), axes=(0, 1), norm="ortho")) ** 2).sum(axis=-1)
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
        (lambda y: frequency_error(y[:5], y, (6,)), "f must be .* shape"),
        (lambda y: frequency_error(y, y, (7,)), "y must be"),
        (lambda y: frequency_error(y, y, 6), "shape must be"),
        (lambda y: frequency_error(y, np.full_like(y, np.nan), (6,)), "Got nan"),
        (lambda y: patch_frequency_error(y, y, (6,), 4), "patch must divide"),
        (lambda y: patch_frequency_error(y, y, (6,), 0), "patch must be"),
    ],
)
def test_bad_input_gives_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((6, 1)))
