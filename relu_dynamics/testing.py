"""Tools to test conjectures: strategies for networks, exact answers, and checks with numbers.

Strategies for Hypothesis (`pip install hypothesis`; it is imported when a strategy is made):

    lattice_nets       half-integer weights: forward and backward passes are exact, so test with ==
    degenerate_nets    zero, equal and opposite units, dead layers, ... by construction
    exact_nets         either of these
    gaussian_nets      in general position, of realistic widths
    trained_nets       after some steps of Adam on a random signal
    with_rows          (net, x, ...), x being half-integer inputs, where lattice networks often tie

Their sizes are numbers, ranges (least, most) or strategies: lattice_nets(inputs=2, hidden=(1, 3)).

Exact answers in rational arithmetic, from the specification, for up to a few dozen units:

    exact_pieces       of a segment
    exact_regions      of a window

Checks of the package's results or of yours; they raise AssertionError with the numbers:

    check_gradient     backward: against exact difference quotients inside one region
    check_kernel       tangent_kernel: against the explicit Jacobian
    check_pieces       regions_on_segment: the same patterns, with the same ends in t
    check_regions      regions_in_window: the same patterns, with the same areas
    check_flow         decompose: every split has the sum -|gradient|^2
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relu_dynamics import specification as spec
from relu_dynamics.checks import Array, check_targets
from relu_dynamics.flow.decompose import Flow, decompose
from relu_dynamics.geometry import check_window
from relu_dynamics.mlp import MLP, Gradient, backward, forward, init, traced
from relu_dynamics.regions1d import Pieces, regions_on_segment
from relu_dynamics.regions2d.regions import Regions, regions_in_window
from relu_dynamics.tangent import tangent_kernel
from relu_dynamics.training import adam, train

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    Strategy: TypeAlias = SearchStrategy[Any]
    Count: TypeAlias = int | tuple[int, int] | SearchStrategy[int]

Pattern = tuple[bool, ...]


# -------------------------------------------------------------------- strategies


@functools.cache  # making a strategy takes longer than drawing from it
def halves(shape: tuple[int, ...], largest: int = 3) -> Strategy:
    """Arrays of half-integers in [-largest, largest].

    Integer arrays are drawn and then divided: mapping the elements would switch off the fill value
    of Hypothesis, which makes zeros and repeated entries common.
    """
    from hypothesis.extra import numpy as hnp

    return hnp.arrays(np.int64, shape,
                      elements=_count((-2 * largest, 2 * largest))).map(lambda a: a / 2)


def lattice_nets(
    inputs: Count = (1, 3), outputs: Count = (1, 3), hidden: Count = (0, 3), width: int = 4
) -> Strategy:
    """Networks with half-integer parameters in [-3, 3], hidden layers of 1 to width units.

    Up to three hidden layers of width 4, forward and backward passes are dyadic rationals well
    inside 53 bits.  They shrink to networks that can be read: MLP(([[.5]], [[.5]]), ...).
    """
    def make(draw: Any) -> MLP:
        m = _widths(draw, inputs, outputs, hidden, width)
        return MLP(tuple(draw(halves((b, a))) for a, b in zip(m, m[1:], strict=False)),
                   tuple(draw(halves((b,))) for b in m[1:]))

    return _composite(make)


def gaussian_nets(
    inputs: Count = (1, 3), outputs: Count = (1, 3), hidden: Count = (1, 3), width: int = 32
) -> Strategy:
    """Networks in general position: weights N(0, 1/fan_in), biases N(0, 1/4)."""
    def make(draw: Any) -> MLP:
        m, rng = _widths(draw, inputs, outputs, hidden, width), _generator(draw)
        shapes = zip(m[1:], m, strict=False)
        return MLP(tuple(rng.normal(size=shape) / np.sqrt(shape[1]) for shape in shapes),
                   tuple(rng.normal(size=b) / 2 for b in m[1:]))

    return _composite(make)


def trained_nets(
    inputs: Count = (1, 2), outputs: Count = (1, 2), hidden: Count = (1, 2), width: int = 16,
    epochs: int = 50,
) -> Strategy:
    """Networks after some epochs of Adam on 32 random points with normal targets."""
    def make(draw: Any) -> MLP:
        m, rng = _widths(draw, inputs, outputs, hidden, width), _generator(draw)
        x, y = rng.uniform(size=(32, m[0])), rng.normal(size=(32, m[-1]))
        net, _ = train(init(m, rng), x, y, optimiser=adam(0.02), epochs=epochs, rng=rng)
        return net

    return _composite(make)


def nets_with_a_zero_unit(**sizes: Any) -> Strategy:
    """Networks in which one unit is exactly 0 everywhere: off, and without a wall."""
    def change(draw: Any, W: Array, b: Array) -> None:
        u = _unit(draw, b)
        W[u], b[u] = 0, 0

    return _changed(change, **sizes)


def nets_with_duplicate_units(**sizes: Any) -> Strategy:
    """Networks in which two units (or one unit drawn twice) have equal walls and sides."""
    return _changed(_copied([0.5, 1.0, 2.0]), **sizes)


def nets_with_opposite_units(**sizes: Any) -> Strategy:
    """Networks in which two units share a wall and are on at opposite sides of it."""
    return _changed(_copied([-0.5, -1.0, -2.0]), **sizes)


def nets_with_a_dead_layer(**sizes: Any) -> Strategy:
    """Networks in which one hidden layer is off everywhere: a constant function."""
    def change(draw: Any, W: Array, b: Array) -> None:
        W[:], b[:] = 0, -draw(_count((0, 1)))

    return _changed(change, **sizes)


def nets_with_walls_through(d: int = 2, units: int = 3) -> Strategy:
    """(net, p): one hidden layer whose walls all pass through p exactly, b = -W p."""
    def make(draw: Any) -> tuple[MLP, Array]:
        p, W, a = draw(halves((d,))), draw(halves((units, d))), draw(halves((1, units)))
        return MLP((W, a), (-(W @ p), np.zeros(1))), p

    return _composite(make)


def degenerate_nets(**sizes: Any) -> Strategy:
    """Lattice networks of one of the families above, or with layers of one unit."""
    from hypothesis import strategies as st

    return st.one_of(
        nets_with_a_zero_unit(**sizes), nets_with_duplicate_units(**sizes),
        nets_with_opposite_units(**sizes), nets_with_a_dead_layer(**sizes),
        lattice_nets(**{"hidden": (1, 3), **sizes, "width": 1}),
        *([] if sizes else [nets_with_walls_through().map(lambda drawn: drawn[0])]),
    )


def exact_nets(**sizes: Any) -> Strategy:
    """Networks on which forward, backward and kernels round nothing, degenerate or not."""
    from hypothesis import strategies as st

    return st.one_of(lattice_nets(**sizes), degenerate_nets(**sizes))


def with_rows(nets: Strategy, rows: Count = (0, 4), columns: int = 0) -> Strategy:
    """(net, x, ...): half-integer inputs for nets, and `columns` arrays in the shape of targets."""
    def make(draw: Any) -> tuple[Any, ...]:
        net, n = draw(nets), draw(_count(rows))
        x = draw(halves((n, net.weights[0].shape[1])))
        return (net, x, *(draw(halves((n, len(net.biases[-1])))) for _ in range(columns)))

    return _composite(make)


def _composite(make: Callable[[Any], Any]) -> Strategy:
    from hypothesis import strategies as st

    return st.composite(make)()


def _count(number: Count) -> SearchStrategy[int]:
    from hypothesis import strategies as st

    if isinstance(number, int):
        return st.just(number)
    return st.integers(*number) if isinstance(number, tuple) else number


def _widths(draw: Any, inputs: Count, outputs: Count, hidden: Count, width: int) -> list[int]:
    return [draw(_count(inputs)), *(draw(_count((1, width))) for _ in range(draw(_count(hidden)))),
            draw(_count(outputs))]


def _generator(draw: Any) -> np.random.Generator:
    return np.random.default_rng(draw(_count((0, 2**32 - 1))))


def _unit(draw: Any, b: Array) -> int:
    return int(draw(_count((0, len(b) - 1))))


def _copied(factors: list[float]) -> Callable[[Any, Array, Array], None]:
    """A change that makes one unit a multiple of another."""
    def change(draw: Any, W: Array, b: Array) -> None:
        u, v, s = _unit(draw, b), _unit(draw, b), factors[draw(_count((0, len(factors) - 1)))]
        W[v], b[v] = s * W[u], s * b[u]

    return change


def _changed(change: Callable[[Any, Array, Array], None], hidden: Count = (1, 3),
             **sizes: Any) -> Strategy:
    """Lattice networks in which one hidden layer has been changed."""
    def make(draw: Any) -> MLP:
        net = draw(lattice_nets(hidden=hidden, **sizes))
        k = draw(_count((0, len(net.weights) - 2)))
        change(draw, net.weights[k], net.biases[k])
        return MLP(*net)

    return _composite(make)


# ----------------------------------------------------------------- exact answers


class ExactPiece(NamedTuple):
    """One piece of x = a + t (b - a): f = offset + slope t for start <= t <= end, in Fractions."""

    start: Fraction
    end: Fraction
    pattern: Pattern         # (H,)
    slope: NDArray[Any]      # (m[L],)
    offset: NDArray[Any]     # (m[L],)


def rational(values: Any) -> Any:
    """The numbers of an array, or of all arrays of a network, as Fractions."""
    if isinstance(values, MLP):
        return MLP(*(tuple(map(rational, arrays)) for arrays in values))
    return np.vectorize(Fraction, otypes=[object])(values)


def exact_pieces(net: MLP, a: ArrayLike, b: ArrayLike) -> list[ExactPiece]:
    """The pieces of net on the segment from a to b, both (m[0],), in rational arithmetic (T2, T38).

    >>> import relu_dynamics as rd
    >>> from relu_dynamics.testing import exact_pieces
    >>> hat = rd.MLP(([[1], [1]], [[1, -2]]), ([0, -1], [0]))  # max(x, 0) - 2 max(x - 1, 0)
    >>> [(str(start), str(end), q) for start, end, q, *_ in exact_pieces(hat, [-1], [2])]
    [('0', '1/3', (False, False)), ('1/3', '2/3', (True, False)), ('2/3', '1', (True, True))]
    """
    found = spec.pieces(rational(net), rational(a), rational(b))
    return [ExactPiece(start, end, tuple(q.tolist()), slope[:, 0], offset)
            for start, end, q, slope, offset in found]


def exact_regions(net: MLP, window: ArrayLike) -> dict[Pattern, NDArray[Any]]:
    """{pattern: corners (k, 2)} of the regions of net in a window, in rational arithmetic (T2).

    window is as for regions_in_window; corners run counter-clockwise.

    >>> import relu_dynamics as rd
    >>> from relu_dynamics.testing import exact_regions
    >>> corner = rd.MLP(([[1, 0], [0, 1]], [[1, 1]]), ([0, 0], [0]))  # max(x, 0) + max(y, 0)
    >>> sorted(exact_regions(corner, ((-1, 1), (-1, 1))))
    [(False, False), (False, True), (True, False), (True, True)]
    """
    found = spec.regions(rational(net), rational(check_window(window)))
    return {tuple(q.tolist()): part for q, part in found}


def exact_area(corners: NDArray[Any]) -> Fraction:
    """Half the sum of x y' - x' y over the sides from (x, y) to (x', y')."""
    (x, y), (x2, y2) = corners.T, np.roll(corners, -1, axis=0).T
    area: Fraction = sum(x * y2 - x2 * y) / 2
    return area


# ------------------------------------------------------------------------ checks


def check_gradient(net: MLP, x: ArrayLike, df: ArrayLike | None = None,
                   gradient: Gradient | None = None) -> None:
    """Raise AssertionError unless gradient is that of sum(df * f(x)) (T1, T3).

    df, (n, m[L]), is all ones and gradient backward(net, forward(net, x), df) if not given.
    It is compared with the exact rise of f along one random direction in every layer's parameters,
    and one in the inputs: inside one region f is affine in both, so the step need not be small.
    """
    net, trace = traced(net, x)
    delta = np.ones_like(trace.preacts[-1]) if df is None else np.asarray(df, np.float64)
    gradient = backward(net, trace, delta) if gradient is None else gradient
    rng, exact, rows = np.random.default_rng(0), rational(net), rational(trace.inputs[0])
    gates = [spec.pattern(spec.forward(exact, row)) for row in rows]

    def value(net: MLP, rows: NDArray[Any]) -> Any:
        f = [spec.forward(net, row, q).z[-1] for row, q in zip(rows, gates, strict=True)]
        return np.sum(rational(delta) * np.array(f))

    large = MLP(*(tuple(np.abs(part) + 3 for part in parts) for parts in net))
    size = float(np.sum(np.abs(delta) * forward(large, np.abs(trace.inputs[0]) + 3).preacts[-1]))
    before = value(exact, rows)
    for k, (W, b) in enumerate(zip(*exact, strict=True)):
        V, v = rng.integers(-3, 4, W.shape), rng.integers(-3, 4, b.shape)
        moved = MLP((*exact.weights[:k], W + V, *exact.weights[k + 1:]),
                    (*exact.biases[:k], b + v, *exact.biases[k + 1:]))
        slope = np.sum(gradient.weights[k] * V) + np.sum(gradient.biases[k] * v)
        _check_close(f"the rise of f along a direction in layer {k}", slope,
                     value(moved, rows) - before, 1e-12 * size)
    u = rng.integers(-3, 4, rows.shape)
    _check_close("the rise of f along a direction of the inputs", np.sum(gradient.x * u),
                 value(exact, rows + u) - before, 1e-12 * size)


def check_kernel(net: MLP, x: ArrayLike, kernel: ArrayLike | None = None) -> None:
    """Raise AssertionError unless kernel, or tangent_kernel(net, x), is J J^T (T6)."""
    net, trace = traced(net, x)
    J = _jacobian(net, trace.inputs[0])
    found = np.asarray(tangent_kernel(net, trace) if kernel is None else kernel)
    _check_close("the tangent kernel", found, spec.tangent_kernel(J, J),
                 1e-12 * _most(spec.tangent_kernel(abs(J), abs(J))))


def check_flow(net: MLP, x: ArrayLike, y: ArrayLike, flow: Flow | None = None) -> None:
    """Raise AssertionError unless flow, or decompose(net, x, y), has the exact rates (T14, T15)."""
    net, trace = traced(net, x)
    flow = decompose(net, trace, y) if flow is None else flow
    J, exact = _jacobian(net, trace.inputs[0]), rational(net)
    f = np.array([spec.forward(exact, row).z[-1] for row in rational(trace.inputs[0])])
    r = f - rational(check_targets(net, trace.inputs[0], y))
    g, size = spec.gradient(J, r), _most(spec.gradient(abs(J), abs(r)))
    _check_close("the rate of the outputs", flow.output_rate, spec.output_rate(J, r),
                 1e-12 * size * _most(abs(J)) * len(g))
    sums = {name: split.values.sum() for name, split in flow.splits.items()}
    for name, value in {"loss_rate": flow.loss_rate, **sums}.items():
        _check_close(f"the rate of the loss, {name}", value, -(g @ g), 1e-11 * size**2 * len(g))


def check_pieces(net: MLP, a: ArrayLike, b: ArrayLike, pieces: Pieces | None = None) -> None:
    """Raise AssertionError unless pieces, or regions_on_segment(net, a, b), are the exact ones.

    Every piece must have the ends that it has in rational arithmetic, up to pieces.tolerance; a
    missing or surplus piece must be shorter than that.
    """
    pieces = regions_on_segment(net, a, b) if pieces is None else pieces
    ends = zip(pieces.t[:-1].tolist(), pieces.t[1:].tolist(), strict=True)
    found = dict(zip(map(tuple, pieces.pattern.tolist()), map(list, ends), strict=True))
    truth = {piece.pattern: [float(piece.start), float(piece.end)]
             for piece in exact_pieces(net, a, b)}
    for q in {**found, **truth}:
        start, end = found.get(q, truth.get(q, [0.0, 0.0]))
        if q in found and q in truth:
            _check_close(f"the piece with pattern {_bits(q)}", [start, end], truth[q],
                         2 * pieces.tolerance)
        elif end - start > 2 * pieces.tolerance:
            raise AssertionError(f"{'found' if q in found else 'missed'}: a piece with pattern "
                                 f"{_bits(q)} from t = {start!r} to {end!r}.")


def check_regions(net: MLP, window: ArrayLike, regions: Regions | None = None) -> None:
    """Raise AssertionError unless regions, or regions_in_window(net, window), are the exact ones.

    Every pattern must have the area that it has in rational arithmetic, up to regions.tolerance
    times the perimeter of the window.
    """
    regions = regions_in_window(net, window) if regions is None else regions
    corners = check_window(window)
    around = float(np.hypot(*(corners - np.roll(corners, 1, axis=0)).T).sum())
    found: dict[Pattern, float] = {}
    for q, area in zip(map(tuple, regions.pattern.tolist()), regions.area.tolist(), strict=True):
        found[q] = found.get(q, 0.0) + area
    truth = {q: float(exact_area(part)) for q, part in exact_regions(net, window).items()}
    for q in {**found, **truth}:
        _check_close(f"the area of the region with pattern {_bits(q)}", found.get(q, 0.0),
                     truth.get(q, 0.0), around * regions.tolerance)


def _jacobian(net: MLP, x: Array) -> NDArray[Any]:
    exact = rational(net)
    J: NDArray[Any] = spec.jacobian(exact, [spec.forward(exact, row) for row in rational(x)])
    return J


def _most(values: NDArray[Any]) -> float:
    return float(max(values.ravel(), default=0))


def _bits(q: Pattern) -> str:
    return "".join("01"[bit] for bit in q)


def _check_close(what: str, found: Any, exact: Any, tolerance: float) -> None:
    """Raise AssertionError, with the worst number, if an error is above the tolerance."""
    found, exact = np.asarray(found, np.float64), np.asarray(exact, np.float64)
    if found.shape != exact.shape:
        raise AssertionError(f"{what}: has shape {found.shape}, should have {exact.shape}.")
    off = np.abs(found - exact)
    if not (off <= tolerance).all():
        worst = np.unravel_index(np.argmax(np.where(np.isnan(off), np.inf, off)), off.shape)
        where = f" at {tuple(map(int, worst))}" if worst else ""
        raise AssertionError(f"{what}{where}: found {found[worst]!r}, exactly {exact[worst]!r}, "
                             f"off by {off[worst]:.3g} with a tolerance of {tolerance:.3g}.")
