"""X6. How uneven are the eigenvalues of the tangent kernel, and does training turn it to the
target?

    python -m scripts.reproduce x6_kernel_spectrum

Under gradient flow the residual shrinks along each eigenvector of K at the rate (2/nm) times its
eigenvalue, so uneven eigenvalues mean uneven learning.  Relative variance, the variance of all nm
eigenvalues over the square of their mean, is exact without eigenvalues (T47); nm / (1 + relative
variance) is the number of equal eigenvalues with the same unevenness.  Ou & Zhuang (arXiv
2512.15169): encodings lower it.  Runs of E1, and the same with L=1, on every fourth sample; the
photograph of E5 on every fourth pixel per axis.

The smallest of the eigenvalues is 0 up to rounding where pixels share a cell; so counted are those
above 1e-8 of the largest.  Alignment: the share of the target's energy in the 28 leading
eigenvectors (for another signal, twice its tones), as many as 14 tones have dimensions.  The null
is another signal of as many tones, each two cycles higher, that the network is not trained on; in
random directions the share would be 28 / n.

Not made before looking: X6h, after X6a to X6d had shown that before training one eigenvalue, close
to that of constants, makes nearly all of the variance; X6h leaves it out.
"""

import numpy as np

from relu_dynamics import PAPER_TONES, grid, kernel_moments, kernel_spectrum, tones
from scripts.lab import (
    Claim, Link, chain, coordinates, each, encodings, image_inputs, means, named, natural_image,
    natural_runs, ordered, read, signal_inputs, signal_runs, stream, style,
)
from scripts.lab.headings import ranking
from scripts.lab.rates import strongest, thinned

TITLE = "The spectrum of the tangent kernel"
SOURCE = "Ou & Zhuang, arXiv 2512.15169; statement T47"
KIND = "question"
SHOWS = ("A line an input. On the left, the eigenvalues of the tangent kernel, dotted before "
         "and solid after training; in the middle, their relative variance through training; "
         "on the right, how much of the signal lies in the leading eigenvectors, and dotted, "
         "of tones that were not trained on.")
INPUTS = ("[0,1]", "[-1,1]", "L=1", "L=4", "L=7")
LEAST = 1e-8  # of the largest eigenvalue: smaller ones are not counted
HIGHER = 2    # cycles, by which the tones not trained on are higher


def runs(settings):
    return [*signal_runs(settings, signal_inputs(settings, INPUTS)).values(),
            *natural_runs(settings).values()]


def few(epochs):
    """Which checkpoints are measured: before training, after about 1/50 and 1/5 of it, at the
    end."""
    return sorted({int(np.argmin(abs(epochs - share * epochs[-1]))) for share in (0, 0.02, 0.2, 1)})


def measure(settings, folder):
    """uneven, rank (inputs, checkpoints, seeds); aligned (inputs, checkpoints, seeds, 2), with the
    target and with the other tones; values (inputs, 2, seeds, n), eigenvalues over their mean,
    before and after training; image_uneven (image inputs, 2, seeds)."""
    names, table = signal_inputs(settings, INPUTS), {}
    signals, images = signal_runs(settings, names), natural_runs(settings)
    for (name, seed), run in signals.items():
        trained = read(run, folder)
        shape, x, y = thinned(trained, 128 if settings.scale == "quick" else 512)
        ks = strongest(trained.y) if settings.signal else PAPER_TONES
        other = tones(grid(shape, "half-open"), [k + HIGHER for k in ks],
                      stream(run, "held out").uniform(size=len(ks)))
        table[name, seed] = [spectrum(trained.nets[c], x, (y, other), 2 * len(ks))
                             for c in few(trained.epochs)]
    rows = np.array([[table[name, seed] for seed in settings.seeds] for name in names])
    rows = rows.swapaxes(1, 2)  # checkpoints before seeds
    uneven = np.array([[relative_variance(read(images[name, seed], folder))
                        for seed in settings.seeds] for name in image_inputs(settings)])
    return {"inputs": np.array(names), "epochs": trained.epochs[few(trained.epochs)],
            "uneven": rows[..., 0], "rank": rows[..., 1], "aligned": rows[..., 2:4],
            "values": rows[:, (0, -1), :, 4:], "leading": 2 * len(ks),
            "image_inputs": np.array(image_inputs(settings)), "image": natural_image(settings)[0],
            "image_uneven": uneven.swapaxes(1, 2)}


def relative_variance(trained):
    """Before training and at the end, on every fourth pixel per axis of an image."""
    x = thinned(trained, 16)[1]
    moments = (kernel_moments(net, x) for net in (trained.nets[0], trained.nets[-1]))
    return [variance / mean**2 for mean, variance in moments]


