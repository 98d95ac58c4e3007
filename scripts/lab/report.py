"""The report: one page with the ledger and every picture, that opens from disk and needs nothing
from elsewhere."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.lab.ledger import FAILED, REPRODUCED, UNDECIDED, UNTESTED, summary

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 70em; margin: 0 auto; padding: 1em; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5em; }
img { display: block; max-width: 100%; height: auto; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.85em; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 0.35em 0.6em; border-bottom: 1px solid #ddd; } td.claim { min-width: 16em; }
.verdict { white-space: nowrap; font-weight: 600; } .yes { color: #00664b; } .no { color: #a63d00; } .open { color: #555; }
code { background: #f3f3f3; padding: 0 0.25em; } .about { color: #444; } figcaption { font-weight: 600; margin-bottom: 0.5em; }
figure { margin: 1em 0; } nav { columns: 18em; font-size: 0.9em; } nav div { padding-left: 1em; text-indent: -1em; break-inside: avoid; }
li { margin-bottom: 0.7em; } li div { font-size: 0.85em; padding-left: 1.3em; text-indent: -1.3em; }
@media (max-width: 45em) {
  img { max-width: none; zoom: 0.6; } h1 { font-size: 1.5em; } ul { padding-left: 1.2em; }
  thead { display: none; } table, tbody, tr, td { display: block; border: 0; padding: 0.1em 0; } tr { border-bottom: 1px solid #ddd; padding: 0.7em 0; }
}
"""
# The paper's explanation, step by step, and the claims that put each step to the test.
EXPLANATIONS = (
    ("Inputs with like activation patterns are trained together",
     ("T10a", "T10b", "T10d", "T15c", "T15d")),
    ("On coordinates descent cancels itself more than under encodings",
     ("T15a", "T15b", "E8a-photograph")),
    ("On coordinates high frequencies are slow by themselves, and encodings make them fast",
     ("T16a", "T16b", "T16e", "T17a")),
    ("These rates decide when a frequency is learned", ("T16c",)),
    ("How fast a frequency is learned depends on where, as a global transform cannot say",
     ("T17b", "T17c", "T17d")),
    ("Walls move to where the error is", ("T18a", "T18b")),
    ("Moving walls, not only changing slopes, learn the high frequencies",
     ("T19b", "T19c", "T19d")),
    ("The infinitely wide network does not follow the real one", ("T32a", "T32c", "T32e")),
)
LOOKS = {REPRODUCED: ("yes", "✓"), FAILED: ("no", "✗"), UNDECIDED: ("open", "?"),
         UNTESTED: ("open", "–")}


def page(records: Sequence[Mapping[str, object]], failed: Sequence[str], heading: str,
         out: Path) -> str:
    """The page, as text, from what perform() wrote about every experiment under out."""
    ledger = [row for record in records for row in record["claims"]]  # type: ignore[attr-defined]
    broken = f"<p>Did not run: {html.escape(', '.join(failed))}.</p>" if failed else ""
    links = "".join(f'<div><a href="#{record["name"]}">{html.escape(str(record["title"]))}</a></div>' for record in records)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(heading)}</title><style>{STYLE}</style></head><body>
<h1>{html.escape(heading)}</h1>
<p>The claims of <a href="https://arxiv.org/abs/2301.05816">Lazzari &amp; Liu, <i>Understanding the Spectral Bias of Coordinate Based
MLPs Via Training Dynamics</i></a>, and of the theory behind them, each measured on trained networks. A claim is a conjunction of
statements "this number is positive"; each seed gives each one a value, and the 95 % t interval of the mean over seeds decides.
The effect is that of the weakest statement, the one that decides.</p>
{"".join(f"<p><strong>{html.escape(sentence)}</strong></p>" for sentence in summary(ledger))}{broken}
<nav>{links}</nav>
{explanations(records)}
<h2>The ledger</h2>
{table([(str(record["name"]), row) for record in records for row in record["claims"]])}
{"".join(section(record, out) for record in records)}
</body></html>
"""


def explanations(records: Sequence[Mapping[str, object]]) -> str:
    """Each step of the explanation with its claims, their verdicts and effects, where they were
    measured."""
    measured = [(record["name"], row) for record in records
                for row in record["claims"]]  # type: ignore[attr-defined]
    by_key, where, items = {row["key"]: row for _,
                            row in measured}, {row["key"]: name for name, row in measured}, []
    for step, keys in EXPLANATIONS:
        rows = [by_key[key] for key in keys if key in by_key]
        verdicts = {row["verdict"] for row in rows}
        said = ("supported" if verdicts == {REPRODUCED} else "not supported"
                if REPRODUCED not in verdicts and FAILED in verdicts else
                "not decided" if REPRODUCED not in verdicts else "supported in part")
        tests = "".join(f'<div>{LOOKS[str(row["verdict"])][1]} <a '
                        f'href="#{where[row["key"]]}">{row["key"]}</a> '
                        f'{html.escape(str(row["claim"]))} <span '
                        f'class="about">({html.escape(str(row["effect"]))})</span></div>'
                        for row in rows)
        if rows:
            items.append(f'<li>{html.escape(step)}: <strong>{said}</strong>.{tests}</li>')
    signs = ", ".join(f"{sign} {verdict}" for verdict, (_, sign) in LOOKS.items())
    return ("<h2>Which explanations hold</h2><p>Each step with the claims that test it and the "
            "effect of their weakest statements: "
            f"{signs}.</p><ul>{''.join(items)}</ul>" if items else "")


def table(rows: Sequence[tuple[str, Mapping[str, object]]]) -> str:
    """Claims, one a row, each linked to its experiment."""
    lines = []
    for name, row in rows:
        look, sign = LOOKS[str(row["verdict"])]
        key, claim, measured, effect = (html.escape(str(row[column]))
                                        for column in ("key", "claim", "measured", "effect"))
        if row["why"]:
            claim += f'. <i>{html.escape(str(row["why"]))}</i>'
        lines.append(f'<tr><td><a href="#{name}">{key}</a></td><td '
                     f'class="claim">{claim}</td><td>{measured}</td><td>{effect}</td>'
                     f'<td class="verdict {look}">{sign} {row["verdict"]}</td></tr>')
    return ('<div class="wide"><table><thead><tr><th></th><th>claim</th><th>measured (mean over '
            'seeds)</th><th>effect</th><th>verdict</th>'
            f'</tr></thead><tbody>{"".join(lines)}</tbody></table></div>')


def section(record: Mapping[str, object], out: Path) -> str:
    """One experiment: its question, its picture and what to see there, how it was done, its
    claims."""
    name, title = str(record["name"]), html.escape(str(record["title"]))
    question = html.escape(str(record["question"]).removeprefix(title.split()[0] + " "))
    picture = base64.b64encode((out / f"{name}.png").read_bytes()).decode()
    about = "".join(f"<p class=\"about\">{html.escape(part)}</p>"
                    for part in record["about"])  # type: ignore[attr-defined]
    return f"""
<h2 id="{name}">{title}</h2>
<p>{question} <span class="about">({html.escape(str(record["source"]))})</span></p>
<figure><figcaption>{html.escape(str(record["shows"]))}</figcaption>
<div class="wide"><img alt="{title}" src="data:image/png;base64,{picture}"></div></figure>
{about}
{table([(name, row) for row in record["claims"]])}
<p class="about">Repeat it: <code>{html.escape(str(record["command"]))}</code>. Everything plotted is in <code>{name}.npz</code>,
the picture for print in <code>{name}.pdf</code>.</p>"""
