"""X0. Does the law of the walls hold in the plane as well?

    python -m scripts.reproduce x0_walls_in_plane

As x0_walls_diffract, for networks that learn the 64 x 64 photograph (runs of E5), before and after:
intrinsic rates on 32 x 32 pixels (64 x 64 at paper scale) beside the structure factor of the walls
that every row crosses, and every column for frequencies that are steeper along columns (T56).  All
walls are exact, and no constant is fitted.

Null: the best power of |k|, with two fitted constants.
"""

import numpy as np

from relu_dynamics import plane_wall_spectrum
from scripts.experiments.x0_walls_diffract import STAGES, draw_rates, left_by_power, spread
from scripts.lab import (
    Claim, each, encoding, image_setup, means, natural_image, natural_runs, read, style,
)
from scripts.lab.headings import ranking

TITLE = "Walls diffract, in the plane"
SOURCE = "statement T56"
KIND = "question"
SHOWS = ("A column an input: rates (dots) and structure factor of the walls that rows and "
         "columns of the image cross (lines), in bands of |k|, grey before and coloured after "
         "training, with no constant fitted; below, their ratio, which is 1 where the law "
         "holds.")
INPUTS = ("[0,1]", "L=1")
SIDE = {"quick": 8, "laptop": 32, "paper": 64}
LEAST = 4  # the lowest band claimed


def runs(settings):
    return natural_runs(settings, INPUTS).values()


def measure(settings, folder):
    """bands (inputs, stages, seeds, 2, bands): rates and walls, from band 1 on; crossings (inputs,
    stages, seeds) of walls by rows and columns."""
    side, found = min(SIDE[settings.scale], image_setup(settings).size), {}
    for (name, seed), run in natural_runs(settings, INPUTS).items():
        trained = read(run, folder)
        for stage, net in enumerate((trained.nets[0], trained.nets[-1])):
            found[name, stage, seed] = plane_wall_spectrum(net, side, encoding(name))

    def table(quantity):
        return np.array([[[quantity(found[name, stage, seed]) for seed in settings.seeds]
                          for stage in (0, 1)] for name in INPUTS])

    return {"inputs": np.array(INPUTS), "side": side, "image": natural_image(settings)[0],
            "bands": table(lambda one: np.stack([one.rates, one.walls])[:, 1 : side // 2 + 1]),
            "crossings": table(lambda one: one.crossings), "epochs": trained.epochs}


def claims(data):
    k = np.arange(LEAST, data["bands"].shape[-1] + 1)
    law, power = {}, {}
    bands = data["bands"][..., LEAST - 1 :]
    for name, by_stage in zip(data["inputs"].tolist(), bands, strict=True):
        for stage, values in zip(STAGES, by_stage, strict=True):
            law[f"{name} {stage}"] = spread(values[:, 0], values[:, 1])
            power[f"{name} {stage}"] = left_by_power(values[:, 0], k)
    return [Claim("X0c", "the structure factor of the walls gives the rates in the plane too, by "
                         f"rows: below .1 in the bands |k| >= {LEAST}",
                  means(law) + "; the best power leaves " + means(power),
                  each(".1 - deviation", law, lambda value: 0.1 - value),
                  image=str(data["image"]))]


def draw(data):
    """A column an input: rates and structure factor, and their ratio."""
    names, k = data["inputs"].tolist(), np.arange(1, data["bands"].shape[-1] + 1)
    chosen = style.some(names, 3)
    figure, rows = style.panels(2, len(chosen), height=2.6)
    rates, walls = np.moveaxis(data["bands"], 3, 0)
    ratio = np.log(rates / walls)  # (inputs, stages, seeds, k)
    for (spectrum, share), name in zip(rows.T, chosen, strict=True):
        i = names.index(name)
        draw_rates(spectrum, k, data["bands"][i, :, 0, :2], name)
        before, after = np.median(data["crossings"][i], axis=1)
        style.title(spectrum, f"{style.label(name)}:\n{before:.0f}, then {after:.0f} crossings")
        for stage, colour in enumerate(("0.55", style.colour(name))):
            style.shaded(share, k, np.exp(ratio[i, stage]).T, colour, STAGES[stage])
        share.axhline(1, color="0.8", linewidth=0.8, zorder=0)
        share.set_xscale("log")
        for ax in (spectrum, share):
            ax.set_xlabel("band |k| (cycles per image)")
    rows[0, 0].set_ylabel("dots: intrinsic rate\nline: structure factor")
    rows[1, 0].set_ylabel("rate /\nstructure factor")
    style.same_range(rows[0])
    style.same_range(rows[1])
    figure.supxlabel("grey: before training; colour: after; spectra: first seed; ratios:\n"
                     + style.BAND, fontsize="small")
    off = 100 * ratio[:, 1].std(axis=2)  # (inputs, seeds)
    style.heading(figure, f"{data['image']}: how far the rates lie from the structure factor of "
                          f"the walls that rows and columns cross, after training, in %: "
                  + ranking(dict(zip(names, off, strict=True))))
    return figure
