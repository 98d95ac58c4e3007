"""Why coordinate-based ReLU networks learn low frequencies first, taken apart exactly.

A trained ReLU network is a list of affine pieces.  This package counts them, says how
they couple the training of different inputs, and measures what is learned where.

Read the modules in this order; each imports only modules before it:

    mlp        the network, forward, backward; the legend of symbols
    pattern    activation patterns and the affine map a pattern selects
    encoding   what is fed to the network: coordinates, positional encoding, Fourier features
    signals    what is learned: targets with known spectra, random and natural images
    geometry   convex polygons, and the one geometric tolerance
    regions1d  exact regions along a segment, and along a segment of encoded inputs
    complex2d, degenerate2d, regions2d
               exact regions in a convex window of the plane
    walls      distances to the nearest wall, inscribed balls, angles, norms, bounds on counts
    tangent    how parameters move outputs: tangent kernel, loss-gradient Gram, confusion
    infinite   the infinite-width kernels, the baseline the real network leaves behind
    spectrum   exact Fourier transforms of the pieces; errors per frequency, globally and patch by patch
    moving_walls
               how fast walls travel while the network learns; when regions are born and die
    kinks, trajectories
               gradient flow followed through its events; the two cases that can be solved; what is conserved
    flow       gradient flow split exactly by layer, unit, pair, frequency and place; a finite step split in two
    train      SGD and Adam, full batch and mini-batch
    measures   the paper's measured quantities, assembled from the above

The network itself can be imported from here; everything else from its module.
After each module, tests/test_<module>.py reads as the list of its theorems.

Paper: J. Lazzari and X. Liu, Understanding the Spectral Bias of Coordinate Based MLPs Via
Training Dynamics, arXiv 2301.05816.
"""

from relu_dynamics import (
    encoding, flow, infinite, measures, mlp, moving_walls, pattern, regions1d, regions2d, signals, spectrum, tangent, train,
    trajectories, walls,
)
from relu_dynamics.mlp import MLP, Gradient, Trace, backward, flatten, forward, init, load, predict, restrict, save, unflatten

__all__ = [
    "MLP", "Gradient", "Trace", "backward", "flatten", "forward", "init", "load", "predict", "restrict", "save", "unflatten",
    "encoding", "flow", "infinite", "measures", "mlp", "moving_walls", "pattern", "regions1d", "regions2d", "signals", "spectrum",
    "tangent", "train", "trajectories", "walls",
]

__version__ = "0.1.0"
