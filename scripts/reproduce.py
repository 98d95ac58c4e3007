"""Run the paper's experiments and judge its claims.

    python -m scripts.reproduce                     every experiment at laptop scale
    python -m scripts.reproduce --quick             everything, tiny, within a minute
    python -m scripts.reproduce e5_image_hamming    only what is named

Writes, under --out: claims.md and claims.json (the ledger: claim, measured, effect over
seeds, verdict), and NAME.npz, NAME.png and NAME.json per experiment.  Training runs are
shared between experiments and kept in runs/; what is done is not repeated.  The exit
status says whether everything ran, not whether the paper was right.
"""

import sys

from scripts import experiment


def main(argv: list[str] | None = None) -> int:
    return experiment.main(argv, __doc__)


if __name__ == "__main__":
    sys.exit(main())
