"""Targets to learn: signals with known spectra, random images, and real data without a download.

A *signal* is an array of samples on a uniform grid: (n, 1) in one dimension, or
(height, width, channels).  grid(shape, convention) lists the positions of the samples,
one row per sample in row-major order, so that

    x = grid((height, width), "half-open")      y = image.reshape(height * width, channels)

correspond row by row.  The paper's code uses two grids, k/n for coordinates and k/(n-1)
for encodings; here the convention is a required argument, so that they are not mixed by mistake.

    tones          the paper's sum of sines                     amplitude 1 each
    random_image   its uniform random image                     [0, 1]
    photograph     a portrait of Grace Hopper, 600 x 512        [0, 1], 8-bit values / 255
    elevation      terrain around Jacksboro or the Salish Sea   [0, 1] from lowest to highest
    brain          a slice of a magnetic-resonance scan         [0, 1] from lowest to highest
    eeg            one of four channels, 800 samples            largest magnitude 1

The last four are sample data distributed with matplotlib.  Images are cropped around the
centre to the requested aspect ratio, so that pixels stay square, and reduced by averaging
over areas (area_average), not by skipping samples, which would cause aliasing.
"""

from __future__ import annotations

import gzip

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import (
    Array, Indices, as_real, check_at_most, check_choice, check_count, check_rng, check_samples,
    check_size, check_smaller,
)

PAPER_TONES = tuple(range(5, 71, 5))  # cycles per signal


def grid(shape: int | tuple[int, ...], convention: str) -> Array:
    """Unit coordinates of the samples of a signal, (samples, d), in row-major order.

    shape is n (or (n,)), d = 1, or (height, width), d = 2 with columns x (along the width)
    and y (along the height).  convention "half-open": k/n, without 1;
    "closed": k/(n-1), both ends included, at least two samples per axis.

    >>> import relu_dynamics as rd
    >>> rd.grid(4, "half-open").ravel().tolist(), rd.grid(5, "closed").ravel().tolist()
    ([0.0, 0.25, 0.5, 0.75], [0.0, 0.25, 0.5, 0.75, 1.0])
    """
    check_choice("convention", convention, "half-open", "closed")
    sizes = check_samples(shape, least=1 if convention == "half-open" else 2)
    axes = [np.arange(n) / (n if convention == "half-open" else n - 1) for n in sizes]
    return np.stack([axis.ravel() for axis in reversed(np.meshgrid(*axes, indexing="ij"))], axis=1)


def radial_bands(cycles: ArrayLike) -> Indices:
    """(K,): |cycles| rounded to a whole number, for frequencies cycles, (K, d), up to 2^52."""
    cycles = as_real("cycles", cycles, (None, None), "one frequency per row").astype(np.float64)
    radius = np.sqrt((cycles**2).sum(axis=1))
    check_at_most("the size of cycles", radius.max(initial=0), 2**52, "larger floats are whole")
    return np.asarray(np.rint(radius).astype(np.intp))


def grid_bands(shape: tuple[int, ...]) -> Indices:
    """(n,): radial_bands of all frequencies of a grid of n samples, in the order of numpy.fft."""
    cycles = np.meshgrid(*(np.fft.fftfreq(size, 1 / size) for size in shape), indexing="ij")
    return radial_bands(np.stack([axis.ravel() for axis in cycles], axis=1))


def tones(t: ArrayLike, frequencies: ArrayLike, phases: ArrayLike) -> Array:
    """y(t) = sum_i sin(2 pi (frequencies_i t + phases_i)), (n, 1), at the times t, (n,) or (n, 1).

    frequencies are in cycles per unit of t and phases in cycles, one per frequency.  On a
    half-open grid of the unit interval, distinct whole frequencies below n/2 are
    orthogonal: the mean square is half their number.
    """
    column = np.ndim(t) == 2 and np.shape(t)[1] == 1
    times = as_real("t", np.ravel(t) if column else t, (None,), "times, or one column of them")
    frequencies = as_real("frequencies", frequencies, (None,), "in cycles per unit of t")
    phases = as_real("phases", phases, frequencies.shape, "in cycles, one per frequency")
    check_size("the tones", (len(times), len(frequencies)), "Add up fewer tones at a time.")
    turns = times[:, None] * frequencies + phases
    return np.asarray(np.sin(2 * np.pi * turns).sum(axis=1, keepdims=True))


def random_image(shape: int | tuple[int, int], rng: np.random.Generator) -> Array:
    """(height, width, 3) independent values k/255, k uniform on 0..254: the paper's random image.

    The paper's code draws with an exclusive upper bound of 255, so 1 never occurs.
    """
    check_rng(rng)
    return rng.integers(0, 255, (*_image_shape(shape), 3)) / 255


