"""T17. Where in the image is which frequency learned, and by whom?

    python -m scripts.t17_patch_frequency [--quick] [--seeds 5] [--out out]

A global Fourier transform cannot say where.  Here the photograph (runs of E5, every second
pixel per axis) is cut into patches of 4x4 pixels, the residual in each is expanded in an
orthonormal cosine basis, and the rate at which gradient flow reduces each coefficient is
split exactly: by itself, through other frequencies of its patch, through the same frequency
of other patches, through both.  Patches are ranked by the detail of the photograph in them
(the energy of all but their mean): the third with least is *flat*, with most *detailed*.

The sums over patches and frequencies are checked against the rate of the loss.

Writes t17_patch_frequency.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np
import scipy.fft

from relu_dynamics.mlp import predict
from relu_dynamics.spectrum import patch_frequency_error
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, ordering
from scripts.rates import checked_flow, thinned
from scripts.runs import IMAGE_INPUTS, photograph_runs, read

TITLE = "Rates by patch and frequency"
SOURCE = "statement T17"
SHOWS = ("Maps of how fast high local frequencies are reduced at the end: slow in the sky, fast along edges, evener under "
         "the encoding. Below, who does it: the coefficient itself, its patch, its frequency elsewhere, or neither.")
PATCH = 4
STAGES = ("before training", "after 10 epochs", "at the end")
COUPLINGS = ("self", "same patch", "same frequency", "both different")


def runs(settings):
    return list(photograph_runs(settings).values())


def measure(settings, folder):
    """intrinsic (inputs, seeds, stages, patches, modes): rates at which coefficients shrink by themselves; parts (inputs, seeds,
    stages, patches, modes, 4): the split; error (inputs, seeds, patches) and detail (patches,) of the photograph; size of a patch."""
    side, names, wanted = 16 if settings.scale == "quick" else 32, IMAGE_INPUTS[settings.scale], photograph_runs(settings)
    intrinsic, parts, error = [], [], []
    for name in names:
        trained = [read(wanted[name, seed], folder) for seed in settings.seeds]
        taken = [[of_patches(one, net, side) for net in at_stages(one)] for one in trained]
        intrinsic.append([[stage[0] for stage in by_stage] for by_stage in taken])
        parts.append([[stage[1] for stage in by_stage] for by_stage in taken])
        error.append([local_error(one, side) for one in trained])
    shape, _, y = thinned(trained[0], side)
    detail = (coefficients(y, shape) ** 2).sum(axis=2)[:, 1:].sum(axis=1)
    return {"inputs": np.array(names), "stages": np.array(STAGES), "intrinsic": np.array(intrinsic), "parts": np.array(parts),
            "error": np.array(error), "detail": detail, "grid": np.array(shape) // PATCH, "image": y.reshape(*shape, -1)}


def at_stages(trained):
    """The network before training, after ten epochs (or the last checkpoint before), and at the end."""
    return [trained.nets[c] for c in (0, int(np.flatnonzero(trained.epochs <= 10)[-1]), -1)]


def coefficients(signal, shape):
    """(patches, modes, m): the cosine coefficients of every patch."""
    h, w = (s // PATCH for s in shape)
    blocks = signal.reshape(h, PATCH, w, PATCH, -1).swapaxes(1, 2)
    return scipy.fft.dctn(blocks, axes=(2, 3), norm="ortho").reshape(h * w, PATCH**2, -1)


def of_patches(trained, net, side):
    shape, x, y = thinned(trained, side)
    residual = predict(net, x) - y
    parts = checked_flow(net, x, y, shape, PATCH).splits["patch_frequency"].values
    energy = (coefficients(residual, shape) ** 2).sum(axis=2)
    return -parts[..., 0] * residual.size / (2 * energy), parts


def local_error(trained, side):
    """(patches,): the relative error of all but the mean in every patch, at the end."""
    shape, x, y = thinned(trained, side)
    return np.nanmedian(patch_frequency_error(predict(trained.nets[-1], x), y, shape, PATCH)[:, 1:], axis=1)


def positive(rates):
    """Intrinsic rates are not negative; what rounding leaves below its share of the largest is lifted to that."""
    return np.maximum(rates, 1e-16 * rates.max())


def claims(data):
    names, detail = data["inputs"].tolist(), data["detail"]
    order = np.argsort(detail)
    flat, detailed = order[: len(order) // 3], order[-(len(order) // 3) :]
    high = [k for k, (a, b) in enumerate(np.ndindex(PATCH, PATCH)) if max(a, b) >= PATCH // 2]
    intrinsic = np.log10(positive(data["intrinsic"]))[..., high]
    level = intrinsic[:, :, 0].mean(axis=(2, 3))
    spread = intrinsic[:, :, -1].mean(axis=3).std(axis=2)
    from_others = abs(data["parts"][:, :, 1, ..., 2:].sum(axis=4)).sum(axis=3)
    by_itself = abs(data["parts"][:, :, 1, ..., :2].sum(axis=4)).sum(axis=3)
    borrowed = np.log10(from_others / by_itself)
    gap = {name: part[:, flat].mean(axis=1) - part[:, detailed].mean(axis=1) for name, part in zip(names, borrowed, strict=True)}
    gained = np.log10(positive(data["intrinsic"])[..., high].mean(axis=4))
    gained = gained[:, :, -1] - gained[:, :, 0]
    there = {name: part[:, detailed].mean(axis=1) - part[:, flat].mean(axis=1) for name, part in zip(names, gained, strict=True)}
    by_name = lambda values: dict(zip(names, values, strict=True))  # noqa: E731
    return [
        Claim("T17a", "before training high local frequencies shrink faster by themselves under encodings (mean log10 of the rate): "
              + " > ".join(reversed(names)), means(by_name(level)), ordering(by_name(level), *reversed(names))),
        Claim("T17b", "at the end the same local frequency has very different rates in different places for coordinates, more equal ones "
              f"for {names[-1]} (spread of log10 over patches): [0,1] > {names[-1]}", means(by_name(spread)),
              ordering(by_name(spread), "[0,1]", names[-1])),
        Claim("T17c", "after 10 epochs flat patches are moved by other patches more than detailed ones are (log10 of others' part over "
              "their own: flat - detailed), for every input", means(gap), [Link(f"flat > detailed, {name}", by) for name, by in gap.items()]),
        Claim("T17d", "coordinates: training speeds up high local frequencies more where the photograph has detail (log10 of the rate, end "
              "over before: detailed - flat)", means({name: there[name] for name in names[:2]}),
              [Link(f"detailed > flat, {name}", there[name]) for name in names[:2]]),
    ]


def draw(data):
    """Above: the photograph, and maps of the rate of high local frequencies at the end; below: who reduces them, over the stages."""
    names, (h, w) = data["inputs"].tolist(), data["grid"]
    figure, axes = style.panels(2, 4, width=3.2, height=3.0)
    high = [k for k, (a, b) in enumerate(np.ndindex(PATCH, PATCH)) if max(a, b) >= PATCH // 2]
    axes[0, 0].imshow(data["image"], extent=(0, 1, 1, 0), interpolation="nearest")
    axes[0, 0].set_title("the photograph", loc="left", fontsize="medium")
    chosen = (names[0], names[1], names[-1])
    maps = [np.log10(positive(data["intrinsic"])[names.index(name), :, -1][..., high]).mean(axis=(0, 2)).reshape(h, w) for name in chosen]
    for ax, name, values in zip(axes[0, 1:], chosen, maps, strict=True):
        mesh = ax.imshow(values - values.mean(), extent=(0, 1, 1, 0), cmap="cividis", vmin=-1, vmax=1, interpolation="nearest")
        ax.set_title(f"{style.label(name)}\nmean $10^{{{values.mean():.1f}}}$ per unit of time", loc="left", fontsize="small")
    for ax in axes[0]:
        ax.set_xticks([0, 1])
        ax.set_yticks([0, 1])
    figure.colorbar(mesh, ax=axes[0, 1:], shrink=0.85, extend="both",
                    label="rate of high local frequencies\nat the end (log10, to the mean)")
    for ax, name in zip(axes[1], (names[0], names[1], names[2], names[-1]), strict=True):
        parts = data["parts"][names.index(name)][..., high, :].sum(axis=(2, 3))
        share = -parts / abs(parts).sum(axis=2, keepdims=True)  # seeds, stages, 4
        for c, coupling in enumerate(COUPLINGS):
            colour, mean = ("#0072B2", "#56B4E9", "#E69F00", "#D55E00")[c], share[:, :, c].mean(axis=0)
            ax.bar(np.arange(3) + 0.2 * (c - 1.5), mean, 0.2, color=colour, label=coupling)
            ax.vlines(np.arange(3) + 0.2 * (c - 1.5), share[:, :, c].min(axis=0), share[:, :, c].max(axis=0), color="0.2", linewidth=0.8)
        ax.axhline(0, color="0.4", linewidth=0.8)
        ax.set_xticks(range(3), ["before\ntraining", "10\nepochs", "end"])
        ax.set_ylim(-1, 1)
        ax.set_title(style.label(name), loc="left", fontsize="medium")
    axes[1, 0].set_ylabel("share of what moves high local\nfrequencies (above 0: learned)")
    style.legend_below(figure, axes[1, 0], "bar: mean over seeds; line: smallest to largest seed")
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