def spectrum(net, x, signals, leading):
    """One row: relative variance, how many eigenvalues count, the shares of the signals' energy in
    the leading eigenvectors, and all eigenvalues over their mean, the largest first."""
    found = kernel_spectrum(net, x, len(x))
    scaled = found.values / found.values.mean()
    span = found.vectors[:leading].reshape(leading, -1)
    shares = [((span @ y.ravel()) ** 2).sum() / (y**2).sum() for y in signals]
    counted = np.count_nonzero(found.values > LEAST * found.values[0])
    return [scaled.var(), counted, *shares, *scaled]


def claims(data):
    names = data["inputs"].tolist()
    few, many = coordinates(names), encodings(names)
    start, end = (named(names, data["uneven"][:, c]) for c in (0, -1))
    target, other = (named(names, data["aligned"][..., k]) for k in (0, 1))
    gain = {name: target[name][-1] - target[name][0] for name in names}
    beyond = {name: gain[name] - (other[name][-1] - other[name][0]) for name in names}
    images, pictured = data["image_inputs"].tolist(), []
    for key, when, c in (("X6a", "before", 0), ("X6b", "after", -1)):
        values = named(images, data["image_uneven"][:, c])
        pictured.append(ordered(key, f"{when} training encodings have a lower relative variance of "
                                     "the kernel's eigenvalues than coordinates: {}",
                                chain(coordinates(images), encodings(images)), values, log=True,
                                image=str(data["image"])))
    return [
        ordered("X6a", "before training encodings have a lower relative variance of the kernel's "
                       "eigenvalues than coordinates: {}", chain(few, many), start, log=True),
        ordered("X6b", "after training encodings have a lower relative variance of the kernel's "
                       "eigenvalues than coordinates: {}", chain(few, many), end, log=True),
        *pictured,
        ordered("X6c", "and the more frequencies, the lower, before training: "
                       "{}", chain(*many), start,
                log=True),
        Claim("X6d", "the difference matters: the relative variance of the highest encoding is "
                     "less than half of that of any coordinates, before training", means(start),
              [Link(f"{name} > 2 x {many[-1]}", np.log10(start[name] / (2 * start[many[-1]])))
               for name in few if many]),
        ordered("X6h", "without the largest eigenvalue encodings have a lower relative variance "
                       "before training, too: {}", chain(few, many),
                {name: value.var(axis=-1) / value.mean(axis=-1) ** 2 for name, value in
                 named(names, data["values"][:, 0, :, 1:]).items()}, log=True),
        ordered("X6e", f"before training more eigenvalues are above {LEAST:g} of the largest: {{}}",
                chain(" ≥ ".join(many[:0:-1]), few), named(names, data["rank"][:, 0]),
                form="{:.0f}", log=True, margin=0.01),
        Claim("X6f", f"in training the {data['leading']} leading eigenvectors take up more of the "
                     "target (share of its energy, at the end over before), for every input",
              means(target), each("end > before", gain)),
        Claim("X6g", "and more than of tones that are not trained on, two cycles higher: "
                     "difference of the two gains, for every input",
              means({f"gain, {name}": value for name, value in beyond.items()}),
              each("target > other tones", beyond)),
    ]


def draw(data):
    figure, axes = style.panels(1, 3, height=3.1)
    names, epochs = data["inputs"].tolist(), data["epochs"]
    left, middle, right = axes[0]
    number = np.arange(1, data["values"].shape[-1] + 1)
    for name, (before, after) in zip(names, np.maximum(data["values"], 1e-12), strict=True):
        for values, line in ((before, ":"), (after, "-")):
            left.plot(number, np.median(values, axis=0), line, lw=1.2, color=style.colour(name))
    left.set(xscale="log", yscale="log", ylim=(1e-8, 2 * number[-1]), xlabel="eigenvalue number")
    style.title(left, "eigenvalue / mean\n(dotted: untrained)")
    style.over_epochs(middle, epochs, named(names, data["uneven"]), "")
    middle.set_yscale("log")
    style.title(middle, "variance of\neigenvalues / mean²")
    style.over_epochs(right, epochs, named(names, data["aligned"][..., 0]), "")
    for name, other in zip(names, data["aligned"][..., 1], strict=True):
        right.plot(epochs, np.median(other, axis=1), ":", color=style.colour(name), lw=1.2)
    style.title(right, f"target's share in {data['leading']}\nvectors (dotted: other)")
    style.legend_below(figure, right, style.BAND + "; other: tones that were not trained on")
    share = 100 * np.median(data["values"][:, 0, :, 0], axis=1) / number[-1]
    style.heading(figure, f"Before training one eigenvalue in {number[-1]} holds {share.min():.0f} "
                  f"to {share.max():.0f} % of their sum; variance / mean²: "
                  + ranking(named(names, data["uneven"][:, 0])))
    return figure
