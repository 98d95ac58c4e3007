"""X0. Is the rate at which a network learns a frequency decided by its walls: where they are, and
how much each changes the gradient?

    python -m scripts.reproduce x0_walls_diffract

For networks before and after training (runs of E1, and the same with L=1) the intrinsic rates
K_kk on 1024 samples are put beside the structure factor of the walls (T55): all walls along the
signal, from the exact enumeration, each with the jump of the gradient there.  No constant is
fitted.

Nulls.  The best power of k, with two fitted constants.  Walls without an order: the sum of
|e_w|^2, which is what walls at random places would give on average.  And the ends: on a line that
is taken for a period, coordinates jump from the end to the start, so the law is also tested for the
cosine transform, in which they make no jump.  Its k are half cycles, so for the highest encoding
they begin at twice its top frequency; it is shown, not claimed.

Where an encoding's own waves move the gradient inside pieces, up to its top frequency of 2^(L-2)
cycles, the law is not meant to hold, and what the interior then adds is shown.

Not made before looking: X0s, after one network showed it, and X0h, after X0g had come out otherwise
for two seeds.
"""

import numpy as np

from relu_dynamics import (
    Coordinates, by_unit, hidden_units, split_layers, tangent_kernel, wall_spectrum,
)
from scripts.lab import (
    Claim, Link, each, encoding, means, ordered, read, signal_inputs, signal_runs, signal_setup,
    style,
)
from scripts.lab.headings import ranking

TITLE = "Walls diffract"
SOURCE = "statements T54 and T55"
KIND = "question"
SHOWS = ("A column for the first input and one for the last. Above, the walls that a trained "
         "network has along the signal, each as high as the square of its jump. In the middle, "
         "rates (dots) and structure factor of the walls (lines), before and after training, "
         "with no constant fitted. Below, their ratio, which is 1 where the law holds; shaded, "
         "the frequencies of the encoding.")
INPUTS = ("[0,1]", "[-1,1]", "L=1", "L=4", "L=7")
STAGES = ("before", "after")
SAMPLES = {"quick": 128, "laptop": 1024, "paper": 2048}
HIGH = 40   # cycles per signal, from where on layers' shares are taken
MOST = 500  # the highest frequency looked at


def runs(settings):
    return signal_runs(settings, signal_inputs(settings, INPUTS)).values()


def top_frequency(name):
    """The highest of an encoding, in cycles per unit; 0 for coordinates."""
    feed = encoding(name)
    return 0 if isinstance(feed, Coordinates) else feed.frequencies_in(1).max()


