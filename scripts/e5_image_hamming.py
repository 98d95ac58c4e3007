"""E5. How differently does the network compute at neighbouring and at distant pixels?

    python -m scripts.e5_image_hamming [--quick] [--seeds 5] [--out out]

Hamming distance between activation patterns, all hidden units, for a 4x128 network on a
64x64 random image and on a photograph.  Local pairs: 100 patches of 6x6 pixels, 40 pairs
each.  Global pairs: 4000, in diagonally opposite quadrants 7 pixels apart.  (At paper
scale: 100 patches of 50x50, 500 pairs each; 50 000 pairs, 50 pixels apart.)  Epoch 0 is
before training (the paper's "epoch 0" is our epoch 1).

Writes e5_image_hamming.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.measures import global_pairs, hamming_of_pairs, local_pairs
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, ordering, steadily
from scripts.runs import image_runs, over_images, stream

TITLE = "Hamming distance across an image"
SOURCE = "the paper's hamming_image.py"
SHOWS = ("As in one dimension: the Hamming distance of neighbouring pixels is ordered by input at every epoch, that of "
         "distant ones much less so.")


def pairs_of(trained):
    """The local and global pairs of a run; the same for every input of a seed."""
    rng, size = stream(trained.run, "pairs"), trained.run.size
    if size >= 512:  # the paper's scale
        return (local_pairs(trained.shape, rng, patches=100, side=50, pairs=500),
                global_pairs(trained.shape, rng, pairs=50_000, gap=50))
    return (local_pairs(trained.shape, rng, patches=100, side=6, pairs=40),
            global_pairs(trained.shape, rng, pairs=4000, gap=7))


def runs(settings):
    return list(image_runs(settings).values())


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, 2): mean over local and over global pairs."""
    def distances(trained, net):
        return [hamming_of_pairs(net, trained.x, pairs).sum(axis=1).mean() for pairs in pairs_of(trained)]

    return over_images(settings, folder, distances)


def claims(data):
    names, trained, result = data["inputs"].tolist(), data["epochs"] >= 1, []
    low, middle, high = names[2:]
    for image, table in zip(data["images"].tolist(), data["values"][:, :, trained], strict=True):
        local = dict(zip(names, table[..., 0], strict=True))
        far = dict(zip(names, table[..., 1], strict=True))
        first, tag = {name: values[0] for name, values in far.items()}, "-" + image.split()[0]
        result += [
            Claim(f"E5a{tag}", f"{image}: local Hamming distance {high} > {middle} > {low} > [-1,1] > [0,1] at every epoch",
                  means(local), ordering(local, high, middle, low, "[-1,1]", "[0,1]")),
            Claim(f"E5f{tag}", f"{image}: locally {middle} is more than twice [-1,1] at every epoch",
                  means({name: local[name] for name in (middle, "[-1,1]")}),
                  [Link(f"{middle} > 2 x [-1,1]", (local[middle] - 2 * local["[-1,1]"]).min(axis=0))]),
            Claim(f"E5b{tag}", f"{image}: global Hamming distance {{{middle}, {high}}} > [-1,1] > [0,1] at every epoch",
                  means(far), ordering(far, (middle, high), "[-1,1]", "[0,1]")),
            Claim(f"E5c{tag}", f"{image}: global distance of {high} peaks and then falls; [0,1] grows throughout",
                  means({name: far[name] for name in (high, "[0,1]")}),
                  [Link(f"peak > last epoch, {high}", far[high].max(axis=0) - far[high][-1]),
                   Link("every step up, [0,1]", steadily(far["[0,1]"]))]),
            Claim(f"E5d{tag}", f"{image}: local < global for every input at every epoch",
                  means({name: far[name] - local[name] for name in names}),
                  [Link(f"global > local, {name}", (far[name] - local[name]).min(axis=0)) for name in names]),
            Claim(f"E5e{tag}", f"{image}: global distance {middle} > {high} after the first epoch", means(first),
                  ordering(first, middle, high)),
        ]
    return result


def draw(data):
    figure, axes = style.panels(2, 2)
    for row, image, table in zip(axes, data["images"].tolist(), data["values"], strict=True):
        for ax, place, title in zip(row, range(2), ("local pairs", "global pairs"), strict=True):
            values = dict(zip(data["inputs"].tolist(), table[..., place], strict=True))
            style.over_epochs(ax, data["epochs"], values, "Hamming distance (units)")
            ax.set_title(f"{image}: {title}", loc="left", fontsize="medium")
    for column in axes.T:
        style.same_range(column, 0)
    style.legend_below(figure, axes.flat[0], style.BAND)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
