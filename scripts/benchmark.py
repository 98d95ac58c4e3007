"""How fast is the package, compared with its peers and with its own matrix products?

    python -m scripts.benchmark                     # everything, a few minutes
    python -m scripts.benchmark training --quick    # one part, fewer repetitions

Prints one line per measurement, with medians and ratios of contestants that took turns in
the same run, and at the end a table of measurements and requirements.  Peers (PyTorch,
regioncam, affinitree) that cannot be imported are skipped, with a message.  NumPy's BLAS
and PyTorch use one thread.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read once, when numpy is first imported

import argparse
import multiprocessing
import platform
import time
from collections.abc import Callable, Iterator

import numpy as np

from relu_dynamics.checks import Array, row_blocks
from relu_dynamics.encoding import PositionalEncoding
from relu_dynamics.flow.decompose import decompose
from relu_dynamics.mlp import MLP, backward, flatten, forward, init, predict
from relu_dynamics.patterns import pack, pattern, unique_words
from relu_dynamics.regions1d import regions_on_encoded_segment, regions_on_segment
from relu_dynamics.signals import grid
from relu_dynamics.tangent import example_gradients, gradient_confusion, loss_directions
from relu_dynamics.training import adam, train
from scripts import benchmark_dynamics, benchmark_regions
from scripts.benchmark_regions import Asked, Burst, importable, ratio, take_turns

# ------------------------------------------------------------------ training

# (widths, rows, the required ratio to PyTorch, steps in a burst)
TRAINING = [
    ([2, 64, 64, 1], 256, 2.0, 300),
    ([2, 256, 256, 3], 4096, 0.95, 12),
    ([2, 512, 512, 512, 512, 3], 8192, 0.95, 2),
]


def training(quick: bool) -> Iterator[str | Asked]:
    """One full-batch Adam step in float32, against PyTorch and the step's own matrix products."""
    if not importable("torch"):
        yield "training  PyTorch cannot be imported: skipped"
    for widths, rows, wanted, steps in TRAINING:
        yield from training_lines(widths, rows, wanted, steps, rounds=3 if quick else 5)


def training_lines(
    widths: list[int], rows: int, wanted: float, steps: int, rounds: int
) -> Iterator[str | Asked]:
    rng = np.random.default_rng(0)
    net = init(widths, rng)
    x, y = (rng.random((rows, width), np.float32) for width in (widths[0], widths[-1]))

    def ours() -> object:
        return train(net, x, y, optimiser=adam(1e-3), epochs=steps, rng=None, dtype=np.float32,
                     progress=False)

    contestants: dict[str, tuple[Burst, int]] = {
        "ours": (ours, steps), "products": (products(widths, rows, steps), steps)}
    if importable("torch"):
        contestants["PyTorch"] = (torch_steps(net, x, y, steps, fused=False), steps)
        contestants["fused"] = (torch_steps(net, x, y, steps, fused=True), steps)
    times = take_turns(contestants, rounds)
    line = f"training  {str(widths):29} x {rows:4}  ours {1e3 * np.median(times['ours']):8.3f} ms"
    for peer in ("products", "PyTorch", "fused"):
        if peer in times:
            line += (f"  {peer} {1e3 * np.median(times[peer]):8.3f} ms, "
                     f"{ratio(times[peer], times['ours']):4.2f}")
    yield line
    work = f"Adam step, float32, {widths} x {rows}"
    if rows > 256:
        yield Asked(work, "its matrix products", ratio(times["ours"], times["products"]), "<=",
                    1.15, "times as long")
    if "PyTorch" in times:
        yield Asked(work, "PyTorch", ratio(times["PyTorch"], times["ours"]), ">=", wanted,
                    "times as fast")


