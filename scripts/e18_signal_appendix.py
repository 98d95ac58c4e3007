"""E18. Is it the same for a smaller network and fewer tones?

    python -m scripts.e18_signal_appendix [--quick] [--seeds 5] [--out out]

The paper's earlier one-dimensional experiment: two layers of 256 units, ten tones K = 5, 10,
..., 50, coordinates [0,1] against an encoding with six frequencies (twelve inputs; the paper
says L=5), full-batch Adam.  Hamming distance of local pairs, in windows of one fortieth of
the signal, and of global pairs as in E2.  The paper has 2048 samples and 1000 epochs, as has
paper scale here; the default is 512 and 500.

Writes e18_signal_appendix.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.measures import global_pairs, hamming_of_pairs, local_pairs
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, ordering
from scripts.runs import Setup, make_run, over_checkpoints, stream

TITLE = "Hamming distance along a simpler signal"
SOURCE = "the paper's appendix, figure 4"
SHOWS = "As in the larger experiment: neighbours share nearly all their units on coordinates, and differ in many under the encoding."
INPUTS = ("[0,1]", "L=6")
SETUPS = {
    "quick": Setup(256, (32, 32), 50, None, (0, 1, 10, 25, 50)),
    "laptop": Setup(512, (256, 256), 500, None, (0, 1, 10, 50, 100, 200, 300, 400, 500)),
    "paper": Setup(2048, (256, 256), 1000, None, (0, 1, 10, *range(100, 1001, 100))),
}


def wanted(settings):
    return {(name, seed): make_run(SETUPS[settings.scale], "tones to 50", name, seed, settings) for name in INPUTS for seed in settings.seeds}


def runs(settings):
    return list(wanted(settings).values())


def measure(settings, folder):
    """values (inputs, checkpoints, seeds, 2): mean over local and over global pairs."""
    def distances(trained, net):
        rng, n = stream(trained.run, "pairs"), trained.run.size
        both = (local_pairs((n,), rng, patches=25, side=n // 40, pairs=250), global_pairs((n,), rng, pairs=5000, gap=n // 5))
        return [hamming_of_pairs(net, trained.x, pairs).sum(axis=1).mean() for pairs in both]

    epochs, values = over_checkpoints(wanted(settings), folder, lambda name, seed: (name, seed), INPUTS, settings.seeds, distances)
    return {"inputs": np.array(INPUTS), "epochs": epochs, "values": values}


def claims(data):
    low, high = data["values"]
    local, far = ({name: part[..., place] for name, part in zip(INPUTS, (low, high), strict=True)} for place in range(2))
    return [
        Claim("E18a", "the encoding's Hamming distance is larger at every epoch, locally", means(local), ordering(local, "L=6", "[0,1]")),
        Claim("E18b", "and globally", means(far), ordering(far, "L=6", "[0,1]")),
        Claim("E18c", "coordinates: neighbours differ in about one unit (fewer than two) at every epoch", means({"[0,1]": local["[0,1]"]}),
              [Link("2 > distance", (2 - local["[0,1]"]).min(axis=0))]),
    ]


def draw(data):
    figure, axes = style.panels(1, 2)
    for ax, place, title in zip(axes[0], range(2), ("local pairs", "global pairs"), strict=True):
        style.over_epochs(ax, data["epochs"], dict(zip(INPUTS, data["values"][..., place], strict=True)), "Hamming distance (units)")
        ax.set_title(title, loc="left", fontsize="medium")
        ax.set_ylim(0)
    style.legend_below(figure, axes[0, 0], style.BAND)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
