"""E15. Are gradients bound together in high dimension, as they are on dense coordinates?

    python -m scripts.e15_high_dimensional [--quick] [--seeds 5] [--out out]

Data in 64 dimensions instead of pixels in 2: grey 8x8 patches of the photograph, to be told
by the sixteenth of it they come from, and ten Gaussian clouds, to be told apart.  (The paper
has MNIST, Fashion-MNIST and CIFAR, a cross entropy and also a convolutional network; these
two data sets are here without a download, the loss is the squared error to the class's unit
vector, the network 2x128.)  For 250 random examples (2500 at paper scale): pairs with their
25 nearest examples of any class, the 25 nearest of another class among the nearest fifth,
and the 25 farthest.  Beside them, neighbouring pixels of E8, coordinates [0,1].

Writes e15_high_dimensional.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist

from relu_dynamics.measures import Pairs, hamming_of_pairs
from relu_dynamics.tangent import confusion_of_pairs
from scripts import experiment, style
from scripts.e5_image_hamming import pairs_of
from scripts.ledger import Claim, Link, means, ordering
from scripts.runs import Setup, image_runs, make_run, read, stream

TITLE = "High-dimensional data"
SOURCE = "the paper's hamming_/confusion_real_data_mlp.py"
SHOWS = ("On the left, histograms of the cosine between the gradients of near pairs, beside neighbouring pixels on coordinates, and of far "
         "pairs, which are nearly orthogonal. On the right, Hamming distances of near and far pairs through training.")
DATA = ("patches", "mixture")
KINDS = ("near, any class", "near, other class", "far")
EDGES = np.linspace(-1, 1, 51)
SETUPS = {
    "quick": Setup(512, (32, 32), 5, 128, (0, 1, 5)),
    "laptop": Setup(2048, (128, 128), 50, 256, (0, 1, 5, 10, 25, 50)),
    "paper": Setup(8192, (512,) * 4, 100, 512, (0, 1, *range(5, 101, 5))),
}


def wanted(settings):
    return {(name, seed): make_run(SETUPS[settings.scale], name, "raw", seed, settings) for name in DATA for seed in settings.seeds}


def pixels(settings):
    return [image_runs(settings)["random image", "[0,1]", seed] for seed in settings.seeds]


def runs(settings):
    return [*wanted(settings).values(), *pixels(settings)]


def kinds_of_pairs(trained):
    """Pairs near, near but of another class, and far, of a few random examples."""
    rng, n = stream(trained.run, "pairs"), len(trained.x)
    anchors, label = rng.choice(n, min(250 if n < 8192 else 2500, n // 2), replace=False), trained.y.argmax(axis=1)
    order = np.argsort(cdist(trained.x[anchors], trained.x), axis=1)[:, 1:]  # without the anchor itself
    other = [row[label[row] != label[a]] for a, row in zip(anchors, order[:, : n // 5], strict=True)]
    picks = (order[:, :25], [row[:25] for row in other], order[:, -25:])
    return [Pairs(np.repeat(anchors, [len(row) for row in rows]), np.concatenate(list(rows))) for rows in picks]


def measure(settings, folder):
    """distance (data, kinds, checkpoints, seeds): mean Hamming distance; cosine (data, kinds, seeds, 3): at the end, the share with
    |cos| > 0.9, the mean and the mean size; counts (1 + data, 3, bins): histograms at the end, first of neighbouring pixels alone;
    local (seeds,): the pixels' share with |cos| > 0.9."""
    distance, cosine, counts = [], [], np.zeros((1 + len(DATA), len(KINDS), len(EDGES) - 1))
    for d, name in enumerate(DATA):
        trained = [read(wanted(settings)[name, seed], folder) for seed in settings.seeds]
        pairs = [kinds_of_pairs(one) for one in trained]
        distance.append([[[hamming_of_pairs(one.nets[c], one.x, by[k]).sum(axis=1).mean() for one, by in zip(trained, pairs, strict=True)]
                          for c in range(len(trained[0].epochs))] for k in range(len(KINDS))])
        cosines = [[confusion_of_pairs(one.nets[-1], one.x, one.y, *by[k]) for one, by in zip(trained, pairs, strict=True)] for k in range(len(KINDS))]
        cosine.append([[[np.mean(abs(c) > 0.9), c.mean(), abs(c).mean()] for c in by_seed] for by_seed in cosines])
        counts[1 + d] = [np.histogram(np.concatenate(by_seed), EDGES)[0] for by_seed in cosines]
    images = [read(run, folder) for run in pixels(settings)]
    beside = [confusion_of_pairs(one.nets[-1], one.x, one.y, *pairs_of(one)[0]) for one in images]
    counts[0, 0] = np.histogram(np.concatenate(beside), EDGES)[0]
    return {"epochs": trained[0].epochs, "edges": EDGES, "distance": np.array(distance), "cosine": np.array(cosine), "counts": counts,
            "local": np.array([np.mean(abs(c) > 0.9) for c in beside])}