def products(widths: list[int], rows: int, steps: int) -> Burst:
    """The matrix products of a step and nothing else, into preallocated arrays."""
    rng = np.random.default_rng(0)
    W = [rng.random((b, a), np.float32) for a, b in zip(widths[:-1], widths[1:], strict=True)]
    h = [rng.random((rows, w), np.float32) for w in widths]
    g = [np.empty_like(z) for z in h]
    dW = [np.empty_like(w) for w in W]

    def burst() -> None:
        for _ in range(steps):
            for k in range(len(W)):
                np.dot(h[k], W[k].T, out=g[k + 1])
            for k in reversed(range(len(W))):
                np.dot(g[k + 1].T, h[k], out=dW[k])
                if k > 0:
                    np.dot(g[k + 1], W[k], out=g[k])

    return burst


def torch_steps(net: MLP, x: Array, y: Array, steps: int, fused: bool) -> Burst:
    """The same steps as they are written in PyTorch; fused is its option for a faster Adam."""
    import torch

    torch.set_num_threads(1)
    model = torch_model(net)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def burst() -> None:
        for _ in range(steps):
            optimiser.zero_grad()
            torch.nn.functional.mse_loss(model(inputs), targets).backward()
            optimiser.step()

    return burst


def torch_model(net: MLP) -> torch.nn.Sequential:
    """net in PyTorch, in float32."""
    import torch

    layers: list[torch.nn.Module] = []
    for W, b in zip(*net, strict=True):
        layer = torch.nn.Linear(W.shape[1], W.shape[0])
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(W))
            layer.bias.copy_(torch.from_numpy(b))
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


# ----------------------------------------------------------------- confusion


def confusion(quick: bool) -> Iterator[str | Asked]:
    """All-pairs gradient confusion, against two backward passes per pair and its own products."""
    widths, n, rounds = [2, 512, 512, 512, 512, 3], 2048, 3 if quick else 5
    rng = np.random.default_rng(0)
    net, x, y = init(widths, rng), rng.random((n, 2)), rng.random((n, 3))
    pairs, some = n * (n - 1) // 2, 5
    contestants: dict[str, tuple[Burst, int]] = {
        "ours": (lambda: gradient_confusion(net, x, y), 1),
        "products": (gram_products(net, x, y), 1),
        "two passes": (lambda: [pair_by_two_passes(net, x, y, 2 * k, 2 * k + 1)
                                for k in range(some)], some),
    }
    if importable("torch"):
        contestants["PyTorch"] = (torch_pairs(net, x, y, some), some)
    times = take_turns(contestants, rounds)
    seconds = float(np.median(times["ours"]))
    line = (f"confusion {str(widths):29} x {n:4}  ours {seconds:.2f} s for {pairs} pairs, "
            f"{1e6 * seconds / pairs:.2f} us a pair  "
            f"ours/products {ratio(times['ours'], times['products']):.2f}")
    for peer in ("two passes", "PyTorch"):
        if peer in times:
            line += (f"  {peer} {1e6 * np.median(times[peer]):.0f} us a pair, "
                     f"{ratio(times[peer] * pairs, times['ours']):.0f} times")
    yield line
    work = f"gradient confusion of all pairs, {widths}, n = {n}"
    yield Asked(work, "two backward passes a pair",
                ratio(times["two passes"] * pairs, times["ours"]), ">=", 10_000, "times as fast")
    yield Asked(work, "its matrix products", ratio(times["ours"], times["products"]), "<=", 2,
                "times as long")


def pair_by_two_passes(net: MLP, x: Array, y: Array, i: int, j: int) -> float:
    """The cosine of two loss gradients, by the definition."""
    gradients = []
    for k in (i, j):
        trace = forward(net, x[[k]])
        df = 2 / y.shape[1] * (trace.preacts[-1] - y[[k]])
        gradients.append(flatten(backward(net, trace, df)))
    a, b = gradients
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def gram_products(net: MLP, x: Array, y: Array, rows: int = 512) -> Burst:
    """The matrix products of the Gram matrix's upper triangle, and nothing else."""
    deltas, inputs = loss_directions(net, forward(net, x), y)
    factors = [*(delta[:, 0] for delta in deltas), *inputs]
    room = np.empty(rows * len(x))

    def burst() -> None:
        for block in row_blocks(len(x), rows):
            count = block.stop - block.start
            out = room[: count * (len(x) - block.start)].reshape(count, -1)
            for factor in factors:
                np.matmul(factor[block], factor[block.start :].T, out=out)

    return burst


