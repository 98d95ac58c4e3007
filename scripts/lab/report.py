"""The report: one page that tells what was found, opens from disk and needs no other file.

    python -m scripts.lab.report out     put together the report and the ledger of all that out/
                                         holds, be it from several commands with other seeds

Order: the question and the answer in four pictures; the paper's argument step by step; what failed
and why; what is not decided or not tested; the experiments, folded; the words.  Sentences written
here hold no measured number: numbers come from the claims.
"""

from __future__ import annotations

import base64
import html
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scripts.lab import ledger, schedule
from scripts.lab.findings import SAID, SHORT, numbers, of_first_image, reason, told
from scripts.lab.ledger import FAILED, REPRODUCED, UNDECIDED, UNTESTED, family

Record = Mapping[str, Any]  # what schedule.perform wrote of one experiment; its claims are settled
Row = Mapping[str, Any]
MOST_BYTES = 4_000_000

STYLE = """
:root { color-scheme: light dark; --quiet: light-dark(#444, #bbb); --line: light-dark(#ddd, #444);
  --yes: light-dark(#00664b, #5fd3ae); --no: light-dark(#a63d00, #ff9a66);
  --box: light-dark(#f4f6f8, #22262a); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: 0 auto; padding: 1em; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5em; } h3 { margin: 2em 0 0.5em; }
img { display: block; max-width: 100%; height: auto; background: white; }
.wide { overflow-x: auto; } figure { margin: 1em 0; }
.box { background: var(--box); padding: 0.2em 1em; border-radius: 0.5em; }
table { border-collapse: collapse; font-size: 0.85em; width: 100%; } td.claim { min-width: 16em; }
td, th { text-align: left; vertical-align: top; padding: 0.35em 0.6em; }
tr { border-bottom: 1px solid var(--line); } :target { outline: 2px solid var(--no); }
.verdict { white-space: nowrap; font-weight: 600; } .yes { color: var(--yes); }
.no { color: var(--no); } .open, .about, figcaption { color: var(--quiet); }
.about, figcaption { font-size: 0.9em; } figcaption { margin-top: 0.4em; }
details { border-top: 1px solid var(--line); padding: 0.6em 0; } summary { cursor: pointer; }
li { margin-bottom: 0.8em; } li div, li details { font-size: 0.9em; }
li details { border: 0; padding: 0; } dt { font-weight: 600; } code { overflow-wrap: anywhere; }
@media screen and (max-width: 45em) {
  h1 { font-size: 1.5em; } ul, ol { padding-left: 1.2em; }
  thead { display: none; } table, tbody, tr, td { display: block; padding: 0.1em 0; }
}
@media print {
  details::details-content { content-visibility: visible; block-size: auto; }
  body { max-width: none; font-size: 10pt; } figure, tr, li > div { break-inside: avoid; }
  summary { list-style: none; } a { color: inherit; }
}
"""
QUESTION = """A network of ReLU units that maps a position to a value learns low frequencies first;
from plain coordinates it hardly learns high ones at all, and with a positional encoding it does.
<a href="https://arxiv.org/abs/2301.05816">Lazzari &amp; Liu</a> explain this by the network's
<i>activation regions</i>, the pieces on which it is affine: they decide how a step for one input
changes the output at another. Here their claims are measured again, the regions are counted
exactly, and one question is added: are the regions the <i>cause</i>?"""
# The answer in four pictures: a heading, the experiment whose picture it has, and what is told.
ANSWERS = (
    ("What has to be explained: the fit", "e1_signal_fit", ("E1", "T16f")),
    ("A law: walls diffract", "x0_walls_diffract", ("X0a", "X0q", "X8b", "X0s")),
    ("A transplant: another network's regions", "x2_transplant_trained",
     ("X2a", "X1a", "X3a", "X3c", "X3d", "X2h", "X4a", "X4b", "X4f")),
    ("The regions of one pixel", "x5_regions_per_pixel", ("E4a", "X5b", "X5a", "X5d")),
    ("What others have claimed since", "", ("X6a", "X6h", "X7a", "X9a")),
)
SHORTLY = ("X2b", "X4b", "X0a")


