"""E18. Is it the same for a smaller network and fewer tones?

    python -m scripts.reproduce e18_signal_appendix

The paper's earlier one-dimensional experiment: two layers of 256 units, ten tones K = 5, 10,
..., 50, coordinates [0,1] against an encoding with six frequencies (twelve inputs; the paper
says L=5), full-batch Adam.  Hamming distance of local pairs, in windows of one fortieth of
the signal, and of global pairs as in E2.  The paper has 2048 samples and 1000 epochs, as has
paper scale here; the default is 512 and 500.
"""

from scripts.lab import (
    Claim, Setup, chain, coordinates, each, every, extremes, mean_distances, means, named,
    ordered, over_checkpoints, signal_pairs, signal_runs, style,
)
from scripts.lab.headings import against

TITLE = "Hamming distance along a simpler signal"
SOURCE = "the paper's appendix, figure 4"
PAPER_EPOCHS = 1000
SHOWS = ("How many units differ between neighbours (left) and between distant samples (right), "
         "through training, a line for each of two inputs.")
SETUPS = {
    "quick": Setup(256, (32, 32), 50, None, (0, 1, 10, 25, 50)),
    "laptop": Setup(512, (256, 256), 500, None, (0, 1, 10, 50, 100, 200, 300, 400, 500)),
    "paper": Setup(2048, (256, 256), 1000, None, (0, 1, 10, *range(100, 1001, 100))),
}


def wanted(settings):
    return signal_runs(settings, extremes(settings, ("[0,1]", "L=6")), "tones to 50", SETUPS)


def runs(settings):
    return wanted(settings).values()


def measure(settings, folder):
    """values (inputs, checkpoints, seeds, 2): mean over local and over global pairs."""
    def distances(trained, net):
        return mean_distances(net, trained.x, signal_pairs(trained))

    return over_checkpoints(wanted(settings), folder, distances)


def claims(data):
    names, everywhere = data["inputs"].tolist(), every(data["epochs"])
    local, far = (named(names, data["values"][..., place]) for place in (0, 1))
    near = {name: local[name] for name in coordinates(names)[:1]}
    return [
        ordered("E18a", f"local Hamming distance {{}} {everywhere}", chain(*reversed(names)),
                local),
        ordered("E18b", f"global Hamming distance {{}} {everywhere}", chain(*reversed(names)), far),
        Claim("E18c", f"coordinates: neighbours differ in about one unit (fewer than two) "
                      f"{everywhere}", means(near),
              each("2 > distance", near, lambda h: 2 - h)),
    ]


def draw(data):
    figure, axes = style.panels(1, 2)
    names = data["inputs"].tolist()
    for ax, place, text in zip(axes[0], range(2), ("local pairs", "global pairs"), strict=True):
        style.over_epochs(ax, data["epochs"], named(names, data["values"][..., place]),
                          "" if place else "Hamming distance (units)")
        style.title(ax, text)
        ax.set_ylim(0)
    style.legend_below(figure, axes[0, 0], style.BAND)
    style.heading(figure, against(
        named(names, data["values"][:, -1, :, 0]),
        "The Hamming distance of neighbours under {last} is {times} that on {first}",
        "Hamming distance of neighbours"))
    return figure
