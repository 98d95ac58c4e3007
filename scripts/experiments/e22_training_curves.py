"""E22. How does the loss fall, epoch by epoch, and on data held out?

    python -m scripts.reproduce e22_training_curves

The mean squared error of the runs of E1, E5 and E15, averaged over the batches of each epoch
while they are trained; for the high-dimensional data of E15 also on as many fresh examples of the
same kind.  (Fresh patches come from the same photograph and overlap those trained on.  The paper
shows the cross entropy, divided by the number of samples although it is summed over batches, and
one of its two figures is a copy of the other.)
"""

import numpy as np

from relu_dynamics import predict
from scripts.experiments import e15_high_dimensional
from scripts.lab import (
    Claim, Link, chain, held_out, image_inputs, image_runs, images, last_tenth, means, named,
    ordered, read, signal_inputs, signal_runs, style,
)
from scripts.lab.headings import against, likewise

TITLE = "Training curves"
SOURCE = "the paper's training_plots.py, and its fits of signals and images"
PAPER_EPOCHS = 100
SHOWS = ("Training loss by epoch, a line an input, of the signal and of one image; the best of "
         "the last tenth of the epochs for every image; and in greens the loss on the "
         "high-dimensional data, on fresh data dashed.")
DATA = e15_high_dimensional.DATA


def runs(settings):
    return [*signal_runs(settings).values(), *image_runs(settings).values(),
            *e15_high_dimensional.wanted(settings).values()]


def measure(settings, folder):
    """tones (inputs, epochs, seeds), image_loss (images, inputs, epochs, seeds), data (data,
    epochs, seeds): training loss by epoch; fresh (data, checkpoints, seeds): the loss on fresh data
    at the given checkpoints."""
    signals, pictures = signal_runs(settings), image_runs(settings)
    data = e15_high_dimensional.wanted(settings)
    of = {run: read(run, folder) for run in runs(settings)}

    def losses(chosen):
        return np.array([of[run].loss for run in chosen]).T

    def fresh(name):
        table = []
        for run in (data[name, seed] for seed in settings.seeds):
            x, y = held_out(run, folder)
            table.append([np.mean((predict(net, x) - y) ** 2) for net in of[run].nets])
        return np.transpose(table)

    return {"inputs": np.array(signal_inputs(settings)),
            "image_inputs": np.array(image_inputs(settings)),
            "images": np.array(list(images(settings))),
            "tones": np.array([losses(signals[name, seed] for seed in settings.seeds)
                               for name in signal_inputs(settings)]),
            "image_loss": np.array([[losses(pictures[image, name, seed] for seed in settings.seeds)
                                     for name in image_inputs(settings)]
                                    for image in images(settings)]),
            "data": np.array([losses(data[name, seed] for seed in settings.seeds)
                              for name in DATA]),
            "fresh": np.array([fresh(name) for name in DATA]),
            "checkpoints": of[data[DATA[0], settings.seeds[0]]].epochs}


def claims(data):
    result, names = [], data["image_inputs"].tolist()
    reached = last_tenth(1 + np.arange(data["image_loss"].shape[2]))
    for image, table in zip(data["images"].tolist(), data["image_loss"], strict=True):
        end = named(names, table[:, reached].min(axis=1))
        result.append(ordered("E22a",
                              "loss, the best of the last tenth of training: {}, as for the tones "
                              "(E1)", chain(*names), end, log=True,
                              image=image))
    late = last_tenth(data["checkpoints"])
    for name, training, fresh in zip(DATA, data["data"], data["fresh"], strict=True):
        ends = last_tenth(1 + np.arange(len(training)))
        begun, seen, unseen = np.log10([fresh[0], np.median(training[ends], axis=0),
                                        np.median(fresh[late], axis=0)])
        result.append(Claim(f"E22b-{name}",
                            f"{name}: the loss on fresh data falls below its start, and ends "
                            "above the training loss (log10 of medians over the last tenth of "
                            "training)",
                            means({"fresh, start": 10**begun, "fresh": 10**unseen,
                                   "training": 10**seen}, log=True),
                            [Link("fresh: start > end", begun - unseen),
                             Link("end: fresh > training", unseen - seen)]))
    return result


def draw(data):
    """The signal, one image, every image at the end, and the high-dimensional data."""
    figure, axes = style.panels(2, 2, height=2.7)
    (signal, image, every_image), data_set = axes.flat[:3], axes.flat[3]
    names, images = data["image_inputs"].tolist(), data["images"].tolist()
    shown = style.main_image(images)
    for ax, of, table, text in (
            (signal, data["inputs"].tolist(), data["tones"], "the signal"),
            (image, names, data["image_loss"][shown], images[shown])):
        for name, values in zip(of, table, strict=True):
            curve(ax, np.arange(1, len(values) + 1), values, **style.look(name))
        style.title(ax, text)
    late = last_tenth(np.arange(1, data["image_loss"].shape[2] + 1))
    best = data["image_loss"][:, :, late].min(axis=2)
    style.over_images(every_image, images, named(names, best.swapaxes(0, 1)), "mean squared error")
    style.title(every_image, "best of the last tenth")
    for k, (name, training, fresh) in enumerate(zip(DATA, data["data"], data["fresh"],
                                                    strict=True)):
        colour = style.shade(k, len(DATA))
        curve(data_set, np.arange(1, len(training) + 1), training, colour, f"{name}, training")
        curve(data_set, data["checkpoints"][1:], fresh[1:], colour, f"{name}, fresh data", "--")
    style.title(data_set, "64 dimensions")
    for ax in axes.flat:
        ax.set_yscale("log")
    for ax in (signal, image, data_set):
        ax.set_xscale("log")
        ax.set_xlabel("epoch")
        ax.set_ylabel("mean squared error")
    style.legend_below(figure, (signal, image, data_set), style.LINES_AND_DOTS, columns=3)
    style.heading(figure, against(
        named(names, best[shown]), f"{images[shown]}: the best loss of the last epochs under "
        f"{{last}} is {{times}} that on {{first}}", "best loss of the last epochs")
        + likewise(best, shown))
    return figure


def curve(ax, epochs, values, color, label, linestyle="-"):
    """The median over seeds and the range; values is (epochs, seeds), and thinned to what can be
    seen on a logarithmic axis."""
    kept = np.unique(np.geomspace(1, len(epochs), 120).round().astype(int)) - 1
    ax.plot(epochs[kept], np.median(values[kept], axis=1), linewidth=1.3, color=color, label=label,
            linestyle=linestyle)
    ax.fill_between(epochs[kept], values[kept].min(axis=1), values[kept].max(axis=1), color=color,
                    alpha=0.18, linewidth=0)