class Step(NamedTuple):
    """One step of the argument: the claims that test it, and what the paper itself gives for it."""

    says: str
    keys: tuple[str, ...]  # "E5a" is that claim, "E5" all of E5's
    paper: str = ""        # its own numbers, read off its figures, its appendix and its code


PAPERS = (
    Step("From coordinates high frequencies are hardly learned, and encodings let them be",
         ("E1", "E21", "E22", "T35"), "fits are drawn, without a number"),
    Step("Coordinates cut the input into few regions, encodings into many", ("E4", "E9", "E19"),
         "all 262 144 pixels have a pattern of their own at L=8, and far fewer on coordinates; one "
         "frequency never separates all 4096 pixels"),
    Step("So neighbours are computed alike on coordinates and differently under encodings",
         ("E2a", "E5a", "E5f", "E6", "E17", "E18"),
         "L=4 sets neighbours more than twice as far apart as [-1,1]; on coordinates they share "
         "97 % of the units or more"),
    Step("Distant inputs differ more than neighbours, and least on [0,1]",
         ("E2b", "E2c", "E2d", "E2e", "E5b", "E5c", "E5d", "E5e", "E5g", "E5h"),
         "distances of L=8 and L=16 rise and fall again, and [0,1] overtakes them near epoch 800 "
         "to 950"),
    Step("Inputs computed alike are bound together in training: gradient confusion",
         ("E3", "E8", "T10"), "densities of the cosine are drawn, pooled over five images"),
    Step("Dead units, norms, angles and distances to walls go with the input in the same way",
         ("E7", "E10", "E11", "E12", "E13", "E14", "E20"),
         "dead units grow by more than half until epoch 50 and then by less than a tenth; the "
         "first layer's norm changes by less than 45 %; radii grow nearly as L does"),
    Step("It is the same on other images and, the other way round, in high dimension",
         ("E15", "E16"), "cosines of distant examples are at 0, with a density above 10"),
)
OURS = (
    Step("On coordinates descent cancels itself more than under encodings", ("T15",)),
    Step("So high frequencies are slow by themselves on coordinates, and encodings make them fast",
         ("T16", "X8")),
    Step("Where in the image a frequency is learned a global transform cannot say",
         ("T17", "X9")),
    Step("Walls move to where the error is, and units that switch learn the high frequencies",
         ("T18", "T19", "X7")),
    Step("A fixed kernel, as of an infinitely wide network, does not follow the real one",
         ("T32", "X6")),
    Step("The walls of the regions, or the pattern alone, give the rates", ("X0",)),
    Step("The regions are the cause: who has them learns, whatever is fed in",
         ("X1", "X2", "X3", "X4")),
    Step("There are far more regions than pixels see", ("X5",)),
)
LOOKS = {FAILED: ("no", "✗"), UNDECIDED: ("open", "?"), UNTESTED: ("open", "–"),
         REPRODUCED: ("yes", "✓")}  # in the order of a table
GLOSSARY = {
    "Unit, pattern": "A hidden unit is on where its input is positive. The activation pattern says "
                     "for every unit whether it is on.",
    "Cell or region": "All inputs with one pattern. There the network is affine.",
    "Wall": "Where a unit goes on or off: the border between two cells, at which the gradient of "
            "the network jumps.",
    "Gate": "The factor zero or one by which a unit lets its input through. A transplant takes the "
            "gates of another network, and no longer asks for the sign.",
    "Feature": "What the network is fed with: coordinates, or sines and cosines of them (a "
               "positional encoding; L is its number of frequencies).",
    "Hamming distance": "The number of units in which the patterns of two inputs differ.",
    "Confusion": "The cosine of the loss gradients at two inputs: near one, a step for one is a "
                 "step for the other; below zero, it undoes what the other has learned.",
    "Interference": "What pairs of inputs destroy for one another, as a share of what all inputs "
                    "and the other pairs gain.",
    "Rate": "How fast gradient flow reduces the error at one frequency by itself, without what "
            "couples in from others.",
    "Structure factor": "The power spectrum of points with weights, as in diffraction: here of the "
                        "walls, each as strong as its jump.",
}


