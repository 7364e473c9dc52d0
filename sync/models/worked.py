"""What took long to work out about a project, for all processes of the server."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base


class WorkedOut(Base):
    """Something as it stood after `event`, at the moment `at`, and how much processor time it took to find out.

    Nothing hangs on it: whatever is missing is worked out anew. `taken_at` is when somebody began to bring it up to
    date. `asked` is the page that needs it as things stand, as JSON, if one does; `used_at` is the last day on which a
    visitor looked at it, about.
    """

    __tablename__ = "worked_out"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    event: Mapped[int]
    at: Mapped[dt.datetime]
    seconds: Mapped[float]
    worked: Mapped[bytes]
    taken_at: Mapped[dt.datetime | None]
    asked: Mapped[str | None]
    used_at: Mapped[dt.datetime | None]
