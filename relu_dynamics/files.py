"""Networks on disk, and from PyTorch.

A file is an .npz with the arrays W0, b0, W1, b1, ...; equal networks give equal bytes, and
pickle is never used.  PyTorch is not imported: the parts of a model are found by name.
"""

from __future__ import annotations

import contextlib
import os
import re
import math
import secrets
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from relu_dynamics.checks import MAX_PARAMETERS, Array, as_real, check_kind, check_layers
from relu_dynamics.mlp import MLP, forward


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that replaces path when the block ends, and is deleted if the block fails.

    A reader of path sees the old file or the whole new one, never a part.  A symbolic link
    still points to the file, and the file keeps its mode.  ValueError if path is not a file.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise ValueError(f"path must be a file that may be replaced. Got {os.fspath(path)!r}, "
                         "which is something else.")
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
    parts = {}
    for k, (W, b) in enumerate(zip(*net, strict=True)):
        parts[f"W{k}"], parts[f"b{k}"] = np.ascontiguousarray(W), np.ascontiguousarray(b)
    with replacing(path) as file:
        np.savez(file, **parts)  # type: ignore[arg-type]


def load(path: str | os.PathLike[str]) -> MLP:
    """The network that save wrote to path.  Pickle is never used.

    ValueError if the file is not an .npz of numeric arrays W0, b0, W1, b1, ... that fit together,
    or holds more than MAX_PARAMETERS numbers, which is checked before they are read.
    """
    check_kind("path", path, str, os.PathLike)
    problem = (f"{os.fspath(path)!r} is not a saved network: expected an .npz with arrays W0, b0, "
               "W1, b1, ...")
    with open(path, "rb") as stream:
        try:
            numbers = _numbers(stream)
            if numbers > MAX_PARAMETERS:
                raise ValueError(f"it holds {numbers} numbers, more than the {MAX_PARAMETERS} "
                                 "allowed (2 GiB)")
            with np.load(stream, allow_pickle=False) as file:
                parts = {key: file[key] for key in file.files}
        # a damaged archive can raise errors of zlib, lzma and zipfile, OSError, ...
        except Exception as error:
            raise ValueError(f"{problem}. Reading it failed: {error}") from error
    L = len(parts) // 2
    if not parts or set(parts) != {f"{kind}{k}" for kind in "Wb" for k in range(L)}:
        raise ValueError(f"{problem}. Got {sorted(parts)}.")
    return check_layers(MLP(*(tuple(parts[f"{kind}{k}"] for k in range(L)) for kind in "Wb")))


def _numbers(stream: BinaryIO) -> int:
    """How many numbers an .npz holds, according to its headers; ValueError for other types."""
    total = 0
    with zipfile.ZipFile(stream) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                read = {(1, 0): np.lib.format.read_array_header_1_0,
                        (2, 0): np.lib.format.read_array_header_2_0}
                shape, _, dtype = read[np.lib.format.read_magic(member)](member)
            if dtype.kind not in "biuf":
                raise ValueError(f"{name} holds {dtype}, not numbers")
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
    has_state = callable(getattr(model, "state_dict", None))
    if not has_state or not isinstance(getattr(model, "_modules", None), Mapping):
        raise ValueError("model must be a PyTorch model or its state_dict. Got "
                         f"{type(model).__name__}.")
    _check_order(_leaves(model, ""))
    net = _of_state(model.state_dict())
    _check_outputs(model, net)
    return net


