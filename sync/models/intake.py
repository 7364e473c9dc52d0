"""What devices send: batches with their receipts, the quarantine, stored file content and uploads on the way."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base


class Batch(Base):
    """A batch that was answered; the same batch again gets the same receipts."""

    __tablename__ = "batches"

    project_id: Mapped[int] = mapped_column(primary_key=True)
    actor_id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[bytes]  # of its unpacked body
    device: Mapped[str | None]
    sent_at: Mapped[dt.datetime | None]
    received_at: Mapped[dt.datetime]
    receipts: Mapped[list[Any]]
    event: Mapped[int]


class Quarantined(Base):
    """Bytes that a signed-in device sent and that could not be filed. They stay until somebody discards them; then they
    are kept as long as what was deleted."""

    __tablename__ = "quarantine"
    __table_args__ = (
        Index("ix_quarantine_sha256", "project_id", "sha256"),
        Index("ix_quarantine_instance_id", "project_id", "instance_id"),
        Index("ix_quarantine_edits", "project_id", "edits"),
        Index("ix_quarantine_state", "project_id", "state", "id"),
        Index(
            "ix_quarantine_discarded",
            "project_id",
            "discarded_at",
            postgresql_where=text("discarded_at IS NOT NULL"),
            sqlite_where=text("discarded_at IS NOT NULL"),
        ),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    instance_id: Mapped[str | None]
    form_id: Mapped[str | None]
    form_version: Mapped[str | None]
    edits: Mapped[str | None]
    actor_id: Mapped[int]
    device: Mapped[str | None]
    reason: Mapped[str]  # a code: unknown_form, unknown_version, unreadable, conflict, edits_unknown, …
    message: Mapped[str]
    raw: Mapped[bytes]  # zstd
    envelope: Mapped[dict[str, Any]]  # recorded_at, attachments, … as the item had them
    sha256: Mapped[bytes]
    received_at: Mapped[dt.datetime]
    state: Mapped[str] = mapped_column(default="open")  # open | resolved | discarded
    resolution: Mapped[dict[str, Any] | None]
    discarded_at: Mapped[dt.datetime | None]


class StoredFile(Base):
    """Content that the project holds, by its SHA-256. The bytes lie in the content store."""

    __tablename__ = "files"

    project_id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    type: Mapped[str | None]
    md5: Mapped[str | None]  # worked out when an OpenRosa manifest first names it
    stored_at: Mapped[dt.datetime]


class Upload(Base):
    """A tus upload on its way; its bytes lie in a part file of the content store until the last one is in."""

    __tablename__ = "uploads"

    project_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    actor_id: Mapped[int]
    sha256: Mapped[str]
    length: Mapped[int]
    name: Mapped[str | None]
    type: Mapped[str | None]
    expires_at: Mapped[dt.datetime]
