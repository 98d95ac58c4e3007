"""E13. How large a ball fits into a cell of the first layer, and what does the encoding's size do to it?

    python -m scripts.e13_inscribed_balls [--quick] [--seeds 5] [--out out]

For uniform random points of the cube [-1,1]^(4L): the radius of the largest ball inside
both the cube and the point's cell of the first layer's arrangement (T37), 512 units,
before training (the paper finds the same order before and after).  The points are not
encodings of anything: no pixel is near them.

Writes e13_inscribed_balls.npz, .png and .json (claims).
"""

import sys
from pathlib import Path

import numpy as np

from relu_dynamics.mlp import init
from relu_dynamics.walls import inscribed_ball
from scripts import experiment, style
from scripts.ledger import Claim, means, ordering

TITLE = "Inscribed balls of the first layer's cells"
SOURCE = "the paper's inspheres.py"
SHOWS = "Radius of the largest ball around random points of the encoding's cube: cells are wider in more dimensions."
LEVELS = (4, 8, 12, 16, 20)
UNITS = {"quick": 64, "laptop": 512, "paper": 512}
POINTS = {"quick": 4, "laptop": 20, "paper": 1000}


def runs(settings):
    return []


def measure(settings, folder):
    """radius (levels, seeds): the mean over points."""
    radius = []
    for L in LEVELS:
        by_seed = []
        for seed in settings.seeds:
            rng = np.random.default_rng([seed, 13, L])
            net = init([4 * L, UNITS[settings.scale], 1], rng)
            points = rng.uniform(-1, 1, (POINTS[settings.scale], 4 * L))
            by_seed.append(np.mean([inscribed_ball(net, point, -1, 1).radius for point in points]))
        radius.append(by_seed)
    return {"levels": np.array(LEVELS), "radius": np.array(radius), "units": UNITS[settings.scale],
            "points": POINTS[settings.scale]}


def claims(data):
    radius = {f"L={L}": values for L, values in zip(data["levels"].tolist(), data["radius"], strict=True)}
    return [Claim("E13", "the inscribed radius grows with L: L=20 > L=16 > L=12 > L=8 > L=4", means(radius),
                  ordering(radius, *reversed(radius)))]


def draw(data):
    figure, axes = style.panels(1, 1, width=4.6, height=3.3)
    ax, radius = axes[0, 0], data["radius"]
    ax.plot(data["levels"], radius.mean(axis=1), color="black", marker="o", markersize=4)
    ax.fill_between(data["levels"], radius.min(axis=1), radius.max(axis=1), color="black", alpha=0.18, linewidth=0)
    ax.set_xticks(data["levels"])
    ax.set_xlabel("frequencies L (the cube has 4L dimensions and side 2)")
    ax.set_ylabel("mean radius of the inscribed ball")
    ax.set_ylim(0)
    ax.set_title(f"{data['units']} units, {data['points']} points per seed\n{style.BAND}", loc="left", fontsize="small")
    return figure


def main(argv=None):
    return experiment.main(argv, __doc__, only=Path(__file__).stem)


if __name__ == "__main__":
    sys.exit(main())
