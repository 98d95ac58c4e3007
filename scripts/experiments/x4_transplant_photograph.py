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
from scripts.lab.runs import seen_pixels

TITLE = "Features or regions: between the pixels"
SOURCE = "E21 with imposed patterns; statement T40"
KIND = "question"
SHOWS = ("What the network says at all pixels, of which it has seen a quarter, by what it is fed "
         "(rows) and whose regions it has (columns); below, peak signal-to-noise ratios.")
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
    return {(name, kind, seed):
            made_run(even, THINNED + signal, name, seed, settings)._replace(gates=gates)
            for name in fed(settings) for kind, gates in kinds(settings).items()
            for seed in settings.seeds}


def runs(settings):
    return wanted(settings).values()


def measure(settings, folder):
    """values (2, fed, gates, seeds): PSNR on the pixels trained on and on the others; pictures
    (fed, gates, height, width, m) and the image, of the first seed.
    """
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
                                        f"to {high} in the gates than in the features: {{}}",
                            "gates > features", moved))
    across = {"imposed": unseen[low][high], "moving": unseen[low]["moving"]}
    return [claim._replace(image=str(data["image"])) for claim in (
        *rows,
        ordered("X4c", f"fed with {low}, frozen gates of {high} do better than the network's own "
                       "moving ones on the pixels trained on: {}", "imposed > moving",
                {"imposed": seen[low][high], "moving": seen[low]["moving"]}),
        ordered("X4d", "and on the pixels left out: {}", "imposed > moving", across),
        ordered("X4e", f"fed with {low}, gates by chance do better than the network's own moving "
                       "ones on the pixels trained on: {}", "coins > moving",
                {"coins": seen[low]["coins"], "moving": seen[low]["moving"]}),
        ordered("X4f", f"but worse than gates of {high} on the pixels left out: {{}}",
                "in place > coins",
                {"in place": unseen[low][high], "coins": unseen[low]["coins"]}),
    )]


def called(kind):
    own = {"moving": "own, moving", "frozen": "own, frozen", "coins": "by chance"}
    return own.get(kind, f"of {kind}")


def draw(data):
    names, columns = data["inputs"].tolist(), data["gates"].tolist()
    figure = style.Figure(figsize=(2.1 * (len(columns) + 1), 8.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(2 * len(names) + 0.2, 3))
    axes = above.subplots(len(names), len(columns) + 1, squeeze=False)
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
    for f, name in enumerate(names):
        for g, kind in enumerate(columns):
            axes[f, g].imshow(np.clip(data["pictures"][f, g], 0, 1).squeeze(), cmap="gray", vmin=0,
                              vmax=1)
            shown = [f"{data['values'][k, f, g].mean():.1f}" for k in (0, 1)]
            above_all = f"regions {called(kind)}\n" if f == 0 else ""
            axes[f, g].set_title(above_all + " | ".join(shown) + " dB", fontsize="small")
        axes[f, 0].set_ylabel(f"fed with {name}")
        axes[f, -1].imshow(np.clip(data["target"], 0, 1).squeeze(), cmap="gray", vmin=0, vmax=1)
    axes[0, -1].set_title("image\n(trained on | left out)", fontsize="small")
    for ax, k, title in zip(below.subplots(1, 2), (0, 1), ("pixels trained on", "pixels left out"),
                            strict=True):
        for f, name in enumerate(names):
            style.shaded(ax, np.arange(len(columns)), data["values"][k, f], style.colour(name),
                         f"fed with {name}", "--" if name.startswith("[") else "-")
        ax.set_xticks(range(len(columns)), [called(kind) for kind in columns])
        ax.set_xlabel("regions")
        ax.set_ylabel("PSNR (dB)")
        ax.set_title(title, loc="left", fontsize="medium")
        ax.spines[["top", "right"]].set_visible(False)
    style.legend_below(below, below.axes[:1], style.BAND)
    return figure
