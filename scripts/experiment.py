"""How experiments are carried out: runs first, then measurements, claims and pictures.

An experiment is a module of this folder with

    TITLE, SOURCE, SHOWS           what it is about, where it is from, what the picture shows
    runs(settings)                 the training runs it needs
    measure(settings, folder)      everything it plots, as named arrays, from their checkpoints
    claims(data)                   the ledger rows, from those arrays alone
    draw(data)                     a matplotlib Figure, from those arrays alone

Runs and experiments are mapped over a concurrent.futures executor, a process pool unless
told otherwise.  For an experiment NAME the folder --out receives NAME.npz (what is
plotted), NAME.png, NAME.pdf for print, and NAME.json (its claims; written last, so its
presence means done).  What is there already, with the same settings, is kept unless --force.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import NoReturn

import numpy as np

from relu_dynamics import __version__
from relu_dynamics.files import replacing
from scripts import ledger, report
from scripts import runs as training
from scripts.runs import Run, Settings

ALL = (
    "e1_signal_fit",
    "e2_signal_hamming",
    "e3_signal_confusion",
    "e4_region_growth",
    "e4_exact_regions",
    "e5_image_hamming",
    "e6_hamming_by_layer",
    "e7_dead_units",
    "e8_image_confusion",
    "e9_region_maps",
    "e10_spectral_norms",
    "e11_hyperplane_angles",
    "e12_wall_distance",
    "e13_inscribed_balls",
    "e14_cross_sections",
    "e15_high_dimensional",
    "e16_natural_images",
    "e17_depth_and_width",
    "e18_signal_appendix",
    "e19_shared_frequency",
    "e20_encoding_distances",
    "e21_generalisation",
    "e22_training_curves",
    "t10_hamming_and_kernel",
    "t15_interference",
    "t16_frequency_rates",
    "t17_patch_frequency",
    "t18_moving_walls",
    "t32_infinite_width",
    "t35_frequencies",
)


def perform(name: str, settings: Settings, out: Path) -> dict[str, object]:
    """Measure, write NAME.npz, .png, .pdf and .json under out, and return what the last holds.  Runs must be there."""
    module = importlib.import_module(f"scripts.{name}")
    data = module.measure(settings, out / "runs")
    with replacing(out / f"{name}.npz") as file:
        np.savez(file, settings=repr(tuple(settings)), **data)
    figure = module.draw(data)
    for ending, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None, "Creator": None, "Producer": None})):
        with replacing(out / f"{name}.{ending}") as file:
            figure.savefig(file, format=ending, dpi={"png": 130, "pdf": 300}[ending], metadata=metadata)
    record = {**described(name, settings), "claims": ledger.rows(module.claims(data))}
    ledger.write_json(out / f"{name}.json", record)
    return record


def described(name: str, settings: Settings) -> dict[str, object]:
    """What there is to say about an experiment before it has run; its docstring is a question, a command, how it is done, files."""
    module = importlib.import_module(f"scripts.{name}")
    question, _, *about, _ = (" ".join(part.split()) for part in str(module.__doc__).strip().split("\n\n"))
    number = name.split("_")[0].upper()  # E1 to E22 and T10 to T35, as in the claims
    return {"name": name, "title": f"{number}. {module.TITLE}", "source": module.SOURCE, "question": question, "shows": module.SHOWS, "about": about,
            "command": f"python -m scripts.{name}{training.as_options(settings)}", "settings": repr(tuple(settings)),
            "version": __version__}


def done(name: str, settings: Settings, out: Path) -> dict[str, object] | None:
    """The record of an experiment that this version has completed under these settings, else None."""
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

    Each experiment starts as soon as its own runs are there.  A failure is printed and the others go on.
    """
    (out / "runs").mkdir(parents=True, exist_ok=True)
    records: dict[str, dict[str, object]] = {}
    failed: list[str] = []
    for name in names:
        if not force and (old := done(name, settings, out)) is not None:
            print(f"{name}: already done, kept (--force repeats it)")
            records[name] = old
    waiting = {name: set(importlib.import_module(f"scripts.{name}").runs(settings)) for name in names if name not in records}
    missing = [run for run in dict.fromkeys(run for name in waiting for run in sorted(waiting[name]))
               if force or not (out / "runs" / run.name()).exists()]
    waiting = {name: needs & set(missing) for name, needs in waiting.items()}
    progress = Progress(missing, len(waiting), out / "runs")
    jobs: dict[Future[object], Run | str] = {executor.submit(training.perform, run, out / "runs"): run for run in missing}

    def start_ready() -> None:
        for name in [name for name, needs in waiting.items() if not needs]:
            del waiting[name]
            jobs[executor.submit(perform, name, settings, out)] = name

    start_ready()
    while jobs:
        for future in wait(jobs, timeout=5 if progress.terminal else None, return_when=FIRST_COMPLETED).done:
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
                    progress.say(f"{job}: done\n" + "\n".join(ledger.lines(records[job]["claims"])))  # type: ignore[arg-type]
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
    """One line on a terminal that says what is left; nothing but results elsewhere."""

    def __init__(self, runs: Sequence[Run], experiments: int, folder: Path) -> None:
        self.runs, self.experiments, self.folder = set(runs), experiments, folder
        self.total = sum(map(training.work, runs))
        self.before = sum(training.share_done(run, folder) * training.work(run) for run in runs)  # by an interrupted command
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
        left = sum((1 - training.share_done(run, self.folder)) * training.work(run) for run in self.runs)
        here = self.total - self.before - left
        seconds = (time.monotonic() - self.start) * left / here if here > 0 else float("nan")
        text = f"{len(self.runs)} runs and {self.experiments} experiments to go"
        if self.runs:
            hours, minutes = divmod(seconds / 60, 60)
            text += f", about {hours:.0f}:{minutes:02.0f} h of training left" if here > 0 else ", training"
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        print(text, flush=True)

    def close(self) -> None:
        if self.terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def arguments(description: str | None, argv: Sequence[str] | None, names: bool) -> argparse.Namespace:
    """The command line every script shares."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if names:
        parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help=f"which ones (default: all): {', '.join(ALL)}")
    parser.add_argument("--quick", action="store_true", help="tiny networks, to see everything run; its verdicts mean little")
    parser.add_argument("--scale", choices=("laptop", "paper"), default="laptop", help="sizes of the runs (default: laptop)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--seeds", type=int, default=None, help="how many seeds (default: 5; 3 with --quick; 1 at paper scale)")
    parser.add_argument("--epochs", type=int, default=None, help="train for this many epochs instead of the scale's own")
    parser.add_argument("--grid", choices=training.GRIDS, default="half-open", help="sample positions (see scripts/runs.py)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="where results go (default: out)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: one per core)")
    parser.add_argument("--force", action="store_true", help="repeat what is already there")
    options = parser.parse_args(argv)
    if options.seed < 0 or (options.seeds is not None and options.seeds < 1) or options.workers < 1:
        parser.error("--seed must not be negative; --seeds and --workers must be at least 1")
    if options.epochs is not None and options.epochs < 1:
        parser.error("--epochs must be at least 1")
    if names and (unknown := set(options.experiments) - set(ALL)):
        parser.error(f"unknown experiment {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    return options


def settings_of(options: argparse.Namespace) -> Settings:
    scale = "quick" if options.quick else options.scale
    count = options.seeds or {"quick": 3, "laptop": 5, "paper": 1}[scale]
    return Settings(scale, tuple(range(options.seed, options.seed + count)), options.grid, options.epochs)


def _leave_interrupts_to_the_parent() -> None:
    """In a worker: Ctrl-C reaches every process of a terminal, but only one should answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _abandon(out: Path) -> NoReturn:
    """Stop the workers where they are, remove what they were writing, and leave with the status of an interrupt."""
    workers = multiprocessing.active_children()
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.join()
    for part in out.rglob(".*.part"):
        part.unlink(missing_ok=True)
    print("\ninterrupted; finished runs are kept, and the same command goes on from there", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(130)  # an orderly exit would wait for the pool's threads, and they for the workers


def main(argv: Sequence[str] | None, description: str | None, only: str | None = None) -> int:
    """Carry out the experiments the command line asks for; 0 unless something broke, whatever the verdicts."""
    options = arguments(description, argv, names=only is None)
    names = [only] if only else [name for name in ALL if name in options.experiments] or list(ALL)
    settings, start = settings_of(options), time.monotonic()
    options.out.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, mp_context=context, initializer=_leave_interrupts_to_the_parent) as executor:
        try:
            records, failed = carry_out(names, settings, options.out, executor, force=options.force)
        except KeyboardInterrupt:
            _abandon(options.out)
    if only is None:
        _write_reports(list(records.values()), failed, settings, options.out)
    print(f"{len(records)} experiments in {time.monotonic() - start:.0f} s; results in {options.out}/"
          + (f"; FAILED: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def _write_reports(records: Sequence[dict[str, object]], failed: Sequence[str], settings: Settings, out: Path) -> None:
    """claims.json for machines, claims.md and report.html for readers."""
    heading = f"Claims at {settings.scale} scale, seeds {list(settings.seeds)}"
    claims = [{"experiment": record["name"], **row} for record in records for row in record["claims"]]  # type: ignore[attr-defined]
    ledger.write_json(out / "claims.json", {"settings": settings._asdict(), "claims": claims})
    ledger.write_text(out / "claims.md", ledger.markdown(records, heading))
    ledger.write_text(out / "report.html", report.page(records, failed, heading, out))