# ------------------------------------------------------------------------------ files


def write(records: Sequence[Record], failed: Sequence[str], out: Path) -> None:
    """claims.json for machines, claims.md and report.html for readers, under out."""
    claims = ledger.settled([{"experiment": record["name"], "source": record["source"],
                              "length": record["length"], **row}
                             for record in records for row in record["claims"]])
    settled = [{**record, "claims": [row for row in claims if row["experiment"] == record["name"]]}
               for record in records]
    heading = f"Claims at {' and '.join(scales(records))} scale, {ledger.seeds(claims)}"
    whole = {"heading": heading, "summary": ledger.summary(claims), "claims": claims}
    ledger.write_json(out / "claims.json", whole)
    ledger.write_text(out / "claims.md", ledger.markdown(settled, heading))
    text = page(settled, failed, heading, out)
    ledger.write_text(out / "report.html", text)
    if len(text.encode()) > MOST_BYTES:
        print(f"{out / 'report.html'} is large: {len(text.encode()) / 1e6:.1f} MB")


def scales(records: Sequence[Record]) -> list[str]:
    """The scales of the records, each once: "quick", "laptop", "paper"."""
    found = (re.match(r"\('(\w+)'", record["settings"]) for record in records)
    return list(dict.fromkeys(match[1] for match in found if match))


def main(argv: Sequence[str]) -> int:
    out = Path(argv[0])
    files = [out / f"{name}.json" for name in schedule.all_names()]
    write([json.loads(file.read_text()) for file in files if file.exists()], [], out)
    return 0


# ------------------------------------------------------------------------------ the page


def page(records: Sequence[Record], failed: Sequence[str], heading: str, out: Path) -> str:
    """The page, as text, from what perform() wrote about every experiment under out."""
    broken = f"<p>Did not run: {html.escape(', '.join(failed))}.</p>" if failed else ""
    rows = [row for record in records for row in record["claims"]]
    shortly = "".join(f"<p><strong>{html.escape(told(row))}</strong> ({link(row)})</p>"
                      for key in SHORTLY if (row := of_first_image(rows, key)))
    count = [row["verdict"] for row in rows].count
    counts = "".join(f"<p>{html.escape(count)}</p>" for count in ledger.summary(rows))
    title = "Are activation regions the cause of spectral bias?"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style></head><body>
