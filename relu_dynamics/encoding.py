"""Input encodings: plain coordinates, or sinusoids of them.

An encoding is an immutable object, checked when it is created, and a function of unit
coordinates: encoding(x) maps x, (n, d), normally in [0, 1]^d, to (n, D).

    Coordinates(low, high)        D = d      low + (high - low) x
    PositionalEncoding(L)         D = 2 d L  sin(2^l pi x_j), cos(2^l pi x_j)   NeRF, the paper's
    FourierFeatures(frequencies)  D = 2 k    sin(2 pi b.x), cos(2 pi b.x)       Tancik et al. 2020
    SharedFrequencies(l, copies)  D = 2 d c  one frequency 2^l, repeated        the paper's appendix
    WithInput(encoding)           D = d + D' x itself, then any of the three before

The three in the middle are sinusoidal: encoding.frequencies_in(d), (k, d), lists waves b in
cycles per unit, and columns 2i and 2i + 1 are sin(2 pi b_i.x) and cos(2 pi b_i.x).
So the positional encoding's 2^l pi x_j is the wave of 2^(l-1) cycles along axis j.

Networks trained with other code expect the same columns in another order:

    code                        columns, the outermost loop first  angle         the input itself
    PositionalEncoding          level, coordinate, wave            2^l pi x      no
    NeRF's paper, tiny-cuda-nn  coordinate, level, wave            2^l pi x      no
    NeRF's code, nerf-pytorch   level, wave, coordinate            2^l x         first
    jaxnerf, mip-NeRF           wave, level, coordinate            2^l x         first
    nerfstudio                  wave, coordinate, level            2^(l+1) pi x  last, if wanted

columns = positional_columns(L, d, loops) lists their columns in our order, so that
MLP((W[0][:, columns], *W[1:]), b) is their network on our encoding.  Another angle is another
set of frequencies: FourierFeatures(PositionalEncoding(L).frequencies_in(d) / pi) for 2^l x,
times 2 for 2^(l+1) pi x.  WithInput(encoding) puts the input itself first; it is not
sinusoidal: training and measures work with it, exact regions do not.

A sinusoidal encoding puts the inputs on a torus: |encoding(x)|^2 = k, and
encoding(x).encoding(x') = sum_i cos(2 pi b_i.(x - x')) depends on x - x' alone (T28).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from relu_dynamics.checks import (
    MAX_ENTRIES, Array, Indices, check_count, check_increasing, check_kind, check_number,
    check_order, check_rng, check_shape, check_size, check_vectors, require,
)

MAX_LEVELS = 52  # for larger l, 2^l x has no fractional bits if x is a float64 near 1
FEWER = "Encode fewer rows at a time."
COORDINATES = "one sample per row, one unit coordinate per column"


class Encoding(Protocol):
    """The interface of every encoding."""

    def __call__(self, x: ArrayLike) -> Array: ...

    def jacobian(self, x: ArrayLike) -> Array: ...

    def columns(self, d: int) -> int: ...


class Sinusoids:
    """sin and cos of 2 pi b.x for the waves b of frequencies_in(d)."""

    def frequencies_in(self, d: int) -> Array:
        raise NotImplementedError

    def columns(self, d: int) -> int:
        """D, the number of columns for inputs of d coordinates."""
        return 2 * len(self.frequencies_in(d))

    def jacobian(self, x: ArrayLike) -> Array:
        """(n, D, d): the derivative of every column by coordinate, 2 pi b cos or -2 pi b sin."""
        x = check_vectors("x", x, COORDINATES)
        waves = 2 * np.pi * self.frequencies_in(x.shape[1])
        check_size("the jacobian", (len(x), 2 * len(waves), x.shape[1]), FEWER)
        # sin' = cos, cos' = -sin
        turned = self(x).reshape(len(x), len(waves), 2)[:, :, ::-1] * [1, -1]
        return (turned[..., None] * waves[:, None, :]).reshape(len(x), 2 * len(waves), x.shape[1])

    def __call__(self, x: ArrayLike) -> Array:
        x = check_vectors("x", x, COORDINATES)
        waves = self.frequencies_in(x.shape[1])
        check_size("the encoding of x", (len(x), 2 * len(waves)), FEWER)
        turns = x @ waves.T
        # reduced to one period without rounding, so high frequencies stay accurate
        angle = 2 * np.pi * (turns - np.round(turns))
        return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(len(x), 2 * len(waves))


@dataclass(frozen=True)
class Coordinates:
    """Unit coordinates mapped to [low, high], low < high: (n, d) -> (n, d)."""

    low: float
    high: float

    def __post_init__(self) -> None:
        check_increasing("Coordinates(low, high)", self.low, self.high)

    def columns(self, d: int) -> int:
        """D = d."""
        return d

    def jacobian(self, x: ArrayLike) -> Array:
        """(n, d, d): high - low times the identity."""
        n, d = check_vectors("x", x, COORDINATES).shape
        check_size("the jacobian", (n, d, d), FEWER)
        return np.tile((self.high - self.low) * np.eye(d), (n, 1, 1))

    def __call__(self, x: ArrayLike) -> Array:
        return self.low + (self.high - self.low) * check_vectors("x", x, COORDINATES)


@dataclass(frozen=True)
class PositionalEncoding(Sinusoids):
    """The sinusoidal positional encoding of NeRF with L frequencies: (n, d) -> (n, 2 d L).

    Columns for l = 0..L-1: sin(2^l pi x_1), cos(2^l pi x_1), sin(2^l pi x_2), cos(2^l pi x_2), ...
    ValueError unless 1 <= L <= 52.

    >>> import relu_dynamics as rd
    >>> rd.PositionalEncoding(2)([[0.5]]).round(3).tolist()  # sin and cos of pi/2 and of pi
    [[1.0, 0.0, 0.0, -1.0]]
    """

    L: int

    def __post_init__(self) -> None:
        check_count("L", self.L, 1, MAX_LEVELS)

    def frequencies_in(self, d: int) -> Array:
        """(L d, d) waves in cycles per unit: 2^(l-1) along each axis in turn."""
        return np.kron(2.0 ** np.arange(-1, self.L - 1)[:, None], np.eye(d))

    def distinct(self, n: int) -> int:
        """How many of one coordinate's 2 L columns are distinct up to sign on n points k/(n-1).

        On that grid sin(2^l pi x) and cos(2^l pi x) depend only on 2^l modulo 2(n-1), and
        residues r and -r give the same columns up to sign, so high frequencies are aliases
        of low ones: 20 of 32 columns are distinct for n = 512, L = 16.
        """
        period = 2 * (check_count("n", n, 2) - 1)
        residues = {min(pow(2, l, period), -pow(2, l, period) % period) for l in range(self.L)}
        # sin(pi r k/(n-1)) is 0 on the whole grid
        silent = {r for r in residues if 2 * r % period == 0}
        return len(residues) + len(residues - silent) + bool(silent)


@dataclass(frozen=True, eq=False)
class FourierFeatures(Sinusoids):
    """sin(2 pi b.x), cos(2 pi b.x) for each row b of frequencies, (k, d) cycles per unit."""

    frequencies: Any  # (k, d), kept as a read-only float64 copy

    def __post_init__(self) -> None:
        waves = check_vectors("frequencies", self.frequencies, "one wave per row", least=1).copy()
        waves.setflags(write=False)
        object.__setattr__(self, "frequencies", waves)

    def frequencies_in(self, d: int) -> Array:
        """The frequencies themselves, (k, d)."""
        waves: Array = self.frequencies
        require(d == waves.shape[1], f"x must have {waves.shape[1]} columns, one per coordinate of "
                f"the frequencies. Got {d}.")
        return waves


def gaussian_features(count: int, d: int, sigma: float,
                      rng: np.random.Generator) -> FourierFeatures:
    """FourierFeatures with count waves drawn from N(0, sigma^2 I), in cycles per unit.

    Then E cos(2 pi b.(x - x')) = exp(-2 pi^2 sigma^2 |x - x'|^2) (T29).
    """
    check_rng(rng)
    sigma = check_number("sigma", sigma, "positive number")
    shape = check_shape("the frequencies", "Draw fewer waves.", count=count, d=d)
    return FourierFeatures(sigma * rng.standard_normal(shape))


@dataclass(frozen=True)
class SharedFrequencies(Sinusoids):
    """The single frequency 2^l in every column: (n, d) -> (n, 2 d copies).

    For any number of columns the inputs lie on one circle per coordinate (T30).  A copy with
    another phase would be a rotation of the (sin, cos) pair, so it would add nothing.
    ValueError unless 0 <= l < 52 and copies >= 1.
    """

    l: int
    copies: int

    def __post_init__(self) -> None:
        check_count("l", self.l, 0, MAX_LEVELS - 1)
        check_count("copies", self.copies, 1)

    def frequencies_in(self, d: int) -> Array:
        """(copies d, d) waves in cycles per unit: 2^(l-1) along each axis, repeated."""
        check_size("the frequencies", (self.copies * d, d), "Take fewer copies.")
        return np.tile(2.0 ** (self.l - 1) * np.eye(d), (self.copies, 1))


@dataclass(frozen=True)
class WithInput:
    """The columns of x itself, then those of a sinusoidal encoding: (n, d) -> (n, d + D)."""

    encoding: Sinusoids

    def __post_init__(self) -> None:
        check_kind("encoding", self.encoding, Sinusoids)

    def columns(self, d: int) -> int:
        """d + D."""
        return d + self.encoding.columns(d)

    def jacobian(self, x: ArrayLike) -> Array:
        """(n, d + D, d): the identity above that of the encoding."""
        below = self.encoding.jacobian(x)
        return np.concatenate([np.tile(np.eye(below.shape[2]), (len(below), 1, 1)), below], axis=1)

    def __call__(self, x: ArrayLike) -> Array:
        return np.concatenate([check_vectors("x", x, COORDINATES), self.encoding(x)], axis=1)


LOOPS = ("level", "coordinate", "wave")


def positional_columns(L: int, d: int, loops: Sequence[str]) -> Indices:
    """(2 d L,): the columns of PositionalEncoding in an encoding with another order of loops.

    loops lists "level", "coordinate" and "wave" (sin, then cos), the outermost loop first, as in
    the table above.  PositionalEncoding(L)(x) equals theirs(x)[:, columns], and a network W, b on
    theirs equals MLP((W[0][:, columns], *W[1:]), b) on PositionalEncoding(L).

    >>> import relu_dynamics as rd
    >>> rd.positional_columns(2, 1, ("level", "coordinate", "wave")).tolist()
    [0, 1, 2, 3]
    >>> rd.positional_columns(2, 1, ("wave", "level", "coordinate")).tolist()  # sin, sin, cos, cos
    [0, 2, 1, 3]
    """
    check_order("loops", loops, LOOPS)
    check_count("L", L, 1, MAX_LEVELS)
    check_count("d", d, 1, MAX_ENTRIES // (2 * L), "the columns must fit into memory")
    size = {"level": L, "coordinate": d, "wave": 2}
    theirs = np.arange(2 * d * L).reshape([size[loop] for loop in loops])
    return theirs.transpose([loops.index(loop) for loop in LOOPS]).ravel()
