"""Would the tests notice?  Plant small faults in the package, one at a time, and run the tests of the module and of all doors.

    python -m tests.mutants                          # a sample of faults in every module
    python -m tests.mutants mlp flow --faults 50     # more of them in some
    python -m tests.mutants mlp --all                # every fault there is

Faults: a comparison flipped or made strict, + for - and * for /, a sign or a `not` dropped, a
number changed, an axis swapped, a transpose dropped, a mask dropped, a statement deleted.  They
are planted in a temporary copy, never here.  A fault that no test notices survives and is
printed with its place; the last column counts those that change nothing, by the reasons in EQUIVALENT.

Needs nothing but the standard library and what the tests need.
"""

from __future__ import annotations

import argparse
import ast
import copy
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
MODULES = sorted(path.stem for path in (ROOT / "relu_dynamics").glob("*.py") if path.stem != "__init__")
TESTS = {"complex2d": ("regions2d",), "degenerate2d": ("regions2d",), "kinks": ("trajectories",),
         "geometry": ("geometry", "regions2d")}  # whose tests are not, or not only, in a file of the module's name
ALWAYS = ("tests/test_public_door.py", "tests/test_examples.py")
SECONDS = 90  # a test run that takes longer has hung, which is noticing
OUTPUT = "output.txt"  # what a test run said, in its copy

# Processes that have imported already what every test run needs, where the system can fork: half of the time otherwise.
PROCESSES: Any = multiprocessing.get_context("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")
if hasattr(PROCESSES, "set_forkserver_preload"):
    PROCESSES.set_forkserver_preload(["pytest", "hypothesis.extra.numpy", "scipy.fft", "scipy.integrate", "scipy.optimize", "scipy.sparse.csgraph",
                                      "scipy.spatial", "matplotlib.figure"])

COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
TURNED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
           ast.BitXor: ast.BitOr}

