"""What README says can be done, can be done, and what it says was found is in the ledger."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imsave

from relu_dynamics import load
from scripts import choose, examine, reproduce
from scripts.lab import findings, readme, report, schedule
from scripts.lab.ledger import FAILED, REPRODUCED, UNDECIDED, VERDICTS
from scripts.lab.readme import LEDGER, with_findings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
MODEL, CONJECTURE, TOUR = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(code, **names):
    """What the names are after the code, pasted into a shell in which these are defined."""
    exec(compile(code, "README.md", "exec"), names)
    return names


def test_the_tour_runs_as_printed():
    """Its comments, and that somebody else's regions are not one's own."""
    names = run(TOUR)
    assert len(names["regions"]) > 1 and names["rates"].shape[0] > 1
    assert len(names["gradient"].weights) == 3
    assert any((ours != theirs).any() for ours, theirs in
               zip(names["trace"].pattern, names["foreign"].pattern, strict=True))


def test_a_model_comes_in_and_is_saved(tmp_path, monkeypatch):
    """A state_dict of arrays stands for one of tensors."""
    monkeypatch.chdir(tmp_path)
    state = {"0.weight": np.ones((3, 2)), "0.bias": np.ones(3),
             "2.weight": np.ones((1, 3)), "2.bias": np.ones(1)}
    net = run(MODEL, model=state)["net"]
    saved = [W.tolist() for W in load("net.npz").weights]
    assert saved == [W.tolist() for W in net.weights] == [[[1, 1]] * 3, [[1] * 3]]


def test_the_conjecture_falls_as_promised():
    """Hypothesis finds the counterexample; where the two inputs are one there is none."""
    name = "test_inputs_of_one_region_have_parallel_gradients"
    with pytest.raises(AssertionError):
        run(CONJECTURE)[name]()
    run(CONJECTURE.replace("net, x = drawn", "net, x = drawn; x = x[[0, 0]]"))[name]()


def test_every_command_is_understood(tmp_path, monkeypatch):
    """All but the one with the reader's own experiment."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    imsave("photo.jpg", rng.random((64, 64, 3)))
    np.savetxt("sound.csv", rng.random(64))
    understands = {"reproduce": reproduce.parsed, "choose": choose.parsed,
                   "examine": examine.command_line().parse_args}
    commands = re.findall(r"python -m scripts\.(\w+) ?(.*?)[`\n]", README)
    tried = [(name, shlex.split(rest)) for name, rest in commands
             if name in understands and "x10" not in rest]
    assert {name for name, _ in tried} == set(understands) and len(tried) > 5
    for name, argv in tried:
        understands[name](argv)


def test_continuous_integration_runs_the_readmes_test_command():
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci/run").read_text().splitlines()


def test_pictures_and_links_of_the_readme_exist():
    targets = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert targets and all((ROOT / target).is_file() for target in targets)


# --------------------------------------------------------------------- words and numbers


# Numbers that are names: of versions, papers, statements and claims, inputs, types, sizes.
NAMES = (r"Python 3\.\d+|arXiv 2301\.05816|\b[TEX]\d+[a-z]?\b|\bL=\d+|\[-?\d+,\d+\]|float\d\d|"
         r"log10|\b\d+x\d+\b|STATEMENTS\.md")
NUMBER = re.compile(r"\d+")


def measured_numbers(text):
    """The numbers of a text that are not names."""
    return NUMBER.findall(re.sub(NAMES, "", text))


def prose(markdown):
    """What is written by hand: without code, formulas, addresses, and what is generated."""
    for form in (r"<!-- (\w+): .*?<!-- end of \1 -->", r"```.*?```", r"\$\$.*?\$\$", r"\$.*?\$",
                 r"`[^`]*`", r"\]\([^)]*\)", r"^\d\. "):
        markdown = re.sub(form, "", markdown, flags=re.DOTALL | re.MULTILINE)
    return markdown


def test_findings_are_those_of_the_ledger():
    """Every sentence, number and verdict that README tells."""
    assert with_findings(README, json.loads(LEDGER.read_text())) == README


def test_another_run_replaces_ledger_pictures_and_words(tmp_path, monkeypatch):
    """Its verdicts turn the sentences round."""
    for name in ("LEDGER", "README", "PICTURES"):
        monkeypatch.setattr(readme, name, tmp_path / getattr(readme, name).name)
    readme.README.write_text(README)
    readme.PICTURES.mkdir()
    (readme.PICTURES / "x9.png").touch()
    kept = json.loads(LEDGER.read_text())
    rows = [{**row, "verdict": FAILED if row["key"] == "X2a" else row["verdict"]}
            for row in kept["claims"]]
    out = tmp_path / "out"
    out.mkdir()
    (out / "claims.json").write_text(json.dumps({**kept, "claims": rows}))
    (out / "x9.png").write_text("new")
    readme.main([str(out)])
    assert (readme.PICTURES / "x9.png").read_text() == "new"
    assert json.loads(readme.LEDGER.read_text())["claims"] == rows
    for text, said, other in ((README, "held", "failed"),
                              (readme.README.read_text(), "failed", "held")):
        assert getattr(findings.SAID["X2a"], said) in text
        assert getattr(findings.SAID["X2a"], other) not in text


def test_the_readme_is_short():
    assert len(README.split()) <= 1500


def test_no_number_of_the_readme_is_written_by_hand():
    """Numbers are generated from the ledger, or in commands; what remains are names."""
    assert "What was found" in prose(README) and "5 seeds" not in prose(README)
    assert measured_numbers(prose(README)) == []


@pytest.mark.parametrize("name", schedule.all_names())
def test_captions_hold_no_measured_number(name):
    """A caption says what is to be seen, whatever came out.  The ends of a cosine, -1, 0 and 1, are
    not measured."""
    assert set(measured_numbers(schedule.module(name).SHOWS)) <= {"0", "1"}


def test_no_number_of_the_report_is_written_by_hand():
    """Its sentences are chosen by verdicts and followed by the numbers of the claims.  Only the
    paper's own numbers are written down, in one place, and shown as the paper's."""
    told = [*findings.REASONS.values(), *report.GLOSSARY.values(),
            re.sub("<.*?>", "", report.QUESTION, flags=re.DOTALL),
            *(word for finding in findings.SAID.values() for word in finding),
            *(heading for heading, *_ in report.ANSWERS),
            *(step.says for step in (*report.PAPERS, *report.OURS))]
    assert measured_numbers(" ".join(told)) == []
    assert not any(step.paper for step in report.OURS)


@pytest.mark.parametrize("key", findings.SAID)
def test_a_sentence_is_chosen_by_the_verdict(key):
    """One for what was reproduced, another for what was not, and else that it is open."""
    rows = {verdict: {"key": f"{key}-brain", "verdict": verdict} for verdict in VERDICTS}
    said = {verdict: findings.told(row) for verdict, row in rows.items()}
    assert len(set(said.values())) == len(VERDICTS)
    assert said[REPRODUCED] == findings.SAID[key].held
    assert said[FAILED] == findings.SAID[key].failed
    assert said[UNDECIDED].startswith("Not decided whether ")
    assert all(sentence.endswith(".") for sentence in said.values())


def test_numbers_that_are_too_many_are_the_first_and_the_last():
    row = {"key": "E1", "measured": "a 1 · b 2 · c 3"}
    assert findings.numbers(row).endswith(": a 1 · b 2 · c 3")
    assert findings.numbers(row, 10).endswith(": a 1 · … · c 3")
