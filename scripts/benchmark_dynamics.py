"""How fast are kernels, spectra, curvatures and flows?  Parts of scripts.benchmark.

Kernels by products against forming them; the pattern's spectrum of a picture whose kernel does
not fit in memory; the curvature of every layer against power iteration on Hessian products in
PyTorch; gradient flow through every kink; and the cost of one call on a tiny network.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from relu_dynamics import (
    MLP, PositionalEncoding, decompose, gradient_confusion, grid, init, integrate, kernel_spectrum,
    layer_curvature, pack, pattern, pattern_spectrum, tangent_kernel,
)
from scripts.benchmark_regions import (
    Asked, Burst, high_water, importable, in_a_process_of_its_own, ratio, repeated, take_turns,
)


def kernels(quick: bool) -> Iterator[str | Asked]:
    """The 10 largest eigenvalues of a kernel that is never formed, against forming it once.

    Encoded samples hardly share cells, so the Jacobian keeps all of its rows, and every one of the
    30 or so products that Lanczos' method needs takes as long as its matrix products.
    """
    n = 2048 if quick else 16384
    x = np.random.default_rng(1).random((n, 2))
    for name, rows in (("[0,1]", x), ("L = 6", PositionalEncoding(6)(x))):
        net = init([rows.shape[1], *[128] * 4, 1], np.random.default_rng(0))
        start = time.perf_counter()
        kernel_spectrum(net, rows, 10)
        ours = time.perf_counter() - start
        if rows is x:
            tangent_kernel(net, rows)
            forming = time.perf_counter() - start - ours
        yield (f"kernels   {name}, 4x128, n = {n}: 10 largest eigenvalues {ours:.2f} s, "
               f"forming K {forming:.2f} s")
        yield Asked(f"kernel_spectrum, 10 largest, {name}, 4x128, n = {n}", "forming K",
                    forming / ours, ">=", None if quick else 20, "times as fast")


def spectra(quick: bool) -> Iterator[str | Asked]:
    """The power spectrum of the pattern of a 512x512 picture and 2048 units, patterns included."""
    side = 128 if quick else 512
    seconds, memory = in_a_process_of_its_own(spectrum_alone, side)
    yield f"spectra   4x512, {side}x{side}: {seconds:.1f} s, {memory:.0f} MiB"
    if not quick:
        work = "pattern_spectrum, 512x512, 4x512"
        yield Asked(work, "", seconds, "<=", 60, "s")
        yield Asked(f"{work}: peak memory", "", memory / 1024, "<=", 2, "GiB")


def spectrum_alone(side: int) -> tuple[float, float]:
    net, x = init([2, *[512] * 4, 3], np.random.default_rng(0)), grid((side, side), "half-open")
    before, start = high_water(), time.perf_counter()
    pattern_spectrum(pack(pattern(net, x)), (side, side))
    return time.perf_counter() - start, high_water() - before


def curvature(quick: bool) -> Iterator[str | Asked]:
    """The largest eigenvalue of every layer's block of the Hessian."""
    n, widths = 256 if quick else 1024, [2, 128, 128, 128, 1]
    net, rng = init(widths, np.random.default_rng(0)), np.random.default_rng(1)
    x, y = rng.random((n, 2)), rng.random((n, 1))
    contestants: dict[str, tuple[Burst, int]] = {"ours": (lambda: layer_curvature(net, x), 1)}
    if importable("torch"):
        contestants["PyTorch"] = (lambda: torch_curvature(net, x, y), 1)
    times = take_turns(contestants, 3)
    yield f"curvature {widths}, n = {n}: every layer {1e3 * np.median(times['ours']):.0f} ms"
    if "PyTorch" in times:
        yield Asked(f"layer_curvature, {widths}, n = {n}",
                    "power iteration in PyTorch, 20 products a layer",
                    ratio(times["PyTorch"], times["ours"]), ">=", 10, "times as fast")


def torch_curvature(net: MLP, x: Any, y: Any, steps: int = 20) -> list[float]:
    """The same by power iteration on products with each layer's block of the Hessian, float64."""
    import torch

    torch.set_num_threads(1)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    parameters = [torch.from_numpy(part.copy()).requires_grad_()
                  for layer in zip(*net, strict=True) for part in layer]
    h = inputs
    for k in range(0, len(parameters), 2):
        h = h if k == 0 else torch.relu(h)
        h = torch.nn.functional.linear(h, parameters[k], parameters[k + 1])
    loss, largest = torch.mean((h - targets) ** 2), []
    for k in range(0, len(parameters), 2):
        layer = parameters[k : k + 2]
        gradient = torch.autograd.grad(loss, layer, create_graph=True, retain_graph=True)
        v = [torch.randn_like(part) for part in layer]
        for _ in range(steps):
            size = torch.sqrt(sum((part**2).sum() for part in v))
            v = [part / size for part in v]
            along = sum((g * part).sum() for g, part in zip(gradient, v, strict=True))
            v = [part.detach() for part in torch.autograd.grad(along, layer, retain_graph=True)]
        largest.append(float(torch.sqrt(sum((part**2).sum() for part in v))))
    return largest


def trajectories(quick: bool) -> Iterator[str | Asked]:
    """Gradient flow of a small network to late times, through every kink.

    Of the networks of seeds 0 to 7 this is one of five whose flow is unique until then.
    """
    rng = np.random.default_rng(2)
    net, x, y = init([2, 8, 1], rng), rng.normal(size=(10, 2)), rng.normal(size=(10, 1))
    for until, most in ((30, None), (1000, 20)):
        if until > 30 and quick:
            continue
        start = time.perf_counter()
        path = integrate(net, x, y, [float(until)])
        seconds = time.perf_counter() - start
        yield (f"flow      [2, 8, 1], n = 10, to t = {until}: {seconds:.2f} s, "
               f"{len(path.flips.time)} switches")
        yield Asked(f"integrate, [2, 8, 1], n = 10, t = {until}", "", seconds, "<=", most, "s")


def calls(quick: bool) -> Iterator[str | Asked]:
    """One call on a tiny network: the cost of checks and allocations."""
    rng = np.random.default_rng(0)
    net, x, y = init([2, 16, 16, 1], rng), rng.random((8, 2)), rng.random((8, 1))
    jobs: dict[str, Burst] = {
        "kernel": lambda: tangent_kernel(net, x),
        "confusion": lambda: gradient_confusion(net, x, y),
        "decompose": lambda: decompose(net, x, y)}
    times = take_turns({name: repeated(job, 50) for name, job in jobs.items()}, 3 if quick else 9)
    for name, spent in times.items():
        yield Asked(f"one call of {name}, [2, 16, 16, 1], n = 8", "", 1e6 * float(np.median(spent)),
                    "", None, "us")
