"""What was found, in words, by the numbers: whatever they are, what is said of them is true."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scripts.lab.words import many


def plain(value: float) -> str:
    """A number with two digits, or all those before the point: 0.13, 2.5, 25, 2 500."""
    text = f"{value:.2g}" if abs(value) < 100 else f"{float(f'{value:.2g}'):,.0f}"
    return text.replace(",", "\xa0").replace("-", "−")


def times(ratio: float) -> str:
    """A ratio to what is named next: "4.1 times" the error, "about" the error, "0.7 of" it, "1/90
    of" it."""
    if ratio >= 1.05:
        return f"{joined(ratio)} times"
    if ratio > 0.95:
        return "about"
    return f"{ratio:.1g} of" if ratio > 0.4 else f"1/{joined(1 / ratio)} of"


def joined(number: float) -> str:
    """A factor whose digits stay in one line."""
    return many(number).replace(" ", "\xa0")


def middle(values: np.ndarray) -> float:
    """The median over seeds; endless values count as the largest."""
    return float(np.median(values))


def against(values: Mapping[str, np.ndarray], sentence: str, what: str) -> str:
    """The last of the values against the first, by their medians over seeds.

    sentence has places for {last}, {times} and {first}; where there is no ratio, what they are is
    said with their values instead.
    """
    first, *_, last = list(values) * 2 if len(values) == 1 else list(values)
    a, b = middle(values[first]), middle(values[last])
    if first != last and a > 0 and b > 0 and np.isfinite([a, b]).all():
        return sentence.format(first=first, last=last, times=times(b / a))
    return f"{what}: {ranking(values)}"


def ranking(values: Mapping[str, np.ndarray], form: str | None = None) -> str:
    """"L=6 34 > L=3 20 > [0,1] 3.1": medians over seeds, the largest first; "=" between those that
    look the same."""
    say = plain if form is None else lambda value: form.format(value).replace("-", "−")
    shown = {name: say(middle(array)) for name, array in values.items()}
    names = sorted(values, key=lambda name: -middle(values[name]))
    text = f"{names[0]}\xa0{shown[names[0]]}"
    for above, name in zip(names[:-1], names[1:], strict=True):
        text += f" {'=' if shown[name] == shown[above] else '>'} {name}\xa0{shown[name]}"
    return text


def along(values: np.ndarray, rises: str, falls: str, neither: str) -> str:
    """How the medians over seeds, (places, seeds), go along their places."""
    steps = np.diff(np.median(values, axis=1))
    return rises if (steps > 0).all() else falls if (steps < 0).all() else neither


def likewise(values: np.ndarray, main: int) -> str:
    """", likewise on 3 of 4 images": where the last input lies on the same side of the first as on
    the main image; values is (images, inputs, seeds)."""
    if len(values) < 2:
        return ""
    medians = np.median(values, axis=2)
    side = np.sign(medians[:, -1] - medians[:, 0])
    return f"; likewise on {np.count_nonzero(side == side[main])} of {len(side)} images"
