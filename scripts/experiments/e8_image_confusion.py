"""E8. Does descent at one pixel help or hurt at another, nearby and far away?

    python -m scripts.reproduce e8_image_confusion

Gradient confusion, the cosine of two pixels' loss gradients, for the local and global
pairs of E5, through training.  The paper shows kernel density estimates, which leak past
+-1; here are histograms.

Far apart the paper finds [0,1] widest after 15 epochs (E8f, here after 10) and coordinates
narrowest at the end on natural images, not on a random one (E8d).  Earlier trials found [0,1] still
widest after 300 epochs (E8e); whether it is depends on how much fine detail an image has, which
coordinates leave unlearned.
"""

import numpy as np

from relu_dynamics import confusion_of_pairs
from scripts.lab import (
    Claim, chain, coordinates, each, encodings, image_pairs, image_runs, means, named, ordered,
    over_checkpoints, read, style,
)
from scripts.lab.headings import against, likewise
from scripts.lab.rates import band_energies

TITLE = "Gradient confusion across an image"
SOURCE = "the paper's gradient_confusion_image.py"
PAPER_EPOCHS = 1000
SHOWS = ("Above, histograms of the cosine between two pixels' loss gradients at the end, "
         "nearby and far apart, an outline an input: wide tails are pixels bound together, a "
         "narrow peak at 0 is independence. Below, the spread of these cosines on every image.")
EDGES = np.linspace(-1, 1, 51)


def runs(settings):
    return image_runs(settings).values()


def measure(settings, folder):
    """Of local [0] and global [1] cosines: spread and aligned (images, inputs, checkpoints, seeds,
    2), their standard deviation and the share with |cos| > 0.9; counts (images, inputs,
    checkpoints, 2, bins), histograms, seeds pooled."""
    def summary(trained, net):
        pairs = image_pairs(trained)
        every = confusion_of_pairs(net, trained.x, trained.y, *np.hstack(pairs))
        return [[np.nanstd(cosines), np.mean(np.abs(cosines) > 0.9),
                 *np.histogram(cosines, EDGES)[0]]
                for cosines in np.split(every, [len(pairs[0].i)])]

    table = over_checkpoints(image_runs(settings), folder, summary)
    values = table.pop("values")
    first = {image: run for (image, _, _), run in image_runs(settings).items()}
    return {**table, "fine": np.array([fine_share(read(run, folder)) for run in first.values()]),
            "edges": EDGES, "spread": values[..., 0], "aligned": values[..., 1],
            "counts": values[..., 2:].sum(axis=3)}


def fine_share(trained):
    """Of the variance of an image, the share of bands from an eighth of the pixels per axis up."""
    energy = band_energies(trained.y, trained.shape)[1:]
    return energy[trained.run.size // 8 - 1 :].sum() / energy.sum()


def claims(data):
    names, epochs, result = data["inputs"].tolist(), data["epochs"], []
    few, many = coordinates(names), encodings(names)
    late = epochs >= min(50, epochs[-1])
    soon = min(10, epochs[-1])
    since = f"from epoch {epochs[late][0]}"
    for image, spread, aligned, fine in zip(
            data["images"].tolist(), data["spread"], data["aligned"], data["fine"], strict=True):
        local, far, piled = (named(names, values) for values in
                             (spread[:, late][..., 0], spread[:, late][..., 1],
                              aligned[:, late][..., 0]))
        early = named(names, spread[:, epochs >= soon][..., 1])
        at_soon = {name: values[0] for name, values in early.items()}
        end = {name: values[-1] for name, values in far.items()}
        gap = {name: local[name] - far[name] for name in names}
        natural = chain(many[-1:], few)  # what holds a natural image together, encodings learn
        order = chain(*few, *many[-2:-1]) if image == "random image" else natural
        result += [
            ordered("E8a", f"spread (std) of local cosines: {{}} {since}", chain(few, *many[-2:]),
                    local, image=image),
            ordered("E8b", f"share of local pairs with |cos| > 0.9: {{}} {since}",
                    chain(" ≥ ".join(few), " ≥ ".join(many[-2:])), piled, margin=0.02,
                    image=image, why=undecided(piled, few, many[-2:])),
            Claim("E8c", f"spread of global cosines < of local ones, for every input {since}",
                  means(gap), each("local > global", gap),
                  image=image),
            ordered("E8f", f"spread of global cosines after epoch {soon}: {{}}",
                    chain(few[:1], many[-2:]), at_soon, image=image),
            ordered("E8e", f"and still {{}} at every checkpoint from epoch {soon} on",
                    chain(few[:1], many[-2:]), early, image=image, kind="question",
                    why=f"{fine:.0%} of the variance of the image is in fine detail; "
                        + crossing(early, epochs[epochs >= soon], few[:1], many[-1:])),
            ordered("E8d", "spread of global cosines at the end: {}", order, end, image=image),
        ]
    return result


def undecided(piled, few, many):
    """For each pair that must not be ordered the other way, in how many seeds it is somewhere."""
    pairs = [(a, b) for group in (few, many) for a, b in zip(group[:-1], group[1:], strict=True)]
    counts = [f"{a} below {b} by more than 0.02 at some checkpoint in "
              f"{np.count_nonzero((piled[a] - piled[b] + 0.02).min(axis=0) < 0)} of "
              f"{piled[a].shape[1]} seeds" for a, b in pairs]
    return "; ".join(counts)


def crossing(spread, epochs, low, high):
    """The mean spread of two inputs at each checkpoint."""
    return "; ".join(f"{name} " + ", ".join(f"{value:.2f}" for value in spread[name].mean(axis=1))
                     for name in (*low, *high)) + f" at epochs {', '.join(map(str, epochs))}"


def draw(data):
    """Above: histograms of one image; below: the spread on every image."""
    figure, axes = style.panels(2, 2, height=2.7)
    names, images = data["inputs"].tolist(), data["images"].tolist()
    shown = style.main_image(images)
    for column, place, kind in zip(axes.T, (0, 1), ("local", "global"), strict=True):
        counts = named(names, data["counts"][shown, :, -1, place])
        style.histogram(column[0], data["edges"], counts, "cosine of two loss gradients")
        style.title(column[0], f"{kind} pairs, {images[shown]}")
        spread = data["spread"][:, :, -1, :, place].swapaxes(0, 1)
        style.over_images(column[1], images, named(names, spread), "spread (std) of the cosine")
        style.title(column[1], f"{kind} pairs, every image")
    style.same_range(axes[0])
    style.same_range(axes[1], 0)
    style.legend_below(figure, axes.flat[0], f"after {data['epochs'][-1]} epochs; histograms: all "
                       f"seeds pooled; below, {style.DOTS}")
    end = data["spread"][:, :, -1, :, 0]
    style.heading(figure, against(
        named(names, end[shown]), f"{images[shown]}: the spread of neighbours' cosines under "
        f"{{last}} is {{times}} that on {{first}}", "spread of neighbours' cosines")
        + likewise(end, shown))
    return figure
