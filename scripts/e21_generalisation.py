"""E21. Does what the network says between the pixels it has seen agree with the image?

    python -m scripts.e21_generalisation [--quick] [--seeds 5] [--out out]

A 4x128 network learns every second row and column of the 64x64 photograph, 32x32 pixels, for
300 epochs, and is then asked for the other three quarters.  The peak signal-to-noise ratio

    PSNR = -10 log10(mean squared error)     in dB, for colours between 0 and 1

is the best over the checkpoints, as in the paper's code, which takes the best epoch.  (There the
output has a sigmoid, and SIREN and Gabor networks take part; here it is the network of all other
experiments.)  L=5 is the highest encoding whose top frequency 32 samples per axis can tell.

Writes e21_generalisation.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.mlp import predict
from scripts import experiment, style
from scripts.ledger import Claim, means, ordering
from scripts.runs import IMAGE, THINNED, held_out, make_run, over_checkpoints

TITLE = "Between the pixels"
SOURCE = "the paper's generalization.py"
SHOWS = ("Peak signal-to-noise ratio on the pixels trained on and on those left out. The higher the encoding, the better the fit; in "
         "between the encodings stay ahead of coordinates by less, and L=5 gains nothing over L=3.")
INPUTS = ("[0,1]", "[-1,1]", "L=1", "L=3", "L=5")


def wanted(settings):
    return {(name, seed): make_run(IMAGE[settings.scale], f"{THINNED}photograph", name, seed, settings)
            for name in INPUTS for seed in settings.seeds}


def runs(settings):
    return list(wanted(settings).values())


def measure(settings, folder):
    """psnr (inputs, checkpoints, seeds, 2), in dB, on the pixels trained on and on the others."""
    def ratios(trained, net):
        return [-10 * np.log10(np.mean((predict(net, x) - y) ** 2)) for x, y in ((trained.x, trained.y), held_out(trained.run))]

    epochs, psnr = over_checkpoints(wanted(settings), folder, lambda name, seed: (name, seed), INPUTS, settings.seeds, ratios)
    return {"inputs": np.array(INPUTS), "epochs": epochs, "psnr": psnr}


def claims(data):
    seen, unseen = (dict(zip(data["inputs"].tolist(), data["psnr"][..., k].max(axis=1), strict=True)) for k in (0, 1))
    return [
        Claim("E21a", "best PSNR on the pixels left out (dB): every encoding > both coordinates", means(unseen),
              ordering(unseen, ("L=1", "L=3", "L=5"), ("[0,1]", "[-1,1]"))),
        Claim("E21b", "best PSNR on the pixels trained on (dB): L=5 > L=3 > L=1 > [-1,1] > [0,1]", means(seen),
              ordering(seen, "L=5", "L=3", "L=1", "[-1,1]", "[0,1]")),
    ]


def draw(data):
    figure, axes = style.panels(1, 2)
    for ax, k, title in zip(axes.flat, (0, 1), ("pixels trained on", "pixels left out"), strict=True):
        style.over_epochs(ax, data["epochs"], dict(zip(data["inputs"].tolist(), data["psnr"][..., k], strict=True)), "PSNR (dB)")
        ax.set_title(title, loc="left", fontsize="medium")
        ax.set_ylim(data["psnr"].min() - 1, data["psnr"].max() + 1)
    style.legend_below(figure, axes.flat[0], style.BAND)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
