"""E6. In which layers do patterns differ?

    python -m scripts.e6_hamming_by_layer [--quick] [--seeds 5] [--out out]

Hamming distance of activation patterns, hidden layer by hidden layer, between uniformly
random pixels (not the quadrant pairs of E5, as in the paper), for coordinates [0,1] and the
highest encoding, on the runs of E5.  10 000 pairs of two different pixels; 50 000 at paper
scale.  Epoch 0 is before training (the paper's "epoch 0" is our epoch 1).

Writes e6_hamming_by_layer.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.measures import Pairs, hamming_of_pairs
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, ordering, rise
from scripts.runs import IMAGE, IMAGE_INPUTS, image_runs, over_images, stream

TITLE = "Hamming distance by layer"
SOURCE = "the paper's hamming_layers.py"
SHOWS = ("Under the encoding the first layer tells pixels apart from the start, better than any other and for good; for coordinates "
         "all layers begin alike and low.")


def compared(settings):
    return "[0,1]", IMAGE_INPUTS[settings.scale][-1]


def runs(settings):
    return [run for (_, name, _), run in image_runs(settings).items() if name in compared(settings)]


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, layers): mean over pairs; width of a layer."""
    def by_layer(trained, net):
        rng, n = stream(trained.run, "pairs"), len(trained.x)
        i = rng.integers(0, n, 50_000 if trained.run.size >= 512 else 10_000)
        j = (i + rng.integers(1, n, len(i))) % n
        return hamming_of_pairs(net, trained.x, Pairs(i, j)).mean(axis=0)

    return {**over_images(settings, folder, by_layer, compared(settings)), "width": IMAGE[settings.scale].hidden[0]}


def claims(data):
    names, trained, width, result = data["inputs"].tolist(), data["epochs"] >= 1, float(data["width"]), []
    for image, table in zip(data["images"].tolist(), data["values"], strict=True):
        tag, (low, high) = "-" + image.split()[0], (np.moveaxis(values, 2, 0) for values in table)  # (layers, checkpoints, seeds)
        first = {f"{name} layer {l + 1}": values[l][1] for name, values in zip(names, (low, high), strict=True) for l in range(len(low))}
        result += [
            Claim(f"E6a{tag}", f"{image}: {names[1]}: the first layer differs more than 1.3 times as much as any other at every epoch",
                  means({f"layer {l + 1}": high[l][trained] for l in range(len(high))}),
                  [Link(f"layer 1 > 1.3 x layer {l + 1}", (high[0] - 1.3 * high[l])[trained].min(axis=0)) for l in range(1, len(high))]),
            Claim(f"E6b{tag}", f"{image}: after the first epoch layer 1 > 2 > 3 > 4 for both inputs", means(first),
                  [link for name in names for link in ordering(first, *(f"{name} layer {l + 1}" for l in range(len(low))))]),
            Claim(f"E6c{tag}", f"{image}: {names[1]}: the first layer starts with more than 40 % of its units and then falls",
                  means({"layer 1": high[0] / width}), [Link("first epoch > 0.4", high[0][trained][0] / width - 0.4),
                                                        Link("first > last epoch", -rise(high[0][trained]))],
                  why="It starts there, but rises by a little: 300 epochs of 16 steps are few next to the paper's 1000 of 32"),
            Claim(f"E6d{tag}", f"{image}: [0,1]: layers 2 to 4 rise during training",
                  means({f"layer {l + 1}": low[l][trained] for l in range(1, len(low))}),
                  [Link(f"last > first epoch, layer {l + 1}", rise(low[l][trained])) for l in range(1, len(low))]),
        ]
    return result


def draw(data):
    figure, axes = style.panels(2, 2)
    layers = data["values"].shape[-1]
    for row, image, table in zip(axes, data["images"].tolist(), data["values"], strict=True):
        for ax, name, values in zip(row, data["inputs"].tolist(), table, strict=True):
            for l in range(layers):
                style.shaded(ax, data["epochs"], values[:, :, l], style.SHADES[l], f"layer {l + 1}")
            style.epochs_axis(ax, data["epochs"], "Hamming distance (units)")
            ax.set_ylim(0, 1.05 * table.max())
            ax.set_title(f"{image}: {style.label(name)}", loc="left", fontsize="medium")
    style.legend_below(figure, axes.flat[0], style.BAND)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