def torch_pairs(net: MLP, x: Array, y: Array, pairs: int) -> Burst:
    """Two backward passes per pair in PyTorch, float32, as in the paper's code."""
    import torch

    torch.set_num_threads(1)
    model = torch_model(net)
    inputs, targets = (torch.from_numpy(a.astype(np.float32)) for a in (x, y))

    def gradient(k: int) -> torch.Tensor:
        model.zero_grad()
        torch.nn.functional.mse_loss(model(inputs[k : k + 1]), targets[k : k + 1]).backward()
        return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])

    def burst() -> None:
        for k in range(pairs):
            torch.nn.functional.cosine_similarity(gradient(2 * k), gradient(2 * k + 1), dim=0)

    return burst


# ------------------------------------------------------------------ patterns


def patterns(quick: bool) -> Iterator[str | Asked]:
    """Different patterns of 512 x 512 inputs in 2048 units, after the forward pass."""
    side, widths = (128 if quick else 512), [2, 512, 512, 512, 512, 3]
    net = init(widths, np.random.default_rng(0))
    x = grid((side, side), "half-open")
    start = time.perf_counter()
    words = np.concatenate([pack(pattern(net, x[block])) for block in row_blocks(len(x))])
    forward_seconds = time.perf_counter() - start
    times = take_turns({"unique": (lambda: unique_words(words), 1)}, 3)["unique"]
    yield (f"patterns  {str(widths):29} x {len(x)}  forward pass and packing "
           f"{forward_seconds:.1f} s, unique patterns {np.median(times):.2f} s")
    if not quick:
        yield Asked(f"unique patterns of {len(x)} inputs, 2048 units", "",
                    float(np.median(times)), "<=", 1, "s")


# ------------------------------------------------------------------ segments


def segments(quick: bool) -> Iterator[str | Asked]:
    """Pieces with slopes on segments, against a forward pass at the breakpoints; also encoded."""
    for widths in ([1, 512, 512, 1], [2, 512, 512, 1], [2, 512, 512, 512, 1]):
        net = init(widths, np.random.default_rng(0))
        a, b = -np.ones(widths[0]), np.ones(widths[0])
        t = regions_on_segment(net, a, b).t
        contestants: dict[str, tuple[Burst, int]] = {
            "ours": (lambda: [regions_on_segment(net, a, b) for _ in range(8)], 8),
            "forward": (lambda: [predict(net, a + t[:, None] * (b - a)) for _ in range(8)], 8),
        }
        times = take_turns(contestants, 3 if quick else 15)
        yield (f"segments  {str(widths):29} {len(t) - 1:6} pieces  "
               f"{1e3 * np.median(times['ours']):8.2f} ms  "
               f"ours/forward {ratio(times['ours'], times['forward']):.2f}")
        yield Asked(f"pieces of a segment, with slopes, {widths}",
                    "a forward pass at the breakpoints",
                    ratio(times["ours"], times["forward"]), "<=", 1.2, "times as long")
    for L, hidden, most in ((8, [64, 64], 20), (8, [128, 128, 128], 60)):
        net = init([2 * L, *hidden, 1], np.random.default_rng(0))
        pieces = regions_on_encoded_segment(net, PositionalEncoding(L), [0.0], [1.0])
        burst = lambda net=net, L=L: regions_on_encoded_segment(
            net, PositionalEncoding(L), [0.0], [1.0])
        seconds = np.median(take_turns({"ours": (burst, 1)}, 3)["ours"])
        each = 1e6 * seconds / len(pieces)
        yield (f"segments  encoded L={L} {str(hidden):18} {len(pieces):6} pieces  "
               f"{1e3 * seconds:8.2f} ms  {each:.1f} us a piece")
        yield Asked(f"pieces of an encoded segment, L = {L}, {hidden}", "", each, "<=", most,
                    "us a piece")


# ---------------------------------------------------------------------- flow


