"""A submission with its chain of versions: the raw instance bytes are the truth, the rest can be rebuilt from them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base


class Submission(Base):
    """Our record of one filled form. `instance_id` is the first version's, by which the submission is named throughout.

    `counts` says whether figures count it now (review state, double save, the project's rule, deletion).
    """

    __tablename__ = "submissions"
    __table_args__ = (
        Index(
            "ix_submissions_fingerprint",
            "project_id",
            "fingerprint",
            postgresql_where=text("fingerprint IS NOT NULL"),
            sqlite_where=text("fingerprint IS NOT NULL"),
        ),
        Index(
            "ix_submissions_subject",
            "project_id",
            "subject",
            "day",
            postgresql_where=text("subject IS NOT NULL"),
            sqlite_where=text("subject IS NOT NULL"),
        ),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    form_id: Mapped[str]
    instance_id: Mapped[str]
    current_instance_id: Mapped[str]
    form_version: Mapped[str]
    versions: Mapped[int] = mapped_column(default=1)
    review_state: Mapped[str | None]  # None | edited | hasIssues | rejected | approved
    actor_id: Mapped[int]
    device: Mapped[str | None]
    received_at: Mapped[dt.datetime]
    recorded_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    deleted_at: Mapped[dt.datetime | None]
    flags: Mapped[list[Any]] = mapped_column(default=list)  # of the check, as [code, place, message]
    fingerprint: Mapped[bytes | None]
    double_of: Mapped[int | None]
    subject: Mapped[str | None]  # the first entity that it names, with its list: people/6a…
    day: Mapped[dt.date | None]
    place: Mapped[str | None]
    missing: Mapped[int] = mapped_column(default=0)  # attachments that it names and that have not arrived
    counts: Mapped[bool] = mapped_column(default=True)
    event: Mapped[int]  # the last event that changed it


class SubmissionVersion(Base):
    """One instance as it arrived. The primary key is the one constraint that decides what a duplicate is."""

    __tablename__ = "submission_versions"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "submission_id"], ["submissions.project_id", "submissions.id"]),
        Index("ix_submission_versions_submission", "project_id", "submission_id"),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    form_id: Mapped[str] = mapped_column(primary_key=True)
    instance_id: Mapped[str] = mapped_column(primary_key=True)
    submission_id: Mapped[int]
    number: Mapped[int]  # 1, 2, …
    parent: Mapped[str | None]  # the instance that this one corrects
    form_version: Mapped[str]
    xml: Mapped[bytes]  # zstd over the bytes as received
    sha256: Mapped[bytes]
    canonical_sha256: Mapped[bytes]
    answers: Mapped[dict[str, Any] | None]  # derived
    actor_id: Mapped[int]
    device: Mapped[str | None]
    received_at: Mapped[dt.datetime]
    recorded_at: Mapped[dt.datetime]
    event: Mapped[int]


class Attachment(Base):
    """A file that a version of a submission names, or that came along; `sha256` is unknown until someone says it."""

    __tablename__ = "attachments"
    __table_args__ = (
        Index("ix_attachments_sha256", "project_id", "sha256"),
        ForeignKeyConstraint(["project_id", "submission_id"], ["submissions.project_id", "submissions.id"]),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str | None]
    size: Mapped[int | None]
    type: Mapped[str | None]
    present: Mapped[bool] = mapped_column(default=False)


class Comment(Base):
    """What a coordinator wrote about a submission."""

    __tablename__ = "comments"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "submission_id"], ["submissions.project_id", "submissions.id"]),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    submission_id: Mapped[int]
    actor_id: Mapped[int]
    body: Mapped[str]
    at: Mapped[dt.datetime]