# Faults that change nothing that is promised, (module, line, change), and why.
EQUIVALENT: dict[tuple[str, str, str], str] = {
    ("complex2d", "place = np.minimum(np.searchsorted(strings, wanted), len(strings) - 1)", "1 -> 2"): "what is not found by pattern is found by place",
    ("complex2d", "if not (area > 0).all() or abs(area.sum() - whole) > 1e-12 * whole:",
     "abs(area.sum() - whole) > 1e-12 * whole -> abs(area.sum() - whole) >= 1e-12 * whole"): "no sum of areas is off by just that",
    ("complex2d", "if not (area > 0).all() or abs(area.sum() - whole) > 1e-12 * whole:", "area > 0 -> area >= 0"):
        "a face of no area at all has two corners in one place, and a wall that passes there was refused before",
    ("complex2d", "varying: Words = np.bitwise_or.reduceat(bits.take(children, axis=0), start[:-1]) ^ everywhere  # type: ignore[assignment]",
     "-1 -> 1"): "more units than needed take a row of their own",
    ("complex2d", "return size, float(size.max(initial=0)) / np.sqrt(max(1, W.shape[1]))", "1 -> 2"): "an estimate, \"about how large\"",
    ("complex2d", "scale = np.concatenate([*regions.scales, [1.0]])", "1.0 -> 1.501"): "for a network without units, and cut off otherwise",
    ("complex2d", "number = np.empty((rows.stop - rows.start, 64 * varying.shape[1]), np.intp)",
     "rows.stop - rows.start -> rows.stop + rows.start"): "more room than needed",
    ("complex2d", "if len(regions.layers) else np.zeros((len(q), 0), np.uint64))", "0 -> 1"): "one word of zeros is as equal as none",
    ("complex2d", "words = np.zeros((len(words), 1), np.uint64)", "1 -> 2"): "two words of zeros are as equal as one",
    ("complex2d", "ok = off >= 1000 * on and off > max(TOLERANCE, regions.level) and on <= max(TOLERANCE, regions.level)",
     "off > max(TOLERANCE, regions.level) -> off >= max(TOLERANCE, regions.level)"): "no clearance is just that",
    ("complex2d", "size = np.concatenate(z, axis=1) if z else np.ones((len(h), 1))", "1 -> 2"): "for a network without units",
    ("complex2d", "scaling = 1 / np.where(scale > 0, scale, 1)", "1 -> 2"): "stands in for 0, and what it divides is 0",
    ("complex2d", "lost = inside[found[inside] < 0]", "0 -> 1"): "what is found by pattern is found by place too",
    ("complex2d", "height[((ux <= x) == (vx <= x)) | (height < 0)] = np.inf", "height < 0 -> height <= 0"): "a point on an edge lies beside it on both sides",
    ("complex2d", "ok = off >= 1000 * on and off > max(TOLERANCE, regions.level) and on <= max(TOLERANCE, regions.level)",
     "on <= max(TOLERANCE, regions.level) -> on < max(TOLERANCE, regions.level)"): "no clearance is just that",
    ("complex2d", "if every == 1:", "1 -> 2"): "when every row is summed in full, none differs from its own",
    ("complex2d", "def blocks(which: Indices, size: int = 512) -> Iterator[Indices]:", "512 -> 513"): "blocks of another size are as right",
    ("complex2d", "parents = len(above[-1][0]) if above else 1", "0 -> 1"): "parents and bits are as many",
    ("complex2d", "number = np.empty((rows.stop - rows.start, 64 * varying.shape[1]), np.intp)", "64 -> 65"): "more room than needed",
    ("regions2d", "before, after = np.maximum(low - 1, 0), np.minimum(high, len(cuts.t) - 1)", "0 -> 1"):
        "where low - 1 is less than 1 the carrier's end stands in",
    ("complex2d", "every = 1 if n <= NARROW else HEAD", "1 -> 2"): "either way sums the same rows",
    ("complex2d", "every = 1 if n <= NARROW else HEAD", "n <= NARROW -> n < NARROW"): "either way sums the same rows",
    ("complex2d", "every = 1 if n <= NARROW else HEAD", "n <= NARROW -> n >= NARROW"): "either way sums the same rows",
    ("complex2d", "near = size <= regions.level", "size <= regions.level -> size < regions.level"):
        "no pre-activation is just that",
    ("complex2d", "ok = off >= 1000 * on and off > max(TOLERANCE, regions.level) and on <= max(TOLERANCE, regions.level)",
     "off >= 1000 * on -> off > 1000 * on"): "no clearance is just that",
    ("complex2d", "ok = off >= 1000 * on and off > max(TOLERANCE, regions.level) and on <= max(TOLERANCE, regions.level)",
     "1000 -> 1001"): "a thousand or so",
    ("complex2d", "lost = inside[found[inside] < 0]", "found[inside] < 0 -> found[inside] <= 0"):
        "the first region is found again by place",
    ("complex2d", "return regions.edge_faces[edge, np.where(vx[edge] > ux[edge], 1, 0)]  # type: ignore[no-any-return]",
     "vx[edge] > ux[edge] -> vx[edge] >= ux[edge]"): "an upright edge is above no point",
    ("complex2d", "row, unit = np.divmod(8 * byte.take(bit >> 3) + (bit & 7), max(1, 64 * words.shape[1]))", "1 -> 2"):
        "stands in for no words, which have no bits",
    ("regions2d", "if int(key.max(initial=0)).bit_length() + shift > 62:",
     "int(key.max(initial=0)).bit_length() + shift -> int(key.max(initial=0)).bit_length() - shift"): "no complex is that large",
    ("regions2d", "rising = np.concatenate([sub.rising, direction @ SWEEP > 0]).take(carrier)",
     "direction @ SWEEP > 0 -> direction @ SWEEP >= 0"): "no wall is level to the last bit",
    ("regions2d", "key = (carrier << 41) | (t * 2.0**41).astype(np.int64)",
     "carrier << 41 | (t * 2.0 ** 41).astype(np.int64) -> carrier << 41 & (t * 2.0 ** 41).astype(np.int64)"): "keys that tie are sorted by carrier and t",
    ("regions2d", "if int(key.max(initial=0)).bit_length() + shift > 62:", "62 -> 63"): "no complex is that large",
    ("regions2d", "many = np.flatnonzero(count.take(carrier) > 1)  # the others are in order",
     "count.take(carrier) > 1 -> count.take(carrier) >= 1"): "cuts that are in order stay in it",
    ("regions2d", "key = (carrier << 41) | (t * 2.0**41).astype(np.int64)", "t * 2.0 ** 41 -> t / 2.0 ** 41"): "keys that tie are sorted by carrier and t",
    ("regions2d", "key = (carrier << 41) | (t * 2.0**41).astype(np.int64)", "41 -> 42"): "carriers may be further apart",
    ("regions2d", "if not ((gap > TOLERANCE) | (cuts.carrier[1:] != cuts.carrier[:-1])).all():", "gap > TOLERANCE -> gap >= TOLERANCE"):
        "no gap is just that",
    ("regions2d", "rises = (cuts.rate > 0).astype(np.intp)", "cuts.rate > 0 -> cuts.rate >= 0"): "where a sign changes the rate is not 0",
    ("regions2d", "if int(key.max(initial=0)).bit_length() + shift > 62:",
     "int(key.max(initial=0)).bit_length() + shift > 62 -> int(key.max(initial=0)).bit_length() + shift >= 62"): "either way sorts",
    ("regions2d", "if int(key.max(initial=0)).bit_length() + shift > 62:",
     "int(key.max(initial=0)).bit_length() + shift > 62 -> int(key.max(initial=0)).bit_length() + shift < 62"): "either way sorts",
    ("regions2d", "if int(key.max(initial=0)).bit_length() + shift > 62:", "0 -> 1"): "either way sorts",
    ("regions2d", "side = (layer.edge_cuts.rate.take(cut) > 0) == positive_first   # 0: the chord lies left of the edge",
     "layer.edge_cuts.rate.take(cut) > 0 -> layer.edge_cuts.rate.take(cut) >= 0"): "where a sign changes the rate is not 0",
    ("pattern", "words = np.zeros((len(words), 1), np.uint64)", "1 -> 2"): "two words of zeros are as equal as one",
    ("regions1d", "block = max(1, 2**21 // max(1, z.shape[1] * z.shape[2]))", "1 -> 2"): "blocks of another size are as right",
    ("regions1d", "z = _chain_waves(features[None], np.zeros(1, np.intp), np.ones((1, features.shape[1]), np.bool_), net.weights[0], net.biases[0])",
     "1 -> 2"): "another row of bits, of a piece that is not there",
    ("regions1d", "low, high = t[piece] + step * width, np.where(step + 1 == parts[piece], t[piece + 1], t[piece] + (step + 1) * width)", "1 -> 2"):
        "cells that overlap: a zero that two of them find is one",
    ("regions1d", "width = 2 * TOLERANCE * (scale[walls] / np.abs(rate[walls, np.concatenate(beside)]) + 1)", "2 -> 3"): "a bound, and a larger one holds too",
    ("regions1d", "best = np.where((step >= low) & (step <= high), step, (low + high) / 2)",
     "(step >= low) & (step <= high) -> (step >= low) | (step <= high)"): "on cells this flat Newton's steps come back by themselves",
    ("regions1d", "if l < len(line.weights) - 2:  # another hidden layer needs its inputs at the breakpoints",
     "l < len(line.weights) - 2 -> l <= len(line.weights) - 2"): "what is computed beyond the last layer is not used",
    ("regions1d", "if l < len(line.weights) - 2:  # another hidden layer needs its inputs at the breakpoints",
     "len(line.weights) - 2 -> len(line.weights) + 2"): "what is computed beyond the last layer is not used",
    ("regions1d", "on, off = z > doubt, z < -doubt", "z < -doubt -> z <= -doubt"):
        "a pre-activation of 0 is neither, and of no other it is just that",
    ("regions1d", "early, late = at - t[piece] <= TOLERANCE, t[piece + 1] - at <= TOLERANCE",
     "at - t[piece] <= TOLERANCE -> at - t[piece] < TOLERANCE"): "no place is just that",
    ("regions1d", "early, late = at - t[piece] <= TOLERANCE, t[piece + 1] - at <= TOLERANCE",
     "t[piece + 1] - at <= TOLERANCE -> t[piece + 1] - at < TOLERANCE"): "no place is just that",
    ("regions1d", "new[1:] = (np.diff(piece) > 0) | (np.diff(at) > TOLERANCE)",
     "np.diff(at) > TOLERANCE -> np.diff(at) >= TOLERANCE"): "no distance is just that",
    ("regions1d", "new[1:] = (np.diff(piece) > 0) | (np.diff(at) > TOLERANCE)", "np.diff(piece) > 0 -> np.diff(piece) < 0"):
        "zeros of two pieces keep away from the breakpoint between them",
    ("regions1d", "new[1:] = (np.diff(piece) > 0) | (np.diff(at) > TOLERANCE)", "0 -> 1"):
        "zeros of two pieces keep away from the breakpoint between them",
    ("regions1d", "owners = np.full(len(split.t), -1, np.intp)", "-1 -> 1"): "the ends are cut off again",
    ("regions1d", "first = np.flatnonzero(np.diff(split.parent, prepend=-1))", "-1 -> 1"): "the first piece is 0",
    ("regions1d", "w = 2 * np.pi * nu", "2 -> 3"): "a bound, and a larger one holds too",
    ("regions1d", "size = np.abs(z[:, 0]) + np.sqrt(2) * total  # of a sum of all the terms", "2 -> 3"):
        "a bound, and a larger one holds too",
    ("regions1d", "size = np.abs(z[:, 0]) + np.sqrt(2) * total  # of a sum of all the terms", "0 -> 1"):
        "near a zero the constant is no larger than the waves",
    ("regions1d", "if ((size > 0) & (size < SMALLEST)).any():", "size < SMALLEST -> size <= SMALLEST"):
        "no function is just that",
    ("regions1d", "rounding = (z.shape[1] + 3) * EPSILON * size", "3 -> 4"): "a bound, and a larger one holds too",
    ("regions1d", "middle, r = (low + high) / 2, (high - low) / 2", "(high - low) / 2 -> (high - low) * 2"):
        "cells that overlap: a zero that two of them find is one",
    ("regions1d", "empty = np.abs(p) > np.abs(p1) * r + B * r**2 / 2 + e",
     "np.abs(p) > np.abs(p1) * r + B * r ** 2 / 2 + e -> np.abs(p) >= np.abs(p1) * r + B * r ** 2 / 2 + e"): "a bound, and a larger one holds too",
    ("regions1d", "empty = np.abs(p) > np.abs(p1) * r + B * r**2 / 2 + e", "B * r ** 2 / 2 -> B * r ** 2 * 2"):
        "a bound, and a larger one holds too",
    ("regions1d", "monotone = ~empty & (np.abs(p1) > B * r + e * w.max(initial=0))",
     "np.abs(p1) > B * r + e * w.max(initial=0) -> np.abs(p1) >= B * r + e * w.max(initial=0)"): "no slope is just that",
    ("regions1d", "monotone = ~empty & (np.abs(p1) > B * r + e * w.max(initial=0))", "0 -> 1"):
        "a bound, and a larger one holds too",
    ("regions1d", "narrow = rest & (2 * r < NARROWEST)", "2 * r < NARROWEST -> 2 * r <= NARROWEST"): "a cell is about so narrow",
    ("regions1d", "narrow = rest & (2 * r < NARROWEST)", "2 -> 3"): "a cell is about so narrow",
    ("regions1d", "if np.count_nonzero(halve) * z.shape[1] > MAX_OPEN:",
     "np.count_nonzero(halve) * z.shape[1] > MAX_OPEN -> np.count_nonzero(halve) * z.shape[1] >= MAX_OPEN"): "a limit of memory like another",
    ("regions1d", "if np.count_nonzero(halve) * z.shape[1] > MAX_OPEN:",
     "np.count_nonzero(halve) * z.shape[1] -> np.count_nonzero(halve) / z.shape[1]"): "a limit of memory like another",
    ("regions1d", "if np.count_nonzero(halve) * z.shape[1] > MAX_OPEN:", "1 -> 2"): "a limit of memory like another",
    ("regions1d", "rho = (np.sqrt(2) - 1) * np.minimum(sine, cosine)", "np.sqrt(2) - 1 -> np.sqrt(2) + 1"):
        "a bound, and a larger one holds too",
    ("regions1d", "rho = (np.sqrt(2) - 1) * np.minimum(sine, cosine)", "2 -> 3"): "a bound, and a larger one holds too",
    ("regions1d", "waves = np.maximum(1, np.ceil(8 * np.diff(t) * nu.max(initial=0)))", "1 -> 2"):
        "cells of another size are as right",
    ("regions1d", "waves = np.maximum(1, np.ceil(8 * np.diff(t) * nu.max(initial=0)))", "0 -> 1"):
        "cells of another size are as right",
    ("regions1d", "waves = np.maximum(1, np.ceil(8 * np.diff(t) * nu.max(initial=0)))", "8 -> 9"):
        "cells of another size are as right",
    ("regions1d", "if not waves.sum() <= MAX_CELLS:", "waves.sum() <= MAX_CELLS -> waves.sum() < MAX_CELLS"):
        "a limit of memory like another",
    ("regions1d", "low, high = t[piece] + step * width, np.where(step + 1 == parts[piece], t[piece + 1], t[piece] + (step + 1) * width)",
     "np.where(step + 1 == parts[piece], t[piece + 1], t[piece] + (step + 1) * width) -> t[piece + 1]"): "cells that overlap: a zero that two of them find is one",
    ("regions1d", "block = max(1, 2**21 // max(1, z.shape[1] * z.shape[2]))", "21 -> 22"): "blocks of another size are as right",
    ("regions1d", "block = max(1, 2**21 // max(1, z.shape[1] * z.shape[2]))", "2 -> 3"): "blocks of another size are as right",
    ("regions1d", "of, r = piece[cells], (high[cells] - low[cells])[:, None] / 2",
     "(high[cells] - low[cells])[:, None] / 2 -> (high[cells] - low[cells])[:, None] * 2"): "a bound, and a larger one holds too",
    ("regions1d", "of, r = piece[cells], (high[cells] - low[cells])[:, None] / 2",
     "high[cells] - low[cells] -> high[cells] + low[cells]"): "a bound, and a larger one holds too",
    ("regions1d", "maybe = np.abs(values[:, 0]) <= np.abs(values[:, 1]) * r + second[of] * r**2 / 2 + rounding[of]",
     "np.abs(values[:, 0]) <= np.abs(values[:, 1]) * r + second[of] * r ** 2 / 2 + rounding[of] -> np.abs(values[:, 0]) < np.abs(values[:, 1]) * r + second[of] * r ** 2 / 2 + rounding[of]"): "no value is just that",
    ("regions1d", "maybe = np.abs(values[:, 0]) <= np.abs(values[:, 1]) * r + second[of] * r**2 / 2 + rounding[of]",
     "second[of] * r ** 2 / 2 -> second[of] * r ** 2 * 2"): "a bound, and a larger one holds too",
    ("regions1d", "maybe = np.abs(values[:, 0]) <= np.abs(values[:, 1]) * r + second[of] * r**2 / 2 + rounding[of]",
     "second[of] * r ** 2 -> second[of] / r ** 2"): "a bound, and a larger one holds too",
    ("regions1d", "maybe = np.abs(values[:, 0]) <= np.abs(values[:, 1]) * r + second[of] * r**2 / 2 + rounding[of]",
     "np.abs(values[:, 1]) * r -> np.abs(values[:, 1]) / r"): "a bound, and a larger one holds too",
    ("regions1d", "doubt = e + TOLERANCE * np.abs(value((low + high) / 2, d))", "2 -> 3"):
        "the slope anywhere in so short a cell",
    ("regions1d", "outer = ((low == t[piece]) & (np.abs(at_low) <= doubt)) | ((high == t[piece + 1]) & (np.abs(at_high) <= doubt))",
     "np.abs(at_high) <= doubt -> np.abs(at_high) < doubt"): "no value is just that",
    ("regions1d", "outer = ((low == t[piece]) & (np.abs(at_low) <= doubt)) | ((high == t[piece + 1]) & (np.abs(at_high) <= doubt))",
     "np.abs(at_low) <= doubt -> np.abs(at_low) < doubt"): "no value is just that",
    ("regions1d", "keep = ((at_low > 0) != (at_high > 0)) & ~outer", "at_high > 0 -> at_high >= 0"):
        "a zero that two cells find is one",
    ("regions1d", "piece, unit, low, high, c, d, e, rises = (x[keep] for x in (piece, unit, low, high, c, d, e, at_high > 0))",
     "at_high > 0 -> at_high >= 0"): "a zero at the end of its cell is found there either way",
    ("regions1d", "above = (p > 0) == rises", "p > 0 -> p >= 0"): "a zero that is met is found either way",
    ("regions1d", "step = at - p / slope", "at - p / slope -> at + p / slope"): "halving finds the zeros too",
    ("regions1d", "best = np.where((step >= low) & (step <= high), step, (low + high) / 2)", "step <= high -> step < high"):
        "on cells this flat Newton's steps come back by themselves",
    ("regions1d", "best = np.where((step >= low) & (step <= high), step, (low + high) / 2)", "step <= high -> step >= high"):
        "on cells this flat Newton's steps come back by themselves",
    ("regions1d", "best = np.where((step >= low) & (step <= high), step, (low + high) / 2)", "step >= low -> step > low"):
        "on cells this flat Newton's steps come back by themselves",
    ("regions1d", "best = np.where((step >= low) & (step <= high), step, (low + high) / 2)", "step >= low -> step <= low"):
        "on cells this flat Newton's steps come back by themselves",
    ("regions1d", "if (np.abs(best - at) <= EPSILON + e / np.abs(slope)).all():  # nearer to the zero than p can tell",
     "np.abs(best - at) <= EPSILON + e / np.abs(slope) -> np.abs(best - at) < EPSILON + e / np.abs(slope)"): "no step is just that",
    ("regions1d", "if (np.abs(best - at) <= EPSILON + e / np.abs(slope)).all():  # nearer to the zero than p can tell",
     "EPSILON + e / np.abs(slope) -> EPSILON - e / np.abs(slope)"): "more steps than needed",
    ("regions1d", "if (np.abs(best - at) <= EPSILON + e / np.abs(slope)).all():  # nearer to the zero than p can tell",
     "best - at -> best + at"): "more steps than needed",
    ("regions1d", "for _ in range(60):  # Newton's steps, halving where one leaves the bracket", "60 -> 61"): "one step more",
    ("regions1d", "apart[1:] |= np.diff(at) > 4 * TOLERANCE  # closer ones could become one breakpoint in _split, where a unit flips once",
     "np.diff(at) > 4 * TOLERANCE -> np.diff(at) >= 4 * TOLERANCE"): "about so far apart",
    ("regions1d", "apart[1:] |= np.diff(at) > 4 * TOLERANCE  # closer ones could become one breakpoint in _split, where a unit flips once",
     "4 -> 5"): "about so far apart",
    ("regions1d", "following = np.where(last, t[piece + 1], np.append(at[1:], 0)[: len(at)])", "0 -> 1"):
        "what follows the last zero is the end of its piece",
    ("regions1d", "return np.asarray(values.max(axis=0, initial=-np.inf) > -values.min(axis=0, initial=np.inf))",
     "values.max(axis=0, initial=-np.inf) > -values.min(axis=0, initial=np.inf) -> values.max(axis=0, initial=-np.inf) >= -values.min(axis=0, initial=np.inf)"): "units that are 0 everywhere have no zeros",
    ("walls", 'options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},', "1e-10 -> 0.00100000015"):
        "the solver ends at a corner, better than it is asked to",
    ("walls", "size = np.abs(v[short]).max(axis=-1, initial=0)", "-1 -> 1"): "of a matrix, whose axes are 0 and 1",
    ("walls", "widest = max(W.shape[0] for W in net.weights) + net.weights[0].shape[1]", "0 -> 1"): "blocks of another size are as right",
    ("walls", "length[short] = size * np.linalg.norm(v[short] / np.where(size > 0, size, 1)[:, None], axis=-1)", "1 -> 2"):
        "stands in for 0, and what it divides is 0",
    ("walls", "length[short] = size * np.linalg.norm(v[short] / np.where(size > 0, size, 1)[:, None], axis=-1)", "-1 -> 1"):
        "of a matrix, whose axes are 0 and 1",
    ("walls", "if (short := length < 1e-140).any():", "length < 1e-140 -> length <= 1e-140"): "either way is as right",
    ("walls", "if (short := length < 1e-140).any():", "1e-140 -> 0.001"): "either way is as right",
    ("walls", 'bounds=[*zip((low - x) / unit, (high - x) / unit, strict=True), (0, 1)], method="highs",', "1 -> 2"):
        "the box bounds the radius before",
    ("walls", "if radius < slack.min():  # rounding must not make it worse than the ball around x",
     "radius < slack.min() -> radius <= slack.min()"): "as good a ball",
    ("walls", "widest = max((W.shape[1] for W in net.weights[:-1]), default=0)", "0 -> 1"): "of no hidden units",
    ("train", "if show and (epoch == epochs or time.monotonic() > last_shown + 0.1):",
     "time.monotonic() > last_shown + 0.1 -> time.monotonic() < last_shown + 0.1"): "how often the progress line is renewed",
    ("train", "if show and (epoch == epochs or time.monotonic() > last_shown + 0.1):", "0.1 -> 0.15100000000000002"): "how often it is renewed",
    ("train", "threads: int = 1,", "1 -> 2"): "the bytes are the same whatever it is",
    ("train", "sys.stderr.flush()", "sys.stderr.flush() -> "): "when a terminal shows it",
    ("train", "shards = _shards(net, max(batch.stop - batch.start for batch in batches), x.dtype)",
     "batch.stop - batch.start -> batch.stop + batch.start"): "more room than needed",
    ("train", "if show and (epoch == epochs or time.monotonic() > last_shown + 0.1):",
     "time.monotonic() > last_shown + 0.1 -> time.monotonic() >= last_shown + 0.1"): "how often the progress line is renewed",
    ("train", "if show and (epoch == epochs or time.monotonic() > last_shown + 0.1):", "last_shown + 0.1 -> last_shown - 0.1"):
        "how often the progress line is renewed",
    ("train", "bounds = [n * i // len(used) for i in range(len(used) + 1)]", "1 -> 2"):
        "one bound more than there are shards to take it",
    ("train", "losses = list(map(differentiate, used, rows) if len(used) == 1 else run(differentiate, used, rows))",
     "len(used) == 1 -> len(used) != 1"): "the same sums, one after the other or side by side",
    ("train", "losses = list(map(differentiate, used, rows) if len(used) == 1 else run(differentiate, used, rows))", "1 -> 2"):
        "the same sums, one after the other or side by side",
    ("train", "return set(range(epochs + 1)) if record is not None else set()", "1 -> 2"): "an epoch that never comes",
    ("geometry", "corners = np.ascontiguousarray(corners[np.abs(turn) > TOLERANCE])", "np.abs(turn) > TOLERANCE -> np.abs(turn) >= TOLERANCE"):
        "no turn is just that",
    ("infinite", "safe = np.where(top > 0, top, 1)  # a zero vector has no angle, and its kernels are zero whatever it is", "1 -> 2"):
        "stands in for 0, and what it divides is 0",
    ("infinite", "unit, unit2 = (rows / np.where((size := np.linalg.norm(rows, axis=1, keepdims=True)) > 0, size, 1) for rows in (v, v2))",
     "1 -> 2"): "stands in for 0, and what it divides is 0",
    ("signals", "return np.asarray((image - low) / (high - low if high > low else 1.0))", "1.0 -> 1.501"): "what it divides is 0",
    ("signals", "if math.prod(counts) > MAX_ENTRIES // 4:", "math.prod(counts) > MAX_ENTRIES // 4 -> math.prod(counts) >= MAX_ENTRIES // 4"):
        "a signal of 2 GiB more or less",
    ("signals", "if math.prod(counts) > MAX_ENTRIES // 4:", "4 -> 5"): "a limit of memory like another",
    ("moving_walls", "groups = int(group.max(initial=-1)) + 1", "-1 -> 1"): "more bins than groups",
    ("moving_walls", "last = next((k for k in range(shorter - first) if old[-1 - k] != new[-1 - k]), shorter - first)",
     "shorter - first -> shorter + first"): "parts in common at both ends do not overlap: a sequence that repeats itself would need "
        "first-layer units that switch twice",
    ("moving_walls", "groups = int(group.max(initial=-1)) + 1", "1 -> 2"): "more bins than groups",
    ("trajectories", "while now < stop and _length_left(task, state, theta, times[-1] - now) > negligible:",
     "_length_left(task, state, theta, times[-1] - now) > negligible -> _length_left(task, state, theta, times[-1] - now) >= negligible"):
        "no length is just that",
    ("trajectories", "step = (end - time) / 2", "2 -> 3"): "a shorter step is as right",
    ("trajectories", "falling, rising = up @ fast + down @ slow <= 0, up @ slow + down @ fast >= 0",
     "up @ slow + down @ fast >= 0 -> up @ slow + down @ fast > 0"): "a value that stays is not doubtful either way",
    ("trajectories", "negligible = atol + rtol * float(np.linalg.norm(flatten(task.start)))",
     "atol + rtol * float(np.linalg.norm(flatten(task.start))) -> atol - rtol * float(np.linalg.norm(flatten(task.start)))"): "when so little is left of the path that nothing changes any more",
    ("trajectories", "negligible = atol + rtol * float(np.linalg.norm(flatten(task.start)))",
     "rtol * float(np.linalg.norm(flatten(task.start))) -> rtol / float(np.linalg.norm(flatten(task.start)))"): "when so little is left of the path that nothing changes any more",
    ("trajectories", "layers: Sequence[int] | None = None, rtol: float = 1e-10, atol: float = 1e-12, max_flips: int = 10_000,",
     "10000 -> 10001"): "a limit like another",
    ("trajectories", "def first_layer_flow(net: MLP, x: ArrayLike, y: ArrayLike, t: ArrayLike, *, max_flips: int = 10_000) -> Path:",
     "10000 -> 10001"): "a limit like another",
    ("trajectories", "while now < stop and _length_left(task, state, theta, times[-1] - now) > negligible:",
     "times[-1] - now -> times[-1] + now"): "a bound, and a larger one holds too",
    ("kinks", "for _ in range(20 * len(tied) + 1):", "1 -> 2"): "more tries",
    ("kinks", "low, high = rest.gates * rest.signals, (1 - rest.gates) * rest.signals",
     "rest.gates * rest.signals -> rest.gates / rest.signals"): "it matters where it is 0",
    ("kinks", "SLACK, NEGLIGIBLE = 1e-9, 1e-11", "1e-09 -> 0.0010000015"): "a tolerance, and what comes to its end does so at a root",
    ("kinks", "beyond, below = (moves.gates - 1) * moves.signals > slack, moves.gates * moves.signals < -slack",
     "moves.gates * moves.signals < -slack -> moves.gates * moves.signals <= -slack"): "no gate is off by just that",
    ("kinks", "pull[flat == REST] = np.where(beyond, 1, np.where(below, -1, 0))", "1 -> 2"): "only its sign counts",
    ("kinks", "for _ in range(50):", "50 -> 51"): "more tries",
    ("geometry", "following = np.stack([2 * ((i + 1) % k), 2 * ((i - 1) % k) + 1], axis=1).ravel()", "1 -> 2"): "of no meaning outside the window",
    ("geometry", "if (turn < 0).any() or turn.sum() > 3 * np.pi:", "turn.sum() > 3 * np.pi -> turn.sum() >= 3 * np.pi"):
        "the sum is a multiple of 2 pi",
    ("geometry", "rising = (corners[edges[:, 1]] - corners) @ SWEEP > 0",
     "(corners[edges[:, 1]] - corners) @ SWEEP > 0 -> (corners[edges[:, 1]] - corners) @ SWEEP >= 0"): "no side is level to the last bit",
    ("geometry", "if area < 0:", "area < 0 -> area <= 0"): "no area is 0 by then",
    ("geometry", "if (turn < 0).any() or turn.sum() > 3 * np.pi:", "turn < 0 -> turn <= 0"):
        "the corners that do not turn are gone",
    ("geometry", "side = side / np.hypot(*side.T)[:, None]",
     "side / np.hypot(*side.T)[:, None] -> side * np.hypot(*side.T)[:, None]"): "lengths change no angle",
    ("geometry", "has = np.zeros((2, faces), np.bool_)", "2 -> 3"): "a row that is not read",
    ("geometry", "leaving, entering = np.flatnonzero(cut & (here > 0) & (there == 0)), np.flatnonzero(cut & (here == 0) & (there > 0))",
     "here > 0 -> here >= 0"): "no side of a face that the wall cuts lies on the wall",
    ("geometry", "leaving, entering = np.flatnonzero(cut & (here > 0) & (there == 0)), np.flatnonzero(cut & (here == 0) & (there > 0))",
     "there > 0 -> there >= 0"): "no side of a face that the wall cuts lies on the wall",
    ("degenerate2d", "if used + len(crossings) > Z.shape[1]:",
     "used + len(crossings) > Z.shape[1] -> used + len(crossings) >= Z.shape[1]"): "more room sooner",
    ("degenerate2d", "tolerance = max(level * float(np.ptp(corners, axis=0).max()), 2 * widest)  # a region has a wall on either side", "2 -> 3"):
        "a bound, and a larger one holds too",
    ("degenerate2d", "if (((z > 0) != regions.pattern[:, at : at + len(b)]) & (np.abs(z) > regions.level * scale)).any():",
     "np.abs(z) > regions.level * scale -> np.abs(z) >= regions.level * scale"): "no pre-activation is just that",
    ("degenerate2d", "z[np.abs(z) <= threshold[j]] = 0", "np.abs(z) <= threshold[j] -> np.abs(z) < threshold[j]"): "no pre-activation is just that",
    ("mlp", "bound *= float(np.linalg.norm(np.vstack([np.column_stack([W, b]), np.eye(1, W.shape[1] + 1, W.shape[1])]).astype(np.float64), 2))",
     "1 -> 2"): "another row of zeros",
    ("degenerate2d", "met = np.flatnonzero((high >= -limit) & (low <= limit) & (high - low > limit))", "low <= limit -> low < limit"):
        "no pre-activation is just that",
    ("degenerate2d", "if found.tolerance > WIDEST * size:",
     "found.tolerance > WIDEST * size -> found.tolerance >= WIDEST * size"): "no tolerance is just that",
    ("degenerate2d", "Z[np.abs(Z) <= threshold[:, None]] = 0  # also where later walls of the layer cross this one",
     "np.abs(Z) <= threshold[:, None] -> np.abs(Z) < threshold[:, None]"): "no pre-activation is just that",
    ("degenerate2d", "start = np.flatnonzero(np.diff(sub.face[half], prepend=-1))", "-1 -> 1"): "the first face is 0",
    ("degenerate2d", "flat = np.flatnonzero((high <= limit) & (low >= -limit))", "low >= -limit -> low > -limit"):
        "no pre-activation is just that",
    ("degenerate2d", "flat = np.flatnonzero((high <= limit) & (low >= -limit))", "high <= limit -> high < limit"):
        "no pre-activation is just that",
    ("degenerate2d", "met = np.flatnonzero((high >= -limit) & (low <= limit) & (high - low > limit))",
     "high >= -limit -> high > -limit"): "no pre-activation is just that",
    ("degenerate2d", "flat = flat[~_is_zero(net, layers, flat, unit)] if len(flat) and limit > 0 else flat[:0]",
     "limit > 0 -> limit >= 0"): "a unit without sums is 0 everywhere",
    ("degenerate2d", "q = unpacked(packed_patterns(layers, 1 + int(faces.max())).take(faces, axis=0) if depth else np.zeros((len(faces), 0), np.uint64),",
     "0 -> 1"): "without layers no word is read",
    ("degenerate2d", "noise = 64 * np.finfo(np.longdouble).eps", "64 -> 65"): "about so many roundings",
    ("degenerate2d", "if (((z > 0) != regions.pattern[:, at : at + len(b)]) & (np.abs(z) > regions.level * scale)).any():",
     "z > 0 -> z >= 0"): "no pre-activation that counts is 0",
    ("mlp", "bound *= math.sqrt(1 + float(np.vdot(W, W)) + float(np.vdot(b, b)))", "1 -> 2"): "a bound, and a sharper one is asked second",
    ("mlp", "return max(float(x.max(initial=0)), -float(x.min(initial=0))) * math.sqrt(x.shape[1])", "0 -> 1"): "a bound, and a larger one holds too",
    ("mlp", "largest, bound = LARGEST[net.weights[0].dtype], math.hypot(1, radius)", "1 -> 2"):
        "the cruder of two bounds only spares the other",
    ("mlp", "if not bound <= largest:", "bound <= largest -> bound < largest"): "no bound is just that",
    ("tangent", "def tangent_kernel(net: MLP, x: ArrayLike, x2: ArrayLike | None = None, *, rows: int = 1024) -> Array:", "1024 -> 1025"):
        "blocks of another size are as right",
    ("tangent", "def loss_gradient_gram(net: MLP, x: ArrayLike, y: ArrayLike, *, rows: int = 512) -> Array:", "512 -> 513"):
        "blocks of another size are as right",
    ("tangent", "def gradient_confusion(net: MLP, x: ArrayLike, y: ArrayLike, *, rows: int = 512) -> Array:", "512 -> 513"):
        "blocks of another size are as right",
    ("flow", "size = max(1, BLOCK_ENTRIES // (n * m * m * units.shape[1]))", "1 -> 2"): "blocks of another size are as right",
    ("tangent", "r = r / np.where(size > 0, size, 1.0)", "1.0 -> 1.501"): "stands in for 0, and what it divides is 0",
    ("spectrum", "near = np.hypot(*k.T) * diameter < 0.5", "np.hypot(*k.T) * diameter < 0.5 -> np.hypot(*k.T) * diameter <= 0.5"):
        "in between both are exact to rounding",
    ("spectrum", "near = np.hypot(*k.T) * diameter < 0.5", "0.5 -> 0.751"): "in between both are exact to rounding",
    ("spectrum", "node, weight = np.polynomial.legendre.leggauss(6)", "6 -> 7"): "more points are as exact",
    ("spectrum", "small = np.abs(y) < 1  # where the difference cancels: sum over k of (-1)^k (2k + 2) / (2k + 3)! y^(2k+1)",
     "np.abs(y) < 1 -> np.abs(y) <= 1"): "in between both are exact to rounding",
    ("spectrum", "small = np.abs(y) < 1  # where the difference cancels: sum over k of (-1)^k (2k + 2) / (2k + 3)! y^(2k+1)",
     "1 -> 2"): "in between both are exact to rounding",
    ("spectrum", "z, series = np.where(small, y, 0.0) ** 2, np.zeros_like(y)", "0.0 -> 0.001"):
        "stands in where the other formula is taken",
    ("spectrum", "for k in range(9, -1, -1):", "9 -> 10"): "one term more, below rounding",
    ("spectrum", "y_large = np.where(small, 1.0, y)", "1.0 -> 1.501"): "stands in where the series is taken",
    ("spectrum", "if radius.max(initial=0) > 2**52:", "0 -> 1"): "of no frequencies",
    ("spectrum", "axes = tuple(range(1, len(shape) + 1))", "1 -> 2"):
        "what is done to the outputs, if orthonormal, leaves the sum of their squares alone",
    ("spectrum", "return signal.reshape(-1, patch, signal.shape[-1])", "-1 -> 1"): "of two axes",
    ("spectrum", "ratio = np.full(pooled[0].shape, np.nan)", "0 -> 1"): "both have one shape",
    ("measures", "second = (first + rng.integers(1, size, (patches, pairs))) % size",
     "first + rng.integers(1, size, (patches, pairs)) -> first - rng.integers(1, size, (patches, pairs))"): "any other sample is as likely",
}


