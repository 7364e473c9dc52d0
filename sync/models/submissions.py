"""A submission with its chain of versions: the raw instance bytes are the truth, the rest can be rebuilt from them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import DDL, JSON, ColumnClause, ForeignKeyConstraint, Index, and_, event, false, text, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base


class Submission(Base):
    """Our record of one filled form. `instance_id` is the first version's, by which the submission is named throughout.

    `counts` says whether figures count it now (review state, double save, the project's rule, deletion).
    """

    __tablename__ = "submissions"
    __table_args__ = (
        Index("ix_submissions_form", "project_id", "form_id", "id"),
        Index("ix_submissions_actor", "project_id", "actor_id", "received_at"),
        Index("ix_submissions_state", "project_id", "review_state", "id"),
        Index("ix_submissions_place", "project_id", "place", "id"),
        Index("ix_submissions_device", "project_id", "device", "id"),
        Index("ix_submissions_received", "project_id", "received_at", "id"),
        Index(
            "ix_submissions_flagged",
            "project_id",
            "id",
            postgresql_where=text("flags <> '[]'"),
            sqlite_where=text("flags <> '[]'"),
        ),
        Index(
            "ix_submissions_sent_back",
            "project_id",
            "actor_id",
            postgresql_where=text("review_state IN ('hasIssues', 'rejected')"),
            sqlite_where=text("review_state IN ('hasIssues', 'rejected')"),
        ),
        Index(
            "ix_submissions_deleted",
            "project_id",
            "deleted_at",
            postgresql_where=text("deleted_at IS NOT NULL"),
            sqlite_where=text("deleted_at IS NOT NULL"),
        ),
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
    user_agent: Mapped[str | None]
    instance_name: Mapped[str | None]
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
    more_to_come: Mapped[bool] = mapped_column(default=False, server_default=false())  # said the sender; one is missing
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
    canonical_sha256: Mapped[bytes]  # of what was sent, however it was written; empty: that of `xml`
    answers: Mapped[dict[str, Any] | None] = mapped_column(JSON())  # derived; see `searched`
    encrypted_key: Mapped[str | None]  # of an encrypted instance: the key to it, locked with the form's public key
    actor_id: Mapped[int]
    device: Mapped[str | None]
    user_agent: Mapped[str | None]
    instance_name: Mapped[str | None]
    received_at: Mapped[dt.datetime]
    recorded_at: Mapped[dt.datetime]
    dated: Mapped[bool] = mapped_column(  # else nothing said when it was recorded, and `recorded_at` is when it arrived
        default=True, server_default=true()
    )
    event: Mapped[int]


class RepeatRow(Base):
    """One iteration of a repeat in the current version of a submission, as a row of its own. Derived."""

    __tablename__ = "repeat_rows"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "submission_id"], ["submissions.project_id", "submissions.id"]),
        Index("ix_repeat_rows_submission", "project_id", "submission_id"),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    form_id: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)  # identity of the repeat: /data/visits/people
    submission_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 0, 1, … in document order
    places: Mapped[list[Any]]  # the position of each repeat on the way to it, from 0: [2, 0]
    answers: Mapped[dict[str, Any]] = mapped_column(JSON())  # without those of the repeats inside; see `searched`


class Attachment(Base):
    """A file that a version of a submission names, or that came along; `sha256` is unknown until someone says it.

    Of two files that came under one name the first one has it; the other is its rival and has a name made for it.
    """

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
    extra: Mapped[bool] = mapped_column(default=False, server_default=false())  # the instance does not name it
    rival_of: Mapped[str | None]  # the name under which it came


class Comment(Base):
    """What a coordinator wrote about a submission."""

    __tablename__ = "comments"
    __table_args__ = (
        Index("ix_comments_submission", "project_id", "submission_id", "id"),
        ForeignKeyConstraint(["project_id", "submission_id"], ["submissions.project_id", "submissions.id"]),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    submission_id: Mapped[int]
    actor_id: Mapped[int]
    body: Mapped[str]
    at: Mapped[dt.datetime]


class ReviewBulk(Base):
    """A decision on many submissions at once. What comes after `event` was done later."""

    __tablename__ = "review_bulks"

    project_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str | None]
    actor_id: Mapped[int | None]
    event: Mapped[int]
    at: Mapped[dt.datetime]
    undone: Mapped[int | None]  # the last event when it was taken back


class BulkReviewed(Base):
    """A submission that a decision on many changed, and the review state that it had before."""

    __tablename__ = "bulk_reviewed"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "bulk"], ["review_bulks.project_id", "review_bulks.id"]),
        ForeignKeyConstraint(["project_id", "submission_id"], ["submissions.project_id", "submissions.id"]),
        Index("ix_bulk_reviewed_submission", "project_id", "submission_id"),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    bulk: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    submission_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    before: Mapped[str | None]


# The version of a submission that stands, and the files that it names.
CURRENT = and_(
    SubmissionVersion.project_id == Submission.project_id,
    SubmissionVersion.form_id == Submission.form_id,
    SubmissionVersion.instance_id == Submission.current_instance_id,
)
ATTACHED = and_(
    Attachment.project_id == Submission.project_id,
    Attachment.submission_id == Submission.id,
    Attachment.instance_id == Submission.current_instance_id,
)


# A column that PostgreSQL alone has, and fills by itself: the answers as jsonb. To look into it costs a part of what
# it does in text; to write it out, for all who read whole rows, several times as much.
SEARCHED = "searched"
_MADE = f"ALTER TABLE %(table)s ADD {SEARCHED} JSONB GENERATED ALWAYS AS (answers::JSONB) STORED"
for _table, _also in (
    (SubmissionVersion.__table__, ", ALTER answers SET STORAGE MAIN"),  # in its row, where exports find it at once
    (RepeatRow.__table__, ""),
):
    _ddl = DDL(_MADE + _also)  # type: ignore[no-untyped-call]
    event.listen(_table, "after_create", _ddl.execute_if(dialect="postgresql"))


def searched(table: type[SubmissionVersion | RepeatRow], *, sqlite: bool) -> Any:
    """The answers of a table's rows for an expression that looks into them."""
    if sqlite:
        return table.answers
    return ColumnClause(SEARCHED, JSONB(), _selectable=table.__table__)
