"""Gradient flow through all its flips: by an integrator, and exactly where it can be solved.

While no entry (example, hidden unit) changes its state the flow theta' = -grad L is smooth.  When
one does, f, L and the gradient of its outgoing weights stay continuous and the gradient of its
incoming weights jumps (T23).  So a path consists of smooth pieces with frozen states.  The
transitions between pieces, and entries at rest on a kink, are in kinks.py.

    integrate           any network: LSODA, whose steps grow at late times; flips are roots of its
                        dense output
    first_layer_flow    one hidden layer, only the first layer trains: exact (T22)
    layer_flow          any one layer trains, the gates are given: closed form (T42)
    output_layer_flow   the last layer trains, so the network's own gates stay (T21)

In the exact cases all quantities are sums of exponentials: with c_e >= 0 the eigenvalues of K in
r' = -K r, each is its value at the start plus sum_e (amplitude)_e phi_e(t),

    phi_e(t) = (1 - exp(-c_e t)) / c_e, or t if c_e = 0: the integral of exp(-c_e t).

c_e are squares of singular values.  Singular values at rounding level are left out
(kinks.thin_svd): those directions do not move at any time.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import LSODA
from scipy.optimize import brentq
from scipy.special import exprel

from relu_dynamics.checks import (
    Array, Indices, Undecided, check_count, check_net, check_number, check_size, check_times,
    printed,
)
from relu_dynamics.flow.faces import EPS, complement, thin_svd
from relu_dynamics.flow.kinks import (
    ON, REST, Piece, States, Task, as_net, distances, first_piece, make_task, margins, next_piece,
    velocity, with_ones,
)
from relu_dynamics.mlp import MLP, Trace, flatten, forward, traced_examples, unflatten

TINY = float(np.finfo(np.float64).tiny)
NUDGE = 1e-13  # in the exact solution a margin is 0 up to this, relative to its terms
LOOKS = 2      # evaluations of the margins per step of the integrator


@printed
class Flips(NamedTuple):
    """Changes of state in order of time, starting from the pattern of the first network."""

    time: Array       # (k,)
    example: Indices  # (k,)
    unit: Indices     # (k,) in layer order
    state: States     # (k,) the new state, a kinks.EntryState: 0 off, 1 on, 2 at rest


@printed
class Path(NamedTuple):
    """The networks at k times, and every flip up to the last time."""

    times: Array
    networks: list[MLP]
    flips: Flips


@printed
class OutputFlow(NamedTuple):
    """The outputs, (k, n, m[L]), and the networks at k times: the flow of one layer."""

    outputs: Array
    networks: list[MLP]


def balances(net: MLP) -> Array:
    """(H,): |w_in|^2 + b^2 - |w_out|^2 of every hidden unit.

    Gradient flow conserves it; a gradient descent step of size eta adds exactly
    eta^2 (|g_in|^2 + g_b^2 - |g_out|^2), with g the gradient (T24).

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> rd.balances(hat).tolist()
    [0.0, -2.0]
    """
    net = check_net(net)
    net = MLP(*(tuple(part.astype(np.float64) for part in parts) for parts in net))
    into = [(W**2).sum(axis=1) + b**2 for W, b in zip(*net, strict=True)]
    out = [(W**2).sum(axis=0) for W in net.weights]
    return np.concatenate([np.zeros(0), *(a - b for a, b in zip(into[:-1], out[1:], strict=True))])


def integrate(
    net: MLP, x: ArrayLike, y: ArrayLike, t: ArrayLike, *, layers: Sequence[int] | None = None,
    rtol: float = 1e-11, atol: float = 1e-12, max_flips: int = 10_000,
) -> Path:
    """The gradient flow that starts at net at time 0, at increasing times t, (k,), and its flips.

    This is the flow of Clarke and Filippov, which slides along convex kinks: L' = -|theta'|^2
    (T25), f and L are continuous (T23) and balances are conserved (T24), up to the tolerances
    rtol and atol of the integrator (with those given here to 3e-10 until time 1000, in five
    networks of widths [2, 8, 1] with 10 examples).  Margins are evaluated twice per step, so a
    shorter change of sign can be missed.  Where curvature would limit explicit steps they are
    implicit, so late times need few steps, and p^2 numbers of memory for p parameters.  Only the
    last of the times t influences the path.  A unit that has reached 0 at every example stays
    there, also if the flow is not unique.
    layers lists the layers that train, numbered 1 .. L; None means all.

    ValueError for arguments that do not fit together, or without examples.  Undecided for more than
    max_flips flips, if the integrator fails, if no states of simultaneous ties agree with their
    velocity, if several do where the inputs of a tie are linearly dependent, or if a kink turns
    concave while an entry rests on it.  The last is not rare if all layers train, because a weight
    out of a unit may change its sign while the unit rests: of init([2, 8, 1], rng) with 10 normal
    examples and targets, drawn next by rng = default_rng(0) to default_rng(29), it happens to 4
    until time 10, and to 6 until time 100.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> path = rd.integrate(hat, [[0.5], [1.5]], [[-1.0], [1.0]], [20.0])
    >>> path.flips.unit.tolist(), path.flips.state.tolist()  # unit 1 switches off, unit 0 rests
    ([1, 0], [0, 2])
    """
    task, times = make_task(net, x, y, layers), check_times(t)
    rtol, atol = (check_number(name, value, "number from 1e-13 to 1")
                  for name, value in (("rtol", rtol), ("atol", atol)))
    max_flips, theta = check_count("max_flips", max_flips, 0), flatten(task.start)
    check_size("the Jacobian", (theta.size, theta.size), "Take a smaller network")

    negligible = atol + rtol * float(np.linalg.norm(theta))
    return _path(task, times, partial(_follow_numerically, rtol, atol), negligible, max_flips)


def first_layer_flow(
    net: MLP, x: ArrayLike, y: ArrayLike, t: ArrayLike, *, max_flips: int = 10_000
) -> Path:
    """integrate(net, x, y, t, layers=[1]) for a network with one hidden layer, exactly (T22).

    Between flips r' = -(2/(n m)) K r with K_ij = sum_k q_ki q_kj a_k a_k^T (x~_i . P_k x~_j): a_k
    are the weights out of unit k, x~ = (x, 1), and P_k projects onto the complement of the x~ at
    which unit k rests.  Margins are sums of exponentials; their first zero is certified.

    ValueError as in integrate, and unless net has one hidden layer; Undecided for more than
    max_flips flips, or for ties as in integrate.
    """
    task, times = make_task(net, x, y, [1]), check_times(t)
    if len(task.start.weights) != 2:
        raise ValueError("first_layer_flow is exact for one hidden layer: net must have 2 weights. "
                         f"Got {len(task.start.weights)}. Use integrate(net, x, y, t, layers=[1]).")
    return _path(task, times, _follow_exactly, NUDGE, check_count("max_flips", max_flips, 0))


def layer_flow(
    net: MLP, x: ArrayLike | Trace, y: ArrayLike, t: ArrayLike, layer: int,
    pattern: ArrayLike | None = None,
) -> OutputFlow:
    """Outputs and networks at increasing times t, (k,): one layer trains, gates are fixed (T42).

    layer is numbered 1 .. L.  pattern, (n, H) bool, imposes the gates, h = q * z, at all times;
    None means the pattern of net at the start.  So the outputs are those of
    forward(network, x, pattern), affine in the layer, without kinks, and exact:

        r(t) = exp(-(2t/(n m)) K_l) r(0),   K_l the layer's part of the tangent kernel.

    ValueError for arguments that do not fit together, or without examples.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> flow = rd.layer_flow(hat, [[0.5], [1.5]], [[-1.0], [1.0]], [20.0], 1)
    >>> flow.outputs[0].round(3).tolist()  # integrate meets two kinks on this path
    [[-1.0], [1.0]]
    """
    if pattern is not None:
        x = forward(net, x.inputs[0] if isinstance(x, Trace) else x, pattern)
    net, trace, y = traced_examples(net, x, y)
    layer = check_count("layer", layer, 1, len(net.weights))
    return _layer_flow(net, trace, y, check_times(t), layer)


def output_layer_flow(net: MLP, x: ArrayLike | Trace, y: ArrayLike, t: ArrayLike) -> OutputFlow:
    """Outputs and networks at increasing times t, (k,), when only the last layer trains (T21).

    Exact: r(t) = exp(-(2t/(n m)) (H H^T kron I)) r(0) with H = [h[L-1], 1]; the parameters follow
    from its integral.
    ValueError for arguments that do not fit together, or without examples.
    """
    net, trace, y = traced_examples(net, x, y)
    return _layer_flow(net, trace, y, check_times(t), len(net.weights))


# ---------------------------------------------------------- one layer, given gates


def _layer_flow(net: MLP, trace: Trace, y: Array, times: Array, layer: int) -> OutputFlow:
    """With rho = sqrt(2/(n m)) r, S = d rho / d(layer): rho' = -S S^T rho, layer' = -S^T rho."""
    f, root, features = trace.preacts[-1], np.sqrt(2 / y.size), with_ones(trace.inputs[layer - 1])
    if layer == len(net.weights):  # the outputs do not interact
        S, rho = root * features, root * (f - y)
    else:
        D = _output_rates(net, trace, layer)
        S = root * np.einsum("iok,ic->iokc", D, features).reshape(y.size, -1)
        rho = root * (f - y).reshape(-1, 1)
    U, sigma, V = thin_svd(S)
    along, outputs, networks = U.T @ rho, [], []
    for time in times:
        change = -V.T @ ((sigma * _phi(sigma**2, time))[:, None] * along)
        outputs.append(f + (S @ change).reshape(f.shape) / root)
        rows = change.T if layer == len(net.weights) else change.reshape(-1, features.shape[1])
        networks.append(_with_layer(net, layer, rows))
    return OutputFlow(np.array(outputs), networks)


def _output_rates(net: MLP, trace: Trace, layer: int) -> Array:
    """D, (n, m[L], m[layer]): df/dz[layer]."""
    m = trace.preacts[-1].shape[1]
    D: Array = np.broadcast_to(np.eye(m), (len(trace.inputs[0]), m, m))
    for k in reversed(range(layer, len(net.weights))):
        D = np.where(trace.pattern[k - 1][:, None, :], D @ net.weights[k], 0)
    return D


def _with_layer(net: MLP, layer: int, change: Array) -> MLP:
    """net, copied, with change, (m[layer], m[layer - 1] + 1), added to [W, b] of the layer."""
    moved = unflatten(flatten(net), net)
    moved.weights[layer - 1][:] += change[:, :-1]
    moved.biases[layer - 1][:] += change[:, -1]
    return moved


# -------------------------------------------------------------- from flip to flip


# follow(piece, start, times) integrates piece from the time start to the last of the times, or to
# the first zero of a margin before it.  It returns that time, the parameters there, the index of
# the margin (None at the end), and the parameters at those of the times that are not later.
_Follow = Callable[[Piece, float, Array], tuple[float, Array, int | None, list[Array]]]


def _path(task: Task, times: Array, follow: _Follow, negligible: float, max_flips: int) -> Path:
    """Smooth pieces joined at the flips, until the rest of the path is negligibly short."""
    theta, now = flatten(task.start), 0.0
    pattern, piece = first_piece(task, theta)
    changes = [(now, pattern, piece.state)]
    passed = [theta] if times[0] == 0 else []
    while len(passed) < len(times):
        if length_left(piece, times[-1] - now) <= negligible:
            passed += [piece.theta] * (len(times) - len(passed))
            break
        now, theta, ended_by, more = follow(piece, now, times[len(passed):])
        passed += more
        if ended_by is not None:
            state, piece = piece.state, next_piece(piece, theta, ended_by)
            changes.append((now, state, piece.state))
        if len(changes) > max_flips + 1:
            raise Undecided(f"The path has more than max_flips = {max_flips} flips at time "
                            f"{now:.6g} of {times[-1]:.6g}. Allow more flips, or ask for "
                            "earlier times.")
    return Path(times, [unflatten(theta, task.start) for theta in passed], _flips(task, changes))


def _flips(task: Task, changes: list[tuple[float, States, States]]) -> Flips:
    """All changes of state, each repeated for the copies of its input."""
    parts = []
    for time, before, after in changes:
        example, unit = np.nonzero((before != after)[task.group])
        parts.append((np.full(len(unit), time), example, unit, after[task.group[example], unit]))
    return Flips(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def length_left(piece: Piece, time: float) -> float:
    """A bound on the rest of the path: sqrt(L time), because L' = -|theta'|^2."""
    return float(np.sqrt(np.sum(piece.start.df**2 / piece.task.weight) / 2 * time))


# -------------------------------------------------------- one piece, numerically


def _follow_numerically(
    rtol: float, atol: float, piece: Piece, start: float, times: Array
) -> tuple[float, Array, int | None, list[Array]]:
    noise = atol + rtol * float(np.abs(piece.theta).max())  # the error that the integrator allows
    lift = np.maximum(0, noise - margins(piece, piece.theta[None])[0])
    solver = LSODA(lambda _, theta: velocity(piece, theta), start, piece.theta, times[-1],
                   rtol=rtol, atol=atol)
    passed: list[Array] = []
    while solver.status == "running":
        _advance(solver)
        at = solver.dense_output()
        time, ended_by = _first_crossing(piece, lift, at, solver.t_old, solver.t)
        passed += [at(now) for now in times[len(passed):] if now <= time]
        if ended_by is not None:
            return time, at(time), ended_by, passed
    return solver.t, solver.y, None, passed


def _advance(solver: LSODA) -> None:
    with np.errstate(over="ignore", invalid="ignore"), warnings.catch_warnings(record=True) as said:
        solver.step()
    if solver.status == "failed":
        why = said[-1].message if said else "no step was found."
        raise Undecided(f"The integrator failed at time {solver.t:.6g}: {why} "
                        "Ask for earlier times.")


def _first_crossing(
    piece: Piece, lift: Array, at: Callable[[Array], Array], low: float, high: float
) -> tuple[float, int | None]:
    """The first time from low to high at which one of the lifted margins is 0, and which.

    (high, None) if there is none.  All are positive at low.  at(times) is (p, times).
    """
    def values(times: Array) -> Array:
        return margins(piece, at(times).T) + lift

    looks = np.linspace(low, high, LOOKS + 1)
    crossing = values(looks[1:]) <= 0
    if not crossing.any():
        return high, None
    k = int(np.argmax(crossing.any(axis=1)))
    return _first_root(lambda time: values(np.array([time]))[0],
                       np.flatnonzero(crossing[k]), looks[k], looks[k + 1])


def _first_root(
    values: Callable[[float], Array], crossing: Indices, low: float, high: float
) -> tuple[float, int]:
    """The first zero of the values with indices crossing, and the index of that value.

    Up to rounding they are positive at low and not positive at high.
    """
    def root(entry: int) -> float:
        if values(low)[entry] <= 0:
            return low
        if values(high)[entry] > 0:
            return high
        return float(brentq(lambda time: values(time)[entry], low, high,
                            xtol=EPS * high, rtol=4 * EPS))

    return min((root(entry), int(entry)) for entry in crossing)


# ------------------------------------------------------------ one piece, exactly


class _Modes(NamedTuple):
    """The exponentials of a smooth piece: rates and amplitudes."""

    rates: Array              # (e,) c_e
    parameters: Array         # (m[1], m[0] + 1, e) the amplitudes of [W[1], b[1]]
    margins: Array            # (g H + j,) as in kinks.margins, at the start
    margin_amplitudes: Array  # (g H + j, e)
    noise: Array              # (g H + j,) bound on the rounding error of the margins


def _follow_exactly(
    piece: Piece, start: float, times: Array
) -> tuple[float, Array, int | None, list[Array]]:
    modes = _modes(piece)

    def at(elapsed: float) -> Array:
        moved = piece.theta.copy()
        net, change = as_net(moved, piece.task.start), modes.parameters @ _phi(modes.rates, elapsed)
        net.weights[0][:] += change[:, :-1]
        net.biases[0][:] += change[:, -1]
        return moved

    elapsed, ended_by = first_zero(np.maximum(0, modes.margins) + modes.noise,
                                    modes.margin_amplitudes, modes.rates, times[-1] - start)
    end = times[-1] if ended_by is None else start + elapsed
    return end, at(elapsed), ended_by, [at(now - start) for now in times if now <= end]


def _modes(piece: Piece) -> _Modes:
    """With rho = sqrt(weight) r, S = d rho / d(w, b), gated: rho' = -S S^T rho, (w, b)' = -S^T rho.

    The columns of free[k] are an orthonormal basis of the (w_k, b_k) that keep the resting entries
    of unit k at 0, then zeros; in these coordinates S is constant.  If S = sum_e sigma_e u_e v_e^T
    and s_e = u_e . rho(0), then c_e = sigma_e^2 and the amplitudes are -c_e s_e u_e of rho and
    -sigma_e s_e free v_e of (w, b).
    """
    task, state, start, x = piece.task, piece.state, piece.start, with_ones(piece.task.x)
    root, (W, out), b = np.sqrt(task.weight), start.net.weights, start.net.biases[0]
    free = np.tile(np.eye(x.shape[1]), (len(W), 1, 1))
    for k in np.unique(piece.rest % len(W)):
        basis = complement(x[state[:, k] == REST])
        free[k] = np.pad(basis, ((0, 0), (0, x.shape[1] - basis.shape[1])))
    pulls = np.einsum("ik,ok,ic->kcio", root * (state == ON), out, x)  # of each rho on each (w, b)
    units, d, g, m = pulls.shape
    pulls = pulls.reshape(units, d, g * m)
    S = (free.swapaxes(1, 2) @ pulls).reshape(units * d, g * m).T
    U, sigma, V = thin_svd(S)
    V[:, ~S.any(axis=0)] = 0  # parameters without influence must not move by rounding
    rho = (start.df / root).ravel()
    along = U.T @ rho
    parameters = -free @ (V.T * (sigma * along)).reshape(units, d, len(sigma))

    inside = np.where(piece.held, 0, np.where(state == ON, 1, -1))
    z_moves = inside[:, :, None] * np.einsum("ic,kce->ike", x, parameters)
    costs = _cost_functionals(piece, root, x, pulls)
    z_terms = np.outer(*(np.linalg.norm(part, axis=1) for part in (x, np.column_stack([W, b]))))
    rho_terms = root * (np.abs(start.df / task.weight + task.y) + np.abs(task.y))
    terms = np.concatenate([z_terms.ravel(), np.abs(costs) @ rho_terms.ravel()])
    return _Modes(sigma**2, parameters,
                  np.concatenate([distances(piece, start.z).ravel(), costs @ rho]),
                  np.concatenate([z_moves.reshape(g * units, len(sigma)),
                                  -costs @ (U * (sigma**2 * along))]),
                  np.maximum(TINY, NUDGE * terms))


def _cost_functionals(piece: Piece, root: Array, x: Array, pulls: Array) -> Array:
    """(j, g m): rows that map rho to the rate at which the loss rises along each way.

    The holds cancel the effect of the examples that are on, on z at rest.
    """
    out = piece.start.net.weights[1]
    example, unit = np.divmod(piece.rest, len(pulls))
    force, hold = np.zeros((2, len(unit), pulls.shape[2]))
    of_example = force.reshape(len(unit), len(x), len(out))
    of_example[np.arange(len(unit)), example] = root[example] * out[:, unit].T
    for k in np.unique(unit):
        hold[unit == k] = np.linalg.lstsq(x[example[unit == k]].T, -pulls[k])[0]
    return np.asarray(np.maximum(piece.ways, 0) @ force - piece.ways @ hold)


def first_zero(
    start: Array, amplitudes: Array, rates: Array, span: float
) -> tuple[float, int | None]:
    """The first time in (0, span] at which one of start + amplitudes @ phi(t) is 0, and which.

    (span, None) if there is none.  start is positive.  Certified: phi increases, so in a step a
    value decreases by at most its negative amplitudes times the increase of phi.  If that does not
    decide, bounds on the slope may show that the value is monotone, and its ends decide.  If not,
    the step is halved; after a success it is doubled.
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
        if (doubtful & ~falling).any() and end - time > EPS * end:
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
