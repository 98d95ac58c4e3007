"""Gradient flow followed through its events: THEORY T21-T25, the two exact solutions against the integrator and both against Euler."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relu_dynamics.flow.kinks import first_states, freeze, make_task
from relu_dynamics.flow.trajectories import (
    _first_zero, _length_left, balances, first_layer_flow, integrate, output_layer_flow,
)
from relu_dynamics.mlp import MLP, backward, flatten, forward, init, predict, unflatten
from relu_dynamics.testing import exact_nets, with_rows

RNG = np.random.default_rng
SEEDS = range(5)
OFF, ON, REST = 0, 1, 2


def problem(seed, widths=(1, 7, 5, 1), n=6):
    rng = RNG(seed)
    return init(widths, rng), rng.uniform(-1, 1, (n, widths[0])), rng.normal(size=(n, widths[-1]))


def loss(net, x, y):
    return np.mean((predict(net, x) - y) ** 2)


def gradient(net, x, y):
    trace = forward(net, x)
    g = backward(net, trace, 2 / y.size * (trace.preacts[-1] - y))
    return MLP(g.weights, g.biases)


def euler(net, x, y, end, steps, layers=None):
    """Explicit Euler, and the (time, example, unit, on) of every change of the pattern on the way."""
    flips, eta = [], end / steps
    mask = [layers is None or k + 1 in layers for k in range(len(net.weights))]
    before = np.concatenate(forward(net, x).pattern, axis=1)
    for step in range(1, steps + 1):
        g = gradient(net, x, y)
        net = MLP(*(tuple(p - eta * d if trains else p for p, d, trains in zip(parts, by, mask, strict=True))
                    for parts, by in zip(net, g, strict=True)))
        after = np.concatenate(forward(net, x).pattern, axis=1)
        flips += [(step * eta, i, u, bool(after[i, u])) for i, u in np.argwhere(before != after)]
        before = after
    return net, flips


def distance(a, b):
    return np.abs(flatten(a) - flatten(b)).max()


# -------------------------------------------------------------- T24: balancedness


@given(with_rows(exact_nets(), rows=st.sampled_from([1, 2, 4]), columns=1), st.sampled_from([0.25, 1.0]))
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
    net, x, y = problem(seed, (2, 6, 5, 2))
    path = integrate(net, x, y, [1.0, 5.0, 20.0])
    assert len(path.flips.time) > 0
    for moved in path.networks:
        assert np.allclose(balances(moved), balances(net), rtol=0, atol=1e-8)


# -------------------------------------------------------------- T21, T22: exactly solvable


@pytest.mark.parametrize("seed", SEEDS)
def test_the_last_layer_alone_follows_the_matrix_exponential(seed):
    """T21, against the integrator and against the exponential of the full matrix by scaling and squaring."""
    net, x, y = problem(seed, (2, 6, 5, 2))
    times = [0.0, 0.5, 4.0, 50.0]
    exact, path = output_layer_flow(net, x, y, times), integrate(net, x, y, times, layers=[3])
    h = np.hstack([forward(net, x).inputs[-1], np.ones((len(x), 1))])
    for t, f, a, b in zip(times, exact.outputs, exact.networks, path.networks, strict=True):
        decay = np.linalg.matrix_power(np.eye(len(x)) - 2 * t / (y.size * 2**20) * h @ h.T, 2**20)  # to first order in 2^-20
        assert np.allclose(f - y, decay @ (predict(net, x) - y), rtol=0, atol=2e-3 * (1 + t * 1e-2))
        assert np.allclose(predict(a, x), f, rtol=0, atol=1e-11)
        assert distance(a, b) < 1e-8
        assert all((p == q).all() for p, q in zip((*a.weights[:-1], *a.biases[:-1]), (*net.weights[:-1], *net.biases[:-1]), strict=True))
    assert len(path.flips.time) == 0


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_layer_alone_is_solved_exactly_from_flip_to_flip(seed, outputs):
    """T22 against the integrator: the same flips in the same order, and the same networks to 1e-8."""
    net, x, y = problem(seed, (2, 9, outputs), n=7)
    times = [1.0, 10.0, 40.0]
    exact, path = first_layer_flow(net, x, y, times), integrate(net, x, y, times, layers=[1])
    for a, b in zip(exact.networks, path.networks, strict=True):
        assert distance(a, b) < 1e-8
    assert exact.flips.example.tolist() == path.flips.example.tolist() and exact.flips.unit.tolist() == path.flips.unit.tolist()
    assert exact.flips.state.tolist() == path.flips.state.tolist() and np.allclose(exact.flips.time, path.flips.time, atol=1e-6)


def test_the_exact_cases_are_put_to_the_test_by_flips_and_rests():
    """Of the problems above some flip on, some off, and some come to rest."""
    kinds = [first_layer_flow(*problem(seed, (2, 9, 1), n=7), [40.0]).flips.state for seed in SEEDS]
    assert set(np.concatenate(kinds).tolist()) == {OFF, ON, REST}


# ----------------------------------------------------------------- T23, T25: events


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flip_lets_everything_be_continuous_but_the_gradient_into_the_unit(seed):
    """T23: just before and after, f, L and dL/dw_out agree; dL/dw_in jumps by the example's own term, delta (x, 1)."""
    net, x, y = problem(seed, (2, 8, 1))
    flips, eps = integrate(net, x, y, [20.0]).flips, 1e-5
    entries = list(zip(flips.example.tolist(), flips.unit.tolist(), strict=True))
    rested = {entry for entry, state in zip(entries, flips.state, strict=True) if state == REST}
    lone = [k for k, t in enumerate(flips.time) if t > 1e-3 and (abs(flips.time - t) < 1e-3).sum() == 1 and entries[k] not in rested]
    for k in lone[:2]:
        i, u = flips.example[k], flips.unit[k]
        before, after = integrate(net, x, y, [flips.time[k] - eps, flips.time[k] + eps]).networks
        if abs(forward(after, x).preacts[0][i, u]) < 1e-12:
            continue  # a unit that dies with its last example stays where it died, at z = 0 up to rounding
        resting = np.zeros((len(x), len(net.biases[0])), bool)  # on whatever side rounding leaves them
        for entry, state in zip(entries[:k], flips.state, strict=False):
            resting[entry] = state == REST
        assert np.argwhere((forward(before, x).pattern[0] != forward(after, x).pattern[0]) & ~resting).tolist() == [[i, u]]
        assert np.allclose(predict(before, x), predict(after, x), atol=1e-3) and abs(loss(before, x, y) - loss(after, x, y)) < 1e-3
        g, h = gradient(before, x, y), gradient(after, x, y)
        assert np.allclose(g.weights[1], h.weights[1], atol=1e-3)
        own = 2 / y.size * (predict(after, x) - y)[i, 0] * after.weights[1][0, u] * x[i] * (1 if flips.state[k] == ON else -1)
        assert np.allclose(h.weights[0][u] - g.weights[0][u], own, atol=1e-3)
    assert lone or seed != SEEDS[0]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_loss_falls_by_the_squared_speed(seed):
    """T25: L' = -|theta'|^2 along the path, also through flips: by quadrature over a fine set of times."""
    net, x, y = problem(seed)
    times = np.linspace(0, 1, 101)
    path = integrate(net, x, y, times)
    losses = np.array([loss(moved, x, y) for moved in path.networks])
    assert (np.diff(losses) <= 1e-12).all()
    if not (path.flips.state == REST).any():
        speed = np.array([np.sum(flatten(gradient(moved, x, y)) ** 2) for moved in path.networks])
        fallen = np.sum((speed[1:] + speed[:-1]) / 2) * (times[1] - times[0])
        assert np.isclose(losses[0] - losses[-1], fallen, rtol=2e-2)


