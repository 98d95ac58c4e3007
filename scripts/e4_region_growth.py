"""E4. How many activation regions do the pixels of an image fall into, and how does training change it?

    python -m scripts.e4_region_growth [--quick] [--seeds 5] [--out out]

Number of different activation patterns over all pixels, for a 4x128 network on a 64x64
random image and on a photograph.  A region that no pixel hits is not counted, and when
every pixel has its own pattern the count cannot grow.  Epoch 0 is before training (the
paper's "epoch 0" is our epoch 1).

Writes e4_region_growth.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.measures import sampled_regions
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, ordering, rise
from scripts.runs import IMAGE, image_runs, over_images

TITLE = "Activation regions sampled at the pixels"
SOURCE = "the paper's act_regions_image.py"
SHOWS = ("The number of different activation patterns at the pixels. It falls in the first epoch, then grows for "
         "coordinates; where every pixel has a pattern of its own the count is saturated.")


def runs(settings):
    return list(image_runs(settings).values())


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds): regions; and how many pixels there are."""
    table = over_images(settings, folder, lambda trained, net: sampled_regions(net, trained.x))
    return {**table, "pixels": IMAGE[settings.scale].size ** 2}


def claims(data):
    names, epochs, result = data["inputs"].tolist(), data["epochs"], []
    low, middle, high = names[2:]
    for image, table in zip(data["images"].tolist(), data["values"], strict=True):
        count = dict(zip(names, table, strict=True))
        trained = {name: values[epochs >= 1] for name, values in count.items()}
        tag = "-" + image.split()[0]
        result += [
            Claim(f"E4a{tag}", f"{image}: {high} ≥ {middle} > {low} > [-1,1] > [0,1] regions at every epoch", means(trained, "{:.0f}"),
                  ordering(trained, high, middle, ties=True) + ordering(trained, middle, low, "[-1,1]", "[0,1]")),
            Claim(f"E4b{tag}", f"{image}: the first epoch lowers the count for coordinates",
                  means({name: count[name][epochs <= 1] for name in ("[0,1]", "[-1,1]")}, "{:.0f}"),
                  [Link(f"before > after the first epoch, {name}",
                        (count[name][epochs == 0] - count[name][epochs == 1])[0]) for name in ("[0,1]", "[-1,1]")]),
            Claim(f"E4c{tag}", f"{image}: the count for coordinates grows after the first epoch",
                  means({name: trained[name] for name in ("[0,1]", "[-1,1]")}, "{:.0f}"),
                  [Link(f"last > first epoch, {name}", rise(trained[name])) for name in ("[0,1]", "[-1,1]")]),
        ]
    return result


def draw(data):
    figure, axes = style.panels(1, 2)
    for ax, image, table in zip(axes.flat, data["images"].tolist(), data["values"], strict=True):
        style.over_epochs(ax, data["epochs"], dict(zip(data["inputs"].tolist(), table, strict=True)),
                          "activation patterns at the pixels")
        ax.axhline(data["pixels"], color="0.6", linewidth=0.8, zorder=0)
        ax.annotate(f"{data['pixels']} pixels", (1, data["pixels"]), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points",
                    ha="right", va="bottom", fontsize="x-small", color="0.4")
        ax.set_title(image, loc="left", fontsize="medium")
        ax.set_ylim(0, data["pixels"] * 1.1)
    style.legend_below(figure, axes.flat[0], style.BAND)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
