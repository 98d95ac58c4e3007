"""Run the experiments: training runs first, then measurements, claims and pictures.

Runs and experiments are mapped over any concurrent.futures executor.  For an experiment NAME the
folder --out receives NAME.npz (the data plotted), NAME.png, NAME.pdf for print, and NAME.json (the
claims; written last, so it marks the experiment as done).  Results that exist, with the same
settings, are kept unless --force.

On several machines, with dask.distributed: start the scheduler and the workers from a clone that
they share, for both must import scripts (PYTHONPATH=/path/to/clone dask scheduler, and the same for
dask worker), and then

    from dask.distributed import Client
    from pathlib import Path
    from scripts.lab import report, schedule
    from scripts.lab.settings import Settings

    executor, out = Client("scheduler:8786").get_executor(), Path("/shared/out")
    records, failed = schedule.carry_out(
        schedule.all_names(), Settings("laptop", seeds=(0, 1, 2)), out, executor)
    report.write(list(records.values()), failed, out)
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path
from types import ModuleType

import numpy as np
from matplotlib.figure import Figure

from relu_dynamics import __version__
from relu_dynamics.files import replacing
from scripts import experiments
from scripts.lab import ledger, png
from scripts.lab import runs as training
from scripts.lab.runs import Run
from scripts.lab.settings import Settings, as_options

NUMBER = re.compile(r"([a-z])(\d+)_\w+")


def all_names() -> list[str]:
    """Every experiment of scripts/experiments, in natural order: e1, e2, ..., e22, then t10, ...,
    then x0, ..."""
    found = [name for _, name, _ in pkgutil.iter_modules(experiments.__path__)
             if NUMBER.fullmatch(name)]
    return sorted(found, key=lambda name: (name[0], int(NUMBER.fullmatch(name)[2]),
                                           name))  # type: ignore[index]


def chosen(words: Sequence[str]) -> list[str]:
    """The experiments named by words, in full ("e5_image_hamming") or by number ("e5"), in natural
    order; all of them without words.  ValueError for an unknown word."""
    names = all_names()
    known = {word for name in names for word in (name, name.split("_")[0])}
    if unknown := [word for word in words if word not in known]:
        raise ValueError(f"unknown experiment {', '.join(unknown)}; there are {', '.join(names)}")
    return [name for name in names if not words or name in words or name.split("_")[0] in words]


def module(name: str) -> ModuleType:
    return importlib.import_module(f"scripts.experiments.{name}")


def perform(name: str, settings: Settings, out: Path) -> dict[str, object]:
    """Measure, write NAME.npz, .png, .pdf and .json under out, and return the content of the last.
    The runs must exist."""
    experiment = module(name)
    data = experiment.measure(settings, out / "runs")
    with replacing(out / f"{name}.npz") as file:
        np.savez(file, settings=repr(tuple(settings)), **data)
    save(experiment.draw(data), out / f"{name}.png", out / f"{name}.pdf")
    record = {**described(name, settings), "length": length(experiment, settings),
              "claims": ledger.rows(experiment.claims(data), kind(experiment), settings.scale)}
    ledger.write_json(out / f"{name}.json", record)
    return record


def save(figure: Figure, screen: Path, paper: Path) -> None:
    """Write a figure as PNG and as PDF, completely or not at all; the same bytes every time."""
    with replacing(screen) as file:
        png.write(figure, file)
    figure.set_layout_engine("none")  # as laid out for the screen
    with replacing(paper) as file:
        figure.savefig(file, format="pdf", dpi=300,
                       metadata={"CreationDate": None, "Creator": None, "Producer": None})


def kind(experiment: ModuleType) -> str:
    """The default kind of the claims of an experiment: "paper", or "question" for our own."""
    return getattr(experiment, "KIND", "paper")


def length(experiment: ModuleType, settings: Settings) -> str:
    """The length of training, and that of the paper: "300 epochs, 1000 in the paper"."""
    epochs = {run.epochs for run in experiment.runs(settings)}
    if not epochs and hasattr(experiment, "SETUPS"):  # it trains by itself, in full batches
        epochs = {settings.epochs or experiment.SETUPS[settings.scale].epochs}
    ours = f"{' and '.join(map(str, sorted(epochs)))} epochs" if epochs else "no training"
    paper = getattr(experiment, "PAPER_EPOCHS", None)
    return ours + (f", {paper} in the paper" if paper else "")


def described(name: str, settings: Settings) -> dict[str, object]:
    """The record of an experiment before it has run, from its docstring: the question, the command,
    and the method."""
    experiment = module(name)
    question, _, *about = (" ".join(part.split())
                           for part in str(experiment.__doc__).strip().split("\n\n"))
    number = name.split("_")[0].upper()  # E1 to E22 and so on, as in the claims
    return {"name": name, "title": f"{number}. {experiment.TITLE}", "source": experiment.SOURCE,
            "question": question,
            "shows": experiment.SHOWS, "about": about,
            "command": f"python -m scripts.reproduce {name}{as_options(settings)}",
            "settings": repr(tuple(settings)), "version": __version__}


def done(name: str, settings: Settings, out: Path) -> dict[str, object] | None:
    """The record of an experiment completed by this version with these settings, else None."""
    files = [out / f"{name}.{ending}" for ending in ("json", "npz", "png", "pdf")]
    if not all(file.exists() for file in files):
        return None
    try:
        record = json.loads(files[0].read_text())
    except ValueError:
        return None
    return record if {**record, **described(name, settings)} == record else None


def carry_out(
    names: Sequence[str], settings: Settings, out: Path, executor: Executor, *, force: bool = False
) -> tuple[dict[str, dict[str, object]], list[str]]:
    """The record of each experiment, in the given order, and the names of those that failed.

    Each experiment starts as soon as its own runs exist.  A failure is printed and the others
    continue.
    """
    (out / "runs").mkdir(parents=True, exist_ok=True)
    records: dict[str, dict[str, object]] = {}
    failed: list[str] = []
    for name in names:
        if not force and (old := done(name, settings, out)) is not None:
            print(f"{name}: already done, kept (--force repeats it)")
            records[name] = old
    waiting = {name: set(module(name).runs(settings)) for name in names if name not in records}
    needed = dict.fromkeys(run for needs in waiting.values() for run in sorted(needs, key=Run.name))
    missing = [run for run in needed if force or not (out / "runs" / run.name()).exists()]
    waiting = {name: needs & set(missing) for name, needs in waiting.items()}
    progress = Progress(missing, len(waiting), out / "runs")
    jobs: dict[Future[object], Run | str] = {
        executor.submit(training.perform, run, out / "runs"): run for run in missing}

    def start_ready() -> None:  # the last ones take longest, and go first: no worker waits for them
        for name in [name for name in reversed(waiting) if not waiting[name]]:
            del waiting[name]
            jobs[executor.submit(perform, name, settings, out)] = name

    start_ready()
    while jobs:
        for future in wait(jobs, timeout=5 if progress.terminal else None,
                           return_when=FIRST_COMPLETED).done:
            job = jobs.pop(future)
            error = future.exception()
            if error is not None:
                progress.say(f"{job if isinstance(job, str) else job.name()}: FAILED\n"
                             + "".join(traceback.format_exception(error)))
            if isinstance(job, str):
                if error is not None:
                    failed.append(job)
                else:
                    records[job] = future.result()  # type: ignore[assignment]
                    progress.say(f"{job}: done\n"
                                 + "\n".join(ledger.lines(records[job]["claims"])))
            else:
                for name in [name for name, needs in waiting.items() if job in needs]:
                    waiting[name].discard(job)
                    if error is not None:
                        del waiting[name]
                        failed.append(name)
            progress.finished(job)
        progress.show()
        start_ready()
    progress.close()
    return {name: records[name] for name in names if name in records}, failed


class Progress:
    """A line with the work left, on a terminal only; results are printed everywhere."""

    def __init__(self, runs: Sequence[Run], experiments: int, folder: Path) -> None:
        self.runs, self.experiments, self.folder = set(runs), experiments, folder
        self.total = sum(map(training.work, runs))
        self.before = sum(training.share_done(run, folder) * training.work(run)
                          for run in runs)  # by an interrupted command
        self.start, self.terminal = time.monotonic(), sys.stderr.isatty()
        if runs:
            self.say(f"{len(runs)} training runs, {experiments} experiments")

    def finished(self, job: Run | str) -> None:
        if isinstance(job, str):
            self.experiments -= 1
        else:
            self.runs.discard(job)
        self.show()

    def show(self) -> None:
        if not self.terminal:
            return
        left = sum((1 - training.share_done(run, self.folder)) * training.work(run)
                   for run in self.runs)
        here = self.total - self.before - left
        seconds = (time.monotonic() - self.start) * left / here if here > 0 else float("nan")
        text = f"{len(self.runs)} runs and {self.experiments} experiments to go"
        if self.runs:
            hours, minutes = divmod(seconds / 60, 60)
            left_over = f", about {hours:.0f}:{minutes:02.0f} h of training left"
            text += left_over if here > 0 else ", training"
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        print(text, flush=True)

    def close(self) -> None:
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
