"""Sections about a network of one or two coordinates, each with a number, an explanation, and
pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
from matplotlib.axes import Axes

from relu_dynamics import (
    MLP, EncodedPieces, EncodedRegions, Pieces, Regions, affine_map, area_average, band_energy,
    band_means, confusion_of_pairs, distance_to_wall, draw, forward, global_pairs, grid,
    hamming_of_pairs, intrinsic_rates, kernel_moments, kernel_spectrum, lipschitz_bound,
    local_pairs, pattern, pattern_spectrum, predict, regions_in_encoded_window, regions_in_window,
    regions_on_encoded_segment, regions_on_segment, segment_transform, spectral_norms,
    split_layers, window_transform,
)
from relu_dynamics.encoding import Encoding
from scripts.lab import style
from scripts.lab.words import count, many

GRID = {1: 1024, 2: 128}     # samples of the window per axis, by the number of coordinates
TRAINED = {1: 1024, 2: 128}  # samples of the picture or signal per axis, at most
KERNEL = {1: 512, 2: 24}     # samples per axis for the kernel
PAIRS = 2000
CYCLES = 12                  # per window and axis, of the exact transform
SLOPES = 4096                # samples for the steepest slope
DENSE = 300                  # from this number on, breakpoints are not marked one by one
ROUNDING = 1e-12             # of the largest rate
SHRINKINGS = 30              # halvings of the window, at most
ONE, OTHER = style.shade(0, 3), style.shade(2, 3)


class Subject(NamedTuple):
    """A network, its encoding, its window, and its target."""

    net: MLP
    encoding: Encoding | None
    flat: MLP | None          # the same function of the window's coordinates, if it is a network
    window: np.ndarray        # (d, 2)
    asked: np.ndarray         # (d, 2) the requested window, before it was made smaller
    shape: tuple[int, ...]    # of the target's samples
    target: np.ndarray | None  # (n, m) in row-major order

    def fed(self, points: np.ndarray) -> np.ndarray:
        """The inputs of the network at points, (n, d)."""
        return points if self.encoding is None else self.encoding(points)

    def samples(self) -> tuple[tuple[int, ...], np.ndarray]:
        """A grid of the window: its shape, and its points, (n, d)."""
        d = len(self.window)
        shape = (GRID[d],) * d
        low, high = self.window.T
        return shape, low + grid(shape, "half-open") * (high - low)


class Panel(NamedTuple):
    """One picture, and its caption."""

    caption: str
    draw: Callable[[Axes], None]


class Section(NamedTuple):
    """A title with the main number, a sentence that explains it, numbers, and pictures."""

    key: str
    title: str
    text: str
    numbers: dict[str, Any]
    panels: list[Panel]


def sections(subject: Subject, most: int) -> Iterator[Section]:
    """All sections, in order."""
    part, regions, problem = enumerated(subject, most)
    yield picture_section(subject)
    yield regions_section(part, regions, problem)
    yield walls_section(part, regions)
    yield units_section(subject)
    yield norms_section(part, regions)
    yield distance_section(subject)
    yield spectrum_section(part if isinstance(regions, (Regions, Pieces)) else subject, regions)
    if subject.target is not None:
        yield kernel_section(subject)
        yield confusion_section(subject)
        yield rates_section(subject)


# ------------------------------------------------------------------ the regions


def enumerated(subject: Subject, most: int) -> tuple[Subject, Any, str]:
    """The regions or pieces of the window, at most `most`.  Where that fails, the window is made
    smaller around its centre; then also why it failed for the whole window."""
    problems: list[str] = []
    for _ in range(SHRINKINGS):
        try:
            return subject, _regions(subject, most), "".join(problems[:1])
        except ValueError as error:
            problems.append(str(error).rstrip("."))
            middle, half = subject.window.mean(axis=1), np.ptp(subject.window, axis=1) / 4
            subject = subject._replace(window=np.stack([middle - half, middle + half], axis=1))
    raise ValueError(f"no window is small enough: {problems[-1]}")


def _regions(subject: Subject, most: int) -> Regions | EncodedRegions | Pieces | EncodedPieces:
    a, b = subject.window.T
    if len(subject.window) == 1:
        if subject.flat is not None:
            return regions_on_segment(subject.flat, a, b, max_regions=most)
        return regions_on_encoded_segment(subject.net, subject.encoding, a, b, max_regions=most)
    if subject.flat is not None:
        return regions_in_window(subject.flat, subject.window, max_regions=most)
    # a wider window takes too many triangles
    if np.ptp(subject.window, axis=1).max() > shortest_wave(subject.encoding):
        raise ValueError("it is wider than the encoding's shortest wave, and would take too long")
    return regions_in_encoded_window(subject.net, subject.encoding, subject.window,
                                     max_regions=most)


def shortest_wave(feed: Encoding) -> float:
    """The shortest wavelength of an encoding of two coordinates."""
    return 1 / np.hypot(*feed.frequencies_in(2).T).max()


def regions_section(subject: Subject, regions: Any, problem: str) -> Section:
    """The number of regions, and their sizes; problem says why the window is not the one asked."""
    size = np.sort(regions.area if len(subject.window) == 2 else np.diff(regions.t))[::-1]
    half = int(np.searchsorted(np.cumsum(size), size.sum() / 2)) + 1
    whole = np.array_equal(subject.window, subject.asked)
    small = ("" if whole else
             f" This is a smaller part of the requested window, {spelled(subject.asked)}, around "
             f"its centre. The whole could not be enumerated: {problem}.")
    exact = unsure(regions)
    text = (f"Inside a region the same units are on, so the network is one simple formula there: "
            f"{'affine' if subject.flat is not None else 'a sum of waves'}. The window is "
            f"{spelled(subject.window)}.{small} {exact} Half of the window belongs "
            f"to the {half} largest.")
    numbers = {"window": subject.window.tolist(), "asked": subject.asked.tolist(),
               "problem": problem, "regions": len(regions), "half_of_window_in": half,
               "median_size": np.median(size), "largest_size": size[0], "certainty": exact}

    def sizes(ax: Axes) -> None:
        ax.plot(np.arange(1, len(size) + 1), np.cumsum(size) / size.sum(), color=ONE)
        ax.set(xscale="log", ylim=(0, 1.02), xlabel="regions, the largest first",
               ylabel="share of the window")

    shown = Panel("The function and, below it, the breakpoints of each layer",
                  lambda ax: draw_line(ax, subject, regions))
    if len(subject.window) == 2:
        shown = Panel("Every region; walls of the first layer darkest",
                      lambda ax: draw_plane(ax, regions))
    panels = [shown, Panel("What the largest regions cover", sizes)]
    if len(subject.window) == 2 and subject.target is not None:
        panels.insert(1, Panel("The walls over the picture",
                               lambda ax: draw_over(ax, subject, regions)))
    place = "the window" if whole else spelled(subject.window)
    return Section("regions", f"{count(len(regions), 'region')} in {place}", text, numbers, panels)


def unsure(regions: Any) -> str:
    """A sentence on the certainty of the regions."""
    if isinstance(regions, Regions):
        return "The enumeration is exact" + (" and certified." if regions.certificate.ok else
                                             f" down to widths of {regions.tolerance:.1g}.")
    if isinstance(regions, EncodedRegions):
        triangles = count(len(regions.triangulation.triangles), "triangle")
        close = (f" In {count(len(regions.unsettled), 'triangle')} walls come too close to settle "
                 "them." if len(regions.unsettled) else "")
        return (f"The walls are curves, found on {triangles}, and the regions in "
                f"{regions.certified_share:.0%} of the window are certified to be those of the "
                f"network.{close}")
    if isinstance(regions, EncodedPieces):
        return f"The enumeration is exact but for {len(regions.uncertified)} uncertified intervals."
    return "The enumeration is exact."


def draw_plane(ax: Axes, regions: Regions | EncodedRegions) -> None:
    """Regions in the colours of their patterns, the second coordinate downwards, as in pictures."""
    draw(ax, regions, linewidth=0.4, downwards=True)
    ax.set(xlabel="first coordinate", ylabel="second coordinate")


def draw_over(ax: Axes, subject: Subject, regions: Regions | EncodedRegions) -> None:
    """Walls over the picture, in the intersection of the window and the picture."""
    draw(ax, regions, np.zeros((len(regions), 4)), linewidth=0.4)
    x, y = ax.get_xlim(), ax.get_ylim()
    ax.imshow(colours(subject.target, subject.shape), extent=(0, 1, 1, 0), cmap="gray", vmin=0,
              vmax=1, alpha=0.7, zorder=0)
    ax.set(xlim=x, ylim=y[::-1], xlabel="first coordinate", ylabel="second coordinate")


def draw_line(ax: Axes, subject: Subject, pieces: Pieces | EncodedPieces) -> None:
    """The first output over the window, and below it the breakpoints of every layer."""
    _, points = subject.samples()
    low, high = subject.window[0]
    breaks = low + pieces.t[1:-1, None] * (high - low)
    every = np.sort(np.concatenate([points, breaks, subject.window.T]), axis=0)
    ax.plot(every, predict(subject.net, subject.fed(every))[:, 0], color="0.2", linewidth=1)
    layers = len(subject.net.weights) - 1
    ends = np.cumsum([len(b) for b in subject.net.biases[:-1]])
    values = predict(subject.net, subject.fed(breaks))[:, 0]
    bottom, step = ax.get_ylim()[0], np.ptp(ax.get_ylim()) / 14
    for layer in range(layers):
        own = np.searchsorted(ends, pieces.owner, side="right") == layer
        colour = style.shade(layer, layers)
        ax.vlines(breaks[own, 0], bottom - (layer + 0.9) * step, bottom - layer * step,
                  linewidth=0.5 if len(breaks) < DENSE else 0.1, color=colour)
        if len(breaks) < DENSE:
            ax.plot(breaks[own, 0], values[own], "o", markersize=3, color=colour)
        ax.text(high, bottom - (layer + 0.5) * step, f" {layer + 1}", va="center", color=colour)
    ax.set(xlabel="coordinate", ylabel="first output", xlim=(low, high))


def walls_section(subject: Subject, regions: Any) -> Section:
    """The walls of each layer."""
    layers = len(subject.net.weights) - 1
    if len(subject.window) == 2:
        own = regions.edge_owner >= 0
        u, v = (regions.vertices[end] for end in regions.edges[own].T)
        amount = np.bincount(regions.edge_layer[own], np.hypot(*(v - u).T), minlength=layers)
        said, unit = f"Walls {amount.sum():.3g} long in all", "length of walls"
    else:
        ends = np.cumsum([len(b) for b in subject.net.biases[:-1]])
        amount = np.bincount(np.searchsorted(ends, regions.owner, side="right"), minlength=layers)
        said, unit = count(amount.sum(), "breakpoint"), "breakpoints"
    total, top = amount.sum(), int(np.argmax(amount))
    text = ("A wall is where one unit switches on or off. Where walls are dense the network can "
            f"change quickly; where there are none it is smooth. In {spelled(subject.window)}.")
    title = (f"{said}, {amount[top] / total:.0%} of them of layer {top + 1}" if total
             else "No walls in the window")
    return Section("walls", title, text, {"total": total, "by_layer": amount},
                   [Panel("Walls by layer", lambda ax: bars(ax, {unit: amount}, unit))])


# ------------------------------------------------------------------- the network


def units_section(subject: Subject) -> Section:
    """The units that switch, and those that never do."""
    q = pattern(subject.net, subject.fed(subject.samples()[1]))
    never, always = ([int(part.sum()) for part in split_layers(subject.net, bits[None])]
                     for bits in (~q.any(axis=0), q.all(axis=0)))
    widths = [len(b) for b in subject.net.biases[:-1]]
    switch = np.array(widths, int) - never - always
    text = (f"At {count(len(q), 'sample')} of the window. A unit that is never on adds nothing and "
            "is not trained there; one that is always on bends nothing.")
    title = (f"Of {count(sum(widths), 'hidden unit')} {sum(never)} never switch on in the window, "
             f"and {sum(always)} never off")
    parts = {"never on": np.array(never), "always on": np.array(always), "switching": switch}
    numbers = {"never_on": never, "always_on": always, "switching": switch}
    return Section("units", title, text, numbers,
                   [Panel("Units by layer", lambda ax: bars(ax, parts, "units"))])


def norms_section(subject: Subject, regions: Any) -> Section:
    """The bound on slopes, and the steepest slope."""
    norms, bound = spectral_norms(subject.net), lipschitz_bound(subject.net)
    steepest, where = steepest_slope(subject, regions)
    behind = "" if subject.encoding is None else " behind the encoding"
    times = many(bound / steepest) if steepest else "infinitely many"
    text = ("The spectral norm of a layer is the most by which it can lengthen a vector. Their "
            f"product bounds every slope{behind}, and is {times} times the steepest {where}.")
    title = f"Norms allow slopes up to {bound:.3g}; the steepest found is {steepest:.3g}"
    return Section("norms", title, text, {"spectral": norms, "bound": bound,
                                                 "steepest": steepest},
                   [Panel("Spectral norms", lambda ax: bars(ax, {"norm": norms}, "spectral norm"))])


def steepest_slope(subject: Subject, regions: Any) -> tuple[float, str]:
    """The largest norm of the derivative in the network's own inputs, and the set searched."""
    if isinstance(regions, (Regions, Pieces)) and subject.encoding is None:
        slope = regions.slope if isinstance(regions, Regions) else (
            regions.slope[:, :, None] / np.ptp(subject.window))
        return float(np.linalg.norm(slope, 2, axis=(1, 2)).max()), "of any region"
    points = subject.samples()[1]
    q = pattern(subject.net, subject.fed(points[:: max(1, len(points) // SLOPES)]))
    slopes = (np.linalg.norm(affine_map(subject.net, part)[0], 2, axis=(1, 2)).max()
              for part in np.array_split(q, 16) if len(part))
    return float(max(slopes)), "at the samples of the window"


def distance_section(subject: Subject) -> Section:
    """Distances to the nearest wall."""
    shape, points = subject.samples()
    distance = distance_to_wall(subject.net, subject.fed(points))
    finite = distance[np.isfinite(distance)]
    middle = float(np.median(distance))
    space = "" if subject.encoding is None else " (in the space of the encoded inputs)"
    text = (f"How far one can go from a sample before any unit switches{space}. It is small where "
            "the network has more detail.")

    def map_of(ax: Axes) -> None:
        values = np.log10(np.maximum(np.where(np.isfinite(distance), distance, np.nan), 1e-12))
        shown = over_window(ax, subject, values.reshape(shape), "viridis")
        if shown is not None:
            ax.figure.colorbar(shown, ax=ax, label="log10 of the distance")
        else:
            ax.set_ylabel("log10 of the distance")

    panels = [Panel("Distance to the nearest wall", map_of)] if len(finite) else []
    title = (f"Half the samples are within {middle:.2g} of a wall" if np.isfinite(middle) else
             "Most samples see no wall")
    return Section("distance", title, text,
                   {"median": middle, "smallest": finite.min(initial=np.inf),
                    "without_walls": len(distance) - len(finite)}, panels)


def spectrum_section(subject: Subject, regions: Any) -> Section:
    """The spectrum of the function."""
    exact = isinstance(regions, (Regions, Pieces))
    energy = exact_energy(subject, regions) if exact else sampled_energy(subject)
    cycles = np.arange(1, len(energy))
    shown = energy[1:] > 1e-24 * energy.sum()
    if shown.sum() < 2:
        return Section("spectrum", "The function has one frequency at most", "It is constant, or "
                       "nearly so.", {"energy": energy}, [])
    fall = -np.polyfit(np.log(cycles[shown]), np.log(energy[1:][shown]), 1)[0]
    how = "exactly, from its pieces" if exact else "from samples"
    text = ("The function as a sum of waves: the energy of an average wave of each frequency, "
            f"{how}, in cycles per window. Steeper means smoother; here energy falls like the "
            f"frequency to the power {-fall:.1f}. (A jump, such as from one side of the window to "
            f"the other, gives -2 along it.) The window is {spelled(subject.window)}.")

    def falls(ax: Axes) -> None:
        ax.loglog(cycles[shown], energy[1:][shown], marker=".", color=ONE)
        ax.set(xlabel="cycles per window", ylabel="energy per wave")

    return Section("spectrum",
                   f"Each doubling of the frequency has {many(2**fall)} times less energy", text,
                   {"energy": energy, "exact": exact, "fall": fall},
                   [Panel("The spectrum of the function", falls)])


def exact_energy(subject: Subject, regions: Regions | Pieces) -> np.ndarray:
    """(bands,): mean energy per Fourier coefficient of the window, by radius, from the pieces."""
    if isinstance(regions, Pieces):
        k = np.arange(GRID[1] // 8)
        return (np.abs(segment_transform(regions, 2 * np.pi * k)) ** 2).sum(axis=1)
    sides = np.ptp(subject.window, axis=1)
    k = np.stack(np.meshgrid(np.arange(-CYCLES, CYCLES + 1), np.arange(CYCLES + 1)), axis=-1)
    k = k.reshape(-1, 2)
    other = (k[:, 1] == 0) & (k[:, 0] < 0)  # F(-k) is conj F(k): one of each pair will do
    k = k[~other & (np.hypot(*k.T) < CYCLES + 0.5)]
    F = window_transform(regions, 2 * np.pi * k / sides) / sides.prod()
    return band_energy(F, k) / band_energy(np.ones((len(k), 1)), k)


def sampled_energy(subject: Subject) -> np.ndarray:
    """exact_energy from samples of the window, up to a third of the highest sampled frequency."""
    shape, points = subject.samples()
    values = predict(subject.net, subject.fed(points)).reshape(*shape, -1)
    F = scipy.fft.fftn(values, axes=range(len(shape))) / len(points)
    return band_means((np.abs(F) ** 2).sum(axis=-1))[: min(shape) // 3]


# --------------------------------------------------------------- with the target


def picture_section(subject: Subject) -> Section:
    """The outputs beside their target."""
    if subject.target is None:
        shape, points = subject.samples()
        f = predict(subject.net, subject.fed(points))
        low, high = float(f.min()), float(f.max())
        return Section("function", f"Its values go from {low:.3g} to {high:.3g}",
                       f"The outputs at {count(len(f), 'sample')} of the window.",
                       {"low": low, "high": high},
                       [Panel("The function", lambda ax: show(ax, subject, f, shape))])
    shape, y = subject.shape, subject.target
    f = predict(subject.net, subject.fed(grid(shape, "half-open")))
    error = float(((f - y) ** 2).mean())
    decibels = 10 * np.log10(np.ptp(y) ** 2 / error) if error else np.inf
    text = (f"At {' x '.join(map(str, shape))} samples of [0, 1]. The mean squared error is "
            f"{error:.3g}, that of the constant that fits best {y.var(axis=0).mean():.3g}."
            + " Above 30 dB the eye sees few differences; below 20 dB much is missing."
            * (len(shape) == 2))
    panels = [Panel("The output of the network", lambda ax: show(ax, subject, f, shape, True)),
              Panel("The target", lambda ax: show(ax, subject, y, shape, True)),
              Panel("The difference", lambda ax: show_error(ax, f - y, shape))]
    return Section("function", f"It shows its target with {decibels:.1f} dB", text,
                   {"mean_squared_error": error, "decibels": decibels, "samples": shape},
                   panels)


def kernel_section(subject: Subject) -> Section:
    """The eigenvalues of the tangent kernel."""
    shape, y, x = thinned(subject, KERNEL)
    trace = forward(subject.net, subject.fed(x))
    moments = kernel_moments(subject.net, trace)
    k = min(20, y.size)
    values = kernel_spectrum(subject.net, trace, k).values
    share = values[0] / (moments.mean * y.size)
    text = (f"The tangent kernel says how a step of descent at one sample moves the outputs at "
            f"the others, here at {' x '.join(map(str, shape))} samples. A direction with a large "
            f"eigenvalue is learned fast. The {k}th is {many(values[0] / values[-1])} times slower "
            "than the first." if values[-1] > 0 else "Fewer directions than shown are learned.")

    def eigenvalues(ax: Axes) -> None:
        ax.semilogy(np.arange(1, k + 1), np.maximum(values, 1e-16 * values[0]), marker=".",
                    color=ONE)
        ax.axhline(moments.mean, color="0.4", linestyle=":", label="mean of all")
        ax.legend(frameon=False, fontsize="small")
        ax.set(xlabel="number", ylabel="eigenvalue of the kernel")

    return Section("kernel", f"{share:.0%} of the kernel is one direction", text,
                   {"largest": values, "mean": moments.mean, "variance": moments.variance,
                    "share_of_first": share}, [Panel("The largest eigenvalues", eigenvalues)])


def confusion_section(subject: Subject) -> Section:
    """Gradient confusion of near and far pairs."""
    shape, y, rng = subject.shape, subject.target, np.random.default_rng(0)
    x, n = subject.fed(grid(shape, "half-open")), min(shape)
    side = max(3, n // 20)
    both = {"near": local_pairs(shape, rng, patches=PAIRS // 20, side=side, pairs=20),
            "far": global_pairs(shape, rng, pairs=PAIRS, gap=n // 5)}
    cosine = {name: confusion_of_pairs(subject.net, x, y, *pairs) for name, pairs in both.items()}
    differ = {name: float(hamming_of_pairs(subject.net, x, pairs).sum(axis=1).mean())
              for name, pairs in both.items()}
    size = {name: float(np.abs(values[np.isfinite(values)]).sum() / len(values))
            for name, values in cosine.items()}
    text = (f"Gradient confusion is the cosine between the gradients of two samples: near 1 or -1 "
            "one cannot be trained without the other, near 0 they are independent. Near pairs "
            f"(within {side} samples) differ in {differ['near']:.1f} units of their patterns, far "
            f"ones in {differ['far']:.1f}.")

    def densities(ax: Axes) -> None:
        for (name, values), colour in zip(cosine.items(), (ONE, OTHER), strict=True):
            ax.hist(values, bins=np.linspace(-1, 1, 41), histtype="step", density=True, label=name,
                    color=colour)
        ax.legend(frameon=False, fontsize="small")
        ax.set(xlabel="cosine of two gradients", ylabel="density", yscale="log")

    title = (f"Near samples share their gradients (|cosine| {size['near']:.2f}), far ones "
             f"{'less' if size['far'] < size['near'] else 'as much'} ({size['far']:.2f})")
    return Section("confusion", title, text, {"mean_size": size, "hamming": differ},
                   [Panel("Gradient confusion of pairs", densities)])


def rates_section(subject: Subject) -> Section:
    """The rate at which each frequency is learned."""
    shape, _, x = thinned(subject, KERNEL)
    trace = forward(subject.net, subject.fed(x))
    rates = intrinsic_rates(subject.net, trace, shape)[1 : min(shape) // 2 + 1]
    q = np.concatenate(trace.pattern, axis=1) if trace.pattern else np.zeros((len(x), 0), bool)
    walls = pattern_spectrum(q, shape)[1 : len(rates) + 1]
    least = max(rates.min(), ROUNDING * rates.max())
    times, cycles = rates.max() / least if least > 0 else np.inf, np.arange(1, len(rates) + 1)
    text = ("The rate at which descent would remove each frequency of the error, next to the "
            "fastest, from the tangent kernel; and the spectrum of the activation pattern, which "
            f"untrained networks follow. The fastest has {int(np.argmax(rates)) + 1} and the "
            f"slowest {int(np.argmin(rates)) + 1} cycles.")

    def curves(ax: Axes) -> None:
        for values, look, colour, name in ((rates, ".-", ONE, "rates"),
                                           (walls, "--", OTHER, "spectrum of the pattern")):
            if values.max() > 0:
                ax.loglog(cycles, values / values.max(), look, color=colour, label=name)
        ax.legend(frameon=False, fontsize="small")
        ax.set(xlabel="cycles per signal", ylabel="next to the fastest")

    title = (f"Its slowest frequency is learned {many(times)} times more slowly than its fastest"
             if np.isfinite(times) else "No frequency but the mean is learned")
    return Section("rates", title, text, {"rates": rates, "pattern": walls, "times": times},
                   [Panel("Rates by frequency", curves)] if rates.any() else [])


def thinned(subject: Subject,
            most: dict[int, int]) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """Shape, targets and points of a coarser grid, with at most the given samples per axis."""
    side = min(most[len(subject.shape)], *subject.shape)
    shape = (side,) * len(subject.shape)
    y = area_average(subject.target.reshape(*subject.shape, -1), shape)
    return shape, y.reshape(side ** len(shape), -1), grid(shape, "half-open")


# ------------------------------------------------------------------------ drawing


def bars(ax: Axes, parts: dict[str, np.ndarray], ylabel: str) -> None:
    """Stacked bars, one per layer."""
    below = 0.0
    for k, (name, values) in enumerate(parts.items()):
        place = np.arange(1, len(values) + 1)
        ax.bar(place, values, bottom=below, color=style.shade(k, len(parts)), label=name, width=0.7)
        below = below + values
        ax.set_xticks(place)
    if len(parts) > 1:
        ax.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(0, 1.18),
                  ncols=len(parts), columnspacing=1)
    ax.set(xlabel="layer", ylabel=ylabel)


def over_window(ax: Axes, subject: Subject, values: np.ndarray, cmap: str) -> Any:
    """A map over the window, or a curve if it has one dimension."""
    (low, high), *other = subject.window
    if not other:
        ax.plot(subject.samples()[1][:, 0], values, color=ONE, linewidth=1)
        ax.set(xlabel="coordinate", xlim=(low, high))
        return None
    top, bottom = other[0]
    shown = ax.imshow(values, cmap=cmap, extent=(low, high, bottom, top))
    ax.set(xlabel="first coordinate", ylabel="second coordinate")
    return shown


def show(ax: Axes, subject: Subject, f: np.ndarray, shape: tuple[int, ...],
         whole: bool = False) -> None:
    """Outputs as colours if there are three, else the first; over [0, 1] or over the window."""
    if len(shape) == 1:
        x = grid(shape, "half-open")[:, 0] if whole else subject.samples()[1][:, 0]
        ax.plot(x, f, linewidth=1, color=ONE)
        ax.set(xlabel="coordinate", ylabel="output")
    elif whole:
        ax.imshow(colours(f, shape), cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    elif f.shape[1] == 3:
        over_window(ax, subject, colours(f, shape), "viridis")
    else:
        shown = over_window(ax, subject, f[:, 0].reshape(shape), "viridis")
        ax.figure.colorbar(shown, ax=ax, label="first output")


def colours(f: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    image = f.reshape(*shape, -1)
    return np.clip(image, 0, 1) if image.shape[-1] == 3 else image[..., 0]


def show_error(ax: Axes, error: np.ndarray, shape: tuple[int, ...]) -> None:
    """The root mean square over outputs, at every sample."""
    size = np.sqrt((error**2).mean(axis=1))
    if len(shape) == 1:
        ax.plot(grid(shape, "half-open")[:, 0], error, linewidth=1, color=OTHER)
        ax.set(xlabel="coordinate", ylabel="output - target")
        return
    shown = ax.imshow(size.reshape(shape), cmap="magma", vmin=0)
    ax.figure.colorbar(shown, ax=ax)
    ax.set(xticks=[], yticks=[])


# ---------------------------------------------------------------------------- text


def spelled(window: np.ndarray) -> str:
    return " x ".join(f"[{low:.4g}, {high:.4g}]" for low, high in window)