def claims(data):
    result = []
    for name, distance, cosine in zip(DATA, data["distance"], data["cosine"], strict=True):
        end = {kind: values[-1] for kind, values in zip(KINDS, distance, strict=True)}
        size = {kind: values[:, 2] for kind, values in zip(KINDS, cosine, strict=True)}
        piled = {"pixels, [0,1]": data["local"], f"{name}, near": cosine[0, :, 0]}
        result += [
            Claim(f"E15a-{name}", f"{name}: Hamming distance at the end far > near of another class ≥ near of any class", means(end),
                  ordering(end, KINDS[2], KINDS[1]) + ordering(end, KINDS[1], KINDS[0], ties=True)),
            Claim(f"E15b-{name}", f"{name}: near pairs are not bound together as neighbouring pixels are: share with |cos| > 0.9",
                  means(piled), ordering(piled, *piled),
                  why="Where it fails, neighbours are not far enough apart: patches that overlap share most of their pixels, which is density again"),
            Claim(f"E15c-{name}", f"{name}: gradients of far pairs are nearly orthogonal: mean |cos| below 0.1, and below that of near pairs",
                  means(size), [Link("0.1 > mean |cos|, far", 0.1 - size[KINDS[2]]), *ordering(size, KINDS[0], KINDS[2])]),
            Claim(f"E15d-{name}", f"{name}: near pairs pull together within a class, apart across classes: mean cos of any class > of another",
                  means({kind: values[:, 1] for kind, values in zip(KINDS, cosine, strict=True)}),
                  ordering({kind: values[:, 1] for kind, values in zip(KINDS, cosine, strict=True)}, KINDS[0], KINDS[1])),
        ]
    return result


def draw(data):
    figure, axes = style.panels(1, 4, width=3.2, height=3.0)
    axes[0, 0].stairs(data["counts"][0, 0] / data["counts"][0, 0].sum(), data["edges"], color=style.COLOURS["[0,1]"], linestyle="--",
                      label="neighbouring pixels, [0,1]", linewidth=1.4)
    for name, counts in zip(DATA, data["counts"][1:], strict=True):
        axes[0, 0].stairs(counts[0] / counts[0].sum(), data["edges"], color=style.COLOURS[name], label=name, linewidth=1.4)
        axes[0, 1].stairs(counts[2] / counts[2].sum(), data["edges"], color=style.COLOURS[name], label=name, linewidth=1.4)
    for ax, title in zip(axes[0, :2], ("near pairs", "far pairs"), strict=True):
        ax.set_title(title, loc="left", fontsize="medium")
        ax.set_yscale("log")
        ax.set_xlabel("cosine of two loss gradients, at the end")
        ax.set_ylabel("share of pairs")
        ax.legend(frameon=False, fontsize="x-small", loc="upper center")
        ax.set_ylim(top=5)
    style.same_range(axes[0, :2])
    for ax, name, distance in zip(axes[0, 2:], DATA, data["distance"], strict=True):
        for kind, line, values in zip(KINDS, ("-", "--", ":"), distance, strict=True):
            style.shaded(ax, data["epochs"], values, "black" if kind == KINDS[1] else style.COLOURS[name], kind, line)
        style.epochs_axis(ax, data["epochs"], "Hamming distance (units)")
        ax.set_ylim(0)
        ax.set_title(name, loc="left", fontsize="medium")
        ax.legend(frameon=False, fontsize="x-small", handlelength=3)
    figure.supxlabel(style.BAND, fontsize="small", color="0.3")
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
