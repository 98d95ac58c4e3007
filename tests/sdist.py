"""The source distribution: the package, and what its tests need."""

from pathlib import Path

from setuptools.command.sdist import sdist


class WithTests(sdist):
    def make_release_tree(self, base_dir, files):
        more = [str(path) for folder in ("tests", "scripts", ".ci")
                for path in Path(folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]
        super().make_release_tree(base_dir, sorted({*files, *more}))
