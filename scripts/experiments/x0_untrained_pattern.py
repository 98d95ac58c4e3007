"""X0. What does the activation pattern foretell, before any training, at the size of the paper?

    python -m scripts.reproduce x0_untrained_pattern
    python -m scripts.reproduce x0_untrained_pattern --scale paper

The power spectrum of an untrained network's pattern, P_k = sum_u |(F q_u)_k|^2, stands for the
rates of learning (T49 to T52; x0_pattern_law tests that), and needs neither a gradient nor a
kernel. So it can be had where rates cannot: at paper scale for all 512 x 512 pixels and 4x512
units, 15 seconds per network.  Here it is 64 x 64 and 4x128.  10 seeds at least; the image does not
matter.

Foretold: an input whose pattern has a larger share of its power in the upper half of the bands
(|k| from a quarter of the pixels per axis) learns fine detail sooner.
"""

import numpy as np

from relu_dynamics import (
    Coordinates, band_means, grid, init, pack, pattern, pattern_spectrum,
)
from scripts.lab import (
    Claim, Link, chain, coordinates, encoding, encodings, image_inputs, image_setup, means, ordered,
    style,
)
from scripts.lab.headings import ranking

TITLE = "What the untrained pattern foretells"
SOURCE = "statements T49 to T52"
KIND = "question"
SHOWS = ("On the left, the share of the untrained pattern's power in every band, a line an "
         "input: the rates of learning that it foretells, up to one constant. On the right, "
         "the share in the upper half of the bands, a dot an input: the higher, the sooner "
         "detail should be learned.")
ROWS = 4096  # of the grid at a time


def runs(_):
    return []


def measure(settings, _):
    """power (inputs, seeds, bands): mean over each band of P_k / sum P."""
    names, setup = image_inputs(settings), image_setup(settings)
    hidden, shape = settings.hidden or setup.hidden, (setup.size, setup.size)
    first, count = settings.seeds[0], len(settings.seeds)
    seeds = range(first, first + (count if settings.scale == "quick" else max(10, count)))
    place, power = grid(shape, settings.grid), []
    for i, name in enumerate(names):
        feed = encoding(name)
        for seed in seeds:
            net = init([feed(place[:1]).shape[1], *hidden, 1], np.random.default_rng([seed, i]))
            q = np.concatenate([pack(pattern(net, feed(place[start : start + ROWS])))
                                for start in range(0, len(place), ROWS)])
            spectrum = pattern_spectrum(q, shape, bands=False)
            power.append(band_means(spectrum / spectrum.sum())[: setup.size // 2 + 1])
    return {"inputs": np.array(names), "power": np.reshape(power, (len(names), len(seeds), -1)),
            "pixels": setup.size, "seeds": np.array(seeds)}


def upper(data):
    """name -> (seeds,): the mean of log10 P_k / sum P over the upper half of the bands."""
    bands = data["power"].shape[-1]
    return dict(zip(data["inputs"].tolist(),
                    np.log10(data["power"][..., bands // 2 :]).mean(axis=-1), strict=True))


def order(data):
    """Encodings that reach an eighth of the pixels per axis first, all alike; then from the most
    frequencies to none, then coordinates from the widest to the narrowest."""
    names, pixels = data["inputs"].tolist(), int(data["pixels"])
    reach = [name for name in encodings(names)
             if 8 * encoding(name).frequencies_in(1).max() >= pixels]
    others = [name for name in encodings(names) if name not in reach]
    return chain(reach, *others[::-1], *coordinates(names)[::-1])


def claims(data):
    k = np.arange(data["power"].shape[-1])
    some = (k >= 4) & (k <= len(k) // 2)
    slopes = {name: np.polyfit(np.log(k[some]), np.log(by_seed[:, some]).T, 1)[0]
              for name, by_seed in zip(data["inputs"].tolist(), data["power"], strict=True)
              if isinstance(encoding(name), Coordinates) and some.sum() > 1}
    return [
        ordered("X0t", f"at {data['pixels']} x {data['pixels']} pixels the untrained pattern "
                       "foretells that fine detail is learned sooner (mean log10 of its share of "
                       "power in the upper half of the bands) with {}", order(data), upper(data)),
        Claim("X0u", "fed with coordinates its power falls with |k| as that of walls without an "
                     "order, lines in the plane: with the power -3, within 0.5, from |k| = 4 to "
                     "half the bands", means(slopes),
              [Link(f"0.5 - |slope + 3|, {name}", 0.5 - abs(slope + 3))
               for name, slope in slopes.items()]),
    ]


def draw(data):
    figure, axes = style.panels(1, 2, height=3.0)
    left, right = axes[0]
    names, k, share = data["inputs"].tolist(), np.arange(1, data["power"].shape[-1]), upper(data)
    for i, (name, by_seed) in enumerate(zip(names, data["power"], strict=True)):
        style.with_band(left, k, by_seed[:, 1:].T, name)
        style.ranges(right, np.array([i]), share[name][None], style.colour(name))
    left.set(xscale="log", yscale="log", xlabel="band |k| (cycles per image)",
             ylabel=r"share of power, $P_k / \Sigma P$")
    style.title(left, f"{data['pixels']} x {data['pixels']} pixels, untrained")
    right.set_xticks(range(len(names)), names, rotation=45)
    right.set_ylabel("log10 share, mean over bands")
    style.title(right, "the upper half of the bands")
    style.legend_below(figure, left, style.LINES_AND_DOTS)
    style.heading(figure, "Untrained pattern, log10 share of power in the upper bands: "
                  + ranking(share, "{:.1f}"))
    return figure
