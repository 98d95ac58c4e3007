"""E4, exactly. How many activation regions are there, and how many do the pixels miss?

    python -m scripts.reproduce e4_exact_regions

For coordinates the input is the plane, and the number of regions in the window that the
pixels cover is counted exactly, through training, beside the number of patterns sampled
at the pixels (E4).  A pixel count cannot exceed the number of pixels; the exact one can.
Epoch 0 is before training.
"""

from relu_dynamics import Coordinates, count_regions, sampled_regions
from scripts.lab import (
    Claim, chain, coordinates, each, encoding, every, image_inputs, image_runs, image_setup,
    means, named, ordered, over_checkpoints, rise, style,
)

TITLE = "Regions counted exactly and sampled at the pixels"
SOURCE = "exact counterpart of the paper's act_regions_image.py"
KIND = "question"
SHOWS = ("Exact numbers of regions (dashed) beside what the pixels see (dotted), whose number is "
         "the grey line.")


def inputs(settings):
    """Coordinates alone: under an encoding the regions of the plane are not polygons."""
    return coordinates(image_inputs(settings)) or ["[0,1]"]


def runs(settings):
    return image_runs(settings, inputs(settings)).values()


def measure(settings, folder):
    """values (images, inputs, checkpoints, seeds, 2): exact and sampled numbers of regions;
    pixels."""
    def counts(trained, net):
        feed = encoding(trained.run.input)
        assert isinstance(feed, Coordinates)
        return [count_regions(net, ((feed.low, feed.high), (feed.low, feed.high))),
                sampled_regions(net, trained.x)]

    table = over_checkpoints(image_runs(settings, inputs(settings)), folder, counts)
    return {**table, "pixels": image_setup(settings).size ** 2}


def claims(data):
    names, epochs, result = data["inputs"].tolist(), data["epochs"], []
    everywhere = every(epochs)
    for image, table in zip(data["images"].tolist(), data["values"], strict=True):
        exact, sampled = (named(names, table[..., k]) for k in (0, 1))
        both = {f"{name} {word}": values[name] for name in names
                for word, values in (("exact", exact), ("sampled", sampled))}
        start = {name: values[epochs <= 1] for name, values in exact.items()}
        result += [
            Claim("E4d", f"the pixels miss regions {everywhere} (exact > sampled)",
                  means(both, "{:.0f}"),
                  each("exact > sampled", {name: exact[name] - sampled[name] for name in names}),
                  image=image, kind="identity"),
            ordered("E4e", f"exact number of regions {{}} {everywhere}", chain(*reversed(names)),
                    exact, form="{:.0f}", image=image),
            Claim("E4f", "the exact number falls in the first epoch and then grows",
                  means(start, "{:.0f}"),
                  [*each("before > after the first epoch", start, lambda n: n[0] - n[-1]),
                   *each("last > first epoch", exact, lambda n: rise(n[epochs >= 1]))],
                  image=image),
        ]
    return result


def draw(data):
    figure, axes = style.panels_for(data["images"])
    names = data["inputs"].tolist()
    for ax, image, table in zip(axes.flat, data["images"].tolist(), data["values"], strict=True):
        style.over_epochs(ax, data["epochs"], named(names, table[..., 0]),
                          "activation regions in the window")
        for name, values in zip(names, table[..., 1], strict=True):
            ax.plot(data["epochs"], values.mean(axis=1), color=style.colour(name), linestyle=":",
                    linewidth=1.4,
                    label=f"sampled at the pixels, {name}")
        ax.axhline(data["pixels"], color="0.6", linewidth=0.8, zorder=0)
        ax.set_title(f"{image} ({data['pixels']} pixels: grey line)", loc="left", fontsize="medium")
        ax.set_yscale("log")
    style.same_range(axes)
    style.legend_below(figure, axes.flat[0], style.BAND + " (dotted: mean)", columns=4)
    return figure
