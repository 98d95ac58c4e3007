"""The argument checks, each tested once on all kinds of invalid input; test_public_door tests that
they are called.

A check raises one ValueError that says what was expected and what was given, and accepts every
valid argument.
"""

import numpy as np
import pytest

from relu_dynamics.checks import (
    MAX_ENTRIES, as_real, check_bits, check_count, check_dtype, check_flag, check_indices,
    check_kind, check_net, check_net_and_rows, check_net_and_trace, check_number, check_pattern,
    check_rng, check_same_shapes, check_some, check_targets, check_widths,
)
from relu_dynamics.mlp import MLP, forward, init

NET = init((2, 5, 4, 2), np.random.default_rng(0))
X = np.random.default_rng(3).integers(-2, 3, (6, 2)) * 1.0
TRACE = forward(NET, X)


def spoiled(array, value):
    bad = array.copy()
    bad.flat[-1] = value
    return bad


ARRAYS = {
    "NaN": spoiled(X, np.nan), "inf": spoiled(X, np.inf), "-inf": spoiled(X, -np.inf),
    "1e300": spoiled(X, 1e300),
    "-1e300": spoiled(X, -1e300), "complex": X * 1j, "objects": X.astype(object),
    "text": X.astype(str), "None": None,
    "ragged": [[1.0], [1.0, 2.0]], "an axis too many": X[None], "an axis too few": X[0],
    "a word": "x",
    "dates": X.astype(int).astype("datetime64[D]"), "huge": 10**400, "object": object(), "dict": {},
}


@pytest.mark.parametrize("how", ARRAYS)
def test_hostile_arrays_are_refused(how):
    with pytest.raises(ValueError,
                       match="^x must be an array of finite real numbers of shape .*: rows.* "
                             "(Got|read)"):
        as_real("x", ARRAYS[how], (None, 2), "rows")


@pytest.mark.parametrize(
    "kind", [bool, np.int8, np.uint64, np.float16, np.float32, np.float64, np.longdouble])
def test_reals_of_every_kind_come_in_as_float64_unless_they_are_float32(kind):
    array = as_real("x", np.array([[0, 1]], kind), (None, 2), "rows")
    assert array.dtype == (np.float32 if kind is np.float32
                           else np.float64) and array.tolist() == [[0, 1]]


@pytest.mark.parametrize("q", [*ARRAYS.values(), X > 0, [[0, 1]]],
                         ids=[*ARRAYS, "a column too few", "numbers"])
def test_hostile_patterns_are_refused(q):
    with pytest.raises(ValueError, match=r"^q must be \(n, (H|9)\)"):
        check_pattern(NET, q)


def test_a_pattern_has_one_row_per_input():
    q = np.zeros((6, 9), bool)
    assert check_pattern(NET, q, 6) is q and check_bits("q", q.tolist()).dtype == bool
    with pytest.raises(ValueError,
                       match=r"^gates must be \(5, 9\): one pattern per row of x. Got shape \(6, "
                             r"9\)"):
        check_pattern(NET, q, 5, "gates")


NETS = {
    "NaN": NET._replace(weights=(*NET.weights[:-1], spoiled(NET.weights[-1], np.nan))),
    "inf in a bias": NET._replace(biases=(*NET.biases[:-1], spoiled(NET.biases[-1], np.inf))),
    "1e300": NET._replace(weights=(*NET.weights[:-1], spoiled(NET.weights[-1], 1e300))),
    "complex": NET._replace(weights=(*NET.weights[:-1], NET.weights[-1] * 1j)),
    "objects": NET._replace(weights=(*NET.weights[:-1], NET.weights[-1].astype(object))),
    "layers that do not fit": NET._replace(
        weights=(*NET.weights[:-1], NET.weights[-1][:, [0, 0, 0]])),
    "a bias too many": NET._replace(biases=(*NET.biases, NET.biases[-1])),
    "growth": MLP(tuple(1e40 * W for W in NET.weights), NET.biases),
    "no layers": MLP((), ()), "no biases": MLP(NET.weights, None), "no network": 3.0, "None": None,
    "a list of matrices": list(NET.weights), "two tuples": tuple(NET), "a trace": TRACE,
}


