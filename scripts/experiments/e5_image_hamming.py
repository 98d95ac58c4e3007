"""E5. How differently does the network compute at neighbouring and at distant pixels?

    python -m scripts.reproduce e5_image_hamming

Hamming distance between activation patterns, all hidden units, for a 4x128 network on a
64x64 random image and on a photograph.  Local pairs: 100 patches of 6x6 pixels, 40 pairs
each.  Global pairs: 4000, in diagonally opposite quadrants 7 pixels apart.  (At paper
scale: 100 patches of 50x50, 500 pairs each; 50 000 pairs, 50 pixels apart.)  Epoch 0 is
before training (the paper's "epoch 0" is our epoch 1).

The paper finds its lowest encoding, L=4 of 4, 8 and 16, above the coordinates at every epoch (E5b;
at laptop scale L=3), and the higher ones rising, then falling until coordinates [0,1] cross them
(E5c).  On images that are fitted sooner the fall comes within 300 epochs: E5g fails where it has
begun.

Not made before looking: E5h.  In the brain two of five global pairs lie in the black background,
where there is nothing to tell apart; E5h is E5b over the pairs whose targets differ.
"""

import numpy as np

from relu_dynamics import Pairs
from scripts.lab import (
    Claim, Link, chain, coordinates, each, encodings, every, image_pairs, image_runs,
    mean_distances, means, named, ordered, over_checkpoints, steadily, style,
)
from scripts.lab.headings import against, likewise

TITLE = "Hamming distance across an image"
SOURCE = "the paper's hamming_image.py"
PAPER_EPOCHS = 1000
SHOWS = ("How many units differ between two pixels, one line an input: above for neighbours, "
         "below for distant ones; on the left through training on one image, on the right at "
         "the end on every image.")
APART = 0.1   # distance of two targets, colours from 0 to 1
LEAST = 1e-3  # units: distances are compared as logarithms


def runs(settings):
    return image_runs(settings).values()


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, 2): mean over local and over global pairs; apart
    and share (images, inputs, checkpoints, seeds): mean over the global pairs whose targets differ
    by more than APART, and how many of the pairs these are."""
    def distances(trained, net):
        near, far = image_pairs(trained)
        differ = np.linalg.norm(trained.y[far.i] - trained.y[far.j], axis=1) > APART
        apart = Pairs(far.i[differ], far.j[differ])
        return [*mean_distances(net, trained.x, (near, far, apart)), differ.mean()]

    table = over_checkpoints(image_runs(settings), folder, distances)
    values = table.pop("values")
    return {**table, "values": values[..., :2], "apart": values[..., 2], "share": values[..., 3]}


def claims(data):
    names, trained, result = data["inputs"].tolist(), data["epochs"] >= 1, []
    few, many, everywhere = coordinates(names), encodings(names), every(data["epochs"][trained])
    reach = [name for name in many if int(name[2:]) >= 3][:1]
    tables = (data[key][:, :, trained] for key in ("values", "apart", "share"))
    for image, table, apart, share in zip(data["images"].tolist(), *tables, strict=True):
        local, far = (named(names, np.maximum(table[..., place], LEAST)) for place in (0, 1))
        first = {name: values[0] for name, values in far.items()}
        ratio = {name: far[name] / local[name] for name in names}
        result += [
            ordered("E5a", f"local Hamming distance {{}} {everywhere}", chain(*reversed(names)),
                    local, log=True, image=image),
            ordered("E5b", f"global Hamming distance {{}} {everywhere}",
                    chain(reach, *reversed(few)), far, log=True, image=image,
                    why=f"{1 - share.mean():.0%} of the pairs have the same target, within {APART} "
                        "(E5h)"),
            ordered("E5h", f"over the pairs whose targets differ, global Hamming distance {{}} "
                           f"{everywhere}", chain(reach, *reversed(few)),
                    named(names, np.maximum(apart, LEAST)), log=True, image=image, kind="question"),
            ordered("E5g", "and of the highest encoding, which the paper sees fall in the end "
                           f"(E5c): {{}} {everywhere}", chain(many[-1:], few), far, log=True,
                    image=image,
                    kind="question", why=fallen(far, [*many[-1:], *few[-1:]])),
            Claim("E5d", f"local < global for every input {everywhere} (log10 of the ratio)",
                  "global / local: " + means(ratio, log=True),
                  each("global > local", ratio, np.log10), image=image),
            ordered("E5e", "global distance {} after the first epoch", chain(*many[-2:]), first,
                    log=True, image=image),
        ]
        if few and many:
            low, wide, middle, high = few[0], few[-1], many[-2:][0], many[-1]
            result += [
                Claim("E5f", f"locally {middle} is more than twice {wide} {everywhere} (compared "
                             "as log10)",
                      means({name: local[name] for name in (middle, wide)}, log=True),
                      each(f"{middle} > 2 x",
                           {wide: np.log10(local[middle] / (2 * local[wide]))}), image=image),
                Claim("E5c", f"global distance of {high} peaks and then falls; {low} grows "
                             f"throughout",
                      means({name: far[name] for name in (high, low)}),
                      [Link(f"peak > last epoch, {high}", far[high].max(axis=0) - far[high][-1]),
                       Link(f"every step up, {low}", steadily(far[low]))], image=image,
                      needs="in the paper the peak comes after hundreds of epochs of 32 steps"),
            ]
    return result


def fallen(far, names):
    """How far inputs are below their peak at the end."""
    below = {name: 100 * (1 - far[name][-1] / far[name].max(axis=0)) for name in names}
    return f"percent below the largest of the checkpoints at the end: {means(below, '{:.0f}')}"


def draw(data):
    figure, axes = style.panels(2, 2)
    names, images = data["inputs"].tolist(), data["images"].tolist()
    for row, place, text in zip(axes, (0, 1), ("local pairs, ", "global pairs, "), strict=True):
        style.trained_images(row, data, data["values"][..., place], "Hamming distance (units)",
                             text)
        style.same_range(row, 0)
    style.legend_below(figure, axes.flat[0], style.LINES_AND_DOTS)
    end, shown = data["values"][:, :, -1, :, 0], style.main_image(images)
    style.heading(figure, against(
        named(names, end[shown]), f"{images[shown]}: the Hamming distance of neighbours under "
        f"{{last}} is {{times}} that on {{first}}", "Hamming distance of neighbours")
        + likewise(end, shown))
    return figure
