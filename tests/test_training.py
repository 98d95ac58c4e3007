"""Training: one step against the clear version, and what a whole run may and may not depend on.

Equations: theta <- theta - rate g and Adam (Kingma & Ba 2015, algorithm 1), with g the gradient
of the mean of squared error over examples and outputs; T24 (balancedness), T25 (descent), T26
(dead units), T40 (imposed patterns).  The oracle of a step is mlp.forward and mlp.backward, which
never reuse an array.
"""

import importlib
from unittest import mock

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relu_dynamics.mlp import (
    MLP, backward, flatten, forward, hidden_units, init, predict, unflatten,
)
from relu_dynamics.patterns import pattern
from relu_dynamics.testing import exact_nets, gaussian_nets, with_rows
from relu_dynamics.training import Divergence, State, adam, sgd, train

MODULE = importlib.import_module("relu_dynamics.training")


def gradient(net, x, y, pattern=None):
    """The gradient (p,) of the loss, from the clear version."""
    trace = forward(net, x, pattern)
    residual = trace.preacts[-1] - y
    return flatten(backward(net, trace, 2 * residual / residual.size))


def loss(net, x, y):
    return np.mean((predict(net, x) - y) ** 2)


def one_step(net, x, y, rate):
    return train(net, x, y, optimiser=sgd(rate), epochs=1, rng=None)[0]


@st.composite
def problems(draw, nets=None, rows=st.integers(1, 40)):
    """(net, x, y): a network in general position and normal data."""
    net = draw(gaussian_nets() if nets is None else nets)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(rows)
    return net, rng.normal(size=(n, net.weights[0].shape[1])), rng.normal(
        size=(n, len(net.biases[-1])))


def small_problem(widths=(2, 8, 8, 2), n=50, seed=0):
    rng = np.random.default_rng(seed)
    return init(widths, rng), rng.normal(size=(n, widths[0])), rng.normal(size=(n, widths[-1]))


def in_blocks(rows):
    """Within it, training works as if the cache held so few rows."""
    return mock.patch.object(MODULE, "BLOCK", rows)


# ------------------------------------------------------------------ one step


@given(with_rows(exact_nets(outputs=st.sampled_from([1, 2])), rows=st.sampled_from([1, 2, 4]),
                 columns=1),
       st.integers(1, 5))
def test_an_sgd_step_is_minus_rate_times_the_gradient_exactly(problem, block):
    """Half-integers and a mean over a power of two round nothing, ties and dead layers included."""
    net, x, y = problem
    with in_blocks(block):
        stepped = one_step(net, x, y, 0.25)
    np.testing.assert_array_equal(flatten(stepped), flatten(net) - 0.25 * gradient(net, x, y))


@given(problems(), st.sampled_from([1, 3, 16, 512]))
def test_an_sgd_step_is_minus_rate_times_the_gradient(problem, block):
    """In general position up to the order of summation: 1e-12 of the largest entry of the
    gradient."""
    net, x, y = problem
    g = gradient(net, x, y)
    with in_blocks(block):
        change = flatten(one_step(net, x, y, 0.5)) - flatten(net)
    # the change is a difference of parameters, so their rounding is in it too
    np.testing.assert_allclose(change, -0.5 * g, rtol=0,
                               atol=1e-12 * np.abs(g).max() + 1e-15 * np.abs(flatten(net)).max())


@pytest.mark.parametrize(
    "widths", [[3, 2], [1, 1], [2, 0, 3], [2, 5, 0, 4, 1], [2, 1, 1, 1, 2], [1, 7, 5]])
@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_shape_of_network_and_batch_takes_the_step(widths, n, dtype):
    """No hidden layer, layers of no or one unit, several outputs, one example: nothing is
    special."""
    net, x, y = small_problem(widths, n)
    with in_blocks(2):
        stepped, _ = train(net, x, y, optimiser=sgd(0.5), epochs=1, rng=None, dtype=dtype)
    expected = flatten(net) - 0.5 * gradient(net, x, y)
    # all numbers are near 1
    np.testing.assert_allclose(flatten(stepped), expected, rtol=0, atol=100 * np.finfo(dtype).eps)
    assert stepped.weights[0].dtype == np.float64


