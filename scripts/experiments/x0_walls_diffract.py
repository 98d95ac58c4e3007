"""X0. Is the rate at which a network learns a frequency decided by its walls: where they are, and
how much each changes the gradient?

    python -m scripts.reproduce x0_walls_diffract

For networks before and after training (runs of E1, and the same with L=1) the intrinsic rates K_kk
on 1024 samples are put beside the structure factor of the walls (T55): all walls along the signal,
from the exact enumeration, each with the jump of the gradient there.  No constant is fitted.  The
same in the plane, along rows and columns of a 16 x 16 grid (T56), for the runs of E5 on the
photograph.

Nulls.  The best power of k, with two fitted constants.  Walls without an order: the sum of |e_w|^2,
which is what walls at random places would give on average.  And the ends: on a line that is taken
for a period, coordinates jump from the end to the start, so the law is also tested for the cosine
transform, in which they make no jump (but for the highest encoding, where they hardly count).

Where an encoding's own waves move the gradient inside pieces, up to its top frequency of 2^(L-2)
cycles, the law is not meant to hold, and what the interior then adds is shown.

Not made before looking: X0s, after one network showed it, and X0h, after X0g had come out otherwise
for two seeds.
"""

import numpy as np

from relu_dynamics import (
    Coordinates, by_unit, hidden_units, plane_wall_spectrum, split_layers, tangent_kernel,
    wall_spectrum,
)
from scripts.lab import (
    Claim, Link, encoding, image_setup, means, natural_image, natural_runs, ordered, read,
    signal_inputs, signal_runs, signal_setup, style,
)
from scripts.lab.findings import ranking

TITLE = "Walls diffract"
SOURCE = "statements T54 to T56"
KIND = "question"
SHOWS = ("A column for the first input and one for the last. Above, the walls that a trained "
         "network has along the signal, each as high as the square of its jump: few on "
         "coordinates, a forest under the encoding. In the middle, rates (dots) and structure "
         "factor of the walls (lines), before and after training, with no constant fitted. "
         "Below, their ratio: 1 but for the lowest frequencies, and for those of the encoding.")
INPUTS = ("[0,1]", "[-1,1]", "L=1", "L=4", "L=7")
PLANE_INPUTS = ("[0,1]", "L=1")
STAGES = ("before training", "after training")
SAMPLES = {"quick": 128, "laptop": 1024, "paper": 2048}
SIDE = {"quick": 8, "laptop": 16, "paper": 32}
HIGH = 40   # cycles per signal, from where on layers' shares are taken
MOST = 500  # the highest frequency looked at


def inputs(settings):
    return signal_inputs(settings, INPUTS)


def plane_runs(settings):
    return natural_runs(settings, PLANE_INPUTS)


def runs(settings):
    return [*signal_runs(settings, inputs(settings)).values(), *plane_runs(settings).values()]


def top_frequency(name):
    """The highest of an encoding, in cycles per unit; 0 for coordinates."""
    feed = encoding(name)
    return 0 if isinstance(feed, Coordinates) else feed.frequencies_in(1).max()


