"""E1. Can a ReLU network fit fourteen tones from the coordinate alone?

    python -m scripts.reproduce e1_signal_fit

A 4x128 network learns y(t) = sum_K sin(2 pi K t + 2 pi phi_K), K = 5, 10, ..., 70, at
t = k/2048 with full-batch Adam for 500 epochs, from the coordinate on [0,1] or [-1,1] and
from encodings with 4 and 7 frequencies.  (The paper's labels for these are L=3 and L=6;
its code has 4 and 7.)  Phases are drawn per seed and shared by the inputs.
"""

import numpy as np

from relu_dynamics import predict
from scripts.lab import chain, last_tenth, named, ordered, read, signal_inputs, signal_runs, style
from scripts.lab.headings import against

TITLE = "A signal from coordinates and from encodings"
SOURCE = "the paper's 1d_signal_vis.py"
PAPER_EPOCHS = 500
SHOWS = ("A fifth of the signal of fourteen tones in grey, and the fit of the first seed from "
         "each input in its colour. Beside them the error of every seed as a share of the "
         "signal's variance, on a logarithmic scale.")


def runs(settings):
    return signal_runs(settings).values()


def measure(settings, folder):
    """mse (inputs, seeds); fits (inputs, n) of the first seed, t (n,), y (n,) and its variance."""
    inputs, wanted = signal_inputs(settings), signal_runs(settings)
    trained = {name: [read(wanted[name, seed], folder) for seed in settings.seeds]
               for name in inputs}
    first = trained[inputs[0]][0]
    return {"inputs": np.array(inputs), "epochs": first.epochs[-1],
            "mse": np.array([[reached(one)[0] for one in trained[name]] for name in inputs]),
            "fits": np.array([reached(trained[name][0])[1] for name in inputs]),
            "t": np.arange(len(first.y)) / len(first.y), "y": first.y[:, 0],
            "variance": np.var(first.y)}


def reached(trained):
    """The smallest mean squared error over the checkpoints in the last tenth of training, and the
    outputs there."""
    outputs = [predict(trained.nets[c], trained.x)
               for c in np.flatnonzero(last_tenth(trained.epochs))]
    errors = [np.mean((f - trained.y) ** 2) for f in outputs]
    return min(errors), outputs[int(np.argmin(errors))][:, 0]


def claims(data):
    error = named(data["inputs"].tolist(), data["mse"])
    return [ordered("E1", "mean squared error, the best of the last tenth of training: {}",
                    chain(*error), error, log=True)]


def draw(data):
    """Fits, and beside them the error of every seed."""
    names, share = data["inputs"].tolist(), data["mse"] / data["variance"]
    chosen, shown = style.some(names, 4), data["t"] <= 0.2
    figure = style.sheet(height=1.05 * len(chosen) + 0.9)
    grid = figure.add_gridspec(len(chosen), 2, width_ratios=(2.6, 1))
    fits = [figure.add_subplot(grid[row, 0]) for row in range(len(chosen))]
    for ax, name in zip(fits, chosen, strict=True):
        ax.plot(data["t"][shown], data["y"][shown], color="0.75", linewidth=2.5)
        ax.plot(data["t"][shown], data["fits"][names.index(name)][shown], color=style.colour(name),
                linewidth=1.2)
        left = 100 * np.median(share[names.index(name)])
        style.title(ax, f"{style.label(name)}: error {left:.2g} % of the signal's variance")
        ax.set_xlim(0, data["t"][shown][-1])
        ax.sharey(fits[0])
        ax.tick_params(labelbottom=ax is fits[-1])
    fits[-1].set_xlabel("t (a fifth of the signal)")
    errors = figure.add_subplot(grid[:, 1])
    for k, name in enumerate(names):
        style.ranges(errors, np.array([k]), share[k : k + 1], style.colour(name))
    errors.set_xticks(range(len(names)), names, rotation=45)
    errors.set_xlim(-0.5, len(names) - 0.5)
    errors.set_yscale("log")
    style.title(errors, "error / variance, all seeds")
    style.bare([*fits, errors])
    figure.supxlabel(f"grey: signal; colour: fit of the first seed, {data['epochs']} epochs\n"
                     f"errors: {style.DOTS}", fontsize="small")
    style.heading(figure, against(named(names, share),
                                  "{last} leaves {times} the error of {first}", "error / variance"))
    return figure
