"""X8. Does the tangent kernel before training say when each tone is learned?

    python -m scripts.reproduce x8_time_to_half

Under gradient flow a tone k that is coupled to no other shrinks as |r_k| exp(-rate t), with the
intrinsic rate (2/nm) K_kk (T16).  Here K is that of the untrained network, and the flow is
full-batch descent in small steps, a quarter of what the largest eigenvalue allows (not Adam, which
has rates of its own).  Nine tones of equal amplitude, variance 1 together, 128 samples, 4x64, 3000
steps. Time to half is when |r_k| first is |y_k| / 2; nothing is fitted to it.

Beside it: the first kernel with coupling, r(t) = exp(-(2/nm) K t) r(0); and two nulls that are
fitted to the measured times of each seed, all inputs together: the best power of k (the tone's
number alone, the same for every input), and one time for all.  k alone orders the tones *within* an
encoding almost as well as anything does, so the comparison *across* inputs, tone by tone, is the
test.

Compared as log10 of times.  A time beyond the end of the run counts as its end, predicted or
measured, and a tone for which both are beyond it is left out.

Not made before looking: X8g and X8h, after X8a had failed on all inputs with laptop's five seeds.
There "within a network" means that one factor per network is free, as if its kernel grew by it.
"""

import numpy as np

from relu_dynamics import (
    frequency_error, grid, init, intrinsic_rates, kernel_moments, kernel_spectrum, predict, sgd,
    tangent_kernel, time_to_half, tones, train,
)
from scripts.lab import (
    Claim, Link, Setup, each, encoding, means, ordered, rank_correlation, signal_inputs, style,
)
from scripts.lab.headings import plain

TITLE = "When is each tone learned?"
SOURCE = "statement T16; gradient flow"
KIND = "question"
SHOWS = ("On the left, the measured time to half of every tone, a colour an input, against the "
         "time that the untrained network's kernel foretells, with the band of a factor of "
         "two. On the right, by how much times scatter within a network, by predictor.")
INPUTS = ("[0,1]", "[-1,1]", "L=1", "L=4", "L=7")
SETUPS = {
    "quick": Setup(64, (32,) * 4, 300, None, ()),
    "laptop": Setup(128, (64,) * 4, 3000, None, ()),
    "paper": Setup(512, (128,) * 4, 30_000, None, ()),
}
TONES = (1, 2, 3, 5, 8, 13, 21, 34, 55)  # cycles per signal, below half the samples
PREDICTORS = ("intrinsic rate", "with coupling", "k alone", "one time")


def runs(_):
    return []  # gradient flow, which no other experiment trains by


