"""Claims and verdicts: the statement, the measurement, and whether the seeds agree.

A claim is a conjunction of *links*, each "this number is positive": the difference of the
measurements of two inputs, or of a measurement and a threshold given in the claim.  Each seed
gives each link one number.  The 95 % t interval of its mean over seeds decides:

    reproduced       the interval of every link is above zero
    not reproduced   the interval of some link is below zero, or its values are zero in every seed
    not decided      otherwise
    untested here    known to need the sizes or the training of paper scale

An order is written once, as a chain "L=7 > L=4 > {[-1,1], [0,1]}": it is quoted in the
sentence and gives the links.  In it, a >= b (written ≥) means that a is at most a margin below
b; the claim states the margin.  A link that must hold at every checkpoint uses, for each seed,
its smallest value over checkpoints.  The effect shown is that of the weakest link.

Claims are of three kinds, counted separately: *paper* (from its text, code or figures),
*question* (our own), and *identity* (true by construction).  Because the paper's claims are many,
each also gets a p value adjusted by Benjamini and Hochberg's rule, which controls the share of
false claims among those called reproduced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from scipy.stats import t as student

from relu_dynamics.files import replacing

REPRODUCED, FAILED, UNDECIDED = "reproduced", "not reproduced", "not decided"
UNTESTED = "untested here"
VERDICTS = (REPRODUCED, FAILED, UNDECIDED, UNTESTED)
KINDS = {"paper": "the paper's {} claims", "question": "our own {} questions",
         "identity": "{} identities"}
Values = Mapping[str, np.ndarray]  # name -> (seeds,) or (checkpoints, seeds)


class Link(NamedTuple):
    """A statement that holds if its values are positive."""

    text: str            # "L=3 > [-1,1]"
    values: np.ndarray   # (seeds,)
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
        return REPRODUCED if low > 0 else FAILED if high < 0 or low == high == 0 else UNDECIDED

    def p(self) -> float:
        """Twice the probability of a mean at least this large if the true mean is zero; at most 1.

        Below 0.05 if and only if the verdict is "reproduced".  1 with a single seed.
        """
        n, mean = len(self.values), np.mean(self.values)
        if n < 2 or mean <= 0:
            return 1.0
        deviation = np.std(self.values, ddof=1)
        return float(2 * student.sf(mean / deviation * np.sqrt(n), n - 1)) if deviation > 0 else 0.0

    def agreeing(self) -> int:
        """How many values have the sign of the mean."""
        return int(np.count_nonzero(np.sign(self.values) == np.sign(np.mean(self.values))))


class Claim(NamedTuple):
    """One row of the ledger, before and after measuring."""

    key: str               # "E5a"
    statement: str         # the claim, in one sentence
    measured: str          # the numbers, means over seeds
    links: Sequence[Link]
    kind: str = ""         # one of KINDS; "" is the kind of the experiment
    image: str = ""        # the image it is about; becomes part of key and statement
    why: str = ""          # a possible reason if it does not hold
    needs: str = ""        # a requirement of the test that only paper scale meets

    def weakest(self) -> Link:
        """The link that decides: among the links with the worst verdict, the one with the smallest
        mean relative to its interval."""
        worst = [FAILED, UNDECIDED, REPRODUCED]

        def strength(link: Link) -> tuple[int, float]:
            mean, low, high = link.interval()
            size = mean / (high - low) if high > low else np.inf * np.sign(mean) if mean else 0.0
            return worst.index(link.verdict()), size

        return min(self.links, key=strength)

    def verdict(self) -> str:
        return self.weakest().verdict()

    def effect(self) -> str:
        link = self.weakest()
        mean, low, high = link.interval()
        n = len(link.values)
        if n == 1:
            return f"{link.text}: {mean:+.3g} (one {link.over}: no interval)"
        return (f"{link.text}: {mean:+.3g} ± {(high - low) / 2:.2g}, "
                f"{link.agreeing()} of {n} {link.over}s agree in sign")


# ------------------------------------------------------------------- making claims


def chain(*steps: str | Sequence[str]) -> str:
    """"a > {b, c} > d" from "a", ["b", "c"], "d"; steps without a name are left out."""
    texts = [step if isinstance(step, str) else step[0] if len(step) == 1
             else "{" + ", ".join(step) + "}" for step in steps if step]
    return " > ".join(texts)


def ordering(order: str, values: Values, margin: float = 0.0) -> list[Link]:
    """The links of a chain, each at its worst checkpoint; "a > {b, c} ≥ d" has four.

    A link a ≥ b holds if a - b + margin is positive; the margin must be given.
    """
    if "≥" in order and margin <= 0:
        raise ValueError(f"the order {order} needs a margin for its ≥")
    steps, links = re.split(r"\s*([>≥])\s*", order), []
    names = [step[1:-1].split(", ") if step.startswith("{") else [step] for step in steps[::2]]
    for above, sign, below in zip(names[:-1], steps[1::2], names[1:], strict=True):
        allowed = margin if sign == "≥" else 0.0
        links += [Link(f"{a} {sign} {b}",
                       at_worst(np.asarray(values[a], float) - values[b] + allowed))
                  for a in above for b in below]
    return links


def ordered(
    key: str, statement: str, order: str, values: Values, *, shown: Values | None = None,
    form: str = "{:.3g}", margin: float = 0.0,
    log: bool = False, image: str = "", kind: str = "", why: str = "", needs: str = "",
) -> Claim:
    """The claim that values are in the order of a chain, which replaces "{}" in the statement.

    log compares log10 of the values: for ratios, and for values that differ by powers of ten.
    """
    compared = {name: np.log10(value) for name, value in values.items()} if log else values
    notes = [note for note, used in ((f"≥: less by at most {margin:g}", "≥" in order),
                                     ("compared as log10", log)) if used]
    statement = statement.replace("{}", order) + (f" ({'; '.join(notes)})" if notes else "")
    return Claim(key, statement, means(values if shown is None else shown, form, log),
                 ordering(order, compared, margin),
                 kind, image, why, needs)


def ordered_in_each(key: str, statement: str, order: str, tables: Mapping[str, Values],
                    **how: Any) -> Claim:
    """The claim that the chain holds in every table; how are the options of ordered."""
    parts = {name: ordered(key, statement, order, values, **how) for name, values in tables.items()}
    links = [link._replace(text=f"{link.text}, {name}")
             for name, part in parts.items() for link in part.links]
    measured = "; ".join(f"{name}: {part.measured}" for name, part in parts.items())
    one = next(iter(parts.values()), Claim(key, statement, "", []))
    return one._replace(measured=measured, links=links)


def named(names: Iterable[str], values: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """{name: value}; there must be as many names as values."""
    return dict(zip(names, values, strict=True))


def each(
    text: str, values: Values, what: Callable[[np.ndarray], np.ndarray] = np.asarray
) -> list[Link]:
    """One link per name, "text, name": what(values) is positive, at its worst checkpoint."""
    return [Link(f"{text}, {name}", at_worst(np.asarray(what(value), float)))
            for name, value in values.items()]


def at_worst(values: np.ndarray) -> np.ndarray:
    """(seeds,) or (checkpoints, seeds) to (seeds,): each seed's smallest value over checkpoints."""
    return values if values.ndim == 1 else values.min(axis=0)


