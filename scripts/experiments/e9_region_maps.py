"""E9. What do activation regions look like, exactly and sampled at the pixels?

    python -m scripts.reproduce e9_region_maps

The exact regions of a network on coordinates [0,1] after one epoch and at the end, filled
with the colour the network gives them; the patterns sampled at the pixels, one random colour
each, for coordinates and the highest encoding after one epoch, as in the paper's maps; and
the exact regions of the same networks in the little square marked there, 2x2 pixels, under
the encoding too.  How many regions a pixel holds, and how training changes it, is counted in
X5.
"""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from relu_dynamics import (
    draw as draw_regions, flatten, pattern, predict, regions_in_encoded_window, regions_in_window,
    unique_patterns,
)
from scripts.lab import (
    Claim, Link, coordinates, each, encoding, encodings, image_inputs, in_order, means, named,
    natural_image, natural_runs, network, read, style, widths,
)

TITLE = "Maps of activation regions"
SOURCE = "the paper's act_regions_image.py, plot_patterns"
PAPER_EPOCHS = 1000
SHOWS = ("Above, every region of a network on coordinates, exactly, filled with the colour it "
         "gives them, after one epoch and at the end, and the patterns of it sampled at the "
         "pixels, a colour each. Below, every region of a square of 2x2 pixels for coordinates "
         "and for the highest encoding, and that encoding's patterns at the pixels.")
STAGES = ("before training", "after one epoch", "at the end")
PIXELS = 2  # along a side of the square shown exactly


def shown(settings):
    """The narrowest coordinates, the lowest and the highest encoding."""
    names = image_inputs(settings)
    many = encodings(names)
    return in_order([(coordinates(names) or ["[0,1]"])[0], *many[:1], *many[-1:]])


def runs(settings):
    return natural_runs(settings, shown(settings)).values()


def measure(settings, folder):
    """share (inputs, 2, seeds): patterns per pixel after one epoch and at the end; pieces (2,
    seeds): 4-connected pieces per pattern for coordinates, likewise; maps (inputs, height, width):
    the first seed's patterns after one epoch, numbered; the first seed's networks of the pictures,
    parameters and widths: on coordinates at every stage, and on every input after one epoch."""
    names, share, maps, nets = shown(settings), [], [], {}
    wanted = natural_runs(settings, names)
    for name in names:
        trained = [read(wanted[name, seed], folder) for seed in settings.seeds]
        stages = (trained[0].epochs.tolist().index(1), -1)
        numbered = [[unique_patterns(pattern(one.nets[c], one.x))[1].reshape(one.shape)
                     for one in trained] for c in stages]
        share.append([[(ids.max() + 1) / ids.size for ids in stage] for stage in numbered])
        maps.append(numbered[0][0])
        nets[name] = trained[0].nets[stages[0]]
        if name == names[0]:
            pieces = [[connected_pieces(ids) / (ids.max() + 1) for ids in stage]
                      for stage in numbered]
            nets |= {stage: trained[0].nets[c]
                     for stage, c in zip(STAGES, (0, *stages), strict=True)}
    return {"inputs": np.array(names), "image": natural_image(settings)[0],
            "epochs": trained[0].epochs, "share": np.array(share), "pieces": np.array(pieces),
            "maps": np.array(maps),
            **{f"parameters {key}": flatten(net) for key, net in nets.items()},
            **{f"widths {key}": widths(net) for key, net in nets.items()}}


def connected_pieces(ids):
    """How many 4-connected pieces of equal number a map has."""
    at = np.arange(ids.size).reshape(ids.shape)
    sides = ((at[1:], at[:-1], ids[1:] == ids[:-1]),
             (at[:, 1:], at[:, :-1], ids[:, 1:] == ids[:, :-1]))
    links = [np.stack([a[same], b[same]]) for a, b, same in sides]
    i, j = np.concatenate(links, axis=1)
    return connected_components(coo_matrix((np.ones(len(i)), (i, j)), (ids.size,) * 2))[0]