def measure(settings, _):
    """measured, alone and coupled (inputs, seeds, tones), times to half; end and growth (inputs,
    seeds), the time at the end and the kernel's trace there, relative to its start."""
    names, setup = signal_inputs(settings, INPUTS), SETUPS[settings.scale]
    chosen = [k for k in TONES if k < setup.size // 2]
    found = [[times(settings, setup, name, seed, chosen) for seed in settings.seeds]
             for name in names]
    keys = ("measured", "alone", "coupled", "end", "growth")
    return {"inputs": np.array(names), "tones": np.array(chosen),
            **{key: np.array([[row[i] for row in rows] for rows in found])
               for i, key in enumerate(keys)}}


def times(settings, setup, name, seed, chosen):
    """Of one network: times to half of each tone, measured, by the intrinsic rate, and with
    coupling; the time at the end, and the growth of the kernel's trace until then."""
    n, steps = setup.size, settings.epochs or setup.epochs
    place, rng = grid((n,), settings.grid), np.random.default_rng([seed, 8])
    y = tones(place, chosen, rng.uniform(size=len(chosen))) * np.sqrt(2 / len(chosen))
    x = encoding(name)(place)
    net = init([x.shape[1], *(settings.hidden or setup.hidden), 1], rng)
    limit = n / kernel_spectrum(net, x, 1).values[0]  # of the step, 2 / ((2/n) largest)
    kept = np.unique(np.geomspace(1, steps, 80).astype(int))
    last, history = train(net, x, y, optimiser=sgd(limit / 4), epochs=steps, rng=None,
                       record=lambda _, now: predict(now, x), record_epochs=[0, *kept.tolist()],
                       dtype=np.float32, progress=False)
    t = np.array([*history.records]) * limit / 4

    def halved(outputs):
        return time_to_half(t, [frequency_error(f, y, (n,))[chosen] for f in outputs])

    first = predict(net, x) - y
    start = frequency_error(first + y, y, (n,))[chosen]
    alone = np.log(2 * start) / (2 / n * intrinsic_rates(net, x, (n,))[chosen])
    values, vectors = np.linalg.eigh(tangent_kernel(net, x)[:, :, 0, 0])
    coupled = halved([y + vectors @ (np.exp(-2 / n * values * at)[:, None] * (vectors.T @ first))
                      for at in t])
    growth = kernel_moments(last, x).mean / kernel_moments(net, x).mean
    return halved(history.records.values()), np.maximum(alone, 0), coupled, t[-1], growth


def off(data):
    """predictor -> (inputs, seeds, tones): log10 of the predicted over the measured time, NaN where
    the tone is left out."""
    end, k = data["end"][..., None], np.log10(data["tones"])
    least = end / 1e6  # a tone may be below half from the start
    measured, alone, coupled = (np.log10(np.clip(data[key], least, end))
                                for key in ("measured", "alone", "coupled"))
    inside = np.minimum(measured, alone) < np.log10(end)
    power, constant = np.zeros((2, *measured.shape))
    for s in range(measured.shape[1]):
        seen, known = inside[:, s], measured[:, s][inside[:, s]]
        tone = np.broadcast_to(k, seen.shape)[seen]
        if len(set(tone)) > 1:
            power[:, s], constant[:, s] = np.polyval(np.polyfit(tone, known, 1), k), known.mean()
    values = [alone, coupled, *np.minimum((power, constant), np.log10(end))]
    return {name: np.where(inside, value - measured, np.nan)
            for name, value in zip(PREDICTORS, values, strict=True)}


def rms(values, axis):
    """The root mean square of those that are known; 1e-6 at least, also if none is."""
    known = np.isfinite(values)
    mean = (np.where(known, values, 0) ** 2).sum(axis) / np.maximum(known.sum(axis), 1)
    return np.sqrt(np.maximum(mean, 1e-12))


def within(data):
    """predictor -> (inputs, seeds): the spread (standard deviation of log10) of the predicted over
    the measured times of a network's tones, measured times within the run alone; the power of k is
    fitted to all of them."""
    reached = np.isfinite(data["measured"])
    measured = np.log10(np.where(reached, data["measured"], 1))
    rate = np.log10(np.maximum(data["alone"], 1e-6 * data["end"][..., None]))
    time, rate, k = (centred(v, reached) for v in (
        measured, rate, np.broadcast_to(np.log10(data["tones"]), reached.shape)))
    power = (time * k).sum((0, 2)) / np.maximum((k**2).sum((0, 2)), 1e-12)
    return {"intrinsic rate": rms(centred(rate - time, reached, np.nan), -1),
            "k alone": rms(centred(power[:, None] * k - time, reached, np.nan), -1)}


def centred(values, known, other=0.0):
    """values minus the mean of those known along the last axis, and other where they are not."""
    mean = np.where(known, values, 0).sum(-1) / np.maximum(known.sum(-1), 1)
    return np.where(known, values - mean[..., None], other)


def ranked(data, key):
    """(seeds,) rank correlation with the measured time: over all inputs and tones, and the mean
    over tones of that across inputs, (2, seeds).  A time beyond the end is the largest."""
    measured, other = (np.where(time < data["end"][..., None], time, np.inf)
                       for time in (data["measured"], data[key]))
    return np.array([[rank_correlation(a, b), np.mean([rank_correlation(*pair) for pair in
                                                       zip(a.T, b.T, strict=True)])]
                     for a, b in zip(measured.swapaxes(0, 1), other.swapaxes(0, 1), strict=True)]).T


def claims(data):
    names, wrong = data["inputs"].tolist(), off(data)
    each_input = dict(zip(names, rms(wrong["intrinsic rate"], -1), strict=True))
    whole = {name: rms(values, (0, 2)) for name, values in wrong.items()}
    everything, across = ranked(data, "alone")
    k = np.broadcast_to(data["tones"] * 1.0, data["measured"].shape)
    number, _ = ranked({**data, "k": k, "end": data["end"] + np.inf}, "k")
    spread, growth = within(data), dict(zip(names, data["growth"], strict=True))
    own = dict(zip(names, spread["intrinsic rate"], strict=True))
    sooner = {name: np.nanmean(np.where(np.isfinite(value).any(-1, keepdims=True), value, 0), -1)
              for name, value in zip(names, wrong["with coupling"], strict=True)}
    return [
        Claim("X8a", "the intrinsic rate before training foretells the time to half of each tone "
                     "within a factor of 2: root mean square of log10 predicted / measured below "
                     "0.3, for every input", means(each_input),
              [Link(f"0.3 - rms, {name}", 0.3 - value) for name, value in each_input.items()]),
        ordered("X8b", "over all inputs it is closer than the best power of k and than one time "
                       "for all, both fitted to the measured times (root mean square of log10): {}",
                "{k alone, one time} > intrinsic rate", whole, log=True),
        Claim("X8c", "over all tones and inputs its rank correlation with the measured time is "
                     "above 0.9 and above that of k alone",
              means({"rate": everything, "k alone": number}),
              [Link("correlation - 0.9", everything - 0.9),
               Link("rate > k alone", everything - number)]),
        Claim("X8d", "across inputs, tone by tone, where k says nothing, its mean rank correlation "
                     "with the measured time is above 0.7", means({"mean over tones": across}),
              [Link("correlation - 0.7", across - 0.7)]),
        ordered("X8e", "coupling of frequencies under the first kernel accounts for part of what "
                       "the intrinsic rate misses (root mean square of log10): {}",
                "intrinsic rate > with coupling", whole, log=True),
        Claim("X8f", "what is left is the kernel's change, and it speeds learning up: measured "
                     "times are shorter than the first kernel's, coupling included (mean of log10 "
                     "predicted / measured)",
              f"{means(sooner)}; trace of the kernel at the end over its start: "
              f"{means(growth, log=True)}", each("predicted > measured", sooner)),
        Claim("X8g", "within a network the rates foretell times up to one factor: standard "
                     "deviation over tones of log10 predicted / measured below 0.3, for every "
                     "input", means(own),
              [Link(f"0.3 - spread, {name}", 0.3 - value) for name, value in own.items()]),
        ordered("X8h", "within a network their spread is smaller than that of the best power of k "
                       "(mean over inputs): {}", "k alone > intrinsic rate",
                {name: value.mean(axis=0) for name, value in spread.items()}),
    ]


def draw(data):
    figure, axes = style.panels(1, 2, height=3.5)
    left, right = axes[0]
    names, reached = data["inputs"].tolist(), np.isfinite(data["measured"])
    for name, alone, measured, known in zip(names, data["alone"], data["measured"], reached,
                                            strict=True):
        left.plot(alone[known], measured[known], "o", markersize=3.5, alpha=0.6,
                  color=style.colour(name), label=style.label(name))
    ends = np.array([1, 1.2 * np.where(reached, data["alone"], 1).max()])
    left.plot(ends, ends, color="0.5", linewidth=0.9)
    left.fill_between(ends, ends / 2, ends * 2, color="0.9", zorder=0)
    left.set(xscale="log", yscale="log", ylabel="measured",
             ylim=(np.where(reached, data["measured"], ends[1]).min() / 2, 2 * data["end"].max()),
             xlabel="foretold by the untrained network")
    style.title(left, "time to half (grey: factor of 2)")
    spreads = {predictor: 10**values for predictor, values in within(data).items()}
    for i, name in enumerate(names):
        place = np.arange(len(spreads)) + 0.7 * ((i + 0.5) / len(names) - 0.5)
        style.ranges(right, place, np.array([values[i] for values in spreads.values()]),
                     style.colour(name))
    right.axhline(2, color="0.6", linewidth=0.8)
    right.set_xticks(range(2), ["intrinsic rate,\nuntrained", "best power\nof k alone"])
    style.title(right, "scatter within a network (factor)")
    style.legend_below(figure, left, "left: one dot per tone of every seed; right, "
                       + style.DOTS)
    sooner = np.maximum(data["alone"], 1e-6) / data["measured"]  # 0 where it is not reached
    factor = np.array([np.median(ratio[ratio > 0]) if (ratio > 0).any() else 1 for ratio in sooner])
    rate, power = (np.median(values) for values in spreads.values())
    style.heading(figure, f"Tones are learned {plain(factor.min())} to {plain(factor.max())} times "
                  f"sooner than the untrained kernel says; up to one factor per network its rates "
                  f"are right within x/÷ {rate:.2f}, the best power of k x/÷ {power:.2f}")
    return figure
