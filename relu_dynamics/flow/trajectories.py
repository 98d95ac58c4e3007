"""Gradient flow followed through its flips: by an integrator, and exactly in the two cases that can be solved.

While no entry (example, hidden unit) changes its state the flow theta' = -grad L is smooth; where
one does, f, L and the gradient of its outgoing weights stay continuous and the gradient of its
incoming weights jumps (T23).  So a path is made of smooth pieces with frozen states.  What
happens between them, and how an entry can rest on its kink, is in kinks.py.

    integrate           any network: an explicit integrator of order 8, flips are roots of its dense output
    first_layer_flow    one hidden layer, of which the first trains: exact (T22)
    output_layer_flow   only the last layer trains: closed form (T21)

In the exact cases all that moves is a sum of exponentials: with c_e >= 0 the eigenvalues of the
kernel of r' = -K r, everything is its value at the start plus sum_e (amplitude)_e phi_e(t),

    phi_e(t) = (1 - exp(-c_e t)) / c_e,   t where c_e = 0: the integral of exp(-c_e t).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import DOP853
from scipy.optimize import brentq
from scipy.special import exprel

from relu_dynamics.checks import Array, Bits, Indices, Undecided, as_real, check_count, check_net
from relu_dynamics.flow.kinks import (
    ON, REST, States, Task, distances, first_states, make_task, margins, motion, next_states, sweep,
)
from relu_dynamics.mlp import MLP, flatten, forward, unflatten

EPS = float(np.finfo(np.float64).eps)
SMALLEST = float(np.finfo(np.float64).tiny)
NUDGE = 1e-13  # in the exact solution what has just flipped is 0 only up to rounding; its margin starts at this


class Flips(NamedTuple):
    """Changes of state in the order of time, beginning with the pattern of the first network."""

    time: Array       # (k,)
    example: Indices  # (k,)
    unit: Indices     # (k,) in layer order
    state: States     # (k,) what the entry became: kinks.State, 0 off, 1 on, 2 at rest


class Path(NamedTuple):
    """The networks at k times, and every flip up to the last of them."""

    times: Array
    networks: list[MLP]
    flips: Flips


class OutputFlow(NamedTuple):
    """The outputs, (k, n, m[L]), and the networks at k times."""

    outputs: Array
    networks: list[MLP]


def balances(net: MLP) -> Array:
    """(H,): |w_in|^2 + b^2 - |w_out|^2 of every hidden unit.

    Gradient flow conserves it; a step of gradient descent of size eta adds exactly
    eta^2 (|g_in|^2 + g_b^2 - |g_out|^2), g the gradient (T24).

    >>> balances(hat).tolist()
    [0.0, -2.0]
    """
    net = check_net(net)
    net = MLP(*(tuple(part.astype(np.float64) for part in parts) for parts in net))
    into = [(W**2).sum(axis=1) + b**2 for W, b in zip(*net, strict=True)]
    out = [(W**2).sum(axis=0) for W in net.weights]
    return np.concatenate([np.zeros(0), *(a - b for a, b in zip(into[:-1], out[1:], strict=True))])


def integrate(
    net: MLP, x: ArrayLike, y: ArrayLike, t: ArrayLike, *,
    layers: Sequence[int] | None = None, rtol: float = 1e-10, atol: float = 1e-12, max_flips: int = 10_000,
) -> Path:
    """The gradient flow that starts at net at time 0, at the increasing times t, (k,), and its flips.

    It is the flow of Clarke and Filippov, which slides along convex kinks.  Along it L' = -|theta'|^2 (T25),
    f and L are continuous (T23) and balances are conserved (T24), up to the tolerances rtol and atol of
    the integrator.  Margins are looked at four times a step: a dip shorter than that can be missed.
    The number of steps, and with it the time this takes, grows like t times the largest curvature of the
    loss, which bounds the steps of an explicit integrator.
    layers lists the layers that train, numbered 1 .. L; None is all.

    ValueError for arguments that do not fit together, or hold no example.  Undecided for more than max_flips
    flips, if the integrator is stuck, or if no states of entries tied at once agree with their velocity.

    >>> path = integrate(hat, [[0.5], [1.5]], [[-1.0], [1.0]], [20.0])
    >>> path.flips.unit.tolist(), path.flips.state.tolist()  # unit 1 switches off, unit 0 comes to rest at its kink
    ([1, 0], [0, 2])
    """
    task, times = make_task(net, x, y, layers), _check_times(t)
    rtol, atol = _check_tolerance("rtol", rtol), _check_tolerance("atol", atol)

    follow = partial(_follow_numerically, task, rtol, atol)
    negligible = atol + rtol * float(np.linalg.norm(flatten(task.start)))
    return _path(task, times, follow, negligible, check_count("max_flips", max_flips, 0))


def first_layer_flow(net: MLP, x: ArrayLike, y: ArrayLike, t: ArrayLike, *, max_flips: int = 10_000) -> Path:
    """integrate(net, x, y, t, layers=[1]) for a network with one hidden layer, exactly (T22).

    Between flips r' = -(2/(n m)) K r with K_ij = sum_k q_ki q_kj a_k a_k^T (x~_i . P_k x~_j): a_k are the weights out
    of unit k, x~ = (x, 1), and P_k projects onto the complement of the x~ at which unit k rests.
    The first zero of a margin, a sum of exponentials, is certified.

    ValueError as in integrate, and unless net has one hidden layer; Undecided for more than max_flips flips.
    """
    task, times = make_task(net, x, y, [1]), _check_times(t)
    if len(task.start.weights) != 2:
        raise ValueError("first_layer_flow is exact for one hidden layer: net must have 2 weights. "
                         f"Got {len(task.start.weights)}. Use integrate(net, x, y, t, layers=[1]).")
    return _path(task, times, partial(_follow_exactly, task), NUDGE, check_count("max_flips", max_flips, 0))


def output_layer_flow(net: MLP, x: ArrayLike, y: ArrayLike, t: ArrayLike) -> OutputFlow:
    """Outputs and networks at the increasing times t, (k,), when only the last layer trains, exactly (T21).

    r(t) = exp(-(2t/(n m)) (H H^T kron I)) r(0) with H = [h[L-1], 1]; its integral moves the parameters.
    ValueError for arguments that do not fit together, or hold no example.
    """
    task, times = make_task(net, x, y, None), _check_times(t)
    trace, theta = forward(task.start, task.x), flatten(task.start)
    root, H, f = np.sqrt(task.weight), _with_ones(trace.inputs[-1]), trace.preacts[-1]
    U, sigma, V = np.linalg.svd(root * H, full_matrices=False)
    along = U.T @ (root * (f - task.y))
    outputs, networks = [], []
    for time in times:
        change = -along.T @ ((sigma * _phi(sigma**2, time))[:, None] * V)  # of [W[L], b[L]]
        outputs.append((f + H @ change.T)[task.group])
        networks.append(unflatten(theta + _in_place(change, theta.size - change.size, theta.size), task.start))
    return OutputFlow(np.array(outputs), networks)


# -------------------------------------------------------------- from flip to flip


# follow(state, theta, start, stop) goes from start to stop, or to the first time before it at which a margin is 0;
# it returns that time, the parameters then, and the index of the margin (None at stop).
_Follow = Callable[[States, Array, float, float], tuple[float, Array, int | None]]


def _path(task: Task, times: Array, follow: _Follow, negligible: float, max_flips: int) -> Path:
    """Smooth pieces put together at the flips, until all that is left of the path is shorter than negligible."""
    theta, now = flatten(task.start), 0.0
    pattern, state = first_states(task, theta)
    changes, networks = [(now, pattern, state)], []
    for stop in times:
        while now < stop and _length_left(task, state, theta, times[-1] - now) > negligible:
            now, theta, ended_by = follow(state, theta, now, float(stop))
            if ended_by is not None:
                before, state = state, next_states(task, state, theta, ended_by)
                changes.append((now, before, state))
            if len(changes) > max_flips + 1:
                raise Undecided(f"The path has more than max_flips = {max_flips} flips: it has come to time {now:.6g} "
                                      f"of {times[-1]:.6g}. Allow more flips, or ask for earlier times.")
        networks.append(unflatten(theta, task.start))
    return Path(times, networks, _flips(task, changes))


def _flips(task: Task, changes: list[tuple[float, States, States]]) -> Flips:
    """All changes of state, each repeated for the copies of its input."""
    parts = []
    for time, before, after in changes:
        example, unit = np.nonzero((before != after)[task.group])
        parts.append((np.full(len(unit), time), example, unit, after[task.group[example], unit]))
    return Flips(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _length_left(task: Task, state: States, theta: Array, time: float) -> float:
    """The flow moves the parameters in the time left by at most sqrt(L time): the integral of |theta'|^2 = -L' is at most L."""
    df = sweep(task, state, theta).df
    return float(np.sqrt(np.sum(df**2 / task.weight) / 2 * time))


# -------------------------------------------------------- one piece, numerically


def _follow_numerically(
    task: Task, rtol: float, atol: float, state: States, theta: Array, start: float, stop: float
) -> tuple[float, Array, int | None]:
    def velocity(_: float, theta: Array) -> Array:
        if not np.isfinite(theta).all():
            return np.full(len(theta), np.nan)  # a trial step went too far; the integrator takes a shorter one
        layers = motion(task, state, sweep(task, state, theta)).layers
        return np.concatenate([part.ravel() for layer in layers for part in layer])

    noise = atol + rtol * float(np.abs(theta).max())  # what the integrator allows itself
    lift = np.maximum(0, noise - margins(task, state, sweep(task, state, theta)))
    solver = DOP853(velocity, start, theta, stop, rtol=rtol, atol=atol)
    while solver.status == "running":
        origin = solver.y
        _step(solver)

        def at(time: float) -> Array:
            """By a step of its own: the dense output is poor where stability, not accuracy, limits the steps."""
            return _stepped(solver, origin, time)

        time, ended_by = _first_crossing(solver, at, lambda theta: margins(task, state, sweep(task, state, theta)) + lift)
        if ended_by is not None:
            return time, at(time), ended_by
    return stop, solver.y, None


def _step(solver: DOP853) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        message = solver.step()
    if solver.status == "failed":
        raise Undecided(f"The integrator is stuck at time {solver.t:.6g}: {message} Ask for earlier times.")


def _stepped(solver: DOP853, origin: Array, time: float) -> Array:
    """The parameters at a time in the last step of solver, which began at origin."""
    if time in (solver.t_old, solver.t):
        return origin if time == solver.t_old else np.asarray(solver.y)
    span = time - solver.t_old
    part = DOP853(solver.fun, solver.t_old, origin, time, rtol=solver.rtol, atol=solver.atol, first_step=span)
    while part.status == "running":
        _step(part)
    return np.asarray(part.y)


def _first_crossing(
    solver: DOP853, at: Callable[[float], Array], values: Callable[[Array], Array]
) -> tuple[float, int | None]:
    """The first time in the last step at which one of the values is 0, and which; (t, None) if none is.

    They are positive where it began.  The dense output says where to look; at(time) decides.
    """
    dense, before = solver.dense_output(), solver.t_old
    for time in np.linspace(solver.t_old, solver.t, 5)[1:]:
        if (values(dense(time)) <= 0).any():
            crossing = np.flatnonzero(values(at(time)) <= 0)
            if len(crossing):
                return _first_root(lambda time: values(at(time)), crossing, before, time)
        before = time
    return solver.t, None


def _first_root(values: Callable[[float], Array], crossing: Indices, low: float, high: float) -> tuple[float, int]:
    """The first zero of the values listed in crossing, and which; up to rounding they are positive at low, not at high."""
    def root(entry: int) -> float:
        if values(low)[entry] <= 0:
            return low
        return float(brentq(lambda time: values(time)[entry], low, high, xtol=SMALLEST, rtol=4 * EPS))

    return min((root(entry), int(entry)) for entry in crossing)


# ------------------------------------------------------------ one piece, exactly


class _Modes(NamedTuple):
    """What moves, and its amplitudes."""

    rates: Array              # (e,) c_e
    parameters: Array         # (m[1], m[0] + 1, e) the amplitudes of [W[1], b[1]]
    margins: Array            # (g H + 2 k,) as in kinks.margins, at the start
    margin_amplitudes: Array  # (g H + 2 k, e)


def _follow_exactly(
    task: Task, state: States, theta: Array, start: float, stop: float
) -> tuple[float, Array, int | None]:
    modes = _modes(task, state, theta)
    lift = np.maximum(0, NUDGE - modes.margins)
    elapsed, ended_by = _first_zero(modes.margins + lift, modes.margin_amplitudes, modes.rates, stop - start)
    moved = theta + _in_place(modes.parameters @ _phi(modes.rates, elapsed), 0, theta.size)
    return stop if ended_by is None else start + elapsed, moved, ended_by


def _modes(task: Task, state: States, theta: Array) -> _Modes:
    """With rho = sqrt(weight) r and S = d rho / d(w, b), gated and projected: rho' = -S S^T rho, (w, b)' = -S^T rho.

    S is constant.  If S = sum_e sigma_e u_e v_e^T and s_e = u_e . rho(0), then c_e = sigma_e^2 and the
    amplitudes are -c_e s_e u_e of rho and -sigma_e s_e v_e of (w, b).
    """
    start, x, resting = sweep(task, state, theta), _with_ones(task.x), state == REST
    root, out = np.sqrt(task.weight), start.net.weights[1]
    pinned = [np.linalg.pinv(x[rows]) for rows in resting.T]  # (m[0] + 1, entries at rest) per unit
    free = np.array([np.eye(x.shape[1]) - Q @ x[rows] for Q, rows in zip(pinned, resting.T, strict=True)]).reshape(-1, *2 * x.shape[1:])
    pulls = np.einsum("ik,ok,ic->kcio", root * (state == ON), out, x)  # (w_k, b_k)' = -free_k pulls_k rho
    units, d, g, m = pulls.shape
    S = np.einsum("kcb,kbio->iokc", free, pulls).reshape(g * m, units * d)
    U, sigma, V = np.linalg.svd(S, full_matrices=False)
    rho = (start.df / root).ravel()
    along = U.T @ rho
    parameters = -(V.T * (sigma * along)).reshape(units, d, len(sigma))
    inside = np.where(resting, 0, np.where(state == ON, 1, -1))
    z_amplitudes = inside[:, :, None] * np.einsum("ic,kce->ike", x, parameters)
    gates = _gate_functionals(resting, root, out, pinned, pulls)
    return _Modes(sigma**2, parameters,
                  np.concatenate([distances(state, start.z).ravel(), gates @ rho]),
                  np.concatenate([z_amplitudes.reshape(g * units, len(sigma)), -gates @ (U * (sigma**2 * along))]))


def _gate_functionals(resting: Bits, root: Array, out: Array, pinned: list[Array], pulls: Array) -> Array:
    """(2 k, g m): rows that give from rho the multipliers mu = lambda dL/dh, then (1 - lambda) dL/dh, of the k at rest.

    The multipliers cancel what the examples that are on would do to z at those at rest.
    """
    low, high = [], []
    for i, unit in np.argwhere(resting):
        low.append(-np.tensordot(pinned[unit][:, np.count_nonzero(resting[:i, unit])], pulls[unit], 1))
        high.append(-low[-1])
        high[-1][i] += root[i] * out[:, unit]
    return np.array(low + high).reshape(2 * len(low), root.size * len(out))


def _first_zero(start: Array, amplitudes: Array, rates: Array, span: float) -> tuple[float, int | None]:
    """The first time in (0, span] at which one of start + amplitudes @ phi(t) is 0, and which; else (span, None).

    start is positive.  Certified: in a step a value falls by at most its negative amplitudes times the growth of phi,
    which increases.  Where that does not decide, bounds on its slope may make it monotone, so that its ends
    decide; where neither does, the step is halved, and after a success it is doubled.
    """
    def values(time: float) -> Array:
        return np.asarray(start + amplitudes @ _phi(rates, time))

    up, down = np.maximum(amplitudes, 0), np.minimum(amplitudes, 0)
    time, step = 0.0, span
    while time < span:
        end = min(time + step, span)
        fast, slow = np.exp(-rates * time), np.exp(-rates * end)
        falling, rising = up @ fast + down @ slow <= 0, up @ slow + down @ fast >= 0
        doubtful = ~rising & (values(time) + down @ (_phi(rates, end) - _phi(rates, time)) <= 0)
        if (doubtful & ~falling).any() and end - time > EPS * span:
            step = (end - time) / 2
            continue
        crossing = np.flatnonzero(doubtful & (values(end) <= 0))
        if len(crossing):
            return _first_root(values, crossing, time, end)
        time, step = end, 2 * step
    return span, None


def _phi(rates: Array, time: float) -> Array:
    """(1 - exp(-c t)) / c for every c in rates, t where c = 0."""
    return np.asarray(time * exprel(-rates * time))


def _with_ones(h: Array) -> Array:
    return np.concatenate([h, np.ones((len(h), 1))], axis=1)


def _in_place(layer: Array, at: int, p: int) -> Array:
    """(p,): one layer's [W, b], its first entry at position at, and zeros elsewhere."""
    vector = np.zeros(p)
    vector[at : at + layer.size] = np.concatenate([layer[:, :-1].ravel(), layer[:, -1]])
    return vector


# ------------------------------------------------------------- the public door


def _check_times(t: ArrayLike) -> Array:
    times = as_real("t", t, (None,), "increasing times, the first at least 0").astype(np.float64)
    if len(times) == 0 or times[0] < 0 or (np.diff(times) <= 0).any():
        raise ValueError(f"t must hold at least one time, each later than the one before, the first at least 0. Got {times}.")
    return times


def _check_tolerance(name: str, value: float) -> float:
    number = float(as_real(name, value, (), "a tolerance of the integrator"))
    if not 1e-13 <= number <= 1:
        raise ValueError(f"{name} must be a number from 1e-13 to 1. Got {value!r}.")
    return number
