"""E8. Does descent at one pixel help or hurt at another, nearby and far away?

    python -m scripts.e8_image_confusion [--quick] [--seeds 5] [--out out]

Gradient confusion, the cosine of two pixels' loss gradients, for the local and global
pairs of E5, through training.  The paper shows kernel density estimates, which leak past
+-1; here are histograms.

Writes e8_image_confusion.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.tangent import confusion_of_pairs
from scripts import experiment, style
from scripts.e5_image_hamming import pairs_of
from scripts.ledger import Claim, Link, means, ordering
from scripts.runs import image_runs, over_images

TITLE = "Gradient confusion across an image"
SOURCE = "the paper's gradient_confusion_image.py"
SHOWS = ("Histograms of the cosine between two pixels' loss gradients, nearby and far apart, at the end. Wide tails "
         "are pixels bound together; a narrow peak at 0 is independence.")
EDGES = np.linspace(-1, 1, 51)


def runs(settings):
    return list(image_runs(settings).values())


def measure(settings, folder):
    """Of local [0] and global [1] cosines: spread and aligned (images, inputs, checkpoints, seeds, 2), their standard
    deviation and the share with |cos| > 0.9; counts (images, inputs, checkpoints, 2, bins), histograms, seeds pooled."""
    def summary(trained, net):
        rows = []
        for pairs in pairs_of(trained):
            cosines = confusion_of_pairs(net, trained.x, trained.y, *pairs)
            rows.append([cosines.std(), np.mean(np.abs(cosines) > 0.9), *np.histogram(cosines, EDGES)[0]])
        return rows

    table = over_images(settings, folder, summary)
    values = table.pop("values")
    return {**table, "edges": EDGES, "spread": values[..., 0], "aligned": values[..., 1],
            "counts": values[..., 2:].sum(axis=3)}


def claims(data):
    names, epochs, result = data["inputs"].tolist(), data["epochs"], []
    _, middle, high = names[2:]
    late = epochs >= min(50, epochs[-1])
    for image, spread, aligned in zip(data["images"].tolist(), data["spread"], data["aligned"], strict=True):
        local = dict(zip(names, spread[:, late][..., 0], strict=True))
        far = dict(zip(names, spread[:, late][..., 1], strict=True))
        end = {name: values[-1] for name, values in far.items()}
        piled = dict(zip(names, aligned[:, late][..., 0], strict=True))
        tag = "-" + image.split()[0]
        result += [
            Claim(f"E8a{tag}", f"{image}: spread (std) of local cosines: both coordinates > {middle} > {high} from epoch 50",
                  means(local), ordering(local, ("[0,1]", "[-1,1]"), middle, high)),
            Claim(f"E8b{tag}", f"{image}: share of local pairs with |cos| > 0.9: [0,1] ≥ [-1,1] > {middle} ≥ {high} from epoch 50",
                  means(piled), ordering(piled, "[0,1]", "[-1,1]", ties=True) + ordering(piled, "[-1,1]", middle)
                  + ordering(piled, middle, high, ties=True)),
            Claim(f"E8c{tag}", f"{image}: spread of global cosines < of local ones, for every input from epoch 50",
                  means({name: local[name] - far[name] for name in names}),
                  [Link(f"local > global, {name}", (local[name] - far[name]).min(axis=0)) for name in names]),
        ]
        if image == "random image":
            result.append(Claim(f"E8d{tag}", f"{image}: spread of global cosines at the end: [0,1] > [-1,1] > {middle}", means(end),
                                ordering(end, "[0,1]", "[-1,1]", middle)))
        else:
            result.append(Claim(f"E8d{tag}", f"{image}: spread of global cosines at the end: {high} > both coordinates",
                                means(end), ordering(end, high, ("[0,1]", "[-1,1]"))))
    return result


def draw(data):
    figure, axes = style.panels(2, 2)
    for row, image, table in zip(axes, data["images"].tolist(), data["counts"], strict=True):
        for place, title in enumerate(("local pairs", "global pairs")):
            counts = dict(zip(data["inputs"].tolist(), table[:, -1, place], strict=True))
            style.histogram(row[place], data["edges"], counts, "cosine of two loss gradients")
            row[place].set_title(f"{image}: {title}", loc="left", fontsize="medium")
    style.same_range(axes)
    style.legend_below(figure, axes.flat[0], f"all seeds pooled, after {data['epochs'][-1]} epochs")
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
