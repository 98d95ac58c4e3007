"""What README says can be done, can be done."""

import re
from pathlib import Path

import numpy as np

from relu_dynamics import MLP, predict

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_readme_examples_run_as_printed():
    """The first ends in its own finite-difference check, the last goes on from it; the one between needs PyTorch's names."""
    first, bridge, tour = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(first.strip().splitlines()) <= 12 and first.rstrip().splitlines()[-1].startswith("assert")
    names = {}
    exec(compile(first, "README.md", "exec"), names)
    exec(compile(tour, "README.md", "exec"), names)
    assert len(names["regions"]) > 1 and names["features"].shape == (100, 24)

    class Model:  # stands for torch.nn.Sequential(Linear(2, 3), ReLU(), Linear(3, 1))
        def state_dict(self):
            return {"0.weight": Tensor((3, 2)), "0.bias": Tensor((3,)), "2.weight": Tensor((1, 3)), "2.bias": Tensor((1,))}

    class Tensor:
        def __init__(self, shape):
            self.numpy = lambda: np.ones(shape, np.float32)

    brought = {"model": Model(), "MLP": MLP}
    exec(compile(bridge, "README.md", "exec"), brought)
    assert predict(brought["net"], [[1.0, 1.0]]).tolist() == [[10.0]]


def test_continuous_integration_runs_the_readmes_test_command():
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci/run").read_text().splitlines()


def test_pictures_of_the_readme_exist():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert pictures and all((ROOT / picture).is_file() for picture in pictures)
