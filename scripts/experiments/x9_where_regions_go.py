"""X9. Where do regions go in training: to the pixels or between them, to edges or to flat parts?

    python -m scripts.reproduce x9_where_regions_go

In classifiers regions "migrate away from the training samples" and towards the decision boundary
(Humayun et al. 2024, arXiv 2402.15555).  Here, on the runs of E21, which learn every second row and
column of the photograph: regions and length of walls, exact, in windows a quarter of the distance
of two training pixels wide, around training pixels and midway between four of them.  A fifth of the
training pixels with the largest slope of the photograph are its edges, the fifth with the smallest
its flat parts; of each, 10 pixels are drawn per seed, with the midpoints beside them, the same for
every input. Before training there is nothing to go to, so the ratios there are the null.  Of two
neighbouring windows only one counts a region that they share (as in X5).

"Local complexity bounds the total variation" (Patel & Montufar 2025, arXiv 2412.18283).  With |.|
the length of a gradient by position, w_u the weights out of unit u of the last hidden layer and z_u
its pre-activation, at every pixel

    |grad f| <= max_u |w_u| sum_u |grad z_u|

and the sum is that layer's density of walls, in length per area, if its biases are shifted by noise
that is uniform with density 1.  Total variation is the mean of |grad f|; here over 256 pixels.
"""

import numpy as np

from relu_dynamics import grid, pattern, preactivation_maps, regions_in_encoded_window
from scripts.experiments.e21_generalisation import wanted
from scripts.experiments.x5_regions_per_pixel import boxes, own_regions
from scripts.lab import (
    Claim, Link, contrast, each, encoding, means, named, natural_image, rank_correlation, read,
    rise, samples, stream, style,
)

TITLE = "Where regions go"
SOURCE = "Humayun et al. 2024; Patel & Montufar 2025"
KIND = "question"
SHOWS = ("Length of walls midway between training pixels over that around them (left), and at "
         "edges of the photograph over that in its flat parts (middle), through training, a "
         "line an input, the grey line at 1: alike. On the right, total variation against its "
         "bound by the density of walls, larger dots for later.")
WINDOWS = {"quick": 4, "laptop": 10, "paper": 40}  # at edges, and as many in flat parts
RESOLUTION = 16                                     # legs of triangles in the shortest wave
MAX_REGIONS = 2**20
WORDS = "difference over sum; a factor of 1.25 is 1/9"
SHOWN = ("[0,1]", "L=3", "L=5")


def compared(settings):
    """(input, seed) -> run; three of the inputs of E21, or the user's."""
    return {key: run for key, run in wanted(settings).items() if settings.inputs or key[0] in SHOWN}


def runs(settings):
    return compared(settings).values()


def few(epochs):
    """Which checkpoints are measured: before training, after one epoch, 50, and at the end."""
    return [k for k, epoch in enumerate(epochs) if epoch in (0, 1, 50, epochs[-1])]


def measure(settings, folder):
    """walls, regions (inputs, checkpoints, seeds, 2, 2): totals in windows at pixels [0] and
    between [1], in flat parts [0] and at edges [1]; variation and bound (inputs, checkpoints,
    seeds)."""
    table = compared(settings)
    names, seeds = (list(dict.fromkeys(axis)) for axis in zip(*table, strict=True))
    rows = []
    for run in table.values():
        trained = read(run, folder)
        centres = chosen(run, folder, WINDOWS[settings.scale])
        kept = few(trained.epochs)
        rows.append([[*in_windows(trained.nets[k], run, centres), *variation(trained.nets[k], run)]
                     for k in kept])
    values = np.array(rows).reshape(len(names), len(seeds), len(kept), 10).swapaxes(1, 2)
    places = values[..., :8].reshape(*values.shape[:3], 2, 2, 2)
    return {"inputs": np.array(names), "epochs": trained.epochs[kept],
            "image": natural_image(settings)[0], "walls": places[..., 0], "regions": places[..., 1],
            "variation": values[..., 8], "bound": values[..., 9]}


