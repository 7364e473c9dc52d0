"""Spellings: how those of one name agree, and remedies for a wrong one."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches


def folded(text: str) -> str:
    """Without accents, capitals and doubled spaces: how spellings of one place agree."""
    return " ".join(unaccented(text).casefold().split())


def unaccented(text: str, *, spelt_out: bool = True) -> str:
    """The text in letters without accents. What is one sign for several letters or digits, such as ﬁ or ², is
    `spelt_out`, or stays as it is."""
    parts = unicodedata.normalize("NFKD" if spelt_out else "NFD", text)
    return "".join([part for part in parts if not unicodedata.combining(part)])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`Did you mean ‘age’?`, or an empty text when nothing comes close."""
    by_folded = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f"Did you mean ‘{by_folded[close[0]]}’?" if close else ""


def one_of(known: Iterable[str], limit: int = 12) -> str:
    """`It is one of ‘a’, ‘b’.`, cut after a dozen names."""
    names = list(known)
    listed = ", ".join(f"‘{name}’" for name in names[:limit])
    if len(names) > limit:
        return f"It is one of {listed} and {len(names) - limit} more."
    return f"It is one of {listed}." if names else ""


def suggestion(word: str, known: Iterable[str]) -> str:
    """The nearest known name, else all of them."""
    names = list(known)
    return did_you_mean(word, names) or one_of(names)
