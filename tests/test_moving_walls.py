"""Moving walls: T18 and T20, against enumerations of the regions before and after."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from relu_dynamics.flow.moving_walls import (
    Walls, births_and_deaths, breakpoints, edge_midpoints, region_events, wall_velocity,
)
from relu_dynamics.mlp import MLP, backward, forward, init, predict
from relu_dynamics.patterns import pattern
from relu_dynamics.regions1d import regions_on_segment
from relu_dynamics.regions2d import regions_in_window
from relu_dynamics.testing import gaussian_nets

RNG = np.random.default_rng
SEEDS = st.integers(0, 999)


def stepped(net, motion, t):
    return MLP(
        *(
            tuple(p + t * v for p, v in zip(parts, by, strict=True))
            for parts, by in zip(net, motion, strict=True)
        )
    )


def random_motion(net, rng):
    return MLP(*(tuple(rng.normal(size=p.shape) / np.sqrt(p.size) for p in parts) for parts in net))


def preactivations(net, point):
    return np.concatenate([z[0] for z in forward(net, point[None]).preacts[:-1]])


# ----------------------------------------------------------------- T18: velocities


@given(gaussian_nets(inputs=st.just(1), width=8), SEEDS)
def test_breakpoints_move_at_their_wall_velocity(net, seed):
    """T18 in one dimension: enumerate a little before and a little after, match by order,
    difference quotient.
    """
    rng, h = RNG(seed), 1e-5
    motion, a, b = random_motion(net, rng), np.array([-2.0]), np.array([2.0])
    pieces = regions_on_segment(net, a, b)
    before, after = (regions_on_segment(stepped(net, motion, s), a, b) for s in (-h, h))
    assume(np.array_equal(before.owner, after.owner) and np.array_equal(before.owner, pieces.owner))
    assume(
        np.diff(pieces.t).min() > 1e-3
    )  # near a coincidence the quotient is not yet the derivative
    velocity = wall_velocity(
        net,
        [[0.0]],
        np.zeros((1, len(net.biases[-1]))),
        breakpoints(pieces, a, b),
        along=b - a,
        motion=motion,
    )
    quotient = (after.t - before.t)[1:-1] / (2 * h)
    slow = abs(quotient) < 10  # nearly parallel to the line: curved motion
    assert np.allclose(velocity[slow], quotient[slow], rtol=1e-4, atol=1e-5)


@given(gaussian_nets(inputs=st.just(2), hidden=st.integers(1, 2), width=6), SEEDS)
def test_edges_move_along_their_normals_at_the_wall_velocity(net, seed):
    """T18 in the plane: a point carried along with its wall stays on it to second order in time."""
    rng = RNG(seed)
    motion, regions = random_motion(net, rng), regions_in_window(net, ((-1, 1), (-1, 1)))
    walls = edge_midpoints(regions)
    velocity = wall_velocity(
        net, np.zeros((1, 2)), np.zeros((1, len(net.biases[-1]))), walls, motion=motion
    )
    lengths = np.linalg.norm(
        np.diff(regions.vertices[regions.edges[regions.edge_owner >= 0]], axis=1)[:, 0], axis=1
    )
    assert len(velocity) == (regions.edge_owner >= 0).sum()
    for point, unit, speed, length in zip(*walls, velocity, lengths, strict=True):
        h = min(1e-6, 1e-3 * length) / max(1.0, abs(speed))
        gradient = np.array(
            [
                preactivations(net, point + e)[unit] - preactivations(net, point - e)[unit]
                for e in 1e-6 * np.eye(2)
            ]
        )
        if length < 1e-4 or np.linalg.norm(gradient) < 1e-8:
            continue
        normal = gradient / np.linalg.norm(gradient)
        moved = stepped(net, motion, h)
        carried = preactivations(moved, point + h * speed * normal)[unit]
        left_behind = preactivations(moved, point)[unit]
        assert abs(carried) <= 1e-3 * abs(left_behind) + 1e-12


def test_gradient_flow_is_the_motion_unless_another_is_given():
    """T18: theta' = -grad loss."""
    rng = RNG(0)
    net, x, y = init([1, 12, 12, 2], rng), rng.uniform(-1, 1, (9, 1)), rng.normal(size=(9, 2))
    trace = forward(net, x)
    descent = backward(net, trace, -2 / y.size * (predict(net, x) - y))
    walls = breakpoints(regions_on_segment(net, [-1.0], [1.0]), [-1.0], [1.0])
    given_ = wall_velocity(net, x, y, walls, motion=MLP(descent.weights, descent.biases))
    assert (
        np.allclose(wall_velocity(net, x, y, walls), given_, rtol=1e-12)
        and len(given_) > 5
        and given_.any()
    )
    q = rng.random((9, 24)) < 0.5
    gated = backward(net, forward(net, x, q), -2 / y.size * (predict(net, x, q) - y))
    expected = wall_velocity(net, x, y, walls, motion=MLP(gated.weights, gated.biases))
    assert (
        np.allclose(wall_velocity(net, forward(net, x, q), y, walls), expected, rtol=1e-12)
        and (expected != given_).any()
    )


