"""Small picture files: at most 256 colours, without a library for it."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.spatial import cKDTree

DPI = 125  # a figure of style.WIDTH is 900 pixels wide


def write(figure: Figure, file: BinaryIO) -> None:
    """The figure as an indexed PNG; the same bytes every time."""
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    colours, index = indexed(pixels)
    height, width = index.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with 0: no filter
    rows[:, 1:] = index
    file.write(b"\x89PNG\r\n\x1a\n")
    for kind, content in ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
                          (b"PLTE", colours.tobytes()), (b"IDAT", zlib.compress(rows.tobytes(), 9)),
                          (b"IEND", b"")):
        file.write(struct.pack(">I", len(content)) + kind + content
                   + struct.pack(">I", zlib.crc32(kind + content)))


def indexed(pixels: np.ndarray, most: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """(colours, 3) and, for pixels (height, width, 3) of bytes, which of them each is, or nearest
    to."""
    flat = pixels.reshape(-1, 3).astype(np.uint32)
    code, inverse, count = np.unique(flat @ np.array([1 << 16, 1 << 8, 1], np.uint32),
                                     return_inverse=True, return_counts=True)
    found = np.stack([code >> 16, code >> 8 & 255, code & 255], axis=1).astype(np.uint8)
    if len(found) <= most:
        return found, inverse.reshape(pixels.shape[:2]).astype(np.uint8)
    often = np.argsort(-count, kind="stable")[: most // 4]  # lines and letters keep their colours
    rest = np.delete(np.arange(len(found)), often)
    colours = np.concatenate([found[often], cut(found[rest], count[rest], most - len(often))])
    nearest = cKDTree(colours.astype(float)).query(found.astype(float))[1].astype(np.uint8)
    return colours, nearest[inverse].reshape(pixels.shape[:2])


def cut(colours: np.ndarray, count: np.ndarray, most: int) -> np.ndarray:
    """The means of at most so many boxes of colours (n, 3): always that one is halved, along its
    longest side, that is long and full."""
    weight = np.sqrt(count)  # so that large areas do not take all

    def box(part: np.ndarray) -> tuple[float, int, np.ndarray]:
        side = np.ptp(colours[part].astype(int), axis=0)
        return float(side.max() * weight[part].sum()), int(side.argmax()), part

    boxes = [box(np.arange(len(colours)))]
    while len(boxes) < most:
        size, axis, part = boxes.pop(max(range(len(boxes)), key=lambda k: boxes[k][0]))
        if size == 0:
            boxes.append((size, axis, part))
            break
        part = part[np.argsort(colours[part, axis], kind="stable")]
        half = np.searchsorted(np.cumsum(weight[part]), weight[part].sum() / 2)
        half = min(max(int(half), 1), len(part) - 1)
        boxes += [box(part[:half]), box(part[half:])]
    means = [np.average(colours[part], axis=0, weights=weight[part]) for *_, part in boxes]
    return np.rint(means).astype(np.uint8)
