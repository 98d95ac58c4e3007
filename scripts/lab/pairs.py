"""Pairs of samples to compare, the same for every input of a seed."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from relu_dynamics import MLP, Pairs, Trace, global_pairs, local_pairs, pattern
from scripts.lab.runs import Trained, stream


def signal_pairs(trained: Trained) -> tuple[Pairs, Pairs]:
    """Local pairs, inside windows of 1/40 of a signal, and global pairs, from its two ends."""
    n, = trained.shape
    rng = stream(trained.run, "pairs")
    return (local_pairs((n,), rng, patches=25, side=max(4, n // 40), pairs=250),
            global_pairs((n,), rng, pairs=5000, gap=n // 5))


def image_pairs(trained: Trained) -> tuple[Pairs, Pairs]:
    """Local pairs, inside small patches of an image, and global pairs, from opposite quadrants."""
    rng = stream(trained.run, "pairs")
    if trained.run.size >= 512:  # the paper's scale
        return (local_pairs(trained.shape, rng, patches=100, side=50, pairs=500),
                global_pairs(trained.shape, rng, pairs=50_000, gap=50))
    return (local_pairs(trained.shape, rng, patches=100, side=6, pairs=40),
            global_pairs(trained.shape, rng, pairs=4000, gap=7))


def mean_distances(
    net: MLP, x: np.ndarray | Trace, kinds: Iterable[Pairs]
) -> list[float]:
    """The mean Hamming distance of each kind of pairs, from one pass through the network."""
    q = pattern(net, x)
    return [np.count_nonzero(q[i] ^ q[j], axis=1).mean() for i, j in kinds]
