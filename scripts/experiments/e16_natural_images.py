"""E16. Is it the same for other natural images?

    python -m scripts.reproduce e16_natural_images

Two more images that come with matplotlib, the terrain of a fault in Tennessee and a slice of
a brain scan, both grey: 4x128 units and 64x64 pixels for 100 epochs (4x256 units, 256x256
pixels for 1000 at paper scale), coordinates [0,1] against L=6.  Hamming distance, gradient
confusion, dead units, the distance to the nearest wall and the angles between hyperplanes,
as in E5, E8, E7, E12 and E11.
"""

import numpy as np

from relu_dynamics import (
    confusion_of_pairs, dead_count, forward, hyperplane_cosines, predict, surrogate_distance,
)
from scripts.lab import (
    Claim, Setup, chain, coordinates, each, encodings, every, extremes, image_pairs, image_setup,
    made_run, mean_distances, means, named, ordered, over_checkpoints, read, style,
)
from scripts.lab.headings import against, likewise

TITLE = "Other natural images"
SOURCE = "the paper's appendix, section 1"
PAPER_EPOCHS = 5000
SHOWS = ("Above, images and what the first seed's networks make of them. Below, Hamming "
         "distance of neighbours and of distant pixels and the spread of neighbours' gradient "
         "cosines at the end, for every image and input.")
QUANTITIES = ("local Hamming distance", "global Hamming distance", "spread of local cosines",
              "dead units", "surrogate distance",
              "mean cosine of rows")
SETUPS = {
    "quick": Setup(32, (32,) * 4, 5, 256, (0, 1, 5)),
    "laptop": Setup(64, (128,) * 4, 100, 256, (0, 1, 10, 50, 100)),
    "paper": Setup(256, (256,) * 4, 1000, 8192, (0, 1, 50, *range(100, 1001, 100))),
}


def signals(settings):
    """label -> signal: the user's pictures, or terrain and a brain scan."""
    others = {"elevation": "elevation", "brain": "brain"}
    return {own.label: own.signal for own in settings.pictures} or others


def inputs(settings):
    return extremes(settings, ("[0,1]", "L=6"))


def wanted(settings):
    setup = image_setup(settings, SETUPS)
    return {(label, name, seed): made_run(setup, signal, name, seed, settings)
            for label, signal in signals(settings).items() for name in inputs(settings)
            for seed in settings.seeds}


def runs(settings):
    return wanted(settings).values()


def quantities(trained, net):
    """One number for each of QUANTITIES."""
    local, far = image_pairs(trained)
    rows = [C[~np.eye(len(C), dtype=bool)].mean() for C in hyperplane_cosines(net)[1:]]
    trace = forward(net, trained.x)
    return [*mean_distances(net, trace, (local, far)),
            np.nanstd(confusion_of_pairs(net, trace, trained.y, *local)),
            dead_count(net, trace), surrogate_distance(net, trace).mean(),
            np.mean(rows) if rows else np.nan]


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, quantities); of the first seed image_LABEL (side,
    side, channels) and fit_LABEL (inputs, side, side, channels)."""
    table, pictures = over_checkpoints(wanted(settings), folder, quantities), {}
    for label in signals(settings):
        shown = [read(wanted(settings)[label, name, settings.seeds[0]], folder)
                 for name in inputs(settings)]
        pictures[f"image_{label}"] = shown[0].y.reshape(*shown[0].shape, -1)
        fits = [predict(one.nets[-1], one.x).reshape(*one.shape, -1) for one in shown]
        pictures[f"fit_{label}"] = np.array(fits)
    return {**table, **pictures}


def claims(data):
    result, names, epochs = [], data["inputs"].tolist(), data["epochs"]
    order, backwards, everywhere = chain(*reversed(names)), chain(*names), every(epochs)
    late = epochs >= min(50, epochs[-1])
    contrast = coordinates(names) and encodings(names)  # what the paper compares
    for image, table in zip(data["images"].tolist(), data["values"], strict=True):
        local, far, spread, dead, surrogate, rows = (
            named(names, table[..., q]) for q in range(len(QUANTITIES)))
        gap = {name: far[name] - local[name] for name in names}
        turned = {name: values[epochs >= 1] for name, values in rows.items()}
        wider = {name: values[:2] for name, values in surrogate.items()}
        some = [
            ordered("E16a", f"local Hamming distance {{}} {everywhere}", order, local),
            ordered("E16c", "global Hamming distance {}: coordinates overtake the encoding by the "
                            "end", backwards,
                    {name: values[-1] for name, values in far.items()},
                    needs="it happens on some images in up to 5000 epochs; after 100 the distance "
                          "for coordinates is still rising"),
            ordered("E16d", f"spread of local cosines {{}} from epoch {epochs[late][0]}", backwards,
                    {name: values[late] for name, values in spread.items()}),
            ordered("E16e", f"dead units {{}} {everywhere}", backwards, dead, form="{:.0f}"),
        ] if contrast else []
        result += [claim._replace(image=image) for claim in [
            *some,
            Claim("E16b", f"local < global for every input {everywhere}", means(gap),
                  each("global > local", gap)),
            Claim("E16f", "rows of the later layers turn towards one another (mean cosine, last - "
                          "before training), for every input", means(turned),
                  each("end > before training", rows, lambda mean: mean[-1] - mean[0])),
            Claim("E16g", "the surrogate distance to the nearest wall grows threefold in the "
                          "first epoch, for every input", means(wider),
                  each("epoch 1 > 3 x before", wider, lambda d: np.log10(d[1] / (3 * d[0])))),
        ]]
    return result


def draw(data):
    """Above: images and what networks make of them; below: Hamming distance and confusion."""
    names, labels = data["inputs"].tolist(), data["images"].tolist()
    pictured = style.some(labels, 2)
    figure = style.sheet(height=2.6 * (1 + len(pictured)))
    strips, below = figure.subfigures(2, 1, height_ratios=(2.2 * len(pictured), 3))
    rows = strips.subplots(len(pictured), 1 + len(names), squeeze=False)
    for row, label in zip(rows, pictured, strict=True):
        pictures = (data[f"image_{label}"], *data[f"fit_{label}"])
        for ax, picture, text in zip(row, pictures, (label, *map(style.label, names)), strict=True):
            ax.imshow(np.clip(picture, 0, 1), cmap="gray", vmin=0, vmax=1)
            style.title(ax, text)
            ax.set(xticks=[], yticks=[])
    axes = below.subplots(1, 3)
    for ax, q in zip(axes, range(3), strict=True):
        values = data["values"][:, :, -1, :, q].swapaxes(0, 1)
        style.over_images(ax, labels, named(names, values), "")
        style.title(ax, QUANTITIES[q].replace(" ", "\n", 1))
        ax.set_ylim(0)
    style.bare(axes)
    style.legend_below(below, axes[0], f"fits: first seed; below: after {data['epochs'][-1]} "
                       f"epochs, {style.DOTS}")
    local = data["values"][:, :, -1, :, 0]
    style.heading(figure, against(
        named(names, local[0]), f"{labels[0]}: the Hamming distance of neighbours under {{last}} "
                                f"is "
        f"{{times}} that on {{first}}", "Hamming distance of neighbours") + likewise(local, 0))
    return figure
