"""The tools of the experiments: inputs, training runs, claims, and a common style of figures.

    inputs       names of inputs and their encodings
    runs         training runs and their checkpoints
    own_data     the user's pictures and signals
    settings     the options of the command line; the families of runs that experiments share
    pairs        the pairs of samples for Hamming distances and gradient confusion
    rates        functions shared by the experiments on gradient flow
    ledger       claims and verdicts
    style        the common style of figures
    headings     what a picture shows, worded by its numbers
    png          small picture files
    words        numbers as text
    examination  the sections of scripts.examine's page about one network
    schedule     runs the experiments
    findings     what came out for a claim, in a sentence by its verdict
    report       the page that tells what was found, with every picture and claim
    readme       writes the findings in README from the ledger
"""

from scripts.lab import style
from scripts.lab.inputs import coordinates, encoding, encodings, in_order
from scripts.lab.ledger import (
    Claim, Link, chain, contrast, each, every, last_tenth, means, named, ordered,
    ordered_in_each, ordering, rank_correlation, rise, steadily,
)
from scripts.lab.pairs import image_pairs, mean_distances, signal_pairs
from scripts.lab.runs import (
    PATCHES, THINNED, Gates, Run, Trained, held_out, held_out_gates, network, problem, read,
    samples, stream, widths,
)
from scripts.lab.settings import (
    Settings, Setup, extremes, image_inputs, image_runs, image_setup, images, made_run,
    natural_image, natural_runs, over_checkpoints, signal_inputs, signal_runs, signal_setup,
)

__all__ = [
    "PATCHES", "THINNED", "Claim", "Gates", "Link", "Run", "Settings", "Setup", "Trained",
    "chain", "contrast", "coordinates", "each", "encoding", "encodings", "every", "extremes",
    "held_out", "held_out_gates", "image_inputs", "image_pairs", "image_runs", "image_setup",
    "images", "in_order", "last_tenth", "made_run", "mean_distances", "means", "named",
    "natural_image", "natural_runs", "network", "ordered", "ordered_in_each", "ordering",
    "over_checkpoints", "problem", "rank_correlation", "read", "rise", "samples",
    "signal_inputs", "signal_pairs", "signal_runs", "signal_setup", "steadily", "stream",
    "style", "widths",
]
