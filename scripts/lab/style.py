"""A common style for all figures: the same input has the same colour everywhere.

Colours are from the Okabe-Ito palette, which colour-blind readers can tell apart;
coordinates are dashed, encodings solid, so that grey prints can be read too.
"""

from __future__ import annotations

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


def panels(rows: int, columns: int, width: float = 4.2,
           height: float = 3.1) -> tuple[Figure, np.ndarray]:
    """A figure of rows x columns axes, (rows, columns), without pyplot."""
    figure = Figure(figsize=(width * columns, height * rows),
                    layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, wspace=0.03))
    axes = np.array(figure.subplots(rows, columns, squeeze=False))
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def panels_for(images: np.ndarray) -> tuple[Figure, np.ndarray]:
    """A panel for each image, two in a row."""
    rows = (len(images) + 1) // 2
    figure, axes = panels(rows, min(len(images), 2))
    for ax in axes.flat[len(images):]:
        ax.remove()
    return figure, axes.ravel()[: len(images)]


def hide_empty(axes: np.ndarray) -> None:
    """Remove the empty panels."""
    for ax in axes.flat:
        if not ax.has_data():
            ax.remove()


def with_band(ax: Axes, x: np.ndarray, values: np.ndarray, name: str) -> None:
    """The line of an input: the mean over seeds with a band from the smallest to the largest;
    values is (points, seeds)."""
    shaded(ax, x, values, **look(name))


def shaded(ax: Axes, x: np.ndarray, values: np.ndarray, color: object, label: str,
           linestyle: str = "-") -> None:
    """with_band in a given colour."""
    ax.plot(x, values.mean(axis=1), marker=".", markersize=3, linewidth=1.4, color=color,
            label=label, linestyle=linestyle)
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
    ticks = [*(e for e in (0, 1, 10, 100, 1000) if e <= epochs[-1] / 3), epochs[-1]]
    ax.set_xticks(ticks, [str(e) for e in ticks])
    ax.set_xlabel("epoch (0: before training)")
    ax.set_ylabel(ylabel)


def same_range(axes: np.ndarray, low: float | None = None) -> None:
    """One range of values for panels to be compared: it fits all of them, and starts at low if
    given."""
    ends = [end for ax in axes.flat for end in ax.get_ylim()]
    for ax in axes.flat:
        ax.set_ylim(min(ends) if low is None else low, max(ends))


def histogram(ax: Axes, edges: np.ndarray, counts: Mapping[str, np.ndarray], xlabel: str) -> None:
    """Outlined densities; counts[name] is (bins,)."""
    for name, count in counts.items():
        density = count / (count.sum() * np.diff(edges))
        ax.stairs(density, edges, linewidth=1.4, **look(name))
    ax.set_xlabel(xlabel)
    ax.set_ylabel("density")
    ax.set_yscale("log")


def legend_below(figure: Figure, axes: Axes | Iterable[Axes], note: str = "",
                 columns: int = 5) -> None:
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
                  fontsize="small", title_fontsize="small", handlelength=3)


BAND = "line: mean over seeds; band: smallest to largest seed"
BOTH = BAND + "; a / b: a for tones, b for images"
