"""Would the tests notice?  Plant small faults in the package, one at a time, and run the tests of the module and of all doors.

    python -m tests.mutants                          # a sample of faults in every module
    python -m tests.mutants mlp flow --faults 50     # more of them in some
    python -m tests.mutants mlp --all                # every fault there is

Faults: a comparison flipped or made strict, + for - and * for /, a sign or a `not` dropped, a
number changed, an axis swapped, a transpose dropped, a mask dropped, a statement deleted.  They
are planted in a temporary copy, never here.  A fault that no test notices survives and is
printed with its place; the last column counts those that change nothing, for the reasons in tests/equivalent.py.

Takes about a second a fault and core, and twenty for those of trajectories and kinks.  Needs nothing but the
standard library and what the tests need.
"""

from __future__ import annotations

import argparse
import ast
import copy
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any, NamedTuple

from tests.equivalent import EQUIVALENT

ROOT = Path(__file__).parent.parent
MODULES = sorted(path.stem for path in (ROOT / "relu_dynamics").glob("*.py") if path.stem != "__init__")
TESTS = {"kinks": ("trajectories",),
         "geometry": ("geometry", "regions2d")}  # whose tests are not, or not only, in a file of the module's name
ALWAYS = ("tests/test_public_door.py", "tests/test_examples.py")
SECONDS = 90  # a test run that takes longer has hung, which is noticing
OUTPUT = "output.txt"  # what a test run said, in its copy

# Each test run is a process of its own; where the system can fork, of one that has imported what all of them need, which halves the time.
PROCESSES: Any = multiprocessing.get_context("forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn")
if hasattr(PROCESSES, "set_forkserver_preload"):
    PROCESSES.set_forkserver_preload(["pytest", "hypothesis.extra.numpy", "scipy.fft", "scipy.integrate", "scipy.optimize", "scipy.sparse.csgraph",
                                      "scipy.spatial", "matplotlib.figure"])

COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
TURNED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}
SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
           ast.BitXor: ast.BitOr}


class Fault(NamedTuple):
    """A change of one node."""

    node: ast.AST
    new: ast.AST | None  # what replaces it; None: nothing
    what: str            # how to say so


