"""Every public function of the package with unusual and with invalid input.

Unusual but valid input (read-only, Fortran order, strided, lists, whole numbers) gives the result
of the plain array.  One invalid value in each argument gives one ValueError, which shows that the
check is called; the checks themselves are tested once, in test_checks.py.  No argument is ever
changed.  A warning is a failure (setup.cfg).
"""

import dataclasses
import inspect
import tempfile
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import relu_dynamics as rd
from relu_dynamics import MLP, checks, init

# Public functions that take no arrays, or what other functions returned; their own tests refuse
# what they do not take.
WITHOUT = {"adam", "sgd", "init", "load", "gaussian_features", "brain", "eeg", "elevation", "grid",
           "photograph", "random_image",
           "breakpoints", "by_unit", "draw", "edge_midpoints", "from_torch",
           "global_pairs", "hidden_units", "local_pairs", "neighbours", "positional_columns",
           "split_layers", "unpack"}

PLANE, LINE, SHALLOW = (init(widths, np.random.default_rng(k))
                        for k, widths in enumerate([(2, 5, 4, 2), (1, 6, 2), (2, 6, 2)]))
X, Y = (np.random.default_rng(seed).integers(-2, 3, (6, 2)) * 1.0 for seed in (3, 4))
MAP, WAVES = init((12, 5, 2), np.random.default_rng(5)), init((4, 3, 2), np.random.default_rng(7))
BOX = np.array([[0.0, 1.0], [0.0, 1.0]])
PAIRS = rd.Pairs(np.array([0, 1]), np.array([2, 3]))


def save_and_load(net):
    with tempfile.TemporaryDirectory() as name:
        rd.save(Path(name) / "net.npz", net)
        return rd.load(Path(name) / "net.npz")


def learn(net, x, y):
    return rd.train(net, x, y, optimiser=rd.adam(0.01), epochs=2, batch_size=4,
                    rng=np.random.default_rng(0))[0]


