"""T35. Which frequencies does training reach, and when?

    python -m scripts.t35_frequencies [--quick] [--seeds 5] [--out out]

Relative error |r_hat_k| / |y_hat_k| of each of the fourteen tones through training (runs
of E1), and of each radial band of the photograph's spectrum at the end (runs of E5).
Spectral bias is that the error falls first at low k; that encodings overcome it is that
it falls at every k.

Writes t35_frequencies.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from relu_dynamics.measures import time_to_half
from relu_dynamics.mlp import predict
from relu_dynamics.signals import PAPER_TONES
from relu_dynamics.spectrum import frequency_error
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, ordering, rank_correlation
from scripts.runs import IMAGE, IMAGE_INPUTS, SIGNAL_INPUTS, over_checkpoints, photograph_runs, read, signal_runs

TITLE = "Error per frequency through training"
SOURCE = "after Rahaman et al. 2019; statement T35"
SHOWS = ("Above, the error of every tone through training: dark columns turn from the low tones upwards. Below, what is "
         "left at the end, for the tones and for the photograph.")


def runs(settings):
    return [*signal_runs(settings).values(), *photograph_runs(settings).values()]


def measure(settings, folder):
    """tone_error (inputs, checkpoints, seeds, tones) and half (inputs, seeds, tones), the epoch of relative error 1/2;
    band_error (image inputs, seeds, bands) at the end."""
    tones = np.array(PAPER_TONES)
    epochs, tone_error = over_checkpoints(
        signal_runs(settings), folder, lambda name, seed: (name, seed), SIGNAL_INPUTS, settings.seeds,
        lambda trained, net: frequency_error(predict(net, trained.x), trained.y, trained.shape)[tones])
    half = [[time_to_half(epochs, by_seed[:, s]) for s in range(len(settings.seeds))] for by_seed in tone_error]
    images, image_inputs = photograph_runs(settings), IMAGE_INPUTS[settings.scale]

    def bands(name, seed):
        trained = read(images[name, seed], folder)
        return frequency_error(predict(trained.nets[-1], trained.x), trained.y, trained.shape)

    band_error = np.array([[bands(name, seed) for seed in settings.seeds] for name in image_inputs])
    return {"inputs": np.array(SIGNAL_INPUTS), "tones": tones, "epochs": epochs, "tone_error": tone_error,
            "half": np.array(half), "image_inputs": np.array(image_inputs), "band_error": band_error,
            "nyquist": IMAGE[settings.scale].size // 2}


def claims(data):
    names, tones = data["inputs"].tolist(), data["tones"]
    end = dict(zip(names, data["tone_error"][:, -1], strict=True))
    order = {name: np.array([rank_correlation(row, tones) for row in values]) for name, values in end.items()}
    reached = {name: np.isfinite(half).sum(axis=1) for name, half in zip(names, data["half"], strict=True)}
    bias = {name: order[name] for name in ("[0,1]", "[-1,1]", "L=4")}
    result = [
        Claim("T35a", "low tones are learned better: rank correlation of k with the final error is positive, until all are learned",
              means(bias), [Link(f"rank correlation, {name}", values) for name, values in bias.items()]),
        Claim("T35b", "tones learned to half within the epochs given: L=7 > L=4 > [-1,1] ≥ [0,1]", means(reached),
              ordering(reached, "L=7", "L=4", "[-1,1]") + ordering(reached, "[-1,1]", "[0,1]", ties=True)),
        Claim("T35c", "L=7 learns every tone to half", means({"L=7": reached["L=7"]}),
              [Link("tones learned > 13.5", reached["L=7"] - 13.5)]),
    ]
    images = data["image_inputs"].tolist()
    top = int(data["nyquist"])
    high = {name: np.nanmean(values[:, top // 2 : top + 1], axis=1) for name, values in
            zip(images, data["band_error"], strict=True)}
    result.append(Claim("T35d", f"photograph: mean relative error from {top // 2} to {top} cycles per image: [0,1] > [-1,1] > "
                        + " > ".join(images[2:]), means(high), ordering(high, *images)))
    return result


def draw(data):
    """Above: one map per input, tone against epoch; below: what is left at the end, of the tones and of the photograph."""
    names, tones, epochs = data["inputs"].tolist(), data["tones"], data["epochs"]
    figure = Figure(figsize=(9.6, 6.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(0.85, 1.15))
    maps = above.subplots(1, len(names), sharey=True)
    for ax, name, error in zip(maps, names, data["tone_error"].mean(axis=2), strict=True):
        mesh = ax.pcolormesh(np.arange(len(epochs) + 1), np.arange(len(tones) + 1), error.T, vmin=0, vmax=1, cmap="cividis")
        ax.set_title(style.label(name), loc="left", fontsize="medium")
        shown = [c for c, epoch in enumerate(epochs) if epoch in (0, 10, 100, 200, 300, 400, 500)]
        ax.set_xticks([c + 0.5 for c in shown], [str(epochs[c]) for c in shown], fontsize="x-small", rotation=90)
        ax.set_yticks(np.arange(0.5, len(tones), 3), [str(k) for k in tones[::3]])
        ax.set_xlabel("epoch (as recorded)")
    maps[0].set_ylabel("tone k (cycles per signal)")
    above.colorbar(mesh, ax=maps, label="relative error |r̂| / |ŷ|\n(mean over seeds)", pad=0.01)
    end, bands = below.subplots(1, 2)
    for name, error in zip(names, data["tone_error"], strict=True):
        style.with_band(end, tones, error[-1].T, name)
    end.set_xlabel("tone k (cycles per signal)")
    end.set_title(f"14 tones after {epochs[-1]} epochs", loc="left", fontsize="medium")
    radii = np.arange(1, data["nyquist"] + 1)
    for name, error in zip(data["image_inputs"].tolist(), data["band_error"], strict=True):
        style.with_band(bands, radii, error[:, radii].T, name)
    bands.set_xlabel("radius |k| (cycles per image)")
    bands.set_title("photograph at the end of training", loc="left", fontsize="medium")
    for ax in (end, bands):
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_ylabel("relative error |r̂| / |ŷ|")
        ax.set_ylim(-0.02)
        ax.legend(frameon=False, fontsize="x-small", handlelength=3)
    below.supxlabel(style.BAND, fontsize="small", color="0.3")
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
