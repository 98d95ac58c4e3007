"""The user's own pictures and signals: read, checked, and stored with the runs under the digest of
their content."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.image import imread

from relu_dynamics import area_average
from relu_dynamics.files import replacing

PICTURE, SIGNAL = "picture ", "signal "  # before a digest
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
SIGNALS = (".npy", ".csv", ".txt")
MODERATE = 1e-50, 1e50  # the range of a signal, and its values: their squares are finite, not 0
LEAST_PIXELS, LEAST_SAMPLES = 24, 64  # per axis; fewer leave experiments without pairs of samples


def picture_files(paths: Iterable[Path]) -> list[Path]:
    """The given files, and the pictures in each given folder, sorted.  ValueError if a folder has
    no picture."""
    files: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.iterdir()
                        if p.suffix.lower() in PICTURES) if path.is_dir() else [path]
        if not inside:
            raise ValueError(f"{path}: no picture in this folder ({', '.join(PICTURES)})")
        files += inside
    return files


def read_picture(path: Path) -> np.ndarray:
    """(height, width, 1 or 3) 16-bit: the grey or colour values of a picture file; transparent
    pictures on white."""
    try:
        values = imread(path)
    except (OSError, ValueError, SyntaxError) as error:
        raise ValueError(f"{path}: cannot be read as a picture ({_first_line(error)})") from None
    if values.dtype.kind in "ui":
        values = values / np.iinfo(values.dtype).max
    values = values[:, :, None] if values.ndim == 2 else values
    if values.ndim != 3 or values.shape[2] not in (1, 3, 4) or not np.isfinite(values).all():
        raise ValueError(f"{path}: a picture must be grey, RGB or RGBA. Got an array of shape "
                         f"{values.shape}")
    if values.shape[2] == 4:
        opaque = values[:, :, 3:]
        values = opaque * values[:, :, :3] + 1 - opaque
    if min(values.shape[:2]) < LEAST_PIXELS:
        raise ValueError(f"{path}: too small, {values.shape[1]} x {values.shape[0]} pixels; at "
                         f"least {LEAST_PIXELS} x {LEAST_PIXELS} are needed")
    if not np.ptp(values) > 0:
        raise ValueError(f"{path}: a picture of one colour has nothing to learn")
    return np.rint(65535 * np.clip(values, 0, 1)).astype(np.uint16)


def read_signal(path: Path) -> np.ndarray:
    """(n, 1): the numbers of a .npy, .csv or .txt file, its first column if it has several; a
    header line is skipped."""
    try:
        if path.suffix.lower() == ".npy":
            values = np.load(path, allow_pickle=False)
        elif path.suffix.lower() in SIGNALS:
            values = _read_text(path)
        else:
            raise ValueError(f"not one of {', '.join(SIGNALS)}")
        if values.dtype.kind == "c":
            raise ValueError("complex numbers; save the real part, or the absolute values")
        values = np.asarray(values, np.float64)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: cannot be read as a signal ({_first_line(error)})") from None
    if values.ndim not in (1, 2) or 0 in values.shape:
        raise ValueError(f"{path}: a signal is one column of numbers, or the first of several. "
                         f"Got an array of shape {values.shape}")
    column = values if values.ndim == 1 else values[:, 0]
    if len(column) < LEAST_SAMPLES:
        raise ValueError(f"{path}: too short, {len(column)} samples; at least {LEAST_SAMPLES} are "
                         f"needed")
    if not np.isfinite(column).all() or not np.ptp(column) > 0:
        raise ValueError(f"{path}: a signal must be finite and not constant")
    if not (np.ptp(column) >= MODERATE[0] and np.abs(column).max() <= MODERATE[1]):
        raise ValueError(f"{path}: a signal must be of moderate size, from {MODERATE[0]:g} to "
                         f"{MODERATE[1]:g}. Got values from {column.min():g} to {column.max():g}; "
                         "rescale it")
    return column[:, None]


def _read_text(path: Path) -> np.ndarray:
    """Columns of numbers, separated by commas or blanks."""
    rows = [row for row in path.read_text().splitlines() if row.strip()]
    separator = "," if any("," in row for row in rows) else None
    header = bool(rows) and not _is_number(rows[0].split(separator)[0])
    if not rows[header:]:
        raise ValueError("it holds no numbers")
    if all(re.fullmatch(r"\s*[+-]?\d+,\d+\s*", row) for row in rows[header:]):
        raise ValueError("two columns of whole numbers, or decimal commas? Keep one column, or "
                         "write 0.5 for 0,5")
    return np.loadtxt(rows[header:], delimiter=separator, usecols=0, ndmin=1)


def _is_number(text: str) -> bool:
    try:
        return np.isfinite(float(text))
    except ValueError:
        return False


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def keep(values: np.ndarray, kind: str, folder: Path) -> str:
    """Write the data under folder, named by the digest of their content, and return the name of the
    signal: kind and digest."""
    signal = name(values, kind)
    if not _path(signal, folder).exists():
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(_path(signal, folder)) as file:
            np.save(file, values)
    return signal


def name(values: np.ndarray, kind: str) -> str:
    """ "picture DIGEST" or "signal DIGEST": the digest of the shape and the numbers."""
    return kind + hashlib.sha256(repr((values.shape, values.dtype.str)).encode()
                                 + values.tobytes()).hexdigest()[:16]


def load_whole(signal: str, folder: Path) -> np.ndarray:
    """(height, width, channels): a whole picture, in [0, 1]."""
    return np.load(_path(signal, folder), allow_pickle=False) / 65535


def load(signal: str, shape: tuple[int, ...], folder: Path) -> np.ndarray:
    """The data of that name, averaged down to shape: a picture's largest centred square, in [0, 1];
    a signal, of mean 0 and variance 1."""
    if signal.startswith(PICTURE):
        return area_average(centred_square(load_whole(signal, folder)), shape)
    return standardised(area_average(np.load(_path(signal, folder), allow_pickle=False), shape))


def centred_square(image: np.ndarray) -> np.ndarray:
    """The largest centred square of a picture, (height, width, channels)."""
    side = min(image.shape[:2])
    top, left = ((n - side) // 2 for n in image.shape[:2])
    return image[top : top + side, left : left + side]


def standardised(column: np.ndarray) -> np.ndarray:
    """A signal with mean 0 and variance 1."""
    return (column - column.mean()) / column.std()


def _path(signal: str, folder: Path) -> Path:
    return folder / f"{signal.replace(' ', '-')}.npy"
