"""Webhooks: where a project's events are told, and how far each has come."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, false
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base


class Webhook(Base):
    """An address that is told of events in their order.

    `told` is the last event that it has taken, or that was none for it.
    """

    __tablename__ = "webhooks"
    RESTORED = "restored"  # the last error of one that a restore has paused

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    url: Mapped[str]
    secret: Mapped[str]  # what deliveries are signed with; it opens nothing here
    types: Mapped[list[Any]]  # of what it is told; empty: everything
    answers: Mapped[bool] = mapped_column(default=False, server_default=false())  # whether these come along
    state: Mapped[str] = mapped_column(default="active")  # active | failing | paused
    told: Mapped[int]
    failures: Mapped[int] = mapped_column(default=0)  # in a row
    next_at: Mapped[dt.datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    actor_id: Mapped[int | None]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime | None]

    @property
    def held(self) -> bool:
        """Whether it is paused because the installation came out of a backup, and nobody has let it go on yet."""
        return self.state == "paused" and self.last_error == self.RESTORED


class Delivery(Base):
    """One attempt to tell a webhook of an event: `parked` when it was the last one, and the next event's turn came."""

    __tablename__ = "deliveries"

    project_id: Mapped[int] = mapped_column(primary_key=True)
    webhook_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempt: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[dt.datetime]
    status: Mapped[int | None]
    error: Mapped[str | None]
    parked: Mapped[bool] = mapped_column(default=False)
    milliseconds: Mapped[int]


class Lease(Base):
    """Which process does a piece of background work now; it lapses when that process falls silent."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    until: Mapped[dt.datetime]
