"""How much each tablet sent and received, day by day."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base


class Traffic(Base):
    """Bytes of bodies as they went over the wire in a day of the project's time zone."""

    __tablename__ = "traffic"

    project_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    actor_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    day: Mapped[dt.date] = mapped_column(primary_key=True)
    sent: Mapped[int]  # by the tablet
    received: Mapped[int]