def _of_state(state: Mapping[str, Any]) -> MLP:
    layers: dict[str, dict[str, Array]] = {}
    for name, tensor in state.items():
        layer, _, part = str(name).rpartition(".")
        if part not in ("weight", "bias") or isinstance(tensor, Mapping):
            raise ValueError("model must hold the weights and biases of Linear layers only. Got "
                             f"{name!r}, {type(tensor).__name__}.")
        layers.setdefault(layer, {})[part] = _copy(str(name), tensor, 2 if part == "weight" else 1)
    names = list(layers)
    for before, after in zip(names, names[1:], strict=False):
        numbers = [[int(digits) for digits in re.findall(r"\d+", name)] for name in (before, after)]
        if re.sub(r"\d+", "#", before) == re.sub(r"\d+", "#", after) and numbers[0] > numbers[1]:
            raise ValueError("model must list its layers in the order in which they act. Got "
                             f"{before!r} before {after!r}.")
        if "weight" in layers[before] and "weight" in layers[after]:
            rows, columns = len(layers[before]["weight"]), layers[after]["weight"].shape[1]
            if rows != columns:
                raise ValueError(f"model must be a chain: layer {after!r} takes {columns} inputs, "
                                 f"and {before!r} before it has {rows} outputs. "
                                 "Skip connections and branches are not supported.")
    if not layers or any("weight" not in parts for parts in layers.values()):
        raise ValueError("model must have a weight for every layer, and at least one. Got "
                         f"{list(state)}.")
    weights, biases = [], []
    for parts in layers.values():
        weights.append(W := parts["weight"])
        biases.append(parts.get("bias", np.zeros(len(W), W.dtype)))
    return check_layers(MLP(tuple(weights), tuple(biases)))


def _copy(name: str, tensor: Any, axes: int) -> Array:
    """A copy in main memory, in float32 if the tensor is float32, else in float64."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        # NumPy has no bfloat16
        tensor = (tensor.float() if "bfloat16" in str(tensor.dtype) else tensor).numpy()
    array = np.array(as_real(name, tensor))
    if array.ndim != axes:
        raise ValueError(f"model must consist of Linear layers: {name} must have {axes} axes. Got "
                         f"shape {array.shape}.")
    return array


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


def _check_order(leaves: list[tuple[str, str]]) -> None:
    """Raise ValueError unless Linear and ReLU alternate, where Sequentials define the order."""
    for name, kind in leaves:
        if kind not in ("Linear", "ReLU", "?"):
            raise ValueError(f"model must consist of Linear and ReLU in turn. Got {kind} at "
                             f"{name!r}. "
                             "If it comes last, leave it out and apply it to what predict returns.")
    for (before, first), (after, second) in zip(leaves, leaves[1:], strict=False):
        if first == second != "?":
            raise ValueError(f"model must consist of Linear and ReLU in turn. Got two {first}s in "
                             f"a row, {before!r} and {after!r}.")
    for name, kind in (leaves[:1] + leaves[-1:]):
        if kind == "ReLU":
            raise ValueError("model must begin and end with a Linear layer. Got a ReLU at "
                             f"{name!r}.")


def _check_outputs(model: Any, net: MLP) -> None:
    """Raise ValueError unless model and net have equal outputs at 16 inputs, up to rounding."""
    number, shape = next(iter(model.state_dict().values())), (16, net.weights[0].shape[1])
    x = number.new_tensor(np.random.default_rng(0).normal(size=shape).tolist())
    try:
        f = model(x)
    except Exception as error:  # whatever a forward method may raise
        raise ValueError(f"model must take an array of shape {tuple(x.shape)}, what its first "
                         f"Linear layer takes. Calling it failed: {error}") from error
    f, trace = _copy("model(x)", f, 2), forward(net, _copy("x", x, 2))
    expected = trace.preacts[-1]
    sums = np.abs(trace.inputs[-1]) @ np.abs(net.weights[-1]).T + np.abs(net.biases[-1])
    share = 0.1 if "16" in str(number.dtype) else 1e-3  # of the size of the sums
    if f.shape != expected.shape or not np.abs(f - expected).max() <= share * sums.max():
        raise ValueError("model must compute what its Linear layers with a ReLU between any two "
                         "compute, and at 16 random inputs it does not. "
                         "Is it in evaluation mode (model.eval())? Does its forward method do "
                         "anything else?")