def contrast(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(a - b) / (|a| + |b|): for positive numbers tanh of half their log ratio, and also defined
    for zero or negative numbers."""
    size = abs(a) + abs(b)
    return np.divide(a - b, size, out=np.zeros_like(size), where=size > 0)


def rise(values: np.ndarray) -> np.ndarray:
    """(checkpoints, seeds) to (seeds,): the last value minus the first; NaN for one checkpoint."""
    return values[-1] - values[0] if len(values) > 1 else np.full(values.shape[1], np.nan)


def steadily(values: np.ndarray) -> np.ndarray:
    """(checkpoints, seeds) to (seeds,): the smallest increase from a checkpoint to the next; NaN
    for one checkpoint."""
    return np.diff(values,
                   axis=0).min(axis=0) if len(values) > 1 else np.full(values.shape[1], np.nan)


def last_tenth(epochs: np.ndarray) -> np.ndarray:
    """(checkpoints,) bool: those in the last tenth of training.

    The end of training is noisy, so the value reached is the best of these.
    """
    return np.asarray(epochs) >= 0.9 * epochs[-1]


def every(epochs: np.ndarray) -> str:
    """"at every checkpoint (5)"."""
    return f"at every checkpoint ({len(epochs)})"


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's correlation over all entries of a and b; equal entries are ties, infinities are
    the largest; 0 if a or b is constant."""
    ranks = [rankdata(np.ravel(values)) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1]) if all(np.ptp(r) > 0 for r in ranks) else 0.0


