"""What do the pieces of a network do while it learns?

    python -m scripts.moving_picture [--seed 0] [--frames 60] [--quick] [--out out]

Two networks on coordinates [-1, 1], trained in full-batch steps (Adam), drawn at steps with
increasing distance.  Left: one input; the function on [0, 1], its target, and every exact
breakpoint.  Right: two inputs, learning the photograph; every exact activation region of the
unit square, filled with the network's colour at its centre.

Writes moving_picture.html: one page with a slider and a play button, made by matplotlib;
it needs no other file.
"""

import argparse
import re
import sys
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.animation import FuncAnimation
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from relu_dynamics import (
    Coordinates, adam, draw as draw_regions, flatten, grid, init, photograph, predict,
    regions_in_window, regions_on_segment, tones, train, unflatten,
)
from relu_dynamics.files import replacing
from scripts.lab.style import shade

INPUT = Coordinates(-1.0, 1.0)
LAYER_COLOURS = (shade(0, 2), shade(1, 2))
SYMBOLS = {"minus": "−", "fast-backward": "|◀", "step-backward": "◂",
           "play fa-flip-horizontal": "◀", "pause": "❙❙", "play": "▶",
           "step-forward": "▸", "fast-forward": "▶|", "plus": "+"}


def trained(widths, x, y, steps, seed):
    """The networks after each of the given numbers of steps."""
    net = init(widths, np.random.default_rng([seed, 20]))
    _, history = train(net, x, y, optimiser=adam(3e-3), epochs=steps[-1], rng=None,
                       record=lambda epoch, net: flatten(net), record_epochs=steps, progress=False)
    return [unflatten(history.records[step], net) for step in steps]


def problems(seed, quick):
    """(x, y, widths) of a signal, and (x, y, widths) of an image."""
    t, side = grid((128,), "half-open"), 24 if quick else 48
    y = tones(t, (1, 3, 7), np.random.default_rng([seed, 21]).uniform(size=3))
    width = 12 if quick else 32
    pixels = photograph((side, side)).reshape(-1, 3)
    return ((INPUT(t), y, [1, width, width, 1]),
            (INPUT(grid((side, side), "half-open")), pixels, [2, width, width, 3]))


def draw_line(ax, net, x, y):
    """The function, its target, and a tick per breakpoint in the colour of its layer."""
    pieces = regions_on_segment(net, [-1.0], [1.0])
    position = INPUT(np.linspace(0, 1, 2)[:, None])[:, 0]
    ends = position[0] + pieces.t * (position[1] - position[0])
    ax.plot(x[:, 0], y[:, 0], color="0.65", linewidth=3, label="target")
    ax.plot(ends, predict(net, ends[:, None])[:, 0], color="black", linewidth=1.2, label="network")
    first = len(net.biases[0])
    for layer, colour in enumerate(LAYER_COLOURS):
        own = ends[1:-1][(pieces.owner >= first) == bool(layer)]
        ax.plot(own, predict(net, own[:, None])[:, 0], "o", markersize=4, color=colour,
                label=f"breakpoints of layer {layer + 1}")
        ax.vlines(own, -3.4, -3.15, color=colour, linewidth=1)
    ax.set(xlim=(-1, 1), ylim=(-3.4, 3.4), xlabel="x", ylabel="f(x)")
    ax.set_title(f"{len(pieces.pattern)} pieces", loc="left")
    ax.legend(frameon=False, fontsize="x-small", loc="upper right", ncols=2)


def draw_plane(ax, net):
    """Every region, filled with the network's colour at its centre."""
    regions = regions_in_window(net, ((-1, 1), (-1, 1)))
    corners, start = regions.vertices[regions.face_vertex], regions.face_start
    centres = np.add.reduceat(corners, start[:-1], axis=0) / np.diff(start)[:, None]
    draw_regions(ax, regions, np.clip(predict(net, centres), 0, 1), linewidth=0.35)
    ax.invert_yaxis()
    ax.set(xticks=[-1, 1], yticks=[-1, 1], xlabel="x", ylabel="y")
    ax.set_title(f"{len(regions)} regions", loc="left")


def page(frames, seed, quick):
    """The whole page, as text."""
    last = 200 if quick else 2000
    steps = np.unique(np.round(np.geomspace(1, last + 1, frames)).astype(int) - 1).tolist()
    (x, y, line_widths), (pixels, colours, plane_widths) = problems(seed, quick)
    lines = trained(line_widths, x, y, steps, seed)
    planes = trained(plane_widths, pixels, colours, steps, seed)
    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)

    def show(k):
        for ax in (left, right):
            ax.clear()
        draw_line(left, lines[k], x, y)
        draw_plane(right, planes[k])
        figure.suptitle(f"after {steps[k]} steps")

    with rc_context({"animation.embed_limit": 100, "savefig.dpi": 80, "animation.html": "jshtml"}):
        movie = FuncAnimation(figure, show, frames=len(steps), interval=150,
                              init_func=lambda: None)
        body = movie.to_jshtml(default_mode="reflect")
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><title>Regions in motion</title>'
            "<style>body{font-family:sans-serif;margin:1em} .animation img{max-width:100%}"
            " .anim-buttons button{min-width:2.2em;padding:.3em}</style></head><body>\n"
            + self_contained(body) + "\n</body></html>\n")


def self_contained(html):
    """matplotlib's page without external fonts for its buttons, and with a constant identifier."""
    html = re.sub(r'<link rel="stylesheet"\s*href="https?://[^"]*">', "", html)
    html = re.sub(r'<i class="fa fa-([^"]*)"></i>', lambda match: SYMBOLS[match[1]], html)
    return html.replace(re.search(r"_anim_img([0-9a-f]+)", html)[1], "0")


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--frames", type=int, default=60, help="how many pictures (default: 60)")
    parser.add_argument("--quick", action="store_true", help="smaller networks, fewer steps")
    parser.add_argument("--out", type=Path, default=Path("out"),
                        help="the folder of the page (default: out)")
    options = parser.parse_args(argv)
    if options.seed < 0 or options.frames < 2:
        parser.error("--seed must not be negative; --frames must be at least 2")
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "moving_picture.html"
    with replacing(path) as file:
        file.write(page(options.frames, options.seed, options.quick).encode())
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
