"""X4. Do regions decide only what is learned at the samples, or also what lies between them?

    python -m scripts.reproduce x4_transplant_photograph

As in E21 a 4x128 network learns every second row and column of the 64x64 photograph and is then
asked for the other three quarters.  It is fed with coordinates or with an encoding, and its units
go on and off by its own regions, moving or frozen, or by the frozen regions of another, untrained
network, which has regions at the other pixels too (h = q * z, T40).  Coins are the control: gates
by chance at every pixel, on as often as the encoding's, tell all pixels apart and say nothing of
what lies between.

Peak signal-to-noise ratios in dB are the best over the checkpoints, as in E21.
"""

import numpy as np

from relu_dynamics import predict
from scripts.lab import (
    THINNED, Gates, extremes, held_out, held_out_gates, image_setup, made_run, natural_image,
    ordered, read, samples, stream, style,
)
from scripts.lab.headings import ranking
from scripts.lab.runs import seen_pixels

TITLE = "Features or gates: between the pixels"
SOURCE = "E21 with imposed patterns; statement T40"
KIND = "question"
SHOWS = ("Above, what networks fed with coordinates say at all pixels, of which they have seen "
         "a quarter, by whose gates they have: their own, those of an encoding, and units "
         "that are on by chance; and the image. Below, peak signal-to-noise ratios on the "
         "pixels trained on and left out, for both inputs fed.")
INPUTS = ("[0,1]", "L=5")


def fed(settings):
    return extremes(settings, INPUTS)


def kinds(settings):
    """The gates of every column."""
    low, high = fed(settings)[0], fed(settings)[-1]
    return {"moving": None, "frozen": Gates("own"), low: Gates(low), high: Gates(high),
            "coins": Gates(high, "coins")}


def wanted(settings):
    setup, (_, signal) = image_setup(settings), natural_image(settings)
    even = setup._replace(size=setup.size - setup.size % 2)
    return {(name, kind, seed): made_run(even, THINNED + signal, name, seed,
                                         settings)._replace(gates=gates)
            for name in fed(settings) for kind, gates in kinds(settings).items()
            for seed in settings.seeds}


def runs(settings):
    return wanted(settings).values()


def measure(settings, folder):
    """values (2, fed, gates, seeds): PSNR on the pixels trained on and on the others; pictures
    (fed, gates, height, width, m) and the image, of the first seed."""
    table = wanted(settings)
    names, columns, seeds = (list(dict.fromkeys(axis)) for axis in zip(*table, strict=True))
    values = np.empty((2, len(names), len(columns), len(seeds)))
    run = next(iter(table.values()))
    shape = (run.size, run.size)
    image = samples(run.signal.removeprefix(THINNED), shape, stream(run, "signal"),
                    folder).reshape(*shape, -1)
    pictures = np.empty((len(names), len(columns), *image.shape))
    for (name, kind, seed), run in table.items():
        at, trained = (names.index(name), columns.index(kind)), read(run, folder)
        x, y = held_out(run, folder)
        gates = held_out_gates(run, folder)
        seen = [predict(net, trained.x, trained.gates) for net in trained.nets]
        unseen = [predict(net, x, gates) for net in trained.nets]
        for k, (predicted, true) in enumerate(((seen, trained.y), (unseen, y))):
            values[k, *at, seeds.index(seed)] = max(-10 * np.log10(np.mean((f - true) ** 2))
                                                    for f in predicted)
        if seed == seeds[0]:
            whole = pictures[at].reshape(len(seen_pixels(run.size)), -1)
            whole[seen_pixels(run.size)], whole[~seen_pixels(run.size)] = seen[-1], unseen[-1]
    return {"inputs": np.array(names), "gates": np.array(columns), "values": values,
            "pictures": pictures,
            "target": image, "epochs": trained.epochs, "image": natural_image(settings)[0]}


