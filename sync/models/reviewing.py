"""What coordinators keep for themselves while they go through what came in."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base


class SavedView(Base):
    """Filters of the list of submissions under a name: its maker's alone, or everybody's in the project."""

    __tablename__ = "saved_views"

    project_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    actor_id: Mapped[int]
    shared: Mapped[bool]
    name: Mapped[str]
    filters: Mapped[dict[str, Any]]
    at: Mapped[dt.datetime]


class ReviewLease(Base):
    """The submission or the pair that a coordinator has before him: until then others are shown another one.

    Each has one at most, so that the table stays small and nothing has to be swept. No two rows of a project have the
    same id, so that it says which of the two it is.
    """

    __tablename__ = "review_leases"

    project_id: Mapped[int] = mapped_column(primary_key=True)
    actor_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    subject_id: Mapped[int] = mapped_column("submission_id")
    until: Mapped[dt.datetime]
