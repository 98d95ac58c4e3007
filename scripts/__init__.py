"""One question per script; `python -m scripts.reproduce` asks them all.

Networks here are small, so every process gets one BLAS thread and processes run side by
side.  The variables must be set before numpy is first imported.
"""

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
