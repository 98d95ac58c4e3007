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

TITLE = "Inscribed balls of the first layer's cells"
SOURCE = "the paper's inspheres.py"
SHOWS = ("Radius of the largest ball around random points of the encoding's cube, for encodings of"
         " more and more frequencies.")
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
    figure, axes = style.panels(1, 1, width=4.6, height=3.3)
    ax, radius = axes[0, 0], data["radius"]
    ax.plot(data["levels"], radius.mean(axis=1), color="black", marker="o", markersize=4)
    ax.fill_between(data["levels"], radius.min(axis=1), radius.max(axis=1), color="black",
                    alpha=0.18, linewidth=0)
    ax.set_xticks(data["levels"])
    ax.set_xlabel("frequencies L (the cube has 4L dimensions and side 2)")
    ax.set_ylabel("mean radius of the inscribed ball")
    ax.set_ylim(0)
    ax.set_title(f"{data['units']} units, {data['points']} points per seed\n{style.BAND}",
                 loc="left", fontsize="small")
    return figure
