"""T35. Which frequencies does training reach, and when?

    python -m scripts.reproduce t35_frequencies

Relative error |r_hat_k| / |y_hat_k| of each of the fourteen tones through training (runs
of E1), and of each radial band of the photograph's spectrum at the end (runs of E5).
Spectral bias is that the error falls first at low k; that encodings overcome it is that
it falls at every k.
"""

import numpy as np
from relu_dynamics import PAPER_TONES, frequency_error, predict, time_to_half
from scripts.lab import (
    Claim, Link, chain, coordinates, each, encodings, image_inputs, image_setup, last_tenth,
    means, named, natural_image, natural_runs, ordered, over_checkpoints, rank_correlation, read,
    signal_inputs, signal_runs, style,
)
from scripts.lab.headings import ranking
from scripts.lab.rates import strongest

TITLE = "Error per frequency through training"
SOURCE = "after Rahaman et al. 2019; statement T35"
KIND = "question"
SHOWS = ("Above, the error of every tone through training as a map, dark where it is learned, "
         "for the first input and the last. Below, what is left at the end, of the tones and "
         "of the bands of the image, a line an input.")


def runs(settings):
    return [*signal_runs(settings).values(), *natural_runs(settings).values()]


def measure(settings, folder):
    """tone_error (inputs, checkpoints, seeds, tones) and half (inputs, seeds, tones), the epoch of
    relative error 1/2; band_error (image inputs, seeds, bands) at the end."""
    wanted = signal_runs(settings)
    tones = np.array(strongest(read(next(iter(wanted.values())), folder).y) if settings.signal
                     else PAPER_TONES)

    def errors(trained, net):
        return frequency_error(predict(net, trained.x), trained.y, trained.shape)[tones]

    table = over_checkpoints(wanted, folder, errors)
    half = [[time_to_half(table["epochs"], by_seed[:, s]) for s in range(len(settings.seeds))]
            for by_seed in table["values"]]
    images = natural_runs(settings)

    def bands(name, seed):
        trained = read(images[name, seed], folder)
        return frequency_error(predict(trained.nets[-1], trained.x), trained.y, trained.shape)

    band_error = np.array([[bands(name, seed) for seed in settings.seeds]
                           for name in image_inputs(settings)])
    return {"inputs": np.array(signal_inputs(settings)), "tones": tones, "epochs": table["epochs"],
            "tone_error": table["values"],
            "half": np.array(half), "image": natural_image(settings)[0],
            "image_inputs": np.array(image_inputs(settings)),
            "band_error": band_error, "nyquist": image_setup(settings).size // 2}


def claims(data):
    names, tones = data["inputs"].tolist(), data["tones"]
    few, many, images = coordinates(names), encodings(names), data["image_inputs"].tolist()
    top = int(data["nyquist"])
    end = named(names, data["tone_error"][:, last_tenth(data["epochs"])].min(axis=1))
    bias = {name: np.array([rank_correlation(row, tones) for row in end[name]]) for name in names
            if name not in many[-1:]}
    reached = {name: np.isfinite(half).sum(axis=1)
               for name, half in zip(names, data["half"], strict=True)}
    ties = " ≥ ".join(reversed(few))
    high = {name: np.nanmean(values[:, top // 2 : top + 1], axis=1)
            for name, values in zip(images, data["band_error"], strict=True)}
    return [
        Claim("T35a", "low tones are learned better: rank correlation of k with the error, the "
                      "best of the last tenth of training, is positive for all inputs but the "
              "highest encoding", means(bias),
              each("rank correlation", bias)),
        ordered("T35b", "tones learned to half within the epochs given: {}",
                chain(*reversed(many), ties), reached, margin=0.5),
        *(Claim("T35c", f"{name} learns every tone to half", means({name: reached[name]}),
                [Link(f"tones learned > {len(tones) - 0.5}", reached[name] - (len(tones) - 0.5))])
          for name in many[-1:]),
        ordered("T35d", f"mean relative error from {top // 2} to {top} cycles per image: {{}}",
                chain(*images), high, image=str(data["image"])),
    ]


def draw(data):
    """Above: tone against epoch, for the first and the last input; below: what is left at the end,
    of the tones and of the photograph."""
    names, tones, epochs = data["inputs"].tolist(), data["tones"], data["epochs"]
    chosen = list(dict.fromkeys((names[0], names[-1])))
    figure = style.sheet(height=5.4)
    above, below = figure.subfigures(2, 1, height_ratios=(0.9, 1.1))
    maps = above.subplots(1, len(chosen), sharey=True, squeeze=False)[0]
    for ax, name in zip(maps, chosen, strict=True):
        error = np.median(data["tone_error"][names.index(name)], axis=1)
        mesh = ax.pcolormesh(np.arange(len(epochs) + 1), np.arange(len(tones) + 1), error.T, vmin=0,
                             vmax=1, cmap="cividis")
        style.title(ax, style.label(name))
        shown = np.unique(np.linspace(0, len(epochs) - 1, 6).round().astype(int))
        ax.set_xticks(shown + 0.5, epochs[shown])
        ax.set_yticks(np.arange(0.5, len(tones), 3), tones[::3])
        ax.set_xlabel("epoch (as recorded)")
    maps[0].set_ylabel("tone k (cycles per signal)")
    above.colorbar(mesh, ax=maps, label="relative error\n(median over seeds)", pad=0.01)
    end, bands = below.subplots(1, 2)
    left, radii = data["tone_error"][:, -1], np.arange(1, data["nyquist"] + 1)
    for name, error in zip(names, left, strict=True):
        style.with_band(end, tones, error.T, name)
    style.title(end, f"{len(tones)} tones after {epochs[-1]} epochs")
    for name, error in zip(data["image_inputs"].tolist(), data["band_error"], strict=True):
        style.with_band(bands, radii, error[:, radii].T, name)
    style.title(bands, f"{data['image']} at the end")
    for ax, text in ((end, "tone k (cycles per signal)"), (bands, "radius |k| (cycles per image)")):
        ax.set_xlabel(text)
        ax.set_ylabel("relative error")
        ax.set_ylim(-0.02)
    style.bare((end, bands))
    style.legend_below(below, (end, bands), style.BAND)
    style.heading(figure, f"Of {len(tones)} tones, learned to half after {epochs[-1]} epochs: "
                  + ranking(named(names, (left < 0.5).sum(axis=2)), "{:.0f}"))
    return figure