class Fault(NamedTuple):
    """A change of one node."""

    node: ast.AST
    new: ast.AST | None  # what replaces it; None: nothing
    what: str            # how to say so


def faults(tree: ast.Module) -> Iterator[Fault]:
    """Every fault of one module, in the order of its lines; messages, types and docstrings are left alone."""
    for node in _code(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            for table in (COMPARED, TURNED):
                if type(node.ops[0]) in table:
                    yield Fault(node, ast.Compare(node.left, [table[type(node.ops[0])]()], node.comparators), "comparison")
        elif isinstance(node, ast.BinOp) and type(node.op) in SWAPPED and not _text(node):
            yield Fault(node, ast.BinOp(node.left, SWAPPED[type(node.op)](), node.right), "operator")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
            yield Fault(node, node.operand, "sign dropped")
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield Fault(node, ast.Constant(node.value + 1 if isinstance(node.value, int) else 1.5 * node.value + 1e-3), "number")
        elif isinstance(node, ast.Attribute) and node.attr == "T" and isinstance(node.ctx, ast.Load):
            yield Fault(node, node.value, "transpose dropped")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "where" and len(node.args) == 3:
            yield Fault(node, node.args[1], "mask dropped")
        elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            yield Fault(node, None, "statement deleted")


def _code(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes in which a fault would be one of the arithmetic: not those of imports, annotations, raised errors, sizes of limits, pictures."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Raise, ast.Import, ast.ImportFrom, ast.JoinedStr)) or _is_limit(node) or _makes_blocks(node) or _is_look(node):
            continue
        yield node
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list") or _is_minus_one(node):
                continue
            children = value if isinstance(value, list) else [value]
            stack += [child for child in children if isinstance(child, ast.AST)][::-1]


def _is_look(node: ast.AST) -> bool:
    """A function that draws: colours and line widths are judged by eye."""
    return isinstance(node, ast.FunctionDef) and ("draw" in node.name or node.name.endswith("_colours"))


def _is_minus_one(node: ast.AST) -> bool:
    """-1, which NumPy reads as -2 would be where it means "whatever is left"; the sign is fault enough."""
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)


def _is_limit(node: ast.AST) -> bool:
    """A module's named size, MAX_ENTRIES = 2**30 or a block size: another one is as right."""
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper()


def _makes_blocks(node: ast.AST) -> bool:
    """row_blocks(n, 512) and the like: blocks of another size are as right."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("blocks")


def _text(node: ast.BinOp) -> bool:
    return any(isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str)) for side in (node.left, node.right))


def planted(tree: ast.Module, fault: Fault) -> str:
    """The module's source with the fault in it."""
    copies: dict[int, ast.AST] = {}  # of the nodes, by the identity of the original
    clone, new = copy.deepcopy((tree, fault.new), copies)
    here = copies[id(fault.node)]

    class Plant(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return (new or ast.Pass()) if node is here else self.generic_visit(node)

    return ast.unparse(ast.fix_missing_locations(Plant().visit(clone)))


def noticed(folder: Path, module: str, source: str) -> bool:
    """Whether the module's tests fail on this source; the copy in folder is put right again."""
    path, own = folder / "relu_dynamics" / f"{module}.py", [f"tests/test_{name}.py" for name in TESTS.get(module, (module,))]
    original = path.read_text()
    path.write_text(source)
    try:  # most faults need only a few examples to show
        return _fail(folder, [*own, *(t for t in ALWAYS if (folder / t).exists())], "few") or _fail(folder, own, "dev")
    finally:
        path.write_text(original)


def _fail(folder: Path, tests: list[str], profile: str) -> bool:
    """Whether these tests fail in folder, cannot be collected, bring the interpreter down or hang."""
    ended = PROCESSES.Process(target=_run, args=(folder, tests, profile))
    ended.start()
    ended.join(SECONDS)
    if ended.is_alive():
        ended.kill()
        ended.join()
    if ended.exitcode > 2:
        raise RuntimeError(f"pytest did not run {' '.join(tests)}: {(folder / OUTPUT).read_text()}")
    return ended.exitcode != 0


def _run(folder: Path, tests: list[str], profile: str) -> None:
    """Be the process that runs them: in folder, where `tests` and the package are those of folder."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "relu_dynamics")]:
        del sys.modules[name]
    os.environ["HYPOTHESIS_PROFILE"] = profile
    with open(OUTPUT, "w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    import pytest

    # What is imported before pytest starts is not rewritten by it, of which it warns.
    sys.exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning", *tests])))


def survey(module: str, count: int | None, seed: int, workers: int = 1) -> tuple[int, int, int]:
    """How many faults were planted in the module, how many its tests noticed, how many of the others change nothing."""
    text = (ROOT / "relu_dynamics" / f"{module}.py").read_text()
    tree = ast.parse(text)
    chosen = list(faults(tree))
    if count is not None and count < len(chosen):
        chosen = random.Random(f"{seed} {module}").sample(chosen, count)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(workers) as threads:
        copies: Queue[Path] = Queue()
        for k in range(workers):
            copies.put(Path(shutil.copytree(
                ROOT, Path(name) / f"copy{k}",
                ignore=shutil.ignore_patterns(".git", ".venv", "out", "__pycache__", ".hypothesis"))))
        if noticed(Path(name) / "copy0", module, text):
            raise RuntimeError(f"the tests of {module} fail without any fault: {(Path(name) / 'copy0' / OUTPUT).read_text()}")

        def tried(fault: Fault) -> bool:
            folder = copies.get()
            try:
                return noticed(folder, module, planted(tree, fault))
            finally:
                copies.put(folder)

        killed = harmless = 0
        for fault, was_noticed in zip(chosen, threads.map(tried, chosen), strict=True):
            number = getattr(fault.node, "lineno", 1)
            line = text.splitlines()[number - 1].strip()
            killed += was_noticed
            if not was_noticed and (module, line, described(fault)) in EQUIVALENT:
                harmless += 1
            elif not was_noticed:
                print(f"  survived  {module}.py:{number}  {fault.what}:  {described(fault)}   in   {line}", flush=True)
    return len(chosen), killed, harmless


def described(fault: Fault) -> str:
    """The code before and after."""
    new = "" if fault.new is None else ast.unparse(ast.fix_missing_locations(copy.deepcopy(fault.new)))
    return f"{ast.unparse(fault.node)} -> {new}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="module", help=f"which (default: all): {', '.join(MODULES)}")
    parser.add_argument("--faults", type=int, default=20, help="how many faults per module (default: 20)")
    parser.add_argument("--all", action="store_true", help="all faults")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many at a time (default: one per core)")
    parser.add_argument("--seed", type=int, default=0, help="which sample of faults")
    options = parser.parse_args(argv)
    if unknown := set(options.modules) - set(MODULES):
        parser.error(f"no module is called {', '.join(sorted(unknown))}")
    if min(options.faults, options.workers) < 1:
        parser.error("--faults and --workers must be at least 1")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before any process imports NumPy
    for module in options.modules or MODULES:
        planted_, killed, harmless = survey(module, None if options.all else options.faults, options.seed, options.workers)
        print(f"{module:14} {killed:4} of {planted_:4} noticed ({100 * (killed + harmless) / planted_:.0f} %), {harmless} change nothing", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
