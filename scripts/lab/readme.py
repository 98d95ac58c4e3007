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
    "Are the regions the cause?": (
        "X1a", "X1b", "X2a", "X2b", "X2d", "X3a", "X3b", "X3c", "X4a-photograph", "X4b-photograph"),
    "Rates are the spectrum of the walls": ("X0a", "X0b", "X0c", "X0e", "X0i", "X0j", "X0m"),
    "The paper's picture": (
        "E1", "E2a", "E3a", "E5a-photograph", "E5b-photograph", "E8a-photograph",
        "E7a-photograph", "E21a-photograph"),
    "Taken apart": ("T16c", "T16f", "T17b", "T19b", "T15a"),
}


def findings(ledger: Mapping[str, object]) -> str:
    """The summary, a table per section, and the list of the paper's claims not reproduced."""
    claims: Sequence[Mapping[str, object]] = ledger["claims"]  # type: ignore[assignment]
    by_key = {str(row["key"]): row for row in claims}
    failed = [str(row["key"]) for row in claims
              if row["kind"] == "paper" and row["verdict"] == "not reproduced"]
    settings: Mapping[str, Sequence[int]] = ledger["settings"]  # type: ignore[assignment]
    text = [f"At {settings['scale']} scale, {len(settings['seeds'])} seeds. "
            + " ".join(ledger["summary"]), ""]  # type: ignore[arg-type]
    for title, keys in SECTIONS.items():
        rows = [by_key[key] for key in keys if key in by_key]
        if rows:
            text += [f"| {title} | measured | verdict | |", "|---|---|---|---|"]
            text += ["| " + " | ".join(str(row[column]).replace("|", "\\|") for column in
                                       ("claim", "measured", "verdict", "key")) + " |"
                     for row in rows] + [""]
    if failed:
        text += [f"Not reproduced of the paper's: {', '.join(failed)}. The report says what may be "
                 f"behind each.", ""]
    return "\n".join(text)


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
