"""Fixed kernels: those of infinite width, T31, and the trajectory of one, T32."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from relu_dynamics.infinite import infinite_kernels
from relu_dynamics.mlp import MLP, forward, init, predict
from relu_dynamics.tangent import layer_kernels, tangent_kernel
from relu_dynamics.testing import halves
from relu_dynamics.training import sgd, train

seeds = st.integers(0, 2**32 - 1)
variances = st.fixed_dictionaries(
    {
        "weight_variance": st.sampled_from([0.5, 2.0, 3.0]),
        "bias_variance": st.sampled_from([0.0, 0.01, 1.0]),
    }
)
depths = st.integers(0, 4)


@st.composite
def rows(draw, low=1):
    """(n, d) Gaussian inputs."""
    shape = draw(st.integers(low, 5)), draw(st.integers(1, 4))
    return np.random.default_rng(draw(seeds)).normal(size=shape)


def recursion(x, x2, hidden_layers, weight_variance=2.0, bias_variance=0.0):
    """S, T for one pair by T31 as it is written, in extended precision, and a bound on what its
    arccos loses.
    """
    x, x2 = np.asarray(x, np.longdouble), np.asarray(x2, np.longdouble)
    pi = np.longdouble(3.141592653589793238462643383279502884)
    w, b = np.longdouble(weight_variance), np.longdouble(bias_variance)
    a, a2, s = (w * (u * v).sum() / len(x) + b for u, v in ((x, x), (x2, x2), (x, x2)))
    theta, loss, eps = s, 0.0, float(np.finfo(np.longdouble).eps)
    for _ in range(hidden_layers):
        c = np.clip(s / np.sqrt(a * a2), -1, 1) if a * a2 > 0 else np.longdouble(0)
        t = np.arccos(c)
        loss += 4 * min(
            np.sqrt(2 * eps), eps / max(float(np.sin(t)), eps)
        )  # the slope of arccos, and its value at 1 - eps
        s = w * np.sqrt(a * a2) * (np.sin(t) + (pi - t) * c) / (2 * pi) + b
        theta = s + w * theta * (pi - t) / (2 * pi)
        a, a2 = w * a / 2 + b, w * a2 / 2 + b
    return float(s), float(theta), loss


def is_the_recursion(found, x, x2, hidden_layers, variance):
    *expected, loss = recursion(x, x2, hidden_layers, **variance)
    size = max(recursion(v, v, hidden_layers, **variance)[1] for v in (x, x2))
    assert_allclose(found, expected, rtol=0, atol=(1e-13 + loss) * size)


@given(rows(), seeds, depths, variances)
def test_kernels_are_the_recursion(x, seed, hidden_layers, variance):
    """T31.  Any inputs against any others."""
    x2 = np.random.default_rng([seed, 1]).normal(size=(3, x.shape[1]))
    nngp, ntk = infinite_kernels(x, x2, hidden_layers=hidden_layers, **variance)
    for i, j in np.ndindex(nngp.shape):
        is_the_recursion([nngp[i, j], ntk[i, j]], x[i], x2[j], hidden_layers, variance)


@given(rows(), st.floats(-15, 0), seeds, st.integers(1, 4), variances)
def test_neighbours_keep_their_digits(x, power, seed, hidden_layers, variance):
    """Near c = 1 arccos keeps half of the digits it is given: ten at worst of the oracle's, and
    eight of a float64.
    """
    x2 = x + 10.0**power * np.random.default_rng(seed).normal(size=x.shape)
    nngp, ntk = infinite_kernels(x, x2, hidden_layers=hidden_layers, **variance)
    for i, (u, v) in enumerate(zip(x, x2, strict=True)):
        is_the_recursion([nngp[i, i], ntk[i, i]], u, v, hidden_layers, variance)


@given(rows(), st.floats(1e-9, 1e-3), st.integers(1, 3))
def test_small_angles_arrive_at_the_next_layers_as_they_should(x, t, layers):
    """1 - cos t' = t^2/2 + O(t^3), so to first order t stays, and each layer takes the share t / pi
    from what it passes on.
    """
    pair = np.array([[1.0, 0.0], [np.cos(t), np.sin(t)]])
    _, ntk = infinite_kernels(pair, hidden_layers=layers)
    # S stays 1 (weight variance 2, d = 2); T[l+1] = S + T[l] (1 - t/pi) and T[1] = 1, so
    # T = 1 + l - (t/pi) l (l + 1) / 2
    assert_allclose(
        layers + 1 - ntk[0, 1],
        t / np.pi * layers * (layers + 1) / 2,
        rtol=4 * t * layers,
        atol=1e-14,
    )


def test_closed_forms_at_equal_opposite_and_orthogonal_inputs():
    """T31.  One hidden layer, weight variance 2, no biases, S[1] = x.x': t = 0, pi, pi/2."""
    x = np.sqrt(2) * np.array([[1.0, 0], [-1, 0], [0, 1], [0, 0]])  # x.x = d = 2, so S[1] = 2 cos t
    nngp, ntk = infinite_kernels(x, hidden_layers=1)
    assert_allclose(
        nngp[:3, :3],
        [[2, 0, 2 / np.pi], [0, 2, 2 / np.pi], [2 / np.pi, 2 / np.pi, 2]],
        rtol=0,
        atol=1e-15,
    )
    assert_allclose(
        ntk[:3, :3],
        [[4, 0, 2 / np.pi], [0, 4, 2 / np.pi], [2 / np.pi, 2 / np.pi, 4]],
        rtol=0,
        atol=1e-15,
    )
    assert not nngp[3].any() and not ntk[3].any()


