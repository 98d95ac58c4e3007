"""X0. Does the activation pattern alone, without any gradient, tell how fast each frequency is
learned?

    python -m scripts.reproduce x0_pattern_law

The power spectrum of the pattern, P_k = sum_u |(F q_u)_k|^2, is the Hamming distance at every
displacement, transformed (T49).  It is put beside the intrinsic rates K_kk (T16), before and after
training, for the runs of E1 (with L=1; 1024 samples, k = 1 to 70) and of E5 on the photograph and
the random image (32 x 32 pixels, bands).  Each network has one constant of its own, fitted to the
logarithms.

Nulls: walls without an order, K_kk ~ 1 / sin^2(pi k/n) (in the plane the third power, of lines),
and the best power of k, with one constant more than the law.  Any two falling curves correlate, so
the residual decides, not the correlation.

In one place (T53): self rates of the modes of 8 x 8 patches of the photograph against the pattern's
own spectrum there.  And foretold: the order in which tones reach half error (Adam), over all tones
and inputs at once, from the untrained pattern's share P_k / sum P, beside k alone.  A sceptic says
that input and k explain it, so their best sum is the null: it is fitted to the very times it
foretells, with a number for each input and any rising function of k, while nothing of the pattern
is fitted.
"""

import numpy as np
import scipy.fft
from scipy.optimize import isotonic_regression
from scipy.stats import rankdata

from relu_dynamics import (
    PAPER_TONES, band_means, frequency_error, intrinsic_rates, pattern, pattern_spectrum, predict,
    tangent_kernel, time_to_half,
)
from scripts.lab import (
    Claim, Link, extremes, image_inputs, image_runs, means, natural_image, ordered,
    rank_correlation, read, signal_inputs, signal_runs, style,
)
from scripts.lab.rates import strongest, thinned

TITLE = "The pattern's spectrum and the rates"
SOURCE = "statements T49 to T53"
KIND = "question"
SHOWS = ("Above, rates (dots) and the pattern's power spectrum times one constant per network "
         "(lines), for up to three of the inputs. Below, what the law and its nulls leave, by "
         "network; rates against power in one place at a time; and the epoch at which a tone "
         "is learned against the untrained pattern's power.")
INPUTS = ("[0,1]", "[-1,1]", "L=1", "L=4", "L=7")
PLACES = ("[0,1]", "L=6")
SIDE = {"quick": 256, "laptop": 1024, "paper": 1024}
IMAGE_SIDE = {"quick": 16, "laptop": 32, "paper": 64}
TOP = 70   # cycles per signal
PATCH = 8  # pixels


def inputs(settings):
    return signal_inputs(settings, INPUTS)


