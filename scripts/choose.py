"""Which encoding does my signal need?

    python -m scripts.choose --signal sound.csv
    python -m scripts.choose --image photo.jpg --inputs [0,1] L=4 L=6 L=8 --seeds 5

Compares encodings before training: how fast a network of this shape with each encoding learns
every frequency, beside the spectrum of the signal.  For every encoding it prints the ratio of the
fastest to the slowest rate, up to the frequency below which the signal has 99 % of its energy.  It
recommends the smallest L for which that ratio is at most 10, or, if there is none, the smallest L
whose ratio is at most twice the smallest ratio.  Frequencies are pooled in half-octaves by
geometric means, weighted by the energy of the signal.

Writes choose.png and, with every number in it, choose.json.

The rates are those of gradient flow on the mean squared error at the start, d|r_k|/dt = -rate
|r_k|, without the coupling of frequencies (T16).  They are the spectrum of the tangent kernel or,
beyond 1024 samples, of the activation pattern, to which that of the kernel is proportional before
training (T49, and as an observation T52).  Frequencies are those of the cosine transform, which
does not join the end of a signal to its start.
The rates do not describe the network between its samples, where too many frequencies do harm, nor
Adam, which evens out rates; and they change with training.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.fft
from matplotlib.figure import Figure

from relu_dynamics import (
    Coordinates, band_energy, forward, grid, init, tangent_kernel,
)
from relu_dynamics.files import replacing
from relu_dynamics.mlp import joined_pattern
from scripts.lab import ledger, own_data, png, style
from scripts.lab.inputs import encoding, in_order
from scripts.lab.words import many

INPUTS = ("[0,1]", "[-1,1]", *(f"L={k}" for k in range(1, 11)))
KERNEL_SAMPLES = 1024  # up to this number of samples the kernel is formed
SIZES = {1: (1024, 2**16), 2: (64, 256)}  # least and most samples per axis, by the number of axes
UNITS = 64             # per block
NEAR = 2               # a ratio of rates up to NEAR times the smallest is nearly as flat
FLOOR = 1e-12          # rates below this share of the largest are rounding


class Need(NamedTuple):
    """The frequencies and samples that the signal needs."""

    energy: np.ndarray   # (r,) of its frequencies of 0, 1/2, 1, ... cycles; that of the mean is 0
    cycles: float        # the signal has the given share of its energy up to this frequency
    size: int            # the samples per axis that resolve it
    shown: float         # the highest frequency of size samples
    weights: np.ndarray  # (n,) the energy of each frequency of size samples per axis


def need(values: np.ndarray, share: float, size: int | None) -> Need:
    """The Need of a signal, (n, m), or square picture, (n, n, m); size is chosen unless given."""
    *shape, m = values.shape
    axes = tuple(range(len(shape)))
    coefficients = scipy.fft.dctn(values, axes=axes, norm="ortho")
    energy = band_energy(coefficients.reshape(-1, m), half_cycles(tuple(shape)))
    energy[0] = 0
    cycles = int(np.argmax(np.cumsum(energy) >= share * energy.sum())) / 2
    if size is None:
        least, most = SIZES[len(shape)]
        size = min(max(least, 2 ** int(np.ceil(np.log2(4 * cycles)))), most, shape[0])
    lowest = coefficients[(slice(size),) * len(shape)].reshape(-1, m)
    weights = (lowest**2).sum(axis=1)
    return Need(energy, cycles, size, size / 2, weights + 1e-9 * weights[1:].mean())


def half_cycles(shape: tuple[int, ...]) -> np.ndarray:
    """(n, d): the frequencies of the cosine transform in row-major order, in half cycles."""
    return np.stack([np.ravel(k) for k in np.meshgrid(*map(np.arange, shape), indexing="ij")],
                    axis=1)


# ------------------------------------------------------------------- the rates


def rates_of(name: str, shape: tuple[int, ...], hidden: Sequence[int], seed: int) -> np.ndarray:
    """(n,): the rate at which an untrained network learns each frequency of the cosine transform,
    up to a common factor."""
    feed = encoding(name)
    net = init([feed.columns(len(shape)), *hidden, 1], np.random.default_rng([seed, 30]))
    trace = forward(net, feed(grid(shape, "half-open")))
    n, d = len(trace.inputs[0]), len(shape)
    if n <= KERNEL_SAMPLES:
        kernel = tangent_kernel(net, trace)[:, :, 0, 0].reshape(*shape, *shape)
        return np.diagonal(scipy.fft.dctn(kernel, norm="ortho").reshape(n, n)).copy()
    q, total = joined_pattern(trace), np.zeros(shape)
    for first in range(0, q.shape[1], UNITS):
        units = q[:, first : first + UNITS].T.astype(np.float32).reshape(-1, *shape)
        coefficients = scipy.fft.dctn(units, axes=range(1, d + 1), norm="ortho")
        total += np.einsum("u...,u...->...", coefficients, coefficients)
    return total.ravel()


def bands(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(n,) the half-octave of each frequency, -1 for none, and (b,) the middles of the half-octaves
    in cycles.  The mean and frequencies beyond those of an axis have none."""
    radius = np.sqrt((half_cycles(shape) ** 2).sum(axis=1))
    inside = (radius > 0) & (radius < min(shape))
    octave = np.rint(2 * np.log2(np.where(inside, radius, 1))).astype(int)
    numbers, place = np.unique(octave[inside], return_inverse=True)
    band = np.full(len(radius), -1)
    band[inside] = place
    return band, 2.0 ** (numbers / 2) / 2


