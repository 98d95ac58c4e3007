"""E11. Do the hyperplanes of a layer turn towards one another?

    python -m scripts.reproduce e11_hyperplane_angles

Mean cosine between the weight rows of each hidden layer, biases left out, before and through
training, on the runs of E5.  The paper puts all rows into one matrix, padded with zeros;
its blocks across layers compare different spaces and are left out here, but for the picture.
"""

import numpy as np

from relu_dynamics import hyperplane_cosines, padded_cosines
from scripts.lab import (
    Claim, Link, chain, each, encodings, image_inputs, image_runs, means, named, natural_image,
    ordered, ordered_in_each, over_checkpoints, read, style,
)

TITLE = "Angles between hyperplanes"
SOURCE = "the paper's hyperplane_angles.py"
PAPER_EPOCHS = 2500
SHOWS = ("The matrix of all cosines at the end under the last input, first seed; the size of the "
         "first layer's cosines before "
         "training; and the mean cosine within each layer through training.")


def runs(settings):
    return image_runs(settings).values()


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, hidden layers): mean cosine of two different
    rows; size (inputs, seeds): mean |cosine| in the first layer before training; matrix (blocks,
    blocks): the natural image's first seed under the last input at the end, averaged over 4 x 4
    units for the picture."""
    names, wanted, (natural,
                    _) = image_inputs(settings), image_runs(settings), natural_image(settings)
    table = over_checkpoints(wanted, folder, lambda trained,
                             net: [off_diagonal(C).mean() for C in hyperplane_cosines(net)])
    start = {(name, seed): read(wanted[natural, name, seed], folder).nets[0] for name in names
             for seed in settings.seeds}
    size = [[abs(off_diagonal(hyperplane_cosines(start[name, seed])[0])).mean()
             for seed in settings.seeds] for name in names]
    matrix = padded_cosines(read(wanted[natural, names[-1], settings.seeds[0]], folder).nets[-1])
    blocks = len(matrix) // 4
    tiles = matrix[: 4 * blocks, : 4 * blocks].reshape(blocks, 4, blocks, 4)
    return {**table, "natural": natural, "size": np.array(size), "matrix": tiles.mean(axis=(1, 3))}


def off_diagonal(C):
    return C[~np.eye(len(C), dtype=bool)]


def claims(data):
    names, result = data["inputs"].tolist(), []
    many, layers = encodings(names), data["values"].shape[-1]
    size = named(names, data["size"])
    for image, table in zip(data["images"].tolist(), data["values"], strict=True):
        end = named(names, table[:, -1].swapaxes(1, 2))  # each (layers, seeds)
        least = {name: end[name][1:].min(axis=0) for name in many if layers > 1}
        more = {name: values - end[name][0] for name, values in least.items()}
        by_layer = {name: {f"layer {l + 1}": end[name][l] for l in range(1, layers)}
                    for name in many[-2:]}
        order = chain(*(f"layer {l}" for l in range(layers, 1, -1)))
        result += [
            Claim("E11a", "at the end the mean cosine is positive in every layer after the first, "
                          "for the encodings", means(least),
                  each("smallest layer's mean", least), image=image),
            Claim("E11b", "and larger than in the first layer, for the encodings", means(more),
                  each("smallest later > first", more), image=image),
            ordered_in_each("E11c", "the mean cosine grows with depth, {}, under the two highest "
                                    "encodings", order, by_layer, image=image),
            ordered("E11d", "mean cosine of the last hidden layer {}", chain(*reversed(many)),
                    {name: end[name][-1] for name in many}, image=image),
        ]
    start = abs(data["values"][:, :, 0]).max(axis=(0, 1, 3))
    return [
        *result,
        Claim("E11e", "before training the mean cosine is 0 in every layer (below 0.05)",
              means({"largest |mean|": start}),
              [Link("0.05 > |mean|", 0.05 - start)]),
        ordered("E11f", "before training the first layer's mean |cosine| falls with the number of "
                        "inputs: {}", chain(*many),
                {name: size[name] for name in many}),
    ]


def draw(data):
    figure, axes = style.panels(max(2, len(data["images"])), 3, width=3.6, height=3.1)
    names, layers = data["inputs"].tolist(), data["values"].shape[-1]
    for row, image, table in zip(axes, data["images"].tolist(), data["values"], strict=False):
        for ax, name in zip(row[1:], (names[0], names[-1]), strict=True):
            for l in range(layers):
                style.shaded(ax, data["epochs"], table[names.index(name)][:, :, l],
                             style.shade(l, layers), f"layer {l + 1}")
            style.epochs_axis(ax, data["epochs"], "mean cosine of two rows")
            ax.set_title(f"{image}: {style.label(name)}", loc="left", fontsize="medium")
    mesh = axes[0, 0].imshow(data["matrix"], cmap="PuOr", vmin=-0.5, vmax=0.5,
                             interpolation="nearest")
    figure.colorbar(mesh, ax=axes[0, 0], label="cosine of two rows\n(mean over 4 x 4 pairs)")
    axes[0, 0].set_title(f"{data['natural']}, {names[-1]}, at the end", loc="left",
                         fontsize="medium")
    axes[0, 0].set_xticks([(l + 0.5) * len(data["matrix"]) / layers for l in range(layers)],
                          [f"layer {l + 1}" for l in range(layers)],
                          fontsize="x-small")
    axes[0, 0].set_yticks([])
    for i, name in enumerate(names):
        axes[1, 0].plot([i] * len(data["size"][i]), data["size"][i], "o", color=style.colour(name),
                        markersize=4)
    axes[1, 0].set_xticks(range(len(names)), names, fontsize="small")
    axes[1, 0].set_ylim(0, 1)
    axes[1, 0].set_ylabel("mean |cosine|, one dot a seed")
    axes[1, 0].set_title("first layer, before training", loc="left", fontsize="medium")
    style.same_range(axes[: len(data["images"]), 1:])
    style.hide_empty(axes)
    style.legend_below(figure, axes[0, 1], style.BAND)
    return figure
