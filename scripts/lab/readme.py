"""Write what README says was found, from the ledger, scripts/ledger.json.

    python -m scripts.lab.readme          write it from scripts/ledger.json
    python -m scripts.lab.readme out      first replace ledger and pictures by those in out/

A test checks that the two agree.  Which claims README tells is chosen here; sentences follow the
verdicts (scripts/lab/findings.py), numbers and verdicts come from the ledger.  The kept ledger is
made by

    python -m scripts.reproduce --seeds 20 --out out
    python -m scripts.lab.readme out

Experiments may have other numbers of seeds, each with a command of its own; then

    python -m scripts.lab.report out

before the last puts together what is in out/.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relu_dynamics.files import replacing
from scripts.lab.findings import SHORT, numbers, of_first_image, told
from scripts.lab.ledger import FAILED, REPRODUCED, family, write_text

ROOT = Path(__file__).parents[2]
LEDGER, README = ROOT / "scripts" / "ledger.json", ROOT / "README.md"
PICTURES = ROOT / "scripts" / "pictures"

ANSWER = ("X2b", "X4b", "X0a")
TABLE = ("E1", "E5a", "E5b", "E3a", "E8f", "X0a", "X0s", "X8b", "X1a", "X2a", "X2h", "X3a",
         "X3c", "X4b", "X4f", "X5b", "X5a", "X5d")
WIDTH = 50  # letters of the measured numbers; the rest is in the ledger


def answer(ledger: Mapping[str, Any]) -> str:
    """The answer in a few sentences."""
    found = (of_first_image(ledger["claims"], key) for key in ANSWER)
    return filled(" ".join(f"{told(row)[:-1]} ({family(row)})." for row in found if row))


def findings(ledger: Mapping[str, Any]) -> str:
    """The counts, a table of what was found, and the paper's claims that failed."""
    found = [row for key in TABLE if (row := of_first_image(ledger["claims"], key))]
    failed = dict.fromkeys(family(row) for row in ledger["claims"]
                           if row["kind"] == "paper" and row["verdict"] == FAILED)
    counts = filled(f"{ledger['heading']} (`scripts/ledger.json`). {' '.join(ledger['summary'])} "
                    f"Failed of the paper's (some on one image only): "
                    f"{', '.join(failed) or 'none'}.")
    lines = [counts, "", "|found|measured|claim||", "|---|---|---|---|"]
    for row in found:
        held = ", holds " if row["verdict"] != REPRODUCED else " "
        verdict = SHORT[row["verdict"]] + (held + row["on"] if row["on"] else "")
        cells = (told(row), numbers(row, WIDTH), verdict, family(row))
        lines.append("|" + "|".join(cell.replace("|", "\\|") for cell in cells) + "|")
    return "\n".join(lines)


def filled(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)


def kept(ledger: Mapping[str, Any]) -> str:
    """The ledger as JSON, a claim a line, numbers with six digits."""
    head = json.dumps({**ledger, "claims": []}, ensure_ascii=False)
    claims = ",\n".join(json.dumps(short(row), ensure_ascii=False) for row in ledger["claims"])
    return head.replace('"claims": []', f'"claims": [\n{claims}\n]') + "\n"


def short(value: Any) -> Any:
    """A value of JSON, its numbers with six digits."""
    if isinstance(value, dict):
        return {key: short(part) for key, part in value.items()}
    if isinstance(value, list):
        return [short(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


PARTS = {"answer": answer, "findings": findings}


def with_findings(readme: str, ledger: Mapping[str, Any]) -> str:
    """The text of README with every generated part made from ledger."""
    for name, made in PARTS.items():
        begin, end = f"<!-- {name}: python -m scripts.lab.readme -->\n", f"\n<!-- end of {name} -->"
        before, rest = readme.split(begin)
        readme = before + begin + made(ledger) + end + rest.split(end)[1]
    return readme


def main(argv: Sequence[str]) -> int:
    if argv:
        out = Path(argv[0])
        write_text(LEDGER, kept(json.loads((out / "claims.json").read_text())))
        for picture in PICTURES.glob("*.png"):
            shutil.copyfile(out / picture.name, picture)
    text = with_findings(README.read_text(), json.loads(LEDGER.read_text()))
    with replacing(README) as file:
        file.write(text.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
