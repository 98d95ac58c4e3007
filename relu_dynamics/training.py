"""Training by gradient descent: SGD and Adam, full batch or mini-batch.

    loss   (1 / (n m[L])) sum_i |f(x_i) - y_i|^2      the mean over examples and outputs
    g      its gradient with respect to theta, the vector of all parameters (mlp.flatten)
    sgd    theta <- theta - rate g
    adam   m <- beta1 m + (1 - beta1) g         v <- beta2 v + (1 - beta2) g^2
           theta <- theta - rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)

mlp.forward and mlp.backward are the clear version of a step, and what the tests
compare it with.  Here nothing is allocated: theta and g are each one vector of which
the layers are views, and a batch passes forward and backward in blocks of rows,
small enough to stay in cache, through the same few arrays.

Blocks are dealt to at most SHARDS shards, each with arrays and a sum of its own, and
the shards are added in order.  So the result does not depend on how many threads
worked on it; with several, give each one BLAS thread (OPENBLAS_NUM_THREADS=1).
"""

from __future__ import annotations

import contextlib
import itertools
import math
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from relu_dynamics.checks import (
    Array, Bits, as_real, check_count, check_net, check_net_and_rows, check_rng, check_targets,
    row_blocks,
)
from relu_dynamics.mlp import MLP, flatten, unflatten

BLOCK = 512  # rows; enough for the matrix products to run at full speed, few enough for the cache
SHARDS = 4   # more threads than this find nothing to do


class SGD(NamedTuple):
    """Gradient descent with a constant rate; made by sgd(rate)."""

    rate: float


class Adam(NamedTuple):
    """Kingma & Ba 2015, algorithm 1, as torch.optim.Adam has it; made by adam(rate, ...)."""

    rate: float
    beta1: float
    beta2: float
    epsilon: float


class State(NamedTuple):
    """Where an optimiser stands between two steps."""

    steps: int     # taken so far
    first: Array   # (p,) Adam's running means of the gradient
    second: Array  # (p,) and of its square; both in the dtype of the steps, zero for SGD


class History(NamedTuple):
    """What train saw on the way."""

    loss: Array              # (epochs,): the mean over the epoch's batches, each before its step
    records: dict[int, Any]  # epoch -> what record(epoch, net) returned
    state: State             # of the optimiser at the end


class Divergence(ValueError, FloatingPointError):
    """Training left the finite numbers."""


def sgd(rate: float) -> SGD:
    """The optimiser theta <- theta - rate g.  ValueError unless rate is finite and positive."""
    return SGD(_check_positive("rate", rate))


