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
subdifferential of L.

What keeps them at rest.  lambda acts on the parameters only by the *hold* mu = lambda dL/dh, the
entry's dL/dz.  An entry at rest has output 0 and passes only its hold back, so all velocities are
affine in the holds.  Their directions are minus the gradients of the z at rest: z' = 0 makes
theta' the projection of the velocity without holds onto the directions that keep those z at 0,
in any number of layers.

When they leave.  Let z' be rates that the entries of one unit at rest can have together.  With
them the loss changes at the rate

    sum_i  dL/dh_i max(z'_i, 0) - mu_i z'_i .

The entries rest as long as this is positive for all z' but 0.  It is linear between the kinks, so
it is enough to look at the *ways*: those z' whose zeros leave no other choice but a factor.  If
the entries are independent, the ways change one z: down at the cost of mu, which is 0 when lambda
is, or up at the cost of dL/dh - mu, which is 0 when lambda is 1.

Which entries are 0 together.  z_iu = (w_u, b_u) . (h_i, 1), so if a unit's entries are 0 at some
examples, they are 0 wherever (h, 1) is, and stays, a linear combination of theirs: those entries
are *held*; they reach 0 in one event, and their states are decided together.  The cases:

    copies      examples at which no unit of the layer before is on have equal inputs to the
                layer.  Each unit treats them as one: one state, and the sum of their dL/dh.
    a region    (x, 1) of an example is a linear combination of those of others with the same
                pattern in the layers before, as of three inputs in a row.
    few units   (h, 1) of some examples span all the units that are on there, so the weights from
                them are 0, and the unit is 0 wherever no other is on.
    death       so it is at every example.  Off at all of them, with velocity 0, is consistent, and
                0 is the shortest element of the subdifferential: the unit stays at 0.  The flow is
                unique if the loss rises in every direction in which the unit could move; if not,
                the unit could also leave at any later time, and the limit depends on the steps.

Where dependent entries go.  They cannot have all patterns: along three inputs in a row z changes
its sign at most once.  faces.py finds where the flow can go on.  If all kinks are convex the answer
is unique.  If not there may be several, and small steps take one by chance, or stay for a while:
Undecided.  So it is where entries at rest could leave but need not, because a kink of theirs is
concave; and where a convex kink turns concave under an entry at rest: when dL/dh and mu reach 0
together, as they do if only the example's own residual moves the entry, or the weights out of the
unit reach 0.

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
from relu_dynamics.flow.faces import (
    EPS, RELIABLE, SMALL, complement, continuations, patterns, thin_svd, ways,
)
from relu_dynamics.mlp import MLP, run, split_layers

States = NDArray[np.int64]
SLACK = 1e-9      # share of the largest |dL/dh| that a way may gain before its entries move
ROUNDING = 1e-12  # |z'| below this share of the largest counts as 0


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


class FrozenPass(NamedTuple):
    """A forward pass with frozen states: an entry that is on passes z, any other passes 0.

    For one vector of parameters, (p,), or for several, (s, p), with one more axis in front.
    """

    net: MLP
    inputs: list[Array]  # h[0] .. h[L-1], each (g, m[l])
    z: Array             # (g, H)
    df: Array            # (g, m[L]) dL/df


class Piece(NamedTuple):
    """A time interval of the flow in which no state changes."""

    task: Task
    state: States
    theta: Array       # (p,) at its start
    start: FrozenPass  # of theta
    on: list[Bits]     # (g, m[l]) per hidden layer
    rest: Indices      # (k,) the flat indices of the entries at rest
    ways: Array        # (j, k) their z' in each way to leave; those of one unit differ from 0
    held: Bits         # (g, H) z stays 0 as long as the entries at rest do


class HeldVelocity(NamedTuple):
    """The velocity of the parameters, and what keeps the k entries at rest."""

    velocity: Array  # (p,)
    hold: Array      # (k,) mu, the dL/dz of each
    force: Array     # (g H,) the dL/dh of all entries


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


def first_piece(task: Task, theta: Array) -> tuple[States, Piece]:
    """The pattern at the start, with ties off, and the piece that begins there."""
    z = _side_by_side(run(task.start, task.x).preacts[:-1], len(task.x))
    pattern = np.where(z > 0, ON, OFF)
    return pattern, _settle(task, pattern, theta, np.flatnonzero(z == 0))


def next_piece(piece: Piece, theta: Array, ended_by: int) -> Piece:
    """The piece that begins when the margin ended_by has reached 0 at theta, corrected so that the
    entries that reach 0 with it are exactly 0.
    """
    task, state = piece.task, piece.state.copy()
    end = frozen_pass(task, piece.on, theta)
    if ended_by >= state.size:
        state = _left(piece, end, piece.ways[ended_by - state.size])
        return _settle(task, state, theta, piece.rest[:0])
    example, unit = divmod(ended_by, state.shape[1])
    zero = state[:, unit] == REST
    zero[example] = True
    together = _zero_with(task, state, end, unit, zero)
    l, k = _place(task.start, unit)
    if (together & ~zero).any() and l + 1 in task.layers:
        theta = _freed(task, theta, end, l, k, zero)
    crosses = ON if (state[together, unit] == OFF).all() else OFF  # tried first; off if it dies
    state[together, unit] = crosses
    own = np.flatnonzero(together) * state.shape[1] + unit
    if len(_dependent(task, state, end, own)):
        state = _gone_on(freeze(task, _with(state, own, OFF), theta), own)
    piece = _settle(task, state, theta, own)
    if (piece.state[:, unit] == OFF).all() and l + 1 in task.layers:
        piece = freeze(task, piece.state, _lowered(piece, l, k))
    return piece


def _left(piece: Piece, end: FrozenPass, way: Array) -> States:
    """The states when the entries of this way have left along it.

    Together the way and its opposite cost sum_i dL/dh_i |z'_i|.  If that is 0, both are open.  If
    kinks of a row are concave, a pattern q other than that of the way may have a larger
    sum_i q_i dL/dh_i z'_i; then the holds can still come from patterns, and the entries can stay.
    """
    leaving = piece.rest[way != 0]
    unit = leaving[0] % piece.state.shape[1]
    own = piece.rest % piece.state.shape[1] == unit
    force = held_velocity(piece, end).force
    slack, gains = SLACK * np.abs(force).max(), force[piece.rest] * way
    rows = _dependent(piece.task, piece.state, piece.start, piece.rest[own])
    most = ((patterns(rows) > 0) @ gains[own]).max() if len(rows) else -np.inf
    if force[piece.rest] @ np.abs(way) <= slack or most > gains[way > 0].sum() + slack:
        raise Undecided(f"The kink at which unit {unit} rests turns concave, and the flow can go "
                        "on in several ways. Ask for earlier times.")
    return _with(piece.state, leaving, np.where(way[way != 0] > 0, ON, OFF))


def margins(piece: Piece, thetas: Array) -> Array:
    """(s, g H + j): the margins of all entries, then of the ways, for s vectors of parameters."""
    z = frozen_pass(piece.task, piece.on, thetas).z
    apart = distances(piece, z).reshape(len(thetas), -1)
    if len(piece.rest) == 0:
        return apart
    costs = [_costs(piece, held_velocity(piece, frozen_pass(piece.task, piece.on, theta)))
             for theta in thetas]
    return np.concatenate([apart, costs], axis=1)


def _costs(piece: Piece, held: HeldVelocity) -> Array:
    """(j,): the rate at which the loss rises along each way."""
    rise = np.maximum(piece.ways, 0) @ held.force[piece.rest]
    return np.asarray(rise - piece.ways @ held.hold)


def distances(piece: Piece, z: Array) -> Array:
    """Shaped like z, (g, H): z where on, -z where off, inf where held."""
    return np.where(piece.held, np.inf, np.where(piece.state == ON, z, -z))


def freeze(task: Task, state: States, theta: Array) -> Piece:
    """The piece that begins at theta with these states."""
    on = [part == ON for part in split_layers(task.start, state)]
    start, rest = frozen_pass(task, on, theta), np.flatnonzero(state == REST)
    held = np.zeros(state.shape, np.bool_)
    for unit in np.unique(rest % state.shape[1]):
        held[:, unit] = _zero_with(task, state, start, unit, state[:, unit] == REST)
    return Piece(task, state, theta, start, on, rest, _ways(task, state, start, rest), held)


def _ways(task: Task, state: States, current: FrozenPass, rest: Indices) -> Array:
    """(j, k): the ways of each unit's entries at rest."""
    found = [np.zeros((0, len(rest)))]
    seen = _seen(task, state).flat[rest]
    for unit in np.unique(rest % state.shape[1]):
        own = rest % state.shape[1] == unit
        rows = _dependent(task, state, current, rest[own])
        alone = np.unique(seen[own])[:, None] == seen[own]
        of_unit = ways(rows) if len(rows) else np.concatenate([1.0 * alone, -1.0 * alone])
        found.append(np.zeros((len(of_unit), len(rest))))
        found[-1][:, own] = of_unit
    return np.concatenate(found)


def _settle(task: Task, state: States, theta: Array, tied: Indices) -> Piece:
    """The piece whose states agree with the velocity that they cause: state, with the tied entries,
    given by flat index, changed until they do.

    On needs z' >= 0, off z' <= 0, and rest a positive cost of every way to leave: a linear
    complementarity problem with bounds.  The first entry that disagrees is changed, with its copies
    (Murty's rule, which terminates if all kinks are convex), or with all dependent entries: from on
    and off it comes to rest, and from there it goes the way that costs less than nothing.
    """
    state, seen = state.copy(), _seen(task, state)
    state[np.isin(seen, seen[state == REST])] = REST  # where a copy has joined those at rest
    tied = np.union1d(tied, np.flatnonzero(state == REST))
    for _ in range(20 * len(tied) + 1):
        piece = freeze(task, state, theta)
        pull = _pull(piece)
        disagree = tied[pull[tied] != 0]
        if len(disagree) == 0:
            return piece
        first = disagree[0]
        own = tied[tied % state.shape[1] == first % state.shape[1]]
        if len(_dependent(task, state, piece.start, own)):
            state = _gone_on(freeze(task, _with(state, own, OFF), theta), own)
        else:
            seen, side = _seen(task, state), ON if pull[first] > 0 else OFF
            state = _with(state, own[seen.flat[own] == seen.flat[first]],
                          side if state.flat[first] == REST else REST)
    raise Undecided(f"{len(tied)} entries are at their kinks at once, and no states were found "
                    "that agree with the velocity they cause. Perturb the network, or ask for "
                    "earlier times.")


def _pull(piece: Piece) -> States:
    """(g H,): 1 where the velocity drives an entry at its kink to on, -1 to off, 0 to neither."""
    moves, flat = held_velocity(piece, piece.start), piece.state.ravel()
    push = _pushes(piece, moves.velocity).ravel()
    push[np.abs(push) <= ROUNDING * np.abs(push).max(initial=0)] = 0
    pull = np.where((flat == OFF) & (push > 0), 1, np.where((flat == ON) & (push < 0), -1, 0))
    leaving = piece.ways[_costs(piece, moves) < -SLACK * np.abs(moves.force).max(initial=0)]
    up, down = (leaving > 0).any(axis=0), (leaving < 0).any(axis=0)
    pull[piece.rest] = np.where(up, 1, np.where(down, -1, 0))
    return pull


def _gone_on(piece: Piece, entries: Indices) -> States:
    """The states as the flow goes on, if these dependent entries of one unit, off in piece, are at
    their kinks.  If they do not move while they are off, they stay off.
    """
    moves = held_velocity(piece, piece.start)
    rows = _dependent(piece.task, piece.state, piece.start, entries)
    falls, held = (_responses(piece, piece.start, some)[0][1:]  # -grad z
                   for some in (entries, piece.rest))
    push = -falls @ moves.velocity
    sizes = np.linalg.norm(falls, axis=1) * np.linalg.norm(moves.velocity)
    if (np.abs(push) <= ROUNDING * sizes).all():
        return piece.state
    gram = falls @ (falls - falls @ np.linalg.pinv(held) @ held).T
    signs = continuations(rows, push, gram, moves.force[entries])
    if len(signs) != 1:
        unit = entries[0] % piece.state.shape[1]
        raise Undecided(f"Unit {unit} reaches 0 at {len(rows)} dependent inputs at once, and the "
                        f"flow can go on in {len(signs)} ways. Perturb the inputs, or ask for "
                        "earlier times.")
    return _with(piece.state, entries, np.array([REST, ON, OFF])[signs[0]])  # of 0, 1, -1


def _dependent(task: Task, state: States, current: FrozenPass, entries: Indices) -> Array:
    """(k, d): rows of which the z at these entries of one unit are linear functions, if they are
    linearly dependent and not only copies; otherwise no rows.  Two rows with a 1 never are.
    """
    if len(entries) < 3:
        return np.zeros((0, 0))
    example, unit = np.divmod(entries, state.shape[1])
    zero = np.isin(np.arange(len(state)), example)
    rows = _linear_in(task, state, current, unit[0], zero)[example]
    return rows if len(thin_svd(rows, SMALL)[1]) < len(np.unique(rows, axis=0)) else rows[:0]


def _with(state: States, entries: Indices, value: int | States) -> States:
    changed = state.copy()
    changed.flat[entries] = value
    return changed


# ----------------------------------------------------------- what is 0 together


def _seen(task: Task, state: States) -> Indices:
    """(g, H): the flat index of the first copy of each entry, which may be itself."""
    (g, H), first = state.shape, np.arange(len(state))
    seen = np.zeros((g, H), np.intp)
    parts = zip(*(split_layers(task.start, part) for part in (state, seen)), strict=True)
    for now, part in parts:
        part[:], some = first[:, None], (now == ON).any(axis=1)
        first = np.where(some, first, np.argmin(some))
    return seen * H + np.arange(H)  # type: ignore[no-any-return]


def _linear_in(task: Task, state: States, current: FrozenPass, unit: int, zero: Bits) -> Array:
    """(g, d): rows of which the z of a unit are linear functions as long as it is 0 at the examples
    zero.

    They are (h, 1) in the first layer, and if its weights from all units that are on at zero are 0,
    because the rows there span them.  If not, they are (x, 1) of the first copy, side by side for
    the regions: the pattern of the layers before, which makes h an affine function of x.
    """
    l, layers = _place(task.start, unit)[0], split_layers(task.start, state)
    rows = with_ones(current.inputs[l])
    if l == 0:
        return rows
    some = (layers[l - 1][zero] == ON).any(axis=0)
    if len(thin_svd(rows[zero], RELIABLE)[1]) == np.count_nonzero(some) + 1:
        return rows
    before = np.concatenate(layers[:l], axis=1)
    first = _seen(task, state)[:, before.shape[1]] // state.shape[1]
    region = np.unique(before[first] == ON, axis=0, return_inverse=True)[1].ravel()
    blocks = np.zeros((len(first), region.max() + 1, task.x.shape[1] + 1))
    blocks[np.arange(len(first)), region] = with_ones(task.x)[first]
    return blocks.reshape(len(first), -1)


def _zero_with(task: Task, state: States, current: FrozenPass, unit: int, zero: Bits) -> Bits:
    """(g,): where a unit is 0 as long as it is 0 at the examples zero.

    Its z is a linear combination of theirs there.  Directions in which those hardly differ are not
    used: they would amplify noise.
    """
    rows = _linear_in(task, state, current, unit, zero)
    _, sigma, V = thin_svd(rows[zero], RELIABLE)
    rounding = 16 * EPS * max(rows.shape) * sigma[0] / sigma[-1]
    left = np.linalg.norm(rows - rows @ V.T @ V, axis=1)
    return np.asarray(zero | (left <= rounding * np.linalg.norm(rows, axis=1)))


def _freed(task: Task, theta: Array, current: FrozenPass, l: int, k: int, zero: Bits) -> Array:
    """theta with the weights into unit k of layer l + 1 corrected by noise: z = 0 at the examples
    zero.
    """
    theta, N = theta.copy(), complement(with_ones(current.inputs[l])[zero], SMALL)
    net = as_net(theta, task.start)  # views
    row = N @ (N.T @ np.append(net.weights[l][k], net.biases[l][k]))
    net.weights[l][k], net.biases[l][k] = row[:-1], row[-1]
    return theta


def _lowered(piece: Piece, l: int, k: int) -> Array:
    """theta with the bias of unit k of layer l + 1, which has died, lowered by noise.

    Then z < 0: the unit is off in the network too, and the flow from there is the rest of this one.
    """
    theta, h = piece.theta.copy(), with_ones(piece.start.inputs[l])
    net = as_net(theta, piece.task.start)  # views
    row = np.append(net.weights[l][k], net.biases[l][k])
    net.biases[l][k] -= max(0.0, float((h @ row + 16 * EPS * np.abs(h) @ np.abs(row)).max()))
    return theta


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
    return held_velocity(piece, frozen_pass(piece.task, piece.on, theta)).velocity


def held_velocity(piece: Piece, current: FrozenPass) -> HeldVelocity:
    """The velocity with the states of piece, and the holds that keep z' = 0 at rest; if they are
    not unique, the smallest.
    """
    moves, forces = _responses(piece, current, piece.rest)
    shares = np.ones(len(moves))  # (1, mu)
    if len(piece.rest) > 0:
        finite = np.isfinite(moves).all()
        shares[1:] = np.linalg.lstsq(moves[1:].T, -moves[0])[0] if finite else np.nan
    return HeldVelocity(shares @ moves, shares[1:], shares @ forces.reshape(len(shares), -1))


def _responses(piece: Piece, current: FrozenPass, entries: Indices) -> tuple[Array, Array]:
    """Velocities, (k + 1, p), and dL/dh, (k + 1, g, H).

    The first is for the loss without holds, the others for a hold of 1 at each of the entries, none
    of them on, without the loss: minus the gradient of its z.
    """
    k = len(entries)
    df, holds = np.zeros((k + 1, *current.df.shape)), np.zeros((k + 1, *current.z.shape))
    df[0] = current.df
    holds.reshape(k + 1, -1)[np.arange(1, k + 1), entries] = 1
    return _velocities(piece, current, df, holds)


def frozen_pass(task: Task, on: list[Bits], theta: Array) -> FrozenPass:
    """The forward pass with the parameters theta, (p,) or (s, p)."""
    net, h = as_net(theta, task.start), task.x
    inputs, preacts = [h], []
    for W, b, gate in zip(net.weights, net.biases, on, strict=False):
        preacts.append(h @ W.swapaxes(-1, -2) + b[..., None, :])
        h = np.where(gate, preacts[-1], 0.0)
        inputs.append(h)
    f = h @ net.weights[-1].swapaxes(-1, -2) + net.biases[-1][..., None, :]
    z, df = _side_by_side(preacts, *f.shape[:-1]), task.weight * (f - task.y)
    return FrozenPass(net, inputs, z, df)


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


def _pushes(piece: Piece, moves: Array) -> Array:
    """z', (g, H), when theta' = moves at the start; entries that are off or at rest pass 0."""
    start, change = piece.start, as_net(moves, piece.task.start)
    pushes, dh = [], np.zeros_like(piece.task.x)
    layers = zip(start.net.weights, start.inputs, *change, piece.on, strict=False)
    for W, h, dW, db, on in layers:
        pushes.append(h @ dW.T + db + dh @ W.T)
        dh = np.where(on, pushes[-1], 0.0)
    return _side_by_side(pushes, len(dh))


def _side_by_side(layers: Sequence[Array], *rows: int) -> Array:
    """(*rows, H) from one (*rows, m[l]) per hidden layer; there may be no hidden layer."""
    return np.concatenate([np.zeros((*rows, 0)), *layers], axis=-1)
