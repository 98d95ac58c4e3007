"""E9. What do activation regions look like, exactly and sampled at the pixels?

    python -m scripts.e9_region_maps [--quick] [--seeds 5] [--out out]

Above: the exact regions of a network on coordinates [0,1] before training, after one
epoch and at the end, filled with the colour the network gives them (before training:
with a colour per pattern).  Below: the patterns sampled at the pixels, one random colour
each, for coordinates and encodings after one epoch, as in the paper's maps.  Under an
encoding walls are curves and the map in the plane can only be sampled, but along a line it
is exact: the pieces along the middle row, from (0, 1/2) to (1, 1/2), are counted exactly (at
paper scale along one of its 512 pixels, in which L=16 has thousands).

Writes e9_region_maps.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from relu_dynamics.mlp import MLP, flatten, predict, unflatten
from relu_dynamics.patterns import pattern, unique_patterns
from relu_dynamics.regions1d import EncodedPieces, regions_on_encoded_segment
from relu_dynamics.regions2d import draw as draw_regions, regions_in_window
from scripts import experiment, style
from scripts.ledger import Claim, Link, means, ordering
from scripts.runs import IMAGE_INPUTS, encoding, image_runs, read

TITLE = "Maps of activation regions"
SOURCE = "the paper's act_regions_image.py, plot_patterns"
SHOWS = ("Above, every region of a network on coordinates, exactly; the walls gather where the photograph has detail. "
         "Below, patterns sampled at pixels: tiles for coordinates, and single pixels under an encoding.")
COORDINATES = "[0,1]"
STAGES = ("before training", "after one epoch", "at the end")


def shown(settings):
    """Coordinates, the lowest and the highest encoding of the scale."""
    return COORDINATES, IMAGE_INPUTS[settings.scale][2], IMAGE_INPUTS[settings.scale][4]


def runs(settings):
    return [run for (image, name, _), run in image_runs(settings).items() if image == "photograph" and name in shown(settings)]


def measure(settings, folder):
    """along (inputs, 2, seeds): pieces along the middle row after one epoch and at the end, exactly; share (inputs, 2,
    seeds): patterns per pixel, likewise; pieces (2, seeds): 4-connected
    pieces per pattern for coordinates, likewise; maps (inputs, height, width): the first seed's patterns after one
    epoch, numbered; parameters (stages, p) and widths of the first seed's network on coordinates."""
    wanted, share, pieces, maps, along = image_runs(settings), [], [], [], []
    for name in shown(settings):
        trained = [read(wanted["photograph", name, seed], folder) for seed in settings.seeds]
        numbered = [[unique_patterns(pattern(one.nets[c], one.x))[1].reshape(one.shape) for one in trained]
                    for c in (trained[0].epochs.tolist().index(1), -1)]
        along.append([[pieces_along(one, one.nets[c], line(settings)) for one in trained]
                      for c in (trained[0].epochs.tolist().index(1), -1)])
        share.append([[(ids.max() + 1) / ids.size for ids in stage] for stage in numbered])
        maps.append(numbered[0][0])
        if name == COORDINATES:
            pieces = [[connected_pieces(ids) / (ids.max() + 1) for ids in stage] for stage in numbered]
            nets = [trained[0].nets[c] for c in (0, trained[0].epochs.tolist().index(1), -1)]
    return {"inputs": np.array(shown(settings)), "line": np.array(line(settings)), "along": np.array(along), "share": np.array(share), "pieces": np.array(pieces), "maps": np.array(maps),
            "parameters": np.array([flatten(net) for net in nets]),
            "widths": np.array([W.shape[1] for W in nets[0].weights] + [len(nets[0].biases[-1])])}


def line(settings):
    """Where along the middle row regions are counted."""
    return (0.5, 0.5 + 1 / 512) if settings.scale == "paper" else (0.0, 1.0)