def claims(data):
    names, columns = data["inputs"].tolist(), data["gates"].tolist()
    seen, unseen = ({name: dict(zip(columns, by_gates, strict=True))
                     for name, by_gates in zip(names, part, strict=True)}
                    for part in data["values"])
    low, high = names[0], names[-1]
    rows = []
    for key, words, psnr in (("a", "trained on", seen), ("b", "left out", unseen)):
        moved = {"gates": sum(psnr[name][high] - psnr[name][low] for name in names) / len(names),
                 "features": sum(psnr[high][kind] - psnr[low][kind] for kind in (low, high)) / 2}
        rows.append(ordered(f"X4{key}", f"PSNR on the pixels {words} changes more (dB) from {low} "
                                        f"to {high} in the "
                                        "gates than in the features: {}", "gates > features",
                                        moved))
    across = {"imposed": unseen[low][high], "moving": unseen[low]["moving"]}
    return [claim._replace(image=str(data["image"])) for claim in (
        *rows,
        ordered("X4c", f"fed with {low}, frozen gates of {high} do better than the network's own "
                       f"moving ones on the "
                       "pixels trained on: {}", "imposed > moving",
                {"imposed": seen[low][high], "moving": seen[low]["moving"]}),
        ordered("X4d", "and on the pixels left out: {}", "imposed > moving", across),
        ordered("X4e", f"fed with {low}, gates by chance do better than the network's own moving "
                       f"ones on the pixels "
                       "trained on: {}", "coins > moving",
                {"coins": seen[low]["coins"], "moving": seen[low]["moving"]}),
        ordered("X4f", f"but worse than gates of {high} on the pixels left out: {{}}",
                "in place > coins",
                {"in place": unseen[low][high], "coins": unseen[low]["coins"]}),
    )]


OWN = {"moving": "own, moving", "frozen": "own, frozen", "coins": "by chance"}


def called(kind):
    return OWN.get(kind, f"of {kind}")


def draw(data):
    """Above: pictures of the first input fed, by gates; below: PSNR of all."""
    names, columns = data["inputs"].tolist(), data["gates"].tolist()
    figure = style.sheet(height=5.6)
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.25))
    donor = [kind for kind in columns if kind not in OWN][-1]
    chosen = list(dict.fromkeys((columns[0], donor, columns[-1])))
    axes = above.subplots(1, len(chosen) + 1)
    pictures = [data["pictures"][0, columns.index(kind)] for kind in chosen]
    for ax, picture, kind in zip(axes, [*pictures, data["target"]], [*chosen, None], strict=True):
        ax.imshow(np.clip(picture, 0, 1).squeeze(), cmap="gray", vmin=0, vmax=1)
        style.title(ax, called(kind) if kind else str(data["image"]))
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    axes[0].set_ylabel(f"fed with {names[0]}")
    panels = below.subplots(1, 2)
    for ax, k, text in zip(panels, (0, 1), ("pixels trained on", "pixels left out"), strict=True):
        for f, name in enumerate(names):
            style.ranges(ax, np.arange(len(columns)) + 0.2 * (f - (len(names) - 1) / 2),
                         data["values"][k, f], style.colour(name), f"fed with {name}",
                         "s" if name.startswith("[") else "o")
        ax.set_xticks(range(len(columns)), [called(kind) for kind in columns], rotation=45,
                      ha="right", rotation_mode="anchor")
        ax.set_ylabel("PSNR (dB)")
        style.title(ax, text)
    style.bare(panels)
    style.legend_below(below, panels[:1], f"by whose gates; {style.DOTS}; pictures: first seed")
    unseen = {called(kind): by_seed
              for kind, by_seed in zip(columns, data["values"][1, 0], strict=True)}
    style.heading(figure, f"Fed with {names[0]}, dB on pixels left out, by whose gates: "
                  + ranking({called(kind): unseen[called(kind)] for kind in chosen}, "{:.1f}"))
    return figure
