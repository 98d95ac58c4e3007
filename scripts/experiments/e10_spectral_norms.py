"""E10. How large do the layers' spectral norms grow?

    python -m scripts.reproduce e10_spectral_norms

Largest singular value of every layer's weights and their product, an upper bound on the
network's Lipschitz constant (T34), through training, on the runs of E5.  The paper's
orderings are for natural images; on the random image they are shown, not claimed.
"""

import numpy as np

from relu_dynamics import spectral_norms
from scripts.lab import (
    Claim, Link, chain, coordinates, encodings, image_runs, means, named, ordered,
    over_checkpoints, style,
)

TITLE = "Spectral norms of the layers"
SOURCE = "the paper's param_norms_image.py"
PAPER_EPOCHS = 1000
SHOWS = ("Above, the product of the layers' norms through training, for each image. Below, the "
         "norm of every layer on one natural image, "
         "before training and at the end.")


def runs(settings):
    return image_runs(settings).values()


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, layers)."""
    return over_checkpoints(image_runs(settings), folder, lambda trained, net: spectral_norms(net))


def claims(data):
    names, result = data["inputs"].tolist(), []
    few, many = coordinates(names), encodings(names)
    for image, values in zip(data["images"].tolist(), data["values"], strict=True):
        if image == "random image":
            continue
        table = named(names, values)
        end = {name: by[-1].prod(axis=1) for name, by in table.items()}
        change = {name: abs(by[-1] / by[0] - 1) for name, by in table.items()}
        result += [
            ordered("E10a", "at the end: product of the norms {}", chain(few, *many[-2:]), end,
                    log=True, image=image),
            ordered("E10b", "at the end: product of the norms {}", chain(*reversed(few)), end,
                    shown={name: end[name] for name in few}, log=True, image=image),
            Claim("E10c", "of all layers the first changes least, by less than 45 %, for every "
                          "input",
                  means({name: by[:, 0] for name, by in change.items()}),
                  [link for name, by in change.items() for link in
                   (Link(f"others > first, {name}", by[:, 1:].min(axis=1) - by[:, 0]),
                    Link(f"0.45 > first, {name}", 0.45 - by[:, 0]))],
                  image=image),
        ]
        if few and many:
            ratio = table[few[0]][0, :, 0] / table[many[-1]][0, :, 0]
            largest = {**dict.fromkeys(few, 2), many[-1]: 4}
            result.append(Claim("E10d",
                                f"before training the first layer's norm for {few[0]} is two to "
                                f"four times that for {many[-1]}",
                                means({"ratio": ratio}),
                                [Link("ratio > 2", np.log(ratio / 2)),
                                 Link("4 > ratio", np.log(4 / ratio))], image=image))
            if values.shape[-1] >= 4:
                result.append(Claim(
                    "E10e", f"at the end: the largest layer is the second for coordinates, the "
                            f"fourth for {many[-1]}",
                    means({f"{name} layer {l}": table[name][-1, :, l - 1]
                           for name, l in largest.items()}),
                    [Link(f"layer {l} > others, {name}",
                          table[name][-1, :, l - 1]
                          - np.delete(table[name][-1], l - 1, axis=1).max(axis=1))
                     for name, l in largest.items()], image=image))
    return result


def draw(data):
    figure, axes = style.panels(2, max(2, len(data["images"])))
    names, images = data["inputs"].tolist(), data["images"].tolist()
    for ax, image, table in zip(axes[0], images, data["values"], strict=False):
        style.over_epochs(ax, data["epochs"], named(names, table.prod(axis=3)),
                          "product of spectral norms")
        ax.set_yscale("log")
        ax.set_title(image, loc="left", fontsize="medium")
    style.same_range(axes[0, :len(images)])
    natural = next(image for image in images if image != "random image")
    norms = data["values"][images.index(natural)]
    for ax, c, stage in ((axes[1, 0], 0, "before training"), (axes[1, 1], -1, "at the end")):
        for name, values in zip(names, norms, strict=True):
            style.with_band(ax, np.arange(1, values.shape[2] + 1), values[c].T, name)
        ax.set_xticks(range(1, norms.shape[3] + 1))
        ax.set_xlabel("layer")
        ax.set_ylabel("spectral norm")
        ax.set_ylim(0, 1.05 * norms[:, [0, -1]].max())
        ax.set_title(f"{natural}, {stage}", loc="left", fontsize="medium")
    style.hide_empty(axes)
    style.legend_below(figure, axes.flat[0], style.BAND)
    return figure
