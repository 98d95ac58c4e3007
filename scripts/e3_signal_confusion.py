"""E3. Does descent at one sample of a 1-D signal help or hurt at another?

    python -m scripts.e3_signal_confusion [--quick] [--seeds 5] [--out out]

Gradient confusion, the cosine of two samples' loss gradients, for the pairs of E2 after
training.  For one output its size is that of the tangent kernel and only its sign comes
from the residuals (T8): samples that the network cannot tell apart pile up at +-1.

Writes e3_signal_confusion.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.tangent import confusion_of_pairs
from scripts import experiment, style
from scripts.e2_signal_hamming import pairs_of
from scripts.ledger import Claim, means, ordering
from scripts.runs import SIGNAL_INPUTS, read, signal_runs

TITLE = "Gradient confusion along a 1-D signal"
SOURCE = "the paper's 1d_signal_confusion.py"
SHOWS = ("Histograms of the cosine between two samples' loss gradients after training. A pile at +1 and -1 means that "
         "descent cannot move one sample without the other.")
EDGES = np.linspace(-1, 1, 51)


def runs(settings):
    return list(signal_runs(settings).values())


def measure(settings, folder):
    """aligned (inputs, seeds): share of local pairs with |cos| > 0.9; size (inputs, seeds): mean |cos| of
    global pairs; counts (inputs, 2, bins): histograms of local and global cosines, seeds pooled."""
    wanted = signal_runs(settings)
    aligned, size, counts = [], [], []
    for name in SIGNAL_INPUTS:
        trained = [read(wanted[name, seed], folder) for seed in settings.seeds]
        local, far = zip(*([confusion_of_pairs(one.nets[-1], one.x, one.y, *pairs) for pairs in pairs_of(one)]
                           for one in trained), strict=True)
        aligned.append([np.mean(np.abs(cosines) > 0.9) for cosines in local])
        size.append([np.mean(np.abs(cosines)) for cosines in far])
        counts.append([np.histogram(np.concatenate(cosines), EDGES)[0] for cosines in (local, far)])
    return {"inputs": np.array(SIGNAL_INPUTS), "aligned": np.array(aligned), "size": np.array(size),
            "edges": EDGES, "counts": np.array(counts)}


def claims(data):
    names = data["inputs"].tolist()
    aligned, size = (dict(zip(names, data[field], strict=True)) for field in ("aligned", "size"))
    return [
        Claim("E3a", "share of local pairs with |cos| > 0.9: both coordinates > L=4 > L=7", means(aligned),
              ordering(aligned, ("[0,1]", "[-1,1]"), "L=4", "L=7")),
        Claim("E3b", "mean |cos| of global pairs: [0,1] > {[-1,1], L=4}", means(size),
              ordering(size, "[0,1]", ("[-1,1]", "L=4"))),
    ]


def draw(data):
    figure, axes = style.panels(1, 2)
    for place, title in enumerate(("local pairs: same window", "global pairs: opposite ends")):
        ax = axes.flat[place]
        counts = {name: data["counts"][k, place] for k, name in enumerate(data["inputs"].tolist())}
        style.histogram(ax, data["edges"], counts, "cosine of two loss gradients")
        ax.set_title(title, loc="left", fontsize="medium")
    style.same_range(axes)
    style.legend_below(figure, axes.flat[0], "all seeds pooled, after training", columns=4)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
