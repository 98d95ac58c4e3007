"""E4, exactly. How many activation regions are there, and how many do the pixels miss?

    python -m scripts.e4_exact_regions [--quick] [--seeds 5] [--out out]

For coordinates the input is the plane, and the number of regions in the window that the
pixels cover is counted exactly, through training, beside the number of patterns sampled
at the pixels (E4).  A pixel count cannot exceed the number of pixels; the exact one can.
Epoch 0 is before training.

Writes e4_exact_regions.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.measures import sampled_regions
from relu_dynamics.regions2d import count_regions
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, ordering, rise
from scripts.runs import IMAGE, encoding, image_runs, over_images

TITLE = "Regions counted exactly and sampled at the pixels"
SOURCE = "exact counterpart of the paper's act_regions_image.py"
SHOWS = ("Exact numbers of regions (dashed) beside what the pixels see (dotted). The sampled count stays below the number "
         "of pixels, the grey line; the exact one does not.")
INPUTS = ("[0,1]", "[-1,1]")


def runs(settings):
    return [run for (_, name, _), run in image_runs(settings).items() if name in INPUTS]


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, 2): exact and sampled numbers of regions."""
    def counts(trained, net):
        feed = encoding(trained.run.input)
        window = ((feed.low, feed.high), (feed.low, feed.high))
        return [count_regions(net, window), sampled_regions(net, trained.x)]

    return {**over_images(settings, folder, counts, INPUTS), "pixels": IMAGE[settings.scale].size ** 2}


def claims(data):
    epochs, result = data["epochs"], []
    for image, table in zip(data["images"].tolist(), data["values"], strict=True):
        exact, sampled = (dict(zip(INPUTS, table[..., kind], strict=True)) for kind in (0, 1))
        tag = "-" + image.split()[0]
        result += [
            Claim(f"E4d{tag}", f"{image}: the pixels miss regions at every epoch (exact > sampled)",
                  means({f"{name} {kind}": values[name] for name in INPUTS for kind, values in
                         (("exact", exact), ("sampled", sampled))}, "{:.0f}"),
                  [Link(f"exact > sampled, {name}", (exact[name] - sampled[name]).min(axis=0)) for name in INPUTS]),
            Claim(f"E4e{tag}", f"{image}: exact number of regions [-1,1] > [0,1] at every epoch", means(exact, "{:.0f}"),
                  ordering(exact, "[-1,1]", "[0,1]")),
            Claim(f"E4f{tag}", f"{image}: the exact number falls in the first epoch and then grows",
                  means({name: values[epochs <= 1] for name, values in exact.items()}, "{:.0f}"),
                  [Link(f"before > after the first epoch, {name}", (values[epochs == 0] - values[epochs == 1])[0])
                   for name, values in exact.items()]
                  + [Link(f"last > first epoch, {name}", rise(values[epochs >= 1])) for name, values in exact.items()]),
        ]
    return result


def draw(data):
    figure, axes = style.panels(1, 2)
    for ax, image, table in zip(axes.flat, data["images"].tolist(), data["values"], strict=True):
        style.over_epochs(ax, data["epochs"], dict(zip(INPUTS, table[..., 0], strict=True)), "activation regions in the window")
        for name, values in zip(INPUTS, table[..., 1], strict=True):
            ax.plot(data["epochs"], values.mean(axis=1), color=style.COLOURS[name], linestyle=":", linewidth=1.4,
                    label=f"sampled at the pixels, {name}")
        ax.axhline(data["pixels"], color="0.6", linewidth=0.8, zorder=0)
        ax.set_title(f"{image} ({data['pixels']} pixels: grey line)", loc="left", fontsize="medium")
        ax.set_yscale("log")
    style.same_range(axes)
    style.legend_below(figure, axes.flat[0], style.BAND + " (dotted: mean)", columns=4)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
