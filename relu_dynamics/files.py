"""Networks on disk, and from PyTorch.

A file is an .npz with the arrays W0, b0, W1, b1, ...; equal networks give equal bytes, and
pickle is never used.  PyTorch is not imported: the parts of a model are found by name.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from relu_dynamics.checks import (
    MAX_PARAMETERS, Array, as_real, check_alternation, check_at_most, check_kind, check_layers,
    check_same_outputs, check_torch_chain, check_torch_model, check_torch_part, explained, require,
)
from relu_dynamics.mlp import MLP, forward


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that replaces path when the block ends, and is deleted if the block fails.

    A reader of path sees the old file or the whole new one, never a part.  A symbolic link
    still points to the file, and the file keeps its mode.  ValueError if path is not a file.
    """
    path = Path(os.path.realpath(path))
    require(path.is_file() or not path.exists(),
            f"path must be a file that may be replaced. Got {str(path)!r}.")
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as file:
            yield file
        if path.exists():
            part.chmod(stat.S_IMODE(path.stat().st_mode))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def save(path: str | os.PathLike[str], net: MLP) -> None:
    """Write net to path as .npz with keys W0, b0, W1, b1, ...; equal networks give equal bytes."""
    net = check_layers(net)
    check_kind("path", path, str, os.PathLike)
    parts = {f"{kind}{k}": np.ascontiguousarray(part)
             for k, layer in enumerate(zip(*net, strict=True))
             for kind, part in zip("Wb", layer, strict=True)}
    with replacing(path) as file:
        np.savez(file, **parts)  # type: ignore[arg-type]


def load(path: str | os.PathLike[str]) -> MLP:
    """The network that save wrote to path.  Pickle is never used.

    ValueError if the file is not an .npz of numeric arrays W0, b0, W1, b1, ... that fit together,
    or holds more than MAX_PARAMETERS numbers, which is checked before they are read.
    """
    check_kind("path", path, str, os.PathLike)
    # a damaged archive can raise errors of zlib, lzma and zipfile, OSError, ...
    with open(path, "rb") as stream, explained(f"{os.fspath(path)!r} is not a saved network, an "
                                               ".npz with arrays W0, b0, W1, b1, ..."):
        numbers = _numbers(stream)
        check_at_most("its size in numbers", numbers, MAX_PARAMETERS, "that is 2 GiB")
        with np.load(stream, allow_pickle=False) as file:
            parts = {key: file[key] for key in file.files}
        layers = range(max(1, len(parts) // 2))
        require(set(parts) == {f"{kind}{k}" for kind in "Wb" for k in layers},
                f"it holds {sorted(parts)}")
    return check_layers(MLP(*(tuple(parts[f"{kind}{k}"] for k in layers) for kind in "Wb")))


def _numbers(stream: BinaryIO) -> int:
    """How many numbers an .npz holds, according to its headers; ValueError for other types."""
    total = 0
    with zipfile.ZipFile(stream) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                read = {(1, 0): np.lib.format.read_array_header_1_0,
                        (2, 0): np.lib.format.read_array_header_2_0}
                shape, _, dtype = read[np.lib.format.read_magic(member)](member)
            require(dtype.kind in "biuf", f"{name} holds {dtype}, not numbers")
            total += math.prod(shape)
    stream.seek(0)
    return total


# ----------------------------------------------------------------- from PyTorch


def from_torch(model: Any) -> MLP:
    """The network of a PyTorch model or its state_dict: Linear, ReLU, Linear, ..., Linear.

    All parameters are copied: training the model later does not change the result.  Missing
    biases are zeros; a float32 model gives a float32 network.

    A model may be nested: the parts of every Sequential are checked one by one, and the outputs
    are compared with predict at a few inputs, so put the model into evaluation mode first.  A
    state_dict does not list activations: its Linear layers are used in order, with any prefix
    of their names, with a ReLU between any two and none at the end.  Check that this is what
    the model does.

    ValueError, which names the layer, for anything else: another activation, a ReLU or Sigmoid
    at the end, two Linears in a row, another kind of layer, layers out of order or that do not fit.

    >>> import numpy as np, relu_dynamics as rd
    >>> state = {"0.weight": np.ones((64, 2)), "0.bias": np.zeros(64), "2.weight": np.ones((1, 64))}
    >>> rd.from_torch(state)
    MLP(2-64-1)
    """
    if isinstance(model, Mapping):
        return _of_state(model)
    check_torch_model(model)
    check_alternation(_leaves(model, ""))
    state = model.state_dict()
    net = _of_state(state)
    _compare(model, net, next(iter(state.values())))
    return net


def _of_state(state: Mapping[str, Any]) -> MLP:
    layers: dict[str, dict[str, Array]] = {}
    for name, tensor in state.items():
        layer, part = check_torch_part(str(name), tensor)
        layers.setdefault(layer, {})[part] = _copy(str(name), tensor, 2 if part == "weight" else 1)
    check_torch_chain(layers)
    weights = tuple(parts["weight"] for parts in layers.values())
    biases = tuple(parts.get("bias", np.zeros_like(W, shape=len(W)))
                   for parts, W in zip(layers.values(), weights, strict=True))
    return check_layers(MLP(weights, biases))


def _copy(name: str, tensor: Any, axes: int) -> Array:
    """A copy in main memory, in float32 if the tensor is float32, else in float64."""
    if hasattr(tensor, "detach"):
        with explained(f"model must hold its numbers. Copying those of {name!r} failed"):
            tensor = tensor.detach().cpu()
            # NumPy has no bfloat16
            tensor = (tensor.float() if "bfloat16" in str(tensor.dtype) else tensor).numpy()
    return np.array(as_real(name, tensor, (None,) * axes, "part of a Linear layer"))


def _leaves(module: Any, name: str) -> list[tuple[str, str]]:
    """(name, kind) of the parts in order: Linear, ReLU or another kind; Identity is left out.

    The kind is "?" where a forward method decides what is computed.
    """
    kinds = [base.__name__ for base in type(module).__mro__]
    if not module._modules:
        kind = next((kind for kind in ("Linear", "ReLU", "Identity") if kind in kinds),
                    type(module).__name__)
        return [] if kind == "Identity" else [(name or "model", kind)]
    unknown = [] if "Sequential" in kinds else [("", "?")]
    leaves = list(unknown)
    for key, child in module._modules.items():
        leaves += [*_leaves(child, f"{name}.{key}".lstrip(".")), *unknown]
    return leaves


def _compare(model: Any, net: MLP, like: Any) -> None:
    """ValueError unless model and net have equal outputs at 16 inputs, up to the precision of like.

    The error is measured by the size of the sums that the outputs are.
    """
    shape = 16, net.weights[0].shape[1]
    x = like.new_tensor(np.random.default_rng(0).normal(size=shape).tolist())
    with explained(f"model must take an array of shape {shape}. Calling it failed"):
        f = _copy("model(x)", model(x), 2)
    trace = forward(net, _copy("x", x, 2))
    sums = np.abs(trace.inputs[-1]) @ np.abs(net.weights[-1]).T + np.abs(net.biases[-1])
    check_same_outputs(f, trace.preacts[-1],
                       (0.1 if "16" in str(like.dtype) else 1e-3) * float(sums.max()))
