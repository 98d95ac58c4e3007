"""E5. How differently does the network compute at neighbouring and at distant pixels?

    python -m scripts.reproduce e5_image_hamming

Hamming distance between activation patterns, all hidden units, for a 4x128 network on a
64x64 random image and on a photograph.  Local pairs: 100 patches of 6x6 pixels, 40 pairs
each.  Global pairs: 4000, in diagonally opposite quadrants 7 pixels apart.  (At paper
scale: 100 patches of 50x50, 500 pairs each; 50 000 pairs, 50 pixels apart.)  Epoch 0 is
before training (the paper's "epoch 0" is our epoch 1).
"""

from scripts.lab import (
    Claim, Link, chain, coordinates, each, encodings, every, image_pairs, image_runs,
    mean_distances, means, named, ordered, over_checkpoints, steadily, style,
)

TITLE = "Hamming distance across an image"
SOURCE = "the paper's hamming_image.py"
PAPER_EPOCHS = 1000
SHOWS = ("How many units differ between two pixels, through training: on the left for neighbours, "
         "on the right for distant ones.")


def runs(settings):
    return image_runs(settings).values()


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, 2): mean over local and over global pairs."""
    def distances(trained, net):
        return mean_distances(net, trained.x, image_pairs(trained))

    return over_checkpoints(image_runs(settings), folder, distances)


def claims(data):
    names, trained, result = data["inputs"].tolist(), data["epochs"] >= 1, []
    few, many, everywhere = coordinates(names), encodings(names), every(data["epochs"][trained])
    for image, table in zip(data["images"].tolist(), data["values"][:, :, trained], strict=True):
        local, far = (named(names, table[..., place]) for place in (0, 1))
        first = {name: values[0] for name, values in far.items()}
        gap = {name: far[name] - local[name] for name in names}
        result += [
            ordered("E5a", f"local Hamming distance {{}} {everywhere}", chain(*reversed(names)),
                    local, image=image),
            ordered("E5b", f"global Hamming distance {{}} {everywhere}",
                    chain(many[-2:], *reversed(few)), far, image=image),
            Claim("E5d", f"local < global for every input {everywhere}", means(gap),
                  each("global > local", gap), image=image),
            ordered("E5e", "global distance {} after the first epoch", chain(*many[-2:]), first,
                    image=image),
        ]
        if few and many:
            low, wide, middle, high = few[0], few[-1], many[-2:][0], many[-1]
            result += [
                Claim("E5f", f"locally {middle} is more than twice {wide} {everywhere}",
                      means({name: local[name] for name in (middle, wide)}),
                      each(f"{middle} > 2 x", {wide: local[middle] - 2 * local[wide]}),
                      image=image),
                Claim("E5c", f"global distance of {high} peaks and then falls; {low} grows "
                             f"throughout",
                      means({name: far[name] for name in (high, low)}),
                      [Link(f"peak > last epoch, {high}", far[high].max(axis=0) - far[high][-1]),
                       Link(f"every step up, {low}", steadily(far[low]))], image=image,
                      needs="in the paper the peak comes after hundreds of epochs of 32 steps"),
            ]
    return result


def draw(data):
    figure, axes = style.panels(len(data["images"]), 2)
    for row, image, table in zip(axes, data["images"].tolist(), data["values"], strict=True):
        for ax, place, title in zip(row, range(2), ("local pairs", "global pairs"), strict=True):
            values = named(data["inputs"].tolist(), table[..., place])
            style.over_epochs(ax, data["epochs"], values, "Hamming distance (units)")
            ax.set_title(f"{image}: {title}", loc="left", fontsize="medium")
    for column in axes.T:
        style.same_range(column, 0)
    style.legend_below(figure, axes.flat[0], style.BAND)
    return figure
