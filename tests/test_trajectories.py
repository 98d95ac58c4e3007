"""Gradient flow through its flips: T21-T25; exact solutions, the integrator, and Euler steps."""

from functools import partial

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from relu_dynamics.checks import Undecided
from relu_dynamics.flow import trajectories
from relu_dynamics.flow.kinks import first_piece, make_task
from relu_dynamics.flow.trajectories import (
    balances, first_zero, layer_flow, length_left, output_layer_flow,
)
from relu_dynamics.mlp import MLP, backward, flatten, forward, init, predict, unflatten
from relu_dynamics.testing import exact_nets, with_rows

RNG = np.random.default_rng
SEEDS = range(5)
# paths take some tenths of a second
SOME = settings(max_examples=max(2, settings().max_examples // 10))
OFF, ON, REST = 0, 1, 2
# no path here has so many flips, unless something flips for ever
integrate, first_layer_flow = (partial(flow, max_flips=500)
                               for flow in (trajectories.integrate, trajectories.first_layer_flow))


def problem(seed, widths=(1, 7, 5, 1), n=6):
    rng = RNG(seed)
    return init(widths, rng), rng.uniform(-1, 1, (n, widths[0])), rng.normal(size=(n, widths[-1]))


def decided(flow, *problem, **options):
    """The path; examples without one do not count."""
    try:
        return flow(*problem, **options)
    except Undecided:
        assume(False)


def loss(net, x, y):
    return np.mean((predict(net, x) - y) ** 2)


def gradient(net, x, y):
    trace = forward(net, x)
    g = backward(net, trace, 2 / y.size * (trace.preacts[-1] - y))
    return MLP(g.weights, g.biases)


def euler(net, x, y, end, steps, layers=None):
    """Explicit Euler, and the (time, example, unit, on) of every change of the pattern on the
    way."""
    weights, biases = ([part.astype(np.float64) for part in parts] for parts in net)
    L, eta, flips, before = len(weights), end / steps, [], None
    for step in range(steps + 1):
        h, q = [x], []
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            z = h[-1] @ W.T + b
            q.append(z > 0)
            h.append(np.maximum(z, 0))
        pattern = np.hstack(q)
        if step > 0 and (pattern != before).any():
            flips += [(step * eta, i, u, bool(pattern[i, u]))
                      for i, u in np.argwhere(pattern != before)]
        before = pattern
        if step == steps:
            return MLP(tuple(weights), tuple(biases)), flips
        d = 2 / y.size * (h[-1] @ weights[-1].T + biases[-1] - y)
        for k in reversed(range(L)):
            below = (d @ weights[k]) * q[k - 1] if k > 0 else None
            if layers is None or k + 1 in layers:
                weights[k] = weights[k] - eta * d.T @ h[k]
                biases[k] = biases[k] - eta * d.sum(axis=0)
            d = below


def distance(a, b):
    return np.abs(flatten(a) - flatten(b)).max()


# -------------------------------------------------------------- T24: balancedness


@given(with_rows(exact_nets(), rows=st.sampled_from([1, 2, 4]), columns=1),
       st.sampled_from([0.25, 1.0]))
def test_a_step_changes_every_balance_by_the_square_of_the_rate(drawn, eta):
    """T24: eta^2 (|g_in|^2 + g_b^2 - |g_out|^2), and nothing of first order."""
    net, x, y = drawn
    g = gradient(net, x, y)
    moved = unflatten(flatten(net) - eta * flatten(g), net)
    change, expected = balances(moved) - balances(net), eta**2 * balances(g)
    scale = 1 + np.abs(flatten(net)).max() ** 2 + eta**2 * np.abs(flatten(g)).max() ** 2
    assert np.allclose(change, expected, rtol=0, atol=1e-12 * scale * len(flatten(net)))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_flow_conserves_every_balance_through_all_its_flips(seed):
    """T24, deep and with two outputs."""
    net, x, y = problem(seed, (2, 5, 4, 2))
    path = integrate(net, x, y, [1.0, 8.0])
    assert len(path.flips.time) > 0
    for moved in path.networks:
        assert np.allclose(balances(moved), balances(net), rtol=0, atol=1e-8)


# -------------------------------------------------------------- T21, T22: exactly solvable


@pytest.mark.parametrize("seed", SEEDS)
def test_the_last_layer_alone_follows_the_matrix_exponential(seed):
    """T21, against the integrator and against the exponential of the full matrix by scaling and
    squaring."""
    net, x, y = problem(seed, (2, 6, 5, 2))
    times = [0.0, 0.5, 4.0, 50.0]
    exact, path = output_layer_flow(net, x, y, times), integrate(net, x, y, times, layers=[3])
    h = np.hstack([forward(net, x).inputs[-1], np.ones((len(x), 1))])
    for t, f, a, b in zip(times, exact.outputs, exact.networks, path.networks, strict=True):
        # to first order in 2^-20
        decay = np.linalg.matrix_power(np.eye(len(x)) - 2 * t / (y.size * 2**20) * h @ h.T, 2**20)
        assert np.allclose(f - y, decay @ (predict(net, x) - y), rtol=0, atol=2e-3 * (1 + t * 1e-2))
        assert np.allclose(predict(a, x), f, rtol=0, atol=1e-11)
        assert distance(a, b) < 1e-8
        assert all(
            (p == q).all()
            for p, q in zip((*a.weights[:-1], *a.biases[:-1]),
                            (*net.weights[:-1], *net.biases[:-1]), strict=True))
    assert len(path.flips.time) == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_layer_alone_is_solved_exactly_from_flip_to_flip(seed):
    """T22 against the integrator: the same flips in the same order, and the same networks to
    1e-8."""
    net, x, y = problem(seed, (2, 9, 1 + seed % 2), n=7)
    times = [1.0, 10.0, 40.0]
    exact, path = first_layer_flow(net, x, y, times), integrate(net, x, y, times, layers=[1])
    for a, b in zip(exact.networks, path.networks, strict=True):
        assert distance(a, b) < 1e-8
    assert exact.flips.example.tolist() == path.flips.example.tolist()
    assert exact.flips.unit.tolist() == path.flips.unit.tolist()
    assert exact.flips.state.tolist() == path.flips.state.tolist() and np.allclose(
        exact.flips.time, path.flips.time, atol=1e-6)


def test_the_exact_cases_are_put_to_the_test_by_flips_and_rests():
    """Of the problems above some flip on, some off, and some come to rest."""
    kinds = [first_layer_flow(*problem(seed, (2, 9, 1 + seed % 2), n=7), [40.0]).flips.state
             for seed in SEEDS]
    assert set(np.concatenate(kinds).tolist()) == {OFF, ON, REST}


# -------------------------------------------------------------- T42: one layer, gates given


@given(with_rows(exact_nets(), rows=st.sampled_from([1, 2, 5]), columns=1), st.data())
@SOME
def test_one_layer_with_given_gates_follows_its_differential_equation(drawn, data):
    """T42, any layer and any gates, at times at which relu would long have switched: against an ODE
    solver."""
    net, x, y = drawn
    layer = data.draw(st.integers(1, len(net.weights)))
    q = RNG(data.draw(st.integers(0, 99))).random(
        (len(x), sum(len(b) for b in net.biases[:-1]))) < 0.6
    at = sum(
        W.size + b.size
        for W, b in zip(net.weights[: layer - 1], net.biases[: layer - 1], strict=True))
    mine = slice(at, at + net.weights[layer - 1].size + net.biases[layer - 1].size)
    start = flatten(net)

    def velocity(_, part):
        theta = start.copy()
        theta[mine] = part
        moved = unflatten(theta, net)
        trace = forward(moved, x, q)
        g = backward(moved, trace, 2 / y.size * (trace.preacts[-1] - y))
        return -flatten(MLP(g.weights, g.biases))[mine]

    rate = max(1e-3, np.abs(velocity(0, start[mine])).max())
    times = np.array([0.3, 3.0]) / rate
    flow = layer_flow(net, x, y, times, layer, q)
    solved = solve_ivp(velocity, (0, times[-1]), start[mine], t_eval=times, rtol=1e-9, atol=1e-10,
                       method="LSODA").y.T
    for moved, f, part in zip(flow.networks, flow.outputs, solved, strict=True):
        theta = flatten(moved)
        scale = 1 + np.abs(theta).max()
        assert np.allclose(theta[mine], part, rtol=0, atol=1e-6 * scale)
        assert np.array_equal(np.delete(theta, np.r_[mine]), np.delete(start, np.r_[mine]))
        assert np.allclose(predict(moved, x, q), f, rtol=0,
                           atol=1e-10 * scale * (1 + np.abs(f).max()))


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_until_the_first_flip_the_gates_might_as_well_be_given(layer):
    """T42 and the real flow, with the network's own gates given, kept, or recorded in a Trace."""
    net, x, y = problem(3, (2, 6, 5, 2))
    first = np.append(integrate(net, x, y, [1.0], layers=[layer]).flips.time, 1.0).min()
    times = [0.0, first / 2, first]
    path, q = integrate(net, x, y, times, layers=[layer]), np.hstack(forward(net, x).pattern)
    for flow in (layer_flow(net, x, y, times, layer, q), layer_flow(net, x, y, times, layer),
                 layer_flow(net, forward(net, x, q), y, times, layer)):
        assert all(distance(a, b) < 1e-9 for a, b in zip(flow.networks, path.networks, strict=True))


# -------------------------------------------------------------- late times


@pytest.mark.parametrize("layer", [1, 2])
@pytest.mark.parametrize("seed", SEEDS)
def test_at_late_times_one_layer_has_come_to_the_nearest_least_squares_solution(seed, layer):
    """T42: what the kernel cannot reach stays, for ever.  All units on and one input: each rank is
    2, of 6 examples."""
    net, x, y = problem(seed, (1, 5, 2))
    net = MLP(net.weights, (np.abs(net.biases[0]) + 3, net.biases[1]))
    trace = forward(net, x)
    J = np.concatenate(
        [backward(net, trace, np.eye(1, y.size, k).reshape(y.shape)).weights[layer - 1].reshape(
            1, -1) for k in range(y.size)])
    j = np.concatenate(
        [backward(net, trace, np.eye(1, y.size, k).reshape(y.shape)).biases[layer - 1][None]
         for k in range(y.size)])
    change = np.linalg.lstsq(np.hstack([J, j]), (y - trace.preacts[-1]).ravel(), rcond=1e-12)[0]
    times = [1e9, 1e12, 1e15, 1e22]
    flows = [layer_flow(net, x, y, times, layer)] + ([output_layer_flow(net, x, y, times)]
                                                     if layer == 2 else [])
    for moved in sum((flow.networks for flow in flows), []):
        weights, biases = (after[layer - 1] - before[layer - 1]
                           for after, before in zip(moved, net, strict=True))
        assert np.allclose(np.append(weights, biases), change, rtol=0,
                           atol=1e-9 * (1 + np.abs(change).max()))


@pytest.mark.parametrize("widths", [(1, 5, 2), (2, 6, 1)])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_layer_comes_to_rest_and_stays(seed, widths):
    """T22 where the kernel is rank deficient and rates span many powers of ten: no flip after
    10^12, no drift until 10^22."""
    net, x, y = problem(seed, widths)
    path = first_layer_flow(net, x, y, [1e12, 1e15, 1e18, 1e22])
    scale = np.abs(flatten(path.networks[0])).max()
    assert all(distance(moved, path.networks[0]) < 1e-10 * scale for moved in path.networks)
    assert path.flips.time.max() < 1e12


def test_late_times_take_no_more_steps_than_early_ones():
    """T24, T25 to t = 10^6, which an explicit integrator reaches in minutes."""
    net, x, y = problem(3, (1, 4, 1))
    path = integrate(net, x, y, [10.0, 1e6])
    assert np.allclose(balances(path.networks[1]), balances(net), rtol=0, atol=1e-7)
    assert loss(path.networks[1], x, y) <= loss(path.networks[0], x, y)
    assert np.abs(
        flatten(integrate(path.networks[1], x, y, [1.0]).networks[0]) - flatten(
            path.networks[1])).max() < 1e-5


# ------------------------------------------------- what comes to 0 together


def with_a_dying_unit(seed, widths=(1, 6, 1), n=6):
    """In about one of these in five a unit slides along a kink to where all its weights are 0."""
    rng = RNG([55, seed])
    net = init(list(widths), rng, "he")
    net = MLP(net.weights, tuple(0.3 * rng.normal(size=len(b)) for b in net.biases))
    return net, rng.normal(size=(n, widths[0])), 3 * rng.normal(size=(n, widths[-1]))


def histories(flips):
    """What became of each entry in turn; of different entries that flip at once either may come
    first."""
    order = np.lexsort((flips.time, flips.unit, flips.example))
    return [column[order].tolist() for column in flips[1:]]


def dead(net):
    return [u for u, (w, b) in enumerate(zip(net.weights[0], net.biases[0], strict=True))
            if not w.any() and b == 0]


@given(st.integers(0, 2**32 - 1), st.integers(1, 2))
@SOME
def test_the_end_of_the_first_layer_flow_depends_neither_on_the_times_nor_on_the_solver(
        seed, inputs):
    """T22, T23, units that come to rest with all their weights at 0 included."""
    net, x, y = with_a_dying_unit(seed, (inputs, 4, 1))
    paths = [first_layer_flow(net, x, y, times)
             for times in ([10.0], [1.0, 10.0], np.linspace(0, 10, 37))]
    for other in (*paths[1:], integrate(net, x, y, [10.0], layers=[1])):
        assert distance(other.networks[-1], paths[0].networks[-1]) < 1e-7
        assert histories(other.flips) == histories(paths[0].flips)
        assert dead(other.networks[-1]) == dead(paths[0].networks[-1])


def on_a_grid(seed):
    """Three inputs in a row depend on one another, so units come to 0 at all of them at once."""
    rng, ticks = RNG([9, seed]), np.linspace(-1, 1, 3)
    net = init([2, 5, 1], rng, "he")
    net = MLP(net.weights, tuple(0.3 * rng.normal(size=len(b)) for b in net.biases))
    x, y = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2), 3 * rng.normal(size=(9, 1))
    return net, x, y


@given(st.integers(0, 2**32 - 1))
@example(15)  # a unit comes to 0 along a row of the grid, on which its slope is rounding
@SOME
def test_rows_of_a_grid_come_to_0_together(seed):
    """T22, T23: the exact flow and the integrator see the same, or are both undecided."""
    net, x, y = on_a_grid(seed)
    try:
        exact = first_layer_flow(net, x, y, [6.0])
    except Undecided as error:  # convex and concave kinks of one row
        with pytest.raises(Undecided, match=str(error)[:30]):
            integrate(net, x, y, [6.0], layers=[1])
        return
    path = integrate(net, x, y, [6.0], layers=[1])
    assert distance(exact.networks[0], path.networks[0]) < 1e-7


@given(st.integers(0, 2**32 - 1))
@example(41)  # a unit comes to 0 at all its inputs
@SOME
def test_behind_a_layer_that_stays_units_move_as_in_the_first_layer(seed):
    """T22, T23: if only the second layer trains, its inputs are those of a network of its own; each
    is on at two units at most, so three of them in general position depend on one another.
    """
    net, x, y = with_a_dying_unit(seed, (1, 2, 3, 1), 8)
    alone, h = MLP(net.weights[1:], net.biases[1:]), forward(net, x).inputs[1]
    exact = decided(first_layer_flow, alone, h, y, [6.0]).networks[0]
    path = decided(integrate, net, x, y, [6.0], layers=[2]).networks[0]
    assert distance(MLP(path.weights[1:], path.biases[1:]), exact) < 1e-7


@pytest.mark.parametrize("seed", [39, 122, 161])
def test_a_unit_that_is_0_where_few_units_are_on_is_0_wherever_only_these_are(seed):
    """T23: its weights from them are 0 and stay so, also while the layer before moves; at 122 what
    rests is asked again when another entry crosses.  Small steps agree.
    """
    net, x, y = with_a_dying_unit(seed, (1, 2, 2, 1), 7)
    moved = integrate(net, x, y, [3.0]).networks[0]
    assert distance(euler(net, x, y, 3.0, 4000)[0], moved) < 5e-3


@pytest.mark.parametrize("seed", [1019, 1028, 1050])
def test_where_dependent_inputs_leave_one_way_small_steps_take_it(seed):
    """T23: in these a unit goes through 0 on a row with convex and concave kinks, or rests on one
    with convex kinks and leaves.  Of three inputs in a row it has only the patterns of an affine
    function.
    """
    net, x, y = on_a_grid(seed)
    moved = first_layer_flow(net, x, y, [6.0]).networks[0]
    assert distance(euler(net, x, y, 6.0, 4000, layers=[1])[0], moved) < 5e-3


@pytest.mark.parametrize("seed", [1055, 1072, 1131, 1150])
def test_where_dependent_inputs_leave_several_ways_the_flow_is_undecided(seed):
    """T23: at 1055 Euler's limit depends on the step, at the others it stays where a small push
    would take it elsewhere, and for how long depends on the step.
    """
    net, x, y = on_a_grid(seed)
    for flow in (first_layer_flow, lambda *problem: integrate(*problem, layers=[1])):
        with pytest.raises(Undecided, match="dependent inputs at once, and the flow can go on in"):
            flow(net, x, y, [6.0])


@pytest.mark.parametrize("problem, end, layers", [
    (on_a_grid(1026), 6.0, [1]), (on_a_grid(1341), 6.0, [1]),
    (with_a_dying_unit(347, (1, 4, 3, 1)), 1.5, None)])
def test_a_rest_with_a_concave_kink_that_could_end_or_go_on_is_undecided(problem, end, layers):
    """T23: where it pays to leave, but gates of other patterns could still hold the entries.  Small
    steps leave on the grids and stay in the last case.
    """
    with pytest.raises(Undecided, match="rests turns concave"):
        integrate(*problem, [end], layers=layers)


@given(st.integers(0, 2**32 - 1))
@example(0)
@SOME
def test_the_rest_of_a_path_is_the_path_from_there(seed):
    """T23: also with entries at rest, and with units that have died, at z = 0."""
    net, x, y = with_a_dying_unit(seed, (1, 2, 2, 1), 7)
    path = decided(integrate, net, x, y, [1.5, 3.0])
    state, middle = np.where(np.hstack(forward(net, x).pattern), ON, OFF), path.networks[0]
    for time, i, u, new in zip(*path.flips, strict=True):
        state[i, u] = new if time <= 1.5 else state[i, u]
    z, dead = np.hstack(forward(middle, x).preacts[:-1]), (state == OFF).all(axis=0)
    assert (z[:, dead] <= 0).all()
    assume((np.abs(z) > 1e-9)[:, ~dead][state[:, ~dead] != REST].all())
    rest = decided(integrate, middle, x, y, [1.5])
    assert distance(rest.networks[0], path.networks[1]) < 1e-7


@pytest.mark.parametrize("seed", [104, 145, 146])
def test_a_unit_that_has_died_is_off_in_the_networks_that_follow(seed):
    """T23: not on by the rounding of its last zero, or it would move when the flow goes on."""
    net, x, y = with_a_dying_unit(seed, (2, 4, 1), 6)
    path = integrate(net, x, y, [1.5])
    state = np.where(np.hstack(forward(net, x).pattern), ON, OFF)
    state[path.flips.example, path.flips.unit] = path.flips.state  # in order of time: the last
    dead = (state == OFF).all(axis=0)
    assert dead.any() and (forward(path.networks[0], x).preacts[0][:, dead] <= 0).all()


def test_a_kink_that_turns_concave_under_an_entry_at_rest_leaves_the_flow_undecided():
    """T23: only its own residual moves the entry, so dL/dh and its hold change signs together."""
    net, x, y = with_a_dying_unit(131, (1, 4, 3, 1))
    with pytest.raises(Undecided, match="turns concave"):
        integrate(net, x, y, [1.0])


def test_a_unit_that_could_stay_at_0_or_switch_off_is_undecided():
    """T23: it comes to 0 at all five inputs at which it has been on or at rest.  Off it falls at
    all of them, but gates of other patterns hold it: its kinks are convex and concave.
    """
    net, x, y = with_a_dying_unit(160, (1, 2, 3, 1), 8)
    with pytest.raises(Undecided, match="5 dependent inputs at once, and the flow can go on in 2"):
        integrate(net, x, y, [6.0], layers=[2])


@pytest.mark.parametrize("seed", [27, 84, 111, 116])
def test_a_unit_whose_weights_have_come_to_0_is_dead_as_for_small_steps(seed):
    """T23, T26: in these the loss rises in every direction that the dead unit could take, so the
    flow is unique, and Euler follows."""
    net, x, y = with_a_dying_unit(seed)
    path = first_layer_flow(net, x, y, [5.0])
    moved, units = path.networks[0], dead(path.networks[0])
    assert units
    for u in units:
        time = path.flips.time[path.flips.unit == u][-1]
        now = first_layer_flow(net, x, y, [time]).networks[0]
        force = (predict(now, x) - y)[:, 0] * now.weights[1][0, u]
        # g is linear between these
        directions = np.vstack([np.hstack([np.ones_like(x), -x]), np.hstack([-np.ones_like(x), x])])
        assert (np.maximum(directions @ np.hstack([x, np.ones_like(x)]).T, 0) @ force >= 0).all()
    assert abs(loss(euler(net, x, y, 5.0, 10_000, layers=[1])[0], x, y) - loss(moved, x, y)) < 2e-3


@given(st.integers(0, 2**32 - 1))
@SOME
def test_the_times_asked_for_have_no_influence_on_the_path(seed):
    """Not by a bit, as long as the last is the same; deep, all layers."""
    net, x, y = with_a_dying_unit(seed, (1, 4, 3, 1))
    path = decided(integrate, net, x, y, [0.4, 1.0])
    finer = integrate(net, x, y, [0.0, 0.2, 0.4, 0.9, 1.0])
    assert all(np.array_equal(a, b) for a, b in zip(path.flips, finer.flips, strict=True))
    assert distance(path.networks[0], finer.networks[2]) == distance(path.networks[1],
                                                                     finer.networks[4]) == 0


@given(st.integers(0, 2**32 - 1))
@example(67)  # a copy joins others at rest, and another leaves them
@example(131)
@example(7181)
@SOME
def test_nothing_rests_on_a_concave_kink_and_what_sees_the_same_has_one_state(seed):
    """T23: where dL/dh < 0 both sides drive the entry away; here for the last hidden layer, where
    dL/dh needs no gate.  Its units see the same wherever no unit of the layer before is on.  Where
    all are off, also where they have come to be so, they flip as one.
    """
    net, x, y = with_a_dying_unit(seed, (1, 4, 3, 1))
    path = decided(integrate, net, x, y, np.linspace(0.25, 1.5, 6))
    flips, state, t = path.flips, np.where(np.hstack(forward(net, x).pattern), ON, OFF), 0.0
    for time in np.union1d(flips.time, path.times):
        flip = (t < flips.time) & (flips.time <= time) if time > 0 else flips.time == 0
        state[flips.example[flip], flips.unit[flip]] = flips.state[flip]
        off, alike = (state[:, :4] == OFF).all(axis=1), (state[:, :4] != ON).all(axis=1)
        assert (state[off, 4:] == state[off, 4:][:1]).all()
        if time in path.times:
            now = path.networks[path.times.tolist().index(time)]
            force = 2 / y.size * (predict(now, x) - y) @ now.weights[2]
            force[alike] = force[alike].sum(axis=0)
            rest = state[:, 4:] == REST
            apart = (rest & ~alike[:, None]).sum(axis=0) < 2  # of three in a row one may be concave
            assert (force[:, apart][rest[:, apart]] >= -1e-7).all()
        t = time


@pytest.mark.parametrize("targets", [(1.0, -3.0), (-3.0, 1.0), (0.5, -2.0)])
def test_examples_that_see_the_same_flip_as_one(targets):
    """T23: the first layer is off at two examples, so the second sees the same at both; one pulls
    its unit up, the other down harder. They cross to off together at once, and nothing rests; Euler
    agrees."""
    net = MLP((np.array([[1.0]]), np.array([[1.0]]), np.array([[1.0]])),
              (np.zeros(1), np.array([0.5]), np.zeros(1)))
    x, y = np.array([[-1.0], [-2.0], [1.0]]), np.array([*targets, 1.0])[:, None]
    path = integrate(net, x, y, [3.0])
    own = np.isin(path.flips.example, [0, 1]) & (path.flips.unit == 1)
    assert path.flips.example[own].tolist() == [0, 1] and len(set(path.flips.time[own])) == 1
    assert len(set(path.flips.state[own].tolist())) == 1
    assert distance(euler(net, x, y, 3.0, 4000)[0], path.networks[0]) < 5e-3


# ----------------------------------------------------------------- T23, T25: events


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_at_a_flip_all_is_continuous_except_the_gradient_of_the_incoming_weights(seed):
    """T23: just before and after, f, L and dL/dw_out agree; dL/dw_in jumps by the example's own
    term, delta (x, 1)."""
    net, x, y = problem(seed, (2, 8, 1))
    flips, eps = integrate(net, x, y, [8.0]).flips, 1e-5
    entries = list(zip(flips.example.tolist(), flips.unit.tolist(), strict=True))
    rested = {entry for entry, state in zip(entries, flips.state, strict=True) if state == REST}
    lone = [k for k, t in enumerate(flips.time) if t > 1e-3
            and (abs(flips.time - t) < 1e-3).sum() == 1 and entries[k] not in rested]
    for k in lone[:2]:
        i, u = flips.example[k], flips.unit[k]
        before, after = integrate(net, x, y, [flips.time[k] - eps, flips.time[k] + eps]).networks
        if abs(forward(after, x).preacts[0][i, u]) < 1e-12:
            # a unit that dies with its last example stays where it died, at z = 0 up to rounding
            continue
        # on whatever side rounding leaves them
        resting = np.zeros((len(x), len(net.biases[0])), bool)
        for entry, state in zip(entries[:k], flips.state, strict=False):
            resting[entry] = state == REST
        assert np.argwhere((forward(before, x).pattern[0] != forward(after, x).pattern[0])
                           & ~resting).tolist() == [[i, u]]
        assert np.allclose(predict(before, x), predict(after, x),
                           atol=1e-3) and abs(loss(before, x, y) - loss(after, x, y)) < 1e-3
        g, h = gradient(before, x, y), gradient(after, x, y)
        assert np.allclose(g.weights[1], h.weights[1], atol=1e-3)
        own = 2 / y.size * (predict(after, x) - y)[i, 0] * after.weights[1][0, u] * x[i] * (
            1 if flips.state[k] == ON else -1)
        assert np.allclose(h.weights[0][u] - g.weights[0][u], own, atol=1e-3)
    assert lone or seed != SEEDS[0]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_loss_falls_by_the_squared_speed(seed):
    """T25: L' = -|theta'|^2 along the path, also through flips: by quadrature over a fine set of
    times."""
    net, x, y = problem(seed)
    times = np.linspace(0, 1, 101)
    path = integrate(net, x, y, times)
    losses = np.array([loss(moved, x, y) for moved in path.networks])
    assert (np.diff(losses) <= 1e-12).all()
    if not (path.flips.state == REST).any():
        speed = np.array([np.sum(flatten(gradient(moved, x, y)) ** 2) for moved in path.networks])
        fallen = np.sum((speed[1:] + speed[:-1]) / 2) * (times[1] - times[0])
        assert np.isclose(losses[0] - losses[-1], fallen, rtol=2e-2)


@pytest.mark.parametrize("seed", [22, 55])
def test_a_fine_euler_path_flips_the_same_units_at_the_same_times(seed):
    """Where nothing rests, explicit Euler differs by the order of its step, in place and in the
    times of the flips."""
    net, x, y = problem(seed, (1, 5, 4, 1), n=4)
    path = integrate(net, x, y, [2.0])
    assert len(path.flips.time) > 0 and not (path.flips.state == REST).any()
    moved, flips = euler(net, x, y, 2.0, 2000)
    assert distance(moved, path.networks[0]) < 5e-3
    assert sorted((i, u, on) for _, i, u, on in flips) == sorted(
        (i, u, s == ON)
        for i, u, s in zip(path.flips.example, path.flips.unit, path.flips.state, strict=True))
    assert np.allclose([t for t, *_ in flips], path.flips.time, atol=5e-3)


def test_an_entry_rests_where_each_side_drives_it_to_the_other():
    """One unit, max(w x + b, 0): to rise at x = 1 lifts it at x = -1/2 too, where the target is
    below zero and pushes it down as soon as it is on.  It comes to rest there, Euler chatters
    across, and both end at the same place."""
    net = MLP((np.array([[1.0]]), np.array([[1.0]])), (np.array([0.25]), np.zeros(1)))
    x, y = np.array([[1.0], [-0.5]]), np.array([[4.0], [-3.0]])
    path = integrate(net, x, y, [8.0], layers=[1])
    assert REST in path.flips.state and path.flips.example[path.flips.state == REST].tolist() == [1]
    assert abs(forward(path.networks[0], x).preacts[0][1, 0]) < 1e-9
    moved, flips = euler(net, x, y, 8.0, 8000, layers=[1])
    assert len(flips) > 100 and distance(moved, path.networks[0]) < 5e-3
    assert distance(first_layer_flow(net, x, y, [8.0]).networks[0], path.networks[0]) < 1e-8


def test_a_tie_at_the_start_goes_where_the_flow_takes_it():
    """z = 0 at x = 0: with the target above it the unit switches on at once, below it stays off."""
    net = MLP((np.array([[1.0]]), np.array([[1.0]])), (np.zeros(1), np.zeros(1)))
    x = np.array([[0.0], [1.0]])
    up, down = (integrate(net, x, np.array([[v], [1.0 + v]]), [0.5]) for v in (1.0, -1.0))
    assert up.flips.example.tolist() == [0] and up.flips.time.tolist() == [0.0]
    assert up.flips.state.tolist() == [ON]
    assert predict(up.networks[0],
                   x)[0, 0] > 0 and 0 not in down.flips.example[down.flips.state == ON]


def test_copies_of_examples_and_of_units_flip_together():
    """Twins have one history: the path of a doubled problem is the path of the problem itself,
    flips repeated."""
    net, x, y = problem(1, (2, 8, 1))
    single, double = integrate(net, x, y, [10.0]), integrate(net, np.vstack([x, x]),
                                                             np.vstack([y, y]), [10.0])
    assert distance(single.networks[0], double.networks[0]) < 1e-8
    assert len(double.flips.time) == 2 * len(single.flips.time) > 0
    twin = MLP((np.vstack([net.weights[0]] * 2), np.hstack([net.weights[1]] * 2) / 2),
               (np.tile(net.biases[0], 2), net.biases[1]))
    moved = integrate(twin, x, y, [10.0]).networks[0]
    assert np.allclose(moved.weights[0][:8], moved.weights[0][8:], atol=1e-8)


def test_times_may_begin_at_zero_and_paths_agree_at_common_times():
    net, x, y = problem(2)
    path, later = integrate(net, x, y, [0.0, 1.0, 2.0]), integrate(net, x, y, [2.0])
    assert distance(path.networks[0], net) == 0 and distance(path.networks[2],
                                                             later.networks[0]) < 1e-7
    assert path.times.tolist() == [0, 1, 2] and len(path.networks) == 3


@pytest.mark.parametrize("seed", [0, 1, 4, 5])
def test_outputs_a_thousand_times_smaller_take_a_million_times_longer(seed):
    """T23: with the first layer alone, weights out and targets divided by 2^10 divide its velocity
    by 2^20, at the kinks too. In all of these some entry that rests goes on before the end."""
    net, x, y = problem(seed, (2, 8, 1))
    small = MLP((net.weights[0], net.weights[1] / 2**10), (net.biases[0], net.biases[1] / 2**10))
    path, slow = integrate(net, x, y, [10.0], layers=[1]), integrate(small, x, y / 2**10,
                                                                     [10.0 * 2**20], layers=[1])
    assert distance(MLP(path.networks[0].weights[:1], path.networks[0].biases[:1]),
                    MLP(slow.networks[0].weights[:1], slow.networks[0].biases[:1])) < 1e-10
    assert np.allclose(slow.flips.time / 2**20, path.flips.time, rtol=0, atol=1e-9)
    assert slow.flips.state.tolist() == path.flips.state.tolist()
    rests = {(i, u)
             for i, u, state in zip(path.flips.example, path.flips.unit, path.flips.state,
                                    strict=True) if state == REST}
    last = {(i, u): state
            for i, u, state in zip(path.flips.example, path.flips.unit, path.flips.state,
                                   strict=True)}
    assert any(last[entry] != REST for entry in rests)


@pytest.mark.parametrize("seed", [0, 5])
def test_a_rest_ends_when_the_side_it_leaves_for_no_longer_drives_it_back(seed):
    """T23: with its gate at the end of [0, 1] that it has come to, and gates for the unit's other
    entries at rest, z' = 0 for all of them; here for the first layer alone, summed by hand.  No
    other entry comes to its kink then."""
    net, x, y = problem(seed, (2, 8, 1))
    flips = integrate(net, x, y, [10.0], layers=[1]).flips
    ends = [(time, i, u, state) for k, (time, i, u, state) in enumerate(zip(*flips, strict=True))
            if any((flips.example[j], flips.unit[j], flips.state[j]) == (i, u, REST)
                   for j in range(k))]
    assert ends and all(np.count_nonzero(flips.time == time) == 1 for time, *_ in ends)
    products = 1 + x @ x.T
    for time, i, u, state in ends:
        now = integrate(net, x, y, [time], layers=[1]).networks[0]
        z = forward(now, x).preacts[0][:, u]
        force = ((predict(now, x) - y) @ now.weights[1])[:, u]  # dL/dh, but for a factor
        rest = np.flatnonzero(np.abs(z) < 1e-8)
        others = rest[rest != i]
        push = products[rest] @ (force * np.where(np.arange(len(x)) == i, state, (z > 1e-8)))
        lift = products[np.ix_(rest, others)] * force[others]
        left = push - lift @ np.linalg.lstsq(lift, push)[0]
        assert i in rest and np.abs(left).max() < 1e-8 * np.abs(products[rest] * force).max()


@pytest.mark.parametrize("start", [1e-4, 0.3, 2.0])
def test_the_first_zero_of_a_straight_fall_is_found_however_soon(start):
    """start - t on (0, 1]."""
    time, which = first_zero(np.array([5.0, start]), np.array([[-1.0], [-1.0]]), np.zeros(1), 1.0)
    assert (time, which) == (1.0, None) if start > 1 else (abs(time - start) < 1e-12 and which == 1)


@given(st.integers(0, 2**32 - 1))
def test_before_the_first_zero_of_sums_of_exponentials_there_is_none(seed):
    """On a fine grid of times, with rates over many powers of ten."""
    rng = RNG(seed)
    start, amplitudes = rng.exponential(size=5) + 1e-3, rng.normal(size=(5, 4))
    rates, span = 10.0 ** rng.uniform(-3, 2, 4), 10.0 ** rng.uniform(-2, 2)
    time, which = first_zero(start, amplitudes, rates, span)
    grid = np.append(np.linspace(0, time, 2000), time)[:, None]
    values = start + -np.expm1(-rates * grid) / rates @ amplitudes.T
    assert (values >= -1e-9).all() and 0 < time <= span
    assert time == span if which is None else abs(values[-1, which]) < 1e-9


# ----------------------------------------------------------------- the public door


@pytest.mark.parametrize(("change", "words"), [
    (dict(t=[]), "at least one time"), (dict(t=[-1.0]), "at least 0"),
    (dict(t=[1.0, 1.0]), "later"), (dict(t=[np.nan]), "t must"),
    (dict(layers=[0]), "layers"), (dict(layers=[4]), "layers"), (dict(layers=[1, 1]), "layers"),
    (dict(rtol=0.0), "rtol"), (dict(atol=2.0), "atol"),
    (dict(max_flips=-1), "max_flips"), (dict(x=np.zeros((0, 1)), y=np.zeros((0, 1))),
                                        "at least one row"), (dict(y=np.zeros((6, 2))), "y must"),
])
def test_bad_input_is_refused(change, words):
    net, x, y = problem(0)
    with pytest.raises(ValueError, match=words):
        integrate(net, **{"x": x, "y": y, "t": [1.0], **change})


def test_deep_networks_and_too_many_flips_are_refused():
    net, x, y = problem(0)
    with pytest.raises(ValueError, match="one hidden layer"):
        first_layer_flow(net, x, y, [1.0])
    with pytest.raises(ArithmeticError, match="max_flips"):
        integrate(*problem(1, (2, 8, 1)), [10.0], max_flips=0)
    path = integrate(net, x, y, [10.0])
    assert len(set(path.flips.time)) == len(path.flips.time) > 1  # one at a time
    assert len(integrate(net, x, y, [10.0], max_flips=len(path.flips.time)).flips.time) == len(
        path.flips.time)
    with pytest.raises(ArithmeticError, match=f"max_flips = {len(path.flips.time) - 1} "):
        integrate(net, x, y, [10.0], max_flips=len(path.flips.time) - 1)


def test_all_layers_by_their_numbers_are_all_layers():
    net, x, y = problem(0)
    assert distance(
        *(integrate(net, x, y, [0.5], layers=layers).networks[0]
          for layers in ([3, 1, 2], None))) == 0


def test_a_path_without_flips_may_be_allowed_none():
    """One unit that is on at both examples, and targets just above it."""
    net = MLP((np.ones((1, 1)), np.ones((1, 1))), (np.ones(1), np.zeros(1)))
    for flow in (integrate, first_layer_flow):
        assert len(flow(net, [[0.0], [1.0]], [[1.1], [2.1]], [1.0], max_flips=0).flips.time) == 0


def test_the_length_left_is_bounded_by_the_root_of_loss_times_time():
    """T25 and Cauchy-Schwarz: the integral of |theta'| is at most sqrt(L time); examples that come
    twice count twice."""
    net, x, y = problem(0)
    x, y = np.concatenate([x, x[:2]]), np.concatenate([y, y[:2]])
    bound = length_left(first_piece(make_task(net, x, y, None), flatten(net))[1], 3.0)
    np.testing.assert_allclose(bound, np.sqrt(3 * loss(net, x, y)), rtol=1e-12)
    assert distance(integrate(net, x, y, [3.0]).networks[0], net) < bound


def test_without_hidden_units_nothing_of_the_first_layer_moves():
    net = init([3, 0, 2], RNG(0))
    assert distance(first_layer_flow(net, np.ones((2, 3)), np.ones((2, 2)), [1.0]).networks[0],
                    net) == 0
