"""The argument checks, each tested once on all kinds of invalid input; test_public_door tests that
they are called.

A check raises one ValueError that says what was expected and what was given, and accepts every
valid argument.
"""

import numpy as np
import pytest

import relu_dynamics as rd
from relu_dynamics import checks
from relu_dynamics.checks import (
    MAX_ENTRIES, as_real, check_bits, check_count, check_dtype, check_flag, check_indices,
    check_kind, check_net, check_net_and_rows, check_number, check_pattern,
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
    "masked": np.ma.masked_greater(X, 1), "nothing masked": np.ma.array(X),
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
        checks.check_trace(NET, TRACES[how])


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


SEGMENT = np.array([[0.0, 0.0], [1.0, 0.0]])
BOXES = np.array([[[0.0, 1.0], [0.0, 1.0]], [[1.0, 2.0], [0.0, 1.0]]])  # with a side in common

# Every other check: the nearest valid values, and the nearest invalid ones with words of the error.
AT_THE_EDGE = {
    "at most": (checks.check_at_most, [("k", 3, 3, "why")], [("k", 4, 3, "why")], "most 3: why"),
    "bits": (checks.check_bits, [("q", X > 0)], [("q", (X > 0)[0]), ("q", X)], "one pattern per"),
    "box": (checks.check_box, [(X[0], X[0] - 1, X[0]), (X[0], -9.0, 9.0)],
            [(X[0], X[0], X[0]), (X[0], X[0] + 1, X[0] + 2)], "x between them"),
    "choice": (checks.check_choice, [("k", "a", "a", "b")], [("k", "c", "a"), ("k", 1, "a")],
               "k must be 'a'"),
    "coefficients": (checks.check_coefficients, [(X * 1j, 6)], [(X, 5), (X[0], 2), ([["a"]], 1)],
                     "one row per frequency"),
    "columns": (checks.check_columns, [(NET, 2, 1)], [(NET, 4, 2)], "4 columns of 2"),
    "convex": (checks.check_convex, [(np.full(4, np.pi / 2),)],
               [(np.array([4.0, -0.1, 2.0]),), (np.full(4, np.pi),)], "convex"),
    "corners": (checks.check_corners, [([[0, 1], [0, 1]],), ([[0, 0], [1, 0], [0, 1]],)],
                [([[0, 1], [1, 1]],), ([[1, 1], [0, 1]],), ([[0, 0]],),
                 ([[0, 0], [1, 0], [0, 0]],)], "window must"),
    "counts": (checks.check_counts, [("k", (0, 5), 0, 5), ("k", [], 0, 5)],
               [("k", [6], 0, 5), ("k", [-1], 0, 5), ("k", 3, 0, 5)], "list of whole numbers"),
    "cycles": (checks.check_cycles, [([1, -7], 8)], [([8], 8), ([0], 8), ([1.0], 8), (3, 8)],
               "multiple of n = 8"),
    "depth": (checks.check_depth, [(NET, 2), (NET, 1), (NET, None)], [(NET, 3), (NET, 0)],
              "layers must be"),
    "direction": (checks.check_direction, [("u", X[0], X), ("u", X, X)], [("u", X[:5], X)],
                  r"u must be \(2,\) or \(6, 2\)"),
    "ends": (checks.check_ends, [(*SEGMENT, 2, "")], [(SEGMENT[0], SEGMENT[0], 2, "")],
             "two ends"),
    "fields": (checks.check_fields, [("k", NET, "a net", "weights")], [("k", X, "a net", "biases")],
               "k must be a net"),
    "finite": (checks.check_finite, [("k", X, "")], [("k", np.array([np.inf]), "")],
               "not overflow"),
    "grid": (checks.check_grid, [((6,), 6), ((2, 3), 6)], [((5,), 6), ("6", 6), ((1, 2, 3), 6)],
             "grid must"),
    "increasing": (checks.check_increasing, [("k", 0, 1)], [("k", 1, 1), ("k", 0, np.inf)],
                   "low < high|finite"),
    "index pairs": (checks.check_index_pairs, [([0], [4], 5)], [([0], [5], 5), ([0, 1], [1], 5)],
                    "must be a 1-D array of row indices"),
    "layer numbers": (checks.check_layer_numbers, [(NET, [3, 1]), (NET, None)],
                      [(NET, [1, 1]), (NET, [4]), (NET, [0]), (NET, 2)], "layers must be a list"),
    "no biases": (checks.check_no_biases, [("k", NET._replace(biases=(np.zeros(5),)))],
                  [("k", NET)], "every bias must be 0"),
    "order": (checks.check_order, [("k", ["b", "a"], ("a", "b"))],
              [("k", ["a", "a"], ("a", "b")), ("k", "ab", ("a", "b"))], "in some order"),
    "pairs": (checks.check_pairs, [("k", np.eye(2))], [("k", X), ("k", [1.0])], "row and one col"),
    "patch": (checks.check_patch, [(2, (4, 6)), (None, None)], [(4, (4, 6)), (2, None), (0, (4,))],
              "patch must"),
    "boxes": (checks.check_boxes, [(BOXES,), (BOXES[:1],)],
              [(BOXES[[0, 0]],), (BOXES * 0.75 + [[[0.25]], [[0]]],), (BOXES[:0],), (BOXES[:, :1],)],
              "that do not overlap"),
    "pieces": (checks.check_piece_count, [(3, 3)], [(4, 3)], "more than max_regions = 3"),
    "record": (checks.check_record, [(print, [0, 4], 4), (None, None, 4)],
               [(print, [5], 4), (None, [1], 4), (3, None, 4)], "record"),
    "records": (checks.check_records, [([0, 1], [[1], [np.nan]])],
                [([0, 0], [[1], [1]]), ([0], [[1], [1]]), ([], []), ([0], [["a"]]),
                 ([0], [[np.inf]])],
                "epochs must|errors must"),
    "same outputs": (checks.check_same_outputs, [(X, X + 1, 1.0)],
                     [(X, X + 1, 0.9), (X, X[:5], 1.0)], "evaluation mode"),
    "same units": (checks.check_same_units, [(("q", X > 0), ("p", X[:2] > 0))],
                   [(("q", X > 0), ("p", X[:, :1] > 0))], "as many units"),
    "samples": (checks.check_samples, [(1,), ((2, 3),)], [(0,), ((2, 3, 4),), (1.0,), (2**29,)],
                "shape must|shape must be a whole"),
    "shapes of arrays": (as_real, [("k", [0, 1], (None,), "", 0, 1)],
                         [("k", [-1e-9], None, "", 0), ("k", [2], None, "", 0, 1)], "at index"),
    "size": (checks.check_size, [("K", (2**15, 2**15), "")], [("K", (2**15, 2**15 + 1), "")],
             "K would have shape"),
    "smaller": (checks.check_smaller, [((6,), X)], [((7,), X), ((2, 3), X)], "shape must"),
    "times": (checks.check_times, [([0.0, 1.0],)], [([],), ([1.0, 1.0],), ([-1.0, 0.0],)],
              "t must"),
    "units": (checks.check_units, [(NET, [8, 0], 2)], [(NET, [9, 0], 2), (NET, [0], 2)],
              "units must .*, one entry per point, 2"),
    "vectors": (checks.check_vectors, [("k", X, "", 6)], [("k", X, "", 7), ("k", X[:, :0], "")],
                "k must be "),
    "visible": (checks.check_visible, [(np.array([0.0, 1.0]), 1.0)], [(np.array([0.5]), 1.0)],
                "so small"),
    "waves": (checks.check_wave_count, [(3.0, 3)], [(3.1, 3)], "longer than 3"),
    "words": (checks.check_words, [(rd.pack(X > 0), 2), (rd.pack(X > 0), 64)],
              [(rd.pack(X > 0), 65), (rd.pack(X > 0), -1), (X > 0, 2), ([[1]], 2),
               (np.zeros(2, np.uint64), 2)], "words must be|units must be"),
    "weights": (checks.check_weights, [(np.zeros(6), X), (None, X)],
                [(-np.ones(6), X), (np.ones(5), X)], "weights must"),
    "widths": (checks.check_widths, [([1, 0, 1],), ([2**14 - 1, 2**14],)],
               [([0, 1],), ([1, 0],), ([2**14, 2**14],)], "widths"),
}


@pytest.mark.parametrize("name", AT_THE_EDGE)
def test_valid_values_are_accepted_up_to_the_edge_and_none_beyond(name):
    check, inside, outside, words = AT_THE_EDGE[name]
    for arguments in inside:
        check(*arguments)
    for arguments in outside:
        with pytest.raises(ValueError, match=words):
            check(*arguments)
