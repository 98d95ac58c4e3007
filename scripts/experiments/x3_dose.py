"""X3. Does a network fed with coordinates learn the better, the more its imposed regions change
from sample to sample, and does it matter where they change?

    python -m scripts.reproduce x3_dose

A 4x128 network is fed with coordinates on [0,1] and learns 1024 samples of the 14 tones, full
batch, Adam, 500 epochs, with the frozen gates of another network (h = q * z, T40).  Donors are
untrained networks fed with coordinates, stretched ever more, or with ever more frequencies.  The
dose is the donor's mean Hamming distance between neighbours.

Controls: the same gates shuffled over the samples (as many different patterns, in no order); coins,
each unit on by chance as often as in the donor, at every sample anew (as many patterns as samples,
and nothing of the encoding in them); one frequency, whose patterns come back with every wave, with
about as many switches as L=6; and a donor trained on the signal first, for as long. Error is |r|^2
over |y|^2, the best of the last tenth of training.

Not made before looking: the donor of one frequency (X3d), after part of X2 had been seen.  X3a was
judged with ten donors first (rank correlation -.90); two were dropped for time.
"""

import numpy as np

from relu_dynamics import predict
from scripts.lab import (
    Claim, Gates, Link, Setup, last_tenth, means, ordered, rank_correlation, read, signal_runs,
    style,
)
from scripts.lab.headings import times

TITLE = "Dose and controls"
SOURCE = "statement T40"
KIND = "question"
SHOWS = ("Error after training against the number of units that switch from one sample to the "
         "next, by whose gates; lines join coordinates of wider intervals and encodings of "
         "more frequencies. Open marks and the single frequency are controls.")
SETUPS = {
    "quick": Setup(256, (32,) * 4, 60, None, (0, 54, 60)),
    "laptop": Setup(1024, (128,) * 4, 500, None, (0, *range(450, 501, 10))),
    "paper": Setup(2048, (128,) * 4, 500, None, (0, *range(450, 501, 10))),
}
FED = "[0,1]"
STRETCHED = ("[0,1]", "[0,16]", "[0,128]")
ENCODED = ("L=1", "L=3", "L=4", "L=6", "L=8")
CONTROLLED = ("[0,128]", "L=6")
PERIODIC = "2^5 x 6"  # L=6's highest frequency, in as many columns


def kinds(settings):
    """name -> gates of every donor and control."""
    epochs = settings.epochs or SETUPS[settings.scale].epochs
    donors = {name: Gates(name) for name in (*STRETCHED, *ENCODED)}
    shuffled = {f"{name}, shuffled": Gates(name, "shuffled") for name in CONTROLLED}
    return {**donors, **shuffled, "L=6, coins": Gates("L=6", "coins"), PERIODIC: Gates(PERIODIC),
            "[0,1], trained": Gates("[0,1]", epochs=epochs)}


def wanted(settings):
    plain = signal_runs(settings, (FED,), setups=SETUPS)
    return {(kind, seed): run._replace(gates=gates) for kind, gates in kinds(settings).items()
            for (_, seed), run in plain.items()}


def runs(settings):
    return wanted(settings).values()


def measure(settings, folder):
    """error and dose, (donors, seeds)."""
    table = wanted(settings)
    names, seeds = (list(dict.fromkeys(axis)) for axis in zip(*table, strict=True))
    error, dose = np.empty((2, len(names), len(seeds)))
    for (name, seed), run in table.items():
        trained = read(run, folder)
        late = [trained.nets[c] for c in np.flatnonzero(last_tenth(trained.epochs))]
        at, q = (names.index(name), seeds.index(seed)), trained.gates
        error[at] = min(((predict(net, trained.x, q) - trained.y) ** 2).sum() for net in late)
        error[at] /= (trained.y**2).sum()
        dose[at] = np.count_nonzero(q[1:] != q[:-1], axis=1).mean()
    return {"donors": np.array(names), "error": error, "dose": dose, "epochs": trained.epochs}


