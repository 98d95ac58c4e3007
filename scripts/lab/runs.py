"""Training runs: their descriptions, their checkpoint files, and how a run is performed.

A run is a pure function of its description: the same Run gives the same bytes.  Many
experiments measure the same trained networks, so an experiment only *lists* the runs it needs;
a run whose file exists is not repeated.

A user's own data are part of the description by their content: the signal of a run on them is
"picture DIGEST" or "signal DIGEST", and the data are stored with the runs (lab/own_data.py).

The sample grid of the inputs is part of the description too:
    "half-open"  k/n for every input (the default)
    "closed"     k/(n-1) for every input
    "paper"      k/n for coordinates and k/(n-1) for encodings, as in the paper's code
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics import (
    MLP, PAPER_TONES, Coordinates, History, State, adam, brain, elevation, flatten, grid, init,
    pattern, photograph, random_image, tones, train, unflatten,
)
from relu_dynamics.files import replacing
from scripts.lab import own_data
from scripts.lab.inputs import encoding

GRIDS = ("half-open", "closed", "paper")
STRETCH = 1e12  # the work of a long run between two writes to disk: about a minute


class Gates(NamedTuple):
    """Gates imposed and frozen throughout training, in place of the network's own (T40)."""

    donor: str               # input of another untrained network of the same shape, whose pattern
                             # they are; "own": the network itself, before training
    order: str = "in place"  # "shuffled": over samples, the same patterns without their order;
                             # "coins": independent flips, each unit on as often as in the pattern
    epochs: int = 0          # for how long the donor is trained first, on the same signal


class Run(NamedTuple):
    """Everything that decides a training run."""

    signal: str                   # of TONES or NATURAL, "random image", own data, "mixture";
                                  # an image perhaps after THINNED or PATCHES
    size: int                     # samples, for images per axis
    input: str                    # of encoding(); "raw" for data that have no position
    grid: str                     # one of GRIDS
    hidden: tuple[int, ...]       # widths of the hidden layers
    epochs: int
    batch: int | None             # None: the full batch
    checkpoints: tuple[int, ...]  # epochs after which the network is kept; 0 is before training
    seed: int
    rate: float = 1e-3            # of Adam, in float32; batches are shuffled once
    gates: Gates | None = None    # imposed gates; None: the network's own, which change

    def name(self) -> str:
        """A file name: readable first, then a digest of the whole description."""
        words = "-".join(map(str, (self.signal, self.size, self.input,
                                   "x".join(map(str, self.hidden)), f"seed{self.seed}")))
        readable = "".join(c if c.isalnum() or c in "-_=" else "_" for c in words)
        return f"{readable}-{hashlib.sha256(repr(tuple(self)).encode()).hexdigest()[:10]}.npz"


class Trained(NamedTuple):
    """The checkpoints of a run, and the problem it was trained on."""

    run: Run
    shape: tuple[int, ...]  # of the signal: (n,) or (height, width)
    x: np.ndarray           # (n, D) the inputs of the network
    y: np.ndarray           # (n, m) the targets
    loss: np.ndarray        # (epochs,) mean loss of each epoch
    epochs: np.ndarray      # (c,) the checkpoints
    nets: list[MLP]         # (c,)
    gates: np.ndarray | None = None  # (n, H) bool, imposed: use predict(net, x, gates)


PURPOSES = ("signal", "weights", "batches", "pairs", "held out", "donor", "order")


def stream(run: Run, purpose: str) -> np.random.Generator:
    """Independent randomness for each purpose.  The signal and the pairs depend on the seed alone,
    so runs that differ in their input are compared on the same signal and the same pairs."""
    return np.random.default_rng([run.seed, PURPOSES.index(purpose)])


def is_signal(run: Run) -> bool:
    """Whether the run's signal has one dimension."""
    return run.signal in TONES or run.signal.startswith(own_data.SIGNAL)


