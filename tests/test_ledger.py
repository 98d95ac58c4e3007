"""Verdicts follow from the seeds by a rule fixed beforehand."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, spearmanr, ttest_1samp

from scripts.lab import ledger
from scripts.lab.ledger import (
    FAILED, REPRODUCED, UNDECIDED, UNTESTED, Claim, Link, chain, contrast, each, last_tenth,
    ordered, ordering, rise, steadily,
)

values = st.lists(st.integers(-50, 50), min_size=2, max_size=8).map(lambda v: np.array(v) / 4)
LOOKS = {REPRODUCED: [1.0, 1.1, 1.2], FAILED: [-1.0, -1.1, -1.2], UNDECIDED: [-1.0, 0.0, 1.1]}


def claim(verdict, key="K", **more):
    return Claim(key, "s", "m", [Link(verdict, np.array(LOOKS[verdict]))], **more)


# --------------------------------------------------------------------- one link


@given(values)
def test_interval_and_p_are_those_of_the_t_test(seeds):
    """Against SciPy's one-sample t test, which refuses nothing but constant samples."""
    link = Link("x", seeds)
    mean, low, high = link.interval()
    assert mean == np.mean(seeds)
    if np.ptp(seeds) > 0:
        test = ttest_1samp(seeds, 0, alternative="greater")
        expected = ttest_1samp(seeds, 0).confidence_interval(0.95)
        np.testing.assert_allclose([low, high], [expected.low, expected.high], rtol=1e-9,
                                   atol=1e-12)
        np.testing.assert_allclose(link.p(), 2 * test.pvalue if mean > 0 else 1, rtol=1e-9)
    else:
        assert low == high == mean and link.p() == (0 if mean > 0 else 1)


@given(values)
def test_verdict_says_on_which_side_of_zero_the_interval_lies(seeds):
    """And p is below 0.05 exactly if it lies above."""
    link, opposite = Link("x", seeds), Link("x", -seeds)
    _, low, high = link.interval()
    if low > 0:
        assert (link.verdict(), opposite.verdict()) == (REPRODUCED, FAILED)
    elif high < 0:
        assert (link.verdict(), opposite.verdict()) == (FAILED, REPRODUCED)
    elif low == high == 0:
        assert link.verdict() == opposite.verdict() == FAILED
    elif low < 0 < high:
        assert link.verdict() == opposite.verdict() == UNDECIDED
    if low != 0:
        assert (link.p() < 0.05) == (link.verdict() == REPRODUCED)


def test_one_seed_decides_nothing():
    link = Link("x", np.array([5.0]))
    assert link.verdict() == UNDECIDED and link.p() == 1


def test_seeds_agree_that_have_the_sign_of_the_mean():
    assert Link("x", np.array([3.0, -1.0, 2.0, 0.0])).agreeing() == 2
    assert Link("x", np.array([-3.0, -1.0, 2.0])).agreeing() == 2


# ------------------------------------------------------------------- from links to claims


@given(st.lists(st.sampled_from([REPRODUCED, FAILED, UNDECIDED]), min_size=1, max_size=5))
def test_a_claim_is_as_good_as_its_weakest_link(verdicts):
    links = [Link(verdict, np.array(LOOKS[verdict])) for verdict in verdicts]
    whole = Claim("K", "statement", "measured", links)
    worst = next(v for v in (FAILED, UNDECIDED, REPRODUCED) if v in verdicts)
    assert whole.verdict() == worst and whole.effect().startswith(worst)  # the link's own text


def test_the_effect_shown_is_that_of_the_closest_call():
    """Both links hold; the one nearer to failing is the one to show, whatever its unit."""
    clear = Link("clear", np.array([1.0, 1.1, 1.2]))
    close = Link("close", np.array([100.0, 300.0, 200.0]))
    for links in ([clear, close], [close, clear]):
        assert Claim("K", "statement", "measured", links).effect().startswith("close")


names = st.sampled_from(["[0,1]", "[-1,1]", "L=4", "L=7", "[0,1] layer 1", "near, any class"])


@given(st.lists(names, min_size=2, max_size=5, unique=True), st.integers(1, 4))
def test_a_chain_is_written_once_and_gives_the_sentence_and_the_links(steps, cut):
    """Every input of a step stands above every input of the next."""
    plain = [step for step in steps if ", " not in step]
    grouped = chain(*plain[:cut], plain[cut:]) if len(plain) > cut else chain(*plain)
    table = {name: np.arange(3.0) - k for k, name in enumerate(plain)}
    made = ordered("K", "first {} last", grouped, table)
    assert made.statement == f"first {grouped} last"
    levels = [[name] for name in plain[:cut]] + ([plain[cut:]] if plain[cut:] else [])
    expected = [f"{a} > {b}" for above, below in zip(levels[:-1], levels[1:], strict=True)
                for a in above for b in below]
    assert [link.text for link in made.links] == expected


