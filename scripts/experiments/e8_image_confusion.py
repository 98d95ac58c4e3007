"""E8. Does descent at one pixel help or hurt at another, nearby and far away?

    python -m scripts.reproduce e8_image_confusion

Gradient confusion, the cosine of two pixels' loss gradients, for the local and global
pairs of E5, through training.  The paper shows kernel density estimates, which leak past
+-1; here are histograms.
"""

import numpy as np

from relu_dynamics import confusion_of_pairs
from scripts.lab import (
    Claim, chain, coordinates, each, encodings, image_pairs, image_runs, means, named, ordered,
    over_checkpoints, style,
)

TITLE = "Gradient confusion across an image"
SOURCE = "the paper's gradient_confusion_image.py"
PAPER_EPOCHS = 1000
SHOWS = ("Histograms of the cosine between two pixels' loss gradients, nearby and far apart, at "
         "the end. Wide tails "
         "are pixels bound together; a narrow peak at 0 is independence.")
EDGES = np.linspace(-1, 1, 51)


def runs(settings):
    return image_runs(settings).values()


def measure(settings, folder):
    """Of local [0] and global [1] cosines: spread and aligned (images, inputs, checkpoints, seeds,
    2), their standard deviation and the share with |cos| > 0.9; counts (images, inputs,
    checkpoints, 2, bins), histograms, seeds pooled."""
    def summary(trained, net):
        pairs = image_pairs(trained)
        every = confusion_of_pairs(net, trained.x, trained.y, *np.hstack(pairs))
        return [[np.nanstd(cosines), np.mean(np.abs(cosines) > 0.9),
                 *np.histogram(cosines, EDGES)[0]]
                for cosines in np.split(every, [len(pairs[0].i)])]

    table = over_checkpoints(image_runs(settings), folder, summary)
    values = table.pop("values")
    return {**table, "edges": EDGES, "spread": values[..., 0], "aligned": values[..., 1],
            "counts": values[..., 2:].sum(axis=3)}


def claims(data):
    names, epochs, result = data["inputs"].tolist(), data["epochs"], []
    few, many = coordinates(names), encodings(names)
    late = epochs >= min(50, epochs[-1])
    soon = min(10, epochs[-1])
    since = f"from epoch {epochs[late][0]}"
    for image, spread, aligned in zip(data["images"].tolist(), data["spread"], data["aligned"],
                                      strict=True):
        local, far, piled = (named(names, values) for values in
                             (spread[:, late][..., 0], spread[:, late][..., 1],
                              aligned[:, late][..., 0]))
        early = named(names, spread[:, epochs >= soon][..., 1])
        end = {name: values[-1] for name, values in far.items()}
        gap = {name: local[name] - far[name] for name in names}
        natural = chain(many[-1:], few)  # what holds a natural image together, encodings learn
        order = chain(*few, *many[-2:-1]) if image == "random image" else natural
        result += [
            ordered("E8a", f"spread (std) of local cosines: {{}} {since}", chain(few, *many[-2:]),
                    local, image=image),
            ordered("E8b", f"share of local pairs with |cos| > 0.9: {{}} {since}",
                    chain(" ≥ ".join(few), " ≥ ".join(many[-2:])), piled, margin=0.02,
                    image=image),
            Claim("E8c", f"spread of global cosines < of local ones, for every input {since}",
                  means(gap), each("local > global", gap),
                  image=image),
            ordered("E8e", f"spread of global cosines: {{}} from epoch {epochs[epochs >= soon][0]}",
                    chain(few[:1], many[-2:]), early, image=image),
            ordered("E8d", "spread of global cosines at the end: {}", order, end, image=image),
        ]
    return result


def draw(data):
    figure, axes = style.panels(len(data["images"]), 2)
    for row, image, table in zip(axes, data["images"].tolist(), data["counts"], strict=True):
        for place, title in enumerate(("local pairs", "global pairs")):
            counts = named(data["inputs"].tolist(), table[:, -1, place])
            style.histogram(row[place], data["edges"], counts, "cosine of two loss gradients")
            row[place].set_title(f"{image}: {title}", loc="left", fontsize="medium")
    style.same_range(axes)
    style.legend_below(figure, axes.flat[0], f"all seeds pooled, after {data['epochs'][-1]} epochs")
    return figure
