"""Pictures of regions and their walls.  matplotlib is imported when one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import Array, Bits, as_real, check_flag, check_kind
from relu_dynamics.regions2d.encoded import EncodedRegions
from relu_dynamics.regions2d.regions import Regions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection


def draw(ax: Axes, regions: Regions | EncodedRegions, colour: str | ArrayLike = "pattern", *,
         walls: bool = True, cmap: str = "viridis", linewidth: float = 0.5,
         downwards: bool = False) -> PolyCollection:
    """Fill the regions, and draw the walls over them, each layer in its own colour.

    colour is "pattern" (patterns that differ in few units look alike), "slope" (hue for the
    direction and brightness for the size of the first output's gradient; not under an encoding,
    where it varies in a region), one value per region, (F,), mapped by cmap, or one RGB or RGBA
    colour per region, (F, 3 or 4).  downwards: the second coordinate grows downwards, as the rows
    of an image do; ax.imshow(image, extent=(0, 1, 1, 0)) then lies over the unit square.
    """
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection

    check_kind("ax", ax, Axes)
    check_kind("regions", regions, Regions, EncodedRegions)
    linewidth = float(as_real("linewidth", linewidth, ()))
    check_flag("downwards", downwards, "as the rows of an image grow, or upwards")
    colours = _colours(regions, colour)
    if isinstance(regions, Regions):
        corners, start = regions.vertices[regions.face_vertex], regions.face_start
    else:  # the convex pieces, without lines between them
        sub, cycles = regions.pieces, regions.cycles
        corners, start = sub.points[sub.edges.ravel()[cycles.half_edge]], cycles.start
        colours = colours[regions.region]
    faces = PolyCollection(np.split(corners, start[1:-1]), linewidths=0.3, rasterized=True,
                           antialiaseds=isinstance(regions, Regions))  # or seams would show
    if colours.ndim == 1:
        faces.set_array(colours)
        faces.set_cmap(cmap)
        faces.set_edgecolor("face")
    else:
        faces.set(facecolor=colours, edgecolor=colours)
    ax.add_collection(faces)
    if walls:
        _draw_walls(ax, regions, linewidth)
    (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
    ax.set(xlim=(x0, x1), ylim=(y1, y0) if downwards else (y0, y1), aspect="equal")
    return faces


def _colours(regions: Regions | EncodedRegions, colour: str | ArrayLike) -> Array:
    if isinstance(colour, str):
        if colour == "pattern":
            return _pattern_colours(regions.pattern)
        if colour == "slope" and isinstance(regions, Regions):
            return _slope_colours(regions.slope[:, 0])
        raise ValueError("colour must be 'pattern', one value or one colour per region, or 'slope' "
                         f"for regions without an encoding. Got {colour!r}.")
    colours = as_real("colour", colour)
    if colours.shape[:1] != (len(regions),) or colours.shape[1:] not in ((), (3,), (4,)):
        raise ValueError("colour must be one value or one RGB(A) colour per region, "
                         f"{len(regions)} of them. Got shape {colours.shape}.")
    return colours


def _draw_walls(ax: Axes, regions: Regions | EncodedRegions, linewidth: float) -> None:
    """The first layer's walls darkest and widest."""
    from matplotlib.collections import LineCollection

    depth = len(regions.net.weights) - 1
    for layer in reversed(range(depth)):
        lines = regions.vertices[regions.edges[regions.edge_layer == layer]]
        ax.add_collection(LineCollection(
            list(lines), colors=[(0.0, 0.0, 0.0, 0.75 - 0.5 * layer / depth)],
            linewidths=linewidth * (1.5 - layer / depth), capstyle="round"))


def _pattern_colours(q: Bits) -> Array:
    """(F, 3): the bits in a fixed random direction for each of red, green and blue.

    Near patterns have near colours.
    """
    mixed = (q - q.mean(axis=0)) @ np.random.default_rng(0).normal(size=(q.shape[1], 3))
    return np.asarray(0.6 + 0.32 * np.tanh(mixed / (mixed.std(axis=0) + 1e-300)))


def _slope_colours(gradient: Array) -> Array:
    """(F, 3): hue is the direction of the gradient, (F, 2), value its length among the others'."""
    from matplotlib.colors import hsv_to_rgb

    length = np.hypot(*gradient.T)
    value = (np.argsort(np.argsort(length)) + 1) / len(length)
    hue = np.arctan2(gradient[:, 1], gradient[:, 0]) / (2 * np.pi) % 1
    return hsv_to_rgb(np.stack([hue, np.full(len(hue), 0.65), 0.25 + 0.75 * value], axis=1))
