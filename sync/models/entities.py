"""Registries fed by forms, after the ODK Entities specification, and the mapping from entities to persons."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, false, text
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base


class EntityList(Base):
    """A registry ("dataset" on the wire). `matching` maps properties to roles if it is a list of people."""

    __tablename__ = "entity_lists"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    properties: Mapped[list[Any]]
    matching: Mapped[dict[str, Any] | None]
    approval_required: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  # its steps wait for approval
    approval_from: Mapped[int] = mapped_column(
        default=0, server_default="0"
    )  # the event after which submissions have to have come for that
    owner_only: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  # devices get what they made themselves
    place_property: Mapped[str | None]  # devices with places get the rows whose value lies in one of them
    access_filter: Mapped[str | None]  # JSON: by properties of devices, or by assignment
    event: Mapped[int] = mapped_column(default=0, server_default="0")  # the last change of the list itself
    created_at: Mapped[dt.datetime]
    deleted_at: Mapped[dt.datetime | None]


class Entity(Base):
    """One row of a registry as it stands: derived by applying its steps in order. A withdrawn one reaches no device."""

    __tablename__ = "entities"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "list_name"], ["entity_lists.project_id", "entity_lists.name"]),
        Index("ix_entities_event", "project_id", "list_name", "event"),
        Index("ix_entities_place", "project_id", "list_name", "place"),
        Index("ix_entities_creator", "project_id", "list_name", "creator_id"),
        Index(
            "ix_entities_conflict",
            "project_id",
            "list_name",
            "event",
            "id",
            postgresql_where=text("conflict IS NOT NULL"),
            sqlite_where=text("conflict IS NOT NULL"),
        ),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    list_name: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)  # a lower-case UUID without prefix
    label: Mapped[str]
    data: Mapped[dict[str, Any]]
    version: Mapped[int]
    withdrawn: Mapped[bool] = mapped_column(default=False)
    conflict: Mapped[str | None]  # None | soft | hard
    place: Mapped[str | None]  # the code by which devices are chosen; None: for all
    creator_id: Mapped[int | None]
    deleted_at: Mapped[dt.datetime | None]
    event: Mapped[int]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime | None]


class EntityStep(Base):
    """What one submission (or a list file, submission 0) wants of one entity. Derived from the raw instance.

    A step is `applied`, or `held` until the entity, or the step of the same offline branch before it, has arrived, or
    `forced` when that took too long. What people change by hand is a step too, under an id that no submission has.
    """

    __tablename__ = "entity_steps"
    __table_args__ = (Index("ix_entity_steps_submission", "project_id", "submission_id"),)

    project_id: Mapped[int] = mapped_column(primary_key=True)
    list_name: Mapped[str] = mapped_column(primary_key=True)
    entity_id: Mapped[str] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    path: Mapped[str] = mapped_column(primary_key=True)  # of the entity element, with positions
    event: Mapped[int]  # that brought the submission's version in: the order of arrival
    create: Mapped[bool]
    update: Mapped[bool]
    label: Mapped[str | None]
    data: Mapped[dict[str, Any]]
    base_version: Mapped[int | None]
    trunk_version: Mapped[int | None]
    branch_id: Mapped[str | None]
    actor_id: Mapped[int | None]  # who sent the submission, or whose step it is where no submission asked for it
    state: Mapped[str]  # applied | held | forced | withdrawn
    version: Mapped[int | None]  # that the entity had after it


class Membership(Base):
    """From the event `opened` to the event `closed`, this entity stood for that person. Without a row, for itself.

    `person_id` is the person in the value of a figure, `fewest_id` in its low bound, where whoever may be one is one,
    `most_id` in its high bound, where only what is decided or nearly sure is. A person has the smallest id of its
    entities.
    """

    __tablename__ = "memberships"
    __table_args__ = (
        Index("ix_memberships_fewest", "project_id", "fewest_id"),
        Index("ix_memberships_opened", "project_id", "opened"),
        Index("ix_memberships_closed", "project_id", "closed"),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    list_name: Mapped[str] = mapped_column(primary_key=True)
    entity_id: Mapped[str] = mapped_column(primary_key=True)
    opened: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    closed: Mapped[int | None]
    person_id: Mapped[str]
    fewest_id: Mapped[str]
    most_id: Mapped[str]


class EntityAssignment(Base):
    """A row of a list that a coordinator gave to one device. The list's `access_filter` then says `assigned`, and each
    device gets what was given to it and what it made itself, also when nothing is given to anybody any more."""

    __tablename__ = "entity_assignments"
    __table_args__ = (Index("ix_entity_assignments_actor", "project_id", "list_name", "actor_id"),)

    project_id: Mapped[int] = mapped_column(primary_key=True)
    list_name: Mapped[str] = mapped_column(primary_key=True)
    entity_id: Mapped[str] = mapped_column(primary_key=True)
    actor_id: Mapped[int] = mapped_column(ForeignKey("actors.id"), primary_key=True)
    event: Mapped[int]
