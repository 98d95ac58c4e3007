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

TITLE = "A signal from coordinates and from encodings"
SOURCE = "the paper's 1d_signal_vis.py"
PAPER_EPOCHS = 500
SHOWS = ("Each panel holds the target in grey and the fit from one input, first seed, with its "
         "error beside the variance "
         "of the signal.")


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
    figure, axes = style.panels(len(data["inputs"]), 1, width=8, height=1.5)
    shown = data["t"] <= 0.3
    for ax, name, fit, mse in zip(axes.flat, data["inputs"].tolist(), data["fits"], data["mse"],
                                  strict=True):
        ax.plot(data["t"][shown], data["y"][shown], color="0.75", linewidth=2, label="signal")
        ax.plot(data["t"][shown], fit[shown], color=style.colour(name), linewidth=1.1,
                label="network")
        ax.set_title(f"{style.label(name)}: mean squared error {mse[0]:.2g} of variance "
                     f"{data['variance']:.2g}",
                     loc="left", fontsize="small")
        ax.set_xlim(0, 0.3)
        ax.set_ylabel("y(t)")
        if ax is not axes.flat[-1]:
            ax.set_xticklabels([])
    axes.flat[-1].set_xlabel(f"t (three tenths of the signal; grey: signal, colour: network, "
                             f"{data['epochs']} epochs)")
    return figure
