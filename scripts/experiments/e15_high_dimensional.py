"""E15. Are gradients bound together in high dimension, as they are on dense coordinates?

    python -m scripts.reproduce e15_high_dimensional

Data in 64 dimensions instead of pixels in 2: grey 8x8 patches of the photograph, to be told
by the sixteenth of it they come from, and ten Gaussian clouds, to be told apart.  (The paper
has MNIST, Fashion-MNIST and CIFAR, a cross entropy and also a convolutional network; these
two data sets are here without a download, the loss is the squared error to the class's unit
vector, the network 2x128.)  For 250 random examples (2500 at paper scale): pairs with their
25 nearest examples of any class, the 25 nearest of another class among the nearest fifth,
and the 25 farthest.  Beside them, neighbouring pixels of the photograph, as in E8, on coordinates
[0,1].
"""

import numpy as np
from scipy.spatial.distance import cdist

from relu_dynamics import Pairs, confusion_of_pairs
from scripts.lab import (
    PATCHES, Claim, Setup, chain, each, image_inputs, image_pairs, made_run, mean_distances,
    means, named, natural_image, natural_runs, ordered, ordering, over_checkpoints, read, stream,
    style,
)
from scripts.lab.headings import ranking

TITLE = "High-dimensional data"
SOURCE = "the paper's hamming_/confusion_real_data_mlp.py"
PAPER_EPOCHS = 100
SHOWS = ("Above, histograms of the cosine between the gradients of near and of far pairs, in "
         "two greens for the two data sets, on the left beside neighbouring pixels on "
         "coordinates, dashed. Below, Hamming distances of near and far pairs through "
         "training, a panel a data set.")
DATA = ("patches", "mixture")
KINDS = ("near, any class", "near, other class", "far")
EDGES = np.linspace(-1, 1, 51)
SETUPS = {
    "quick": Setup(512, (32, 32), 5, 128, (0, 1, 5)),
    "laptop": Setup(2048, (128, 128), 50, 256, (0, 1, 5, 10, 25, 50)),
    "paper": Setup(8192, (512,) * 4, 100, 512, (0, 1, *range(5, 101, 5))),
}


def wanted(settings):
    """(data, seed) -> run."""
    signals = {"patches": PATCHES + natural_image(settings)[1], "mixture": "mixture"}
    return {(name, seed): made_run(SETUPS[settings.scale], signals[name], "raw", seed, settings)
            for name in DATA for seed in settings.seeds}


def pixels(settings):
    """The networks on the first input of the image that the patches are cut from, to compare
    with."""
    return natural_runs(settings, image_inputs(settings)[:1])


def runs(settings):
    return [*wanted(settings).values(), *pixels(settings).values()]


