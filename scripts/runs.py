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

from relu_dynamics.encoding import Coordinates, Encoding, PositionalEncoding
from relu_dynamics.mlp import MLP, flatten, init, replacing, unflatten
from relu_dynamics.signals import PAPER_TONES, grid, photograph, random_image, tones
from relu_dynamics.train import adam, train

GRIDS = ("half-open", "closed", "paper")


class Run(NamedTuple):
    """Everything that decides a training run."""

    signal: str                   # "tones", "random image" or "photograph"
    size: int                     # samples per axis
    input: str                    # "[0,1]", "[-3,3]", ... for coordinates; "L=6" for the positional encoding
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
    """ "[a,b]" is coordinates stretched to [a, b]; "L=k" is the positional encoding with k frequencies."""
    if name.startswith("L="):
        return PositionalEncoding(int(name[2:]))
    low, high = name.strip("[]").split(",")
    return Coordinates(float(low), float(high))


def stream(run: Run, purpose: str) -> np.random.Generator:
    """Independent randomness for each purpose.  The signal and the pairs depend on the seed alone,
    so runs that differ in their input are compared on the same signal and the same pairs."""
    return np.random.default_rng([run.seed, ["signal", "weights", "batches", "pairs"].index(purpose)])


def problem(run: Run) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """The signal's shape, the network's inputs (n, D) and targets (n, m)."""
    rng = stream(run, "signal")
    if run.signal == "tones":
        shape: tuple[int, ...] = (run.size,)
        y = tones(grid(shape, "half-open"), PAPER_TONES, rng.uniform(size=len(PAPER_TONES)))
    else:
        shape = (run.size, run.size)
        image = random_image(shape, rng) if run.signal == "random image" else photograph(shape)
        y = image.reshape(-1, image.shape[-1])
    feed = encoding(run.input)
    coordinates = isinstance(feed, Coordinates)
    convention = {"paper": "half-open" if coordinates else "closed"}.get(run.grid, run.grid)
    return shape, feed(grid(shape, convention)), y


def perform(run: Run, folder: Path) -> Path:
    """Train, and write the checkpoints under folder; returns the file's path.  The file appears whole or not at all."""
    _, x, y = problem(run)
    net = init([x.shape[1], *run.hidden, y.shape[1]], stream(run, "weights"))
    _, history = train(
        net, x, y, optimiser=adam(run.rate), epochs=run.epochs, batch_size=run.batch, rng=stream(run, "batches"),
        reshuffle=False, dtype=np.float32, record_epochs=run.checkpoints,
        record=lambda epoch, net: flatten(net).astype(np.float32), progress=False,
    )
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / run.name()) as file:
        np.savez(file, run=repr(tuple(run)), loss=history.loss, widths=[x.shape[1], *run.hidden, y.shape[1]],
                 epochs=np.array(sorted(history.records)),
                 parameters=np.array([history.records[epoch] for epoch in sorted(history.records)]))
    return folder / run.name()


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
    return {(name, seed): _run(SIGNAL[settings.scale], "tones", name, seed, settings)
            for name in inputs for seed in settings.seeds}


def image_runs(settings: Settings, wide: bool = False) -> dict[tuple[str, str, int], Run]:
    """(image, input, seed) -> run on a random image and on the photograph; wide adds [-2,2] and [-3,3]."""
    inputs = IMAGE_INPUTS[settings.scale] + (WIDE_INPUTS if wide else ())
    return {(image, name, seed): _run(IMAGE[settings.scale], image, name, seed, settings)
            for image in IMAGES for name in inputs for seed in settings.seeds}


def _run(setup: Setup, signal: str, name: str, seed: int, settings: Settings) -> Run:
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