@given(problems(), st.sampled_from([0.0, 0.5, 0.9]), st.sampled_from([0.0, 0.9, 0.999]),
       st.sampled_from([1e-3, 1e-1]))
def test_adam_follows_its_formula(problem, beta1, beta2, epsilon):
    """Five steps as written in the paper; a large epsilon shows where it belongs, and damps
    rounding: an error d in g moves a parameter by at most rate d / epsilon."""
    net, x, y = problem
    theta, m, v, largest = flatten(net), 0.0, 0.0, 0.0
    for t in range(1, 6):
        g = gradient(unflatten(theta, net), x, y)
        largest = max(largest, np.abs(g).max())
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        theta = theta - 0.01 * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
    trained, _ = train(net, x, y, optimiser=adam(0.01, beta1, beta2, epsilon), epochs=5, rng=None)
    np.testing.assert_allclose(flatten(trained), theta, rtol=0,
                               atol=1e-12 + 5 * 0.01 * 1e-12 * largest / epsilon)


@given(problems(rows=st.integers(2, 30)), st.integers(1, 30), st.booleans(),
       st.integers(0, 2**32 - 1))
def test_batches_are_runs_of_a_permutation_and_the_last_is_what_is_left(problem, batch_size,
                                                                        reshuffle, seed):
    """An epoch is one SGD step per batch of rng.permutation(n), drawn every epoch or once."""
    net, x, y = problem
    rng, single = np.random.default_rng(seed), batch_size >= len(x)
    theta, order = flatten(net), None
    for _ in range(3):
        if single:
            order = np.arange(len(x))
        elif order is None or reshuffle:
            order = rng.permutation(len(x))
        for start in range(0, len(x), batch_size):
            batch = order[start : start + batch_size]
            theta = theta - 1e-3 * gradient(unflatten(theta, net), x[batch], y[batch])
    trained, _ = train(net, x, y, optimiser=sgd(1e-3), epochs=3, batch_size=batch_size,
                       rng=np.random.default_rng(seed), reshuffle=reshuffle)
    # a wrong batch changes the third digit
    np.testing.assert_allclose(flatten(trained), theta, rtol=1e-9, atol=1e-9)


# ------------------------------------------------------------------ theorems


def unit_parameters(net, k):
    """(units of hidden layer k, its incoming weights and bias) and (units, outgoing weights)."""
    return np.hstack([net.weights[k], net.biases[k][:, None]]), net.weights[k + 1].T


@given(problems())
def test_a_step_unbalances_each_unit_by_rate_squared_only(problem):
    """T24: |w_in|^2 + b^2 - |w_out|^2 changes by rate^2 (|g_in|^2 + g_b^2 - |g_out|^2), the linear
    terms cancelling."""
    net, x, y = problem
    rate, after = 0.5, one_step(net, x, y, 0.5)
    g = unflatten(gradient(net, x, y), net)
    for k in range(len(net.weights) - 1):
        squares = [[np.sum(part**2, axis=1) for part in unit_parameters(of, k)]
                   for of in (net, after, g)]
        (w_in, w_out), (after_in, after_out), (g_in, g_out) = squares
        change = (after_in - after_out) - (w_in - w_out)
        # of what is summed and cancels
        scale = w_in + w_out + after_in + after_out + rate**2 * (g_in + g_out)
        assert np.all(np.abs(change - rate**2 * (g_in - g_out)) <= 1e-13 * scale)


@given(problems())
def test_a_small_step_lowers_the_loss_by_rate_times_the_squared_gradient(problem):
    """T25: dLoss = -rate |g|^2 + O(rate^2); the loss is summed near 1, so its change is known to
    about 1e-14."""
    net, x, y = problem
    rate, before = 1e-7, loss(net, x, y)
    expected = -rate * np.sum(gradient(net, x, y) ** 2)
    change = loss(one_step(net, x, y, rate), x, y) - before
    assert abs(change - expected) <= 1e-3 * abs(expected) + 1e-14 * before


