"""How fast are the exact regions in a window, and how much memory do they take?

    python -m scripts.benchmark regions                # all sizes, two minutes
    python -m scripts.benchmark regions --quick        # the small ones, half a minute

Side by side in one process per network, taking turns, medians: regions_in_window with
packed patterns, with affine maps, with the certificate too; one forward pass at the
vertices of the result, in blocks of rows; count_regions; and, when it can be imported,
regioncam (Rust, float32), which runs once and alone where there are many regions.  Peak
memory is that of a fresh process each.  Networks are init([2, ..., 1], default_rng(0))
in [-1, 1]^2.
"""

from __future__ import annotations

import contextlib
import cProfile
import importlib.util
import multiprocessing
import os
import pstats
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from relu_dynamics.checks import Array, row_blocks
from relu_dynamics.mlp import MLP, init, predict
from relu_dynamics.encoding import PositionalEncoding
from relu_dynamics.regions2d import count_regions, regions_in_encoded_window, regions_in_window

T = TypeVar("T")
Burst = Callable[[], object]  # a function worth calling many times
SIZES = {"[16]2": [16] * 2, "[32]3": [32] * 3, "[64]3": [64] * 3, "[128]2": [128] * 2,
         "[128]3": [128] * 3, "[256]2": [256] * 2, "[256]3": [256] * 3, "[512]2": [512] * 2}
SLOW = 30_000  # from this number of regions on, regioncam runs once, alone
QUICK = ("[16]2", "[32]3", "[64]3", "[128]2")
BOX = ((-1.0, 1.0), (-1.0, 1.0))
STEPS = ("_signs", "_cut_edges", "_find_chords", "_crossing_pairs", "_cut_chords", "_scan", "lift",
         "_place", "_link", "_trace", "_face_bits", "_refined", "checked_areas")
MUST = {"[16]2": (0.3, None), "[32]3": (1, None), "[64]3": (4, 3), "[128]3": (10, 3),
        "[256]2": (None, 5), "[256]3": (15, 5), "[512]2": (18, 5)}  # complex, with maps


class Asked(NamedTuple):
    """A measurement and its requirement."""

    work: str
    against: str        # the contestant, if any
    measured: float
    sense: str          # "<=" or ">="
    must: float | None  # None: no requirement
    unit: str

    @property
    def met(self) -> bool:
        if self.must is None:
            return True
        return self.measured <= self.must if self.sense == "<=" else self.measured >= self.must


def ratio(slow: Array, fast: Array) -> float:
    """How many times as long slow takes as fast: the median over rounds."""
    return float(np.median(slow / fast))


