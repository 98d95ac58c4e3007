"""Input encodings by name: "[lo,hi]" are coordinates mapped to [lo, hi], "L=k" is the positional
encoding with k frequencies, and "2^l x c" is c copies of the single frequency 2^l."""

from __future__ import annotations

import re
from collections.abc import Iterable

from relu_dynamics import Coordinates, PositionalEncoding, SharedFrequencies
from relu_dynamics.encoding import Encoding

NUMBER = r"\s*(-?\d+(?:\.\d*)?)\s*"


def encoding(name: str) -> Encoding:
    """The encoding with this name; ValueError if there is none."""
    if match := re.fullmatch(rf"\[{NUMBER},{NUMBER}\]", name):
        low, high = map(float, match.groups())
        if low < high:
            return Coordinates(low, high)
    elif (match := re.fullmatch(r"L=(\d+)", name)) and 1 <= int(match[1]) <= 30:
        return PositionalEncoding(int(match[1]))
    elif match := re.fullmatch(r"2\^(\d+) x (\d+)", name):
        return SharedFrequencies(int(match[1]), int(match[2]))
    raise ValueError(f"an input is [lo,hi] with lo < hi, or L=k with k from 1 to 30. Got {name!r}.")


def coordinates(names: Iterable[str]) -> list[str]:
    """The coordinates among the names, from the narrowest interval to the widest."""
    width = {name: feed.high - feed.low for name in names
             if isinstance(feed := encoding(name), Coordinates)}
    return sorted(width, key=width.__getitem__)


def encodings(names: Iterable[str]) -> list[str]:
    """The positional encodings among the names, from the fewest frequencies to the most."""
    return sorted((name for name in names if name.startswith("L=")), key=lambda name: int(name[2:]))


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once, from the narrowest coordinates to the most frequencies."""
    names = list(dict.fromkeys(names))
    return (*coordinates(names), *encodings(names))