def flow(quick: bool) -> Iterator[str | Asked]:
    """decompose with all splits, against the Jacobian and its Gram matrix; peak memory alone."""
    widths = [2, 256, 256, 3]
    for side, peer in ((16, True), (32 if quick else 64, False)):
        net, x, y = flow_problem(widths, side)
        contestants: dict[str, tuple[Burst, int]] = {
            "ours": (lambda: decompose(net, x, y, grid=(side, side), patch=8, outputs=True), 1)}
        if peer:
            contestants["Jacobian"] = (lambda: jacobian_gram(net, x), 1)
        times = take_turns(contestants, 3)
        line = (f"flow      {str(widths):29} x {len(x):4}  everything on "
                f"{np.median(times['ours']):6.2f} s")
        if peer:
            line += (f"  Jacobian and K alone {np.median(times['Jacobian']):.2f} s, "
                     f"{ratio(times['Jacobian'], times['ours']):.1f} times")
        else:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                memory = pool.apply(flow_memory, (widths, side))
            line += (f"  peak memory {memory:.0f} MiB (the Jacobian: "
                     f"{len(x) * 3 * flatten(net).size / 2**17:.0f})")
        yield line
        work = f"every split of gradient flow, {widths}, n = {len(x)}"
        if peer:
            yield Asked(work, "the Jacobian and its Gram matrix",
                        ratio(times["Jacobian"], times["ours"]), "", None, "times as fast")
        else:
            yield Asked(work, "", float(np.median(times["ours"])), "", None, "s")


def flow_problem(widths: list[int], side: int) -> tuple[MLP, Array, Array]:
    rng = np.random.default_rng(0)
    return init(widths, rng), grid((side, side), "half-open"), rng.random((side * side, widths[-1]))


def flow_memory(widths: list[int], side: int) -> float:
    """The MiB by which the calling process grows."""
    problem, before = flow_problem(widths, side), benchmark_regions.high_water()
    decompose(*problem, grid=(side, side), patch=8, outputs=True)
    return benchmark_regions.high_water() - before


def jacobian_gram(net: MLP, x: Array) -> Array:
    J = example_gradients(net, x)
    J = J.reshape(-1, J.shape[2])
    return np.asarray(J @ J.T)


# ------------------------------------------------------------- the command line

BENCHMARKS: dict[str, Callable[[bool], Iterator[str | Asked]]] = {
    "training": training, "confusion": confusion, "patterns": patterns, "segments": segments,
    "flow": flow, "regions": benchmark_regions.lines, "planes": benchmark_regions.planes,
    "kernels": benchmark_dynamics.kernels, "spectra": benchmark_dynamics.spectra,
    "curvature": benchmark_dynamics.curvature, "trajectories": benchmark_dynamics.trajectories,
    "calls": benchmark_dynamics.calls,
}


def setting() -> str:
    """One line on the machine, so that numbers kept from different ones are not mixed."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    core = os.environ.get("OPENBLAS_CORETYPE", "as detected")
    return (f"numpy {np.__version__}, {blas['name']} {blas['version']}, one BLAS thread, "
            f"kernels {core}; {os.cpu_count()} cores, {platform.machine()}, "
            f"Python {platform.python_version()}")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name",
                        help=f"parts to run (default: all): {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    args = parser.parse_args(argv)
    unknown = [name for name in args.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    print(setting(), flush=True)
    asked = []
    for name in args.names or BENCHMARKS:
        for result in BENCHMARKS[name](args.quick):
            if isinstance(result, Asked):
                asked.append(result)
            else:
                print(result, flush=True)
    print("\n" + table(asked))


def table(asked: list[Asked]) -> str:
    """Requirements and measurements side by side, in Markdown."""
    def number(value: float) -> str:
        return f"{value:.0f}" if value >= 100 else f"{value:.2g}"

    rows = ["| work | compared with | must | measured |", "|---|---|---|---|"]
    for row in asked:
        sense = {"<=": "≤", ">=": "≥"}.get(row.sense, row.sense)
        must = "–" if row.must is None else f"{sense} {number(row.must)}"
        rows.append(f"| {row.work} | {row.against or '–'} | {must} | "
                    f"{number(row.measured)} {row.unit}{'' if row.met else ' (missed)'} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
