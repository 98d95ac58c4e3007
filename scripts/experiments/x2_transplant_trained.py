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
    Claim, Gates, Link, extremes, last_tenth, means, ordered, read, signal_inputs,
    signal_runs, style,
)
from scripts.lab.rates import strongest

TITLE = "Features or regions: trained"
SOURCE = "E1 with imposed patterns; statement T40"
KIND = "question"
SHOWS = ("What is fed in rows, whose regions in columns. Above, the fits after training, one seed; "
         "below, the error of every tone and the error through training.")


def fed(settings):
    return extremes(settings, signal_inputs(settings))


def wanted(settings):
    """(input, gates, seed) -> run; gates are "moving", "frozen", or another network's input."""
    plain = signal_runs(settings, fed(settings))
    kinds = {"moving": None, "frozen": Gates("own"),
             **{name: Gates(name) for name in fed(settings)}}
    return {(name, kind, seed): run._replace(gates=gates) for kind, gates in kinds.items()
            for (name, seed), run in plain.items()}


def runs(settings):
    return wanted(settings).values()


def measure(settings, folder):
    """error (fed, gates, seeds, checkpoints), tone_error (fed, gates, seeds, tones), jump (fed,
    gates, seeds); x, target and fit (fed, gates, samples) of the first seed, on part of the signal.
    """
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
    errors, kinds, (low, *_, high) = final(data), data["gates"].tolist(), data["inputs"].tolist()
    learned = dict(zip(data["gates"].tolist(), (data["tone_error"] < 0.5).sum(axis=-1)[0],
                       strict=True))
    across = {f"{low}, gates of {high}": errors[low][high],
              f"{high}, gates of {low}": errors[high][low]}
    size = {name: {kind: np.log10(errors[name][kind]) for kind in (low, high)}
            for name in (low, high)}
    moved = {"gates": size[low][low] - size[low][high] + size[high][low] - size[high][high],
             "features": size[low][low] - size[high][low] + size[low][high] - size[high][high]}
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
                       "kind do equally well; error, compared within a factor of 2: {}",
                "own ≥ other",
                {"own": -abs(np.log10(errors[low]["frozen"] / errors[low][low])),
                 "other": 0 * errors[low][low]},
                margin=0.3),
        ordered("X2h", f"fed with {low}, frozen gates jump where moving ones bend: share of the "
                       "squared change between neighbours that gates make, {}", "frozen > moving",
                {kind: data["jump"][0, kinds.index(kind)] for kind in ("moving", "frozen")}),
    ]


def called(kind):
    return f"own gates, {kind}" if kind in ("moving", "frozen") else f"gates of {kind}"


def look(kind):
    """A line by its gates: an input's colour for a donor's, black for the network's own."""
    if kind in ("moving", "frozen"):
        return {"color": "black" if kind == "moving" else "0.55",
                "linestyle": "-" if kind == "moving" else ":",
                "label": called(kind)}
    return {"color": style.colour(kind), "linestyle": "--" if kind.startswith("[") else "-",
            "label": called(kind)}


def draw(data):
    """Fits for every pair of features and gates; below, the tones, and the error over training."""
    names, kinds, errors = data["inputs"].tolist(), data["gates"].tolist(), final(data)
    figure = style.Figure(figsize=(13.5, 8.6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    fits = above.subplots(len(names), len(kinds), sharex=True, sharey=True, squeeze=False)
    for (f, g), ax in np.ndenumerate(fits):
        ax.plot(data["x"], data["target"], color="0.75", linewidth=2.2, label="signal")
        ax.plot(data["x"], data["fit"][f, g], color=look(kinds[g])["color"], linewidth=1.1)
        error = np.median(errors[names[f]][kinds[g]])
        ax.set_title((f"{called(kinds[g])}\n" if f == 0 else "") + f"error {error:.2g}", loc="left",
                     fontsize="medium")
        ax.spines[["top", "right"]].set_visible(False)
    for name, ax in zip(names, fits[:, 0], strict=True):
        ax.set_ylabel(f"fed with {name}\nsignal (grey) and fit")
    for ax in fits[-1]:
        ax.set_xlabel("x")
    panels = below.subplots(1, 2 * len(names), squeeze=False)[0]
    for f, name in enumerate(names):
        tones, curve = panels[2 * f : 2 * f + 2]
        for g, kind in enumerate(kinds):
            style.shaded(tones, data["tones"], data["tone_error"][f, g].T, **look(kind))
            style.shaded(curve, data["epochs"], data["error"][f, g].T, **look(kind))
        tones.axhline(0.5, color="0.8", linewidth=0.8, zorder=0)
        tones.set_xlabel("tone k (cycles per signal)")
        tones.set_ylabel("relative error of the tone")
        tones.set_title(f"fed with {name}: tones", loc="left", fontsize="medium")
        style.epochs_axis(curve, data["epochs"], "error |r|² / |y|²")
        curve.set_yscale("log")
        curve.set_title(f"fed with {name}: training", loc="left", fontsize="medium")
        for ax in (tones, curve):
            ax.spines[["top", "right"]].set_visible(False)
    style.same_range(panels[::2])
    style.same_range(panels[1::2])
    style.legend_below(figure, panels[0], "colour: whose regions; " + style.BAND)
    return figure
