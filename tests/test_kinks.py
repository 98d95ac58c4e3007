"""States after a tie and holds at rest in gradient flow: T23, against explicit sums."""

import numpy as np
from hypothesis import assume, given

from relu_dynamics.checks import Undecided
from relu_dynamics.flow.kinks import first_piece, held_velocity, make_task
from relu_dynamics.mlp import flatten, forward
from tests.strategies import problems_with_ties

OFF, ON, REST = 0, 1, 2
RNG = np.random.default_rng


def backpropagated(net, x, y, state, hold):
    """Minus the gradient, [(W', b')] per layer, and dL/dh, (n, H): entries that are on let through
    what comes back, entries at rest pass hold; example by example.
    """
    moved = [(np.zeros_like(W), np.zeros_like(b)) for W, b in zip(*net, strict=True)]
    force = np.zeros(state.shape)
    for i, (point, target) in enumerate(zip(x, y, strict=True)):
        inputs = [h[0] for h in forward(net, point[None]).inputs]
        delta = 2 / y.size * (net.weights[-1] @ inputs[-1] + net.biases[-1] - target)
        for k in reversed(range(len(inputs))):
            moved[k][0][:] -= np.outer(delta, inputs[k])
            moved[k][1][:] -= delta
            if k > 0:
                at = sum(len(b) for b in net.biases[: k - 1])
                units = np.s_[i, at : at + len(inputs[k])]
                force[units] = net.weights[k].T @ delta
                delta = np.where(state[units] == REST, hold[units], force[units] * state[units])
    return moved, force


def pushes(net, x, moved):
    """(n, H): z' to the right; relu(z)' is z' where z > 0, max(z', 0) at z = 0, and 0 below."""
    trace, dh, parts = forward(net, x), np.zeros_like(x), [np.zeros((len(x), 0))]
    hidden = zip(trace.preacts[:-1], trace.inputs, net.weights, moved, strict=False)
    for z, h, W, (dW, db) in hidden:
        parts.append(h @ dW.T + db + dh @ W.T)
        dh = np.where(z > 0, parts[-1], np.where(z == 0, np.maximum(parts[-1], 0), 0))
    return np.concatenate(parts, axis=1)


def left(net, x, y):
    """The states in which the flow leaves the start, and the holds, each (n, H)."""
    task = make_task(net, x, y, None)
    piece = first_piece(task, flatten(net))[1]
    hold = np.zeros(piece.state.shape)
    hold.flat[piece.rest] = held_velocity(piece, piece.start).hold
    hold /= np.bincount(task.group)[:, None]  # each of equal examples has its share
    return piece.state[task.group], hold[task.group]


@given(problems_with_ties(hidden=(1, 3)))
def test_every_tie_leaves_with_the_velocity_that_it_causes(drawn):
    """T23, Filippov: what leaves to the on side rises, what stays off does not, what rests stays,
    and the loss falls in no direction in which the weights into a unit at rest could move.
    """
    net, x, y = drawn
    try:
        state, hold = left(net, x, y)
    except Undecided:
        assume(False)
    moved, force = backpropagated(net, x, y, state, hold)
    trace, push = forward(net, x), pushes(net, x, moved)
    z = np.concatenate(trace.preacts[:-1], axis=1)
    size = max(np.abs(dW).max() for dW, _ in moved)
    tolerance = 1e-9 * size * (1 + max(np.abs(h).max() for h in trace.inputs))
    assert (state[z > 0] == ON).all() and (state[z < 0] == OFF).all()
    assert (push[(z == 0) & (state == ON)] >= -tolerance).all()
    assert (push[(z == 0) & (state == OFF)] <= tolerance).all()
    assert (np.abs(push[state == REST]) <= tolerance).all()

    layer = np.repeat(np.arange(len(net.biases) - 1), [len(b) for b in net.biases[:-1]])
    for unit in np.flatnonzero((state == REST).any(axis=0)):
        rest = state[:, unit] == REST
        rows = np.column_stack([trace.inputs[layer[unit]], np.ones(len(x))])[rest]
        directions = RNG(0).normal(size=(rows.shape[1], 100))
        rates = rows @ np.hstack([directions, np.linalg.pinv(rows), -np.linalg.pinv(rows)])
        rise = force[rest, unit] @ np.maximum(rates, 0) - hold[rest, unit] @ rates
        scale = np.abs(force[rest, unit]) @ np.abs(rates) + np.abs(hold[rest, unit]) @ np.abs(rates)
        assert (rise >= -1e-8 * scale - 1e-10).all()