# name: (call, the arrays and networks it is given)
DOORS = {
    "predict": (rd.predict, dict(net=PLANE, x=X)),
    "forward": (rd.forward, dict(net=PLANE, x=X)),
    "backward": (lambda net, df: rd.backward(net, rd.forward(net, X), df), dict(net=PLANE, df=Y)),
    "restrict": (rd.restrict, dict(net=PLANE, origin=X[0], axes=np.array([[1.0, 2.0]]))),
    "flatten": (rd.flatten, dict(parameters=PLANE)),
    "unflatten": (lambda vector, like: rd.unflatten(vector, like),
                  dict(vector=np.arange(49.0), like=PLANE)),
    "save": (save_and_load, dict(net=PLANE)),
    "pattern": (rd.pattern, dict(net=PLANE, x=X)),
    "affine_map": (rd.affine_map, dict(net=PLANE, q=rd.pattern(PLANE, X))),
    "preactivation_maps": (rd.preactivation_maps, dict(net=PLANE, q=rd.pattern(PLANE, X))),
    "hamming": (rd.hamming, dict(q1=rd.pattern(PLANE, X), q2=rd.pattern(PLANE, X))),
    "dead_units": (rd.dead_units, dict(q=rd.pattern(PLANE, X))),
    "pack": (rd.pack, dict(q=rd.pattern(PLANE, X))),
    "unique_patterns": (rd.unique_patterns, dict(q=rd.pattern(PLANE, X))),
    "Coordinates": (rd.Coordinates(-1, 1), dict(x=X)),
    "Coordinates.jacobian": (rd.Coordinates(-1, 1).jacobian, dict(x=X)),
    "PositionalEncoding": (rd.PositionalEncoding(3), dict(x=X)),
    "PositionalEncoding.jacobian": (rd.PositionalEncoding(3).jacobian, dict(x=X)),
    "FourierFeatures": (lambda frequencies, x: rd.FourierFeatures(frequencies)(x),
                        dict(frequencies=Y, x=X)),
    "tones": (
        rd.tones, dict(t=X[:, 0], frequencies=np.array([1.0, 3.0]), phases=np.array([0.0, 1.0]))),
    "area_average": (lambda signal: rd.area_average(signal, (3,)), dict(signal=X)),
    "regions_on_segment": (
        rd.regions_on_segment, dict(net=PLANE, a=np.array([0.0, -3.0]), b=np.array([1.0, 4.0]))),
    "regions_on_encoded_segment": (
        lambda net, a, b: rd.regions_on_encoded_segment(net, rd.PositionalEncoding(3), a, b),
        dict(net=MAP, a=np.array([0.0, 0.0]), b=np.array([1.0, 1.0]))),
    "evaluate": (lambda t: rd.evaluate(rd.regions_on_segment(LINE, [-1.0], [1.0]), t),
                 dict(t=np.array([0.0, 1.0]))),
    "regions_in_window": (rd.regions_in_window, dict(net=PLANE, window=BOX)),
    "count_regions": (rd.count_regions, dict(net=PLANE, window=BOX)),
    "locate": (lambda points: rd.locate(rd.regions_in_window(PLANE, BOX), points),
               dict(points=np.eye(2))),
    "distance_to_wall": (rd.distance_to_wall, dict(net=PLANE, x=X)),
    "wall_distances": (rd.wall_distances, dict(net=PLANE, x=X)),
    "surrogate_distance": (rd.surrogate_distance, dict(net=PLANE, x=X)),
    "surrogate_distances": (rd.surrogate_distances, dict(net=PLANE, x=X)),
    "inscribed_ball": (
        rd.inscribed_ball, dict(net=PLANE, x=X[0], low=np.array([-4.0, -4.0]),
                                high=np.array([4.0, 4.0]))),
    "hyperplane_cosines": (rd.hyperplane_cosines, dict(net=PLANE)),
    "padded_cosines": (rd.padded_cosines, dict(net=PLANE)),
    "spectral_norms": (rd.spectral_norms, dict(net=PLANE)),
    "lipschitz_bound": (rd.lipschitz_bound, dict(net=PLANE)),
    "count_bound": (rd.count_bound, dict(net=PLANE)),
    "tangent_kernel": (rd.tangent_kernel, dict(net=PLANE, x=X, x2=Y)),
    "layer_kernels": (rd.layer_kernels, dict(net=PLANE, x=X, x2=Y)),
    "unit_kernels": (rd.unit_kernels, dict(net=PLANE, x=X, x2=Y)),
    "path_kernel": (
        rd.path_kernel, dict(net=MLP(PLANE.weights, tuple(0 * b for b in PLANE.biases)), x=X)),
    "example_gradients": (rd.example_gradients, dict(net=PLANE, x=X)),
    "descent_direction": (rd.descent_direction, dict(net=PLANE, x=X, y=Y)),
    "preactivation_rates": (rd.preactivation_rates, dict(net=PLANE, x=X, motion=PLANE)),
    "loss_gradient_gram": (rd.loss_gradient_gram, dict(net=PLANE, x=X, y=Y)),
    "gradient_confusion": (rd.gradient_confusion, dict(net=PLANE, x=X, y=Y)),
    "confusion_of_pairs": (
        lambda net, x, y: rd.confusion_of_pairs(net, x, y, PAIRS.i, PAIRS.j),
        dict(net=PLANE, x=X, y=Y)),
    "infinite_kernels": (lambda x, x2: rd.infinite_kernels(x, x2, hidden_layers=3),
                         dict(x=X, x2=Y)),
    "segment_transform": (
        lambda w: rd.segment_transform(rd.regions_on_segment(LINE, [-1.0], [1.0]), w),
        dict(w=np.array([0.0, 5.0]))),
    "window_transform": (
        lambda k: rd.window_transform(rd.regions_in_window(PLANE, BOX), k),
        dict(k=np.array([[0.0, 5.0]]))),
    "radial_bands": (rd.radial_bands, dict(cycles=X)),
    "frequency_error": (lambda f, y: rd.frequency_error(f, y, (6,)), dict(f=X, y=Y)),
    "patch_frequency_error": (lambda f, y: rd.patch_frequency_error(f, y, (6,), 3), dict(f=X, y=Y)),
    "hamming_of_pairs": (lambda net, x: rd.hamming_of_pairs(net, x, PAIRS), dict(net=PLANE, x=X)),
    "sampled_regions": (rd.sampled_regions, dict(net=PLANE, x=X)),
    "dead_count": (rd.dead_count, dict(net=PLANE, x=X)),
    "wall_velocity": (
        lambda net, x, y, points: rd.wall_velocity(net, x, y, rd.Walls(points, np.zeros(6, int))),
        dict(net=PLANE, x=X, y=Y, points=X)),
    "births_and_deaths": (
        rd.births_and_deaths, dict(before=rd.pattern(PLANE, X), after=rd.pattern(PLANE, Y))),
    "region_events": (
        lambda a, b: rd.region_events(lambda t: init((2, 4, 1), np.random.default_rng(0)), a, b),
        dict(a=X[0] - 1, b=X[0] + 1)),
    "balances": (rd.balances, dict(net=PLANE)),
    "integrate": (rd.integrate, dict(net=PLANE, x=X, y=Y, t=np.array([0.0, 1.0]))),
    "first_layer_flow": (rd.first_layer_flow, dict(net=SHALLOW, x=X, y=Y, t=np.array([0.0, 1.0]))),
    "output_layer_flow": (rd.output_layer_flow, dict(net=PLANE, x=X, y=Y, t=np.array([0.0, 1.0]))),
    "layer_flow": (lambda net, x, y, t, pattern: rd.layer_flow(net, x, y, t, 2, pattern),
                   dict(net=PLANE, x=X, y=Y, t=np.array([0.0, 1.0]), pattern=rd.pattern(PLANE, Y))),
    "decompose": (lambda net, x, y: rd.decompose(net, x, y, grid=(6,), patch=3, outputs=True),
                  dict(net=PLANE, x=X, y=Y)),
    "kernel_product": (rd.kernel_product, dict(net=PLANE, x=X, v=Y)),
    "kernel_spectrum": (lambda net, x: rd.kernel_spectrum(net, x, 2).values, dict(net=PLANE, x=X)),
    "kernel_moments": (rd.kernel_moments, dict(net=PLANE, x=X)),
    "layer_curvature": (rd.layer_curvature, dict(net=PLANE, x=X)),
    "regions_in_encoded_window": (
        lambda net, window: rd.regions_in_encoded_window(net, rd.PositionalEncoding(1), window),
        dict(net=WAVES, window=BOX)),
    "regions_on_triangles": (
        lambda net, points, inputs: rd.regions_on_triangles(net, points, [[0, 1, 2]], inputs),
        dict(net=PLANE, points=np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), inputs=X[:3])),
    "wall_length": (rd.wall_length, dict(net=PLANE, window=BOX)),
    "crossed_walls": (lambda a, b: rd.crossed_walls(rd.regions_in_window(PLANE, BOX), a, b),
                      dict(a=np.array([0.0, 0.0]), b=np.array([1.0, 1.0]))),
    "intrinsic_rates": (lambda net, x: rd.intrinsic_rates(net, x, (2, 3)), dict(net=PLANE, x=X)),
    "mean_by_displacement": (lambda pairs: rd.mean_by_displacement(pairs, (2,)),
                             dict(pairs=np.array([[1.0, 2.0], [3.0, 5.0]]))),
    "pattern_spectrum": (lambda q, weights: rd.pattern_spectrum(q, (6,), weights=weights), dict(
        q=rd.pattern(PLANE, X),
        weights=np.arange(PLANE.weights[0].shape[0] + PLANE.weights[1].shape[0], dtype=float))),
    "band_means": (rd.band_means, dict(values=X)),
    "wall_jumps": (
        lambda net, points, along: rd.wall_jumps(net, rd.Walls(points, np.arange(6)), along=along),
        dict(net=PLANE, points=X, along=X[0] + 1)),
    "wall_spectrum": (lambda net, a, b: rd.wall_spectrum(net, a, b, 8, [1, 2]), dict(
        net=PLANE, a=np.array([0.0, -3.0]), b=np.array([1.0, 4.0]))),
    "plane_wall_spectrum": (lambda net: rd.plane_wall_spectrum(net, 4, bands=False),
                            dict(net=PLANE)),
    "step_split": (lambda net, x, y: rd.step_split(net, x, y, 0.1), dict(net=PLANE, x=X, y=Y)),
    "change_split": (rd.change_split,
                     dict(net=PLANE, moved=init((2, 5, 4, 2), np.random.default_rng(9)), x=X)),
    "train": (learn, dict(net=PLANE, x=X, y=Y)),
}

