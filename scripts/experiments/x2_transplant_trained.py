"""X2. Does a network fed with coordinates learn high tones if its regions are an encoded network's?

    python -m scripts.reproduce x2_transplant_trained

E1's signal, shape and training (14 tones, 4x128, full batch, Adam, 500 epochs), fed with
coordinates or with the highest encoding.  The units go on and off by the network's own moving
regions, as usual; by its own regions before training, frozen; or by the frozen regions of another,
untrained network, fed with either (h = q * z, T40).  With frozen gates the network is linear in
each layer, and everything that training can still do is choose weights.

Frozen gates also let the function *jump* where a unit switches, which a ReLU cannot: of the squared
change of the fit from one sample to the next, the share made by the change of gates alone is
measured beside.

Error is |r|^2 over |y|^2, the best of the last tenth of training; a tone counts as learned when its
relative error is below one half.

Not made before looking: X2h, after part of the fits had been seen.
"""

import numpy as np

from relu_dynamics import PAPER_TONES, frequency_error, grid, pattern, predict
from scripts.lab import (
    Claim, Gates, Link, extremes, last_tenth, means, ordered, read, signal_inputs, signal_runs,
    style,
)
from scripts.lab.headings import times
from scripts.lab.rates import strongest

TITLE = "Features or gates: trained"
SOURCE = "E1 with imposed patterns; statement T40"
KIND = "question"
SHOWS = ("Above, fits after training of networks fed with coordinates, the signal in grey: "
         "with their own moving gates, and with the frozen gates of other networks. Below, "
         "the error by whose gates a network has, filled for coordinates and open for the "
         "encoding as what is fed; and the error of every tone.")


def fed(settings):
    return extremes(settings, signal_inputs(settings))


def wanted(settings):
    """(input, gates, seed) -> run; gates are "moving", "frozen", or the input of another
    network."""
    plain = signal_runs(settings, fed(settings))
    kinds = {"moving": None, "frozen": Gates("own"),
             **{name: Gates(name) for name in fed(settings)}}
    return {(name, kind, seed): run._replace(gates=gates) for kind, gates in kinds.items()
            for (name, seed), run in plain.items()}


def runs(settings):
    return wanted(settings).values()