@given(rows(), depths, variances)
def test_diagonal_is_a_geometric_series(x, hidden_layers, variance):
    """At t = 0 a layer is linear: S -> w S / 2 + b, T -> S + w T / 2."""
    w, b = variance["weight_variance"], variance["bias_variance"]
    S = T = w * (x**2).mean(axis=1) + b
    for _ in range(hidden_layers):
        S = w * S / 2 + b
        T = S + w * T / 2
    nngp, ntk = infinite_kernels(x, hidden_layers=hidden_layers, **variance)
    assert_allclose(np.diagonal(nngp), S, rtol=1e-13)
    assert_allclose(np.diagonal(ntk), T, rtol=1e-13)


@given(rows(), depths, variances, st.booleans())
def test_kernels_are_symmetric_and_positive_semidefinite(x, hidden_layers, variance, repeat):
    """Covariances, and Gram matrices of gradients; repeated and opposite inputs included."""
    x = np.concatenate([x, -x, x]) if repeat else x
    for kernel in infinite_kernels(x, hidden_layers=hidden_layers, **variance):
        assert_allclose(kernel, kernel.T, rtol=0, atol=1e-14 * np.abs(kernel).max())
        assert np.linalg.eigvalsh(kernel).min() >= -1e-13 * np.trace(kernel)


@given(rows(), rows(), depths, st.integers(-20, 20), st.integers(-20, 20))
def test_kernels_without_biases_are_homogeneous(x, x2, hidden_layers, power, power2):
    """k(a x, b x') = a b k(x, x') for a, b > 0, to the last bit for powers of two."""
    x2 = np.resize(x2, (len(x2), x.shape[1]))
    a, b = 2.0**power, 2.0**power2
    scaled = infinite_kernels(a * x, b * x2, hidden_layers=hidden_layers)
    for kernel, expected in zip(
        scaled, infinite_kernels(x, x2, hidden_layers=hidden_layers), strict=True
    ):
        assert_array_equal(kernel, a * b * expected)


@given(halves((3, 2)), halves((2, 2)), depths, variances)
def test_two_batches_are_blocks_of_one(x, x2, hidden_layers, variance):
    """x2 = None means x; zero vectors, repeats and multiples included."""
    both = np.concatenate([x, x2])
    for whole, block in zip(
        infinite_kernels(both, hidden_layers=hidden_layers, **variance),
        infinite_kernels(x, x2, hidden_layers=hidden_layers, **variance),
        strict=True,
    ):
        assert_allclose(
            block, whole[: len(x), len(x) :], rtol=0, atol=1e-14 * max(1, np.abs(whole).max())
        )
    assert infinite_kernels(x[:0], x2, hidden_layers=hidden_layers).ntk.shape == (0, 2)