def photograph(shape: int | tuple[int, int]) -> Array:
    """(height, width, 3) in [0, 1]: a colour portrait, flat background, sharp edges, fine insignia.

    8-bit values / 255.  At most 600 x 512 pixels.
    """
    from matplotlib.image import imread

    return _crop_and_average(imread(_sample("grace_hopper.jpg")) / 255, shape)


def elevation(shape: int | tuple[int, int], place: str = "jacksboro") -> Array:
    """(height, width, 1) in [0, 1]: terrain heights, lowest 0 and highest 1 after averaging.

    place "jacksboro": a fault in Tennessee, 236 to 1076 m, at most 344 x 403 samples;
    "salish": land and sea floor around the Salish Sea, -1437 to 2205 m, at most 91 x 120.
    """
    sources = {"jacksboro": ("jacksboro_fault_dem.npz", "elevation"),
               "salish": ("topobathy.npz", "topo")}
    check_choice("place", place, *sources)
    name, key = sources[place]
    with np.load(_sample(name)) as file:
        heights = np.asarray(file[key], np.float64)
    return _stretched(_crop_and_average(heights[:, :, None], shape))


def brain(shape: int | tuple[int, int]) -> Array:
    """(height, width, 1) in [0, 1]: a slice of a magnetic-resonance scan, at most 256 x 256.

    Stored as big-endian 16-bit values; the lowest is 0 and the highest 1 after averaging.
    """
    with gzip.open(_sample("s1045.ima.gz")) as file:
        values = np.frombuffer(file.read(), ">u2").astype(np.float64)
    return _stretched(_crop_and_average(values.reshape(256, 256, 1), shape))


def eeg(channel: int, n: int = 800) -> Array:
    """(n, 1): channel 0 to 3 of an electroencephalogram, 800 samples averaged down to n.

    The largest magnitude is 1.
    """
    check_count("channel", channel, 0, 3)
    samples = np.fromfile(_sample("eeg.dat"), "<f8").reshape(800, 4)[:, [channel]]
    signal = area_average(samples, (check_count("n", n, 1),))
    return np.asarray(signal / np.abs(signal).max())


def area_average(signal: ArrayLike, shape: tuple[int, ...]) -> Array:
    """signal, (n, channels) or (height, width, channels), reduced to fewer samples per axis.

    Every new sample is the mean of the old ones over its own area; an old sample on the
    boundary counts with the share that lies inside.  The mean of the signal is preserved.
    ValueError if an axis would become longer.
    """
    signal = as_real("signal", signal).astype(np.float64)
    for axis, n in enumerate(check_smaller(shape, signal)):
        signal = np.moveaxis(np.tensordot(_overlaps(signal.shape[axis], n), signal, axes=(1, axis)),
                             0, axis)
    return signal


def _sample(name: str) -> str:
    """The path of one of matplotlib's sample files."""
    # here, so that importing the package does not import matplotlib
    from matplotlib import cbook

    return str(cbook.get_sample_data(name, asfileobj=False))


def _overlaps(old: int, new: int) -> Array:
    """(new, old): the share of each new interval that each old one covers; rows sum to 1."""
    check_size("the overlaps of samples", (new, old), "Average in two steps, or by parts.")
    edges = np.arange(new + 1) * old / new
    low = np.maximum(edges[:-1, None], np.arange(old))
    high = np.minimum(edges[1:, None], np.arange(1, old + 1))
    return np.asarray(np.maximum(high - low, 0) * (new / old))


def _crop_and_average(image: Array, shape: int | tuple[int, int]) -> Array:
    """The largest centred part of image with the aspect ratio of shape, averaged down to shape."""
    height, width = check_smaller(_image_shape(shape), image)
    full = image.shape[:2]
    # if tall, the whole height is used, and a part of the width
    tall = full[0] * width <= full[1] * height
    size = (full[0], full[0] * width // height) if tall else (full[1] * height // width, full[1])
    corner = [(whole - part) // 2 for whole, part in zip(full, size, strict=True)]
    return area_average(image[corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]],
                        (height, width))


def _stretched(image: Array) -> Array:
    """image shifted and scaled to [0, 1]; a constant image becomes 0."""
    low, high = image.min(), image.max()
    return np.asarray((image - low) / (high - low if high > low else 1.0))


def _image_shape(shape: int | tuple[int, int]) -> tuple[int, ...]:
    """shape as (height, width); a single number means a square."""
    return check_samples((shape, shape) if isinstance(shape, (int, np.integer)) else shape, (2,))
