"""The examples in the docstrings are true, and the main function of every module has one."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import relu_dynamics
from relu_dynamics.mlp import MLP

HAT = MLP((np.array([[1.0], [1.0]]), np.array([[1.0, -2.0]])), (np.array([0.0, -1.0]), np.zeros(1)))
WITHOUT = {"complex2d", "degenerate2d", "kinks"}  # the inner parts of regions2d and of trajectories


@pytest.mark.parametrize("module", sorted({info.name for info in pkgutil.iter_modules(relu_dynamics.__path__)} - WITHOUT))
def test_examples_print_what_they_say(module):
    result = doctest.testmod(importlib.import_module(f"relu_dynamics.{module}"), extraglobs={"np": np, "hat": HAT})
    assert result.attempted > 0 and result.failed == 0
