"""Training runs: what they are, where their checkpoints live, and how one is performed.

A run is a pure function of its description: the same Run gives the same bytes.  Many
experiments measure the same trained networks, so an experiment only *asks* for runs; a
run whose file is already there is not repeated.

Which sample grid the inputs use is part of the description:
    "half-open"  k/n for every input (the default)
    "closed"     k/(n-1) for every input
    "paper"      k/n for coordinates and k/(n-1) for encodings, as in the paper's code
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.encoding import Coordinates, Encoding, PositionalEncoding, SharedFrequencies
from relu_dynamics.files import replacing
from relu_dynamics.mlp import MLP, flatten, init, unflatten
from relu_dynamics.signals import (
    PAPER_TONES, brain, elevation, grid, photograph, random_image, tones,
)
from relu_dynamics.training import State, adam, train

GRIDS = ("half-open", "closed", "paper")


class Run(NamedTuple):
    """Everything that decides a training run."""

    signal: str                   # "random image", or a key of TONES, NATURAL (perhaps THINNED) or HIGH_DIMENSIONAL
    size: int                     # samples, for images per axis
    input: str                    # what encoding() understands; "raw" for data that is no function of a position
    grid: str                     # one of GRIDS
    hidden: tuple[int, ...]       # widths of the hidden layers
    epochs: int
    batch: int | None             # None: the full batch
    checkpoints: tuple[int, ...]  # epochs after which the network is kept; 0 is before training
    seed: int
    rate: float = 1e-3            # of Adam, in float32; batches are shuffled once, as in the paper's code

    def name(self) -> str:
        """A file name: readable first, then a digest of the whole description."""
        words = "-".join(map(str, (self.signal, self.size, self.input, "x".join(map(str, self.hidden)), f"seed{self.seed}")))
        readable = "".join(c if c.isalnum() or c in "-_=" else "_" for c in words)
        return f"{readable}-{hashlib.sha256(repr(tuple(self)).encode()).hexdigest()[:10]}.npz"


class Trained(NamedTuple):
    """A run's checkpoints, with the problem it was trained on."""

    run: Run
    shape: tuple[int, ...]  # of the signal: (n,) or (height, width)
    x: np.ndarray           # (n, D) what the network is fed
    y: np.ndarray           # (n, m) what it should say
    loss: np.ndarray        # (epochs,) mean loss of each epoch
    epochs: np.ndarray      # (c,) the checkpoints
    nets: list[MLP]         # (c,)


def encoding(name: str) -> Encoding:
    """ "[a,b]" is coordinates stretched to [a, b]; "L=k" the positional encoding with k frequencies; "2^l x c" c copies of one."""
    if name.startswith("L="):
        return PositionalEncoding(int(name[2:]))
    if name.startswith("2^"):
        return SharedFrequencies(*map(int, name[2:].split(" x ")))
    low, high = name.strip("[]").split(",")
    return Coordinates(float(low), float(high))


def stream(run: Run, purpose: str) -> np.random.Generator:
    """Independent randomness for each purpose.  The signal and the pairs depend on the seed alone,
    so runs that differ in their input are compared on the same signal and the same pairs."""
    return np.random.default_rng([run.seed, ["signal", "weights", "batches", "pairs", "held out"].index(purpose)])


