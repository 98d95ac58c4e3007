"""E10. How large do the layers' spectral norms grow?

    python -m scripts.e10_spectral_norms [--quick] [--seeds 5] [--out out]

Largest singular value of every layer's weights and their product, an upper bound on the
network's Lipschitz constant (T34), through training, on the runs of E5.  The paper's
orderings are for natural images; on the random image they are shown, not claimed.

Writes e10_spectral_norms.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.walls import spectral_norms
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, ordering
from scripts.runs import image_runs, over_images

TITLE = "Spectral norms of the layers"
SOURCE = "the paper's param_norms_image.py"
SHOWS = ("Above, the product of the norms through training: on the photograph coordinates pay for detail with steepness and encodings "
         "less, on a random image it is the other way round. Below, the norm of every layer on the photograph, before training and at the end.")


def runs(settings):
    return list(image_runs(settings).values())


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, layers)."""
    return over_images(settings, folder, lambda trained, net: spectral_norms(net))


def claims(data):
    names = data["inputs"].tolist()
    middle, high = names[3:]
    table = dict(zip(names, data["values"][data["images"].tolist().index("photograph")], strict=True))
    end = {name: np.log10(values[-1].prod(axis=1)) for name, values in table.items()}
    change = {name: abs(values[-1] / values[0] - 1) for name, values in table.items()}
    ratio = table["[0,1]"][0, :, 0] / table[high][0, :, 0]
    largest = {name: values[-1].T for name, values in table.items()}
    return [
        Claim("E10a", f"photograph, at the end: product of the norms (log10) {{[0,1], [-1,1]}} > {middle} > {high}", means(end),
              ordering(end, ("[0,1]", "[-1,1]"), middle, high)),
        Claim("E10b", "photograph, at the end: product of the norms (log10) [-1,1] > [0,1]",
              means({name: end[name] for name in ("[-1,1]", "[0,1]")}), ordering(end, "[-1,1]", "[0,1]")),
        Claim("E10c", "photograph: of all layers the first changes least, by less than 45 %, for every input",
              means({name: values[:, 0] for name, values in change.items()}),
              [link for name, values in change.items() for link in
               (Link(f"others > first, {name}", values[:, 1:].min(axis=1) - values[:, 0]), Link(f"0.45 > first, {name}", 0.45 - values[:, 0]))]),
        Claim("E10d", f"before training the first layer's norm for coordinates is two to four times that for {high}",
              means({"ratio": ratio}), [Link("ratio > 2", ratio - 2), Link("4 > ratio", 4 - ratio)]),
        Claim("E10e", f"photograph, at the end: the largest layer is the second for coordinates, the fourth for {high}",
              means({f"{name} layer {l}": largest[name][l - 1] for name, l in (("[0,1]", 2), ("[-1,1]", 2), (high, 4))}),
              [Link(f"layer {l} > others, {name}", largest[name][l - 1] - np.delete(largest[name], l - 1, axis=0).max(axis=0))
               for name, l in (("[0,1]", 2), ("[-1,1]", 2), (high, 4))]),
    ]


def draw(data):
    figure, axes = style.panels(2, 2)
    names, images = data["inputs"].tolist(), data["images"].tolist()
    for ax, image, table in zip(axes[0], images, data["values"], strict=True):
        style.over_epochs(ax, data["epochs"], dict(zip(names, table.prod(axis=3), strict=True)), "product of spectral norms")
        ax.set_yscale("log")
        ax.set_title(image, loc="left", fontsize="medium")
    style.same_range(axes[0])
    photograph = data["values"][images.index("photograph")]
    for ax, c, stage in ((axes[1, 0], 0, "before training"), (axes[1, 1], -1, "at the end")):
        for name, values in zip(names, photograph, strict=True):
            style.with_band(ax, np.arange(1, values.shape[2] + 1), values[c].T, name)
        ax.set_xticks(range(1, photograph.shape[3] + 1))
        ax.set_xlabel("layer")
        ax.set_ylabel("spectral norm")
        ax.set_ylim(0, 1.05 * photograph[:, [0, -1]].max())
        ax.set_title(f"photograph, {stage}", loc="left", fontsize="medium")
    style.legend_below(figure, axes.flat[0], style.BAND)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