def measure(settings, folder):
    """error (fed, gates, seeds, checkpoints), tone_error (fed, gates, seeds, tones), jump (fed,
    gates, seeds); x, target and fit (fed, gates, samples) of the first seed, on part of the
    signal."""
    table = wanted(settings)
    names, kinds, seeds = (list(dict.fromkeys(axis)) for axis in zip(*table, strict=True))
    first = read(next(iter(table.values())), folder)
    tones = np.array(strongest(first.y) if settings.signal else
                     [k for k in PAPER_TONES if k < len(first.y) // 2])
    shown = slice(0, len(first.y) // 8)
    error = np.empty((len(names), len(kinds), len(seeds), len(first.epochs)))
    by_tone, jump = np.empty((*error.shape[:3], len(tones))), np.empty(error.shape[:3])
    fit = np.empty((len(names), len(kinds), len(first.y[shown])))
    for (name, kind, seed), run in table.items():
        at, trained = (names.index(name), kinds.index(kind), seeds.index(seed)), read(run, folder)
        f = np.array([predict(net, trained.x, trained.gates) for net in trained.nets])
        error[at] = ((f - trained.y) ** 2).sum(axis=(1, 2)) / (trained.y**2).sum()
        late = np.flatnonzero(last_tenth(trained.epochs))
        best = late[np.argmin(error[at][late])]
        by_tone[at] = frequency_error(f[best], trained.y, trained.shape)[tones]
        net = trained.nets[best]
        q = pattern(net, trained.x) if trained.gates is None else trained.gates
        switched = predict(net, trained.x[:-1], q[1:]) - f[best][:-1]
        jump[at] = (switched**2).sum() / (np.diff(f[best], axis=0) ** 2).sum()
        if seed == seeds[0]:
            fit[at[:2]] = f[best, shown, 0]
    return {"inputs": np.array(names), "gates": np.array(kinds), "epochs": trained.epochs,
            "tones": tones,
            "error": error, "tone_error": by_tone, "jump": jump, "fit": fit,
            "target": first.y[shown, 0],
            "x": grid(first.shape, settings.grid)[shown, 0]}


def final(data):
    """gates -> (seeds,) of each input fed: the best error of the last tenth."""
    best = data["error"][..., last_tenth(data["epochs"])].min(axis=-1)
    return {name: dict(zip(data["gates"].tolist(), by_gates, strict=True))
            for name, by_gates in zip(data["inputs"].tolist(), best, strict=True)}


def claims(data):
    errors, kinds, names = final(data), data["gates"].tolist(), data["inputs"].tolist()
    low, high = names[0], names[-1]
    learned = dict(zip(data["gates"].tolist(), (data["tone_error"] < 0.5).sum(axis=-1)[0],
                       strict=True))
    across = {f"{low}, gates of {high}": errors[low][high],
              f"{high}, gates of {low}": errors[high][low]}
    moved = {"gates": np.log10(errors[low][low] / errors[low][high])
             + np.log10(errors[high][low] / errors[high][high]),
             "features": np.log10(errors[low][low] / errors[high][low])
             + np.log10(errors[low][high] / errors[high][high])}
    return [
        ordered("X2a", f"the error of a network fed with {low} is smaller with frozen gates of an "
                       f"untrained network fed with {high} than with its own, moving: {{}}",
                       "moving > imposed",
                {"moving": errors[low]["moving"], "imposed": errors[low][high]}, log=True),
        ordered("X2b", "the error falls more by exchanging gates, features held, than by "
                       "exchanging "
                       "features, gates held (log10, two exchanges each): {}", "gates > features",
                       moved),
        ordered("X2c", "gates of the encoding with coordinates as features learn more than the "
                       "encoding as features with gates of coordinates; error: {}",
                f"{high}, gates of {low} > {low}, gates of {high}", across, log=True),
        Claim("X2d", f"fed with {low}, gates of {high} let every tone be learned to half",
              means({f"tones of {len(data['tones'])}": learned[high]}),
              [Link(f"tones learned > {len(data['tones']) - 0.5}",
                    learned[high] - (len(data["tones"]) - 0.5))]),
        *(ordered(key, f"freezing its own gates makes a network fed with {name} worse; error: {{}}",
                  "frozen > moving", {kind: errors[name][kind] for kind in ("moving", "frozen")},
                  log=True)
          for key, name in (("X2e", low), ("X2f", high))),
        ordered("X2g", f"fed with {low}, the network's own frozen gates and another's of the same "
                       f"kind do equally well; error, compared within a factor of 2: {{}}",
                       "own ≥ other",
                {"own": -abs(np.log10(errors[low]["frozen"] / errors[low][low])),
                 "other": 0 * errors[low][low]},
                margin=0.3),
        ordered("X2h", f"fed with {low}, frozen gates jump where moving ones bend: share of the "
                       f"squared change between "
                       "neighbours that gates make, {}", "frozen > moving",
                {kind: data["jump"][0, kinds.index(kind)] for kind in ("moving", "frozen")}),
    ]


def called(kind):
    return {"moving": "own gates, moving", "frozen": "own gates, frozen"}.get(
        kind, f"gates of {kind}")


def look(kind):
    """A line by its gates: an input's colour for a donor's, black for the network's own."""
    if kind in ("moving", "frozen"):
        return {"color": "black" if kind == "moving" else "0.55",
                "linestyle": "-" if kind == "moving" else ":", "label": called(kind)}
    return {**style.look(kind), "label": called(kind)}


def draw(data):
    """Above: fits of the first input fed, by gates; below: errors for both, and tones."""
    names, kinds, errors = data["inputs"].tolist(), data["gates"].tolist(), final(data)
    figure = style.sheet(height=5.6)
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.3))
    chosen = style.some(kinds, 3)
    fits = above.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
    for ax, kind in zip(fits, chosen, strict=True):
        ax.plot(data["x"], data["target"], color="0.75", linewidth=2.2)
        ax.plot(data["x"], data["fit"][0, kinds.index(kind)], color=look(kind)["color"],
                linewidth=1.2)
        style.title(ax, f"{called(kind)}:\nerror {np.median(errors[names[0]][kind]):.2g}")
        ax.set_xlabel("x")
    fits[0].set_ylabel(f"fed with {names[0]}")
    every, tones = below.subplots(1, 2)
    for g, kind in enumerate(kinds):
        for f, name in enumerate(names):
            style.ranges(every, np.array([g + 0.24 * (f - (len(names) - 1) / 2)]),
                         errors[name][kind][None], look(kind)["color"], marker="os"[f],
                         face=None if f == 0 else "white")
        style.shaded(tones, data["tones"], data["tone_error"][0, g].T, **look(kind))
    every.set_yscale("log")
    every.set_xticks(range(len(kinds)), [called(kind).replace(" ", "\n") for kind in kinds],
                     fontsize="small")
    every.set_ylabel("error |r|² / |y|²")
    style.title(every, f"fed with {names[0]}" + (f" (open: {names[-1]})" if len(names) > 1 else ""))
    tones.set_xlabel("tone k (cycles per signal)")
    tones.set_ylabel("relative error of the tone")
    style.title(tones, f"fed with {names[0]}, by tone")
    style.bare([*fits, every, tones])
    style.legend_below(below, tones, "colour: whose gates; fits: first seed, grey the signal; "
                       "dot or line: median over seeds", columns=3)
    own, other = errors[names[0]]["moving"], errors[names[0]][kinds[-1]]
    style.heading(figure, f"Fed with {names[0]}, a network with the frozen gates of an untrained "
                  f"network on {kinds[-1]} leaves {times(np.median(other) / np.median(own))} the "
                  f"error of its own moving gates")
    return figure