def means(values: Values, form: str = "{:.3g}", log: bool = False) -> str:
    """"a 1.2 · b 3.4": the mean of each entry over seeds; with checkpoints, from the first to the
    last.

    log takes geometric means.
    """
    def mean(array: np.ndarray) -> str:
        return form.format(10 ** np.mean(np.log10(array)) if log else np.mean(array))

    parts = []
    for name, array in values.items():
        array = np.atleast_2d(array)
        to_last = f" → {mean(array[-1])}" if len(array) > 1 else ""
        parts.append(f"{name} {mean(array[0])}{to_last}")
    return " · ".join(parts)


# ------------------------------------------------------------------- tables and text


def rows(claims: Iterable[Claim], kind: str = "paper",
         scale: str = "paper") -> list[dict[str, object]]:
    """Claims as plain values, for claims.json.

    A claim without enough data is left out: a link has no value (the run is too short), or there
    is no link (too few inputs).
    """
    result = []
    for claim in claims:
        if not claim.links or any(np.isnan(link.values).all() for link in claim.links):
            continue
        if not all(np.isfinite(link.values).all() for link in claim.links):
            raise ValueError(f"claim {claim.key} has values that are not finite: "
                             f"{[link.values.tolist() for link in claim.links]}")
        verdict = UNTESTED if claim.needs and scale != "paper" else claim.verdict()
        why = claim.needs if verdict == UNTESTED else claim.why if verdict != REPRODUCED else ""
        result.append({"key": claim.key + ("-" + slug(claim.image) if claim.image else ""),
                       "kind": claim.kind or kind,
                       "image": claim.image, "claim": (f"{claim.image}: " if claim.image else "")
                       + claim.statement,
                       "measured": claim.measured, "effect": claim.effect(), "verdict": verdict,
                       "why": why,
                       "p": max(link.p() for link in claim.links),
                       "links": [link_row(link) for link in claim.links]})
    return result


def link_row(link: Link) -> dict[str, object]:
    mean, low, high = link.interval()
    return {"text": link.text, "mean": mean, "interval95": [low, high] if np.isfinite(low)
            else None, "over": link.over,
            "values": link.values.tolist(), "agree": link.agreeing(), "verdict": link.verdict()}


def slug(image: str) -> str:
    """A word for keys: "random" for the random image, else the name of the image, with a hyphen for
    all that is not a letter or a digit."""
    return "random" if image == "random image" else re.sub(r"\W+", "-", image)


def adjusted(p: Sequence[float]) -> list[float]:
    """Benjamini and Hochberg's p values: among claims with a value below q, the expected share of
    false ones is at most q."""
    p = np.asarray(p, float)
    order, n = np.argsort(p), len(p)
    stepped = np.minimum.accumulate((p[order] * n / np.arange(1, n + 1))[::-1])[::-1]
    result = np.empty(n)
    result[order] = np.minimum(stepped, 1)
    return result.tolist()