def importable(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def network(name: str) -> MLP:
    return init([2, *SIZES[name], 1], np.random.default_rng(0))


def run_regioncam(net: MLP) -> int:
    """The number of faces that regioncam finds in [-1, 1]^2."""
    import regioncam

    camera = regioncam.Regioncam(size=1)
    for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        camera.linear(np.ascontiguousarray(W.T, np.float32), b.astype(np.float32))
        camera.relu()
    return int(camera.num_faces)


def forward_in_blocks(net: MLP, x: Any) -> None:
    for rows in row_blocks(len(x), 1024):
        predict(net, x[rows])


def take_turns(contestants: dict[str, tuple[Burst, int]], rounds: int) -> dict[str, Array]:
    """Seconds per step, (rounds,), of each (burst, steps in it); a round runs each of them once.

    One unmeasured round goes first.  In the pause, threads that still spin (OpenMP's do) go to
    sleep before the next contestant starts.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for k in range(rounds + 1):
        for name, (burst, steps) in contestants.items():
            time.sleep(0.05)
            start = time.perf_counter()
            burst()
            if k:
                seconds[name].append((time.perf_counter() - start) / steps)
    return {name: np.array(measured) for name, measured in seconds.items()}


def repeated(job: Burst, times: int) -> tuple[Burst, int]:
    """job, repeated, as a contestant of take_turns."""
    def burst() -> None:
        for _ in range(times):
            job()

    return burst, times


def measure(name: str, rounds: int) -> dict[str, float]:
    """Seconds for each kind of work on one network, and the counts; small networks repeat."""
    net = network(name)
    start = time.perf_counter()
    found = regions_in_window(net, BOX)
    times = max(1, round(0.05 / (time.perf_counter() - start)))
    jobs: dict[str, Burst] = {
        "complex": lambda: regions_in_window(net, BOX).packed,
        "maps": lambda: regions_in_window(net, BOX).slope,
        "all": lambda: [(r.slope, r.certificate) for r in [regions_in_window(net, BOX)]],
        "count": lambda: count_regions(net, BOX),
        "forward": lambda: forward_in_blocks(net, found.vertices),
    }
    faces: list[int] = []
    if importable("regioncam") and len(found) < SLOW:
        jobs["regioncam"] = lambda: faces.append(run_regioncam(net))
    turns = take_turns({work: repeated(job, times) for work, job in jobs.items()}, rounds)
    row = {"regions": len(found), "on": found.certificate.on, "off": found.certificate.off,
           **{work: float(np.median(spent)) for work, spent in turns.items()}}
    return row | {"regioncam regions": faces[-1]} if faces else row  # the slow run alone


def in_a_process_of_its_own(function: Callable[..., T], *arguments: object) -> T:
    """The result of function in a new process, whose memory earlier work has not changed."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def steps(name: str) -> dict[str, float]:
    """Seconds per step, each with all its calls."""
    net = network(name)
    regions_in_window(net, BOX)
    profile = cProfile.Profile()
    profile.runcall(regions_in_window, net, BOX)
    stats: Any = pstats.Stats(profile)
    spent = {function: values[3] for (_, _, function), values in stats.stats.items()}
    return {step.strip("_"): spent.get(step, 0.0) for step in (*STEPS, "regions_in_window")}


def high_water() -> float:
    """The peak memory of this process, in MiB; NaN on systems without /proc."""
    status = Path("/proc/self/status")  # getrusage would include the process that started this one
    lines = status.read_text().splitlines() if status.exists() else []
    peaks = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return peaks[0] if peaks else float("nan")


class Run(NamedTuple):
    """One enumeration in a process of its own."""

    regions: int
    seconds: float
    memory: float  # MiB by which the process grew


def run_alone(net: MLP, window: tuple[tuple[float, float], tuple[float, float]], tool: str) -> Run:
    before, start = high_water(), time.perf_counter()
    ours = tool != "regioncam"
    regions = len(regions_in_window(net, window).packed) if ours else run_regioncam(net)
    return Run(regions, time.perf_counter() - start, high_water() - before)


def table(names: list[str], rounds: int) -> Iterator[str | Asked]:
    """One line per network, and its requirements."""
    if not importable("regioncam"):
        yield "regioncam is not installed: its columns are skipped"
    yield ("net     regions    complex     maps      all    count  forward | us/region: complex  "
           "maps | all/forward | regioncam: regions  seconds  x complex  x maps  "
           "memory ours/theirs MiB | off/on")
    for name in names:
        row = in_a_process_of_its_own(measure, name, rounds)
        text = f"{name:7s} {row['regions']:7.0f} " + " ".join(
            f"{row[k]:8.4f}s" for k in ("complex", "maps", "all", "count", "forward"))
        each = {k: 1e6 * row[k] / row["regions"] for k in ("complex", "maps")}
        text += f" | {each['complex']:5.2f} {each['maps']:5.2f}"
        text += f" | {row['all'] / row['forward']:5.2f}"
        asked = []
        if importable("regioncam"):
            ours, theirs = (in_a_process_of_its_own(run_alone, network(name), BOX, tool)
                            for tool in ("ours", "regioncam"))
            row = {"regioncam": theirs.seconds, "regioncam regions": theirs.regions, **row}
            text += f" | {row['regioncam regions']:7.0f} {row['regioncam']:8.4f}s"
            for k, least in zip(("complex", "maps"), MUST.get(name, (None, None)), strict=True):
                text += f" {row['regioncam'] / row[k]:6.1f}x"
                if least is not None:
                    maps = ", with affine maps" if k == "maps" else ""
                    work = f"exact regions{maps}, {name}: {row['regions']:.0f}"
                    asked.append(Asked(work, "regioncam", row["regioncam"] / row[k], ">=", least,
                                       "times as fast"))
            text += f" {ours.memory:6.0f}/{theirs.memory:.0f}"
            if name in MUST and row["regions"] > 20_000:
                asked.append(Asked(f"the same, peak memory, {name}", "regioncam",
                                   ours.memory / theirs.memory, "<=", 1 / 8, "times as much"))
        if row["regions"] >= 1000:
            spent = steps(name)
            # without the matrix products of the layers
            geometry = each["complex"] * (1 - spent["lift"] / spent["regions_in_window"])
            asked.append(Asked(f"the geometry alone, {name}", "", geometry, "<=", 2,
                               "us a region"))
        yield text + f" | {row['off'] / row['on']:.1g}"
        yield from asked


def lines(quick: bool) -> Iterator[str | Asked]:
    """The table, the steps of the two largest networks, and the largest network of all."""
    names = list(QUICK if quick else SIZES)
    yield from table(names, 5)
    for name in names[-2:]:
        per_region = 1e6 / len(regions_in_window(network(name), BOX))
        yield f"{name} us/region by step: " + ", ".join(
            f"{step} {per_region * s:.3f}" for step, s in steps(name).items())
    yield from everywhere(quick)
    if not quick:
        largest = init([2, 512, 512, 512, 512, 1], np.random.default_rng(0))
        run = in_a_process_of_its_own(run_alone, largest, ((0, 1), (0, 1)), "ours")
        yield (f"[512]4 on [0, 1]^2: {run.regions} regions in {run.seconds:.2f} s, "
               f"{run.memory:.0f} MiB")
        yield Asked(f"exact regions, [512]4 on the unit square: {run.regions}", "",
                    run.memory / 1024, "<=", 2, "GiB")


# ------------------------------------------------------------- small networks, unbounded windows


def run_affinitree(net: MLP) -> int:
    """The number of linear regions in the whole plane that affinitree finds, without its output."""
    import affinitree

    layers = affinitree.Architecture(2)
    for k, (W, b) in enumerate(zip(*net, strict=True)):
        layers.linear(affinitree.AffFunc.from_mats(W, b))
        if k < len(net.weights) - 1:
            layers.relu()
    with silence():
        return int(affinitree.builder.from_layers(layers).num_terminals())


@contextlib.contextmanager
def silence() -> Iterator[None]:
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def everywhere(quick: bool) -> Iterator[str | Asked]:
    """Small networks in a window that contains all crossings of walls."""
    if not importable("affinitree"):
        yield "affinitree cannot be imported: skipped"
        return
    for hidden in ([8, 8], [12, 12]) if quick else ([8, 8], [12, 12], [16, 16]):
        net, wide = init([2, *hidden, 1], np.random.default_rng(0)), ((-1e4, 1e4), (-1e4, 1e4))
        times = take_turns({"ours": (lambda: regions_in_window(net, wide).slope, 1),
                            "affinitree": (lambda: run_affinitree(net), 1)}, 3)
        found = len(regions_in_window(net, wide)), run_affinitree(net)
        faster = ratio(times["affinitree"], times["ours"])
        yield (f"unbounded {str(hidden):10} regions {found[0]}, affinitree {found[1]}: "
               f"{faster:.1f} times as fast")
        yield Asked(f"exact regions in +-1e4, {hidden}: {found[0]}", "affinitree", faster, ">=", 2,
                    "times as fast")


# ------------------------------------------------------------------------ under an encoding


def planes(quick: bool) -> Iterator[str | Asked]:
    """Regions of an encoded network in the plane: one pixel of 64x64, against coordinates in a
    window of about as many regions; then 4x4 pixels, in a separate process."""
    net, encoding = init([24, *[128] * 4, 1], np.random.default_rng(0)), PositionalEncoding(6)
    plain, pixel = init([2, *[128] * 4, 1], np.random.default_rng(0)), ((0.5, 0.5 + 1 / 64),) * 2
    found = regions_in_encoded_window(net, encoding, pixel)
    half = 0.2
    while len(regions_in_window(plain, ((-half, half),) * 2)) < len(found):
        half *= 1.1
    times = take_turns({"encoded": (lambda: regions_in_encoded_window(net, encoding, pixel), 1),
                        "plain": (lambda: regions_in_window(plain, ((-half, half),) * 2), 1)}, 3)
    yield (f"planes    L = 6, 4x128, one pixel: {found!r}, {np.median(times['encoded']):.2f} s, "
           f"{ratio(times['encoded'], times['plain']):.1f} times a plain window of as many regions")
    start = time.perf_counter()
    share, lines_right = found.certified_share, found.check.units.mean()
    yield (f"planes    certified: {share:.0%} of the pixel; on lines of the triangulation "
           f"{lines_right:.0%} have the right walls; both in {time.perf_counter() - start:.2f} s")
    work = f"regions under an encoding, L = 6, 4x128, one pixel of 64x64: {len(found)}"
    yield Asked(work, "", float(np.median(times["encoded"])), "<=", 0.5, "s")
    yield Asked(work, "as many regions of a plain window",
                ratio(times["encoded"], times["plain"]), "<=", 5, "times as long")
    if not quick:
        run = in_a_process_of_its_own(pixels_alone)
        work = f"the same, 4x4 pixels: {run.regions}"
        yield (f"planes    4x4 pixels: {run.regions} regions in {run.seconds:.2f} s, "
               f"{run.memory:.0f} MiB")
        yield Asked(work, "", run.seconds, "<=", 6, "s")
        yield Asked(f"{work}, peak memory", "", run.memory / 1024, "<=", 2, "GiB")


def pixels_alone() -> Run:
    net = init([24, *[128] * 4, 1], np.random.default_rng(0))
    before, start = high_water(), time.perf_counter()
    regions = len(regions_in_encoded_window(net, PositionalEncoding(6), ((0.5, 0.5 + 4 / 64),) * 2))
    return Run(regions, time.perf_counter() - start, high_water() - before)
