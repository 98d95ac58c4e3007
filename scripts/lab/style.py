"""A common style for all figures: the same input has the same colour everywhere.

Colours are from the Okabe-Ito palette, which colour-blind readers can tell apart; coordinates are
dashed, encodings solid, so that grey prints can be read too.  Layers and the like are greens, and
what is neither is black and grey.  Lines are medians over seeds, bands their ranges.

A figure is as wide as a column of text (WIDTH), so that it can be read on a page of 900 pixels and
its heading, which says what was found, on a telephone.  An experiment on several images shows one
of them through training (`main_image`) and all of them at the end (`over_images`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from relu_dynamics import Coordinates
from scripts.lab.inputs import encoding

# (width or number, colour), with mixtures in between: coordinates go from blue to grey with the
# width of their interval, encodings from yellow over red to purple with the number of frequencies.
# These hues are used only for inputs.
COORDINATES = ((1, "#0072B2"), (2, "#56B4E9"), (4, "#8C96C6"), (6, "#7F7F7F"))
ENCODINGS = ((1, "#E69F00"), (3.5, "#D55E00"), (6.5, "#CC79A7"), (9, "#882255"), (16, "#332288"))
LAYERS = ((0, "#00441B"), (0.5, "#238B45"), (1, "#99D594"))
WIDTH = 7.2    # of a figure, in inches
LETTERS = 68   # of a heading, in a line of that width
MARKED = 60    # points on a line, at most, that are drawn as dots


def mixed(scale: Sequence[tuple[float, str]], value: float) -> tuple[float, ...]:
    """The colour at a value of a scale."""
    places, colours = zip(*scale, strict=True)
    channels = np.array([to_rgb(colour) for colour in colours]).T
    return tuple(float(np.interp(value, places, channel)) for channel in channels)


def colour(name: str) -> tuple[float, ...]:
    """The colour of an input, the same wherever it appears."""
    feed = encoding(name)
    if isinstance(feed, Coordinates):
        return mixed(COORDINATES, feed.high - feed.low)
    return mixed(ENCODINGS, float(name.removeprefix("L=")))


def shade(k: int, n: int) -> tuple[float, ...]:
    """The green, dark to light, for the k-th of n objects other than inputs, such as layers."""
    return mixed(LAYERS, k / max(n - 1, 1))


def look(name: str) -> dict[str, object]:
    """Line properties of an input."""
    return {"color": colour(name), "linestyle": "--" if name.startswith("[") else "-",
            "label": label(name)}


def label(name: str) -> str:
    kind = "encoding" if name.startswith("L=") else "coordinates"
    return f"{kind} {name}"


def panels(rows: int, columns: int, width: float | None = None, height: float = 2.6,
           **grid: object) -> tuple[Figure, np.ndarray]:
    """A figure of rows x columns axes, (rows, columns), without pyplot; sizes are of one panel, in
    inches, and further arguments those of Figure.subplots."""
    figure = sheet(columns * (width or WIDTH / columns), height * rows)
    axes = np.array(figure.subplots(rows, columns, squeeze=False, **grid))
    bare(axes)
    return figure, axes


def sheet(width: float = WIDTH, height: float = 5.2) -> Figure:
    """An empty figure, in inches; its heading makes it taller."""
    return Figure(figsize=(width, height),
                  layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, wspace=0.03))


def bare(axes: np.ndarray | Iterable[Axes]) -> None:
    """No lines above and to the right of the panels."""
    for ax in axes.flat if isinstance(axes, np.ndarray) else axes:
        ax.spines[["top", "right"]].set_visible(False)


def heading(figure: Figure, text: str) -> None:
    """What was found, above the figure, in letters that a telephone can show."""
    width = int(LETTERS * figure.get_figwidth() / WIDTH)
    ways = [textwrap.wrap(text, letters) for letters in range(width // 2, width + 1)]
    lines = min(ways, key=len)  # the first of these has lines of about one length
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=13)
    figure.set_figheight(figure.get_figheight() + 0.23 * len(lines))


def title(ax: Axes, text: str) -> None:
    """What a panel shows, above it."""
    ax.set_title(text, loc="left", fontsize="medium")


def some(names: Sequence[str], most: int) -> list[str]:
    """At most so many of the names, evenly spread, the first and the last among them."""
    at = np.unique(np.linspace(0, len(names) - 1, most).round().astype(int))
    return [names[k] for k in at]


def main_image(images: Sequence[str]) -> int:
    """Which of the images is shown through training: the first that is not random, if any."""
    return next((k for k, image in enumerate(images) if image != "random image"), 0)


def over_images(ax: Axes, images: Sequence[str], values: Mapping[str, np.ndarray],
                ylabel: str) -> None:
    """A dot and a range for every image and input; values[name] is (images, seeds)."""
    for k, (name, array) in enumerate(values.items()):
        place = np.arange(len(images)) + 0.7 * ((k + 0.5) / len(values) - 0.5)
        ranges(ax, place, array, color=colour(name), label=label(name),
               marker="s" if name.startswith("[") else "o")
    ax.set_xticks(range(len(images)), [image.replace(" ", "\n", 1) for image in images],
                  fontsize="small")
    ax.set_xlim(-0.5, len(images) - 0.5)
    for k in range(1, len(images)):
        ax.axvline(k - 0.5, color="0.9", linewidth=0.8, zorder=0)
    ax.set_ylabel(ylabel)


def trained_images(pair: Sequence[Axes], data: Mapping[str, np.ndarray], values: np.ndarray,
                   ylabel: str, what: str = "") -> None:
    """On the left the main image through training, on the right every image at the end; values is
    (images, inputs, checkpoints, seeds)."""
    names, images = data["inputs"].tolist(), data["images"].tolist()
    shown = main_image(images)
    over_epochs(pair[0], data["epochs"], dict(zip(names, values[shown], strict=True)), ylabel)
    title(pair[0], f"{what}{images[shown]}")
    over_images(pair[1], images, dict(zip(names, values[:, :, -1].swapaxes(0, 1), strict=True)), "")
    title(pair[1], f"{what}every image, at the end")


def ranges(ax: Axes, place: np.ndarray, values: np.ndarray, color: object, label: str | None = None,
           marker: str = "o", face: object = None) -> None:
    """Dots at the medians over seeds, with lines from the smallest to the largest; values is
    (places, seeds)."""
    ax.vlines(place, values.min(axis=1), values.max(axis=1), color=color, linewidth=1.2)
    ax.plot(place, np.median(values, axis=1), marker, color=color, label=label, markersize=5,
            markerfacecolor=face or color)


def hide_empty(axes: np.ndarray) -> None:
    """Remove the empty panels."""
    for ax in axes.flat:
        if not ax.has_data():
            ax.remove()


def with_band(ax: Axes, x: np.ndarray, values: np.ndarray, name: str) -> None:
    """The line of an input: the median over seeds with a band from the smallest to the largest;
    values is (points, seeds)."""
    shaded(ax, x, values, **look(name))


def shaded(ax: Axes, x: np.ndarray, values: np.ndarray, color: object, label: str,
           linestyle: str = "-") -> None:
    """with_band in a given colour."""
    ax.plot(x, np.median(values, axis=1), marker="." if len(x) <= MARKED else "", markersize=3,
            linewidth=1.4, color=color, label=label, linestyle=linestyle)
    ax.fill_between(x, values.min(axis=1), values.max(axis=1), color=color, alpha=0.18, linewidth=0)


def over_epochs(ax: Axes, epochs: np.ndarray, values: Mapping[str, np.ndarray],
                ylabel: str) -> None:
    """A line with its band per input; values[name] is (epochs, seeds)."""
    for name, array in values.items():
        with_band(ax, epochs, array, name)
    epochs_axis(ax, epochs, ylabel)


def epochs_axis(ax: Axes, epochs: np.ndarray, ylabel: str) -> None:
    """Epochs from left to right, the first ones further apart; the last one has a tick."""
    ax.set_xscale("symlog", linthresh=1)
    ax.set_xlim(0, 1.06 * epochs[-1])
    ticks = [*(e for e in (0, 1, 10, 100, 1000) if e <= epochs[-1] / 4), epochs[-1]]
    ax.set_xticks(ticks, [str(e) for e in ticks])
    ax.set_xlabel("epoch (0: before training)")
    ax.set_ylabel(ylabel)


def same_range(axes: np.ndarray, low: float | None = None) -> None:
    """One range of values for panels to be compared: it fits all of them, and starts at low if
    given."""
    ends = [end for ax in axes.flat for end in ax.get_ylim()]
    for ax in axes.flat:
        ax.set_ylim(min(ends) if low is None else low, max(ends))


def plain_ticks(axes: np.ndarray) -> None:
    """Plain numbers at 1, 2 and 5 on logarithmic axes of less than two decades."""
    for ax in axes.flat:
        low, high = ax.get_ylim()
        ticks = [m * 10.0**e for e in range(-4, 5) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
        ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        ax.set_yticks([], minor=True)


def signed(ax: Axes) -> None:
    """A scale that is linear between -1 and 1 and logarithmic beyond, with plain numbers."""
    low, high = ax.get_ylim()
    if -1 <= low and high <= 1:
        return
    ax.set_yscale("symlog", linthresh=1)
    beyond = [sign * 10.0**e for e in range(1, 7) for sign in (-1, 1)]
    ticks = sorted(tick for tick in (-1, 0, 1, *beyond) if low <= tick <= high)
    ax.set_yticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    ax.set_yticks([], minor=True)


def histogram(ax: Axes, edges: np.ndarray, counts: Mapping[str, np.ndarray], xlabel: str) -> None:
    """Outlined densities; counts[name] is (bins,)."""
    for name, count in counts.items():
        density = count / (count.sum() * np.diff(edges))
        ax.stairs(density, edges, linewidth=1.4, **look(name))
    ax.set_xlabel(xlabel)
    ax.set_ylabel("density")
    ax.set_yscale("log")


def legend_below(figure: Figure, axes: Axes | Iterable[Axes], note: str = "",
                 columns: int = 4) -> None:
    """One legend below the whole figure, with a note on the bands; lines that look the same share
    an entry, "a / b"."""
    entries: dict[object, tuple[Artist, list[str]]] = {}
    for ax in (axes,) if isinstance(axes, Axes) else axes:
        for handle, text in zip(*ax.get_legend_handles_labels(), strict=True):
            key: object = text
            if isinstance(handle, Line2D):
                key = (handle.get_color(), handle.get_linestyle(), handle.get_marker(),
                       handle.get_alpha())
            texts = entries.setdefault(key, (handle, []))[1]
            if text not in texts:
                texts.append(text)
    figure.legend([handle for handle, _ in entries.values()],
                  [" / ".join(texts) for _, texts in entries.values()],
                  loc="outside lower center", ncols=columns, frameon=False, title=note or None,
                  fontsize="small", title_fontsize="small", handlelength=2.5, columnspacing=1.2)


BAND = "line: median over seeds; band: smallest to largest seed"
DOTS = "dot: median over seeds; line: smallest to largest seed"
LINES_AND_DOTS = "line or dot: median over seeds; band or line: smallest to largest seed"