def test_velocity_on_a_line_is_normal_velocity_over_the_cosine():
    """T18: along a direction the same wall is met faster, by one over the cosine of the angle to
    its normal.
    """
    net = MLP((np.array([[3.0, 4.0]]), np.ones((1, 1))), (np.array([-1.0]), np.zeros(1)))
    motion = MLP((np.zeros((1, 2)), np.zeros((1, 1))), (np.array([-10.0]), np.zeros(1)))
    wall = Walls(np.array([[0.2, 0.1], [1.0, -0.5]]), np.array([0, 0]))
    x, y = np.zeros((1, 2)), np.zeros((1, 1))
    assert np.allclose(wall_velocity(net, x, y, wall, motion=motion), [2, 2])
    assert np.allclose(
        wall_velocity(net, x, y, wall, along=[0.0, 2.0], motion=motion), [10 / 8] * 2
    )
    assert np.allclose(
        wall_velocity(net, x, y, wall, along=[[1.0, 0.0], [0.0, -1.0]], motion=motion),
        [10 / 3, -10 / 4],
    )
    assert np.isnan(wall_velocity(net, x, y, wall, along=[4.0, -3.0], motion=motion)).all()


# ------------------------------------------------------------------ T20: events


@settings(max_examples=15)  # each enumerates at many times
@given(gaussian_nets(inputs=st.just(1), hidden=st.integers(1, 2), width=4), SEEDS)
def test_every_event_is_a_sign_change_at_a_vertex_and_counts_as_its_kind_says(net, seed):
    """T20: at an event z_u vanishes at an end or at another unit's breakpoint; its slopes there say
    how many pieces are born.
    """
    rng = RNG(seed)
    motion, a, b = random_motion(net, rng), np.array([-2.0]), np.array([2.0])
    events = region_events(lambda s: stepped(net, motion, s), a, b, samples=4, resolution=1e-9)
    for event in events:
        now, point = stepped(net, motion, event.time), a + event.place * (b - a)
        z, scale = preactivations(now, point), 1 + max(abs(p).max() for part in now for p in part)
        if event.kind == "several" or len(event.units) > 2:
            continue
        if (
            event.kind == "plateau"
        ):  # the unit's input is constant: some unit switches on a whole piece of positive length
            assert any(
                min(abs(preactivations(now, point + s * e)[u]) for s in (-1, 1)) < 1e-6 * scale
                for u in event.units
                for e in (1e-4,)
            )
            continue
        if event.kind == "end":
            (u,) = event.units
            assert (
                min(event.place, 1 - event.place) < 1e-5
                and abs(z[u]) < 1e-5 * scale
                and abs(event.born) == 1
            )
            continue
        assert event.born == 0 if event.kind == "passing" else abs(event.born) == 2
        assert abs(z[list(event.units)]).max() < 1e-5 * scale
        later = max(event.units)  # the earlier unit's breakpoint is the vertex
        e = 1e-4
        left, right = (preactivations(now, point + s * e)[later] for s in (-1, 1))
        if min(abs(left), abs(right)) > 1e-5 * scale:  # no third breakpoint this near
            assert (left * right > 0) == (event.kind == "extremum")


