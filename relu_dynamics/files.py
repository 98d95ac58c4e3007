"""Networks on disk.

A file is an .npz with the arrays W0, b0, W1, b1, ...; equal networks give equal bytes, and
nothing is ever pickled.
"""

from __future__ import annotations

import contextlib
import os
import math
import secrets
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from relu_dynamics.checks import MAX_PARAMETERS, check_kind, check_layers
from relu_dynamics.mlp import MLP


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that becomes path when the block ends, and vanishes if it fails.

    Whoever opens path sees the old file or the whole new one, never a part.  A symbolic link
    goes on pointing to the file, and the file keeps its mode.  ValueError for what is no file.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise ValueError(f"path must be a file that may be replaced. Got {os.fspath(path)!r}, which is something else.")
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
    """The network that save wrote to path.  Nothing is ever unpickled.

    ValueError if the file is not an .npz of numeric arrays W0, b0, W1, b1, ... that fit together,
    or holds more than MAX_PARAMETERS numbers; that is known before they are read.
    """
    check_kind("path", path, str, os.PathLike)
    problem = f"{os.fspath(path)!r} is not a saved network: expected an .npz with arrays W0, b0, W1, b1, ..."
    with open(path, "rb") as stream:
        try:
            numbers = _numbers(stream)
            if numbers > MAX_PARAMETERS:
                raise ValueError(f"it holds {numbers} numbers, more than the {MAX_PARAMETERS} allowed (2 GiB)")
            with np.load(stream, allow_pickle=False) as file:
                parts = {key: file[key] for key in file.files}
        except Exception as error:  # a damaged archive fails in many ways: zlib's, lzma's and zipfile's errors, OSError, MemoryError
            raise ValueError(f"{problem}. Reading it failed: {error}") from error
    L = len(parts) // 2
    if not parts or set(parts) != {f"{kind}{k}" for kind in "Wb" for k in range(L)}:
        raise ValueError(f"{problem}. Got {sorted(parts)}.")
    return check_layers(MLP(tuple(parts[f"W{k}"] for k in range(L)), tuple(parts[f"b{k}"] for k in range(L))))


def _numbers(stream: BinaryIO) -> int:
    """How many numbers the arrays of an .npz hold by their headers, none of them of a kind that could be larger."""
    total = 0
    with zipfile.ZipFile(stream) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                shape, _, dtype = read[np.lib.format.read_magic(member)](member)
            if dtype.kind not in "biuf":
                raise ValueError(f"{name} holds {dtype}, not numbers")
            total += math.prod(shape)
    stream.seek(0)
    return total
