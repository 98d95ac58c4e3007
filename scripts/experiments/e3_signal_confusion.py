"""E3. Does descent at one sample of a 1-D signal help or hurt at another?

    python -m scripts.reproduce e3_signal_confusion

Gradient confusion, the cosine of two samples' loss gradients, for the pairs of E2 after
training.  For one output its size is that of the tangent kernel and only its sign comes
from the residuals (T8): samples that the network cannot tell apart pile up at +-1.
"""

import numpy as np

from relu_dynamics import confusion_of_pairs
from scripts.lab import (
    chain, coordinates, encodings, named, ordered, read, signal_inputs, signal_pairs, signal_runs,
    style,
)
from scripts.lab.headings import ranking

TITLE = "Gradient confusion along a 1-D signal"
SOURCE = "the paper's 1d_signal_confusion.py"
PAPER_EPOCHS = 500
SHOWS = ("Histograms of the cosine between two samples' loss gradients after training, an "
         "outline an input, neighbours on the left and the signal's ends on the right. A pile "
         "at +1 and -1 means that descent cannot move one sample without the other.")
EDGES = np.linspace(-1, 1, 51)


def runs(settings):
    return signal_runs(settings).values()


def measure(settings, folder):
    """aligned (inputs, seeds): share of local pairs with |cos| > 0.9; size (inputs, seeds): mean
    |cos| of global pairs; counts (inputs, 2, bins): histograms of local and global cosines, seeds
    pooled."""
    inputs, wanted = signal_inputs(settings), signal_runs(settings)
    aligned, size, counts = [], [], []
    for name in inputs:
        trained = [read(wanted[name, seed], folder) for seed in settings.seeds]
        local, far = zip(*([confusion_of_pairs(one.nets[-1], one.x, one.y, *pairs)
                            for pairs in signal_pairs(one)]
                           for one in trained), strict=True)
        aligned.append([np.mean(np.abs(cosines) > 0.9) for cosines in local])
        size.append([np.nanmean(np.abs(cosines)) for cosines in far])
        counts.append([np.histogram(np.concatenate(cosines), EDGES)[0] for cosines in (local, far)])
    return {"inputs": np.array(inputs), "epochs": trained[0].epochs[-1],
            "aligned": np.array(aligned), "size": np.array(size),
            "edges": EDGES, "counts": np.array(counts)}


def claims(data):
    names = data["inputs"].tolist()
    aligned, size = (named(names, data[field]) for field in ("aligned", "size"))
    few, many = coordinates(names), encodings(names)
    return [
        ordered("E3a", "share of local pairs with |cos| > 0.9: {}", chain(few, *many), aligned),
        ordered("E3b", "mean |cos| of global pairs: {}", chain(names[0], names[1:-1]), size),
    ]


def draw(data):
    figure, axes = style.panels(1, 2, height=2.8)
    names = data["inputs"].tolist()
    for place, text in enumerate(("local pairs: same window", "global pairs: opposite ends")):
        style.histogram(axes[0, place], data["edges"], named(names, data["counts"][:, place]),
                        "cosine of two loss gradients")
        style.title(axes[0, place], text)
    style.same_range(axes)
    style.legend_below(figure, axes.flat[0], "all seeds pooled, after training")
    style.heading(figure, "Neighbours whose gradients are parallel or opposed (|cos| > 0.9), in %: "
                  + ranking(named(names, 100 * data["aligned"]), "{:.0f}"))
    return figure
