"""T16. How fast does gradient flow reduce each frequency, by itself and through the others?

    python -m scripts.reproduce t16_frequency_rates

Rate at which |r_hat_k| shrinks under gradient flow, split exactly into its intrinsic part,
(2/nm) K_hat_kk, and what couples in from other frequencies: for the fourteen tones (runs of
E1, and the same with L=1) and, the intrinsic part alone, for the radial bands of the photograph
(runs of E5), before and after training.  Does the rate before training foretell when a tone is
learned?  The sums over the tones' frequencies are checked against the rate of the loss.

Every fourth sample of the tones and every second pixel per axis of the photograph are used.
Times to half error are those of the actual runs (Adam), so that only their order can agree.
"""

import numpy as np

from relu_dynamics import PAPER_TONES, frequency_error, intrinsic_rates, predict, time_to_half
from scripts.lab import (
    Claim, chain, coordinates, each, encodings, image_inputs, means, named, natural_image,
    natural_runs, ordered, rank_correlation, read, signal_inputs, signal_runs, style,
)
from scripts.lab.headings import against
from scripts.lab.rates import checked_flow, frequency_rates, strongest, thinned

TITLE = "Rates per frequency under gradient flow"
SOURCE = "statement T16"
KIND = "question"
SHOWS = ("Rates at which gradient flow reduces each tone (above) and each band of the "
         "photograph (below) by itself, a line an input, before training and at the end, each "
         "panel on its own logarithmic scale; the part that couples in from other tones; and "
         "the epoch at which a tone is learned against its rate before training, a dot a tone "
         "and seed.")
INPUTS = ("[0,1]", "[-1,1]", "L=1", "L=4", "L=7")
STAGES = ("before training", "at the end")


def runs(settings):
    return [*signal_runs(settings, signal_inputs(settings, INPUTS)).values(),
            *natural_runs(settings).values()]


def rates(trained, side):
    """(stages, frequencies, 2) rates, intrinsic and coupled, before training and at the end."""
    shape, x, y = thinned(trained, side)
    return np.array([
        frequency_rates(checked_flow(net, x, y, shape), predict(net, x) - y, shape)
        for net in (trained.nets[0], trained.nets[-1])])