def test_a_fine_euler_path_flips_the_same_units_at_the_same_times():
    """Where nothing rests, explicit Euler differs by the order of its step, in place and in the times of the flips."""
    compared = 0
    for seed in range(60):
        net, x, y = problem(seed, (1, 5, 4, 1), n=4)
        path = integrate(net, x, y, [2.0])
        if (path.flips.state == REST).any() or len(path.flips.time) == 0:
            continue
        moved, flips = euler(net, x, y, 2.0, 10_000)
        assert distance(moved, path.networks[0]) < 1e-3
        assert sorted((i, u, on) for _, i, u, on in flips) == sorted(
            (i, u, s == ON) for i, u, s in zip(path.flips.example, path.flips.unit, path.flips.state, strict=True))
        assert np.allclose([t for t, *_ in flips], path.flips.time, atol=5e-3)
        compared += 1
        if compared == 3:
            break
    assert compared == 3


def test_an_entry_rests_where_each_side_drives_it_to_the_other():
    """One unit, max(w x + b, 0): to rise at x = 1 lifts it at x = -1/2 too, where the target is below zero and pushes it
    down as soon as it is on.  It comes to rest there, Euler chatters across, and both end at the same place."""
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
    assert up.flips.example.tolist() == [0] and up.flips.time.tolist() == [0.0] and up.flips.state.tolist() == [ON]
    assert predict(up.networks[0], x)[0, 0] > 0 and 0 not in down.flips.example[down.flips.state == ON]


