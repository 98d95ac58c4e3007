"""Moving walls: the velocity of walls while the network learns, and births and deaths of regions.

In the cell of a pattern the wall of unit u is z_u(x; theta) = 0, with the pattern of the layers
before it held fixed.  If the parameters move at the velocity theta', the wall moves at

    v = -(d z_u/d theta . theta') / |grad_x z_u|     along grad_x z_u / |grad_x z_u|          (T18)

and on a line x(t) = a + t (b - a) its breakpoint at -(d z_u/d theta . theta') / (d z_u/dt).

While no pre-activation z_u changes its sign at a vertex of the complex of the other units of its
own and earlier layers, walls move, but the set of patterns stays the same.  On a line the vertices
are the two ends and the breakpoints of those units, with four kinds of events (T20 and two more):

    end        the wall of u enters or leaves at an end: 1 piece is born or dies
    extremum   z_u has a local extremum at the breakpoint, and two walls of u appear or vanish
               there: 2 pieces are born or die
    passing    z_u is monotone there (always for two units of one layer), and the wall passes
               through the breakpoint: the count stays, one pattern replaces another
    plateau    all units before u are off on a piece, so z_u is constant there and switches on the
               whole piece at once: births and deaths depend on the neighbouring pieces
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import (
    Array, Bits, cast, check_count, check_direction, check_ends, check_function, check_kind,
    check_more_rows, check_net, check_number, check_same_shapes, check_same_units, check_units,
)
from relu_dynamics.mlp import MLP, Trace, joined_pattern, trace_blocks, traced_examples
from relu_dynamics.patterns import maps_of, pack, unique_words
from relu_dynamics.regions1d import Pieces, regions_on_segment
from relu_dynamics.regions2d.regions import Regions
from relu_dynamics.tangent import descent, rates
from relu_dynamics.walls import Walls, lengths


class Event(NamedTuple):
    """One change in the order of the breakpoints on a line."""

    time: float    # the middle of the interval that contains it
    kind: str      # "end", "extremum", "passing", "plateau"; "several": events not separated
    born: int      # pieces after - pieces before
    units: tuple[int, ...]  # whose breakpoints appear, vanish or change places
    place: float   # on the line, 0 to 1


# -------------------------------------------------------------------- velocities


def wall_velocity(
    net: MLP, x: ArrayLike | Trace, y: ArrayLike, walls: Walls, *,
    along: ArrayLike | None = None, motion: MLP | None = None,
) -> Array:
    """(k,): the velocity of each unit's wall at each point, under gradient flow on x, y (T18).

    walls are points on walls, (k, m[0]), and their units: breakpoints() and edge_midpoints().
    Positive: the wall moves along grad z_u, to the side where the unit is on, which shrinks.
    along, (m[0],) or (k, m[0]), measures along that direction instead: after a short time t the
    wall is at point + t * velocity * along.  For breakpoints on a segment along is b - a, on an
    encoded curve its tangent.  motion, shaped like net, is the velocity of the parameters, by
    default that of gradient flow.  NaN where the unit has no wall or the wall is parallel to along.

    >>> import relu_dynamics as rd
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> walls = rd.breakpoints(rd.regions_on_segment(hat, [-1.0], [3.0]), [-1.0], [3.0])
    >>> rd.wall_velocity(hat, [[0.5], [1.5]], [[1.0], [0.0]], walls).tolist()  # the peak goes left
    [-0.0, -2.5]
    """
    check_kind("walls", walls, Walls)
    if motion is None:
        net, trace, y = traced_examples(net, x, y)
        motion = descent(net, trace, y)
    else:
        net = cast(check_net(net), np.dtype(np.float64))
        motion = check_same_shapes(net, motion, "motion")
    points = check_more_rows(net, walls.points, "points")
    units = check_units(net, walls.units, len(points))
    direction = None if along is None else check_direction("along", along, points)
    velocity = np.empty(len(points))
    for rows, at in trace_blocks(net, points, 512):
        here = np.arange(len(units[rows])), units[rows]
        rate = np.concatenate(rates(net, at, motion)[:-1], axis=1)[here]
        gradient = maps_of(net, joined_pattern(at))[0][here]
        slope = lengths(gradient) if direction is None else np.vecdot(gradient, direction[rows])
        velocity[rows] = np.divide(-rate, slope, out=np.full(len(rate), np.nan), where=slope != 0)
    return velocity


def breakpoints(pieces: Pieces, a: ArrayLike, b: ArrayLike) -> Walls:
    """The inner breakpoints of regions_on_segment(net, a, b).

    ValueError unless a and b are two different points.
    """
    check_kind("pieces", pieces, Pieces)
    a, b = check_ends(a, b, None, "the ends of the segment of pieces")
    return Walls(a + pieces.t[1:-1, None] * (b - a), pieces.owner)


def edge_midpoints(regions: Regions) -> Walls:
    """The midpoint of every edge that lies on a wall."""
    check_kind("regions", regions, Regions)
    inner = regions.edge_owner >= 0
    return Walls(regions.vertices[regions.edges[inner]].mean(axis=1), regions.edge_owner[inner])


# ------------------------------------------------------------- births and deaths


def births_and_deaths(before: Bits, after: Bits) -> tuple[Bits, Bits]:
    """(k2,) which patterns of after, (k2, H), are new; (k1,) which of before, (k1, H), are gone.

    A cell is convex, so on a line and in a convex window every pattern has one region, and regions
    are matched by pattern.
    """
    before, after = check_same_units(("before", before), ("after", after))
    _, group = unique_words(np.concatenate([pack(before), pack(after)]))
    groups = int(group.max(initial=-1)) + 1
    first, second = group[: len(before)], group[len(before) :]
    old, new = (np.bincount(part, minlength=groups) > 0 for part in (first, second))
    return ~old[second], ~new[first]


def region_events(
    path: Callable[[float], MLP], a: ArrayLike, b: ArrayLike, *,
    samples: int = 16, resolution: float = 1e-9,
) -> list[Event]:
    """The events on the segment from a to b while the network is path(s), 0 <= s <= 1 (T20).

    path is continuous: a step of descent, (1 - s) theta0 + s theta1, or a part of a trajectory.
    It is first sampled at samples + 1 times; an interval with different ends is halved until it is
    narrower than resolution.  Events closer than that may be returned as one of kind "several";
    events that undo each other between two samples are missed.  The sum of born over all events is
    always the difference in the number of pieces between the two ends.
    """
    count = check_count("samples", samples, 1, 2**20)
    check_function("path", path, "from [0, 1] to networks")
    check_number("resolution", resolution, "number between 0 and 1")
    first = [(s, _line(path(s), a, b)) for s in np.linspace(0, 1, count + 1).tolist()]
    inner = [this for before, this, after in zip(first[:-2], first[1:-1], first[2:], strict=True)
             if not this[1].within_an_event(before[1], after[1])]
    kept = [first[0], *inner, first[-1]]
    parts = list(zip(kept[:-1], kept[1:], strict=True))[::-1]
    events: list[Event] = []
    while parts:
        (start, before), (end, after) = parts.pop()
        if before[:2] == after[:2]:
            continue
        wide = end - start > resolution
        middle = _between(path, a, b, start, end, before, after) if wide else None
        if middle is None:
            events.append(_event((start + end) / 2, before, after))
        else:
            parts += [(middle, (end, after)), ((start, before), middle)]
    return events


Switches = tuple[tuple[int, ...], ...]  # the units that switch, breakpoint by breakpoint


class _Line(NamedTuple):
    """The combinatorial type of a network on a segment, and its breakpoints."""

    start: bytes        # the pattern at the start
    switches: Switches
    t: Array            # of the inner breakpoints

    @property
    def coincidences(self) -> int:
        return sum(len(units) - 1 for units in self.switches)

    def within_an_event(self, before: _Line, after: _Line) -> bool:
        """Whether breakpoints that are distinct before and after coincide here, up to rounding."""
        return self.coincidences > min(before.coincidences, after.coincidences)


def _line(net: MLP, a: ArrayLike, b: ArrayLike) -> _Line:
    pieces = regions_on_segment(net, a, b)
    place, unit = np.nonzero(pieces.pattern[1:] ^ pieces.pattern[:-1])
    switches = np.split(unit, np.searchsorted(place, np.arange(1, len(pieces.owner))))
    switching = tuple(tuple(units.tolist()) for units in switches if len(units))
    return _Line(pieces.pattern[0].tobytes(), switching, pieces.t[1:-1])


def _between(
    path: Callable[[float], MLP], a: ArrayLike, b: ArrayLike,
    start: float, end: float, before: _Line, after: _Line,
) -> tuple[float, _Line] | None:
    """A time near the middle, not within an event, and its line; None after three attempts."""
    for share in (0.5, 0.4, 0.6):
        time = start + share * (end - start)
        line = _line(path(time), a, b)
        if not line.within_an_event(before, after):
            return time, line
    return None


def _event(time: float, before: _Line, after: _Line) -> Event:
    """The event between two lines: the part between their common first and last breakpoints."""
    old, new = before.switches, after.switches
    shorter = min(len(old), len(new))
    first = next((k for k in range(shorter) if old[k] != new[k]), shorter)
    last = next((k for k in range(shorter - first) if old[-1 - k] != new[-1 - k]), shorter - first)
    old_part, new_part = old[first : len(old) - last], new[first : len(new) - last]
    less, more = sorted((old_part, new_part), key=len)
    units = tuple(sorted({unit for part in (*less, *more) for unit in part}))
    start_switches = before.start != after.start
    if not less and len(more) == 1 and (first if start_switches else last) == 0:
        kind = "end"
    elif len(less) == 1 and more == (more[0], *less, more[0]):
        kind = "extremum"
    elif len(less) == 2 and more == less[::-1]:
        kind = "passing"
    elif any(_without(unit, old) == _without(unit, new) for unit in units):
        kind = "plateau"
    else:
        kind = "several"
    place = (after if len(new_part) >= len(old_part) else before).t[first : first + len(more)]
    return Event(time, kind, len(new) - len(old), units, float(place.mean()) if len(place) else 0.0)


def _without(unit: int, switches: Switches) -> list[tuple[int, ...]]:
    """The sequence of breakpoints without those of one unit."""
    rest = (tuple(u for u in units if u != unit) for units in switches)
    return [units for units in rest if units]
