"""How many examples Hypothesis tries: HYPOTHESIS_PROFILE=few (and counterexamples as they come),
dev (default), deep."""

import os

# One BLAS thread: the networks here are small, and the arithmetic then repeats to the bit.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hypothesis import Phase, settings  # noqa: E402

settings.register_profile("few", deadline=None, max_examples=5, derandomize=True,
                          phases=[Phase.explicit, Phase.generate])
settings.register_profile("dev", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("deep", deadline=None, max_examples=5000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
