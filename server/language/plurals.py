"""How many there are of something, as the command line says it."""

from __future__ import annotations


def counted(count: int, what: str, several: str = "") -> str:
    """`1 submission`, `2 submissions`, `3 entities`."""
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"