<h1>{title}</h1>
<p>{QUESTION}</p>
<div class="box">{shortly}{counts}
<p class="about">{html.escape(heading)}.</p>{broken}</div>
{answer(records, out)}
<h2 id="argument">The argument, step by step</h2>
<p>A claim is a set of statements "this number is positive". Each seed gives each of them a value,
and the 95&nbsp;% interval of the mean over seeds decides: it <b>holds</b> above zero, <b>fails</b>
below, and is <b>not decided</b> around it. In brackets stands the effect of the weakest statement.
What needs larger or longer runs is <b>untested</b> here. Claims on a random image do not count for
a step, and in a step of the paper's only its own do.</p>
<h3>The paper's</h3>
<p>What stands as the paper's own is read off its figures, its appendix and its code.</p>
{argument(PAPERS, rows)}
<h3>Ours, on why and whether regions are the cause</h3>{argument(OURS, rows)}
<h2 id="failed">What failed, and why</h2>
{listed(rows, FAILED)}
<h2 id="open">What is not known</h2>
<details><summary>Not decided: the seeds do not agree, and an effect, if there is one, lies within
the interval given ({count(UNDECIDED)})</summary>{listed(rows, UNDECIDED)}</details>
<details><summary>Untested here: larger or longer runs are needed, as with <code>--scale
paper</code> ({count(UNTESTED)})</summary>{listed(rows, UNTESTED)}</details>
<h2 id="words">Words</h2>
<dl>{"".join(f"<dt>{word}</dt><dd>{meaning}</dd>" for word, meaning in GLOSSARY.items())}</dl>
<h2 id="experiments">The experiments</h2>
{"".join(section(record, out) for record in records)}
</body></html>
"""


def sentence(row: Row) -> str:
    """What came out for one claim, with its numbers, and where the claim stands."""
    return (f'{html.escape(told(row))} <span class="about">({html.escape(numbers(row))}; '
            f'{link(row)})</span>')


def link(row: Row) -> str:
    return f'<a href="#{row["key"]}">{row["key"]}</a>'


def answer(records: Sequence[Record], out: Path) -> str:
    """The answer in words that follow the verdicts, with four pictures."""
    by_name = {record["name"]: record for record in records}
    rows = [row for record in records for row in record["claims"]]
    parts = []
    for heading, name, keys in ANSWERS:
        said = [row for key in keys if (row := of_first_image(rows, key))]
        if said or name in by_name:
            items = "".join(f"<li>{mark(row)} {sentence(row)}</li>" for row in said)
            picture = figure(by_name[name], out) if name in by_name else ""
            parts.append(f"<h3>{heading}</h3><ul>{items}</ul>{picture}")
    return "".join(parts)


def argument(steps: Sequence[Step], rows: Sequence[Row]) -> str:
    """Each step with its verdict, its numbers and the paper's, and its claims: those that failed in
    full, the others folded."""
    items = []
    for step in steps:
        found = in_order(tests(step, rows))
        if not found:
            continue
        first = tests(step, rows)[0]
        what = SAID[family(first)].numbers if family(first) in SAID else first["claim"]
        here = (html.escape(f"{what}: {first['measured']}") + f" ({link(first)}; "
                + html.escape(f"{first['effect']}; {first['length']})"))
        paper = f" <i>In the paper</i>: {step.paper}." if step.paper else ""
        failed = [line(row) for row in found if row["verdict"] == FAILED]
        others = [line(row) for row in found if row["verdict"] != FAILED]
        folded = f"<details><summary>{counted(found)}</summary>{''.join(others)}</details>"
        items.append(f"""<li><strong>{html.escape(step.says)}</strong>: {verdict_of(found)}
<div class="about"><i>Here</i>: {here}.{paper}</div>{"".join(failed)}{folded}</li>""")
    return f"<ol>{''.join(items)}</ol>"


def tests(step: Step, rows: Sequence[Row]) -> list[Row]:
    """The claims that test a step, on natural images or on none."""
    return [row for row in rows if row["image"] != "random image"
            and any(re.fullmatch(f"{key}[a-z]*", family(row)) for key in step.keys)]


def verdict_of(rows: Sequence[Row]) -> str:
    """The common verdict of the claims that test a step, and how many hold of those tested; where
    some are the paper's, only they count."""
    count = [row for row in rows if row["kind"] == "paper"] or rows
    verdicts = [row["verdict"] for row in count if row["verdict"] != UNTESTED]
    held = verdicts.count(REPRODUCED)
    if not verdicts:
        return f'<span class="verdict open">{SHORT[UNTESTED]}</span>'
    if held == len(verdicts):
        look, words = "yes", SHORT[REPRODUCED]
    elif held:
        look, words = "open", "holds in part"
    else:
        look, words = LOOKS[min(verdicts, key=list(LOOKS).index)][0], SHORT[
            FAILED if FAILED in verdicts else UNDECIDED]
    return f'<span class="verdict {look}">{words}</span>, {held} of {len(verdicts)} claims'


def counted(rows: Sequence[Row]) -> str:
    """The signs of the verdicts, and how many claims have each."""
    verdicts = [row["verdict"] for row in rows]
    return ", ".join(f'<span class="{look}">{sign}&nbsp;{verdicts.count(verdict)} {SHORT[verdict]}'
                     "</span>" for verdict, (look, sign) in LOOKS.items() if verdict in verdicts)


