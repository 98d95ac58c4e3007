"""E12. How far is the nearest wall?

    python -m scripts.e12_wall_distance [--quick] [--seeds 5] [--out out]

Mean over pixels of the exact distance from the network's input to the boundary of its
activation region (T36), and of the paper's surrogate, |z| / |w| in each layer's own
input space.  Both are lengths in the space the network sees: for encodings that is the
space of sines and cosines.

Writes e12_wall_distance.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.walls import distance_to_wall, surrogate_distance
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, rise
from scripts.runs import image_runs, over_images

TITLE = "Distance to the nearest wall"
SOURCE = "the paper's region_narrowness.py"
SHOWS = ("Mean distance to the nearest wall through training, exactly (left) and by the paper's surrogate (right). The two "
         "are not the same quantity beyond the first layer.")


def runs(settings):
    return list(image_runs(settings).values())


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, 2): mean exact and mean surrogate distance, over every fourth pixel
    (at paper scale every 64th)."""
    step = 4 if settings.scale != "paper" else 64

    def distances(trained, net):
        x = trained.x[::step]
        return [distance_to_wall(net, x).mean(), surrogate_distance(net, x).mean()]

    return over_images(settings, folder, distances)


def claims(data):
    names, epochs, result = data["inputs"].tolist(), data["epochs"], []
    for image, table in zip(data["images"].tolist(), data["values"], strict=True):
        exact, surrogate = (dict(zip(names, table[..., kind], strict=True)) for kind in (0, 1))
        tag = "-" + image.split()[0]
        for key, word, values in (("a", "surrogate", surrogate), ("c", "exact", exact)):
            result.append(Claim(
                f"E12{key}{tag}", f"{image}: the first epoch widens the {word} distance threefold or more, for every input",
                means({name: v[epochs <= 1] for name, v in values.items()}),
                [Link(f"epoch 1 > 3 x epoch 0, {name}", (v[epochs == 1] - 3 * v[epochs == 0])[0]) for name, v in values.items()],
                why="" if word == "surrogate" else "The paper's threefold growth is that of the surrogate; the distance itself does not double"))
        for key, word, values in (("b", "surrogate", surrogate), ("d", "exact", exact)):
            result.append(Claim(
                f"E12{key}{tag}", f"{image}: then the {word} distance falls, for every input",
                means({name: v[epochs >= 1] for name, v in values.items()}),
                [Link(f"epoch 1 > last, {name}", -rise(v[epochs >= 1])) for name, v in values.items()]))
    return result


def draw(data):
    figure, axes = style.panels(2, 2)
    for row, image, table in zip(axes, data["images"].tolist(), data["values"], strict=True):
        for ax, kind, title in zip(row, (0, 1), ("exact", "surrogate |z| / |w|"), strict=True):
            values = dict(zip(data["inputs"].tolist(), 1000 * table[..., kind], strict=True))
            style.over_epochs(ax, data["epochs"], values, "mean distance to a wall x 1000\n(lengths in the space of inputs)")
            ax.set_title(f"{image}: {title}", loc="left", fontsize="medium")
    for column in axes.T:
        style.same_range(column, 0)
    style.legend_below(figure, axes.flat[0], style.BAND)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