@given(problems(rows=st.integers(2, 30)), st.data())
def test_units_dead_in_the_first_layer_stay_dead_and_untouched(problem, data):
    """T26: off on every input, exactly no gradient; so their incoming and outgoing weights keep
    every bit."""
    net, x, y = problem
    dead = data.draw(hnp.arrays(np.bool_, len(net.biases[0])))
    bias = np.where(dead, -1 - np.abs(x @ net.weights[0].T).max(axis=0), net.biases[0])
    net = MLP(net.weights, (bias, *net.biases[1:]))
    for optimiser in (sgd(0.1), adam(0.1)):
        trained, _ = train(net, x, y, optimiser=optimiser, epochs=4, batch_size=7,
                           rng=np.random.default_rng(0))
        for before, after in zip(unit_parameters(net, 0), unit_parameters(trained, 0), strict=True):
            np.testing.assert_array_equal(after[dead], before[dead])
        assert not forward(trained, x).pattern[0][:, dead].any()


# --------------------------------------------- what a run does not depend on


def same_bytes(a, b):
    return flatten(a).tobytes() == flatten(b).tobytes()


@pytest.mark.parametrize("optimiser", [sgd(0.1), adam(0.01)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_seed_gives_the_same_bytes(optimiser, dtype):
    """Optimisers carry no state and nothing else is random; another seed deals other batches."""
    net, x, y = small_problem()
    runs = [train(net, x, y, optimiser=optimiser, epochs=3, batch_size=16,
                  rng=np.random.default_rng(seed), dtype=dtype)
            for seed in (5, 5, 6)]
    assert same_bytes(runs[0][0],
                      runs[1][0]) and runs[0][1].loss.tobytes() == runs[1][1].loss.tobytes()
    assert not same_bytes(runs[0][0], runs[2][0])


@given(problems(), st.integers(1, 45))
def test_blocks_of_rows_change_nothing_beyond_rounding(problem, block):
    """A sum over rows, taken in parts: n smaller, larger and no multiple of a block.
    1e-9: rounding near 1e-15, times what three steps of a network with gradients up to about 1e3
    amplify."""
    net, x, y = problem
    whole, history = train(net, x, y, optimiser=sgd(1e-3), epochs=3, rng=None)
    with in_blocks(block):
        parts, history_in_parts = train(net, x, y, optimiser=sgd(1e-3), epochs=3, rng=None)
    np.testing.assert_allclose(flatten(parts), flatten(whole), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(history_in_parts.loss, history.loss, rtol=1e-9)


@pytest.mark.parametrize("optimiser", [sgd(0.1), adam(1e-3)])
def test_float32_agrees_with_float64_to_its_precision_over_100_steps(optimiser):
    """100 steps, each relatively wrong by about 10 eps = 1e-6, leave predictions and losses within
    1e-4."""
    net, x, y = small_problem([2, 32, 32, 2], n=200)
    (double, loss64), (single, loss32) = (
        train(net, x, y, optimiser=optimiser, epochs=100, rng=None, dtype=dtype)
        for dtype in (np.float64, np.float32)
    )
    np.testing.assert_allclose(loss32.loss, loss64.loss, rtol=1e-4)
    np.testing.assert_allclose(predict(single, x), predict(double, x), rtol=0, atol=1e-4)
    assert not same_bytes(single, double)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_are_never_modified(dtype):
    """Arrays that refuse to be written to are trained on, even where no copy is needed."""
    net, x, y = small_problem()
    net, x, y = MLP(*(tuple(part.astype(dtype) for part in parts) for parts in net)), x.astype(
        dtype), y.astype(dtype)
    for array in (*net.weights, *net.biases, x, y):
        array.flags.writeable = False
    for batch_size in (None, 16):
        train(net, x, y, optimiser=adam(0.1), epochs=2, batch_size=batch_size,
              rng=np.random.default_rng(0), dtype=dtype)


def test_integer_and_fortran_ordered_and_strided_data_are_the_same_data():
    """Only values count."""
    net, _, _ = small_problem()
    rng = np.random.default_rng(0)
    x, y = rng.integers(-3, 4, (30, 2)), rng.integers(-3, 4, (30, 2))
    wide = np.zeros((60, 4))
    wide[::2, ::2] = x
    results = [train(net, a, b, optimiser=sgd(0.01), epochs=3, batch_size=8,
                     rng=np.random.default_rng(0))[0]
               for a, b in [(x, y), (np.asfortranarray(x, float), y.astype(np.float32)),
                            (wide[::2, ::2], y.tolist())]]
    assert same_bytes(results[0], results[1]) and same_bytes(results[0], results[2])


# ------------------------------------------------------ epochs, batches, records


def last_batches(reshuffle):
    """Train a lone bias at a rate of 1/2, so that each step sets it to the mean target of its
    batch: with targets 2^i the bias after an epoch names the rows of the epoch's last batch."""
    net = MLP((np.zeros((1, 1)),), (np.zeros(1),))
    x, y = np.zeros((8, 1)), 2.0 ** np.arange(8)[:, None]
    _, history = train(net, x, y, optimiser=sgd(0.5), epochs=12, batch_size=2,
                       rng=np.random.default_rng(0),
                       reshuffle=reshuffle, record=lambda epoch, net: float(net.biases[0][0]))
    return [history.records[epoch] for epoch in range(1, 13)], history.loss


def test_without_reshuffling_every_epoch_has_the_same_batches_in_the_same_order():
    """The bias then goes round the same cycle: equal losses from the second epoch on."""
    biases, losses = last_batches(reshuffle=False)
    assert len(set(biases)) == 1 and len(set(losses[1:])) == 1
    assert biases[0] != (2.0**6 + 2.0**7) / 2  # but they were shuffled


def test_with_reshuffling_epochs_have_different_batches():
    """28 pairs can come last: twelve epochs of one pair have a chance of 28^-11."""
    biases, losses = last_batches(reshuffle=True)
    assert len(set(biases)) > 3 and len(set(losses)) > 3


def test_an_epoch_that_is_one_batch_draws_nothing():
    """Full batch, or a batch_size of n or more: the generator is left as it was, and None will
    do."""
    net, x, y = small_problem(n=10)
    rng = np.random.default_rng(3)
    results = [train(net, x, y, optimiser=sgd(0.1), epochs=2, batch_size=size, rng=given_rng)[0]
               for size, given_rng in [(None, rng), (10, rng), (11, None), (None, None)]]
    assert all(same_bytes(result, results[0]) for result in results)
    assert rng.bit_generator.state == np.random.default_rng(3).bit_generator.state


def test_record_sees_epoch_0_and_every_epoch_as_float64_copies():
    """What record does to its network does not reach the run."""
    net, x, y = small_problem()

    def record(epoch, seen):
        copy = unflatten(flatten(seen), seen)
        for part in (*seen.weights, *seen.biases):
            assert part.dtype == np.float64
            part[:] = np.nan
        return copy

    kwargs = dict(optimiser=adam(0.01), epochs=3, rng=None, dtype=np.float32)
    trained, history = train(net, x, y, record=record, **kwargs)
    assert list(history.records) == [0, 1, 2, 3]
    assert same_bytes(history.records[0], net) and same_bytes(history.records[3], trained)
    assert same_bytes(trained, train(net, x, y, **kwargs)[0])
    shorter, _ = train(net, x, y, **{**kwargs, "epochs": 2})
    assert same_bytes(history.records[2], shorter)


@pytest.mark.parametrize(
    "record_epochs", [[], [0], [2, 4], (4,), range(0, 5, 3), np.array([1, 1]), {3}, iter([2])])
def test_record_is_called_at_record_epochs_only(record_epochs):
    """Any iterable of whole numbers; the calls come in order of time."""
    wanted = list(record_epochs)
    net, x, y = small_problem()
    _, history = train(net, x, y, optimiser=sgd(0.1), epochs=4, rng=None,
                       record=lambda epoch, net: epoch,
                       record_epochs=iter(wanted) if hasattr(record_epochs, "__next__")
                       else record_epochs)
    assert list(history.records.items()) == sorted({(int(epoch), int(epoch)) for epoch in wanted})


def test_history_loss_is_the_mean_over_batches_of_the_loss_before_each_step():
    """Full batch: the loss of the network recorded one epoch earlier.  Batches of 20, 20 and 10:
    each counts the same."""
    net, x, y = small_problem()
    _, history = train(net, x, y, optimiser=sgd(0.1), epochs=4, rng=None,
                       record=lambda epoch, net: loss(net, x, y))
    np.testing.assert_allclose(history.loss, [history.records[epoch] for epoch in range(4)],
                               rtol=1e-13)
    order = np.random.default_rng(0).permutation(50)
    _, history = train(net, x, y, optimiser=sgd(1e-14), epochs=1, batch_size=20,
                       rng=np.random.default_rng(0))
    means = [loss(net, x[order[part]], y[order[part]])
             for part in (slice(20), slice(20, 40), slice(40, 50))]
    np.testing.assert_allclose(history.loss, [np.mean(means)], rtol=1e-11)  # the net hardly moves


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("optimiser", "reshuffle"), [(sgd(0.1), True), (adam(0.01), True),
                                                      (adam(0.01), False)])
def test_two_calls_with_the_state_between_give_the_bytes_of_one(optimiser, reshuffle, dtype):
    """Adam's means and its count of steps go on; so do the batches."""
    net, x, y = small_problem()
    kwargs = dict(optimiser=optimiser, batch_size=8, dtype=dtype, reshuffle=reshuffle)
    whole, history = train(net, x, y, epochs=5, rng=np.random.default_rng(1), **kwargs)
    rng = np.random.default_rng(1)
    part, first = train(net, x, y, epochs=2, rng=rng, **kwargs)
    rest, second = train(part, x, y, epochs=3, rng=rng if reshuffle else np.random.default_rng(1),
                         state=first.state, **kwargs)
    assert same_bytes(whole, rest) and np.array_equal(np.concatenate([first.loss, second.loss]),
                                                      history.loss)
    assert second.state.steps == history.state.steps == 5 * 7
    for mean, expected in zip(second.state[1:], history.state[1:], strict=True):
        np.testing.assert_array_equal(mean, expected)
    assert first.state.steps == 2 * 7  # and what was handed in is left alone


@pytest.mark.parametrize(("change", "words"), [
    (dict(steps=-1), "steps"), (dict(first=np.zeros(3)), "first"),
    (dict(second=np.full(9, np.nan)), "second"),
    (dict(first=np.zeros(9, np.float32), second=np.zeros(9, np.float32)), "dtype"),
])
def test_a_state_that_does_not_fit_is_refused(change, words):
    net = MLP((np.ones((2, 2)), np.ones((1, 2))), (np.ones(2), np.ones(1)))
    state = State(1, np.zeros(9), np.zeros(9))._replace(**change)
    with pytest.raises(ValueError, match=words):
        train(net, np.ones((4, 2)), np.ones((4, 1)), optimiser=adam(0.1), epochs=1, rng=None,
              state=state)
    with pytest.raises(ValueError, match="history.state"):
        train(net, np.ones((4, 2)), np.ones((4, 1)), optimiser=adam(0.1), epochs=1, rng=None,
              state=tuple(state))


def test_no_epochs_return_the_same_network():
    """In float32 too: nothing is rounded that is not trained; and no memory is shared."""
    net, x, y = small_problem()
    trained, history = train(net, x, y, optimiser=sgd(0.1), epochs=0, rng=None, dtype=np.float32,
                             record=lambda epoch, net: epoch)
    assert same_bytes(trained, net) and history.loss.shape == (0,) and history.records == {0: 0}
    for after, before in zip(trained.weights + trained.biases, net.weights + net.biases,
                             strict=True):
        assert not np.shares_memory(after, before)


@pytest.mark.parametrize(
    "seconds, epochs, left", [(30, 3, ["1:00", "0:30", "0:00"]), (2.5, 2, ["0:02", "0:00"])])
def test_the_progress_line_predicts_the_time_left_from_the_epochs_done(seconds, epochs, left,
                                                                       capsys, monkeypatch):
    """Each further epoch takes as long as the mean of those before."""
    net, x, y = small_problem()
    now = [1000.0]
    monkeypatch.setattr(MODULE.time, "monotonic", lambda: now[0])
    train(net, x, y, optimiser=sgd(0.1), epochs=epochs, rng=None, progress=True,
          record=lambda epoch, net: now.__setitem__(0, now[0] + seconds))
    lines = capsys.readouterr().err.split("\r")[1:]
    assert [line.split()[-2] for line in lines] == left


@pytest.mark.parametrize("terminal, progress, shown", [
    (True, None, True), (False, None, False), (True, False, False), (False, True, True),
])
def test_progress_is_shown_on_a_terminal_or_when_asked_for(terminal, progress, shown, capsys,
                                                           monkeypatch):
    """Epoch, loss and time left, on one line of stderr; nothing on stdout."""
    net, x, y = small_problem()
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    _, history = train(net, x, y, optimiser=sgd(0.1), epochs=3, rng=None, progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    if shown:
        assert err.startswith("\repoch 1/3") and err.endswith(
            f"\repoch 3/3  loss {history.loss[-1]:.3e}  0:00 left \n") and err.count("\n") == 1
    else:
        assert err == ""


# ---------------------------------------------------------- imposed patterns


@given(with_rows(exact_nets(outputs=st.sampled_from([1, 2])), rows=st.sampled_from([1, 2, 4]),
                 columns=1), st.integers(1, 5), st.data())
def test_an_imposed_pattern_is_kept_by_every_step_exactly(problem, block, data):
    """T40: h = q z with the given gates, whatever the signs; the gates come from nowhere in the
    network."""
    net, x, y = problem
    q = data.draw(hnp.arrays(bool, (len(x), hidden_units(net))))
    with in_blocks(block):
        stepped = train(net, x, y, optimiser=sgd(0.25), epochs=1, rng=None, pattern=q)[0]
    np.testing.assert_array_equal(flatten(stepped), flatten(net) - 0.25 * gradient(net, x, y, q))


@given(problems(rows=st.integers(2, 12)), st.integers(1, 6), st.booleans(),
       st.integers(0, 2**32 - 1))
def test_gates_stay_with_their_examples_in_every_batch(problem, batch_size, reshuffle, seed):
    """Step by step, in the order that the same generator deals; a rate of 1e-3 amplifies no
    rounding."""
    net, x, y = problem
    q = np.random.default_rng(seed).random((len(x), hidden_units(net))) < 0.5
    theta, rng = flatten(net), np.random.default_rng(seed)
    order = rng.permutation(len(x)) if batch_size < len(x) else np.arange(len(x))
    for epoch in range(2):
        if epoch and reshuffle and batch_size < len(x):
            order = rng.permutation(len(x))
        for at in range(0, len(x), batch_size):
            rows = order[at : at + batch_size]
            theta = theta - 1e-3 * gradient(unflatten(theta, net), x[rows], y[rows], q[rows])
    trained = [train(net, x, y, optimiser=sgd(1e-3), epochs=2, batch_size=batch_size,
                     reshuffle=reshuffle, pattern=q,
                     rng=np.random.default_rng(seed))[0] for _ in range(2)]
    np.testing.assert_allclose(flatten(trained[0]), theta, rtol=1e-9, atol=1e-11)
    assert same_bytes(*trained)


def test_the_pattern_at_the_start_is_what_moving_gates_would_leave():
    """Imposing a network's own pattern changes the first step by nothing, and later ones once a
    unit flips."""
    net, x, y = small_problem()
    first, second = (
        [train(net, x, y, optimiser=sgd(0.5), epochs=epochs, rng=None, pattern=q)[0]
         for q in (None, pattern(net, x))]
                     for epochs in (1, 30))
    assert same_bytes(*first) and not same_bytes(*second)


def test_a_state_may_hold_what_its_own_run_made():
    """Adam's mean of squares exceeds what data may be in float32, and is gone on with all the
    same."""
    net, x, y = small_problem()
    kwargs = dict(optimiser=adam(1e-3), rng=None, dtype=np.float32)
    part, history = train(net, x, 1e12 * y, epochs=1, **kwargs)
    assert history.state.second.max() > 1e18
    train(part, x, 1e12 * y, epochs=1, state=history.state, **kwargs)


# -------------------------------------------------------------------- refusals


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_divergence_is_an_error_and_not_a_network_of_nans(dtype):
    """It says when and what to do, as a ValueError and as a FloatingPointError, with no warning on
    the way."""
    net, x, y = small_problem()
    message = r"loss .* in epoch \d+.* smaller rate than 1e\+06"
    with in_blocks(8), pytest.raises(Divergence, match=message) as raised:
        train(net, x, y, optimiser=sgd(1e6), epochs=200, rng=None, dtype=dtype)
    assert isinstance(raised.value, ValueError) and isinstance(raised.value, FloatingPointError)


def test_a_last_step_beyond_the_finite_numbers_is_a_divergence_too():
    """The loss before it was fine; the parameters after it are not.  record is not shown them
    either."""
    net, x, y = small_problem()
    with pytest.raises(Divergence, match="largest parameter is inf in epoch 1"):
        train(net, x, 1e10 * y, optimiser=sgd(1e308), epochs=1, rng=None)
    with pytest.raises(Divergence, match="epoch 1"):
        train(net, x, 1e10 * y, optimiser=sgd(1e308), epochs=2, rng=None,
              record=lambda epoch, net: np.isfinite(flatten(net)).all()
              or pytest.fail("record saw it"))
    # where nobody asks for the parameters in between
    with pytest.raises(Divergence, match="the loss is (inf|nan) in epoch 2"):
        train(net, x, 1e10 * y, optimiser=sgd(1e308), epochs=2, rng=None)


NET, X, Y = small_problem(n=6)
BAD = [
    ("rate", lambda: sgd(0)), ("rate", lambda: sgd(-1.0)), ("rate", lambda: sgd(np.nan)),
    ("rate", lambda: sgd(np.inf)),
    ("rate", lambda: sgd("0.1")), ("rate", lambda: sgd(None)), ("rate", lambda: sgd(True)),
    ("rate", lambda: sgd(1j)),
    ("rate", lambda: sgd(np.array([0.1]))), ("rate", lambda: adam(0.0)),
    ("beta1", lambda: adam(1.0, beta1=1.0)),
    ("beta1", lambda: adam(1.0, beta1=-0.1)), ("beta2", lambda: adam(1.0, beta2=1)),
    ("beta2", lambda: adam(1.0, beta2=np.nan)),
    ("epsilon", lambda: adam(1.0, epsilon=0.0)), ("epsilon", lambda: adam(1.0, epsilon=np.inf)),
    *[(name,
       lambda changed=changed: train(
           **{**dict(net=NET, x=X, y=Y, optimiser=sgd(0.1), epochs=1, rng=None), **changed}))
      for name, changed in [
        ("net", dict(net=None)), ("net", dict(net=MLP((), ()))),
        ("net", dict(net=MLP(NET.weights, NET.biases[:1]))),
        ("net", dict(net=MLP((np.full((2, 2), 1e300),), (np.zeros(2),)), dtype=np.float32)),
        ("x", dict(x=X[0])), ("x", dict(x=X[:, :1])), ("x", dict(x=X[:0], y=Y[:0])),
        ("x", dict(x=np.where(X > 9, X, np.nan))),
        ("x", dict(x=X * 1j)), ("x", dict(x=1e300 * X, dtype=np.float32)),
        ("x", dict(x=[[1, 2], [3]])),
        ("y", dict(y=Y[:-1])), ("y", dict(y=Y[:, :1])), ("y", dict(y=Y[:, 0])),
        ("y", dict(y=np.full_like(Y, np.inf))),
        ("y", dict(y=1e300 * Y, dtype=np.float32)),
        ("optimiser", dict(optimiser=0.1)), ("optimiser", dict(optimiser=sgd)),
        ("rate", dict(optimiser=sgd(0.1)._replace(rate=-1.0))),
        ("epochs", dict(epochs=-1)), ("epochs", dict(epochs=1.0)), ("epochs", dict(epochs=True)),
        ("epochs", dict(epochs=None)),
        ("batch_size", dict(batch_size=0)), ("batch_size", dict(batch_size=2.0)),
        ("batch_size", dict(batch_size=-3)),
        ("rng", dict(rng=0)), ("rng", dict(rng=np.random)), ("rng", dict(batch_size=3)),
        ("rng", dict(batch_size=2)), ("rng", dict(batch_size=2, reshuffle=False)),
        ("record", dict(record=3)), ("record_epochs", dict(record_epochs=[1])),
        ("record_epochs", dict(record=print, record_epochs=[2])),
        ("record_epochs", dict(record=print, record_epochs=[-1])),
        ("record_epochs", dict(record=print, record_epochs=[0.5])),
        ("record_epochs", dict(record=print, record_epochs=1)),
        ("reshuffle", dict(reshuffle=None)), ("progress", dict(progress="yes")),
        ("dtype", dict(dtype=np.float16)), ("dtype", dict(dtype=int)),
        ("dtype", dict(dtype="nonsense")), ("dtype", dict(dtype=None)),
        ("epochs", dict(epochs=2**31)), ("pattern", dict(pattern=np.ones((6, 3), bool))),
        ("pattern", dict(pattern=np.ones((5, 16), bool))),
        ("pattern", dict(pattern=np.ones((6, 16)))),
      ]],
]


@pytest.mark.parametrize("name, call", BAD)
def test_what_cannot_be_meant_raises_a_value_error_that_names_it(name, call):
    """At the door, before anything is trained or recorded."""
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        call()


def test_a_run_of_no_epochs_can_be_gone_on_from():
    optimiser = adam(1e-2)
    net, history = train(NET, X, Y, optimiser=optimiser, epochs=0, rng=None)
    assert history.state.steps == 0
    resumed, whole = (train(net, X, Y, optimiser=optimiser, epochs=2, rng=None, state=state)[0]
                      for state in (history.state, None))
    assert same_bytes(resumed, whole)


def test_any_positive_finite_rate_is_allowed():
    assert [sgd(rate).rate
            for rate in (5e-324, 10**300, np.finfo(float).max)] == [5e-324, 1e300,
                                                                    np.finfo(float).max]


def test_adam_has_the_constants_of_its_authors_unless_told_otherwise():
    assert tuple(adam(0.25)) == (0.25, 0.9, 0.999, 1e-8)


@settings(max_examples=10)
@given(problems())
def test_training_twice_as_long_is_not_training_twice(problem):
    """Adam's moments and bias correction start afresh with every run, so 2 + 2 epochs are not 4;
    for SGD they are, exactly."""
    net, x, y = problem
    for optimiser in (sgd(1e-3), adam(1e-3)):
        def run(start, epochs, optimiser=optimiser):
            return train(start, x, y, optimiser=optimiser, epochs=epochs, rng=None)[0]

        assert same_bytes(run(run(net, 2), 2), run(net, 4)) == (optimiser == sgd(1e-3))