def test_copies_of_examples_and_of_units_flip_together():
    """Twins have one history: the path of a doubled problem is the path of the problem itself, flips repeated."""
    net, x, y = problem(1, (2, 8, 1))
    single, double = integrate(net, x, y, [10.0]), integrate(net, np.vstack([x, x]), np.vstack([y, y]), [10.0])
    assert distance(single.networks[0], double.networks[0]) < 1e-8
    assert len(double.flips.time) == 2 * len(single.flips.time) > 0
    twin = MLP((np.vstack([net.weights[0]] * 2), np.hstack([net.weights[1]] * 2) / 2), (np.tile(net.biases[0], 2), net.biases[1]))
    moved = integrate(twin, x, y, [10.0]).networks[0]
    assert np.allclose(moved.weights[0][:8], moved.weights[0][8:], atol=1e-8)


def test_times_may_begin_at_zero_and_paths_agree_at_common_times():
    net, x, y = problem(2)
    path, later = integrate(net, x, y, [0.0, 1.0, 2.0]), integrate(net, x, y, [2.0])
    assert distance(path.networks[0], net) == 0 and distance(path.networks[2], later.networks[0]) < 1e-7
    assert path.times.tolist() == [0, 1, 2] and len(path.networks) == 3


@pytest.mark.parametrize("seed", [0, 1, 4, 5])
def test_outputs_a_thousand_times_smaller_take_a_million_times_longer(seed):
    """T23: with the first layer alone, weights out and targets divided by 2^10 divide its velocity by 2^20, at the kinks too.
    In all of these some entry that rests goes on before the end."""
    net, x, y = problem(seed, (2, 8, 1))
    small = MLP((net.weights[0], net.weights[1] / 2**10), (net.biases[0], net.biases[1] / 2**10))
    path, slow = integrate(net, x, y, [10.0], layers=[1]), integrate(small, x, y / 2**10, [10.0 * 2**20], layers=[1])
    assert distance(MLP(path.networks[0].weights[:1], path.networks[0].biases[:1]), MLP(slow.networks[0].weights[:1], slow.networks[0].biases[:1])) < 1e-10
    assert np.allclose(slow.flips.time / 2**20, path.flips.time, rtol=0, atol=1e-9)
    assert slow.flips.state.tolist() == path.flips.state.tolist()
    rests = {(i, u) for i, u, state in zip(path.flips.example, path.flips.unit, path.flips.state, strict=True) if state == REST}
    last = {(i, u): state for i, u, state in zip(path.flips.example, path.flips.unit, path.flips.state, strict=True)}
    assert any(last[entry] != REST for entry in rests)


