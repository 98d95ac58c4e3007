"""E21. Does what the network says between the pixels it has seen agree with the image?

    python -m scripts.reproduce e21_generalisation

A 4x128 network learns every second row and column of the 64x64 photograph, 32x32 pixels, for
300 epochs, and is then asked for the other three quarters.  The peak signal-to-noise ratio

    PSNR = -10 log10(mean squared error)     in dB, for colours between 0 and 1

is the best over the checkpoints, as in the paper's code, which takes the best epoch.  (There the
output has a sigmoid, and SIREN and Gabor networks take part; here it is the network of all other
experiments.)  L=5 is the highest encoding whose top frequency 32 samples per axis can tell.
"""

import numpy as np

from relu_dynamics import predict
from scripts.lab import (
    THINNED, chain, coordinates, encodings, held_out, image_setup, in_order, made_run, named,
    natural_image, ordered, over_checkpoints, style,
)
from scripts.lab.headings import ranking

TITLE = "Between the pixels"
SOURCE = "the paper's generalization.py"
SHOWS = ("Peak signal-to-noise ratio through training, a line an input: on the left on the "
         "pixels trained on, on the right, on the same scale, on those left out.")
INPUTS = ("[0,1]", "[-1,1]", "L=1", "L=3", "L=5")


def wanted(settings):
    _, signal = natural_image(settings)
    setup = image_setup(settings)
    even = setup._replace(size=setup.size - setup.size % 2)
    return {(name, seed): made_run(even, THINNED + signal, name, seed, settings)
            for name in in_order(settings.inputs or INPUTS) for seed in settings.seeds}


def runs(settings):
    return wanted(settings).values()


def measure(settings, folder):
    """values (inputs, checkpoints, seeds, 2): PSNR in dB, on the pixels trained on and on the
    others."""
    def ratios(trained, net):
        return [-10 * np.log10(np.mean((predict(net, x) - y) ** 2))
                for x, y in ((trained.x, trained.y), held_out(trained.run, folder))]

    return {**over_checkpoints(wanted(settings), folder, ratios),
            "image": natural_image(settings)[0]}


def claims(data):
    names = data["inputs"].tolist()
    seen, unseen = (named(names, data["values"][..., k].max(axis=1))
                    for k in (0, 1))
    return [claim._replace(image=str(data["image"])) for claim in (
        ordered("E21a", "best PSNR on the pixels left out (dB): {}",
                chain(encodings(names), coordinates(names)), unseen),
        ordered("E21b", "best PSNR on the pixels trained on (dB): {}", chain(*reversed(names)),
                seen))]


def draw(data):
    figure, axes = style.panels(1, 2, height=2.8)
    names, (seen, unseen) = data["inputs"].tolist(), np.moveaxis(data["values"], 3, 0)
    for ax, values, text in zip(axes.flat, (seen, unseen), ("pixels trained on", "pixels left out"),
                                strict=True):
        style.over_epochs(ax, data["epochs"], named(names, values), "PSNR (dB)")
        style.title(ax, text)
    style.same_range(axes)
    style.legend_below(figure, axes.flat[0], style.BAND)
    style.heading(figure, f"{data['image']}, pixels left out, dB at the end: "
                  + ranking(named(names, unseen[:, -1]), "{:.1f}"))
    return figure