def adam(rate: float, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Adam:
    """The optimiser Adam; its moments start at zero in every run.

    ValueError unless rate and epsilon are finite and positive and 0 <= beta1, beta2 < 1.
    """
    betas = _check_decay("beta1", beta1), _check_decay("beta2", beta2)
    return Adam(_check_positive("rate", rate), *betas, _check_positive("epsilon", epsilon))


# ------------------------------------------------------------------- the run


def train(
    net: MLP,
    x: ArrayLike,
    y: ArrayLike,
    *,
    optimiser: SGD | Adam,
    epochs: int,
    batch_size: int | None = None,
    rng: np.random.Generator | None,
    record: Callable[[int, MLP], Any] | None = None,
    record_epochs: Iterable[int] | None = None,
    reshuffle: bool = True,
    state: State | None = None,
    dtype: DTypeLike = np.float64,
    threads: int = 1,
    progress: bool | None = None,
) -> tuple[MLP, History]:
    """(trained network, History): net after epochs passes over x, (n, m[0]), and y, (n, m[L]).

    batch_size rows make one step, the last batch of an epoch what is left; None is
    full batch.  rng deals the rows to batches anew every epoch, or only once with
    reshuffle=False; with a single batch nothing is random, and rng may be None.
    record(epoch, net) is called with net itself as epoch 0 and after every epoch, or
    only at record_epochs.  state, the history.state of an earlier call, goes on from there: with the
    network that call returned, its dtype, and the generator it used (with reshuffle=False, one in the
    state that it had at the start), two calls give the bytes of one.  dtype is that of the steps, float32 or float64; networks
    given to record and returned are float64.  The same arguments give the same bytes
    whatever threads is.  progress shows a line on stderr; None: if it is a terminal.

    ValueError for arguments that do not fit together or hold no example; Divergence
    (a ValueError and a FloatingPointError) when the loss or a parameter is not finite.

    >>> trained, history = train(hat, [[0.5], [1.5]], [[1.0], [0.0]], optimiser=sgd(0.05), epochs=3, rng=None)
    >>> history.loss.round(3).tolist()
    [0.25, 0.142, 0.118]
    """
    net, x, y = _check_problem(net, x, y, np.dtype(_check_dtype(dtype)))
    optimiser = _check_optimiser(optimiser)
    epochs, threads = check_count("epochs", epochs, 0), check_count("threads", threads, 1)
    batches = list(row_blocks(len(x), len(x) if batch_size is None else check_count("batch_size", batch_size, 1)))
    _check_flags(reshuffle, progress)
    if rng is not None or len(batches) > 1:
        check_rng(rng)  # type: ignore[arg-type]
    wanted = _check_recording(record, record_epochs, epochs)
    show = sys.stderr.isatty() if progress is None else progress

    moments, steps = _moments(net, x.dtype, state), 0 if state is None else state.steps
    history = History(np.empty(epochs), {}, State(steps + epochs * len(batches), moments.first, moments.second))
    if record is not None and 0 in wanted:
        history.records[0] = record(0, unflatten(flatten(net), net))
    started, last_shown = time.monotonic(), -math.inf
    passes = _passes(x, y, rng if len(batches) > 1 else None, reshuffle)
    descent = _descend(net, passes, batches, optimiser, moments, itertools.count(steps + 1), threads)
    with contextlib.closing(descent):
        for epoch, (loss, theta) in zip(range(1, epochs + 1), descent):
            history.loss[epoch - 1] = loss
            if record is not None and epoch in wanted:
                history.records[epoch] = record(epoch, _network(theta, net, epoch, optimiser))
            if show and (epoch == epochs or time.monotonic() > last_shown + 0.1):
                last_shown = _show(epoch, epochs, loss, started)
    return _network(theta, net, epochs, optimiser) if epochs else net, history


def _descend(
    net: MLP, passes: Iterator[tuple[Array, Array]], batches: list[slice], optimiser: SGD | Adam, moments: _Moments,
    steps: Iterator[int], threads: int,
) -> Generator[tuple[float, Array], None, None]:
    """(mean loss, parameters (p,)) after each pass over the data; the parameters are overwritten by the next."""
    x, y = next(passes)
    theta = _parameters(net, x.dtype)
    theta.vector[:] = _rounded("net", flatten(net), x.dtype)
    shards = _shards(net, max(batch.stop - batch.start for batch in batches), x.dtype)
    with _workers(min(threads, len(shards))) as run:
        for epoch in itertools.count(1):
            losses = []
            with np.errstate(over="ignore", invalid="ignore"):  # divergence is found by its loss
                for batch in batches:
                    losses.append(_gradient(theta, x[batch], y[batch], shards, run))
                    _check_finite("loss", losses[-1], epoch, optimiser)
                    _step(theta.vector, shards[0].total.vector, optimiser, moments, next(steps))
            yield sum(losses) / len(losses), theta.vector
            x, y = next(passes)


def _network(theta: Array, like: MLP, epoch: int, optimiser: SGD | Adam) -> MLP:
    """A float64 copy to hand out, after checking that it is finite."""
    _check_finite("largest parameter", float(np.abs(theta).max()), epoch, optimiser)
    return unflatten(theta.astype(np.float64), like)


def _passes(x: Array, y: Array, rng: np.random.Generator | None, reshuffle: bool) -> Iterator[tuple[Array, Array]]:
    """x and y in the order of each epoch; a pass is overwritten by the next."""
    if rng is None:
        while True:
            yield x, y
    shuffled_x, shuffled_y = np.empty_like(x), np.empty_like(y)
    while True:
        order = rng.permutation(len(x))
        np.take(x, order, axis=0, out=shuffled_x, mode="clip")  # the default mode would copy out first
        np.take(y, order, axis=0, out=shuffled_y, mode="clip")
        yield shuffled_x, shuffled_y
        while not reshuffle:
            yield shuffled_x, shuffled_y


def _show(epoch: int, epochs: int, loss: float, started: float) -> float:
    """Overwrite the progress line; returns the time."""
    now = time.monotonic()
    left = round((now - started) / epoch * (epochs - epoch))
    line = f"\repoch {epoch}/{epochs}  loss {loss:.3e}  {left // 60}:{left % 60:02d} left "
    sys.stderr.write(line + ("\n" if epoch == epochs else ""))
    sys.stderr.flush()
    return now


# ------------------------------------------- one step, in arrays made before the first


class _Parameters(NamedTuple):
    """The parameters, or a gradient, as one vector (p,) and as layers that are views of it."""

    vector: Array
    weights: list[Array]  # (m[l], m[l-1])
    biases: list[Array]   # (m[l],)


class _Shard(NamedTuple):
    """All that the rows of one shard write to."""

    hidden: list[Array]  # h[1] .. h[L-1] and f, each (rows, m[l]); on the way back, dLoss/dz[l]
    pattern: list[Bits]  # q[1] .. q[L-1]
    part: _Parameters    # the gradient of one block of rows
    total: _Parameters   # the sum over blocks


class _Moments(NamedTuple):
    """Adam's running means, and a vector to compute in; each (p,)."""

    first: Array
    second: Array
    scratch: Array


_Run = Callable[..., Iterable[float]]  # map, or the map of a pool of threads


def _gradient(theta: _Parameters, x: Array, y: Array, shards: list[_Shard], run: _Run) -> float:
    """The loss on one batch; its gradient is left in shards[0].total."""
    n, blocks = len(x), -(-len(x) // BLOCK)
    used = shards[: min(len(shards), blocks)]
    bounds = [n * i // len(used) for i in range(len(used) + 1)]
    rows = [slice(start, stop) for start, stop in zip(bounds[:-1], bounds[1:], strict=True)]

    def differentiate(shard: _Shard, own: slice) -> float:
        return _shard_gradient(theta, x[own], y[own], 1 / y.size, shard)

    losses = list(map(differentiate, used, rows) if len(used) == 1 else run(differentiate, used, rows))
    total = used[0].total.vector
    for shard in used[1:]:
        total += shard.total.vector
    return sum(losses)


def _shard_gradient(theta: _Parameters, x: Array, y: Array, weight: float, shard: _Shard) -> float:
    """weight * |f(x) - y|^2, summed over rows; the gradient is left in shard.total."""
    loss, total = 0.0, shard.total.vector
    with np.errstate(over="ignore", invalid="ignore"):  # threads do not inherit it
        for block in row_blocks(len(x), BLOCK):
            into = shard.part if block.start else shard.total
            loss += _block_gradient(theta, x[block], y[block], weight, shard, into)
            if block.start:
                total += shard.part.vector
    return loss


def _block_gradient(theta: _Parameters, x: Array, y: Array, weight: float, shard: _Shard, into: _Parameters) -> float:
    """The same for rows that fit into the shard's arrays; the gradient is left in into."""
    L, rows = len(theta.weights), len(x)
    h = [x, *(array[:rows] for array in shard.hidden)]  # h[0] .. h[L-1], and f in place of h[L]
    q = [array[:rows] for array in shard.pattern]

    # np.dot rather than matmul, which leaves products with one output to a slow loop
    for k in range(L):                                  # z = h W^T + b, h = q z
        z = np.dot(h[k], theta.weights[k].T, out=h[k + 1])
        z += theta.biases[k]
        if k < L - 1:
            np.greater(z, 0, out=q[k])
            z *= q[k]

    g = np.subtract(h[L], y, out=h[L])                  # the residual, which becomes dLoss/df
    loss = weight * float(np.vdot(g, g))
    g *= 2 * weight

    for k in reversed(range(L)):                        # dW = g^T h, db = sum g, g = q (g W)
        np.dot(g.T, h[k], out=into.weights[k])
        g.sum(axis=0, out=into.biases[k])
        if k > 0:
            g = np.dot(g, theta.weights[k], out=h[k])  # h[k] has been used for the last time
            g *= q[k - 1]
    return loss


def _step(theta: Array, g: Array, optimiser: SGD | Adam, moments: _Moments, t: int) -> None:
    """Move theta, (p,), by step t = 1, 2, ... of the optimiser.  g is used up."""
    if isinstance(optimiser, SGD):
        g *= optimiser.rate
        theta -= g
        return
    rate, beta1, beta2, epsilon = optimiser
    m, v, u = moments
    m *= beta1
    m += np.multiply(g, 1 - beta1, out=u)
    v *= beta2
    g *= g
    v += np.multiply(g, 1 - beta2, out=u)
    # m^ / (sqrt(v^) + epsilon) with both corrections taken out of the vectors
    correction = math.sqrt(1 - beta2**t)
    np.sqrt(v, out=u)
    u += epsilon * correction
    np.divide(m, u, out=u)
    u *= rate * correction / (1 - beta1**t)
    theta -= u


def _parameters(net: MLP, dtype: np.dtype[Any]) -> _Parameters:
    """Room for the parameters of net."""
    vector, at = np.empty(sum(part.size for parts in net for part in parts), dtype), 0
    weights, biases = [], []
    for W, b in zip(*net, strict=True):
        weights.append(vector[at : at + W.size].reshape(W.shape))
        biases.append(vector[at + W.size : at + W.size + b.size])
        at += W.size + b.size
    return _Parameters(vector, weights, biases)


def _shards(net: MLP, rows: int, dtype: np.dtype[Any]) -> list[_Shard]:
    """As many shards as batches of so many rows can use."""
    widths = [len(b) for b in net.biases]
    return [
        _Shard(
            [np.empty((min(rows, BLOCK), w), dtype) for w in widths],
            [np.empty((min(rows, BLOCK), w), np.bool_) for w in widths[:-1]],
            _parameters(net, dtype),
            _parameters(net, dtype),
        )
        for _ in range(min(SHARDS, -(-rows // BLOCK)))
    ]


def _moments(net: MLP, dtype: np.dtype[Any], state: State | None) -> _Moments:
    """Zero, or a copy of those in state."""
    p = sum(part.size for parts in net for part in parts)
    if state is None:
        return _Moments(np.zeros(p, dtype), np.zeros(p, dtype), np.empty(p, dtype))
    if not isinstance(state, State):
        raise ValueError(f"state must be the history.state of an earlier call of train. Got {type(state).__name__}.")
    check_count("state.steps", state.steps, 0)
    means = [as_real(f"state.{name}", mean, (p,), "one number per parameter of net") for name, mean in state._asdict().items() if name != "steps"]
    if any(mean.dtype != dtype for mean in means):
        raise ValueError(f"state must be of the dtype of the steps, {dtype}. Got {means[0].dtype}: go on with the dtype it began with.")
    return _Moments(means[0].copy(), means[1].copy(), np.empty(p, dtype))


@contextlib.contextmanager
def _workers(threads: int) -> Iterator[_Run]:
    """map, on this many threads."""
    if threads == 1:
        yield map
    else:
        with ThreadPoolExecutor(threads) as pool:
            yield pool.map


# ------------------------------------------------------------- the public door


def _check_problem(net: MLP, x: ArrayLike, y: ArrayLike, dtype: np.dtype[Any]) -> tuple[MLP, Array, Array]:
    """A float64 copy of net, and x and y in dtype and row-major."""
    net = check_net(net)
    net = unflatten(flatten(net).astype(np.float64), net)
    _, x = check_net_and_rows(net, x)
    y = check_targets(net, x, y)
    if len(x) == 0:
        raise ValueError(f"x must have at least one row: a mean over no examples is no loss. Got shape {x.shape}.")
    return net, np.ascontiguousarray(_rounded("x", x, dtype)), np.ascontiguousarray(_rounded("y", y, dtype))


def _rounded(name: str, array: Array, dtype: np.dtype[Any]) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        rounded = array.astype(dtype, copy=False)
    if not np.isfinite(rounded).all():
        raise ValueError(f"{name} does not fit {dtype}: its largest magnitude is {np.abs(array).max():.3g}. "
                         "Scale it down, or train in float64.")
    return rounded


def _check_dtype(dtype: DTypeLike) -> DTypeLike:
    with contextlib.suppress(TypeError, ValueError):
        if dtype is not None and np.dtype(dtype) in (np.float32, np.float64):
            return dtype
    raise ValueError(f"dtype must be np.float32 or np.float64, the precision of the steps. Got {dtype!r}.")


def _check_optimiser(optimiser: SGD | Adam) -> SGD | Adam:
    if isinstance(optimiser, SGD):
        return sgd(*optimiser)
    if isinstance(optimiser, Adam):
        return adam(*optimiser)
    raise ValueError(f"optimiser must be sgd(rate) or adam(rate, ...). Got {optimiser!r}.")


def _check_flags(reshuffle: bool, progress: bool | None) -> None:
    if not isinstance(reshuffle, (bool, np.bool_)):
        raise ValueError(f"reshuffle must be True (new batches every epoch) or False (shuffle once). Got {reshuffle!r}.")
    if progress is not None and not isinstance(progress, (bool, np.bool_)):
        raise ValueError(f"progress must be True, False or None (show it on a terminal). Got {progress!r}.")


def _check_recording(
    record: Callable[[int, MLP], Any] | None, record_epochs: Iterable[int] | None, epochs: int
) -> set[int]:
    """The epochs at which to record."""
    if record is not None and not callable(record):
        raise ValueError(f"record must be a function of (epoch, net), or None. Got {record!r}.")
    if record_epochs is None:
        return set(range(epochs + 1)) if record is not None else set()
    if record is None:
        raise ValueError("record_epochs says when to call record, but record is None. Give both or neither.")
    try:
        wanted = {check_count("each of record_epochs", epoch, 0) for epoch in record_epochs}
    except TypeError as error:
        raise ValueError(f"record_epochs must list epochs, for example [0, 10]. Got {record_epochs!r}.") from error
    if wanted and max(wanted) > epochs:
        raise ValueError(f"record_epochs must lie in 0 .. epochs = {epochs}. Got {max(wanted)}.")
    return wanted


def _check_positive(name: str, value: float) -> float:
    if not (_is_finite_number(value) and value > 0):
        raise ValueError(f"{name} must be a finite positive number. Got {value!r}.")
    return float(value)


def _check_decay(name: str, value: float) -> float:
    if not (_is_finite_number(value) and 0 <= value < 1):
        raise ValueError(f"{name}, the share of its past that a running mean keeps, must be a number "
                         f"at least 0 and below 1. Got {value!r}.")
    return float(value)


def _is_finite_number(value: Any) -> bool:
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    return number and abs(value) <= sys.float_info.max  # which a whole number may exceed, and NaN does not meet


def _check_finite(name: str, value: float, epoch: int, optimiser: SGD | Adam) -> None:
    if not math.isfinite(value):
        raise Divergence(f"Training diverged: the {name} is {value} in epoch {epoch}. Use a smaller rate than "
                         f"{optimiser.rate:g}; data of a size far from 1 also call for a smaller one, or for scaling.")
