"""A project: its settings, who has which role in it, its places, its journal and its audit trail."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, and_, text
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base


class Project(Base):
    """A programme. `last_event` and `last_id` are counters that only the holder of the row's lock may raise."""

    __tablename__ = "projects"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    description: Mapped[str | None]
    time_zone: Mapped[str] = mapped_column(default="UTC")
    languages: Mapped[list[Any]] = mapped_column(default=list)
    fiscal_year_start: Mapped[int] = mapped_column(default=1)
    counts: Mapped[str] = mapped_column(default="received")  # received | approved
    last_event: Mapped[int] = mapped_column(default=0)
    last_id: Mapped[int] = mapped_column(default=0)
    last_audit: Mapped[int] = mapped_column(default=0)
    rebuilt_to: Mapped[int | None]  # the submission at which an unfinished rebuild goes on
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime | None]
    archived_at: Mapped[dt.datetime | None]
    deleted_at: Mapped[dt.datetime | None]
    key_id: Mapped[int | None]  # of the key that its forms are encrypted with
    device_properties: Mapped[list[Any]] = mapped_column(
        default=list, server_default="[]"
    )  # names that devices may have
    labels: Mapped[dict[str, Any]] = mapped_column(
        default=dict, server_default="{}"
    )  # `lists` and `levels` of places → name → language → what people call it
    keep_deleted: Mapped[int] = mapped_column(default=30, server_default="30")  # days, of what was deleted or discarded
    keep_deliveries: Mapped[int] = mapped_column(default=30, server_default="30")  # days, of what webhooks were told


class Assignment(Base):
    """The role of an actor in a project: administrator, coordinator, viewer or collector."""

    __tablename__ = "assignments"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    actor_id: Mapped[int] = mapped_column(ForeignKey("actors.id"), primary_key=True)
    role: Mapped[str]


class FormAssignment(Base):
    """A form that an actor may fill who has no role in the whole project, or whose device is bound to chosen forms."""

    __tablename__ = "form_assignments"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    form_id: Mapped[str] = mapped_column(primary_key=True)
    actor_id: Mapped[int] = mapped_column(ForeignKey("actors.id"), primary_key=True)


class Event(Base):
    """One change of a project's data. A later number is a later change; a reader that polls by number misses none."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_at", "project_id", "at", "number"),
        Index(
            "ix_events_settings",
            "project_id",
            "number",
            postgresql_where=text("kind = 'settings'"),
            sqlite_where=text("kind = 'settings'"),
        ),
        Index(
            "ix_events_list",
            "project_id",
            "number",
            postgresql_where=text("kind = 'list'"),
            sqlite_where=text("kind = 'list'"),
        ),
    )

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]  # submitted edited rejected restored reviewed merged unmerged definition settings places …
    at: Mapped[dt.datetime]
    actor_id: Mapped[int | None]
    submission_id: Mapped[int | None]
    details: Mapped[dict[str, Any] | None]


class Place(Base):
    """A place as it stood from the event `opened` to the event `closed`; a move closes one row and opens another."""

    __tablename__ = "places"
    __table_args__ = (  # by which everybody sees at once whether the places have changed
        Index("ix_places_opened", "project_id", "opened"),
        Index("ix_places_closed", "project_id", "closed"),
    )

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    opened: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    closed: Mapped[int | None]
    name: Mapped[str]
    level: Mapped[str]
    parent: Mapped[str | None]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    aliases: Mapped[list[Any]]


class Audit(Base):
    """Who did what, from where, within which request. Append-only; `chain` hashes the row together with the one before.

    Project 0 holds the acts that belong to no project: log-ins, accounts.
    """

    __tablename__ = "audits"

    project_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[dt.datetime]
    actor_id: Mapped[int | None]
    action: Mapped[str]
    subject: Mapped[str | None]
    details: Mapped[dict[str, Any] | None]
    request_id: Mapped[str | None]
    address: Mapped[str | None]
    chain: Mapped[bytes]


class Form(Base):
    """A form of a project; `version` names the one that devices get now. `number` is how ODK's REST counts forms."""

    __tablename__ = "forms"
    __table_args__ = (UniqueConstraint("project_id", "number"),)

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    form_id: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    version: Mapped[str]
    state: Mapped[str] = mapped_column(default="open")  # open | closing | closed
    event: Mapped[int]  # the last change that a device would notice
    number: Mapped[int | None]
    actor_id: Mapped[int | None]  # who made it
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime | None]
    deleted_at: Mapped[dt.datetime | None]


