"""X5. How many activation regions does a pixel hold, and how many of them do the pixels see?

    python -m scripts.reproduce x5_regions_per_pixel

Regions in the plane are counted for coordinates and under encodings, before training, after one
epoch and at the end. Coordinates: in the whole image. Encodings, whose image holds up to tens of
millions: in 16 windows of it (4 with --quick), all at once, one drawn from each of as many squares,
a 32nd of the image wide for L=1 and at most an eighth of the shortest wave for all (at 64x64 two
pixels for L=1, half a pixel for L=6). Of two neighbouring windows only one counts a region that
they share, so that the mean over windows estimates the number in the image without bias (a region
with a hole counts as none); its standard error, at most that by the spread over windows, is drawn.

Beside it stand the number of different patterns at the pixels, which cannot exceed one per pixel
(E4), and the length of all walls, in sides of a pixel per pixel: from the edges of the regions and,
as a check that shares no code with them, by Crofton's formula from walls along random lines (T44).

Independent straight lines in all directions, of length l per pixel, cross at l^2 / pi places a
pixel and leave as many regions (Poisson's lines).  That walls do the same was suggested by the
first seed on the photograph, which is among the seeds that X5d is judged by; the other claims were
made before looking.
"""

import numpy as np

from relu_dynamics import (
    Coordinates, draw as draw_regions, flatten, regions_in_encoded_window, sampled_regions,
    wall_length,
)
from scripts.lab import (
    Claim, Link, chain, contrast, coordinates, each, encoding, encodings, every, image_inputs,
    image_runs, image_setup, in_order, means, named, natural_image, network, ordered, read, rise,
    stream, style, widths,
)
from scripts.lab.headings import ranking

TITLE = "Regions per pixel, in the plane"
SOURCE = "exact counterpart of the paper's act_regions_image.py, encodings included"
KIND = "question"
SHOWS = ("Above, every region of one pixel of the trained photograph, exactly, for one seed, "
         "for coordinates and encodings; the white dot is the sample, at which a count of "
         "patterns looks. Below, regions per pixel through training and at the end on every "
         "image, and wall length per pixel.")
WINDOWS = {"quick": 2, "laptop": 4, "paper": 4}  # along each axis
LINES = {"quick": 8, "laptop": 32, "paper": 32}  # in all windows together
RESOLUTION = {"quick": 32, "laptop": None, "paper": None}  # None: as fine as it takes
WHOLE = {"quick": 1.0, "laptop": 1.0, "paper": 1 / 8}  # side of windows for coordinates
MAX_REGIONS = 2**21
QUANTITIES = ("regions", "error", "patterns", "length", "crofton")


def wanted(settings):
    """The runs on the natural image that stands for all, and on the random image."""
    kept = (natural_image(settings)[0], "random image")
    return {key: run for key, run in image_runs(settings).items() if key[0] in kept}


def runs(settings):
    return wanted(settings).values()


def few(epochs):
    """Which of the checkpoints are measured: before training, after one epoch, at the end."""
    return [k for k, epoch in enumerate(epochs) if epoch in (0, 1, epochs[-1])]


