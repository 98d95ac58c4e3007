"""Run the experiments and judge every claim.

    python -m scripts.reproduce                     every experiment at laptop scale
    python -m scripts.reproduce --quick             everything, tiny, in a minute or two
    python -m scripts.reproduce e5_image_hamming    only the named ones; e5 is enough
    python -m scripts.reproduce e1 e5 --image photo.jpg --signal sound.csv --inputs [0,1] L=4 L=8

Writes, under --out: claims.md and claims.json (the ledger: claim, measured, effect over
seeds, verdict), report.html, and NAME.npz, NAME.png, NAME.pdf and NAME.json per experiment.
Training runs are shared between experiments and kept in runs/; finished work is not repeated.

Your own pictures and signals replace the images and the tones.  A signal is scaled to mean 0
and variance 1; a picture is cut to its largest centred square; both are averaged down to the
number of samples.  The exit status says whether everything ran, not whether a claim held.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NoReturn

import numpy as np

from scripts.lab import own_data, report, runs, schedule
from scripts.lab.inputs import encoding, in_order
from scripts.lab.settings import Own, Settings

MOST_PIXELS = 256  # per axis, of the images that come with matplotlib
SEEDS = {"quick": 3, "laptop": 5, "paper": 1}


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out the experiments the command line asks for; 0 unless something broke, whatever the
    verdicts."""
    options = parsed(argv)
    start, settings = time.monotonic(), settings_of(options)
    names = schedule.chosen(options.experiments)
    options.out.mkdir(parents=True, exist_ok=True)
    keep_own(options, settings)
    # Read by the C library as workers start: they keep the memory of arrays.  To have it cleared by
    # the system for every new array takes as long as the arithmetic.
    os.environ |= {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, mp_context=context,
                             initializer=_leave_interrupts_to_the_parent) as executor:
        try:
            records, failed = schedule.carry_out(names, settings, options.out, executor,
                                                 force=options.force)
        except KeyboardInterrupt:
            _abandon(options.out)
    report.write(list(records.values()), failed, options.out)
    print(f"{len(records)} experiments in {time.monotonic() - start:.0f} s; results in "
          f"{options.out}/"
          + (f"; FAILED: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


# ---------------------------------------------------------------- the command line


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line, checked.  What is wrong with it is one line, and exit status 2."""
    parser = argparse.ArgumentParser(prog="python -m scripts.reproduce", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT",
                        help=f"which ones (default: all): {', '.join(schedule.all_names())}")
    parser.add_argument("--quick", action="store_true",
                        help="tiny networks, to see everything run; its verdicts mean little")
    parser.add_argument("--scale", choices=("laptop", "paper"), default="laptop",
                        help="sizes of the runs (default: laptop)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--seeds", type=int,
                        help="how many seeds (default: 5; 3 with --quick; 1 at paper scale)")
    parser.add_argument("--epochs", type=int,
                        help="train for this many epochs instead of the scale's own")
    parser.add_argument("--grid", choices=runs.GRIDS, default="half-open",
                        help="sample positions (see scripts/lab/runs.py)")
    parser.add_argument("--image", type=Path, nargs="+", default=[], metavar="PATH",
                        help="own pictures (png, jpg, tif), or folders of them")
    parser.add_argument("--signal", type=Path, metavar="FILE",
                        help="an own signal: .npy, .csv or .txt, its first column")
    parser.add_argument("--size", type=int,
                        help="pixels per axis; with --signal and no --image, samples of the signal")
    parser.add_argument("--hidden", type=int, nargs="+", default=[], metavar="W",
                        help="widths of the hidden layers")
    parser.add_argument("--inputs", nargs="+", default=[], metavar="NAME",
                        help="inputs to compare, such as [0,1] [-2,2] L=4")
    parser.add_argument("--out", type=Path, default=Path("out"),
                        help="where results go (default: out)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(),
                        help="processes (default: one per core)")
    parser.add_argument("--force", action="store_true", help="repeat what is already there")
    options = parser.parse_args(argv)
    try:
        check(options)
        schedule.chosen(options.experiments)
        read_own(options)
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    return options


def check(options: argparse.Namespace) -> None:
    """ValueError unless every number is in its range and every input exists."""
    if options.seed < 0 or options.workers < 1:
        raise ValueError("--seed must not be negative; --workers must be at least 1")
    counts = (options.seeds, options.epochs, *options.hidden)
    if any(number is not None and number < 1 for number in counts):
        raise ValueError("--seeds, --epochs and --hidden must be at least 1")
    if options.size is not None and options.size < own_data.LEAST_PIXELS:
        raise ValueError(f"--size must be at least {own_data.LEAST_PIXELS}")
    if (options.size or 0) > MOST_PIXELS and not options.image and not options.signal:
        raise ValueError(f"--size must be at most {MOST_PIXELS}, as many as the brain scan has")
    for name in options.inputs:
        if name.startswith("2^"):
            raise ValueError(f"--inputs are [lo,hi] or L=k. Got {name!r}")
        encoding(name)


def read_own(options: argparse.Namespace) -> None:
    """Read the own data into options.pictures and options.column; ValueError for what cannot be
    used."""
    files = own_data.picture_files(options.image)
    options.pictures = {path: own_data.read_picture(path) for path in files}
    options.column = None if options.signal is None else own_data.read_signal(options.signal)
    least = [(path, min(values.shape[:2])) for path, values in options.pictures.items()]
    if options.column is not None and not options.pictures:
        least = [(options.signal, len(options.column))]
    for path, size in least:
        if options.size is not None and options.size > size:
            raise ValueError(f"{path}: too small for --size {options.size}; it has {size} samples "
                             f"per axis")


def settings_of(options: argparse.Namespace) -> Settings:
    scale = "quick" if options.quick else options.scale
    seeds = tuple(range(options.seed, options.seed + (options.seeds or SEEDS[scale])))
    called = labels(list(options.pictures))
    pictures = [own(label, path, values, own_data.PICTURE)
                for label, (path, values) in zip(called, options.pictures.items(), strict=True)]
    column = None
    if options.column is not None:
        column = own(options.signal.stem, options.signal, options.column, own_data.SIGNAL)
    return Settings(scale, seeds, options.grid, options.epochs, options.size, tuple(options.hidden),
                    in_order(options.inputs), tuple(pictures), column)


def own(label: str, path: Path, values: np.ndarray, kind: str) -> Own:
    """What settings say of own data; their samples are along all axes but the last."""
    return Own(label, str(path), own_data.name(values, kind), min(values.shape[:-1]))


def labels(paths: Sequence[Path]) -> list[str]:
    """What pictures are called: the name of the file, its ending only where two share the rest, and
    a number if that is not enough."""
    stems = [path.stem for path in paths]
    names = [path.stem if stems.count(path.stem) == 1 else path.name for path in paths]
    return [name if names.count(name) == 1 else f"{name} ({k + 1})" for k, name in enumerate(names)]


def keep_own(options: argparse.Namespace, settings: Settings) -> None:
    """Put the own data where every worker finds them, and say which run files are whose."""
    for picture, values in zip(settings.pictures, options.pictures.values(), strict=True):
        own_data.keep(values, own_data.PICTURE, options.out / "runs")
        print(f"{picture.path}: {picture.signal}")
    if settings.signal:
        own_data.keep(np.asarray(options.column), own_data.SIGNAL, options.out / "runs")
        print(f"{settings.signal.path}: {settings.signal.signal}")


# ---------------------------------------------------------------- interrupts


def _leave_interrupts_to_the_parent() -> None:
    """In a worker: Ctrl-C reaches every process of a terminal, but only one should answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _abandon(out: Path) -> NoReturn:
    """Stop the workers where they are, remove what they were writing, and leave with the status of
    an interrupt."""
    workers = multiprocessing.active_children()
    for worker in workers:
        worker.kill()
    for worker in workers:
        worker.join()
    for part in out.rglob(".*.part"):
        part.unlink(missing_ok=True)
    print("\ninterrupted; finished runs are kept, and the same command goes on from there",
          file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(130)  # an orderly exit would wait for the pool's threads, and they for the workers


if __name__ == "__main__":
    sys.exit(main())
