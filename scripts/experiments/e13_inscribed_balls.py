"""E13. How large a ball fits into a cell of the first layer, and what does the encoding's size do
to it?

    python -m scripts.reproduce e13_inscribed_balls

For uniform random points of the cube [-1,1]^(4L): the radius of the largest ball inside
both the cube and the point's cell of the first layer's arrangement (T37), 512 units,
before training (the paper finds the same order before and after).  The points are not
encodings of anything: no pixel is near them.
"""

import numpy as np

from relu_dynamics import init, inscribed_ball
from scripts.lab import chain, named, ordered, style
from scripts.lab.headings import along

TITLE = "Inscribed balls of the first layer's cells"
SOURCE = "the paper's inspheres.py"
SHOWS = ("Mean radius of the largest ball that fits into the region around random points of "
         "the encoding's cube, against the number of frequencies: one line, with the range "
         "over seeds.")
LEVELS = (4, 8, 12, 16, 20)
UNITS = {"quick": 64, "laptop": 512, "paper": 512}
POINTS = {"quick": 4, "laptop": 10, "paper": 1000}


def runs(settings):
    return []


def measure(settings, folder):
    """radius (levels, seeds): the mean over points."""
    units, points, radius = UNITS[settings.scale], POINTS[settings.scale], []
    for L in LEVELS:
        by_seed = []
        for seed in settings.seeds:
            rng = np.random.default_rng([seed, 13, L])
            net = init([4 * L, units, 1], rng)
            x = rng.uniform(-1, 1, (points, 4 * L))
            by_seed.append(np.mean([inscribed_ball(net, point, -1, 1).radius for point in x]))
        radius.append(by_seed)
    return {"levels": np.array(LEVELS), "radius": np.array(radius), "units": units,
            "points": points}


def claims(data):
    radius = named([f"L={L}" for L in data["levels"]], data["radius"])
    return [ordered("E13", "the inscribed radius grows with L: {}", chain(*reversed(radius)),
                    radius)]


def draw(data):
    figure, axes = style.panels(1, 1, height=3.2)
    ax, radius, levels = axes[0, 0], data["radius"], data["levels"]
    style.shaded(ax, levels, radius, "black", "radius")
    ax.set_xticks(levels)
    ax.set_xlabel(f"frequencies L (a cube in 4L dimensions with side 2)\n{style.BAND}")
    ax.set_ylabel("mean radius of the inscribed ball")
    ax.set_ylim(0)
    middle = np.median(radius, axis=1)
    way = along(radius, "grows", "shrinks", "goes")
    style.heading(figure, f"The ball around a point {way} from radius {middle[0]:.2g} to "
                  f"{middle[-1]:.2g} from L={levels[0]} to {levels[-1]} ({data['units']} units, "
                  f"{data['points']} points per seed)")
    return figure