@settings(max_examples=15)  # each enumerates at many times
@given(gaussian_nets(inputs=st.just(1), hidden=st.integers(1, 2), width=4), SEEDS)
def test_events_account_for_the_number_of_pieces_at_every_time(net, seed):
    """T20: count at the start plus what was born so far is the count on a fine grid of times."""
    rng = RNG(seed)
    motion, a, b = random_motion(net, rng), np.array([-2.0]), np.array([2.0])
    events = region_events(lambda s: stepped(net, motion, s), a, b, samples=16, resolution=1e-7)
    times = np.linspace(0, 1, 17)
    counts = [len(regions_on_segment(stepped(net, motion, s), a, b).pattern) for s in times]
    assert counts == [
        counts[0] + sum(event.born for event in events if event.time < s) for s in times
    ]
    assert [event.time for event in events] == sorted(event.time for event in events)


def test_a_valley_that_rises_through_zero_takes_two_breakpoints_with_it():
    """T20: |x| - 1/2 + s on [-1, 1] has walls at +-(1/2 - s), which meet at the breakpoint 0 at s =
    1/2 and are gone.
    """
    def path(s):
        return MLP((np.array([[1.0], [-1.0]]), np.array([[1.0, 1.0]]), np.ones((1, 1))),
                   (np.zeros(2), np.array([s - 0.5]), np.zeros(1)))
    (event,) = region_events(path, [-1.0], [1.0])
    assert (event.kind, event.born, event.units) == (
        "extremum",
        -2,
        (0, 1, 2),
    )  # both first-layer walls lie at 0
    assert abs(event.time - 0.5) < 1e-6 and abs(event.place - 0.5) < 1e-6


def test_a_plateau_that_rises_through_zero_takes_the_breakpoint_beside_it():
    """T20: max(x, 0) - 1/2 + s: its zero 1/2 - s comes to the plateau x < 0 at s = 1/2, and the
    unit is on from there.
    """
    def path(s):
        return MLP((np.ones((1, 1)),) * 3, (np.zeros(1), np.array([s - 0.5]), np.zeros(1)))
    (event,) = region_events(path, [-1.0], [1.0])
    assert (event.kind, event.born, event.units) == ("plateau", -1, (1,))
    assert abs(event.time - 0.5) < 1e-8 and abs(event.place - 0.5) < 1e-8


def test_a_unit_without_a_wall_that_switches_everywhere_at_once_has_no_place():
    (event,) = region_events(
        lambda s: MLP((np.zeros((1, 1)), np.ones((1, 1))), (np.array([s - 0.25]), np.zeros(1))),
        [-1.0],
        [1.0],
    )
    assert (event.born, event.units, event.place) == (0, (), 0.0) and abs(event.time - 0.25) < 1e-8


def test_events_closer_than_the_resolution_are_several():
    """Walls that pass at s = 1/2 and, elsewhere, at 3/5."""
    def path(s):
        return MLP(
            (np.ones((4, 1)), np.ones((1, 4))),
            (np.array([-0.25 - 0.5 * s, -0.5, 0.5 * s - 0.2, 0.1]), np.zeros(1)),
        )

    (event,) = region_events(path, [-1.0], [1.0], samples=1, resolution=0.9)
    assert (event.kind, event.born, event.units) == (
        "several",
        0,
        (0, 1, 2, 3),
    ) and 0.5 < event.time < 1
    assert [event.kind for event in region_events(path, [-1.0], [1.0], samples=1)] == [
        "passing",
        "passing",
    ]


