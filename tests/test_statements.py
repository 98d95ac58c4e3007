"""Every numbered statement names functions that exist and a test that exists and names it."""

import ast
import re
from pathlib import Path

import pytest

import relu_dynamics as rd

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "relu_dynamics" / "STATEMENTS.md").read_text()
STATEMENTS = dict(re.findall(r"^\*\*(T\d+)\. (.*?)(?=^\*\*T\d+\.|^## |\Z)", TEXT,
                             flags=re.M | re.S))


def documented_tests():
    """file::test -> its docstring."""
    return {f"{path.name}::{node.name}": ast.get_docstring(node) or ""
            for path in (ROOT / "tests").glob("test_*.py")
            for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


TESTS = documented_tests()


def test_statements_are_numbered_without_a_gap():
    assert list(STATEMENTS) == [f"T{k}" for k in range(1, 57)]


@pytest.mark.parametrize("name", STATEMENTS)
def test_what_a_statement_names_exists(name):
    """At its end: functions of the package, then tests that say most about it; or the command that
    measures it."""
    said = re.sub(r"\$`.*?`\$", "", STATEMENTS[name], flags=re.S).strip()
    text, *tests = re.split(r"\s·\s", said, maxsplit=1)
    functions = text.splitlines()[-1]
    assert functions.startswith("`python -m") or all(
        hasattr(rd, found) for found in re.findall(r"`(\w+)", functions))
    named = re.findall(r"`(test_\w+\.py::\w+)`", " ".join(tests))
    assert named or functions.startswith("`python -m")
    for test in named:
        assert test in TESTS, f"{name}: there is no {test}"
        told = f"{test} {TESTS[test]}"
        assert re.search(rf"(\b|_){name}(\b|_)", told, flags=re.I), f"{test} does not name {name}"