def settled(ledger: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """The rows with two entries from the whole ledger: "adjusted", the p values of the paper's
    tested claims after Benjamini and Hochberg (None for others), and "on", the number of natural
    images on which the same claim was reproduced."""
    tested = [row for row in ledger if row["kind"] == "paper" and row["verdict"] != UNTESTED]
    p = dict(zip((row["key"] for row in tested), adjusted([row["p"] for row in tested]),
                 strict=True))  # type: ignore[misc]
    result = []
    for row in ledger:
        same = [other["verdict"] for other in ledger if _natural(other)
                and family(other) == family(row)]
        several = len(same) > 1 and _natural(row) and row["verdict"] != UNTESTED
        on = f"on {same.count(REPRODUCED)} of {len(same)} images" if several else ""
        result.append({**row, "adjusted": p.get(row["key"]), "on": on})
    return result


def _natural(row: Mapping[str, object]) -> bool:
    return row["image"] not in ("", "random image", "mixture")  # the last: E15's random clouds


def family(row: Mapping[str, object]) -> str:
    """The key without the image: "E5a" of "E5a-brain"."""
    return str(row["key"]).split("-")[0]


def summary(ledger: Sequence[Mapping[str, object]]) -> list[str]:
    """For settled rows, a sentence per kind of claim, the paper's first, and the effect of
    Benjamini and Hochberg's rule."""
    result = []
    for kind, words in KINDS.items():
        mine = [row["verdict"] for row in ledger if row["kind"] == kind]
        if mine:
            result.append(f"Of {words.format(len(mine))}: {tally(mine)}.")
    held = [row for row in ledger if row["kind"] == "paper" and row["verdict"] == REPRODUCED]
    lost = [str(row["key"]) for row in held if not row["adjusted"] < 0.05]  # type: ignore[operator]
    if held:
        result.append(f"Adjusted for the number of the paper's claims (Benjamini and Hochberg, 5 "
                      f"%), {len(held) - len(lost)} of its "
                      f"{len(held)} reproduced ones remain"
                      + (f"; not {', '.join(lost)}." if lost else "."))
    return result


def tally(verdicts: Sequence[object]) -> str:
    """"3 reproduced, 1 not decided"."""
    return ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in VERDICTS
                     if verdict in verdicts)


def seeds(ledger: Sequence[Mapping[str, Any]]) -> str:
    """"20 seeds (X1: 10)": the seeds of most experiments, and the others with theirs."""
    found: dict[str, int] = {}
    for row in ledger:
        found[row["experiment"]] = max(found.get(row["experiment"], 0), number_of_seeds(row))
    numbers = [n for n in found.values() if n]
    usual = max(set(numbers), key=lambda n: (numbers.count(n), n), default=0)
    short = [name.split("_")[0].upper() for name in found]
    called = [word if short.count(word) == 1 else name
              for name, word in zip(found, short, strict=True)]
    others = [f"{', '.join(name for name, m in zip(called, found.values(), strict=True) if m == n)}"
              f": {n}" for n in dict.fromkeys(numbers) if n != usual]
    return f"{usual} seed{'' if usual == 1 else 's'}" + f" ({'; '.join(others)})" * bool(others)


def number_of_seeds(row: Mapping[str, Any]) -> int:
    """How many seeds a claim was measured with; 0 if nothing in it is random."""
    return max((len(link["values"]) for link in row["links"] if link["over"] == "seed"), default=0)


def lines(ledger: Sequence[Mapping[str, object]]) -> list[str]:
    """One aligned line per claim for the terminal: verdict, key, claim, measured, effect."""
    shown = ("verdict", "key", "claim", "measured", "effect")
    columns = [[str(row[key]) for row in ledger] for key in shown]
    widths = [max(map(len, column), default=0) for column in columns]
    return ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
            for cells in zip(*columns, strict=True)]


def markdown(records: Sequence[Mapping[str, object]], heading: str) -> str:
    """The ledger in Markdown, of records with settled claims: per experiment its source, the
    command that repeats it, and a table with one claim per row."""
    ledger = [row for record in records for row in record["claims"]]  # type: ignore[attr-defined]
    text = [f"# {heading}", "", *summary(ledger), "",
            "Intervals are 95 % t intervals of the mean over seeds; the effect is that of the "
            "weakest link of each claim; "
            "p is adjusted (Benjamini and Hochberg, over the paper's claims).", ""]
    for record in records:
        text += [f"## {record['title']}", "",
                 f"{record['question']} ({record['source']}; {record['length']}; "
                 f"`{record['command']}`)", "",
                 "| | kind | claim | measured (mean over seeds) | effect | p | verdict |",
                 "|---|---|---|---|---|---|---|"]
        text += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in _cells(row)) + " |"
                 for row in record["claims"]]  # type: ignore[attr-defined]
        text.append("")
    return "\n".join(text)


def _cells(row: Mapping[str, object]) -> list[object]:
    claim = f"{row['claim']}" + (f". *{row['why']}*" if row["why"] else "")
    p = "" if row["adjusted"] is None else f"{row['adjusted']:.2g}"
    verdict = f"{row['verdict']}" + (f" ({row['on']})" if row["on"] else "")
    return [row["key"], row["kind"], claim, row["measured"], row["effect"], p, verdict]


def write_text(path: Path, text: str) -> None:
    """Write text to path, completely or not at all."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: object) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")
