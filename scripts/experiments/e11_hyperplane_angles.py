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
from scripts.lab.headings import ranking

TITLE = "Angles between hyperplanes"
SOURCE = "the paper's hyperplane_angles.py"
PAPER_EPOCHS = 2500
SHOWS = ("Above, the matrix of all cosines at the end under the last input, first seed, and "
         "the size of the first layer's cosines before training for every input. Below, the "
         "mean cosine within each layer, from dark to light green, through training, and that "
         "of the last layer at the end for every image and input.")


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
    """Above: all cosines, and their size before training; below: layers, and every image."""
    figure, axes = style.panels(2, 2, height=2.8)
    names, images = data["inputs"].tolist(), data["images"].tolist()
    (matrix, size), (through, every_image) = axes
    layers, shown = data["values"].shape[-1], images.index(data["natural"])
    mesh = matrix.imshow(data["matrix"], cmap="PuOr", vmin=-0.5, vmax=0.5, interpolation="nearest")
    figure.colorbar(mesh, ax=matrix, label="cosine of two rows\n(mean over 4 x 4 pairs)")
    style.title(matrix, f"{names[-1]} at the end, first seed")
    at = [(l + 0.5) * len(data["matrix"]) / layers for l in range(layers)]
    matrix.set_xticks(at, range(1, layers + 1))
    matrix.set_yticks(at, range(1, layers + 1))
    matrix.set_xlabel("layer")
    for k, name in enumerate(names):
        style.ranges(size, np.array([k]), data["size"][k : k + 1], style.colour(name))
    size.set_xticks(range(len(names)), names)
    size.set_ylim(0)
    size.set_ylabel("mean |cosine|")
    style.title(size, "first layer, before training")
    for l in range(layers):
        style.shaded(through, data["epochs"], data["values"][shown, -1, :, :, l],
                     style.shade(l, layers), f"layer {l + 1}")
    style.epochs_axis(through, data["epochs"], "mean cosine of two rows")
    style.title(through, f"{names[-1]}, {data['natural']}")
    end = data["values"][:, :, -1, :, -1]
    style.over_images(every_image, images, named(names, end.swapaxes(0, 1)), "")
    style.title(every_image, f"layer {layers} at the end")
    style.same_range(axes[1])
    style.legend_below(figure, (through, every_image), style.LINES_AND_DOTS, columns=5)
    turned = {f"layer\xa0{l + 1}": data["values"][shown, -1, -1, :, l] for l in range(layers)}
    style.heading(figure, f"{data['natural']}, {names[-1]}, at the end: mean cosine of two rows: "
                  + ranking(turned, "{:.3f}"))
    return figure
