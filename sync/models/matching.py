"""Who may be the same person: how a list is compared, by what its entities are found, and what people decided."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base


def _of_list() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["project_id", "list_name"], ["entity_lists.project_id", "entity_lists.name"])


class MatchModel(Base):
    """What was learnt about a list, by version; the last one is in force. A list without one is compared by default."""

    __tablename__ = "match_models"
    __table_args__ = (_of_list(),)

    project_id: Mapped[int] = mapped_column(primary_key=True)
    list_name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    terms: Mapped[int]  # the version with whose terms it scores: its own, but for one that was only calibrated
    model: Mapped[dict[str, Any]]
    explanation: Mapped[dict[str, Any]]  # the numbers behind it, for people to read
    records: Mapped[int]
    event: Mapped[int]
    actor_id: Mapped[int | None]
    at: Mapped[dt.datetime]


class MatchTerm(Base):
    """How often a name occurred in a place when a version of the model was learnt: the counts stay as they were then,
    so that no score depends on what arrived before it. The term '' counts all names of the place."""

    __tablename__ = "match_terms"
    __table_args__ = (_of_list(),)

    project_id: Mapped[int] = mapped_column(primary_key=True)
    list_name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    scope: Mapped[str] = mapped_column(primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    term: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]


class MatchKey(Base):
    """A blocking key of an entity as it stands: only entities that share one are compared.

    What tells rows apart comes first in an index: of two that begin with project and list, PostgreSQL takes either for
    the right one as long as it has no statistics, and reads the whole list.
    """

    __tablename__ = "match_keys"
    __table_args__ = (Index("ix_match_keys_entity", "project_id", "entity_id", "list_name"),)

    project_id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entity_id: Mapped[str] = mapped_column(primary_key=True)
    list_name: Mapped[str] = mapped_column(primary_key=True)


class Match(Base):
    """Two entities that may be one: `a` has the smaller id. `state` is what people decided, open if nothing.

    Without a weight the pair is no candidate any more, and is kept for its decision's sake. `parts` are those of the
    weight, as they were written then.
    """

    __tablename__ = "matches"
    __table_args__ = (
        _of_list(),
        UniqueConstraint("project_id", "a", "b", "list_name"),
        Index("ix_matches_b", "project_id", "b", "list_name"),
        Index("ix_matches_state", "project_id", "state", "list_name", "probability"),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    list_name: Mapped[str]
    a: Mapped[str]
    b: Mapped[str]
    weight: Mapped[float | None]
    probability: Mapped[float | None]
    parts: Mapped[list[Any]]
    model: Mapped[int]  # version; 0 for the default
    state: Mapped[str] = mapped_column(default="open")  # open | same | different
    event: Mapped[int]  # of its last change: by this number a coordinator says what was seen


class MatchDecision(Base):
    """What somebody said about a pair, and when; the last one holds. `open` takes back what was said before."""

    __tablename__ = "match_decisions"
    __table_args__ = (_of_list(), Index("ix_match_decisions_pair", "project_id", "list_name", "a", "b"))

    project_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    list_name: Mapped[str]
    a: Mapped[str]
    b: Mapped[str]
    decision: Mapped[str]  # same | different | open
    reason: Mapped[str | None]
    stands: Mapped[str | None]  # of two that are the same, the one that stands for the person; else the newest does
    bulk: Mapped[int | None]  # the id of the first decision of those taken at once
    a_version: Mapped[int]  # of the entities, as they were looked at
    b_version: Mapped[int]
    weight: Mapped[float | None]  # of the pair then
    actor_id: Mapped[int | None]
    event: Mapped[int]
    at: Mapped[dt.datetime]
