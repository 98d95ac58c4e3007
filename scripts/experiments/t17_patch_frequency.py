"""T17. Where in the image is which frequency learned, and by whom?

    python -m scripts.reproduce t17_patch_frequency

A global Fourier transform cannot say where.  Here the photograph (runs of E5, every second
pixel per axis) is cut into patches of 4x4 pixels, the residual in each is expanded in an
orthonormal cosine basis, and the rate at which gradient flow reduces each coefficient is
split exactly: by itself, through other frequencies of its patch, through the same frequency
of other patches, through both.  Patches are ranked by the detail of the photograph in them
(the energy of all but their mean): the third with least is *flat*, with most *detailed*.

The sums over patches and frequencies are checked against the rate of the loss.
"""

import numpy as np
import scipy.fft

from relu_dynamics import patch_frequency_error, predict
from scripts.lab import (
    Claim, chain, coordinates, each, encodings, image_inputs, means, named, natural_image,
    natural_runs, ordered, read, style,
)
from scripts.lab.headings import ranking
from scripts.lab.rates import checked_flow, thinned

TITLE = "Rates by patch and frequency"
SOURCE = "statement T17"
KIND = "question"
SHOWS = ("Above, the photograph and maps of how fast high local frequencies are reduced at the "
         "end, relative to their mean, light for fast, for the first input and the last. "
         "Below, who does it, in greens: the coefficient itself, its patch, its frequency "
         "elsewhere, or neither; and how unequal the places are for every input.")
