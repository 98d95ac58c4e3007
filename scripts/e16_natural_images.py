"""E16. Is it the same for other natural images?

    python -m scripts.e16_natural_images [--quick] [--seeds 5] [--out out]

Two more images that come with matplotlib, the terrain of a fault in Tennessee and a slice of
a brain scan, both grey: 4x128 units and 64x64 pixels for 100 epochs (4x256 units, 256x256
pixels for 1000 at paper scale), coordinates [0,1] against L=6.  Hamming distance, gradient
confusion, dead units, the distance to the nearest wall and the angles between hyperplanes,
as in E5, E8, E7, E12 and E11.

Writes e16_natural_images.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.measures import dead_count, hamming_of_pairs
from relu_dynamics.mlp import predict
from relu_dynamics.tangent import confusion_of_pairs
from relu_dynamics.walls import hyperplane_cosines, surrogate_distance
from scripts import experiment, style
from scripts.e5_image_hamming import pairs_of
from scripts.ledger import Claim, Link, means, ordering
from scripts.runs import Setup, make_run, over_checkpoints, problem, read

TITLE = "Other natural images"
SOURCE = "the paper's appendix, section 1"
SHOWS = ("The images, what each network makes of them, and Hamming distance and gradient confusion through training: the orderings of the "
         "photograph hold on terrain and on a brain scan.")
SIGNALS, INPUTS = ("elevation", "brain"), ("[0,1]", "L=6")
QUANTITIES = ("local Hamming distance", "global Hamming distance", "spread of local cosines", "dead units", "surrogate distance", "mean cosine of rows")
SETUPS = {
    "quick": Setup(32, (32,) * 4, 5, 256, (0, 1, 5)),
    "laptop": Setup(64, (128,) * 4, 100, 256, (0, 1, 10, 50, 100)),
    "paper": Setup(256, (256,) * 4, 1000, 8192, (0, 1, 50, *range(100, 1001, 100))),
}


def wanted(settings):
    return {(signal, name, seed): make_run(SETUPS[settings.scale], signal, name, seed, settings)
            for signal in SIGNALS for name in INPUTS for seed in settings.seeds}


def runs(settings):
    return list(wanted(settings).values())


def quantities(trained, net):
    """One number for each of QUANTITIES."""
    local, far = pairs_of(trained)
    rows = [C[~np.eye(len(C), dtype=bool)].mean() for C in hyperplane_cosines(net)[1:]]
    return [hamming_of_pairs(net, trained.x, local).sum(axis=1).mean(), hamming_of_pairs(net, trained.x, far).sum(axis=1).mean(),
            np.nanstd(confusion_of_pairs(net, trained.x, trained.y, *local)), dead_count(net, trained.x),
            surrogate_distance(net, trained.x).mean(), np.mean(rows)]


def measure(settings, folder):
    """values (signals, inputs, checkpoints, seeds, quantities); image (signals, side, side); fit (signals, inputs, side, side): the first seed."""
    table, fits, images = [], [], []
    for signal in SIGNALS:
        epochs, values = over_checkpoints(wanted(settings), folder, lambda name, seed, signal=signal: (signal, name, seed), INPUTS, settings.seeds,
                                          quantities)
        table.append(values)
        shown = [read(wanted(settings)[signal, name, settings.seeds[0]], folder) for name in INPUTS]
        fits.append([predict(one.nets[-1], one.x).reshape(one.shape) for one in shown])
        images.append(problem(shown[0].run)[2].reshape(shown[0].shape))
    return {"epochs": epochs, "values": np.array(table), "fit": np.array(fits), "image": np.array(images)}


def claims(data):
    result, trained = [], data["epochs"] >= 1
    for signal, table in zip(SIGNALS, data["values"], strict=True):
        local, far, spread, dead, surrogate, rows = ({name: values[..., q] for name, values in zip(INPUTS, table, strict=True)}
                                                     for q in range(len(QUANTITIES)))
        late = {name: values[data["epochs"] >= min(50, data["epochs"][-1])] for name, values in spread.items()}
        result += [
            Claim(f"E16a-{signal}", f"{signal}: local Hamming distance L=6 > [0,1] at every epoch", means(local), ordering(local, "L=6", "[0,1]")),
            Claim(f"E16b-{signal}", f"{signal}: local < global for both inputs at every epoch", means({name: far[name] - local[name] for name in INPUTS}),
                  [Link(f"global > local, {name}", (far[name] - local[name]).min(axis=0)) for name in INPUTS]),
            Claim(f"E16c-{signal}", f"{signal}: global Hamming distance of [0,1] overtakes that of L=6 by the end",
                  means({name: values[-1] for name, values in far.items()}), ordering({name: values[-1] for name, values in far.items()}, "[0,1]", "L=6"),
                  why="In the paper it happens on some images, in up to 5000 epochs; here after 100 the distance of [0,1] is still rising"),
            Claim(f"E16d-{signal}", f"{signal}: spread of local cosines [0,1] > L=6 from epoch 50", means(late), ordering(late, "[0,1]", "L=6")),
            Claim(f"E16e-{signal}", f"{signal}: more dead units for [0,1] at every epoch", means(dead, "{:.0f}"), ordering(dead, "[0,1]", "L=6")),
            Claim(f"E16f-{signal}", f"{signal}: rows of the later layers turn towards one another (mean cosine, last - first epoch), for both inputs",
                  means({name: values[trained] for name, values in rows.items()}),
                  [Link(f"end > before training, {name}", values[-1] - values[0]) for name, values in rows.items()]),
            Claim(f"E16g-{signal}", f"{signal}: the surrogate distance to the nearest wall grows threefold in the first epoch, for both inputs",
                  means({name: values[:2] for name, values in surrogate.items()}),
                  [Link(f"epoch 1 > 3 x before, {name}", values[1] - 3 * values[0]) for name, values in surrogate.items()],
                  why="It widens, but less than threefold: the factor depends on the image and on how many steps an epoch has"),
        ]
    return result


def draw(data):
    figure, axes = style.panels(2, 6, width=2.5, height=2.5)
    for row, signal, image, fits, table in zip(axes, SIGNALS, data["image"], data["fit"], data["values"], strict=True):
        for ax, picture, title in zip(row, (image, *fits), (signal, *(style.label(name) for name in INPUTS)), strict=False):
            ax.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=(0, 1, 1, 0))
            ax.set_title(title, loc="left", fontsize="small")
            ax.set_xticks([0, 1])
            ax.set_yticks([0, 1])
        for ax, q in zip(row[3:], (0, 1, 2), strict=True):
            style.over_epochs(ax, data["epochs"], {name: values[..., q] for name, values in zip(INPUTS, table, strict=True)}, "")
            ax.set_title(QUANTITIES[q] + (" (units)" if "Hamming" in QUANTITIES[q] else ""), loc="left", fontsize="small")
            ax.set_xlabel("epoch")
    for column in axes.T[3:]:
        style.same_range(column, 0)
    style.legend_below(figure, axes[0, 3], style.BAND)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