# Those that take NaN, or complex numbers, and mean it; their own tests refuse what they do not.
OF_THEIR_OWN_KIND = {"band_energy", "time_to_half"}


def arrays_of(result):
    """Every number in a result, in order."""
    if dataclasses.is_dataclass(result):
        result = [getattr(result, field.name) for field in dataclasses.fields(result)]
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, (tuple, list)) and not all(isinstance(part, (int, float))
                                                     for part in result):
        return [array for part in result for array in arrays_of(part)]
    return [] if result is None or isinstance(result, str) else [np.asarray(result)]


def given(kind):
    """(door, argument) for every argument of a kind: float, bool or MLP."""
    def is_of(value):
        return isinstance(value, MLP) if kind is MLP else getattr(value, "dtype", None) == kind

    return [(door, name) for door, (_, arguments) in DOORS.items()
            for name, value in arguments.items() if is_of(value)]


def call(door, **changes):
    function, arguments = DOORS[door]
    return function(**{**arguments, **changes})


def test_every_public_function_is_listed_here():
    functions = {name for name in rd.__all__ if inspect.isfunction(getattr(rd, name))}
    assert functions - {*DOORS, *OF_THEIR_OWN_KIND} == WITHOUT


def test_the_package_has_what_it_says_and_nothing_else_in_view():
    """A star import gives the public names; a name is a function or a type, never one of its
    modules by accident."""
    assert len(set(rd.__all__)) == len(rd.__all__) and not any(
        inspect.ismodule(getattr(rd, name)) for name in rd.__all__)


