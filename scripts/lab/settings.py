"""The options of the command line, and the families of runs that experiments share."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics import MLP
from scripts.lab.inputs import in_order
from scripts.lab.runs import Run, Trained, read


class Own(NamedTuple):
    """A user's picture or signal."""

    label: str   # its name in tables and pictures
    path: str    # the file it was read from, for the command that repeats an experiment
    signal: str  # "picture DIGEST" or "signal DIGEST", of its content; part of the names of runs
    size: int    # its number of samples per axis


class Settings(NamedTuple):
    """The options of the command line.  None or empty means the default of the scale."""

    scale: str = "laptop"            # "quick", "laptop" or "paper"
    seeds: tuple[int, ...] = (0, 1, 2)
    grid: str = "half-open"
    epochs: int | None = None
    size: int | None = None          # per axis of pictures; of the signal if only that is given
    hidden: tuple[int, ...] = ()
    inputs: tuple[str, ...] = ()
    pictures: tuple[Own, ...] = ()
    signal: Own | None = None


def as_options(settings: Settings) -> str:
    """The command-line options for these settings, with a space before each."""
    first, count = settings.seeds[0], len(settings.seeds)
    options = {"quick": "--quick", "paper": "--scale paper"}.get(settings.scale, "").split()
    options += ["--seed", first] if first else []
    options += ["--seeds", count]
    options += ["--grid", settings.grid] if settings.grid != "half-open" else []
    options += ["--epochs", settings.epochs] if settings.epochs is not None else []
    options += ["--size", settings.size] if settings.size is not None else []
    options += ["--hidden", *settings.hidden] if settings.hidden else []
    options += ["--inputs", *settings.inputs] if settings.inputs else []
    options += ["--image", *(own.path for own in settings.pictures)] if settings.pictures else []
    options += ["--signal", settings.signal.path] if settings.signal else []
    return "".join(f" {shlex.quote(str(option))}" for option in options)


# ------------------------------------------------------------ the sizes of each scale


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
IMAGES = {
    "quick": ("random image", "photograph"),
    "laptop": ("random image", "photograph", "elevation", "brain"),
    "paper": ("random image", "photograph"),  # the others are smaller than 512 x 512
}


def signal_inputs(settings: Settings, default: Sequence[str] = SIGNAL_INPUTS) -> tuple[str, ...]:
    """The inputs compared on signals, from the narrowest coordinates to the most frequencies."""
    return in_order(settings.inputs or default)


def image_inputs(settings: Settings) -> tuple[str, ...]:
    """The inputs compared on images, in the same order."""
    return in_order(settings.inputs or IMAGE_INPUTS[settings.scale])


def extremes(settings: Settings, default: Sequence[str]) -> tuple[str, ...]:
    """The first and the last input, for experiments that compare two."""
    names = in_order(settings.inputs or default)
    return tuple(dict.fromkeys((names[0], names[-1])))


def images(settings: Settings) -> dict[str, str]:
    """label -> signal of the images: the user's own, or the scale's."""
    own = {own.label: own.signal for own in settings.pictures}
    return own or {name: name for name in IMAGES[settings.scale]}


def natural_image(settings: Settings) -> tuple[str, str]:
    """Label and signal of the image for experiments that use only one: the user's first, or the
    photograph."""
    return next((label, signal) for label, signal in images(settings).items()
                if label != "random image")


def made_run(setup: Setup, signal: str, name: str, seed: int, settings: Settings) -> Run:
    """One run of a set-up, changed by the settings."""
    epochs = setup.epochs if settings.epochs is None else settings.epochs
    checkpoints = tuple(sorted({*(c for c in setup.checkpoints if c <= epochs), epochs}))
    return Run(signal, setup.size, name, settings.grid, settings.hidden or setup.hidden, epochs,
               setup.batch, checkpoints, seed)


def signal_setup(settings: Settings, setups: dict[str, Setup] = SIGNAL) -> Setup:
    """The set-up for signals.  The user's signal keeps its number of samples, at most that of the
    scale, unless the settings give a size."""
    setup = setups[settings.scale]
    if settings.signal is None:
        return setup
    asked = None if settings.pictures else settings.size
    return setup._replace(size=asked or min(setup.size, settings.signal.size))


def image_setup(settings: Settings, setups: dict[str, Setup] = IMAGE) -> Setup:
    """The set-up for images.  The user's pictures keep their pixels per axis, at most those of the
    scale, unless the settings give a size."""
    setup = setups[settings.scale]
    least = min((own.size for own in settings.pictures), default=setup.size)
    asked = None if settings.signal and not settings.pictures else settings.size
    return setup._replace(size=asked or min(setup.size, least))


def signal_runs(
    settings: Settings, inputs: Sequence[str] | None = None, signal: str = "tones",
    setups: dict[str, Setup] = SIGNAL
) -> dict[tuple[str, int], Run]:
    """(input, seed) -> run on the 14 tones, or on the user's signal."""
    signal = settings.signal.signal if settings.signal else signal
    return {(name, seed): made_run(signal_setup(settings, setups), signal, name, seed, settings)
            for name in inputs or signal_inputs(settings) for seed in settings.seeds}


def image_runs(settings: Settings,
               inputs: Sequence[str] | None = None) -> dict[tuple[str, str, int], Run]:
    """(image, input, seed) -> run on each of the images."""
    return {(label, name, seed): made_run(image_setup(settings), signal, name, seed, settings)
            for label, signal in images(settings).items() for name in inputs
            or image_inputs(settings) for seed in settings.seeds}


def natural_runs(settings: Settings,
                 inputs: Sequence[str] | None = None) -> dict[tuple[str, int], Run]:
    """(input, seed) -> run on the one natural image."""
    label, _ = natural_image(settings)
    return {(name, seed): run for (image, name, seed), run in image_runs(settings, inputs).items()
            if image == label}


# ------------------------------------------------------------ measurements


def over_checkpoints(
    runs: dict[tuple, Run], folder: Path, quantity: Callable[[Trained, MLP], ArrayLike],
    axes: Sequence[str] = ("images", "inputs"),
) -> dict[str, np.ndarray]:
    """{"values": quantity(trained, net) of all runs at their checkpoints, (..., inputs,
    checkpoints, seeds, ...), "epochs": the checkpoints, and the labels of each of the axes}.

    The keys of runs are (..., input, seed); the last of axes is that of the inputs.
    """
    table = []
    for run in runs.values():
        trained = read(run, folder)
        table.append([quantity(trained, net) for net in trained.nets])
    *names, seeds = (list(dict.fromkeys(axis)) for axis in zip(*runs, strict=True))
    stacked = np.array(table)
    stacked = stacked.reshape(*map(len, names), len(seeds), *stacked.shape[1:])
    along = {axis: np.array(each) for axis, each in zip(axes[-len(names):], names, strict=True)}
    values = stacked.swapaxes(len(names), len(names) + 1)  # checkpoints before seeds
    return {**along, "epochs": trained.epochs, "values": values}
