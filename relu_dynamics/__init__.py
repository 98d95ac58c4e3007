"""Why coordinate-based ReLU networks learn low frequencies first, taken apart exactly.

A trained ReLU network is a list of affine pieces.  This package enumerates the pieces exactly,
says how they couple the training of different inputs, and measures what is learned where.
Every public name can be imported from here; the modules are the reading order, each imports
only modules before it:

    specification  all definitions in their shortest form, slow and exact; only tests import it
    checks         array types, limits, and every error message
    mlp            the network, forward, backward; the legend of symbols
    files          networks on disk and from elsewhere
    patterns       activation patterns and the affine map a pattern selects
    encoding       what is fed to the network: coordinates, positional encoding, Fourier features
    signals        what is learned: targets with known spectra, random and natural images
    geometry       convex polygons, and the one geometric tolerance
    regions1d      exact regions along a segment, and along a segment of encoded inputs
    regions2d      exact regions in a convex window of the plane, and in an encoded one
    walls          distances to the nearest wall, inscribed balls, angles, norms, bounds on counts
    tangent        how parameters move outputs: tangent kernel, loss-gradient Gram, confusion
    products       kernels beyond memory: products, eigenvalues, moments; curvature of layers
    infinite       the infinite-width kernels, the baseline the real network leaves behind
    spectrum       exact Fourier transforms of the pieces; errors per frequency and place
    rates          how fast each frequency is learned, and the spectrum of the activation pattern
    diffraction    how the gradient jumps at walls, and which walls make which frequency learnable
    flow           gradient flow split exactly; moving walls; trajectories through every kink
    training       SGD and Adam, full batch and mini-batch
    measures       the paper's measured quantities, assembled from the above

After each module, tests/test_<module>.py reads as the list of its theorems.

Paper: J. Lazzari and X. Liu, Understanding the Spectral Bias of Coordinate Based MLPs Via
Training Dynamics, arXiv 2301.05816.
"""

from relu_dynamics.checks import Undecided
from relu_dynamics.diffraction import (
    Jumps, PlaneSpectrum, WallSpectrum, by_unit, plane_wall_spectrum, wall_jumps, wall_spectrum,
)
from relu_dynamics.encoding import (
    Coordinates, FourierFeatures, PositionalEncoding, SharedFrequencies, WithInput,
    gaussian_features, positional_columns,
)
from relu_dynamics.files import from_torch, load, save
from relu_dynamics.flow.decompose import Flow, Split, StepSplit, change_split, decompose, step_split
from relu_dynamics.flow.moving_walls import (
    Event, births_and_deaths, breakpoints, edge_midpoints, region_events, wall_velocity,
)
from relu_dynamics.flow.trajectories import (
    Flips, OutputFlow, Path, balances, first_layer_flow, integrate, layer_flow, output_layer_flow,
)
from relu_dynamics.infinite import Kernels, infinite_kernels
from relu_dynamics.measures import (
    Pairs, dead_count, global_pairs, hamming_of_pairs, local_pairs, sampled_regions, time_to_half,
)
from relu_dynamics.mlp import (
    MLP, Gradient, Trace, backward, flatten, forward, hidden_units, init, predict, restrict,
    split_layers, unflatten,
)
from relu_dynamics.patterns import (
    affine_map, dead_units, hamming, pack, pattern, preactivation_maps, unique_patterns, unpack,
)
from relu_dynamics.products import (
    KernelMoments, KernelSpectrum, kernel_moments, kernel_product, kernel_spectrum, layer_curvature,
)
from relu_dynamics.rates import band_means, intrinsic_rates, mean_by_displacement, pattern_spectrum
from relu_dynamics.regions1d import (
    EncodedPieces, Pieces, evaluate, regions_on_encoded_segment, regions_on_segment,
)
from relu_dynamics.regions2d import (
    Certificate, EncodedRegions, LineCheck, Neighbours, Regions, WallLength, count_regions,
    crossed_walls, draw, locate, neighbours, regions_in_encoded_window,
    regions_in_window, regions_on_triangles, wall_length,
)
from relu_dynamics.signals import (
    PAPER_TONES, area_average, brain, eeg, elevation, grid, photograph, radial_bands, random_image,
    tones,
)
from relu_dynamics.spectrum import (
    band_energy, frequency_error, patch_frequency_error, segment_transform, window_transform,
)
from relu_dynamics.tangent import (
    confusion_of_pairs, descent_direction, example_gradients, gradient_confusion, layer_kernels,
    loss_gradient_gram, path_kernel, preactivation_rates, tangent_kernel, unit_kernels,
)
from relu_dynamics.training import SGD, Adam, Divergence, History, State, adam, sgd, train
from relu_dynamics.walls import (
    Ball, Walls, count_bound, distance_to_wall, hyperplane_cosines, inscribed_ball, lipschitz_bound,
    padded_cosines, spectral_norms, surrogate_distance, surrogate_distances, wall_distances,
)

__all__ = [
    "Adam", "Ball", "Certificate", "Coordinates", "Divergence", "EncodedPieces", "EncodedRegions",
    "Event", "Flips", "Flow", "FourierFeatures", "Gradient", "History", "Jumps", "KernelMoments",
    "KernelSpectrum", "Kernels", "LineCheck", "MLP", "Neighbours", "OutputFlow", "PAPER_TONES",
    "Pairs", "Path", "Pieces", "PlaneSpectrum", "PositionalEncoding", "Regions", "SGD",
    "SharedFrequencies", "Split", "State", "StepSplit", "Trace", "Undecided", "WallLength",
    "WallSpectrum", "Walls", "WithInput", "adam", "affine_map", "area_average", "backward",
    "balances", "band_energy", "band_means", "births_and_deaths", "brain", "breakpoints", "by_unit",
    "change_split", "confusion_of_pairs", "count_bound", "count_regions",
    "crossed_walls", "dead_count", "dead_units", "decompose", "descent_direction",
    "distance_to_wall", "draw", "edge_midpoints", "eeg", "elevation", "evaluate",
    "example_gradients", "first_layer_flow", "flatten", "forward", "frequency_error", "from_torch",
    "gaussian_features", "global_pairs", "gradient_confusion", "grid", "hamming",
    "hamming_of_pairs", "hidden_units", "hyperplane_cosines", "infinite_kernels", "init",
    "inscribed_ball", "integrate", "intrinsic_rates", "kernel_moments", "kernel_product",
    "kernel_spectrum", "layer_curvature", "layer_flow", "layer_kernels", "lipschitz_bound", "load",
    "local_pairs", "locate", "loss_gradient_gram", "mean_by_displacement", "neighbours",
    "output_layer_flow", "pack", "padded_cosines", "patch_frequency_error", "path_kernel",
    "pattern", "pattern_spectrum", "photograph", "plane_wall_spectrum", "positional_columns",
    "preactivation_maps", "preactivation_rates", "predict", "radial_bands", "random_image",
    "region_events", "regions_in_encoded_window", "regions_in_window", "regions_on_encoded_segment",
    "regions_on_segment", "regions_on_triangles", "restrict", "sampled_regions", "save",
    "segment_transform", "sgd", "spectral_norms", "split_layers", "step_split",
    "surrogate_distance", "surrogate_distances", "tangent_kernel", "time_to_half", "tones", "train",
    "unflatten", "unique_patterns", "unit_kernels", "unpack", "wall_distances", "wall_jumps",
    "wall_length", "wall_spectrum", "wall_velocity", "window_transform",
]

__version__ = "0.2.0"
