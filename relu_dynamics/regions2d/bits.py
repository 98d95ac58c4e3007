"""Activation bits, 64 units to a word: one row of words per vertex, piece or face."""

from __future__ import annotations

import numpy as np

from relu_dynamics.checks import Bits, Indices, Words
from relu_dynamics.patterns import unpack


def bits_set(words: Words) -> tuple[Indices, Indices]:
    """Row and unit of every bit that is set in rows of words, row by row.

    Words are mostly 0, so empty bytes are skipped first.
    """
    flat = words.view(np.uint8).ravel()
    byte = np.flatnonzero(flat != 0)
    bit = np.flatnonzero(np.unpackbits(flat.take(byte), bitorder="little"))
    row, unit = np.divmod(8 * byte.take(bit >> 3) + (bit & 7), max(1, 64 * words.shape[1]))
    return row, unit


def bits_at(words: Words, row: Indices, unit: Indices) -> Bits:
    """The bit of each unit in each row."""
    word = words.reshape(-1).take(row * words.shape[1] + (unit >> 6))
    return np.asarray((word >> (unit & 63).astype(np.uint64)) & np.uint64(1) != 0)


def set_bits(words: Words, row: Indices, unit: Indices) -> None:
    """Make one unit's bit the only one that is set in the word of each row, in place."""
    bit = np.uint64(1) << (unit & 63).astype(np.uint64)
    words.reshape(-1)[row * words.shape[1] + (unit >> 6)] = bit


def one_hot(unit: Indices, width: int) -> Words:
    """(n, width) words with the bit of one unit set in each row."""
    words = np.zeros((len(unit), width), np.uint64)
    set_bits(words, np.arange(len(unit)), unit)
    return words


def unpacked(words: Words, widths: list[int]) -> Bits:
    """(F, H) bool from words in which each layer of the given widths starts a new word."""
    bits = np.empty((len(words), sum(widths)), np.bool_)
    at = word = 0
    for width in widths:
        bits[:, at : at + width] = unpack(words[:, word : word + -(-width // 64)], width)
        at, word = at + width, word + -(-width // 64)
    return bits
