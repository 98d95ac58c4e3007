"""E17. Does a deeper and wider network tell neighbouring pixels apart better?

    python -m scripts.e17_depth_and_width [--quick] [--seeds 5] [--out out]

Hamming distance over the number of hidden units, between neighbouring and distant pixels of
a 64x64 random image, for networks of 2x128, 4x256 and 6x512 units, coordinates [0,1] against
L=5.  The paper trains for 5000 epochs; here for 5 (100 at paper scale): the orderings are
there from the start, and the largest network is dear.

Writes e17_depth_and_width.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.measures import hamming_of_pairs
from scripts import experiment, style
from scripts.e5_image_hamming import pairs_of
from scripts.ledger import Claim, Link, means, ordering
from scripts.runs import Setup, make_run, over_checkpoints

TITLE = "Depth and width"
SOURCE = "the paper's appendix, section 3, coordinate_networks.py"
SHOWS = ("The share of units in which two pixels differ falls with the size of the network, under the encoding from a level several "
         "times higher.")
INPUTS = ("[0,1]", "L=5")
SIZES = {"quick": ((32,) * 2, (48,) * 3, (64,) * 4), "laptop": ((128,) * 2, (256,) * 4, (512,) * 6), "paper": ((128,) * 2, (256,) * 4, (512,) * 6)}
EPOCHS = {"quick": 2, "laptop": 5, "paper": 100}


def setup(settings, hidden):
    epochs = EPOCHS[settings.scale]
    return Setup(32 if settings.scale == "quick" else 64, hidden, epochs, 256, tuple(sorted({0, 1, min(5, epochs), epochs})))


def wanted(settings):
    return {(hidden, name, seed): make_run(setup(settings, hidden), "random image", name, seed, settings)
            for hidden in SIZES[settings.scale] for name in INPUTS for seed in settings.seeds}


def runs(settings):
    return list(wanted(settings).values())


def measure(settings, folder):
    """values (sizes, inputs, checkpoints, seeds, 2): mean Hamming distance of local and of global pairs; units (sizes,)."""
    def distances(trained, net):
        return [hamming_of_pairs(net, trained.x, pairs).sum(axis=1).mean() for pairs in pairs_of(trained)]

    sizes, tables = SIZES[settings.scale], []
    for hidden in sizes:
        epochs, table = over_checkpoints(wanted(settings), folder, lambda name, seed, hidden=hidden: (hidden, name, seed), INPUTS,
                                         settings.seeds, distances)
        tables.append(table)
    return {"sizes": np.array([f"{len(hidden)}x{hidden[0]}" for hidden in sizes]), "inputs": np.array(INPUTS), "epochs": epochs,
            "values": np.array(tables), "units": np.array([sum(hidden) for hidden in sizes])}


def claims(data):
    sizes, values = data["sizes"].tolist(), data["values"]
    ratio = values / data["units"][:, None, None, None, None]
    low, high = (dict(zip(sizes, ratio[:, i], strict=True)) for i in range(2))  # size -> (checkpoints, seeds, place)
    local_low, local_high, global_high = ({size: part[..., place] for size, part in which.items()} for which, place in ((low, 0), (high, 0), (high, 1)))
    raw = {f"{name} {size}": values[s, i, :, :, 0] for i, name in enumerate(INPUTS) for s, size in enumerate(sizes)}
    return [
        Claim("E17a", "locally the encoding's share of differing units is more than three times the coordinates', at every size and epoch",
              means({size: local_high[size] / local_low[size] for size in sizes}),
              [Link(f"L=5 > 3 x [0,1], {size}", (local_high[size] - 3 * local_low[size]).min(axis=0)) for size in sizes]),
        Claim("E17b", "the encoding's share falls with size, locally and globally, at every epoch: " + " > ".join(sizes),
              means({f"local {size}": values for size, values in local_high.items()}),
              ordering(local_high, *sizes) + ordering(global_high, *sizes)),
        Claim("E17c", "coordinates: locally at most 3 % of the units differ, at every size and epoch", means(local_low),
              [Link(f"0.03 > share, {size}", (0.03 - local_low[size]).min(axis=0)) for size in sizes]),
        Claim("E17d", "the Hamming distance itself grows with size, locally, for both inputs at every epoch: " + " > ".join(reversed(sizes)),
              means(raw), [link for name in INPUTS for link in ordering(raw, *(f"{name} {size}" for size in reversed(sizes)))]),
    ]


def draw(data):
    figure, axes = style.panels(1, 2)
    ratio = data["values"] / data["units"][:, None, None, None, None]
    x = np.arange(len(data["sizes"]))
    for ax, place, title in zip(axes[0], range(2), ("local pairs", "global pairs"), strict=True):
        for i, name in enumerate(INPUTS):
            for c, (alpha, stage) in enumerate(((0.45, "before training"), (1.0, f"after {data['epochs'][-1]} epochs"))):
                part = ratio[:, i, -c, :, place]
                ax.plot(x, part.mean(axis=1), **{**style.look(name), "label": f"{style.label(name)}, {stage}"}, marker="os"[c], alpha=alpha)
                ax.vlines(x, part.min(axis=1), part.max(axis=1), color=style.COLOURS[name], alpha=alpha)
        ax.set_xticks(x, data["sizes"].tolist())
        ax.set_xlabel("hidden layers x width")
        ax.set_ylabel("share of units that differ")
        ax.set_ylim(0)
        ax.set_title(title, loc="left", fontsize="medium")
    style.legend_below(figure, axes[0, 0], "line: mean over seeds; vertical: smallest to largest seed", columns=2)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
