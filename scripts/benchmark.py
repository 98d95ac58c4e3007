"""How fast is the package, next to its peers and to its own matrix products?

    python -m scripts.benchmark                     # everything, a few minutes
    python -m scripts.benchmark training --quick    # one part, fewer repetitions

Prints one line per measurement: medians in milliseconds, and ratios of contestants
that took turns in this very run.  Peers that cannot be imported are skipped with a
line saying so.  NumPy's BLAS has one thread throughout; where a line says threads 2,
the package shards the rows over two, and PyTorch is given two.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read once, when numpy is first imported

import argparse  # noqa: E402
import importlib.util  # noqa: E402
import platform  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from concurrent.futures import ThreadPoolExecutor  # noqa: E402

import numpy as np  # noqa: E402

from relu_dynamics.mlp import MLP, Array, init  # noqa: E402
from relu_dynamics.train import adam, train  # noqa: E402

Burst = Callable[[], object]  # a function worth calling many times


# ----------------------------------------------------------------- measuring


def take_turns(contestants: dict[str, tuple[Burst, int]], rounds: int) -> dict[str, Array]:
    """Seconds per step, (rounds,), of each (burst, steps in it): every round runs every contestant once.

    One unmeasured round goes first.  The pause lets threads that spin after their work
    (OpenMP's do) go to sleep before the next contestant starts.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, (burst, steps) in contestants.items():
            time.sleep(0.05)
            start = time.perf_counter()
            burst()
            seconds[name].append((time.perf_counter() - start) / steps)
    return {name: np.array(measured[1:]) for name, measured in seconds.items()}


def ratio(slow: Array, fast: Array) -> float:
    """How many times as long slow takes as fast: the median over rounds."""
    return float(np.median(slow / fast))


def importable(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


# ------------------------------------------------------------------ training

# (widths, rows, the ratios to PyTorch wanted with 1 and with 2 threads, steps in a burst)
TRAINING = [
    ([2, 64, 64, 1], 256, (2.0, 1.3), 300),
    ([2, 256, 256, 3], 4096, (1.2, 1.3), 12),
    ([2, 512, 512, 512, 512, 3], 8192, (1.1, 1.3), 2),
]


def training(quick: bool) -> Iterator[str]:
    """One full-batch Adam step in float32, against PyTorch and against the step's own matrix products."""
    if not importable("torch"):
        yield "training  PyTorch cannot be imported: skipped"
    for threads in (1, 2):
        if threads > (os.cpu_count() or 1):
            yield f"training  threads {threads}: skipped, this machine has one core"
            continue
        for widths, rows, wanted, steps in TRAINING:
            yield training_line(widths, rows, threads, wanted[threads - 1], steps, rounds=3 if quick else 9)


def training_line(widths: list[int], rows: int, threads: int, wanted: float, steps: int, rounds: int) -> str:
    rng = np.random.default_rng(0)
    net = init(widths, rng)
    x = rng.random((rows, widths[0]), np.float32)
    y = rng.random((rows, widths[-1]), np.float32)

    def ours() -> object:
        return train(net, x, y, optimiser=adam(1e-3), epochs=steps, rng=None, dtype=np.float32, threads=threads, progress=False)

    with ThreadPoolExecutor(threads) as pool:
        contestants: dict[str, tuple[Burst, int]] = {"ours": (ours, steps)}
        contestants["products"] = (products(widths, rows, threads, steps, pool), steps)
        if importable("torch"):
            contestants["PyTorch"] = (torch_steps(net, x, y, threads, steps, fused=False), steps)
            contestants["fused"] = (torch_steps(net, x, y, threads, steps, fused=True), steps)
        times = take_turns(contestants, rounds)

    line = f"training  {str(widths):29} x {rows:4}  threads {threads}  ours {1e3 * np.median(times['ours']):8.3f} ms  "
    line += f"products {1e3 * np.median(times['products']):8.3f} ms  ours/products {ratio(times['ours'], times['products']):4.2f}"
    for peer, note in ("PyTorch", f" (wanted {wanted:.1f})"), ("fused", ""):
        if peer in times:
            line += f"  {peer} {1e3 * np.median(times[peer]):8.3f} ms  {peer}/ours {ratio(times[peer], times['ours']):4.2f}{note}"
    return line


def products(widths: list[int], rows: int, threads: int, steps: int, pool: ThreadPoolExecutor) -> Burst:
    """The matrix products of a step and nothing else, into arrays made before, the rows split over threads."""
    rng = np.random.default_rng(0)

    def part() -> Burst:
        W = [rng.random((b, a), np.float32) for a, b in zip(widths[:-1], widths[1:], strict=True)]
        h = [rng.random((rows // threads, w), np.float32) for w in widths]
        g = [np.empty_like(z) for z in h]
        dW = [np.empty_like(w) for w in W]

        def run() -> None:
            for k in range(len(W)):
                np.dot(h[k], W[k].T, out=g[k + 1])
            for k in reversed(range(len(W))):
                np.dot(g[k + 1].T, h[k], out=dW[k])
                if k > 0:
                    np.dot(g[k + 1], W[k], out=g[k])

        return run

    parts = [part() for _ in range(threads)]

    def burst() -> None:
        for _ in range(steps):
            if threads == 1:
                parts[0]()
            else:
                list(pool.map(lambda run: run(), parts))

    return burst


def torch_steps(net: MLP, x: Array, y: Array, threads: int, steps: int, fused: bool) -> Burst:
    """The same steps as they are written in PyTorch; fused is its option for a faster Adam."""
    import torch

    torch.set_num_threads(threads)
    layers: list[torch.nn.Module] = []
    for W, b in zip(*net, strict=True):
        layer = torch.nn.Linear(W.shape[1], W.shape[0])
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(W))
            layer.bias.copy_(torch.from_numpy(b))
        layers += [layer, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)

    def burst() -> None:
        for _ in range(steps):
            optimiser.zero_grad()
            torch.nn.functional.mse_loss(model(inputs), targets).backward()
            optimiser.step()

    return burst


# ------------------------------------------------------------- the command line

BENCHMARKS: dict[str, Callable[[bool], Iterator[str]]] = {"training": training}


def setting() -> str:
    """One line on the machine, so that numbers kept from different ones are not mixed."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    core = os.environ.get("OPENBLAS_CORETYPE", "as detected")
    return (f"numpy {np.__version__}, {blas['name']} {blas['version']}, one BLAS thread, kernels {core}; "
            f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help=f"which parts: {', '.join(BENCHMARKS)}; all if none is named")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    args = parser.parse_args(argv)
    unknown = [name for name in args.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    print(setting(), flush=True)
    for name in args.names or BENCHMARKS:
        for line in BENCHMARKS[name](args.quick):
            print(line, flush=True)


if __name__ == "__main__":
    main()