def test_links_of_a_chain_take_the_worst_checkpoint():
    """a > {b, c} > d gives four links; each seed counts its smallest difference."""
    table = {"a": [[9, 9], [5, 9]], "b": [[1, 1], [1, 1]], "c": [[2, 2], [2, 8]],
             "d": [[0, 0], [0, 0]]}
    links = ordering("a > {b, c} > d", {key: np.array(value) for key, value in table.items()})
    assert {link.text: link.values.tolist() for link in links} == {
        "a > b": [4, 8], "a > c": [3, 1], "b > d": [1, 1], "c > d": [2, 2]}


def test_a_tie_holds_within_the_margin_that_the_claim_states():
    """Rule: an interval that contains 0 is not reproduced; so a >= b needs a margin."""
    table = {"a": np.array([1.0, 1.0]), "b": np.array([1.0, 1.0]), "c": np.array([0.0, 0.0])}
    made = ordered("K", "{}", "a ≥ b > c", table, margin=0.25)
    assert made.statement == "a ≥ b > c (≥: less by at most 0.25)"
    assert [link.values.tolist() for link in made.links] == [[0.25, 0.25], [1, 1]]
    with pytest.raises(ValueError, match="needs a margin"):
        ordered("K", "{}", "a ≥ b", table)
    assert ordered("K", "{}", "a > b", table).verdict() == FAILED


def test_what_spreads_over_decades_is_compared_as_logarithms():
    """One seed out of three dominates the difference of means, and not that of logarithms."""
    table = {"a": np.array([1e3, 1.1, 12.0]), "b": np.array([1e2, 0.1, 1.0])}
    assert ordered("K", "{}", "a > b", table).verdict() == UNDECIDED
    made = ordered("K", "{}", "a > b", table, log=True)
    assert made.verdict() == REPRODUCED and "log10" in made.statement
    assert made.measured.startswith("a 23.6 · b 2.15")  # geometric means


@given(st.integers(-9, 9), st.integers(-9, 9))
def test_contrast_is_tanh_of_half_the_log_ratio_and_defined_everywhere(a, b):
    value = float(contrast(np.array([float(a)]), np.array([float(b)]))[0])
    assert -1 <= value <= 1 and np.sign(value) == np.sign(a - b)
    if a > 0 and b > 0:
        np.testing.assert_allclose(value, np.tanh(np.log(a / b) / 2), atol=1e-12)


def test_what_is_reached_is_sought_in_the_last_tenth_of_training():
    assert last_tenth(np.array([0, 1, 400, 450, 475, 500])).tolist() == [False] * 3 + [True] * 3
    assert last_tenth(np.array([0, 1])).tolist() == [False, True]


def test_claims_that_there_is_too_little_to_test_are_left_out():
    """One recorded epoch says nothing about change, and one input nothing about an order."""
    short, enough = np.ones((1, 3)), np.array([[1.0, 1, 1], [2, 3, 4]])
    claims = [Claim(key, "c", "m", [Link("grows", measure(table))]) for key, table, measure in
              [("A", short, rise), ("B", short, steadily), ("C", enough, rise),
               ("D", enough, steadily)]]
    claims += [ordered("E", "{}", chain("a", []), {"a": enough}),
               Claim("F", "c", "m", each("x", {}))]
    assert [(row["key"], row["links"][0]["mean"]) for row in ledger.rows(claims)] == [
        ("C", 2.0), ("D", 2.0)]


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="claim K"):
        ledger.rows([Claim("K", "s", "m", [Link("x", np.array([1.0, np.inf]))])])


def test_what_needs_paper_scale_is_untested_elsewhere():
    """Neither a success nor a failure, whatever was measured."""
    for verdict in LOOKS:
        needs = [claim(verdict, needs="more epochs")]
        row, = ledger.rows(needs, scale="laptop")
        assert (row["verdict"], row["why"]) == (UNTESTED, "more epochs")
        assert ledger.rows(needs, scale="paper")[0]["verdict"] == verdict


# ------------------------------------------------------------------- the whole ledger


