"""Gradient flow at kinks of the loss: which entries cross, which rest, and the velocity.

The parameters follow theta' = -grad L of the paper's loss

    L = (1/(n m)) sum_i |r_i|^2,   r = f(x) - y,   m = m[L] .

An *entry* is a pair (example i, hidden unit u).  Its *gate* is the factor relu'(z_iu) in the
backward pass, and its state is one of three:

    ON      z > 0: gate 1
    OFF     z < 0, or a tie from which z does not rise: gate 0
    REST    z stays at 0 for some time: the gate lambda in [0, 1] that keeps z at 0

Why entries rest.  Across z = 0 the loss is continuous but its gradient jumps by (dL/dh) grad z,
so z' is smaller on the on side by (dL/dh) |grad z|^2.  If dL/dh < 0 the flow crosses the kink.
If dL/dh > 0, a convex kink, each side may drive the entry towards the other, and gradient
descent zigzags across it.  In the limit of small steps the flow slides along the kink, with the
mean of the two velocities that keeps z' = 0 (Filippov): minus the shortest element of Clarke's
subdifferential of L.  The entry leaves to the off side when lambda reaches 0, to the on side
when it reaches 1.

What keeps them at rest.  lambda acts on the parameters only by the *hold* mu = lambda dL/dh, the
entry's dL/dz.  An entry at rest has output 0 and passes only its hold back, so all velocities are
affine in the holds.  Their directions are minus the gradients of the z at rest: z' = 0 makes
theta' the projection of the velocity without holds onto the directions that keep those z at 0,
in any number of layers.

Which entries are 0 together.  z_iu = (w_u, b_u) . (h_i, 1), so if a unit's entries are 0 at some
examples, they are 0 wherever (h, 1) is, and stays, a linear combination of theirs: those entries
are *held*; they reach 0 in one event, and their states are decided together.  Two common cases:

    copies      examples at which no unit of the layer before is on have equal inputs to the
                layer.  Each unit treats them as one: one state, and the sum of their dL/dh.
    death       (h, 1) of some examples span those of all others, so the unit is 0 at every
                example.  Off at all of them, with velocity 0, is consistent, and 0 is the
                shortest element of the subdifferential: the unit stays at 0.  The flow is unique
                if the loss rises in every direction in which the unit could move; if not, the
                unit could also leave at any later time, and the limit depends on the step sizes.

    g         distinct inputs; copies of an input have one state, and their mean target
    state     (g, H) int, one EntryState per entry; entries are also named by their flat index
    push      (g, H) z', the rate of each pre-activation
    margin    a quantity that is positive while the states are valid; its first zero ends them
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relu_dynamics.checks import (
    Array, Bits, Indices, Undecided, check_layer_numbers, check_net_and_rows, check_some,
    check_targets,
)
from relu_dynamics.mlp import MLP, run, split_layers

States = NDArray[np.int64]
EPS = float(np.finfo(np.float64).eps)

# Tolerances by which a computed gate may leave [0, 1] before its entry moves: relative, far above
# the noise of an integrator, and absolute for its hold, which is all that acts on the parameters.
SLACK, NEGLIGIBLE = 1e-9, 1e-11
ROUNDING = 1e-12  # |z'| below this share of the largest counts as 0
RELIABLE = 1e-6   # rows are nearly dependent if a singular value is below this share of the largest


class EntryState(IntEnum):
    """OFF and ON as in the pattern; REST on the kink."""

    OFF = 0
    ON = 1
    REST = 2


OFF, ON, REST = (int(member) for member in EntryState)  # plain ints: faster to compare with arrays


class Task(NamedTuple):
    """The network, the examples, and the layers that train."""

    start: MLP               # the network at time 0, in float64
    x: Array                 # (g, m[0]) the distinct inputs
    y: Array                 # (g, m[L]) the mean target of each
    weight: Array            # (g, 1) 2/(n m) times the number of copies: dL/df = weight (f - y)
    group: Indices           # (n,) the distinct input of each example
    layers: tuple[int, ...]  # the layers that train, numbered 1 .. L


class Piece(NamedTuple):
    """A time interval of the flow in which no state changes."""

    task: Task
    state: States
    on: list[Bits]   # (g, m[l]) per hidden layer
    rest: Indices    # (k,) the flat indices of the entries at rest
    copy: Indices    # (k,) the hold of each; copies share one
    holds: int       # j, the number of holds
    held: Bits       # (g, H) z stays 0 as long as the entries at rest do


class FrozenPass(NamedTuple):
    """A forward pass with frozen states: an entry that is on passes z, any other passes 0.

    For one vector of parameters, (p,), or for several, (s, p), with one more axis in front.
    """

    net: MLP
    inputs: list[Array]  # h[0] .. h[L-1], each (g, m[l])
    z: Array             # (g, H)
    df: Array            # (g, m[L]) dL/df


class GatedVelocity(NamedTuple):
    """The velocity of the parameters, and how far the gates of the j holds are inside [0, 1].

    Both margins are positive only at convex kinks, dL/dh > 0: no entry rests at the others.
    """

    velocity: Array  # (p,)
    low: Array       # (j,) lambda dL/dh
    high: Array      # (j,) (1 - lambda) dL/dh


def make_task(net: MLP, x: ArrayLike, y: ArrayLike, layers: Sequence[int] | None) -> Task:
    """The checked problem; for copies of an input only the mean target matters."""
    net, x = check_net_and_rows(net, x, float64=True)
    y = check_targets(net, x, y)
    check_some("x", x, "a mean over no examples is no loss")
    distinct, group = np.unique(x, axis=0, return_inverse=True)
    group = group.ravel()  # NumPy 2.0.0 has it as a column
    copies = np.bincount(group).astype(np.float64)[:, None]
    sums = np.zeros((len(distinct), y.shape[1]))
    np.add.at(sums, group, y)
    layers = check_layer_numbers(net, layers)
    return Task(net, distinct, sums / copies, 2 * copies / y.size, group, layers)


# --------------------------------------------------------------------- the states


def first_states(task: Task, theta: Array) -> tuple[States, States]:
    """The pattern at the start, with ties off, and the states just after the start."""
    z = _side_by_side(run(task.start, task.x).preacts[:-1], len(task.x))
    pattern = np.where(z > 0, ON, OFF)
    return pattern, _settle(task, pattern, theta, np.flatnonzero(z == 0))


def next_states(piece: Piece, theta: Array, ended_by: int) -> tuple[States, Array]:
    """The states after the margin ended_by has reached 0, and the parameters, corrected so that
    the entries that reach 0 with it are exactly 0.
    """
    task, state, held = piece.task, piece.state.copy(), np.flatnonzero(piece.held)
    if ended_by >= state.size:  # a gate has reached 0 or 1
        end, hold = divmod(ended_by - state.size, piece.holds)
        leaving = piece.rest[piece.copy == hold]
        state.flat[leaving] = ON if end else OFF
        return _settle(task, state, theta, np.setdiff1d(held, leaving)), theta
    example, unit = divmod(ended_by, state.shape[1])
    zero = state[:, unit] == REST
    zero[example] = True
    l, k = _place(task.start, unit)
    features = with_ones(frozen_pass(piece, theta).inputs[l])
    together = _zero_with(features, zero, constant=l == 0)
    if (together & ~zero).any() and l + 1 in task.layers:
        theta = _freed(task, theta, l, k, features[zero])
    state[together, unit] = OFF
    tied = np.union1d(held, np.flatnonzero(together) * state.shape[1] + unit)
    settled = _settle(task, state, theta, tied)
    if l == 0 and (together & ~zero).any():
        _check_convex(task, settled, theta, together, unit)
    return settled, theta


def _check_convex(task: Task, state: States, theta: Array, together: Bits, unit: int) -> None:
    """Raise Undecided if unit rests at several entries that reach 0 together, some concave.

    Not all patterns of dependent entries exist, so their gates are not independent.  If all kinks
    are convex this has no effect; otherwise the states found may need gates that small steps
    cannot produce.
    """
    piece = freeze(task, state, theta)
    _, signals, shares = _holding(piece, theta)
    force = np.tensordot(shares, signals[:, together, unit], 1)
    if np.count_nonzero(state[together, unit] == REST) > 1 and (force < -NEGLIGIBLE).any():
        raise Undecided(f"Unit {unit} reaches 0 at {np.count_nonzero(together)} dependent inputs "
                        "at once, at some with a convex kink and at some with a concave one. "
                        "Perturb the inputs, or ask for earlier times.")


def margins(piece: Piece, thetas: Array) -> Array:
    """(s, g H + 2 j): the margins of all entries, then low and high of the gates, for s vectors of
    parameters.
    """
    apart = distances(piece, frozen_pass(piece, thetas).z).reshape(len(thetas), -1)
    if len(piece.rest) == 0:
        return apart
    gates = [np.concatenate(gated_velocity(piece, theta)[1:]) for theta in thetas]
    return np.concatenate([apart, gates], axis=1)


def distances(piece: Piece, z: Array) -> Array:
    """Shaped like z, (g, H): z where on, -z where off, inf where held."""
    return np.where(piece.held, np.inf, np.where(piece.state == ON, z, -z))


def freeze(task: Task, state: States, theta: Array) -> Piece:
    """The piece that begins at theta with these states."""
    on = [part == ON for part in split_layers(task.start, state)]
    rest, none = np.flatnonzero(state == REST), np.zeros(0, np.intp)
    piece = Piece(task, state, on, rest, none, 0, np.zeros(state.shape, np.bool_))
    if len(rest) == 0:
        return piece
    copy = np.unique(_seen(piece).flat[piece.rest], return_inverse=True)[1]
    inputs = frozen_pass(piece, theta).inputs
    for unit in np.flatnonzero((state == REST).any(axis=0)):
        l = _place(task.start, int(unit))[0]
        zero = state[:, unit] == REST
        piece.held[:, unit] = _zero_with(with_ones(inputs[l]), zero, constant=l == 0)
    return piece._replace(copy=copy, holds=1 + int(copy.max()))


def _settle(task: Task, state: States, theta: Array, tied: Indices) -> States:
    """state with the tied entries, given by flat index, changed until they agree with the velocity
    that they cause.

    On needs z' >= 0, off z' <= 0, and rest a gate in [0, 1] with z' = 0: a linear complementarity
    problem with bounds.  The first entry that disagrees is changed, with its copies (Murty's rule,
    which terminates if all kinks are convex).
    """
    for _ in range(20 * len(tied) + 1):
        piece = freeze(task, state, theta)
        pull = _pull(piece, theta)[tied]
        if not pull.any():
            return state
        first, seen = np.flatnonzero(pull)[0], _seen(piece).flat[tied]
        entry, copies = tied[first], tied[seen == seen[first]]
        moved = _with(state, copies, ON if pull[first] > 0 else OFF)
        if state.flat[entry] != REST and _pull(freeze(task, moved, theta), theta)[entry]:
            moved = _with(state, copies, REST)  # the other side drives it back
        state = moved
    raise Undecided(f"{len(tied)} entries are at their kinks at once, and no states were found "
                    "that agree with the velocity they cause. Perturb the network, or ask for "
                    "earlier times.")


def _pull(piece: Piece, theta: Array) -> States:
    """(g H,): 1 where the velocity drives an entry at its kink to on, -1 to off, 0 to neither."""
    moves, flat = gated_velocity(piece, theta), piece.state.ravel()
    push = _pushes(piece, theta, moves.velocity).ravel()
    push[np.abs(push) <= ROUNDING * np.abs(push).max(initial=0)] = 0
    pull = np.where((flat == OFF) & (push > 0), 1, np.where((flat == ON) & (push < 0), -1, 0))
    slack = SLACK * np.abs(moves.low + moves.high) + NEGLIGIBLE
    leaving = np.where(moves.high < -slack, 1, np.where(moves.low < -slack, -1, 0))
    pull[piece.rest] = leaving[piece.copy]
    return pull


def _with(state: States, entries: Indices, value: int) -> States:
    changed = state.copy()
    changed.flat[entries] = value
    return changed


# ----------------------------------------------------------- what is 0 together


def _seen(piece: Piece) -> Indices:
    """(g, H): the flat index of the first copy of each entry, which may be itself."""
    (g, H), first = piece.state.shape, np.arange(len(piece.state))
    seen = np.zeros((g, H), np.intp)
    for on, part in zip(piece.on, split_layers(piece.task.start, seen), strict=True):
        part[:], some = first[:, None], on.any(axis=1)
        first = np.where(some, first, np.argmin(some))
    return seen * H + np.arange(H)  # type: ignore[no-any-return]


def _zero_with(features: Array, zero: Bits, constant: bool) -> Bits:
    """(g,): where a unit with these features, (h, 1), is 0 as long as it is 0 at the examples zero.

    Unless the features are constant, combinations that hold only at one moment do not count: the
    rows at the examples zero must span all the columns that are not 0 there.  Nearly dependent
    rows are not used, because they would amplify noise too much.
    """
    rows = features[zero]
    sigma = thin_svd(rows)[1]
    if sigma[-1] < RELIABLE * sigma[0]:
        return zero
    if constant:
        rounding = 16 * EPS * max(rows.shape) * sigma[0] / sigma[-1]
        left = np.linalg.norm(features @ complement(rows), axis=1)
        inside: Bits = left <= rounding * np.linalg.norm(features, axis=1)
        return zero | inside
    moving = rows.any(axis=0)
    if len(sigma) < np.count_nonzero(moving):
        return zero
    return zero | ~np.asarray(features[:, ~moving].any(axis=1))


def _freed(task: Task, theta: Array, l: int, k: int, zero: Array) -> Array:
    """theta with the weights into unit k of layer l + 1 corrected by noise: z = 0 at the rows zero.
    """
    theta = theta.copy()
    net, N = as_net(theta, task.start), complement(zero)  # views
    row = N @ (N.T @ np.append(net.weights[l][k], net.biases[l][k]))
    net.weights[l][k], net.biases[l][k] = row[:-1], row[-1]
    return theta


def thin_svd(A: Array) -> tuple[Array, Array, Array]:
    """A = U diag(sigma) V, sigma > 0.

    Singular values up to eps max(A.shape) times the largest are rounding and are left out.
    """
    U, sigma, V = np.linalg.svd(A, full_matrices=False)
    rank = np.count_nonzero(sigma > EPS * max(A.shape) * sigma.max(initial=0))
    return U[:, :rank], sigma[:rank], V[:rank]


def complement(A: Array) -> Array:
    """(d, d - rank): orthonormal columns that span the complement of the rows of A, (k, d)."""
    return np.asarray(np.linalg.svd(A)[2][len(thin_svd(A)[1]):].T)


def with_ones(h: Array) -> Array:
    """(h, 1)."""
    return np.concatenate([h, np.ones((len(h), 1))], axis=1)


def _place(net: MLP, unit: int) -> tuple[int, int]:
    """(l, k): hidden unit `unit`, counted in layer order, is unit k of layer l + 1."""
    ends = np.cumsum([len(b) for b in net.biases[:-1]])
    l = int(np.searchsorted(ends, unit, side="right"))
    return l, int(unit) - int(ends[l]) + len(net.biases[l])


# ------------------------------------------------- the velocity, given the states


def velocity(piece: Piece, theta: Array) -> Array:
    """(p,): theta' = -grad L with the states of piece.

    NaN if the velocities overflow, which can happen when an integrator tries too long a step.
    """
    moves, _, shares = _holding(piece, theta)
    return shares @ moves


def gated_velocity(piece: Piece, theta: Array) -> GatedVelocity:
    """The velocity, and the gates that cause it."""
    moves, signals, shares = _holding(piece, theta)
    if len(piece.rest) == 0:
        return GatedVelocity(moves[0], np.zeros(0), np.zeros(0))
    dh = shares @ signals.reshape(len(shares), -1)[:, piece.rest]
    low, both = (np.bincount(piece.copy, part).astype(np.float64) for part in (shares[1:], dh))
    return GatedVelocity(shares @ moves, low, both - low)


def _holding(piece: Piece, theta: Array) -> tuple[Array, Array, Array]:
    """Velocities, (k + 1, p), dL/dh, (k + 1, g, H), and (1, mu).

    The first is for the loss without holds, the others for each hold without the loss.  mu are the
    holds that keep z' = 0 at rest; if they are not unique, the smallest.
    """
    k, current = len(piece.rest), frozen_pass(piece, theta)
    df, holds = np.zeros((k + 1, *current.df.shape)), np.zeros((k + 1, *current.z.shape))
    df[0] = current.df
    holds.reshape(k + 1, -1)[np.arange(1, k + 1), piece.rest] = 1
    moves, signals = _velocities(piece, current, df, holds)
    shares = np.ones(k + 1)
    if k > 0:
        finite = np.isfinite(moves).all()
        shares[1:] = np.linalg.lstsq(moves[1:].T, -moves[0])[0] if finite else np.nan
    return moves, signals, shares


def frozen_pass(piece: Piece, theta: Array) -> FrozenPass:
    """The forward pass with the parameters theta, (p,) or (s, p)."""
    net, h = as_net(theta, piece.task.start), piece.task.x
    inputs, preacts = [h], []
    for W, b, on in zip(net.weights, net.biases, piece.on, strict=False):
        preacts.append(h @ W.swapaxes(-1, -2) + b[..., None, :])
        h = np.where(on, preacts[-1], 0.0)
        inputs.append(h)
    f = h @ net.weights[-1].swapaxes(-1, -2) + net.biases[-1][..., None, :]
    df = piece.task.weight * (f - piece.task.y)
    return FrozenPass(net, inputs, _side_by_side(preacts, *f.shape[:-1]), df)


def as_net(theta: Array, like: MLP) -> MLP:
    """The network, or networks, with the parameters theta, (p,) or (s, p), as views."""
    weights, biases, at = [], [], 0
    for W, b in zip(*like, strict=True):
        weights.append(theta[..., at : at + W.size].reshape(*theta.shape[:-1], *W.shape))
        biases.append(theta[..., at + W.size : at + W.size + b.size])
        at += W.size + b.size
    return MLP(tuple(weights), tuple(biases))


def _velocities(piece: Piece, current: FrozenPass, df: Array, holds: Array) -> tuple[Array, Array]:
    """Minus the gradient, (s, p), and dL/dh, (s, g, H).

    For s choices of dL/df, (s, g, m[L]), and of the holds, (s, g, H).  The gradient is 0 for
    layers that do not train.
    """
    delta, signals = df, np.empty_like(holds)  # delta is dL/dz[l], from the last layer to the first
    unit, parts = holds.shape[2], []
    for k in reversed(range(len(current.inputs))):
        rate = -1.0 if k + 1 in piece.task.layers else 0.0
        dW = rate * (delta.swapaxes(1, 2) @ current.inputs[k])
        parts += [rate * delta.sum(axis=1), dW.reshape(len(dW), -1)]
        if k > 0:
            units = slice(unit - current.inputs[k].shape[1], unit)
            signals[:, :, units] = delta @ current.net.weights[k]
            delta = np.where(piece.on[k - 1], signals[:, :, units], holds[:, :, units])
            unit = units.start
    return np.concatenate(parts[::-1], axis=1), signals


def _pushes(piece: Piece, theta: Array, moves: Array) -> Array:
    """z', (g, H), under theta' = moves; entries that are off or at rest pass 0."""
    current, change = frozen_pass(piece, theta), as_net(moves, piece.task.start)
    pushes, dh = [], np.zeros_like(piece.task.x)
    layers = zip(current.net.weights, current.inputs, *change, piece.on, strict=False)
    for W, h, dW, db, on in layers:
        pushes.append(h @ dW.T + db + dh @ W.T)
        dh = np.where(on, pushes[-1], 0.0)
    return _side_by_side(pushes, len(dh))


def _side_by_side(layers: Sequence[Array], *rows: int) -> Array:
    """(*rows, H) from one (*rows, m[l]) per hidden layer; there may be no hidden layer."""
    return np.concatenate([np.zeros((*rows, 0)), *layers], axis=-1)
