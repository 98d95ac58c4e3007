"""Exact linear regions of a ReLU network with two inputs, in a convex window of the plane.

Inside the window the walls of the hidden units cut out a planar complex of convex faces, one face
per activation pattern.  In reading order:

    regions         regions_in_window, count_regions, and their answer: Regions
    enumeration     where an enumeration begins, and what it hands over
    bits            words of 64 activation bits
    layers          the complex, refined by one hidden layer after the other, in seven steps
    meet            steps 1 to 4 of a layer: what its walls cut, and in which order
    lift            step 5: the pre-activations of the next layer at all vertices
    unit_by_unit    the same, one wall at a time, where walls meet, touch or coincide
    affine          the affine map of every region
    encoded         regions_in_encoded_window, regions_on_triangles: EncodedRegions
    triangulation   triangles, halved without hanging vertices
    margins         where walls are too close for the triangles, and these must be halved
    certified, line_check   what is known to be right under an encoding
    location, drawing, lines    what can be asked of either answer

    half-edge h   2e runs along edge e from its start to its end, 2e + 1 back; h ^ 1 is the other
                  one; the face of h lies to its left, -1 outside the window
    bits          one row of 64-bit words per carrier, piece or face: the layer's units
    F, H, m[L]    faces (regions), hidden units, outputs, as everywhere

Identities (T2, T38, T39): the areas sum to the window's, V - E + F = 1, patterns are distinct,
neighbours in general position differ in the unit that owns their edge, and f(x) = slope x + offset
on each face.
"""

from relu_dynamics.regions2d.drawing import draw
from relu_dynamics.regions2d.encoded import (
    EncodedRegions, regions_in_encoded_window, regions_on_triangles,
)
from relu_dynamics.regions2d.line_check import LineCheck
from relu_dynamics.regions2d.lines import WallLength, crossed_walls, wall_length
from relu_dynamics.regions2d.location import Neighbours, locate, neighbours
from relu_dynamics.regions2d.regions import (
    Certificate, Regions, count_regions, regions_in_window,
)

__all__ = [
    "Certificate", "EncodedRegions", "LineCheck", "Neighbours", "Regions", "WallLength",
    "count_regions", "crossed_walls", "draw", "locate", "neighbours",
    "regions_in_encoded_window", "regions_in_window", "regions_on_triangles", "wall_length",
]
