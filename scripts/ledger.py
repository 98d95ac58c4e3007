"""Claims and verdicts: what was said, what was measured, and whether the seeds agree.

A claim is a conjunction of *links*, each "this number is positive": the difference of two
inputs' measurements, or of a measurement and a threshold fixed in the claim.  Each seed
gives each link one number.  The 95 % t interval of its mean over seeds decides:

    reproduced       every link's interval lies above zero
    not reproduced   some link's interval lies below zero, or is zero in every seed
    not decided      otherwise: the seeds do not tell

Where the claim allows ties (>=), a link is also reproduced if no seed is negative.

A link that holds "at every epoch" takes, for each seed, its smallest value over epochs,
so it is decided by the worst moment.  The effect shown is that of the weakest link.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from scipy.stats import t as student

from relu_dynamics.files import replacing


class Link(NamedTuple):
    """A statement that holds if values are positive (or not negative, if ties are allowed)."""

    text: str            # "L=3 > [-1,1]"
    values: np.ndarray   # (seeds,)
    ties: bool = False
    over: str = "seed"   # what the values differ in

    def interval(self) -> tuple[float, float, float]:
        """Mean over seeds and the ends of its 95 % t interval; infinite with a single seed."""
        n, mean = len(self.values), float(np.mean(self.values))
        if n < 2:
            return mean, -np.inf, np.inf
        half = float(student.ppf(0.975, n - 1) * np.std(self.values, ddof=1) / np.sqrt(n))
        return mean, mean - half, mean + half

    def verdict(self) -> str:
        _, low, high = self.interval()
        if low > 0 or (self.ties and (self.values >= 0).all()):
            return REPRODUCED
        if high < 0 or (high == 0 and not self.ties):
            return FAILED
        return UNDECIDED


REPRODUCED, FAILED, UNDECIDED = "reproduced", "not reproduced", "not decided"


class Claim(NamedTuple):
    """One row of the ledger, before and after measuring."""

    key: str               # "E5a"
    statement: str         # what the paper says, in one sentence
    measured: str          # the numbers, means over seeds
    links: Sequence[Link]
    why: str = ""          # if it is known not to hold here: what may be behind it, shown unless it is reproduced

    def weakest(self) -> Link:
        """The link that decides: of the worst verdict, the one whose mean is smallest next to its interval."""
        worst = [FAILED, UNDECIDED, REPRODUCED]

        def strength(link: Link) -> tuple[int, float]:
            mean, low, high = link.interval()
            return worst.index(link.verdict()), mean / (high - low) if high > low else np.inf * np.sign(mean) if mean else 0.0

        return min(self.links, key=strength)

    def verdict(self) -> str:
        return self.weakest().verdict()

    def effect(self) -> str:
        link = self.weakest()
        mean, low, high = link.interval()
        count = len(link.values)
        spread = f"± {(high - low) / 2:.2g}" if count > 1 else f"(one {link.over}: no interval)"
        return f"{link.text}: {mean:+.3g} {spread}, {count} {link.over}{'s' if count > 1 else ''}"


def ordering(values: Mapping[str, np.ndarray], *chain: Sequence[str] | str, ties: bool = False) -> list[Link]:
    """Links of a chain of inputs from the largest to the smallest, each step one name or several.

    values[name] is (seeds,), or (epochs, seeds) for an order that must hold at every epoch.
    ordering(v, ("a", "b"), "c") says a > c and b > c.
    """
    steps = [(step,) if isinstance(step, str) else tuple(step) for step in chain]
    links = []
    for above, below in zip(steps[:-1], steps[1:], strict=True):
        for a in above:
            for b in below:
                difference = np.asarray(values[a], float) - np.asarray(values[b], float)
                links.append(Link(f"{a} {'≥' if ties else '>'} {b}", at_worst(difference), ties))
    return links


def at_worst(values: np.ndarray) -> np.ndarray:
    """(seeds,) or (epochs, seeds) to (seeds,): each seed's smallest value over epochs."""
    return values if values.ndim == 1 else values.min(axis=0)


