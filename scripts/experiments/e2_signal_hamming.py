"""E2. How differently does the network compute at neighbouring and at distant samples of a 1-D
signal?

    python -m scripts.reproduce e2_signal_hamming

Hamming distance between activation patterns, all hidden units, on the runs of E1.  Local
pairs: 25 windows of 50 consecutive samples, 250 pairs each.  Global pairs: 5000, one
sample in the first two fifths of the signal and one in the last two fifths.  The two
samples of a pair are different (the paper lets 2 % of them coincide), and epoch 0 is
before training (the paper's "epoch 0" is our epoch 1).
"""

from scripts.lab import (
    Claim, chain, coordinates, each, encodings, every, mean_distances, means, named, ordered,
    over_checkpoints, signal_pairs, signal_runs, style,
)
from scripts.lab.headings import against

TITLE = "Hamming distance along a 1-D signal"
SOURCE = "the paper's 1d_signal_hamming.py"
PAPER_EPOCHS = 500
SHOWS = ("How many units differ between two samples, one line an input, through training: on "
         "the left for neighbours, on the right for the two ends of the signal.")


def runs(settings):
    return signal_runs(settings).values()


def measure(settings, folder):
    """values (inputs, checkpoints, seeds, 2): mean distance of local and of global pairs."""
    def distances(trained, net):
        return mean_distances(net, trained.x, signal_pairs(trained))

    return over_checkpoints(signal_runs(settings), folder, distances)


def claims(data):
    names, trained = data["inputs"].tolist(), data["epochs"] >= 1
    local, far = (named(names, data["values"][:, trained][..., place])
                  for place in (0, 1))
    first, last = ({name: values[c] for name, values in far.items()} for c in (0, -1))
    everywhere = every(data["epochs"][trained])
    few, many = coordinates(names), encodings(names)
    gap = {name: far[name] - local[name] for name in names}
    return [
        ordered("E2a", f"local Hamming distance {{}} {everywhere}", chain(*reversed(names)), local),
        ordered("E2b", "global Hamming distance {} after the first epoch",
                chain(many[-2:], *reversed(few)), first),
        ordered("E2c", f"global Hamming distance is lowest for {names[0]} {everywhere}: {{}}",
                chain(names[1:], names[0]), far),
        ordered("E2d", "global Hamming distance {} at the end", chain(*many[-2:]), last),
        Claim("E2e", f"local < global for every input {everywhere}", means(gap),
              each("global > local", gap)),
    ]


def draw(data):
    figure, axes = style.panels(1, 2)
    names = data["inputs"].tolist()
    titles = ("local pairs: same window", "global pairs: opposite ends")
    for ax, place, text in zip(axes.flat, (0, 1), titles, strict=True):
        style.over_epochs(ax, data["epochs"], named(names, data["values"][..., place]),
                          "" if place else "Hamming distance (units)")
        style.title(ax, text)
        ax.set_ylim(0)
    style.legend_below(figure, axes.flat[0], style.BAND)
    style.heading(figure, against(
        named(names, data["values"][:, -1, :, 0]),
        "The Hamming distance of neighbours under {last} is {times} that on {first}",
        "Hamming distance of neighbours"))
    return figure
