"""States after a tie and gates at rest in gradient flow: T23, against explicit sums."""

import numpy as np
from hypothesis import assume, given

from relu_dynamics.checks import Undecided
from relu_dynamics.flow.kinks import first_states, freeze, gated_velocity, make_task
from relu_dynamics.mlp import flatten, forward
from tests.strategies import problems_with_ties

OFF, ON, REST = 0, 1, 2


def velocity(net, x, y, gates):
    """Minus the gradient, [(W', b')] per layer, if entry (i, u) lets gates[i][u] of what comes back through; example by example."""
    moved = [(np.zeros_like(W), np.zeros_like(b)) for W, b in zip(*net, strict=True)]
    for point, target, passes in zip(x, y, gates, strict=True):
        inputs = [h[0] for h in forward(net, point[None]).inputs]
        delta = 2 / y.size * (net.weights[-1] @ inputs[-1] + net.biases[-1] - target)
        for k in reversed(range(len(inputs))):
            moved[k][0][:] -= np.outer(delta, inputs[k])
            moved[k][1][:] -= delta
            at = sum(len(b) for b in net.biases[: k - 1])
            if k > 0:
                delta = net.weights[k].T @ delta * passes[at : at + len(inputs[k])]
    return moved


def pushes(net, x, moved):
    """(n, H): z' to the right, relu(z)' being z' where z > 0, max(z', 0) at z = 0, and 0 below."""
    trace, dh, parts = forward(net, x), np.zeros_like(x), [np.zeros((len(x), 0))]
    for z, h, W, (dW, db) in zip(trace.preacts[:-1], trace.inputs, net.weights, moved, strict=False):
        parts.append(h @ dW.T + db + dh @ W.T)
        dh = np.where(z > 0, parts[-1], np.where(z == 0, np.maximum(parts[-1], 0), 0))
    return np.concatenate(parts, axis=1)


def left(net, x, y):
    """The states the flow leaves the start with, z, z' with the gates it has then, and these, each (n, H); and what z' is off by at most."""
    task, theta = make_task(net, x, y, None), flatten(net)
    state = first_states(task, theta)[1]
    gates = np.where(state == ON, 1.0, 0.0)
    piece = freeze(task, state, theta)
    held = gated_velocity(piece, theta)
    size = held.low + held.high  # |dL/dh|
    gates.flat[piece.rest] = (held.low / np.where(size > 0, size, 1))[piece.copy]
    state, gates = state[task.group], gates[task.group]
    moved, trace = velocity(net, x, y, gates), forward(net, x)
    rounding = 1e-9 * max(np.abs(dW).max() for dW, _ in moved) * (1 + max(np.abs(h).max() for h in trace.inputs))
    return state, np.concatenate(trace.preacts[:-1], axis=1), pushes(net, x, moved), gates, rounding


@given(problems_with_ties(hidden=(1, 3)))
def test_every_tie_leaves_with_the_velocity_that_it_causes(drawn):
    """T23, Filippov: what leaves to the on side rises, what stays off does not, what rests stays, with a gate in [0, 1]."""
    try:
        state, z, push, gates, tolerance = left(*drawn)
    except Undecided:
        assume(False)
    assert (state[z > 0] == ON).all() and (state[z < 0] == OFF).all()
    tied = z == 0
    assert (push[tied & (state == ON)] >= -tolerance).all() and (push[tied & (state == OFF)] <= tolerance).all()
    assert (np.abs(push[state == REST]) <= tolerance).all()
    assert ((gates >= -1e-9) & (gates <= 1 + 1e-9)).all()
