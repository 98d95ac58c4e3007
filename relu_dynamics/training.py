"""Training by gradient descent: SGD and Adam, full batch or mini-batch.

    loss   (1 / (n m[L])) sum_i |f(x_i) - y_i|^2      the mean over examples and outputs
    g      its gradient with respect to theta, the vector of all parameters (mlp.flatten)
    sgd    theta <- theta - rate g
    adam   m <- beta1 m + (1 - beta1) g         v <- beta2 v + (1 - beta2) g^2
           theta <- theta - rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)

The pattern is the network's own at every step, or imposed: then every example keeps its
gates, and the network is linear in the parameters of each layer (T40).

mlp.forward and mlp.backward are the clear version of a step; the tests compare the two.
Here no array is allocated in a step: theta and g are one vector each, with the layers as
views, and a batch is processed in blocks of rows, small enough for the cache, in the same
few arrays.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from relu_dynamics.checks import (
    Array, Bits, check_count, check_dtype, check_examples, check_flag, check_kind, check_moments,
    check_number, check_record, check_rng, check_rounded, printed, row_blocks,
)
from relu_dynamics.mlp import MLP, flatten, split_layers, unflatten, views

BLOCK = 512  # rows: enough for fast matrix products, few enough for the cache


class SGD(NamedTuple):
    """Gradient descent with a constant rate; made by sgd(rate)."""

    rate: float


class Adam(NamedTuple):
    """Kingma & Ba 2015, algorithm 1, as torch.optim.Adam has it; made by adam(rate, ...)."""

    rate: float
    beta1: float
    beta2: float
    epsilon: float


@printed
class State(NamedTuple):
    """The state of an optimiser between two steps."""

    steps: int     # taken so far
    first: Array   # (p,) Adam's running mean of the gradient
    second: Array  # (p,) and of its square; both in the dtype of the steps, zero for SGD


class History(NamedTuple):
    """The losses and records of a run, and the final state of the optimiser."""

    loss: Array              # (epochs,): the mean over the epoch's batches, each before its step
    records: dict[int, Any]  # epoch -> what record(epoch, net) returned
    state: State             # of the optimiser at the end

    def __repr__(self) -> str:
        last = f", loss {self.loss[0]:.3g} to {self.loss[-1]:.3g}" if len(self.loss) else ""
        return f"History({len(self.loss)} epochs{last}, {len(self.records)} records)"


class Divergence(ValueError, FloatingPointError):
    """Training reached a loss or a parameter that is not finite."""


def sgd(rate: float) -> SGD:
    """The optimiser theta <- theta - rate g.  ValueError unless rate is finite and positive."""
    return SGD(check_number("rate", rate, "positive number"))


def adam(rate: float, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Adam:
    """The optimiser Adam; its moments start at zero in every run.

    ValueError unless rate and epsilon are finite and positive and 0 <= beta1, beta2 < 1.
    """
    positive, share = "positive number", "number at least 0 and below 1"
    return Adam(check_number("rate", rate, positive), check_number("beta1", beta1, share),
                check_number("beta2", beta2, share), check_number("epsilon", epsilon, positive))


# ------------------------------------------------------------------- the run


def train(
    net: MLP, x: ArrayLike, y: ArrayLike, *, optimiser: SGD | Adam, epochs: int,
    batch_size: int | None = None, rng: np.random.Generator | None,
    pattern: ArrayLike | None = None, record: Callable[[int, MLP], Any] | None = None,
    record_epochs: Iterable[int] | None = None, reshuffle: bool = True,
    state: State | None = None, dtype: DTypeLike = np.float64, progress: bool | None = None,
) -> tuple[MLP, History]:
    """(trained network, History): net after epochs passes over x, (n, m[0]), and y, (n, m[L]).

    A step uses batch_size rows, the last step of an epoch the remaining rows; None is full batch.
    rng assigns the rows to batches, in every epoch or only once with reshuffle=False; with a single
    batch nothing is random, and rng may be None.
    pattern, (n, H) bool, imposes the gates of every example throughout, as in forward (T40).
    record(epoch, net) is called with the initial net as epoch 0 and after every epoch, or only at
    record_epochs.  state, the history.state of an earlier call, continues it: with the network that
    it returned, its dtype, and its generator (with reshuffle=False, a generator as it was at the
    start), two calls give the bytes of one.  dtype is the precision of the steps, float32 or
    float64; networks given to record and returned are float64.  The same arguments give the same
    bytes.  progress shows a line on stderr; None: only if it is a terminal.

    ValueError for arguments that do not fit together, or without examples; Divergence
    (a ValueError and a FloatingPointError) if the loss or a parameter is not finite.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> x, y = [[0.5], [1.5]], [[1], [0]]
    >>> trained, history = rd.train(hat, x, y, optimiser=rd.sgd(0.05), epochs=3, rng=None)
    >>> history.loss.round(3).tolist()
    [0.25, 0.142, 0.118]
    """
    dtype = check_dtype(dtype)
    net, x, y, gates = check_examples(net, x, y, pattern, dtype)
    net, data = unflatten(flatten(net), net), _Examples(x, y, gates)
    check_kind("optimiser", optimiser, SGD, Adam)
    optimiser = sgd(*optimiser) if isinstance(optimiser, SGD) else adam(*optimiser)
    epochs, n = check_count("epochs", epochs, 0), len(data.x)
    size = n if batch_size is None else check_count("batch_size", batch_size, 1)
    check_flag("reshuffle", reshuffle, "new batches every epoch, or shuffle once")
    show = sys.stderr.isatty() if progress is None else progress
    check_flag("progress", show, "show a line on stderr, or None, if it is a terminal")
    if rng is not None or size < n:
        check_rng(rng)  # type: ignore[arg-type]
    wanted = check_record(record, record_epochs, epochs)
    theta = _parameters(check_rounded("net", flatten(net), dtype), net)
    steps, first, second = check_moments(state, State, len(theta.vector), dtype)

    batches, records, losses = list(row_blocks(n, size)), {}, np.empty(epochs)
    after = State(steps + epochs * len(batches), first, second)
    if record is not None and 0 in wanted:
        records[0] = record(0, unflatten(flatten(net), net))
    passes, work = _passes(data, rng if size < n else None, reshuffle), _workspace(theta, size)
    for epoch, examples in zip(_with_progress(losses, show), passes):
        losses[epoch - 1] = _descend(
            theta, [examples.at(rows) for rows in batches], optimiser, after, steps, epoch, work)
        steps += len(batches)
        if record is not None and epoch in wanted:
            records[epoch] = record(epoch, _network(theta, epoch, optimiser))
    trained = _network(theta, epochs, optimiser) if epochs else net
    return trained, History(losses, records, after)


class _Examples(NamedTuple):
    x: Array           # (n, m[0])
    y: Array           # (n, m[L])
    pattern: Bits      # (n, H) imposed gates, or (n, 0) for the network's own

    def at(self, rows: slice) -> _Examples:
        return _Examples(self.x[rows], self.y[rows], self.pattern[rows])


def _passes(
    data: _Examples, rng: np.random.Generator | None, reshuffle: bool
) -> Iterator[_Examples]:
    """The examples in the order of each epoch; the next pass overwrites the arrays."""
    while rng is None:
        yield data
    shuffled = _Examples(np.empty_like(data.x), np.empty_like(data.y), np.empty_like(data.pattern))
    while True:
        order = rng.permutation(len(data.x))
        for part, into in zip(data, shuffled, strict=True):
            np.take(part, order, axis=0, out=into, mode="clip")  # the default mode copies out first
        yield shuffled
        while not reshuffle:
            yield shuffled


def _descend(
    theta: _Parameters, batches: list[_Examples], optimiser: SGD | Adam, means: State, steps: int,
    epoch: int, work: _Workspace,
) -> float:
    """The mean loss over the batches of an epoch; updates theta and the running means."""
    losses = []
    with np.errstate(over="ignore", invalid="ignore"):  # the loss shows divergence
        for t, batch in enumerate(batches, steps + 1):
            losses.append(_gradient(theta, batch, work))
            _check_divergence("loss", losses[-1], epoch, optimiser)
            _step(theta.vector, work.gradient.vector, optimiser, means, work.scratch, t)
    return sum(losses) / len(losses)


def _with_progress(losses: Array, show: bool) -> Iterator[int]:
    """The epochs 1, 2, ..., with a line on their progress and loss at most every 0.1 s."""
    started, shown, epochs = time.monotonic(), -math.inf, len(losses)
    for epoch in range(1, epochs + 1):
        yield epoch
        if show and (epoch == epochs or time.monotonic() > shown + 0.1):
            shown = time.monotonic()
            left = round((shown - started) / epoch * (epochs - epoch))
            line = (f"\repoch {epoch}/{epochs}  loss {losses[epoch - 1]:.3e}  "
                    f"{left // 60}:{left % 60:02d} left ")
            print(line, end="\n" if epoch == epochs else "", file=sys.stderr, flush=True)


def _network(theta: _Parameters, epoch: int, optimiser: SGD | Adam) -> MLP:
    """The network as a float64 copy; Divergence unless all parameters are finite."""
    _check_divergence("largest parameter", float(np.abs(theta.vector).max()), epoch, optimiser)
    return unflatten(theta.vector.astype(np.float64), theta.layers)


def _check_divergence(name: str, value: float, epoch: int, optimiser: SGD | Adam) -> None:
    if not math.isfinite(value):
        raise Divergence(f"Training diverged: the {name} is {value} in epoch {epoch}. Use a "
                         f"smaller rate than {optimiser.rate:g}; if the data are far from 1 in "
                         "size, scale them.")


# ------------------------------------------- one step, in preallocated arrays


class _Parameters(NamedTuple):
    """The parameters, or a gradient, as one vector (p,) and as layers that are views of it."""

    vector: Array
    layers: MLP


class _Workspace(NamedTuple):
    """All arrays that a step writes to, except theta and the running means."""

    hidden: list[Array]    # h[1] .. h[L-1] and f, each (rows, m[l]); on the way back, dLoss/dz[l]
    pattern: list[Bits]    # q[1] .. q[L-1]
    part: _Parameters      # the gradient of one block of rows
    gradient: _Parameters  # the sum over the blocks of a batch
    scratch: Array         # (p,)


def _gradient(theta: _Parameters, batch: _Examples, work: _Workspace) -> float:
    """The loss on a batch; its gradient is left in work.gradient."""
    loss = 0.0
    for block in row_blocks(len(batch.x), BLOCK):
        into = work.part if block.start else work.gradient
        loss += _block_gradient(theta, batch.at(block), 1 / batch.y.size, work, into)
        if block.start:
            work.gradient.vector[:] += work.part.vector
    return loss


def _block_gradient(
    theta: _Parameters, rows: _Examples, weight: float, work: _Workspace, into: _Parameters
) -> float:
    """weight |f(x) - y|^2 summed over some rows; the gradient is left in into."""
    weights, biases = theta.layers
    L, n = len(weights), len(rows.x)
    h = [rows.x, *(array[:n] for array in work.hidden)]  # h[0] .. h[L-1], and f in place of h[L]
    imposed = rows.pattern.shape[1] > 0
    q = split_layers(theta.layers, rows.pattern) if imposed else [b[:n] for b in work.pattern]

    # np.dot, because matmul uses a slow loop for products with one output
    for k in range(L):                                  # z = h W^T + b, h = q z
        z = np.dot(h[k], weights[k].T, out=h[k + 1])
        z += biases[k]
        if k < L - 1:
            if not imposed:
                np.greater(z, 0, out=q[k])
            z *= q[k]

    g = np.subtract(h[L], rows.y, out=h[L])             # the residual, which becomes dLoss/df
    loss = weight * float(np.vdot(g, g))
    g *= 2 * weight

    for k in reversed(range(L)):                        # dW = g^T h, db = sum g, g = q (g W)
        np.dot(g.T, h[k], out=into.layers.weights[k])
        g.sum(axis=0, out=into.layers.biases[k])
        if k > 0:
            g = np.dot(g, weights[k], out=h[k])   # h[k] is not needed any more
            g *= q[k - 1]
    return loss


def _step(theta: Array, g: Array, optimiser: SGD | Adam, means: State, u: Array, t: int) -> None:
    """Move theta, (p,), by step t = 1, 2, ... of the optimiser.  Overwrites g and u."""
    if isinstance(optimiser, SGD):
        g *= optimiser.rate
        theta -= g
        return
    rate, beta1, beta2, epsilon = optimiser
    m, v = means.first, means.second
    m *= beta1
    m += np.multiply(g, 1 - beta1, out=u)
    v *= beta2
    g *= g
    v += np.multiply(g, 1 - beta2, out=u)
    # m^ / (sqrt(v^) + epsilon), with both bias corrections as scalar factors
    correction = math.sqrt(1 - beta2**t)
    np.sqrt(v, out=u)
    u += epsilon * correction
    np.divide(m, u, out=u)
    u *= rate * correction / (1 - beta1**t)
    theta -= u


def _parameters(vector: Array, like: MLP) -> _Parameters:
    """vector, (p,), with its views in the shapes of like."""
    return _Parameters(vector, views(vector, like))


def _workspace(theta: _Parameters, rows: int) -> _Workspace:
    """Uninitialised arrays for batches of up to rows rows."""
    net, rows, dtype = theta.layers, min(rows, BLOCK), theta.vector.dtype
    hidden = [np.empty((rows, len(b)), dtype) for b in net.biases]
    bits = [np.empty(h.shape, np.bool_) for h in hidden[:-1]]
    part, gradient, scratch = (np.empty_like(theta.vector) for _ in range(3))
    return _Workspace(hidden, bits, _parameters(part, net), _parameters(gradient, net), scratch)