def kinds_of_pairs(trained):
    """Pairs near, near but of another class, and far, of a few random examples."""
    rng, n = stream(trained.run, "pairs"), len(trained.x)
    anchors, label = rng.choice(n, min(250 if n < 8192 else 2500, n // 2),
                                replace=False), trained.y.argmax(axis=1)
    distance = cdist(trained.x[anchors], trained.x)
    order = np.argsort(distance, axis=1)[:, 1:]  # without the anchor itself
    nearer = zip(anchors, order[:, : n // 5], strict=True)
    other = [row[label[row] != label[a]] for a, row in nearer]
    picks = (order[:, :25], [row[:25] for row in other], order[:, -25:])
    return [Pairs(np.repeat(anchors, [len(row) for row in rows]), np.concatenate(list(rows)))
            for rows in picks]


def measure(settings, folder):
    """distance (data, checkpoints, seeds, kinds): mean Hamming distance; cosine (data, kinds,
    seeds, 3): at the end, the share with |cos| > 0.9, the mean and the mean size; counts (1 + data,
    3, bins): histograms at the end, first of neighbouring pixels alone; local (seeds,): the pixels'
    share with |cos| > 0.9."""
    def distances(trained, net):
        return mean_distances(net, trained.x, kinds_of_pairs(trained))

    table = over_checkpoints(wanted(settings), folder, distances, axes=("data",))
    cosine, counts = [], np.zeros((1 + len(DATA), len(KINDS), len(EDGES) - 1))
    for d, name in enumerate(DATA):
        trained = [read(wanted(settings)[name, seed], folder) for seed in settings.seeds]
        of = [[confusion_of_pairs(one.nets[-1], one.x, one.y, *pairs)
               for pairs in kinds_of_pairs(one)] for one in trained]
        cosine.append([[[np.mean(abs(by[k]) > 0.9), np.nanmean(by[k]), np.nanmean(abs(by[k]))]
                        for by in of] for k in range(len(KINDS))])
        counts[1 + d] = [np.histogram(np.concatenate([by[k] for by in of]), EDGES)[0]
                         for k in range(len(KINDS))]
    images = [read(run, folder) for run in pixels(settings).values()]
    beside = [confusion_of_pairs(one.nets[-1], one.x, one.y, *image_pairs(one)[0])
              for one in images]
    counts[0, 0] = np.histogram(np.concatenate(beside), EDGES)[0]
    return {"epochs": table["epochs"], "edges": EDGES, "distance": table["values"],
            "cosine": np.array(cosine), "counts": counts,
            "input": image_inputs(settings)[0], "image": natural_image(settings)[0],
            "local": np.array([np.mean(abs(c) > 0.9) for c in beside])}


def claims(data):
    result, beside = [], f"pixels, {data['input']}"
    for name, distance, cosine in zip(DATA, data["distance"], data["cosine"], strict=True):
        end = named(KINDS, distance[-1].T)
        mean, size = (named(KINDS, cosine[:, :, k]) for k in (1, 2))
        piled = {beside: data["local"], f"{name}, near": cosine[0, :, 0]}
        near, other, far = KINDS
        compared = f", of the same image ({data['image']})" if name == "patches" else ""
        result += [
            ordered(f"E15a-{name}", f"{name}: Hamming distance at the end {{}}",
                    f"{far} > {other} ≥ {near}", end, margin=1),
            ordered(f"E15b-{name}",
                    f"{name}: near pairs are less bound together than neighbouring "
                    f"pixels{compared}: share with |cos| > 0.9, {{}}",
                    chain(*piled), piled),
            Claim(f"E15c-{name}",
                  f"{name}: gradients of far pairs are nearly orthogonal: mean |cos| below 0.1, "
                  f"and {near} > {far}", means(size),
                  [*each("0.1 > mean |cos|", {far: 0.1 - size[far]}),
                   *ordering(chain(near, far), size)]),
            ordered(f"E15d-{name}",
                    f"{name}: near pairs pull together within a class, apart across classes: mean "
                    f"cos {{}}",
                    chain(near, other), mean),
        ]
    return result


def draw(data):
    """Above: cosines of near and far pairs; below: Hamming distances, by kind of pair."""
    figure, axes = style.panels(2, 2, height=2.7)
    edges, pixels = data["edges"], f"neighbouring pixels, {data['input']}"
    look = {**style.look(str(data["input"])), "label": pixels}
    axes[0, 0].stairs(data["counts"][0, 0] / data["counts"][0, 0].sum(), edges, linewidth=1.4,
                      **look)
    for k, (name, counts) in enumerate(zip(DATA, data["counts"][1:], strict=True)):
        for ax, kind in zip(axes[0], (0, 2), strict=True):
            ax.stairs(counts[kind] / counts[kind].sum(), edges, color=style.shade(k, len(DATA)),
                      label=name, linewidth=1.4)
    for ax, text in zip(axes[0], ("near pairs", "far pairs"), strict=True):
        style.title(ax, f"{text}, at the end")
        ax.set_yscale("log")
        ax.set_xlabel("cosine of two loss gradients")
        ax.set_ylabel("share of pairs")
    style.same_range(axes[0])
    for ax, name, distance in zip(axes[1], DATA, data["distance"], strict=True):
        for kind, line, grey, values in zip(KINDS, ("-", "--", ":"), ("black", "0.35", "0.6"),
                                            np.moveaxis(distance, 2, 0), strict=True):
            style.shaded(ax, data["epochs"], values, grey, kind, line)
        style.epochs_axis(ax, data["epochs"], "Hamming distance (units)")
        style.title(ax, name)
    style.same_range(axes[1], 0)
    style.legend_below(figure, (axes[0, 0], axes[1, 0]), "histograms: all seeds pooled; "
                       + style.BAND, columns=3)
    style.heading(figure, "Pairs bound together (|cos| > 0.9), in %: " + ranking(
        {pixels: 100 * data["local"],
         **{f"near pairs of the {name}": 100 * cosine[0, :, 0]
            for name, cosine in zip(DATA, data["cosine"], strict=True)}}))
    return figure
