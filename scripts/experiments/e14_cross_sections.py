"""E14. What do planes through the space of encodings look like?

    python -m scripts.reproduce e14_cross_sections

Two planes through the origin of the 4L-dimensional input space of a trained network, in
the square [-1,1]^2: "low" varies the first two features, sin(pi x) and cos(pi x), "high"
the last two, sine and cosine of the top frequency of y; all other features are 0.  (Both
features of a plane belong to one coordinate, and no pixel is encoded as 0 elsewhere: the
planes are the paper's.)  Regions are counted exactly, for the first layer alone and for
the whole network.
"""

import numpy as np

from relu_dynamics import MLP, count_regions, grid, pattern, restrict
from scripts.lab import (
    Claim, chain, each, encodings, image_inputs, means, named, natural_image, natural_runs,
    ordered, ordered_in_each, read, style,
)
from scripts.lab.headings import ranking

TITLE = "Cross-sections of the encoding space"
SOURCE = "the paper's cross_section.py"
PAPER_EPOCHS = 2500
SHOWS = ("Patterns in planes through the space of encodings, first seed, like colours for like "
         "patterns, with the exact number of regions: on the left along the lowest frequency, "
         "on the right along the highest, one row an encoding.")
SQUARE = ((-1, 1), (-1, 1))
PIXELS = 256
PLANES = ("low", "high")


def compared(settings):
    """The two highest encodings of the inputs."""
    return encodings(image_inputs(settings))[-2:] or ["L=3", "L=6"]


def runs(settings):
    return natural_runs(settings, compared(settings)).values()


def slices(net):
    """The network on the low and on the high plane."""
    axes = np.eye(net.weights[0].shape[1])
    return [restrict(net, np.zeros(len(axes)), plane) for plane in (axes[:2], axes[-2:])]


def measure(settings, folder):
    """regions (inputs, seeds, planes, 2): first layer, whole network; maps (inputs, planes, pixels,
    pixels, 3): the first seed's patterns on a raster, as colours."""
    wanted, table, maps = natural_runs(settings, compared(settings)), [], []
    raster = 2 * grid((PIXELS, PIXELS), "closed") - 1
    for name in compared(settings):
        trained = [read(wanted[name, seed], folder) for seed in settings.seeds]
        table.append([[[count_regions(first_layer(part), SQUARE), count_regions(part, SQUARE)]
                       for part in slices(one.nets[-1])]
                      for one in trained])
        maps.append([colours(pattern(part, raster)).reshape(PIXELS, PIXELS, 3)
                     for part in slices(trained[0].nets[-1])])
    return {"inputs": np.array(compared(settings)), "image": natural_image(settings)[0],
            "epochs": trained[0].epochs,
            "regions": np.array(table), "maps": np.array(maps)}


def colours(q):
    """(n, 3) 8-bit colours: the bits in a fixed random direction for each of red, green and blue,
    so near patterns look alike."""
    mixed = (q - q.mean(axis=0)) @ np.random.default_rng(0).normal(size=(q.shape[1], 3))
    return np.rint(255 * (0.55 + 0.4 * np.tanh(mixed / mixed.std(axis=0)))).astype(np.uint8)


def first_layer(net):
    """The first hidden layer alone, its units summed: the same walls and no others."""
    return MLP((net.weights[0], np.ones((1, len(net.biases[0])))), (net.biases[0], np.zeros(1)))


def claims(data):
    names = data["inputs"].tolist()
    first, whole = ({plane: named(names, data["regions"][:, :, p, part])
                     for p, plane in enumerate(PLANES)} for part in (0, 1))
    every = {f"{name}, {plane} plane": whole[plane][name] for plane in PLANES for name in names}
    gap = {f"{name}, {plane} plane": whole[plane][name] - first[plane][name]
           for plane in PLANES for name in names}
    high = {plane: first[plane][names[-1]] for plane in PLANES}
    result = [
        ordered_in_each("E14a", "first-layer regions {}, on the low and on the high plane",
                        chain(*names), first, form="{:.0f}"),
        Claim("E14b", "the whole network has more regions than its first layer, on every plane",
              means(every, "{:.0f}"),
              each("whole > first layer", gap), kind="identity"),
        ordered("E14c", f"{names[-1]}: first-layer regions, planes {{}}", chain("high", "low"),
                high, form="{:.0f}",
                needs="before training no plane is special, and in 300 epochs the first layer "
                      "hardly moves; the paper has 2500 of 32 steps"),
    ]
    return [claim._replace(image=str(data["image"])) for claim in result]


def draw(data):
    figure, axes = style.panels(len(data["inputs"]), 2, height=3.5)
    names, whole = data["inputs"].tolist(), data["regions"][..., 1].swapaxes(1, 2)
    for row, name, maps, regions in zip(axes, names, data["maps"], data["regions"], strict=True):
        for ax, plane, image, counts in zip(row, PLANES, maps, regions[0], strict=True):
            ax.imshow(image, origin="lower", extent=(-1, 1, -1, 1), interpolation="nearest")
            style.title(ax, f"{name}, {plane} plane: {counts[1]} regions,\n"
                            f"{counts[0]} of the first layer alone")
            for side, word in ((ax.xaxis, "sine"), (ax.yaxis, "cosine")):
                side.set_label_text(f"{word} of the {'lowest' if plane == 'low' else 'top'} "
                                    f"frequency")
                side.set_ticks([-1, 0, 1])
    figure.supxlabel("first seed; like colours are like patterns", fontsize="small")
    style.heading(figure, "Regions of a plane, median over seeds: " + ranking(
        {f"{name}\xa0{plane}": whole[i, p] for i, name in enumerate(names)
         for p, plane in enumerate(PLANES)}, "{:.0f}"))
    return figure
