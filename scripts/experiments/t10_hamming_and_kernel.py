"""T10. How much of the coupling of two inputs can be read off the Hamming distance of their
patterns?

    python -m scripts.reproduce t10_hamming_and_kernel

With one hidden layer, outgoing weights of one size, and only the first layer trained, all of
it: K(x, x') / (a^2 (x.x' + 1)) is (|S| + |S'| - H) / 2 exactly.  Then every assumption is
dropped in turn: all parameters trained, unequal outgoing weights, two to four hidden layers
(untrained, as initialised), and the trained networks of E5.  Measured is Spearman's rank
correlation between the Hamming distance and the cosine of the tangent kernel, over random
pairs of pixels of the photograph's grid.
"""

import numpy as np

from relu_dynamics import MLP, confusion_of_pairs, grid, init, pattern
from scripts.lab import (
    Claim, Link, each, encoding, image_inputs, image_setup, means, named, natural_runs,
    rank_correlation, read, style,
)

TITLE = "Hamming distance and kernel cosine"
SOURCE = "statement T10, the paper's central link"
KIND = "question"
SHOWS = ("Above, cosine of the tangent kernel against Hamming distance for pairs of samples, a "
         "colour an input in the exact case (for each pair of norms on a line) and in trained "
         "networks. Below, the rank correlation that is left with depth in untrained networks, "
         "and before and after training in the shared runs.")
DEPTHS = (1, 2, 3, 4)
PAIRS = 3000


def runs(settings):
    return natural_runs(settings).values()


def measure(settings, folder):
    """exact (inputs, seeds): largest deviation from T10's line, relative; depth (inputs, seeds,
    depths): rank correlations of untrained networks; trained (inputs, seeds, stages); h and cosine
    (inputs, 2, PAIRS): one hidden layer of equal weights, and the first seed's trained network."""
    names, setup, wanted = image_inputs(settings), image_setup(settings), natural_runs(settings)
    side, width = min(setup.size, 64), (settings.hidden or setup.hidden)[0]
    exact, depth, trained, h, cosine = [], [], [], [], []
    for name in names:
        x = encoding(name)(grid((side, side), "half-open"))
        rows = {"exact": [], "depth": [], "trained": []}
        for seed in settings.seeds:
            rng = np.random.default_rng([seed, 10])
            i, j = rng.integers(0, len(x), (2, PAIRS))
            i, j = i[i != j], j[i != j]
            nets = [init([x.shape[1], *[width] * layers, 1], rng) for layers in DEPTHS]
            line, distance, angle = equal_weights(nets[0], x, i, j)
            rows["exact"].append(line)
            both = [(hamming_of(net, x, i, j), kernel_cosine(net, x, i, j)) for net in nets]
            rows["depth"].append([rank_correlation(*pair) for pair in both])
            run = read(wanted[name, seed], folder)
            i, j = rng.integers(0, len(run.x), (2, PAIRS))
            i, j = i[i != j], j[i != j]
            both = [(hamming_of(net, run.x, i, j), kernel_cosine(net, run.x, i, j))
                    for net in (run.nets[0], run.nets[-1])]
            rows["trained"].append([rank_correlation(*pair) for pair in both])
            if seed == settings.seeds[0]:
                shown = np.arange(min(len(distance), len(both[1][0]), 1500))
                h.append([distance[shown], both[1][0][shown]])
                cosine.append([angle[shown], both[1][1][shown]])
        for table, key in ((exact, "exact"), (depth, "depth"), (trained, "trained")):
            table.append(rows[key])
    least = min(len(pair[0]) for pair in h)
    return {"inputs": np.array(names), "epochs": run.epochs, "depths": np.array(DEPTHS),
            "exact": np.array(exact), "depth": np.array(depth),
            "trained": np.array(trained),
            "h": np.array([[part[:least] for part in pair] for pair in h]),
            "cosine": np.array([[part[:least] for part in pair] for pair in cosine])}


def hamming_of(net, x, i, j):
    q = pattern(net, x)
    return np.count_nonzero(q[i] != q[j], axis=1)


def kernel_cosine(net, x, i, j):
    """K_ij / sqrt(K_ii K_jj) of the first output: with residuals of one sign it is the gradient
    confusion (T8)."""
    first = MLP((*net.weights[:-1], net.weights[-1][:1]), (*net.biases[:-1], net.biases[-1][:1]))
    low = np.full((len(x), 1), -1e6)  # far below every output, so that all residuals are positive
    return confusion_of_pairs(first, x, low, i, j)


