"""Every public function of the package against odd and hostile input.

Odd but meant (read-only, Fortran order, strided, lists, whole numbers) gives the answer of the plain array; hostile
(NaN, infinities, 1e300, text, objects, complex, one axis too many, networks that cannot be) one ValueError;
nothing given is ever changed.  A warning is a failure (setup.cfg).
"""

import dataclasses
import importlib
import inspect
import pkgutil

import numpy as np
import pytest
from matplotlib.figure import Figure

import relu_dynamics
from relu_dynamics import checks, complex2d, encoding, files, infinite, measures, mlp, regions1d, regions2d, signals, spectrum, tangent, walls
from relu_dynamics import patterns as pattern
from relu_dynamics import training as train
from relu_dynamics.flow import decompose as flow
from relu_dynamics.flow import moving_walls, trajectories
from relu_dynamics.mlp import MLP, init

# What other modules of the package call, with arguments that have come through a door already; and what takes no array.
INSIDE = {
    "mlp": {"as_real", "check_count", "check_indices", "check_kind", "check_layers", "check_net", "check_net_and_rows", "check_rng", "check_size",
            "check_targets", "common_dtype", "row_blocks", "init", "load", "replacing"},
    "pattern": {"check_pattern", "hidden_units", "rows_times", "split_layers", "unique_words", "unpack"},
    "tangent": {"check_examples", "coupling", "loss_sensitivities", "output_sensitivities"},
    "encoding": {"gaussian_features"}, "signals": {"brain", "eeg", "elevation", "grid", "photograph", "random_image"},
    "measures": {"global_pairs", "local_pairs"}, "train": {"adam", "sgd"},
    "moving_walls": {"breakpoints", "edge_midpoints"}, "walls": {"lengths"},
    "complex2d": {"assemble", "bits_at", "bits_set", "blocks", "draw", "guard", "neighbours", "packed_patterns", "sums_sizes", "unpacked"},
    "degenerate2d": {"unit_by_unit"},
    "geometry": {"cross", "cut_by_signs", "face_areas", "face_means", "polygon_area", "starts", "walk", "window_subdivision", "check_window"},
    "kinks": {"distances", "first_states", "make_task", "margins", "motion", "next_states", "sweep"},
}

PLANE, LINE, SHALLOW = init((2, 5, 4, 2), np.random.default_rng(0)), init((1, 6, 2), np.random.default_rng(1)), init((2, 6, 2), np.random.default_rng(2))
X, Y = np.random.default_rng(3).integers(-2, 3, (6, 2)) * 1.0, np.random.default_rng(4).integers(-2, 3, (6, 2)) * 1.0
MAP = init((12, 5, 2), np.random.default_rng(5))
BOX = np.array([[0.0, 1.0], [0.0, 1.0]])
PAIRS = measures.Pairs(np.array([0, 1]), np.array([2, 3]))