def chosen(run, folder, count):
    """(2, count, 2): training pixels in flat parts [0] and at edges [1], by row and column, away
    from the border."""
    size, rng = run.size, stream(run, "pairs")
    signal = run.signal.removeprefix("thinned ")
    image = samples(signal, (size, size), stream(run, "signal"), folder).reshape(size, size, -1)
    slope = np.hypot(*np.gradient(image.mean(axis=2)))[2 : size - 2 : 2, 2 : size - 2 : 2]
    order, fifth = np.argsort(slope, axis=None), max(count, slope.size // 5)
    return np.array([np.stack(np.divmod(rng.choice(part, count, replace=False), len(slope)), axis=1)
                     for part in (order[:fifth], order[-fifth:])]) * 2 + 2


def in_windows(net, run, centres):
    """(8,): length of walls and number of regions, at pixels and between, in flat parts and at
    edges."""
    side, totals = 1 / (2 * run.size), np.zeros((2, 2, 2))
    for between, part in np.ndindex(2, 2):
        corners = (centres[part] + between) / run.size - side / 2
        found = regions_in_encoded_window(net, encoding(run.input), boxes(corners, side),
                                          resolution=RESOLUTION, max_regions=MAX_REGIONS)
        number = own_regions(found, corners, side)
        totals[between, part] = found.wall_lengths.sum(), number.sum()
    return totals.ravel()


def variation(net, run):
    """Total variation per side of the image, and its bound, both means over 256 pixels at most."""
    place = grid((min(run.size, 16),) * 2, "half-open")
    feed = encoding(run.input)
    maps, _ = preactivation_maps(net, pattern(net, feed(place)))
    width = len(net.biases[-2])
    slopes = maps[:, -width:] @ feed.jacobian(place)  # (pixels, units of the last layer, 2)
    on, out = pattern(net, feed(place))[:, -width:], net.weights[-1]
    whole = np.einsum("ou,pu,pud->pod", out, on, slopes)
    bound = np.linalg.norm(out, axis=0).max() * np.linalg.norm(slopes, axis=2).sum(axis=1)
    return np.linalg.norm(whole, axis=(1, 2)).mean(), bound.mean()


def contrasts(data, key):
    """Two of input -> (checkpoints, seeds): between against at pixels; at edges against in flat
    parts.

    (a - b) / (a + b), the tanh of half the log ratio, because a window may hold none."""
    by_place, by_part = data[key].sum(-1), data[key].sum(-2)
    names = data["inputs"].tolist()
    return [named(names, contrast(total[..., 1], total[..., 0])) for total in (by_place, by_part)]


def claims(data):
    between, edges = contrasts(data, "walls")
    denser, _ = contrasts(data, "regions")
    start, final = ({name: values[c] for name, values in between.items()} for c in (0, -1))
    slack = named(data["inputs"].tolist(), np.log10(data["bound"] / data["variation"]))
    length = data["walls"].sum(axis=(-1, -2))
    tracks = np.array([rank_correlation(data["variation"][..., s], length[..., s])
                       for s in range(length.shape[-1])])
    return [claim._replace(image=str(data["image"])) for claim in (
        Claim("X9a", "after training walls are longer midway between the training pixels than "
                     f"around them, for every input ({WORDS})", means(between),
              each("contrast", final)),
        Claim("X9b", f"and regions are denser there ({WORDS})", means(denser),
              each("contrast", {name: values[-1] for name, values in denser.items()})),
        Claim("X9c", "before training neither: length of walls between over around pixels is 1 "
                     f"within a factor of 1.25 ({WORDS})", means(start),
              each("1/9 - |contrast|", start, lambda c: 1 / 9 - abs(c))),
        Claim("X9d", "after training walls are longer at edges of the image than in flat parts by "
                     f"a factor of 1.25 at least, and more so than before ({WORDS})", means(edges),
              [*each("contrast - 1/9", edges, lambda c: c[-1] - 1 / 9),
               *each("after > before", edges, rise)]),
        Claim("X9e", "the density of walls bounds the total variation, at every checkpoint: bound "
                     "over total variation", means({n: 10**v for n, v in slack.items()}, log=True),
              each("log10 bound / variation", slack), kind="identity"),
        Claim("X9f", "the total variation goes with the length of walls: rank correlation over "
                     "inputs and checkpoints above 0.9", means({"correlation": tracks}),
              [Link("correlation - 0.9", tracks - 0.9)]),
    )]


def draw(data):
    figure, axes = style.panels(1, 3, height=3.1)
    (left, middle, right), names = axes[0], data["inputs"].tolist()
    found = []
    for ax, part, words in zip((left, middle), contrasts(data, "walls"), (
            "walls: between over\naround pixels", "walls: at edges over\nin flat parts"),
            strict=True):
        factors = {name: (1 + c) / np.maximum(1 - c, 1e-2) for name, c in part.items()}
        style.over_epochs(ax, data["epochs"], factors, "")
        ax.axhline(1, color="0.6", linewidth=0.8)
        style.title(ax, words)
        found.append(np.array([np.median(values[-1]) for values in factors.values()]))
    for name, bound, variation in zip(names, data["bound"], data["variation"], strict=True):
        colour = style.colour(name)
        right.plot(np.median(bound, axis=1), np.median(variation, axis=1), color=colour, lw=0.8)
        for c, size in enumerate(np.linspace(3, 8, len(bound))):
            right.plot(bound[c], variation[c], "o", markersize=size, color=colour, alpha=0.6)
    ends = np.array([data["bound"].min() / 2, data["bound"].max() * 2])
    right.plot(ends, ends, color="0.5", linewidth=0.9)
    right.set(xscale="log", yscale="log", xlabel="bound by density of walls")
    style.title(right, "total variation\n(larger dots: later)")
    style.legend_below(figure, left, style.BAND)
    slack = data["bound"][:, -1] / data["variation"][:, -1]
    style.heading(figure, "{}, at the end: walls between over around pixels {:.2f} to {:.2f}, at "
                  "edges over in flat parts {:.2f} to {:.2f}; the bound is {:.0f} to {:.0f} times "
                  "the variation".format(data["image"], *(end(part) for part in found
                                                          for end in (np.min, np.max)),
                                         slack.min(), slack.max()))
    return figure
