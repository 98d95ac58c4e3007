"""E17. Does a deeper and wider network tell neighbouring pixels apart better?

    python -m scripts.reproduce e17_depth_and_width

Hamming distance over the number of hidden units, between neighbouring and distant pixels of
a 64x64 random image, for networks of 2x128, 4x256 and 6x512 units, coordinates [0,1] against
L=5.  The paper trains for 5000 epochs; here for 5 (100 at paper scale): the orderings are
there from the start, and the largest network is dear.
"""

import numpy as np

from scripts.lab import (
    Claim, Setup, chain, coordinates, each, encodings, every, extremes, image_pairs, image_setup,
    images, made_run, mean_distances, means, named, ordered_in_each, over_checkpoints, style,
)
from scripts.lab.headings import against

TITLE = "Depth and width"
SOURCE = "the paper's appendix, section 3, coordinate_networks.py"
PAPER_EPOCHS = 5000
SHOWS = ("The share of units in which two pixels differ, by size of the network, for two "
         "inputs: lines after training, open dots before; neighbours on the left, distant "
         "pixels on the right.")
PLACES = ("local", "global")
SIZES = {"quick": ((32,) * 2, (48,) * 3, (64,) * 4), "laptop": ((128,) * 2, (256,) * 4, (512,) * 6),
         "paper": ((128,) * 2, (256,) * 4, (512,) * 6)}
SETUPS = {"quick": Setup(32, (), 2, 256, (0, 1, 2)), "laptop": Setup(64, (), 5, 256, (0, 1, 5)),
          "paper": Setup(64, (), 100, 256, (0, 1, 5, 100))}


def wanted(settings):
    """(size, input, seed) -> run, on the first of the images: the random one, or the user's."""
    signal, setup = next(iter(images(settings).values())), image_setup(settings, SETUPS)
    fixed = settings._replace(hidden=())  # the sizes are what is compared
    return {(f"{len(hidden)}x{hidden[0]}", name, seed):
            made_run(setup._replace(hidden=hidden), signal, name, seed, fixed)
            for hidden in SIZES[settings.scale] for name in extremes(settings, ("[0,1]", "L=5"))
            for seed in settings.seeds}


def runs(settings):
    return wanted(settings).values()


def measure(settings, folder):
    """values (sizes, inputs, checkpoints, seeds, 2): mean Hamming distance of local and of global
    pairs; units (sizes,)."""
    def distances(trained, net):
        return mean_distances(net, trained.x, image_pairs(trained))

    table = over_checkpoints(wanted(settings), folder, distances, axes=("sizes", "inputs"))
    return {**table, "image": next(iter(images(settings))),
            "units": np.array([sum(hidden) for hidden in SIZES[settings.scale]])}


def claims(data):
    sizes, names, values = data["sizes"].tolist(), data["inputs"].tolist(), data["values"]
    share, everywhere = values / data["units"][:, None, None, None, None], every(data["epochs"])
    of = {(name, place): named(sizes, share[:, i, ..., p])
          for i, name in enumerate(names) for p, place in enumerate(PLACES)}
    raw = {name: named(sizes, values[:, i, ..., 0]) for i, name in enumerate(names)}
    result = [ordered_in_each("E17d", f"locally the Hamming distance itself grows with size, {{}}, "
                                      f"for every input, {everywhere}",
                              chain(*reversed(sizes)), raw)]
    for low in coordinates(names)[:1]:
        local = of[low, "local"]
        result.append(Claim("E17c",
                            f"{low}: locally at most 3 % of the units differ, at every size, "
                            f"{everywhere}", means(local),
                            each("0.03 > share", local, lambda share: 0.03 - share)))
    for high in encodings(names)[-1:]:
        result.append(ordered_in_each("E17b", f"{high}: the share falls with size, {{}}, locally "
                                              f"and globally, {everywhere}", chain(*sizes),
                                      {place: of[high, place] for place in PLACES}))
        for low in coordinates(names)[:1]:
            near = {f"{name} {size}": of[name, "local"][size] for size in sizes
                    for name in (low, high)}
            gap = {size: near[f"{high} {size}"] - 3 * near[f"{low} {size}"] for size in sizes}
            result.append(Claim("E17a",
                                f"locally the share for {high} is more than three times that for "
                                f"{low}, at every size, {everywhere}",
                                means(near), each(f"{high} > 3 x {low}", gap)))
    return [claim._replace(image=str(data["image"])) if data["image"] != "random image" else claim
            for claim in result]


def draw(data):
    figure, axes = style.panels(1, 2, height=3.0)
    names, sizes = data["inputs"].tolist(), data["sizes"].tolist()
    ratio = data["values"] / data["units"][:, None, None, None, None]
    x = np.arange(len(sizes))
    for ax, place, text in zip(axes[0], range(2), ("local pairs", "global pairs"), strict=True):
        for i, name in enumerate(names):
            style.with_band(ax, x, ratio[:, i, -1, :, place], name)
            style.ranges(ax, x, ratio[:, i, 0, :, place], style.colour(name),
                         f"{name} before training", face="white")
        ax.set_xticks(x, sizes)
        ax.set_xlabel("hidden layers x width")
        ax.set_ylabel("share of units that differ")
        ax.set_ylim(0)
        style.title(ax, f"{text}, after {data['epochs'][-1]} epochs")
    style.legend_below(figure, axes[0, 0], style.LINES_AND_DOTS)
    style.heading(figure, against(
        named(names, ratio[-1, :, -1, :, 0]),
        f"Networks of {sizes[-1]}: the share of units in which neighbours differ under {{last}} is "
        f"{{times}} that on {{first}}",
        f"share of units in which neighbours differ, {sizes[-1]}"))
    return figure
