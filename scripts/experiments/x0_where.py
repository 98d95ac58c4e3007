"""X0. Where along the signal do walls get into step in training, and is it where the frequencies
are learned?

    python -m scripts.reproduce x0_where

Runs of E1 (and L=1), before and after training.  The walls' part of a frequency's rate is a sum
over walls (T55), hence over places.  Coherence is that sum over what the same walls would give if
they had no order: 1 for walls at random places, more where walls are in step with each other.  It
is taken in 16 places of the signal, for two bands: up to the seventh of the 14 tones, and above it.

What is learned there: the fall of the residual's energy in the same band and place, log10 of before
over after.  The null for places is the energy of the walls, without their order.  By layers and by
units, coherence is the same with sums over their walls.

Thresholds were set before looking; after it X0y compares ratios, as tanh of half their logarithm,
because differences, on which all seeds agreed too, were too skewed for an interval.
"""

import numpy as np
import scipy.fft

from relu_dynamics import hidden_units, predict, split_layers, wall_spectrum
from scripts.lab import (
    Claim, Link, contrast, each, encoding, means, ordered_in_each, rank_correlation, read,
    signal_inputs, signal_runs, style,
)
from scripts.lab.headings import ranking
from scripts.lab.rates import thinned

TITLE = "Where walls get into step"
SOURCE = "statement T55"
KIND = "question"
SHOWS = ("A column for the first input and one for the last. Above, coherence of the walls "
         "along the signal, grey before and coloured after training, with the fall of the "
         "error in black; in the middle, the fall of the error against coherence in the same "
         "place; below, coherence by layers.")
INPUTS = ("[0,1]", "[-1,1]", "L=1", "L=4")
SAMPLES = {"quick": 128, "laptop": 1024, "paper": 2048}
PLACES = 16
BANDS = ((3, 37), (38, 72))  # cycles per signal: seven tones each, 5 to 35 and 40 to 70
LEARNED = 0.2  # the rank correlation asked for


def runs(settings):
    return signal_runs(settings, signal_inputs(settings, INPUTS)).values()


def measure(settings, folder):
    """place (inputs, stages, seeds, bands, 2, places): the walls' part and the same without order;
    layer and unit (..., bands, 2, layers or units); fall (inputs, seeds, bands, places)."""
    names, found, fall = signal_inputs(settings, INPUTS), {}, {}
    for (name, seed), run in signal_runs(settings, names).items():
        trained = read(run, folder)
        ends = trained.nets[0], trained.nets[-1]
        (n,), x, y = thinned(trained, SAMPLES[settings.scale])
        errors = [in_places(predict(net, x) - y) for net in ends]
        fall[name, seed] = np.log10(errors[0] / errors[1])
        for stage, net in enumerate(ends):
            found[name, stage, seed] = coherent_sums(net, n, encoding(name))

    def stacked(part):
        return np.array([[[found[name, stage, seed][part] for seed in settings.seeds]
                          for stage in (0, 1)] for name in names])

    return {"inputs": np.array(names), "place": stacked(0), "layer": stacked(1), "unit": stacked(2),
            "fall": np.array([[fall[name, seed] for seed in settings.seeds] for name in names]),
            "epochs": trained.epochs}


def in_places(residual):
    """(bands, places): energy of a residual, (n, 1), in each band and place."""
    F = scipy.fft.rfft(residual[:, 0])
    k = np.arange(len(F))
    parts = [scipy.fft.irfft(np.where((k >= low) & (k <= high), F, 0), len(residual))
             for low, high in BANDS]
    return (np.reshape(parts, (len(BANDS), PLACES, -1)) ** 2).sum(axis=-1)


