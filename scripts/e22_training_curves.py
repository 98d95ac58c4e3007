"""E22. How does the loss fall, epoch by epoch, and on data held out?

    python -m scripts.e22_training_curves [--quick] [--seeds 5] [--out out]

The mean squared error of the runs of E1, E5 and E15, averaged over the batches of each epoch
while they are trained; for the high-dimensional data of E15 also on as many fresh examples of the
same kind.  (Fresh patches come from the same photograph and overlap those trained on.  The paper
shows the cross entropy, divided by the number of samples although it is summed over batches, and
one of its two figures is a copy of the other, catch C9.)

Writes e22_training_curves.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.mlp import predict
from scripts import e15_high_dimensional, experiment, style
from scripts.ledger import Claim, Link, means, ordering
from scripts.runs import IMAGE_INPUTS, IMAGES, SIGNAL_INPUTS, held_out, image_runs, read, signal_runs

TITLE = "Training curves"
SOURCE = "the paper's training_plots.py, and its fits of signals and images"
SHOWS = ("Training loss by epoch: the tones, the images, and the high-dimensional data with the loss on fresh data dashed. The order of "
         "the inputs is the same in one dimension and in two.")
DATA = e15_high_dimensional.DATA


def runs(settings):
    return [*signal_runs(settings).values(), *image_runs(settings).values(), *e15_high_dimensional.wanted(settings).values()]


def measure(settings, folder):
    """tones (inputs, epochs, seeds), images (images, inputs, epochs, seeds), data (data, epochs, seeds): training loss by epoch;
    fresh (data, checkpoints, seeds): the loss on fresh data at the given checkpoints."""
    signals, images, data = signal_runs(settings), image_runs(settings), e15_high_dimensional.wanted(settings)
    of = {run: read(run, folder) for run in runs(settings)}

    def losses(chosen):
        return np.array([of[run].loss for run in chosen]).T

    fresh = []
    for name in DATA:
        by_seed = []
        for seed in settings.seeds:
            (x, y), trained = held_out(data[name, seed]), of[data[name, seed]]
            by_seed.append([np.mean((predict(net, x) - y) ** 2) for net in trained.nets])
        fresh.append(np.array(by_seed).T)
    return {"inputs": np.array(SIGNAL_INPUTS), "image_inputs": np.array(IMAGE_INPUTS[settings.scale]), "images": np.array(IMAGES),
            "tones": np.array([losses(signals[name, seed] for seed in settings.seeds) for name in SIGNAL_INPUTS]),
            "image_loss": np.array([[losses(images[image, name, seed] for seed in settings.seeds) for name in IMAGE_INPUTS[settings.scale]]
                                    for image in IMAGES]),
            "data": np.array([losses(data[name, seed] for seed in settings.seeds) for name in DATA]),
            "fresh": np.array(fresh), "checkpoints": trained.epochs}


def claims(data):
    result, names = [], data["image_inputs"].tolist()
    for image, table in zip(data["images"].tolist(), data["image_loss"], strict=True):
        end = dict(zip(names, np.log10(table[:, -1]), strict=True))
        result.append(Claim(f"E22a-{image.split()[0]}", f"{image}: final loss {' > '.join(names)} (log10), as for the tones (E1)",
                            means(dict(zip(names, table[:, -1], strict=True))), ordering(end, *names)))
    for name, training, fresh in zip(DATA, data["data"], data["fresh"], strict=True):
        result.append(Claim(f"E22b-{name}", f"{name}: the loss on fresh data falls below its start, and ends above the training loss",
                            means({"fresh": fresh, "training": training}),
                            [Link("fresh: start > end", fresh[0] - fresh[-1]), Link("end: fresh > training", fresh[-1] - training[-1])]))
    return result


def draw(data):
    figure, axes = style.panels(1, 4, width=3.2, height=3.0)
    tables = [(data["inputs"], data["tones"], "fourteen tones"), *((data["image_inputs"], table, image) for image, table in
                                                                  zip(data["images"].tolist(), data["image_loss"], strict=True))]
    for ax, (names, table, title) in zip(axes.flat, tables, strict=False):
        for name, values in zip(names.tolist(), table, strict=True):
            curve(ax, np.arange(1, len(values) + 1), values, **style.look(name))
        ax.set_title(title, loc="left", fontsize="medium")
    for name, training, fresh in zip(DATA, data["data"], data["fresh"], strict=True):
        curve(axes[0, 3], np.arange(1, len(training) + 1), training, style.COLOURS[name], f"{name}, training")
        curve(axes[0, 3], data["checkpoints"][1:], fresh[1:], style.COLOURS[name], f"{name}, fresh data", "--")
    axes[0, 3].set_title("64 dimensions", loc="left", fontsize="medium")
    for ax in axes.flat:
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("epoch")
    axes[0, 0].set_ylabel("mean squared error")
    style.legend_below(figure, axes.flat, style.BOTH)
    return figure


def curve(ax, epochs, values, color, label, linestyle="-"):
    """The mean over seeds and the band between the smallest and the largest; values is (epochs, seeds)."""
    ax.plot(epochs, values.mean(axis=1), linewidth=1.2, color=color, label=label, linestyle=linestyle)
    ax.fill_between(epochs, values.min(axis=1), values.max(axis=1), color=color, alpha=0.18, linewidth=0)


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