def problem(run: Run, folder: Path) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """The signal's shape, the network's inputs (n, D) and targets (n, m); own data are read from
    folder."""
    rng = stream(run, "signal")
    if run.input == "raw":
        return (run.size,), *high_dimensional(run, rng, rng, folder)
    shape = (run.size,) if is_signal(run) else (run.size, run.size)
    y = samples(run.signal.removeprefix(THINNED), shape, rng, folder)
    feed = encoding(run.input)
    half_open = run.grid == "half-open" or (run.grid == "paper" and isinstance(feed, Coordinates))
    x = feed(grid(shape, "half-open" if half_open else "closed"))
    if run.signal.startswith(THINNED):
        seen = seen_pixels(run.size)
        return (run.size // 2, run.size // 2), x[seen], y[seen]
    return shape, x, y


def samples(signal: str, shape: tuple[int, ...], rng: np.random.Generator,
            folder: Path) -> np.ndarray:
    """(n, m): the samples of a signal or an image, one a row."""
    if signal in TONES:
        return tones(grid(shape, "half-open"), TONES[signal], rng.uniform(size=len(TONES[signal])))
    if signal.startswith((own_data.SIGNAL, own_data.PICTURE)):
        values = own_data.load(signal, shape, folder)
    else:
        values = random_image(shape, rng) if signal == "random image" else NATURAL[signal](shape)
    return values.reshape(-1, values.shape[-1])


def high_dimensional(
    run: Run, rng_of_kind: np.random.Generator, rng: np.random.Generator, folder: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 64) and the unit vectors of their classes: patches of an image, or a mixture of
    clouds.

    rng_of_kind draws what all data of the kind share, rng the data themselves.
    """
    if not run.signal.startswith(PATCHES):
        x, labels = mixture(rng_of_kind, run.size, rng)
        return x, np.eye(10)[labels]
    image = run.signal.removeprefix(PATCHES)
    whole = photograph((600, 512)) if image == "photograph" else own_data.load_whole(image, folder)
    x, labels = patches(whole, run.size, rng)
    return x, np.eye(16)[labels]


def seen_pixels(size: int) -> np.ndarray:
    """(size^2,) bool: the pixels in every second row and column, the training set of a run on a
    thinned image."""
    even = np.arange(size) % 2 == 0
    return np.outer(even, even).ravel()


def held_out(run: Run, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets outside the training set: the other pixels of a thinned image, or new data
    of the same kind."""
    if run.input == "raw":
        return high_dimensional(run, stream(run, "signal"), stream(run, "held out"), folder)
    _, x, y = problem(run._replace(signal=run.signal.removeprefix(THINNED)), folder)
    unseen = ~seen_pixels(run.size)
    return x[unseen], y[unseen]


def patches(image: np.ndarray, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n grey 8x8 patches of an image, (n, 64) in [-1, 1], and in which sixteenth of it each begins,
    (n,)."""
    grey = image.mean(axis=2)
    height, width = grey.shape
    top, left = rng.integers(0, height - 8, n), rng.integers(0, width - 8, n)
    x = np.lib.stride_tricks.sliding_window_view(grey, (8, 8))[top, left].reshape(n, 64)
    return 2 * x - 1, 4 * (4 * top // height) + 4 * left // width


def mixture(rng_of_centres: np.random.Generator, n: int,
            rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n points of ten Gaussian clouds in 64 dimensions, (n, 64), centres and spread both of
    variance 1/2, and their clouds, (n,)."""
    centres, labels = rng_of_centres.normal(size=(10, 64)) / np.sqrt(2), rng.integers(0, 10, n)
    return centres[labels] + rng.normal(size=(n, 64)) / np.sqrt(2), labels


TONES = {"tones": PAPER_TONES, "tones to 50": tuple(range(5, 51, 5))}
NATURAL = {"photograph": photograph, "elevation": elevation, "brain": brain}
THINNED = "thinned "  # before the name of a natural image
PATCHES = "patches of "  # before an image


def imposed(run: Run, folder: Path) -> np.ndarray | None:
    """(n, H) bool: the gates imposed at the samples of the whole signal, trained on or not."""
    if run.gates is None:
        return None
    own = run.gates.donor == "own"
    donor = run._replace(input=run.input if own else run.gates.donor)
    _, x, y = problem(donor, folder)
    net = init([x.shape[1], *run.hidden, y.shape[1]], stream(run, "weights" if own else "donor"))
    if run.gates.epochs:
        net, _ = train_as(run, net, x, y, run.gates.epochs)
    _, x, _ = problem(donor._replace(signal=run.signal.removeprefix(THINNED)), folder)
    q, rng = pattern(net, x), stream(run, "order")
    if run.gates.order == "shuffled":
        return q[rng.permutation(len(q))]
    return rng.uniform(size=q.shape) < q.mean(axis=0) if run.gates.order == "coins" else q


def train_as(
    run: Run, net: MLP, x: np.ndarray, y: np.ndarray, epochs: int,
    state: State | None = None, gates: np.ndarray | None = None,
) -> tuple[MLP, History]:
    """train with the options of a run: Adam, in float32, batches shuffled once."""
    return train(net, x, y, optimiser=adam(run.rate), epochs=epochs, batch_size=run.batch,
                 rng=stream(run, "batches"), reshuffle=False, state=state, pattern=gates,
                 dtype=np.float32, progress=False)


def perform(run: Run, folder: Path) -> Path:
    """Train, write the checkpoints under folder, and return the path of the file, which is written
    completely or not at all.

    A long run is trained in stretches of about a minute; after each, all that is needed to continue
    is written to a second file.  After an interruption the run continues from there and gives the
    same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _, x, y = problem(run, folder)
    like = init([x.shape[1], *run.hidden, y.shape[1]], stream(run, "weights"))
    gates = imposed(run, folder)
    net, state, loss, records = _resume(run, folder, like)
    ends = sorted({*range(0, run.epochs, _stretch(run)), *run.checkpoints, run.epochs})
    for start, end in zip(ends[:-1], ends[1:], strict=True):
        if start < len(loss):
            continue
        net, history = train_as(run, net, x, y, end - start, state, of_training(run, gates))
        state, loss = history.state, np.concatenate([loss, history.loss])
        if end in run.checkpoints:
            records[end] = flatten(net).astype(np.float32)
        if _stretch(run) < run.epochs and end < run.epochs:
            _write(_unfinished(run, folder), run, loss, records,
                   net=flatten(net).astype(np.float32), **state._asdict())
    kept = {} if gates is None else {"gates": np.packbits(gates, axis=1)}
    _write(folder / run.name(), run, loss, records,
           widths=[x.shape[1], *map(len, like.biases)], **kept)
    _unfinished(run, folder).unlink(missing_ok=True)
    return folder / run.name()


def _write(path: Path, run: Run, loss: np.ndarray, records: dict[int, np.ndarray],
           **more: ArrayLike) -> None:
    with replacing(path) as file:
        np.savez(file, run=repr(tuple(run)), loss=loss, epochs=np.array(sorted(records)),
                 parameters=np.array([records[epoch] for epoch in sorted(records)]), **more)


def _resume(
    run: Run, folder: Path, like: MLP
) -> tuple[MLP, State | None, np.ndarray, dict[int, np.ndarray]]:
    """The state of an interrupted run, or of a new one: network, optimiser, losses, checkpoints."""
    path = _unfinished(run, folder)
    if not path.exists():
        start = {0: flatten(like).astype(np.float32)} if 0 in run.checkpoints else {}
        return like, None, np.zeros(0), start
    with np.load(path, allow_pickle=False) as file:
        records = dict(zip(file["epochs"].tolist(), file["parameters"], strict=True))
        state = State(int(file["steps"]), file["first"], file["second"])
        return unflatten(file["net"].astype(np.float64), like), state, file["loss"], records


def share_done(run: Run, folder: Path) -> float:
    """The share of an unfinished run that is stored on disk, 0 to 1."""
    try:
        with np.load(_unfinished(run, folder), allow_pickle=False) as file:
            return len(file["loss"]) / run.epochs
    except (OSError, ValueError, KeyError):  # no file yet, or it is being replaced
        return 0.0


def work(run: Run) -> float:
    """The multiply-adds of the forward passes, up to a constant; hidden layers dominate."""
    n = run.size if run.input == "raw" or is_signal(run) else run.size**2
    n //= 4 if run.signal.startswith(THINNED) else 1
    larger = sum(a * b for a, b in zip(run.hidden[:-1], run.hidden[1:], strict=True))
    epochs = run.epochs + (run.gates.epochs if run.gates else 0)
    return float(epochs * n * (larger + 10 * sum(run.hidden)))


def _stretch(run: Run) -> int:
    """The epochs of a long run between two writes to disk."""
    return max(1, int(STRETCH * run.epochs / work(run)))


def _unfinished(run: Run, folder: Path) -> Path:
    return folder / f"unfinished-{run.name()}"


def network(parameters: np.ndarray, widths: np.ndarray) -> MLP:
    """The network of these widths, inputs and outputs included, with parameters as flatten returns
    them."""
    pairs = list(zip(widths[:-1], widths[1:], strict=True))
    like = MLP(tuple(np.zeros((b, a)) for a, b in pairs), tuple(np.zeros(b) for _, b in pairs))
    return unflatten(parameters.astype(np.float64), like)


def widths(net: MLP) -> np.ndarray:
    """What network wants to know of it beside its parameters."""
    return np.array([net.weights[0].shape[1], *map(len, net.biases)])


def read(run: Run, folder: Path) -> Trained:
    """The checkpoints that perform wrote."""
    with np.load(folder / run.name(), allow_pickle=False) as file:
        nets = [network(vector, file["widths"]) for vector in file["parameters"]]
        loss, epochs = file["loss"], file["epochs"]
        gates = _gates(file)
    shape, x, y = problem(run, folder)
    return Trained(run, shape, x, y, loss, epochs, nets, of_training(run, gates))


def held_out_gates(run: Run, folder: Path) -> np.ndarray | None:
    """The imposed gates at the samples of held_out, as perform wrote them."""
    with np.load(folder / run.name(), allow_pickle=False) as file:
        gates = _gates(file)
    return None if gates is None else gates[~seen_pixels(run.size)]


def of_training(run: Run, gates: np.ndarray | None) -> np.ndarray | None:
    """The rows of the whole signal's gates that are trained on."""
    thinned = gates is not None and run.signal.startswith(THINNED)
    return gates[seen_pixels(run.size)] if thinned else gates


def _gates(file: Mapping[str, np.ndarray]) -> np.ndarray | None:
    if "gates" not in file:
        return None
    return np.unpackbits(file["gates"], axis=1, count=file["widths"][1:-1].sum()).astype(bool)