def measure(settings, folder):
    """spectra (inputs, stages, seeds, 6, k): rates, walls, walls without an order, the ends' part,
    and by the cosine transform rates and walls; layers (inputs, stages, seeds, hidden layers, k);
    count (inputs, stages, seeds) of walls; bands (inputs, stages, seeds, 2, bands) in the plane,
    rates and walls; walls_INPUT_STAGE, place and energy of the walls of the first seed."""
    names, n = inputs(settings), min(SAMPLES[settings.scale], signal_setup(settings).size)
    k = np.arange(1, min(MOST, n // 2 - 1) + 1)
    table = signal_runs(settings, names)
    first = read(next(iter(table.values())), folder)
    shape = (len(names), 2, len(settings.seeds))
    spectra, count = np.full((*shape, 6, len(k)), np.nan), np.empty(shape)
    layers, places = np.empty((*shape, len(first.run.hidden), len(k))), {}
    for (name, seed), run in table.items():
        trained, feed = read(run, folder), encoding(name)
        for stage, net in enumerate((trained.nets[0], trained.nets[-1])):
            at = (names.index(name), stage, settings.seeds.index(seed))
            found = wall_spectrum(net, [0.0], [1.0], n, k, feed)
            energy = found.energy.sum() + end_energy(net, feed)
            unordered = energy / (4 * n * np.sin(np.pi * k / n) ** 2)
            spectra[at][:4] = found.rates, found.walls, unordered, found.ends
            if name != names[-1] or len(names) == 1:
                mirrored = wall_spectrum(net, [0.0], [1.0], n, k, feed, transform="cosine")
                spectra[at][4:] = mirrored.rates, mirrored.walls
            units = by_unit(found, hidden_units(net)).T
            layers[at] = [part.sum(axis=1) for part in split_layers(net, units)]
            count[at] = len(found.t)
            if at[2] == 0:
                places[f"walls_{at[0]}_{stage}"] = np.stack([found.t, found.energy])
    return {"inputs": np.array(names), "k": k, "spectra": spectra, "layers": layers,
            "count": count, **places,
            "image": natural_image(settings)[0], "plane_inputs": np.array(PLANE_INPUTS),
            "bands": plane(settings, folder), "epochs": first.epochs}


def end_energy(net, feed):
    """|J(0) - J(1)|^2 of the first output, by the kernel."""
    K = tangent_kernel(net, feed([[0.0], [1.0]]))[:, :, 0, 0]
    return K[0, 0] + K[1, 1] - 2 * K[0, 1]


def plane(settings, folder):
    """(inputs, stages, seeds, 2, bands)."""
    side, result = min(SIDE[settings.scale], image_setup(settings).size), {}
    for (name, seed), run in plane_runs(settings).items():
        nets = read(run, folder).nets
        for stage, net in enumerate((nets[0], nets[-1])):
            found = plane_wall_spectrum(net, side, encoding(name))
            result[name, stage, seed] = np.stack([found.rates, found.walls])[:, : side // 2 + 1]
    return np.array([[[result[name, stage, seed] for seed in settings.seeds] for stage in (0, 1)]
                     for name in PLANE_INPUTS])


def spread(a, b):
    """The standard deviation of log(a / b), along the last axis."""
    return np.log(a / b).std(axis=-1)


def left_by_power(rates, k):
    """The same of rates over the best power of k."""
    x = np.log(k) - np.log(k).mean()
    y = np.log(rates)
    slope = (y * x).sum(axis=-1, keepdims=True) / (x**2).sum()
    return (y - slope * x).std(axis=-1)


def claims(data):
    names, k, spectra = data["inputs"].tolist(), data["k"], data["spectra"]
    start = {name: max(5, int(4 * top_frequency(name)) + 1) for name in names}
    names = [name for name in names
             if (k >= start[name]).sum() >= 10]  # the others have no frequency to test
    plain = [name for name in names if top_frequency(name) < 1]
    law, mean, unordered, law_cosine, power_cosine = {}, {}, {}, {}, {}
    for name in names:
        i, of = data["inputs"].tolist().index(name), k >= start[name]
        for stage, word in enumerate(("before", "after")):
            rates, walls, incoherent, _, rates_c, walls_c = np.moveaxis(spectra[i, stage][..., of],
                                                                        1, 0)
            key = f"{name} {word}"
            law[key], mean[key] = spread(rates, walls), abs(np.log(rates / walls).mean(axis=-1))
            unordered[key] = spread(rates, incoherent)
            if np.isfinite(rates_c).all():
                law_cosine[key] = spread(rates_c, walls_c)
                power_cosine[key] = left_by_power(rates_c, k[of])
    few = {key: value for key, value in law.items() if key.split()[0] in plain}
    many = {key: value for key, value in law.items() if key.split()[0] not in plain}
    inside = {}
    for name, by_stage in zip(data["inputs"].tolist(), spectra, strict=True):
        if top_frequency(name) >= 1:
            rates, walls = (by_stage[0][:, row, : int(top_frequency(name))] for row in (0, 1))
            inside[name] = (abs(rates - walls) / rates).mean(axis=-1)
    coherence = {name: np.log10(unordered[f"{name} after"] / unordered[f"{name} before"])
                 for name in names}
    low = data["bands"][..., 4:]
    in_plane = {f"{name} {word}": spread(low[i, stage, :, 0], low[i, stage, :, 1])
                for i, name in enumerate(data["plane_inputs"].tolist())
                for stage, word in enumerate(("before", "after"))}
    every = data["inputs"].tolist()
    shares = data["layers"][..., k >= HIGH].sum(axis=-1)
    last = dict(zip(every, shares[..., -1] / shares.sum(axis=-1), strict=True))  # (stages, seeds)
    ends = (spectra[:, 0, :, 3] / spectra[:, 0, :, 1]).mean(axis=-1)
    three = np.log10(3)
    return [
        Claim("X0a", "the structure factor of the walls gives the rates, with no constant, for k = "
                     "5 to 500: standard deviation of the logarithm of their ratio below .05, and "
                     "its mean within .05 of 0, untrained and trained", means(few),
              [link for key in few for link in (Link(f".05 - deviation, {key}", 0.05 - few[key]),
                                                Link(f".05 - |mean|, {key}", 0.05 - mean[key]))]),
        Claim("X0b", "and for encodings above four times their top frequency: below .1",
              means(many),
              [Link(f".1 - deviation, {key}", 0.1 - value) for key, value in many.items()]),
        Claim("X0c", "and in the plane by rows: below .1 in the bands |k| >= 4", means(in_plane),
              [Link(f".1 - deviation, {key}", 0.1 - value) for key, value in in_plane.items()],
              image=str(data["image"])),
        Claim("X0d", "it does so also where the ends of the line make no jump (cosine transform), "
                     "and there the best power of k leaves three times as much, same frequencies "
                     "(log10 of the ratio of deviations above .477)",
              "law " + means(law_cosine) + "; power " + means(power_cosine),
              [Link(key, np.log10(power_cosine[key] / law_cosine[key]) - three)
               for key in law_cosine]),
        Claim("X0e", "it matters where the walls are: walls without an order leave three times as "
                     "much (log10 of the ratio of deviations above .477)",
              "unordered " + means(unordered),
              [Link(key, np.log10(unordered[key] / law[key]) - three) for key in law]),
        Claim("X0f", "training brings walls into step: what an unordered sum leaves grows (log10 "
                     "of the ratio)", means(coherence),
              [Link(name, value) for name, value in coherence.items()]),
        Claim("X0g", f"after training more than half of the walls' part of the rates from k = "
                     f"{HIGH} up comes from walls of the last hidden layer (share before → after)",
              means(last), [Link(f"share - 0.5, {name}", value[1] - 0.5)
                            for name, value in last.items()]),
        Claim("X0h", "training moves the walls' part to earlier layers: the last layer's share "
                     "falls",
              means(last), [Link(name, value[0] - value[1]) for name, value in last.items()]),
        ordered("X0r", "the jump from the end of the line to its start makes more of the rates the "
                       "fewer walls there are (share of the walls' part, before training): {}",
                " > ".join(name for name in every if name in (every[0], "L=1", "L=4", "L=7")),
                dict(zip(every, ends, strict=True))),
        Claim("X0s", "up to an encoding's top frequency the law does not hold: what moves inside "
                     "pieces, its own waves, is at least a tenth of the rates (mean of |rate - "
                     "walls| / rate)", means(inside),
              [Link(f"share - .1, {name}", value - 0.1) for name, value in inside.items()]),
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
    off = 100 * ratio[:, 1, :, k >= 5].std(axis=0) if k[-1] >= 5 else 100 * abs(ratio[:, 1, :, 0])
    style.heading(figure, "How far the rates lie from the walls' structure factor after training, "
                  "from k = 5 up, with no constant fitted, in %: "
                  + ranking(dict(zip(names, off, strict=True))))
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