def slowness_of(name: str, known: Need, d: int, hidden: Sequence[int], seeds: int) -> np.ndarray:
    """slowness of one input, for the Need of a signal of d axes."""
    shape = (known.size,) * d
    rates = [rates_of(name, shape, hidden, seed) for seed in range(seeds)]
    return slowness(rates, bands(shape)[0], known.weights)


def slowness(rates: Sequence[np.ndarray], band: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(b,): how many times more slowly each half-octave is learned than the fastest, from rates of
    several seeds; geometric means over seeds and, with weights, over frequencies."""
    logs = np.mean([np.log(np.maximum(rate, FLOOR * rate.max() + 1e-300)) for rate in rates],
                   axis=0)
    inside = band >= 0
    band, logs, weights = band[inside], logs[inside], weights[inside]
    means = np.bincount(band, weights * logs) / np.bincount(band, weights)
    return np.exp(means.max() - means)


# ----------------------------------------------------------------------- results


def slowest(slow: np.ndarray, cycles: np.ndarray, up_to: float) -> tuple[float, float]:
    """The largest slowness up to a frequency, and the frequency at which it occurs."""
    inside = np.flatnonzero(cycles <= max(up_to, cycles[0]))
    worst = inside[np.argmax(slow[inside])]
    return float(slow[worst]), float(cycles[worst])


def sentence(name: str, slow: np.ndarray, cycles: np.ndarray, up_to: float) -> str:
    """How evenly one input learns the frequencies that matter."""
    times, where = slowest(slow, cycles, up_to)
    return (f"{style.label(name)}: up to {up_to:g} cycles its slowest frequency, about "
            f"{many(where)}, is learned {many(times)} times more slowly than its fastest.")


def verdict(slow: Mapping[str, np.ndarray], cycles: np.ndarray, up_to: float,
            factor: float) -> str:
    """The smallest L that is flat up to there, unless coordinates are flat already."""
    worst = {name: slowest(values, cycles, up_to)[0] for name, values in slow.items()}
    flat = [name for name in slow if worst[name] <= factor]
    within = f"flat within a factor of {factor:g} up to {up_to:g} cycles"
    if not flat:
        best = min(worst, key=worst.__getitem__)
        near = next(name for name in slow if worst[name] <= NEAR * worst[best])
        then = f", and {near} ({many(worst[near])}) is nearly as flat" if near != best else ""
        return f"No input here is {within}: {best} is the flattest ({many(worst[best])}){then}."
    if isinstance(encoding(flat[0]), Coordinates):
        return f"No encoding is needed: coordinates {flat[0]} are {within}."
    return f"{flat[0]} is the smallest encoding here that is {within}."


def draw(slow: Mapping[str, np.ndarray], cycles: np.ndarray, known: Need, up_to: float,
         share: float, factor: float) -> Figure:
    """Above, the signal's energy; below, the rates of every input, each relative to its fastest."""
    figure, axes = style.panels(2, 1, width=7.2, height=2.7)
    above, below = axes[:, 0]
    frequency = np.arange(len(known.energy)) / 2
    parts = known.energy / known.energy.sum()
    above.fill_between(frequency[1:], parts[1:], 1e-12, step="mid", color="0.6", linewidth=0)
    above.set_ylim(max(1e-8, parts[1:][parts[1:] > 0].min()), 1)
    above.set_ylabel("share of the energy")
    above.set_title(f"the signal: {share:.0%} of its energy up to {known.cycles:g} cycles",
                    loc="left", fontsize="medium")
    for name, values in slow.items():
        below.plot(cycles, 1 / values, marker=".", linewidth=1.4, **style.look(name))
    below.axhline(1 / factor, color="0.3", linewidth=0.8, linestyle=":")
    below.text(cycles[-1], 1 / factor, f" 1/{factor:g}", color="0.3", va="center", fontsize="small")
    below.set_ylabel("rate next to the fastest")
    below.set_xlabel("frequency (cycles per signal)")
    below.set_title(verdict(slow, cycles, up_to, factor).replace(": ", ":\n"), loc="left",
                    fontsize="medium")
    for ax in (above, below):
        ax.set(xscale="log", yscale="log", xlim=(0.45, 1.1 * cycles[-1]))
        ax.axvline(up_to, color="0.3", linewidth=0.8)
    style.legend_below(figure, below, columns=4)
    return figure


# -------------------------------------------------------------- the command line


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the inputs named in the command line; exit status 2 and one line on an error."""
    options, values = parsed(argv)
    known, d = options.known, values.ndim - 1
    up_to = min(known.cycles, known.shown)
    kept = known.energy[: int(2 * up_to) + 1].sum() / known.energy.sum()
    print(f"The signal has {kept:.3g} of its energy up to {up_to:g} cycles"
          + (f", all that {known.size} samples per axis show (--size)" * (up_to < known.cycles))
          + f".  Samples: {' x '.join([str(known.size)] * d)}.", flush=True)
    _, cycles = bands((known.size,) * d)
    slow = {}
    for name in options.inputs:
        slow[name] = slowness_of(name, known, d, options.hidden, options.seeds)
        print(sentence(name, slow[name], cycles, up_to), flush=True)
    said = verdict(slow, cycles, up_to, options.factor)
    print(said)
    options.out.mkdir(parents=True, exist_ok=True)
    figure = draw(slow, cycles, known, up_to, options.share, options.factor)
    with replacing(options.out / "choose.png") as file:
        png.write(figure, file)
    ledger.write_json(options.out / "choose.json", {
        "verdict": said, "factor": options.factor, "share": kept, "up_to_cycles": up_to,
        "samples": known.size, "hidden": options.hidden, "seeds": options.seeds,
        "cycles": cycles.tolist(),
        "times_slower": {name: values.tolist() for name, values in slow.items()},
        "energy_by_half_cycles": known.energy.tolist()})
    print(f"{options.out / 'choose.png'}, {options.out / 'choose.json'}")
    return 0


def parsed(argv: Sequence[str] | None) -> tuple[argparse.Namespace, np.ndarray]:
    """The command line, checked, and the signal, (n, 1), or picture, (n, n, channels)."""
    parser = argparse.ArgumentParser(prog="python -m scripts.choose", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--signal", type=Path, metavar="FILE",
                      help=".npy, .csv or .txt: one column, or the first")
    data.add_argument("--image", type=Path, metavar="FILE",
                      help="png, jpg or tif; its largest centred square")
    parser.add_argument("--inputs", nargs="+", default=list(INPUTS), metavar="NAME",
                        help="inputs to compare, such as [-2,2] L=4 (default: [0,1] [-1,1] L=1 to "
                             "L=10)")
    parser.add_argument("--hidden", type=int, nargs="+", default=[128] * 4, metavar="W",
                        help="widths of the hidden layers (default: 128 128 128 128)")
    parser.add_argument("--seeds", type=int, default=3, help="networks per input (default: 3)")
    parser.add_argument("--size", type=int,
                        help="samples per axis (default: what the signal needs)")
    parser.add_argument("--share", type=float, default=0.99,
                        help="of the energy that is to be learned (default: 0.99)")
    parser.add_argument("--factor", type=float, default=10.0,
                        help="rates that differ by no more are called flat (default: 10)")
    parser.add_argument("--out", type=Path, default=Path("out"),
                        help="where results go (default: out)")
    options = parser.parse_args(argv)
    try:
        values = prepared(options)
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    return options, values


def prepared(options: argparse.Namespace) -> np.ndarray:
    """The data; known and inputs are put into options.  ValueError for invalid options."""
    if min(options.seeds, *options.hidden) < 1:
        raise ValueError("--seeds and --hidden must be at least 1")
    if not 0 < options.share < 1 or not options.factor > 1:
        raise ValueError("--share must be between 0 and 1, --factor above 1")
    for name in options.inputs:
        encoding(name)
    if others := set(options.inputs) - set(in_order(options.inputs)):
        raise ValueError(f"an input is [lo,hi] or L=k. Got {', '.join(sorted(others))}.")
    path = options.signal or options.image
    if options.signal:
        values = own_data.standardised(own_data.read_signal(path))
    else:
        values = own_data.centred_square(own_data.read_picture(path) / 65535)
    least = own_data.LEAST_SAMPLES if options.signal else own_data.LEAST_PIXELS
    if options.size is not None and not least <= options.size <= len(values):
        raise ValueError(f"--size must be from {least} to {len(values)}, what {path} has per axis")
    known = need(values, options.share, options.size)
    fits = [name for name in in_order(options.inputs) if top(name) <= known.shown]
    if left := [name for name in in_order(options.inputs) if name not in fits]:
        said = (f"{', '.join(left)}: a wave of fewer than two samples, with {known.size} per axis")
        if not fits:
            raise ValueError(f"{said}; give more with --size")
        print(f"Left out {said}.")
    options.known, options.inputs = known, fits
    return values


def top(name: str) -> float:
    """The highest frequency of an input, in cycles per signal."""
    feed = encoding(name)
    return 0 if isinstance(feed, Coordinates) else float(feed.frequencies_in(1).max())


if __name__ == "__main__":
    sys.exit(main())