PATCH = 4
HIGH = [k for k, (a, b) in enumerate(np.ndindex(PATCH, PATCH)) if max(a, b) >= PATCH // 2]  # modes
STAGES = ("before training", "after 10 epochs", "at the end")
COUPLINGS = ("self", "same patch", "same frequency", "both different")


def runs(settings):
    return natural_runs(settings).values()


def measure(settings, folder):
    """intrinsic (inputs, seeds, stages, patches, modes): rates at which coefficients shrink by
    themselves; parts (inputs, seeds, stages, patches, modes, 4): the split; error (inputs, seeds,
    patches) and detail (patches,) of the image; size of a patch."""
    side = 16 if settings.scale == "quick" else 32
    names, wanted = image_inputs(settings), natural_runs(settings)
    intrinsic, parts, error = [], [], []
    for name in names:
        trained = [read(wanted[name, seed], folder) for seed in settings.seeds]
        taken = [[of_patches(one, net, side) for net in at_stages(one)] for one in trained]
        intrinsic.append([[stage[0] for stage in by_stage] for by_stage in taken])
        parts.append([[stage[1] for stage in by_stage] for by_stage in taken])
        error.append([local_error(one, side) for one in trained])
    shape, _, y = thinned(trained[0], side)
    detail = (coefficients(y, shape) ** 2).sum(axis=2)[:, 1:].sum(axis=1)
    return {"inputs": np.array(names), "label": natural_image(settings)[0],
            "epochs": trained[0].epochs, "stages": np.array(STAGES),
            "intrinsic": np.array(intrinsic), "parts": np.array(parts), "error": np.array(error),
            "detail": detail,
            "grid": np.array(shape) // PATCH, "image": y.reshape(*shape, -1)}


def at_stages(trained):
    """The network before training, after ten epochs (or the last checkpoint before), and at the
    end."""
    return [trained.nets[c] for c in (0, int(np.flatnonzero(trained.epochs <= 10)[-1]), -1)]


def coefficients(signal, shape):
    """(patches, modes, m): the cosine coefficients of every patch."""
    h, w = (s // PATCH for s in shape)
    blocks = signal.reshape(h, PATCH, w, PATCH, -1).swapaxes(1, 2)
    return scipy.fft.dctn(blocks, axes=(2, 3), norm="ortho").reshape(h * w, PATCH**2, -1)


def of_patches(trained, net, side):
    """The intrinsic rates (patches, modes), and the split (patches, modes, 4)."""
    shape, x, y = thinned(trained, side)
    residual = predict(net, x) - y
    parts = checked_flow(net, x, y, shape, PATCH).splits["patch_frequency"].values
    energy = (coefficients(residual, shape) ** 2).sum(axis=2)
    return -parts[..., 0] * residual.size / (2 * energy), parts


def local_error(trained, side):
    """(patches,): the relative error of all but the mean in every patch, at the end."""
    shape, x, y = thinned(trained, side)
    error = patch_frequency_error(predict(trained.nets[-1], x), y, shape, PATCH)[:, 1:]
    flat = np.isnan(error).all(axis=1)  # nothing but a mean to learn
    return np.where(flat, 0.0, np.nanmedian(np.where(flat[:, None], 0.0, error), axis=1))


def positive(rates):
    """Intrinsic rates are not negative; what rounding leaves below its share of the largest is
    lifted to that."""
    return np.maximum(rates, 1e-16 * rates.max())


def claims(data):
    names, order = data["inputs"].tolist(), np.argsort(data["detail"])
    few, many = coordinates(names), encodings(names)
    flat, detailed = order[: len(order) // 3], order[-(len(order) // 3) :]
    intrinsic = np.log10(positive(data["intrinsic"]))[..., HIGH]
    level = 10 ** intrinsic[:, :, 0].mean(axis=(2, 3))
    spread = intrinsic[:, :, -1].mean(axis=3).std(axis=2)
    others, itself = (abs(data["parts"][:, :, 1][..., part].sum(axis=4)).sum(axis=3)
                      for part in (slice(2, 4), slice(0, 2)))
    borrowed = np.log10(others / itself)
    gap = {name: part[:, flat].mean(axis=1) - part[:, detailed].mean(axis=1)
           for name, part in zip(names, borrowed, strict=True)}
    by_patch = np.log10(positive(data["intrinsic"])[..., HIGH].mean(axis=4))
    gained = named(names, by_patch[:, :, -1] - by_patch[:, :, 0])
    there = {name: gained[name][:, detailed].mean(axis=1) - gained[name][:, flat].mean(axis=1)
             for name in few}
    return [claim._replace(image=str(data["label"])) for claim in (
        ordered("T17a", "before training high local frequencies shrink faster by themselves under "
                        "encodings (geometric mean of the rate): {}",
                chain(*reversed(names)), named(names, level), log=True),
        ordered("T17b", "at the end the same local frequency has very different rates in "
                        "different places for coordinates, more equal ones "
                "under the highest encoding (spread of log10 over patches): {}",
                chain(few[:1], many[-1:]), named(names, spread)),
        Claim("T17c", "after 10 epochs flat patches are moved by other patches more than detailed "
                      "ones are (log10 of others' part over their own: flat - detailed), for every "
              "input", means(gap),
              each("flat > detailed", gap)),
        Claim("T17d", "coordinates: training speeds up high local frequencies more where the "
                      "image has detail (log10 of the rate, end "
              "over before: detailed - flat)", means(there), each("detailed > flat", there)))]


def draw(data):
    """Above: the photograph, and maps of the rate of high local frequencies at the end; below: who
    reduces them, over the stages, and how unequal places are."""
    names, (h, w) = data["inputs"].tolist(), data["grid"]
    figure, axes = style.panels(2, 3, height=2.75)
    chosen = list(dict.fromkeys((names[0], names[-1])))
    axes[0, 0].imshow(data["image"].squeeze(), cmap="gray", interpolation="nearest")
    style.title(axes[0, 0], str(data["label"]))
    end = np.log10(positive(data["intrinsic"])[:, :, -1][..., HIGH]).mean(axis=3)
    for ax, name in zip(axes[0, 1:], chosen, strict=False):
        values = np.median(end[names.index(name)], axis=0).reshape(h, w)
        mesh = ax.imshow(values - values.mean(), cmap="cividis", vmin=-1, vmax=1,
                         interpolation="nearest")
        style.title(ax, f"{name}: mean $10^{{{values.mean():.1f}}}$")
    for ax in axes[0]:
        ax.set(xticks=[], yticks=[])
    figure.colorbar(mesh, ax=axes[0], shrink=0.8, extend="both", pad=0.01,
                    label="log10 of the rate at\nthe end, to its mean")
    for ax, name in zip(axes[1], chosen, strict=False):
        parts = data["parts"][names.index(name)][..., HIGH, :].sum(axis=(2, 3))
        share = -parts / abs(parts).sum(axis=2, keepdims=True)  # seeds, stages, 4
        for c, coupling in enumerate(COUPLINGS):
            style.ranges(ax, np.arange(3) + 0.2 * (c - 1.5), share[:, :, c].T,
                         style.shade(c, len(COUPLINGS)), coupling, "osD^"[c])
        ax.axhline(0, color="0.4", linewidth=0.8, zorder=0)
        ax.set_xticks(range(3), ["before", "10\nepochs", "end"])
        style.title(ax, f"{name}: who moves them")
    style.same_range(axes[1, : len(chosen)])
    axes[1, 0].set_ylabel("share of what moves high local\nfrequencies (above 0: learned)")
    spread = named(names, end.std(axis=2))
    for k, (name, values) in enumerate(spread.items()):
        style.ranges(axes[1, 2], np.array([k]), values[None], style.colour(name))
    axes[1, 2].set_xticks(range(len(names)), names, rotation=45)
    axes[1, 2].set_ylim(0)
    style.title(axes[1, 2], "spread over places (log10)")
    style.hide_empty(axes)
    style.legend_below(figure, axes[1, 0], style.DOTS)
    style.heading(figure, f"{data['label']}, at the end: spread over places of the rate of high "
                  f"local frequencies, decades: " + ranking(spread))
    return figure
