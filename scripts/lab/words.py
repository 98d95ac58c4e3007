"""Numbers as text."""

from __future__ import annotations


def many(times: float) -> str:
    """A factor with two digits: 1.5, 74 000, 2.9e+07."""
    if not 0.1 <= times < 1e6:
        return f"{times:.1e}"
    return f"{times:.2g}" if times < 100 else f"{float(f'{times:.2g}'):,.0f}".replace(",", " ")


def count(n: int, what: str) -> str:
    """A number of things: 1 region, 2 371 regions."""
    return f"{n:,} {what}{'' if n == 1 else 's'}".replace(",", " ")
