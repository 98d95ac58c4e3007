"""E9. What do activation regions look like, exactly and sampled at the pixels?

    python -m scripts.reproduce e9_region_maps

Above: the exact regions of a network on coordinates [0,1] before training, after one
epoch and at the end, filled with the colour the network gives them (before training:
with a colour per pattern).  Below: the patterns sampled at the pixels, one random colour
each, for coordinates and encodings after one epoch, as in the paper's maps.  Under an
encoding walls are curves and the map in the plane can only be sampled, but along a line it
is exact: the pieces along the middle row, from (0, 1/2) to (1, 1/2), are counted exactly (at
paper scale along one of its 512 pixels, in which L=16 has thousands).
"""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from relu_dynamics import (
    MLP, EncodedPieces, draw as draw_regions, flatten, pattern, predict, regions_in_window,
    regions_on_encoded_segment, unflatten, unique_patterns,
)
from scripts.lab import (
    Claim, Link, chain, coordinates, each, encoding, encodings, image_inputs, in_order, means,
    named, natural_image, natural_runs, ordered, read, style,
)

TITLE = "Maps of activation regions"
SOURCE = "the paper's act_regions_image.py, plot_patterns"
PAPER_EPOCHS = 1000
SHOWS = ("Above, every region of a network on coordinates, exactly, before, early in and after "
         "training. Below, patterns sampled "
         "at the pixels after one epoch, a colour each, and the exact number of regions along the "
         "white line.")
STAGES = ("before training", "after one epoch", "at the end")


def shown(settings):
    """The narrowest coordinates, the lowest and the highest encoding."""
    names = image_inputs(settings)
    many = encodings(names)
    return in_order([(coordinates(names) or ["[0,1]"])[0], *many[:1], *many[-1:]])


def runs(settings):
    return natural_runs(settings, shown(settings)).values()


def measure(settings, folder):
    """along (inputs, 2, seeds): pieces along the middle row after one epoch and at the end,
    exactly; share (inputs, 2, seeds): patterns per pixel, likewise; pieces (2, seeds): 4-connected
    pieces per pattern for coordinates, likewise; maps (inputs, height, width): the first seed's
    patterns after one epoch, numbered; parameters (stages, p) and widths of the first seed's
    network on coordinates."""
    names, share, maps, along = shown(settings), [], [], []
    wanted = natural_runs(settings, names)
    for name in names:
        trained = [read(wanted[name, seed], folder) for seed in settings.seeds]
        stages = (trained[0].epochs.tolist().index(1), -1)
        numbered = [[unique_patterns(pattern(one.nets[c], one.x))[1].reshape(one.shape)
                     for one in trained] for c in stages]
        along.append([[pieces_along(one, one.nets[c], line(settings)) for one in trained]
                      for c in stages])
        share.append([[(ids.max() + 1) / ids.size for ids in stage] for stage in numbered])
        maps.append(numbered[0][0])
        if name == names[0]:
            pieces = [[connected_pieces(ids) / (ids.max() + 1) for ids in stage]
                      for stage in numbered]
            nets = [trained[0].nets[c] for c in (0, *stages)]
    return {"inputs": np.array(names), "image": natural_image(settings)[0],
            "epochs": trained[0].epochs, "line": np.array(line(settings)),
            "along": np.array(along), "share": np.array(share), "pieces": np.array(pieces),
            "maps": np.array(maps),
            "parameters": np.array([flatten(net) for net in nets]),
            "widths": np.array([W.shape[1] for W in nets[0].weights] + [len(nets[0].biases[-1])])}


def line(settings):
    """Where along the middle row regions are counted."""
    return (0.5, 0.5 + 1 / 512) if settings.scale == "paper" else (0.0, 1.0)


def pieces_along(trained, net, ends):
    """The number of activation regions that this part of the middle row of the image passes
    through, exactly."""
    pieces = regions_on_encoded_segment(net, encoding(trained.run.input), [ends[0], 0.5],
                                        [ends[1], 0.5])
    if isinstance(pieces, EncodedPieces) and len(pieces.uncertified):
        raise ArithmeticError(f"{len(pieces.uncertified)} zeros along the middle row could not be "
                              f"certified")
    return len(pieces.pattern)


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
    share, along = (named(names, data[key]) for key in ("share", "along"))
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
        ordered("E9d", "regions along (the middle of) the middle row, exactly: {}, after one "
                       "epoch and at the end", chain(*reversed(names)),
                along, form="{:.0f}", kind="question"),
    ]
    if encodings(names):
        result.append(Claim("E9b",
                            f"patterns per pixel: {high} above 0.99 after one epoch and at the end",
                            means({high: share[high]}),
                            each("patterns per pixel > 0.99", {high: share[high] - 0.99})))
    return [claim._replace(image=image) for claim in result]


def draw(data):
    figure, axes = style.panels(2, 3, width=3.6, height=3.8)
    low = data["inputs"].tolist()[0]
    feed = encoding(low)
    m = data["widths"].tolist()
    like = MLP(tuple(np.zeros((b, a)) for a, b in zip(m[:-1], m[1:], strict=True)),
               tuple(np.zeros(b) for b in m[1:]))
    for ax, vector, stage in zip(axes[0], data["parameters"], STAGES, strict=True):
        net = unflatten(vector, like)
        regions = regions_in_window(net, ((feed.low, feed.high),) * 2)
        centres = np.add.reduceat(regions.vertices[regions.face_vertex], regions.face_start[:-1],
                                  axis=0)
        centres /= np.diff(regions.face_start)[:, None]
        colour = "pattern" if stage == STAGES[0] else np.clip(predict(net, centres), 0, 1)
        draw_regions(ax, regions, colour, linewidth=0.12)
        ax.invert_yaxis()
        ends = [feed.low, feed.high]
        ax.set(xticks=ends, yticks=ends)
        ax.set_title(f"{style.label(low)} {stage}:\n{len(regions)} regions, exactly", loc="left",
                     fontsize="small")
    for ax, name, ids, along in zip(axes[1], data["inputs"].tolist(), data["maps"], data["along"],
                                    strict=False):
        colours = np.random.default_rng(0).uniform(0.1, 0.95, (ids.max() + 1, 3))
        ax.imshow(colours[ids], extent=(0, 1, 1, 0), interpolation="nearest")
        for colour, width in (("black", 3.5), ("white", 1.5)):
            ax.plot(data["line"], [0.5, 0.5], color=colour, linewidth=width)
        ax.set_title(f"{style.label(name)} after one epoch:\n{ids.max() + 1} patterns at "
                     f"{ids.size} pixels,\n"
                     f"{along[0, 0]} regions along the white line, exactly", loc="left",
                     fontsize="small")
        ax.set(xticks=[0, 1], yticks=[0, 1])
    for ax in axes.flat:
        ax.set_xlabel("x", labelpad=-8)
        ax.set_ylabel("y", labelpad=-6)
    return figure