def of_bands(trained, side):
    """(stages, bands): intrinsic rates of an image, means over a band and over the outputs."""
    shape, x, y = thinned(trained, side)
    whole = [intrinsic_rates(net, x, shape) for net in (trained.nets[0], trained.nets[-1])]
    return 2 / (y.size * y.shape[1]) * np.array(whole)[:, : shape[0] // 2 + 1]


def measure(settings, folder):
    """tone_rate (inputs, seeds, stages, tones, 2); half (inputs, seeds, tones), the epoch of
    relative error 1/2; band_rate (image inputs, seeds, stages, bands), the intrinsic
    part."""
    inputs, quick = signal_inputs(settings, INPUTS), settings.scale == "quick"
    wanted, tone_rate, half = signal_runs(settings, inputs), [], []
    tones = np.array(strongest(read(wanted[inputs[0], settings.seeds[0]], folder).y)
                     if settings.signal else PAPER_TONES)
    for name in inputs:
        by_seed = [read(wanted[name, seed], folder) for seed in settings.seeds]
        tone_rate.append([rates(trained, 256 if quick else 512)[:, tones] for trained in by_seed])
        half.append([time_to_half(trained.epochs, np.array([
            frequency_error(predict(net, trained.x), trained.y, trained.shape)[tones]
            for net in trained.nets])) for trained in by_seed])
    images = natural_runs(settings)
    band_rate = [[of_bands(read(images[name, seed], folder), 16 if quick else 32)
                  for seed in settings.seeds]
                 for name in image_inputs(settings)]
    return {"inputs": np.array(inputs), "image": natural_image(settings)[0],
            "epochs": by_seed[0].epochs, "tones": tones,
            "tone_rate": np.array(tone_rate), "half": np.array(half),
            "image_inputs": np.array(image_inputs(settings)),
            "band_rate": np.array(band_rate), "stages": np.array(STAGES)}


def claims(data):
    names, tones, own = data["inputs"].tolist(), data["tones"], data["tone_rate"][..., 0]
    few, many, start = coordinates(names), encodings(names), own[:, :, 0]
    coupled = abs(data["tone_rate"][:, :, 0, :, 1]).sum(axis=2) / start.sum(axis=2)
    slope = {name: np.array([rank_correlation(tones, rate) for rate in by_seed])
             for name, by_seed in zip(names, start, strict=True) if name in few}
    level = {name: 10 ** np.log10(by_seed).mean(axis=1)
             for name, by_seed in zip(names, start, strict=True)}
    foretold = {"all inputs": np.array([-rank_correlation(start[:, s], data["half"][:, s])
                                        for s in range(start.shape[1])])}
    foretold |= {name: np.array([-rank_correlation(rate, half)
                                 for rate, half in zip(start[i], data["half"][i], strict=True)])
                 for i, name in enumerate(names) if name in many[-2:]}
    number = -np.broadcast_to(tones, data["half"][:, 0].shape)
    alone = np.array([-rank_correlation(number, half) for half in data["half"].swapaxes(0, 1)])
    images = data["image_inputs"].tolist()
    bands = named(images, 10 ** np.log10(data["band_rate"][:, :, 0, 1:]).mean(axis=2))
    return [
        Claim("T16a", "before training the intrinsic rate falls with the frequency, for "
                      "coordinates: rank correlation below zero",
              means(slope), each("-rank correlation", slope, np.negative)),
        ordered("T16b", "before training tones are reduced faster the more frequencies encode the "
                        "input (geometric mean of the intrinsic "
                "rate): {}", chain(*reversed(names)), level, log=True),
        Claim("T16c", "the intrinsic rate before training foretells when a tone is learned: rank "
                      "correlation with the time to half error, over all tones and inputs, and "
              "over the tones of each of the two highest encodings, below zero", means(foretold),
              each("-rank correlation", foretold)),
        ordered("T16f", "and better than the tone's number alone (-rank correlation over all tones "
                        "and inputs): {}",
                "rate > number", {"rate": foretold["all inputs"], "number": alone}),
        ordered("T16d", "before training, frequencies are coupled more for coordinates "
                        "(|coupling| over intrinsic rate): {}",
                chain(few[:1], many[-1:]), named(names, coupled), log=True),
        ordered("T16e", "before training (geometric mean of the intrinsic rate over bands): {}",
                chain(*reversed(images)), bands, log=True,
                image=str(data["image"])),
    ]


def draw(data):
    """Above: the tones; below: the photograph's bands, and what the rates foretell."""
    figure, axes = style.panels(2, 3, height=2.7)
    names, images = data["inputs"].tolist(), data["image_inputs"].tolist()
    tones, rate = data["tones"], data["tone_rate"]
    radii, bands = np.arange(1, data["band_rate"].shape[3]), data["band_rate"][..., 1:]
    (before, after, coupled), (photo, learned, foretold) = axes
    for ax, x, of, values, text in (
            (before, tones, names, rate[:, :, 0, :, 0], "tones, before"),
            (after, tones, names, rate[:, :, -1, :, 0], "tones, at the end"),
            (photo, radii, images, bands[:, :, 0], f"{data['image']}, before"),
            (learned, radii, images, bands[:, :, -1], f"{data['image']}, at the end"),
            (coupled, tones, names, abs(rate[:, :, 0, :, 1]) / rate[:, :, 0, :, 0],
             "coupling / rate, before")):
        for name, by_seed in zip(of, values, strict=True):
            style.with_band(ax, x, by_seed.T, name)
        ax.set_yscale("log")
        ax.set_xlabel("tone k" if x is tones else "radius |k|")
        style.title(ax, text)
    coupled.axhline(1, color="0.6", linewidth=0.8)
    for ax in axes[:, 0]:
        ax.set_ylabel("intrinsic rate\n(1 / unit of time)")
    never = 1.25 * np.max(data["half"], where=np.isfinite(data["half"]), initial=1)
    for name, by_seed, half in zip(names, rate[:, :, 0, :, 0], data["half"], strict=True):
        foretold.plot(by_seed.ravel(), np.minimum(half.ravel(), never), ".", markersize=4,
                      color=style.colour(name))
    foretold.set_xscale("log")
    foretold.set_xlabel("rate of a tone before training")
    style.title(foretold, "epoch of half error\n(top: not reached)")
    style.legend_below(figure, axes[:, 0], style.BAND)
    level = 10 ** np.log10(rate[:, :, 0, :, 0]).mean(axis=2)
    order = np.mean([rank_correlation(rate[:, s, 0, :, 0], data["half"][:, s])
                     for s in range(rate.shape[1])])
    foretelling = f"{order:.2f}".replace("-", "−")
    style.heading(figure, against(
        named(names, level), "Before training tones shrink by themselves under {last} at {times} "
        "the rate on {first}", "rate of tones before training")
        + f"; rank correlation of rate and time of learning {foretelling}")
    return figure
