"""What the expressions of OData may speak of, and what they name to order by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import SQLColumnExpression

from sync.exports.values import Value


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


@dataclass(frozen=True, slots=True)
class Order:
    """One thing to order by."""

    value: Value
    descending: bool


def plain_key(name: str) -> str:
    """The key of the row around a repeat's row, `__Submissions-visit-id`, as it stands among values: in an expression
    its hyphens would be minuses."""
    return name.replace("-", "_")