def picture_inputs(settings):
    """The first, the middle and the last of the inputs for images."""
    names = image_inputs(settings)
    return tuple(dict.fromkeys((names[0], names[len(names) // 2], names[-1])))


def pictures(settings):
    """Runs on the natural image and, if it is there, the random one."""
    label, _ = natural_image(settings)
    return {key: run for key, run in image_runs(settings, picture_inputs(settings)).items()
            if key[0] in (label, "random image")}


def runs(settings):
    return [*signal_runs(settings, inputs(settings)).values(), *pictures(settings).values()]


def pair(net, x, shape, top):
    """(2, bands): intrinsic rates and the pattern's spectrum from band 1 on, as shares of the sum
    over all frequencies."""
    rates = intrinsic_rates(net, x, shape, bands=False)
    power = pattern_spectrum(pattern(net, x), shape, bands=False)
    return np.array([band_means(values / values.sum())[1 : top + 1] for values in (rates, power)])


def measure(settings, folder):
    """tones (inputs, stages, seeds, 2, k): shares of rates and of the pattern's power; half
    (inputs, seeds, 14), epochs of half error; bands (images, inputs, stages, seeds, 2, bands);
    patches (places, stages, seeds, 2, patches, modes)."""
    names, table = inputs(settings), signal_runs(settings, inputs(settings))
    tones, half = {}, {}
    for key, run in table.items():
        trained = read(run, folder)
        shape, x, _ = thinned(trained, SIDE[settings.scale])
        tones[key] = [pair(net, x, shape, TOP) for net in (trained.nets[0], trained.nets[-1])]
        wanted = np.array(strongest(trained.y) if settings.signal else PAPER_TONES)
        errors = [frequency_error(predict(net, trained.x), trained.y, trained.shape)[wanted]
                  for net in trained.nets]
        half[key] = time_to_half(trained.epochs, np.array(errors))
    images, patches, many = {}, {}, pictures(settings)
    label, _ = natural_image(settings)
    for key, run in many.items():
        trained = read(run, folder)
        shape, x, _ = thinned(trained, IMAGE_SIDE[settings.scale])
        ends = trained.nets[0], trained.nets[-1]
        images[key] = [pair(net, x, shape, min(shape) // 2) for net in ends]
        if key[0] == label and key[1] in places(settings):
            patches[key[1:]] = [local(net, trained) for net in ends]
    pictured = list(dict.fromkeys(key[0] for key in many))
    seeds = settings.seeds
    return {"inputs": np.array(names), "k": np.arange(1, TOP + 1), "tone_numbers": wanted,
            "epochs": trained.epochs, "samples": SIDE[settings.scale],
            "tones": np.moveaxis([[tones[name, seed] for seed in seeds] for name in names], 1, 2),
            "half": np.array([[half[name, seed] for seed in seeds] for name in names]),
            "images": np.array(pictured), "image_inputs": np.array(picture_inputs(settings)),
            "image": label,
            "bands": np.moveaxis([[[images[image, name, seed] for seed in seeds]
                                   for name in picture_inputs(settings)]
                                  for image in pictured], 2, 3),
            "places": np.array(places(settings)), "side": IMAGE_SIDE[settings.scale],
            "patches": np.moveaxis([[patches[name, seed] for seed in seeds]
                                    for name in places(settings)], 1, 2)}


def places(settings):
    """The inputs whose patches are looked at."""
    return extremes(settings, image_inputs(settings))


def local(net, trained):
    """(2, patches, modes - 1): self rates and the pattern's power in every patch's modes but the
    constant one."""
    height, width = trained.shape
    rows = np.arange(height * width).reshape(height, width)
    one = scipy.fft.dct(np.eye(PATCH), axis=0, norm="ortho")
    B, result = np.kron(one, one)[1:], []
    for top in range(0, height - PATCH + 1, PATCH):
        for left in range(0, width - PATCH + 1, PATCH):
            x = trained.x[rows[top : top + PATCH, left : left + PATCH].ravel()]
            K = np.trace(tangent_kernel(net, x), axis1=2, axis2=3)
            result.append([np.vecdot(B @ K, B), ((B @ pattern(net, x)) ** 2).sum(axis=1)])
    return np.moveaxis(result, 1, 0)


def fit(rates, power):
    """Slope of log rates on log power, and the deviation of log(rates / power), along the last
    axis."""
    y, x = np.log(rates), np.log(power)
    centred = x - x.mean(axis=-1, keepdims=True)
    return (y * centred).sum(axis=-1) / (centred**2).sum(axis=-1), (y - x).std(axis=-1)


def left_by_power(rates, k):
    """The standard deviation that the best power of k leaves."""
    y, x = np.log(rates), np.log(k) - np.log(k).mean()
    return (y - (y * x).sum(axis=-1, keepdims=True) / (x**2).sum() * x).std(axis=-1)


def residuals(data):
    """name -> (law, unordered walls, best power), (stages, seeds) each, for tones and for the first
    image's bands (before training, networks are the same for all images)."""
    def three(values, k, n, axes):
        rates, power = values[:, :, 0], values[:, :, 1]
        unordered = 1 / np.sin(np.pi * k / n) ** (1 + axes)  # points on a line, lines in the plane
        return fit(rates, power)[1], fit(rates, unordered)[1], left_by_power(rates, k)

    result = {name: three(values, data["k"], int(data["samples"]), 1)
              for name, values in zip(data["inputs"].tolist(), data["tones"], strict=True)}
    radius = np.arange(1, data["bands"].shape[-1] + 1)
    for name, values in zip(data["image_inputs"].tolist(), data["bands"][0], strict=True):
        result[f"{data['images'][0]} {name}"] = three(values, radius, int(data["side"]), 2)
    return result


def local_fits(data):
    """(place, stage) -> over seeds: slope over patches x modes, slope of the totals per patch, and
    correlation over patches x modes."""
    every = {}
    for name, by_stage in zip(data["places"].tolist(), data["patches"], strict=True):
        for stage, by_seed in enumerate(by_stage):
            slopes, totals, correlations = [], [], []
            for rates, power in by_seed:
                alive = (rates > 1e-9 * rates.max()) & (power > 1e-9 * power.max())
                y, x = np.log(rates[alive]), np.log(power[alive])
                slopes.append(np.polyfit(x, y, 1)[0])
                correlations.append(np.corrcoef(x, y)[0, 1])
                crossed = power.sum(axis=1) > 0
                x, y = (np.log(part.sum(axis=1)[crossed]) for part in (power, rates))
                totals.append(np.polyfit(x, y, 1)[0])
            every[name, stage] = np.array(slopes), np.array(totals), np.array(correlations)
    return every


def claims(data):
    names, tones = data["inputs"].tolist(), data["tones"]
    left = residuals(data)
    slope = {name: fit(values[0, :, 0], values[0, :, 1])[0]
             for name, values in zip(names, tones, strict=True)}
    slope.update({f"{image} {name}": fit(values[0, :, 0], values[0, :, 1])[0]
                  for image, by_input in zip(data["images"].tolist()[:1], data["bands"],
                                             strict=False)
                  for name, values in zip(data["image_inputs"].tolist(), by_input, strict=True)})
    allowed = {name: 0.25 if name in names else 0.15 for name in left}
    above = max(2, len(data["k"]) // 10)  # without the lowest decade: k > 7
    after = {name: np.log(values[1, :, 0, above:] / values[1, :, 1, above:]).std(axis=-1)
             for name, values in zip(names, tones, strict=True)}
    after.update({f"{image} {name}": np.log(values[1, :, 0, 2:] / values[1, :, 1, 2:]).std(axis=-1)
                  for image, by_input in zip(data["images"].tolist(), data["bands"], strict=True)
                  for name, values in zip(data["image_inputs"].tolist(), by_input, strict=True)})
    low = {name: np.log10(values[1, :, 0, :3] / values[1, :, 1, :3]).mean(axis=-1)
           - np.log10(values[1, :, 0, above:] / values[1, :, 1, above:]).mean(axis=-1)
           for name, values in zip(names, tones, strict=True)}
    highest = names[-1]
    law, unordered, power = left[highest]
    nulls, image = {"unordered walls": unordered[0], "best power": power[0]}, str(data["image"])
    of_coordinates = left[names[0]][2][0] / left[names[0]][0][0]
    fits = local_fits(data)
    before = {name: fits[name, 0][0] for name in data["places"].tolist()}
    totals = {name: fits[name, 1][1] for name in data["places"].tolist()}
    rows = [
        Claim("X0i", "before training log rates rise with log P_k with a slope of .9 to 1.1",
              means(slope), within(slope, 0.9, 1.1)),
        Claim("X0j", "and one constant per network leaves a standard deviation of log K - log P "
                     "below .25 for the tones' networks (k = 1 to 70), below .15 for images "
                     "(bands)",
              means({name: value[0][0] for name, value in left.items()}),
              [Link(f"{allowed[name]} - deviation, {name}", allowed[name] - value[0][0])
               for name, value in left.items()]),
        Claim("X0k", f"for {highest} the nulls leave at least three times as much (log10 of the "
                     "ratio above .477)", f"law {law[0].mean():.3g} · " + means(nulls),
              [Link(name, np.log10(value / law[0]) - np.log10(3))
               for name, value in nulls.items()]),
        Claim("X0l", f"for {names[0]} the best power of k is as good as the law (within a factor "
                     f"of 3), as T51 says", means({"power / law": of_coordinates}),
              [Link("log10 3 - log10 ratio", np.log10(3) - np.log10(of_coordinates))]),
        Claim("X0m", f"after training the law leaves less than .7 for k > {above}, and for images "
                     "for |k| > 2", means(after),
              [Link(f".7 - deviation, {name}", 0.7 - value) for name, value in after.items()]),
        Claim("X0n", "but at k = 1 to 3 trained coordinate networks are slower than the law says "
                     "by a factor of two or more (log10 of rate over law, relative to higher k, "
                     "below -.3)", means(low),
              [Link(f"-.3 - log10, {name}", -0.3 - low[name]) for name in names
               if name.startswith("[")]),
        Claim("X0o", "in one place, before training: log self rates of patches and modes rise with "
                     "the pattern's local spectrum with a slope of .9 to 1.15", means(before),
              within(before, 0.9, 1.15), image=image),
        Claim("X0p", "after training the totals per patch rise more steeply than the pattern's: "
                     "slope above 1.5", means(totals),
              [Link(f"slope - 1.5, {name}", value - 1.5) for name, value in totals.items()],
              image=image),
    ]
    return [*rows, *foretold(data)]


def within(values, low, high):
    """Two links per name: its values lie between low and high."""
    return [link for name, value in values.items()
            for link in (Link(f"slope - {low}, {name}", value - low),
                         Link(f"{high} - slope, {name}", high - value))]


def foretold(data):
    """The claims on times of learning, if the pattern's spectrum reaches the tones."""
    numbers, half = data["tone_numbers"], np.moveaxis(data["half"], 1, 0)  # (seeds, inputs, tones)
    if max(numbers) > TOP:
        return []
    share = np.moveaxis(data["tones"][:, 0, :, 1][..., numbers - 1], 1, 0)
    times, shares = (np.array([ranks(one) for one in values]) for values in (half, -share))
    fitted = np.array([input_plus_k(one) for one in times])
    orders = {"pattern": np.array([rank_correlation(*both) for both in zip(shares, times,
                                                                           strict=True)]),
              "k": np.array([rank_correlation(np.broadcast_to(numbers, one.shape), one)
                             for one in times]),
              "input plus k": np.array([rank_correlation(*both)
                                        for both in zip(fitted, times, strict=True)])}
    beyond = np.array([correlation(a - input_plus_k(a), b - c)
                       for a, b, c in zip(shares, times, fitted, strict=True)])
    return [
        ordered("X0q", "the untrained pattern foretells when a tone is learned, over all inputs "
                       "and tones, better than k alone: rank correlation with the time to half "
                       "error, {}", "pattern > k", orders),
        ordered("X0qa", "without a fit it foretells that nearly as well as the best sum of a "
                        "number for each input and a rising function of k, fitted to the same "
                        "times: {}",
                "pattern ≥ input plus k", orders, margin=0.1),
        Claim("X0qb", "and it knows something that input plus k does not: what such sums leave of "
                      "its ranks and of the times' is correlated above .3",
              means({"correlation": beyond}), [Link("correlation - .3", beyond - 0.3)]),
    ]


def correlation(a, b):
    """Pearson's over all entries; 0 if a or b is constant."""
    return np.corrcoef(a.ravel(), b.ravel())[0, 1] if min(np.ptp(a), np.ptp(b)) > 0 else 0.0


def ranks(values):
    """Shaped like values: their ranks over all entries, equal ones shared, infinity the last."""
    return rankdata(values).reshape(values.shape)


def input_plus_k(values):
    """(inputs, tones): the best fit of values by a_input + b_k, b rising with k, least squares."""
    rising = np.zeros(values.shape[1])
    for _ in range(100):
        offset = (values - rising).mean(axis=1, keepdims=True)
        rising = isotonic_regression((values - offset).mean(axis=0)).x
    return offset + rising


def draw(data):
    """Above: rates and power of some inputs; below: what the law leaves, one place at a time, and
    what the pattern foretells."""
    names, k = data["inputs"].tolist(), data["k"]
    figure, axes = style.panels(2, 3, height=2.7)
    chosen, (left, local, early) = style.some(names, 3), axes[1]
    for ax, name in zip(axes[0], chosen, strict=False):
        for (rates, power), colour in zip(data["tones"][names.index(name)][:, 0],
                                          ("0.55", style.colour(name)), strict=True):
            ax.plot(k, np.exp(np.log(rates / power).mean()) * power, color=colour, linewidth=1)
            ax.plot(k, rates, "o", color=colour, markersize=3, markerfacecolor="none")
        ax.set(xscale="log", yscale="log", xlabel="k (cycles per signal)")
        style.title(ax, style.label(name))
    axes[0, 0].set_ylabel("dots: share of rates\nline: constant x power")
    style.same_range(axes[0, : len(chosen)])
    table = residuals(data)
    inputs = [key.split(" ")[-1] for key in table]
    for x, (name, values) in enumerate(zip(inputs, table.values(), strict=True)):
        for value, marker in zip(values, ("o", "_", "x"), strict=True):
            left.plot(np.full(value.shape[1], x), value[0], marker, color=style.colour(name),
                      markersize=4,
                      label=style.label(name) if marker == "o" and inputs.index(name) == x
                      else None)
    left.set(yscale="log", ylabel="deviation of the logarithm", xticks=[],
             xlabel="networks: tones, then images")
    style.title(left, "o law, – unordered,\n× best power of k")
    for name, by_stage in zip(data["places"].tolist(), data["patches"], strict=True):
        rates, power = by_stage[0, 0]
        alive = (rates > 0) & (power > 0)
        local.plot(power[alive], rates[alive], ".", markersize=2, alpha=0.4,
                   color=style.colour(name), rasterized=True)
    local.set(xscale="log", yscale="log", xlabel="power in an 8 x 8 patch", ylabel="its rate")
    style.title(local, "one place, untrained")
    draw_foretold(early, data)
    style.hide_empty(axes)
    style.legend_below(figure, left, "above: first seed, grey before and colour after training; "
                       "below: untrained, all seeds (places: the first)")
    law, unordered, best = (np.concatenate([np.median(table[name][part][:1], axis=1)
                                            for name in names]) for part in range(3))
    style.heading(figure, f"Untrained, on the tones, the pattern's power spectrum and one constant "
                  f"leave {law.min():.2g} to {law.max():.2g} of the rates' logarithm, the best "
                  f"power of k {best.min():.2g} to {best.max():.2g}")
    return figure


def draw_foretold(ax, data):
    """The epoch of half error of every tone against the untrained pattern's power there."""
    numbers = np.array(data["tone_numbers"])
    if numbers.max() > TOP:
        return
    never = 1.25 * np.max(data["half"], where=np.isfinite(data["half"]), initial=1)
    for name, values, half in zip(data["inputs"].tolist(), data["tones"], data["half"],
                                  strict=True):
        ax.plot(values[0, :, 1][:, numbers - 1].ravel(), np.minimum(half, never).ravel(), ".",
                markersize=4, color=style.colour(name))
    ax.set(xscale="log", xlabel="pattern's power", ylabel="epoch of half error")
    style.title(ax, "tones (top: not reached)")
