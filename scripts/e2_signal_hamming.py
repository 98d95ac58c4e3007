"""E2. How differently does the network compute at neighbouring and at distant samples of a 1-D signal?

    python -m scripts.e2_signal_hamming [--quick] [--seeds 5] [--out out]

Hamming distance between activation patterns, all hidden units, on the runs of E1.  Local
pairs: 25 windows of 50 consecutive samples, 250 pairs each.  Global pairs: 5000, one
sample in the first two fifths of the signal and one in the last two fifths.  The two
samples of a pair are different (the paper lets 2 % of them coincide), and epoch 0 is
before training (the paper's "epoch 0" is our epoch 1).

Writes e2_signal_hamming.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.measures import global_pairs, hamming_of_pairs, local_pairs
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, ordering
from scripts.runs import SIGNAL_INPUTS, over_checkpoints, signal_runs, stream

TITLE = "Hamming distance along a 1-D signal"
SOURCE = "the paper's 1d_signal_hamming.py"
SHOWS = ("How many units differ between two samples, through training: on the left for neighbours, on the right for "
         "distant samples. The more frequencies encode the input, the less alike the network computes at neighbours.")


def pairs_of(trained):
    """The local and global pairs of a run; the same for every input of a seed."""
    n, = trained.shape
    rng = stream(trained.run, "pairs")
    return (local_pairs((n,), rng, patches=25, side=max(8, n // 40), pairs=250),
            global_pairs((n,), rng, pairs=5000, gap=n // 5))


def runs(settings):
    return list(signal_runs(settings).values())


def measure(settings, folder):
    """hamming (inputs, checkpoints, seeds, 2): mean over local and over global pairs."""
    def distances(trained, net):
        return [hamming_of_pairs(net, trained.x, pairs).sum(axis=1).mean() for pairs in pairs_of(trained)]

    epochs, table = over_checkpoints(signal_runs(settings), folder, lambda name, seed: (name, seed),
                                     SIGNAL_INPUTS, settings.seeds, distances)
    return {"inputs": np.array(SIGNAL_INPUTS), "epochs": epochs, "hamming": table}


def claims(data):
    trained = data["epochs"] >= 1
    names = data["inputs"].tolist()
    local = {name: data["hamming"][k, trained][..., 0] for k, name in enumerate(names)}
    far = {name: data["hamming"][k, trained][..., 1] for k, name in enumerate(names)}
    first = {name: values[0] for name, values in far.items()}
    last = {name: values[-1] for name, values in far.items()}
    return [
        Claim("E2a", "local Hamming distance L=7 > L=4 > [-1,1] > [0,1] at every epoch", means(local),
              ordering(local, "L=7", "L=4", "[-1,1]", "[0,1]")),
        Claim("E2b", "global Hamming distance {L=4, L=7} > [-1,1] > [0,1] after the first epoch", means(first),
              ordering(first, ("L=4", "L=7"), "[-1,1]", "[0,1]")),
        Claim("E2c", "global Hamming distance is lowest for [0,1] at every epoch", means(far),
              ordering(far, ("[-1,1]", "L=4", "L=7"), "[0,1]")),
        Claim("E2d", "global Hamming distance L=4 > L=7 at the end", means(last), ordering(last, "L=4", "L=7")),
        Claim("E2e", "local < global for every input at every epoch",
              means({name: far[name] - local[name] for name in names}),
              [Link(f"global > local, {name}", (far[name] - local[name]).min(axis=0)) for name in names]),
    ]


def draw(data):
    figure, axes = style.panels(1, 2)
    for ax, place, title in zip(axes.flat, range(2), ("local pairs: same window", "global pairs: opposite ends"), strict=True):
        values = {name: data["hamming"][k, :, :, place] for k, name in enumerate(data["inputs"].tolist())}
        style.over_epochs(ax, data["epochs"], values, "Hamming distance (units)")
        ax.set_title(title, loc="left", fontsize="medium")
        ax.set_ylim(0)
    style.legend_below(figure, axes.flat[0], style.BAND, columns=4)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