def problem(run: Run) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """The signal's shape, the network's inputs (n, D) and targets (n, m)."""
    rng = stream(run, "signal")
    if run.input == "raw":
        x, labels = HIGH_DIMENSIONAL[run.signal](run.size, rng, rng)
        return (run.size,), x, np.eye(CLASSES[run.signal])[labels]
    if run.signal in TONES:
        shape: tuple[int, ...] = (run.size,)
        y = tones(grid(shape, "half-open"), TONES[run.signal], rng.uniform(size=len(TONES[run.signal])))
    else:
        shape = (run.size, run.size)
        image = random_image(shape, rng) if run.signal == "random image" else NATURAL[run.signal.removeprefix(THINNED)](shape)
        y = image.reshape(-1, image.shape[-1])
    feed = encoding(run.input)
    coordinates = isinstance(feed, Coordinates)
    convention = {"paper": "half-open" if coordinates else "closed"}.get(run.grid, run.grid)
    x = feed(grid(shape, convention))
    if run.signal.startswith(THINNED):
        seen = seen_pixels(run.size)
        return (run.size // 2, run.size // 2), x[seen], y[seen]
    return shape, x, y


def seen_pixels(size: int) -> np.ndarray:
    """(size^2,) bool: the pixels in every second row and column, which are all that a run on a thinned image is trained on."""
    even = np.arange(size) % 2 == 0
    return np.outer(even, even).ravel()


def held_out(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets that the run has not been trained on: the other pixels of a thinned image, or fresh data of the same kind."""
    if run.input == "raw":
        x, labels = HIGH_DIMENSIONAL[run.signal](run.size, stream(run, "signal"), stream(run, "held out"))
        return x, np.eye(CLASSES[run.signal])[labels]
    _, x, y = problem(run._replace(signal=run.signal.removeprefix(THINNED)))
    unseen = ~seen_pixels(run.size)
    return x[unseen], y[unseen]


def patches(n: int, _: np.random.Generator, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n grey 8x8 patches of the photograph, (n, 64) in [-1, 1], and in which sixteenth of it each begins, (n,)."""
    image = photograph((600, 512)).mean(axis=2)
    top, left = rng.integers(0, 600 - 8, n), rng.integers(0, 512 - 8, n)
    x = np.lib.stride_tricks.sliding_window_view(image, (8, 8))[top, left].reshape(n, 64)
    return 2 * x - 1, 4 * (4 * top // 600) + 4 * left // 512


def mixture(n: int, rng_of_centres: np.random.Generator, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """n points of ten Gaussian clouds in 64 dimensions, (n, 64), centres and spread both of variance 1/2, and their clouds, (n,)."""
    centres, labels = rng_of_centres.normal(size=(10, 64)) / np.sqrt(2), rng.integers(0, 10, n)
    return centres[labels] + rng.normal(size=(n, 64)) / np.sqrt(2), labels


TONES = {"tones": PAPER_TONES, "tones to 50": tuple(range(5, 51, 5))}
NATURAL = {"photograph": photograph, "elevation": elevation, "brain": brain}
THINNED = "thinned "  # before the name of a natural image
HIGH_DIMENSIONAL = {"patches": patches, "mixture": mixture}  # (how many, randomness of the kind of data, of the data) -> points, classes
CLASSES = {"patches": 16, "mixture": 10}


def perform(run: Run, folder: Path) -> Path:
    """Train, and write the checkpoints under folder; returns the file's path.  The file appears whole or not at all.

    A long run is trained in stretches of a minute or so, and after each what is needed to go on is
    written to a file beside it.  Run again after an interruption, it goes on from there, to the same bytes.
    """
    _, x, y = problem(run)
    folder.mkdir(parents=True, exist_ok=True)
    like = init([x.shape[1], *run.hidden, y.shape[1]], stream(run, "weights"))
    net, state, loss, records = _resume(run, folder, like)
    ends = sorted({*range(0, run.epochs, _stretch(run)), *run.checkpoints, run.epochs})
    for start, end in zip(ends[:-1], ends[1:], strict=True):
        if start < len(loss):
            continue
        net, history = train(net, x, y, optimiser=adam(run.rate), epochs=end - start, batch_size=run.batch, rng=stream(run, "batches"),
                             reshuffle=False, state=state, dtype=np.float32, progress=False)
        state, loss = history.state, np.concatenate([loss, history.loss])
        if end in run.checkpoints:
            records[end] = flatten(net).astype(np.float32)
        if _stretch(run) < run.epochs and end < run.epochs:
            _write(_unfinished(run, folder), run, loss, records, net=flatten(net).astype(np.float32), **state._asdict())
    _write(folder / run.name(), run, loss, records, widths=[len(like.weights[0][0]), *map(len, like.biases)])
    _unfinished(run, folder).unlink(missing_ok=True)
    return folder / run.name()


def _write(path: Path, run: Run, loss: np.ndarray, records: dict[int, np.ndarray], **more: ArrayLike) -> None:
    with replacing(path) as file:
        np.savez(file, run=repr(tuple(run)), loss=loss, epochs=np.array(sorted(records)),
                 parameters=np.array([records[epoch] for epoch in sorted(records)]), **more)


def _resume(run: Run, folder: Path, like: MLP) -> tuple[MLP, State | None, np.ndarray, dict[int, np.ndarray]]:
    """Where an interrupted run stands: network, optimiser, losses, checkpoints; or the beginning."""
    path = _unfinished(run, folder)
    if not path.exists():
        return like, None, np.zeros(0), {0: flatten(like).astype(np.float32)} if 0 in run.checkpoints else {}
    with np.load(path, allow_pickle=False) as file:
        records = dict(zip(file["epochs"].tolist(), file["parameters"], strict=True))
        state = State(int(file["steps"]), file["first"], file["second"])
        return unflatten(file["net"].astype(np.float64), like), state, file["loss"], records


def share_done(run: Run, folder: Path) -> float:
    """How much of an unfinished run is done, 0 to 1, as far as is on disk."""
    try:
        with np.load(_unfinished(run, folder), allow_pickle=False) as file:
            return len(file["loss"]) / run.epochs
    except (OSError, ValueError, KeyError):  # none yet, or just being replaced
        return 0.0


def work(run: Run) -> float:
    """Multiply-adds of a run's forward passes, up to a constant: the larger hidden layers decide."""
    samples = run.size ** (1 if run.signal in TONES or run.input == "raw" else 2) / (4 if run.signal.startswith(THINNED) else 1)
    return float(run.epochs * samples * (sum(a * b for a, b in zip(run.hidden[:-1], run.hidden[1:], strict=True)) + 10 * sum(run.hidden)))


def _stretch(run: Run) -> int:
    """Epochs between two times that a long run is written down: about a minute's worth."""
    return max(1, int(1e12 * run.epochs / work(run)))


def _unfinished(run: Run, folder: Path) -> Path:
    return folder / f"unfinished-{run.name()}"


def read(run: Run, folder: Path) -> Trained:
    """The checkpoints that perform wrote."""
    with np.load(folder / run.name(), allow_pickle=False) as file:
        m = file["widths"].tolist()
        like = MLP(tuple(np.zeros((b, a), np.float32) for a, b in zip(m[:-1], m[1:], strict=True)),
                   tuple(np.zeros(b, np.float32) for b in m[1:]))
        nets = [unflatten(vector.astype(np.float64), like) for vector in file["parameters"]]
        loss, epochs = file["loss"], file["epochs"]
    shape, x, y = problem(run)
    return Trained(run, shape, x, y, loss, epochs, nets)


# --------------------------------------------------------- the set-ups of the paper


class Settings(NamedTuple):
    """What the command line chooses."""

    scale: str = "laptop"            # "quick", "laptop" or "paper"
    seeds: tuple[int, ...] = (0, 1, 2)
    grid: str = "half-open"
    epochs: int | None = None        # override the scale's own number


def as_options(settings: Settings) -> str:
    """The command-line options that choose these settings, with a space before each."""
    first, count = settings.seeds[0], len(settings.seeds)
    options = {"quick": " --quick", "paper": " --scale paper"}.get(settings.scale, "")
    options += (f" --seed {first}" if first else "") + f" --seeds {count}"
    options += f" --grid {settings.grid}" if settings.grid != "half-open" else ""
    return options + (f" --epochs {settings.epochs}" if settings.epochs is not None else "")


class Setup(NamedTuple):
    """One scale of one family of runs."""

    size: int
    hidden: tuple[int, ...]
    epochs: int
    batch: int | None
    checkpoints: tuple[int, ...]


SIGNAL = {
    "quick": Setup(512, (64,) * 4, 100, None, (0, 1, 10, 25, 50, 75, 100)),
    "laptop": Setup(2048, (128,) * 4, 500, None, (0, 1, 10, *range(25, 501, 25))),
    "paper": Setup(2048, (128,) * 4, 500, None, (0, 1, 10, *range(25, 501, 25))),
}
IMAGE = {
    "quick": Setup(32, (64,) * 4, 50, 256, (0, 1, 10, 25, 50)),
    "laptop": Setup(64, (128,) * 4, 300, 256, (0, 1, 10, 50, 150, 300)),
    "paper": Setup(512, (512,) * 4, 1000, 8192, (0, 1, *range(50, 1001, 50))),
}
SIGNAL_INPUTS = ("[0,1]", "[-1,1]", "L=4", "L=7")  # the paper labels the last two L=3 and L=6
IMAGE_INPUTS = {
    "quick": ("[0,1]", "[-1,1]", "L=1", "L=3", "L=5"),
    "laptop": ("[0,1]", "[-1,1]", "L=1", "L=3", "L=6"),
    "paper": ("[0,1]", "[-1,1]", "L=4", "L=8", "L=16"),
}
WIDE_INPUTS = ("[-2,2]", "[-3,3]")  # for dead units only
IMAGES = ("random image", "photograph")


def signal_runs(settings: Settings, inputs: Sequence[str] = SIGNAL_INPUTS) -> dict[tuple[str, int], Run]:
    """(input, seed) -> run on the 14 tones."""
    return {(name, seed): make_run(SIGNAL[settings.scale], "tones", name, seed, settings)
            for name in inputs for seed in settings.seeds}


def image_runs(settings: Settings, wide: bool = False) -> dict[tuple[str, str, int], Run]:
    """(image, input, seed) -> run on a random image and on the photograph; wide adds [-2,2] and [-3,3]."""
    inputs = IMAGE_INPUTS[settings.scale] + (WIDE_INPUTS if wide else ())
    return {(image, name, seed): make_run(IMAGE[settings.scale], image, name, seed, settings)
            for image in IMAGES for name in inputs for seed in settings.seeds}


def photograph_runs(settings: Settings) -> dict[tuple[str, int], Run]:
    """(input, seed) -> run on the photograph alone."""
    return {(name, seed): run for (image, name, seed), run in image_runs(settings).items() if image == "photograph"}


def make_run(setup: Setup, signal: str, name: str, seed: int, settings: Settings) -> Run:
    """One run of a set-up, for as many epochs as settings ask for."""
    epochs = setup.epochs if settings.epochs is None else settings.epochs
    checkpoints = tuple(sorted({*(c for c in setup.checkpoints if c <= epochs), epochs}))
    return Run(signal, setup.size, name, settings.grid, setup.hidden, epochs, setup.batch, checkpoints, seed)


def over_checkpoints(
    runs: dict, folder: Path, key: Callable[[str, int], tuple], inputs: Sequence[str], seeds: Sequence[int],
    quantity: Callable[[Trained, MLP], ArrayLike],
) -> tuple[np.ndarray, np.ndarray]:
    """The checkpoints, (c,), and quantity(trained, net) at each of them: (inputs, c, seeds, ...).

    key(input, seed) names the run.
    """
    table, epochs = [], np.zeros(0)
    for name in inputs:
        by_seed = []
        for seed in seeds:
            trained = read(runs[key(name, seed)], folder)
            epochs = trained.epochs
            by_seed.append([quantity(trained, net) for net in trained.nets])
        table.append(np.array(by_seed).swapaxes(0, 1))
    return epochs, np.array(table)


def over_images(
    settings: Settings, folder: Path, quantity: Callable[[Trained, MLP], ArrayLike], inputs: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """quantity(trained, net) for every image, input, checkpoint and seed, under "values": (images, inputs, c, seeds, ...)."""
    wanted = image_runs(settings, wide=True)
    inputs = IMAGE_INPUTS[settings.scale] if inputs is None else inputs
    tables = []
    for image in IMAGES:
        epochs, table = over_checkpoints(
            wanted, folder, lambda name, seed, image=image: (image, name, seed), inputs, settings.seeds, quantity)
        tables.append(table)
    return {"images": np.array(IMAGES), "inputs": np.array(inputs), "epochs": epochs, "values": np.array(tables)}
