"""E20. How does the encoding change the distances between pixels?

    python -m scripts.reproduce e20_encoding_distances

Distances |gamma(x) - gamma(x')| between the encodings of 64x64 pixels at k/63 (the paper's
grid, both ends included), for L = 1 to 6; they depend on x - x' alone (T28).  Nothing is
random: what varies below is L.
"""

import numpy as np
from scipy.spatial.distance import cdist

from relu_dynamics import PositionalEncoding, grid
from scripts.lab import Claim, Link, style

TITLE = "Distances between encodings"
SOURCE = "the paper's encoding_distance.py"
SHOWS = ("Distance of every pixel to the one in the middle, as maps for the lowest and the "
         "highest encoding, light for far: the highest has the middle alone dark. Below, the "
         "distance along a row, a line an encoding.")
LEVELS = (1, 2, 3, 4, 5, 6)
SIDE = 64


def runs(settings):
    return []


def measure(settings, folder):
    """corner (levels,): distance of opposite corners; ratio (levels,): standard deviation over mean
    of all distances; formula (levels,): largest deviation from sqrt(4 L - 2 gamma.gamma'); maps
    (levels, side, side): distance to the middle pixel."""
    side = 24 if settings.scale == "quick" else SIDE
    x, corner, ratio, formula, maps = grid((side, side), "closed"), [], [], [], []
    middle = side // 2 * side + side // 2
    for L in LEVELS:
        gamma = PositionalEncoding(L)(x)
        D = cdist(gamma, gamma)
        corner.append(D[0, -1])
        ratio.append(D.std() / D.mean())
        formula.append(abs(D**2 - (4 * L - 2 * gamma @ gamma.T)).max() / (4 * L))
        maps.append(D[middle].reshape(side, side))
    return {"levels": np.array(LEVELS), "corner": np.array(corner), "ratio": np.array(ratio),
            "formula": np.array(formula), "maps": np.array(maps)}


def claims(data):
    levels, fall = data["levels"].tolist(), -np.diff(data["ratio"])
    text = " · ".join(f"L={L} {value:.3f}" for L, value in zip(levels, data["ratio"], strict=True))
    return [
        Claim("E20a", "opposite corners are 2 sqrt 2 apart whatever L: only the lowest frequency "
                      "tells them apart",
              f"{data['corner'].min():.6f} to {data['corner'].max():.6f}",
              [Link("1e-9 > deviation", 1e-9 - abs(data["corner"] - 2 * np.sqrt(2)), over="level")],
              kind="identity"),
        Claim("E20b", "distances follow from inner products, D^2 = 4 L - 2 gamma.gamma'",
              f"largest deviation {data['formula'].max():.1g}",
              [Link("1e-12 > deviation", 1e-12 - data["formula"], over="level")], kind="identity"),
        Claim("E20c", "encodings flatten the distances: standard deviation over mean falls with L",
              text,
              [Link("L > L + 1", fall, over="step")]),
    ]


def draw(data):
    """Above: maps of a low and a high encoding; below: along a row, for all."""
    figure, levels = style.sheet(height=5.6), data["levels"]
    above, below = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    side, scaled = data["maps"].shape[1], data["maps"] / np.sqrt(4 * levels)[:, None, None]
    axes = above.subplots(1, 2)
    for ax, L, D in zip(axes, levels[[0, -1]], scaled[[0, -1]], strict=True):
        mesh = ax.imshow(D, cmap="cividis", vmin=0, vmax=scaled.max(), extent=(0, 1, 1, 0))
        style.title(ax, f"L={L}: to the middle pixel")
        ax.set(xticks=[0, 1], yticks=[0, 1], xlabel="x", ylabel="y")
    above.colorbar(mesh, ax=axes, label=r"distance / $\sqrt{4L}$")
    row = below.subplots()
    for L, D in zip(levels, scaled, strict=True):
        row.plot((np.arange(side) - side // 2) / (side - 1), D[side // 2],
                 **style.look(f"L={L}"))
    row.set_xlabel("x - x' along the middle row")
    row.set_ylabel(r"distance / $\sqrt{4L}$")
    row.set_xlim(-0.5, 0.5)
    style.bare([row])
    below.legend(loc="outside right center", frameon=False)
    style.heading(figure, f"From L={levels[0]} to L={levels[-1]} distances between pixels go from "
                  f"{data['ratio'][0]:.2g} to {data['ratio'][-1]:.2g} (standard deviation / mean); "
                  f"opposite corners stay {data['corner'].max():.2f} apart"
                  if np.ptp(data["corner"]) < 1e-6 else "Opposite corners move apart with L")
    return figure
