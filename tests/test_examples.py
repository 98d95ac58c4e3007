"""The examples in the docstrings are true, each in a shell of its own."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import relu_dynamics
from relu_dynamics.mlp import MLP

HAT = MLP((np.array([[1.0], [1.0]]), np.array([[1.0, -2.0]])), (np.array([0.0, -1.0]), np.zeros(1)))
MODULES = sorted(info.name for info in pkgutil.walk_packages(relu_dynamics.__path__, "relu_dynamics."))


@pytest.mark.parametrize("module", MODULES)
def test_examples_print_what_they_say(module):
    result = doctest.testmod(importlib.import_module(module), extraglobs={"np": np, "hat": HAT})
    assert result.failed == 0
