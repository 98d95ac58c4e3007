"""Gradient flow at its kinks: which units cross, which rest, and the velocity that follows.

The parameters follow theta' = -grad L of the paper's loss

    L = (1/(n m)) sum_i |r_i|^2,   r = f(x) - y,   m = m[L] .

An *entry* is a pair (example i, hidden unit u).  Its *gate* is the factor relu'(z_iu) in the
backward pass, and its state is one of three:

    ON      z > 0: gate 1
    OFF     z < 0, or a tie that nothing pushes on: gate 0
    REST    z = 0 for a while: the gate lambda in [0, 1] that keeps z at 0

Why entries rest.  Across z = 0 the loss is continuous but its gradient jumps by (dL/dh) grad z,
so z' is smaller on the on side by (dL/dh) |grad z|^2.  If dL/dh < 0 the flow that arrives goes on
across.  If dL/dh > 0, a convex kink, each side may drive the entry towards the other, and
gradient descent zigzags across it.  The limit of small steps slides along the kink, with the mean of
the two velocities that keeps z' = 0 (Filippov): minus the shortest element of Clarke's
subdifferential of L.  The entry leaves to the off side when lambda comes to 0, to the on side
when it comes to 1.

What holds them.  Of lambda the parameters feel only the *hold* mu = lambda dL/dh, the entry's
dL/dz.  What rests passes nothing on, forward or backward, so all velocities are affine in the
holds.  Their directions are minus the gradients of the z at rest: z' = 0 there makes theta' the
projection of the velocity without holds onto what keeps those z at 0, in any number of layers.

    g         distinct inputs; copies of an input have one state, and their mean target
    state     (g, H) int, one State per entry; entries are also named by their flat index
    push      (g, H) z', how fast each pre-activation moves
    margin    what is positive while the states hold and whose first zero ends them
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relu_dynamics.checks import (
    Array, Indices, Undecided, as_real, check_net_and_rows, check_targets,
)
from relu_dynamics.mlp import MLP, forward, split_layers, unflatten

States = NDArray[np.int64]

# A computed gate may leave [0, 1] by this before its entry moves: relatively, far above an integrator's noise, and
# absolutely in its hold, which is all that the parameters feel.
SLACK, NEGLIGIBLE = 1e-9, 1e-11
ROUNDING = 1e-12  # what of the largest z' counts as no motion


class State(IntEnum):
    """OFF and ON as in the pattern; REST on the kink."""

    OFF = 0
    ON = 1
    REST = 2


OFF, ON, REST = (int(member) for member in State)  # plain, for speed in comparisons with arrays


class Task(NamedTuple):
    """What is trained on what."""

    start: MLP               # the network at time 0, in float64
    x: Array                 # (g, m[0]) the distinct inputs
    y: Array                 # (g, m[L]) the mean target of each
    weight: Array            # (g, 1) 2/(n m) for each of its copies: dL/df = weight (f - y)
    group: Indices           # (n,) which of them each example is
    layers: tuple[int, ...]  # those that train, numbered 1 .. L


class Sweep(NamedTuple):
    """A forward pass with frozen states: what is on passes z, what is off or at rest passes 0."""

    net: MLP
    inputs: list[Array]  # h[0] .. h[L-1], each (g, m[l])
    z: Array             # (g, H)
    df: Array            # (g, m[L]) dL/df


class Motion(NamedTuple):
    """The velocity of the parameters, and how far the gates behind it are inside [0, 1], for the k entries at rest by flat index."""

    low: Array                         # (k,) lambda |dL/dh|
    high: Array                        # (k,) (1 - lambda) |dL/dh|
    layers: list[tuple[Array, Array]]  # W[l]', (1, m[l], m[l-1]), and b[l]', (1, m[l])


def make_task(net: MLP, x: ArrayLike, y: ArrayLike, layers: Sequence[int] | None) -> Task:
    """The checked problem; copies of an input see the same pre-activations, and only the mean of their targets matters."""
    net, x = check_net_and_rows(net, x, float64=True)
    y = check_targets(net, x, y)
    if len(x) == 0:
        raise ValueError(f"x must have at least one row: a mean over no examples is no loss. Got shape {x.shape}.")
    distinct, group = np.unique(x, axis=0, return_inverse=True)
    group = group.ravel()  # NumPy 2.0.0 has it as a column
    copies = np.bincount(group).astype(np.float64)[:, None]
    sums = np.zeros((len(distinct), y.shape[1]))
    np.add.at(sums, group, y)
    return Task(net, distinct, sums / copies, 2 * copies / y.size, group, _check_layers(net, layers))


def _check_layers(net: MLP, layers: Sequence[int] | None) -> tuple[int, ...]:
    L = len(net.weights)
    if layers is None:
        return tuple(range(1, L + 1))
    numbers = as_real("layers", layers, (None,), f"the layers that train, by their numbers from 1 to {L}")
    if len(set(numbers)) < len(numbers) or not set(numbers) <= set(range(1, L + 1)):
        raise ValueError(f"layers must list numbers from 1 to {L}, each at most once: the layers that train. Got {layers!r}.")
    return tuple(int(number) for number in numbers)


# --------------------------------------------------------------------- the states


def first_states(task: Task, theta: Array) -> tuple[States, States]:
    """The pattern at the start, where ties are off, and the states the flow leaves it with."""
    z = _side_by_side(forward(task.start, task.x).preacts[:-1], len(task.x))
    pattern = np.where(z > 0, ON, OFF)
    return pattern, _settle(task, pattern, sweep(task, pattern, theta), np.flatnonzero(z == 0))


def next_states(task: Task, state: States, theta: Array, ended_by: int) -> States:
    """The states after the margin ended_by has come to 0."""
    rest, current = np.flatnonzero(state == REST), sweep(task, state, theta)
    if ended_by < state.size:  # an entry has come to its kink
        return _settle(task, state, current, np.union1d(rest, ended_by))
    end, leaving = divmod(ended_by - state.size, len(rest))  # a gate has come to 0, or to 1
    return _settle(task, _with(state, rest[leaving], ON if end else OFF), current, np.delete(rest, leaving))


def margins(task: Task, state: States, current: Sweep) -> Array:
    """(g H + 2 k,): how far each entry is inside its state, then lambda and 1 - lambda, times |dL/dh|, of the k at rest."""
    rest = motion(task, state, current)
    return np.concatenate([distances(state, current.z).ravel(), rest.low, rest.high])


def distances(state: States, z: Array) -> Array:
    """(g, H): z where on, -z where off, inf at rest."""
    return np.where(state == REST, np.inf, np.where(state == ON, z, -z))


def _settle(task: Task, state: States, current: Sweep, tied: Indices) -> States:
    """state with the tied entries, given by flat index, changed until they agree with the velocity they cause.

    On needs z' >= 0, off z' <= 0, and rest a gate in [0, 1] with z' = 0: a linear complementarity problem
    with bounds.  The first entry that disagrees is moved (Murty's rule, which ends where all kinks are convex).
    At z = 0 the states do not change the forward pass (T23), so one serves all.
    """
    for _ in range(20 * len(tied) + 1):
        pull = _pull(task, state, current)[tied]
        if not pull.any():
            return state
        first = np.flatnonzero(pull)[0]
        entry = int(tied[first])
        moved = _with(state, entry, ON if pull[first] > 0 else OFF)
        if state.flat[entry] != REST and _pull(task, moved, current)[entry]:  # the other side drives it back
            moved = _with(state, entry, REST)
        state = moved
    raise Undecided(f"{len(tied)} entries are at their kinks at once, and no states were found that agree with "
                          "the velocity they cause. Perturb the network, or ask for earlier times.")


def _pull(task: Task, state: States, current: Sweep) -> States:
    """(g H,): 1 where the velocity drives an entry at its kink from its state towards on, -1 towards off, else 0."""
    moves = motion(task, state, current)
    push, flat = _pushes(current, state, moves.layers)[0].ravel(), state.ravel()
    push[np.abs(push) <= ROUNDING * np.abs(push).max(initial=0)] = 0
    pull = np.where((flat == OFF) & (push > 0), 1, np.where((flat == ON) & (push < 0), -1, 0))
    slack = SLACK * (moves.low + moves.high) + NEGLIGIBLE
    pull[flat == REST] = np.where(moves.high < -slack, 1, np.where(moves.low < -slack, -1, 0))
    return pull


def _with(state: States, entry: int, value: int) -> States:
    changed = state.copy()
    changed.flat[entry] = value
    return changed


# ------------------------------------------------- the velocity, given the states


def motion(task: Task, state: States, current: Sweep) -> Motion:
    """theta' = -grad L with the holds that keep z' = 0 at rest; of many, the smallest.

    Not a number, for integrators that try steps too long, where z' overflows.
    """
    rest = state == REST
    k = int(rest.sum())
    df, holds = np.zeros((k + 1, *current.df.shape)), np.zeros((k + 1, *state.shape))
    df[0], holds[1:, rest] = current.df, np.eye(k)  # the loss without a hold, and each hold without the loss
    layers, signals = _velocities(task, state, current, df, holds)
    push = _pushes(current, state, layers)[:, rest]
    mu = np.linalg.lstsq(push[1:].T, -push[0])[0] if np.isfinite(push).all() else np.full(k, np.nan)
    together = np.append(1, mu)[None]
    dh = (together @ signals[:, rest])[0]
    low = np.where(dh < 0, -mu, mu)
    return Motion(low, np.abs(dh) - low, [(np.tensordot(together, dW, 1), together @ db) for dW, db in layers])


def sweep(task: Task, state: States, theta: Array) -> Sweep:
    """The forward pass with the parameters theta, (p,)."""
    net, h = unflatten(theta, task.start), task.x
    inputs, preacts = [h], []
    for W, b, part in zip(net.weights, net.biases, split_layers(net, state), strict=False):
        preacts.append(h @ W.T + b)
        h = np.where(part == ON, preacts[-1], 0.0)
        inputs.append(h)
    f = h @ net.weights[-1].T + net.biases[-1]
    return Sweep(net, inputs, _side_by_side(preacts, len(h)), task.weight * (f - task.y))


def _velocities(task: Task, state: States, current: Sweep, df: Array, holds: Array) -> tuple[list[tuple[Array, Array]], Array]:
    """Minus the gradient, for s choices of dL/df, (s, g, m[L]), and of the holds at rest, (s, g, H); and dL/dh, (s, g, H).

    The gradient is W[l]', (s, m[l], m[l-1]), and b[l]', (s, m[l]), for l = 1 .. L, with zeros for layers that do not train.
    """
    delta, signals = df, np.empty_like(holds)  # delta is dL/dz[l] while going down
    at = state.shape[1]
    layers: list[tuple[Array, Array]] = []
    for k in reversed(range(len(current.inputs))):
        rate = -1.0 if k + 1 in task.layers else 0.0
        layers.append((rate * (delta.swapaxes(1, 2) @ current.inputs[k]), rate * delta.sum(axis=1)))
        if k > 0:
            units = slice(at - current.inputs[k].shape[1], at)
            signals[:, :, units] = delta @ current.net.weights[k]
            delta = np.where(state[:, units] == ON, signals[:, :, units], holds[:, :, units])
            at = units.start
    return layers[::-1], signals


def _pushes(current: Sweep, state: States, layers: list[tuple[Array, Array]]) -> Array:
    """z', (s, g, H), under each of s velocities; what rests or is off passes nothing on."""
    pushes = [np.zeros((len(layers[0][0]), len(state), 0))]
    dh: Array = np.zeros((1, *current.inputs[0].shape))
    parts = split_layers(current.net, state)
    for W, h, (dW, db), part in zip(current.net.weights, current.inputs, layers, parts, strict=False):
        pushes.append(h @ dW.swapaxes(1, 2) + db[:, None, :] + dh @ W.T)
        dh = np.where(part == ON, pushes[-1], 0.0)
    return np.concatenate(pushes, axis=2)


def _side_by_side(layers: Sequence[Array], rows: int) -> Array:
    """(g, H) from one (g, m[l]) per hidden layer, of which there may be none."""
    return np.concatenate([np.zeros((rows, 0)), *layers], axis=1)
