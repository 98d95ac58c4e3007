"""The faults that tests/mutants.py plants are what it says, and every module of the package has tests to notice them."""

import ast

import pytest

from tests import mutants

SOURCE = '''
LIMIT = 3
def f(x: int, mask) -> "int":
    """Doc 1."""
    if x < 2:
        raise ValueError(f"{x + 1}")
    x += 1
    rows = row_blocks(x, 512)
    return -x @ np.where(mask, x.T, 0)
'''


def test_every_fault_is_planted_once_and_alone():
    """The planted source differs from the original in the one place; messages, limits and annotations are left alone."""
    tree = ast.parse(SOURCE)
    found = list(mutants.faults(tree))
    assert sorted(fault.what for fault in found) == sorted(
        ["comparison", "comparison", "number", "statement deleted", "number", "sign dropped", "mask dropped", "transpose dropped", "number"])
    original, planted = ast.unparse(tree), {mutants.planted(tree, fault) for fault in found}
    assert len(planted) == len(found) and original not in planted and ast.unparse(tree) == original
    for source in planted:
        lines = zip(original.splitlines(), source.splitlines(), strict=True)
        assert sum(a != b for a, b in lines) == 1 and "LIMIT = 3" in source and "{x + 1}" in source


@pytest.mark.parametrize("module", mutants.MODULES)
def test_every_module_has_faults_and_tests(module):
    assert all((mutants.ROOT / "tests" / f"test_{name}.py").exists() for name in mutants.TESTS.get(module, (module,)))
    assert len(list(mutants.faults(ast.parse((mutants.ROOT / "relu_dynamics" / f"{module}.py").read_text())))) > 20


def test_every_fault_said_to_change_nothing_is_still_planted():
    """A line that has changed since takes its excuse with it."""
    planted = set()
    for module in {module for module, _, _ in mutants.EQUIVALENT}:
        text = (mutants.ROOT / "relu_dynamics" / f"{module}.py").read_text()
        for fault in mutants.faults(ast.parse(text)):
            planted.add((module, text.splitlines()[getattr(fault.node, "lineno", 1) - 1].strip(), mutants.described(fault)))
    assert set(mutants.EQUIVALENT) <= planted, set(mutants.EQUIVALENT) - planted


def test_a_fault_that_breaks_a_test_is_noticed_and_one_that_changes_nothing_is_not(tmp_path):
    """In a package of one module with one test."""
    (tmp_path / "relu_dynamics").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "relu_dynamics" / "__init__.py").touch()
    (tmp_path / "relu_dynamics" / "one.py").write_text("def one():\n    return 1\n")
    (tmp_path / "tests" / "test_one.py").write_text("from relu_dynamics.one import one\n\n\ndef test_one():\n    assert one() == 1\n")
    assert mutants.noticed(tmp_path, "one", "def one():\n    return 2\n")
    assert mutants.noticed(tmp_path, "one", "import os\n\n\ndef one():\n    os.kill(os.getpid(), 9)\n")  # as compiled code may crash
    assert not mutants.noticed(tmp_path, "one", "def one():\n    return 2 - 1\n")
    assert (tmp_path / "relu_dynamics" / "one.py").read_text().endswith("return 1\n")


@pytest.mark.parametrize("argv", [["nothing"], ["mlp", "--faults", "0"]])
def test_bad_arguments_are_refused(argv):
    with pytest.raises(SystemExit) as stop:
        mutants.main(argv)
    assert stop.value.code == 2
