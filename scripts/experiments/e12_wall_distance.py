"""E12. How far is the nearest wall?

    python -m scripts.reproduce e12_wall_distance

Mean over pixels of the exact distance from the network's input to the boundary of its
activation region (T36), and of the paper's surrogate, |z| / |w| in each layer's own
input space.  Both are lengths in the space the network sees: for encodings that is the
space of sines and cosines.
"""

import numpy as np

from relu_dynamics import distance_to_wall, forward, surrogate_distance
from scripts.lab import Claim, each, image_runs, means, named, over_checkpoints, rise, style
from scripts.lab.rates import thinned

TITLE = "Distance to the nearest wall"
SOURCE = "the paper's region_narrowness.py"
PAPER_EPOCHS = 2500
SHOWS = ("Mean distance to the nearest wall through training, exactly (left) and by the paper's "
         "surrogate (right). The two "
         "are not the same quantity beyond the first layer.")


def runs(settings):
    return image_runs(settings).values()


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, 2): mean exact and mean surrogate distance, over
    16 x 16 pixels (at paper scale 64 x 64)."""
    side = 16 if settings.scale != "paper" else 64

    def distances(trained, net):
        trace = forward(net, thinned(trained, side)[1])
        return [distance_to_wall(net, trace).mean(), surrogate_distance(net, trace).mean()]

    return over_checkpoints(image_runs(settings), folder, distances)


def claims(data):
    names, epochs, result = data["inputs"].tolist(), data["epochs"], []
    for image, table in zip(data["images"].tolist(), data["values"], strict=True):
        for kind, words in enumerate((("c", "d", "exact", "question"),
                                      ("a", "b", "surrogate", "paper"))):
            wider, falls, word, whose = words
            distance = named(names, table[..., kind])
            start = {name: values[epochs <= 1] for name, values in distance.items()}
            later = {name: values[epochs >= 1] for name, values in distance.items()}
            result += [
                Claim(f"E12{wider}", f"the first epoch widens the {word} distance threefold or "
                                     f"more, for every input", means(start),
                      each("epoch 1 > 3 x epoch 0", start, lambda d: np.log10(d[-1] / (3 * d[0]))),
                      kind=whose, image=image),
                Claim(f"E12{falls}", f"then the {word} distance falls, for every input",
                      means(later),
                      each("epoch 1 > last", later, lambda d: -rise(np.log10(d))), kind=whose,
                      image=image),
            ]
    return result


def draw(data):
    figure, axes = style.panels(len(data["images"]), 2)
    for row, image, table in zip(axes, data["images"].tolist(), data["values"], strict=True):
        for ax, kind, title in zip(row, (0, 1), ("exact", "surrogate |z| / |w|"), strict=True):
            values = named(data["inputs"].tolist(), 1000 * table[..., kind])
            style.over_epochs(ax, data["epochs"], values,
                              "mean distance to a wall x 1000\n(lengths in the space of inputs)")
            ax.set_title(f"{image}: {title}", loc="left", fontsize="medium")
    for column in axes.T:
        style.same_range(column, 0)
    style.legend_below(figure, axes.flat[0], style.BAND)
    return figure