# ------------------------------------------------------------------ odd but meant


def odd(array):
    """The same numbers kept in other ways."""
    frozen = array.copy()
    frozen.flags.writeable = False
    wide = np.full([2 * size for size in array.shape], 7, array.dtype)
    strided = wide[tuple(slice(None, None, -2) for _ in array.shape)]
    strided[:] = array
    return {"read-only": frozen, "Fortran": np.asfortranarray(array), "strided backwards": strided,
            "list": array.tolist()}


@pytest.mark.parametrize("door", dict(given(float) + given(bool)))
def test_how_arrays_are_kept_does_not_matter(door):
    expected = arrays_of(call(door))
    ways = {name: odd(value) for name, value in DOORS[door][1].items()
            if isinstance(value, np.ndarray)}
    for how in odd(X):
        result = arrays_of(call(door, **{name: way[how] for name, way in ways.items()}))
        assert len(result) == len(expected), how
        for a, b in zip(result, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11, err_msg=how)


@pytest.mark.parametrize("door", dict(given(float)))
def test_whole_numbers_are_read_as_reals(door):
    whole = {name: np.round(DOORS[door][1][name]) for of, name in given(float) if of == door}
    for a, b in zip(arrays_of(call(door, **{name: v.astype(int) for name, v in whole.items()})),
                    arrays_of(call(door, **whole)), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("door", "name"), given(MLP))
def test_how_a_network_is_kept_does_not_matter(door, name):
    net, expected = DOORS[door][1][name], arrays_of(call(door))
    kept = [odd(W) for W in net.weights], [odd(b) for b in net.biases]
    for how in kept[0][0]:
        changed = MLP(*(tuple(part[how] for part in parts) for parts in kept))
        for a, b in zip(arrays_of(call(door, **{name: changed})), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11, err_msg=how)


@pytest.mark.parametrize("door", DOORS)
def test_nothing_that_is_given_is_changed(door):
    _, arguments = DOORS[door]
    before = [array.copy() for array in arrays_of(arguments)]
    call(door)
    for a, b in zip(arrays_of(arguments), before, strict=True):
        np.testing.assert_array_equal(a, b)


# ------------------------------------------------------------------------ hostile


def spoiled(array, value):
    bad = array.copy()
    bad.flat[-1] = value
    return bad


@pytest.mark.parametrize(("door", "name"), given(float) + given(bool))
def test_a_number_that_is_none_is_refused(door, name):
    with pytest.raises(ValueError) as error:
        call(door, **{name: spoiled(DOORS[door][1][name].astype(float), np.nan)})
    assert len(str(error.value)) > 20


@pytest.mark.parametrize(("door", "name"), given(MLP))
def test_a_network_with_a_number_that_is_none_is_refused(door, name):
    net = DOORS[door][1][name]
    with pytest.raises(ValueError) as error:
        call(door, **{name: MLP((*net.weights[:-1], spoiled(net.weights[-1], np.nan)), net.biases)})
    assert len(str(error.value)) > 20


