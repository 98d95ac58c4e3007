"""E7. How many units never switch on, and what has the range of the coordinates to do with it?

    python -m scripts.e7_dead_units [--quick] [--seeds 5] [--out out]

Hidden units that are off at every pixel, before and during training, for coordinates
stretched to [0,1], [-1,1], [-2,2] and [-3,3] and for the encodings.  At the start the
share of dead first-layer units is known exactly for the whole box (T27).

Writes e7_dead_units.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.measures import dead_count
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, ordering, rise
from scripts.runs import IMAGE, IMAGE_INPUTS, WIDE_INPUTS, image_runs, over_images

TITLE = "Dead units and the range of the coordinates"
SOURCE = "the paper's dead_neurons_image.py"
SHOWS = ("Units that are off at every pixel, through training. The wider the range of the coordinates, the fewer walls "
         "miss the image, before training and after.")
COORDINATES = ("[0,1]", "[-1,1]", *WIDE_INPUTS)


def runs(settings):
    return list(image_runs(settings, wide=True).values())


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds): dead units; and how many hidden units there are."""
    inputs = (*COORDINATES, *IMAGE_INPUTS[settings.scale][2:])
    table = over_images(settings, folder, lambda trained, net: dead_count(net, trained.x), inputs)
    return {**table, "units": sum(IMAGE[settings.scale].hidden)}


def claims(data):
    names, epochs, result = data["inputs"].tolist(), data["epochs"], []
    settled = int(np.argmin(np.abs(epochs - 50)))
    encodings = names[len(COORDINATES):]
    for image, table in zip(data["images"].tolist(), data["values"], strict=True):
        dead, tag = dict(zip(names, table, strict=True)), "-" + image.split()[0]
        coordinates = {name: dead[name] for name in COORDINATES}
        result += [
            Claim(f"E7a{tag}", f"{image}: dead units [0,1] > [-1,1] > [-2,2] > [-3,3] before and at every epoch of training",
                  means(coordinates, "{:.0f}"), ordering(dead, *COORDINATES)),
            Claim(f"E7b{tag}", f"{image}: more units are dead after the first epoch than before, for coordinates",
                  means({name: values[epochs <= 1] for name, values in coordinates.items()}, "{:.0f}"),
                  [Link(f"epoch 1 > epoch 0, {name}", (values[epochs == 1] - values[epochs == 0])[0])
                   for name, values in coordinates.items()]),
            Claim(f"E7c{tag}", f"{image}: at epoch {epochs[settled]} more than 1.5 times the initial number, for coordinates",
                  means({name: values[[0, settled]] for name, values in coordinates.items()}, "{:.0f}"),
                  [Link(f"epoch {epochs[settled]} > 1.5 x epoch 0, {name}", values[settled] - 1.5 * values[0])
                   for name, values in coordinates.items()],
                  why="For [0,1] so many units are dead at the start that half as many again are not lost on a natural image"),
            Claim(f"E7d{tag}", f"{image}: then less than 10 % more, for coordinates",
                  means({name: values[[settled, -1]] for name, values in coordinates.items()}, "{:.0f}"),
                  [Link(f"1.1 x epoch {epochs[settled]} > last, {name}", 0.1 * values[settled] - rise(values[settled:]))
                   for name, values in coordinates.items()]),
            Claim(f"E7e{tag}", f"{image}: fewer dead units with {encodings[-1]} than with [0,1] or [-1,1] at every epoch",
                  means({name: dead[name] for name in ("[0,1]", "[-1,1]", encodings[-1])}, "{:.0f}"),
                  ordering(dead, ("[0,1]", "[-1,1]"), encodings[-1])),
        ]
    return result


def draw(data):
    figure, axes = style.panels(1, 2)
    for ax, image, table in zip(axes.flat, data["images"].tolist(), data["values"], strict=True):
        style.over_epochs(ax, data["epochs"], dict(zip(data["inputs"].tolist(), table, strict=True)),
                          f"dead units of {data['units']}")
        ax.set_title(image, loc="left", fontsize="medium")
    style.same_range(axes, 0)
    style.legend_below(figure, axes.flat[0], style.BAND, columns=4)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
