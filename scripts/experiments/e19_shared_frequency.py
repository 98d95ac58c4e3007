"""E19. Is it the number of inputs or of frequencies that sets pixels apart?

    python -m scripts.reproduce e19_shared_frequency

One frequency, 2^1, 2^5 or 2^10, in every input, with 4, 20 or 40 inputs, against an encoding
with three frequencies (12 inputs): the number of activation patterns at the pixels of a
64x64 random image, 2x128 units, before and after training for 50 epochs (the number of the
paper's is not known; 500 at paper scale).  Whatever the number of inputs, one frequency keeps
a coordinate on a circle (T30).  The grid is the paper's, k/63, on which 2^10 is an exact copy
of 2^4; on the half-open one it would be constant.
"""

import numpy as np

from relu_dynamics import sampled_regions
from scripts.lab import (
    Claim, Setup, each, image_setup, images, made_run, means, named, over_checkpoints, style,
)

TITLE = "Encodings of a single frequency"
SOURCE = "the paper's appendix, section 2"
SHOWS = ("Patterns per pixel for one frequency with more and more copies, three greens for "
         "three frequencies, and as a diamond for three frequencies with fewer inputs, before "
         "training and at the end. The grey line is a pattern of its own for every pixel.")
FREQUENCIES, COPIES, MANY = (1, 5, 10), (1, 5, 10), "L=3"
INPUTS = (*(f"2^{l} x {c}" for l in FREQUENCIES for c in COPIES), MANY)
SETUPS = {"quick": Setup(32, (32, 32), 5, 256, (0, 1, 5)),
          "laptop": Setup(64, (128, 128), 50, 256, (0, 1, 50)),
          "paper": Setup(64, (128, 128), 500, 256, (0, 1, 500))}


def wanted(settings):
    """(input, seed) -> run, on the first of the images: the random one, or the user's."""
    signal, setup = next(iter(images(settings).values())), image_setup(settings, SETUPS)
    closed = settings._replace(grid="closed")
    return {(name, seed): made_run(setup, signal, name, seed, closed) for name in INPUTS
            for seed in settings.seeds}


def runs(settings):
    return wanted(settings).values()


def measure(settings, folder):
    """values (inputs, checkpoints, seeds): patterns at the pixels; pixels."""
    table = over_checkpoints(wanted(settings), folder, lambda trained,
                             net: sampled_regions(net, trained.x))
    return {**table, "pixels": image_setup(settings, SETUPS).size ** 2}


def claims(data):
    share = named(data["inputs"].tolist(), data["values"] / data["pixels"])
    shared = {name: values for name, values in share.items() if name != MANY}
    gained = {f"2^{l}": share[f"2^{l} x {COPIES[-1]}"][-1] - share[f"2^{l} x {COPIES[0]}"][-1]
              for l in FREQUENCIES}
    return [
        Claim("E19a", "one frequency never gives every pixel a pattern of its own, however many "
                      "inputs (share of pixels below 1)",
              means({name: values[-1] for name, values in shared.items()}),
              each("1 > share", shared, lambda s: 1 - s)),
        Claim("E19b", "three frequencies do, for more than 99 % of the pixels",
              means({MANY: share[MANY]}),
              each("share > 0.99", {MANY: share[MANY] - 0.99})),
        Claim("E19c", "40 inputs give at least as many patterns as 4, at the end (≥: less by at "
                      "most 0.01 per pixel)", means(gained),
              each("40 ≥ 4 inputs", gained, lambda more: more + 0.01)),
    ]


def draw(data):
    figure, axes = style.panels(1, 2, height=2.9)
    share, names = data["values"] / data["pixels"], data["inputs"].tolist()
    for ax, c, stage in ((axes[0, 0], 0, "before training"),
                         (axes[0, 1], -1, f"after {data['epochs'][-1]} epochs")):
        for f, l in enumerate(FREQUENCIES):
            style.shaded(ax, 4 * np.array(COPIES) + f - 1,
                         share[f * len(COPIES) : (f + 1) * len(COPIES), c],
                         style.shade(f, len(FREQUENCIES)),
                         f"frequency $2^{{{l}}}$ alone", ("-", "--", ":")[f])
        style.ranges(ax, np.array([12]), share[-1:, c], style.colour(MANY), style.label(MANY), "D")
        ax.axhline(1, color="0.6", linewidth=0.8, zorder=0)
        ax.set_xticks([4, 12, 20, 40])
        ax.set_xlabel("inputs of the network")
        ax.set_ylabel("patterns per pixel")
        style.title(ax, stage)
    style.same_range(axes)
    style.legend_below(figure, axes[0, 0], style.BAND + " (shifted by 1 to be told apart)")
    most = max(names[:-1], key=lambda name: np.median(share[names.index(name), -1]))
    style.heading(figure, f"Patterns per pixel at the end: {MANY} with 12 inputs has "
                  f"{np.median(share[-1, -1]):.2g}; one frequency at most "
                  f"{np.median(share[names.index(most), -1]):.2g} (${most.replace(' x ', '$ x ')})")
    return figure