def rise(values: np.ndarray) -> np.ndarray:
    """(epochs, seeds) to (seeds,): the last epoch's value minus the first's; NaN for a single epoch, too short to say."""
    return values[-1] - values[0] if len(values) > 1 else np.full(values.shape[1], np.nan)


def steadily(values: np.ndarray) -> np.ndarray:
    """(epochs, seeds) to (seeds,): the smallest step from one epoch to the next; NaN for a single epoch."""
    return np.diff(values, axis=0).min(axis=0) if len(values) > 1 else np.full(values.shape[1], np.nan)


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's, over all entries of a and b; equal ones are ties, infinities the largest, and 0 if one is constant."""
    ranks = [rankdata(np.ravel(values)) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1]) if all(np.ptp(r) > 0 for r in ranks) else 0.0


def means(values: Mapping[str, np.ndarray], form: str = "{:.3g}") -> str:
    """"a 1.2 · b 3.4": the mean of each entry over seeds; with epochs, from the first epoch to the last."""
    parts = []
    for name, array in values.items():
        array = np.atleast_2d(array)
        first, last = form.format(np.mean(array[0])), form.format(np.mean(array[-1]))
        parts.append(f"{name} {first}" + (f" → {last}" if len(array) > 1 else ""))
    return " · ".join(parts)


# ------------------------------------------------------------------- on paper


def rows(claims: Iterable[Claim]) -> list[dict[str, object]]:
    """Plain values, for claims.json: keys are stable, numbers are numbers.

    A claim that the run was too short to test, because a link has no value, is left out.
    """
    result = []
    for claim in claims:
        if any(np.isnan(link.values).all() for link in claim.links):
            continue
        if not all(np.isfinite(link.values).all() for link in claim.links):
            raise ValueError(f"claim {claim.key} has values that are not finite: {[link.values.tolist() for link in claim.links]}")
        links = []
        for link in claim.links:
            mean, low, high = link.interval()
            interval = [low, high] if np.isfinite(low) else None
            links.append({"text": link.text, "mean": mean, "interval95": interval, "seeds": len(link.values),
                          "verdict": link.verdict()})
        result.append({"key": claim.key, "claim": claim.statement, "measured": claim.measured,
                       "effect": claim.effect(), "verdict": claim.verdict(), "why": claim.why if claim.verdict() != REPRODUCED else "",
                       "links": links})
    return result


def lines(ledger: Sequence[Mapping[str, object]]) -> list[str]:
    """One aligned line per claim for the terminal: verdict, key, claim, measured, effect."""
    columns = [[str(row[key]) for row in ledger] for key in ("verdict", "key", "claim", "measured", "effect")]
    widths = [max(map(len, column), default=0) for column in columns]
    return ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
            for cells in zip(*columns, strict=True)]


def markdown(records: Sequence[Mapping[str, object]], heading: str) -> str:
    """The ledger in Markdown: a table per experiment, one claim a row, with where it is from and the command that repeats it."""
    ledger = [row for record in records for row in record["claims"]]  # type: ignore[attr-defined]
    counts = {verdict: sum(row["verdict"] == verdict for row in ledger) for verdict in (REPRODUCED, FAILED, UNDECIDED)}
    cell = lambda text: str(text).replace("|", "\\|")
    lines = [f"# {heading}", "", ", ".join(f"{n} {verdict}" for verdict, n in counts.items()) + ".", "",
             "Intervals are 95 % t intervals of the mean over seeds; the effect is that of the weakest link of each claim.", ""]
    for record in records:
        lines += [f"## {record['title']}", "", f"{record['question']} ({record['source']}; `{record['command']}`)", "",
                  "| | claim | measured (mean over seeds) | effect | verdict |", "|---|---|---|---|---|"]
        for row in record["claims"]:  # type: ignore[attr-defined]
            claim = row["claim"] + (f". *{row['why']}*" if row["why"] else "")
            lines.append("| " + " | ".join(map(cell, (row["key"], claim, row["measured"], row["effect"], row["verdict"]))) + " |")
        lines.append("")
    return "\n".join(lines)


def write_text(path: Path, text: str) -> None:
    """Write text to path whole or not at all."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: object) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
