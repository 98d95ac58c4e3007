"""E6. In which layers do patterns differ?

    python -m scripts.reproduce e6_hamming_by_layer

Hamming distance of activation patterns, hidden layer by hidden layer, between uniformly
random pixels (not the quadrant pairs of E5, as in the paper), for coordinates [0,1] and the
highest encoding, on the runs of E5.  10 000 pairs of two different pixels; 50 000 at paper
scale.  Epoch 0 is before training (the paper's "epoch 0" is our epoch 1).

The paper finds the encoding's first layer above the others always, by about 2 (E6e asks for the
order, E6a for 1.3 at the two checkpoints, after the first epoch and at the end, that earlier trials
looked at).
"""

import numpy as np

from relu_dynamics import Pairs, hamming_of_pairs
from scripts.lab import (
    Claim, Link, chain, coordinates, each, encodings, every, extremes, image_inputs, image_runs,
    image_setup, means, ordered_in_each,
    over_checkpoints, rise, stream, style,
)
from scripts.lab.headings import ranking

TITLE = "Hamming distance by layer"
SOURCE = "the paper's hamming_layers.py"
PAPER_EPOCHS = 1000
SHOWS = ("How many units of each layer differ between two random pixels, layers from dark to "
         "light green, for the first input and the last: above through training on one image, "
         "below at the end on every image.")
LEAST = 1e-3  # units: distances are compared as logarithms


def compared(settings):
    return extremes(settings, image_inputs(settings))


def runs(settings):
    return image_runs(settings, compared(settings)).values()


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, layers): mean over pairs; width of a layer."""
    def by_layer(trained, net):
        rng, n = stream(trained.run, "pairs"), len(trained.x)
        i = rng.integers(0, n, 50_000 if trained.run.size >= 512 else 10_000)
        j = (i + rng.integers(1, n, len(i))) % n
        return hamming_of_pairs(net, trained.x, Pairs(i, j)).mean(axis=0)

    table = over_checkpoints(image_runs(settings, compared(settings)), folder, by_layer)
    return {**table, "width": (settings.hidden or image_setup(settings).hidden)[0]}


def claims(data):
    names, result = data["inputs"].tolist(), []
    trained, width = data["epochs"] >= 1, float(data["width"])
    for image, table in zip(data["images"].tolist(), data["values"], strict=True):
        layers = {name: np.moveaxis(values[trained], 2, 0)
                  for name, values in zip(names, table, strict=True)}  # (layers, c, seeds)
        first = {name: {f"layer {l + 1}": by[0] for l, by in enumerate(layers[name])}
                 for name in names}
        result.append(ordered_in_each("E6b", "after the first epoch {} for every input",
                                      chain(*first[names[0]]), first, image=image))
        for name in encodings(names)[-1:]:
            top = layers[name]
            shown = means({f"layer {l + 1}": by for l, by in enumerate(top)})
            ratio = lead(table[names.index(name)])
            before, least = (10**by.mean() for by in (ratio[0], ratio[trained].min(axis=0)))
            result += [
                Claim("E6a", f"{name}: the first layer differs more than 1.3 times as much as any "
                             "other, after the first epoch and at the end (compared as log10)",
                      shown, each("layer 1 > 1.3 x others", {name: ratio[trained][[0, -1]]},
                                  lambda by: by - np.log10(1.3)), image=image,
                      why=f"it is {before:.2f} times before training, and comes down to "
                          f"{least:.2f} times at the lowest checkpoint (geometric means)"),
                Claim("E6e", f"{name}: the first layer differs more than any other "
                             f"{every(data['epochs'][trained])} (compared as log10)", shown,
                      each("layer 1 > others", {name: ratio[trained]}), image=image),
                Claim("E6c", f"{name}: the first layer starts with more than 40 % of its units "
                             f"and then falls",
                      means({"layer 1": top[0] / width}),
                      [Link("first epoch > 0.4", top[0, 0] / width - 0.4),
                       Link("first > last epoch", -rise(top[0]))], image=image,
                      needs="the fall takes more than 300 epochs of 16 steps; the paper has 1000 "
                            "of 32"),
            ]
        for name in coordinates(names)[:1]:
            later = {f"layer {l + 1}": by for l, by in enumerate(layers[name]) if l > 0}
            result.append(Claim("E6d", f"{name}: the layers after the first rise during training",
                                means(later),
                                each("last > first epoch",
                                     {layer: rise(by) for layer, by in later.items()}),
                                image=image))
    return result


def lead(distance):
    """log10 of the first layer's distance over the largest of the others, (checkpoints, seeds); NaN
    for a single layer."""
    others = distance[..., 1:].max(axis=-1) if distance.shape[-1] > 1 else np.nan
    return np.log10(np.maximum(distance[..., 0], LEAST) / np.maximum(others, LEAST))


def draw(data):
    """Above: the layers of one image through training; below: of every image, at the end."""
    names, images = data["inputs"].tolist(), data["images"].tolist()
    figure, axes = style.panels(2, len(names), height=2.6)
    layers, shown = data["values"].shape[-1], style.main_image(images)
    for (above, below), i in zip(axes.T, range(len(names)), strict=True):
        for l in range(layers):
            style.shaded(above, data["epochs"], data["values"][shown, i, :, :, l],
                         style.shade(l, layers), f"layer {l + 1}")
            style.ranges(below, np.arange(len(images)) + 0.6 * ((l + 0.5) / layers - 0.5),
                         data["values"][:, i, -1, :, l], style.shade(l, layers))
        style.epochs_axis(above, data["epochs"], "Hamming distance (units)")
        style.title(above, f"{style.label(names[i])}, {images[shown]}")
        style.title(below, f"{style.label(names[i])}, at the end")
        below.set_xticks(range(len(images)), [image.replace(" ", "\n") for image in images],
                         fontsize="small")
        below.set_ylabel("Hamming distance (units)")
    style.same_range(axes, 0)
    style.legend_below(figure, axes[0, 0], style.LINES_AND_DOTS)
    last = data["values"][shown, -1, -1]
    style.heading(figure, f"{images[shown]}, {names[-1]}, at the end: units in which two pixels "
                  f"differ: "
                  + ranking({f"layer\xa0{l + 1}": last[:, l] for l in range(layers)}, "{:.0f}"))
    return figure
