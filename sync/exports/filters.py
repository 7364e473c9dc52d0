"""OData's `$filter`, `$orderby` and `$search`: what they may speak of, and what they say in SQL.

Their parser takes a tenth of a second to load, for which a server that starts need not wait: whoever asks first does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, SQLColumnExpression

from sync.exports.values import Value


@dataclass(frozen=True, slots=True)
class Order:
    """One thing to order by."""

    value: Value
    descending: bool


@dataclass(frozen=True, slots=True)
class Among:
    """What an expression may speak of: a value by each name as it is written (`__system/updatedAt`, `visit/age`).

    `now` is the time that `now()` gives. `wholes` are texts that hold whatever a search may look into, some of them as
    JSON, if those are texts and no numbers: a word that is in none of them need not be looked for in each value. No
    search looks into what is `unsearched`.
    """

    values: Mapping[str, Value]
    now: dt.datetime
    sqlite: bool
    wholes: Sequence[SQLColumnExpression[str]] = ()
    unsearched: Collection[str] = ()


def compile_filter(text: str, among: Among) -> ColumnElement[bool]:
    """The condition. Raises BadFilter with a finding that says where and what to write instead."""
    from sync.exports import expressions  # noqa: PLC0415 — see above

    return expressions.compile_filter(text, among)


def compile_order(text: str, among: Among) -> list[Order]:
    """What `$orderby` names, in its order. Raises BadFilter as `compile_filter` does."""
    from sync.exports import expressions  # noqa: PLC0415

    return expressions.compile_order(text, among)


def compile_search(text: str, among: Among) -> ColumnElement[bool]:
    """Rows of which a text holds the words, in any case; `AND`, `OR`, `NOT` and "phrases" as OData has them.

    It looks into what was answered, not into what `__system` says nor beyond the table.
    """
    from sync.exports import expressions  # noqa: PLC0415

    return expressions.compile_search(text, among)


def names_in(text: str) -> set[str]:
    """The names that a filter mentions, known or not. Raises BadFilter for what cannot be read."""
    from sync.exports import expressions  # noqa: PLC0415

    return expressions.names_in(text)


def texts_of(condition: str, name: str) -> frozenset[str] | None:
    """The texts of which `name` has one in every row that the filter lets through; None where it does not say so.
    Raises BadFilter for what cannot be read."""
    from sync.exports import expressions  # noqa: PLC0415

    return expressions.texts_of(condition, name)


def hangs_on_time(condition: str | None, order: str | None = None) -> bool:
    """Whether the same `$filter` or `$orderby` says another thing a moment later. Raises BadFilter for what cannot be
    read."""
    if not condition and not order:
        return False
    from sync.exports import expressions  # noqa: PLC0415

    return expressions.hangs_on_time(condition, order)


def plain_key(name: str) -> str:
    """The key of the row around a repeat's row, `__Submissions-visit-id`, as it stands among values: in an expression
    its hyphens would be minuses."""
    return name.replace("-", "_")