@pytest.mark.parametrize(("door", "name"), given(MLP))
def test_a_network_that_might_overflow_is_refused(door, name):
    """Where more than its numbers is asked for."""
    net = DOORS[door][1][name]
    if door in ("flatten", "unflatten", "save") or name == "motion" or len(net.weights) < 3:
        return
    with pytest.raises(ValueError, match="might grow"):
        call(door,
             **{name: MLP(tuple(1e40 * W for W in net.weights),
                          tuple(1e40 * b for b in net.biases))})


@pytest.mark.parametrize(("door", "name"), given(MLP))
def test_tiny_networks_give_numbers_or_one_clear_error(door, name):
    """Also where every product underflows."""
    net = DOORS[door][1][name]
    for scale in (1e-300, 5e-324, 0.0):
        with np.errstate(under="ignore"):
            tiny = MLP(*(tuple(part * scale for part in parts) for parts in net))
        try:
            call(door, **{name: tiny})
        except (ValueError, ArithmeticError) as error:
            assert len(str(error)) > 20


@pytest.mark.parametrize(("door", "name"), given(float))
def test_subnormal_inputs_give_numbers_or_one_clear_error(door, name):
    try:
        call(door, **{name: DOORS[door][1][name] * 5e-324})
    except (ValueError, ArithmeticError) as error:
        assert len(str(error)) > 20


@pytest.mark.parametrize("power", [100, 500])
def test_walls_know_no_scale(power):
    """T39: W[1] and all biases divided by 2^power divide f by it, exactly, and leave every wall
    where it was."""
    def shrunk(net):
        return MLP((net.weights[0] * 2.0**-power, *net.weights[1:]),
                   tuple(b * 2.0**-power for b in net.biases))

    for net in (PLANE, init((2, 9, 7, 1), np.random.default_rng(6))):
        small = shrunk(net)
        assert (rd.pattern(small, X) == rd.pattern(net, X)).all()
        segments = [rd.regions_on_segment(n, [-2.0, -2.0], [2.0, 1.5]) for n in (net, small)]
        planes = [rd.regions_in_window(n, BOX) for n in (net, small)]
        balls = [rd.inscribed_ball(n, [0.5, 0.5], 0.0, 1.0, None) for n in (net, small)]
        np.testing.assert_array_equal(segments[0].t, segments[1].t)
        np.testing.assert_array_equal(planes[0].vertices, planes[1].vertices)
        np.testing.assert_allclose(rd.wall_distances(small, X), rd.wall_distances(net, X),
                                   rtol=1e-12)
        np.testing.assert_allclose(balls[1].radius, balls[0].radius, rtol=1e-8)
        for a, b in zip(rd.hyperplane_cosines(net), rd.hyperplane_cosines(small), strict=True):
            np.testing.assert_array_equal(a, b)
    encoded = [rd.regions_on_encoded_segment(n, rd.PositionalEncoding(3), [0.0, 0.1],
                                             [1.0, 0.7]) for n in (MAP, shrunk(MAP))]
    np.testing.assert_array_equal(encoded[0].t, encoded[1].t)


def test_a_unit_that_is_zero_everywhere_makes_no_pieces():
    """With no weights and no bias, under an encoding; and one that cancels up to rounding is
    undecided throughout."""
    enc, ends = rd.PositionalEncoding(3), ([0.0, 0.1], [1.0, 0.7])
    dead = MLP(
        (np.vstack([MAP.weights[0], 0 * MAP.weights[0][:1]]),
         np.hstack([MAP.weights[1], np.ones((2, 1))])),
               (np.append(MAP.biases[0], 0.0), MAP.biases[1]))
    np.testing.assert_array_equal(rd.regions_on_encoded_segment(dead, enc, *ends).t,
                                  rd.regions_on_encoded_segment(MAP, enc, *ends).t)
    nearly = rd.FourierFeatures([[1.0], [1.0 + 2.0**-50]])
    cancels = MLP((np.array([[1.0, 0.0, -1.0, 0.0]]), np.ones((1, 1))), (np.zeros(1), np.zeros(1)))
    pieces = rd.regions_on_encoded_segment(cancels, nearly, [0.0], [1.0])
    assert pieces.t.tolist() == [0, 1] and pieces.uncertified.tolist() == [[0, 1]]


