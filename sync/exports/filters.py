"""OData's `$filter`, `$orderby` and `$search`: what they say in SQL.

Their parser takes a tenth of a second to load, for which a server that starts need not wait: whoever asks first does.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement

from sync.exports.among import Among, Order


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
