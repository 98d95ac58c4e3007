"""Write the findings in README from the ledger, scripts/ledger.json.

    python -m scripts.lab.readme          write README's findings from scripts/ledger.json
    python -m scripts.lab.readme out      first replace the ledger by that of the run in out/

A test checks that the two agree.  The claims that README shows are chosen here; their numbers and
verdicts come from the ledger.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from relu_dynamics.files import replacing

ROOT = Path(__file__).parents[2]
LEDGER, README = ROOT / "scripts" / "ledger.json", ROOT / "README.md"
BEGIN, END = "<!-- findings: python -m scripts.lab.readme -->", "<!-- end of findings -->"

SECTIONS = {
    "Are the regions the cause?": ("X1a", "X2a", "X2h", "X3a", "X3c", "X3d", "X4b-photograph"),
    "Rates are the spectrum of the walls": ("X0a", "X0q", "X0s"),
    "How many regions are there?": ("X5a-photograph", "X5b-photograph", "X5d-photograph"),
    "The paper's picture": ("E1", "E3a", "E5b-photograph", "T16c"),
}
WIDTH = 100  # letters of the measured numbers; the rest is in the ledger


def findings(ledger: Mapping[str, object]) -> str:
    """The summary, a table per section, and the list of the paper's claims not reproduced."""
    claims: Sequence[Mapping[str, object]] = ledger["claims"]  # type: ignore[assignment]
    by_key = {str(row["key"]): row for row in claims}
    failed = [str(row["key"]) for row in claims
              if row["kind"] == "paper" and row["verdict"] == "not reproduced"]
    settings: Mapping[str, Sequence[int]] = ledger["settings"]  # type: ignore[assignment]
    names = dict.fromkeys(str(row["experiment"]).split("_")[0].upper() for row in claims)
    text = [f"The kept ledger (`scripts/ledger.json`) is of {', '.join(names)} at {settings['scale']} "
            f"scale, {len(settings['seeds'])} seeds. " + " ".join(ledger["summary"]), ""]  # type: ignore[arg-type]
    for title, keys in SECTIONS.items():
        rows = [by_key[key] for key in keys if key in by_key]
        if rows:
            text += [f"| {title} | measured | verdict | |", "|---|---|---|---|"]
            text += ["| " + " | ".join(_cell(str(row[column])) for column in
                                       ("claim", "measured", "verdict", "key")) + " |"
                     for row in rows] + [""]
    if failed:
        text += [f"Not reproduced of the paper's: {', '.join(failed)}. The report says what may be "
                 f"behind each.", ""]
    return "\n".join(text)


def _cell(text: str) -> str:
    """Text in a table; of a list of numbers as many as fit."""
    if " · " in text and len(text) > WIDTH:
        text = text[: text.rindex(" · ", 0, WIDTH)] + " · …"
    return text.replace("|", "\\|")


def with_findings(readme: str, ledger: Mapping[str, object]) -> str:
    """The text of README with its findings replaced by those of ledger."""
    before, rest = readme.split(BEGIN)
    return f"{before}{BEGIN}\n{findings(ledger)}{END}{rest.split(END)[1]}"


def main(argv: Sequence[str]) -> int:
    if argv:
        shutil.copyfile(Path(argv[0]) / "claims.json", LEDGER)
    text = with_findings(README.read_text(), json.loads(LEDGER.read_text()))
    with replacing(README) as file:
        file.write(text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
