"""E11. Do the hyperplanes of a layer turn towards one another?

    python -m scripts.e11_hyperplane_angles [--quick] [--seeds 5] [--out out]

Mean cosine between the weight rows of each hidden layer, biases left out, before and through
training, on the runs of E5.  The paper puts all rows into one matrix, padded with zeros;
its blocks across layers compare different spaces and are left out here, but for the picture.

Writes e11_hyperplane_angles.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.walls import hyperplane_cosines, padded_cosines
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, ordering
from scripts.runs import IMAGE_INPUTS, image_runs, over_images, read

TITLE = "Angles between hyperplanes"
SOURCE = "the paper's hyperplane_angles.py"
SHOWS = ("The matrix of all cosines at the end under the highest encoding, first seed; the size of the first layer's cosines before "
         "training; and the mean cosine within each layer through training: rows of deeper layers come to point the same way.")


def runs(settings):
    return list(image_runs(settings).values())


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, hidden layers): mean cosine of two different rows; size (inputs, seeds): mean |cosine|
    in the first layer before training; matrix (blocks, blocks): the photograph's first seed under the highest encoding at the end, averaged
    over 4 x 4 units for the picture."""
    names, wanted = IMAGE_INPUTS[settings.scale], image_runs(settings)
    table = over_images(settings, folder, lambda trained, net: [off_diagonal(C).mean() for C in hyperplane_cosines(net)])
    trained = {(name, seed): read(wanted["photograph", name, seed], folder) for name in names for seed in settings.seeds}
    size = [[abs(off_diagonal(hyperplane_cosines(trained[name, seed].nets[0])[0])).mean() for seed in settings.seeds] for name in names]
    matrix = padded_cosines(trained[names[-1], settings.seeds[0]].nets[-1])
    blocks = len(matrix) // 4
    return {**table, "size": np.array(size), "matrix": matrix[: 4 * blocks, : 4 * blocks].reshape(blocks, 4, blocks, 4).mean(axis=(1, 3))}


def off_diagonal(C):
    return C[~np.eye(len(C), dtype=bool)]


def claims(data):
    names, result = data["inputs"].tolist(), []
    low, middle, high = names[2:]
    size = dict(zip(names, data["size"], strict=True))
    for image, table in zip(data["images"].tolist(), data["values"], strict=True):
        tag, end = "-" + image.split()[0], {name: values[-1].T for name, values in zip(names, table, strict=True)}
        deeper = {name: values[1:] for name, values in end.items()}
        encoded = {name: end[name][-1] for name in (low, middle, high)}
        result += [
            Claim(f"E11a{tag}", f"{image}: at the end the mean cosine is positive in every layer after the first, for the encodings",
                  means({name: deeper[name].min(axis=0) for name in (low, middle, high)}),
                  [Link(f"smallest layer's mean, {name}", deeper[name].min(axis=0)) for name in (low, middle, high)]),
            Claim(f"E11b{tag}", f"{image}: and larger than in the first layer, for the encodings",
                  means({name: (deeper[name] - end[name][0]).min(axis=0) for name in (low, middle, high)}),
                  [Link(f"smallest later > first, {name}", (deeper[name] - end[name][0]).min(axis=0)) for name in (low, middle, high)]),
            Claim(f"E11c{tag}", f"{image}: layer 4 > layer 3 > layer 2 for {middle} and {high}",
                  means({f"{name} layer {l}": end[name][l - 1] for name in (middle, high) for l in (2, 3, 4)}),
                  [Link(f"layer {l + 1} > {l}, {name}", end[name][l] - end[name][l - 1]) for name in (middle, high) for l in (2, 3)]),
            Claim(f"E11d{tag}", f"{image}: mean cosine of the last hidden layer {high} > {middle} > {low}", means(encoded),
                  ordering(encoded, high, middle, low)),
        ]
    start = abs(data["values"][:, :, 0]).max(axis=(0, 1, 3))
    result += [
        Claim("E11e", "before training the mean cosine is 0 in every layer (below 0.05)", means({"largest |mean|": start}),
              [Link("0.05 > |mean|", 0.05 - start)]),
        Claim("E11f", f"before training the first layer's mean |cosine| falls with the number of inputs: {low} > {middle} > {high}",
              means({name: size[name] for name in (low, middle, high)}), ordering(size, low, middle, high)),
    ]
    return result


def draw(data):
    figure, axes = style.panels(2, 3, width=3.6, height=3.1)
    names, layers = data["inputs"].tolist(), data["values"].shape[-1]
    for row, image, table in zip(axes, data["images"].tolist(), data["values"], strict=True):
        for ax, name in zip(row[1:], (names[0], names[-1]), strict=True):
            for l in range(layers):
                style.shaded(ax, data["epochs"], table[names.index(name)][:, :, l], style.SHADES[l], f"layer {l + 1}")
            style.epochs_axis(ax, data["epochs"], "mean cosine of two rows")
            ax.set_title(f"{image}: {style.label(name)}", loc="left", fontsize="medium")
    mesh = axes[0, 0].imshow(data["matrix"], cmap="PuOr", vmin=-0.5, vmax=0.5, interpolation="nearest")
    figure.colorbar(mesh, ax=axes[0, 0], label="cosine of two rows\n(mean over 4 x 4 pairs)")
    axes[0, 0].set_title(f"photograph, {names[-1]}, at the end", loc="left", fontsize="medium")
    axes[0, 0].set_xticks([(l + 0.5) * len(data["matrix"]) / layers for l in range(layers)], [f"layer {l + 1}" for l in range(layers)],
                          fontsize="x-small")
    axes[0, 0].set_yticks([])
    for i, name in enumerate(names):
        axes[1, 0].plot([i] * len(data["size"][i]), data["size"][i], "o", color=style.COLOURS[name], markersize=4)
    axes[1, 0].set_xticks(range(len(names)), names, fontsize="small")
    axes[1, 0].set_ylim(0, 1)
    axes[1, 0].set_ylabel("mean |cosine|, one dot a seed")
    axes[1, 0].set_title("first layer, before training", loc="left", fontsize="medium")
    style.same_range(axes[:, 1:])
    style.legend_below(figure, axes[0, 1], style.BAND)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
