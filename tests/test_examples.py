"""Every example in a docstring is true, pasted into a fresh shell."""

import doctest
import importlib
import pkgutil

import pytest

import relu_dynamics

MODULES = sorted(
    info.name for info in pkgutil.walk_packages(relu_dynamics.__path__, "relu_dynamics."))


@pytest.mark.parametrize("module", MODULES)
def test_examples_print_what_they_say(module):
    result = doctest.testmod(importlib.import_module(module), globs={})
    assert result.failed == 0
