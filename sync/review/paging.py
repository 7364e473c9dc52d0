"""Listings that can grow without bound: a page, and an opaque cursor to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from forms.xpath.numbers import LARGEST
from sync.errors import Unexpected

Item = TypeVar("Item")
PAGE = 50


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """`cursor` is None on the last page."""

    items: Sequence[Item]
    cursor: str | None


def cursor_to(id_: int) -> str:
    """The cursor of whoever has seen the listing up to this id."""
    return str(id_)


def id_at(cursor: str | None) -> int | None:
    """The id that a cursor stands for, None for the beginning. Raises Unexpected for what was never a cursor."""
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 20 and int(cursor) <= LARGEST):
        raise not_a_cursor(cursor)
    return int(cursor)


def not_a_cursor(text: str) -> Unexpected:
    """What to raise for a cursor that no page of the listing has given."""
    return Unexpected(f"{text[:100]!r} is not a cursor of this listing.")
