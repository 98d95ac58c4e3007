"""E10. How large do the layers' spectral norms grow?

    python -m scripts.reproduce e10_spectral_norms

Largest singular value of every layer's weights and their product, an upper bound on the
network's Lipschitz constant (T34), through training, on the runs of E5.  The paper's
orderings are for natural images; on the random image they are shown, not claimed.
"""

import numpy as np

from relu_dynamics import spectral_norms
from scripts.lab import (
    Claim, Link, chain, coordinates, encodings, image_runs, means, named, ordered, over_checkpoints,
    style,
)
from scripts.lab.headings import against, likewise

TITLE = "Spectral norms of the layers"
SOURCE = "the paper's param_norms_image.py"
PAPER_EPOCHS = 1000
SHOWS = ("Above, the product of the layers' spectral norms, a line an input, through training "
         "on one image and at the end on every image. Below, the norm of every layer on that "
         "image, before training and at the end.")


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
    """Above: the product of the norms; below: the layers of one image."""
    figure, axes = style.panels(2, 2)
    names, images = data["inputs"].tolist(), data["images"].tolist()
    product, shown = data["values"].prod(axis=4), style.main_image(images)
    style.trained_images(axes[0], data, product, "product of spectral norms")
    for ax in axes[0]:
        ax.set_yscale("log")
    layers = np.arange(1, data["values"].shape[4] + 1)
    for ax, c, stage in ((axes[1, 0], 0, "before training"), (axes[1, 1], -1, "at the end")):
        for name, values in zip(names, data["values"][shown], strict=True):
            style.with_band(ax, layers, values[c].T, name)
        ax.set_xticks(layers)
        ax.set_xlabel("layer")
        ax.set_ylabel("spectral norm")
        style.title(ax, f"{images[shown]}, {stage}")
    for row, low in ((axes[0], None), (axes[1], 0)):
        style.same_range(row, low)
    style.legend_below(figure, axes.flat[0], style.LINES_AND_DOTS)
    style.heading(figure, against(
        named(names, product[shown, :, -1]),
        f"{images[shown]}: the product of the layers' norms for {{last}} is {{times}} that for "
        f"{{first}} at the end", "product of the norms at the end")
        + likewise(product[:, :, -1], shown))
    return figure
