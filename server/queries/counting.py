"""How many a page says that there are: as far as that is cheap to count."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

COUNTED = 10_000  # more than so many are not counted out


def counted(session: Session, query: Select[Any]) -> int:
    """How many rows a query finds; COUNTED stands for that many or more."""
    return session.scalar(select(func.count()).select_from(query.limit(COUNTED).subquery())) or 0