def mark(row: Row) -> str:
    look, sign = LOOKS[row["verdict"]]
    return f'<span class="verdict {look}" title="{SHORT[row["verdict"]]}">{sign}</span>'


def line(row: Row) -> str:
    """One claim as a line."""
    return (f'<div>{mark(row)} {link(row)} {html.escape(row["claim"])} '
            f'<span class="about">({html.escape(row["effect"])})</span></div>')


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Claims that failed first, then those not decided."""
    return sorted(rows, key=lambda row: list(LOOKS).index(row["verdict"]))


def listed(rows: Sequence[Row], verdict: str) -> str:
    """All claims of one verdict, the paper's first: claim, numbers, effect and reason."""
    mine = [row for kind in ledger.KINDS for row in rows
            if row["verdict"] == verdict and row["kind"] == kind]
    items = []
    for row in mine:
        claim, measured, effect, why = map(html.escape, (row["claim"], row["measured"],
                                                         row["effect"], reason(row)))
        items.append(f'<li>{mark(row)} {link(row)} <span class="about">({row["kind"]})</span> '
                     f'{claim}<div class="about">{measured}. {effect}. <i>{why}</i></div></li>')
    return f"<ul>{''.join(items)}</ul>" if items else "<p>None.</p>"


def table(rows: Sequence[Row]) -> str:
    """Claims, one a row, with a place to link to."""
    lines = []
    for row in in_order(rows):
        look, sign = LOOKS[row["verdict"]]
        claim, measured, effect, why = (html.escape(row[column])
                                        for column in ("claim", "measured", "effect", "why"))
        adjusted = "" if row["adjusted"] is None else f"{row['adjusted']:.2g}"
        lines.append(f'<tr id="{row["key"]}"><td>{link(row)}</td>'
                     f'<td>{row["kind"]}</td><td class="claim">{claim}{". <i>" * bool(why)}{why}'
                     f'{"</i>" * bool(why)}</td><td>{measured}</td><td>{effect}</td>'
                     f'<td>{adjusted}</td><td class="verdict {look}">{sign} {row["verdict"]}'
                     f'<br>{row["on"]}</td></tr>')
    heads = ("", "kind", "claim", "measured (mean over seeds)", "effect", "p, adjusted", "verdict")
    return ('<div class="wide"><table><thead><tr>' + "".join(f"<th>{head}</th>" for head in heads)
            + f'</tr></thead><tbody>{"".join(lines)}</tbody></table></div>')


def section(record: Record, out: Path) -> str:
    """One experiment, folded: its question, its picture, how it was done, its claims."""
    name, title = record["name"], html.escape(record["title"])
    question = html.escape(record["question"].removeprefix(record["title"].split()[0] + " "))
    above = any(name == shown for _, shown, _ in ANSWERS)
    picture = "<p>Its picture is above.</p>" if above else figure(record, out)
    about = "".join(f'<p class="about">{html.escape(part)}</p>' for part in record["about"])
    return f"""
<details id="{name}"><summary><strong>{title}</strong> {counted(record["claims"])}<br>
{question}</summary>
<p class="about">{html.escape(record["source"])}; {record["length"]};
{ledger.seeds(record["claims"])}</p>
{picture}
{about}
{table(record["claims"])}
<p class="about">Repeat it: <code>{html.escape(record["command"])}</code>. Everything plotted is in
<code>{name}.npz</code>, the picture for print in <code>{name}.pdf</code>.</p></details>"""


def figure(record: Record, out: Path) -> str:
    """The picture of an experiment, what it shows, and for those who cannot see it what was
    measured."""
    picture = base64.b64encode((out / f"{record['name']}.png").read_bytes()).decode()
    seen = "; ".join(f"{row['claim']}: {row['measured']}" for row in record["claims"][:3])
    shows = html.escape(record["shows"])
    return f"""<figure><div class="wide"><img loading="lazy" alt="{shows} Seen are: {
        html.escape(seen)}." src="data:image/png;base64,{picture}"></div>
<figcaption>{shows} <code>{html.escape(record["command"])}</code></figcaption></figure>"""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