@pytest.mark.parametrize(("door", "limit", "what"), [
    ("tangent_kernel", 143, r"K would have shape \(6, 6, 2, 2\), 144 numbers"),
    ("layer_kernels", 863, r"\(3, 2, 6, 6, 2, 2\)"),
    ("unit_kernels", 1583, "unit_kernels"), ("example_gradients", 587, r"\(6, 2, 49\)"),
    ("loss_gradient_gram", 35, "Gram"), ("gradient_confusion", 35, "confusion"),
    ("infinite_kernels", 35, "a kernel"),
    ("wall_distances", 53, "distances"), ("surrogate_distances", 53, "distances"),
    ("padded_cosines", 80, "padded"),
    ("decompose", 35, "all pairs"), ("decompose", 191, "output splits"),
    ("regions_on_encoded_segment", 20, "coefficients of a layer"),
    ("regions_on_encoded_segment", 80, "coefficients of a layer on its pieces"),
])
def test_answers_too_large_for_memory_are_refused_before_they_are_made(door, limit, what,
                                                                       monkeypatch):
    monkeypatch.setattr(checks, "MAX_ENTRIES", limit)
    with pytest.raises(ValueError, match=what + rf".*more than the {limit} allowed"):
        call(door)
    if door != "regions_on_encoded_segment":
        monkeypatch.setattr(checks, "MAX_ENTRIES",
                            limit + 1 if limit != 35 or door != "decompose" else 10**6)
        call(door)


@pytest.mark.parametrize("call_with", [
    lambda other: rd.segment_transform(other, [1.0]),
    lambda other: rd.window_transform(other, [[1.0, 0.0]]),
    lambda other: rd.evaluate(other, [0.5]), lambda other: rd.locate(other, [[0.0, 0.0]]),
    rd.neighbours,
    rd.edge_midpoints, lambda other: rd.breakpoints(other, [0.0], [1.0]),
    lambda other: rd.wall_velocity(PLANE, X, Y, other)])
@pytest.mark.parametrize("other", [None, (np.zeros((1, 2)), np.zeros(1, int)), "pieces"])
def test_what_comes_of_no_enumeration_is_refused(call_with, other):
    with pytest.raises(ValueError, match="must be (Pieces|EncodedPieces|Regions|Walls).* Got "):
        call_with(other)


@pytest.mark.parametrize("call_with", [
    lambda odd: rd.hamming_of_pairs(PLANE, X, odd), lambda odd: rd.time_to_half([0, 1], odd),
    lambda odd: rd.region_events(odd, [0.0], [1.0]),
    lambda odd: rd.region_events(lambda s: LINE, [0.0], [1.0], resolution=odd),
    lambda odd: rd.draw(odd, rd.regions_in_window(PLANE, BOX)),
    lambda odd: rd.draw(Figure().subplots(), odd),
    *(lambda odd, name=name: rd.draw(Figure().subplots(), rd.regions_in_window(PLANE, BOX),
                                     **{name: odd})
      for name in ("colour", "linewidth")),
    lambda odd: rd.elevation((4, 4), odd),
    lambda odd: rd.random_image(odd, np.random.default_rng(0)),
    lambda odd: rd.save(odd, PLANE), rd.load,
    rd.sgd, lambda odd: rd.adam(0.1, odd), lambda odd: rd.adam(0.1, epsilon=odd)])
@pytest.mark.parametrize("odd", [None, object(), {}, [[1j]], np.array(["a"]), 10**400, (1.5, 2)],
                         ids=["None", "object", "dict", "complex", "text", "huge", "tuple"])
def test_what_is_of_another_kind_is_refused_by_name(call_with, odd):
    """Not by the TypeError or OverflowError of whatever comes upon it first."""
    with pytest.raises(ValueError, match="must|expected"):
        call_with(odd)


@pytest.mark.parametrize("call", [
    lambda: rd.hidden_units(X), lambda: rd.hidden_units(None), lambda: rd.split_layers(X, X),
    lambda: rd.split_layers(PLANE, X), lambda: rd.split_layers(PLANE, [[True] * 9]),
    lambda: rd.split_layers(PLANE, np.ones(9)),
])
def test_units_are_counted_and_split_by_layer_of_networks_alone(call):
    with pytest.raises(ValueError, match="net must be MLP|one column per hidden unit"):
        call()
