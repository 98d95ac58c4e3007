"""Would the tests notice?  Plant small faults in the package, one at a time, and run the module's
tests.

    python -m tests.mutants                              # a few faults in every module
    python -m tests.mutants mlp flow/kinks --faults 50   # more of them in some

Faults: a comparison flipped or made strict, + for - and * for /, a sign or a `not` dropped, a
number changed, a transpose or a mask dropped, a statement deleted.  They are planted in a
temporary copy.  A fault that no test notices is printed with its place; some of those change
nothing that is promised, so the share noticed is not expected to reach 100 %.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "relu_dynamics"
MODULES = sorted(path.relative_to(PACKAGE).with_suffix("").as_posix()
                 for path in PACKAGE.rglob("*.py") if path.stem != "__init__")
SECONDS = 90  # a test run that takes longer has hung, which is noticing

COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
            ast.NotEq: ast.Eq}
TURNED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
           ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
           ast.BitXor: ast.BitOr}


class Fault(NamedTuple):
    """A change of one node."""

    node: ast.AST
    new: ast.AST  # what replaces it

    def __str__(self) -> str:
        new = ast.fix_missing_locations(copy.deepcopy(self.new))
        return f"{ast.unparse(self.node)}  ->  {ast.unparse(new)}"


def faults(tree: ast.Module) -> Iterator[Fault]:
    """Every fault of one module, in the order of its lines."""
    for node in _code(tree):
        match node:
            case ast.Compare(left, [operator], others):
                for table in (COMPARED, TURNED):
                    if type(operator) in table:
                        yield Fault(node, ast.Compare(left, [table[type(operator)]()], others))
            case ast.BinOp(left, operator, right) if type(operator) in SWAPPED:
                yield Fault(node, ast.BinOp(left, SWAPPED[type(operator)](), right))
            case ast.UnaryOp(ast.USub() | ast.Not() | ast.Invert(), operand):
                yield Fault(node, operand)
            case ast.Constant(int() | float() as value) if not isinstance(value, bool):
                yield Fault(node,
                            ast.Constant(value + 1 if isinstance(value, int)
                                         else 1.5 * value + 1e-3))
            case ast.Attribute(value, "T", ast.Load()):
                yield Fault(node, value)
            case ast.Call(ast.Attribute(_, "where"), [_, kept, _]):
                yield Fault(node, kept)
            case ast.AugAssign() | ast.Expr(ast.Call()):
                yield Fault(node, ast.Pass())


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes in which a fault would be one of the arithmetic: no messages, types, named limits,
    or pictures."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for node in value if isinstance(value, list) else [value]:
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            named_limit = isinstance(target, ast.Name) and target.id.isupper()
            draws = isinstance(node, ast.FunctionDef) and "draw" in node.name
            said = isinstance(node, (ast.Raise, ast.Import, ast.ImportFrom, ast.JoinedStr))
            if isinstance(node, ast.AST) and not (said or named_limit or draws):
                yield node
                yield from _code(node)


def planted(tree: ast.Module, fault: Fault) -> str:
    """The module's source with the fault in it."""
    copies: dict[int, ast.AST] = {}  # of the nodes, by the identity of the original
    clone, new = copy.deepcopy((tree, fault.new), copies)
    here = copies[id(fault.node)]

    class Plant(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is here else self.generic_visit(node)

    return ast.unparse(ast.fix_missing_locations(Plant().visit(clone)))


def tests_of(module: str) -> list[str]:
    """The test files named after the module or its folder, or that import it."""
    *folder, stem = module.split("/")
    names, dotted = {f"test_{name}"
                     for name in (*folder, stem)}, f"relu_dynamics.{module.replace('/', '.')} "
    return [f"tests/{path.name}" for path in sorted((ROOT / "tests").glob("test_*.py"))
            if path.stem in names or (dotted in path.read_text() and folder)]


def noticed(folder: Path, module: str, source: str) -> bool:
    """Whether the module's tests fail on this source, cannot be collected, or hang; the copy in
    folder is put right again."""
    path = folder / "relu_dynamics" / f"{module}.py"
    original = path.read_text()
    path.write_text(source)
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider",
               *tests_of(module)]
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, timeout=SECONDS,
                              check=False,
                              env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}).returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        path.write_text(original)


def survey(module: str, count: int, seed: int, workers: int) -> tuple[int, int]:
    """How many faults were planted in the module, and how many its tests noticed."""
    text = (PACKAGE / f"{module}.py").read_text()
    tree = ast.parse(text)
    every = list(faults(tree))
    chosen = random.Random(f"{seed} {module}").sample(every, min(count, len(every)))
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(workers) as threads:
        copies: Queue[Path] = Queue()
        for k in range(workers):
            copies.put(
                Path(shutil.copytree(ROOT, Path(name) / f"copy{k}", ignore=shutil.ignore_patterns(
                ".git", ".venv", "out", "__pycache__", ".hypothesis"))))
        if noticed(Path(name) / "copy0", module, text):
            raise RuntimeError(
                f"the tests of {module} fail without any fault: {' '.join(tests_of(module))}")

        def tried(fault: Fault) -> bool:
            folder = copies.get()
            try:
                return noticed(folder, module, planted(tree, fault))
            finally:
                copies.put(folder)

        killed = 0
        for fault, was_noticed in zip(chosen, threads.map(tried, chosen), strict=True):
            killed += was_noticed
            if not was_noticed:
                print(f"  survived  {module}.py:{getattr(fault.node, 'lineno', 1)}  {fault}",
                      flush=True)
    return len(chosen), killed


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="module",
                        help=f"which (default: all): {', '.join(MODULES)}")
    parser.add_argument("--faults", type=int, default=10,
                        help="how many faults per module (default: 10)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1,
                        help="how many at a time (default: one per core)")
    parser.add_argument("--seed", type=int, default=0, help="which sample of faults")
    options = parser.parse_args(argv)
    if unknown := set(options.modules) - set(MODULES):
        parser.error(f"no module is called {', '.join(sorted(unknown))}")
    for module in options.modules or MODULES:
        number, killed = survey(module, options.faults, options.seed, options.workers)
        print(f"{module:24} {killed:4} of {number:4} noticed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
