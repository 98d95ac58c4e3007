"""Verdicts follow from the seeds by a rule fixed beforehand."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr, ttest_1samp

from scripts import ledger
from scripts.ledger import FAILED, REPRODUCED, UNDECIDED, Claim, Link, ordering, rise, steadily

values = st.lists(st.integers(-50, 50), min_size=2, max_size=8).map(lambda v: np.array(v) / 4)


@given(values)
def test_interval_is_the_t_interval_of_the_mean(seeds):
    """Against SciPy's one-sample t test, which refuses nothing but constant samples."""
    mean, low, high = Link("x", seeds).interval()
    assert mean == np.mean(seeds)
    if np.ptp(seeds) > 0:
        expected = ttest_1samp(seeds, 0).confidence_interval(0.95)
        np.testing.assert_allclose([low, high], [expected.low, expected.high], rtol=1e-9, atol=1e-12)
    else:
        assert low == high == mean


@given(values)
def test_verdict_says_on_which_side_of_zero_the_interval_lies(seeds):
    """Turning all signs round turns reproduced into not reproduced."""
    verdict, opposite = Link("x", seeds).verdict(), Link("x", -seeds).verdict()
    _, low, high = Link("x", seeds).interval()
    if low > 0:
        assert (verdict, opposite) == (REPRODUCED, FAILED)
    elif high < 0:
        assert (verdict, opposite) == (FAILED, REPRODUCED)
    elif low == high == 0:
        assert verdict == opposite == FAILED
    elif low < 0 < high:
        assert verdict == opposite == UNDECIDED


def test_one_seed_decides_nothing():
    assert Link("x", np.array([5.0])).verdict() == UNDECIDED


def test_ties_are_reproduced_unless_a_seed_is_negative():
    assert Link("x", np.zeros(3), ties=True).verdict() == REPRODUCED
    assert Link("x", np.array([0.0, 0.0, 9.0]), ties=True).verdict() == REPRODUCED
    assert Link("x", np.array([-1.0, 0.0, 9.0]), ties=True).verdict() == UNDECIDED
    assert Link("x", np.array([-9.0, -9.1, -9.2]), ties=True).verdict() == FAILED


@given(st.lists(st.sampled_from([REPRODUCED, FAILED, UNDECIDED]), min_size=1, max_size=5))
def test_a_claim_is_as_good_as_its_weakest_link(verdicts):
    examples = {REPRODUCED: [1.0, 1.1, 1.2], FAILED: [-1.0, -1.1, -1.2], UNDECIDED: [-1.0, 0.0, 1.1]}
    claim = Claim("K", "statement", "measured", [Link(v, np.array(examples[v])) for v in verdicts])
    expected = FAILED if FAILED in verdicts else UNDECIDED if UNDECIDED in verdicts else REPRODUCED
    assert claim.verdict() == expected
    assert claim.effect().startswith(expected)  # the link's own text


def test_the_effect_shown_is_that_of_the_closest_call():
    """Both links hold; the one nearer to failing is the one to show, whatever its unit."""
    clear, close = Link("clear", np.array([1.0, 1.1, 1.2])), Link("close", np.array([100.0, 300.0, 200.0]))
    for links in ([clear, close], [close, clear]):
        assert Claim("K", "statement", "measured", links).effect().startswith("close")


def test_ordering_links_every_neighbouring_pair_at_its_worst_epoch():
    """a > {b, c} > d gives four links; each seed counts its smallest difference over epochs."""
    table = {"a": [[9, 9], [5, 9]], "b": [[1, 1], [1, 1]], "c": [[2, 2], [2, 8]], "d": [[0, 0], [0, 0]]}
    links = {link.text: link.values.tolist() for link in ordering({k: np.array(v) for k, v in table.items()}, "a", ("b", "c"), "d")}
    assert links == {"a > b": [4, 8], "a > c": [3, 1], "b > d": [1, 1], "c > d": [2, 2]}


def test_the_ledger_reads_back_as_plain_values(tmp_path):
    """Without NaN or infinity, which JSON does not have."""
    claims = [Claim("A|1", "a | b", "m", [Link("x", np.array([1.0, 1.5]))]), Claim("B", "c", "m", [Link("y", np.array([2.0]))])]
    rows = ledger.rows(claims)
    ledger.write_json(tmp_path / "claims.json", rows)
    assert json.loads((tmp_path / "claims.json").read_text(), parse_constant=pytest.fail) == rows
    record = {"title": "t", "question": "q?", "source": "s", "command": "c", "claims": rows}
    table = ledger.markdown([record], "Claims")
    assert table.count("\n| ") == 1 + len(rows) and "a \\| b" in table


def test_claims_that_a_run_is_too_short_to_test_are_left_out():
    """One recorded epoch says nothing about change; two do."""
    short, enough = np.ones((1, 3)), np.array([[1.0, 1, 1], [2, 3, 4]])
    claims = [Claim(name, "c", "m", [Link("grows", measure(values))]) for name, values, measure in
              [("A", short, rise), ("B", short, steadily), ("C", enough, rise), ("D", enough, steadily)]]
    assert [(row["key"], row["links"][0]["mean"]) for row in ledger.rows(claims)] == [("C", 2.0), ("D", 2.0)]


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=9))
def test_rank_correlation_is_spearmans_with_infinities_last(pairs):
    """Against SciPy's, which infinities do not suit: a number larger than all others has their rank."""
    a, b = np.array(pairs, float).T
    ours = ledger.rank_correlation(np.where(a == 3, np.inf, a), b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        assert ours == 0
    else:
        np.testing.assert_allclose(ours, spearmanr(a, b).statistic, atol=1e-12)


def test_terminal_lines_are_aligned_one_per_claim():
    rows = [{"verdict": v, "key": k, "claim": c, "measured": "m", "effect": "e"}
            for v, k, c in [("reproduced", "E1", "short"), ("not reproduced", "E10", "a longer claim")]]
    first, second = ledger.lines(rows)
    assert first.index("short") == second.index("a longer") and first.rindex("m") == second.rindex("m")
