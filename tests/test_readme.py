"""What README says can be done, can be done."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from relu_dynamics import load
from scripts.lab.readme import BEGIN, END, LEDGER, SECTIONS, with_findings

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
    assert len(names["regions"]) > 1 and names["rates"].shape[0] > 1 and len(
        names["gradient"].weights) == 3
    assert any(
        (ours != theirs).any()
        for ours, theirs in zip(names["trace"].pattern, names["foreign"].pattern, strict=True))


def test_a_model_comes_in_and_is_saved(tmp_path, monkeypatch):
    """A state_dict of arrays stands for one of tensors."""
    monkeypatch.chdir(tmp_path)
    state = {"0.weight": np.ones((3, 2)), "0.bias": np.ones(3), "2.weight": np.ones((1, 3)),
             "2.bias": np.ones(1)}
    net = run(MODEL, model=state)["net"]
    for read in (load("net.npz"), net):
        assert [W.tolist() for W in read.weights] == [[[1, 1]] * 3, [[1] * 3]]


def test_the_conjecture_falls_as_promised():
    """Hypothesis finds the counterexample; where the two inputs are one there is none."""
    test = "test_inputs_of_one_region_have_parallel_gradients"
    with pytest.raises(AssertionError):
        run(CONJECTURE)[test]()
    run(CONJECTURE.replace("net, x = drawn", "net, x = drawn; x = x[[0, 0]]"))[test]()


def test_continuous_integration_runs_the_readmes_test_command():
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci/run").read_text().splitlines()


def test_pictures_and_links_of_the_readme_exist():
    targets = re.findall(r"\]\((?!http)([^)]+)\)", README)
    assert targets and all((ROOT / target).is_file() for target in targets)


def test_findings_are_those_of_the_ledger():
    """Every number and verdict of the tables; each claim that README tells is there."""
    ledger = json.loads(LEDGER.read_text())
    assert with_findings(README, ledger) == README
    told = README[README.index(BEGIN) : README.index(END)]
    assert all(f"| {key} |" in told for keys in SECTIONS.values() for key in keys)
