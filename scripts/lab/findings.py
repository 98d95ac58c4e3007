"""What came out for a claim, in one sentence chosen by its verdict.

The sentences hold no measured number: numbers are shown beside them, from the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scripts.lab.ledger import FAILED, REPRODUCED, UNDECIDED, UNTESTED, family

Row = Mapping[str, object]  # one claim of the ledger
SHORT = {REPRODUCED: "holds", FAILED: "fails", UNDECIDED: "not decided", UNTESTED: "untested"}


class Finding(NamedTuple):
    """What is said of a claim that was reproduced and of one that was not; what its numbers are."""

    held: str
    failed: str
    numbers: str


SAID = {  # by key, without the image
    "E1": Finding(
        "The more frequencies encode a position, the better a signal of many tones is learned.",
        "More frequencies in the encoding do not always mean that more is learned.",
        "mean squared error"),
    "E3a": Finding(
        "On coordinates more neighbours are bound together in training than under encodings.",
        "On coordinates neighbours are not always bound together more than under encodings.",
        "share of pairs"),
    "E4a": Finding(
        "Under encodings more pixels have a pattern of their own than on coordinates.",
        "Under encodings not always more pixels have a pattern of their own.",
        "patterns"),
    "E5a": Finding(
        "Neighbours are computed the more differently, the more frequencies encode them.",
        "More frequencies do not always set neighbours further apart.",
        "units that differ"),
    "E5b": Finding(
        "Distant pixels too are computed more differently under encodings.",
        "Distant pixels are not always computed more differently under encodings.",
        "units that differ"),
    "E8f": Finding(
        "Early in training gradients of distant pixels spread most on coordinates.",
        "Early in training gradients of distant pixels do not spread most on coordinates.",
        "deviation of the cosine"),
    "T16f": Finding(
        "The rates before training foretell better than the frequency itself when a tone is "
        "learned.",
        "The rates before training do not foretell better than the frequency when a tone is "
        "learned.",
        "rank correlation"),
    "X0a": Finding(
        "On coordinates and the lowest encoding the walls alone give the rates, with no constant "
        "to fit.",
        "On coordinates and the lowest encoding the walls alone do not give the rates.",
        "deviation of the log ratio"),
    "X0q": Finding(
        "Untrained regions foretell better than the frequency itself when it will be learned.",
        "Untrained regions do not foretell better than the frequency when it will be learned.",
        "rank correlation"),
    "X0s": Finding(
        "Up to an encoding's own frequencies the walls are not enough.",
        "Up to an encoding's own frequencies the walls are nearly enough too.",
        "share that walls miss"),
    "X1a": Finding(
        "Before training, rates of high frequencies follow the gates more than what is fed in.",
        "Before training, rates of high frequencies follow what is fed in more than the gates.",
        "change of log10 rate"),
    "X2a": Finding(
        "Plain coordinates learn more with frozen gates of an untrained encoded network than with "
        "their own.",
        "Plain coordinates learn no more with frozen gates of an untrained encoded network than "
        "with their own.",
        "error"),
    "X2b": Finding(
        "At the samples, exchanging gates changes what is learned more than exchanging what is "
        "fed in.",
        "At the samples, exchanging gates changes what is learned less than exchanging what is "
        "fed in.",
        "change of log10 error"),
    "X2h": Finding(
        "Where frozen gates switch the function jumps, so they are more than regions.",
        "Frozen gates do not make the function jump more than moving ones.",
        "share of jumps"),
    "X3a": Finding(
        "Over untrained donors, the more of their units switch between neighbours, the smaller the "
        "error.",
        "How many of a donor's units switch between neighbours does not alone order the errors.",
        "rank correlation over donors"),
    "X3c": Finding(
        "Gates by mere chance fit the samples worse than an encoding's.",
        "Gates by mere chance fit the samples better still than an encoding's.",
        "error"),
    "X3d": Finding(
        "Only how many units switch counts, not whose gates they are.",
        "Not only how many units switch counts, but also whose gates they are.",
        "difference of log10 error"),
    "X4a": Finding(
        "At the pixels trained on, gates change more than what is fed in.",
        "At the pixels trained on, what is fed in changes more than gates do.",
        "dB"),
    "X4b": Finding(
        "Between the pixels trained on, gates too change more than what is fed in.",
        "Between the pixels trained on, what is fed in changes more than gates do.",
        "dB"),
    "X4f": Finding(
        "Between the pixels, gates by chance do worse than an encoding's.",
        "Between the pixels, gates by chance do no worse than an encoding's.",
        "dB"),
    "X5a": Finding(
        "A pixel holds the more regions the more frequencies encode it.",
        "A pixel does not always hold more regions if more frequencies encode it.",
        "regions per pixel"),
    "X5b": Finding(
        "Patterns at the pixels miss nearly all regions of the highest encoding.",
        "Patterns at the pixels do not miss nearly all regions of the highest encoding.",
        "regions per pattern"),
    "X5d": Finding(
        "There are as many regions as among unrelated straight lines of the same length.",
        "There are not as many regions as among unrelated straight lines of the same length.",
        "ratio"),
    "X6a": Finding(
        "Before training the kernel's eigenvalues are more even under encodings than on "
        "coordinates.",
        "Before training the kernel's eigenvalues are not more even under encodings than on "
        "coordinates.",
        "relative variance"),
    "X6h": Finding(
        "So they are but for the largest eigenvalue, whose vector is nearly constant.",
        "Nor are they but for the largest eigenvalue, whose vector is nearly constant.",
        "relative variance"),
    "X7a": Finding(
        "Patterns settle before weights do.",
        "Patterns do not settle before weights do.",
        "steps"),
    "X8b": Finding(
        "Under gradient flow the untrained rate foretells more closely than the frequency when a "
        "tone is learned.",
        "Under gradient flow the untrained rate foretells no more closely than the frequency when "
        "a tone is learned.",
        "error of log10 times"),
    "X9a": Finding(
        "After training walls are longer midway between the training pixels than around them.",
        "After training walls are not longer midway between the training pixels than around them.",
        "difference over sum"),
}


# Why a claim may have failed, where its experiment does not say.  Guesses: none was tested.
REASONS = {
    "X2e": "Frozen gates let the function jump (X2h), which moving ones cannot.",
    "X3c": "At the samples it may only count that patterns differ; chance makes all different, and "
           "fails between the samples (X4f).",
    "X3d": "One frequency comes back to the same patterns with every wave, however often units "
           "switch.",
    "X4b": "Imposed gates jump where their donor's walls are (X2h), also between the samples.",
}


def reason(row: Row) -> str:
    """Why the claim failed or was not tested: what its experiment says, or a guess, or that none is
    known."""
    if row["why"] or row["verdict"] != FAILED:
        return str(row["why"])
    guess = REASONS.get(family(row))
    return f"Perhaps: {guess}" if guess else "No reason is known."


def told(row: Row) -> str:
    """The sentence that the verdict allows."""
    held, failed, _ = SAID[family(row)]
    if row["verdict"] in (REPRODUCED, FAILED):
        return held if row["verdict"] == REPRODUCED else failed
    begin = "Not decided" if row["verdict"] == UNDECIDED else "Not tested here"
    return f"{begin} whether {held[0].lower()}{held[1:]}"


def numbers(row: Row, most: int = 1000) -> str:
    """"error: moving 0.88 · imposed 0.0021": what was measured; if that has more than so many
    letters, the first and the last of it."""
    parts = str(row["measured"]).removeprefix("regions over l^2/pi: ").split(" · ")
    text = " · ".join(parts if len(str(row["measured"])) <= most else (parts[0], "…", parts[-1]))
    return f"{SAID[family(row)].numbers}: {text}"


def of_first_image(rows: Sequence[Row], key: str) -> Row | None:
    """The claim of this key: of several images the first natural one, as in all pictures; None if
    there is no such claim."""
    mine = [row for row in rows if family(row) == key]
    natural = [row for row in mine if row["image"] != "random image"]
    return next(iter(natural or mine), None)