def pieces_along(trained, net, ends):
    """The number of activation regions that this part of the middle row of the image passes through, exactly."""
    pieces = regions_on_encoded_segment(net, encoding(trained.run.input), [ends[0], 0.5], [ends[1], 0.5])
    if isinstance(pieces, EncodedPieces) and len(pieces.uncertified):
        raise ArithmeticError(f"{len(pieces.uncertified)} zeros along the middle row could not be certified")
    return len(pieces.pattern)


def connected_pieces(ids):
    """How many 4-connected pieces of equal number a map has."""
    at = np.arange(ids.size).reshape(ids.shape)
    links = [np.stack([a[same], b[same]]) for a, b, same in
             ((at[1:], at[:-1], ids[1:] == ids[:-1]), (at[:, 1:], at[:, :-1], ids[:, 1:] == ids[:, :-1]))]
    i, j = np.concatenate(links, axis=1)
    return connected_components(coo_matrix((np.ones(len(i)), (i, j)), (ids.size,) * 2))[0]


def claims(data):
    names, share = data["inputs"].tolist(), data["share"]
    high = names[-1]
    return [
        Claim("E9a", "patterns per pixel: coordinates below 0.2 after one epoch", means({COORDINATES: share[0, 0]}),
              [Link(f"0.2 > patterns per pixel, {COORDINATES}", 0.2 - share[0, 0])],
              why="64x64 pixels are coarse: on the 512x512 of paper scale the share is 0.17 (first seed)"),
        Claim("E9b", f"patterns per pixel: {high} above 0.99 after one epoch and at the end",
              means({high: share[-1]}), [Link(f"patterns per pixel > 0.99, {high}", (share[-1] - 0.99).min(axis=0))]),
        Claim("E9c", "coordinates: patterns lie in connected patches of pixels (fewer than 1.5 pieces each)",
              means({COORDINATES: data["pieces"]}), [Link("1.5 > pieces per pattern", (1.5 - data["pieces"]).min(axis=0))]),
        Claim("E9d", "regions along (the middle of) the middle row, exactly: " + " > ".join(reversed(names)) + ", after one epoch and at the end",
              means(dict(zip(names, data["along"], strict=True)), "{:.0f}"),
              ordering(dict(zip(names, data["along"], strict=True)), *reversed(names))),
    ]


def draw(data):
    figure, axes = style.panels(2, 3, width=3.6, height=3.8)
    m = data["widths"].tolist()
    like = MLP(tuple(np.zeros((b, a)) for a, b in zip(m[:-1], m[1:], strict=True)), tuple(np.zeros(b) for b in m[1:]))
    for ax, vector, stage in zip(axes[0], data["parameters"], STAGES, strict=True):
        net = unflatten(vector, like)
        regions = regions_in_window(net, ((0, 1), (0, 1)))
        centres = np.add.reduceat(regions.vertices[regions.face_vertex], regions.face_start[:-1], axis=0)
        centres /= np.diff(regions.face_start)[:, None]
        colour = "pattern" if stage == STAGES[0] else np.clip(predict(net, centres), 0, 1)
        draw_regions(ax, regions, colour, linewidth=0.12)
        ax.invert_yaxis()
        ax.set_title(f"{style.label(COORDINATES)} {stage}:\n{len(regions)} regions, exactly", loc="left", fontsize="small")
    for ax, name, ids, along in zip(axes[1], data["inputs"].tolist(), data["maps"], data["along"], strict=True):
        colours = np.random.default_rng(0).uniform(0.1, 0.95, (ids.max() + 1, 3))
        ax.imshow(colours[ids], extent=(0, 1, 1, 0), interpolation="nearest")
        for colour, width in (("black", 3.5), ("white", 1.5)):
            ax.plot(data["line"], [0.5, 0.5], color=colour, linewidth=width)
        ax.set_title(f"{style.label(name)} after one epoch:\n{ids.max() + 1} patterns at {ids.size} pixels,\n"
                     f"{along[0, 0]} regions along the white line, exactly", loc="left", fontsize="small")
    for ax in axes.flat:
        ax.set_xticks([0, 1])
        ax.set_yticks([0, 1])
        ax.set_xlabel("x", labelpad=-8)
        ax.set_ylabel("y", labelpad=-6)
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
