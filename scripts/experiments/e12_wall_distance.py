"""E12. How far is the nearest wall?

    python -m scripts.reproduce e12_wall_distance

Mean over pixels of the exact distance from the network's input to the boundary of its
activation region (T36), and of the paper's surrogate, |z| / |w| in each layer's own
input space.  Both are lengths in the space the network sees: for encodings that is the
space of sines and cosines.

Not made before looking: E12e.  E12a held on brighter images in earlier trials (12 of 12) and fails
on our natural ones; what differs is the mean of the image, which is what the first epoch learns.
So for the first and the last input one epoch is trained on the natural image with its values
shifted to a mean of 0.2 and of 0.65.
"""

import numpy as np

from relu_dynamics import distance_to_wall, forward, surrogate_distance
from scripts.lab import (
    Claim, each, extremes, image_inputs, image_runs, images, means, named, natural_image,
    natural_runs, over_checkpoints, read, rise, style,
)
from scripts.lab.rates import thinned
from scripts.lab.runs import train_as

TITLE = "Distance to the nearest wall"
SOURCE = "the paper's region_narrowness.py"
PAPER_EPOCHS = 2500
SHOWS = ("Mean distance to the nearest wall, exactly (left) and by the paper's surrogate "
         "(right), a line an input: above through training on one image, on a logarithmic "
         "scale as the spaces of inputs differ in size; below, how many times it grows in the "
         "first epoch, on every image. Beyond the first layer the two are not the same "
         "quantity.")
MEANS = (0.2, 0.65)  # of the shifted image


def runs(settings):
    return image_runs(settings).values()


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, 2): mean exact and mean surrogate distance, over
    16 x 16 pixels (at paper scale 64 x 64)."""
    side = 16 if settings.scale != "paper" else 64

    def distances(trained, net):
        trace = forward(net, thinned(trained, side)[1])
        return [distance_to_wall(net, trace).mean(), surrogate_distance(net, trace).mean()]

    table = over_checkpoints(image_runs(settings), folder, distances)
    first = {image: run for (image, _, _), run in image_runs(settings).items()}
    mean = [read(first[image], folder).y.mean() for image in images(settings)]
    return {**table, "mean": np.array(mean), "shifted": shifted(settings, folder, side),
            "ends": np.array(extremes(settings, image_inputs(settings))),
            "natural": natural_image(settings)[0]}


def shifted(settings, folder, side):
    """(inputs, means, seeds): the surrogate after one epoch over that before training, the natural
    image shifted to each of MEANS."""
    widening = []
    for run in natural_runs(settings, extremes(settings, image_inputs(settings))).values():
        trained = read(run, folder)
        start, x, y = trained.nets[0], trained.x, trained.y - trained.y.mean()
        nets = [start, *(train_as(run, start, x, y + mean, 1)[0] for mean in MEANS)]
        seen = thinned(trained, side)[1]
        before, *after = (surrogate_distance(net, seen).mean() for net in nets)
        widening.append(np.divide(after, before))
    return np.array(widening).reshape(-1, len(settings.seeds), len(MEANS)).swapaxes(1, 2)


def claims(data):
    names, epochs, result = data["inputs"].tolist(), data["epochs"], []
    for image, table, mean in zip(data["images"].tolist(), data["values"], data["mean"].tolist(),
                                  strict=True):
        for kind, words in enumerate((("c", "d", "exact", "question"),
                                      ("a", "b", "surrogate", "paper"))):
            wider, falls, word, whose = words
            distance = named(names, table[..., kind])
            start = {name: values[epochs <= 1] for name, values in distance.items()}
            later = {name: values[epochs >= 1] for name, values in distance.items()}
            result += [
                Claim(f"E12{wider}", f"the first epoch widens the {word} distance threefold or "
                                     f"more, for every input (compared as log10)",
                      means(start, log=True),
                      each("epoch 1 > 3 x epoch 0", start, lambda d: np.log10(d[-1] / (3 * d[0]))),
                      kind=whose, image=image,
                      why=f"the mean of the image, {mean:.2f}, decides how far it widens (E12e)"),
                Claim(f"E12{falls}", f"then the {word} distance falls, for every input (compared "
                                     "as log10)", means(later, log=True),
                      each("epoch 1 > last", later, lambda d: -rise(np.log10(d))), kind=whose,
                      image=image),
            ]
    dark, bright = (named(data["ends"].tolist(), data["shifted"][:, k]) for k in range(2))
    more = {name: np.log10(bright[name] / dark[name]) for name in dark}
    shown = (f"{mean}: "
             f"{means(of, log=True)}" for mean, of in zip(MEANS, (dark, bright), strict=True))
    result.append(Claim("E12e", f"shifted to a mean of {MEANS[1]} the first epoch widens the "
                                f"surrogate more than shifted to {MEANS[0]} (log10 of the ratio)",
                        "; ".join(shown), each("bright > dark", more), kind="question",
                        image=str(data["natural"])))
    return result


def draw(data):
    """Above: one image through training; below: by how much the first epoch widens, every image."""
    figure, axes = style.panels(2, 2, sharey="row")
    names, images = data["inputs"].tolist(), data["images"].tolist()
    shown = style.main_image(images)
    soon = 1 if len(data["epochs"]) > 1 else 0
    growth = data["values"][:, :, soon] / data["values"][:, :, 0]  # (images, inputs, seeds, 2)
    for column, kind, word in zip(axes.T, (0, 1), ("exact", "surrogate |z| / |w|"), strict=True):
        style.over_epochs(column[0], data["epochs"], named(names, data["values"][shown, ..., kind]),
                          "" if kind else "mean distance to a wall\n(in the space of inputs)")
        style.title(column[0], f"{word}, {images[shown]}")
        style.over_images(column[1], images, named(names, growth[..., kind].swapaxes(0, 1)),
                          "" if kind else "after one epoch /\nbefore training")
        style.title(column[1], f"{word}: the first epoch")
        column[1].axhline(1, color="0.6", linewidth=0.8, zorder=0)
        column[0].set_yscale("log")
        column[1].set_yscale("log")
    style.plain_ticks(axes[1])
    style.legend_below(figure, axes.flat[0], style.LINES_AND_DOTS)
    exact, surrogate = np.median(growth, axis=2)[..., 0], np.median(growth, axis=2)[..., 1]
    style.heading(figure, f"In the first epoch the distance to a wall grows {exact.min():.2g} to "
                  f"{exact.max():.2g} times exactly, the surrogate {surrogate.min():.2g} to "
                  f"{surrogate.max():.2g} times (medians by image and input)")
    return figure
