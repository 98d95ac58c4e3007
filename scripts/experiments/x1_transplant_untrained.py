"""X1. Before any training, which sets how fast a tone is learned: the features a network is fed, or
its activation regions?

    python -m scripts.reproduce x1_transplant_untrained

An untrained network is fed with one input, and its units are switched on and off by the regions of
*another* untrained network, of the same shape and fed with any input: h = q * z with the other's q
(T40).  The intrinsic rate of every tone then is exact (T41), without training: K_kk, as a share of
the sum over all frequencies, so that it does not matter how large a network's gradients are.

Four inputs feed and four give the gates, on 1024 samples, 10 seeds at least; every network is drawn
by itself, so that even gates of the same input come from another network.  Beside them stand the
rates with each network's own gates, those of an ordinary network.

The mean over the tones from 40 up of log10 of the share makes a 4 x 4 table per seed.  Its variance
splits exactly into gates, features, and what only the two together decide.
"""

import numpy as np

from relu_dynamics import PAPER_TONES, forward, grid, init, intrinsic_rates, pattern
from scripts.lab import Claim, Link, encoding, means, ordered, signal_inputs, style

TITLE = "Features or gates: before training"
SOURCE = "statements T40 and T41"
KIND = "question"
SHOWS = ("Above, a table of the rates of the high tones for every pair of what is fed (rows) "
         "and whose gates are imposed (columns), light for fast. Below, the rate of every "
         "tone for the first and the last input: lines go by the colour of the gates.")
SAMPLES = {"quick": 256, "laptop": 1024, "paper": 2048}
HIDDEN = {"quick": (32,) * 4, "laptop": (128,) * 4, "paper": (128,) * 4}
HIGH = 40  # cycles per signal


def runs(_):
    return []


def measure(settings, _):
    """share (features, gates, seeds, tones), the intrinsic rate of every tone over the sum of all;
    the last of gates are each network's own."""
    names, n = signal_inputs(settings), SAMPLES[settings.scale]
    hidden = settings.hidden or HIDDEN[settings.scale]
    first, count = settings.seeds[0], len(settings.seeds)
    seeds = range(first, first + (count if settings.scale == "quick" else max(10, count)))
    tones = np.array([k for k in PAPER_TONES if k < n // 2])
    x = {name: encoding(name)(grid((n,), settings.grid)) for name in names}
    share = np.empty((len(names), len(names) + 1, len(seeds), len(tones)))
    for s, seed in enumerate(seeds):
        fed, donors = ({name: init([x[name].shape[1], *hidden, 1],
                                   np.random.default_rng([seed, part, i]))
                        for i, name in enumerate(names)} for part in (0, 1))
        gates = [pattern(donors[name], x[name]) for name in names]
        for f, name in enumerate(names):
            for g, q in enumerate([*gates, pattern(fed[name], x[name])]):
                rates = intrinsic_rates(fed[name], forward(fed[name], x[name], q), (n,),
                                        bands=False)
                share[f, g, s] = rates[tones] / rates.sum()
    return {"inputs": np.array(names), "tones": tones, "share": share, "seeds": np.array(seeds)}


def tables(data):
    """(features, gates, seeds): log10 of the share of the high tones, and the same with own gates,
    (features, seeds)."""
    high = np.log10(data["share"][..., data["tones"] >= HIGH]).mean(axis=-1)
    return high[:, :-1], high[:, -1]


def variance_shares(table):
    """(3, seeds): how much of the table's variance gates, features and both together make."""
    mean = table.mean(axis=(0, 1))
    gates, features = table.mean(axis=0) - mean, table.mean(axis=1) - mean
    both = table - mean - gates - features[:, None]
    parts = np.array([(gates**2).mean(axis=0), (features**2).mean(axis=0),
                      (both**2).mean(axis=(0, 1))])
    whole = parts.sum(axis=0)
    return np.divide(parts, whole, out=np.zeros_like(parts), where=whole > 0)  # one input: none


def claims(data):
    table, own = tables(data)
    first, last = data["inputs"][0], data["inputs"][-1]
    moved = {"gates": (table[:, -1] - table[:, 0]).mean(axis=0),
             "features": (table[-1] - table[0]).mean(axis=0)}
    gates, features, both = variance_shares(table)
    foreign = abs(np.diagonal(table).T - own).mean(axis=0)
    reached = abs(table[0, -1] - own[-1])
    return [
        ordered("X1a", f"from {first} to {last} the log10 rate of tones from {HIGH} up moves more "
                       f"by "
                       "gates, features held, than by features, gates held: {}",
                "gates > features", moved),
        Claim("X1b", "gates make more than half of the variance of log10 rates over features and "
                     "gates", means({"gates": gates, "features": features, "both": both}),
              [Link("share of gates - 0.5", gates - 0.5)]),
        Claim("X1c", "gates of another network fed with the same input change the log10 rates of "
                     "high tones by less than 0.2 (mean over inputs)", means({"change": foreign}),
              [Link("0.2 - change", 0.2 - foreign)]),
        Claim("X1d", f"fed with {first}, gates of {last} alone give high tones the rates of a "
                     f"network fed with {last}, within a factor of 2 (log10: 0.3)",
                     means({"difference": reached}),
              [Link("0.3 - difference", 0.3 - reached)]),
    ]


def draw(data):
    """The table, and the tones for the first and the last features."""
    names, tones, (table, own) = data["inputs"].tolist(), data["tones"], tables(data)
    chosen = list(dict.fromkeys((0, len(names) - 1)))
    figure = style.sheet(height=2.9 + 2.7)
    grid = figure.add_gridspec(2, len(chosen), height_ratios=(1, 1.1))
    above = figure.add_subplot(grid[0, :])
    shown = np.median(np.concatenate([table, own[:, None]], axis=1), axis=2)
    image = above.imshow(shown, cmap="cividis", aspect="auto")
    for (f, g), value in np.ndenumerate(shown):
        dark = value < (shown.min() + shown.max()) / 2
        above.text(g, f, f"{value:.1f}".replace("-", "−"), ha="center", va="center",
                   color="white" if dark else "black")
    above.axvline(len(names) - 0.5, color="white", linewidth=4)
    above.set_xticks(range(len(names) + 1), [*names, "its own"])
    above.set_yticks(range(len(names)), names)
    above.set_xlabel("gates of an untrained network fed with")
    above.set_ylabel("fed with")
    style.title(above, f"log10 of the rate of tones from {HIGH} up, median over seeds")
    above.spines[:].set_visible(False)
    figure.colorbar(image, ax=above, pad=0.01)
    below = [figure.add_subplot(grid[1, k]) for k in range(len(chosen))]
    for ax, f in zip(below, chosen, strict=True):
        for g, name in enumerate(names):
            style.with_band(ax, tones, data["share"][f, g].T, name)
        ax.plot(tones, np.median(data["share"][f, -1], axis=0), ":", color="black",
                label="its own gates")
        ax.set_yscale("log")
        style.title(ax, f"fed with {names[f]}, by gates")
        ax.set_xlabel("tone k (cycles per signal)")
    below[0].set_ylabel(r"intrinsic rate $\hat K_{kk}$ / tr K")
    style.bare(below)
    style.same_range(np.array(below))
    style.legend_below(figure, below[0], "colour: whose gates; " + style.BAND)
    gates, features = (np.median(part) for part in variance_shares(table)[:2])
    style.heading(figure, f"Before training, gates make {100 * gates:.0f} % of the variance of "
                          f"the rates of high tones, what is fed {100 * features:.0f} %"
                  if len(names) > 1 else "One input: nothing to exchange")
    return figure