def coherent_sums(net, n, feed):
    """(bands, 2, places), (bands, 2, layers), (bands, 2, units): the walls' part of the rates of a
    band, and what it would be without order."""
    k = np.arange(BANDS[0][0], min(BANDS[-1][1], n // 2 - 1) + 1)
    walls = wall_spectrum(net, [0.0], [1.0], n, k, feed)
    alone = walls.energy[:, None] / (4 * n * np.sin(np.pi * k / n) ** 2)
    where = np.minimum((walls.t * PLACES).astype(int), PLACES - 1)
    places, layers, units = [], [], []
    for low, high in BANDS:
        of = (k >= low) & (k <= high)
        both = walls.parts[:, of].sum(axis=1), alone[:, of].sum(axis=1)
        places.append([np.bincount(where, part, PLACES) for part in both])
        units.append([np.bincount(walls.unit, part, hidden_units(net)) for part in both])
        by_layer = split_layers(net, np.array(units[-1]))
        layers.append(np.stack([part.sum(axis=1) for part in by_layer], axis=1))
    return places, layers, units


def coherence(sums):
    """Over the axis of two: NaN where there are no walls."""
    part, alone = np.moveaxis(sums, -2, 0)
    return np.divide(part, alone, out=np.full(part.shape, np.nan), where=alone > 0)


def correlations(data, quantity):
    """name -> (seeds,): rank correlation over places of a quantity, (inputs, seeds, bands, places),
    with the fall of the error; the mean over bands."""
    result = {}
    for name, values, fall in zip(data["inputs"].tolist(), quantity, data["fall"], strict=True):
        result[name] = np.array([np.mean([
            rank_correlation(v[np.isfinite(v)], f[np.isfinite(v)])
            for v, f in zip(by_band, falls, strict=True)])
            for by_band, falls in zip(values, fall, strict=True)])
    return result


def top_share(units):
    """(..., units) to (...): of all that units add beyond what they would without order, the share
    of the tenth of the units that add most."""
    excess = np.sort(np.maximum(units[..., 0, :] - units[..., 1, :], 0), axis=-1)[..., ::-1]
    top = max(1, excess.shape[-1] // 10)
    return excess[..., :top].sum(axis=-1) / excess.sum(axis=-1)


def claims(data):
    names = data["inputs"].tolist()
    place, layer = coherence(data["place"]), coherence(data["layer"])
    in_step = correlations(data, place[:, 1])
    strength = correlations(data, data["place"][:, 1, ..., 1, :])
    learning = {name: value for name, value in in_step.items() if name in INPUTS[:-1]}
    gain = contrast(layer[:, 1, :, 1], layer[:, 0, :, 1])
    top = dict(zip(names, top_share(data["unit"])[:, 1, :, 1], strict=True))
    return [
        Claim("X0w", "after training walls are more in step where the error of the same "
                     f"frequencies fell more: rank correlation over {PLACES} places above "
                     f"{LEARNED} "
                     "(mean of two bands), for inputs that learn part of the tones", means(in_step),
              each(f"correlation - {LEARNED}", learning, lambda value: value - LEARNED)),
        ordered_in_each("X0x", "the order of walls tells where, better than their strength; rank "
                               "correlation: {}", "order > strength",
                        {name: {"order": in_step[name], "strength": strength[name]}
                         for name in learning}),
        ordered_in_each("X0y", "for high tones it is the last hidden layer's walls that get into "
                               "step, more than the first's; (after - before) / (after + before) "
                               "of their coherence: {}", "last > first",
                        {name: {"last": value[:, -1], "first": value[:, 0]}
                         for name, value in zip(names, gain, strict=True)}),
        Claim("X0z", "a tenth of the units makes more than half of what order adds to the rates of "
                     "high tones, after training", means(top),
              [Link(f"share - .5, {name}", value - 0.5) for name, value in top.items()]),
    ]


def draw(data):
    """A column for the first input and the last; the high tones' band."""
    names = data["inputs"].tolist()
    chosen = list(dict.fromkeys((names[0], names[-1])))
    figure, rows = style.panels(3, len(chosen), height=2.2)
    place, layer = coherence(data["place"])[..., 1, :], coherence(data["layer"])[..., 1, :]
    edges, middles = np.linspace(0, 1, PLACES + 1), (np.arange(PLACES) + 0.5) / PLACES
    for (along, against, layers), name in zip(rows.T, chosen, strict=True):
        i = names.index(name)
        for stage, colour in enumerate(("0.6", style.colour(name))):
            along.stairs(np.nan_to_num(place[i, stage, 0]), edges, color=colour, linewidth=1.6)
            style.shaded(layers, np.arange(1, layer.shape[-1] + 1), layer[i, stage].T, colour,
                         ("before", "after")[stage])
        error = along.twinx()
        error.plot(middles, data["fall"][i, 0, 1], ".-", color="black", linewidth=0.8, markersize=4)
        error.spines["top"].set_visible(False)
        if i == len(names) - 1:
            error.set_ylabel("fall of the error (log10)")
        against.plot(place[i, 1].ravel(), data["fall"][i, :, 1].ravel(), ".", markersize=3,
                     color=style.colour(name))
        against.set_xscale("symlog", linthresh=1)
        style.title(along, style.label(name))
        along.set_xlabel("x")
        against.set_xlabel("coherence, after training")
        layers.set_xlabel("hidden layer")
        layers.set_xticks(range(1, layer.shape[-1] + 1))
    for ax, text in zip(rows[:, 0], ("coherence", "fall of error\n(log10)", "coherence"),
                        strict=True):
        ax.set_ylabel(text)
    figure.supxlabel("k = {} to {}; grey: before training, colour: after, black: fall of the "
                     "error, log10\nabove: first seed; middle: every place of every seed; below: "
                     "{}".format(*BANDS[1], style.BAND), fontsize="small")
    style.heading(figure, "Walls in step and the fall of the error, rank correlation over places "
                  "after training: " + ranking(correlations(data, coherence(data["place"])[:, 1])))
    return figure