def faults(tree: ast.Module) -> Iterator[Fault]:
    """Every fault of one module, in the order of its lines; messages, types and docstrings are left alone."""
    for node in _code(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            for table in (COMPARED, TURNED):
                if type(node.ops[0]) in table:
                    yield Fault(node, ast.Compare(node.left, [table[type(node.ops[0])]()], node.comparators), "comparison")
        elif isinstance(node, ast.BinOp) and type(node.op) in SWAPPED and not _text(node):
            yield Fault(node, ast.BinOp(node.left, SWAPPED[type(node.op)](), node.right), "operator")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
            yield Fault(node, node.operand, "sign dropped")
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield Fault(node, ast.Constant(node.value + 1 if isinstance(node.value, int) else 1.5 * node.value + 1e-3), "number")
        elif isinstance(node, ast.Attribute) and node.attr == "T" and isinstance(node.ctx, ast.Load):
            yield Fault(node, node.value, "transpose dropped")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "where" and len(node.args) == 3:
            yield Fault(node, node.args[1], "mask dropped")
        elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            yield Fault(node, None, "statement deleted")


def _code(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes in which a fault would be one of the arithmetic: not those of imports, annotations, raised errors, sizes of limits, pictures."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.Raise, ast.Import, ast.ImportFrom, ast.JoinedStr)) or _is_limit(node) or _makes_blocks(node) or _is_look(node):
            continue
        yield node
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list") or _is_minus_one(node):
                continue
            children = value if isinstance(value, list) else [value]
            stack += [child for child in children if isinstance(child, ast.AST)][::-1]


def _is_look(node: ast.AST) -> bool:
    """A function that draws: colours and line widths are judged by eye."""
    return isinstance(node, ast.FunctionDef) and ("draw" in node.name or node.name.endswith("_colours"))


def _is_minus_one(node: ast.AST) -> bool:
    """-1, which NumPy reads as -2 would be where it means "whatever is left"; the sign is fault enough."""
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant)


def _is_limit(node: ast.AST) -> bool:
    """A module's named size, MAX_ENTRIES = 2**30 or a block size: another one is as right."""
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper()


def _makes_blocks(node: ast.AST) -> bool:
    """row_blocks(n, 512) and the like: blocks of another size are as right."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.endswith("blocks")


def _text(node: ast.BinOp) -> bool:
    return any(isinstance(side, ast.JoinedStr) or (isinstance(side, ast.Constant) and isinstance(side.value, str)) for side in (node.left, node.right))


def planted(tree: ast.Module, fault: Fault) -> str:
    """The module's source with the fault in it."""
    copies: dict[int, ast.AST] = {}  # of the nodes, by the identity of the original
    clone, new = copy.deepcopy((tree, fault.new), copies)
    here = copies[id(fault.node)]

    class Plant(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return (new or ast.Pass()) if node is here else self.generic_visit(node)

    return ast.unparse(ast.fix_missing_locations(Plant().visit(clone)))


def noticed(folder: Path, module: str, source: str) -> bool:
    """Whether the module's tests fail on this source; the copy in folder is put right again."""
    path, own = folder / "relu_dynamics" / f"{module}.py", [f"tests/test_{name}.py" for name in TESTS.get(module, (module,))]
    original = path.read_text()
    path.write_text(source)
    try:  # most faults need only a few examples to show
        return _fail(folder, [*own, *(t for t in ALWAYS if (folder / t).exists())], "few") or _fail(folder, own, "dev")
    finally:
        path.write_text(original)


def _fail(folder: Path, tests: list[str], profile: str) -> bool:
    """Whether these tests fail in folder, cannot be collected, bring the interpreter down or hang."""
    ended = PROCESSES.Process(target=_run, args=(folder, tests, profile))
    ended.start()
    ended.join(SECONDS)
    if ended.is_alive():
        ended.kill()
        ended.join()
    if ended.exitcode > 2:
        raise RuntimeError(f"pytest did not run {' '.join(tests)}: {(folder / OUTPUT).read_text()}")
    return ended.exitcode != 0


def _run(folder: Path, tests: list[str], profile: str) -> None:
    """Be the process that runs them: in folder, where `tests` and the package are those of folder."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "relu_dynamics")]:
        del sys.modules[name]
    os.environ["HYPOTHESIS_PROFILE"] = profile
    with open(OUTPUT, "w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    import pytest

    # What is imported before pytest starts is not rewritten by it, of which it warns.
    sys.exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning", *tests])))


def survey(module: str, count: int | None, seed: int, workers: int = 1) -> tuple[int, int, int]:
    """How many faults were planted in the module, how many its tests noticed, how many of the others change nothing."""
    text = (ROOT / "relu_dynamics" / f"{module}.py").read_text()
    tree = ast.parse(text)
    chosen = list(faults(tree))
    if count is not None and count < len(chosen):
        chosen = random.Random(f"{seed} {module}").sample(chosen, count)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(workers) as threads:
        copies: Queue[Path] = Queue()
        for k in range(workers):
            copies.put(Path(shutil.copytree(
                ROOT, Path(name) / f"copy{k}",
                ignore=shutil.ignore_patterns(".git", ".venv", "out", "__pycache__", ".hypothesis"))))
        if noticed(Path(name) / "copy0", module, text):
            raise RuntimeError(f"the tests of {module} fail without any fault: {(Path(name) / 'copy0' / OUTPUT).read_text()}")

        def tried(fault: Fault) -> bool:
            folder = copies.get()
            try:
                return noticed(folder, module, planted(tree, fault))
            finally:
                copies.put(folder)

        killed = harmless = 0
        for fault, was_noticed in zip(chosen, threads.map(tried, chosen), strict=True):
            number = getattr(fault.node, "lineno", 1)
            line = text.splitlines()[number - 1].strip()
            killed += was_noticed
            if not was_noticed and (module, line, described(fault)) in EQUIVALENT:
                harmless += 1
            elif not was_noticed:
                print(f"  survived  {module}.py:{number}  {fault.what}:  {described(fault)}   in   {line}", flush=True)
    return len(chosen), killed, harmless


def described(fault: Fault) -> str:
    """The code before and after."""
    new = "" if fault.new is None else ast.unparse(ast.fix_missing_locations(copy.deepcopy(fault.new)))
    return f"{ast.unparse(fault.node)} -> {new}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="module", help=f"which (default: all): {', '.join(MODULES)}")
    parser.add_argument("--faults", type=int, default=20, help="how many faults per module (default: 20)")
    parser.add_argument("--all", action="store_true", help="all faults")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many at a time (default: one per core)")
    parser.add_argument("--seed", type=int, default=0, help="which sample of faults")
    options = parser.parse_args(argv)
    if unknown := set(options.modules) - set(MODULES):
        parser.error(f"no module is called {', '.join(sorted(unknown))}")
    if min(options.faults, options.workers) < 1:
        parser.error("--faults and --workers must be at least 1")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before any process imports NumPy
    for module in options.modules or MODULES:
        planted_, killed, harmless = survey(module, None if options.all else options.faults, options.seed, options.workers)
        print(f"{module:14} {killed:4} of {planted_:4} noticed ({100 * (killed + harmless) / planted_:.0f} %), {harmless} change nothing", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