def test_walls_of_one_layer_pass_through_each_other_and_keep_the_count():
    """T20: z_u is smooth at a breakpoint of its own layer, so one piece dies as another is born."""
    def path(s):
        return MLP(
            (np.ones((2, 1)), np.ones((1, 2))), (np.array([-0.25 - 0.5 * s, -0.5]), np.zeros(1))
        )

    for samples in (1, 2, 3):  # with two, one sample hits the event
        (event,) = region_events(path, [0.0], [1.0], samples=samples)
        assert (event.kind, event.born, event.units) == ("passing", 0, (0, 1)) and abs(
            event.time - 0.5
        ) < 1e-8
    before, after = (regions_on_segment(path(s), [0.0], [1.0]).pattern for s in (0, 1))
    born, died = births_and_deaths(before, after)
    assert born.tolist() == [False, True, False] and died.tolist() == [False, True, False]


def test_a_path_without_events_is_evaluated_once_per_sample_and_at_the_start():
    net, seen = init([1, 4, 1], RNG(0)), []
    assert region_events(lambda s: seen.append(s) or net, [0.0], [1.0], samples=4) == []
    assert seen == [0, 0.25, 0.5, 0.75, 1]


@given(gaussian_nets(inputs=st.just(2), hidden=st.integers(1, 2), width=5), SEEDS)
def test_births_and_deaths_match_regions_by_pattern(net, seed):
    """A region that keeps its pattern is kept; kept + born is what there is, kept + died what there
    was.
    """
    moved = stepped(net, random_motion(net, RNG(seed)), 0.3)
    before, after = (regions_in_window(n, ((-1, 1), (-1, 1))).pattern for n in (net, moved))
    born, died = births_and_deaths(before, after)
    old, new = ({tuple(row) for row in part.tolist()} for part in (before, after))
    assert {tuple(row) for row in after[born].tolist()} == new - old and {
        tuple(row) for row in before[died].tolist()
    } == old - new
    assert len(before) - died.sum() == len(after) - born.sum()


# ----------------------------------------------------------------- the public door


@pytest.mark.parametrize(("walls", "along", "words"), [
    (Walls(np.zeros((2, 1)), np.array([0])), None, "one entry per point"),
    (Walls(np.zeros((1, 1)), np.array([24])), None, "units"),
    (Walls(np.zeros((1, 2)), np.array([0])), None, "points"),
    (Walls(np.zeros((1, 1)), np.array([0])), np.zeros(2), "along"),
    (Walls(np.full((1, 1), np.nan), np.array([0])), None, "points"),
])
def test_bad_walls_are_refused(walls, along, words):
    net = init([1, 12, 12, 2], RNG(0))
    with pytest.raises(ValueError, match=words):
        wall_velocity(net, np.zeros((1, 1)), np.zeros((1, 2)), walls, along=along)


def test_bad_paths_and_patterns_are_refused():
    net = init([1, 4, 1], RNG(0))
    for resolution in (0.0, 1.0, np.nan):
        with pytest.raises(ValueError, match="resolution"):
            region_events(lambda s: net, [0.0], [1.0], resolution=resolution)
    with pytest.raises(ValueError, match="samples"):
        region_events(lambda s: net, [0.0], [1.0], samples=0)
    with pytest.raises(ValueError, match="samples must be at most"):
        region_events(lambda s: net, [0.0], [1.0], samples=2**31)
    with pytest.raises(ValueError, match="motion must have the shapes"):
        wall_velocity(
            net,
            np.zeros((1, 1)),
            np.zeros((1, 1)),
            Walls(np.zeros((1, 1)), np.array([0])),
            motion=init([1, 5, 1], RNG(0)),
        )
    with pytest.raises(ValueError, match="as many units"):
        births_and_deaths(np.zeros((2, 3), bool), np.zeros((2, 4), bool))
    assert not pattern(net, np.zeros((0, 1))).any()


def test_ends_of_half_the_digits_are_taken_as_they_are_and_others_refused():
    net = init([2, 20, 1], RNG(0))
    a, b = (RNG(1).normal(size=(2, 2)) * 1000).astype(np.float32)
    pieces = regions_on_segment(net, a, b)
    points = breakpoints(pieces, a, b).points
    assert len(points) and np.array_equal(points, breakpoints(pieces, a.astype(float), b).points)
    for ends in ((a, a), ([], b), (a, b[:1]), ([np.nan, 0], b)):
        with pytest.raises(ValueError):
            breakpoints(pieces, *ends)