def claims(data):
    error, dose = ({name: row for name, row in zip(data["donors"].tolist(), data[key], strict=True)}
                   for key in ("error", "dose"))
    donors = (*STRETCHED, *ENCODED)
    correlation = np.array([-rank_correlation([error[name][s] for name in donors],
                                              [dose[name][s] for name in donors])
                            for s in range(data["error"].shape[1])])
    shuffled = {name: np.log10(error[f"{name}, shuffled"] / error[name]) for name in CONTROLLED}

    def off(name):
        """log10 of the error over what the line through the encodings says at the same dose."""
        line = sorted(ENCODED, key=lambda encoded: dose[encoded].mean())
        return np.array([np.log10(error[name][s]) - np.interp(
            np.log10(dose[name][s]),
            *(np.log10([of[encoded][s] for encoded in line]) for of in (dose, error)))
            for s in range(data["error"].shape[1])])

    between = {name: off(name) for name in ("[0,16]", "[0,128]", PERIODIC)}
    return [
        Claim("X3a", "the larger the donor's Hamming distance between neighbours, the smaller the "
                     "error: rank correlation over eight untrained donors below -0.7",
                     means({"-correlation": correlation}),
              [Link("-correlation - 0.7", correlation - 0.7)]),
        Claim("X3b", "the same gates shuffled over the samples leave a larger error than in place "
                     "(log10 of the ratio)", means(shuffled),
                     [Link(name, values) for name, values in shuffled.items()]),
        ordered("X3c", "gates by chance leave a larger error than the encoding's own; error: {}",
                "coins > L=6",
                {"coins": error["L=6, coins"], "L=6": error["L=6"]}, log=True),
        Claim("X3d", "only the dose counts, not the kind of donor: the error is within a factor of "
                     "2 (log10: 0.3) of that of encodings of the same dose, for stretched "
                     "coordinates and for one frequency",
                     means(between),
              [Link(f"0.3 - |difference|, {name}", 0.3 - abs(value)) 
               for name, value in between.items()]),
        ordered("X3e", "gates of a trained coordinate network leave a smaller error than those of "
                       "an untrained one; error: {}", "untrained > trained",
                {"untrained": error["[0,1]"], "trained": error["[0,1], trained"]}, log=True),
    ]


MARKS = {"": "o", "shuffled": "x", "coins": "s", "trained": "^"}
BESIDE = {  # where a name stands, in points from its own; the rest stand above right
    "[0,1]": (-8, -17), "[0,16]": (-6, -24), "[0,128]": (-4, 9),
    "[0,1], trained": (-66, 12),
    PERIODIC: (-34, -18), "[0,128], shuffled": (-34, 9),
}


def draw(data):
    """A point per donor with its ranges over seeds; a line joins donors of one kind."""
    figure, axes = style.panels(1, 1, height=4.4)
    ax, names = axes[0, 0], data["donors"].tolist()
    middle = {name: (np.median(data["dose"][i]), np.median(data["error"][i]))
              for i, name in enumerate(names)}
    for kind, line in ((STRETCHED, "--"), (ENCODED, "-")):
        ax.plot(*zip(*(middle[name] for name in kind), strict=True), line, color="0.8", zorder=0)
    for i, name in enumerate(names):
        donor, _, control = name.partition(", ")
        colour = "black" if donor == PERIODIC else style.colour(donor)
        ax.plot(data["dose"][i], data["error"][i], MARKS[control], markersize=5, color=colour,
                alpha=0.75, markerfacecolor=colour if not control else "none")
        ax.annotate(name.replace(PERIODIC, "one frequency"), middle[name], color=colour,
                    fontsize="small",
                    xytext=BESIDE.get(name, (9, 6)), textcoords="offset points")
    ax.set(xscale="log", yscale="log", ylim=(data["error"].min() / 3, 8),
           xlim=(data["dose"].min() / 2, data["dose"].max() * 3))
    ax.set_xlabel("units of the imposed gates that switch from one sample to the next")
    ax.set_ylabel("error after training |r|² / |y|²")
    style.title(ax, f"always fed with {FED}; a mark a seed, named by whose gates")
    donors = [names.index(name) for name in (*STRETCHED, *ENCODED)]
    related = np.median([rank_correlation(data["dose"][donors, s], data["error"][donors, s])
                         for s in range(data["dose"].shape[1])])
    shown = f"{related:.2f}".replace("-", "−")
    by_chance = middle["L=6, coins"][1] / middle["L=6"][1]
    style.heading(figure, f"Units that switch and the error: rank correlation {shown} over "
                  f"untrained gates; units switching by chance leave {times(by_chance)} the "
                  f"error of L=6")
    return figure