class FormVersion(Base):
    """A published workbook, kept for ever: what it was made from, the XForm, and our own sheets as read."""

    __tablename__ = "form_versions"
    __table_args__ = (ForeignKeyConstraint(["project_id", "form_id"], ["forms.project_id", "forms.form_id"]),)

    project_id: Mapped[int] = mapped_column(primary_key=True)
    form_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int]  # 1, 2, … in the order of publishing
    xform: Mapped[bytes]
    source: Mapped[bytes | None]
    sheets: Mapped[dict[str, Any]]
    title: Mapped[str | None]
    key_id: Mapped[int | None]  # of the key that its submissions are encrypted with
    md5: Mapped[str]  # of the XForm, as OpenRosa form lists give it
    sha256: Mapped[str]  # of the XForm and our sheets: one text, one version
    published_at: Mapped[dt.datetime]


class FormFile(Base):
    """A file that a form's versions name: its content, or the entity list that stands for it."""

    __tablename__ = "form_files"
    __table_args__ = (ForeignKeyConstraint(["project_id", "form_id"], ["forms.project_id", "forms.form_id"]),)

    project_id: Mapped[int] = mapped_column(primary_key=True)
    form_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str | None]
    sha256: Mapped[str | None]
    list_name: Mapped[str | None]
    event: Mapped[int]


class EncryptionKey(Base):
    """A key pair of a project. The private half is locked with a passphrase that only the project's people know."""

    __tablename__ = "encryption_keys"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    public: Mapped[str]  # as the XForm carries it: base64 of the DER
    private: Mapped[dict[str, Any] | None]  # None: the project's people keep it, and decrypt at home
    hint: Mapped[str | None]
    created_at: Mapped[dt.datetime]


class FormDraft(Base):
    """A form that is being tried out: what the next version will be, and the token that opens its test door."""

    __tablename__ = "form_drafts"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    form_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str]
    title: Mapped[str]
    xform: Mapped[bytes]
    source: Mapped[bytes | None]
    sheets: Mapped[dict[str, Any]]
    md5: Mapped[str]
    sha256: Mapped[str]
    token: Mapped[str]  # opens nothing but this draft, so it may be shown again
    token_sha256: Mapped[bytes]
    actor_id: Mapped[int | None]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime | None]


class DraftFile(Base):
    """A file that a draft names: its content, or the entity list that stands for it."""

    __tablename__ = "draft_files"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "form_id"], ["form_drafts.project_id", "form_drafts.form_id"]),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    form_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str | None]
    sha256: Mapped[str | None]
    list_name: Mapped[str | None]
    updated_at: Mapped[dt.datetime | None]


class DraftSubmission(Base):
    """A trial answer to a draft. It counts nowhere, and goes with the draft."""

    __tablename__ = "draft_submissions"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "form_id"], ["form_drafts.project_id", "form_drafts.form_id"]),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    form_id: Mapped[str] = mapped_column(primary_key=True)
    instance_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int]  # in the order of arrival
    xml: Mapped[bytes]  # zstd over the bytes as received
    answers: Mapped[dict[str, Any] | None]
    flags: Mapped[list[Any]] = mapped_column(default=list)
    files: Mapped[dict[str, Any]] = mapped_column(default=dict)  # name → SHA-256 of what came along
    device: Mapped[str | None]
    user_agent: Mapped[str | None]
    received_at: Mapped[dt.datetime]


# The version of a form that was published last.
NEWEST = and_(
    FormVersion.project_id == Form.project_id,
    FormVersion.form_id == Form.form_id,
    FormVersion.version == Form.version,
)
