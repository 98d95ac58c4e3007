"""E7. How many units never switch on, and what has the range of the coordinates to do with it?

    python -m scripts.reproduce e7_dead_units

Hidden units that are off at every pixel, before and during training, for coordinates
stretched to [0,1], [-1,1], [-2,2] and [-3,3] and for the encodings.  At the start the
share of dead first-layer units is known exactly for the whole box (T27).
"""

import numpy as np

from relu_dynamics import dead_count
from scripts.lab import (
    Claim, chain, coordinates, each, encodings, every, image_inputs, image_runs, image_setup,
    in_order, means, named, ordered, over_checkpoints, rise, style,
)
from scripts.lab.headings import ranking

TITLE = "Dead units and the range of the coordinates"
SOURCE = "the paper's dead_neurons_image.py"
PAPER_EPOCHS = 1000
SHOWS = ("Units that are off at every pixel, one line an input: on one image through training, "
         "and on every image at the end.")
WIDER = ("[-2,2]", "[-3,3]")


def inputs(settings):
    """Those of the other experiments, and unless the user chose, wider coordinates."""
    return in_order([*image_inputs(settings), *(() if settings.inputs else WIDER)])


def runs(settings):
    return image_runs(settings, inputs(settings)).values()


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds): dead units; and how many hidden units there
    are."""
    table = over_checkpoints(image_runs(settings, inputs(settings)), folder, lambda trained,
                             net: dead_count(net, trained.x))
    return {**table, "units": sum(settings.hidden or image_setup(settings).hidden)}


def claims(data):
    names, epochs, result = data["inputs"].tolist(), data["epochs"], []
    settled = int(np.argmin(np.abs(epochs - 50)))
    at = f"epoch {epochs[settled]}"
    few, many, everywhere, form = coordinates(names), encodings(names), every(epochs), "{:.0f}"
    for image, table in zip(data["images"].tolist(), data["values"], strict=True):
        dead = named(names, table)
        start = {name: dead[name][epochs <= 1] for name in few}
        soon = {name: dead[name][[0, settled]] for name in few}
        late = {name: dead[name][settled:] for name in few}
        result += [
            ordered("E7a", f"dead units {{}} {everywhere}", chain(*few), dead,
                    shown={name: dead[name] for name in few}, form=form, image=image),
            Claim("E7b", "more units are dead after the first epoch than before, for coordinates",
                  means(start, form),
                  each("epoch 1 > epoch 0", start, lambda n: n[-1] - n[0]), image=image),
            Claim("E7c", f"at {at} more than 1.5 times the initial number, for "
                         f"coordinates", means(soon, form),
                  each(f"{at} > 1.5 x epoch 0", soon, lambda n: n[1] - 1.5 * n[0]),
                  image=image),
            Claim("E7d", "then less than 10 % more, for coordinates", means(late, form),
                  each(f"1.1 x {at} > last", late, lambda n: 0.1 * n[0] - rise(n)),
                  image=image),
            ordered("E7e", f"dead units {{}} {everywhere}", chain(few[:2], many[-1:]), dead,
                    shown={name: dead[name] for name in few[:2] + many[-1:]}, form=form,
                    image=image),
        ]
    return result


def draw(data):
    figure, axes = style.panels(1, 2, height=3.0)
    names, shown = data["inputs"].tolist(), style.main_image(data["images"].tolist())
    style.trained_images(axes[0], data, data["values"], f"dead units of {data['units']}")
    style.same_range(axes, 0)
    style.legend_below(figure, axes.flat[0], style.LINES_AND_DOTS)
    style.heading(figure, f"{data['images'][shown]}: dead units of {data['units']} at the end: "
                  + ranking(named(names, data["values"][shown, :, -1]), "{:.0f}"))
    return figure