@given(st.lists(st.integers(0, 20).map(lambda k: k / 20), min_size=1, max_size=12))
def test_adjusted_p_values_are_benjamini_and_hochbergs(p):
    np.testing.assert_allclose(ledger.adjusted(p), false_discovery_control(p), rtol=1e-12)


def test_only_the_papers_tested_claims_are_adjusted_and_head_the_count():
    claims = [claim(REPRODUCED, "A"), claim(UNDECIDED, "B"),
              claim(REPRODUCED, "C", kind="question"),
              claim(REPRODUCED, "D", kind="identity"), claim(FAILED, "E", needs="time")]
    settled = ledger.settled(ledger.rows(claims, scale="laptop"))
    p = [row["p"] for row in settled[:2]]
    assert [row["adjusted"] for row in settled[:2]] == ledger.adjusted(p)
    assert [row["adjusted"] for row in settled[2:]] == [None] * 3
    first, second, third, last = ledger.summary(settled)
    assert first == "Of the paper's 3 claims: 1 reproduced, 1 not decided, 1 untested here."
    assert second == "Of our own 1 questions: 1 reproduced."
    assert third == "Of 1 identities: 1 reproduced." and "1 of its 1 reproduced" in last


def test_the_number_of_seeds_is_that_of_the_values():
    """Most experiments have three; one has five, and one has nothing random in it."""
    measured = {"x1_a": [3], "x0_b": [3], "x0_c": [3, 5], "e5_d": [5], "e9_e": [0]}
    claims = [{"experiment": name, "links": [
        {"over": "seed" if n else "level", "values": [1.0] * (n or 9)} for n in numbers]}
        for name, numbers in measured.items()]
    assert ledger.seeds(claims[:2]) == "3 seeds" and ledger.seeds(claims[4:]) == "0 seeds"
    assert ledger.seeds(claims[:3]) == "3 seeds (x0_c: 5)"
    assert ledger.seeds([*claims, claims[0]]) == "5 seeds (X1, x0_b: 3)" 
    assert ledger.seeds([{"experiment": "e1_a", "links": claims[0]["links"]}]) == "3 seeds"


def test_claims_about_natural_images_say_on_how_many_they_hold():
    """The random image is none of them."""
    claims = [claim(v, "E5a", image=image) for v, image in
              [(FAILED, "random image"), (REPRODUCED, "photograph"), (UNDECIDED, "brain")]]
    settled = ledger.settled(ledger.rows(claims))
    assert [row["key"] for row in settled] == ["E5a-random", "E5a-photograph", "E5a-brain"]
    assert [row["on"] for row in settled] == ["", "on 1 of 2 images", "on 1 of 2 images"]
    assert settled[1]["claim"] == "photograph: s"


def test_the_ledger_reads_back_as_plain_values_with_every_seed(tmp_path):
    """Without NaN or infinity, which JSON does not have."""
    claims = [Claim("A|1", "a | b", "m", [Link("x", np.array([1.0, 1.5]))]),
              Claim("B", "c", "m", [Link("y", np.array([2.0]))])]
    rows = ledger.settled(ledger.rows(claims))
    ledger.write_json(tmp_path / "claims.json", rows)
    assert json.loads((tmp_path / "claims.json").read_text(), parse_constant=pytest.fail) == rows
    assert rows[0]["links"][0]["values"] == [1.0, 1.5] and rows[0]["links"][0]["agree"] == 2
    record = {"title": "t", "question": "q?", "source": "s", "length": "l", "command": "c",
              "claims": rows}
    table = ledger.markdown([record], "Claims")
    assert table.count("\n| ") == 1 + len(rows) and "a \\| b" in table


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=9))
def test_rank_correlation_is_spearmans_with_infinities_last(pairs):
    """Against SciPy's, which infinities do not suit: a number larger than all others has their
    rank."""
    a, b = np.array(pairs, float).T
    ours = ledger.rank_correlation(np.where(a == 3, np.inf, a), b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        assert ours == 0
    else:
        np.testing.assert_allclose(ours, spearmanr(a, b).statistic, atol=1e-12)


def test_terminal_lines_are_aligned_one_per_claim():
    rows = [{"verdict": v, "key": k, "claim": c, "measured": "m", "effect": "e"}
            for v, k, c in [("reproduced", "E1", "short"),
                            ("not reproduced", "E10", "a longer claim")]]
    first, second = ledger.lines(rows)
    assert first.index("short") == second.index("a longer")
    assert first.rindex("m") == second.rindex("m")
