"""The report: one page with the ledger and every picture, which opens from disk and needs no other
file."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts.lab.ledger import FAILED, REPRODUCED, UNDECIDED, UNTESTED, summary

STYLE = """
:root { color-scheme: light dark; --quiet: light-dark(#444, #bbb); --line: light-dark(#ddd, #444);
  --yes: light-dark(#00664b, #5fd3ae); --no: light-dark(#a63d00, #ff9a66); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70em; margin: 0 auto; padding: 1em; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5em; }
img { display: block; max-width: 100%; height: auto; background: white; }
.wide { overflow-x: auto; } figure { margin: 1em 0; }
table { border-collapse: collapse; font-size: 0.85em; width: 100%; } td.claim { min-width: 16em; }
td, th { text-align: left; vertical-align: top; padding: 0.35em 0.6em; }
tr { border-bottom: 1px solid var(--line); } :target { outline: 2px solid var(--no); }
.verdict { white-space: nowrap; font-weight: 600; } .yes { color: var(--yes); }
.no { color: var(--no); } .open, .about { color: var(--quiet); }
figcaption { font-weight: 600; margin-bottom: 0.5em; }
details { border-top: 1px solid var(--line); padding: 0.6em 0; } summary { cursor: pointer; }
li { margin-bottom: 0.7em; } li div { font-size: 0.85em; padding-left: 1.3em; text-indent: -1.3em; }
@media (max-width: 45em) {
  img { max-width: none; zoom: 0.6; } h1 { font-size: 1.5em; } ul { padding-left: 1.2em; }
  thead { display: none; } table, tbody, tr, td { display: block; padding: 0.1em 0; }
}
"""
# The question and its answer: in short, then with the picture of each experiment.  A statement is a
# claim, what is said if it was reproduced, and what if it was not; see told.
ANSWERS = (
    ("", (
        ("X2b", "At the samples, yes: exchanging a network's regions changes what it learns more "
                "than exchanging what it is fed.",
         "At the samples, no: exchanging what a network is fed changes what it learns more than "
         "exchanging its regions."),
        ("X4b", "Between the samples, yes: there too regions change more than what is fed.",
         "Between the samples, no: there what is fed changes more than regions do."))),
    ("x0_walls_diffract", (
        ("X0a", "The walls of the regions alone say how fast each frequency is learned, with no "
                "constant to fit.",
         "The walls of the regions alone do not always say how fast a frequency is learned."),
        ("X0q", "Untrained regions foretell when each frequency will be learned, better than the "
                "frequency itself does.",
         "The frequency itself foretells when it will be learned better than untrained regions."),
        ("X0s", "Up to an encoding's own frequencies the walls are not enough.",
         "For some encoding the walls are nearly enough up to its own frequencies too."))),
    ("x1_transplant_untrained", (
        ("X1a", "Before any training, high frequencies follow regions more than what is fed.",
         "Before any training, high frequencies follow what is fed more than regions."),)),
    ("x2_transplant_trained", (
        ("X2a", "Fed with the plainest input, a network learns more with the frozen regions of an "
                "untrained network that has the most frequencies than with its own.",
         "Fed with the plainest input, a network learns less with the frozen regions of an "
         "untrained network that has the most frequencies than with its own."),)),
    ("x3_dose", (
        ("X3a", "The more of the imposed units switch from one sample to the next, the smaller the "
                "error.",
         "How many of the imposed units switch from one sample to the next does not alone "
         "decide the error."),
        ("X3c", "Units that are on by mere chance fit the samples worse than those of an encoding.",
         "Units that are on by mere chance fit the samples better still."))),
    ("x4_transplant_photograph", (
        ("X4a", "At the pixels trained on, regions change more than what is fed.",
         "At the pixels trained on, what is fed changes more than regions do."),
        ("X4f", "At the others, units that are on by chance do worse than an encoding's regions.",
         "At the others, units that are on by chance do better than an encoding's regions."))),
)
# The paper's explanation, step by step, and the claims (on natural images) that test each step.
EXPLANATIONS = (
    ("Under encodings neighbours are computed differently, on coordinates alike", ("E2a", "E5a")),
    ("Inputs with like activation patterns are trained together",
     ("T10a", "T10b", "T10d", "T15c", "T15d")),
    ("On coordinates descent cancels itself more than under encodings",
     ("E3a", "E8a", "T15a", "T15b")),
    ("On coordinates high frequencies are slow by themselves, and encodings make them fast",
     ("T16a", "T16b", "T16e", "T17a")),
    ("These rates decide when a frequency is learned", ("T16c",)),
    ("How fast a frequency is learned depends on where, as a global transform cannot say",
     ("T17b", "T17c", "T17d")),
    ("Walls move to where the error is", ("T18a", "T18b")),
    ("Moving walls, not only changing slopes, learn the high frequencies",
     ("T19b", "T19c", "T19d")),
    ("The infinitely wide network does not follow the real one", ("T32a", "T32c", "T32e")),
    ("So encodings reach a lower loss", ("E1", "E22a", "E21a")),
)
LOOKS = {FAILED: ("no", "✗"), UNDECIDED: ("open", "?"), UNTESTED: ("open", "–"),
         REPRODUCED: ("yes", "✓")}  # in the order of a table


def page(records: Sequence[Mapping[str, Any]], failed: Sequence[str], heading: str,
         out: Path) -> str:
    """The page, as text, from what perform() wrote about every experiment under out."""
    broken = f"<p>Did not run: {html.escape(', '.join(failed))}.</p>" if failed else ""
    sentences = summary([row for record in records for row in record["claims"]])
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(heading)}</title><style>{STYLE}</style></head><body>
<h1>{html.escape(heading)}</h1>
<p>The claims of <a href="https://arxiv.org/abs/2301.05816">Lazzari &amp; Liu, <i>Understanding the
Spectral Bias of Coordinate Based MLPs Via Training Dynamics</i></a>, and of the theory behind them,
each measured on trained networks. A claim is a conjunction of statements "this number is
positive"; each seed gives each one a value, and the 95 % t interval of the mean over seeds decides.
The effect is that of the weakest statement, the one that decides.</p>
{"".join(f"<p><strong>{html.escape(sentence)}</strong></p>" for sentence in sentences)}{broken}
{answer(records, out)}
{explanations(records)}
<h2>The experiments</h2>
{"".join(section(record, out) for record in records)}
</body></html>
"""


def answer(records: Sequence[Mapping[str, Any]], out: Path) -> str:
    """Whether regions are the cause, in words that follow the verdicts, with the pictures."""
    by_name, parts = {record["name"]: record for record in records}, []
    for name, statements in ANSWERS:
        words = " ".join(told(row, *said) for key, *said in statements for record in records
                         for row in record["claims"] if row["key"].split("-")[0] == key)
        if words or name in by_name:
            words = words if name else f"<strong>{words}</strong>"
            picture = figure(by_name[name], out) if name in by_name else ""
            parts.append(f"<p>{words}</p>{picture}")
    return f"<h2>Are the regions the cause?</h2>{''.join(parts)}" if parts else ""


def told(row: Mapping[str, Any], held: str, failed: str) -> str:
    """What came out for one claim: a sentence by its verdict, and where the claim stands."""
    open_one = f"{row['verdict'].capitalize()}: {row['claim']}."
    words = {REPRODUCED: held, FAILED: failed}.get(row["verdict"], open_one)
    return f'{html.escape(words)} (<a href="#{row["key"]}">{row["key"]}</a>)'


def explanations(records: Sequence[Mapping[str, Any]]) -> str:
    """Each step of the explanation with its claims, their verdicts and effects, each linked."""
    ledger, items = [row for record in records for row in record["claims"]], []
    for step, keys in EXPLANATIONS:
        rows = [row for row in ledger
                if row["key"].split("-")[0] in keys and row["image"] != "random image"]
        if rows:
            tests = "".join(test(row) for row in rows)
            items.append(f"<li>{html.escape(step)}: <strong>{said(rows)}</strong>.{tests}</li>")
    signs = ", ".join(f"{sign} {verdict}" for verdict, (_, sign) in LOOKS.items())
    return ("<h2>The argument, step by step</h2><p>Each step with the claims that test it and the "
            f"effect of their weakest statements: {signs}.</p><ul>{''.join(items)}</ul>"
            if items else "")


def said(rows: Sequence[Mapping[str, Any]]) -> str:
    """The common verdict of the claims that test one step."""
    verdicts = {row["verdict"] for row in rows} - {UNTESTED}
    if verdicts == {REPRODUCED}:
        return "supported"
    if REPRODUCED in verdicts:
        return "supported in part"
    return "not supported" if FAILED in verdicts else "not decided"


def test(row: Mapping[str, Any]) -> str:
    """One claim as a line."""
    return (f'<div>{LOOKS[row["verdict"]][1]} <a href="#{row["key"]}">{row["key"]}</a> '
            f'{html.escape(row["claim"])} <span class="about">({html.escape(row["effect"])})'
            "</span></div>")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Claims, one a row: those that failed first, then those not decided."""
    lines = []
    for row in sorted(rows, key=lambda row: list(LOOKS).index(row["verdict"])):
        look, sign = LOOKS[row["verdict"]]
        claim, measured, effect, why = (html.escape(row[column])
                                        for column in ("claim", "measured", "effect", "why"))
        adjusted = "" if row["adjusted"] is None else f"{row['adjusted']:.2g}"
        lines.append(f'<tr id="{row["key"]}"><td><a href="#{row["key"]}">{row["key"]}</a></td>'
                     f'<td>{row["kind"]}</td><td class="claim">{claim}{". <i>" * bool(why)}{why}'
                     f'{"</i>" * bool(why)}</td><td>{measured}</td><td>{effect}</td>'
                     f'<td>{adjusted}</td><td class="verdict {look}">{sign} {row["verdict"]}'
                     f'<br>{row["on"]}</td></tr>')
    heads = ("", "kind", "claim", "measured (mean over seeds)", "effect", "p, adjusted", "verdict")
    return ('<div class="wide"><table><thead><tr>' + "".join(f"<th>{head}</th>" for head in heads)
            + f'</tr></thead><tbody>{"".join(lines)}</tbody></table></div>')


def section(record: Mapping[str, Any], out: Path) -> str:
    """One experiment, folded: its question, its picture, how it was done, its claims."""
    name, title = record["name"], html.escape(record["title"])
    question = html.escape(record["question"].removeprefix(record["title"].split()[0] + " "))
    picture = ("<p>Its picture is above.</p>" if name in dict(ANSWERS) else figure(record, out))
    about = "".join(f'<p class="about">{html.escape(part)}</p>' for part in record["about"])
    verdicts = [row["verdict"] for row in record["claims"]]
    signs = " ".join(f"{sign} {verdicts.count(verdict)}" for verdict, (_, sign) in LOOKS.items()
                     if verdict in verdicts)
    return f"""
<details id="{name}"><summary><strong>{title}</strong> {signs}<br>{question}</summary>
<p class="about">{html.escape(record["source"])}; {record["length"]}</p>
{picture}
{about}
{table(record["claims"])}
<p class="about">Repeat it: <code>{html.escape(record["command"])}</code>. Everything plotted is in
<code>{name}.npz</code>, the picture for print in <code>{name}.pdf</code>.</p></details>"""


def figure(record: Mapping[str, Any], out: Path) -> str:
    """The picture of an experiment, and what it shows."""
    shows = html.escape(record["shows"])
    picture = base64.b64encode((out / f"{record['name']}.png").read_bytes()).decode()
    return f"""<figure><figcaption>{shows}</figcaption>
<div class="wide"><img loading="lazy" alt="{shows}" src="data:image/png;base64,{picture}"></div>
</figure>"""
