"""Indicators with the history of their definitions, contributions, targets and statements."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base

BREAKDOWNS = 6  # the most that one indicator may have: a column each


class Indicator(Base):
    """The name of a figure; its definitions lie in `indicator_versions`."""

    __tablename__ = "indicators"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]


class IndicatorVersion(Base):
    """A definition that held from the event `opened` to the event `closed`."""

    __tablename__ = "indicator_versions"

    project_id: Mapped[int] = mapped_column(primary_key=True)
    indicator_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    opened: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    closed: Mapped[int | None]
    definition: Mapped[dict[str, Any]]


class Contribution(Base):
    """What a submission adds to an indicator, from the event `opened` to the event `closed`. Never changed otherwise.

    Amounts are whole millionths, so that sums are exact on both databases. A breakdown of several keys is written
    ` a b `, with a space at both ends; one of a single key as it is; null is the key null. `recorded` is the
    submission's `recorded_at` in microseconds since 1970, which decides between two values on one date. A row whose
    place, subject and keys together are too long for PostgreSQL's indexes is `wide`.
    """

    __tablename__ = "contributions"
    __table_args__ = (
        Index(
            "ix_contributions_open",
            *("project_id", "indicator_id", "day"),
            # What most figures look at: they are counted without going to the rows themselves.
            *("wide", "closed", "opened", "place", "subject", "value", "by1", "by2", "by3", "by4", "by5", "by6"),
            postgresql_where=text("closed IS NULL AND NOT wide"),
            sqlite_where=text("closed IS NULL AND wide = 0"),
        ),
        Index(
            "ix_contributions_wide",
            "project_id",
            "indicator_id",
            "day",
            postgresql_where=text("closed IS NULL AND wide"),
            sqlite_where=text("closed IS NULL AND wide = 1"),
        ),
        Index(
            "ix_contributions_opened",
            "project_id",
            "indicator_id",
            "opened",
            # True of all rows, and said by who asks for what is new alone: no other question is to be answered by it.
            postgresql_where=text("opened > 0"),
            sqlite_where=text("opened > 0"),
        ),
        Index(
            "ix_contributions_closed",
            "project_id",
            "indicator_id",
            "closed",
            postgresql_where=text("closed IS NOT NULL"),
            sqlite_where=text("closed IS NOT NULL"),
        ),
        Index(
            "ix_contributions_subject",
            "project_id",
            "subject",
            "indicator_id",
            postgresql_where=text("subject IS NOT NULL"),
            sqlite_where=text("subject IS NOT NULL"),
        ),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    opened: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    indicator_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    closed: Mapped[int | None]
    day: Mapped[dt.date]
    until: Mapped[dt.date | None]
    place: Mapped[str | None]
    subject: Mapped[str | None]
    value: Mapped[int | None]
    text: Mapped[str | None]
    baseline: Mapped[int | None]
    recorded: Mapped[int]
    by1: Mapped[str | None]
    by2: Mapped[str | None]
    by3: Mapped[str | None]
    by4: Mapped[str | None]
    by5: Mapped[str | None]
    by6: Mapped[str | None]
    wide: Mapped[bool] = mapped_column(default=False, server_default=false())


class Target(Base):
    """What was planned, and where things stood before, for an indicator, period, place and cell."""

    __tablename__ = "targets"

    project_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    opened: Mapped[int]
    closed: Mapped[int | None]
    form_id: Mapped[str]
    indicator: Mapped[str]
    period: Mapped[str]
    place: Mapped[str | None]
    by: Mapped[dict[str, Any]]
    baseline: Mapped[int | None]  # millionths
    target: Mapped[int | None]  # millionths
    note: Mapped[str | None]


class StatementText(Base):
    """The wording of a statement in one language, from the event `opened` to the event `closed`."""

    __tablename__ = "statement_texts"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    opened: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    closed: Mapped[int | None]
    source: Mapped[str]


class StatementIssue(Base):
    """A statement as it was given out: it stays reproducible as of its event. `pairs` is on how many open pairs its
    figures hung: the journal does not keep what was open."""

    __tablename__ = "statement_issues"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str]
    as_of: Mapped[int]
    period: Mapped[str]
    place: Mapped[str | None]
    issued_at: Mapped[dt.datetime]
    actor_id: Mapped[int | None]
    pairs: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")


class IssueText(Base):
    """What an issue said in one language when it was given out: to those who see small cells, and to those who do not.

    `written` holds its figures and the words around them (`sync.statements.frozen`). Issues that were given out before
    texts were kept have none.
    """

    __tablename__ = "issue_texts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["project_id", "name", "number"],
            ["statement_issues.project_id", "statement_issues.name", "statement_issues.number"],
        ),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    language: Mapped[str] = mapped_column(primary_key=True)
    small_cells: Mapped[bool] = mapped_column(primary_key=True)
    written: Mapped[dict[str, Any]]


class WordTemplate(Base):
    """A Word document of an organisation that statements are written into: of one of them, or (no name) of all.

    It is small, and lies in the database so that it goes into backups with the texts that it is for.
    """

    __tablename__ = "word_templates"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    statement: Mapped[str] = mapped_column(primary_key=True)
    file_name: Mapped[str]
    content: Mapped[bytes]
    sha256: Mapped[str]
    actor_id: Mapped[int | None]
    at: Mapped[dt.datetime]