@pytest.mark.parametrize("how", NETS)
def test_hostile_networks_are_refused(how):
    with pytest.raises(ValueError, match=r"^net.* must .*(Got|grow to)"):
        check_net(NETS[how])


TRACES = {
    "of another network": forward(init((2, 5, 3, 2), np.random.default_rng(1)), X), "no trace": X,
    "None": None,
    "rows missing": TRACE._replace(inputs=[TRACE.inputs[0][:5], *TRACE.inputs[1:]]),
    "a layer missing": TRACE._replace(preacts=TRACE.preacts[1:]),
    "numbers for bits": TRACE._replace(pattern=[q * 1.0 for q in TRACE.pattern]),
    "arrays for lists": TRACE._replace(inputs=X),
}


@pytest.mark.parametrize("how", TRACES)
def test_hostile_traces_are_refused(how):
    with pytest.raises(ValueError, match="^trace must .* Got"):
        check_net_and_trace(NET, TRACES[how])


OUTSIDE = {"positive number": [0, -1.0], "number not below 0": [-1e-300],
           "number at least 0 and below 1": [1.0, -0.1], "number between 0 and 1": [0, 1],
           "number from 1e-13 to 1": [9e-14, 1.1]}


def test_numbers_inside_their_range_are_accepted():
    for wanted, values in {"positive number": [1e-300, 7], "number not below 0": [0],
                           "number at least 0 and below 1": [0, 0.9],
                           "number between 0 and 1": [0.5],
                           "number from 1e-13 to 1": [1e-13, 1]}.items():
        assert [check_number("k", value, wanted) for value in values] == values


@pytest.mark.parametrize(("call", "words"), [
    (lambda: check_count("k", True, 0), "whole number"),
    (lambda: check_count("k", 1.0, 0), "whole number"),
    (lambda: check_count("k", 2, 3), "at least 3. Got 2"),
    (lambda: check_count("k", MAX_ENTRIES + 1, 0), f"at most {MAX_ENTRIES}"),
    (lambda: check_count("k", 6, 0, 5), "at most 5. Got 6"),
    (lambda: check_count("k", None, 0), "Got None"),
    (lambda: check_flag("k", 1, "yes or no"), "True or False: yes or no. Got 1"),
    (lambda: check_flag("k", None, ""), "Got None"),
    *[(lambda value=value, wanted=wanted: check_number("k", value, wanted),
       f"k must be a finite {wanted}. Got")
      for wanted, values in OUTSIDE.items()
      for value in (*values, np.nan, np.inf, 10**400, "1", True, None, [1.0])],
    (lambda: check_dtype(np.float16), "np.float32 or np.float64"),
    (lambda: check_dtype(None), "Got None"), (lambda: check_dtype("nonsense"), "Got 'nonsense'"),
    (lambda: check_kind("k", 3, str, dict), "k must be str or dict. Got int"),
    (lambda: check_rng(0), "numpy.random.Generator"),
    (lambda: check_rng(np.random), "numpy.random.Generator"),
    (lambda: check_widths([3]), "at least the number of inputs and of outputs"),
    (lambda: check_widths("23"), "widths must list"),
    (lambda: check_some("k", X[:0], "why"), "k must have at least one row: why. Got shape"),
    (lambda: check_targets(NET, X, X[:5]), r"y must be .* \(6, 2\)"),
    (lambda: check_net_and_rows(NET, X[:, :1]), "as many columns as the net has inputs"),
    (lambda: check_same_shapes(NET, init((2, 5, 3, 2), np.random.default_rng(0)), "motion"),
     "motion must have the shapes of net"),
    *[(lambda rows=rows: check_indices("rows", rows, 5), "whole numbers from 0 to 4")
      for rows in ([5], [-1], [[0]], 3, [1.0], [True], ["a"])],
])
def test_hostile_single_values_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
