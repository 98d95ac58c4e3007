"""T15. Where does gradient descent cancel itself?

    python -m scripts.reproduce t15_interference

The rate of the loss under gradient flow is a sum over pairs of examples; a pair is
destructive if a step for one example raises the loss of the other.  The interference is
what destructive pairs take away, as a share of what the others give:

    -d loss/dt = (self + constructive) (1 - interference)

On the photograph (runs of E5), every second pixel per axis: the interference over training,
by the distance of two pixels, in one cell and across cells, by Hamming distance, and, for the
first seed, pixel by pixel.
"""

import numpy as np
from scipy.spatial.distance import cdist

from relu_dynamics import hamming, loss_gradient_gram, pattern
from scripts.lab import (
    Claim, chain, contrast, coordinates, each, encodings, image_inputs, means, named,
    natural_image, natural_runs, ordered, read, style,
)
from scripts.lab.headings import ranking
from scripts.lab.rates import thinned

TITLE = "Constructive and destructive pairs"
SOURCE = "statement T15"
KIND = "question"
SHOWS = ("Above, the share of descent that pairs of pixels destroy for one another, a line an "
         "input: by their distance before training and at the end, and of all pairs by stage. "
         "Below, maps of it at the end, pixel by pixel, purple where others undo a pixel's "
         "fit.")
STAGES = ("before training", "after 10 epochs", "at the end")
OCTAVES = 2.0 ** np.arange(-1, 31)  # limits of the classes of distances


def runs(settings):
    return natural_runs(settings).values()


def stages(epochs):
    """Indices of three checkpoints: before training, after ten epochs (or the last before), and the
    last."""
    return [0, int(np.flatnonzero(epochs <= 10)[-1]), len(epochs) - 1]


def measure(settings, folder):
    """distance (inputs, seeds, stages, octaves, cell, sign); thirds (inputs, seeds, stages, 3):
    what a pair of small, middling and large Hamming distance contributes; pairs (inputs, seeds,
    stages, 3): how many are self, of one cell, of two; place (2, height, width): interference at
    each pixel of the first seed at the end, for the first and the last input."""
    side = 16 if settings.scale == "quick" else 32
    names, wanted = image_inputs(settings), natural_runs(settings)
    distance, thirds, pairs, place = [], [], [], []
    for name in names:
        trained = [read(wanted[name, seed], folder) for seed in settings.seeds]
        taken = [[of_pairs(one, one.nets[c], side) for c in stages(one.epochs)] for one in trained]
        for table, part in zip((distance, thirds, pairs), range(3), strict=True):
            table.append([[stage[part] for stage in by_stage] for by_stage in taken])
        if name in (names[0], names[-1]):
            place.append(taken[0][-1][3])
    return {"inputs": np.array(names), "image": natural_image(settings)[0],
            "epochs": trained[0].epochs, "stages": np.array(STAGES),
            "octaves": OCTAVES[: len(distance[0][0][0])], "distance": np.array(distance),
            "thirds": np.array(thirds), "pairs": np.array(pairs),
            "place": np.array(place)}


