"""Registries fed by forms, after the ODK Entities specification, and the mapping from entities to persons."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from sync.models.base import Base


class EntityList(Base):
    """A registry ("dataset" on the wire). `matching` maps properties to roles if it is a list of people."""

    __tablename__ = "entity_lists"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    properties: Mapped[list[Any]]
    matching: Mapped[dict[str, Any] | None]
    created_at: Mapped[dt.datetime]


class Entity(Base):
    """One row of a registry as it stands: derived by applying its steps in order. A withdrawn one reaches no device."""

    __tablename__ = "entities"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "list_name"], ["entity_lists.project_id", "entity_lists.name"]),
        Index("ix_entities_event", "project_id", "list_name", "event"),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True)
    list_name: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)  # a lower-case UUID without prefix
    label: Mapped[str]
    data: Mapped[dict[str, Any]]
    version: Mapped[int]
    withdrawn: Mapped[bool] = mapped_column(default=False)
    conflict: Mapped[str | None]  # None | soft | hard
    event: Mapped[int]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime | None]


class EntityStep(Base):
    """What one submission (or a list file, submission 0) wants of one entity. Derived from the raw instance.

    A step is `applied`, or `held` until the entity, or the step of the same offline branch before it, has arrived.
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
    state: Mapped[str]  # applied | held | withdrawn
    version: Mapped[int | None]  # that the entity had after it


class Membership(Base):
    """From the event `opened` to the event `closed`, this entity stood for that person. Without a row, for itself."""

    __tablename__ = "memberships"

    project_id: Mapped[int] = mapped_column(primary_key=True)
    list_name: Mapped[str] = mapped_column(primary_key=True)
    entity_id: Mapped[str] = mapped_column(primary_key=True)
    opened: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    closed: Mapped[int | None]
    person_id: Mapped[str]