def claims(data):
    names = data["inputs"].tolist()
    share = named(names, data["share"])
    low, high, image = names[0], names[-1], str(data["image"])
    result = [
        Claim("E9a", f"patterns per pixel: {low} below 0.2 after one epoch",
              means({low: share[low][0]}),
              [Link(f"0.2 > patterns per pixel, {low}", 0.2 - share[low][0])],
              needs="64x64 pixels are too coarse: walls lie closer than pixels, of which paper "
                    "scale has 512x512"),
        Claim("E9c", f"{low}: patterns lie in connected patches of pixels (fewer than 1.5 pieces "
                     f"each)", means({low: data["pieces"]}),
              each("1.5 > pieces per pattern", {low: 1.5 - data["pieces"]})),
    ]
    if encodings(names):
        result.append(Claim("E9b",
                            f"patterns per pixel: {high} above 0.99 after one epoch and at the end",
                            means({high: share[high]}),
                            each("patterns per pixel > 0.99", {high: share[high] - 0.99})))
    return [claim._replace(image=image) for claim in result]


def draw(data):
    """Above: coordinates exactly, early and late, and sampled; below: the square exactly, for the
    first and the last input, and the last sampled."""
    figure, axes = style.panels(2, 3, height=2.75)
    names, size = data["inputs"].tolist(), len(data["maps"][0])
    first, last = names[0], names[-1]

    def net(key):
        return network(data[f"parameters {key}"], data[f"widths {key}"])

    def say(ax, count, what, where):
        style.title(ax, f"{what}:\n{count} {where}")
        return count

    for ax in axes.flat:
        ax.spines[:].set_visible(False)
    for ax, stage in zip(axes[0], STAGES[1:], strict=False):
        whole = say(ax, draw_whole(ax, net(stage), encoding(first)), f"{first} {stage}",
                    "regions")
    for ax, name, ids in ((axes[0, 2], first, data["maps"][0]),
                          (axes[1, 2], last, data["maps"][-1])):
        say(ax, draw_map(ax, ids), f"{name}, one epoch", f"patterns at {ids.size} pixels")
    inside = [say(ax, draw_square(ax, net(name), encoding(name), size), f"{name}, one epoch",
                  f"regions in {PIXELS}x{PIXELS} pixels")
              for ax, name in zip(axes[1], (first, last), strict=False)]
    figure.supxlabel("first seed; black and white square: the pixels shown exactly; white dots: "
                     "samples", fontsize="small")
    style.heading(figure, f"{data['image']}: {first} has {whole} regions in the whole image "
                  f"{STAGES[2]}; after one epoch {PIXELS}x{PIXELS} pixels hold {inside[0]} with "
                  f"{first}" + (f", {inside[1]} with {last}" if first != last else ""))
    return figure


def draw_whole(ax, net, feed):
    """All regions for coordinates; returns how many."""
    regions = regions_in_window(net, ((feed.low, feed.high),) * 2)
    centres = np.add.reduceat(regions.vertices[regions.face_vertex], regions.face_start[:-1],
                              axis=0)
    centres /= np.diff(regions.face_start)[:, None]
    draw_regions(ax, regions, np.clip(predict(net, centres), 0, 1), linewidth=0.12, downwards=True)
    for artist in ax.collections:
        artist.set_rasterized(True)
    ax.set(xticks=[], yticks=[])
    return len(regions)


def draw_map(ax, ids):
    """A colour for every pattern at the pixels, and the square that is shown exactly; returns how
    many patterns."""
    colours = np.random.default_rng(0).uniform(0.1, 0.95, (ids.max() + 1, 3))
    ax.imshow(colours[ids], extent=(0, 1, 1, 0), interpolation="nearest")
    (x0, x1), (y0, y1) = square(len(ids), 0)
    for colour, width in (("black", 4), ("white", 2)):
        ax.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color=colour, linewidth=width)
    ax.set(xticks=[], yticks=[])
    return ids.max() + 1


def draw_square(ax, net, feed, size):
    """The regions of the middle pixels; returns how many."""
    window = square(size, 0.5)
    regions = regions_in_encoded_window(net, feed, window)
    draw_regions(ax, regions, linewidth=0.3, downwards=True)
    for artist in ax.collections:
        artist.set_rasterized(True)
    at = np.arange(size // 2 - PIXELS // 2, size // 2 + PIXELS // 2) / size
    ax.plot(*map(np.ravel, np.meshgrid(at, at)), "o", color="white", markeredgecolor="black",
            markersize=6)
    ax.set(xticks=[], yticks=[])
    return len(regions)


def square(size, back):
    """The middle pixels, in unit coordinates, moved back by so many pixels: a sample then is in the
    middle of its pixel, while in a map it is drawn at the corner."""
    first = (size // 2 - PIXELS // 2 - back) / size
    return ((first, first + PIXELS / size),) * 2