def of_pairs(trained, net, side):
    """The parts of the rate of the loss by distance, cell and sign of a pair; what a pair
    contributes by thirds of Hamming distance; the number of pairs by cell; the interference at
    every pixel."""
    shape, x, y = thinned(trained, side)
    part, q = -loss_gradient_gram(net, x, y) / len(x) ** 2, pattern(net, x)
    h, sites = hamming(q, q), np.argwhere(np.ones(shape))
    cell = np.where(h == 0, 1, 2)
    np.fill_diagonal(cell, 0)
    octave = np.searchsorted(OCTAVES, cdist(sites, sites))
    kind = 6 * octave + 2 * cell + (part > 0)
    by_distance = np.bincount(kind.ravel(), part.ravel(), 6 * octave.max() + 6).reshape(-1, 3, 2)
    count = np.bincount(h.ravel())
    third = np.minimum(3 * (np.cumsum(count) - count) // count.sum(), 2)
    each_pair = np.bincount(third[h].ravel(), -part.ravel(), 3) / np.bincount(third, count, 3)
    harmed = np.maximum(part, 0).sum(axis=1)
    return (by_distance, each_pair, np.bincount(cell.ravel(), minlength=3),
            (harmed / (harmed - part.sum(axis=1))).reshape(shape))


def interference(values):
    """What destructive pairs take away, as a share of what the others give; values (..., sign)."""
    return np.divide(values[..., 1], -values[..., 0], out=np.zeros(values.shape[:-1]),
                     where=values[..., 0] != 0)


def claims(data):
    names, values = data["inputs"].tolist(), data["distance"]
    few, many = coordinates(names), encodings(names)
    order = chain(few, *many[-2:])
    overall = named(names, interference(values.sum(axis=(3, 4))))
    end = {name: by[:, -1] for name, by in overall.items()}
    grown = {name: by.T[[0, -1]] for name, by in overall.items()}
    near = named(names, interference(values[:, :, -1, 1:3, 1:].sum(axis=(2, 3))))
    small_first = {name: contrast(by[..., 0], by[..., 2]).T
                   for name, by in zip(names, data["thirds"], strict=True)}
    pairs = np.maximum(data["pairs"][:, :, 0, 1:], 1)
    size = abs(values).sum(axis=(3, 5))[:, :, 0, 1:] / pairs  # per pair, before training
    stronger = {name: np.log10(size[i, :, 0] / size[i, :, 1])
                for i, name in enumerate(names) if name in few and (size[i] > 0).all()}
    return [claim._replace(image=str(data["image"])) for claim in (
        ordered("T15a", "at the end descent cancels itself more for coordinates: interference {}",
                order, end),
        ordered("T15b", "so it does between pixels at most two apart: {}", order, near),
        Claim("T15c", "pairs of small Hamming distance contribute more to the descent, each, than "
                      "pairs of large: smallest third > largest third at every stage (difference "
              "over sum of sizes)", means(small_first),
              each("smallest > largest third", small_first)),
        Claim("T15d", "before training two pixels in one cell act on each other more strongly "
                      "than two in different cells "
              "(log10 of the ratio, per pair)", means(stronger), each("log ratio", stronger)),
        Claim("T15e", "interference grows while the network learns: at the end > before training, "
                      "for every input", means(grown),
              each("end > before", grown, lambda i: contrast(i[-1], i[0]))))]


def draw(data):
    """Above: interference by distance, and of all pairs; below: at each pixel."""
    figure, axes = style.panels(2, 3, height=2.6)
    names, values = data["inputs"].tolist(), data["distance"]
    overall = interference(values.sum(axis=(3, 4)))  # (inputs, seeds, stages)
    for ax, s in zip(axes[0], (0, -1), strict=False):
        for name, by_seed in zip(names, values[:, :, s].sum(axis=3), strict=True):
            style.with_band(ax, data["octaves"][1:], interference(by_seed[:, 1:]).T, name)
        ax.set_xscale("log", base=2)
        ax.set_xlabel("pixels at most so far apart")
        style.title(ax, STAGES[s])
    for name, by_seed in zip(names, overall, strict=True):
        style.with_band(axes[0, 2], np.arange(3), by_seed.T, name)
    axes[0, 2].set_xticks(range(3), [stage.replace(" ", "\n", 1) for stage in STAGES])
    style.title(axes[0, 2], "all pairs")
    for ax in axes[0]:
        ax.axhline(1, color="0.6", linewidth=0.8)
    style.same_range(axes[0], -0.03)
    axes[0, 0].set_ylabel("interference\n(1: pairs cancel out)")
    for ax, name, place in zip(axes[1], dict.fromkeys((names[0], names[-1])), data["place"],
                               strict=False):
        mesh = ax.imshow(place, vmin=0, vmax=2, cmap="PuOr_r", interpolation="nearest")
        style.title(ax, f"{name}, first seed")
        ax.set(xticks=[], yticks=[])
    figure.colorbar(mesh, cax=axes[1, 2].inset_axes((0, 0.1, 0.08, 0.8)), extend="max",
                    label="interference at each pixel,\nat the end (above 1: others\n"
                          "undo its fit)")
    axes[1, 2].set_axis_off()
    style.legend_below(figure, axes[0, 0], style.BAND)
    style.heading(figure, f"{data['image']}: share of descent that pairs destroy, at the end: "
                  + ranking(named(names, overall[..., -1]), "{:.2f}"))
    return figure
