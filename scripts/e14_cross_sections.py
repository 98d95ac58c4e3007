"""E14. What do planes through the space of encodings look like?

    python -m scripts.e14_cross_sections [--quick] [--seeds 5] [--out out]

Two planes through the origin of the 4L-dimensional input space of a trained network, in
the square [-1,1]^2: "low" varies the first two features, sin(pi x) and cos(pi x), "high"
the last two, sine and cosine of the top frequency of y; all other features are 0.  (Both
features of a plane belong to one coordinate, and no pixel is encoded as 0 elsewhere: the
planes are the paper's.)  Regions are counted exactly, for the first layer alone and for
the whole network.

Writes e14_cross_sections.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.mlp import MLP, restrict
from relu_dynamics.patterns import pattern
from relu_dynamics.regions2d import count_regions
from relu_dynamics.signals import grid
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, ordering
from scripts.runs import IMAGE_INPUTS, image_runs, read

TITLE = "Cross-sections of the encoding space"
SOURCE = "the paper's cross_section.py"
SHOWS = ("Planes through the space of encodings, every region exactly: along the lowest and the highest frequency, for a "
         "small and a large encoding.")
SQUARE = ((-1, 1), (-1, 1))
PIXELS = 256


def encodings(settings):
    """The middle and the highest encoding of the scale."""
    return IMAGE_INPUTS[settings.scale][3:]


def runs(settings):
    return [run for (image, name, _), run in image_runs(settings).items() if image == "photograph" and name in encodings(settings)]


def slices(net):
    """The network on the low and on the high plane."""
    axes = np.eye(net.weights[0].shape[1])
    return [restrict(net, np.zeros(len(axes)), plane) for plane in (axes[:2], axes[-2:])]


def measure(settings, folder):
    """regions (inputs, seeds, planes, 2): first layer, whole network; maps (inputs, planes, pixels, pixels, 3): the
    first seed's patterns on a raster, as colours."""
    wanted, table, maps = image_runs(settings), [], []
    for name in encodings(settings):
        nets = [read(wanted["photograph", name, seed], folder).nets[-1] for seed in settings.seeds]
        table.append([[[count_regions(first_layer(part), SQUARE), count_regions(part, SQUARE)] for part in slices(net)]
                      for net in nets])
        raster = 2 * grid((PIXELS, PIXELS), "closed") - 1
        maps.append([colours(pattern(part, raster)).reshape(PIXELS, PIXELS, 3) for part in slices(nets[0])])
    return {"inputs": np.array(encodings(settings)), "regions": np.array(table), "maps": np.array(maps)}


def colours(q):
    """(n, 3) 8-bit colours: the bits in a fixed random direction for each of red, green and blue, so near patterns look alike."""
    mixed = (q - q.mean(axis=0)) @ np.random.default_rng(0).normal(size=(q.shape[1], 3))
    return np.rint(255 * (0.55 + 0.4 * np.tanh(mixed / mixed.std(axis=0)))).astype(np.uint8)


def first_layer(net):
    """The first hidden layer alone, its units summed: the same walls and no others."""
    return MLP((net.weights[0], np.ones((1, len(net.biases[0])))), (net.biases[0], np.zeros(1)))


def claims(data):
    middle, high = data["inputs"].tolist()
    first = {f"{name} {plane}": data["regions"][k, :, p, 0] for k, name in enumerate((middle, high))
             for p, plane in enumerate(("low", "high"))}
    whole = {f"{name} {plane}": data["regions"][k, :, p, 1] for k, name in enumerate((middle, high))
             for p, plane in enumerate(("low", "high"))}
    return [
        Claim("E14a", f"first-layer regions on a plane: {middle} > {high}, on the low and on the high plane", means(first, "{:.0f}"),
              ordering(first, f"{middle} low", f"{high} low") + ordering(first, f"{middle} high", f"{high} high")),
        Claim("E14b", "the whole network has more regions than its first layer, on every plane", means(whole, "{:.0f}"),
              [Link(f"whole > first layer, {key}", whole[key] - first[key]) for key in first]),
        Claim("E14c", f"{high}: more first-layer regions on the high plane than on the low one",
              means({key: first[key] for key in (f"{high} high", f"{high} low")}, "{:.0f}"),
              ordering(first, f"{high} high", f"{high} low"),
                  why="The first layer of the highest encoding hardly moves from its random start, before which no plane is special; the paper trains for 2500 epochs"),
    ]


def draw(data):
    figure, axes = style.panels(2, 2, width=3.4, height=3.4)
    for row, name, maps, regions in zip(axes, data["inputs"].tolist(), data["maps"], data["regions"], strict=True):
        for ax, plane, image, counts in zip(row, ("low", "high"), maps, regions[0], strict=True):
            ax.imshow(image, origin="lower", extent=(-1, 1, -1, 1), interpolation="nearest")
            ax.set_title(f"{name}, {plane} plane: {counts[1]} regions,\n{counts[0]} of the first layer alone",
                         loc="left", fontsize="small")
            for side, word in ((ax.xaxis, "sine"), (ax.yaxis, "cosine")):
                side.set_label_text(f"{word} of the {'lowest' if plane == 'low' else 'top'} frequency", fontsize="small")
                side.set_ticks([-1, 0, 1])
    figure.supxlabel("patterns of the first seed: like colours are like patterns", fontsize="small", color="0.3")
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
