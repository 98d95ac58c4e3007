"""Every numbered statement has a test that names it, and README says which."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]

README = (ROOT / "README.md").read_text()
ROWS = re.findall(r"^\| (T\d+) \| .* \| `(\w+)` `(\w+)` \|$", README, flags=re.M)


def documented_tests():
    """(file, test) -> its docstring."""
    return {(path.stem, node.name): ast.get_docstring(node) or "" for path in (ROOT / "tests").glob("test_*.py")
            for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_readme_lists_every_statement_once_in_order():
    assert [name for name, _, _ in ROWS] == [f"T{k}" for k in range(1, 40)]


def test_every_listed_test_exists_and_names_its_statement():
    tests = documented_tests()
    for name, file, test in ROWS:
        assert (file, test) in tests, f"{name}: there is no {test} in {file}.py"
        assert re.search(rf"\b{name}\b", tests[file, test]), f"{test} does not name {name}"