def wide_network(rng, d, width, hidden_layers, weight_variance, bias_variance):
    """A finite network in the convention of T31, with two factors per layer to turn standard
    kernels into its own.
    """
    widths = [d, *[width] * hidden_layers, 1]
    weights = [
        rng.normal(size=(b, a)) * np.sqrt(weight_variance / a)
        for a, b in zip(widths[:-1], widths[1:], strict=True)
    ]
    biases = [rng.normal(size=b) * np.sqrt(bias_variance) for b in widths[1:]]
    factors = [(weight_variance / a, bias_variance) for a in widths[:-1]]
    return MLP(tuple(weights), tuple(biases)), np.array(factors)


@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
def test_wide_networks_have_these_kernels(hidden_layers):
    """T31.  Monte Carlo: 4 standard errors of the mean over 24 networks, plus the O(depth / width)
    bias of finite width.
    """
    rng, width, networks = np.random.default_rng(hidden_layers), 512, 24
    x = rng.normal(size=(4, 3))
    variance = {"weight_variance": 2.0, "bias_variance": 0.1}
    samples = []
    for _ in range(networks):
        net, factors = wide_network(rng, 3, width, hidden_layers, **variance)
        parts = layer_kernels(net, x)[
            ..., 0, 0
        ]  # in the standard parametrisation: by weights and by biases
        h = forward(net, x).inputs[-1]
        nngp = (
            variance["weight_variance"] / width * h @ h.T + variance["bias_variance"]
        )  # given h, over the output weights
        samples.append([nngp, np.einsum("lsij,ls->ij", parts, factors)])
    mean, error = np.mean(samples, axis=0), np.std(samples, axis=0, ddof=1) / np.sqrt(networks)
    for found, expected, sigma in zip(
        mean, infinite_kernels(x, hidden_layers=hidden_layers, **variance), error, strict=True
    ):
        assert (
            np.abs(found - expected) <= 4 * sigma + hidden_layers / width * expected.max()
        ).all()
        assert (
            sigma < 0.05 * expected.max()
        ).all()  # sharp enough to tell depths and conventions apart


@given(seeds, st.integers(0, 9))
def test_a_network_without_hidden_layers_follows_its_linearisation(seed, steps):
    """T32: its kernel does not move, so that descent is (1 - (2 rate/nm) K)^steps r_0."""
    rng = np.random.default_rng(seed)
    net, x, y = init([3, 1], rng), rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
    trained, _ = train(net, x, y, optimiser=sgd(0.05), epochs=steps, rng=None)
    one_step = np.eye(8) - 2 * 0.05 / 8 * tangent_kernel(net, x)[:, :, 0, 0]
    expected = np.linalg.matrix_power(one_step, steps) @ (predict(net, x) - y)
    assert_allclose(predict(trained, x) - y, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: infinite_kernels(x[0], hidden_layers=1), "A single column needs an axis"),
        (lambda x: infinite_kernels(x, x[:, :1], hidden_layers=1), "x2 must be"),
        (lambda x: infinite_kernels(x[:, :0], hidden_layers=1), "d >= 1"),
        (lambda x: infinite_kernels(x, hidden_layers=-1), "hidden_layers must be"),
        (lambda x: infinite_kernels(x, hidden_layers=1.0), "hidden_layers must be"),
        (
            lambda x: infinite_kernels(x, hidden_layers=1, weight_variance=-1),
            "weight_variance must be a finite number not below 0",
        ),
        (
            lambda x: infinite_kernels(x, hidden_layers=1, bias_variance=np.nan),
            "bias_variance must be",
        ),
        (
            lambda x: infinite_kernels(x, hidden_layers=1, bias_variance=[1, 2]),
            "bias_variance must be",
        ),
    ],
)
def test_bad_input_gives_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((2, 3)))


@pytest.mark.parametrize(
    "size",
    [
        {"hidden_layers": 2000, "weight_variance": 5.0},
        {"hidden_layers": 9, "weight_variance": 1e50, "bias_variance": 1e50},
    ],
)
def test_kernels_that_overflow_are_refused(size):
    with pytest.raises(ValueError, match="must not overflow"):
        infinite_kernels([[1.0, 2.0], [3.0, 4.0]], **size)