def windows(name, scale, rng):
    """Corners (w, 2) of windows of the unit square, and their side.

    The square is cut into squares, and a tile drawn from each.
    """
    feed = encoding(name)
    L = 0 if isinstance(feed, Coordinates) else int(name[2:])
    side = 2.0 ** -max(4 + (L + 1) // 2, L + 1) if L else WHOLE[scale]
    tiles = round(1 / side)
    squares = min(WINDOWS[scale], tiles)
    square = np.stack(np.divmod(np.arange(squares**2), squares), axis=1)
    return square / squares + side * rng.integers(0, tiles // squares, square.shape), side


def boxes(corners, side):
    """Windows (w, 2, 2) of that side, low and high along each axis."""
    return np.stack([corners, corners + side], axis=2)


def own_regions(regions, corners, side):
    """How many regions of each window are its own: not those that go on beyond its lower side in x
    or y.

    A side with k ends of walls joins k + 1 regions to those beyond, and a corner has been joined
    twice; sides of the unit square join nothing.
    """
    mesh, window, first = regions.triangulation, np.empty(len(regions), int), corners.min(axis=0)
    place = np.rint((corners - first) / side).astype(int)  # windows are tiles of one tiling
    number = np.empty(place.max(axis=0) + 1, int)
    number[tuple(place.T)] = np.arange(len(corners))
    tile = np.floor((mesh.points[mesh.triangles].mean(axis=1) - first) / side).astype(int)
    window[regions.region] = number[tuple(tile.T)][regions.triangle]  # no region is part of two
    wall = np.flatnonzero(regions.edge_owner >= 0)
    vertex, first = np.unique(regions.edges[wall], return_index=True)
    k = window[regions.edge_regions[wall[first // 2], 0]]
    on, inner = regions.vertices[vertex] == corners[k], corners > 0
    joined = sum((1 + np.bincount(k[on[:, axis]], minlength=len(corners))) * inner[:, axis]
                 for axis in range(2))
    return np.bincount(window, minlength=len(corners)) - joined + inner.all(axis=1)


def counted(trained, net, scale, rng):
    """QUANTITIES of one network, per pixel of the image; lengths in sides of a pixel.

    Lines are drawn by rng, windows by the seed alone.  The image has one region at least.
    """
    feed, size = encoding(trained.run.input), trained.run.size
    corners, side = windows(trained.run.input, scale, stream(trained.run, "pairs"))
    regions = regions_in_encoded_window(net, feed, boxes(corners, side), resolution=RESOLUTION[scale],
                                        max_regions=MAX_REGIONS)
    number = own_regions(regions, corners, side) / (side * size) ** 2
    crofton = [wall_length(net, box, rng, lines=LINES[scale] // len(corners), encoding=feed).length
               for box in boxes(corners, side)]
    error = np.std(number, ddof=1) / np.sqrt(len(number)) if len(number) > 1 else 0.0
    patterns = sampled_regions(net, trained.x) / size**2
    lengths = (regions.wall_lengths.sum() / len(corners), np.mean(crofton))
    return [max(np.mean(number), size**-2), error, patterns,
            *(length / (side**2 * size) for length in lengths)]


def measure(settings, folder):
    """Each of QUANTITIES (images, inputs, checkpoints, seeds); for the pictures the trained
    networks of the first seed, one vector of parameters for each of the inputs shown, and their
    widths."""
    table, shown = wanted(settings), seen(image_inputs(settings))
    labels, names, seeds = (list(dict.fromkeys(axis)) for axis in zip(*table, strict=True))
    rows, pictures, known = [], {}, {}  # before training both images have the same network
    for (label, name, seed), run in table.items():
        trained = read(run, folder)
        kept = few(trained.epochs)
        rng = np.random.default_rng([seed, len(rows)])  # lines of their own for every run
        rows.append([])
        for net in (trained.nets[k] for k in kept):
            key = name, seed, flatten(net).tobytes()
            if key not in known:
                known[key] = counted(trained, net, settings.scale, rng)
            rows[-1].append(known[key])
        if name in shown and seed == seeds[0] and label == natural_image(settings)[0]:
            net = trained.nets[-1]
            pictures |= {f"parameters {name}": flatten(net), f"widths {name}": widths(net)}
    values = np.array(rows).reshape(len(labels), len(names), len(seeds), len(kept), len(QUANTITIES))
    values = np.moveaxis(values.swapaxes(2, 3), -1, 0)
    return {"images": np.array(labels), "inputs": np.array(names), "epochs": trained.epochs[kept],
            "size": image_setup(settings).size, "shown": np.array(shown),
            **dict(zip(QUANTITIES, values, strict=True)), **pictures}


def seen(names):
    """The inputs in the picture: the narrowest coordinates and the first three encodings."""
    return in_order([*coordinates(names)[:1], *encodings(names)[:3]])


def claims(data):
    names, epochs, result = data["inputs"].tolist(), data["epochs"], []
    narrow, many, everywhere = coordinates(names), encodings(names), every(epochs)
    for i, image in enumerate(data["images"].tolist()):
        count, patterns, length, crofton = (
            named(names, data[key][i]) for key in ("regions", "patterns", "length", "crofton"))
        missed = {name: np.log10(count[name] / patterns[name]) for name in names}
        start = {name: count[name][epochs <= 1] for name in narrow}
        straight = {name: count[name] / (length[name] ** 2 / np.pi + float(data["size"]) ** -2)
                    for name in names}
        off = {name: contrast(crofton[name], length[name]) for name in names}
        result.append(ordered("X5a", f"regions per pixel {{}} {everywhere}",
                              chain(*reversed(names)), count,
                              log=True, image=image))
        if many:
            result.append(Claim(
                "X5b", f"patterns at pixels miss more than 9 of 10 regions of {many[-1]} "
                       f"{everywhere} (regions per pattern > 10, compared as log10)",
                means({name: 10**value for name, value in missed.items()}),
                each("log10 regions per pattern > 1", {many[-1]: missed[many[-1]] - 1}),
                image=image))
        result += [
            Claim("X5c", "for coordinates the number falls in the first epoch and then grows",
                  means(start),
                  [*each("before > after the first epoch", start, lambda n: n[0] - n[-1]),
                   *each("last > first epoch", {name: count[name] for name in narrow},
                         lambda n: rise(n[epochs >= 1]))], image=image),
            Claim("X5d", f"there are as many regions as among independent straight lines of the "
                         f"same length, l^2/pi, within a factor 1.25 {everywhere} (compared as "
                         f"log10)",
                  "regions over l^2/pi: " + means(straight),
                  each("log10 1.25 > |log10 regions over l^2/pi|",
                       {name: np.log10(1.25) - abs(np.log10(value))
                        for name, value in straight.items()}),
                  image=image),
            Claim("X5e", "wall length by Crofton's formula is that of the regions' edges within 10 "
                         "%, all "
                         "inputs and checkpoints together", "difference over sum: " + means(off),
                  [Link("0.05 > |mean of difference over sum|",
                        0.05 - abs(np.mean([value.mean(axis=0) for value in off.values()],
                                           axis=0)))],
                  image=image, kind="identity"),
        ]
    return result


def draw(data):
    """Above: the regions of one pixel; below: their number and the length of walls."""
    names, shown, size = data["inputs"].tolist(), data["shown"].tolist(), int(data["size"])
    figure, axes = style.panels(2, 3, height=2.75)
    chosen, (through, every_image, walls) = style.some(shown, 3), axes[1]
    for ax, name in zip(axes[0], chosen, strict=False):
        net = network(data[f"parameters {name}"], data[f"widths {name}"])
        count = draw_pixels(ax, net, encoding(name), size, 1)
        style.title(ax, f"{style.label(name)}:\n{count} region{'s' * (count != 1)}")
    style.trained_images((through, every_image), data, data["regions"], "regions per pixel")
    main = style.main_image(data["images"].tolist())
    for k, name in enumerate(names):
        patterns, crofton = (np.median(data[key][main, k], axis=1)
                             for key in ("patterns", "crofton"))
        through.plot(data["epochs"], patterns, "o", markersize=3.5, color=style.colour(name))
        walls.plot(data["epochs"], crofton, "x", color=style.colour(name))
    through.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    style.title(every_image, "all, at the end")
    style.over_epochs(walls, data["epochs"], named(names, data["length"][main]),
                      "length of walls (pixel sides)")
    style.title(walls, "walls per pixel")
    for ax in axes[1]:
        ax.set_yscale("log")
    for ax in (through, walls):
        ax.set_xlabel("epoch")
    style.same_range(axes[1, :2])
    style.hide_empty(axes)
    style.legend_below(figure, through, style.LINES_AND_DOTS + "\nabove: first seed, white: the "
                       "sample; round dots: patterns at the pixels; x: length by Crofton's formula")
    style.heading(figure, f"{data['images'][main]}: regions per pixel at the end: "
                  + ranking(named(names, data["regions"][main, :, -1])))
    return figure


def draw_pixels(ax, net, feed, size, pixels):
    """The regions of so many pixels a side in the middle of the image, samples in white; returns
    how many."""
    first = size // 2 - pixels // 2
    windows = boxes(np.full((1, 2), (first - 0.5) / size), pixels / size)
    regions = regions_in_encoded_window(net, feed, windows, max_regions=MAX_REGIONS)
    draw_regions(ax, regions, linewidth=0.4, downwards=True)
    for artist in ax.collections:
        artist.set_rasterized(True)
    at = np.arange(first, first + pixels) / size
    ax.plot(*map(np.ravel, np.meshgrid(at, at)), "o", color="white", markeredgecolor="black",
            markersize=7)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(True)
    return len(regions)