def equal_weights(net, x, i, j):
    """The largest deviation of K from a^2 (x.x' + 1) (|S| + |S'| - H) / 2, next to its largest
    value, and H and cosine.

    K here is that of the first layer alone with all |a_k| = a, from the gradients a_k q_k (x, 1) of
    its units.
    """
    q, signs = pattern(net, x), np.where(net.weights[1][0] > 0, 1.0, -1.0)
    a, lifted = 0.5, np.hstack([x, np.ones((len(x), 1))])
    delta = a * signs * q
    K = np.vecdot(delta[i], delta[j]) * np.vecdot(lifted[i], lifted[j])
    size = np.sqrt(np.vecdot(delta, delta) * np.vecdot(lifted, lifted))
    h, on = np.count_nonzero(q[i] != q[j], axis=1), q.sum(axis=1)
    line = (on[i] + on[j] - h) / 2
    predicted = a**2 * np.vecdot(lifted[i], lifted[j]) * line
    deviation = abs(K - predicted).max() / abs(predicted).max()
    cosine = np.divide(K, size[i] * size[j], out=np.zeros(len(i)), where=size[i] * size[j] > 0)
    return deviation, h, cosine


def claims(data):
    names, off = data["inputs"].tolist(), data["exact"].max(axis=0)
    by_depth = named(names, -data["depth"].swapaxes(1, 2))  # each (depths, seeds)
    end = {name: -values[:, -1] for name, values in zip(names, data["trained"], strict=True)}
    loss = {name: values[0] - values[-1] for name, values in by_depth.items()}
    every = {name: values.min(axis=0) for name, values in by_depth.items()}
    return [
        Claim("T10a", "one hidden layer, equal outgoing weights, first layer trained: the kernel "
                      "is an affine function of the Hamming "
              "distance, to rounding", means({"largest deviation": off}),
              [Link("1e-12 > deviation", 1e-12 - off)], kind="identity"),
        Claim("T10b", "untrained, all layers trained: the cosine falls with the Hamming distance "
                      "at one to four hidden layers (-rank correlation above 0.5)", means(every),
              each("-rank correlation > 0.5", every, lambda r: r - 0.5)),
        Claim("T10c", "the relation loosens with depth: -rank correlation at one hidden layer > "
                      "at four", means(loss), each("one > four", loss)),
        Claim("T10d", "in trained networks it still holds: -rank correlation above 0.5, for every "
                      "input", means(end),
              each("-rank correlation > 0.5", end, lambda r: r - 0.5)),
    ]


def draw(data):
    """Above: pairs of samples; below: what rank correlation depth and training leave."""
    figure, axes = style.panels(2, 2, height=2.8)
    names, (untrained, shared) = data["inputs"].tolist(), axes[1]
    for ax, which, text in ((axes[0, 0], 0, "one layer, equal weights"),
                            (axes[0, 1], 1, "trained")):
        for name, h, cosine in zip(names, data["h"], data["cosine"], strict=True):
            # A size for each point keeps them off the grid of screen pixels, which would show as
            # stripes.
            ax.scatter(h[which], cosine[which], s=np.full(h.shape[1], 1.5), linewidths=0,
                       color=style.colour(name), rasterized=True)
        ax.set_xlabel("Hamming distance (units)")
        ax.set_ylabel("cosine of the tangent kernel")
        style.title(ax, f"{text}, first seed")
    for name, values in zip(names, -data["depth"], strict=True):
        style.with_band(untrained, data["depths"], values.T, name)
    untrained.set_xticks(DEPTHS)
    untrained.set_xlabel("hidden layers")
    style.title(untrained, "untrained")
    for i, (name, by_seed) in enumerate(zip(names, -data["trained"], strict=True)):
        for values, shift, face in zip(by_seed.T, (-0.12, 0.12), ("white", None), strict=True):
            style.ranges(shared, np.array([i + shift]), values[None], style.colour(name), face=face)
    shared.set_xticks(range(len(names)), names)
    style.title(shared, "open: untrained, filled: trained")
    for ax in axes[1]:
        ax.set_ylim(min(-0.1, *(-data[key].max() for key in ("depth", "trained"))), 1.02)
        ax.set_ylabel("−rank correlation")
    style.legend_below(figure, untrained, style.LINES_AND_DOTS)
    one, trained = (np.median(-part, axis=1) for part in (data["depth"][..., 0],
                                                          data["trained"][..., 1]))
    style.heading(figure, f"−rank correlation of Hamming distance and kernel: {one.min():.2f} to "
                          f"{one.max():.2f} in one untrained layer, "
                  f"{trained.min():.2f} to {trained.max():.2f} in trained networks")
    return figure