def measure(settings, folder):
    """spectra (inputs, stages, seeds, 6, k): rates, walls, walls without an order, the ends' part,
    and by the cosine transform rates and walls; layers (inputs, stages, seeds, hidden layers, k);
    count (inputs, stages, seeds) of walls; walls_INPUT_STAGE, place and energy of the walls of the
    first seed."""
    names = signal_inputs(settings, INPUTS)
    n = min(SAMPLES[settings.scale], signal_setup(settings).size)
    k = np.arange(1, min(MOST, n // 2 - 1) + 1)
    spectra, layers, count, places = {}, {}, {}, {}
    for (name, seed), run in signal_runs(settings, names).items():
        trained, feed = read(run, folder), encoding(name)
        for stage, net in enumerate((trained.nets[0], trained.nets[-1])):
            at, found = (names.index(name), stage), wall_spectrum(net, [0.0], [1.0], n, k, feed)
            energy = found.energy.sum() + end_energy(net, feed)
            unordered = energy / (4 * n * np.sin(np.pi * k / n) ** 2)
            units = split_layers(net, by_unit(found, hidden_units(net)).T)
            spectra[*at, seed] = [found.rates, found.walls, unordered, found.ends, *found.cosine]
            layers[*at, seed] = [part.sum(axis=1) for part in units]
            count[*at, seed] = len(found.t)
            if seed == settings.seeds[0]:
                places["walls_{}_{}".format(*at)] = np.stack([found.t, found.energy])

    def table(values):
        return np.array([[[values[i, stage, seed] for seed in settings.seeds] for stage in (0, 1)]
                         for i in range(len(names))])

    return {"inputs": np.array(names), "k": k, "spectra": table(spectra), "layers": table(layers),
            "count": table(count), **places, "epochs": trained.epochs}


def end_energy(net, feed):
    """|J(0) - J(1)|^2 of the first output, by the kernel."""
    K = tangent_kernel(net, feed([[0.0], [1.0]]))[:, :, 0, 0]
    return K[0, 0] + K[1, 1] - 2 * K[0, 1]


def tested(data):
    """"input stage" -> (k, spectra (6, seeds, k)): from k = 5 on, and above four times the top
    frequency of an encoding, if ten frequencies are left."""
    result = {}
    for name, by_stage in zip(data["inputs"].tolist(), data["spectra"], strict=True):
        of = data["k"] >= max(5, int(4 * top_frequency(name)) + 1)
        for stage, values in zip(STAGES, by_stage, strict=True):
            if of.sum() >= 10:
                result[f"{name} {stage}"] = data["k"][of], np.moveaxis(values[..., of], 1, 0)
    return result


def spread(a, b):
    """The standard deviation of log(a / b), along the last axis."""
    return np.log(a / b).std(axis=-1)


def left_by_power(rates, k):
    """The same of rates over the best power of k."""
    x = np.log(k) - np.log(k).mean()
    y = np.log(rates)
    slope = (y * x).sum(axis=-1, keepdims=True) / ((x**2).sum() or 1)  # one k has no slope
    return (y - slope * x).std(axis=-1)


def claims(data):
    return [*on_the_law(data), *on_places(data), *on_layers(data), *on_ends_and_interior(data)]


def on_the_law(data):
    every = tested(data)
    plain = [key for key in every if top_frequency(key.split()[0]) < 1]
    law = {key: spread(values[0], values[1]) for key, (_, values) in every.items()}
    mean = {key: abs(np.log(values[0] / values[1]).mean(axis=-1))
            for key, (_, values) in every.items()}
    few = {key: law[key] for key in plain}
    many = {key: value for key, value in law.items() if key not in plain}
    cosine = {key: spread(values[4], values[5]) for key, (_, values) in every.items()}
    power = {key: left_by_power(values[4], k) for key, (k, values) in every.items()}
    names = data["inputs"].tolist()
    highest = names[-1] if len(names) > 1 else ""
    return [
        Claim("X0a", "the structure factor of the walls gives the rates, with no constant, for k = "
                     "5 to 500: standard deviation of the logarithm of their ratio below .05, and "
                     "its mean within .05 of 0, untrained and trained", means(few),
              [link for key in few for link in (Link(f".05 - deviation, {key}", 0.05 - few[key]),
                                                Link(f".05 - |mean|, {key}", 0.05 - mean[key]))]),
        Claim("X0b", "and for encodings above four times their top frequency: below .1",
              means(many), each(".1 - deviation", many, lambda value: 0.1 - value)),
        Claim("X0d", "it does so also where the ends of the line make no jump (cosine transform), "
                     "and there the best power of k leaves three times as much, same frequencies "
                     "(log10 of the ratio of deviations above .477)"
                     f"{f'; not claimed for {highest}' if highest else ''}",
              "law " + means(cosine) + "; power " + means(power),
              [Link(key, np.log10(power[key] / cosine[key]) - np.log10(3)) for key in every
               if key.split()[0] != highest]),
    ]


def on_places(data):
    every = tested(data)
    law = {key: spread(values[0], values[1]) for key, (_, values) in every.items()}
    unordered = {key: spread(values[0], values[2]) for key, (_, values) in every.items()}
    growth = {name: np.log10(unordered[f"{name} after"] / unordered[f"{name} before"])
              for name in data["inputs"].tolist() if f"{name} after" in every}
    return [
        Claim("X0e", "it matters where the walls are: walls without an order leave three times as "
                     "much (log10 of the ratio of deviations above .477)",
              "unordered " + means(unordered),
              [Link(key, np.log10(unordered[key] / law[key]) - np.log10(3)) for key in law]),
        Claim("X0f", "training brings walls into step: what an unordered sum leaves grows (log10 "
                     "of the ratio)", means(growth),
              [Link(name, value) for name, value in growth.items()]),
    ]


def on_layers(data):
    shares = data["layers"][..., data["k"] >= HIGH].sum(axis=-1)
    last = dict(zip(data["inputs"].tolist(), shares[..., -1] / shares.sum(axis=-1), strict=True))
    return [
        Claim("X0g", f"after training more than half of the walls' part of the rates from k = "
                     f"{HIGH} up comes from walls of the last hidden layer (share before → after)",
              means(last), each("share - 0.5", last, lambda value: value[1] - 0.5)),
        Claim("X0h", "training moves the walls' part to earlier layers: the last layer's share "
                     "falls",
              means(last), [Link(name, value[0] - value[1]) for name, value in last.items()]),
    ]


def on_ends_and_interior(data):
    every, spectra = data["inputs"].tolist(), data["spectra"]
    ends = (spectra[:, 0, :, 3] / spectra[:, 0, :, 1]).mean(axis=-1)
    inside = {}
    for name, by_stage in zip(every, spectra, strict=True):
        rates, walls = (by_stage[0][:, row, : int(top_frequency(name))] for row in (0, 1))
        if rates.shape[-1]:
            inside[name] = (abs(rates - walls) / rates).mean(axis=-1)
    return [
        ordered("X0r", "the jump from the end of the line to its start makes more of the rates the "
                       "fewer walls there are (share of the walls' part, before training): {}",
                " > ".join(name for name in every if name in (every[0], "L=1", "L=4", "L=7")),
                dict(zip(every, ends, strict=True))),
        Claim("X0s", "up to an encoding's top frequency the law does not hold: what moves inside "
                     "pieces, its own waves, is at least a tenth of the rates (mean of |rate - "
                     "walls| / rate)", means(inside),
              each("share - .1", inside, lambda value: value - 0.1)),
    ]


def draw(data):
    """A column for the first input and the last: the walls of one seed, rates and structure factor,
    and their ratio."""
    names, k = data["inputs"].tolist(), data["k"]
    chosen = list(dict.fromkeys((names[0], names[-1])))
    figure, rows = style.panels(3, len(chosen), height=2.5,
                                gridspec_kw={"height_ratios": (0.6, 1.5, 1)})
    ratio = np.log(data["spectra"][:, :, :, 0] / data["spectra"][:, :, :, 1])
    for (walls, spectrum, share), name in zip(rows.T, chosen, strict=True):
        i = names.index(name)
        draw_walls(walls, *data[f"walls_{i}_1"], name)
        draw_rates(spectrum, k, data["spectra"][i, :, 0, :2], name)
        for stage, colour in enumerate(("0.55", style.colour(name))):
            style.shaded(share, k, np.exp(ratio[i, stage]).T, colour, STAGES[stage])
        share.axhline(1, color="0.8", linewidth=0.8, zorder=0)
        share.set(xscale="log", yscale="log", xlabel="k (cycles per signal)")
    rows[0, 0].set_ylabel("jump |e|²")
    rows[1, 0].set_ylabel("dots: intrinsic rate\nline: structure factor")
    rows[2, 0].set_ylabel("rate /\nstructure factor")
    style.same_range(rows[1])
    style.same_range(rows[2])
    figure.supxlabel("grey: before training; colour: after; shaded: up to the encoding's top "
                     "frequency\nwalls and spectra: first seed; ratios: " + style.BAND,
                     fontsize="small")
    off = {key.removesuffix(" after"): 100 * spread(spectra[0], spectra[1])
           for key, (_, spectra) in tested(data).items() if key.endswith(" after")}
    style.heading(figure, "How far the rates lie from the walls' structure factor after training, "
                  "from k = 5 or four times the encoding's top frequency up, no constant fitted, "
                  "in %: " + ranking(off) if off else "Too few frequencies to compare")
    return figure


def draw_walls(ax, t, energy, name):
    """A line at every wall, as high as the square of its jump."""
    ax.vlines(t, 0, energy, color=style.colour(name), linewidth=0.4 if len(t) > 1000 else 0.8,
              rasterized=True)
    ax.set(xlim=(0, 1), ylim=(0, np.quantile(energy, 0.999) if len(energy) else 1), yticks=[],
           xlabel="x")
    style.title(ax, f"{style.label(name)}: {len(t)} walls")


def draw_rates(ax, k, spectra, name):
    """Rates as dots and structure factors as lines, (stages, 2, k), before and after training."""
    shown = np.unique(np.geomspace(1, len(k), 60).astype(int)) - 1
    for (rates, structure), colour in zip(spectra, ("0.55", style.colour(name)), strict=True):
        ax.plot(k, structure, "-", color=colour, linewidth=1)
        ax.plot(k[shown], rates[shown], "o", color=colour, markersize=3.2, markerfacecolor="none")
    if (top := top_frequency(name)) >= 1:
        ax.axvspan(1, top, color="0.93", zorder=0)
    ax.set(xscale="log", yscale="log", xlabel="k (cycles per signal)")