@pytest.mark.parametrize("seed", [0, 5])
def test_a_rest_ends_when_the_side_it_leaves_for_no_longer_drives_it_back(seed):
    """T23: with its gate at the end of [0, 1] that it has come to, and gates for the unit's other entries at rest,
    z' = 0 for all of them; here for the first layer alone, summed by hand.  No other entry comes to its kink then."""
    net, x, y = problem(seed, (2, 8, 1))
    flips = integrate(net, x, y, [10.0], layers=[1]).flips
    ends = [(time, i, u, state) for k, (time, i, u, state) in enumerate(zip(*flips, strict=True))
            if any((flips.example[j], flips.unit[j], flips.state[j]) == (i, u, REST) for j in range(k))]
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
    time, which = _first_zero(np.array([5.0, start]), np.array([[-1.0], [-1.0]]), np.zeros(1), 1.0)
    assert (time, which) == (1.0, None) if start > 1 else (abs(time - start) < 1e-12 and which == 1)


# ----------------------------------------------------------------- the public door


@pytest.mark.parametrize(("change", "words"), [
    (dict(t=[]), "at least one time"), (dict(t=[-1.0]), "at least 0"), (dict(t=[1.0, 1.0]), "later"), (dict(t=[np.nan]), "t must"),
    (dict(layers=[0]), "layers"), (dict(layers=[4]), "layers"), (dict(layers=[1, 1]), "layers"), (dict(rtol=0.0), "rtol"), (dict(atol=2.0), "atol"),
    (dict(max_flips=-1), "max_flips"), (dict(x=np.zeros((0, 1)), y=np.zeros((0, 1))), "at least one row"), (dict(y=np.zeros((6, 2))), "y must"),
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
    assert len(integrate(net, x, y, [10.0], max_flips=len(path.flips.time)).flips.time) == len(path.flips.time)
    with pytest.raises(ArithmeticError, match=f"max_flips = {len(path.flips.time) - 1} "):
        integrate(net, x, y, [10.0], max_flips=len(path.flips.time) - 1)


def test_all_layers_by_their_numbers_are_all_layers():
    net, x, y = problem(0)
    assert distance(*(integrate(net, x, y, [0.5], layers=layers).networks[0] for layers in ([3, 1, 2], None))) == 0


def test_a_path_without_flips_may_be_allowed_none():
    """One unit that is on at both examples, and targets just above it."""
    net = MLP((np.ones((1, 1)), np.ones((1, 1))), (np.ones(1), np.zeros(1)))
    for flow in (integrate, first_layer_flow):
        assert len(flow(net, [[0.0], [1.0]], [[1.1], [2.1]], [1.0], max_flips=0).flips.time) == 0


def test_the_length_left_is_bounded_by_the_root_of_loss_times_time():
    """T25 and Cauchy-Schwarz: the integral of |theta'| is at most sqrt(L time); examples that come twice count twice."""
    net, x, y = problem(0)
    x, y = np.concatenate([x, x[:2]]), np.concatenate([y, y[:2]])
    task, theta = make_task(net, x, y, None), flatten(net)
    bound = _length_left(freeze(task, first_states(task, theta)[1], theta), theta, 3.0)
    np.testing.assert_allclose(bound, np.sqrt(3 * loss(net, x, y)), rtol=1e-12)
    assert distance(integrate(net, x, y, [3.0]).networks[0], net) < bound


def test_without_hidden_units_nothing_of_the_first_layer_moves():
    net = init([3, 0, 2], RNG(0))
    assert distance(first_layer_flow(net, np.ones((2, 3)), np.ones((2, 2)), [1.0]).networks[0], net) == 0