def save_to_nowhere(net):
    """save, to a file of its own that is read again."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as name:
        files.save(Path(name) / "net.npz", net)
        return files.load(Path(name) / "net.npz")


def learn(net, x, y):
    return train.train(net, x, y, optimiser=train.adam(0.01), epochs=2, batch_size=4, rng=np.random.default_rng(0))[0]


# name: (call, the arrays and networks it is given)
DOORS = {
    "mlp.predict": (mlp.predict, dict(net=PLANE, x=X)),
    "mlp.forward": (mlp.forward, dict(net=PLANE, x=X)),
    "mlp.backward": (lambda net, df: mlp.backward(net, mlp.forward(net, X), df), dict(net=PLANE, df=Y)),
    "mlp.restrict": (mlp.restrict, dict(net=PLANE, origin=X[0], axes=np.array([[1.0, 2.0]]))),
    "mlp.flatten": (mlp.flatten, dict(parameters=PLANE)),
    "mlp.unflatten": (lambda vector, like: mlp.unflatten(vector, like), dict(vector=np.arange(49.0), like=PLANE)),
    "files.save": (save_to_nowhere, dict(net=PLANE)),
    "pattern.pattern": (pattern.pattern, dict(net=PLANE, x=X)),
    "pattern.affine_map": (pattern.affine_map, dict(net=PLANE, q=pattern.pattern(PLANE, X))),
    "pattern.preactivation_maps": (pattern.preactivation_maps, dict(net=PLANE, q=pattern.pattern(PLANE, X))),
    "pattern.hamming": (pattern.hamming, dict(q1=pattern.pattern(PLANE, X), q2=pattern.pattern(PLANE, X))),
    "pattern.dead_units": (pattern.dead_units, dict(q=pattern.pattern(PLANE, X))),
    "pattern.pack": (pattern.pack, dict(q=pattern.pattern(PLANE, X))),
    "pattern.unique_patterns": (pattern.unique_patterns, dict(q=pattern.pattern(PLANE, X))),
    "encoding.Coordinates": (encoding.Coordinates(-1, 1), dict(x=X)),
    "encoding.Coordinates.jacobian": (encoding.Coordinates(-1, 1).jacobian, dict(x=X)),
    "encoding.PositionalEncoding": (encoding.PositionalEncoding(3), dict(x=X)),
    "encoding.PositionalEncoding.jacobian": (encoding.PositionalEncoding(3).jacobian, dict(x=X)),
    "encoding.FourierFeatures": (lambda frequencies, x: encoding.FourierFeatures(frequencies)(x), dict(frequencies=Y, x=X)),
    "signals.tones": (signals.tones, dict(t=X[:, 0], frequencies=np.array([1.0, 3.0]), phases=np.array([0.0, 1.0]))),
    "signals.area_average": (lambda signal: signals.area_average(signal, (3,)), dict(signal=X)),
    "regions1d.regions_on_segment": (regions1d.regions_on_segment, dict(net=PLANE, a=np.array([0.0, -3.0]), b=np.array([1.0, 4.0]))),
    "regions1d.regions_on_encoded_segment": (
        lambda net, a, b: regions1d.regions_on_encoded_segment(net, encoding.PositionalEncoding(3), a, b),
        dict(net=MAP, a=np.array([0.0, 0.0]), b=np.array([1.0, 1.0]))),
    "regions1d.evaluate": (lambda t: regions1d.evaluate(regions1d.regions_on_segment(LINE, [-1.0], [1.0]), t), dict(t=np.array([0.0, 1.0]))),
    "regions2d.regions_in_window": (regions2d.regions_in_window, dict(net=PLANE, window=BOX)),
    "regions2d.count_regions": (regions2d.count_regions, dict(net=PLANE, window=BOX)),
    "complex2d.locate": (lambda points: complex2d.locate(regions2d.regions_in_window(PLANE, BOX), points), dict(points=np.eye(2))),
    "walls.distance_to_wall": (walls.distance_to_wall, dict(net=PLANE, x=X)),
    "walls.wall_distances": (walls.wall_distances, dict(net=PLANE, x=X)),
    "walls.surrogate_distance": (walls.surrogate_distance, dict(net=PLANE, x=X)),
    "walls.surrogate_distances": (walls.surrogate_distances, dict(net=PLANE, x=X)),
    "walls.inscribed_ball": (walls.inscribed_ball, dict(net=PLANE, x=X[0], low=np.array([-4.0, -4.0]), high=np.array([4.0, 4.0]))),
    "walls.hyperplane_cosines": (walls.hyperplane_cosines, dict(net=PLANE)),
    "walls.padded_cosines": (walls.padded_cosines, dict(net=PLANE)),
    "walls.spectral_norms": (walls.spectral_norms, dict(net=PLANE)),
    "walls.lipschitz_bound": (walls.lipschitz_bound, dict(net=PLANE)),
    "walls.count_bound": (walls.count_bound, dict(net=PLANE)),
    "tangent.tangent_kernel": (tangent.tangent_kernel, dict(net=PLANE, x=X, x2=Y)),
    "tangent.layer_kernels": (tangent.layer_kernels, dict(net=PLANE, x=X, x2=Y)),
    "tangent.unit_kernels": (tangent.unit_kernels, dict(net=PLANE, x=X, x2=Y)),
    "tangent.path_kernel": (tangent.path_kernel, dict(net=MLP(PLANE.weights, tuple(0 * b for b in PLANE.biases)), x=X)),
    "tangent.example_gradients": (tangent.example_gradients, dict(net=PLANE, x=X)),
    "tangent.descent_direction": (tangent.descent_direction, dict(net=PLANE, x=X, y=Y)),
    "tangent.preactivation_rates": (tangent.preactivation_rates, dict(net=PLANE, x=X, motion=PLANE)),
    "tangent.loss_gradient_gram": (tangent.loss_gradient_gram, dict(net=PLANE, x=X, y=Y)),
    "tangent.gradient_confusion": (tangent.gradient_confusion, dict(net=PLANE, x=X, y=Y)),
    "tangent.confusion_of_pairs": (
        lambda net, x, y: tangent.confusion_of_pairs(net, x, y, PAIRS.i, PAIRS.j), dict(net=PLANE, x=X, y=Y)),
    "infinite.infinite_kernels": (lambda x, x2: infinite.infinite_kernels(x, x2, hidden_layers=3), dict(x=X, x2=Y)),
    "spectrum.segment_transform": (
        lambda w: spectrum.segment_transform(regions1d.regions_on_segment(LINE, [-1.0], [1.0]), w), dict(w=np.array([0.0, 5.0]))),
    "spectrum.window_transform": (
        lambda k: spectrum.window_transform(regions2d.regions_in_window(PLANE, BOX), k), dict(k=np.array([[0.0, 5.0]]))),
    "spectrum.radial_bands": (spectrum.radial_bands, dict(cycles=X)),
    "spectrum.frequency_error": (lambda f, y: spectrum.frequency_error(f, y, (6,)), dict(f=X, y=Y)),
    "spectrum.patch_frequency_error": (lambda f, y: spectrum.patch_frequency_error(f, y, (6,), 3), dict(f=X, y=Y)),
    "measures.hamming_of_pairs": (lambda net, x: measures.hamming_of_pairs(net, x, PAIRS), dict(net=PLANE, x=X)),
    "measures.sampled_regions": (measures.sampled_regions, dict(net=PLANE, x=X)),
    "measures.dead_count": (measures.dead_count, dict(net=PLANE, x=X)),
    "moving_walls.wall_velocity": (
        lambda net, x, y, points: moving_walls.wall_velocity(net, x, y, moving_walls.Walls(points, np.zeros(6, int))),
        dict(net=PLANE, x=X, y=Y, points=X)),
    "moving_walls.births_and_deaths": (
        moving_walls.births_and_deaths, dict(before=pattern.pattern(PLANE, X), after=pattern.pattern(PLANE, Y))),
    "moving_walls.region_events": (
        lambda a, b: moving_walls.region_events(lambda t: init((2, 4, 1), np.random.default_rng(0)), a, b), dict(a=X[0] - 1, b=X[0] + 1)),
    "trajectories.balances": (trajectories.balances, dict(net=PLANE)),
    "trajectories.integrate": (trajectories.integrate, dict(net=PLANE, x=X, y=Y, t=np.array([0.0, 1.0]))),
    "trajectories.first_layer_flow": (trajectories.first_layer_flow, dict(net=SHALLOW, x=X, y=Y, t=np.array([0.0, 1.0]))),
    "trajectories.layer_flow": (trajectories.layer_flow, dict(net=PLANE, x=X, y=Y, t=np.array([0.0, 1.0]), layer=2, pattern=pattern.pattern(PLANE, Y))),
    "trajectories.output_layer_flow": (trajectories.output_layer_flow, dict(net=PLANE, x=X, y=Y, t=np.array([0.0, 1.0]))),
    "flow.decompose": (lambda net, x, y: flow.decompose(net, x, y, grid=(6,), patch=3, outputs=True), dict(net=PLANE, x=X, y=Y)),
    "flow.step_split": (lambda net, x, y: flow.step_split(net, x, y, 0.1), dict(net=PLANE, x=X, y=Y)),
    "flow.change_split": (flow.change_split, dict(net=PLANE, moved=init((2, 5, 4, 2), np.random.default_rng(9)), x=X)),
    "train.train": (learn, dict(net=PLANE, x=X, y=Y)),
}

# Those that take NaN, or complex numbers, and mean it; their own tests refuse what they do not.
OF_THEIR_OWN_KIND = {"spectrum.band_energy", "measures.time_to_half"}


def arrays_of(result):
    """Every number in a result, in order."""
    if dataclasses.is_dataclass(result):
        result = [getattr(result, field.name) for field in dataclasses.fields(result)]
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, (tuple, list)) and not all(isinstance(part, (int, float)) for part in result):
        return [array for part in result for array in arrays_of(part)]
    return [] if result is None or isinstance(result, str) else [np.asarray(result)]


def given(kind):
    """(door, argument) for every argument of a kind: float, bool or MLP."""
    def is_of(value):
        return isinstance(value, kind) if kind is MLP else not isinstance(value, MLP) and value.dtype == kind

    return [(door, name) for door, (_, arguments) in DOORS.items() for name, value in arguments.items() if is_of(value)]


def call(door, **changes):
    function, arguments = DOORS[door]
    return function(**{**arguments, **changes})


def test_every_public_function_is_listed_here():
    for module in (info.name for info in pkgutil.iter_modules(relu_dynamics.__path__)):
        functions = {name for name, value in vars(importlib.import_module(f"relu_dynamics.{module}")).items()
                     if inspect.isfunction(value) and value.__module__ == f"relu_dynamics.{module}" and not name.startswith("_")}
        listed = {door.split(".")[1] for door in {*DOORS, *OF_THEIR_OWN_KIND} if door.startswith(module + ".")}
        assert functions - listed == INSIDE.get(module, set()), module


# ------------------------------------------------------------------ odd but meant


def odd(array):
    """The same numbers kept in other ways."""
    frozen = array.copy()
    frozen.flags.writeable = False
    wide = np.full([2 * size for size in array.shape], 7, array.dtype)
    strided = wide[tuple(slice(None, None, -2) for _ in array.shape)]
    strided[:] = array
    return {"read-only": frozen, "Fortran": np.asfortranarray(array), "strided backwards": strided, "list": array.tolist()}


@pytest.mark.parametrize(("door", "name"), given(float) + given(bool))
def test_how_an_array_is_kept_does_not_matter(door, name):
    original = DOORS[door][1][name]
    expected = arrays_of(call(door))
    for how, value in odd(original).items():
        result = arrays_of(call(door, **{name: value}))
        assert len(result) == len(expected), how
        for a, b in zip(result, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11, err_msg=how)


@pytest.mark.parametrize(("door", "name"), given(float))
def test_whole_numbers_are_read_as_reals(door, name):
    original = np.round(DOORS[door][1][name])
    for a, b in zip(arrays_of(call(door, **{name: original.astype(int)})), arrays_of(call(door, **{name: original})), strict=True):
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


HOSTILE = {
    "NaN": lambda a: spoiled(a, np.nan), "inf": lambda a: spoiled(a, np.inf), "-inf": lambda a: spoiled(a, -np.inf),
    "1e300": lambda a: spoiled(a, 1e300), "-1e300": lambda a: spoiled(a, -1e300),
    "complex": lambda a: a * 1j, "objects": lambda a: a.astype(object), "text": lambda a: a.astype(str), "None": lambda a: None,
    "ragged": lambda a: [[1.0], [1.0, 2.0]], "an axis too many": lambda a: a[None, None], "a word": lambda a: "x",
    "dates": lambda a: a.astype(int).astype("datetime64[D]"),
}


@pytest.mark.parametrize(("door", "name"), given(float))
@pytest.mark.parametrize("how", HOSTILE)
def test_hostile_numbers_are_refused(door, name, how):
    if how == "None" and name in ("x2",):
        return  # x2 = None means x
    with pytest.raises(ValueError) as error:
        call(door, **{name: HOSTILE[how](DOORS[door][1][name])})
    assert len(str(error.value)) > 20


@pytest.mark.parametrize(("door", "name"), given(bool))
@pytest.mark.parametrize("how", ["NaN", "complex", "objects", "text", "None", "ragged", "an axis too many"])
def test_hostile_patterns_are_refused(door, name, how):
    with pytest.raises(ValueError) as error:
        call(door, **{name: HOSTILE[how](DOORS[door][1][name].astype(float) if how == "NaN" else DOORS[door][1][name])})
    assert len(str(error.value)) > 20


def with_last_layer(net, W=None, b=None):
    return MLP((*net.weights[:-1], net.weights[-1] if W is None else W), (*net.biases[:-1], net.biases[-1] if b is None else b))


NETS = {
    "NaN": lambda net: with_last_layer(net, W=spoiled(net.weights[-1], np.nan)),
    "inf in a bias": lambda net: with_last_layer(net, b=spoiled(net.biases[-1], np.inf)),
    "1e300": lambda net: with_last_layer(net, W=spoiled(net.weights[-1], 1e300)),
    "complex": lambda net: with_last_layer(net, W=net.weights[-1] * 1j),
    "objects": lambda net: with_last_layer(net, W=net.weights[-1].astype(object)),
    "layers that do not fit": lambda net: with_last_layer(net, W=net.weights[-1].T[:, [0, 0, 0]]),
    "a bias too many": lambda net: MLP(net.weights, (*net.biases, net.biases[-1])),
    "no layers": lambda net: MLP((), ()), "no network": lambda net: 3.0, "a list of matrices": lambda net: list(net.weights),
}
GROWING = {"growth beyond float64": lambda net: MLP(tuple(1e18 * W for W in net.weights), tuple(1e18 * b for b in net.biases))}
STORED = {"mlp.flatten", "mlp.unflatten", "files.save"}  # of these the numbers only are asked for


@pytest.mark.parametrize(("door", "name"), given(MLP))
@pytest.mark.parametrize("how", {**NETS, **GROWING})
def test_hostile_networks_are_refused(door, name, how):
    if how in GROWING and (door in STORED or name == "motion" or len(DOORS[door][1][name].weights) < 3):
        return
    with pytest.raises(ValueError) as error:
        call(door, **{name: {**NETS, **GROWING}[how](DOORS[door][1][name])})
    assert len(str(error.value)) > 20


@pytest.mark.parametrize("scale", [1e-300, 5e-324, 0.0], ids=["1e-300", "subnormal", "zero"])
@pytest.mark.parametrize(("door", "name"), given(MLP))
def test_tiny_networks_give_numbers_or_one_clear_error(door, name, scale):
    """Also where every product underflows."""
    net = DOORS[door][1][name]
    with np.errstate(under="ignore"):
        tiny = MLP(*(tuple(part * scale for part in parts) for parts in net))
    try:
        result = call(door, **{name: tiny})
    except (ValueError, ArithmeticError) as error:
        assert len(str(error)) > 20
    else:
        assert all(array.dtype.kind in "bifc" for array in arrays_of(result) if array.dtype.kind != "u" and array.dtype != object)


@pytest.mark.parametrize(("door", "name"), given(float))
def test_subnormal_inputs_give_numbers_or_one_clear_error(door, name):
    try:
        call(door, **{name: DOORS[door][1][name] * 5e-324})
    except (ValueError, ArithmeticError) as error:
        assert len(str(error)) > 20


@pytest.mark.parametrize("power", [100, 500])
def test_walls_know_no_scale(power):
    """T39: W[1] and all biases divided by 2^power divide f by it, exactly, and leave every wall where it was."""
    def shrunk(net):
        return MLP((net.weights[0] * 2.0**-power, *net.weights[1:]), tuple(b * 2.0**-power for b in net.biases))

    for net in (PLANE, init((2, 9, 7, 1), np.random.default_rng(6))):
        small = shrunk(net)
        assert (pattern.pattern(small, X) == pattern.pattern(net, X)).all()
        segments = [regions1d.regions_on_segment(n, [-2.0, -2.0], [2.0, 1.5]) for n in (net, small)]
        planes = [regions2d.regions_in_window(n, BOX) for n in (net, small)]
        balls = [walls.inscribed_ball(n, [0.5, 0.5], 0.0, 1.0, None) for n in (net, small)]
        np.testing.assert_array_equal(segments[0].t, segments[1].t)
        np.testing.assert_array_equal(planes[0].vertices, planes[1].vertices)
        np.testing.assert_allclose(walls.wall_distances(small, X), walls.wall_distances(net, X), rtol=1e-12)
        np.testing.assert_allclose(balls[1].radius, balls[0].radius, rtol=1e-8)
        for a, b in zip(walls.hyperplane_cosines(net), walls.hyperplane_cosines(small), strict=True):
            np.testing.assert_array_equal(a, b)
    encoded = [regions1d.regions_on_encoded_segment(n, encoding.PositionalEncoding(3), [0.0, 0.1], [1.0, 0.7]) for n in (MAP, shrunk(MAP))]
    np.testing.assert_array_equal(encoded[0].t, encoded[1].t)


def test_a_unit_that_is_zero_everywhere_makes_no_pieces(monkeypatch):
    """With no weights and no bias, under an encoding, and one that cancels up to rounding is refused before memory is gone."""
    enc, ends = encoding.PositionalEncoding(3), ([0.0, 0.1], [1.0, 0.7])
    dead = MLP((np.vstack([MAP.weights[0], 0 * MAP.weights[0][:1]]), np.hstack([MAP.weights[1], np.ones((2, 1))])),
               (np.append(MAP.biases[0], 0.0), MAP.biases[1]))
    np.testing.assert_array_equal(regions1d.regions_on_encoded_segment(dead, enc, *ends).t, regions1d.regions_on_encoded_segment(MAP, enc, *ends).t)
    nearly = encoding.FourierFeatures([[1.0], [1.0 + 2.0**-50]])
    cancels = MLP((np.array([[1.0, 0.0, -1.0, 0.0]]), np.ones((1, 1))), (np.zeros(1), np.zeros(1)))
    monkeypatch.setattr(regions1d, "MAX_OPEN", 2**18)  # sooner than memory asks for
    with pytest.raises(ArithmeticError, match="within rounding"):
        regions1d.regions_on_encoded_segment(cancels, nearly, [0.0], [1.0])


@pytest.mark.parametrize(("door", "limit", "what"), [
    ("tangent.tangent_kernel", 143, r"K would have shape \(6, 6, 2, 2\), 144 numbers"), ("tangent.layer_kernels", 863, r"\(3, 2, 6, 6, 2, 2\)"),
    ("tangent.unit_kernels", 1583, "unit_kernels"), ("tangent.example_gradients", 587, r"\(6, 2, 49\)"),
    ("tangent.loss_gradient_gram", 35, "Gram"), ("tangent.gradient_confusion", 35, "confusion"), ("infinite.infinite_kernels", 35, "a kernel"),
    ("walls.wall_distances", 53, "distances"), ("walls.surrogate_distances", 53, "distances"), ("walls.padded_cosines", 80, "padded"),
    ("flow.decompose", 35, "all pairs"), ("flow.decompose", 191, "output splits"),
    ("regions1d.regions_on_encoded_segment", 20, "coefficients of a layer"),
    ("regions1d.regions_on_encoded_segment", 80, "coefficients of a layer on its pieces"),
])
def test_answers_too_large_for_memory_are_refused_before_they_are_made(door, limit, what, monkeypatch):
    monkeypatch.setattr(mlp, "MAX_ENTRIES", limit)
    with pytest.raises(ValueError, match=what + rf".*more than the {limit} allowed"):
        call(door)
    if "regions1d" not in door:
        monkeypatch.setattr(mlp, "MAX_ENTRIES", limit + 1 if limit != 35 or "flow" not in door else 10**6)
        call(door)


@pytest.mark.parametrize("call_with", [
    lambda other: spectrum.segment_transform(other, [1.0]), lambda other: spectrum.window_transform(other, [[1.0, 0.0]]),
    lambda other: regions1d.evaluate(other, [0.5]), lambda other: complex2d.locate(other, [[0.0, 0.0]]), complex2d.neighbours,
    moving_walls.edge_midpoints, lambda other: moving_walls.breakpoints(other, [0.0], [1.0]),
    lambda other: moving_walls.wall_velocity(PLANE, X, Y, other)])
@pytest.mark.parametrize("other", [None, (np.zeros((1, 2)), np.zeros(1, int)), "pieces"])
def test_what_comes_of_no_enumeration_is_refused(call_with, other):
    with pytest.raises(ValueError, match="must be (Pieces|EncodedPieces|Regions|Walls).* Got "):
        call_with(other)


@pytest.mark.parametrize("call_with", [
    lambda odd: measures.hamming_of_pairs(PLANE, X, odd), lambda odd: measures.time_to_half([0, 1], odd),
    lambda odd: moving_walls.region_events(odd, [0.0], [1.0]),
    lambda odd: moving_walls.region_events(lambda s: LINE, [0.0], [1.0], resolution=odd),
    lambda odd: complex2d.draw(odd, regions2d.regions_in_window(PLANE, BOX)), lambda odd: complex2d.draw(Figure().subplots(), odd),
    *(lambda odd, name=name: complex2d.draw(Figure().subplots(), regions2d.regions_in_window(PLANE, BOX), **{name: odd})
      for name in ("colour", "linewidth")),
    lambda odd: signals.elevation((4, 4), odd), lambda odd: signals.random_image(odd, np.random.default_rng(0)),
    lambda odd: files.save(odd, PLANE), files.load,
    train.sgd, lambda odd: train.adam(0.1, odd), lambda odd: train.adam(0.1, epsilon=odd)])
@pytest.mark.parametrize("odd", [None, object(), {}, [[1j]], np.array(["a"]), 10**400, (1.5, 2)],
                         ids=["None", "object", "dict", "complex", "text", "huge", "tuple"])
def test_what_is_of_another_kind_is_refused_by_name(call_with, odd):
    """Not by the TypeError or OverflowError of whatever comes upon it first."""
    with pytest.raises(ValueError, match="must|expected"):
        call_with(odd)
