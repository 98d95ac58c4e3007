"""E1. Can a ReLU network fit fourteen tones from the coordinate alone?

    python -m scripts.e1_signal_fit [--quick] [--seeds 5] [--out out]

A 4x128 network learns y(t) = sum_K sin(2 pi K t + 2 pi phi_K), K = 5, 10, ..., 70, at
t = k/2048 with full-batch Adam for 500 epochs, from the coordinate on [0,1] or [-1,1] and
from encodings with 4 and 7 frequencies.  (The paper's labels for these are L=3 and L=6;
its code has 4 and 7.)  Phases are drawn per seed and shared by the inputs.

Writes e1_signal_fit.npz (fits, final errors), .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.mlp import predict
from scripts import experiment, style
from scripts.ledger import Claim, means, ordering
from scripts.runs import SIGNAL_INPUTS, read, signal_runs

TITLE = "Fourteen tones from coordinates and from encodings"
SOURCE = "the paper's 1d_signal_vis.py"
SHOWS = ("Each panel holds the target in grey and the fits of one seed. Coordinates follow the slow swings at best; the "
         "encoding with seven frequencies lies on the target.")


def runs(settings):
    return list(signal_runs(settings).values())


def measure(settings, folder):
    """mse (inputs, seeds) at the end; t (n,), y (n,) and fits (inputs, n) of the first seed."""
    wanted = signal_runs(settings)
    mse, fits = [], []
    for name in SIGNAL_INPUTS:
        trained = [read(wanted[name, seed], folder) for seed in settings.seeds]
        mse.append([np.mean((predict(one.nets[-1], one.x) - one.y) ** 2) for one in trained])
        fits.append(predict(trained[0].nets[-1], trained[0].x)[:, 0])
    n = trained[0].shape[0]
    return {"inputs": np.array(SIGNAL_INPUTS), "mse": np.array(mse), "variance": np.var(trained[0].y),
            "t": np.arange(n) / n, "y": trained[0].y[:, 0], "fits": np.array(fits), "epochs": trained[0].epochs[-1]}


def claims(data):
    error = dict(zip(data["inputs"].tolist(), data["mse"], strict=True))
    log = {name: np.log10(values) for name, values in error.items()}
    return [Claim("E1", "final error: [0,1] > [-1,1] > L=4 > L=7 (log10 of the mean squared error)", means(error),
                  ordering(log, "[0,1]", "[-1,1]", "L=4", "L=7"))]


def draw(data):
    figure, axes = style.panels(len(data["inputs"]), 1, width=8, height=1.5)
    shown = data["t"] <= 0.3
    for ax, name, fit, mse in zip(axes.flat, data["inputs"].tolist(), data["fits"], data["mse"], strict=True):
        ax.plot(data["t"][shown], data["y"][shown], color="0.75", linewidth=2, label="signal")
        ax.plot(data["t"][shown], fit[shown], color=style.COLOURS[name], linewidth=1.1, label="network")
        ax.set_title(f"{style.label(name)}: mean squared error {mse[0]:.2g} of variance {data['variance']:.2g}",
                     loc="left", fontsize="small")
        ax.set_xlim(0, 0.3)
        ax.set_ylabel("y(t)")
        if ax is not axes.flat[-1]:
            ax.set_xticklabels([])
    axes.flat[-1].set_xlabel(f"t (three tenths of the signal; grey: signal, colour: network after {data['epochs']} epochs)")
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
