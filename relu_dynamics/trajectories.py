"""Gradient flow through its events: followed by an integrator, and exactly in the two cases that can be solved.

The parameters follow theta' = -grad L of the paper's loss

    L = (1/(n m)) sum_i |r_i|^2,   r = f(x) - y,   m = m[L] .

An *entry* is a pair (example i, hidden unit u).  While no pre-activation z_iu changes sign at
the data the flow is smooth, so it is followed piece by piece with the pattern frozen, from one
*flip* to the next (T23).  An entry is in one of three states:

    ON      z > 0: its gate, the factor relu'(z) in the backward pass, is 1
    OFF     z < 0, or a tie that nothing pushes on: gate 0
    REST    z = 0 for a while: gate lambda in [0, 1], just what keeps z at 0

Why entries rest: L has a kink at z = 0, and z' on the two sides differs by (dL/dh) |grad z|^2.
If dL/dh < 0 the on side only hurries it, and the flow crosses.  If dL/dh > 0 (a convex kink) each side may push
towards the other, and gradient descent chatters across it in ever smaller zigzags.  The limit
of small steps slides along the kink: its velocity is the mean of the two sides' that keeps z' = 0
(Filippov), which is minus the shortest element of Clarke's subdifferential of L.  The entry leaves when lambda
reaches 0 (to the off side) or 1 (to the on side).

    state   (g, H) int   one State per entry; g distinct inputs, since copies of an input move as one
    margin  a quantity that is positive inside a piece and whose first zero ends it:
            |z| of an entry that is on or off; lambda and 1 - lambda of one at rest
    phi     phi_c(t) = (1 - exp(-c t)) / c, the integral of exp(-c t)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import DOP853, OdeSolution
from scipy.optimize import brentq
from scipy.special import exprel

from relu_dynamics.mlp import (
    MLP, Array, Indices, as_real, check_count, check_net, check_net_and_rows, check_targets, flatten, forward, unflatten,
)
from relu_dynamics.pattern import split_layers

States = NDArray[np.int64]

EPS = float(np.finfo(np.float64).eps)
SMALLEST = float(np.finfo(np.float64).tiny)
NUDGE = 1e-13  # a piece starts with margins of at least this: what has just flipped is 0 up to rounding
SLACK = 1e-9   # by which a computed gate may leave [0, 1] before its entry is moved; far above the integrator's noise


class State(IntEnum):
    """What an entry is: OFF and ON as in the pattern, REST on the kink."""

    OFF = 0
    ON = 1
    REST = 2


class Flips(NamedTuple):
    """Changes of state in the order of time; the pattern at time 0 is that of pattern(net, x)."""

    time: Array       # (k,)
    example: Indices  # (k,)
    unit: Indices     # (k,) hidden units in layer order
    state: States     # (k,) the State the entry changed to


class Path(NamedTuple):
    """The networks at the given times, and every flip up to the last of them."""

    times: Array         # (k,)
    networks: list[MLP]  # k
    flips: Flips


class OutputFlow(NamedTuple):
    """The outputs, (k, n, m[L]), and the networks at k times."""

    outputs: Array
    networks: list[MLP]


def balances(net: MLP) -> Array:
    """(H,): |w_in|^2 + b^2 - |w_out|^2 of every hidden unit.

    Gradient flow conserves it, and a step of gradient descent of size eta adds exactly
    eta^2 (|g_in|^2 + g_b^2 - |g_out|^2) (T24).
    """
    net = check_net(net)
    incoming = [(W**2).sum(axis=1) + b**2 for W, b in zip(*net, strict=True)]
    parts = [into - (W**2).sum(axis=0) for into, W in zip(incoming[:-1], net.weights[1:], strict=True)]
    return np.concatenate([np.zeros(0), *parts])


def integrate(
    net: MLP, x: ArrayLike, y: ArrayLike, t: ArrayLike, *,
    layers: Sequence[int] | None = None, rtol: float = 1e-10, atol: float = 1e-12, max_flips: int = 10_000,
) -> Path:
    """The path of gradient flow from net at time 0, at the times t, (k,): Clarke's flow, sliding along convex kinks.

    layers says which layers train, numbered 1 .. L; None trains all.  Between flips an
    explicit Runge-Kutta method of order 8 with tolerances rtol and atol; flips are roots of its dense output, looked for
    at four points of every step.  L' = -|theta'|^2 (T25), f and L are continuous (T23), and
    balances are conserved up to the tolerances (T24).

    ValueError for arguments that do not fit together, times that do not increase, or no example.
    ArithmeticError if the path needs more than max_flips pieces, if no states fit its velocity,
    or if the integrator cannot take a step.
    """
    problem, times = _problem(net, x, y, layers), _check_times(t)
    rtol, atol = _check_tolerance("rtol", rtol), _check_tolerance("atol", atol)

    def follow(state: States, theta: Array, start: float, stop: float) -> _Piece:
        return _follow_numerically(problem, state, theta, start, stop, rtol, atol)

    return _path(problem, times, follow, check_count("max_flips", max_flips, 0))


def first_layer_flow(net: MLP, x: ArrayLike, y: ArrayLike, t: ArrayLike, *, max_flips: int = 10_000) -> Path:
    """The same path as integrate(net, x, y, t, layers=[1]), exactly, for a network with one hidden layer (T22).

    Between flips r' = -(2/(n m)) K r with K_ij = sum_k q_ki q_kj a_k a_k^T (x~_i . P_k x~_j), a_k the weights out of
    unit k, x~ = (x, 1), and P_k the projection that keeps the entries of unit k that rest at 0.
    K does not change, so all that moves is a sum of exponentials; its first zero is certified, not sampled.

    ValueError as integrate, and unless net has exactly one hidden layer; ArithmeticError for more than max_flips pieces.
    """
    problem = _problem(net, x, y, [1])
    if len(problem.start.weights) != 2:
        raise ValueError("first_layer_flow is exact for networks with one hidden layer: net must have 2 weights. "
                         f"Got {len(problem.start.weights)}. Use integrate(net, x, y, t, layers=[1]).")

    def follow(state: States, theta: Array, start: float, stop: float) -> _Piece:
        return _follow_exactly(problem, state, theta, start, stop)

    return _path(problem, _check_times(t), follow, check_count("max_flips", max_flips, 0))


def output_layer_flow(net: MLP, x: ArrayLike, y: ArrayLike, t: ArrayLike) -> OutputFlow:
    """Outputs and networks at the times t, (k,), when only the last layer trains, in closed form (T21).

    r(t) = exp(-(2t/(n m)) (H H^T kron I)) r(0) with H = [h[L-1], 1], (n, m[L-1] + 1); the parameters are its integral.
    ValueError for arguments that do not fit together, times that do not increase, or no example.
    """
    problem = _problem(net, x, y, None)
    net, trace = problem.start, forward(problem.start, problem.x)
    root, H, f = np.sqrt(problem.weight), _with_ones(trace.inputs[-1]), trace.preacts[-1]
    U, sigma, V = np.linalg.svd(root * H, full_matrices=False)
    along, theta = U.T @ (root * (f - problem.y)), flatten(net)
    outputs, networks = [], []
    for time in _check_times(t):
        change = -along.T @ ((sigma * _phi(sigma**2, time))[:, None] * V)  # of [W[L], b[L]], (m[L], m[L-1] + 1)
        outputs.append((f + H @ change.T)[problem.group])
        networks.append(unflatten(theta + _as_parameters(change, theta.size - change.size, theta.size), net))
    return OutputFlow(np.array(outputs), networks)


# -------------------------------------------------------------- from flip to flip


class _Problem(NamedTuple):
    start: MLP               # the network at time 0
    x: Array                 # (g, m[0]) the distinct inputs
    y: Array                 # (g, m[L]) the mean target of each
    weight: Array            # (g, 1) 2/(n m) for each of its copies: dL/df = weight (f - y)
    group: Indices           # (n,) which of them each example is
    layers: tuple[int, ...]  # those that train, 1 .. L


class _Piece(NamedTuple):
    """A stretch of the path on which no state changes."""

    end: float
    at: Callable[[float], Array]  # theta, (p,), at times up to end
    ended_by: int | None          # index of the margin that vanished at end; None at the last time of all


def _path(
    problem: _Problem, times: Array, follow: Callable[[States, Array, float, float], _Piece], max_flips: int
) -> Path:
    """Pieces from follow(state, theta, start, stop), put together at the flips."""
    theta, now, stop = flatten(problem.start), 0.0, float(times[-1])
    z = _side_by_side(forward(problem.start, problem.x).preacts[:-1], problem)
    pattern = np.where(z > 0, State.ON, State.OFF)
    state = _settle(problem, pattern, theta, np.flatnonzero(z == 0))
    changes = [(now, pattern, state)]
    thetas = [theta] * int(np.sum(times == 0))
    while now < stop:
        piece = follow(state, theta, now, stop)
        thetas += [piece.at(time) for time in times[(times > now) & (times <= piece.end)]]
        now, theta = piece.end, piece.at(piece.end)
        if piece.ended_by is None:
            break
        before, state = state, _after(problem, state, theta, piece.ended_by)
        changes.append((now, before, state))
        if len(changes) > max_flips + 1:
            raise ArithmeticError(f"The path has more than max_flips = {max_flips} flips: it has come to time {now:.6g} "
                                  f"of {stop:.6g}. Allow more flips, or ask for earlier times.")
    return Path(times, [unflatten(theta, problem.start) for theta in thetas], _flips(problem, changes))


def _flips(problem: _Problem, changes: list[tuple[float, States, States]]) -> Flips:
    """All changes of state, each repeated for the copies of its input."""
    parts = []
    for time, before, after in changes:
        example, unit = np.nonzero((before != after)[problem.group])
        parts.append((np.full(len(unit), time), example, unit, after[problem.group[example], unit]))
    return Flips(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _after(problem: _Problem, state: States, theta: Array, ended_by: int) -> States:
    """The states after margin ended_by has vanished."""
    rest = np.flatnonzero(state == State.REST)
    if ended_by < state.size:  # an entry has come to its kink
        return _settle(problem, state, theta, np.union1d(rest, ended_by))
    end, leaving = divmod(ended_by - state.size, len(rest))  # a gate has come to 0, or to 1
    side = State.ON if end else State.OFF
    return _settle(problem, _with(state, rest[leaving], side), theta, np.delete(rest, leaving))


def _settle(problem: _Problem, state: States, theta: Array, tied: Indices) -> States:
    """state with the tied entries, given as flat indices, changed until they agree with the velocity they cause.

    On needs z' >= 0, off z' <= 0, and rest a gate in [0, 1] that makes z' = 0: a linear complementarity problem
    with bounds.  The first entry that disagrees is moved (Murty's rule, which ends where all kinks are convex).
    """
    for _ in range(20 * len(tied) + 1):
        pull = _pull(problem, state, theta)[tied]
        if not pull.any():
            return state
        first = np.flatnonzero(pull)[0]
        entry, before = tied[first], State(state.flat[tied[first]])
        moved = _with(state, entry, State.ON if pull[first] > 0 else State.OFF)
        if before != State.REST and _pull(problem, moved, theta)[entry]:  # pushed back from the other side
            moved = _with(state, entry, State.REST)
        state = moved
    raise ArithmeticError(f"{len(tied)} entries meet their kinks at once, and no states were found that agree with "
                          "the velocity they cause. Perturb the network, or ask for earlier times.")


def _pull(problem: _Problem, state: States, theta: Array) -> States:
    """(g H,): 1 where the velocity drives an entry at its kink from its state towards on, -1 towards off, else 0."""
    motion = _motion(problem, state, theta)
    push = _pushes(motion.sweep, state, motion.layers)[0].ravel()
    flat = state.ravel()
    pull = np.where((flat == State.ON) & (push < 0), -1, np.where((flat == State.OFF) & (push > 0), 1, 0))
    pull[flat == State.REST] = (motion.gates > 1 + SLACK).astype(int) - (motion.gates < -SLACK)
    return pull


def _with(state: States, entry: int, value: State) -> States:
    changed = state.copy()
    changed.flat[entry] = value
    return changed


# --------------------------------------------------- the velocity, given the states


class _Sweep(NamedTuple):
    """A forward pass with frozen gates; what rests is 0."""

    net: MLP
    inputs: list[Array]  # h[0] .. h[L-1], each (g, m[l])
    z: Array             # (g, H)
    df: Array            # (g, m[L]) dL/df


class _Motion(NamedTuple):
    sweep: _Sweep
    gates: Array                        # (k,) lambda of the entries at rest, in the order of their flat indices
    layers: list[tuple[Array, Array]]   # W[l]' (1, m[l], m[l-1]) and b[l]' (1, m[l])


def _motion(problem: _Problem, state: States, theta: Array) -> _Motion:
    sweep = _sweep(problem, state, theta)
    gates = _resting_gates(problem, state, sweep)
    return _Motion(sweep, gates, _velocities(problem, sweep, _all_gates(state, gates[None])))


def _resting_gates(problem: _Problem, state: States, sweep: _Sweep) -> Array:
    """(k,): the gates of the entries at rest that make z' = 0 there, by Newton's method.

    z' is a polynomial of degree 1 in each gate, so a unit step in a gate gives the partial derivative exactly.
    Unless entries of one example rest in two layers z' is affine, and the first step ends at the solution.
    """
    rest = np.flatnonzero(state == State.REST)
    k = len(rest)
    gates = np.full(k, 0.5)
    if k == 0:
        return gates
    affine = _rests_lie_in_one_layer_each(problem, state)
    for _ in range(50):
        trials = _all_gates(state, gates + np.eye(k + 1, k, -1))
        push = _pushes(sweep, state, _velocities(problem, sweep, trials)).reshape(k + 1, -1)[:, rest]
        step = np.linalg.lstsq((push[1:] - push[0]).T, -push[0])[0]
        gates = gates + step
        if affine or np.abs(step).max() <= 1e-7:  # the error left is of the order of its square
            return gates
    raise ArithmeticError(f"No gates were found that keep {k} entries at rest, some of them of one example in several "
                          "layers. Perturb the network, or ask for earlier times.")


def _rests_lie_in_one_layer_each(problem: _Problem, state: States) -> bool:
    """Whether no example has entries at rest in two layers."""
    layers = [(part == State.REST).any(axis=1) for part in split_layers(problem.start, state)]
    return bool(np.sum(layers, axis=0).max() <= 1)


def _all_gates(state: States, resting: Array) -> Array:
    """(s, g, H): the gates of all entries, for s choices, (s, k), of those at rest."""
    gates = np.tile((state == State.ON).astype(np.float64), (len(resting), 1, 1))
    gates[:, state == State.REST] = resting
    return gates


def _sweep(problem: _Problem, state: States, theta: Array) -> _Sweep:
    net, h = unflatten(theta, problem.start), problem.x
    inputs, preacts = [h], []
    for W, b, part in zip(net.weights, net.biases, split_layers(net, state), strict=False):
        preacts.append(h @ W.T + b)
        h = np.where(part == State.ON, preacts[-1], 0.0)
        inputs.append(h)
    f = h @ net.weights[-1].T + net.biases[-1]
    return _Sweep(net, inputs, _side_by_side(preacts, problem), problem.weight * (f - problem.y))


def _velocities(problem: _Problem, sweep: _Sweep, gates: Array) -> list[tuple[Array, Array]]:
    """W[l]', (s, m[l], m[l-1]), and b[l]', (s, m[l]), for l = 1 .. L: minus the gradient with each of s choices of gates."""
    g = np.broadcast_to(sweep.df, (len(gates), *sweep.df.shape))
    layers = []
    for k in reversed(range(len(sweep.inputs))):
        rate = -1.0 if k + 1 in problem.layers else 0.0
        layers.append((rate * (g.swapaxes(1, 2) @ sweep.inputs[k]), rate * g.sum(axis=1)))
        if k > 0:
            units = len(sweep.net.biases[k - 1])
            g = (g @ sweep.net.weights[k]) * gates[:, :, gates.shape[2] - units :]
            gates = gates[:, :, : gates.shape[2] - units]
    return layers[::-1]


def _pushes(sweep: _Sweep, state: States, layers: list[tuple[Array, Array]]) -> Array:
    """z', (s, g, H), under each of s velocities; what rests passes nothing on."""
    pushes = [np.zeros((len(layers[0][0]), len(state), 0))]
    dh = np.zeros((1, *sweep.inputs[0].shape))
    for W, h, (dW, db), part in zip(sweep.net.weights, sweep.inputs, layers, split_layers(sweep.net, state), strict=False):
        pushes.append(h @ dW.swapaxes(1, 2) + db[:, None, :] + dh @ W.T)
        dh = np.where(part == State.ON, pushes[-1], 0.0)
    return np.concatenate(pushes, axis=2)


def _side_by_side(layers: list[Array], problem: _Problem) -> Array:
    """(g, H) from one (g, m[l]) per hidden layer, of which there may be none."""
    return np.concatenate([np.zeros((len(problem.x), 0)), *layers], axis=1)


# ----------------------------------------------------------------- one piece, numerically


def _follow_numerically(
    problem: _Problem, state: States, theta: Array, start: float, stop: float, rtol: float, atol: float
) -> _Piece:
    def velocity(_: float, theta: Array) -> Array:
        return np.concatenate([part.ravel() for layer in _motion(problem, state, theta).layers for part in layer])

    lift = np.maximum(0, NUDGE - _margins(problem, state, theta))
    solver = DOP853(velocity, start, theta, stop, rtol=rtol, atol=atol)
    times, interpolants = [start], []
    while solver.status == "running":
        message = solver.step()
        if solver.status == "failed":
            raise ArithmeticError(f"The integrator failed at time {solver.t:.6g}: {message} Ask for earlier times.")
        interpolants.append(solver.dense_output())
        times.append(solver.t)
        end, ended_by = _first_crossing(lambda time: _margins(problem, state, interpolants[-1](time)) + lift, *times[-2:])
        if ended_by is not None:
            return _Piece(end, OdeSolution(times, interpolants), ended_by)
    return _Piece(stop, OdeSolution(times, interpolants), None)


def _margins(problem: _Problem, state: States, theta: Array) -> Array:
    """(g H + 2 k,): |z| of every entry (inf of those at rest), then lambda and 1 - lambda of the k that rest."""
    sweep = _sweep(problem, state, theta)
    gates = _resting_gates(problem, state, sweep)
    return np.concatenate([_distances(state, sweep.z).ravel(), gates, 1 - gates])


def _distances(state: States, z: Array) -> Array:
    """How far z is inside its state: z where on, -z where off, inf where at rest."""
    return np.where(state == State.REST, np.inf, np.where(state == State.ON, z, -z))


def _first_crossing(margins: Callable[[float], Array], start: float, stop: float) -> tuple[float, int | None]:
    """The first time in a step at which the least margin is 0, and its index; it is positive at start."""
    before = start
    for time in np.linspace(start, stop, 5)[1:]:
        if margins(time).min() <= 0:
            root = brentq(lambda s: margins(s).min(), before, time, xtol=1e-300, rtol=4 * EPS)
            return root, int(margins(root).argmin())
        before = time
    return stop, None


# -------------------------------------------------------------------- one piece, exactly


class _Modes(NamedTuple):
    """Everything that moves in a piece is its start plus sum_e (its amplitude)_e phi_e(t)."""

    rates: Array              # (e,) c_e >= 0
    parameters: Array         # (m[1], m[0] + 1, e) amplitudes of [W[1], b[1]]
    margins: Array            # (g H + 2 k,) at the start: as _margins, but multiples of lambda and 1 - lambda
    margin_amplitudes: Array  # (g H + 2 k, e)


def _follow_exactly(problem: _Problem, state: States, theta: Array, start: float, stop: float) -> _Piece:
    modes = _modes(problem, state, theta)
    lift = np.maximum(0, NUDGE - modes.margins)
    elapsed, ended_by = _first_zero(modes.margins + lift, modes.margin_amplitudes, modes.rates, stop - start)

    def at(time: float) -> Array:
        return theta + _as_parameters(modes.parameters @ _phi(modes.rates, time - start), 0, theta.size)

    return _Piece(stop if ended_by is None else start + elapsed, at, ended_by)


def _modes(problem: _Problem, state: States, theta: Array) -> _Modes:
    """With rho = sqrt(weight) r and S = d rho/d(w, b), gated and projected: rho' = -S S^T rho and (w, b)' = -S^T rho.

    S does not change in a piece, so with S = sum_e sigma_e u_e v_e^T and s_e = u_e . rho(0) the amplitudes are
    -c_e s_e u_e of rho and -sigma_e s_e v_e of (w, b), and c_e = sigma_e^2.
    """
    sweep, x = _sweep(problem, state, theta), _with_ones(problem.x)
    root, out = np.sqrt(problem.weight), sweep.net.weights[1]
    pinned = [np.linalg.pinv(x[column == State.REST]) for column in state.T]  # (m[0] + 1, entries of the unit at rest)
    free = np.array([np.eye(x.shape[1]) - Q @ x[column == State.REST] for Q, column in zip(pinned, state.T, strict=True)])
    pulls = np.einsum("ik,ok,ic->kcio", root * (state == State.ON), out, x)  # (w_k, b_k)' = -P_k pulls_k . rho
    units, d, g, m = pulls.shape
    S = np.einsum("kcb,kbio->iokc", free, pulls).reshape(g * m, units * d)
    U, sigma, V = np.linalg.svd(S, full_matrices=False)
    rho = (sweep.df / root).ravel()
    along = U.T @ rho
    parameters = -(V.T * (sigma * along)).reshape(units, d, len(sigma))
    z_amplitudes = np.einsum("ic,kce->ike", x, parameters)
    inside = np.where(state == State.REST, 0.0, np.where(state == State.ON, 1.0, -1.0))
    functionals = _resting_functionals(state, root, out, pinned, pulls)
    return _Modes(
        sigma**2, parameters,
        np.concatenate([_distances(state, sweep.z).ravel(), functionals @ rho]),
        np.concatenate([(inside[:, :, None] * z_amplitudes).reshape(g * units, -1), -functionals @ (U * (sigma**2 * along))]),
    )


def _resting_functionals(state: States, root: Array, out: Array, pinned: list[Array], pulls: Array) -> Array:
    """(2 k, g m): rows that give mu_e = (dL/dh_e) lambda_e, then dL/dh_e - mu_e, from rho, for the k entries at rest.

    The multipliers mu cancel what the examples that are on would do to z at those at rest.
    """
    multipliers, rests = [], []
    for i, unit in np.argwhere(state == State.REST):
        place = np.count_nonzero(state[:i, unit] == State.REST)
        multipliers.append(-np.tensordot(pinned[unit][:, place], pulls[unit], 1))
        rests.append(-multipliers[-1])
        rests[-1][i] += root[i] * out[:, unit]
    return np.array(multipliers + rests).reshape(2 * len(rests), root.size * len(out))


def _first_zero(start: Array, amplitudes: Array, rates: Array, span: float) -> tuple[float, int | None]:
    """The first time in (0, span] at which one of start + amplitudes @ phi(t) is 0, and which; (span, None) if none is.

    start is positive.  Certified: from t to t + step a function falls by at most its negative amplitudes times the growth
    of phi, which increases; if that does not decide, bounds on its slope may make it monotone, so that the
    ends decide; else the step is halved, and after a success doubled.
    """
    up, down = np.maximum(amplitudes, 0), np.minimum(amplitudes, 0)
    time, step = 0.0, span
    while time < span:
        end = min(time + step, span)
        fast, slow = np.exp(-rates * time), np.exp(-rates * end)
        phi = _phi(rates, end)
        least = start + amplitudes @ _phi(rates, time) + down @ (phi - _phi(rates, time))
        rising, falling = up @ slow + down @ fast >= 0, up @ fast + down @ slow <= 0
        doubtful = (least <= 0) & ~rising
        if (doubtful & ~falling).any() and end - time > EPS * span:
            step = (end - time) / 2
            continue
        ends = start + amplitudes @ phi
        crossing = np.flatnonzero(doubtful & (ends <= 0))
        if len(crossing):
            roots = [_root(start[e], amplitudes[e], rates, time, end) for e in crossing]
            return min(roots), int(crossing[np.argmin(roots)])
        time, step = end, 2 * step
    return span, None


def _root(start: float, amplitude: Array, rates: Array, low: float, high: float) -> float:
    """The zero of start + amplitude . phi(t) between low, where it is positive up to rounding, and high, where it is not."""
    def value(time: float) -> float:
        return float(start + amplitude @ _phi(rates, time))

    return low if value(low) <= 0 else float(brentq(value, low, high, xtol=SMALLEST, rtol=4 * EPS))


def _phi(rates: Array, time: float) -> Array:
    """(1 - exp(-c t)) / c for every c in rates, which is t where c = 0."""
    return time * exprel(-rates * time)


def _as_parameters(layer: Array, at: int, p: int) -> Array:
    """(p,): zeros, but for one layer's [W, b] from position at on."""
    vector = np.zeros(p)
    vector[at : at + layer.size] = np.concatenate([layer[:, :-1].ravel(), layer[:, -1]])
    return vector


def _with_ones(h: Array) -> Array:
    return np.concatenate([h, np.ones((len(h), 1))], axis=1)


# ---------------------------------------------------------------------- the public door


def _problem(net: MLP, x: ArrayLike, y: ArrayLike, layers: Sequence[int] | None) -> _Problem:
    """Copies of an input see the same pre-activations, and only the mean of their targets moves the parameters."""
    net, x = check_net_and_rows(net, x, float64=True)
    y = check_targets(net, x, y)
    if len(x) == 0:
        raise ValueError(f"x must have at least one row: a mean over no examples is no loss. Got shape {x.shape}.")
    distinct, group = np.unique(x, axis=0, return_inverse=True)
    copies = np.bincount(group).astype(np.float64)[:, None]
    sums = np.zeros((len(distinct), y.shape[1]))
    np.add.at(sums, group, y)
    return _Problem(net, distinct, sums / copies, 2 * copies / y.size, group, _check_layers(net, layers))


def _check_layers(net: MLP, layers: Sequence[int] | None) -> tuple[int, ...]:
    L = len(net.weights)
    if layers is None:
        return tuple(range(1, L + 1))
    numbers = as_real("layers", layers, (None,), f"the numbers, from 1 to {L}, of the layers that train")
    if len(set(numbers)) < len(numbers) or not set(numbers) <= set(range(1, L + 1)):
        raise ValueError(f"layers must list numbers from 1 to {L}, each once: the layers that train. Got {layers!r}.")
    return tuple(int(number) for number in numbers)


def _check_times(t: ArrayLike) -> Array:
    times = as_real("t", t, (None,), "increasing times, the first at least 0").astype(np.float64)
    if len(times) == 0 or times[0] < 0 or (np.diff(times) <= 0).any():
        raise ValueError(f"t must hold at least one time, all different and increasing, the first at least 0. Got {times}.")
    return times


def _check_tolerance(name: str, value: float) -> float:
    number = as_real(name, value, (), "a relative tolerance, for example 1e-10" if name == "rtol" else "an absolute tolerance")
    if not 1e-13 <= number <= 1:
        raise ValueError(f"{name} must be a number from 1e-13 to 1. Got {value!r}.")
    return float(number)
